"""Stored hashes of uploads: what matches a newer list is reported, once."""

import json
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from pool_accidents import until
from prometheus_client import CollectorRegistry
from receiver import Receiver, secret_file
from served import SECONDS, error_of, serving, start
from service_lists import make

from screener import HashCache, HashList, Screener
from screener.hashing import digest
from screener.media.name import Name
from screener.service import reverse as reverse_module
from screener.service.reverse import Reverse
from screener.service.settings import Settings


@pytest.fixture
def known(tmp_path, values):
    """A list that has one picture."""
    return make(tmp_path, "known", [{"id": "one", "pdq": values["listed"]}])


@pytest.fixture
def options(tmp_path, known):
    """The options of a service that stores hashes and writes a file of matches."""
    return [
        *("--list", known, "--keep-hashes", 30, "--state", tmp_path / "state"),
        *("--matches-file", tmp_path / "matches.jsonl", "--poll-seconds", 0.2),
    ]


def add(list_path, folder, rows, name="newer"):
    """Import rows into a list."""
    file = folder / f"{name}.csv"
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [",".join(row.get(column, "") for column in columns) for row in rows]
    file.write_text("\n".join([",".join(columns), *lines]) + "\n")
    HashList.open(list_path).import_file(file, source="test")


def events(folder):
    """The events in the file of matches."""
    path = folder / "matches.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def metric(server, name):
    """The value of a metric without labels, or the sum of those with labels."""
    lines = server.get("/metrics")[1].decode().splitlines()
    found = [line for line in lines if line.split(" ")[0].split("{")[0] == name]
    assert found, name
    return sum(float(line.rpartition(" ")[2]) for line in found)


def kill(server):
    """End a server as a crash would."""
    server.client.close()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(SECONDS)


def stored(server, number):
    """Wait until so many uploads are stored."""
    until(lambda: metric(server, "screener_stored_uploads_total") == number, SECONDS)


def test_an_upload_that_a_newer_list_names_is_reported_once(
    options, tmp_path, known, files, values
):
    """By the caller's id, with the entry and the generation; again neither for a further
    generation nor after a restart. What the answer said is not reported.
    """
    with serving(*options) as server:
        first = server.post("/v1/screen?id=user/7", files["other"])[1]
        assert server.post("/v1/screen?id=user/8", files["listed"])[1]["verdict"] == "match"
        stored(server, 2)

        add(known, tmp_path, [{"id": "new", "pdq": values["other"]}])

        until(lambda: events(tmp_path), SECONDS)
        add(known, tmp_path, [{"id": "third", "pdq": values["second"]}], "third")
        until(lambda: metric(server, "screener_reverse_runs_total") == 3, SECONDS)
    with serving(*options) as server:
        until(lambda: metric(server, "screener_reverse_pending") == 0, SECONDS)

    assert (first["input"], first["verdict"]) == ("user/7", "no_match")
    (event,) = events(tmp_path)
    assert event["type"] == "upload.matches"
    assert event["data"]["upload"] == "user/7"
    (match,) = event["data"]["matches"]
    assert match == {
        "list": "known", "generation": 2, "source": "test", "entry": "new", "state": "confirmed",
        "kind": "pdq", "by": "distance", "distance": 0, "radius": match["radius"],
    }  # fmt: skip


def test_all_is_private_and_nothing_tells_a_hash(options, tmp_path, known, files, values):
    """Files for the owner only; an event has no value, also of an entry that is called by one."""
    with serving(*options) as server:
        server.post("/v1/screen?id=a", files["other"])
        stored(server, 1)
        add(known, tmp_path, [{"id": values["other"], "pdq": values["other"]}])
        until(lambda: events(tmp_path), SECONDS)
        messages = server.messages

        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "state").iterdir()}
        assert set(modes.values()) == {0o600}, modes
        assert {"hashes.cache", "events.sqlite"} <= modes.keys()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "matches.jsonl").stat().st_mode) == 0o600
    text = (tmp_path / "matches.jsonl").read_text()
    assert values["other"] not in text + messages
    assert json.loads(text)["data"]["matches"][0]["entry"] is None
    assert "screener.cache" not in messages


def test_an_upload_without_an_id_gets_one(options, tmp_path, files):
    """In its Result, and in a header of the hook; each another one. A form needs one a file."""
    with serving(*options) as server:
        names = {server.post("/v1/screen", files["other"])[1]["input"] for _ in range(2)}
        hook = server.client.post("/v1/hook", content=files["other"])
        names.add(hook.headers["upload-id"])
        form = [("file", ("same.png", files["other"])), ("file", ("same.png", files["second"]))]
        body = server.client.post("/v1/screen", files=form).json()
        names |= {result["input"] for result in body["results"]}
        given = server.client.post("/v1/screen?id=x&id=y", files=form).json()
        too_few = server.client.post("/v1/screen?id=x", files=form)
        stored(server, 7)

    assert len(names) == 5
    assert all(len(name) == 32 for name in names)
    assert [result["input"] for result in given["results"]] == ["x", "y"]
    assert error_of((too_few.status_code, too_few.json())) == (400, "bad_id")
    with HashCache.open(tmp_path / "state" / "hashes.cache") as cache:
        assert len(cache) == 7


@pytest.mark.parametrize("query", ["id=", "id=a b", "id=a&id=a", "id=%C3%A9", "id=" + "x" * 201])
def test_malformed_ids_are_refused(server, files, query):
    """Also by a service that stores nothing."""
    assert error_of(server.post(f"/v1/screen?{query}", files["other"])) == (400, "bad_id")


def test_an_upload_is_reported_only_for_the_lists_that_the_caller_chose(
    options, tmp_path, known, files, values
):
    """`?list=` holds for newer lists too."""
    more = make(tmp_path, "more", [{"id": "two", "pdq": values["second"]}])
    with serving(*options, "--list", more) as server:
        server.post("/v1/screen?id=a&list=more", files["other"])
        server.post("/v1/screen?id=b", files["other"])
        stored(server, 2)
        add(known, tmp_path, [{"id": "new", "pdq": values["other"]}])
        until(lambda: events(tmp_path), SECONDS)
        add(more, tmp_path, [{"id": "too", "pdq": values["other"]}], "too")
        until(lambda: len(events(tmp_path)) == 3, SECONDS)

    found = [
        (event["data"]["upload"], match["list"])
        for event in events(tmp_path)
        for match in event["data"]["matches"]
    ]
    assert sorted(found) == [("a", "more"), ("b", "known"), ("b", "more")]


def test_a_list_that_came_while_the_service_was_down_is_matched(
    options, tmp_path, known, files, values
):
    """At the next start."""
    with serving(*options) as server:
        server.post("/v1/screen?id=a", files["other"])
        stored(server, 1)
    add(known, tmp_path, [{"id": "new", "pdq": values["other"]}])

    with serving(*options):
        until(lambda: events(tmp_path), SECONDS)

    assert [event["data"]["upload"] for event in events(tmp_path)] == ["a"]


def test_a_list_that_gets_other_kinds_is_matched(options, tmp_path, known, files, values):
    """By digests, which are always stored; uploads without pHash are compared by what there is."""
    rows = [
        {"id": "new", "phash": "0123456789abcdef"},
        {"id": "digest", "sha256": digest.compute(files["other"])[2].text},
    ]
    with serving(*options) as server:
        server.post("/v1/screen?id=a", files["other"])
        stored(server, 1)
        add(known, tmp_path, rows)
        until(lambda: events(tmp_path), SECONDS)

    (event,) = events(tmp_path)
    assert [(one["kind"], one["entry"]) for one in event["data"]["matches"]] == [
        ("sha256", "digest")
    ]


def test_hashes_are_deleted_by_age_from_the_file_too(options, tmp_path, known, files, values):
    """A second after `--keep-hashes` they match nothing more."""
    options[options.index("--keep-hashes") + 1] = 1 / 86_400
    value = bytes.fromhex(values["other"])
    path = tmp_path / "state" / "hashes.cache"
    with serving(*options) as server:
        server.post("/v1/screen?id=an-old-upload", files["other"])
        stored(server, 1)
        held = b"".join(p.read_bytes() for p in path.parent.iterdir())
        time.sleep(2.5)
        add(known, tmp_path, [{"id": "new", "pdq": values["other"]}])
        until(lambda: metric(server, "screener_reverse_runs_total") == 2, SECONDS)

    left = b"".join(p.read_bytes() for p in path.parent.iterdir())
    assert events(tmp_path) == []
    assert value in held
    assert b"an-old-upload" in held
    assert value not in left
    assert b"an-old-upload" not in left


def test_a_kill_between_match_and_delivery_loses_no_event(options, tmp_path, known, files, values):
    """The queue is delivered after the next start, under the same ids; half a line is removed."""
    with Receiver() as down:
        url = down.url
    options += ["--webhook-url", url, "--webhook-secret", secret_file(tmp_path)]
    (tmp_path / "run").mkdir()
    server = start(tmp_path / "run", *options)
    try:
        for number in range(20):
            assert server.post(f"/v1/screen?id={number}", files["other"])[0] == 200
        stored(server, 20)
        add(known, tmp_path, [{"id": "new", "pdq": values["other"]}])
        until(lambda: len(events(tmp_path)) == 20, SECONDS)
        assert metric(server, "screener_events_waiting") == 20
    finally:
        kill(server)
    with (tmp_path / "matches.jsonl").open("a") as file:
        file.write('{"id":"half')
    ids = [event["id"] for event in events_of_whole_lines(tmp_path)]

    with (
        Receiver(port=int(url.split(":")[2].split("/")[0])) as receiver,
        serving(*options) as server,
    ):
        until(lambda: len(receiver.events) >= 20, SECONDS)
        until(lambda: metric(server, "screener_events_waiting") == 0, SECONDS)

    assert {event["id"] for event in receiver.events} == set(ids)
    assert {event["data"]["upload"] for event in receiver.events} == set(map(str, range(20)))
    assert [event["id"] for event in events(tmp_path)] == ids
    assert set(receiver.paths) == {"/hook?of=tests"}


def events_of_whole_lines(folder):
    """The events in the file of matches, without half a last line."""
    lines = (folder / "matches.jsonl").read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def test_a_kill_while_events_are_made_and_delivered_loses_none(
    options, tmp_path, known, files, values
):
    """At whatever moment; each event comes at least once, and only one for an upload."""
    with Receiver() as receiver:
        options += ["--webhook-url", receiver.url, "--webhook-secret", secret_file(tmp_path)]
        with serving(*options) as server:
            for number in range(40):
                server.post(f"/v1/screen?id={number}", files["other"])
            stored(server, 40)
        add(known, tmp_path, [{"id": "new", "pdq": values["other"]}])
        for number in range(4):
            folder = tmp_path / f"run-{number}"
            folder.mkdir()
            server = start(folder, *options)
            seen = len(receiver.events)
            until(lambda seen=seen: len(receiver.events) > min(seen, 39), SECONDS)
            kill(server)
        with serving(*options) as server:
            until(lambda: metric(server, "screener_reverse_pending") == 0, SECONDS)
            until(lambda: metric(server, "screener_events_waiting") == 0, SECONDS)

    by_id = {event["id"]: event["data"]["upload"] for event in receiver.events}
    assert sorted(by_id.values()) == sorted(map(str, range(40)))


def test_a_full_disk_changes_no_answer_and_is_seen(
    tmp_path, known, files, values, monkeypatch, caplog
):
    """Uploads wait in memory, metrics and log say so, and they are stored when there is room."""
    monkeypatch.setattr(reverse_module, "_RETRY_SECONDS", 0.01)
    screener = Screener(HashList.open(known))
    registry = CollectorRegistry()
    settings = Settings(
        lists=(known,), keep_hashes=1, state=tmp_path / "state", matches_file=tmp_path / "m"
    )
    reverse = Reverse(settings, lambda: screener, registry)
    file = reverse._cache._file._connection
    pages = file.execute("PRAGMA page_count").fetchone()[0]
    file.execute(f"PRAGMA max_page_count = {pages}")
    reverse.start()
    result = screener.screen(files["other"], input="a")

    def value(name, **labels):
        return registry.get_sample_value(name, labels)

    try:
        for number in range(100):
            hashed = replace(screener.hasher.hash(files["other"]), name=Name(f"upload {number}"))
            reverse.keep(hashed, result)
        until(lambda: value("screener_reverse_failures_total", of="store") >= 2)
        before = value("screener_stored_uploads_total")
        file.execute(f"PRAGMA max_page_count = {pages + 1000}")
        until(lambda: value("screener_stored_uploads_total") == 100)
    finally:
        reverse.stop()

    assert before < 100
    assert "the disk of" in caplog.text
    assert value("screener_unstored_uploads_total") == 0
    with HashCache.open(tmp_path / "state" / "hashes.cache") as cache:
        assert len(cache) == 100


def test_an_upload_that_an_older_generation_decided_is_matched_when_it_is_stored(
    tmp_path, known, files, values
):
    """It was under way while the stored ones were matched."""
    old = Screener(HashList.open(known))
    add(known, tmp_path, [{"id": "new", "pdq": values["other"]}])
    settings = Settings(
        lists=(known,), keep_hashes=1, state=tmp_path / "state",
        matches_file=tmp_path / "matches.jsonl",
    )  # fmt: skip
    new, registry = old.refresh(), CollectorRegistry()
    reverse = Reverse(settings, lambda: new, registry)
    reverse.start()
    try:
        until(lambda: registry.get_sample_value("screener_reverse_runs_total") == 1)
        hashed = replace(old.hasher.hash(files["other"]), name=Name("late"))
        reverse.keep(hashed, next(old.decide([hashed])))
        until(lambda: events(tmp_path))
    finally:
        reverse.stop()

    assert [event["data"]["upload"] for event in events(tmp_path)] == ["late"]


@pytest.mark.parametrize(
    ("chosen", "reported"), [(None, ["late"]), ({"known"}, []), ({"known", "added"}, ["late"])]
)
def test_an_upload_that_was_decided_before_a_list_was_added_is_matched(
    tmp_path, known, files, values, chosen, reported
):
    """Unless its caller did not choose that list."""
    added = make(tmp_path, "added", [{"id": "new", "pdq": values["other"]}])
    old = Screener(HashList.open(known))
    settings = Settings(
        lists=(known,), keep_hashes=1, state=tmp_path / "state",
        matches_file=tmp_path / "matches.jsonl",
    )  # fmt: skip
    new, registry = old.with_lists([*old.lists, HashList.open(added)]), CollectorRegistry()
    reverse = Reverse(settings, lambda: new, registry)
    reverse.start()
    try:
        until(lambda: registry.get_sample_value("screener_reverse_runs_total") == 1)
        hashed = replace(old.hasher.hash(files["other"]), name=Name("late"))
        reverse.keep(hashed, next(old.decide([hashed])), chosen and frozenset(chosen))
        until(lambda: registry.get_sample_value("screener_stored_uploads_total") == 1)
        until(lambda: len(events(tmp_path)) == len(reported))
    finally:
        reverse.stop()

    assert [event["data"]["upload"] for event in events(tmp_path)] == reported


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--state", None], "needs --state"),
        (["--matches-file", None], "--matches-file or --webhook-url"),
        (["--webhook-url", "https://example.org/"], "--webhook-secret"),
        (["--keep-hashes", None], "give --keep-hashes"),
        (["--keep-hashes", 40_000], "number of days"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options, change, message):
    """Before anything listens."""
    name, value = change
    if name in options:
        place = options.index(name)
        del options[place : place + 2]
    if value is not None:
        options += [name, value]
    command = [sys.executable, "-m", "screener", "serve", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)

    assert done.returncode == 2
    assert message in done.stderr


def test_two_services_do_not_share_a_state_folder(options):
    """The second is refused."""
    command = [sys.executable, "-m", "screener", "serve", "--port", "0", *map(str, options)]
    with serving(*options):
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)

    assert done.returncode == 2
    assert "another service uses the state folder" in done.stderr
