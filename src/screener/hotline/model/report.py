"""Report: what one reporter tells a hotline, and what takes it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from screener.hashing.hash import Hash
from screener.hotline.model.case import Language
from screener.screening.input.located_hash import LocatedHash

MOST_ADDRESSES = 100
MOST_ITEMS = 50
MOST_HASHES = 20_000  # of all items together
MOST_UPRIGHT = 2_000  # of those that the hotline's list takes in as seeds
MOST_TIMES = 100_000  # further times of their frames
LONGEST_NOTE = 4_000
REGIONS = ("full", "trimmed", "enlarged")


@dataclass(frozen=True)
class Item:
    """A picture or clip of the reporter's own, of which the picture is not there.

    `hashes` say which way it was turned and cut for each, and when in a clip. `type` is its MIME
    type by content. Nothing else is told of the file: neither its size, nor its name, nor when.
    """

    type: str | None
    moving: bool
    hashes: tuple[LocatedHash, ...] = field(repr=False)

    @property
    def upright(self) -> tuple[Hash, ...]:
        """Its hashes as it stands, with and without a frame round it; of a clip not frame by frame.

        Each has the detail score of the picture as its quality, by which it is compared or not.
        """
        kept = [
            one
            for one in self.hashes
            if one.orientation == "upright"
            and one.region != "enlarged"
            and not (self.moving and one.hash.kind.perceptual)
        ]
        return tuple(Hash(one.hash.kind, one.hash.value, score_of(one)) for one in kept)


@dataclass(frozen=True)
class Report:
    """What a reporter tells: no name, no time finer than a day.

    `status_key` and `proof` follow from the reporter's secret: see
    `screener.hotline.reports.sealed`.
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
    """What a reporter shows to take a report back."""

    shown: bytes = field(repr=False)


def score_of(one: LocatedHash) -> int | None:
    """The lower of a hash's own quality and its picture's detail score; None where it has none."""
    scores = [score for score in (one.hash.quality, one.detail) if score is not None]
    return min(scores, default=None)
