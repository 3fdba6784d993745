"""Partners: the recipients of notices, from a TOML file of the operator."""

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
from screener.hotline.language.sentence import mark
from screener.hotline.model.case import LANGUAGES, Language
from screener.hotline.toml_table import Table
from screener.lists.terms import AUDIENCES, TLP, Terms

# An id, which is part of file names: no separator, no dot.
ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_PARTNER_FIELDS = ("name", "folder", "languages", "kinds", "audience", "contact", "legal_basis")
_AUDIENCES = tuple(audience for audience in AUDIENCES if audience != "own")

FILE_NAME = "partners.toml"
TEMPLATE = """\
# The hotline, as notices name it.
[hotline]
name = "The hotline"
# How partners reach a person, day and night, if something is wrong.
contact = "duty@hotline.example"
# The time zone of the times that people read.
zone = "UTC"
# The law on which requests rest; a partner may have its own text.
legal_basis = ""
# How far the hotline's own hashes may go: RED, AMBER+STRICT, AMBER, GREEN or CLEAR.
# Without a level they go to nobody.
# tlp = "AMBER"

# A partner: copy these lines, without the #, for each.
# [partners.example]
# name = "Example"
# folder = "partners/example"      # relative to this file; notices appear there
# languages = ["en", "fr", "ar"]   # of the notices
# kinds = ["pdq", "md5"]           # of the hashes that it accepts
# audience = "clients"             # gets TLP:AMBER and wider; community: GREEN; public: CLEAR
# contact = "trust@example.org"    # for your own use
# legal_basis = ""
"""


@dataclass(frozen=True, slots=True)
class Hotline:
    """The hotline as notices name it.

    `contact` is how a partner reaches a person. `zone` is the time zone of displayed times.
    `legal_basis` is for partners without one of their own. `terms` apply to the hotline's own
    hashes.
    """

    name: str
    contact: str
    zone: ZoneInfo
    legal_basis: str = ""
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True)
class Partner:
    """A recipient of notices.

    `id` is its name in records and files. Notices are written into `folder`, in each of `languages`
    and with hashes of `kinds` only. A hash is included if its sharing level permits `audience`
    (`clients`, `community` or `public`, as for an export).
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
    """The hotline and its partners by id, in the order of the file."""

    hotline: Hotline
    partners: Mapping[str, Partner]

    def get(self, partner: str) -> Partner:
        """Return the partner with an id. Raises HotlineError with all ids if there is none."""
        try:
            return self.partners[partner]
        except KeyError:
            message = mark("there is no partner {partner}; there are: {known}")
            known = ", ".join(self.partners) or "–"
            raise HotlineError(message, partner=partner, known=known) from None


def load(path: str | PathLike[str]) -> Partners:
    """Read a file with a table `[hotline]` and tables `[partners.ID]`.

    Folders are relative to the file. Raises HotlineError with file and field if it is invalid.
    """
    root = Table.load(Path(path))
    root.check_names(("hotline", "partners"))
    hotline = _parse_hotline(root.table("hotline"))
    partners: dict[str, Partner] = {}
    if "partners" in root.values:
        tables = root.table("partners")
        for name in tables.values:
            partners[name] = _parse_partner(name, tables, Path(path).parent)
        _check_folders(tables, partners, Path(path).parent)
    return Partners(hotline, MappingProxyType(partners))


def _parse_hotline(table: Table) -> Hotline:
    table.check_names(("name", "contact", "zone", "legal_basis", "tlp"))
    name, contact = table.text("name"), table.text("contact")
    zone = table.text("zone", "UTC")
    try:
        time_zone = ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        message = mark("{file}: {field} must be a time zone such as {example}")
        raise table.error(message, "zone", example="Africa/Casablanca") from None
    level = table.choice("tlp", TLP, "")
    return Hotline(
        name,
        contact,
        time_zone,
        table.text("legal_basis", ""),
        Terms(tlp=level) if level else Terms(),
    )


def _parse_partner(name: str, tables: Table, folder: Path) -> Partner:
    if not ID_PATTERN.fullmatch(name):
        message = mark("{file}: {field}: an id has letters, digits, - and _ only, at most 64")
        raise tables.error(message, name)
    table = tables.table(name)
    table.check_names(_PARTNER_FIELDS)
    languages: tuple[Language, ...] = table.choices(
        "languages", lambda code: code in LANGUAGES, ", ".join(LANGUAGES), ("en",)
    )
    if not languages:
        raise table.error(mark("{file}: {field} must not be empty"), "languages")
    return Partner(
        name, table.text("name"), folder / table.text("folder"), languages,
        table.choices("kinds", _is_kind, ", ".join(KINDS)),
        table.choice("audience", _AUDIENCES, "clients"), table.text("contact", ""),
        table.text("legal_basis", ""),
    )  # fmt: skip


def _check_folders(tables: Table, partners: Mapping[str, Partner], hotline_folder: Path) -> None:
    """Raise HotlineError if a partner could read another's notices or the hotline's files."""
    hotline, own_hashes = _resolve(hotline_folder), _resolve(hotline_folder / own_list.FOLDER_NAME)
    folders: dict[str, Path] = {}
    for name, partner in partners.items():
        folder = _resolve(partner.folder)
        exposes_files = hotline.is_relative_to(folder) or own_hashes.is_relative_to(folder)
        if exposes_files or folder.is_relative_to(own_hashes):
            message = mark(
                "{file}: {field} holds the hotline's own files, which no partner may have"
            )
            raise tables.table(name).error(message, "folder")
        for other, other_folder in folders.items():
            if folder.is_relative_to(other_folder) or other_folder.is_relative_to(folder):
                message = mark(
                    "{file}: {field} is also the folder of {other}, or one lies in the other:"
                    " each partner needs its own"
                )
                raise tables.table(name).error(message, "folder", other=other)
        folders[name] = folder


def _resolve(folder: Path) -> Path:
    """Return a path with links resolved, in the form in which case does not matter."""
    return Path(unicodedata.normalize("NFC", os.path.realpath(folder)).casefold())


def _is_kind(name: object) -> bool:
    return isinstance(name, str) and name in KINDS
