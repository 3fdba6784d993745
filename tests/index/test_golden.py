"""Index files of every form that was ever written are read, and today's are the same bytes.

They are kept, compressed, in `tests/golden`, and `make.py` there made them. `format_reader.py` is
a second reader, of the page that describes them.
"""

from __future__ import annotations

import importlib.util
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import format_reader as reader
import numpy as np
import numpy.typing as npt
import pytest
from paths import REPOSITORY

from screener.errors import IndexFileError
from screener.index.digests import DigestIndex
from screener.index.hamming import HammingIndex
from screener.index.layout import open_sections
from screener.index.parts import open_removed

GOLDEN = REPOSITORY / "tests" / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.xz"))
SMALL = [name for name in NAMES if not name.startswith("tables")]
TABLES = [name for name in NAMES if name.startswith("tables")]
HAMMING = [name for name in NAMES if name.startswith(("hamming", "tables"))]
DIGESTS_ONLY = [name for name in NAMES if name.startswith("digests")]
RADII = {64: (0, 3, 8, 12), 128: (0, 16), 256: (0, 15, 31), 512: (0, 31, 70)}


def load(path: Path) -> ModuleType:
    """A module by its file, since the folder of tests is no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


made = load(GOLDEN / "make.py")


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpacks a golden file, once."""
    folder = tmp_path_factory.mktemp("golden")

    def unpacked(name: str) -> Path:
        path = folder / name
        if not path.exists():
            path.write_bytes(lzma.decompress((GOLDEN / f"{name}.xz").read_bytes()))
        return path

    return unpacked


def content_of(name: str) -> str:
    """What a golden file holds, by its name."""
    first = name.partition("-")[0]
    return "hamming" if first == "tables" else first


def open_and_verify(path: Path, content: str) -> None:
    """Read a file as the library reads one of that content, and check all of it."""
    if content == "hamming":
        HammingIndex.open(path).verify()
    elif content == "digests":
        DigestIndex.open(path).verify()
    elif content == "removed":
        open_removed(path)
    else:
        open_sections(path, content).verify()


def sections(path: Path, content: str) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a file, by the library."""
    opened = open_sections(path, content)
    return {
        name: opened.array(name, dtype=one.dtype.str[1:], dimensions=len(one.shape))
        for name, one in opened.directory.items()
    }


def test_every_form_has_a_golden_file() -> None:
    """What `make.py` makes is there, and nothing else; each content, with tables and without."""
    assert sorted(made.GOLDEN) == NAMES
    assert {content_of(name) for name in NAMES} == {"hamming", "digests", "removed", "manifest"}
    assert TABLES


def test_the_golden_files_have_the_sections_that_they_are_named_for(
    golden: Callable[[str], Path],
) -> None:
    """Every section that `docs/internals/format.md` names is in some file, with something in it."""
    filled: dict[str, set[str]] = {}
    for name in NAMES:
        arrays = reader.read(golden(name), content_of(name))
        filled[name] = {section for section, array in arrays.items() if array.size}
    page = (REPOSITORY / "docs" / "internals" / "format.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|", page, re.MULTILINE)
    wanted = {section for names in named for section in re.findall("[a-z-]+", names)}
    assert set().union(*filled.values()) == wanted
    assert not any("rest" in s for s in filled["tables-64-balanced"])
    assert {"rest", "rest-codes"} < filled["tables-64-balanced-few"]
    assert "rest-directory" in filled["tables-64-balanced-rest"]
    assert {"weights", "rest-weights"} < filled["tables-64-large"]


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_open_and_verify(golden: Callable[[str], Path], name: str) -> None:
    """Today's library reads every one of them and finds nothing wrong."""
    open_and_verify(golden(name), content_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_both_readers_see_the_same_arrays(golden: Callable[[str], Path], name: str) -> None:
    """The page and the library agree on every section: name, type, shape, values."""
    ours, theirs = (read(golden(name), content_of(name)) for read in (sections, reader.read))
    assert list(ours) == list(theirs)
    for one, array in ours.items():
        assert array.dtype == theirs[one].dtype
        np.testing.assert_array_equal(array, theirs[one], strict=True)


def queries_for(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Codes of the file with more and more bits changed, and some that are far from all."""
    rng = np.random.default_rng(len(codes))
    queries = rng.integers(0, 256, (24, codes.shape[1]), np.uint8)
    if len(codes):
        queries[:20] = codes[rng.integers(0, len(codes), 20)]
        for distance, query in enumerate(queries[:20]):
            for bit in rng.choice(codes.shape[1] * 8, distance, replace=False):
                query[bit // 8] ^= np.uint8(1 << bit % 8)
    return queries


@pytest.mark.parametrize("name", HAMMING)
def test_both_readers_find_what_brute_force_finds(golden: Callable[[str], Path], name: str) -> None:
    """The same rows at the same distances: by the page, by the library, query by query and not."""
    index, file = HammingIndex.open(golden(name)), reader.read(golden(name), "hamming")
    assert ("directory" in file) == name.startswith("tables")
    queries = queries_for(index.codes)
    for radius in RADII[index.bits]:
        offsets, rows, distances = index.search(queries, radius=radius)
        for i, query in enumerate(queries):
            near = np.bitwise_count(index.codes ^ query).sum(axis=1, dtype=np.int64)
            expected = [(row, near[row]) for row in np.flatnonzero(near <= radius)]
            part = slice(offsets[i], offsets[i + 1])
            assert list(zip(rows[part], distances[part], strict=True)) == expected
            alone = index.search(query, radius=radius)
            assert list(zip(alone[1], alone[2], strict=True)) == expected
            assert reader.search(file, query, radius) == expected


@pytest.mark.parametrize("name", DIGESTS_ONLY)
def test_both_readers_look_up_what_is_equal(golden: Callable[[str], Path], name: str) -> None:
    """The same rows for every value of a file, and none for others."""
    index, file = DigestIndex.open(golden(name)), reader.read(golden(name), "digests")
    absent = np.random.default_rng(0).integers(0, 256, (9, index.values.shape[1]), np.uint8)
    for query in (*index.values, *absent):
        expected = np.flatnonzero((index.values == query).all(axis=1)).tolist()
        assert index.search(query)[1].tolist() == expected
        assert reader.look_up(file, query) == expected


def test_both_readers_read_removed_rows_and_manifests(golden: Callable[[str], Path]) -> None:
    """The values that `make.py` put there."""
    for name, expected in (("removed", [0, 5, 6, 2**40]), ("removed-empty", [])):
        assert open_removed(golden(name)).tolist() == expected
        assert reader.removed(reader.read(golden(name), "removed")) == expected
    file = golden("manifest")
    said = json.loads(sections(file, "manifest")["json"].tobytes())
    assert reader.manifest(reader.read(file, "manifest")) == said
    assert said["generation"] == 12


def without_writer(raw: bytes) -> bytes:
    """A file less the version of the library that wrote it and the checksum over that."""
    return raw[:32] + raw[48:60] + raw[64:]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_today_is_the_same(
    golden: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """Writing the same index again produces the same bytes, except for the library's version. If
    you change the format on purpose: if the previous version cannot read the new file, raise the
    format version and describe both; else keep the old golden file under another name and make a
    new one.
    """
    made.GOLDEN[name](tmp_path / name)
    today, before = (path.read_bytes() for path in (tmp_path / name, golden(name)))
    assert without_writer(today) == without_writer(before), "raise layout.VERSION?"


@pytest.mark.parametrize("name", ["hamming-256", "digests-160", "removed", "manifest"])
def test_a_file_of_version_2_is_refused_by_a_sentence(
    golden: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """Both readers distinguish a newer file from a damaged one, even if they know nothing else of
    it.
    """
    path = tmp_path / name
    path.write_bytes(golden(name).read_bytes()[:8] + b"\2\0\0\0" + bytes(100))
    with pytest.raises(IndexFileError, match="written in format version 2 by a newer screener"):
        open_and_verify(path, content_of(name))
    with pytest.raises(ValueError, match="newer version 2"):
        reader.read(path, content_of(name))


def changes(name: str, raw: bytes) -> list[int]:
    """Return the bytes to change: all, or some in every section, gap and field of a large file."""
    if name in SMALL:
        return list(range(len(raw)))
    rng = np.random.default_rng(len(raw))
    places = {*range(0, 64 + 64 * int.from_bytes(raw[12:16], "little"), 7), 4000, len(raw) - 1}
    for at in range(64, 64 + 64 * int.from_bytes(raw[12:16], "little"), 64):
        offset, length = (int.from_bytes(raw[at + k : at + k + 8], "little") for k in (48, 56))
        places |= {offset, offset + length - 1, offset + length // 2, offset - 1}
        places |= set(rng.integers(offset, offset + max(1, length), 4).tolist())
    return sorted(place for place in places if place < len(raw))


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_any_changed_byte_is_refused_or_found(
    golden: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """A byte changed anywhere is refused by `open` or found by `verify`, for either reader."""
    raw, path = golden(name).read_bytes(), tmp_path / name
    path.write_bytes(raw)
    with path.open("r+b", buffering=0) as file:
        for count, place in enumerate(changes(name, raw)):
            file.seek(place)
            file.write(bytes([raw[place] ^ (1 << count % 8)]))
            with pytest.raises(IndexFileError):
                open_and_verify(path, content_of(name))
            if count % 50 == 0:
                with pytest.raises(ValueError, match=r"."):
                    reader.read(path, content_of(name))
            file.seek(place)
            file.write(raw[place : place + 1])
    open_and_verify(path, content_of(name))


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_short_anywhere_is_refused(
    golden: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """At any length below its own, down to nothing, `open` refuses a file; longer ones too."""
    raw, path = golden(name).read_bytes(), tmp_path / name
    path.write_bytes(raw + b"\0")
    lengths = [len(raw) + 1, *reversed(range(len(raw)) if name in SMALL else changes(name, raw))]
    for length in lengths:
        with path.open("r+b") as file:
            file.truncate(length)
        with pytest.raises(IndexFileError):
            open_sections(path, content_of(name))
