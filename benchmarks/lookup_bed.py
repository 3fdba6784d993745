"""One list under test: made, indexed, saved, opened twice, and the rivals' indexes of it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import lookup_codes
import lookup_rivals
import numpy as np
import numpy.typing as npt
from flat_scan import as_pairs
from lookup_codes import Codes
from lookup_timing import seconds

from screener.index.hamming import HammingIndex

NOBODY: npt.NDArray[np.int64] = np.empty(0, np.int64)
COMPARED = 200  # queries by which contestants are compared before they are timed
MEMORY_CHILD = """
import sys, numpy as np
from screener import HammingIndex
def kilobytes():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
queries = np.random.default_rng(1).integers(0, 256, (1000, int(sys.argv[2])), np.uint8)
HammingIndex.build(queries).search(queries[:1], radius=3)
before = kilobytes()
index = HammingIndex.open(sys.argv[1])
for query in queries:
    index.search(query, radius=31 if index.bits == 256 else 8)
print(kilobytes() - before)
"""


ALONE_FROM = 50_000_000  # codes


class Bed:
    """A list of `count` codes of `size` bytes, `uniform` or `clustered`."""

    def __init__(
        self, folder: Path, count: int, *, size: int, kind: str, photos: Codes, rivals: list[str]
    ) -> None:
        self.count, self.bits, self.kind, self.near = count, size * 8, kind, NOBODY
        self.path = folder / f"{kind}-{count}-{size}.idx"
        self._names, self._rivals = rivals, None
        if kind == "uniform":
            codes = lookup_codes.uniform(count, size=size)
        else:
            codes, self.near = lookup_codes.clustered(count, photos)
        start = time.perf_counter()
        built = HammingIndex.build(codes)
        self.build_s = time.perf_counter() - start
        del codes
        self.save_s = seconds(partial(built.save, self.path))
        del built
        self.mapped = HammingIndex.open(self.path)

    @functools.cached_property
    def opened(self) -> HammingIndex:
        """The index in large pages."""
        return HammingIndex.open(self.path, hugepages=True)

    @property
    def alone(self) -> bool:
        """Whether memory may have no room for the copy beside the mapped file."""
        return self.count > ALONE_FROM

    def forget_copy(self) -> None:
        """Give back the index in large pages, unless somebody still has it."""
        self.__dict__.pop("opened", None)

    @property
    def codes(self) -> Codes:
        """The codes, mapped."""
        return self.mapped.codes

    def rivals(self) -> list[lookup_rivals.Rival]:
        """The rivals' indexes, built when they are first asked for; omissions are printed."""
        if self._rivals is None:
            self._rivals, omitted = lookup_rivals.build(self.codes, self._names)
            for sentence in omitted:
                print(f"  left out: {sentence}", flush=True)
        return self._rivals

    def queries(self, count: int, radius: int, *, every: int = 0) -> Codes:
        """Distinct queries for this list; see `queries_for`."""
        return lookup_codes.queries_for(
            self.codes, count, radius=radius, near=self.near, every=every
        )

    def label(self, section: str, **more: Any) -> dict[str, Any]:
        """What tells a row of figures from all others."""
        return {
            "section": section,
            "bits": self.bits,
            "list": self.kind,
            "codes": self.count,
        } | more

    def check_own(self, radius: int) -> tuple[Codes, npt.NDArray[np.int64]]:
        """All ways of our own search give the answer of NumPy: the queries, of which every second
        one finds something, and the pairs that they give.
        """
        some = self.queries(COMPARED, radius, every=2)
        expected = as_pairs(*self.opened.search(some, radius=radius))
        large = self.count > 10**7
        few = 1 if large else 4
        right = lookup_rivals.search_in_pieces(self.codes, some[:few], radius)
        np.testing.assert_array_equal(right, expected[expected[:, 0] < few])
        for way in ("flat", "lookup", "join"):
            # Reading a very large file through would push the copy out of memory.
            for index in (self.opened,) if large else (self.opened, self.mapped):
                found = index._index.search(some, radius, 2, way)
                pairs = expected[:0] if found is None else as_pairs(*found)
                np.testing.assert_array_equal(pairs, expected)
        return some, expected

    def exact_rivals(
        self, radius: int, names: Iterable[str] = lookup_rivals.BUILDERS
    ) -> tuple[list[lookup_rivals.Rival], dict[str, float]]:
        """Rivals that are exact at this radius, answers compared; and the recall of each."""
        queries, expected = self.check_own(radius)
        taking_part, recalls = [], {"screener": 1.0}
        wanted = set(map(tuple, expected))
        for rival in self.rivals():
            if rival.name not in names or not rival.exact(radius):
                continue
            some = queries[: 20 if rival.name in ("numpy", "usearch") else COMPARED]
            found = rival.pairs(rival.ask(rival.prepare(some), radius), radius)
            mine = {pair for pair in wanted if pair[0] < len(some)}
            recalls[rival.name] = round(len(mine & set(map(tuple, found))) / max(1, len(mine)), 4)
            if set(map(tuple, found)) == mine:
                taking_part.append(rival)
            else:
                print(f"  left out at radius {radius}: {rival.name}, whose answers differ")
        return taking_part, recalls

    def private_memory(self) -> int:
        """Bytes that a process which opens the index and searches it has for itself."""
        call = [sys.executable, "-c", MEMORY_CHILD, str(self.path), str(self.bits // 8)]
        return int(subprocess.run(call, check=True, capture_output=True, text=True).stdout) * 1024

    def close(self) -> None:
        """Give back memory and disk."""
        self._rivals = None
        self.forget_copy()
        del self.mapped
        os.unlink(self.path)
