"""`verify` finds an index whose arrays are not those that its values call for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screener.errors import IndexFileError
from screener.index import invariants, tables
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.invariants import check_codes, check_digests
from screener.index.layout import open_sections, write_sections

Arrays = dict[str, npt.NDArray[Any]]
Change = Callable[[Arrays], None]


@pytest.fixture(autouse=True)
def tables_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables however few the codes, and blocks so small that there are many."""
    monkeypatch.setattr(tables, "LEAST_CODES", 0)
    monkeypatch.setattr(invariants, "_BLOCK", 1000)


def some_codes(count: int = 3000, width: int = 8) -> npt.NDArray[np.uint8]:
    """Codes in families, so that buckets are of all sizes, and one in ten twice or more often."""
    rng = np.random.default_rng(count)
    codes = rng.integers(0, 256, (20, width), np.uint8)[rng.integers(0, 20, count)]
    codes[:, -1] = rng.integers(0, 256, count)
    codes[np.arange(count), rng.integers(0, width, count)] ^= np.uint8(16)
    codes[count // 2 : count // 2 + count // 10] = codes[: count // 10]
    return codes


def rewritten(path: Path, content: str, change: Change) -> Path:
    """The file with its arrays changed and the checksums right again."""
    opened = open_sections(path, content)
    arrays: Arrays = {
        name: opened.array(name, dtype=s.dtype.str[1:], dimensions=len(s.shape)).copy()
        for name, s in opened.directory.items()
    }
    change(arrays)
    write_sections(path, content, arrays)
    return path


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    width=st.sampled_from((8, 16, 32, 64)),
    count=st.sampled_from((0, 1, 2, 33, 500, 2500)),
    centres=st.sampled_from((1, 2, 30, 3000)),
)
def test_what_was_built_passes(seed: int, width: int, count: int, centres: int) -> None:
    """Whatever the codes, an index as built has every invariant, unsaved."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (centres, width), np.uint8)[rng.integers(0, centres, count)]
    codes[:, 0] ^= rng.integers(0, 256, count, np.uint8)
    HammingIndex.build(codes).verify()
    with patch.object(tables, "LARGE_CODES", 0):
        HammingIndex.build(codes).verify()
    DigestIndex.build(codes).verify()


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_what_was_saved_passes(tmp_path: Path, width: int) -> None:
    """An opened index has every invariant too, in a file and in huge pages."""
    HammingIndex.build(some_codes(width=width)).save(tmp_path / "a")
    HammingIndex.open(tmp_path / "a").verify()
    HammingIndex.open(tmp_path / "a", hugepages=True).verify()


def bump(name: str, place: int = -1) -> Change:
    """Adds one to an element of a section."""

    def change(arrays: Arrays) -> None:
        arrays[name].reshape(-1)[place] += 1

    return change


def put(name: str, place: Any, value: int) -> Change:
    """Puts a value into a section."""

    def change(arrays: Arrays) -> None:
        arrays[name][place] = value

    return change


def swapped(name: str, first: int, second: int) -> Change:
    """Exchanges two elements of a section."""

    def change(arrays: Arrays) -> None:
        array = arrays[name].reshape(-1)
        array[[first, second]] = array[[second, first]]

    return change


def shortened(*names: str) -> Change:
    """Takes the last element from each of these sections."""

    def change(arrays: Arrays) -> None:
        for name in names:
            arrays[name] = arrays[name][:-1]

    return change


def another_slot(arrays: Arrays) -> None:
    """Gives a bucket the first slot of the one behind it."""
    sizes = np.diff(arrays["directory"].astype(np.int64), axis=1)
    table, key = np.argwhere((sizes[:, :-1] > 0) & (sizes[:, 1:] > 0))[0]
    arrays["directory"][table, key + 1] += 1


def forgotten(arrays: Arrays) -> None:
    """Leaves the last code that occurs twice out of the heads, and its repeats with it."""
    kept = arrays["repeat-starts"][-2]
    arrays["heads"] = arrays["heads"][:-1]
    arrays["repeat-starts"] = arrays["repeat-starts"][:-1]
    arrays["repeats"] = arrays["repeats"][: int(kept)]


def in_a_free_slot(name: str) -> Change:
    """Changes what stands in the last slot of all, which is free and repeats the one before."""

    def change(arrays: Arrays) -> None:
        array = arrays[name]
        assert array[-1] == array[-2]
        array[-1] ^= 1

    return change


WRONG: list[tuple[str, Change, str]] = [
    ("directory", put("directory", (1, 5), 2**31), "does not ascend"),
    ("directory", bump("directory", 0), "does not ascend|does not start where"),
    ("directory", put("directory", (0, slice(None)), 0), "does not start where"),
    ("directory", another_slot, "a bucket has"),
    ("sketches", bump("sketches", 0), "one of table 0 is of another code"),
    ("sketches", bump("sketches", 5000), "one of table 1 is of another code"),
    ("sketches", in_a_free_slot("sketches"), "one of table 3 is of another code"),
    ("sketches", shortened("sketches"), "its length is not that"),
    ("links", bump("links", 0), "one of table 0 leads to another code"),
    ("links", bump("links"), "one of table 2 leads to another code"),
    ("links", shortened("links"), "its length is not that"),
    ("rows", swapped("rows", 40, 700), "one of table 3 is not the row"),
    ("rows", put("rows", 10, 2**32 - 1), "one of table 3 is not the row"),
    ("rows", in_a_free_slot("rows"), "one of table 3 is not the row"),
    ("rows", shortened("rows"), "its length is not that"),
    ("heads", swapped("heads", 0, 1), "they do not ascend"),
    ("heads", put("heads", -1, 2**32 - 1), "one is beyond the codes"),
    ("heads", forgotten, "a code that occurs twice is not among them"),
    ("repeat-starts", bump("repeat-starts"), "they do not span the repeats"),
    ("repeat-starts", bump("repeat-starts", 0), "they do not span the repeats"),
    ("repeat-starts", put("repeat-starts", 1, 0), "they do not ascend"),
    ("repeat-starts", shortened("heads"), "their number is not"),
    ("repeats", put("repeats", 3, 2**32 - 1), "one is beyond the codes"),
    ("repeats", swapped("repeats", 3, 150), "do not ascend|another code than its head"),
    ("repeats", lambda a: put("repeats", 0, int(a["repeats"][1]))(a), "stands there twice"),
]


LARGE: list[tuple[str, Change, str]] = [
    ("weights", bump("weights", 0), "one of table 0 names another line"),
    ("weights", bump("weights"), "one of table 3 names another line"),
    ("weights", lambda a: a.update(weights=a["weights"].reshape(-1, 32)), "their shape"),
    ("links", lambda a: a.update(links=a["links"].reshape(-1, 4)), "their shape"),
    ("links", bump("links", 0), "one of table 0 leads to another code"),
    ("links", bump("links", 1), "one of table 0 has another sketch"),
    ("sketches", bump("sketches", 3), "one of table 0 is of another code"),
]


@pytest.mark.parametrize(("section", "change", "what"), LARGE)
def test_each_wrong_array_of_large_tables_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, change: Change, what: str
) -> None:
    """The order by weights, their first lines, and the sketches in links are checked."""
    monkeypatch.setattr(tables, "LARGE_CODES", 1)
    path = tmp_path / "a.idx"
    HammingIndex.build(some_codes()).save(path)
    HammingIndex.open(path).verify()
    rewritten(path, "hamming", change)
    with pytest.raises(IndexFileError) as caught:
        HammingIndex.open(path).verify()
    if "their shape" not in str(caught.value):  # what `open` says already
        assert f"section '{section}' is wrong" in str(caught.value)
        assert what in str(caught.value)


@pytest.mark.parametrize(("section", "change", "what"), WRONG)
def test_each_wrong_array_is_named(tmp_path: Path, section: str, change: Change, what: str) -> None:
    """A wrong array under right checksums is refused with its name and what is wrong with it."""
    path = tmp_path / "a.idx"
    HammingIndex.build(some_codes()).save(path)
    rewritten(path, "hamming", change)
    with pytest.raises(IndexFileError) as caught:
        HammingIndex.open(path).verify()
    sentence = str(caught.value)
    if "do not fit together" not in sentence:  # what `open` says already
        assert f"{path}: section '{section}' is wrong" in sentence
        assert any(part in sentence for part in what.split("|")), sentence


def balanced_codes() -> npt.NDArray[np.uint8]:
    """Codes of which most have half of their bits set, and one in eight has not."""
    codes = some_codes(2400)
    codes[:, 1] = np.random.default_rng(1).integers(0, 256, 2400)
    codes[:, 4:] = ~codes[:, :4]
    codes[::8, 0] ^= np.arange(300, dtype=np.uint16).astype(np.uint8) | np.uint8(1)
    return codes


FEW: list[tuple[str, Change, str]] = [
    ("rest", swapped("rest", 0, -1), "by weight and row"),
    ("rest", shortened("rest", "rest-codes"), "it is not the codes that the tables leave out"),
    ("rest-codes", bump("rest-codes", 3), "not those of its rows"),
]
REST: list[tuple[str, Change, str]] = [
    ("rest-sketches", bump("rest-sketches", 3), "one of table 0 is of another code"),
    ("rest-links", bump("rest-links"), "one of table 2 leads to another code"),
    ("rest-rows", bump("rest-rows", 3), "one of table 3 is not the row"),
    ("rest-directory", put("rest-directory", (3, 70), 0), "does not ascend"),
    ("sketches", bump("sketches"), "one of table 3 is of another code"),
]


@pytest.mark.parametrize(
    ("least", "section", "change", "what"),
    [*((1000, *one) for one in FEW), *((0, *one) for one in REST)],
)
def test_each_wrong_array_of_codes_that_are_not_balanced_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    least: int,
    section: str,
    change: Change,
    what: str,
) -> None:
    """Both forms of leading to other codes are sound as built, and named if wrong."""
    monkeypatch.setattr(tables, "LEAST_CODES", least)
    path = tmp_path / "a.idx"
    index = HammingIndex.build(balanced_codes())
    index.verify()
    index.save(path)
    HammingIndex.open(path).verify()
    rewritten(path, "hamming", change)
    with pytest.raises(IndexFileError) as caught:
        HammingIndex.open(path).verify()
    if "do not fit together" not in str(caught.value):
        assert f"section '{section}' is wrong" in str(caught.value)
        assert what in str(caught.value)


def test_wrong_codes_are_found_by_their_tables(tmp_path: Path) -> None:
    """A changed code under a right checksum is not in its place in the tables any more."""
    path = tmp_path / "a.idx"
    HammingIndex.build(some_codes()).save(path)
    rewritten(path, "hamming", bump("codes", 8 * 2999))
    with pytest.raises(IndexFileError, match="is wrong"):
        HammingIndex.open(path).verify()


@pytest.mark.parametrize("large", [1 << 24, 0])
def test_any_one_changed_element_is_found(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    """Whatever element of whichever array is changed: no other value would be right."""
    monkeypatch.setattr(tables, "LARGE_CODES", large)
    codes = some_codes(700)
    built = HammingIndex.build(codes)._tables.sections(64)
    rng = np.random.default_rng(4)
    for name, array in built.items():
        for place in {0, array.size - 1, *rng.integers(0, array.size, 12).tolist()}:
            changed = {**built, name: array.copy()}
            changed[name].reshape(-1)[place] ^= array.dtype.type(1)
            with pytest.raises(IndexFileError, match=r"section '[a-z-]*' is wrong"):
                check_codes(codes, changed)


def test_tables_of_no_codes_are_named(tmp_path: Path) -> None:
    """A file whose codes are gone and whose tables stand is refused in a sentence."""
    path = tmp_path / "a.idx"
    HammingIndex.build(some_codes()).save(path)
    rewritten(path, "hamming", lambda a: a.update(codes=a["codes"][:0]))
    with pytest.raises(IndexFileError, match="is wrong"):
        HammingIndex.open(path).verify()


@pytest.mark.parametrize("count", [0, 3000])
def test_a_section_that_this_version_does_not_know_is_refused(tmp_path: Path, count: int) -> None:
    """The result of a search with it would be undefined."""
    path = tmp_path / "a.idx"
    HammingIndex.build(some_codes()[:count]).save(path)
    rewritten(path, "hamming", lambda a: a.update(colours=np.zeros(3, np.uint8)))
    with pytest.raises(IndexFileError, match="section 'colours' is not known here"):
        HammingIndex.open(path)


def test_a_chunk_that_holds_a_bit_twice_is_named() -> None:
    """The chunks are a permutation of the bits."""
    codes = some_codes(100)
    built = HammingIndex.build(codes)._tables.sections(64)
    chunks = built["chunks"].copy()
    chunks[2, 3] = chunks[0, 0]
    with pytest.raises(IndexFileError, match="'chunks' is wrong: it is no permutation"):
        check_codes(codes, {**built, "chunks": chunks})


def test_equal_fingerprints_of_different_codes_are_no_repeats() -> None:
    """Codes are distinguished by all of their bytes, whatever their fingerprints."""
    codes = some_codes(300, width=16)
    multiplier, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    # The last word of the second code is chosen so that both come to the same fingerprint.
    prints = []
    for code in codes[:2]:
        first = int.from_bytes(code[:8].tobytes(), "little") * multiplier & mask
        prints.append(first ^ first >> 29)
    wanted = prints[0] ^ int.from_bytes(codes[0, 8:].tobytes(), "little") ^ prints[1]
    codes[1, 8:] = np.frombuffer(wanted.to_bytes(8, "little"), np.uint8)
    HammingIndex.build(codes).verify()


DIGESTS_ONLY: list[tuple[str, Change, str]] = [
    ("prefixes", bump("prefixes", 0), "not the beginning of its value"),
    ("prefixes", bump("prefixes"), "not the beginning of its value"),
    ("order", put("order", 7, 2**32 - 1), "beyond the values"),
    ("prefixes", swapped("order", 0, -1), "not the beginning of its value"),
    ("order", lambda a: put("order", 1, int(a["order"][0]))(a), "rows of one prefix do not ascend"),
]


@pytest.mark.parametrize(("section", "change", "what"), DIGESTS_ONLY)
def test_each_wrong_array_of_digests_is_named(
    tmp_path: Path, section: str, change: Change, what: str
) -> None:
    """As for codes: the sentence names the section that shows it, and what is wrong."""
    path = tmp_path / "a.idx"
    DigestIndex.build(some_codes(2500, width=16)).save(path)
    rewritten(path, "digests", change)
    with pytest.raises(IndexFileError, match=f"{path}: section '{section}' is wrong: .*{what}"):
        DigestIndex.open(path).verify()


def test_digests_out_of_order_are_found() -> None:
    """Prefixes and order that fit each other and the values must ascend, rows of one included."""
    values = np.zeros((4, 16), np.uint8)
    values[2:, 7] = 9
    prefixes, rows = np.array([0, 0, 9, 9], np.uint64), np.arange(4, dtype=np.uint32)
    check_digests(values, prefixes, rows)
    for order, what in (([2, 3, 0, 1], "do not ascend"), ([1, 0, 2, 3], "rows of one prefix")):
        with pytest.raises(IndexFileError, match=what):
            check_digests(values, prefixes[order], rows[order])
    with pytest.raises(IndexFileError, match=r"do not ascend|left out"):
        check_digests(values, prefixes, np.array([0, 0, 2, 3], np.uint32))


def test_no_sentence_tells_where_a_value_lies(tmp_path: Path) -> None:
    """The number of a row or a slot is the beginning of a value, so messages contain no digits but
    of tables.
    """
    path = tmp_path / "a.idx"
    for _, change, _ in WRONG:
        HammingIndex.build(some_codes()).save(path)
        rewritten(path, "hamming", change)
        with pytest.raises(IndexFileError) as caught:
            HammingIndex.open(path).verify()
        told = str(caught.value).removeprefix(f"{path}: ").replace("table ", "table")
        assert not any(word.strip(".,:").isdigit() for word in told.split())
