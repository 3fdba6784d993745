"""The inputs of a scan that were found and whose Results are not yielded yet, in order."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from screener.errors import MediaError
from screener.media.archives.archive import Budget, Member
from screener.media.files.limits import Limits
from screener.media.name import Name, name_of
from screener.scanning.inputs.content import Content
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.inputs.listed_names import POLL_SECONDS, Awaited
from screener.scanning.read_ahead import ReadAhead
from screener.scanning.resume import Finished
from screener.scanning.workers.protocol import AnyWorker
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Target
from screener.screening.result import Members, Result

# Files of folders are taken in windows of this size, each opened in the order of the disk. Some
# windows may wait after a slow file.
_WINDOW_FILES = 256
_MAX_WAITING = 4 * _WINDOW_FILES
# Copies that begin together: at most this number, or these bytes and one more copy.
_WINDOW_COPIES, _WINDOW_BYTES = 16, 1 << 20
# Records that waiting results may name. One takes some 1.5 kB, and an input may match 100,000.
_MAX_RECORDS = 100_000

# The number of a member, the member, and the number of earlier members of the same name. Its full
# name may be long, and is formed only when a worker gets it.
_NumberedMember = tuple[int, Member, int]

# Returns whether a cache has the current state of an input.
IsCached = Callable[[Name], bool]


@dataclass
class RemainingBudget:
    """The number of members and of bytes that an outermost archive may still have."""

    members: int
    bytes: int

    @property
    def budget(self) -> Budget:
        """The same for a worker, which may find an archive."""
        return Budget(self.members, self.bytes)


@dataclass(eq=False)
class PendingInput:
    """An input whose Result is not yielded yet: a file, a member, or an archive after its members.

    Attributes:
        container: The archive that the input is a member of.
        content: The input, if it is no file; `target` then is its copy.
        has_line: An earlier scan wrote its line, so it is hashed only for the cache.
        reopened: An archive with a line is opened again for members without one.
        error: The reason that a member cannot be read.
        worker: The worker that got the target.
        decided: Whether `finish` was called.
        seconds: The processor time of an earlier attempt.
        result: Its Result, or None if none is to be yielded.
        record_count: The number of records that its Result names.

    Attributes of an archive:
        name: Its name.
        own_hashes: The hashes of the archive itself.
        members: The members that no worker has yet.
        unreleased: The number of members with a worker whose Results are not yielded yet.
        single_worker: Whether only the worker that opened it can read its members.
        member_verdicts: The number of Results below it by verdict.
        has_new_result: Whether any of these is new in this scan.
    """

    target: Target
    remaining: RemainingBudget
    container: PendingInput | None = None
    content: Content | None = None
    has_line: bool = False
    reopened: bool = False
    inode: int = 0
    error: MediaError | None = None
    worker: AnyWorker | None = None
    decided: bool = False
    seconds: float = 0.0
    result: Result | None = None
    record_count: int = 0
    name: Name | None = None
    own_hashes: HashedInput | None = None
    members: deque[_NumberedMember] = field(default_factory=deque)
    unreleased: int = 0
    single_worker: bool = False
    member_verdicts: Counter[str] = field(default_factory=Counter)
    has_new_result: bool = False

    @property
    def ready(self) -> bool:
        """Whether its Result can be yielded: an archive's comes after its last member's."""
        return self.decided and not self.members and not self.unreleased

    @property
    def only_worker(self) -> AnyWorker | None:
        """The worker that must read it, if others would have to unpack its archive again."""
        if self.container is None or not self.container.single_worker:
            return None
        return self.container.worker

    @property
    def outermost_name(self) -> Name:
        """The name of the file that it is in, at any depth."""
        item = self
        while item.container is not None:
            item = item.container
        return item.name or Name()


class Backlog:
    """A queue of inputs, filled from the found files as needed. Not thread-safe.

    Inputs that are `finished` are skipped unless the cache lacks them. If an archive is finished,
    its members may not be: one may need an extra that is now installed, or its line may have been
    removed so that it is screened again.
    """

    def __init__(
        self,
        files: Iterator[FoundFile | Content | Awaited],
        *,
        ahead: ReadAhead,
        limits: Limits,
        ordered: bool,
        finished: Finished | None,
        is_cached: IsCached | None = None,
    ) -> None:
        self.awaited: Awaited | None = None
        """The input that must arrive before `next` may return more."""
        self._files = files
        self._ahead = ahead
        self._limits = limits
        self._ordered = ordered
        self._finished = finished
        self._is_cached = is_cached
        self._order: deque[PendingInput] = deque()
        self._files_to_read: deque[PendingInput] = deque()  # in the order of the disk
        self._open_archives: list[PendingInput] = []  # with members that no worker has
        self._record_count = 0  # of waiting results

    def __bool__(self) -> bool:
        """Return whether any Result was not yielded yet."""
        return bool(self._order)

    def release(self) -> Iterator[PendingInput]:
        """Remove and yield the inputs whose Results can be yielded."""
        if not self._ordered:
            for item in [item for item in self._order if item.ready]:
                self._order.remove(item)
                yield self._settle(item)
            return
        while self._order and self._order[0].ready:
            yield self._settle(self._order.popleft())

    def finish(self, item: PendingInput, result: Result) -> None:
        """Store the Result of an input until it can be yielded."""
        item.result, item.decided = result, True
        if item.content is not None and item.own_hashes is None:  # an archive's members are in it
            self._ahead.release(item.content)
        item.record_count = len(result.matches) + len(result.other_hits)
        self._record_count += item.record_count

    def next(self) -> PendingInput | None:
        """Return the next input: a member of an open archive, or a file."""
        self.awaited = None
        self._ahead.bell.clear()
        return (self._next_member() if self._open_archives else None) or self._next_file()

    def open(self, archive: PendingInput, members: tuple[Member, ...]) -> None:
        """Queue the members of an archive before it."""
        archive.name = archive.name or archive.outermost_name
        name_counts: Counter[bytes] = Counter()
        for index, member in enumerate(members):
            archive.members.append((index, member, name_counts[member.name]))
            name_counts[member.name] += 1
        if archive.members:
            self._open_archives.append(archive)

    def _next_member(self) -> PendingInput | None:
        """Return a member of the first archive that has one for a free worker, or None."""
        for archive in list(self._open_archives):
            if archive.single_worker and archive.worker is not None and not archive.worker.free:
                continue
            if self._is_full() and self._order[0] is not archive:
                continue
            while archive.members:
                number, member, same = archive.members.popleft()
                target = archive.target.member(number, member, archive.name or Name(), same=same)
                item = PendingInput(
                    target, archive.remaining, container=archive, error=member.error
                )
                if not self._is_wanted(item, target.name):
                    continue
                archive.unreleased += 1
                self._order.insert(self._order.index(archive), item)
                return item
            self._open_archives.remove(archive)
        return None

    def close(self) -> None:
        """Free all copies of inputs."""
        self._ahead.close()

    def _next_file(self) -> PendingInput | None:
        while self._needs_files() and not self._is_full() and self._fill():
            pass
        if self._ahead:
            self._take_copies()
        if not self._files_to_read:
            if self._ahead:
                self._await_copies()
            return None
        if self._record_count <= _MAX_RECORDS:
            return self._files_to_read.popleft()
        first = self._order[0]  # All others wait for it.
        if first not in self._files_to_read:
            return None
        self._files_to_read.remove(first)
        return first

    def _needs_files(self) -> bool:
        """Return whether to take more files: there is none, or others can be copied ahead."""
        return self._ahead.has_room and (bool(self._ahead) or not self._files_to_read)

    def _await_copies(self) -> None:
        """Let `awaited` wait for the next copy too."""
        if self.awaited is None:
            self.awaited = self._ahead.awaited
        elif self.awaited.descriptors:
            descriptors = {*self.awaited.descriptors, *self._ahead.awaited.descriptors}
            self.awaited = Awaited(tuple(descriptors))

    def _take_copies(self) -> None:
        """Queue the inputs whose copies are made, or cannot be."""
        for item in self._ahead.collect():
            if item.content is not None:
                self._take_copy(item, item.content)

    def _take_copy(self, item: PendingInput, content: Content) -> None:
        name, copied = content.take()
        if isinstance(copied, MediaError):
            item.error, copied = copied, ""
        item.target = Target(copied, name=name)
        # Only now is its state certain.
        if item.has_line or item.reopened or self._is_wanted(item, name):
            self._files_to_read.append(item)
        else:
            self._order.remove(item)
            self._ahead.release(content)

    def _is_full(self) -> bool:
        """Return whether only the input that all others wait for may still be taken."""
        return len(self._order) >= _MAX_WAITING or self._record_count > _MAX_RECORDS

    def _fill(self) -> bool:
        """Take more files; return False if there are none, or none has arrived."""
        resumes = self._finished is not None
        taken = False
        window: list[PendingInput] = []
        copies = memory = 0
        since = time.monotonic()
        for file in self._files:
            if isinstance(file, Awaited):
                self.awaited = file
                break
            taken = True
            item = self._make_item(file)
            if self._is_wanted(item, self._identify(item) if resumes else None):
                window.append(item)
            is_here = bool(item.inode)
            if item.content is not None:
                is_here = item.content.ready
                copies, memory = copies + 1, memory + item.content.memory
            # Do not wait for more names, for instance from a pipe.
            if not is_here or len(window) == _WINDOW_FILES:
                break
            if copies == _WINDOW_COPIES or memory >= _WINDOW_BYTES:
                break
            # Do not skip finished files for long without checking the workers.
            if resumes and time.monotonic() - since > POLL_SECONDS:
                self.awaited = Awaited()
                break
        self._order += window
        files = [item for item in window if item.content is None]
        self._files_to_read += sorted(files, key=lambda item: item.inode)
        for item in window:
            if item.content is not None and self._ahead.start(item, item.content):
                self._take_copy(item, item.content)
        return bool(window) or (taken and self.awaited is None)

    def _make_item(self, file: FoundFile | Content) -> PendingInput:
        remaining = RemainingBudget(self._limits.members, self._limits.unpacked)
        if isinstance(file, FoundFile):
            return PendingInput(Target(file.path), remaining, inode=file.inode)
        return PendingInput(Target(""), remaining, content=file)

    def _identify(self, item: PendingInput) -> Name | None:
        """Return its name, or None if its state is not known before it is copied."""
        if item.content is None:
            return name_of(item.target.path)
        name = item.content.identify()
        return None if name.has_no_state else name

    def _settle(self, item: PendingInput) -> PendingInput:
        self._record_count -= item.record_count
        if item.content is not None:
            self._ahead.release(item.content)
        if item.own_hashes is not None:
            self._sum_up(item, item.own_hashes)
        container, result = item.container, item.result
        if item.reopened and item.own_hashes is not None:
            item.result = None  # The file of results has its line.
        if container is not None:
            container.unreleased -= 1
            container.member_verdicts += item.member_verdicts
            if result is not None and result.counts:
                container.member_verdicts[result.verdict] += 1
            container.has_new_result |= item.has_new_result or (
                item.result is not None and not item.has_line
            )
        return item

    def _sum_up(self, archive: PendingInput, own_hashes: HashedInput) -> None:
        """Add the counts of its members to the Result of an archive.

        An archive with a line gets a second line if members were screened again. Not if summaries
        count it, since they would count it twice.
        """
        if archive.result is None:
            raise RuntimeError("an archive is released before it has a Result")
        members, has_error = Members(**archive.member_verdicts), own_hashes.error is not None
        archive.result = archive.result.with_members(members, has_error=has_error)
        if archive.has_new_result and not archive.result.counts:
            archive.has_line = archive.reopened = False

    def _is_wanted(self, item: PendingInput, name: Name | None) -> bool:
        """Return whether an input must be opened; set `has_line` or `reopened` if it has a line."""
        finished = self._finished
        verdict = None if finished is None or name is None else finished.take(name)
        if finished is None or name is None or verdict is None:
            return True
        item.has_line = self._is_cached is not None and not self._is_cached(name)
        item.reopened = not item.has_line and finished.is_archive(name)
        if item.has_line or item.reopened:
            return True
        if item.container is not None:
            item.container.member_verdicts[verdict] += 1
        return False
