"""A call with something else than it takes is refused by a sentence, before anything is done."""

from dataclasses import replace

import numpy as np
import pytest

from screener import (
    EdgeFilter,
    HashCache,
    HashList,
    Policy,
    Screener,
    Terms,
    audit,
    output,
    rescan,
    scan,
)
from screener.errors import HashError, ListError, OutputError
from screener.hashing.hash import KINDS
from screener.scanning.rescan import outdated


@pytest.fixture
def engine(tmp_path):
    """A Screener of an empty list."""
    return Screener(HashList.create(tmp_path / "known.list"))


CALLS = {
    "scan": lambda path, engine, cache: scan(engine, path),
    "rescan": lambda path, engine, cache: rescan(engine, cache),
    "outdated": lambda path, engine, cache: outdated(engine, cache),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_by_a_screener_is_by_no_list(engine, tmp_path, name):
    """As `scan` says it; no file is made, and a generator need not be asked for its first."""
    with HashCache.open(tmp_path / "cache") as cache:
        for wrong in (engine.lists[0], None, "known.list"):
            with pytest.raises(TypeError, match=r"needs a Screener, got"):
                CALLS[name](tmp_path / "new", wrong, cache)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"threads": 0}, "threads"),
        ({"threads": True}, "threads"),
    ],
)
def test_a_rescan_is_refused_when_it_is_called(engine, tmp_path, settings, said):
    """Not in the middle of it, nor only where something is looked up."""
    with (
        HashCache.open(tmp_path / "cache") as cache,
        pytest.raises((TypeError, ValueError), match=said),
    ):
        rescan(engine, cache, **settings)


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


def test_results_that_could_not_begin_take_no_line(engine, tmp_path, monkeypatch):
    """However often it is tried: it would stand among those that the file held before."""
    result = engine.screen(b"words")
    with output.open_jsonl(tmp_path / "old.jsonl") as out:
        out.write(result)

    def refuses(*_):
        raise OutputError("not yours")

    for name, held in (("old.jsonl", result.to_json() + "\n"), ("new.jsonl", None)):
        path = tmp_path / name
        with output.claim_jsonl(path) as out, monkeypatch.context() as patch:
            patch.setattr(output, "make_private", refuses)
            for _ in range(2):
                with pytest.raises(OutputError, match="not yours"):
                    out.write(engine.screen(b""))
        assert (path.read_text() if path.exists() else None) == held


@pytest.mark.parametrize("wrong", ["done", None, True, {"complete"}])
def test_a_run_ends_in_one_of_three_ways(engine, tmp_path, wrong):
    """Another is refused, and the log can be closed by one of them still."""
    log = audit.open_log(tmp_path / "log", engine)
    with pytest.raises(ValueError, match="complete, interrupted, failed"):
        log.close(ended=wrong)
    log.close()
    assert audit.verify(tmp_path / "log").closed


LISTED = {"pdq": "5a" * 32, "md5": "ab" * 16}


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A list of one entry, whose name is a number."""
    path = tmp_path_factory.mktemp("calls")
    (path / "a.csv").write_text(f"id,pdq,md5\n9001,{LISTED['pdq']},{LISTED['md5']}\n")
    made = HashList.create(path / "known.list")
    made.import_file(path / "a.csv", source="7", terms=Terms(tlp="CLEAR"))
    return made.refresh()


ASKED = {"by": "ann", "reason": "a test"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda one: one.show(9001), "entry must be text, not int"),
        (lambda one: one.show("\udc80"), "entry contains half a character"),
        (lambda one: one.show("9001", source=7), "source must be text"),
        (lambda one: one.set_terms(7, Terms(tlp="RED")), "source must be text"),
        (lambda one: one.purge(7), "source must be text"),
        (lambda one: one.purge("\udc80"), "source contains half a character"),
        (lambda one: one.give_opinion(9001, state="disputed", **ASKED), "entry must be text"),
        (lambda one: one.give_opinion("9001", state=["disputed"], **ASKED), "state must be text"),
        (lambda one: one.release_value(9001, "pdq", **ASKED), "entry must be text"),
        (lambda one: one.release_rows(1, **ASKED), "a list of row numbers"),
        (lambda one: one.release_rows(["1"], **ASKED), "a list of row numbers"),
        (lambda one: one.release_rows([True], **ASKED), "a list of row numbers"),
        (lambda one: one.import_file("a.csv", format=["csv"]), "format must be text"),
        (lambda one: one.export("out", format=["csv"]), "format must be text"),
        (lambda one: one.export("out", format="csv", audience=["own"]), "audience must be text"),
        (lambda one: one.export("out", format="csv", sources=7), "sources must be one name"),
        (lambda one: one.export("out", format="csv", sources=[7]), "source must be text"),
        (lambda one: one.export("", format="csv"), "needs a file name"),
        (lambda one: one.export("out", format="vics", categories=["A"]), "categories map"),
        (lambda one: one.export("out", format="vics", categories={"A": 1}), "categories map"),
        (lambda one: one.export("o", format="vics", categories={("iwf", "A"): "1"}), "categories"),
        (lambda one: Terms(note=5), "note must be text"),
    ],
)  # fmt: skip
def test_a_list_is_asked_by_texts_and_numbers(known, tmp_path, monkeypatch, call, said):
    """SQLite takes a number for the text that it is written as, and reads an array of NumPy as
    bytes; and what is no table of categories left every record without one. Nothing is changed.
    """
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ListError, match=said):
        call(known)
    assert known.refresh() is known
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda one: one.holders("nothing", []), "unknown kind"),
        (lambda one: one.holders("pdq", (row for row in [0])), "rows must be integers"),
        (lambda one: one.holders("pdq", [[0], [0, 0]]), "flat list"),
        (lambda one: one.holders("pdq", np.ma.array([0], mask=[True])), "masked"),
        (lambda one: one.holders("pdq", [0.5]), "not float64"),
        (lambda one: one.holders("pdq", [2**64 - 1]), "out of range"),
        (lambda one: one.holders("pdq", [2**64]), "not object"),
        (lambda one: one.can_match("pdq", floor="50"), "floor must be an integer"),
        (lambda one: one.can_match("pdq", floor=None), "floor must be an integer"),
        (lambda one: one.can_match("pdq", floor=101), "floor must be an integer"),
        (lambda one: one.videos(1), "numbers must be integers"),
    ],
)
def test_rows_and_floors_are_numbers(known, call, said):
    """Of a row that is masked nobody holds what stands under it."""
    with pytest.raises(HashError, match=said):
        call(known)


def test_a_number_of_numpy_is_that_number(known, tmp_path):
    """SQLite would take it for bytes, which are no quality, no row and no days."""
    assert known.can_match("pdq", floor=np.int64(50))
    assert known.holders("pdq", np.array([0], np.uint64)) == known.holders("pdq", [0])
    with HashCache.open(tmp_path / "cache", keep=np.int64(7)) as cache:
        assert cache.keep == 7
    table = {("iwf", "A"): np.int64(1)}
    assert known.export(tmp_path / "out", format="vics", audience="own", categories=table).records


@pytest.mark.parametrize("wrong", [np.complex128(3), np.zeros((2, 8), np.uint8), 5])
def test_a_filter_is_asked_for_bytes(wrong):
    """Sixteen bytes of anything else are no MD5, of which it would say no for certain."""
    with pytest.raises(HashError, match="is bytes, hex or a Hash, not"):
        EdgeFilter({}, KINDS["md5"], 1).may_contain(wrong)


def test_an_audit_log_without_a_name_is_unreadable():
    """An empty path raises OutputError."""
    with pytest.raises(OutputError, match="cannot read"):
        audit.verify("")


def test_a_cache_that_is_closed_says_so(engine, tmp_path):
    """Whatever is asked of it; to close it once more is nothing, as of a log and of results."""
    with HashCache.open(tmp_path / "cache") as cache, cache:
        pass
    for asked in (
        lambda: len(cache),
        lambda: cache.keep,
        lambda: cache.add([], engine.hasher),
        lambda: list(rescan(engine, cache)),
        lambda: list(scan(engine, tmp_path, jobs=1, cache=cache)),
    ):
        with pytest.raises(OutputError, match="is closed: open it again"):
            asked()


def test_another_radius_leaves_that_of_known_files():
    """`dataclasses.replace` is given the settings as they are: see `Policy`."""
    wide, narrow = Policy(), Policy(radius={"pdq": 10})
    assert narrow.known_good_radius["pdq"] == 10
    assert replace(wide, radius=narrow.radius).known_good_radius["pdq"] == 31
