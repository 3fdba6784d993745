"""Records: states, uniting rows, derived entries, and what is never searched."""

import hashlib
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener import Hash
from screener.lists.store.records import (
    BadRow,
    Category,
    Row,
    State,
    derive_entry,
    find_exclusion,
    is_empty_digest,
    unite_rows,
)
from screener.lists.store.stored_rows import to_version

A = Hash.parse("md5", "a1" * 16)
B = Hash.parse("pdq", "b2" * 32)
STATES = st.sampled_from(list(State))
ROWS = st.builds(
    Row,
    st.integers(1, 9),
    st.just("x"),
    STATES,
    st.lists(st.sampled_from([A, B]), max_size=3).map(tuple),
    st.lists(st.sampled_from([Category("s", "1"), Category("t", "1")]), max_size=2).map(tuple),
    st.dictionaries(st.sampled_from(["note", "age"]), st.sampled_from(["", "u", "v"])),
    st.sampled_from([None, "2026-01-01", "2026-02-01"]),
)


def row(state=State.CONFIRMED, *hashes, **said):
    """A row of entry x."""
    return Row(1, "x", state, hashes, **said)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("withdrawn", "confirmed", "withdrawn"),
        ("withdrawn", "disputed", "withdrawn"),
        ("disputed", "seed", "disputed"),
        ("confirmed", "known_good", "confirmed"),
        ("seed", "known_good", "seed"),
        ("confirmed", "seed", "confirmed"),
        ("seed", "seed", "seed"),
        ("known_good", "known_good", "known_good"),
    ],
)
def test_states_of_one_entry_unite(first, second, both):
    """A withdrawal wins, seeds and known files make no match, and the order does not matter."""
    assert unite_rows(row(State(first)), row(State(second))).state == both
    assert unite_rows(row(State(second)), row(State(first))).state == both


def test_uniting_three_states_does_not_depend_on_the_order():
    """Whatever the order of three rows, the state is the same."""
    for states in product(State, repeat=3):
        ends = {
            unite_rows(unite_rows(row(a), row(b)), row(c)).state
            for a, b, c in permutations(states, 3)
        }
        assert len(ends) == 1


@given(ROWS, ROWS)
def test_uniting_loses_nothing(first, second):
    """Every hash, category and label value of both rows is in the united one."""
    both = unite_rows(first, second)

    assert set(both.hashes) == {*first.hashes, *second.hashes}
    assert set(both.categories) == {*first.categories, *second.categories}
    for said in (first, second):
        for name, value in said.labels.items():
            assert value in both.labels[name].split("\n") or not value
    assert to_version(unite_rows(both, second)).digest == to_version(both).digest


@given(ROWS)
def test_the_fingerprint_ignores_order_and_repeats(said):
    """Hashes, categories and labels in another order, or twice, are the same content."""
    other = said._replace(
        hashes=(*reversed(said.hashes), *said.hashes),
        categories=tuple(reversed(said.categories)),
        labels=dict(reversed(said.labels.items())),
    )

    assert to_version(other).digest == to_version(said).digest


@pytest.mark.parametrize(
    "other",
    [
        row(State.SEED, A),
        row(State.CONFIRMED, A, B),
        row(State.CONFIRMED, A, categories=(Category("s", "1"),)),
        row(State.CONFIRMED, A, labels={"note": "1"}),
        row(State.CONFIRMED, A, updated="2026"),
        row(State.CONFIRMED, Hash.parse("md5", "a1" * 16, quality=3)),
    ],
)
def test_any_difference_shows_in_the_fingerprint(other):
    """State, hashes, quality, categories, labels and time each make another version."""
    assert to_version(other).digest != to_version(row(State.CONFIRMED, A)).digest


def test_a_repeated_hash_stays_as_usable_as_it_was():
    """Of two qualities the better is kept; none recorded, which is always compared, wins."""
    low, good = (Hash.parse("pdq", "b2" * 32, quality=quality) for quality in (10, 80))

    for hashes, quality in (((B, low), None), ((good, B), None), ((low, good), 80)):
        for order in (hashes, hashes[::-1]):
            (kept,) = to_version(row(State.CONFIRMED, *order)).hashes
            assert kept.quality == quality


def test_a_derived_entry_is_stable_and_tells_no_value():
    """The same for any order of columns, another for another kind, and no part of the hash."""
    entry = derive_entry([A, B])

    assert entry == derive_entry([B, A])
    assert entry.startswith("row-")
    assert len(entry) == 20
    expected = hashlib.sha256(b"md5\0" + A.value).hexdigest()
    assert derive_entry([A]) == f"row-{expected[:16]}"
    same_bytes = Hash.parse("sha256", "b2" * 32)
    assert derive_entry([same_bytes]) != derive_entry([B])


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_digests_of_no_bytes_are_known(name):
    """The digests of the empty input say nothing; others do."""
    assert is_empty_digest(Hash.parse(name, hashlib.new(name).hexdigest()))
    assert not is_empty_digest(Hash.parse(name, hashlib.new(name, b"x").hexdigest()))


@pytest.mark.parametrize(
    ("kind", "weight", "searched"),
    [
        ("pdq", 0, False),
        ("pdq", 15, False),
        ("pdq", 16, True),
        ("pdq", 240, True),
        ("pdq", 241, False),
        ("pdq", 256, False),
        ("phash", 3, False),
        ("phash", 4, True),
        ("phash", 60, True),
        ("phash", 61, False),
        ("sha256", 0, True),
    ],
)
def test_blank_codes_are_never_searched(kind, weight, searched):
    """Fewer than one bit in sixteen set or unset is a blank picture; digests are not judged."""
    size = {"pdq": 32, "phash": 8, "sha256": 32}[kind]
    value = ((1 << weight) - 1).to_bytes(size, "big")

    reason = find_exclusion(Hash.parse(kind, value.hex()))

    assert reason == (None if searched else "low information")


def test_an_opaque_kind_is_kept_and_never_searched():
    """PhotoDNA has no comparison here."""
    assert find_exclusion(Hash.parse("photodna", "07" * 144)) == "opaque"


def test_a_bad_row_reads_as_its_trouble():
    """The field comes first where there is one."""
    assert str(BadRow(3, "pdq", "wrong length")) == "pdq: wrong length"
    assert str(BadRow(3, None, "NUL byte")) == "NUL byte"
