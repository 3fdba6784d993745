"""A list under test by the benchmark of look-ups, and the rivals' indexes of it."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from codes import Codes, Rows, as_pairs, brute_force, clustered, queries_for, uniform
from pictures import photo_files, photos
from receipt import Row
from rivals import RIVALS, Rival, build
from robustness_edits import passed_on
from timing import seconds

from screener.hashing import pdq
from screener.index.hamming import HammingIndex
from screener.media.image import pixels

COMPARED = 200  # queries by which contestants are compared before they are timed


class TestedList:
    """A list under test: indexed, saved, opened twice, and the rivals' indexes of it."""

    def __init__(self, folder: Path, kind: str, count: int, size: int, *, against: bool) -> None:
        self.kind, self.count, self.bits = kind, count, size * 8
        self.path = folder / f"{kind}-{count}-{size}.idx"
        self._against = against
        self.near: Rows | None = None
        if kind == "uniform":
            codes = uniform(count, size=size)
        else:
            # Short lists have room for the hashes of few photos.
            codes, self.near = clustered(count, photo_codes(12 if count < 10**5 else 400))
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

    @functools.cached_property
    def rivals(self) -> list[Rival]:
        """The rivals' indexes, built when they are first needed."""
        return build(self.mapped.codes) if self._against else []

    def queries(self, count: int, radius: int, *, every: int = 0) -> Codes:
        """Return distinct queries for this list."""
        return queries_for(self.mapped.codes, count, radius=radius, near=self.near, every=every)

    def label(self, section: str, **more: Any) -> Row:
        """Return the fields that identify a row of figures."""
        label = {"section": section, "bits": self.bits, "list": self.kind, "codes": self.count}
        return label | more

    def checked(self, radius: int) -> tuple[Codes, Any]:
        """Compare all ways of our own search with NumPy.

        Returns queries, of which every second one finds something, and the pairs that they give.
        """
        some = self.queries(COMPARED, radius, every=2)
        expected = as_pairs(*self.opened.search(some, radius=radius))
        large = self.count > 10**7
        few = 1 if large else 4
        right = brute_force(self.mapped.codes, some[:few], radius)
        np.testing.assert_array_equal(right, expected[expected[:, 0] < few])
        for way in ("flat", "lookup", "join"):
            # Reading a very large file through would push the copy out of memory.
            for index in (self.opened,) if large else (self.opened, self.mapped):
                found = index._index.search(some, radius, 2, way)
                pairs = expected[:0] if found is None else as_pairs(*found)
                np.testing.assert_array_equal(pairs, expected)
        return some, expected

    def exact_rivals(self, radius: int, names: Iterable[str] = RIVALS) -> list[Rival]:
        """Return the rivals that are exact at this radius and give our answers."""
        queries, expected = self.checked(radius)
        taking_part = []
        for rival in self.rivals:
            if rival.name not in names or not rival.exact(radius):
                continue
            some = queries[: 20 if rival.name == "numpy" else COMPARED]
            found = rival.pairs(rival.ask(rival.prepare(some), radius), radius)
            if np.array_equal(found, expected[expected[:, 0] < len(some)]):
                taking_part.append(rival)
            else:
                print(f"  left out at radius {radius}: {rival.name}, whose answers differ")
        return taking_part

    def close(self) -> None:
        """Give back memory and disk."""
        for name in ("rivals", "opened", "mapped"):
            self.__dict__.pop(name, None)
        self.path.unlink()


@functools.cache
def photo_codes(most: int) -> Codes:
    """Return the PDQ of up to `most` photos, or drawn pictures, each in 25 forms."""
    print(f"clustered lists have hashes of {'photos' if photo_files() else 'drawn pictures'}")
    forms = (form for picture in photos(most=most) for form in passed_on(picture))
    values = [pdq.compute(pixels.to_upright(form).white).value for form in forms]
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)
