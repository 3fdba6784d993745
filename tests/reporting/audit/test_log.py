"""The audit log: a line a decision, and any edit is found."""

import base64
import errno
import hashlib
import itertools
import json
import os
import re
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from audit_edits import EDITS, edited, recomputed, write
from command_process import screener
from hypothesis import given, settings
from paths import REPOSITORY
from signing_keys import make_keys

from screener import HashList, Policy, Screener, ScreenerError, audit
from screener.errors import OutputError
from screener.reporting.audit import audit_file
from screener.reporting.audit import chain as audit_chain
from screener.reporting.audit.chain import MAX_LINE_BYTES, Chain, build_head, head_path, read_head
from screener.system import files

ROOT = REPOSITORY
LISTED = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a Screener's list, keys, and a signed log of three runs."""
    folder = tmp_path_factory.mktemp("audit")
    (folder / "known.csv").write_text(f"id,pdq,md5\none,{LISTED},{'ab' * 16}\n")
    HashList.create(folder / "known.list").import_file(folder / "known.csv")
    make_keys(folder)
    make_keys(folder, "other")
    engine = Screener(HashList.open(folder / "known.list"))
    for _ in range(3):
        write(folder / "log", engine, 2, key=folder / "key.pem")
    return folder


@pytest.fixture
def engine(place):
    """A Screener of the list."""
    return Screener(HashList.open(place / "known.list"))


def copied(place, folder):
    """The signed log and its head, to be edited."""
    for name in ("log", "log.head"):
        (folder / name).write_bytes((place / name).read_bytes())
    return folder / "log"


def test_a_log_has_decisions_policy_lists_and_versions(place, engine):
    """Each decision equals its result line."""
    lines = [json.loads(line) for line in (place / "log").read_text().splitlines()]

    assert [line["event"] for line in lines] == ["open", "decision", "decision", "close"] * 3
    assert [line["line"] for line in lines] == list(range(1, 13))
    stamp = engine.lists[0].stamp()
    assert lines[0]["lists"] == [{"name": "known", "generation": 1, "stamp": stamp}]
    assert lines[0]["policy"]["settings"] == json.loads(json.dumps(Policy().to_dict()))
    assert lines[0]["policy"]["fingerprint"] == lines[1]["result"]["policy"]
    expected = engine.match([], input="é 0").to_dict()
    told = lines[1]["result"]
    for one in (told, expected):
        one["lists"][0].pop("age_s")
    assert told == expected
    assert lines[3]["decisions"] == 2
    assert lines[3]["ended"] == "complete"


def test_the_chain_is_what_the_page_says(place):
    """An independent check of a few lines: each `prev` is the SHA-256 of the line before it, and
    the head's first line is what was signed.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    lines = (place / "log").read_bytes().splitlines(keepends=True)
    for before, line in itertools.pairwise(lines):
        assert json.loads(line)["prev"] == hashlib.sha256(before).hexdigest()
    text, signature = (place / "log.head").read_bytes().splitlines(keepends=True)
    assert json.loads(text)["sha256"] == hashlib.sha256(lines[-1]).hexdigest()

    load_pem_public_key((place / "key.pub.pem").read_bytes()).verify(
        base64.b64decode(signature), text
    )


def test_an_untouched_log_has_no_trouble(place):
    """All runs, closed, and signed with the right key only."""
    found = audit.verify(place / "log", key=place / "key.pub.pem")

    assert (found.trouble, found.closed, found.signature) == ((), True, "good")
    assert (found.runs, found.decisions, found.lines) == (3, 6, 12)
    assert audit.verify(place / "log").signature == "unchecked"
    other = audit.verify(place / "log", key=place / "other.pub.pem")
    assert other.signature == "bad"
    assert len(other.trouble) == 1


BEGUN, OPEN, SAID, CLOSED = (
    {"event": "open", "policy": {}},
    {"event": "open"},
    {"event": "decision"},
    {"event": "close"},
)
CASE, AGAIN = {"event": "case"}, {"event": "recovered"}


def chained(path, lines):
    """A log of these lines, each with what makes it follow where it does not say otherwise, and its
    head.
    """
    chain, out = Chain(), b""
    for facts in lines:
        follows = {"audit": 1, "line": chain.lines + 1, "prev": chain.prev}
        line = json.dumps(follows | facts).encode() + b"\n"
        chain, out = chain.extend(line), out + line
    path.write_bytes(out)
    head_path(path).write_text(build_head(chain))


@pytest.mark.parametrize(
    ("lines", "unclosed", "closed"),
    [
        ([BEGUN, SAID, CLOSED], (), True),
        ([BEGUN, SAID], (1,), False),
        ([BEGUN], (1,), False),
        ([BEGUN, SAID, BEGUN, SAID, CLOSED], (1,), True),
        ([BEGUN, CLOSED, BEGUN, AGAIN], (3,), False),
        ([BEGUN, BEGUN, CLOSED, CLOSED], (1,), True),
        ([BEGUN, BEGUN, BEGUN], (1, 2, 3), False),
        ([OPEN, CASE, CASE], (), True),
        ([OPEN, CASE, BEGUN, SAID, CLOSED, OPEN, CASE], (), True),
        ([BEGUN, SAID, OPEN, CASE], (1,), True),
        ([BEGUN, OPEN, CLOSED], (1,), True),
    ],
)
def test_runs_that_did_not_end_are_told_by_their_first_lines(tmp_path, lines, unclosed, closed):
    """A scan's, which end with a line of their own, and of which that line may be missing; not
    those of a hotline, which have none.
    """
    chained(tmp_path / "log", lines)

    found = audit.verify(tmp_path / "log")

    events = [line["event"] for line in lines]
    assert (found.trouble, found.unclosed, found.closed) == ((), unclosed, closed)
    assert (found.lines, found.runs) == (len(lines), events.count("open"))
    assert found.decisions == events.count("decision")


@pytest.mark.parametrize(
    ("wrong", "place", "said"),
    [
        ({"audit": 2}, 1, "another version"),
        ({"audit": None}, 0, "another version"),
        ({"event": "other"}, 1, "cannot occur here"),
        ({"event": None}, 2, "cannot occur here"),
        ({"event": "decision"}, 0, "cannot occur here"),
        ({"event": "close"}, 0, "cannot occur here"),
        ({"line": 3}, 1, "its number"),
        ({"line": 0}, 0, "its number"),
        ({"prev": "0" * 64}, 2, "does not follow"),
        ({"prev": "1" * 64}, 0, "does not follow"),
        ({"prev": None}, 1, "does not follow"),
    ],
)
def test_a_wrong_line_is_the_only_trouble(tmp_path, wrong, place, said):
    """Its number and reason are reported; the lines after it follow it."""
    lines = [BEGUN, SAID, SAID, CLOSED]
    lines[place] = lines[place] | wrong
    chained(tmp_path / "log", lines)

    (told,) = audit.verify(tmp_path / "log").trouble

    assert told.startswith(f"line {place + 1}: ")
    assert said in told


@pytest.mark.parametrize(
    ("wrong", "sound"),
    [
        ({}, True),
        ({"start": 0, "bytes": 1}, True),
        ({"start": 7, "bytes": 7 + MAX_LINE_BYTES}, True),
        ({"lines": 0, "bytes": 0, "start": 0, "sha256": "0" * 64}, True),
        ({"start": 7, "bytes": 8 + MAX_LINE_BYTES}, False),
        ({"start": 7, "bytes": 7}, False),
        ({"start": -1}, False),
        ({"lines": 0, "bytes": 0, "start": 0}, False),
        ({"lines": 2.0}, False),
        ({"lines": True}, False),
        ({"bytes": "9"}, False),
        ({"start": None}, False),
        ({"sha256": 5}, False),
        ({"schema": "screener-audit-head/2"}, False),
    ],
)
def test_an_impossible_head_is_refused(tmp_path, wrong, sound):
    """Its values are not numbers, or belong to a line that could not be read."""
    facts = json.loads(build_head(Chain(2, 9, 5, "f" * 64))) | wrong
    (tmp_path / "head").write_text(json.dumps(facts))

    if sound:
        found = read_head(tmp_path / "head").chain
        told = {"lines": found.lines, "bytes": found.size, "start": found.start}
        assert told | {"sha256": found.prev, "schema": facts["schema"]} == facts
        return
    with pytest.raises(OutputError, match="not the head of an audit log"):
        read_head(tmp_path / "head")


@pytest.mark.parametrize(
    ("heads", "follows", "closed"),
    [
        (None, True, False),
        ([], False, False),
        ([BEGUN], True, False),
        ([BEGUN, SAID, CLOSED], True, True),
        ([BEGUN, SAID, SAID], False, False),
        ([BEGUN, SAID, CLOSED, BEGUN], False, False),
        ([OPEN], False, False),
    ],
)
def test_a_head_is_of_a_line_that_the_log_has(tmp_path, heads, follows, closed):
    """Of its last if nothing is missing at its end. One of no line does not stay beside a log of
    more lines than the first, and one that is kept elsewhere is of a line as well.
    """
    log = tmp_path / "log"
    chained(log, heads or [])
    head, kept = head_path(log).read_text(), json.loads(head_path(log).read_text())["sha256"]
    chained(log, [BEGUN, SAID, CLOSED])
    head_path(log).unlink() if heads is None else head_path(log).write_text(head)

    found = audit.verify(log)
    assert (not found.trouble, found.closed) == (follows, closed)

    chained(log, [BEGUN, SAID, CLOSED])
    found = audit.verify(log, head=kept)
    assert (not found.trouble, found.closed) == (bool(heads) and follows, True)


@settings(max_examples=300, deadline=None)
@given(edit=EDITS)
def test_any_edit_is_found(place, tmp_path_factory, edit):
    """A byte changed anywhere; a line changed, removed, doubled, moved, added; the end cut off
    anywhere, also where a run ended. And such a log is not continued, if its end is touched.
    """
    data = (place / "log").read_bytes()
    changed = edited(data, edit)
    if changed == data:
        return
    log = copied(place, tmp_path_factory.mktemp("edit"))
    log.write_bytes(changed)

    found = audit.verify(log)

    assert found.trouble
    if not changed.endswith(data.splitlines(keepends=True)[-1]):
        with pytest.raises(ScreenerError):
            audit.open_log(log, Screener(HashList.open(place / "known.list")))
        assert log.read_bytes() == changed


@settings(max_examples=60, deadline=None)
@given(edit=EDITS)
def test_a_forger_without_the_key_is_found_out(place, tmp_path_factory, edit):
    """Who recomputes every hash and the head satisfies the chain, and not the signature, nor a head
    that was kept.
    """
    data = (place / "log").read_bytes()
    log = copied(place, tmp_path_factory.mktemp("forged"))
    kept = audit.verify(log).head
    log.write_bytes(edited(data, edit))
    try:
        recomputed(log)
    except (ValueError, TypeError, UnboundLocalError):
        return  # no log any more
    if log.read_bytes() == data:
        return

    assert audit.verify(log, key=place / "key.pub.pem").trouble
    if not log.read_bytes().startswith(data):  # else it was gone on with, as any run does
        assert audit.verify(log, head=kept).trouble


def test_an_older_head_and_log_need_the_head_that_was_kept(place, engine, tmp_path):
    """Who restores a signed state of before passes all but `head`, and that is said in the page."""
    log = tmp_path / "log"
    write(log, engine, 1, key=place / "key.pem")
    before = [(p, p.read_bytes()) for p in (log, tmp_path / "log.head")]
    kept = write(log, engine, 1, key=place / "key.pem")
    assert not audit.verify(log, head=kept).trouble
    for path, data in before:
        path.write_bytes(data)

    assert not audit.verify(log, key=place / "key.pub.pem").trouble
    assert "cut or rewritten" in audit.verify(log, head=kept).trouble[0]


def test_an_overlong_line_is_shortened(engine, tmp_path):
    """The name is replaced by its length and SHA-256; a killed run can be continued."""
    long = "\x01" * (MAX_LINE_BYTES // 6)  # of which JSON makes six bytes each
    assert MAX_LINE_BYTES - 6 < 6 * len(long) <= MAX_LINE_BYTES
    with audit.open_log(tmp_path / "log", engine) as log:
        log.write(engine.match([], input=long))
        log.write(engine.match([], input=long[:-1000]))
    killed = audit.open_log(tmp_path / "log", engine)
    killed.write(engine.match([], input=long))
    killed._file._claimed.file.close()

    write(tmp_path / "log", engine, 1)

    found = audit.verify(tmp_path / "log")
    assert (found.trouble, found.closed, found.decisions) == ((), True, 4)
    lines = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    results = [line["result"] for line in lines if line["event"] == "decision"]
    text = json.dumps(long).encode()
    told = {"left_out": {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}}
    assert [one["input"] for one in results] == [told, long[:-1000], told, "é 0"]
    assert {one["verdict"] for one in results} == {"unscreened"}
    assert results[0].keys() == results[1].keys()


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_an_overlong_line_ends_the_check(place, tmp_path, monkeypatch, ending):
    """It may never end; nothing is appended to such a log."""
    monkeypatch.setattr(audit_chain, "MAX_LINE_BYTES", 5_000)
    log = tmp_path / "log"
    lines = (place / "log").read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + b"\0" * 15_000 + ending)

    found = audit.verify(log)

    (trouble,) = found.trouble
    assert "line 2: it is longer than" in trouble
    assert (found.lines, found.closed) == (2, False)
    with pytest.raises(OutputError, match="line 2: it is longer than"):
        audit_file.AuditFile.open(log)


@pytest.mark.parametrize("closed", [0, 2])
def test_half_a_line_after_a_crash_is_removed_and_recorded(engine, tmp_path, closed):
    """Complete lines stay, and the chain continues."""
    log = tmp_path / "log"
    for _ in range(closed):
        write(log, engine, 1)
    crashed = audit.open_log(log, engine)
    crashed.write(engine.match([], input="x"))
    crashed._file._claimed.file.close()
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"audit":1,"line":9')
    before = audit.verify(log)
    assert not before.closed
    assert "cut short" in before.trouble[0]

    write(log, engine, 1)

    found = audit.verify(log)
    assert (found.trouble, found.closed, found.runs) == ((), True, closed + 2)
    assert log.read_bytes().startswith(whole)
    line = json.loads(log.read_bytes()[len(whole) :].splitlines()[0])
    assert (line["event"], line["bytes"]) == ("recovered", 19)


def test_an_unclosed_log_is_not_closed(engine, tmp_path):
    """Its end may be missing: exit code 3."""
    log = tmp_path / "log"
    crashed = audit.open_log(log, engine)
    crashed.write(engine.match([], input="x"))
    crashed._file._claimed.file.close()

    found = audit.verify(log)

    assert (found.trouble, found.closed, found.signature) == ((), False, "none")
    done = screener("audit", "verify", log)
    assert done.returncode == 3
    assert "its end may be missing" in done.stdout
    # As where somebody took the head away.
    write(tmp_path / "other", engine, 1)
    (tmp_path / "other.head").unlink()
    assert screener("audit", "verify", tmp_path / "other").returncode == 3


def test_a_second_writer_is_refused(engine, tmp_path):
    """The first continues."""
    with audit.open_log(tmp_path / "log", engine) as log:
        log.write(engine.match([], input="1"))
        with pytest.raises(ScreenerError, match="another program"):
            audit.open_log(tmp_path / "log", engine)
        log.write(engine.match([], input="2"))

    assert audit.verify(tmp_path / "log").decisions == 2
    assert not audit.verify(tmp_path / "log").trouble


def test_threads_share_a_log(engine, tmp_path):
    """Each line follows the one before, and the last one counts them all."""
    result = engine.match([])
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with audit.open_log(tmp_path / "log", engine) as log:
            threads = [
                threading.Thread(target=lambda: [log.write(result) for _ in range(100)])
                for _ in range(4)
            ]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
    finally:
        sys.setswitchinterval(before)

    found = audit.verify(tmp_path / "log")
    assert found.decisions == 400
    assert not found.trouble


def test_a_closed_log_touches_no_file(engine, tmp_path):
    """Its descriptor may be another file's: a second close does nothing, a write is refused."""
    with audit.open_log(tmp_path / "log", engine) as log:
        log.close()
        with (tmp_path / "other").open("wb", buffering=0) as other:
            with pytest.raises(OutputError, match="closed"):
                log.write(engine.match([], input="late"))
            log.close()
            other.write(b"its own")

    assert (tmp_path / "other").read_bytes() == b"its own"
    assert audit.verify(tmp_path / "log").closed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_adds_no_line(engine, tmp_path):
    """Its write is refused, and leaving its block ends nothing."""
    with audit.open_log(tmp_path / "log", engine) as log:
        log.write(engine.match([], input="1"))
        child = os.fork()
        if not child:
            status = 1
            try:
                with log, pytest.raises(OutputError, match="of its own in each process"):
                    log.write(engine.match([], input="child"))
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        log.write(engine.match([], input="2"))

    found = audit.verify(tmp_path / "log")
    assert (found.runs, found.decisions, found.closed) == (1, 2, True)
    assert not found.trouble


def _moved(log):
    """As logrotate does, and as it is right once a log is closed."""
    for path in (log, log.with_name(f"{log.name}.head")):
        path.rename(path.with_name(f"old-{path.name}"))


@pytest.mark.parametrize(
    "how", [_moved, Path.unlink, lambda log: os.truncate(log, 0), lambda log: os.truncate(log, 9)]
)
def test_a_log_that_is_moved_or_cut_while_it_is_written_to_is_told(engine, tmp_path, how):
    """Within a second, and when it is closed; and no head is written beside the log that another
    program has begun there since. In a block that ends by an error that is what is told.
    """
    path, head = tmp_path / "log", tmp_path / "log.head"
    log = audit.open_log(path, engine)
    how(path)
    log._last_sync -= 9
    with pytest.raises(OutputError, match="moved, removed or changed"):
        log.write(engine.match([], input="1"))

    for left in (path, head):
        left.unlink(missing_ok=True)
    write(path, engine, 2)
    with pytest.raises(OutputError, match="moved, removed or changed"):
        log.close()
    assert audit.verify(path).closed

    def fail():
        with audit.open_log(path, engine):
            how(path)
            raise KeyError

    with pytest.raises(KeyError):
        fail()


def test_a_head_stands_beside_its_log_wherever_the_program_goes(engine, tmp_path, monkeypatch):
    """Also where the log was named by a relative path."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    with audit.open_log("log", engine) as log:
        monkeypatch.chdir("below")
        log.write(engine.match([], input="1"))

    assert audit.verify(tmp_path / "log").closed
    assert not list((tmp_path / "below").iterdir())


@pytest.mark.parametrize(
    "content", [b"no log", b"no log\nat all\n", b"\xff\xd8\xff\xe0 picture", b'{"schema":1}\n']
)
def test_another_file_is_refused_unchanged(engine, tmp_path, content):
    """A mistyped name destroys no file."""
    (tmp_path / "photo.jpg").write_bytes(content)

    with pytest.raises(ScreenerError):
        audit.open_log(tmp_path / "photo.jpg", engine)

    assert (tmp_path / "photo.jpg").read_bytes() == content
    with pytest.raises(ScreenerError):
        audit.open_log(os.devnull, engine)


def test_a_full_disk_leaves_complete_lines(engine, tmp_path):
    """A line that does not fit is removed; the system's error is raised."""
    code = (
        "import resource, signal, sys; from screener import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "engine = Screener(HashList.open(sys.argv[1]))\n"
        "log = audit.open_log(sys.argv[2], engine)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "with log:\n"
        "    for n in range(100):\n"
        "        log.write(engine.match([], input=str(n)))\n"
    )
    call = [sys.executable, "-c", code, engine.lists[0].path, tmp_path / "log"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60)

    assert "OSError" in done.stderr
    found = audit.verify(tmp_path / "log")
    assert not found.trouble
    assert found.decisions > 3


def test_a_full_disk_raises_an_error_with_the_head_name(engine, tmp_path, monkeypatch):
    """Like one of a line."""

    class Full(files.Disk):
        def write(self, handle, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "current", Full())
    with pytest.raises(OSError, match="No space") as caught:
        audit.open_log(tmp_path / "log", engine)
    assert caught.value.filename == str(tmp_path / "log.head")


@pytest.mark.parametrize("chunk", [1, 7, 180, 1 << 16])
def test_the_last_line_of_an_event_is_found_from_the_end(tmp_path, monkeypatch, chunk):
    """With any size of reads; None if there is none."""
    monkeypatch.setattr(audit_file, "_CHUNK_BYTES", chunk)
    events = ["open", "case", "decision", "case", "close", "open", "decision"]
    log = audit_file.AuditFile.open(tmp_path / "log")
    assert log.last("open") is None
    for number, event in enumerate(events):
        log.append(event, number=number, text="é" * (number % 3))
        for asked in ("open", "case", "decision", "close"):
            told = log.last(asked)
            wanted = [at for at, one in enumerate(events[: number + 1]) if one == asked]
            assert (told and told["number"]) == (wanted[-1] if wanted else None)
    assert log.last("recovered") is None
    log.close()


@pytest.mark.parametrize("wrong", [b"x", b"[]", b"{}", b"[" * 50_000])
def test_a_damaged_line_ends_the_search_for_an_event(tmp_path, wrong):
    """It may have replaced the line that is searched for."""
    with closing(audit_file.AuditFile.open(tmp_path / "log")) as log:
        for event in ("open", "case", "case", "recovered"):
            log.append(event, text="x" * len(wrong))
        log.write_head()
    lines = (tmp_path / "log").read_bytes().split(b"\n")
    lines[2] = wrong.ljust(len(lines[2]))
    (tmp_path / "log").write_bytes(b"\n".join(lines))

    with closing(audit_file.AuditFile.open(tmp_path / "log")) as log:
        assert log.last("recovered") is not None
        with pytest.raises(OutputError, match="as evidence"):
            log.last("case")


def test_no_log_has_lines_but_no_head(tmp_path):
    """The head comes with the first line of a run, even of one killed after it."""
    log = audit_file.AuditFile.open(tmp_path / "log")
    assert not (tmp_path / "log.head").exists()
    log.append("open")
    assert log.headed
    log.append("close")
    assert not log.headed
    log.close()

    again = audit_file.AuditFile.open(tmp_path / "log")
    assert (again.lines, again.unheaded, again.headed) == (2, 1, False)
    again.write_head()
    assert again.headed
    again.close()


def test_only_the_owner_reads_it_and_no_listed_hash_is_in_it(engine, tmp_path):
    """Mode 0600 for log and head, also where the file was there before; results name entries."""
    from screener import Hash

    (tmp_path / "log").touch(0o644)
    with audit.open_log(tmp_path / "log", engine) as log:
        result = engine.match([Hash.parse("pdq", LISTED), Hash.parse("md5", "ab" * 16)], input="x")
        log.write(result)

    assert len(result.matches) == 2
    for name in ("log", "log.head"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    told = (tmp_path / "log").read_text()
    assert '"entry":"one"' in told
    assert LISTED[:16] not in told.lower()
    assert "ab" * 8 not in told.lower()


def test_an_exception_closes_the_log(engine, tmp_path):
    """The closing line says whether the run was interrupted or failed."""
    with pytest.raises(KeyboardInterrupt), audit.open_log(tmp_path / "log", engine):
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError), audit.open_log(tmp_path / "log", engine):
        raise ZeroDivisionError

    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line.get("ended") for line in lines] == [None, "interrupted", None, "failed"]
    assert audit.verify(tmp_path / "log").closed


def test_ctrl_c_amid_a_line_breaks_no_chain(engine, tmp_path, monkeypatch):
    """A line that is written but not counted is removed."""
    write = files.current.write

    def interrupted(handle, data):
        write(handle, data)
        if b'"decision"' in data:
            raise KeyboardInterrupt

    log = audit.open_log(tmp_path / "log", engine)
    monkeypatch.setattr(files.current, "write", interrupted)

    with pytest.raises(KeyboardInterrupt), log:
        log.write(engine.match([]))

    found = audit.verify(tmp_path / "log")
    assert (found.decisions, found.closed, found.trouble) == (0, True, ())


def test_ctrl_c_amid_the_head_leaves_no_other_file(engine, tmp_path, monkeypatch):
    """The log continues from the earlier head."""

    def interrupted(*_):
        raise KeyboardInterrupt

    log = audit.open_log(tmp_path / "log", engine)
    monkeypatch.setattr(files.current, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log.close()
    monkeypatch.undo()

    assert {path.name for path in tmp_path.glob("log*")} == {"log", "log.head"}
    audit.open_log(tmp_path / "log", engine).close()
    assert audit.verify(tmp_path / "log").closed


@pytest.mark.parametrize("place_of", ["before", "after"])
def test_a_handler_that_closes_the_log_amid_a_line_raises(engine, tmp_path, monkeypatch, place_of):
    """The line is removed; the block writes the closing line and the head of a whole chain."""
    write, log = files.current.write, audit.open_log(tmp_path / "log", engine)

    def interrupted(handle, data):
        write(handle, b"" if place_of == "before" else data)
        if b'"decision"' in data:
            log.close()
        write(handle, data if place_of == "before" else b"")

    monkeypatch.setattr(files.current, "write", interrupted)
    with pytest.raises(OutputError, match="signal handler"), log:
        log.write(engine.match([]))

    found = audit.verify(tmp_path / "log")
    assert (found.trouble, found.decisions, found.closed) == ((), 0, True)
    last = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert (last["event"], last["ended"]) == ("close", "failed")


def test_the_commands_write_and_verify(place, tmp_path):
    """scan and match share a log and print its head; verify exits with 0, after an edit with 2."""
    log, images = tmp_path / "log", ROOT / "fixtures" / "images"
    options = ("--list", place / "known.list", "--audit", log)
    signed = ("--audit-key", place / "key.pem")
    bare = screener("scan", images / "alley.jpg", *options[:3], tmp_path / "bare")
    first = screener("scan", images / "alley.jpg", *options, *signed)
    second = screener("match", *options, *signed, input=f"pdq {LISTED} 100 x\n")
    assert (first.returncode, second.returncode) == (0, 1), first.stderr + second.stderr
    assert "not signed: give --audit-key" in bare.stderr
    head = second.stderr.split("head ")[1].split(",")[0]

    check = ("audit", "verify", log, "--key", place / "key.pub.pem", "--head", head)
    done = screener(*check, "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["decisions"], told["signature"], told["head"]) == (2, "good", head)
    data = log.read_bytes()
    log.write_bytes(data.replace(b'"no_match"', b'"match"'))
    done = screener(*check)
    assert done.returncode == 2
    assert "line 3: it does not follow" in done.stderr
    assert screener("audit", "verify", tmp_path / "none").returncode == 2
    (tmp_path / "r").write_text("results of before")
    # It was cut; the scan is refused before the output is emptied.
    assert screener("scan", images, *options, *signed, "-o", tmp_path / "r").returncode == 2
    assert (tmp_path / "r").read_text() == "results of before"
    assert screener("scan", images, *options[:2], *signed).returncode == 2


def test_a_head_may_have_capitals_and_blanks_but_not_be_shortened(place):
    """A shortened head is called no head, which accuses nobody."""
    log = place / "log"
    head = audit.verify(log).head
    assert audit.verify(log, head=f" {head.upper()}\n").trouble == ()
    assert "never had the given head" in audit.verify(log, head="0" * 63 + "1").trouble[0]
    for wrong in (head[:32], head[:32] + "\u2026", head + "0", "g" + head[1:], "\u0661" * 64, ""):
        with pytest.raises(OutputError, match="64 hexadecimal digits, not these"):
            audit.verify(log, head=wrong)

    done = screener("audit", "verify", log, "--head", head[:12])
    assert done.returncode == 2
    assert "cut or rewritten" not in done.stdout + done.stderr
    assert "not these 12 characters; nothing was checked" in done.stderr
    (example,) = re.findall("--head ([0-9a-f]{12,})", screener("audit", "verify", "-h").stdout)
    assert len(example) == 64
