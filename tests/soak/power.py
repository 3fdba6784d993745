"""Power cuts and failing disks: what a folder may look like afterwards, and what must be in it.

Every call by which an index writes is noted (`screener.system.files`). For each point between two
of them the folder is laid out as a power cut then may leave it. What a sync has promised is
there. Of the rest anything may be missing: any subset of the names made, changed and removed since
their folder was last synced, and of a file's unsynced writes none, all, or some pages in any order,
with zeros or the end of the file where others should be. Names are changed in the order of the
calls; two that concern different names may come in either order, which a subset covers.

SQLite's own file is taken at its word: `synchronous = FULL` makes a commit last, and a cut before
it leaves what was there. So the database is copied as it stands at each commit, before and after;
what is ours to show is that the files named by a commit were synced, with their names, before it.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from schedule import Schedule
from subjects import SUBJECTS, Wrong, shrink_tiers

from screener.errors import ScreenerError
from screener.system import files as disk

PAGE = 4096
_EXHAUSTIVE = 5  # pending changes of names of which every subset is tried
_SAMPLES = 24
_VARIANTS = 3  # of the unsynced contents, for each choice of names


@dataclass
class Noting(disk.Disk):
    """Does every call, and keeps what it was; `commits` are added from outside."""

    calls: list[tuple] = field(default_factory=list)
    _numbers: dict[int, int] = field(default_factory=dict)
    _made: Iterator[int] = field(default_factory=itertools.count)

    def create(self, path: Path, mode: int = 0o600) -> int:
        handle = super().create(path, mode)
        self._numbers[handle] = next(self._made)
        self.calls.append(("create", path.name, self._numbers[handle]))
        return handle

    def write(self, handle: int, data: bytes | memoryview) -> None:
        super().write(handle, data)
        self.calls.append(("write", self._numbers[handle], bytes(data)))

    def sync(self, handle: int) -> None:
        super().sync(handle)
        self.calls.append(("sync", self._numbers[handle]))

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self.calls.append(("rename", old.name, new.name))

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.calls.append(("remove", path.name))

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self.calls.append(("sync_folder",))


@dataclass
class File:
    """What of a file lasts, and what was written since."""

    lasting: bytes = b""
    pending: list[bytes] = field(default_factory=list)

    def variants(self, rng: random.Random) -> Iterator[bytes]:
        """Contents that a power cut may leave."""
        yield self.lasting
        if not self.pending:
            return
        whole = self.lasting + b"".join(self.pending)
        yield whole
        for _ in range(_VARIANTS):
            torn = bytearray(whole)
            for start in range(len(self.lasting) // PAGE * PAGE, len(whole), PAGE):
                if rng.random() < 0.5:
                    torn[start : start + PAGE] = bytes(len(torn[start : start + PAGE]))
            torn[: len(self.lasting)] = self.lasting
            yield bytes(torn[: rng.choice((len(torn), rng.randint(len(self.lasting), len(torn))))])


class Model:
    """The folder as the calls have left it: what lasts, and what does not yet."""

    def __init__(self, folder: Path) -> None:
        """All that is there now lasts."""
        self.files: dict[object, File] = {}
        self.names: dict[str, object] = {}
        self.pending: list[tuple] = []
        for path in folder.iterdir():
            if path.is_file():
                self.files[path.name] = File(path.read_bytes())
                self.names[path.name] = path.name

    def take(self, call: tuple) -> None:
        """One more call was made."""
        what, *rest = call
        if what == "create":
            self.files[rest[1]] = File()
            self.pending.append(call)
        elif what == "write":
            self.files[rest[0]].pending.append(rest[1])
        elif what == "sync":
            file = self.files[rest[0]]
            file.lasting, file.pending = file.lasting + b"".join(file.pending), []
        elif what in ("rename", "remove"):
            self.pending.append(call)
        elif what == "sync_folder":
            self.names, self.pending = self._after(self.pending), []

    def _after(self, calls: list[tuple]) -> dict[str, object]:
        names = dict(self.names)
        made = {name: number for what, name, *rest in self.pending if what == "create"
                for number in rest}  # fmt: skip
        for what, name, *rest in calls:
            if what == "create":
                names[name] = rest[0]
            elif what == "remove":
                names.pop(name, None)
            else:
                # A rename is one change: it lasts even where the making of the old name did not.
                moved = names.pop(name, made.get(name))
                if moved is not None:
                    names[rest[0]] = moved
        return names

    def cuts(self, rng: random.Random) -> Iterator[dict[str, bytes]]:
        """Folders that a power cut may leave at this point."""
        for chosen in self._subsets(rng):
            names = self._after(chosen)
            files = {name: list(self.files[file].variants(rng)) for name, file in names.items()}
            for number in range(max(map(len, files.values()), default=1)):
                yield {
                    name: rng.choice(some) if number > 1 else some[min(number, len(some) - 1)]
                    for name, some in files.items()
                }

    def _subsets(self, rng: random.Random) -> Iterator[list[tuple]]:
        count = len(self.pending)
        if count <= _EXHAUSTIVE:
            masks = list(itertools.product((False, True), repeat=count))
        else:
            masks = [tuple(at < end for at in range(count)) for end in range(count + 1)]
            masks += [tuple(rng.random() < 0.5 for _ in range(count)) for _ in range(_SAMPLES)]
        for mask in masks:
            yield list(itertools.compress(self.pending, mask))

    def lasts(self, name: str) -> bool:
        """Whether a file of that name is there after any power cut, and whole."""
        file = self.names.get(name)
        touched = any(name in call[1:] for call in self.pending)
        return file is not None and not touched and not self.files[file].pending


def noting_commits(noting: Noting, path: Path, copies: Path):
    """A class of connections that copies the database before and after each commit."""

    class Connection(sqlite3.Connection):
        def execute(self, statement, *rest):
            if statement != "COMMIT":
                return super().execute(statement, *rest)
            named = {file for (file,) in super().execute(
                "SELECT file FROM segments WHERE until IS NULL")}  # fmt: skip
            noting.calls.append(("commit", named, None))
            answer = super().execute(statement)
            noting.calls.append(("committed", None, copied(path, copies)))
            return answer

    return Connection


def copied(path: Path, copies: Path) -> Path:
    """The files of a list's database as they stand, in a folder of their own."""
    copies.mkdir(exist_ok=True)
    to = copies / str(sum(1 for _ in copies.iterdir()))
    to.mkdir()
    for file in path.glob("records.sqlite*"):
        if not file.name.endswith("-shm"):
            shutil.copyfile(file, to / file.name)
    return to


@contextlib.contextmanager
def recording(path: Path, copies: Path) -> Iterator[Noting]:
    """Note all calls and commits of the body."""
    noting, connect = Noting(), sqlite3.connect
    factory = noting_commits(noting, path, copies)
    disk.current = noting
    sqlite3.connect = lambda *rest, **settings: connect(*rest, factory=factory, **settings)
    try:
        yield noting
    finally:
        disk.current, sqlite3.connect = disk.Disk(), connect


class Cuts:
    """Lays out folders, opens each and compares; counts."""

    def __init__(self, subject, work: Path, rng: random.Random) -> None:
        """Work in that folder, which is to be in memory."""
        self.subject, self.work, self.rng = subject, work, rng
        self.points = self.cuts = self.opened = self.continued = 0

    def step(self, calls: list[tuple], model: Model, database: Path | None,
             before: Schedule, after: Schedule) -> None:  # fmt: skip
        """Cut the power at every point of one step; at its end what it did must last."""
        databases = [database] if database else [None]
        acknowledged = False
        for place, call in enumerate([None, *calls, ("end",)]):
            if call is not None:
                model.take(call)
                if call[0] == "commit" and not all(map(model.lasts, call[1])):
                    raise Wrong("a commit names a file that is not on the disk")
                # During the commit SQLite may be on either side of it; then it is done.
                if call[0] == "commit":
                    databases = [databases[-1], calls[place][2]]
                elif call[0] == "committed":
                    databases = [call[2]]
                acknowledged = call[0] == "end"
            self.points += 1
            allowed = [after.items] if acknowledged else [before.items, after.items]
            self._point(model, databases, allowed, after)

    def _point(self, model: Model, databases: list, allowed: list[set[int]], after: Schedule):
        seen = set()
        for cut in model.cuts(self.rng):
            for number, database in enumerate(databases):
                self.cuts += 1
                key = number, frozenset((name, hash(content)) for name, content in cut.items())
                if key not in seen:
                    seen.add(key)
                    self._open(cut, database, allowed, after)

    def _open(self, cut: dict[str, bytes], database: Path | None, allowed, after: Schedule) -> None:
        path = self.work / "cut"
        shutil.rmtree(path, ignore_errors=True)
        folder = path / self.subject.folder_of_files
        folder.mkdir(parents=True)
        for name, content in cut.items():
            (folder / name).write_bytes(content)
        if database:
            for file in database.iterdir():
                shutil.copyfile(file, path / file.name)
        self.opened += 1
        try:
            one = self.subject.open(path)
            self.subject.verify(one)
            if not any(self.subject.holds(one, items) for items in allowed):
                raise Wrong("after a power cut the state is none of those that may be")
            if self.rng.random() < 0.02:
                self._continue(one, after)
        except (ScreenerError, OSError, sqlite3.Error) as error:
            raise Wrong(f"after a power cut: {error!r}") from error

    def _continue(self, one, after: Schedule) -> None:
        """Writing goes on, and nothing lies about that no state names."""
        self.continued += 1
        further = after.copy()
        items = after.items if self.subject.holds(one, after.items) else None
        change = further.advance()
        if items is not None and not self.subject.holds(
            self.subject.apply(one, change), further.items
        ):
            raise Wrong("after a power cut writing does not go on")


def soak(subject_name: str, folder: Path, *, steps: int, seed: int,
         forgets: str = "") -> dict[str, object]:  # fmt: skip
    """Cut the power at every call of so many steps. Raises Wrong at the first torn state."""
    shrink_tiers()
    subject, rng = SUBJECTS[subject_name], random.Random(seed)
    schedule = Schedule(first=60, most=40)
    folder.mkdir(parents=True)
    path = folder / "subject"
    one = subject.create(path, schedule)
    cuts = Cuts(subject, folder, rng)
    database = copied(path, folder / "copies") if subject_name == "list" else None
    total = 0
    for _ in range(steps):
        before = schedule.copy()
        change = schedule.advance()
        model = Model(path / subject.folder_of_files)
        with recording(path, folder / "copies") as noting:
            one = subject.apply(one, change)
        calls = [call for call in noting.calls if call[0] != forgets]
        total += len(calls)
        cuts.step(calls, model, database, before, schedule)
        if not subject.holds(one, schedule.items):
            raise Wrong(f"step {schedule.step} did not do what it must")
        if database:
            database = next((c[2] for c in reversed(calls) if c[0] == "committed"), database)
    return {
        "steps": steps, "calls": total, "points": cuts.points, "cuts": cuts.cuts,
        "distinct_folders_opened": cuts.opened, "written_on": cuts.continued,
    }  # fmt: skip


class Failing(disk.Disk):
    """Fails its n-th call: a write in its middle, anything else before it is done."""

    def __init__(self, calls: int, number: int) -> None:
        """`calls` is n, `number` the error."""
        self.left, self.number, self.failed = calls, number, ""

    def _burn(self, what: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = what
            raise OSError(self.number, os.strerror(self.number))

    def create(self, path: Path, mode: int = 0o600) -> int:
        self._burn("create")
        return super().create(path, mode)

    def write(self, handle: int, data: bytes | memoryview) -> None:
        if self.left == 1:
            super().write(handle, memoryview(data)[: len(data) // 2])
        self._burn("write")
        super().write(handle, data)

    def sync(self, handle: int) -> None:
        self._burn("sync")
        super().sync(handle)

    def rename(self, old: Path, new: Path) -> None:
        self._burn("rename")
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._burn("remove")
        super().remove(path)

    def sync_folder(self, path: Path) -> None:
        self._burn("sync_folder")
        super().sync_folder(path)


def fail(subject_name: str, folder: Path, *, steps: int) -> dict[str, object]:
    """Fail each call of each of so many steps once, with a full disk and with a broken one."""
    shrink_tiers()
    subject = SUBJECTS[subject_name]
    schedule = Schedule(first=60, most=40)
    folder.mkdir(parents=True)
    path, trial = folder / "subject", folder / "trial"
    subject.create(path, schedule)
    failures = refused = 0
    for _ in range(steps):
        before = schedule.copy()
        change = schedule.advance()
        for number in (errno.ENOSPC, errno.EIO):
            for calls in itertools.count(1):
                shutil.rmtree(trial, ignore_errors=True)
                shutil.copytree(path, trial)
                disk.current = failing = Failing(calls, number)
                try:
                    subject.apply(subject.open(trial), change)
                    allowed = [schedule.items]
                except (OSError, ScreenerError):
                    # The sync after the last rename is too late to take that back.
                    late = subject_name == "index" and failing.failed == "sync_folder"
                    allowed = [before.items, *([schedule.items] if late else [])]
                    refused += 1
                finally:
                    disk.current = disk.Disk()
                _check_failed(subject, trial, allowed, change, schedule)
                if not failing.failed:
                    break
                failures += 1
        subject.apply(subject.open(path), change)
    return {"steps": steps, "failures": failures, "of_these_reported": refused}


def _check_failed(
    subject, trial: Path, allowed: list[set[int]], change, schedule: Schedule
) -> None:
    """The state is the one before, whole, and the same change then succeeds."""
    one = subject.open(trial)
    subject.verify(one)
    if not any(subject.holds(one, items) for items in allowed):
        raise Wrong("after a failed call the state is neither the old nor the new one")
    one = subject.apply(one, change)
    if not subject.holds(one, schedule.items):
        raise Wrong("after a failed call the same change does not succeed")
