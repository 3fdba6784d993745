"""Terms: what a source allows to be done with what it gave, and what may therefore go on.

They stay with the list and bind every export. A source without terms is held to the narrowest
that makes sense: it is for the team that imported it. A record whose labels say how far it may go
is held to that as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from functools import lru_cache
from os import PathLike
from typing import Any

from screener.errors import ListError
from screener.lists.redaction import may_hold_hash
from screener.lists.times import last_day
from screener.system import files

# The Traffic Light Protocol 2.0, narrowest first; WHITE is an older name of CLEAR.
TLP = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")
# Who an export is for, and the narrowest level that may reach them. RED is for the persons it was
# given to, and so for no file.
AUDIENCES: Mapping[str, str] = {
    "own": "AMBER+STRICT",
    "clients": "AMBER",
    "community": "GREEN",
    "public": "CLEAR",
}


@dataclass(frozen=True)
class Terms:
    """What a source allows; None is what it does not say.

    `tlp` is a level of the Traffic Light Protocol; `redistribution` whether what it gave may go to
    others than the own team (where it does not say, the level decides, and without one nothing
    goes); `expires` the last day, ISO 8601, on which it may be exported at
    all; `note` is for people. Raises ListError for a level, a day or a note that is none.
    """

    tlp: str | None = None
    redistribution: bool | None = None
    expires: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        """Check the values, and bring the level to its present name and the day to one form."""
        if self.tlp is not None:
            level = str(self.tlp).upper().removeprefix("TLP:").replace("WHITE", "CLEAR")
            if level not in TLP:
                raise ListError(f"tlp is one of {', '.join(TLP)}")
            object.__setattr__(self, "tlp", level)
        if self.redistribution is not None and not isinstance(self.redistribution, bool):
            raise ListError("redistribution is true or false")
        if self.expires is not None:
            try:
                day = date.fromisoformat(str(self.expires))
            except ValueError:
                raise ListError("expires is a day such as 2030-12-31") from None
            object.__setattr__(self, "expires", day.isoformat())
        if self.note is not None and not isinstance(self.note, str):
            raise ListError(f"a note is a text, and not {type(self.note).__name__}")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Terms:
        """Read a TOML file with the fields above as keys; ListError names file and trouble."""
        try:
            found = files.read_toml(path)
        except OSError as error:
            raise ListError(f"cannot read the terms {path}: {error.strerror}") from error
        except ValueError as error:
            # A key of the file may hold a hash, and Python's words may repeat it.
            why = "it is no TOML" if may_hold_hash(str(error)) else str(error)
            raise ListError(f"cannot read the terms {path}: {why}") from None
        known = {f.name for f in fields(cls)}
        if unknown := sorted(found.keys() - known):
            named = "" if may_hold_hash(unknown[0]) else f" {unknown[0]!r}"
            raise ListError(f"{path}: unknown key{named}; one of: {', '.join(known)}")
        if isinstance(found.get("expires"), date):
            found["expires"] = found["expires"].isoformat()
        if not all(isinstance(found.get(k, ""), str) for k in ("tlp", "expires", "note")):
            raise ListError(f"{path}: tlp, expires and note are texts")
        return cls(**found)

    def to_dict(self) -> dict[str, Any]:
        """What it says, without what it does not."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def why_not(self, audience: str, *, today: date | None = None) -> str | None:
        """Why what the source gave may not go to an audience; None where it may."""
        if self.expires is not None:
            now = datetime.now(UTC).date() if today is None else today
            if now > date.fromisoformat(self.expires):
                return "expired"
        unsaid = self.redistribution is None and self.tlp is None
        if audience != "own" and (self.redistribution is False or unsaid):
            return "not for redistribution"
        level = "AMBER+STRICT" if self.tlp is None and audience == "own" else self.tlp
        if TLP.index(level or "GREEN") < TLP.index(AUDIENCES[audience]):
            return f"TLP:{level or 'GREEN'}"
        return None

    @property
    def level(self) -> str:
        """The level it is held to. Who allows redistribution and names none allows it to everybody
        but the public; who says neither leaves it with the own team.
        """
        return self.tlp or ("GREEN" if self.redistribution else "AMBER+STRICT")


def strictest(several: Iterable[Terms]) -> Terms:
    """The terms that obey all of several. A level that is not said is not known, and does not give
    way to a wider one that another says.
    """
    held = list(several)
    said = any(one.tlp is not None for one in held)
    levels = [one.level for one in held] if said else []
    days = [one.expires for one in held if one.expires is not None]
    spread = [one.redistribution for one in held]
    return Terms(
        min(levels, key=TLP.index, default=None),
        False if False in spread else None if None in spread else True,
        min(days, key=date.fromisoformat, default=None),
        "; ".join(dict.fromkeys(one.note for one in held if one.note)) or None,
    )


def tightened(said: Terms, given: Terms) -> Terms:
    """What a source says, with what was given beside it: field by field the narrower of the two,
    or the one that there is.
    """
    levels = [one.level for one in (said, given) if one.tlp is not None]
    if levels and said.redistribution:
        levels.append(said.level)
    spread = (said.redistribution, given.redistribution)
    days = [one.expires for one in (said, given) if one.expires is not None]
    return Terms(
        min(levels, key=TLP.index, default=None),
        False if False in spread else True if True in spread else None,
        min(days, key=date.fromisoformat, default=None),
        "; ".join(dict.fromkeys(one.note for one in (said, given) if one.note)) or None,
    )


# The labels of a record that say how far it may go, by folded name.
_LABELS = {
    "tlp": "tlp",
    "sharelevel": "tlp",
    "expires": "expires",
    "redistribution": "redistribution",
}
LABELS = ("tlp", "expires", "redistribution")
ALL = (1 << len(LABELS)) - 1  # all of them, a bit each
_NO_SEPARATORS = str.maketrans("", "", " -_")
_STRICT = re.compile(r"AMBER[\s_+-]*STRICT")
_BETWEEN = re.compile(r"[\s,;/|]+")
_YES = frozenset(("yes", "true", "y", "t", "1"))


# What a label that binds says where it cannot be kept: no level, no day and no yes.
UNREADABLE = "unreadable"


@lru_cache(maxsize=4096)
def field_of(name: str) -> str | None:
    """Which of `LABELS` a label of that name is; None where it does not bind its record."""
    return _LABELS.get(name.strip().casefold().translate(_NO_SEPARATORS))


def fields_said(labels: Mapping[str, str]) -> int:
    """The fields of `LABELS` of which labels say something: a bit each."""
    said = 0
    for name, text in labels.items():
        field = field_of(name)
        if field is not None and text.strip():
            said |= 1 << LABELS.index(field)
    return said


def of_fields(labels: Mapping[str, str], wanted: int) -> dict[str, str]:
    """Those of a record's labels that bind it in the fields of these bits."""
    fields = {field for place, field in enumerate(LABELS) if wanted >> place & 1}
    return {name: text for name, text in labels.items() if field_of(name) in fields}


def of_labels(labels: Mapping[str, str]) -> Terms | None:
    """What the labels of a record say of how far it may go; None where they say nothing.

    The narrowest of what they say counts. What cannot be read is taken for a no: a level that is
    none for RED, a day that is none for one that is past.
    """
    said = [(field, text) for name, text in labels.items() if (field := field_of(name))]
    return _of_texts(tuple(said)) if said else None


@lru_cache(maxsize=4096)
def _of_texts(said: tuple[tuple[str, str], ...]) -> Terms:
    levels: list[str] = []
    days: list[date] = []
    spread: bool | None = None
    for field, text in said:
        for line in filter(None, map(str.strip, text.split("\n"))):
            if field == "tlp":
                levels += _levels(line)
            elif field == "expires":
                days.append(last_day(line) or date.min)
            elif line.casefold() not in _YES:
                spread = False
    return Terms(
        min(levels, key=TLP.index, default=None),
        spread,
        min(days).isoformat() if days else None,
    )


def _levels(text: str) -> Iterator[str]:
    for word in _BETWEEN.split(_STRICT.sub("AMBER+STRICT", text.upper())):
        level = word.removeprefix("TLP:").replace("WHITE", "CLEAR")
        if level and level != "TLP":
            yield level if level in TLP else "RED"


def narrowed(source: Terms, record: Terms) -> Terms:
    """The terms of a record whose source allows so much, and which says something itself: what it
    says counts where it is narrower, and where it says nothing its source does.
    """
    level = source.tlp
    if record.tlp is not None:
        level = min(source.level, record.tlp, key=TLP.index)
    days = [one.expires for one in (source, record) if one.expires is not None]
    return Terms(
        level,
        False if record.redistribution is False else source.redistribution,
        min(days, key=date.fromisoformat, default=None),
        source.note,
    )


def check_terms(given: object) -> None:
    """ListError for what are no terms."""
    if not isinstance(given, Terms):
        raise ListError(f"terms are Terms, Terms(tlp='AMBER') say, and not {type(given).__name__}")


def told(terms: Terms) -> str:
    """What is said, for a log: `tlp GREEN, redistribution yes`; nothing of the note for people."""
    said = {name: value for name, value in terms.to_dict().items() if name != "note"}
    words = {True: "yes", False: "no"}
    return ", ".join(f"{name} {words.get(value, value)}" for name, value in said.items())
