"""How long does the import of a large list file take, and how much memory?

    python benchmarks/list_import.py [--small] [--only csv|pairs|vics] [--receipt FILE]

A neutral CSV of ten million rows with one PDQ each, its quality and a category; one of a million
rows with a PDQ and an MD5; a VICS 1.3 file of 2 GiB on one line, its media with an MD5 and a SHA-1.
Each is imported into a new list by a process of its own, whose peak of resident memory is that of
all it did. The import has to add every row. The pairs are then imported a second time.

What this does not show: files in which some rows change, and a machine with other work.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import receipt
from lists import workplace
from receipt import Row

ROWS = 10_000_000
PAIRS = 1_000_000
BYTES = 2 << 30
VICS = "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media"
CHILD = """
import json, resource, sys, time
from pathlib import Path
from screener import HashList
path = Path(sys.argv[1])
folder = path.with_suffix(".list")
hash_list = HashList.open(folder) if folder.exists() else HashList.create(folder)
scheme = "vics-us-legacy" if path.suffix == ".vics" else None
wall, busy = time.perf_counter(), time.process_time()
report = hash_list.import_file(path, scheme=scheme)
wall, busy = time.perf_counter() - wall, time.process_time() - busy
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"added": report.added, "quarantined": sum(report.quarantined.values()),
                  "seconds": wall, "cpu_seconds": busy, "peak_mib": peak}))
"""


def digests(seed: bytes) -> Iterator[str]:
    """Yield endless values of 64 digits, the same each time."""
    number = 0
    while True:
        yield hashlib.sha256(seed + number.to_bytes(8, "big")).hexdigest()
        number += 1


def write_csv(path: Path, rows: int) -> int:
    """Write a neutral CSV and return the number of its rows."""
    with path.open("w") as file:
        file.write("id,pdq,quality,category\n")
        for number, value in zip(range(rows), digests(b"csv"), strict=False):
            file.write(f"SYN-{number},{value},{50 + number % 51},{'ABC'[number % 3]}\n")
    return rows


def write_pairs(path: Path, rows: int) -> int:
    """Write a neutral CSV with a PDQ and an MD5 a row, and return the number of its rows."""
    with path.open("w") as file:
        file.write("id,pdq,md5\n")
        for number, pdq, md5 in zip(range(rows), digests(b"pdq"), digests(b"md5"), strict=False):
            file.write(f"SYN-{number},{pdq},{md5[:32]}\n")
    return rows


def write_vics(path: Path, size: int) -> int:
    """Write a VICS file on one line and return the number of its media."""
    count = 0
    with path.open("w") as file:
        file.write(json.dumps({"odata.metadata": VICS})[:-1] + ', "value": [')
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


def measure(name: str, *, small: bool) -> Row:
    """Write a file, import it in a process of its own, and check that nothing was lost."""
    with workplace(None) as folder:
        path = folder / f"known.{name}"
        if name == "csv":
            rows = write_csv(path, ROWS // 500 if small else ROWS)
        elif name == "pairs":
            rows = write_pairs(path, PAIRS // 50 if small else PAIRS)
        else:
            rows = write_vics(path, BYTES // 400 if small else BYTES)
        facts = {"format": name, "rows": rows, "bytes": path.stat().st_size}
        facts |= {"load_before": os.getloadavg()[0]} | imported(path, added=rows)
        if name == "pairs":
            facts["second"] = imported(path, added=0)
        return facts


def imported(path: Path, *, added: int) -> Row:
    """Import a file in a process of its own, and check that it added so many rows."""
    call = [sys.executable, "-c", CHILD, str(path)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    found: Row = json.loads(done.stdout)
    if (found["added"], found["quarantined"]) != (added, 0):
        raise SystemExit(f"rows were lost: {found}")
    return found


def main() -> None:
    """Measure, print the figures, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--only", choices=["csv", "pairs", "vics"])
    arguments = parser.parse_args()
    rows = []
    for name in [arguments.only] if arguments.only else ["csv", "pairs", "vics"]:
        rows.append(measure(name, small=arguments.small))
        print(rows[-1])
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, []))


if __name__ == "__main__":
    main()
