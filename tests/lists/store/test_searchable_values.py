"""A hash that very many records hold: what is told of it is made input by input, and let go."""

import io
import json
import sys
import tracemalloc
import weakref

import pytest

from screener import Hash, HashCache, Screener, rescan
from screener.cli import hash_lines
from screener.cli.summary import Tally
from screener.hashing.hash import KINDS
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching import hash_search

PDQ = "0123456789abcdef" * 4
HOLDERS, INPUTS = 500, 20


@pytest.fixture
def engine(make_list):
    """Of a list of one hash."""
    return Screener(make_list([{"id": f"e{number}", "pdq": PDQ} for number in range(HOLDERS)]))


def matched(engine, _):
    """Hash lines, matched."""
    lines = [f"pdq {PDQ} - f{number}\n" for number in range(INPUTS)]
    return hash_lines.match_lines(engine, io.BytesIO("".join(lines).encode()))


def rescanned(engine, folder):
    """Cached inputs, matched."""
    with HashCache.open(folder / "c") as cache:
        hashes = (LocatedHash(Hash(KINDS["pdq"], bytes.fromhex(PDQ), 90), detail=90),)
        for number in range(INPUTS):
            cache.add([HashedInput(Name(f"f{number}"), hashes)], engine.hasher)
        yield from rescan(engine, cache)


@pytest.mark.parametrize("way", [matched, rescanned])
def test_the_matches_of_many_inputs_are_made_one_input_at_a_time(
    engine, tmp_path, monkeypatch, way
):
    """They are looked up at once, each value of the list once, and then told one by one."""
    made, asked = 0, []
    make_match = hash_search.make_match

    def counted(*record, **found):
        nonlocal made
        made += 1
        return make_match(*record, **found)

    monkeypatch.setattr(hash_search, "make_match", counted)
    holders = type(engine.lists[0]).holders
    monkeypatch.setattr(
        type(engine.lists[0]),
        "holders",
        lambda self, kind, rows: (asked.extend(rows), holders(self, kind, rows))[1],
    )

    for number, result in enumerate(way(engine, tmp_path)):
        assert len(result.matches) == HOLDERS
        assert made == HOLDERS * (number + 1)
    assert number == INPUTS - 1
    assert len(asked) <= 2  # of hash lines the last item is looked up when no line follows


def test_the_line_of_very_many_matches_is_made_match_by_match(engine):
    """It takes little more than its own length."""
    result = engine.match([Hash.parse("pdq", PDQ)])
    line = result.to_json()

    tracemalloc.start()
    try:
        assert result.to_json() == line
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert json.loads(line) == json.loads(json.dumps(result.to_dict()))
    assert most < 3 * sys.getsizeof(line)


def test_a_summary_keeps_no_result(engine):
    """Of the few that it shows, only what it shows."""
    tally = Tally()
    result = engine.match([Hash.parse("pdq", PDQ)])
    kept = weakref.ref(result)

    tally.add(result)
    del result

    assert kept() is None
