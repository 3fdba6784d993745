"""How many files a second does a scan screen, and what do worker processes cost?

On drawn JPEGs of about as many bits a pixel as photos have, in the system's cache, against a list
of random records. *Decoding alone* is Pillow's, of a file that was read, to its luma, in as many
processes as the scan has, each with a share of the files and nothing else to do: no array is made
of the pixels. Beside it stands Pillow's decoding to RGB. Then `Screener.screen` in a loop, a scan
with one job and with two, and the hashing alone, without a list, of ThreatExchange's `PdqSignal`,
of `perception` and of `imagehash`, as far as they are installed. Before anything is timed, verdicts
and hashes are compared. The rivals take turns, round by round, and the median of the rounds counts;
a scan's first quarter, by when all workers have begun, does not. The private memory of a worker is
that of the system (USS); the scan's own time is that of the processor, without its workers'.

    python benchmarks/scan.py [--small] [--files N] [--records N] [--folder DIR] [--receipt FILE]
                              [--size S] [--ray] [--into docs]
    python benchmarks/scan.py --soak FILES [--records N] [--folder DIR] [--receipt FILE]

`--size` measures one of the sizes, and takes the rows of others from the receipt that is there.
`--ray` scans by workers on a Ray of its own as well, where that is installed.
`--soak` scans so many small files once, and tells how memory grew. `--folder` keeps pictures and
list for another time.

What this does not show: a cold disk, formats other than JPEG, more cores than two.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import receipt
from PIL import Image

from screener import Hash, HashList, Policy, Result, Screener, scan
from screener.hashing.hash import KINDS
from screener.screening.input.hash_item import hash_item

QUESTION = "How many files a second does a scan screen?"
SIZES = {f"{w}×{h}": (w, h) for w, h in ((320, 240), (640, 480), (1600, 1004), (4000, 3000))}
SMALL = ("320×240",)
GRAIN = {320: 0.0, 640: 3.5, 1600: 5.0, 4000: 5.0}  # levels, that make 1.4 to 1.7 bits a pixel
SHARE = {"320×240": 3.0, "640×480": 2.0, "4000×3000": 0.125}  # of `--files`
ROUNDS = 3
DRIFT = 10  # bits that a JPEG's luma has been seen to move the hashes of small pictures
JOBS = (1, 2)
BEGIN, END = "<!-- figures: made by benchmarks/scan.py -->\n", "<!-- end of figures -->\n"

Work = Callable[[str], Any]
Scans = Mapping[str, Callable[..., Iterable[Result]]]


def drawn_files(folder: Path, size: tuple[int, int], count: int) -> list[str]:
    """Twenty different pictures, repeated as files of their own."""
    where = Path(__file__).resolve().parents[1] / "fixtures" / "draw.py"
    spec = importlib.util.spec_from_file_location("draw", where)
    assert spec is not None
    assert spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    width, height = size
    folder = folder / f"{width}x{height}"
    folder.mkdir(exist_ok=True)
    made: list[str] = []
    for number in range(count):
        path = folder / f"{number:06}.jpg"
        if not path.exists() and number < 20:
            grain = np.random.default_rng(number).normal(0, GRAIN.get(width, 0), (height, width, 1))
            picture = np.asarray(draw.scene(number, size)) + grain
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path, quality=85)
        elif not path.exists():
            path.write_bytes(Path(made[number % 20]).read_bytes())
        made.append(str(path))
    return made


def bits_a_pixel(files: list[str]) -> float:
    """How much the files hold."""
    pixels = 0
    for file in files:
        with Image.open(file) as opened:
            pixels += opened.width * opened.height
    return 8 * sum(map(os.path.getsize, files)) / pixels


def listed(folder: Path, records: int) -> HashList:
    """A list of random PDQs and digests."""
    path = folder / f"known-{records}.list"
    if path.exists():
        return HashList.open(path)
    rng = np.random.default_rng(1)
    with (folder / "known.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "pdq", "md5"])
        for number in range(records):
            writer.writerow([f"e{number}", rng.bytes(32).hex(), rng.bytes(16).hex()])
    known = HashList.create(path)
    known.import_file(folder / "known.csv", source="bench")
    return known.refresh()


# The ways that are compared, each on one file.


def decode(file: str) -> None:
    """Pillow's grey pixels of a file: of a JPEG its luma, which is all that we look at."""
    opened = Image.open(io.BytesIO(Path(file).read_bytes()))
    opened.draft("L", opened.size)
    opened.load()


def decode_rgb(file: str) -> None:
    """Pillow's own pixels of a file."""
    Image.open(io.BytesIO(Path(file).read_bytes())).load()


def threatexchange(file: str) -> str:
    """ThreatExchange's hash of a file."""
    from threatexchange.signal_type.pdq.signal import PdqSignal

    return str(PdqSignal.hash_from_file(Path(file)))


def perception(file: str) -> str:
    """perception's PDQ of a file, in hexadecimal."""
    from perception.hashers import PDQHash

    return str(PDQHash().compute(file, hash_format="hex"))


def imagehash(file: str) -> str:
    """imagehash's pHash of a file."""
    from imagehash import phash

    return str(phash(Image.open(file)))


def rivals() -> dict[str, Work]:
    """Those that are installed."""
    ways = {"threatexchange": threatexchange, "perception": perception, "imagehash": imagehash}
    return {name: way for name, way in ways.items() if importlib.util.find_spec(name) is not None}


def ways_of_scanning(*, ray: bool) -> Scans:
    """Ours, on this machine and on a Ray that begins and ends with each scan."""
    if not ray:
        return {"scan": scan}
    from screener.scanning import ray as on_ray

    return {"scan": scan, "scan on Ray": on_ray.scan}


# What one way does to many files, in so many processes.


def _share(work: Work, files: list[str], begin: Any, done: Any) -> None:
    """In a process of its own: wait for the others, and go."""
    # As a scan's worker does it: glibc keeps a picture's memory for the next.
    bytearray(30 << 20)
    for file in files[:3]:
        work(file)
    begin.wait()
    for file in files:
        work(file)
    done.wait()


def rate(work: Work, files: list[str], processes: int) -> float:
    """Files a second of so many processes, each with a share of them."""
    context = multiprocessing.get_context("spawn")
    begin, done = context.Barrier(processes + 1), context.Barrier(processes + 1)
    all_of_them = [
        context.Process(target=_share, args=(work, files[n::processes], begin, done))
        for n in range(processes)
    ]
    for one in all_of_them:
        one.start()
    begin.wait()
    start = time.perf_counter()
    done.wait()
    seconds = time.perf_counter() - start
    for one in all_of_them:
        one.join()
    return len(files) / seconds


def looped(engine: Screener, files: list[str]) -> float:
    """Files a second of `screen` in a loop."""
    for file in files[:3]:
        engine.screen(file)
    start = time.perf_counter()
    for file in files:
        engine.screen(file)
    return len(files) / (time.perf_counter() - start)


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


def scanned(
    engine: Screener, files: list[str], jobs: int, way: Callable[..., Iterable[Result]] = scan
) -> tuple[list[str], float, int, float]:
    """Verdicts in the order of the files, files a second after the first quarter, the largest
    worker's memory, and seconds of the scan's own a file.
    """
    verdicts, begin, own, largest = {}, 0.0, 0.0, 0
    quarter = len(files) // 4
    # As they come: in order, what waited behind a worker that began late would come all at once.
    for number, result in enumerate(way(engine, files, jobs=jobs, ordered=False), start=1):
        verdicts[result.input] = str(result.verdict)
        if number == quarter:
            begin, own = time.perf_counter(), time.process_time()
        if number == max(len(files) - 40, quarter + 1):
            largest = max(private_memory(), default=0)
    count = len(files) - quarter
    speed = count / (time.perf_counter() - begin)
    own = (time.process_time() - own) / count
    return [verdicts[file] for file in files], speed, largest, own


def compare(engine: Screener, files: list[str], scans: Scans) -> None:
    """Scans and loop agree; and the rivals hash what we hash."""
    expected = [str(engine.screen(file).verdict) for file in files]
    for way in scans.values():
        for jobs in JOBS:
            if scanned(engine, files, jobs, way)[0] != expected:
                raise SystemExit("the scan disagrees with the loop")
    kinds = (KINDS["pdq"], KINDS["phash"])
    for file in files[:20]:
        made = hash_item(file, policy=Policy(), kinds=kinds).hashes
        ours = {one.hash.kind.name: one.hash for one in reversed(made)}
        for name, way in rivals().items():
            kind = "phash" if name == "imagehash" else "pdq"
            away = ours[kind].distance(Hash.parse(kind, way(file)))
            if away > DRIFT:
                raise SystemExit(f"{name}'s {kind} of {file} lies {away} bits from ours")


def rows(
    engine: Screener, files: list[str], size: str, rounds: int, scans: Scans
) -> list[dict[str, Any]]:
    """All ways by their names, the median of the rounds of each."""
    compare(engine, files[:100], scans)
    told: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    own: dict[str, list[float]] = {}

    def add(how: str, speed: float) -> None:
        told.setdefault(how, []).append(speed)

    for _ in range(rounds):
        for jobs in JOBS:
            for name, way in (("decoding alone", decode), ("decoding to RGB alone", decode_rgb)):
                add(f"{name}, {jobs}", rate(way, files, jobs))
            for name, one in scans.items():
                how = f"{name}, {jobs}"
                _, speed, memory[how], seconds = scanned(engine, files, jobs, one)
                add(how, speed)
                own.setdefault(how, []).append(seconds)
            for name, way in rivals().items():
                add(f"{name}, hashing alone, {jobs}", rate(way, files[: len(files) // 4], jobs))
        add("screen, in a loop, 1", looped(engine, files))
    bits = bits_a_pixel(files[:20])
    found = []
    for how, speeds in told.items():
        name, processes = how.rsplit(", ", 1)
        row = {
            "size": size, "bits_a_pixel": round(bits, 2), "how": name, "processes": int(processes),
            "files_per_s": round(statistics.median(speeds), 1),
        }  # fmt: skip
        if how in own:
            row["worker_bytes"] = memory[how]
            row["own_ms"] = round(1e3 * statistics.median(own[how]), 3)
        found.append(row)
    return found


def claims(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is to be at least so many times what, by size."""
    found = []
    for size in SIZES:
        speed = {(r["how"], r["processes"]): r["files_per_s"] for r in told if r["size"] == size}
        wanted = [("scan", 2, "scan", 1, 1.8)]
        for jobs in JOBS:
            wanted.append(("scan", jobs, "decoding alone", jobs, 0.8))
            wanted.append(("scan", jobs, "decoding to RGB alone", jobs, 0.8))
            wanted.append(("scan", jobs, "threatexchange, hashing alone", jobs, 4.0))
        for how, jobs, other, others, least in wanted:
            if (other, others) not in speed:
                continue
            times = speed[how, jobs] / speed[other, others]
            found.append(
                {"size": size, "claim": f"{how} with {jobs}, of {other} with {others}",
                 "times": round(times, 3), "at_least": least, "holds": times >= least}
            )  # fmt: skip
    return found


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def soak(engine: Screener, files: list[str]) -> list[dict[str, Any]]:
    """Memory of the scan, and of the largest worker, as a long scan goes on."""
    told: list[dict[str, Any]] = []
    begin = time.perf_counter()
    marks = {n for n in (1000, 2000, 5000, 10_000, 20_000, 50_000) if n < len(files) - 100}
    for number, _ in enumerate(scan(engine, files, jobs=2), start=1):
        if number in marks or number == len(files) - 100:
            row = {"files": number, "scan_bytes": resident(),
                   "worker_bytes": max(private_memory(), default=0),
                   "files_per_s": round(number / (time.perf_counter() - begin), 1)}  # fmt: skip
            told.append(row)
            print(row, flush=True)
    return told


@contextmanager
def workplace(kept: Path | None) -> Iterator[Path]:
    """A folder for pictures and list."""
    if kept is not None:
        kept.mkdir(exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def table(told: list[dict[str, Any]]) -> str:
    """Files a second of all ways, and what is to be at least how much."""
    lines = ["| files a second | " + " | ".join(f"{size}, {n}" for size in SIZES for n in JOBS)]
    lines += ["|".join(["", "---"] + ["---"] * len(SIZES) * len(JOBS))]
    speeds = {(r["how"], r["size"], r["processes"]): r for r in told if "how" in r}
    for how in dict.fromkeys(how for how, _, _ in speeds):
        found = [speeds.get((how, size, jobs)) for size in SIZES for jobs in JOBS]
        lines.append(f"| {how} | " + " | ".join("" if f is None else f"{f['files_per_s']:,.0f}"
                                                for f in found))  # fmt: skip
    text = " |\n".join(lines) + " |\n\n"
    for row in told:
        if "claim" in row:
            held = "holds: " if row["holds"] else "**falls short**: "
            text += f"- {held}{row['size']}, {row['claim']}: {row['times']} times"
            text += f" (at least {row['at_least']})\n"
    return text


def rows_before(path: Path | None, without: str) -> list[dict[str, Any]]:
    """The rows of a receipt, but for claims and those of a size."""
    if path is None or not path.exists():
        return []
    before = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return [row for row in before if "how" in row and row["size"] != without]


def write_page(told: list[dict[str, Any]], page: Path) -> None:
    """The table into the page, between its marks."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    page.write_text(before + BEGIN + table(told) + END + rest.split(END, 1)[1], encoding="utf-8")


def show(told: list[dict[str, Any]]) -> None:
    """A line a way, and a line a claim."""
    for row in told:
        if "how" in row:
            private = row.get("worker_bytes")
            memory = f"   {private / 2**20:6.1f} MiB a worker" if private else ""
            memory += f"   {row['own_ms']:6.3f} ms of its own a file" if "own_ms" in row else ""
            way = f"{row['how']}, {row['processes']}"
            print(f"{row['size']:10} {way:36} {row['files_per_s']:8.1f} files/s{memory}")
        elif "claim" in row:
            held = "holds" if row["holds"] else "FAILS"
            print(f"{held} {row['size']}: {row['claim']}: {row['times']} (at least"
                  f" {row['at_least']})")  # fmt: skip


def main() -> None:
    """Measure, tell, and write the receipt."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="few files, for CI")
    parser.add_argument("--files", type=int, default=1200)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--size", choices=list(SIZES), help="this one alone")
    parser.add_argument("--ray", action="store_true", help="scan on a Ray of its own as well")
    parser.add_argument("--soak", type=int, metavar="FILES", help="scan so many small files once")
    parser.add_argument("--folder", type=Path, help="keep pictures and list here")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    parser.add_argument("--into", type=Path, help="write the table into benchmarks.md in there")
    arguments = parser.parse_args()
    count, records = (40, 1000) if arguments.small else (arguments.files, arguments.records)
    told: list[dict[str, Any]] = []
    with workplace(arguments.folder) as folder:
        engine = Screener(listed(folder, records))
        engine.warm()
        if arguments.soak:
            told = soak(engine, drawn_files(folder, (160, 120), arguments.soak))
        else:
            by_size = {
                size: drawn_files(folder, SIZES[size], max(int(count * SHARE.get(size, 1)), 45))
                for size in (SMALL if arguments.small else SIZES)
                if arguments.size in (None, size)
            }
            for size, files in by_size.items():
                rounds = 1 if arguments.small else ROUNDS
                told += rows(engine, files, size, rounds, ways_of_scanning(ray=arguments.ray))
            if arguments.size is not None:
                told = [*rows_before(arguments.receipt, arguments.size), *told]
                told.sort(key=lambda row: list(SIZES).index(row["size"]))
            # Of few files, times say nothing.
            told += [] if arguments.small else claims(told)
    show(told)
    if arguments.into and not arguments.soak:
        write_page(told, arguments.into / "benchmarks.md")
    if arguments.receipt:
        used = ["pillow", "numpy", *rivals()]
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, told, used))


if __name__ == "__main__":
    main()
