"""How long do `info` and `verify` of a large list take?

    python benchmarks/list_keeping.py [--small] [--list FOLDER] [--receipt FILE]

A list of a million entries, each with a PDQ and an MD5, is made (two thousand with --small), or the
one in FOLDER is used and stays. What `info` returns is compared with counts that Python makes of
all rows, and the list is verified, before anything is timed. Then both are called in processes of
their own, with the list's files in memory; figures are medians of three calls.

What this does not show: a list whose files are not in memory, or one with many versions.
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import lists
import receipt
from receipt import Row

from screener import HashList

CALLS = {"info": "hash_list.info()", "verify": "hash_list.verify(seed=1)"}
CHILD = """
import sys, time
from screener import HashList
hash_list = HashList.open(sys.argv[1])
start, busy = time.perf_counter(), time.process_time()
{call}
print(time.perf_counter() - start, time.process_time() - busy)
"""


def check(hash_list: HashList) -> int:
    """Compare `info` with all rows and verify the list; return the number of its entries."""
    with closing(sqlite3.connect(hash_list.path / "records.sqlite")) as connection:
        current = connection.execute("SELECT id FROM records WHERE until IS NULL")
        kinds: dict[int, set[str]] = {record: set() for (record,) in current}
        for record, kind in connection.execute("SELECT record, kind FROM hashes"):
            if record in kinds:
                kinds[record].add(kind)
    info = hash_list.info()
    counted = Counter(kind for some in kinds.values() for kind in some)
    stated = {kind: count for kind, count in info.reached.items() if count}
    if stated != dict(counted) or sum(info.states.values()) != len(kinds):
        raise SystemExit("info does not return what the rows are")
    if hash_list.verify(seed=1).differences:
        raise SystemExit("the list is damaged")
    return len(kinds)


def measure(name: str, folder: Path, entries: int) -> Row:
    """Return the median time of a call, by the clock and of all processors."""
    call = [sys.executable, "-c", CHILD.format(call=CALLS[name]), str(folder)]
    done = [subprocess.run(call, capture_output=True, text=True, check=True) for _ in range(3)]
    times = [map(float, one.stdout.split()) for one in done]
    wall, busy = (statistics.median(each) for each in zip(*times, strict=True))
    return {"what": name, "entries": entries, "s": round(wall, 4), "cpu_s": round(busy, 4)}


def main() -> None:
    """Make the list, check it, measure, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--list", type=Path, help="use, or make and keep, the list in this folder")
    arguments = parser.parse_args()
    with lists.workplace(None) as work:
        folder = arguments.list or work / "big.list"
        if not folder.exists():
            records = 2_000 if arguments.small else 1_000_000
            lists.made(folder, lists.drawn(records, ("pdq", "md5")))
        entries = check(HashList.open(folder))
        rows = [measure(name, folder, entries) for name in CALLS]
    print(*rows, sep="\n")
    content = receipt.receipt(__doc__, rows, ["numpy"])
    content["versions"]["sqlite"] = sqlite3.sqlite_version
    receipt.write(arguments.receipt, content)


if __name__ == "__main__":
    main()
