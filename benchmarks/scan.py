"""How many files a second does a scan screen, and what do worker processes cost?

Against `Screener.screen` in a loop of one process, on the same drawn JPEGs, which are in the
system's cache; the verdicts are compared before anything is told.

    python benchmarks/scan.py [--small] [--receipt FILE]

What this does not show: a cold disk, large lists, formats other than JPEG.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from pathlib import Path
from typing import Any

import receipt

from screener import HashList, Screener, scan

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


def rows(engine: Screener, files: list[str], size: tuple[int, int]) -> list[dict[str, Any]]:
    begin = time.perf_counter()
    expected = [engine.screen(file).verdict for file in files]
    told = [{"size": size, "how": "screen, in a loop", "files_per_s": rate(files, begin)}]
    for jobs in (1, 2):
        begin = time.perf_counter()
        found = [result.verdict for result in scan(engine, files, jobs=jobs)]
        if found != expected:
            raise SystemExit("the scan disagrees with the loop")
        told.append({"size": size, "how": f"scan, jobs={jobs}", "files_per_s": rate(files, begin)})
    return told


def rate(files: list[str], begin: float) -> float:
    return round(len(files) / (time.perf_counter() - begin), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="few files, for CI")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    told = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "known.csv").write_text("id,pdq\none," + "0123456789abcdef" * 4 + "\n")
        known = HashList.create(folder / "known.list")
        known.import_file(folder / "known.csv")
        engine = Screener(known.refresh())
        for size in SIZES:
            files = drawn_files(folder, size, 20 if arguments.small else 1500)
            told += rows(engine, files, size)
    for row in told:
        width, height = row["size"]
        print(f"{width}x{height:<5} {row['how']:18} {row['files_per_s']:8.1f} files/s")
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, told, ["pillow", "pebble"]))


if __name__ == "__main__":
    main()
