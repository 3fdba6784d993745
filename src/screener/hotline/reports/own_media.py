"""Hash pictures and clips for a hotline, by every kind, in a confined worker process.

Reporters and analysts use it. Nothing but hashes comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from types import MappingProxyType
from typing import ClassVar

from screener.errors import MediaError
from screener.hashing.hash import KINDS
from screener.hotline.language.sentence import mark
from screener.hotline.model.report import REGIONS, Item
from screener.media.archives.archive import Budget
from screener.media.files.sniff import CONTAINERS
from screener.screening.input import vpdq
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash
from screener.screening.policy import Policy

_SECONDS = 600.0  # for one file: a reporter can wait for a long clip
_STILL = tuple(kind for kind in KINDS.values() if kind.computed and not kind.video)
# Frames of a clip are hashed by PDQ only: other kinds would make the report ten times as long.
_MOVING = tuple(kind for kind in _STILL if kind.digest or kind.name == "pdq")

# Sentences for the reasons of a MediaError.
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "undecodable": mark("no picture can be read from it"),
        "truncated": mark("it is cut short"),
        "unsupported": mark("it is of no type that can be read"),
        "too_large": mark("it is too large"),
        "too_little_detail": mark("it shows too little"),
        "not_comparable": mark("nothing of it can be compared"),
        "encrypted": mark("it is encrypted"),
        "no_video": mark("there are no pictures in it"),
        "empty": mark("it is empty"),
        "timeout": mark("it takes too long"),
        "crashed": mark("the program that reads it has crashed"),
        "unreadable": mark("it cannot be opened"),
    }
)

FilePath = str | PathLike[str]


@dataclass(frozen=True)
class HashingFailure:
    """A file that could not be hashed, by its index among those passed in, and why."""

    index: int
    error: MediaError

    @property
    def reason(self) -> str:
        """Return why, as a sentence if there is one."""
        return _REASONS.get(self.error.reason, self.error.reason)


@dataclass(frozen=True)
class HashTask:
    """The task of the worker process: how it hashes one file."""

    outcomes: ClassVar = ()
    kinds: ClassVar = _STILL

    policy: Policy

    def start_session(self) -> HashTask:
        """Return the task itself, which holds no open file."""
        return self

    def run(self, target: Target, budget: Budget | None, mode: HashMode) -> HashedInput:
        """Hash a file by all kinds, and a clip's frames also as one vPDQ value."""
        if mode is HashMode.DIGESTS_ONLY:
            kinds = [kind for kind in self.kinds if kind.digest]
            return hash_item(target.path, policy=self.policy, kinds=kinds)
        hashed = hash_item(target.path, policy=self.policy, kinds=_MOVING)
        if not _moves(hashed):
            rest = [kind for kind in self.kinds if kind not in _MOVING]
            more = hash_item(target.path, policy=self.policy, kinds=rest)
            return replace(hashed, hashes=(*hashed.hashes, *more.hashes))
        value, trouble = vpdq.compute(target.path)
        clip = () if value is None else (LocatedHash(value),)
        return replace(hashed, hashes=(*hashed.hashes, *clip), error=hashed.error or trouble)


def hash_files(paths: Sequence[FilePath]) -> tuple[tuple[Item, ...], tuple[HashingFailure, ...]]:
    """Return an Item for each file, and the files that could not be hashed.

    A damaged file counts if a picture of it decodes. Each is opened in a worker process, so a
    script guards its main part by `if __name__ == "__main__":`.
    """
    return _hash_all(paths, damaged=True)


def hash_intact_files(
    paths: Sequence[FilePath],
) -> tuple[tuple[Item, ...], tuple[HashingFailure, ...]]:
    """Do as `hash_files`, but fail for damaged files.

    A damaged file may show something else than the original, and must not be confirmed.
    """
    return _hash_all(paths, damaged=False)


def _hash_all(
    paths: Sequence[FilePath], *, damaged: bool
) -> tuple[tuple[Item, ...], tuple[HashingFailure, ...]]:
    if not paths:
        return (), ()
    from screener.scanning.workers.pool import map_ordered

    items: list[Item] = []
    failures: list[HashingFailure] = []
    task = HashTask(Policy(seconds=_SECONDS))
    for index, hashed in enumerate(map_ordered(task, map(str, paths), jobs=1)):
        item = item_from(hashed)
        if item is not None and (damaged or hashed.error is None):
            items.append(item)
        else:
            error = hashed.error or MediaError("undecodable", "no picture in it")
            failures.append(HashingFailure(index, error))
    return tuple(items), tuple(failures)


def _moves(hashed: HashedInput) -> bool:
    media = hashed.media
    return media is not None and (media.type in CONTAINERS or media.frames > 1)


def item_from(hashed: HashedInput) -> Item | None:
    """Return the item of a hashed file, or None if no picture of it was hashed."""
    hashes = tuple(_rounded(one) for one in _shown(hashed.hashes))
    if hashed.media is None or not any(one.hash.kind.perceptual for one in hashes):
        return None
    return Item(hashed.media.type, _moves(hashed), hashes)


def _shown(hashes: Iterable[LocatedHash]) -> Iterable[LocatedHash]:
    """Yield the hashes of visible frames; a thumbnail or appended file may be another picture."""
    return (one for one in hashes if one.part_kind == "frame" and one.region in REGIONS)


def _rounded(one: LocatedHash) -> LocatedHash:
    times = tuple(round(time, 3) for time in one.again)
    return one._replace(time=round(one.time, 3), again=times)
