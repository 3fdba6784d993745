"""How many requests a second does the service answer, and what does it cost beside HTTP itself?

`screener serve` in a process of its own, on loopback, with 8 connections that stay open. Matching:
`POST /v1/match` and HMA's `GET /m/lookup` of one PDQ that misses, and of one that hits a record of
a list of random ones, each another, beside `GET /v1/health/live`, the empty route of the same
server with the same access log; with `--hugepages`, on one core, the client on another. Screening:
`POST /v1/screen` of drawn 640×480 JPEGs beside `scan` of the same files, with as many workers.
Contestants take turns, and the median of the rounds counts; a ratio is the median of those of the
rounds. Processor time is that of the server, or of all processes of a scan or a service. Answers
are compared with those of a Screener before anything is timed.

    python benchmarks/service.py [--small] [--list FOLDER] [--receipt FILE] [--into DOCS]

`--list` names a list that stays for the next run, which makes it if it is not there. `--into docs`
writes the tables into service.md.

What this does not show: TLS, keys, a proxy, a network, clients of which each opens a connection,
hits with very many records or of a record that no client of HMA's API saw before, more than two
cores. The client of screening shares the cores with the workers.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lists
import numpy as np
import receipt
import tables
from codes import Codes
from keep_alive import ask
from receipt import Row
from scan import SIZES, drawn_files

from screener import Hash, HashList, Screener, scan
from screener.hashing.hash import KINDS

CONNECTIONS = 8
CHANGED = 10  # bits of a listed code
JOBS = (1, 2)
EMPTY, SCAN, SCREEN = "GET /v1/health/live", "scan", "POST /v1/screen"
LIVE = f"{EMPTY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@contextlib.contextmanager
def serving(known: Path, *options: object) -> Iterator[tuple[int, int]]:
    """Yield the port and the PID of a server; its access log goes nowhere."""
    call = [sys.executable, "-m", "screener", "serve", "--list", known, "--port", "0",
            "--grace-seconds", "0", "--access-log", os.devnull, *options]  # fmt: skip
    with tempfile.TemporaryFile("w+") as messages:
        server = subprocess.Popen([*map(str, call)], stderr=messages)
        try:
            while not (found := re.search(r"listening on \S+:(\d+)", read(messages))):
                if server.poll() is not None:
                    raise SystemExit(read(messages))
                time.sleep(0.05)
            yield int(found[1]), server.pid
        finally:
            server.terminate()
            server.wait()


def read(file: Any) -> str:
    """Return what a file has so far."""
    return os.pread(file.fileno(), 1 << 16, 0).decode()


def post(path: str, body: bytes, content_type: str) -> bytes:
    """Return a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def matches(codes: Codes) -> list[bytes]:
    """Return a request for each PDQ."""
    return [
        post("/v1/match", json.dumps(
            {"hashes": [{"kind": "pdq", "value": code.tobytes().hex(), "quality": 100}]}
        ).encode(), "application/json")
        for code in codes
    ]  # fmt: skip


def lookups(codes: Codes) -> list[bytes]:
    """Return a request in HMA's form for each PDQ."""
    return [
        f"GET /m/lookup?signal_type=pdq&signal={code.tobytes().hex()} HTTP/1.1\r\n"
        "Host: localhost\r\n\r\n".encode()
        for code in codes
    ]


def expect(holds: bool, what: str) -> None:
    """Stop if an answer is wrong: its time would mean nothing."""
    if not holds:
        raise SystemExit(f"wrong answer: {what}")


def draw_queries(values: Codes, count: int) -> tuple[Codes, Codes]:
    """Return random codes, which miss, and listed ones with some bits changed, which hit."""
    rng = np.random.default_rng(2)
    misses = rng.integers(0, 256, (count, values.shape[1]), np.uint8)
    hits = values[rng.choice(len(values), count, replace=False)]
    for code in hits:
        for bit in rng.choice(256, CHANGED, replace=False).tolist():
            code[bit // 8] ^= 1 << bit % 8
    return misses, hits


def check(port: int, screener: Screener, queries: Codes) -> None:
    """Compare the service's Results with those of a Screener, and HMA's answers with these."""
    results = ask(port, matches(queries), CONNECTIONS).bodies
    found = ask(port, lookups(queries), CONNECTIONS).bodies
    for code, body, banks in zip(queries, results, found, strict=True):
        expected = screener.match([Hash(KINDS["pdq"], code.tobytes(), 100)]).to_dict()
        expect(json.loads(body) | {"lists": 0} == expected | {"lists": 0}, "a Result differs")
        distances = [one["distance"] for bank in json.loads(banks).values() for one in bank]
        expect(distances == [str(one["distance"]) for one in expected["matches"]], "HMA differs")
    verdicts = {json.loads(body)["verdict"] for body in results}
    expect(verdicts == {"match", "no_match"}, "not half of the queries hit")


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, without its children's."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) of Linux does


def find_workers(pid: int) -> list[int]:
    """Return the children of a process."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for one in threads for child in (one / "children").read_text().split()]


def measure_matching(known: HashList, values: Codes, count: int, rounds: int) -> list[Row]:
    """Return a row for the empty route, and one each for misses and hits, with ratios to it."""
    misses, hits = draw_queries(values, count)
    requests = {(EMPTY, ""): [LIVE] * count}
    for route, make in (("POST /v1/match", matches), ("GET /m/lookup", lookups)):
        requests |= {(route, "miss"): make(misses), (route, "hit"): make(hits)}
    measured: dict[tuple[str, str], list[Row]] = {name: [] for name in requests}
    cores = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory() as state,
        serving(known.path, "--jobs", 1, "--hugepages", "--hma", "--hma-state", state) as (
            port,
            pid,
        ),
    ):
        check(port, Screener(known), np.concatenate([misses[:100], hits[:100]]))
        ask(port, lookups(hits), CONNECTIONS)  # each record gets its number, once
        if len(cores) > 1:
            os.sched_setaffinity(pid, cores[:1])
            os.sched_setaffinity(0, cores[1:])
        for _ in range(rounds):
            for name, some in requests.items():
                before = processor_seconds(pid)
                answers = ask(port, some, CONNECTIONS)
                spent = (processor_seconds(pid) - before) / count
                median, late = np.percentile(answers.taken, (50, 99)).tolist()
                measured[name].append(
                    {
                        "requests/s": count / answers.seconds,
                        "p50_ms": median * 1e3,
                        "p99_ms": late * 1e3,
                        "p99_over_p50": late / median,
                        "processor_us": spent * 1e6,
                    }
                )
    os.sched_setaffinity(0, cores)
    empty = measured[EMPTY, ""]
    rows = []
    for (route, kind), of_rounds in measured.items():
        row = {"records": len(values), "route": route, "query": kind, **medians(of_rounds)}
        if kind:
            row |= {
                "of_empty": ratio(of_rounds, empty, "requests/s"),
                "processor_of_empty": ratio(empty, of_rounds, "processor_us"),
            }
        rows.append(row)
    return rows


def medians(of_rounds: Sequence[Row]) -> Row:
    """Return the median of each figure."""
    return {
        name: float(f"{statistics.median(row[name] for row in of_rounds):.3g}")
        for name in of_rounds[0]
    }


def ratio(some: Sequence[Row], others: Sequence[Row], figure: str) -> float:
    """Return the median of the rounds' ratios of a figure."""
    pairs = zip(some, others, strict=True)
    return round(statistics.median(one[figure] / other[figure] for one, other in pairs), 2)


def spent_by(pid: int) -> float:
    """Return the processor seconds of a process and its workers."""
    return sum(map(processor_seconds, [pid, *find_workers(pid)]))


def scan_once(screener: Screener, files: Sequence[str], jobs: int) -> Row:
    """Scan files; the first quarter, by when all workers have begun, does not count."""
    first, last = len(files) // 4, len(files) - 1
    marks = []
    for number, _ in enumerate(scan(screener, files, jobs=jobs)):
        if number in (first, last):
            marks.append((time.perf_counter(), spent_by(os.getpid())))
    (start, before), (end, after) = marks
    count = last - first
    return {"files/s": count / (end - start), "processor_ms": (after - before) / count * 1e3}


def post_once(port: int, pid: int, uploads: Sequence[bytes]) -> Row:
    """Post all uploads."""
    before = spent_by(pid)
    answers = ask(port, uploads, CONNECTIONS)
    spent = spent_by(pid) - before
    return {
        "files/s": len(uploads) / answers.seconds,
        "processor_ms": spent / len(uploads) * 1e3,
    }


def private_megabytes(pid: int) -> float:
    """Return the memory that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    private = (line.split()[1] for line in lines if line.startswith("Private_"))
    return float(f"{sum(map(int, private)) / 1024:.3g}")


def measure_screening(known: HashList, folder: Path, count: int, rounds: int) -> list[Row]:
    """Return rows for `scan` and for `/v1/screen`, and the memory of the processes."""
    size, grain, _ = SIZES["640×480"]
    files = drawn_files(folder, size, grain, count)
    uploads = [post("/v1/screen", Path(path).read_bytes(), "image/jpeg") for path in files]
    screener = Screener(known)
    rows: list[Row] = []
    for jobs in JOBS:
        scans, posts = [], []
        with serving(known.path, "--jobs", jobs) as (port, pid):
            bodies = ask(port, uploads[:20], CONNECTIONS).bodies
            for path, body in zip(files, bodies, strict=False):
                expected = str(screener.screen(path).verdict)
                expect(json.loads(body)["verdict"] == expected, "a verdict differs")
            for _ in range(rounds):
                scans.append(scan_once(screener, files, jobs))
                posts.append(post_once(port, pid, uploads))
            worker = statistics.median(map(private_megabytes, find_workers(pid)))
            memory = {"server_MB": private_megabytes(pid), "worker_MB": worker}
        of_scan = {
            "of_scan": ratio(posts, scans, "files/s"),
            "processor_of_scan": ratio(scans, posts, "processor_ms"),
        }
        common = {"size": "640×480", "jobs": jobs}
        rows.append({**common, "route": SCAN, **medians(scans)})
        rows.append({**common, "route": SCREEN, **medians(posts), **of_scan, **memory})
    return rows


def format_tables(rows: Sequence[Row]) -> str:
    """Return the figures as Markdown."""
    matching = [row for row in rows if "query" in row]
    head = ["route", "processor time of one", "a second and core", "of the empty route",
            "p99 over median"]  # fmt: skip
    lines = [
        [
            f"`{row['route']}`" + (f", a {row['query']}" if row["query"] else ", empty"),
            f"{row['processor_us']:.0f} µs",
            f"{1e6 / row['processor_us']:,.0f}",
            f"{row.get('processor_of_empty', 1):.0%}",
            f"{row['p99_over_p50']:.1f}",
        ]
        for row in matching
    ]
    screening = [row for row in rows if "jobs" in row]
    files = [
        [
            row["jobs"],
            f"`{row['route']}`",
            f"{row['processor_ms']:.2f} ms",
            f"{row.get('processor_of_scan', 1):.0%}",
            f"{row.get('of_scan', 1):.0%}",
            f"{row['worker_MB']:.0f} MB" if "worker_MB" in row else "",
            f"{row['server_MB']:.0f} MB" if "server_MB" in row else "",
        ]
        for row in screening
    ]
    columns = ["workers", "by", "processor time of one", "a core, of a scan's rate",
               "all cores, of a scan's rate", "memory of a worker", "of the server"]  # fmt: skip
    return tables.table(head, lines) + "\n" + tables.table(columns, files)


def main() -> None:
    """Measure, print a line for each route, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--list", type=Path, help="a list that stays for further runs")
    parser.add_argument("--into", type=Path, help="write the tables into this docs folder")
    arguments = parser.parse_args()
    records, requests, files, rounds = 1_000_000, 2_000, 300, 7
    if arguments.small:
        records, requests, files, rounds = 20_000, 200, 40, 3
    values = lists.drawn(records, ("pdq",))
    with lists.workplace(arguments.list and arguments.list.parent) as folder:
        known = lists.made(arguments.list or folder / "known.list", values)
        rows = measure_matching(known, values["pdq"], requests, rounds)
        rows += measure_screening(known, folder, files, rounds)
    for row in rows:
        print(*[f"{name}={value}" for name, value in row.items()], sep="  ")
    packages = ["uvicorn", "starlette", "httptools", "uvloop", "msgspec"]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))
    if arguments.into is not None:
        tables.replace(arguments.into / "service.md", "service.py", format_tables(rows))


if __name__ == "__main__":
    main()
