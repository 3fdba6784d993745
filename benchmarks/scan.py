"""How many files a second does a scan screen, and what do worker processes cost?

On drawn JPEGs that are in the system's cache, against a list of random records: decoding alone (the
pixel pipeline in a loop), `Screener.screen` in a loop, a scan with one job and with two, and the
hashing alone of ThreatExchange's `PdqSignal`, where that is installed. The verdicts are compared
before anything is told, and the private memory of each worker is that of the system (USS).

    python benchmarks/scan.py [--small] [--files N] [--records N] [--receipt FILE]

What this does not show: a cold disk, formats other than JPEG, more cores than two.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import receipt

from screener import HashList, Screener, scan
from screener.media import image

QUESTION = "How many files a second does a scan screen?"
SIZES = ((320, 240), (1600, 1004))


def drawn_files(folder: Path, size: tuple[int, int], count: int) -> list[str]:
    """Ten different pictures, repeated as files of their own."""
    where = Path(__file__).resolve().parents[1] / "fixtures" / "draw.py"
    spec = importlib.util.spec_from_file_location("draw", where)
    assert spec is not None
    assert spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    made = []
    for number in range(count):
        path = folder / f"{size[0]}-{number:04}.jpg"
        if number < 10:
            draw.scene(number, size).save(path, quality=85)
        else:
            path.write_bytes(Path(made[number % 10]).read_bytes())
        made.append(str(path))
    return made


def listed(folder: Path, records: int) -> HashList:
    """A list of random PDQs and digests."""
    rng = np.random.default_rng(1)
    with (folder / "known.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "pdq", "md5"])
        for number in range(records):
            writer.writerow([f"e{number}", rng.bytes(32).hex(), rng.bytes(16).hex()])
    known = HashList.create(folder / "known.list")
    known.import_file(folder / "known.csv", source="bench")
    return known.refresh()


def private_memory() -> list[int]:
    """Bytes that each worker has for itself alone."""
    found = []
    for child in multiprocessing.active_children():
        try:
            text = Path(f"/proc/{child.pid}/smaps_rollup").read_text()
        except OSError:
            continue
        lines = [line.split() for line in text.splitlines() if line.startswith("Private_")]
        found.append(1024 * sum(int(line[1]) for line in lines))
    return found


def scanned(engine: Screener, files: list[str], jobs: int) -> tuple[list[str], float, int]:
    """Verdicts in the order of the files, files a second after the first quarter, by when all
    workers have begun, and the largest worker's memory.
    """
    verdicts, begin, largest = {}, 0.0, 0
    quarter = len(files) // 4
    # As they come: in order, what waited behind a worker that began late would come all at once.
    for number, result in enumerate(scan(engine, files, jobs=jobs, ordered=False), start=1):
        verdicts[result.input] = str(result.verdict)
        if number == quarter:
            begin = time.perf_counter()
        if number == len(files) - 2 * jobs:
            largest = max(private_memory(), default=0)
    speed = (len(files) - quarter) / (time.perf_counter() - begin)
    return [verdicts[file] for file in files], speed, largest


def rate(work: Callable[[str], Any], files: list[str]) -> float:
    work(files[0])
    begin = time.perf_counter()
    for file in files:
        work(file)
    return len(files) / (time.perf_counter() - begin)


def decode(file: str) -> None:
    """The pixels of a file, as they are hashed."""
    for _ in image.open(Path(file).read_bytes()).frames():
        pass


def rival() -> Callable[[str], Any] | None:
    """ThreatExchange's hashing of a file; None where it is not installed."""
    if importlib.util.find_spec("threatexchange") is None:
        return None
    from threatexchange.signal_type.pdq.signal import PdqSignal

    return lambda file: PdqSignal.hash_from_file(Path(file))


def rows(engine: Screener, files: list[str], size: tuple[int, int]) -> list[dict[str, Any]]:
    expected = [str(engine.screen(file).verdict) for file in files]
    told: list[dict[str, Any]] = [{"how": "decoding alone", "files_per_s": rate(decode, files)}]
    told.append({"how": "screen, in a loop", "files_per_s": rate(engine.screen, files)})
    for jobs in (1, 2):
        found, speed, private = scanned(engine, files, jobs)
        if found != expected:
            raise SystemExit("the scan disagrees with the loop")
        told.append({"how": f"scan, jobs={jobs}", "files_per_s": speed, "worker_bytes": private})
    other = rival()
    if other is not None:
        told.append({"how": "ThreatExchange, hashing alone", "files_per_s": rate(other, files)})
    return [{"size": size, **row, "files_per_s": round(row["files_per_s"], 1)} for row in told]


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="few files, for CI")
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    count, records = (40, 1000) if arguments.small else (arguments.files, arguments.records)
    told = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = Screener(listed(folder, records))
        engine.warm()
        for size in SIZES:
            told += rows(engine, drawn_files(folder, size, count), size)
    for row in told:
        width, height = row["size"]
        private = row.get("worker_bytes")
        memory = f"   {private / 2**20:6.1f} MiB a worker" if private else ""
        print(f"{width}x{height:<5} {row['how']:30} {row['files_per_s']:8.1f} files/s{memory}")
    if arguments.receipt:
        used = ["pillow", *(["threatexchange"] if rival() is not None else [])]
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, told, used))


if __name__ == "__main__":
    main()
