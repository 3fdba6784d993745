"""How much longer does `import screener` take than `import numpy`?

Each import runs in a fresh interpreter, and the two take turns; figures are medians.

    python benchmarks/import_time.py [--small] [--receipt FILE]

What this does not show: the first import after the machine has started.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

import receipt

CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(module: str) -> float:
    """Return the seconds that the import of a module takes."""
    call = [sys.executable, "-c", CODE.format(module)]
    return float(subprocess.run(call, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure, print the medians and their difference, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    rounds = range(3 if arguments.small else 25)
    taken = [(seconds("numpy"), seconds("screener")) for _ in rounds]
    numpy, ours = (statistics.median(each) for each in zip(*taken, strict=True))
    print(f"numpy {numpy * 1e3:.1f} ms, screener {ours * 1e3:.1f} ms", end=", ")
    print(f"difference {(ours - numpy) * 1e3:.1f} ms")
    rows = [{"module": "numpy", "seconds": numpy}, {"module": "screener", "seconds": ours}]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ["numpy"]))


if __name__ == "__main__":
    main()
