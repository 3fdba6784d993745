"""Helplines: whom a reporter can turn to, by country and language, from `helplines.toml` and an
operator's corrections of it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

from screener.errors import HotlineError
from screener.hotline.case import Language
from screener.hotline.language import Translator

_FIELDS = ("name", "country", "languages", "purpose", "phone", "url", "checked", "remove")


@dataclass(frozen=True, slots=True)
class Helpline:
    """Somebody to talk to (`purpose` is `help`), or a page that takes reports (`report`).

    `country` is ISO 3166-1 alpha-2, `languages` ISO 639-1. `phone` and `url` are empty where there
    is none or it is not known. `checked` is the day on which the operator last checked the entry;
    None where never.
    """

    id: str
    name: str
    country: str
    languages: tuple[str, ...]
    purpose: str
    phone: str
    url: str
    checked: date | None


def load(corrections: str | PathLike[str] | None = None) -> tuple[Helpline, ...]:
    """The helplines of the package, with an operator's file of corrections over them.

    Raises HotlineError that names the file and the field.
    """
    own = files("screener.hotline").joinpath("helplines.toml").read_text("utf-8")
    tables = tomllib.loads(own)
    name = "helplines.toml"
    if corrections is not None:
        name = str(corrections)
        for one, fields in _read(Path(corrections)).items():
            if not isinstance(fields, dict):
                raise HotlineError(f"{name}: {one} is no table")
            tables[one] = tables.get(one, {}) | fields
    try:
        return tuple(_helpline(one, t) for one, t in tables.items() if not _removed(one, t))
    except HotlineError as error:
        raise HotlineError(f"{name}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HotlineError(f"cannot read the helplines {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HotlineError(f"cannot read the helplines {path}: {error}") from error


def _removed(name: str, table: dict[str, Any]) -> bool:
    value = table.get("remove", False)
    if not isinstance(value, bool):
        raise HotlineError(f"{name}.remove is true or false")
    return value


def _helpline(name: str, table: dict[str, Any]) -> Helpline:
    for field in table:
        if field not in _FIELDS:
            raise HotlineError(f"{name}.{field} is no field; there are: {', '.join(_FIELDS)}")
    texts = {
        field: table.get(field, "") for field in ("name", "country", "purpose", "phone", "url")
    }
    for field, text in texts.items():
        if not isinstance(text, str) or not text.isprintable() or len(text) > 200:
            raise HotlineError(f"{name}.{field} is one line of text")
    if not texts["name"].strip():
        raise HotlineError(f"{name}.name must not be missing or empty")
    if not re.fullmatch("[A-Z]{2}", texts["country"]):
        raise HotlineError(f"{name}.country is two capital letters, such as MA")
    if texts["purpose"] not in ("help", "report"):
        raise HotlineError(f"{name}.purpose is help or report")
    if not re.fullmatch(r"[0-9+() -]*", texts["phone"]):
        raise HotlineError(f"{name}.phone has digits, spaces and +() - only")
    if not re.fullmatch(r"(https://\S+)?", texts["url"]):
        raise HotlineError(f"{name}.url begins with https://")
    return Helpline(
        id=name, languages=_languages(name, table.get("languages")),
        checked=_day(name, table.get("checked", "")), **texts,
    )  # fmt: skip


def _languages(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise HotlineError(f"{name}.languages is a list such as ['ar', 'fr']")
    if not all(isinstance(one, str) and re.fullmatch("[a-z]{2}", one) for one in value):
        raise HotlineError(f"{name}.languages are two small letters each, such as fr")
    return tuple(value)


def _day(name: str, value: object) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError:
        raise HotlineError(f"{name}.checked is a day such as 2026-11-25") from None


def for_reporter(
    country: str | None, language: Language, *, helplines: tuple[Helpline, ...] | None = None
) -> tuple[Helpline, ...]:
    """Those of a country, the ones that speak the language first, and of these somebody to talk to
    first. Where the country is not said, or has none here, those of all countries.
    """
    some = load() if helplines is None else helplines
    own = [one for one in some if one.country == country]
    return tuple(
        sorted(own or some, key=lambda one: (language not in one.languages, one.purpose != "help"))
    )


def lines(helplines: tuple[Helpline, ...], say: Translator) -> list[str]:
    """A line of text for each, as a reporter reads it; Babel names the languages."""
    return [_line(one, say) for one in helplines]


def _line(one: Helpline, say: Translator) -> str:
    reached = []
    if one.phone:
        reached.append(say("phone {number}").format(number=say.exact(one.phone)))
    if one.url:
        reached.append(say.exact(one.url))
    named = say(", ").join(say.named(code) for code in one.languages)
    purposes = {"help": say("somebody to talk to"), "report": say("reports of illegal content")}
    return say("{name} ({country}), {purpose} ({languages}): {reached}").format(
        name=say.isolated(one.name), country=say.country(one.country),
        purpose=purposes[one.purpose], reached=say(", ").join(reached), languages=named,
    )  # fmt: skip


def unchecked_notice(helplines: tuple[Helpline, ...], say: Translator) -> str | None:
    """What the operator, never a reporter, is told while helplines have not been checked."""
    names = [one.id for one in helplines if one.checked is None]
    if not names:
        return None
    return say.plural(
        "{n} helpline has not been checked by the operator: {names}.",
        "{n} helplines have not been checked by the operator: {names}.",
        len(names),
        names=", ".join(names),
    )
