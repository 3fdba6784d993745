"""The long fault and kill runs: `scripts/soak` calls this.

    python tests/soak/run.py [--tenth] [--only kills,power] [--seconds N] [--receipt FILE]

readers  a reader in another process for a minute while a writer adds, removes and compacts
kills    SIGKILL of the writer at random moments, 200 times
power    the folder as a power cut may leave it, at every call by which a writer writes
canary   the same with a writer that forgets a sync, which the cuts must notice
fail     every such call failing once, with a full disk and with a broken one
purge    a purge of a list under both: made or not, and no trace left once it is done
uploads  200 at once to `screener serve`, while workers are killed and the list is replaced
events   SIGKILL of `screener serve`, which loses no event

The first five are for a SegmentedIndex and for a HashList. It ends at the first wrong answer, with
exit code 1. With --tenth everything is a tenth as long, and uploads last 20 seconds instead of half
an hour, as CI runs it; --seconds sets that time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import events
import kills
import power
import purging
import readers
import uploads
from subjects import SUBJECTS, Wrong

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import receipt

ON_DISK = ("readers", "kills", "uploads", "events")
TITLES = {name: one.name for name, one in SUBJECTS.items()} | {"service": "screener serve"}
QUESTION = "Does anybody ever see a torn state, and is anything lost that was committed?"


def canary(subject_name: str, folder: Path, *, seed: int) -> dict[str, object]:
    """The power cuts find a writer that forgets a sync; else they would show nothing."""
    noticed = []
    for forgets in ("sync", "sync_folder"):
        with contextlib.suppress(Wrong):
            power.soak(subject_name, folder / forgets, steps=4, seed=seed, forgets=forgets)
            raise SystemExit(f"the power cuts do not notice that {forgets} is missing")
        noticed.append(forgets)
    return {"missing_calls_noticed": noticed}


def purge(folder: Path, *, rounds: int, seed: int) -> dict[str, object]:
    """Power cuts and failures of one purge."""
    cut = purging.soak(folder / "cut", rounds=rounds, seed=seed)
    return cut | purging.fail(folder / "fail")


def runs(
    seed: int, tenth: bool, seconds: float
) -> dict[str, Callable[[str, Path], dict[str, object]]]:
    """What is to be run, by name."""
    share = 10 if tenth else 1
    return {
        "readers": lambda name, at: readers.soak(name, at, seconds=60 / share, seed=seed),
        "kills": lambda name, at: kills.soak(name, at, kills=200 // share, seed=seed),
        "canary": lambda name, at: canary(name, at, seed=seed),
        "power": lambda name, at: power.soak(name, at, steps=40 // share, seed=seed),
        "fail": lambda name, at: power.fail(name, at, steps=20 // share),
        "purge": lambda name, at: purge(at, rounds=10 // share, seed=seed),
        "uploads": lambda name, at: uploads.soak(at, seconds=seconds, seed=seed),
        "events": lambda name, at: events.soak(at, kills=20 // share, seed=seed),
    }


def main() -> None:
    """Run what is asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tenth", action="store_true", help="a tenth of it, for CI")
    parser.add_argument(
        "--only",
        default="readers,kills,canary,power,fail,purge,uploads,events",
        help="some of them",
    )
    parser.add_argument("--seconds", type=float, help="of the uploads")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    parser.add_argument("--write", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        name, folder, seconds = arguments.write
        readers.write(name, Path(folder), float(seconds))
        return
    rows = []
    # Killed writers write to a disk; what only plays one is quicker in memory.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    prefix = "screener-soak-"
    with (
        tempfile.TemporaryDirectory(prefix=prefix) as on_disk,
        tempfile.TemporaryDirectory(prefix=prefix, dir=memory) as in_memory,
    ):
        seconds = arguments.seconds or (20 if arguments.tenth else 1800)
        for what, run in runs(arguments.seed, arguments.tenth, seconds).items():
            subjects = {"purge": ["list"], "uploads": ["service"], "events": ["service"]}.get(
                what, list(SUBJECTS)
            )
            for name in subjects if what in arguments.only.split(",") else ():
                work = on_disk if what in ON_DISK else in_memory
                start = time.monotonic()
                try:
                    told = run(name, Path(work) / f"{what}-{name}")
                except Wrong as wrong:
                    raise SystemExit(f"{what}, {TITLES[name]}: {wrong}") from wrong
                took = round(time.monotonic() - start, 1)
                rows.append({"what": what, "of": TITLES[name], **told, "seconds": took})
                print(*(f"{key}: {value}" for key, value in rows[-1].items()), sep=", ", flush=True)
    if arguments.receipt:
        content = receipt.receipt(QUESTION, rows, ["numpy", "pillow"])
        content |= {"seed": arguments.seed, "system": " ".join(os.uname()[::2])}
        receipt.write(arguments.receipt, content)


if __name__ == "__main__":
    main()
