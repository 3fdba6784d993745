"""Does a scan of a bucket whose answers fail lose an object, or memory, and what does it cost?

The bucket is `bucket.py`: over loopback, small JPEGs, one answer in fifty failing by status 500, a
cut body or no answer. A list holds the MD5s of one object in a hundred. First the whole is scanned
at once, and the memory of the scan's own process is looked at. Then it is scanned by a command that
is killed with SIGKILL again and again and resumed. Each time every object must have exactly one
line, with the verdict that its MD5 asks for.

    python benchmarks/cloud.py [--small] [--objects N] [--kills N] [--receipt FILE]

What this does not show: a network that is slow, objects that are large.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bucket
import receipt
from receipt import Row

from screener import HashList

FAULTS = 50
LISTED = 100  # one object in so many is on the list
TIMEOUTS = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 2}}


@contextmanager
def served(objects: int, faults: int) -> Iterator[dict[str, str]]:
    """Serve a bucket; yield the environment of programs that read it."""
    call = [sys.executable, bucket.__file__, "--objects", str(objects), "--faults", str(faults)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        yield os.environ | {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "FSSPEC_S3": json.dumps(TIMEOUTS),
        }


def make_list(folder: Path, objects: int) -> Path:
    """Return a list of the MD5s of one object in `LISTED`."""
    file = folder / "known.csv"
    rows = [
        f"{number},{hashlib.md5(bucket.content(number)).hexdigest()},\n"
        for number in range(0, objects, LISTED)
    ]
    # With a PDQ, so that pictures are decoded and can be `no_match`.
    file.write_text("".join(["id,md5,pdq\n", *rows, f"x,,{'0f' * 32}\n"]))
    HashList.create(folder / "known.list").import_file(file)
    return folder / "known.list"


def begin(known: Path, results: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command that goes on with a file of results."""
    call = [sys.executable, "-m", "screener", "scan", "s3://bucket/", "--list", str(known)]
    call += ["--resume", str(results), "--jobs", "2", "--effort", "distance"]
    return subprocess.Popen(call, env=environment, stderr=subprocess.PIPE, text=True)


def count_lines(results: Path) -> int:
    """Return the number of lines by the size of the file, roughly."""
    return results.stat().st_size // 400 if results.exists() else 0


def resident(process: int) -> int:
    """Return the bytes of memory of a process, or 0 if it ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)
    except OSError:
        return 0


def processor_seconds(process: int) -> float:
    """Return the processor time of a process without its children, or 0 if it ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(results: Path, objects: int) -> Row:
    """Check that every object has one line with its verdict; return the counts."""
    seen: dict[str, str] = {}
    reasons: dict[str, int] = {}
    with results.open(encoding="utf-8") as stream:
        for line in stream:
            fields = json.loads(line)
            assert fields["input"] not in seen, f"twice: {fields['input']}"
            seen[fields["input"]] = fields["verdict"]
            if fields["reason"]:
                reasons[fields["reason"]] = reasons.get(fields["reason"], 0) + 1
    expected = {
        f"s3://bucket/{bucket.key(number)}": "no_match" if number % LISTED else "match"
        for number in range(objects)
    }
    wrong = [name for name, verdict in expected.items() if seen.get(name) != verdict]
    assert seen.keys() == expected.keys(), f"{len(seen)} of {len(expected)} objects"
    assert not wrong, (len(wrong), wrong[:3], reasons)
    return {"lines": len(seen), "matches": sum(v == "match" for v in seen.values())}


def scan_at_once(known: Path, results: Path, environment: dict[str, str], objects: int) -> Row:
    """Scan without a kill; return the time and the memory of the scan's own process."""
    start, memory, own = time.perf_counter(), [], 0.0
    process = begin(known, results, environment)
    while process.poll() is None:
        time.sleep(0.5)
        if (now := resident(process.pid)) and count_lines(results):
            memory.append(now)
        own = max(own, processor_seconds(process.pid))
    assert process.stderr is not None
    messages = process.stderr.read()
    assert process.returncode == 1, messages
    seconds = time.perf_counter() - start
    tenth = max(len(memory) // 10, 1)
    begin_bytes = statistics.median(memory[tenth : 2 * tenth] or memory)
    end_bytes = statistics.median(memory[-tenth:])
    row = {
        "run": "at once",
        **check(results, objects),
        "objects_per_s": round(objects / seconds, 1),
        "own_ms": round(1000 * own / objects, 2),
        "memory_after_tenth": round(begin_bytes),
        "memory_at_end": round(end_bytes),
        "memory_most": max(memory),
    }
    assert end_bytes < begin_bytes * 1.2 + (16 << 20), "memory grows"
    return row


def scan_killed(
    known: Path, results: Path, environment: dict[str, str], objects: int, kills: int
) -> Row:
    """Scan by commands that are killed, and one that is not; return the counts."""
    rng, killed = random.Random(37), 0
    for number in range(kills):
        process = begin(known, results, environment)
        goal = objects * (number + rng.random()) / (kills + 1)
        while process.poll() is None and count_lines(results) < goal:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.stderr is not None
        process.stderr.read()
        killed += process.wait() == -signal.SIGKILL
    process = begin(known, results, environment)
    messages = process.communicate()[1]
    assert process.returncode == 1, messages
    return {"run": "killed", "kills": killed, **check(results, objects)}


def measure(objects: int, kills: int) -> list[Row]:
    """Return the figures of both scans."""
    with tempfile.TemporaryDirectory() as name, served(objects, FAULTS) as environment:
        folder = Path(name)
        known = make_list(folder, objects)
        rows = [
            {"objects": objects, "one_failing_in": FAULTS} | row
            for row in (
                scan_at_once(known, folder / "once.jsonl", environment, objects),
                scan_killed(known, folder / "killed.jsonl", environment, objects, kills),
            )
        ]
    return rows


if __name__ == "__main__":
    parser = receipt.parser(__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    small = (600, 2) if options.small else (options.objects, options.kills)
    figures = measure(*small)
    for row in figures:
        print(json.dumps(row), flush=True)
    receipt.write(options.receipt, receipt.receipt(__doc__, figures, ["fsspec", "s3fs"]))
