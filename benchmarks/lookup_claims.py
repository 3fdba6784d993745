"""What the look-up is held to, each claim with the figure that rows of a receipt give for it.

Uniform codes of 256 bits, radius 31, one thread, unless it says otherwise. "FAISS" is its best
exact index there, `IndexBinaryMultiHash(256, 11, 23)` with two flips, in the form that is faster
for it: one query after another, or a batch. A claim without its rows is "not measured".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Row = dict[str, Any]
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
MULTIHASH = "faiss-multihash"


class Rows:
    """The rows of a receipt, found by what they are about."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        kernels = [row["kernel"] for row in rows]
        self.best = next((k for k in ("avx512", "avx2", "neon", "scalar") if k in kernels), "")

    def one(self, section: str, codes: float, *, kernel: str = "", **more: Any) -> Row:
        """The one row; KeyError where it was not measured."""
        wanted = {"section": section, "codes": int(codes), "kernel": kernel or self.best} | more
        for row in self._rows:
            if all(row.get(name) == value for name, value in wanted.items()):
                return row
        raise KeyError(section)

    def clustered_sizes(self) -> list[int]:
        """Of the clustered lists that were measured, and 10⁷ in any case."""
        return sorted({10**7, *(r["codes"] for r in self._rows if r["section"] == "clustered")})

    def single(self, codes: float, kernel: str = "", where: str = "hugepages") -> Row:
        """Percentiles at radius 31."""
        row = self.one("single", codes, kernel=kernel, radius=31, bits=256)
        found: Row = row["single_us"][where]
        return found

    def batch(self, codes: float, queries: float, threads: int = 1, kernel: str = "") -> float:
        """Microseconds a query."""
        row = self.one("batch", codes, kernel=kernel, radius=31, bits=256)
        for batch in row["batches"]:
            if batch["queries"] == int(queries):
                return float(batch[f"threads_{threads}_us"])
        raise KeyError("batch")

    def faiss(self, codes: float) -> float:
        """Microseconds a query of FAISS's best exact index, the faster way of asking it."""
        row = self.one("single", codes, radius=31, bits=256)
        return float(min(row["rivals_us"][MULTIHASH]["p50"], row["rivals_batch_us"][MULTIHASH]))

    def faiss_in_batch(self, codes: float) -> float:
        """The same in the run of the batches."""
        row = self.one("batch", codes, radius=31, bits=256)
        return float(row["rivals_us"][MULTIHASH])


Claim = tuple[str, float, bool, Callable[[], tuple[float, str]]]  # what, bound, at least, figure


def claims(rows: Rows) -> list[Claim]:
    """All of them; a figure raises KeyError where its rows are missing."""
    big, small, huge = 1e7, 1e6, 1e8

    def times(least: float, ours: float) -> tuple[float, str]:
        return least / ours, f"{ours:.2f} µs against {least:.0f} µs"

    def built() -> Row:
        return rows.one("build", big, bits=256)

    return [
        ("10⁷: single, large pages, times FAISS", 180, True,
         lambda: times(rows.faiss(big), rows.single(big)["p50"])),
        ("10⁷: single, mapped, times FAISS", 120, True,
         lambda: times(rows.faiss(big), rows.single(big, where="mapped")["p50"])),
        ("10⁷: single, of the floor", 2.2, False, lambda: _of_floor(rows, big)),
        ("10⁷: p99 of the median", 2.5, False, lambda: _tail(rows.single(big))),
        ("10⁷: batch of 10⁵, times FAISS", 650, True,
         lambda: times(rows.faiss_in_batch(big), rows.batch(big, 1e5))),
        ("10⁷: batch of 10⁵, two threads, times one", 1.8, True,
         lambda: times(rows.batch(big, 1e5), rows.batch(big, 1e5, 2))),
        ("10⁶: single, large pages, times FAISS", 80, True,
         lambda: times(rows.faiss(small), rows.single(small)["p50"])),
        ("10⁶: batch of 10⁶, times FAISS", 350, True,
         lambda: times(rows.faiss_in_batch(small), rows.batch(small, 1e6))),
        ("10⁸: single, large pages, µs", 120, False,
         lambda: (rows.single(huge)["p50"], f"p99 {rows.single(huge).get('p99', '?')} µs")),
        ("10⁷: single, AVX2 of the AVX-512 rate", 0.6, True,
         lambda: times(rows.single(big, "avx512")["p50"], rows.single(big, "avx2")["p50"])),
        ("10⁷: batch of 10⁵, AVX2 of the AVX-512 rate", 0.6, True,
         lambda: times(rows.batch(big, 1e5, 1, "avx512"), rows.batch(big, 1e5, 1, "avx2"))),
        ("10⁷: single, plain C++, times FAISS", 10, True,
         lambda: times(rows.faiss(big), rows.single(big, "scalar")["p50"])),
        ("10⁷: build time, FAISS's by ours", 10, True,
         lambda: (built()["rivals_build_s"][MULTIHASH] / built()["build_s"],
                  f"{built()['build_s']} s against {built()['rivals_build_s'][MULTIHASH]} s")),
        ("10⁷: bytes a code on disk", 100, False, lambda: (built()["bytes_a_code"], "")),
        ("10⁷: opening, ms", 20, False, lambda: (built()["open_ms"], "")),
        *(claim for codes in rows.clustered_sizes() for claim in _clustered(rows, codes)),
    ]  # fmt: skip


def power_of_ten(number: int) -> str:
    """10⁶ for a million and what is not far above."""
    return f"10{str(len(str(number)) - 1).translate(_SUPERSCRIPT)}"


def _clustered(rows: Rows, codes: int) -> list[Claim]:
    """The two claims on a clustered list of so many codes."""
    size = power_of_ten(codes)

    def row() -> Row:
        return rows.one("clustered", codes, radius=31, bits=256)

    def median() -> tuple[float, str]:
        p50 = row()["single_us"]["hugepages"]["p50"]
        return p50 / rows.single(codes)["p50"], f"{p50} µs"

    def slowest() -> tuple[float, str]:
        ours, flat = row()["p99.9_us"], row()["p99.9_flat_us"]
        worst = row()["worst_of_flat"]
        return ours / flat, f"{ours} µs against {flat} µs for the same query; at most {worst} times"

    return [
        (f"{size}: median of a clustered list, of the uniform one", 3, False, median),
        (f"{size}: p99.9 of a clustered list, of a flat scan of that query", 1.1, False,
         slowest),
    ]  # fmt: skip


def _of_floor(rows: Rows, codes: float) -> tuple[float, str]:
    row = rows.one("single", codes, radius=31, bits=256)
    p50, floor = row["single_us"]["hugepages"]["p50"], row["floor_us"]
    return p50 / floor, f"{p50} µs, floor {floor} µs ({row['lines']} lines, {row['floor_hint']})"


def _tail(single: Row) -> tuple[float, str]:
    return single["p99"] / single["p50"], f"p99 {single['p99']} µs, p99.9 {single.get('p99.9')} µs"


def told(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each claim: whether it holds, the figure, the bound."""
    for what, bound, at_least, figure in claims(Rows(rows)):
        try:
            value, how = figure()
        except KeyError:
            yield f"not measured  {what} ({'at least' if at_least else 'at most'} {bound:g})"
            continue
        holds = value >= bound if at_least else value <= bound
        yield (
            f"{'holds        ' if holds else 'does not hold'} {what}: {value:.2f}"
            f" ({'at least' if at_least else 'at most'} {bound:g}) {how}"
        )
