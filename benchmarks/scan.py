"""How many files a second does a scan screen, and what do worker processes cost?

On drawn JPEGs of about as many bits a pixel as photos have, in the system's cache, against a list
of random records. *Decoding alone* is Pillow's, of a file that was read, to its luma, in as many
processes as the scan has, each with a share of the files and nothing else to do: no array is made
of the pixels. Beside it stands Pillow's decoding to RGB. Then `Screener.screen` in a loop, a scan
with one job and with two, and the hashing alone, without a list, of ThreatExchange's `PdqSignal`
and of `imagehash`. Verdicts and hashes are compared before anything is timed. All
take turns, round by round, and the median of the rounds counts; a scan's first quarter, by when all
workers have begun, does not. The private memory of a worker is that of the system (USS); the scan's
own time is that of its processor, without its workers'.

    python benchmarks/scan.py [--small] [--size S] [--ray] [--folder DIR] [--receipt FILE]
        [--into docs]
    python benchmarks/scan.py --soak FILES [--folder DIR] [--receipt FILE]

`--size` measures one of the sizes, and takes the rows of others from the receipt that is there.
`--ray` scans by workers on a Ray of its own as well. `--soak` scans so many small files once, and
prints how memory grew. `--folder` keeps pictures and list for another time.

What this does not show: a cold disk, formats other than JPEG, more cores than two.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import lists
import numpy as np
import receipt
import tables
from pictures import saved, scene
from PIL import Image
from receipt import Row

from screener import Hash, Policy, Result, Screener, scan
from screener.hashing.hash import KINDS
from screener.screening.input.hash_item import hash_item

# Width and height; levels of grain, which make 1.4 to 1.8 bits a pixel; and files.
SIZES = {
    "320×240": ((320, 240), 0.0, 3600),
    "640×480": ((640, 480), 3.5, 2400),
    "1600×1004": ((1600, 1004), 5.0, 1200),
    "4000×3000": ((4000, 3000), 5.0, 150),
}
RECORDS = 1_000_000
DRIFT = 10  # bits that a JPEG's luma has been seen to move the hashes of small pictures
JOBS = (1, 2)
BY_DISTANCE = Policy(effort="distance")  # effort.py has the others
MARKS = (1000, 2000, 5000, 10_000, 20_000, 50_000)  # files after which a soak looks at memory

Work = Callable[[str], Any]
Scan = Callable[..., Iterable[Result]]


def drawn_files(folder: Path, size: tuple[int, int], grain: float, count: int) -> list[str]:
    """Return twenty different pictures, repeated as files of their own."""
    width, height = size
    folder = folder / f"{width}x{height}"
    folder.mkdir(exist_ok=True)
    made = [folder / f"{number:06}.jpg" for number in range(count)]
    for number, path in enumerate(made):
        if path.exists():
            continue
        if number < 20:
            noise = np.random.default_rng(number).normal(0, grain, (height, width, 1))
            picture = (np.asarray(scene(number, size)) + noise).clip(0, 255).astype(np.uint8)
            path.write_bytes(saved(Image.fromarray(picture), quality=85))
        else:
            path.write_bytes(made[number % 20].read_bytes())
    return [str(path) for path in made]


# The ways that are compared, each on one file.


def decode(file: str) -> None:
    """Decode a file's luma, which is all that we look at, by Pillow."""
    opened = Image.open(io.BytesIO(Path(file).read_bytes()))
    opened.draft("L", opened.size)
    opened.load()


def decode_rgb(file: str) -> None:
    """Decode a file as most people do."""
    Image.open(io.BytesIO(Path(file).read_bytes())).load()


def threatexchange(file: str) -> str:
    """Return ThreatExchange's PDQ of a file."""
    from threatexchange.signal_type.pdq.signal import PdqSignal

    return str(PdqSignal.hash_from_file(Path(file)))


def imagehash(file: str) -> str:
    """Return imagehash's pHash of a file."""
    from imagehash import phash

    return str(phash(Image.open(file)))


RIVALS: dict[str, Work] = {"threatexchange": threatexchange, "imagehash": imagehash}


def scans(*, ray: bool) -> dict[str, Scan]:
    """Return our scans: on this machine, and on a Ray that begins and ends with each."""
    if not ray:
        return {"scan": scan}
    from screener.scanning import ray as on_ray

    return {"scan": scan, "scan on Ray": on_ray.scan}


# How fast each way is, in so many processes.


def _share(work: Work, files: list[str], begin: Any, done: Any) -> None:
    """Do a share of the work in a process of its own, once the others are ready."""
    # As a scan's worker does it: glibc keeps a picture's memory for the next.
    bytearray(30 << 20)
    for file in files[:3]:
        work(file)
    begin.wait()
    for file in files:
        work(file)
    done.wait()


def rate(work: Work, files: list[str], processes: int) -> float:
    """Return files a second of processes that each have a share of them."""
    context = multiprocessing.get_context("spawn")
    begin, done = context.Barrier(processes + 1), context.Barrier(processes + 1)
    workers = [
        context.Process(target=_share, args=(work, files[n::processes], begin, done))
        for n in range(processes)
    ]
    for one in workers:
        one.start()
    begin.wait()
    start = time.perf_counter()
    done.wait()
    seconds = time.perf_counter() - start
    for one in workers:
        one.join()
    return len(files) / seconds


def looped(screener: Screener, files: list[str]) -> float:
    """Return files a second of `screen` in a loop."""
    for file in files[:3]:
        screener.screen(file)
    start = time.perf_counter()
    for file in files:
        screener.screen(file)
    return len(files) / (time.perf_counter() - start)


def worker_memory() -> int:
    """Return the most bytes that a worker has for itself alone."""
    found = [0]
    for child in multiprocessing.active_children():
        try:
            text = Path(f"/proc/{child.pid}/smaps_rollup").read_text()
        except OSError:
            continue
        lines = [line.split() for line in text.splitlines() if line.startswith("Private_")]
        found.append(1024 * sum(int(line[1]) for line in lines))
    return max(found)


def scanned(
    screener: Screener, files: list[str], jobs: int, way: Scan
) -> tuple[list[str], float, int, float, float]:
    """Return verdicts in the order of the files, and the scan's figures.

    These are files a second after the first quarter, the largest worker's memory, and the seconds
    of processor time a file of the scan's own process, and of its workers.
    """
    verdicts, begin, own, workers, largest = {}, 0.0, 0.0, 0.0, 0
    quarter = len(files) // 4
    # As they come: in order, what waited behind a worker that began late would come all at once.
    for number, result in enumerate(way(screener, files, jobs=jobs, ordered=False), start=1):
        verdicts[result.input] = str(result.verdict)
        workers += result.seconds or 0.0
        if number == quarter:
            begin, own, workers = time.perf_counter(), time.process_time(), 0.0
        if number == max(len(files) - 40, quarter + 1):
            largest = worker_memory()
    count = len(files) - quarter
    speed = count / (time.perf_counter() - begin)
    own = (time.process_time() - own) / count
    return [verdicts[file] for file in files], speed, largest, own, workers / count


def compare(screener: Screener, files: list[str], ways: dict[str, Scan]) -> None:
    """Stop unless scans and loop agree, and the rivals hash what we hash."""
    expected = [str(screener.screen(file).verdict) for file in files]
    for way in ways.values():
        for jobs in JOBS:
            if scanned(screener, files, jobs, way)[0] != expected:
                raise SystemExit("the scan disagrees with the loop")
    kinds = (KINDS["pdq"], KINDS["phash"])
    for file in files[:20]:
        made = hash_item(file, policy=BY_DISTANCE, kinds=kinds).hashes
        ours = {one.hash.kind.name: one.hash for one in reversed(made)}
        for name, work in RIVALS.items():
            kind = "phash" if name == "imagehash" else "pdq"
            away = ours[kind].distance(Hash.parse(kind, work(file)))
            if away > DRIFT:
                raise SystemExit(f"{name}'s {kind} of {file} lies {away} bits from ours")


def measure(
    screener: Screener, files: list[str], size: str, rounds: int, ways: dict[str, Scan]
) -> list[Row]:
    """Return the median of the rounds of each way and number of processes."""
    compare(screener, files[:100], ways)
    speeds: dict[tuple[str, int], list[float]] = {}
    scans_own: dict[tuple[str, int], list[float]] = {}
    memory: dict[tuple[str, int], int] = {}

    def run(name: str, jobs: int, speed: Callable[[], float]) -> None:
        speeds.setdefault((name, jobs), []).append(speed())

    for _ in range(rounds):
        for jobs in JOBS:
            run("decoding alone", jobs, partial(rate, decode, files, jobs))
            run("decoding to RGB alone", jobs, partial(rate, decode_rgb, files, jobs))
            for name, way in ways.items():
                _, speed, memory[name, jobs], own, _ = scanned(screener, files, jobs, way)
                speeds.setdefault((name, jobs), []).append(speed)
                scans_own.setdefault((name, jobs), []).append(own)
            for name, work in RIVALS.items():
                few = files[: len(files) // 4]
                run(f"{name}, hashing alone", jobs, partial(rate, work, few, jobs))
        run("screen, in a loop", 1, partial(looped, screener, files))
    width, height = SIZES[size][0]
    bits = 8 * sum(map(os.path.getsize, files[:20])) / (20 * width * height)
    rows = []
    for (name, jobs), found in speeds.items():
        row: Row = {"size": size, "bits_a_pixel": round(bits, 2), "how": name, "processes": jobs}
        row["files_per_s"] = round(statistics.median(found), 1)
        if (name, jobs) in memory:
            row["worker_bytes"] = memory[name, jobs]
            row["own_ms"] = round(1e3 * statistics.median(scans_own[name, jobs]), 3)
        rows.append(row)
        print(row, flush=True)
    return rows


def soak(screener: Screener, files: list[str]) -> list[Row]:
    """Return the memory of the scan, and of the largest worker, as a long scan goes on."""
    rows: list[Row] = []
    begin = time.perf_counter()
    last = len(files) - 100
    for number, _ in enumerate(scan(screener, files, jobs=2), start=1):
        if number == last or (number in MARKS and number < last):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            row = {
                "files": number,
                "scan_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
                "worker_bytes": worker_memory(),
                "files_per_s": round(number / (time.perf_counter() - begin), 1),
            }
            rows.append(row)
            print(row, flush=True)
    return rows


def table(rows: list[Row]) -> str:
    """Return files a second of all ways."""
    speeds = {(row["how"], row["size"], row["processes"]): row["files_per_s"] for row in rows}
    columns = [(size, jobs) for size in SIZES for jobs in JOBS]
    head = ["files a second", *(f"{size}, {jobs}" for size, jobs in columns)]
    lines = [
        [how, *(f"{speeds[how, *at]:,.0f}" if (how, *at) in speeds else "" for at in columns)]
        for how in dict.fromkeys(how for how, _, _ in speeds)
    ]
    return tables.table(head, lines)


def rows_before(path: Path | None, without: str) -> list[Row]:
    """Return the rows of a receipt but for those of a size."""
    if path is None or not path.exists():
        return []
    before = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return [row for row in before if "how" in row and row["size"] != without]


def main() -> None:
    """Measure, print, and write receipt and page."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--size", choices=list(SIZES), help="this one alone")
    parser.add_argument("--ray", action="store_true", help="scan on a Ray of its own as well")
    parser.add_argument("--soak", type=int, metavar="FILES", help="scan so many small files once")
    parser.add_argument("--folder", type=Path, help="keep pictures and list here")
    parser.add_argument("--into", type=Path, help="write the table into benchmarks.md in there")
    arguments = parser.parse_args()
    small, rows = arguments.small, rows_before(arguments.receipt, arguments.size or "")
    with lists.workplace(arguments.folder) as folder:
        records = 1000 if small else RECORDS
        values = lists.drawn(records, ("pdq", "md5"))
        screener = Screener(
            lists.made(folder / f"known-{records}.list", values), policy=BY_DISTANCE
        )
        screener.warm()
        if arguments.soak:
            rows = soak(screener, drawn_files(folder, (160, 120), 0.0, arguments.soak))
        else:
            chosen = [arguments.size] if arguments.size else list(SIZES)
            rows = rows if arguments.size else []
            for size in chosen[:1] if small else chosen:
                pixels, grain, count = SIZES[size]
                files = drawn_files(folder, pixels, grain, 120 if small else count)
                ways = scans(ray=arguments.ray)
                rows += measure(screener, files, size, 1 if small else 3, ways)
            rows.sort(key=lambda row: list(SIZES).index(row["size"]))
    if not arguments.soak:
        print(table(rows))
        if arguments.into:
            tables.replace(arguments.into / "benchmarks.md", "scan.py", table(rows))
    packages = ["pillow", "numpy", *RIVALS]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))


if __name__ == "__main__":
    main()
