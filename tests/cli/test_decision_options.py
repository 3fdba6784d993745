"""The options of `scan`, `rescan` and `match`: files, counts, and calls that change nothing."""

import json
import os
import shutil
import weakref
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_process import refused, screener, value
from paths import REPOSITORY

from screener import HashCache, HashList, Screener, ScreenerError, audit, output
from screener.cli.app import cli
from screener.cli.decision_options import ResultWriter
from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.store import match_counts
from screener.reporting.output import claim_jsonl

PICTURE = REPOSITORY / "fixtures" / "images" / "alley.jpg"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A list, results, an audit log with half a line behind it, a cache, and what is none."""
    tmp_path = tmp_path_factory.mktemp("made")
    known = HashList.create(tmp_path / "known.list")
    known.import_file(REPOSITORY / "fixtures" / "known.csv")
    (tmp_path / "classic.csv").write_text("id,phash\na," + "5a" * 8 + "\n")
    engine = Screener(HashList.open(known.path))
    with audit.open_log(tmp_path / "log", engine) as log:
        log.write(engine.match([], input="x"))
    with (tmp_path / "log").open("ab") as stream:
        stream.write(b'{"audit":1,"li')
    with HashCache.open(tmp_path / "cache", keep=7):
        pass
    line = json.dumps(engine.screen(PICTURE).to_dict()).replace('": ', '":').replace(', "', ',"')
    (tmp_path / "keep.jsonl").write_text(line + "\n" + '{"schema":1,"inp')
    (tmp_path / "none.csv").write_text("neither a cache nor a log nor a list\n")
    (tmp_path / "small.toml").write_text("memory = 150000000\n")
    (tmp_path / "broken.toml").write_text("radius = 3\n")
    return tmp_path


@pytest.fixture
def place(prepared, tmp_path):
    """A copy of that."""
    return Path(shutil.copytree(prepared, tmp_path / "place"))


def held(place):
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def refusal(*call):
    """Return the message of a refused call, run in this process."""
    done = CliRunner().invoke(cli, [str(one) for one in call], input="")
    error = done.exception
    if isinstance(error, SystemExit):
        assert error.code == 2
        return done.output
    assert isinstance(error, ScreenerError | OSError), done.output
    return str(error)


KNOWN = ("--list", "known.list")
ALL = (*KNOWN, "--audit", "log", "--cache", "cache")


@pytest.mark.parametrize("into", [("-o", "keep.jsonl"), ("--resume", "keep.jsonl"), ("-o", "new")])
@pytest.mark.parametrize(
    "options",
    [
        (*KNOWN, "--audit", "log", "--cache", "none.csv"),
        (*ALL, "--policy", "broken.toml"),
        (*ALL[2:], "--list", "classic.csv", "--policy", "small.toml"),
        (*ALL[2:], "--list", "none.csv"),
        (*KNOWN, "--cache", "cache", "--audit", "none.csv"),
        (*KNOWN, "--cache", "cache", "--keep", "1", "--audit", "no/such/folder"),
        (*ALL, "--audit-key", "none.csv"),
    ],
)  # fmt: skip
def test_a_refused_scan_changes_no_file(place, monkeypatch, into, options):
    """Whether a file, the policy or the list is wrong."""
    monkeypatch.chdir(place)
    before = held(place)

    refusal("scan", PICTURE, *options, *into)

    assert held(place) == before


@pytest.mark.parametrize(
    "call",
    [
        ("scan", PICTURE, *ALL, "-o", "no/such/folder"),
        ("rescan", *KNOWN, "--cache", "none.csv", "--audit", "log", "-o", "keep.jsonl"),
        ("rescan", *KNOWN, "--cache", "cache", "--audit", "none.csv", "-o", "keep.jsonl"),
        ("match", *KNOWN, "--audit", "none.csv", "-o", "keep.jsonl"),
        ("match", *KNOWN, "--audit", "log", "-o", "no/such/folder"),
    ],
)
def test_other_refused_commands_change_no_file(place, monkeypatch, call):
    """No audit log gets a line, and no cache a setting."""
    monkeypatch.chdir(place)
    before = held(place)

    refusal(*call)

    assert held(place) == before


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (("scan", PICTURE, *KNOWN, "--audit", "log", "-o", "log"), ("-o", "--audit")),
        (("scan", PICTURE, *KNOWN, "--audit", "log", "-o", "log.head"), ("-o", "the head of")),
        (("scan", PICTURE, *KNOWN, "--audit", "fresh", "-o", "./fresh"), ("-o", "--audit")),
        (("scan", PICTURE, *KNOWN, "--cache", "cache", "-o", "link"), ("-o", "--cache")),
        (("scan", PICTURE, *KNOWN, "--cache", "hard", "--audit", "log"), ("--audit", "--cache")),
        (
            ("scan", PICTURE, *KNOWN, "--resume", "cache", "--cache", "cache"),
            ("--resume", "--cach"),
        ),
        (("scan", PICTURE, "--list", "classic.csv", "-o", "classic.csv"), ("-o", "--list")),
        (("scan", PICTURE, *KNOWN, "-o", "known.list/list.db"), ("-o", "--list")),
        (("scan", PICTURE, *KNOWN, "-o", "b.toml", "--policy", "b.toml"), ("-o", "--policy")),
        (("rescan", *KNOWN, "--cache", "cache", "-o", "cache"), ("-o", "--cache")),
        (("match", *KNOWN, "--audit", "log", "-o", "log"), ("-o", "--audit")),
    ],
)
def test_two_options_cannot_name_one_file(place, monkeypatch, call, named):
    """By any name, link or folder; the message names both options."""
    (place / "link").symlink_to("cache")
    (place / "hard").hardlink_to(place / "log")
    (place / "b.toml").write_text("seconds = 60\n")
    monkeypatch.chdir(place)
    before = held(place)

    told = refusal(*call)

    assert all(f" {option}" in told for option in named)
    assert "are one file" in told
    assert held(place) == before


@pytest.mark.parametrize("end", [".csv", ".HTML"])
@pytest.mark.parametrize(
    "call",
    [("scan", PICTURE), ("match",), ("rescan", "--cache", "cache")],
    ids=lambda call: call[0],
)
def test_results_cannot_be_named_csv_or_html(place, monkeypatch, call, end):
    """They are JSON Lines; the message names `screener report`."""
    monkeypatch.chdir(place)

    told = refusal(*call, *KNOWN, "-o", f"results{end}")

    assert "screener report NAME.jsonl" in told
    assert not (place / f"results{end}").exists()


def test_two_options_may_name_one_device(place):
    """Such as /dev/null."""
    done = screener("scan", PICTURE, *KNOWN, "--policy", "/dev/null", "-o", "/dev/null", cwd=place)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("error", [ScreenerError, OSError, ZeroDivisionError])
def test_a_failure_before_the_first_result_changes_no_file(place, error):
    """New files are removed again."""
    before = held(place)
    engine = Screener(HashList.open(place / "known.list"))

    def failing():
        raise error
        yield

    for name, log_name in (("keep.jsonl", "log"), ("new", "fresh")):
        with (
            pytest.raises(error),
            output.claim_jsonl(place / name) as out,
            audit.claim_log(place / log_name) as log,
        ):
            list(ResultWriter(ExitStack(), engine, out=out, log=log, count=False).begin(failing()))

    assert held(place) == before


def test_an_interrupt_before_the_first_result_keeps_earlier_results(place):
    """The audit log records an interrupted run."""
    before = (place / "keep.jsonl").read_bytes()
    engine = Screener(HashList.open(place / "known.list"))

    def interrupted():
        raise KeyboardInterrupt
        yield

    with (
        pytest.raises(KeyboardInterrupt),
        output.claim_jsonl(place / "keep.jsonl") as out,
        audit.claim_log(place / "log") as log,
    ):
        list(ResultWriter(ExitStack(), engine, out=out, log=log, count=False).begin(interrupted()))

    assert (place / "keep.jsonl").read_bytes() == before != b""
    last = json.loads((place / "log").read_text().splitlines()[-1])
    assert (last["event"], last["ended"]) == ("close", "interrupted")


def test_a_run_without_a_result_begins_its_files(place):
    """Earlier results must not pass for those of this run."""
    (place / "bare").mkdir()

    done = screener("scan", "bare", *KNOWN, "--audit", "log", "-o", "keep.jsonl", cwd=place)

    assert done.returncode == 3, done.stderr
    assert (place / "keep.jsonl").read_bytes() == b""
    assert audit.verify(place / "log").runs == 2


def test_the_radius_of_known_good_comes_from_the_policy_file(tmp_path):
    """A hit within it stands beside the match, which stays."""
    file, policy = tmp_path / "a.csv", tmp_path / "policy.toml"
    file.write_text(f"id,pdq,status\ngood,{value(1, 32)},known_good\nbad,{value(1, 32)},\n")
    assert screener("import", file, "--into", tmp_path / "k.list").returncode == 0
    near = bytearray(bytes.fromhex(value(1, 32)))
    near[0] ^= 0xFF
    line = f"pdq {near.hex()}\n"

    def met(radius):
        policy.write_text(f"[known_good_radius]\npdq = {radius}\n")
        call = ("match", "--list", tmp_path / "k.list", "--policy", policy)
        done = screener(*call, input=line)
        (found,) = map(json.loads, done.stdout.splitlines())
        entries = [[m["entry"] for m in found[part]] for part in ("matches", "other_hits")]
        return done.returncode, *entries

    assert met(8) == (1, ["bad"], ["good"])
    assert met(7) == (1, ["bad"], [])
    policy.write_text("[known_good_radius]\npdq = 300\n")
    call = ("match", "--list", tmp_path / "k.list", "--policy", policy)
    assert "known_good" in refused(*call, input=line)


@pytest.mark.parametrize("effort", ["distance", "evidence", "views", "all"])
def test_the_effort_is_given_by_its_word(place, effort):
    """It overrides the policy's, and the result states it."""
    (place / "effort.toml").write_text('effort = "evidence"\n')
    call = ("scan", PICTURE, "--list", place / "known.list", "--policy", place / "effort.toml")
    line = json.loads(screener(*call, "--effort", effort).stdout)
    assert line["effort"] == effort
    assert "not one of: distance, evidence, views, all" in refused(*call, "--effort", "more")


def test_counting_matches_stores_no_result(known, tmp_path):
    """Each is freed before the next but one arrives."""
    engine, held = Screener(HashList.open(known)), []

    def results():
        for _ in range(20):
            result = engine.match([Hash.parse("md5", value(2))])
            held.append(weakref.ref(result))
            yield result
            del result
            assert sum(one() is not None for one in held) <= 2

    with ExitStack() as stack, claim_jsonl(tmp_path / "out.jsonl") as out:
        writer = ResultWriter(stack, engine, out=out, log=None, count=True)
        for result in writer.begin(results()):
            writer.write(result)

    (counted,) = match_counts.read_counts(known, "a", "a2")["md5"].values()
    assert counted == 20


def test_a_list_that_cannot_count_is_refused_before_screening(known, tmp_path, monkeypatch):
    """At the end of a long scan it would be too late."""
    out = tmp_path / "out.jsonl"
    call = ["match", "--list", str(known), "--count", "-o", str(out)]
    monkeypatch.setattr(os, "access", lambda path, how: how != os.W_OK or Path(path) != known)
    told = CliRunner().invoke(cli, call, input=f"md5 {value(2)}\n", standalone_mode=False)
    assert isinstance(told.exception, ListError)
    assert "cannot count matches" in str(told.exception)
    assert not out.exists()


@pytest.mark.parametrize("command", ["match", "scan", "rescan"])
def test_count_refuses_a_list_file(command, tmp_path):
    """Its counts would be lost with the temporary list."""
    (tmp_path / "k.csv").write_text("id,md5\n")
    (tmp_path / "cache").touch()
    rest = {"match": (), "scan": (tmp_path,), "rescan": ("--cache", tmp_path / "cache")}[command]
    told = refused(command, *rest, "--list", tmp_path / "k.csv", "--count")
    assert "--count adds to a list's own counts, and" in told
    assert "k.csv is a list file: import it first" in told
