"""Do costly uploads stop the others?

`screener serve` in a process of its own, on loopback, with two workers. First its capacity: drawn
640×480 JPEGs to `POST /v1/screen` over 8 connections. Then those files arrive at 0.6 of it, evenly,
alone and beside blank PNGs of 144 megapixels (420 kB), 1.5 of these a second; the two take turns.
The time of an upload is from when it was due. Every upload of a JPEG must be answered, and every
PNG with a Result or with 503 `busy` and `Retry-After`; the p99 of the JPEGs may be 4 times that
without PNGs.

    python benchmarks/costly_uploads.py [--small] [--receipt FILE]

With `--small` the ratio does not fail. What this does not show: clients on other machines, costly
uploads of a declared size just below that of costly ones, and more than two cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import struct
import zlib
from collections import Counter
from pathlib import Path

import lists
import numpy as np
import receipt
import uvloop
from keep_alive import ask
from receipt import Row
from scan import SIZES, drawn_files
from service import CONNECTIONS, expect, post, serving

SHARE = 0.6  # of the capacity
COSTLY_RATE = 1.5  # a second
COSTLY_SIDE = 12_000  # pixels
MOST_RATIO = 4.0


def blank_png(side: int) -> bytes:
    """Return a black RGB picture, without ever holding its pixels."""
    packer, row = zlib.compressobj(9), bytes(1 + 3 * side)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", packed),
        (b"IEND", b""),
    ]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


class Arrivals:
    """Requests that are sent when they are due, and the status, code and seconds of each."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.seconds: list[float] = []
        self.outcomes: Counter[str] = Counter()

    async def send(self, requests: list[bytes], rate: float, seconds: float) -> None:
        """Send requests at a rate for some seconds; return when all are answered."""
        loop, tasks = asyncio.get_running_loop(), []
        start = loop.time()
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(due - loop.time())
            tasks.append(asyncio.create_task(self._send(requests[number % len(requests)], due)))
        await asyncio.gather(*tasks)
        for _, writer in self._idle:
            writer.close()

    async def _send(self, request: bytes, due: float) -> None:
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = json.loads(await reader.readexactly(size))
        self.seconds.append(asyncio.get_running_loop().time() - due)
        outcome = "result" if "verdict" in body else body["error"]["code"]
        if outcome == "busy":
            expect(b"retry-after: " in head and b" 503 " in head, "busy without Retry-After")
        self.outcomes[outcome] += 1
        self._idle.append((reader, writer))


def measure(
    port: int, healthy: list[bytes], costly: bytes | None, rate: float, spell: float
) -> Row:
    """Return the figures of one spell of arrivals."""
    ours, theirs = Arrivals(port), Arrivals(port)

    async def run() -> None:
        await asyncio.gather(
            ours.send(healthy, rate, spell),
            *([theirs.send([costly], COSTLY_RATE, spell)] if costly else []),
        )

    uvloop.run(run())
    expect(ours.outcomes.keys() == {"result"}, f"healthy uploads: {dict(ours.outcomes)}")
    expect(theirs.outcomes.keys() <= {"result", "busy"}, f"costly: {dict(theirs.outcomes)}")
    median, late = np.percentile(ours.seconds, (50, 99)).tolist()
    return {
        "p50_ms": median * 1e3,
        "p99_ms": late * 1e3,
        "healthy": len(ours.seconds),
        "costly_answered": theirs.outcomes["result"],
        "costly_busy": theirs.outcomes["busy"],
    }


def main() -> None:
    """Measure, print a line for each spell, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    records, files, spell, rounds = 1_000_000, 300, 30.0, 5
    if arguments.small:
        records, files, spell, rounds = 20_000, 40, 4.0, 1
    rows: list[Row] = []
    with lists.workplace(None) as folder:
        known = lists.made(folder / "known.list", lists.drawn(records, ("pdq",)))
        size, grain, _ = SIZES["640×480"]
        paths = drawn_files(folder, size, grain, files)
        healthy = [post("/v1/screen", Path(path).read_bytes(), "image/jpeg") for path in paths]
        costly = post("/v1/screen", blank_png(COSTLY_SIDE), "image/png")
        with serving(known.path, "--jobs", 2) as (port, _):
            ask(port, healthy, CONNECTIONS)
            capacity = statistics.median(
                len(healthy) / ask(port, healthy, CONNECTIONS).seconds for _ in range(3)
            )
            for _ in range(rounds):
                for blank in (None, costly):
                    row = measure(port, healthy, blank, SHARE * capacity, spell)
                    rows.append({"costly_a_second": COSTLY_RATE if blank else 0, **row})
                    print(*[f"{name}={value:.4g}" for name, value in rows[-1].items()], sep="  ")
    pairs = zip(rows[1::2], rows[::2], strict=True)
    ratios = [beside["p99_ms"] / alone["p99_ms"] for beside, alone in pairs]
    summary = {
        "capacity": round(capacity, 1),
        "p99_ratio": round(statistics.median(ratios), 2),
        "load": round(os.getloadavg()[0], 1),
    }
    print(*[f"{name}={value}" for name, value in summary.items()], sep="  ")
    if not arguments.small:
        expect(
            summary["p99_ratio"] <= MOST_RATIO, f"p99 is {summary['p99_ratio']} times that alone"
        )
    receipt.write(arguments.receipt, receipt.receipt(__doc__, [*rows, summary], ["uvicorn"]))


if __name__ == "__main__":
    main()
