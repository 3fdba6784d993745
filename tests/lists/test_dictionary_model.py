"""Any order of changes equals a plain dictionary: SegmentedIndex by width, and HashList."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from screener import HashList, SegmentedIndex
from screener.index import tables, tiers

ALL = 24  # values in a pool of a list
MANY = 40  # in that of an index: enough for more parts than there may be
CHOICES = st.lists(st.integers(0, MANY - 1), max_size=12)


def pool(bits, seed, count=ALL):
    """Balanced codes of which the second half are neighbours, three bits off, of the first."""
    codes = np.random.default_rng(seed).integers(0, 256, (count, bits // 8), dtype=np.uint8)
    codes[count // 2 :] = codes[: count // 2]
    codes[count // 2 :, 1] ^= 0x07
    return codes


def near(codes, query, radius):
    """Which of the codes lie within the radius of a query, with their distances."""
    distances = np.bitwise_count(codes ^ query).sum(axis=1)
    return {(codes[at].tobytes(), int(distances[at])) for at in np.flatnonzero(distances <= radius)}


def as_array(values, size):
    """Byte strings as codes."""
    return np.frombuffer(b"".join(sorted(values)), np.uint8).reshape(-1, size)


@pytest.fixture(autouse=True)
def small_tiers(monkeypatch):
    """Tiers so small that a handful of codes fills several parts."""
    for name, number in (("FACTOR", 2), ("SMALLEST", 1), ("AT_ONCE", 12), ("MOST", 4)):
        monkeypatch.setattr(tiers, name, number)


class IndexStates(RuleBasedStateMachine):
    """A SegmentedIndex of one width; `base` codes are in it from the beginning."""

    bits, base, place = 64, 0, Path()
    made = 0

    @initialize()
    def create(self):
        """Begin with the base."""
        IndexStates.made += 1
        self.path = self.place / str(IndexStates.made)
        self.pool = pool(self.bits, self.bits, MANY)
        shape = (self.base, self.bits // 8)
        base = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        # Enough that one removed row is not yet a quarter, which would be merged away at once.
        base = np.concatenate([base, self.pool[:12]])
        self.index = SegmentedIndex.create(self.path, bits=self.bits).add(base)
        self.model = {code.tobytes() for code in base}
        self.reader = self.index, set(self.model)

    @rule(choice=CHOICES)
    def add(self, choice):
        """New ones, repeated ones, ones that were removed."""
        self.index = self.index.add(self.pool[choice])
        self.model |= {self.pool[at].tobytes() for at in choice}

    @rule(choice=CHOICES)
    def remove(self, choice):
        """Ones that are there and ones that are not."""
        self.index = self.index.remove(self.pool[choice])
        self.model -= {self.pool[at].tobytes() for at in choice}

    @rule()
    def compact(self):
        """Everything in one part, and nothing removed in it."""
        self.index = self.index.compact()
        assert self.index.parts <= 1
        assert not self.index._snapshot.removed.size

    @rule(hugepages=st.booleans())
    def reopen(self, hugepages):
        """From the disk alone."""
        self.index = SegmentedIndex.open(self.path, hugepages=hugepages)

    @rule()
    def refresh(self):
        """Somebody who has it open comes up to date."""
        self.reader = self.reader[0].refresh(), set(self.model)

    @rule()
    def change_through_the_reader(self):
        """It works on the newest state, not on its own."""
        self.index = self.reader[0].add(self.pool[:1])
        self.model.add(self.pool[0].tobytes())

    @invariant()
    def equals_the_model(self):
        """The newest state and the reader's, whole, and by searches of every kind of radius."""
        assert self.index.parts <= tiers.MOST
        for index, model in ((self.index, self.model), self.reader):
            index.verify()
            codes = as_array(model, self.bits // 8)
            assert len(index) == len(model)
            np.testing.assert_array_equal(index.all_codes(), codes)
            for radius in (0, 3, self.bits // 8, self.bits if len(model) < 100 else 31):
                offsets, rows, distances = index.search(self.pool, radius=radius, threads=2)
                hits = index.codes(rows)
                for at, query in enumerate(self.pool):
                    mine = range(offsets[at], offsets[at + 1])
                    found = [(hits[one].tobytes(), int(distances[one])) for one in mine]
                    assert len(found) == len(set(found))
                    assert set(found) == near(codes, query, radius)


@pytest.mark.parametrize("bits", [64, 128, 256, 512])
def test_any_order_of_changes_to_an_index(tmp_path, bits, monkeypatch):
    """Of every width: add, remove, compact, reopen, refresh, against a set."""
    monkeypatch.setattr(IndexStates, "place", tmp_path)
    monkeypatch.setattr(IndexStates, "bits", bits)
    run_state_machine_as_test(
        IndexStates, settings=settings(max_examples=10, stateful_step_count=15, deadline=None)
    )


def test_any_order_of_changes_to_an_index_with_tables(tmp_path, monkeypatch):
    """The same above the size at which an index has tables, which merges build again."""
    monkeypatch.setattr(IndexStates, "place", tmp_path)
    monkeypatch.setattr(IndexStates, "bits", 256)
    monkeypatch.setattr(IndexStates, "base", tables.LEAST_CODES + 50)
    run_state_machine_as_test(
        IndexStates, settings=settings(max_examples=3, stateful_step_count=6, deadline=None)
    )
    one = SegmentedIndex.open(tmp_path / str(IndexStates.made))
    assert any(part._tables.main is not None for part in one._snapshot.parts)


KINDS = {"pdq": 256, "phash": 64, "md5": 128}
ROWS = st.dictionaries(
    st.integers(0, 9),
    st.tuples(
        st.sampled_from(["", "disputed", "seed", "known_good", "withdrawn"]),
        *(st.none() | st.integers(0, ALL - 1) for _ in KINDS),
    ).filter(lambda row: row[0] == "withdrawn" or row[1:] != (None,) * len(KINDS)),
    min_size=1,
    max_size=3,
)


class ListStates(RuleBasedStateMachine):
    """A HashList of two sources and three kinds; `base` entries have a PDQ each from the start."""

    base, place = 0, Path()
    made = 0

    @initialize()
    def create(self):
        """Begin with the base and half of the PDQs of the pool."""
        ListStates.made += 1
        self.path = self.place / f"{ListStates.made}.list"
        self.pools = {kind: pool(bits, bits) for kind, bits in KINDS.items()}
        self.list = HashList.create(self.path)
        self.model = {}  # of the entries that are not withdrawn: their values by kind
        values = np.random.default_rng(2).integers(0, 256, (self.base, 32), dtype=np.uint8)
        self._import("base", [f"b{at},,{code.tobytes().hex()},," for at, code in enumerate(values)])
        self.model = {("base", f"b{at}"): {"pdq": code.tobytes()} for at, code in enumerate(values)}
        self.reader = self.list, dict(self.model)

    def _import(self, source, lines):
        file = self.path.with_suffix(".csv")
        file.write_text("\n".join([f"id,status,{','.join(KINDS)}", *lines, ""]))
        self.list.import_file(file, source=source)
        self.list = self.list.refresh()

    @rule(source=st.sampled_from(["one", "two"]), rows=ROWS)
    def bring(self, source, rows):
        """New entries, changed ones, withdrawn ones; two sources may hold the same value."""
        lines = []
        for number, (state, *choice) in rows.items():
            values = {
                kind: self.pools[kind][at].tobytes()
                for kind, at in zip(KINDS, choice, strict=True)
                if at is not None
            }
            cells = [values.get(kind, b"").hex() for kind in KINDS]
            lines.append(f"e{number},{state},{','.join(cells)}")
            self.model.pop((source, f"e{number}"), None)
            if state != "withdrawn":
                self.model[source, f"e{number}"] = values
        self._import(source, lines)

    @rule(at=st.integers(0, ALL // 2 - 1))
    def withdraw(self, at):
        """An entry of the base, whose value others may hold."""
        number = self.base + at
        self.model.pop(("one", f"b{number}"), None)
        self._import("one", [f"b{number},withdrawn,,,"])

    @rule(at=st.integers(0, ALL // 2 - 1))
    def bring_back(self, at):
        """The same entry with its value again."""
        value = self.pools["pdq"][at].tobytes()
        number = self.base + at
        self.model["one", f"b{number}"] = {"pdq": value}
        self._import("one", [f"b{number},,{value.hex()},,"])

    @rule()
    def compact(self):
        """One file a kind, nothing removed in it, and the same records."""
        self.list.compact()
        self.list = self.list.refresh()
        assert len(self.list.info().files) <= len(KINDS)

    @rule(pickled=st.booleans())
    def reopen(self, pickled):
        """From the disk alone, or by the generation's number in another process's hands."""
        one = self.list
        self.list = pickle.loads(pickle.dumps(one)) if pickled else HashList.open(self.path)
        assert self.list.generation == one.generation

    @rule()
    def refresh(self):
        """Somebody who has it open comes up to date."""
        self.reader = self.reader[0].refresh(), dict(self.model)

    @precondition(lambda self: hasattr(self, "list"))
    @invariant()
    def equals_the_model(self):
        """The newest generation and the reader's: every value found, with who holds it."""
        for one, model in ((self.list, self.model), self.reader):
            held = {kind: {} for kind in KINDS}
            for key, values in model.items():
                for kind, value in values.items():
                    held[kind].setdefault(value, set()).add(key)
            assert one.kinds == {kind: len(held[kind]) for kind in KINDS if held[kind]}
            for kind in KINDS:
                self._compare(one, kind, held[kind])

    def _compare(self, one, kind, held):
        codes = as_array(held, KINDS[kind] // 8)
        for radius in (0,) if kind == "md5" else (0, 3, 31):
            if kind == "md5":
                offsets, rows = one.lookup(kind, self.pools[kind])
                distances = np.zeros(len(rows), np.uint16)
            else:
                offsets, rows, distances = one.search(kind, self.pools[kind], radius=radius)
            records = one.holders(kind, rows)
            for at, query in enumerate(self.pools[kind]):
                found = [
                    (record.source, record.entry, int(distances[hit]))
                    for hit in range(offsets[at], offsets[at + 1])
                    for record in records[hit]
                ]
                expected = [
                    (*key, distance)
                    for value, distance in near(codes, query, radius)
                    for key in held[value]
                ]
                assert sorted(found) == sorted(expected)


def test_any_order_of_changes_to_a_list(tmp_path, monkeypatch):
    """Imports, withdrawals, compactions, reopening, readers, against a dictionary of entries."""
    monkeypatch.setattr(ListStates, "place", tmp_path)
    run_state_machine_as_test(
        ListStates, settings=settings(max_examples=10, stateful_step_count=15, deadline=None)
    )


def test_any_order_of_changes_to_a_list_with_tables(tmp_path, monkeypatch):
    """The same above the size at which an index has tables."""
    monkeypatch.setattr(ListStates, "place", tmp_path)
    monkeypatch.setattr(ListStates, "base", tables.LEAST_CODES + 50)
    run_state_machine_as_test(
        ListStates, settings=settings(max_examples=2, stateful_step_count=5, deadline=None)
    )
    assert ListStates.made
