"""Hashing pictures and clips for a hotline: of every kind, in a worker process that is confined.

Used on the reporter's own computer, and by an analyst for the hotline's own hashes. What comes back
is hashes; nothing of a picture is kept, and no name, size or time of its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import ClassVar

from screener.errors import MediaError
from screener.hashing.hash import KINDS
from screener.hotline.model.report import REGIONS, Item
from screener.hotline.notices.wording import UNHASHED
from screener.media.archives.archive import Budget
from screener.media.files.sniff import CONTAINERS
from screener.screening.input import vpdq
from screener.screening.input.hash_item import Hashed, hash_item
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import Located
from screener.screening.policy import Policy

_SECONDS = 600.0  # for one file: a reporter waits for a long clip, and has nobody behind them
_STILL = tuple(kind for kind in KINDS.values() if kind.computed and not kind.video)
# Of the frames of a clip: the kind that lists of pictures are compared by. The other kinds are of
# stills, and would make a report of a clip some ten times as long.
_MOVING = tuple(kind for kind in _STILL if kind.digest or kind.name == "pdq")


FilePath = str | PathLike[str]


@dataclass(frozen=True)
class Trouble:
    """A file that could not be hashed, by its place among those given, and why."""

    place: int
    error: MediaError

    @property
    def why(self) -> str:
        """Why, as a sentence, where there is one for it."""
        return UNHASHED.get(self.error.reason, self.error.reason)


@dataclass(frozen=True)
class _Making:
    """What the worker does; it is sent to it once."""

    outcomes: ClassVar = ()
    kinds: ClassVar = _STILL

    policy: Policy

    def visit(self) -> _Making:
        return self

    def do(self, target: Target, budget: Budget | None, mode: HashMode) -> Hashed:
        """Hash a file by all kinds, and a clip's frames as one value besides."""
        if mode is HashMode.DIGESTS_ONLY:
            kinds = [kind for kind in self.kinds if kind.digest]
            return hash_item(target.path, policy=self.policy, kinds=kinds)
        hashed = hash_item(target.path, policy=self.policy, kinds=_MOVING)
        if not _moves(hashed):
            rest = [kind for kind in self.kinds if kind not in _MOVING]
            more = hash_item(target.path, policy=self.policy, kinds=rest)
            return replace(hashed, hashes=(*hashed.hashes, *more.hashes))
        made, trouble = vpdq.compute(target.path)
        whole = () if made is None else (Located(made),)
        return replace(hashed, hashes=(*hashed.hashes, *whole), trouble=hashed.trouble or trouble)


def make(paths: Sequence[FilePath]) -> tuple[tuple[Item, ...], tuple[Trouble, ...]]:
    """The items that files make, and which files make none.

    Each is opened in a worker process, which may crash, hang or run out of memory at the cost of
    that file. One that is damaged counts as far as it decodes, if a picture of it does. A script
    that calls this guards its main part by `if __name__ == "__main__":`.
    """
    return _make(paths, damaged=True)


def make_whole(paths: Sequence[FilePath]) -> tuple[tuple[Item, ...], tuple[Trouble, ...]]:
    """As `make`, of whole files only: of one that is damaged or cut short, what there is may show
    something else than it did, and is not to be confirmed.
    """
    return _make(paths, damaged=False)


def _make(
    paths: Sequence[FilePath], *, damaged: bool
) -> tuple[tuple[Item, ...], tuple[Trouble, ...]]:
    if not paths:
        return (), ()
    from screener.scanning.workers.pool import each

    items: list[Item] = []
    troubles: list[Trouble] = []
    making = _Making(Policy(seconds=_SECONDS))
    for place, hashed in enumerate(each(making, map(str, paths), jobs=1)):
        item = _item(hashed)
        if item is not None and (damaged or hashed.trouble is None):
            items.append(item)
        else:
            error = hashed.trouble or MediaError("undecodable", "no picture in it")
            troubles.append(Trouble(place, error))
    return tuple(items), tuple(troubles)


def _moves(hashed: Hashed) -> bool:
    media = hashed.media
    return media is not None and (media.type in CONTAINERS or media.frames > 1)


def _item(hashed: Hashed) -> Item | None:
    """What is told of a file; None where no picture of it could be hashed."""
    kept = tuple(_told(one) for one in _shown(hashed.hashes))
    if hashed.media is None or not any(one.hash.kind.perceptual for one in kept):
        return None
    return Item(hashed.media.type, _moves(hashed), kept)


def _shown(hashes: Iterable[Located]) -> Iterable[Located]:
    """Those of what is shown: a thumbnail, or what is appended to a file, may be another picture,
    such as the one before it was cut.
    """
    return (one for one in hashes if one.part_kind == "frame" and one.region in REGIONS)


def _told(one: Located) -> Located:
    times = tuple(round(time, 3) for time in one.again)
    return one._replace(time=round(one.time, 3), again=times)
