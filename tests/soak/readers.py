"""A reader in one process and a writer in another: every answer is that of exactly one state.

Before each change the writer notes in a journal which generation it will make and by which step.
A generation that the reader meets is the last one noted that is not above it: what makes a
generation without a note is a merge, which changes no content.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from schedule import Schedule, codes_of
from subjects import SUBJECTS, Wrong, shrink_tiers

FIRST = 25_000  # enough for tables
HERE = Path(__file__).parent


def write(subject_name: str, folder: Path, seconds: float) -> None:
    """The writer's process: takes steps until the time is over."""
    shrink_tiers()
    subject = SUBJECTS[subject_name]
    schedule = Schedule(first=FIRST)
    one = subject.open(folder)
    end = time.monotonic() + seconds
    with folder.with_suffix(".journal").open("a", buffering=1) as journal:
        while time.monotonic() < end:
            change = schedule.advance()
            journal.write(f"{one.generation + 1} {schedule.step}\n")
            one = subject.apply(one, change)


class Reader:
    """Follows the newest generation and compares what it finds."""

    def __init__(self, subject_name: str, folder: Path, seed: int) -> None:
        """Open what there is."""
        self.subject = SUBJECTS[subject_name]
        self.one = self.subject.open(folder)
        self.first = self.one.generation
        self.journal = folder.with_suffix(".journal").open()
        self.noted: list[tuple[int, int]] = [(self.first, 0)]
        self.schedule = Schedule(first=FIRST)
        self.random = random.Random(seed)
        self.generations = {self.first}
        self.answers = self.refreshes = 0
        self._line = ""

    def look(self) -> None:
        """Refresh, and compare the searches of the newest state and of the one before it."""
        before, knew = self.one, (self._codes, self._items) if self.refreshes else None
        self.one = before.refresh()
        self.refreshes += 1
        self.generations.add(self.one.generation)
        self._read_journal()
        self._items = np.array(sorted(self._state(self.one.generation)), np.int64)
        self._codes = codes_of(self._items)
        for _ in range(4):
            self._compare(self.one, self._codes, self._items)
        if knew is not None and before is not self.one:
            self._compare(before, *knew)
        if self.refreshes % 25 == 1 and not self.subject.holds(self.one, set(self._items.tolist())):
            raise Wrong(f"generation {self.one.generation} does not hold what it must")

    def _compare(self, one, codes, items) -> None:
        # Half of the queries near items of late, which come and go.
        late = self.random.random() < 0.5
        at = self.random.randrange(max(0, len(items) - 2000), len(items)) if late else None
        query = codes_of([self.random.randrange(40_000) if at is None else int(items[at])])
        query[0, self.random.randrange(32)] ^= 1 << self.random.randrange(8)
        radius = self.random.choice((0, 1, 8, 31, 90))
        found = sorted(self.subject.search(one, query, radius))
        if found != sorted(self.subject.expected(codes, items, query, radius)):
            raise Wrong(f"an answer of generation {one.generation} is not that of its state")
        self.answers += 1

    def _read_journal(self) -> None:
        self._line += self.journal.read()
        *lines, self._line = self._line.split("\n")
        for line in lines:
            generation, step = map(int, line.split())
            self.noted.append((generation, step))

    def _state(self, generation: int) -> set[int]:
        step = max(step for noted, step in self.noted if noted <= generation)
        return self.schedule.to(step).items


def soak(subject_name: str, folder: Path, *, seconds: float, seed: int) -> dict[str, object]:
    """Write and read for so long; what was compared. Raises Wrong at the first difference."""
    shrink_tiers()
    subject = SUBJECTS[subject_name]
    subject.create(folder, Schedule(first=FIRST))
    folder.with_suffix(".journal").touch()
    call = [sys.executable, HERE / "run.py", "--write", subject_name, folder, str(seconds)]
    writer = subprocess.Popen(call)
    try:
        reader = Reader(subject_name, folder, seed)
        while writer.poll() is None:
            reader.look()
        reader.look()
    finally:
        writer.kill()
        writer.wait()
    if writer.returncode:
        raise Wrong(f"the writer ended with {writer.returncode}")
    return {
        "steps": reader.noted[-1][1],
        "generations": reader.one.generation - reader.first,
        "generations_met": len(reader.generations),
        "refreshes": reader.refreshes,
        "answers_compared": reader.answers,
    }
