"""The invariants of an index: its arrays are those that follow from its values.

A checksum proves that a file is as it was written, not that it was written correctly. Here each
array is derived from the values once more, with NumPy alone and as `docs/internals/format.md`
describes it, and compared. Messages name section and table, but no number of a row or slot, which
would reveal the beginning of a value.

Ten million codes of 256 bits take under a minute and some 40 bytes of memory per code, beside the
index itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener.errors import IndexFileError

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

_BUCKETS: Final = 1 << 16
_LINE: Final = 32  # slots in a cache line
_WEIGHTS: Final = 16  # of a sketch, besides 0
_MANY_LINES: Final = 255  # the largest number of the line in which a weight starts
_ROWS_EVERY: Final = 4  # tables 3, 7, 11, … contain rows
_BLOCK: Final = 1 << 16  # codes or slots at once, so that results stay in the cache
_REST: Final = "rest-"  # prefix of the tables of codes of other weights


def check_codes(codes: Codes, sections: Mapping[str, Array]) -> None:
    """Check the arrays of a Hamming index, by the names of their sections, against its `codes`.

    `codes` are uint8 (n, bits / 8); `sections` is empty if there are no tables. Raises
    IndexFileError that names the wrong section and its fault.
    """
    if not sections:
        return
    chunks = sections["chunks"]
    _demand("chunks", "it is no permutation of the bits", _is_permutation(chunks, codes))
    distinct = ~_check_repeats(codes, sections)
    _demand("heads", "a code that occurs twice is not among them", _all_differ(codes, distinct))
    of_tables = distinct
    if any(name.startswith("rest") for name in sections):
        weights = _weights(codes)
        of_tables = distinct & (weights == codes.shape[1] * 4)
        _check_rest(codes, distinct & ~of_tables, weights, sections)
    _Tables(codes, of_tables, chunks, sections, "").check()


def check_digests(values: Codes, prefixes: Array, order: Array) -> None:
    """Check the arrays of a digest index, of one length, against its `values`, uint8 (n, size).

    Raises IndexFileError as `check_codes` does.
    """
    seen = np.zeros(len(values), np.bool_)
    size = min(8, values.shape[1])
    previous: tuple[Array, Array] = (prefixes[:0], order[:0])
    for block in _blocks(len(values)):
        rows, own = order[block], prefixes[block]
        _demand("order", "a row is beyond the values", bool((rows < len(values)).all()))
        seen[rows] = True
        first = np.zeros((len(rows), 8), np.uint8)
        first[:, :size] = values[rows, :size]
        right = bool((first.view(">u8").reshape(-1) == own).all())
        _demand("prefixes", "one is not the beginning of its value", right)
        own, rows = np.concatenate((previous[0], own)), np.concatenate((previous[1], rows))
        _demand("prefixes", "they do not ascend", bool((own[1:] >= own[:-1]).all()))
        ascending = (own[1:] > own[:-1]) | (rows[1:] > rows[:-1])
        _demand("order", "rows of one prefix do not ascend", bool(ascending.all()))
        previous = own[-1:], rows[-1:]
    _demand("order", "a value is left out", bool(seen.all()))


def _demand(section: str, what: str, holds: bool) -> None:
    if not holds:
        raise IndexFileError(f"section {section!r} is wrong: {what}")


def _blocks(size: int) -> Iterator[slice]:
    return (slice(at, min(at + _BLOCK, size)) for at in range(0, size, _BLOCK))


def _equal(actual: Array, expected: Array) -> bool:
    return actual.shape == expected.shape and bool((actual == expected).all())


def _is_permutation(chunks: Array, codes: Codes) -> bool:
    bits = codes.shape[1] * 8
    return chunks.shape == (bits // 16, 16) and _equal(np.sort(chunks, axis=None), np.arange(bits))


def _weights(codes: Codes) -> Array:
    weights = np.empty(len(codes), np.uint16)
    for block in _blocks(len(codes)):
        np.bitwise_count(codes[block]).sum(axis=1, dtype=np.uint16, out=weights[block])
    return weights


def _check_repeats(codes: Codes, sections: Mapping[str, Array]) -> Flags:
    """Return which rows repeat the code of an earlier row, after checking it by the codes."""
    heads, starts, repeats = (sections[n] for n in ("heads", "repeat-starts", "repeats"))
    n, ends = len(codes), starts.astype(np.int64)
    _demand("heads", "they do not ascend", bool((heads[1:] > heads[:-1]).all()))
    _demand("heads", "one is beyond the codes", not len(heads) or int(heads[-1]) < n)
    of_heads = len(ends) == len(heads) + 1
    _demand("repeat-starts", "their number is not that of the heads and an end", of_heads)
    filled = ends[0] == 0 and ends[-1] == len(repeats)
    _demand("repeat-starts", "they do not span the repeats", filled)
    _demand("repeat-starts", "they do not ascend", bool((ends[1:] > ends[:-1]).all()))
    _demand("repeats", "one is beyond the codes", not len(repeats) or int(repeats.max()) < n)
    repeated = np.zeros(n, np.bool_)
    repeated[repeats] = True
    _demand("repeats", "a row stands there twice", np.count_nonzero(repeated) == len(repeats))
    _demand("heads", "one repeats another", not repeated[heads].any())
    for block in _blocks(len(repeats)):
        places = np.arange(block.start, block.stop)
        group = np.searchsorted(ends, places, side="right") - 1
        before = np.where(places == ends[group], heads[group], repeats[places - 1])
        _demand("repeats", "rows do not ascend", bool((before < repeats[block]).all()))
        same = _equal(codes[repeats[block]], codes[heads[group]])
        _demand("repeats", "a row holds another code than its head", same)
    return repeated


def _all_differ(codes: Codes, among: Flags) -> bool:
    """Return whether codes are distinct: by fingerprints, then by the codes of equal ones."""
    words = codes.reshape(-1).view("<u8").reshape(len(codes), codes.shape[1] // 8)
    prints = np.zeros(len(codes), np.uint64)
    for word in words.T:
        prints = (prints ^ word) * np.uint64(0x9E3779B97F4A7C15)
        prints ^= prints >> np.uint64(29)
    ordered = np.sort(prints[among])
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(shared):
        return True
    places = np.minimum(np.searchsorted(shared, prints), len(shared) - 1)
    suspects = words[among & (shared[places] == prints)]
    return len(np.unique(suspects, axis=0)) == len(suspects)


def _check_rest(codes: Codes, among: Flags, weights: Array, sections: Mapping[str, Array]) -> None:
    """Check the codes of other weights: in tables of their own or, if few, in a list."""
    if "rest" not in sections:
        _Tables(codes, among, sections["chunks"], sections, _REST).check()
        return
    rows = np.flatnonzero(among)
    rows = rows[np.argsort(weights[rows], kind="stable")]
    right = _equal(sections["rest"], rows)
    _demand("rest", "it is not the codes that the tables leave out, by weight and row", right)
    _demand(
        "rest-codes", "they are not those of its rows", _equal(sections["rest-codes"], codes[rows])
    )


class _Tables:
    """The tables of some of the codes, checked table by table.

    A stable sort of the rows by key, in large tables by key and weight of the sketch, yields all of
    a table. The place of each code in its bucket is what the links of the table before contain.
    """

    def __init__(
        self,
        codes: Codes,
        members: Flags,
        chunks: Array,
        sections: Mapping[str, Array],
        prefix: str,
    ) -> None:
        self._codes, self._chunks, self._prefix = codes, chunks, prefix
        self._members = np.flatnonzero(members).astype(np.uint32)
        names = ("directory", "sketches", "links", "rows")
        self._directory, self._sketches, self._links, self._rows = (
            sections[prefix + name] for name in names
        )
        self._weights = sections.get(prefix + "weights")  # of large tables

    def check(self) -> None:
        self._check_directory()
        last = len(self._chunks) - 1
        following, target = self._column(0), self._column(1)
        places: Array = np.empty(0, np.uint32)
        for table in range(last, -1, -1):
            column = self._column(table)
            keys = column[self._members]
            order = np.argsort(self._ranks(keys, following), kind="stable")
            counts = np.bincount(keys, minlength=_BUCKETS)
            self._check_buckets(table, counts)
            rows = self._members[order]
            firsts = np.cumsum(counts) - counts
            self._check_slots(table, rows, counts, firsts, following, places, target)
            self._check_weights(table, keys, following)
            if table % _ROWS_EVERY:  # the table before has links
                places = np.empty(len(self._codes), np.uint32)
                places[rows] = np.arange(len(rows)) - np.repeat(firsts, counts)
            following, target = column, following

    def _ranks(self, keys: Array, following: Array) -> Array:
        """Return the sort keys of the codes in a table: small numbers, which sort fast."""
        if self._weights is None:
            return keys
        return self._groups(keys, following).astype(np.uint32)

    def _groups(self, keys: Array, following: Array) -> Array:
        """Return the key, then the weight of the sketch, as one number for each code."""
        weights = np.bitwise_count(following[self._members])
        return keys.astype(np.int64) * (_WEIGHTS + 1) + weights

    def _check_weights(self, table: int, keys: Array, following: Array) -> None:
        if self._weights is None:
            return
        groups = np.bincount(self._groups(keys, following), minlength=_BUCKETS * (_WEIGHTS + 1))
        starts = np.cumsum(groups.reshape(_BUCKETS, -1), axis=1)[:, :-1]
        own = self._weights[table * _BUCKETS : (table + 1) * _BUCKETS]
        right = _equal(own, np.minimum(starts // _LINE, _MANY_LINES))
        self._demand("weights", f"one of table {table} names another line", right)

    def _demand(self, section: str, what: str, holds: bool) -> None:
        _demand(self._prefix + section, what, holds)

    def _check_directory(self) -> None:
        directory, tables = self._directory, len(self._chunks)
        self._demand("directory", "its shape", directory.shape == (tables, _BUCKETS + 1))
        ascending = bool((directory[:, 1:] >= directory[:, :-1]).all())
        self._demand("directory", "it does not ascend", ascending)
        joined = directory[0, 0] == 0 and _equal(directory[1:, 0], directory[:-1, -1])
        self._demand("directory", "a table does not start where the one before ends", joined)
        whole = not (directory[:, -1] % _LINE).any()
        self._demand("directory", "a table ends within a line", whole)
        sizes = np.diff(directory[:, [0, -1]].astype(np.int64), axis=1)[:, 0]
        with_rows = np.arange(tables) % _ROWS_EVERY == _ROWS_EVERY - 1
        for name, array, size in (
            ("sketches", self._sketches, sizes.sum()),
            ("links", self._links, sizes[~with_rows].sum()),
            ("rows", self._rows, sizes[with_rows].sum()),
        ):
            self._demand(name, "its length is not that of its tables", len(array) == size)
        if self._weights is not None:
            shapes = self._weights.shape, self._links.shape[1:]
            self._demand("weights", "its shape", shapes == ((tables * _BUCKETS, _WEIGHTS), (2,)))
        # The first slot of each table in `rows` or `links`.
        before = [np.where(with_rows == with_rows[t], sizes, 0)[:t].sum() for t in range(tables)]
        self._bases = [int(base) for base in before]

    def _column(self, table: int) -> Array:
        column = np.zeros(len(self._codes), np.uint16)
        for block in _blocks(len(column)):
            codes, own = self._codes[block], column[block]
            for place, bit in enumerate(self._chunks[table].tolist()):
                own |= (codes[:, bit >> 3] >> np.uint8(bit & 7) & 1).astype(np.uint16) << place
        return column

    def _check_buckets(self, table: int, counts: Array) -> None:
        starts, ends = self._directory[table, :-1], self._directory[table, 1:]
        free = (ends - starts).astype(np.int64) - counts
        where = f"in table {table} a bucket"
        self._demand("directory", f"{where} has fewer slots than codes", bool((free >= 0).all()))
        wasted = bool((free[counts == 0] > 0).any() or (free >= _LINE).any())
        self._demand("directory", f"{where} has more free slots than a line needs", not wasted)
        short = counts <= _LINE
        lines = np.where(short, starts % _LINE + counts <= _LINE, starts % _LINE == 0)
        self._demand("directory", f"{where} lies across lines", bool(lines[counts > 0].all()))
        filled = not (ends[free > 0] % _LINE).any()
        self._demand("directory", f"{where} has free slots before the end of a line", filled)

    def _check_slots(
        self,
        table: int,
        rows: Array,
        counts: Array,
        firsts: Array,
        following: Array,
        places: Array,
        target: Array,
    ) -> None:
        """Check that each slot of a table has its code, and free slots repeat the last."""
        starts = self._directory[table].astype(np.int64)
        keys = np.repeat(np.arange(_BUCKETS, dtype=np.uint16), np.diff(starts))
        for block in _blocks(len(keys)):
            key = keys[block]
            slots = np.arange(block.start, block.stop) + starts[0]
            place = np.minimum(slots - starts[key], counts[key] - 1)
            own = rows[firsts[key] + place]
            sketches = self._sketches[slots[0] : slots[-1] + 1]
            right = _equal(sketches, following[own])
            self._demand("sketches", f"one of table {table} is of another code", right)
            there = slice(self._bases[table] + block.start, self._bases[table] + block.stop)
            if table % _ROWS_EVERY == _ROWS_EVERY - 1:
                what = f"one of table {table} is not the row of the code that belongs there"
                self._demand("rows", what, _equal(self._rows[there], own))
            else:
                what = f"one of table {table} leads to another code"
                links = self._links[there]
                if self._weights is not None:
                    what_sketch = f"one of table {table} has another sketch than its target"
                    self._demand("links", what_sketch, _equal(links[:, 1], target[own]))
                    links = links[:, 0]
                self._demand("links", what, _equal(links, places[own]))
