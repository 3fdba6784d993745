"""The inputs of a scan that were found and whose Results are not yielded yet, in order."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from screener.errors import MediaError
from screener.media.archives.archive import Budget, Member
from screener.media.files.limits import Limits
from screener.media.source import Name, name_of
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.inputs.listed_names import POLL_SECONDS, Awaited
from screener.scanning.resume import Finished
from screener.scanning.workers.protocol import AnyWorker
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Target
from screener.screening.result import Members, Result

# Files of folders are taken in windows of this size, each opened in the order of the disk; and so
# many results may wait behind a slow file.
_WINDOW = 256
_AHEAD = 4 * _WINDOW
# Records that waiting results may name: some 1.5 kB each, and an input may match 100,000.
_RECORDS = 100_000

# The number of a member, the member, and how many of its name came before it. Its full name, which
# is long, is made when it is handed over.
_Member = tuple[int, Member, int]

# Returns whether a cache has an input of that name as it is now.
Holds = Callable[[Name], bool]


@dataclass
class Left:
    """The members and bytes that an outermost archive may still have."""

    members: int
    bytes: int

    @property
    def budget(self) -> Budget:
        """Return the same, for a worker that may find an archive."""
        return Budget(self.members, self.bytes)


@dataclass(eq=False)
class Item:
    """One place in the order of results: a file, a member, or an archive behind its members.

    `trouble` keeps a member from being read; `seconds` are those of an earlier attempt. `has_line`:
    an earlier scan wrote its line, and it is hashed for the cache alone. `opened_again`: an archive
    with a line, opened for members that have none.
    """

    target: Target
    left: Left
    holder: Item | None = None
    has_line: bool = False
    opened_again: bool = False
    inode: int = 0
    trouble: MediaError | None = None
    worker: AnyWorker | None = None
    over: bool = False
    seconds: float = 0.0
    result: Result | None = None
    records: int = 0  # that its result names
    # Of an archive: its name and own hashes, the members not handed over, the number of members not
    # released, whether only the worker that opened it reads them, the number of results below it by
    # verdict, and whether any of these is new in this scan.
    name: Name | None = None
    own: HashedInput | None = None
    members: deque[_Member] = field(default_factory=deque)
    unreleased: int = 0
    bound: bool = False
    below: Counter[str] = field(default_factory=Counter)
    renewed: bool = False

    @property
    def ready(self) -> bool:
        """Return whether its Result can be yielded: an archive's after its last member's."""
        return self.over and not self.members and not self.unreleased

    @property
    def only_worker(self) -> AnyWorker | None:
        """Return the worker that must read it, if others would have to unpack its archive anew."""
        return self.holder.worker if self.holder is not None and self.holder.bound else None

    @property
    def outermost(self) -> Name:
        """Return the name of the file that it is in, however deep."""
        item = self
        while item.holder is not None:
            item = item.holder
        return item.name or Name()


class Backlog:
    """Inputs, filled from the places found as far as needed; used by one thread.

    Inputs that are `finished` are left out, unless the cache lacks them. The line of an archive
    does not finish its members: one may want an extra that is installed now, or its line may have
    been removed for another attempt.
    """

    def __init__(
        self,
        found: Iterator[FoundFile | Awaited],
        *,
        limits: Limits,
        ordered: bool,
        finished: Finished | None,
        holds: Holds | None = None,
    ) -> None:
        self.awaited: Awaited | None = None
        """The input that must come before `next` may return more."""
        self._found = found
        self._limits = limits
        self._ordered = ordered
        self._finished = finished
        self._holds = holds
        self._order: deque[Item] = deque()
        self._todo: deque[Item] = deque()  # files in the order of the disk
        self._archives: list[Item] = []  # with members to hand out
        self._records = 0  # that waiting results name

    def __bool__(self) -> bool:
        """Return whether any Result is still to be yielded."""
        return bool(self._order)

    def release(self) -> Iterator[Item]:
        """Take the items whose Results can be yielded out of the order."""
        if not self._ordered:
            for item in [one for one in self._order if one.ready]:
                self._order.remove(item)
                yield self._released(item)
            return
        while self._order and self._order[0].ready:
            yield self._released(self._order.popleft())

    def finish(self, item: Item, result: Result) -> None:
        """Note the Result of an item, which waits until it can be yielded."""
        item.result, item.over = result, True
        item.records = len(result.matches) + len(result.other_hits)
        self._records += item.records

    def next(self) -> Item | None:
        """Return the next item: a member of an open archive, or a file."""
        self.awaited = None
        return (self._next_member() if self._archives else None) or self._next_file()

    def open(self, archive: Item, members: tuple[Member, ...]) -> None:
        """Put the members of an archive before it in the order."""
        archive.name = archive.name or archive.outermost
        before: Counter[bytes] = Counter()
        for number, member in enumerate(members):
            archive.members.append((number, member, before[member.name]))
            before[member.name] += 1
        if archive.members:
            self._archives.append(archive)

    def _next_member(self) -> Item | None:
        """Return a member of the first archive that has one for a free worker."""
        for archive in list(self._archives):
            if archive.bound and archive.worker is not None and not archive.worker.free:
                continue
            if self._is_full() and self._order[0] is not archive:
                continue
            while archive.members:
                number, member, same = archive.members.popleft()
                target = archive.target.member(number, member, archive.name or Name(), same=same)
                item = Item(target, archive.left, holder=archive, trouble=member.trouble)
                if not self._is_wanted(item, target.name):
                    continue
                archive.unreleased += 1
                self._order.insert(self._order.index(archive), item)
                return item
            self._archives.remove(archive)
        return None

    def _next_file(self) -> Item | None:
        while not self._todo:
            if self._is_full() or not self._fill():
                return None
        if self._records <= _RECORDS:
            return self._todo.popleft()
        first = self._order[0]  # which all others wait for
        if first not in self._todo:
            return None
        self._todo.remove(first)
        return first

    def _is_full(self) -> bool:
        """Return whether no more inputs are taken but the one that all others wait for."""
        return len(self._order) >= _AHEAD or self._records > _RECORDS

    def _fill(self) -> bool:
        """Take more files; return False if there are none, or none for now."""
        limits, finished = self._limits, self._finished is not None
        taken = False
        window: list[Item] = []
        since = time.monotonic()
        for place in self._found:
            if isinstance(place, Awaited):
                self.awaited = place
                break
            path, inode = place
            taken = True
            name = name_of(path) if finished else None
            item = Item(Target(path), Left(limits.members, limits.unpacked), inode=inode)
            if self._is_wanted(item, name):
                window.append(item)
            # Do not wait for further names, of a pipe for instance.
            if not inode or len(window) == _WINDOW:
                break
            # Nor for names behind any number of others that are done already.
            if finished and time.monotonic() - since > POLL_SECONDS:
                self.awaited = Awaited()
                break
        self._order += window
        self._todo += sorted(window, key=lambda item: item.inode)
        return bool(window) or (taken and self.awaited is None)

    def _released(self, item: Item) -> Item:
        self._records -= item.records
        if item.own is not None:
            self._sum_up(item, item.own)
        holder, result = item.holder, item.result
        if item.opened_again and item.own is not None:
            item.result = None  # it has that line
        if holder is not None:
            holder.unreleased -= 1
            holder.below += item.below
            if result is not None and result.counts:
                holder.below[result.verdict] += 1
            holder.renewed |= item.renewed or (item.result is not None and not item.has_line)
        return item

    def _sum_up(self, archive: Item, own: HashedInput) -> None:
        """Add the counts of its members to the Result of an archive.

        An archive with a line gets a second one if members were screened anew, unless summaries
        count it: they would count it twice.
        """
        if archive.result is None:
            raise RuntimeError("an archive is released before it was settled")
        members, in_trouble = Members(**archive.below), own.trouble is not None
        archive.result = archive.result.of_archive(members, in_trouble=in_trouble)
        if archive.renewed and not archive.result.counts:
            archive.has_line = archive.opened_again = False

    def _is_wanted(self, item: Item, name: Name | None) -> bool:
        """Return whether there is anything to do with an item of that name. If an earlier scan
        wrote its line, the item says for what: `has_line` or `opened_again`.
        """
        finished = self._finished
        verdict = None if finished is None or name is None else finished.take(name)
        if finished is None or name is None or verdict is None:
            return True
        item.has_line = self._holds is not None and not self._holds(name)
        item.opened_again = not item.has_line and finished.is_archive(name)
        if item.has_line or item.opened_again:
            return True
        if item.holder is not None:
            item.holder.below[verdict] += 1
        return False
