"""How much longer does `import screener` take than `import numpy`?

    python benchmarks/import_time.py [--small] [--receipt FILE]

Each import runs in a fresh interpreter, the two taking turns.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

import receipt

QUESTION = "How much longer does `import screener` take than `import numpy`?"

CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module: str) -> float:
    told = subprocess.run(
        [sys.executable, "-c", CODE.format(module)], capture_output=True, text=True, check=True
    )
    return float(told.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few runs, for CI")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"numpy": [], "screener": []}
    for _ in range(3 if arguments.small else 25):
        for module, taken in times.items():
            taken.append(seconds(module))
    medians = {module: statistics.median(taken) for module, taken in times.items()}
    for module, median in medians.items():
        print(f"import {module:9} {median * 1000:7.1f} ms")
    print(f"difference       {(medians['screener'] - medians['numpy']) * 1000:7.1f} ms")
    if arguments.receipt:
        rows = [{"module": module, "seconds": median} for module, median in medians.items()]
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, ["numpy"]))


if __name__ == "__main__":
    main()
