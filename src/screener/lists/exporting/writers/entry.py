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
        """Whether others may compare it: it is not marked as blank or as a placeholder."""
        return self.why_not in (None, "opaque")


@dataclass(frozen=True)
class Entry:
    """A record to write.

    `name`: its id, unique in the file.
    `made`: the time of this version, in seconds since 1970.
    """

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
    """Counts of written and dropped data.

    `records`, `states`: numbers of written records, in total and by state.
    `hashes`: numbers of written hashes by kind.
    `left_out`: numbers of hashes and records left out, by reason.
    `lost`: the fields that the format drops.
    """

    records: int = 0
    states: Counter[str] = field(default_factory=Counter)
    hashes: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)

    def wrote(self, entry: Entry, hashes: Iterable[Hash]) -> None:
        """Count a written entry and its written hashes."""
        self.records += 1
        self.states[entry.state] += 1
        for hash_ in hashes:
            self.hashes[hash_.kind.name] += 1
            if hash_.kind.name == "vpdq":
                self.lost.add("numbers of vpdq frames, and their times below a millisecond")

    def matching(self, entry: Entry) -> bool:
        """Return whether an entry can match, for formats without states.

        Other entries are counted as left out.
        """
        if not entry.matching:
            self.left_out[f"{entry.state} records: the format has no states"] += 1
        return entry.matching

    def fits(self, hash_: Hash) -> bool:
        """Return whether a hash fits in a line; if not, count it as left out."""
        if hash_.kind.size or len(hash_.text) <= MAX_CELL_CHARS:
            return True
        self.left_out[f"{hash_.kind.name}: too long for a line"] += 1
        return False

    def select_hashes(self, entry: Entry, kinds: Iterable[str]) -> list[Hash]:
        """Return the entry's sound hashes of these kinds; count the others as left out."""
        supported = frozenset(kinds)
        selected = []
        for listed in entry.hashes:
            if listed.hash.kind.name not in supported:
                self.left_out[f"{listed.hash.kind.name}: no place in the format"] += 1
            elif not listed.sound:
                self.left_out[f"{listed.hash.kind.name}: {listed.why_not}"] += 1
            else:
                selected.append(listed.hash)
        return selected


@dataclass(frozen=True)
class Wants:
    """Options of writers: `categories` maps (scheme, code) to a VICS number."""

    categories: Mapping[tuple[str, str], int] | None = None

    def __post_init__(self) -> None:
        """Raise ListError if the table is invalid; it would silently drop categories."""
        table = self.categories
        if table is None:
            return
        error = ListError("categories map a scheme and a code to a number, as in {('iwf', 'A'): 1}")
        if not isinstance(table, Mapping) or not all(map(_is_scheme_and_code, table)):
            raise error
        try:
            numbers = {key: integer(number) for key, number in table.items()}
        except TypeError:
            raise error from None
        object.__setattr__(self, "categories", numbers)


def _is_scheme_and_code(key: object) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key)
