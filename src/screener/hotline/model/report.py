"""A report to a hotline, and its withdrawal, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from screener.hashing.hash import Hash
from screener.hotline.model.case import Language
from screener.screening.input.located_hash import LocatedHash

MAX_ADDRESSES = 100
MAX_ITEMS = 50
MAX_HASHES = 20_000  # of all items together
MAX_UPRIGHT_HASHES = 2_000  # of those that the hotline's list takes in as seeds
MAX_FRAME_TIMES = 100_000  # further times of their frames
MAX_NOTE_LENGTH = 4_000
REGIONS = ("full", "trimmed", "enlarged")


@dataclass(frozen=True)
class Item:
    """The hashes of one picture or clip of the reporter's own, without the picture.

    `hashes` have their orientation, region and times. `type` is the MIME type by content. The
    file's name, size and time are not in it.
    """

    type: str | None
    is_clip: bool
    hashes: tuple[LocatedHash, ...] = field(repr=False)

    @property
    def upright_hashes(self) -> tuple[Hash, ...]:
        """Return the hashes of the upright picture, with and without its frame.

        A clip has no hashes of single frames here. Each has the picture's detail score as its
        quality, which decides whether it is compared.
        """
        hashes = [
            one
            for one in self.hashes
            if one.orientation == "upright"
            and one.region != "enlarged"
            and not (self.is_clip and one.hash.kind.perceptual)
        ]
        return tuple(Hash(one.hash.kind, one.hash.value, lowest_score(one)) for one in hashes)


@dataclass(frozen=True)
class Report:
    """What a reporter hands to a hotline: no name, and no time finer than a day.

    `status_key` and `proof` are derived from the reporter's secret
    (`screener.hotline.reports.sealed`).
    """

    reference: str
    day: date
    language: Language
    status_key: bytes = field(repr=False)
    proof: bytes = field(repr=False)
    country: str | None = None
    addresses: tuple[str, ...] = ()
    note: str = ""
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Withdrawal:
    """The token by which a reporter takes a report back."""

    token: bytes = field(repr=False)


def lowest_score(one: LocatedHash) -> int | None:
    """Return the lower of a hash's quality and its picture's detail score; None without either."""
    scores = [score for score in (one.hash.quality, one.detail) if score is not None]
    return min(scores, default=None)
