"""How much slower is a scan that looks for edited copies?

Drawn JPEGs, as in scan.py, against lists of random PDQs, by which no file matches, so that every
stage of every effort runs. The efforts take turns, round by round, and the median of the rounds
counts; a scan's first quarter, by when all workers have begun, does not. Verdicts of all efforts
are compared first. Processor time a file is that of the scan's own process and of its workers;
where cores are busy with other work it changes less than the rate. With as many jobs as cores a
scan cannot be faster than cores divided by it. Then the same files are posted to `/v1/screen` of a
service at each effort, with as many workers.

    python benchmarks/effort.py [--small] [--size S ...] [--records N ...] [--insets] [--jobs N ...]
        [--folder DIR] [--receipt FILE]

`--insets` compares each effort with and without insets.

What this does not show: screenshots, which have more insets than photos; pictures that match, for
which later stages are left out; a cold disk.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import lists
import receipt
from keep_alive import ask
from receipt import Row
from scan import SIZES, drawn_files, scanned
from service import CONNECTIONS, medians, post, post_once, ratio, serving

from screener import Policy, Screener, scan
from screener.screening.policy import Effort

EFFORT_SIZES = {
    size: SIZES.get(size) or (tuple(map(int, size.split("×"))), 5.0, 1200)
    for size in ("1600×1004", "640×480", "1080×1080", "1080×1920")
}
RECORDS = (100_000, 1_000_000)
SERVED = "640×480"  # uploads of the service
ROUNDS = 3

Setting = tuple[Effort, int]  # with so many insets at most


def measure(
    screeners: dict[Setting, Screener],
    files: list[str],
    size: str,
    records: int,
    all_jobs: list[int],
) -> list[Row]:
    """Return speed and processor time of each setting and number of jobs, and shares of the first.

    The share by processor time is what remains of a rate that only the cores limit.
    """
    speeds: dict[tuple[Setting, int], list[float]] = {}
    spent: dict[tuple[Setting, int], list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for jobs in all_jobs:
            verdicts = set()
            for setting, screener in screeners.items():
                found, speed, _, own, workers = scanned(screener, files, jobs, scan)
                verdicts.add(tuple(found))
                speeds.setdefault((setting, jobs), []).append(speed)
                spent.setdefault((setting, jobs), []).append((own, workers))
            if len(verdicts) != 1:
                raise SystemExit("efforts disagree on files that match nothing")
    first = next(iter(screeners))
    medians = {key: statistics.median(found) for key, found in speeds.items()}
    times = {
        key: [statistics.median(column) for column in zip(*found, strict=True)]
        for key, found in spent.items()
    }
    return [
        {
            "size": size,
            "records": records,
            "effort": str(effort),
            "insets": insets,
            "jobs": jobs,
            "files_per_s": round(speed, 1),
            "share_of_distance": round(speed / medians[first, jobs], 3),
            "share_without_insets": round(speed / medians.get(((effort, 0), jobs), speed), 3),
            "own_ms": round(1e3 * times[(effort, insets), jobs][0], 3),
            "workers_ms": round(1e3 * times[(effort, insets), jobs][1], 3),
            "share_by_processor": round(
                sum(times[first, jobs]) / sum(times[(effort, insets), jobs]), 3
            ),
        }
        for ((effort, insets), jobs), speed in medians.items()
    ]


def serve(known: Path, files: list[str], records: int, jobs: int, folder: Path) -> Iterator[Row]:
    """Yield the rate of uploads at each effort, and its share of the first's."""
    uploads = [post("/v1/screen", Path(path).read_bytes(), "image/jpeg") for path in files]
    rates: dict[Effort, list[Row]] = {effort: [] for effort in Effort}
    with ExitStack() as stack:
        servers = {}
        for effort in Effort:
            policy = folder / f"{effort}.toml"
            policy.write_text(f'effort = "{effort}"\n')
            options = ("--jobs", jobs, "--policy", policy)
            servers[effort] = stack.enter_context(serving(known, *options))
            bodies = ask(servers[effort][0], uploads[:40], CONNECTIONS).bodies
            if {json.loads(body)["verdict"] for body in bodies} != {"no_match"}:
                raise SystemExit("a service finds what is not listed")
        for _ in range(ROUNDS):
            for effort, (port, pid) in servers.items():
                rates[effort].append(post_once(port, pid, uploads))
    first = rates[Effort.DISTANCE]
    for effort, rows in rates.items():
        yield {
            "route": "/v1/screen", "size": SERVED, "records": records, "effort": str(effort),
            "jobs": jobs,
            "files_per_s": medians(rows)["files/s"],
            "share_of_distance": ratio(rows, first, "files/s"),
            "share_by_processor": ratio(first, rows, "processor_ms"),
        }  # fmt: skip


def main() -> None:
    """Measure, print, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--folder", type=Path, help="keep pictures and lists here")
    parser.add_argument("--size", nargs="+", choices=EFFORT_SIZES, default=list(EFFORT_SIZES))
    parser.add_argument("--insets", action="store_true", help="with and without insets")
    parser.add_argument("--records", nargs="+", type=int, default=RECORDS)
    parser.add_argument("--jobs", nargs="+", type=int, default=[2])
    arguments = parser.parse_args()
    rows: list[Row] = []
    with lists.workplace(arguments.folder) as folder:
        for records in (1000,) if arguments.small else arguments.records:
            values = lists.drawn(records, ("pdq", "md5"))
            hash_list = lists.made(folder / f"known-{records}.list", values)
            screeners = {
                (effort, insets): Screener(hash_list, policy=Policy(effort=effort, insets=insets))
                for effort in Effort
                for insets in ((0, Policy().insets) if arguments.insets else (Policy().insets,))
            }
            next(iter(screeners.values())).warm()
            for size in arguments.size:
                pixels, grain, count = EFFORT_SIZES[size]
                files = drawn_files(folder, pixels, grain, 40 if arguments.small else count // 3)
                found = measure(screeners, files, size, records, arguments.jobs)
                if size == SERVED:
                    for jobs in arguments.jobs:
                        found += serve(hash_list.path, files, records, jobs, folder)
                for row in found:
                    print(row, flush=True)
                    rows.append(row)
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ["pillow", "numpy"]))


if __name__ == "__main__":
    main()
