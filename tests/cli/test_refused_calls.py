"""A call that is refused leaves every file as it was, and no two options share a file."""

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_process import screener
from paths import REPOSITORY

from screener import HashCache, HashList, Screener, ScreenerError, audit, output
from screener.cli.app import cli
from screener.cli.decision_options import recorded

PICTURE = REPOSITORY / "fixtures" / "images" / "alley.jpg"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
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
def place(made, tmp_path):
    """A copy of that."""
    return Path(shutil.copytree(made, tmp_path / "place"))


def held(place):
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def refused(*call):
    """What a call says that is refused, in this process, where it is over soon."""
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
def test_a_refused_scan_leaves_every_file_as_it_was(place, monkeypatch, into, options):
    """Whichever of the files, the policy or the list it is that does not do."""
    monkeypatch.chdir(place)
    before = held(place)

    refused("scan", PICTURE, *options, *into)

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
def test_so_do_the_others_and_an_output_that_is_refused(place, monkeypatch, call):
    """No audit log gets a line and no cache a setting of a run that never was."""
    monkeypatch.chdir(place)
    before = held(place)

    refused(*call)

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
def test_no_two_options_share_a_file(place, monkeypatch, call, named):
    """By no name, link or folder; the message tells both options, and nothing was written."""
    (place / "link").symlink_to("cache")
    (place / "hard").hardlink_to(place / "log")
    (place / "b.toml").write_text("seconds = 60\n")
    monkeypatch.chdir(place)
    before = held(place)

    told = refused(*call)

    assert all(f" {option}" in told for option in named)
    assert "are one file" in told
    assert held(place) == before


@pytest.mark.parametrize("end", [".csv", ".HTML"])
@pytest.mark.parametrize(
    "call",
    [("scan", PICTURE), ("match",), ("rescan", "--cache", "cache")],
    ids=lambda call: call[0],
)
def test_results_do_not_get_the_name_of_a_table_or_a_page(place, monkeypatch, call, end):
    """They are JSON Lines, which a spreadsheet or a browser would show as they stand."""
    monkeypatch.chdir(place)

    told = refused(*call, *KNOWN, "-o", f"results{end}")

    assert "screener report NAME.jsonl" in told
    assert not (place / f"results{end}").exists()


def test_what_is_no_file_may_be_shared(place):
    """/dev/null takes what it is given."""
    done = screener("scan", PICTURE, *KNOWN, "--policy", "/dev/null", "-o", "/dev/null", cwd=place)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("error", [ScreenerError, OSError, ZeroDivisionError])
def test_what_fails_before_the_first_result_leaves_every_file_as_it_was(place, error):
    """A cluster that cannot be joined, a list that breaks, a fault of ours; new files go again."""
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
            list(recorded(failing(), ExitStack(), engine, out=out, log=log, count=False))

    assert held(place) == before


def test_an_interrupt_before_the_first_result_is_a_run_and_costs_no_results(place):
    """The log says that it was broken off; who stops it since the output is the wrong one keeps
    what that holds.
    """
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
        list(recorded(interrupted(), ExitStack(), engine, out=out, log=log, count=False))

    assert (place / "keep.jsonl").read_bytes() == before != b""
    last = json.loads((place / "log").read_text().splitlines()[-1])
    assert (last["event"], last["ended"]) == ("close", "interrupted")


def test_a_run_without_a_result_begins_its_files_too(place):
    """Nothing to screen is an answer: results of before are not left as those of this run."""
    (place / "bare").mkdir()

    done = screener("scan", "bare", *KNOWN, "--audit", "log", "-o", "keep.jsonl", cwd=place)

    assert done.returncode == 3, done.stderr
    assert (place / "keep.jsonl").read_bytes() == b""
    assert audit.verify(place / "log").runs == 2
