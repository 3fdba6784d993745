"""Helplines for reporters, from `helplines.toml` and the operator's corrections."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from os import PathLike
from pathlib import Path

from screener.hotline.language.sentence import mark
from screener.hotline.language.translator import Translator
from screener.hotline.model.case import Language
from screener.hotline.toml_table import Table

_FIELDS = ("name", "country", "languages", "purpose", "phone", "url", "checked", "remove")


@dataclass(frozen=True, slots=True)
class Helpline:
    """A helpline (`purpose` is `help`), or a page that takes reports (`report`).

    `country` is ISO 3166-1 alpha-2, `languages` are ISO 639-1. `phone` and `url` are empty if
    unknown. `checked` is the day on which the operator last checked the entry, or None.
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
    """Return the helplines of the package, with an operator's file of corrections applied.

    Raises HotlineError that names the file and the field.
    """
    text = files("screener.hotline").joinpath("helplines.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    file = "helplines.toml"
    if corrections is not None:
        changes = Table.load(Path(corrections))
        file = changes.file
        for name in changes.values:
            tables[name] = tables.get(name, {}) | changes.table(name).values
    helplines = map(_helpline, map(Table(file, "", tables).table, tables))
    return tuple(one for one in helplines if one is not None)


def _helpline(table: Table) -> Helpline | None:
    table.check_names(_FIELDS)
    removed = table.values.get("remove", False)
    if not isinstance(removed, bool):
        raise table.error(mark("{file}: {field} must be true or false"), "remove")
    if removed:
        return None
    languages: tuple[str, ...] = table.choices("languages", _is_language, "ar, fr, en")
    if not languages:
        raise table.error(mark("{file}: {field} must not be empty"), "languages")
    return Helpline(
        id=table.name, name=table.text("name", longest=200),
        country=table.matching("country", "[A-Z]{2}", "MA"), languages=languages,
        purpose=table.choice("purpose", ("help", "report")),
        phone=table.matching("phone", r"[0-9+() -]{0,40}", "+212 5 00 00 00 00", ""),
        url=table.matching("url", r"(https://\S{1,200})?", "https://example.org/", ""),
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
        message = mark("{file}: {field} must be a day such as 2026-11-25, or empty")
        raise table.error(message, "checked") from None


def select_for_reporter(
    country: str | None, language: Language, *, helplines: tuple[Helpline, ...] | None = None
) -> tuple[Helpline, ...]:
    """Return the helplines of a country, or all if it is unknown or has none.

    Those that speak the language come first, among them those to talk to.
    """
    every = load() if helplines is None else helplines
    of_country = [one for one in every if one.country == country]
    return tuple(
        sorted(
            of_country or every,
            key=lambda one: (language not in one.languages, one.purpose != "help"),
        )
    )


def lines(helplines: tuple[Helpline, ...], translate: Translator) -> list[str]:
    """Return a line of text for each helpline. Babel names the languages."""
    return [translate.line(_line(one, translate)) for one in helplines]


def _line(one: Helpline, translate: Translator) -> str:
    contacts = []
    if one.phone:
        contacts.append(translate("phone {number}").format(number=translate.isolate_ltr(one.phone)))
    if one.url:
        contacts.append(translate.isolate_ltr(one.url))
    languages = translate(", ").join(translate.language_name(code) for code in one.languages)
    purposes = {
        "help": translate("somebody to talk to"),
        "report": translate("reports of illegal content"),
    }
    return translate("{name} ({country}), {purpose} ({languages}): {reached}").format(
        name=translate.isolate(one.name), country=translate.country_name(one.country),
        purpose=purposes[one.purpose], reached=translate(", ").join(contacts), languages=languages,
    )  # fmt: skip


def warn_of_unchecked(helplines: tuple[Helpline, ...], translate: Translator) -> str | None:
    """Return a warning for the operator, never for reporters, about unchecked helplines."""
    names = [one.id for one in helplines if one.checked is None]
    if not names:
        return None
    return translate.plural(
        "{n} helpline has not been checked by the operator: {names}.",
        "{n} helplines have not been checked by the operator: {names}.",
        len(names),
        names=", ".join(names),
    )
