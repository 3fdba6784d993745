"""Damages index files in every way and searches them: an error or some answer, and no more.

    python tests/programs/damage.py --trials 40 --seed 1  as tests/index/test_damaged_files.py does
    python tests/programs/damage.py --seconds 600    a long run, best under scripts/sanitize

Three kinds of damage: a byte changed anywhere; the file cut short; and nonsense in the sections,
whose checksums are made right again, so that opening succeeds and a search meets it. Whatever
sections a file has take part. A search by any way may refuse the file or give a wrong answer; it
must not read outside of the arrays (which the address sanitizer sees), crash, hang, or return a
row that does not exist. The trials run in a child process, which tells each seed before it tries
it: `--trials 1 --seed N` does that one again.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
import drawn_codes
import hard_codes
import numpy as np
import numpy.typing as npt

import screener._core as _core
from screener.errors import IndexFileError
from screener.index import tables
from screener.index.hamming import HammingIndex
from screener.index.layout import open_sections, write_sections

Array = npt.NDArray[Any]
Generator = np.random.Generator

KEPT: tuple[int, ...] = ()  # seeds that once broke something
PATIENCE = 120  # seconds after which a trial counts as hanging
RADIUS = 6


def one_bucket(rng: Generator, count: int, width: int, radius: int) -> hard_codes.Made:
    """More codes in a bucket than two bytes can number."""
    bits = rng.integers(0, 2, (70_000, width * 8), np.uint8)
    bits[:, _core.chunk_bits(width)[16:32]] = 0
    codes = np.packbits(bits, axis=1, bitorder="little")
    return codes, codes[:5]


# What the damaged files hold: links of one, two and four bytes, repeats, both classes of weight,
# large tables.
LISTS: tuple[tuple[hard_codes.Maker, int, int], ...] = (
    (hard_codes.few_values, 3000, 32),
    (hard_codes.repeated, 3000, 16),
    (hard_codes.hot_buckets, 4000, 8),
    (hard_codes.around_balance, 4000, 32),
    (hard_codes.families, 2000, 64),
    (hard_codes.near_blank, 3000, 32),
    (one_bucket, 70_000, 8),
    (hard_codes.hot_buckets, 4000, 16),
)
LARGE = len(LISTS) - 1  # the list whose tables are in the form of large ones


@cache
def good_file(number: int) -> tuple[bytes, dict[str, Array], drawn_codes.Codes]:
    """The bytes of an index file of one of the lists, its sections and queries for it."""
    maker, count, width = LISTS[number]
    rng = np.random.default_rng(number)
    codes, centres = maker(rng, count, width, RADIUS)
    least_codes = patch.object(tables, "LEAST_CODES", 0)  # tables however few the codes
    large_codes = patch.object(tables, "LARGE_CODES", 0 if number == LARGE else tables.LARGE_CODES)
    with least_codes, large_codes, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.idx"
        HammingIndex.build(codes).save(path)
        opened = open_sections(path, "hamming")
        sections = {
            name: opened.array(
                name, dtype=section.dtype.str[1:], dimensions=len(section.shape)
            ).copy()
            for name, section in opened.directory.items()
        }
        return path.read_bytes(), sections, hard_codes.aimed(rng, centres, 40, width, RADIUS)


def values(rng: Generator, array: Array, count: int) -> Array:
    """Numbers of the element type: any, the extremes, and those near what stands there."""
    most = int(np.iinfo(array.dtype).max)
    kinds = [
        rng.integers(0, most, count, np.uint64, endpoint=True),
        rng.choice(np.array([0, 1, most - 1, most, most // 2 + 1], np.uint64), count),
        rng.choice(array.reshape(-1), count).astype(np.uint64)
        + rng.integers(0, 3, count, np.uint64),
        rng.integers(0, max(2, array.size), count, np.uint64),
    ]
    return (kinds[rng.integers(0, len(kinds))] & np.uint64(most)).astype(array.dtype)


def scatter(rng: Generator, array: Array) -> Array:
    """Other numbers in a few places, or in many."""
    flat = array.reshape(-1)
    count = int(rng.choice([1, 3, 1 + len(flat) // 50, len(flat)]))
    flat[rng.integers(0, len(flat), count)] = values(rng, array, count)
    return array


def fill(rng: Generator, array: Array) -> Array:
    """One number throughout a stretch."""
    flat = array.reshape(-1)
    first, last = sorted(rng.integers(0, len(flat) + 1, 2))
    flat[first:last] = values(rng, array, 1)
    return array


def shift(rng: Generator, array: Array) -> Array:
    """Everything moved along by a few places."""
    return np.roll(array.reshape(-1), int(rng.integers(-40, 41))).reshape(array.shape)


def exchange(rng: Generator, array: Array) -> Array:
    """A stretch in another order: sorted, reversed or shuffled."""
    flat = array.reshape(-1)
    first, last = sorted(rng.integers(0, len(flat) + 1, 2))
    part = flat[first:last]
    flat[first:last] = (np.sort(part), part[::-1].copy(), rng.permutation(part))[rng.integers(0, 3)]
    return array


def resize(rng: Generator, array: Array) -> Array:
    """More rows or fewer, by a few or by many."""
    by = int(rng.choice([-1, 1, -32, 32, -len(array) // 2, len(array), -len(array)]))
    if by <= 0:
        return array[: max(0, len(array) + by)].copy()
    return np.concatenate([array, array[:by]])


def recast(rng: Generator, array: Array) -> Array:
    """The same bytes as numbers of another width."""
    flat = array.reshape(-1).view(np.uint8)
    size = int(rng.choice([1, 2, 4, 8]))
    return flat[: len(flat) // size * size].view(f"<u{size}").copy()


CHANGES: tuple[Callable[[Generator, Array], Array], ...] = (
    *(scatter, scatter, scatter, fill, fill, shift, exchange, exchange),
    *(resize, recast),
)


def nonsense(rng: Generator, sections: dict[str, Array]) -> dict[str, Array]:
    """The sections with one to three of them changed, or without one of them."""
    changed = dict(sections)
    names = [name for name in changed if name != "chunks" or rng.random() < 0.05]
    for name in rng.choice(names, int(rng.integers(1, 4))).tolist():
        if changed[name].size:
            change = CHANGES[rng.integers(0, len(CHANGES))]
            changed[name] = change(rng, changed[name].copy())
    if rng.random() < 0.03:
        del changed[rng.choice(names)]
    return changed


def damage(rng: Generator, number: int, path: Path) -> bool:
    """Write a damaged file; whether its checksums are right all the same."""
    raw, sections, _ = good_file(number)
    if rng.random() < 0.8:
        write_sections(path, "hamming", nonsense(rng, sections))
        return True
    if rng.random() < 0.3:
        path.write_bytes(raw[: rng.integers(0, len(raw))])
        return False
    changed = bytearray(raw)
    at = int(rng.integers(0, len(raw) if rng.random() < 0.5 else 5000))
    changed[at] ^= int(rng.integers(1, 256))
    path.write_bytes(changed)
    return False


def check_answer(found: Any, count: int, queries: int, radius: int) -> None:
    """However wrong, an answer has the form of one."""
    if found is None:
        return
    offsets, rows, distances = found
    ends_well = len(offsets) == queries + 1 and offsets[0] == 0 and offsets[-1] == len(rows)
    if not ends_well or (np.diff(offsets) < 0).any() or len(distances) != len(rows):
        raise AssertionError("offsets that lead astray")
    if (rows < 0).any() or (rows >= count).any() or (distances > radius).any():
        raise AssertionError("a row or a distance that there is not")


def search(rng: Generator, index: HammingIndex, queries: drawn_codes.Codes) -> None:
    """Search by all ways; a refusal is an answer too."""
    steps = drawn_codes.steps(queries.shape[1])
    for radius in rng.choice([0, 2, RADIUS, *steps[:3], steps[1] + 1], 2).tolist():
        for way in ("flat", "lookup", "", "join"):
            if way == "join" and radius > steps[1]:
                continue  # seconds, and nothing that a smaller radius does not do
            threads = int(rng.integers(1, 3))
            try:
                found = index._index.search(queries, radius, threads, way)
            except ValueError:
                continue
            check_answer(found, len(index), len(queries), radius)


def apart(index: HammingIndex) -> HammingIndex:
    """The same index with each array in memory of its own, at whose end the sanitizer waits."""

    def own(array: Array) -> Array:
        return array.copy()

    def own_tables(one: tables.Tables | None) -> tables.Tables | None:
        if one is None:
            return None
        room = np.empty(one.sketches.nbytes + 64, np.uint8)  # lines must begin with one of memory
        start = -room.ctypes.data % 64
        sketches = room[start : start + one.sketches.nbytes].view(np.uint16)
        sketches[:] = one.sketches
        others = (own(one.directory), own(one.links), own(one.rows), own(one.weights))
        return tables.Tables(others[0], sketches, *others[1:])

    held = index._tables
    moved = replace(
        held,
        main=own_tables(held.main),
        rest=own_tables(held.rest),
        few_rows=own(held.few_rows),
        few_codes=own(held.few_codes),
        heads=own(held.heads),
        repeat_starts=own(held.repeat_starts),
        repeats=own(held.repeats),
    )
    return HammingIndex(own(index.codes), moved, index._sections)


def attempt(seed: int, folder: Path) -> str:
    """One damaged file, opened, verified and searched; what became of it, in a word."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(0, len(LISTS)))
    path = folder / "damaged.idx"
    sealed = damage(rng, number, path)
    try:
        index = HammingIndex.open(path, hugepages=bool(rng.random() < 0.3))
    except IndexFileError:
        return "refused"
    queries = good_file(number)[2]
    if queries.shape[1] * 8 != index.bits:
        return "other"
    search(rng, apart(index), queries)
    try:
        index.verify()
    except IndexFileError:
        return "caught"
    if not sealed:
        raise AssertionError("a changed byte that verify does not see")
    return "searched"


def seeds(options: argparse.Namespace) -> Iterator[int]:
    """Those kept, then one after another until the trials or the time is up."""
    if options.trials != 1:
        yield from KEPT
    end = time.monotonic() + options.seconds if options.seconds else float("inf")
    for seed in range(options.seed, options.seed + (options.trials or 10**9)):
        if time.monotonic() > end:
            return
        yield seed


def try_all(options: argparse.Namespace) -> None:
    """Run the trials in this process, and print each seed before and after its trial."""
    os.fsync = lambda handle: None  # nothing here has to outlive a power cut
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds(options):
            print(seed, end=" ", flush=True)
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            print(attempt(seed, Path(folder)), flush=True)
    faulthandler.cancel_dump_traceback_later()


def main(arguments: list[str]) -> int:
    """Run the trials in a child; print the seed and return 1 if it dies."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--trials", type=int, help="stop after so many")
    parser.add_argument("--seed", type=int, default=1, help="of the first trial")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        try_all(options)
        return 0
    outcomes: dict[str, int] = {}
    command = [sys.executable, __file__, "--child", *arguments]
    line = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            outcome = line.split()[-1]
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    if child.returncode:
        print(f"came to grief: --trials 1 --seed {line.split()[0]}")
    return 1 if child.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
