"""The entries that a writer gets, and the tally of what it writes and drops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from screener.arguments import integer
from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.formats.csv_rows import MAX_CELL_CHARS
from screener.lists.states import MATCHING, State
from screener.lists.store.records import Category


@dataclass(frozen=True)
class Listed:
    """A hash of an entry, and why it is not compared (None if it is)."""

    hash: Hash
    why_not: str | None

    @property
    def sound(self) -> bool:
        """Whether others may compare it: nothing here suggests that it is of no image."""
        return self.why_not in (None, "opaque")


@dataclass(frozen=True)
class Entry:
    """A record: `name` is its id, unique in the file; `made` is the time of this version."""

    source: str
    name: str
    state: State
    hashes: tuple[Listed, ...]
    categories: tuple[Category, ...]
    labels: Mapping[str, str]
    updated: str | None
    made: float

    @property
    def matching(self) -> bool:
        """Whether it is confirmed or disputed."""
        return self.state in MATCHING

    @property
    def video(self) -> bool:
        """Whether its source marks it as a video."""
        return self.labels.get("media") == "video"


@dataclass
class Tally:
    """Counts of what a writer wrote and left out.

    `records` and `hashes` (by kind) were written, `left_out` counts hashes and records by reason,
    `lost` names the fields that the format drops.
    """

    records: int = 0
    states: Counter[str] = field(default_factory=Counter)
    hashes: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)

    def wrote(self, entry: Entry, hashes: Iterable[Hash]) -> None:
        """Count an entry and the hashes that were written with it."""
        self.records += 1
        self.states[entry.state] += 1
        for item in hashes:
            self.hashes[item.kind.name] += 1
            if item.kind.name == "vpdq":
                self.lost.add("numbers of vpdq frames, and their times below a millisecond")

    def matching(self, entry: Entry) -> bool:
        """Return whether an entry can match; a format without states takes only those.

        Others are counted as left out.
        """
        if not entry.matching:
            self.left_out[f"{entry.state} records: the format has no states"] += 1
        return entry.matching

    def fits(self, item: Hash) -> bool:
        """Return whether a line can hold the hash; if not, count it as left out."""
        if item.kind.size or len(item.text) <= MAX_CELL_CHARS:
            return True
        self.left_out[f"{item.kind.name}: too long for a line"] += 1
        return False

    def of_kinds(self, entry: Entry, kinds: Iterable[str]) -> list[Hash]:
        """Return the entry's sound hashes of these kinds; count the others as left out."""
        wanted = frozenset(kinds)
        fit = []
        for one in entry.hashes:
            if one.hash.kind.name not in wanted:
                self.left_out[f"{one.hash.kind.name}: no place in the format"] += 1
            elif not one.sound:
                self.left_out[f"{one.hash.kind.name}: {one.why_not}"] += 1
            else:
                fit.append(one.hash)
        return fit


@dataclass(frozen=True)
class Wants:
    """Options of writers: `categories` maps (scheme, code) to a VICS number."""

    categories: Mapping[tuple[str, str], int] | None = None

    def __post_init__(self) -> None:
        """Raise ListError for an invalid table, which would silently drop categories."""
        table = self.categories
        if table is None:
            return
        wrong = ListError("categories map a scheme and a code to a number, as in {('iwf', 'A'): 1}")
        if not isinstance(table, Mapping) or not all(map(_is_scheme_and_code, table)):
            raise wrong
        try:
            numbers = {key: integer(number) for key, number in table.items()}
        except TypeError:
            raise wrong from None
        object.__setattr__(self, "categories", numbers)


def _is_scheme_and_code(key: object) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(one, str) for one in key)
