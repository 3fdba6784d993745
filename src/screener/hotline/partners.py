"""Partners: who is sent notices, in which languages, with what, and on what terms; read from a
TOML file that the operator writes, together with what the hotline says of itself.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from screener.errors import HotlineError
from screener.hashing.hash import KINDS
from screener.hotline import own_list
from screener.hotline.language.sentence import marked
from screener.hotline.model.case import LANGUAGES, Language
from screener.hotline.toml_table import Table
from screener.lists.terms import AUDIENCES, TLP, Terms

# A name that is also the name of a folder and stands in file names: no separator, no dot first.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_FIELDS = ("name", "folder", "languages", "kinds", "audience", "contact", "legal_basis")
_AUDIENCES = tuple(one for one in AUDIENCES if one != "own")

FILE = "partners.toml"
TEMPLATE = """\
# What the hotline says of itself in notices.
[hotline]
name = "The hotline"
# Where a partner reaches a person, day and night, when something is wrong.
contact = "duty@hotline.example"
# The time zone in which times are told to people.
zone = "UTC"
# On what law a request rests; a partner may have a text of its own.
legal_basis = ""
# How far hashes that the hotline made itself may go: RED, AMBER+STRICT, AMBER, GREEN or CLEAR.
# Without a level they go to nobody.
# tlp = "AMBER"

# A partner: copy these lines, without the #, for each.
# [partners.example]
# name = "Example"
# folder = "partners/example"      # from where this file lies; notices appear there
# languages = ["en", "fr", "ar"]   # of the notices
# kinds = ["pdq", "md5"]           # of hashes that it takes
# audience = "clients"             # gets TLP:AMBER and wider; community: GREEN; public: CLEAR
# contact = "trust@example.org"    # whom you reach there
# legal_basis = ""
"""


@dataclass(frozen=True, slots=True)
class Hotline:
    """What the hotline says of itself in a notice.

    `contact` is where a partner reaches a person when there is trouble. `zone` is the time zone in
    which times are told to people. `legal_basis` stands in every notice unless its partner has
    one of its own. `terms` are those of the hashes that the hotline made itself.
    """

    name: str
    contact: str
    zone: ZoneInfo
    legal_basis: str = ""
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True)
class Partner:
    """Who is sent notices.

    `id` names it in records and files. Notices are written in each of `languages`, into `folder`,
    with hashes of `kinds` only. `audience` (`clients`, `community` or `public`, as for an export)
    is how wide a sharing level has to be for a hash to go there.
    """

    id: str
    name: str
    folder: Path
    languages: tuple[Language, ...] = ("en",)
    kinds: tuple[str, ...] = ()
    audience: str = "clients"
    contact: str = ""
    legal_basis: str = ""


@dataclass(frozen=True, slots=True)
class Partners:
    """The hotline and its partners, by their ids in the order of the file."""

    hotline: Hotline
    partners: Mapping[str, Partner]

    def named(self, partner: str) -> Partner:
        """The partner of that id; HotlineError lists those there are."""
        try:
            return self.partners[partner]
        except KeyError:
            message = marked("there is no partner {partner}; there are: {known}")
            known = ", ".join(self.partners) or "–"
            raise HotlineError(message, partner=partner, known=known) from None


def load(path: str | PathLike[str]) -> Partners:
    """Read a file of a table `[hotline]` and tables `[partners.ID]`.

    Folders are taken from where the file lies. Raises HotlineError that names file and field.
    """
    whole = Table.load(Path(path))
    whole.check_names(("hotline", "partners"))
    hotline = _hotline(whole.table("hotline"))
    partners: dict[str, Partner] = {}
    if "partners" in whole.values:
        some = whole.table("partners")
        for name in some.values:
            partners[name] = _partner(name, some, Path(path).parent)
        _check_apart(some, partners, Path(path).parent)
    return Partners(hotline, MappingProxyType(partners))


def _hotline(table: Table) -> Hotline:
    table.check_names(("name", "contact", "zone", "legal_basis", "tlp"))
    name, contact = table.text("name"), table.text("contact")
    zone = table.text("zone", "UTC")
    try:
        there = ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        message = marked("{file}: {field} is a time zone such as {example}")
        raise table.wrong(message, "zone", example="Africa/Casablanca") from None
    level = table.one_of("tlp", TLP, "")
    return Hotline(
        name, contact, there, table.text("legal_basis", ""), Terms(tlp=level) if level else Terms()
    )


def _partner(name: str, some: Table, beside: Path) -> Partner:
    if not NAME.fullmatch(name):
        message = marked("{file}: {field}: an id has letters, digits, - and _ only, at most 64")
        raise some.wrong(message, name)
    table = some.table(name)
    table.check_names(_FIELDS)
    languages: tuple[Language, ...] = table.several(
        "languages", lambda one: one in LANGUAGES, ", ".join(LANGUAGES), ("en",)
    )
    if not languages:
        raise table.wrong(marked("{file}: {field} must not be empty"), "languages")
    return Partner(
        name, table.text("name"), beside / table.text("folder"), languages,
        table.several("kinds", _is_kind, ", ".join(KINDS)),
        table.one_of("audience", _AUDIENCES, "clients"), table.text("contact", ""),
        table.text("legal_basis", ""),
    )  # fmt: skip


def _check_apart(some: Table, partners: Mapping[str, Partner], own: Path) -> None:
    """HotlineError where a partner would read what another is sent, or what is the hotline's."""
    mine, listed, taken = _place(own), _place(own / own_list.FOLDER), dict[str, Path]()
    for name, partner in partners.items():
        place = _place(partner.folder)
        holds = mine.is_relative_to(place) or listed.is_relative_to(place)
        if holds or place.is_relative_to(listed):
            message = marked(
                "{file}: {field} holds the hotline's own files, which no partner may have"
            )
            raise some.table(name).wrong(message, "folder")
        for other, there in taken.items():
            if place.is_relative_to(there) or there.is_relative_to(place):
                message = marked(
                    "{file}: {field} is the folder of {other} too, or one lies in the other: each"
                    " partner has one of its own"
                )
                raise some.table(name).wrong(message, "folder", other=other)
        taken[name] = place


def _place(folder: Path) -> Path:
    """Where a folder is, links followed, as a file system sees it that knows no case."""
    return Path(unicodedata.normalize("NFC", os.path.realpath(folder)).casefold())


def _is_kind(name: object) -> bool:
    return isinstance(name, str) and name in KINDS
