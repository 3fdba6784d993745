"""Hash pictures and clips of reporters and analysts in a confined worker process.

Every computed kind of hash is used; the process returns nothing but hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from types import MappingProxyType
from typing import ClassVar

from screener.errors import MediaError
from screener.hashing import classic
from screener.hashing.hash import KINDS
from screener.hotline.language.sentence import mark
from screener.hotline.model.report import REGIONS, Item
from screener.media.archives.archive import Budget
from screener.media.files.sniff import CONTAINERS
from screener.screening.input import vpdq
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash
from screener.screening.policy import Effort, Policy

_MAX_SECONDS = 600.0  # per file, since a reporter can wait for a long clip
_PICTURE_KINDS = tuple(kind for kind in KINDS.values() if kind.computed and not kind.video)
# Frames of clips get PDQ only; with other kinds a report would be ten times as long.
_CLIP_KINDS = tuple(kind for kind in _PICTURE_KINDS if kind.digest or kind.name == "pdq")

# Sentences for the reasons of a MediaError.
_REASON_SENTENCES: Mapping[str, str] = MappingProxyType(
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
    """A file that could not be hashed: its index in the arguments, and the error."""

    index: int
    error: MediaError

    @property
    def reason(self) -> str:
        """The reason as a sentence, or the bare code if it has none."""
        return _REASON_SENTENCES.get(self.error.reason, self.error.reason)


@dataclass(frozen=True)
class HashTask:
    """Task of the worker process: hash one file."""

    outcomes: ClassVar = ()
    kinds: ClassVar = _PICTURE_KINDS

    policy: Policy

    def start_session(self) -> HashTask:
        """Return the task itself, since it opens nothing."""
        return self

    def run(self, target: Target, budget: Budget | None, mode: HashMode) -> HashedInput:
        """Hash a file with all kinds, and a clip also as one vPDQ value."""
        if mode is HashMode.DIGESTS_ONLY:
            kinds = [kind for kind in self.kinds if kind.digest]
            return hash_item(target.path, policy=self.policy, kinds=kinds)
        hashed = hash_item(target.path, policy=self.policy, kinds=_CLIP_KINDS)
        if not _is_clip(hashed):
            other_kinds = [kind for kind in self.kinds if kind not in _CLIP_KINDS]
            other_hashes = hash_item(target.path, policy=self.policy, kinds=other_kinds)
            return replace(hashed, hashes=(*hashed.hashes, *other_hashes.hashes))
        value, clip_error = vpdq.compute(target.path)
        clip = () if value is None else (LocatedHash(value),)
        return replace(hashed, hashes=(*hashed.hashes, *clip), error=hashed.error or clip_error)


def hash_files(paths: Sequence[FilePath]) -> tuple[tuple[Item, ...], tuple[HashingFailure, ...]]:
    """Return an Item for each file, and the files that could not be hashed.

    A damaged file has an Item if any picture in it decodes. Files are opened in a worker process,
    so scripts need an `if __name__ == "__main__":` guard. Raises HashError without the libraries of
    the extra `hashes`, which the extra `hotline` includes.
    """
    return _hash_all(paths, accept_damaged=True)


def hash_intact_files(
    paths: Sequence[FilePath],
) -> tuple[tuple[Item, ...], tuple[HashingFailure, ...]]:
    """Hash files like `hash_files`, but report damaged files as failures.

    A damaged file may show something else than the original, so nobody may confirm it.
    """
    return _hash_all(paths, accept_damaged=False)


def _hash_all(
    paths: Sequence[FilePath], *, accept_damaged: bool
) -> tuple[tuple[Item, ...], tuple[HashingFailure, ...]]:
    if not paths:
        return (), ()
    classic.check_installed(_PICTURE_KINDS)
    from screener.scanning.workers.pool import map_ordered

    items: list[Item] = []
    failures: list[HashingFailure] = []
    task = HashTask(Policy(seconds=_MAX_SECONDS, effort=Effort.DISTANCE, insets=0))
    for index, hashed in enumerate(map_ordered(task, map(str, paths), jobs=1)):
        item = make_item(hashed)
        if item is not None and (accept_damaged or hashed.error is None):
            items.append(item)
        else:
            error = hashed.error or MediaError("undecodable", "no picture in it")
            failures.append(HashingFailure(index, error))
    return tuple(items), tuple(failures)


def _is_clip(hashed: HashedInput) -> bool:
    media = hashed.media
    return media is not None and (media.type in CONTAINERS or media.frames > 1)


def make_item(hashed: HashedInput) -> Item | None:
    """Return the Item of a hashed file, or None if no picture in it was hashed."""
    hashes = tuple(_round_times(located) for located in _select_visible(hashed.hashes))
    if hashed.media is None or not any(located.hash.kind.perceptual for located in hashes):
        return None
    return Item(hashed.media.type, _is_clip(hashed), hashes)


def _select_visible(hashes: Iterable[LocatedHash]) -> Iterable[LocatedHash]:
    """Yield the hashes of visible frames, since thumbnails may show another picture."""
    return (
        located for located in hashes if located.part_kind == "frame" and located.region in REGIONS
    )


def _round_times(located: LocatedHash) -> LocatedHash:
    times = tuple(round(time, 3) for time in located.again)
    return located._replace(time=round(located.time, 3), again=times)
