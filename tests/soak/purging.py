"""A purge under power cuts and failing disks: made or not, and once done, nothing of it is left.

The purge takes one of two sources away. Cuts and failures are those of `power`; what is done to
SQLite's own file is SQLite's to survive, see there.
"""

from __future__ import annotations

import errno
import itertools
import random
import shutil
from pathlib import Path

from power import Cuts, Failing, Model, copied, recording
from schedule import Change, Schedule, codes_of
from subjects import ListSubject, Wrong, shrink_tiers

from screener import HashList
from screener.errors import ScreenerError
from screener.system import files as disk

KEPT, GONE = 60, 40  # items of the source that stays, and of the one that is purged
PURGE = Change(removed=tuple(range(KEPT, KEPT + GONE)))


class PurgedSubject(ListSubject):
    """A HashList of two sources; the step under test purges one of them."""

    def create(self, path: Path, schedule: Schedule) -> HashList:
        """One with the items of both, in several index files."""
        one = super().create(path, schedule)
        for first in range(KEPT, KEPT + GONE, GONE // 2):
            some = tuple(range(first, first + GONE // 2))
            one = self._import(one, some, source="gone")
        return one

    def apply(self, one: HashList, change: Change) -> HashList:
        """The purge, or what any list does."""
        if change is PURGE:
            one.purge("gone", by="soak")
            return one.refresh()
        return super().apply(one, change)

    def _import(self, one: HashList, items: tuple[int, ...], *, source: str) -> HashList:
        file = one.path.with_name(one.path.name + ".csv")
        rows = [
            f"e{item},{code.tobytes().hex()},{code.tobytes()[16:].hex()}\n"
            for item, code in zip(items, codes_of(items), strict=True)
        ]
        file.write_text("id,pdq,md5\n" + "".join(rows))
        one.import_file(file, source=source)
        return one.refresh()


def traces(folder: Path) -> list[str]:
    """The files under a folder that hold a code of the purged source."""
    codes = [code.tobytes() for code in codes_of(PURGE.removed)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(code in path.read_bytes() for code in codes)]


def _states() -> tuple[Schedule, Schedule]:
    """Before the purge and after it."""
    before, after = Schedule(first=KEPT + GONE), Schedule(first=KEPT)
    return before, after


def soak(folder: Path, *, rounds: int, seed: int) -> dict[str, object]:
    """Cut the power at every call of a purge, with other random choices in each round."""
    shrink_tiers()
    subject, total = PurgedSubject(), dict.fromkeys(("calls", "cuts", "folders_opened"), 0)
    for number in range(rounds):
        work = folder / str(number)
        work.mkdir(parents=True)
        path = work / "subject"
        one = subject.create(path, Schedule(first=KEPT))
        before, after = _states()
        cuts = Cuts(subject, work, random.Random(seed + number))
        database = copied(path, work / "copies")
        model = Model(path / subject.folder_of_files)
        with recording(path, work / "copies") as noting:
            one = subject.apply(one, PURGE)
        cuts.step(noting.calls, model, database, before, after)
        if traces(path):
            raise Wrong("a purge leaves traces")
        for cut in model.cuts(random.Random(seed)):
            if any(code.tobytes() in held for code in codes_of(PURGE.removed)
                   for held in cut.values()):  # fmt: skip
                raise Wrong("a purge that was acknowledged may be undone by a power cut")
        if not subject.holds(one, after.items):
            raise Wrong("a purge did not do what it must")
        total["calls"] += len(noting.calls)
        total["cuts"] += cuts.cuts
        total["folders_opened"] += cuts.opened
        shutil.rmtree(work)
    return {"rounds": rounds, **total}


def fail(folder: Path) -> dict[str, object]:
    """Fail each call of a purge once, with a full disk and with a broken one; the next writer
    completes what was committed, and a purge that was not is made by asking again.
    """
    shrink_tiers()
    subject = PurgedSubject()
    folder.mkdir(parents=True)
    path, trial = folder / "subject", folder / "trial"
    subject.create(path, Schedule(first=KEPT))
    before, after = _states()
    failures = committed = 0
    for number in (errno.ENOSPC, errno.EIO):
        for calls in itertools.count(1):
            shutil.rmtree(trial, ignore_errors=True)
            shutil.copytree(path, trial)
            disk.current = failing = Failing(calls, number)
            try:
                subject.apply(subject.open(trial), PURGE)
            except ScreenerError as error:
                if not failing.failed:
                    raise Wrong(f"a purge is refused without a failure: {error}") from error
            finally:
                disk.current = disk.Disk()
            committed += _check_failed(subject, trial, before, after) and bool(failing.failed)
            if not failing.failed:
                break
            failures += 1
    return {"failures": failures, "of_these_committed": committed}


def _check_failed(subject: PurgedSubject, trial: Path, before: Schedule, after: Schedule) -> bool:
    """Whether the purge was made, wholly or not at all; then it is completed."""
    one = subject.open(trial)
    subject.verify(one)
    made = subject.holds(one, after.items)
    if not made and not subject.holds(one, before.items):
        raise Wrong("after a failed call a purge is half made")
    one = one.refresh() if made else subject.apply(one, PURGE)
    one.compact()  # a writer, and no more
    one = one.refresh()
    if traces(trial):
        raise Wrong("after a failed call a purge cannot be completed")
    if not subject.holds(one, after.items):
        raise Wrong("after a failed call the same purge does not succeed")
    return made
