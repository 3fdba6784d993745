"""The terms under which a source provides its entries; they bind every export.

Without terms, entries stay with the team that imported them. Labels of a record may narrow the
terms of its source.
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
from screener.lists.times import find_last_day
from screener.system import files

# The Traffic Light Protocol 2.0, narrowest first; WHITE is an older name of CLEAR.
TLP = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")
# The narrowest level that may reach each audience. RED is for the recipients in person and never
# exported.
AUDIENCES: Mapping[str, str] = {
    "own": "AMBER+STRICT",
    "clients": "AMBER",
    "community": "GREEN",
    "public": "CLEAR",
}


@dataclass(frozen=True)
class Terms:
    """The terms of a source; a field is None if the source does not state it.

    `tlp`: level of the Traffic Light Protocol.
    `redistribution`: whether entries may leave the team that imported them (default: as the level
    allows; without a level they may not).
    `expires`: last day of export, ISO 8601.
    `note`: a text for people.
    Raises ListError if a field is invalid.
    """

    tlp: str | None = None
    redistribution: bool | None = None
    expires: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        """Check the values; normalise the level and the day."""
        if self.tlp is not None:
            level = str(self.tlp).upper().removeprefix("TLP:").replace("WHITE", "CLEAR")
            if level not in TLP:
                raise ListError(f"tlp must be one of {', '.join(TLP)}")
            object.__setattr__(self, "tlp", level)
        if self.redistribution is not None and not isinstance(self.redistribution, bool):
            raise ListError("redistribution must be true or false")
        if self.expires is not None:
            try:
                day = date.fromisoformat(str(self.expires))
            except ValueError:
                raise ListError("expires must be a day such as 2030-12-31") from None
            object.__setattr__(self, "expires", day.isoformat())
        if self.note is not None and not isinstance(self.note, str):
            raise ListError(f"note must be text, not {type(self.note).__name__}")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Terms:
        """Read a TOML file with the fields above as keys.

        Raises ListError, which names the file, if it cannot be read or is invalid.
        """
        try:
            settings = files.read_toml(path)
        except OSError as error:
            raise ListError(f"cannot read the terms {path}: {error.strerror}") from error
        except ValueError as error:
            # Python's message may repeat a key of the file, which may be a hash.
            reason = "it is not valid TOML" if may_hold_hash(str(error)) else str(error)
            raise ListError(f"cannot read the terms {path}: {reason}") from None
        names = {f.name for f in fields(cls)}
        if unknown := sorted(settings.keys() - names):
            shown_key = "" if may_hold_hash(unknown[0]) else f" {unknown[0]!r}"
            raise ListError(f"{path}: unknown key{shown_key}; one of: {', '.join(names)}")
        if isinstance(settings.get("expires"), date):
            settings["expires"] = settings["expires"].isoformat()
        if not all(isinstance(settings.get(k, ""), str) for k in ("tlp", "expires", "note")):
            raise ListError(f"{path}: tlp, expires and note must be texts")
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def why_not(self, audience: str, *, today: date | None = None) -> str | None:
        """Return the reason why entries may not be exported to an audience, or None."""
        if self.expires is not None:
            now = datetime.now(UTC).date() if today is None else today
            if now > date.fromisoformat(self.expires):
                return "expired"
        unstated = self.redistribution is None and self.tlp is None
        if audience != "own" and (self.redistribution is False or unstated):
            return "not for redistribution"
        level = "AMBER+STRICT" if self.tlp is None and audience == "own" else self.tlp
        if TLP.index(level or "GREEN") < TLP.index(AUDIENCES[audience]):
            return f"TLP:{level or 'GREEN'}"
        return None

    @property
    def level(self) -> str:
        """The level that applies: if unset, GREEN with redistribution, otherwise AMBER+STRICT."""
        return self.tlp or ("GREEN" if self.redistribution else "AMBER+STRICT")


def intersect_terms(several: Iterable[Terms]) -> Terms:
    """Return terms that satisfy all of several.

    A missing level counts as the narrow level that applies without one.
    """
    several_terms = list(several)
    any_level = any(terms.tlp is not None for terms in several_terms)
    levels = [terms.level for terms in several_terms] if any_level else []
    days = [terms.expires for terms in several_terms if terms.expires is not None]
    redistribution = [terms.redistribution for terms in several_terms]
    return Terms(
        min(levels, key=TLP.index, default=None),
        False if False in redistribution else None if None in redistribution else True,
        min(days, key=date.fromisoformat, default=None),
        "; ".join(dict.fromkeys(terms.note for terms in several_terms if terms.note)) or None,
    )


def tighten(stated: Terms, additional: Terms) -> Terms:
    """Return a source's terms with additional ones, in each field the narrower."""
    levels = [terms.level for terms in (stated, additional) if terms.tlp is not None]
    if levels and stated.redistribution:
        levels.append(stated.level)
    redistribution = (stated.redistribution, additional.redistribution)
    days = [terms.expires for terms in (stated, additional) if terms.expires is not None]
    return Terms(
        min(levels, key=TLP.index, default=None),
        False if False in redistribution else True if True in redistribution else None,
        min(days, key=date.fromisoformat, default=None),
        "; ".join(dict.fromkeys(terms.note for terms in (stated, additional) if terms.note))
        or None,
    )


# The labels of a record that restrict its redistribution, by folded name.
_FIELD_BY_LABEL = {
    "tlp": "tlp",
    "sharelevel": "tlp",
    "expires": "expires",
    "redistribution": "redistribution",
}
LABELS = ("tlp", "expires", "redistribution")
ALL_FIELDS = (1 << len(LABELS)) - 1  # one bit per field
_NO_SEPARATORS = str.maketrans("", "", " -_")
_STRICT_LEVEL = re.compile(r"AMBER[\s_+-]*STRICT")
_LEVEL_SEPARATORS = re.compile(r"[\s,;/|]+")
_YES_WORDS = frozenset(("yes", "true", "y", "t", "1"))
UNREADABLE = "unreadable"  # replaces a binding label that cannot be stored; counts as a refusal


@lru_cache(maxsize=4096)
def find_field(name: str) -> str | None:
    """Return the field of `LABELS` that a label sets, or None if it sets none."""
    return _FIELD_BY_LABEL.get(name.strip().casefold().translate(_NO_SEPARATORS))


def find_fields(labels: Mapping[str, str]) -> int:
    """Return the fields of `LABELS` that non-empty labels set, one bit per field."""
    bits = 0
    for name, text in labels.items():
        field = find_field(name)
        if field is not None and text.strip():
            bits |= 1 << LABELS.index(field)
    return bits


def select_labels(labels: Mapping[str, str], bits: int) -> dict[str, str]:
    """Return the labels that set the fields of these bits."""
    fields = {field for index, field in enumerate(LABELS) if bits >> index & 1}
    return {name: text for name, text in labels.items() if find_field(name) in fields}


def parse_labels(labels: Mapping[str, str]) -> Terms | None:
    """Return the narrowest terms that a record's labels state, or None if they state none.

    Unreadable values count as a refusal: an unknown level as RED, an unreadable day as expired.
    """
    texts = [(field, text) for name, text in labels.items() if (field := find_field(name))]
    return _parse_texts(tuple(texts)) if texts else None


@lru_cache(maxsize=4096)
def _parse_texts(texts: tuple[tuple[str, str], ...]) -> Terms:
    levels: list[str] = []
    days: list[date] = []
    redistribution: bool | None = None
    for field, text in texts:
        for line in filter(None, map(str.strip, text.split("\n"))):
            if field == "tlp":
                levels += _find_levels(line)
            elif field == "expires":
                days.append(find_last_day(line) or date.min)
            elif line.casefold() not in _YES_WORDS:
                redistribution = False
    return Terms(
        min(levels, key=TLP.index, default=None),
        redistribution,
        min(days).isoformat() if days else None,
    )


def _find_levels(text: str) -> Iterator[str]:
    for word in _LEVEL_SEPARATORS.split(_STRICT_LEVEL.sub("AMBER+STRICT", text.upper())):
        level = word.removeprefix("TLP:").replace("WHITE", "CLEAR")
        if level and level != "TLP":
            yield level if level in TLP else "RED"


def narrow(source: Terms, record: Terms) -> Terms:
    """Return a source's terms narrowed by those of a record."""
    level = source.tlp
    if record.tlp is not None:
        level = min(source.level, record.tlp, key=TLP.index)
    days = [terms.expires for terms in (source, record) if terms.expires is not None]
    return Terms(
        level,
        False if record.redistribution is False else source.redistribution,
        min(days, key=date.fromisoformat, default=None),
        source.note,
    )


def check_terms(value: object) -> None:
    """Raise ListError unless the value is Terms."""
    if not isinstance(value, Terms):
        raise ListError(
            f"terms must be a Terms, such as Terms(tlp='AMBER'), not {type(value).__name__}"
        )


def format_terms(terms: Terms) -> str:
    """Return the terms without the note, for a log: `tlp GREEN, redistribution yes`."""
    stated = {name: value for name, value in terms.to_dict().items() if name != "note"}
    words = {True: "yes", False: "no"}
    return ", ".join(f"{name} {words.get(value, value)}" for name, value in stated.items())
