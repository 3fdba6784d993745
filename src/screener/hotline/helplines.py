"""Helplines: whom a reporter can turn to, by country and language, from `helplines.toml` and an
operator's corrections of it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from os import PathLike
from pathlib import Path

from screener.hotline.language.sentence import marked
from screener.hotline.language.translator import Translator
from screener.hotline.model.case import Language
from screener.hotline.toml_table import Table

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
        given = Table.load(Path(corrections))
        name = given.file
        for one in given.values:
            tables[one] = tables.get(one, {}) | given.table(one).values
    whole = Table(name, "", tables)
    found = map(_helpline, map(whole.table, tables))
    return tuple(one for one in found if one is not None)


def _helpline(table: Table) -> Helpline | None:
    """None of one that is taken out."""
    table.check_names(_FIELDS)
    removed = table.values.get("remove", False)
    if not isinstance(removed, bool):
        raise table.wrong(marked("{file}: {field} is true or false"), "remove")
    if removed:
        return None
    languages: tuple[str, ...] = table.several("languages", _is_language, "ar, fr, en")
    if not languages:
        raise table.wrong(marked("{file}: {field} must not be empty"), "languages")
    return Helpline(
        id=table.name, name=table.text("name", longest=200),
        country=table.like("country", "[A-Z]{2}", "MA"), languages=languages,
        purpose=table.one_of("purpose", ("help", "report")),
        phone=table.like("phone", r"[0-9+() -]{0,40}", "+212 5 00 00 00 00", ""),
        url=table.like("url", r"(https://\S{1,200})?", "https://example.org/", ""),
        checked=_day(table),
    )  # fmt: skip


def _is_language(code: object) -> bool:
    return isinstance(code, str) and re.fullmatch("[a-z]{2}", code) is not None


def _day(table: Table) -> date | None:
    value = table.values.get("checked", "")
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError:
        message = marked("{file}: {field} is a day such as 2026-11-25, or empty")
        raise table.wrong(message, "checked") from None


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
    return [say.line(_line(one, say)) for one in helplines]


def _line(one: Helpline, say: Translator) -> str:
    reached = []
    if one.phone:
        reached.append(say("phone {number}").format(number=say.isolated_ltr(one.phone)))
    if one.url:
        reached.append(say.isolated_ltr(one.url))
    named = say(", ").join(say.language_name(code) for code in one.languages)
    purposes = {"help": say("somebody to talk to"), "report": say("reports of illegal content")}
    return say("{name} ({country}), {purpose} ({languages}): {reached}").format(
        name=say.isolated(one.name), country=say.country_name(one.country),
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
