"""How many requests a second does the service answer, and what does it cost beside HTTP itself?

`screener serve` in a process of its own, on loopback, with 8 connections that stay open. Matching:
`POST /v1/match` of one PDQ that misses, and of one that hits a record of a list of random ones,
beside `GET /v1/health/live`, the empty route of the same server; on one core, the client on
another. Screening: `POST /v1/screen` of drawn 640×480 JPEGs beside `scan` of the same files, with
as many workers. Contestants take turns, and the median of the rounds counts; a ratio is the median
of those of the rounds. Answers are compared with those of a Screener before anything is timed.

    python benchmarks/service.py [--small] [--list FOLDER] [--receipt FILE]

`--list` names a list that stays for the next run, which makes it if it is not there.

What this does not show: TLS, a proxy, a network, clients of which each opens a connection, hits
with very many records, more than two cores.
"""

from __future__ import annotations

import asyncio
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
import uvloop
from codes import Codes
from scan import SIZES, drawn_files

from screener import Hash, HashList, Screener, scan
from screener.hashing.hash import KINDS

CONNECTIONS = 8
CHANGED = 10  # bits of a listed code
JOBS = 2
LIVE = b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"

Row = dict[str, Any]


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


async def ask(port: int, requests: Sequence[bytes]) -> tuple[list[bytes], list[float], float]:
    """Return the bodies and the seconds of all requests, and those from the first to the last."""
    bodies: list[bytes] = [b""] * len(requests)
    taken = [0.0] * len(requests)

    async def run(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, len(requests), CONNECTIONS):
            start = time.perf_counter()
            writer.write(requests[number])
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            bodies[number] = await reader.readexactly(size)
            taken[number] = time.perf_counter() - start
            expect(head.startswith(b"HTTP/1.1 200 "), head.decode())
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*map(run, range(CONNECTIONS)))
    return bodies, taken, time.perf_counter() - start


def expect(holds: bool, what: str) -> None:
    """Stop if an answer is wrong: its time would mean nothing."""
    if not holds:
        raise SystemExit(f"wrong answer: {what}")


def draw_queries(values: Codes, count: int) -> tuple[Codes, Codes]:
    """Return random codes, which miss, and listed ones with some bits changed, which hit."""
    rng = np.random.default_rng(2)
    misses = rng.integers(0, 256, (count, values.shape[1]), np.uint8)
    hits = values[rng.integers(0, len(values), count)]
    for code in hits:
        for bit in rng.choice(256, CHANGED, replace=False).tolist():
            code[bit // 8] ^= 1 << bit % 8
    return misses, hits


def check(port: int, screener: Screener, queries: Codes) -> None:
    """Compare the service's Results with those of a Screener."""
    bodies, _, _ = uvloop.run(ask(port, matches(queries)))
    for code, body in zip(queries, bodies, strict=True):
        expected = screener.match([Hash(KINDS["pdq"], code.tobytes(), 100)]).to_dict()
        answer = json.loads(body)
        expect(answer | {"lists": 0} == expected | {"lists": 0}, "a Result differs")
    verdicts = {json.loads(body)["verdict"] for body in bodies}
    expect(verdicts == {"match", "no_match"}, "not half of the queries hit")


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, without its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_matching(known: HashList, values: Codes, count: int, rounds: int) -> list[Row]:
    """Return a row for the empty route, and one each for misses and hits, with ratios to it."""
    misses, hits = draw_queries(values, count)
    requests = {"empty": [LIVE] * count, "match, miss": matches(misses)}
    requests["match, hit"] = matches(hits)
    rates: dict[str, list[float]] = {name: [] for name in requests}
    times: dict[str, list[float]] = {name: [] for name in requests}
    spent: dict[str, list[float]] = {name: [] for name in requests}
    cores = sorted(os.sched_getaffinity(0))
    with serving(known.path, "--jobs", 1) as (port, pid):
        check(port, Screener(known), np.concatenate([misses[:100], hits[:100]]))
        if len(cores) > 1:
            os.sched_setaffinity(pid, cores[:1])
            os.sched_setaffinity(0, cores[1:])
        for _ in range(rounds):
            for name, some in requests.items():
                before = processor_seconds(pid)
                _, taken, seconds = uvloop.run(ask(port, some))
                spent[name].append((processor_seconds(pid) - before) / count)
                rates[name].append(count / seconds)
                times[name] += taken
    os.sched_setaffinity(0, cores)
    rows = [
        {
            "records": len(values),
            "route": name,
            "requests/s": round(statistics.median(rates[name])),
            "p50_ms": round(float(np.percentile(times[name], 50)) * 1e3, 3),
            "p99_ms": round(float(np.percentile(times[name], 99)) * 1e3, 3),
            "processor_us": round(statistics.median(spent[name]) * 1e6),
        }
        for name in requests
    ]
    for row in rows[1:]:
        ratios = zip(rates[row["route"]], rates["empty"], strict=True)
        row["of_empty"] = round(statistics.median(a / b for a, b in ratios), 2)
    return rows


def measure_screening(known: HashList, folder: Path, count: int, rounds: int) -> list[Row]:
    """Return a row for `scan` and one for `/v1/screen`, with their ratio."""
    size, grain, _ = SIZES["640×480"]
    files = drawn_files(folder, size, grain, count)
    uploads = [
        post("/v1/screen", Path(path).read_bytes(), "application/octet-stream") for path in files
    ]
    screener = Screener(known)
    rates: dict[str, list[float]] = {"scan": [], "screen": []}
    with serving(known.path, "--jobs", JOBS) as (port, _):
        bodies, _, _ = uvloop.run(ask(port, uploads[:20]))
        for path, body in zip(files, bodies, strict=False):
            answer = json.loads(body)
            expect(answer["verdict"] == str(screener.screen(path).verdict), "a verdict differs")
        for _ in range(rounds):
            marks = [time.perf_counter() for _ in scan(screener, files, jobs=JOBS)]
            quarter = len(marks) // 4  # by when all workers have begun
            rates["scan"].append((len(marks) - quarter - 1) / (marks[-1] - marks[quarter]))
            _, _, seconds = uvloop.run(ask(port, uploads))
            rates["screen"].append(count / seconds)
    rows: list[Row] = [
        {"size": "640×480", "jobs": JOBS, "route": name, "files/s": round(statistics.median(some))}
        for name, some in rates.items()
    ]
    rows[1]["of_scan"] = round(
        statistics.median(a / b for a, b in zip(rates["screen"], rates["scan"], strict=True)), 2
    )
    return rows


def main() -> None:
    """Measure, print a line for each route, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--list", type=Path, help="a list that stays for further runs")
    arguments = parser.parse_args()
    records, requests, files, rounds = 1_000_000, 8_000, 1_200, 9
    if arguments.small:
        records, requests, files, rounds = 20_000, 400, 80, 3
    values = lists.drawn(records, ("pdq",))
    with lists.workplace(arguments.list and arguments.list.parent) as folder:
        known = lists.made(arguments.list or folder / "known.list", values)
        rows = measure_matching(known, values["pdq"], requests, rounds)
        rows += measure_screening(known, folder, files, rounds)
    for row in rows:
        print(*[f"{name}={value}" for name, value in row.items()], sep="  ")
    packages = ["uvicorn", "starlette", "httptools", "uvloop", "msgspec"]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))


if __name__ == "__main__":
    main()
