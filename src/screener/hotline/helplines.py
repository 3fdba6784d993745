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
    """A helpline (`purpose` is `help`) or a page for reports (`report`).

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
    """Return the package's helplines, with an operator's file of corrections applied.

    Raises HotlineError with file and field if the file is invalid.
    """
    text = files("screener.hotline").joinpath("helplines.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    file = "helplines.toml"
    if corrections is not None:
        corrected = Table.load(Path(corrections))
        file = corrected.file
        for name in corrected.values:
            tables[name] = tables.get(name, {}) | corrected.table(name).values
    helplines = map(_parse_helpline, map(Table(file, "", tables).table, tables))
    return tuple(helpline for helpline in helplines if helpline is not None)


def _parse_helpline(table: Table) -> Helpline | None:
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
        id=table.name, name=table.text("name", max_length=200),
        country=table.text_like("country", "[A-Z]{2}", "MA"), languages=languages,
        purpose=table.choice("purpose", ("help", "report")),
        phone=table.text_like("phone", r"[0-9+() -]{0,40}", "+212 5 00 00 00 00", ""),
        url=table.text_like("url", r"(https://\S{1,200})?", "https://example.org/", ""),
        checked=_parse_day(table),
    )  # fmt: skip


def _is_language(code: object) -> bool:
    return isinstance(code, str) and re.fullmatch("[a-z]{2}", code) is not None


def _parse_day(table: Table) -> date | None:
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
    """Return the helplines of a country, or all if it has none.

    Helplines that speak the language come first, and among them those to talk to.
    """
    all_helplines = load() if helplines is None else helplines
    local = [helpline for helpline in all_helplines if helpline.country == country]
    return tuple(
        sorted(
            local or all_helplines,
            key=lambda helpline: (language not in helpline.languages, helpline.purpose != "help"),
        )
    )


def format_lines(helplines: tuple[Helpline, ...], translate: Translator) -> list[str]:
    """Return one line of text per helpline."""
    return [translate.line(_format_line(helpline, translate)) for helpline in helplines]


def _format_line(helpline: Helpline, translate: Translator) -> str:
    contacts = []
    if helpline.phone:
        contacts.append(
            translate("phone {number}").format(number=translate.isolate_ltr(helpline.phone))
        )
    if helpline.url:
        contacts.append(translate.isolate_ltr(helpline.url))
    languages = translate(", ").join(translate.language_name(code) for code in helpline.languages)
    purposes = {
        "help": translate("somebody to talk to"),
        "report": translate("reports of illegal content"),
    }
    return translate("{name} ({country}), {purpose} ({languages}): {reached}").format(
        name=translate.isolate(helpline.name), country=translate.country_name(helpline.country),
        purpose=purposes[helpline.purpose], languages=languages,
        reached=translate(", ").join(contacts),
    )  # fmt: skip


def warn_of_unchecked(helplines: tuple[Helpline, ...], translate: Translator) -> str | None:
    """Return a warning about unchecked helplines for the operator (not for reporters), or None."""
    names = [helpline.id for helpline in helplines if helpline.checked is None]
    if not names:
        return None
    return translate.plural(
        "{n} helpline has not been checked by the operator: {names}.",
        "{n} helplines have not been checked by the operator: {names}.",
        len(names),
        names=", ".join(names),
    )
