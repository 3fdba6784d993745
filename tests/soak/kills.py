"""SIGKILL of the writer at random moments: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import os
import random
import select
import signal
import time
from pathlib import Path

from schedule import Schedule
from subjects import SUBJECTS, Wrong, shrink_tiers

LONGEST_S = 0.4  # from the first step of a writer to its death, where steps are quick
STEPS = 5  # that a writer has time for at most, where they are not


def write(subject, folder: Path, schedule: Schedule, pipe: int) -> None:
    """The child: steps for ever, telling of each when it begins and when it is done."""
    one = subject.open(folder)
    while True:
        change = schedule.advance()
        os.write(pipe, b"b")
        one = subject.apply(one, change)
        os.write(pipe, b"e")


def killed(subject, folder: Path, schedule: Schedule, delay: float) -> tuple[int, int]:
    """How many steps a writer began and acknowledged before it was killed."""
    read, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write(subject, folder, schedule, pipe)
        finally:
            os._exit(1)
    os.close(pipe)
    try:
        if not select.select([read], [], [], 60)[0]:
            raise Wrong("the writer does not begin")
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        said = b"".join(iter(lambda: os.read(read, 1 << 16), b""))
    finally:
        os.close(read)
    if not os.WIFSIGNALED(status):
        raise Wrong("the writer died by itself")
    return said.count(b"b"), said.count(b"e")


def soak(subject_name: str, folder: Path, *, kills: int, seed: int) -> dict[str, object]:
    """Kill so many writers, one after the other, on the same folder, and look after each."""
    shrink_tiers()
    subject, rng = SUBJECTS[subject_name], random.Random(seed)
    schedule = Schedule(first=300)
    subject.create(folder, schedule)
    change, since = schedule.advance(), time.monotonic()
    subject.apply(subject.open(folder), change)
    longest = max(LONGEST_S, STEPS * (time.monotonic() - since))
    amid = kept = steps = 0
    for number in range(kills):
        began, done = killed(subject, folder, schedule.copy(), rng.uniform(0, longest))
        schedule.to(schedule.step + done)
        steps += done
        one = subject.open(folder)
        subject.verify(one)
        if began > done:
            amid += 1
            after = schedule.copy()
            after.advance()
            if after.items != schedule.items and subject.holds(one, after.items):
                schedule, kept = after, kept + 1
        if not subject.holds(one, schedule.items):
            raise Wrong(f"after kill {number + 1} the state is not that of step {schedule.step}")
    change = schedule.advance()
    if not subject.holds(subject.apply(subject.open(folder), change), schedule.items):
        raise Wrong("writing does not go on")
    if not steps + kept:
        raise Wrong("no writer lived to the end of a step: nothing of what it wrote was looked for")
    return {"kills": kills, "amid_a_step": amid, "of_these_committed": kept, "steps": steps}
