"""Partners: who is sent notices, in which languages, with what, and on what terms; read from a
TOML file that the operator writes, together with what the hotline says of itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from screener.errors import HotlineError
from screener.hashing.hash import KINDS
from screener.hotline.case import LANGUAGES, Language
from screener.lists.terms import AUDIENCES, TLP, Terms

# A name that is also the name of a folder and stands in file names: no separator, no dot first.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_LONGEST = 2000  # characters of a text
_FIELDS = ("name", "folder", "languages", "kinds", "audience", "contact", "legal_basis")
Word = TypeVar("Word", bound=str)


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
            known = ", ".join(self.partners) or "none"
            raise HotlineError(f"no partner {partner!r}; there are: {known}") from None


def load(path: str | PathLike[str]) -> Partners:
    """Read a file of a table `[hotline]` and tables `[partners.ID]`.

    Folders are taken from where the file lies. Raises HotlineError that names file and field.
    """
    file = Path(path)
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise HotlineError(f"cannot read the partners {file}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HotlineError(f"cannot read the partners {file}: {error}") from error
    try:
        _check_names("", found, ("hotline", "partners"))
        hotline = _hotline(_table("hotline", found.get("hotline")))
        some = _table("partners", found.get("partners", {}))
        partners = {
            name: _partner(name, _table(f"partners.{name}", table), file.parent)
            for name, table in some.items()
        }
    except HotlineError as error:
        raise HotlineError(f"{file}: {error}") from None
    return Partners(hotline, MappingProxyType(partners))


def _hotline(table: dict[str, Any]) -> Hotline:
    _check_names("hotline", table, ("name", "contact", "zone", "legal_basis", "tlp"))
    text = _texts("hotline", table)
    level = text("tlp", "")
    if level and level not in TLP:
        raise HotlineError(f"hotline.tlp is one of {', '.join(TLP)}")
    return Hotline(
        text("name"), text("contact"), _zone(text("zone", "UTC")), text("legal_basis", ""),
        Terms(tlp=level) if level else Terms(),
    )  # fmt: skip


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise HotlineError("hotline.zone is a time zone such as Africa/Casablanca") from None


def _partner(name: str, table: dict[str, Any], beside: Path) -> Partner:
    where = f"partners.{name}"
    if not NAME.fullmatch(name):
        raise HotlineError(f"{where}: an id has letters, digits, - and _ only, at most 64")
    _check_names(where, table, _FIELDS)
    text = _texts(where, table)
    audience = text("audience", "clients")
    if audience not in AUDIENCES or audience == "own":
        raise HotlineError(f"{where}.audience is clients, community or public")
    return Partner(
        name, text("name"), beside / text("folder"),
        languages=_several(where, table, "languages", LANGUAGES, ("en",)),
        kinds=_several(where, table, "kinds", tuple(KINDS), ()),
        audience=audience, contact=text("contact", ""), legal_basis=text("legal_basis", ""),
    )  # fmt: skip


def _check_names(where: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            full = f"{where}.{name}" if where else name
            raise HotlineError(f"{full} is no field; there are: {', '.join(known)}")


def _table(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise HotlineError(f"a table [{where}] is missing")
    return value


def _texts(where: str, table: dict[str, Any]) -> Callable[..., str]:
    """How a text of the table is read: one line, not empty unless there is a default."""

    def text(name: str, default: str | None = None) -> str:
        value = table.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise HotlineError(f"{where}.{name} is a text and must not be missing or empty")
        if len(value) > _LONGEST or not value.isprintable():
            raise HotlineError(f"{where}.{name} is one line of at most {_LONGEST} characters")
        return value.strip()

    return text


def _several(
    where: str, table: dict[str, Any], name: str, known: Sequence[Word], default: Sequence[Word]
) -> tuple[Word, ...]:
    """A list of known words, each once."""
    value = table.get(name, list(default))
    if not isinstance(value, list) or not all(one in known for one in value):
        raise HotlineError(f"{where}.{name} is a list of some of: {', '.join(known)}")
    if name == "languages" and not value:
        raise HotlineError(f"{where}.{name} must not be empty")
    return tuple(dict.fromkeys(value))
