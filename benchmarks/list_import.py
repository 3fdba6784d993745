"""How long does the import of a large list file take, and how much memory?

    python benchmarks/list_import.py [--small] [--receipt FILE] [--only csv|pairs|vics]

A neutral CSV of ten million rows with one PDQ each, its quality and a category; one of a million
rows with an id, a PDQ and an MD5; a VICS 1.3 file of 2 GiB on one line, its media with an MD5 and a
SHA-1. Each is imported into a new list by a process of its own, whose peak of resident memory is
that of all it did; the rows of a PDQ and an MD5 then a second time into the same list.

What this does not show: files in which some rows change, and a machine with other work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import receipt

QUESTION = "How long does the import of a large list file take, and how much memory?"
ROWS = 10_000_000
PAIRS = 1_000_000
BYTES = 2 << 30


def digests(seed: bytes) -> Iterator[str]:
    """Endless values of 64 digits, the same each time."""
    number = 0
    while True:
        yield hashlib.sha256(seed + number.to_bytes(8, "big")).hexdigest()
        number += 1


def write_csv(path: Path, rows: int) -> int:
    """A neutral CSV; how many rows."""
    with path.open("w") as file:
        file.write("id,pdq,quality,category\n")
        for number, value in zip(range(rows), digests(b"csv"), strict=False):
            file.write(f"SYN-{number},{value},{50 + number % 51},{'ABC'[number % 3]}\n")
    return rows


def write_pairs(path: Path, rows: int) -> int:
    """Write a neutral CSV of a PDQ and an MD5 a row; return how many."""
    with path.open("w") as file:
        file.write("id,pdq,md5\n")
        for number, pdq, md5 in zip(range(rows), digests(b"pdq"), digests(b"md5"), strict=False):
            file.write(f"SYN-{number},{pdq},{md5[:32]}\n")
    return rows


def write_vics(path: Path, size: int) -> int:
    """A VICS file on one line; how many media."""
    count = 0
    with path.open("w") as file:
        head = {"odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media"}
        file.write(json.dumps(head)[:-1] + ', "value": [')
        for value in digests(b"vics"):
            medium = {
                "MediaID": count,
                "Category": 1 + count % 2,
                "MD5": value[:32].upper(),
                "SHA1": value[:40].upper(),
                "VictimIdentified": "false",
                "IsDistributed": "false",
                "Series": "x" * 150,
                "MediaSize": 20480,
                "DateUpdated": "2030-01-02T03:04:05Z",
            }
            file.write(("," if count else "") + json.dumps(medium))
            count += 1
            if count % 1000 == 0 and file.tell() > size:
                break
        file.write("]}")
    return count


def import_one(path: Path, scheme: str | None) -> None:
    """Import a file into the list beside it, a new one if there is none; print what it took."""
    from screener import HashList

    folder = path.with_suffix(".list")
    known = HashList.open(folder) if folder.exists() else HashList.create(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    report = known.import_file(path, scheme=scheme)
    taken = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    kept = {
        "added": report.added,
        "unchanged": report.unchanged,
        "quarantined": sum(report.quarantined.values()),
    }
    print(json.dumps({**kept, **taken, "peak_mib": peak}))


def measure(name: str, *, small: bool) -> dict[str, object]:
    """Write a file, import it in a process of its own, and check that nothing was lost."""
    with tempfile.TemporaryDirectory(prefix="screener-") as folder:
        path = Path(folder) / f"known.{name}"
        if name == "vics":
            rows = write_vics(path, BYTES // 400 if small else BYTES)
        elif name == "pairs":
            rows = write_pairs(path, PAIRS // 50 if small else PAIRS)
        else:
            rows = write_csv(path, ROWS // 500 if small else ROWS)
        found = {"format": name, "rows": rows, "bytes": path.stat().st_size}
        found |= {"load_before": os.getloadavg()[0]} | imported(path, added=rows)
        if name == "pairs":
            found["second"] = imported(path, added=0)
        return found


def imported(path: Path, *, added: int) -> dict[str, object]:
    """Import a file in a process of its own; return what it took, if it added so many rows."""
    done = subprocess.run(
        [sys.executable, __file__, "--import", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, object] = json.loads(done.stdout)
    assert (told["added"], told["quarantined"]) == (added, 0), told
    return told


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="some thousandths, for CI")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    parser.add_argument("--only", choices=["csv", "pairs", "vics"])
    parser.add_argument("--import", dest="file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file:
        scheme = "vics-us-legacy" if arguments.file.suffix == ".vics" else None
        import_one(arguments.file, scheme)
        return
    rows = []
    for name in [arguments.only] if arguments.only else ["csv", "pairs", "vics"]:
        row = measure(name, small=arguments.small)
        rows.append(row)
        print(
            f"{name}: {row['rows']} rows of {row['bytes']} bytes in {row['seconds']:.0f} s"
            f" ({row['cpu_seconds']:.0f} s of one processor), {row['peak_mib']:.0f} MiB,"
            f" with a load of {row['load_before']:.1f} before it"
        )
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, []))


if __name__ == "__main__":
    main()
