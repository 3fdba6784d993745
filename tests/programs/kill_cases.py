"""Kill every step of a hotline's cases, a hundred times each, and write a receipt.

    python tests/programs/kill_cases.py [--kills 100] [--only notify,answer] [--receipt FILE]

kill_a_case.py describes what is checked after each kill. The first failure ends the program with
exit code 1. tests/hotline/test_killed_steps.py does the same a few times.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_a_case import STEPS, make_base

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "benchmarks"))
import receipt  # noqa: E402

QUESTION = "Killed in the middle of a step of a case, is any case lost, or anything done twice?"


def main():
    """Kill each step, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="of each step")
    parser.add_argument("--only", default=",".join(STEPS), help="some of the steps")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as place:
        base = Path(place) / "base"
        make_base(base)
        for step in arguments.only.split(","):
            start = time.monotonic()
            done = subprocess.run(
                [sys.executable, HERE / "kill_a_case.py", base, step, str(arguments.kills),
                 str(arguments.seed)],
                stdout=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
            if done.returncode:  # a case was lost, or something was done twice
                raise SystemExit(f"{step}: see above")
            result = {"step": step, **json.loads(done.stdout)}
            print(result, f"{time.monotonic() - start:.0f} s", flush=True)
            found.append(result)
    if arguments.receipt is not None:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, found, ("babel", "pynacl")))


if __name__ == "__main__":
    main()
