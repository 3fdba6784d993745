"""How long does an exact search within a radius take, one query at a time and in batches?

Against FAISS's flat and multi-index searches, pynear, usearch's exact search, NumPy and the index
of python-threatexchange, one thread each, on uniform and on clustered lists, and beside what
reading as many cache lines in the same runs takes on this machine. Answers are compared before
anything is timed; contestants take turns; figures are medians of rounds.

    python benchmarks/lookup.py [--n 1e6] [--only single,batch] [--radius 31]
    python benchmarks/lookup.py --kernel avx512,avx2,scalar --only single,batch --no-rivals
    python benchmarks/lookup.py --n 1e8 --only build,single --radius 31   # 24 GB of memory

Sections: build, single, batch, curve (256 bits, uniform), clustered, bits64, floor. Rows go to
the receipt in place of older ones on the same question. All of it takes an hour or two. What this
does not show: real lists, a machine with other work, a cold disk, and searches that find much,
whose cost is that of their results.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lookup_claims
import lookup_codes
import lookup_rivals
import lookup_sections as sections
import receipt
from lookup_bed import Bed
from lookup_sections import Effort, Row

import screener._core as _core

QUESTION = "How long does an exact search within a radius take?"
RECEIPT = Path(__file__).parent / "receipts" / "lookup.json"
MATERIAL = lookup_codes.ROOT.parent / "shared" / "material"
PACKAGES = ("faiss-cpu", "numpy", "pynear", "usearch", "threatexchange")
SECTIONS = ("build", "single", "batch", "curve", "clustered", "bits64", "floor")
RADII = [0, 8, 16, 31, 40, 52, 63]
RADII_64 = list(range(11))
# What tells one row of the receipt from another.
KEYS = ("section", "kernel", "bits", "list", "codes", "radius")


def run(arguments: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """All rows that were asked for."""
    effort = Effort(arguments.seconds, arguments.rounds, arguments.queries)
    photos, said = lookup_codes.photos(arguments.material, 12 if arguments.small else 400)
    rivals = [] if arguments.no_rivals else list(lookup_rivals.BUILDERS)
    only = set(arguments.only)
    if "clustered" in only:
        print(f"clustered lists: {said}", flush=True)
    if "floor" in only:
        yield from sections.floor(effort)
    for count in map(int, arguments.n):
        for kind, size, wanted in (
            ("uniform", 32, ("build", "single", "batch", "curve")),
            ("clustered", 32, ("clustered",)),
            ("uniform", 8, ("bits64",)),
        ):
            mine = [section for section in wanted if section in only]
            if mine:
                print(f"{count:,} {kind} codes of {size * 8} bits", flush=True)
                bed = Bed(folder, count, size=size, kind=kind, photos=photos, rivals=rivals)
                for section in mine:
                    yield from section_rows(section, bed, arguments, effort)
                bed.close()


def section_rows(
    section: str, bed: Bed, arguments: argparse.Namespace, effort: Effort
) -> Iterator[Row]:
    """The rows of one section."""
    if section in ("build", "curve"):
        yield from getattr(sections, section)(bed, effort)
    elif section == "batch":
        sizes = tuple(size for size in sections.BATCHES if size <= arguments.most)
        yield from sections.batch(bed, arguments.radius, effort, sizes)
    elif section == "bits64":
        yield from sections.bits64(bed, arguments.radius64, effort)
    else:
        yield from getattr(sections, section)(bed, arguments.radius, effort)


def show(row: Row) -> None:
    """One line of what a person wants to see while it runs."""
    named = [f"{row[name]}" for name in ("section", "radius") if name in row]
    if row["section"] == "curve":
        jumps = (15, 16, 31, 32, 47, 48, 63, 64)
        told: dict[str, Any] = {str(radius): row["single_us"][radius] for radius in jumps}
    else:
        told = {name: value for name, value in row.items() if name not in (*KEYS, "date")}
    print("  " + " ".join(named) + ": " + json.dumps(told).replace('"', ""), flush=True)


def header() -> dict[str, Any]:
    """What all rows of one receipt have in common; each names its kernel itself."""
    return receipt.receipt(QUESTION, [], PACKAGES) | {"kernel": "in each row"}


def stored(path: Path) -> list[Row]:
    """The rows of a receipt of this machine and these versions; none of another's."""
    if not path.exists():
        return []
    content = json.loads(path.read_text())
    mine = header()
    same = all(content.get(name) == mine[name] for name in ("cpu", "cores", "versions"))
    return list(content["rows"]) if same else []


def default_receipt() -> Path:
    """The repository's, unless it is of another machine or of other versions."""
    here = RECEIPT.with_name("lookup-here.json")
    return RECEIPT if stored(RECEIPT) or not RECEIPT.exists() else here


def merge(path: Path, old: list[Row], rows: list[Row]) -> list[Row]:
    """Write the receipt: older rows stay where nothing new is known. All rows, sorted."""
    by_key = {tuple(row.get(name) for name in KEYS): row for row in (*old, *rows)}
    merged = sorted(by_key.values(), key=lambda row: [f"{row.get(k, '')!s:>12}" for k in KEYS])
    receipt.write(path, header() | {"rows": merged})
    return merged


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The arguments; `--small` is for CI."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="small sizes, less than a minute")
    parser.add_argument("--n", type=float, nargs="*", default=[1e5, 1e6, 1e7])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas")
    parser.add_argument("--radius", type=int, nargs="*", default=RADII, help="at 256 bits")
    parser.add_argument("--radius64", type=int, nargs="*", default=RADII_64, help="at 64 bits")
    parser.add_argument("--kernel", default="", help="one, or several after another, with commas")
    parser.add_argument("--queries", type=int, default=120_000, help="distinct ones, asked singly")
    parser.add_argument("--most", type=float, default=1e6, help="queries in the largest batch")
    parser.add_argument("--seconds", type=float, default=4.0, help="for one contestant's figure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--material", type=Path, default=MATERIAL, help="a folder with photos")
    parser.add_argument("--folder", type=Path, help="where index files go; 100 bytes a code")
    parser.add_argument("--receipt", type=Path, help="JSON; small runs write none unless told")
    parser.add_argument("--fresh", action="store_true", help="keep no older rows of the receipt")
    arguments = parser.parse_args(words)
    if arguments.small:
        arguments.n, arguments.radius, arguments.radius64 = [30_000], [8, 31], [0, 8]
        arguments.queries, arguments.most = 500, 1000
        arguments.seconds, arguments.rounds = 0.1, 2
    elif arguments.receipt is None:
        arguments.receipt = RECEIPT if arguments.fresh else default_receipt()
    arguments.only = arguments.only.split(",")
    if unknown := set(arguments.only) - set(SECTIONS):
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    return arguments


def in_children(kernels: list[str]) -> None:
    """The same call once for each kernel, which is chosen when the library is imported."""
    words = sys.argv[1:]
    for kernel in kernels:
        again = [*words, "--kernel", ""]
        if kernel != kernels[0]:
            again = [word for word in again if word != "--fresh"]
        call = [sys.executable, __file__, *again]
        subprocess.run(call, check=True, env=os.environ | {"SCREENER_KERNEL": kernel})


def main() -> None:
    """Run, print what comes, the claims at the end, and write the receipt."""
    arguments = parse()
    if arguments.kernel:
        in_children(arguments.kernel.split(","))
        return
    print(f"kernel {_core.KERNEL}; microseconds a query unless it says otherwise", flush=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    old = stored(arguments.receipt) if arguments.receipt and not arguments.fresh else []
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for row in run(arguments, Path(folder)):
            row |= {"kernel": _core.KERNEL, "date": now}
            show(row)
            rows.append(row)
            if arguments.receipt:  # after each row, so that a run cut short is not lost
                merge(arguments.receipt, old, rows)
    told = merge(arguments.receipt, old, rows) if arguments.receipt else rows
    if arguments.receipt:
        print(f"receipt: {arguments.receipt}")
    print("\n".join(lookup_claims.told(told)))


if __name__ == "__main__":
    main()
