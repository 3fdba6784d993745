"""A report to a hotline, and its withdrawal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from screener.hashing.hash import Hash
from screener.hotline.model.case import Language
from screener.screening.input.located_hash import LocatedHash

MAX_ADDRESSES = 100
MAX_ITEMS = 50
# Limits of the hashes of all items together.
MAX_HASHES = 20_000
MAX_UPRIGHT_HASHES = 2_000  # those that the hotline imports into its own list
MAX_FRAME_TIMES = 100_000  # additional timestamps of recurring frames
MAX_NOTE_LENGTH = 4_000
# Regions of a picture whose hashes are reported; their order is that of the wire format.
REGIONS = ("full", "trimmed", "enlarged")


@dataclass(frozen=True)
class Item:
    """The hashes of one picture or clip of the reporter's own, without the picture.

    Each hash has its orientation, region and times. `type` is the MIME type by content. Name, size
    and time of the file are left out.
    """

    type: str | None
    is_clip: bool
    hashes: tuple[LocatedHash, ...] = field(repr=False)

    @property
    def upright_hashes(self) -> tuple[Hash, ...]:
        """Hashes of the upright picture, with and without its borders.

        Frame hashes of clips are left out. The quality of each hash is the lower of its own and the
        picture's detail score; a hash of too low quality is not compared.
        """
        hashes = [
            located
            for located in self.hashes
            if located.orientation == "upright"
            and located.region != "enlarged"
            and not (self.is_clip and located.hash.kind.perceptual)
        ]
        return tuple(
            Hash(located.hash.kind, located.hash.value, lowest_score(located)) for located in hashes
        )


@dataclass(frozen=True)
class Report:
    """A report, without names and with no time finer than a day.

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
    """The token with which a reporter withdraws a report."""

    token: bytes = field(repr=False)


def lowest_score(located: LocatedHash) -> int | None:
    """Return the lower of a hash's quality and detail score, or None without both."""
    scores = [score for score in (located.hash.quality, located.detail) if score is not None]
    return min(scores, default=None)
