"""A call with something else than it takes is refused by a sentence, before anything is done."""

import os

import pytest

from screener import HashCache, HashList, Screener, audit, output, rescan, scan
from screener.errors import OutputError, PolicyError
from screener.hashed import hash_item
from screener.hashing.hash import KINDS
from screener.rescan import outdated


@pytest.fixture
def engine(tmp_path):
    """A Screener of an empty list."""
    return Screener(HashList.create(tmp_path / "known.list"))


CALLS = {
    "scan": lambda path, engine, cache: scan(engine, path),
    "rescan": lambda path, engine, cache: rescan(engine, cache),
    "outdated": lambda path, engine, cache: outdated(engine, cache),
    "open_log": lambda path, engine, cache: audit.open_log(path, engine),
    "resume_jsonl": lambda path, engine, cache: output.resume_jsonl(path, engine),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_by_a_screener_is_by_no_list(engine, tmp_path, name):
    """As `scan` says it; no file is made, and a generator need not be asked for its first."""
    with HashCache.open(tmp_path / "cache") as cache:
        for wrong in (engine.lists[0], None, "known.list"):
            with pytest.raises(TypeError, match=r"by a Screener, .* and not by"):
                CALLS[name](tmp_path / "new", wrong, cache)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("wrong", ["cache", None, 5])
def test_a_rescan_is_of_a_cache(engine, wrong):
    """That is open; the error says how it is."""
    for call in (rescan, outdated):
        with pytest.raises(TypeError, match=r"HashCache\.open\(path\) say, and not"):
            call(engine, wrong)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"threads": 0}, "threads"),
        ({"threads": True}, "threads"),
        ({"untold": {}}, "untold is a Counter"),
    ],
)
def test_a_rescan_is_refused_when_it_is_called(engine, tmp_path, settings, said):
    """Not in the middle of it, nor only where something is looked up."""
    with (
        HashCache.open(tmp_path / "cache") as cache,
        pytest.raises((TypeError, ValueError), match=said),
    ):
        rescan(engine, cache, **settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cache": 5}, "HashCache"),
        ({"finished": set()}, "finished is that of output.resume_jsonl"),
        ({"metrics": {}}, "metrics is called"),
    ],
)
def test_so_is_a_scan(engine, settings, said):
    """Of what it is given beside its paths."""
    with pytest.raises(TypeError, match=said):
        scan(engine, ".", **settings)


def test_what_is_written_is_a_result(engine, tmp_path):
    """Several are none, nor is what has a `to_dict` of its own: nothing is written of it."""
    result = engine.screen(b"words")
    for wrong in ([result], result.to_dict(), engine.policy, None):
        with (
            output.open_jsonl(tmp_path / "results.jsonl") as out,
            audit.open_log(tmp_path / "log", engine) as log,
        ):
            for writes in (out.write, log.write):
                with pytest.raises(TypeError, match="one at a time, and not"):
                    writes(wrong)
            log.write(result)
        assert os.path.getsize(tmp_path / "results.jsonl") == 0
    found = audit.verify(tmp_path / "log")
    assert (found.decisions, found.closed, found.trouble) == (4, True, ())


def test_a_log_that_was_claimed_takes_nothing_before_it_has_begun(engine, tmp_path):
    """Its closing would take the decisions away, or leave them behind what the head covers."""
    for _ in range(2):  # a new log, and one that goes on
        with audit.claim_log(tmp_path / "log") as log:
            with pytest.raises(OutputError, match="has not begun"):
                log.write(engine.screen(b"words"))
            log.begin(engine)
            log.write(engine.screen(b"words"))
            with pytest.raises(OutputError, match="has begun"):
                log.begin(engine)
    with pytest.raises(OutputError, match="has begun"):
        log.begin(engine)
    found = audit.verify(tmp_path / "log")
    assert (found.runs, found.decisions, found.unclosed, found.closed) == (2, 2, (), True)


def test_results_that_were_claimed_begin_with_their_first_line(engine, tmp_path):
    """What a file held before is not mixed with it, and one that is new stays."""
    result = engine.screen(b"words")
    for _ in range(2):
        with output.claim_jsonl(tmp_path / "results.jsonl") as out:
            out.write(result)
        assert (tmp_path / "results.jsonl").read_text() == result.to_json() + "\n"
    with output.claim_resumed(tmp_path / "results.jsonl", engine) as out:
        out.write(engine.screen(b""))
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("wrong", ["done", None, True, {"complete"}])
def test_a_run_ends_in_one_of_three_ways(engine, tmp_path, wrong):
    """Another is refused, and the log can be closed by one of them still."""
    log = audit.open_log(tmp_path / "log", engine)
    with pytest.raises(ValueError, match="complete, interrupted, failed"):
        log.close(ended=wrong)
    log.close()
    assert audit.verify(tmp_path / "log").closed


@pytest.mark.parametrize("wrong", [None, {"seconds": 60}, "policy.toml"])
def test_hashes_of_a_file_are_made_by_a_policy(wrong):
    """Its settings and its file are none yet."""
    with pytest.raises(PolicyError, match=r"is a Policy, not \w+: Policy\(.*Policy\.load"):
        hash_item(b"words", policy=wrong, kinds=[KINDS["md5"]])
