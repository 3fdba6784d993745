"""Measure look-ups in random codes, beside FAISS and beside what the machine's memory allows.

The answers are compared with a full comparison by NumPy, and with FAISS's, before anything is
timed. Contestants take turns, so that a slow spell of the machine hits all of them alike.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from screener.cli.bench_contestants import (
    ROUNDS,
    Faiss,
    Speed,
    list_faiss,
    list_floor,
    list_own,
    take_turns,
)
from screener.errors import IndexFileError
from screener.index.floor import Floor
from screener.index.hamming import HammingIndex
from screener.screening.screener import VERSIONS
from screener.system.process import count_cores
from screener.system.progress import Progress, Steps

_BYTES: Final = 32  # of a code, as of a PDQ
_SEED: Final = 20260104
_SINGLES: Final = 200_000  # distinct queries, which no run asks twice
_MAX_COMPARED: Final = 200  # queries that are answered by NumPy too
_MAX_COMPARED_CODES: Final = 100_000_000  # in all of them together
_LINE_QUERIES: Final = 2_000  # queries whose cache lines are read

Codes = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]  # sorted (query, row, distance)


@dataclass(frozen=True)
class SyntheticReport:
    """The figures of an index of random codes, and of the machine.

    Attributes:
        codes, bits, radius: The number of codes, their width, and the radius.
        machine: The processor, cores, memory and versions.
        load: The number of processes that were running or waiting to run before.
        build_s, build_threads: The time to build the index, and its threads.
        index_bytes: The memory of the index, its codes included.
        peak_bytes: The peak memory of this process, with all contestants.
        compared: The number of queries of which all contestants gave the same answers, half of
            them hits.
        found: The codes in these answers.
        left_out: Why FAISS was not measured, or None.
        code_bytes: The bytes that a linear scan reads.
        lines: The cache lines that a look-up reads on average, or None if it scans.
        speeds: The speeds.
    """

    codes: int
    bits: int
    radius: int
    machine: dict[str, str | int]
    load: float
    build_s: float
    build_threads: int
    index_bytes: int
    peak_bytes: int
    compared: int
    found: int
    left_out: str | None
    code_bytes: int
    lines: float | None
    speeds: tuple[Speed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return asdict(self)

    def times_faiss(self, speed: Speed) -> float | None:
        """Return the rate as a multiple of FAISS's in the same kind of call, if it was measured."""
        alike = [
            other.per_s
            for other in self.speeds
            if other.engine == "faiss"
            and (other.what, other.threads) == (speed.what, speed.threads)
        ]
        return speed.per_s / alike[0] if alike and speed.engine == "screener" else None


def measure_synthetic(
    count: int,
    *,
    radius: int = 31,
    seconds: float = 20.0,
    progress: Progress | None = None,
) -> SyntheticReport:
    """Build an index of `count` random codes of 256 bits, and time look-ups in it.

    Parameters:
        count: The number of codes, from 1,000. Each takes some 250 bytes of memory.
        radius: The radius in bits, at most 64: beyond, random codes are near each other.
        seconds: The approximate duration, after the index is built and the answers are compared.
        progress: A function that is called with the progress.

    Raises IndexFileError if an answer differs from that of a full comparison.
    """
    steps = Steps(progress, None)
    cores, load = count_cores(), os.getloadavg()[0]
    rng = np.random.default_rng(_SEED)
    codes = rng.integers(0, 256, (count, _BYTES), np.uint8)
    start = time.perf_counter()
    index = HammingIndex.build(codes, threads=cores)
    build_s = time.perf_counter() - start
    del codes
    steps.add()
    queries = {
        "miss": rng.integers(0, 256, (_SINGLES, _BYTES), np.uint8),
        "hit": _flip(rng, index.codes[rng.integers(0, count, _SINGLES)], radius),
    }
    compared = min(_MAX_COMPARED, max(2, _MAX_COMPARED_CODES // count // 2))
    some = np.concatenate([queries["hit"][:compared], queries["miss"][:compared]])
    found = _check_answers(index, some, radius)
    faiss, left_out = _build_faiss(index, some, radius)
    steps.add()
    floor = Floor(index, queries["miss"][:_LINE_QUERIES], radius)
    contestants = [
        *list_own(index, floor, queries, radius, cores, seconds),
        *([] if faiss is None else list_faiss(faiss, queries["miss"], cores, seconds)),
        *list_floor(floor, cores),
    ]
    steps.total = len(contestants) * ROUNDS + 2
    speeds = take_turns(contestants, seconds, steps)
    return SyntheticReport(
        codes=count,
        bits=8 * _BYTES,
        radius=radius,
        machine=_describe_machine(cores, faiss),
        load=round(load, 2),
        build_s=round(build_s, 3),
        build_threads=cores,
        index_bytes=index.nbytes,
        peak_bytes=_read_peak_bytes(),
        compared=len(some),
        found=found,
        left_out=left_out,
        code_bytes=index.codes.nbytes,
        lines=None if floor.lines is None else round(floor.lines, 1),
        speeds=tuple(speeds),
    )


def _flip(rng: np.random.Generator, codes: Codes, most: int) -> Codes:
    """Return the codes with 0 to `most` of their bits changed."""
    flips = rng.integers(0, most + 1, len(codes))
    for step in range(most):
        rows = np.flatnonzero(flips > step)
        bits = rng.integers(0, 8 * _BYTES, len(rows))
        codes[rows, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)
    return codes


def _check_answers(index: HammingIndex, queries: Codes, radius: int) -> int:
    """Compare single and batched answers with a full comparison; return the number of hits."""
    wide = index.codes.view(np.uint64)
    found = []
    for number, query in enumerate(queries.view(np.uint64)):
        distances = np.zeros(len(wide), np.uint16)
        for word in range(wide.shape[1]):
            distances += np.bitwise_count(wide[:, word] ^ query[word])
        rows = np.flatnonzero(distances <= radius)
        found.append(np.stack([np.full_like(rows, number), rows, distances[rows]], axis=1))
    expected = np.concatenate(found)
    single = [_to_pairs(*index.search(query, radius=radius)) for query in queries]
    for number, pairs in enumerate(single):
        pairs[:, 0] = number
    batched = _to_pairs(*index.search(queries, radius=radius, threads=2))
    if not (np.array_equal(np.concatenate(single), expected) and np.array_equal(batched, expected)):
        raise IndexFileError("answers differ from a full comparison: this build cannot be trusted")
    return len(expected)


def _to_pairs(offsets: Any, rows: Any, distances: Any) -> Pairs:
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets.astype(np.int64)))
    pairs = np.stack([owners, rows.astype(np.int64), distances.astype(np.int64)], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _build_faiss(
    index: HammingIndex, queries: Codes, radius: int
) -> tuple[Faiss | None, str | None]:
    """Return FAISS, or None and why it is left out."""
    try:
        import faiss  # type: ignore[import-not-found, import-untyped, unused-ignore]

        built = Faiss(faiss, index.codes, radius)
        offsets, distances, rows = built.search(queries)
    except ImportError:
        return None, "FAISS is not installed: pip install 'faiss-cpu' to compare with it"
    except Exception as error:  # whatever another library raises
        return None, f"FAISS cannot be used: {type(error).__name__}"
    ours = _to_pairs(*index.search(queries, radius=radius))
    if not np.array_equal(_to_pairs(offsets, rows, distances), ours):
        return None, "FAISS gave other answers, and is left out"
    return built, None


def _describe_machine(cores: int, faiss: Faiss | None) -> dict[str, str | int]:
    described: dict[str, str | int] = {
        "processor": _read_processor(),
        "cores": cores,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    described |= {name: value for name, value in VERSIONS if name != "pixels"}
    return described if faiss is None else described | {"faiss": faiss.version}


def _read_processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read_peak_bytes() -> int:
    import resource  # POSIX has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
