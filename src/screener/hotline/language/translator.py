"""Translate the hotline's texts into Arabic, French or English.

The sources `locale/<language>/LC_MESSAGES/screener.po` are read, so an operator can correct them.
Babel formats dates and numbers as in Morocco, France and Britain.
"""

from __future__ import annotations

import gettext
import hashlib
import io
import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING
from unicodedata import bidirectional, category, normalize

from screener.errors import HotlineError, printable
from screener.hotline.language.sentence import Sentence, mark
from screener.hotline.model.case import LANGUAGES, Language
from screener.system.installation import format_install

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

# Moroccan Arabic has its own month names and digits.
_LOCALES: Mapping[Language, str] = {"ar": "ar_MA", "fr": "fr_FR", "en": "en_GB"}
# In all languages, since no catalogue can be read without Babel.
_NO_BABEL = (
    "the hotline needs an extra / la ligne demande un supplément / يتطلب خط الإبلاغ حزمة إضافية:"
    f" {format_install('hotline')}"
)
_NO_CATALOGUE = (
    "the texts cannot be read / les textes sont illisibles / تتعذر قراءة النصوص:"
    " locale/{language}/LC_MESSAGES/screener.po: {why}"
)
_RIGHT_TO_LEFT_MARK = "\u200f"
_LEFT_TO_RIGHT_ISOLATE, _FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2066", "\u2068", "\u2069"


def remove_invisible(text: str) -> str:
    """Return a text without invisible characters, which copied Arabic text often has."""
    return "".join(c for c in text if category(c) != "Cf")


def join_lines(text: str) -> str:
    """Return a text as one line, in NFC and without invisible characters."""
    return " ".join(remove_invisible(normalize("NFC", text)).split())


@dataclass(frozen=True)
class Translator:
    """Translator of messages into one language.

    `translate("Case {reference} is closed.", reference=…)` returns the translation filled with the
    values, or unfilled without values. Sentences and HotlineErrors among the values are translated.
    Other values become one line of plain text, isolated (U+2068, U+2069) if they could turn the
    surrounding text. Nothing is escaped for HTML.
    """

    language: Language
    _catalogue: gettext.NullTranslations = field(repr=False, compare=False)

    def __call__(self, message: str, /, **values: object) -> str:
        """Return the message in this language, filled with the values if there are any."""
        text = self._catalogue.gettext(message)
        return text.format(**self._render_values(values)) if values else text

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """Return the form for `n`, filled with the number as `{n}` and with the values."""
        text = self._catalogue.ngettext(one, many, n)
        return text.format(**self._render_values(values), n=self.number(n))

    def _render_values(self, values: Mapping[str, object]) -> dict[str, str]:
        return {name: self.render(value) for name, value in values.items()}

    def render(self, value: object) -> str:
        """Translate a Sentence or HotlineError; return any other value isolated."""
        if isinstance(value, Sentence | HotlineError):
            return self(value.message, **value.values)
        return self.isolate(value)

    def isolate(self, value: object) -> str:
        """Return a value as plain text that keeps its own direction."""
        return self._surround(_FIRST_STRONG_ISOLATE, value)

    def isolate_ltr(self, value: object) -> str:
        """Return an address, reference, hash or command as plain text from left to right."""
        return self._surround(_LEFT_TO_RIGHT_ISOLATE, value)

    def _surround(self, isolate: str, value: object) -> str:
        text = printable(value)
        # Some terminals display these characters, so they are added only if needed.
        is_needed = self.rtl or any(bidirectional(c) in ("R", "AL", "AN") for c in text)
        if isinstance(value, int | float) or not is_needed:
            return text
        return f"{isolate}{text}{_POP_ISOLATE}"

    def line(self, text: str) -> str:
        """Return a line that has the direction of the language, whatever its first letter."""
        return f"{_RIGHT_TO_LEFT_MARK}{text}" if self.rtl else text

    @property
    def rtl(self) -> bool:
        """Whether the language is written from right to left."""
        return self.language == "ar"

    @property
    def direction(self) -> str:
        """`rtl` or `ltr`, as in HTML."""
        return "rtl" if self.rtl else "ltr"

    def number(self, value: float, /) -> str:
        """Return a number with the language's separators and at most one decimal.

        English integers need no Babel, since commands without the extra print them.
        """
        if self.language == "en" and isinstance(value, int):
            return f"{value:,}"
        from babel.numbers import format_decimal

        return format_decimal(value, "#,##0.#", locale=_LOCALES[self.language])

    def share(self, value: float, /) -> str:
        """Return a share from 0 to 1 in percent; only exact shares become 0% or 100%."""
        from babel.numbers import format_percent

        rounded = min(max(value, 0.001), 0.999) if 0 < value < 1 else value
        pattern = "#,##0.#%" if self.language == "en" else "#,##0.#\u00a0%"
        return format_percent(rounded, pattern, locale=_LOCALES[self.language])

    def day(self, day: date, /) -> str:
        """Return a day with the name of its month."""
        from babel.dates import format_date

        return format_date(day, self._date_pattern(day), locale=_LOCALES[self.language])

    def moment(
        self, at: datetime, /, zone: tzinfo = UTC, *, reference: datetime | None = None
    ) -> str:
        """Return a day and time to the minute in a time zone, with its UTC offset.

        The offset is omitted if the time `beside` has the same. Raises ValueError if `at` has no
        time zone.
        """
        from babel.dates import format_datetime

        if at.tzinfo is None:
            raise ValueError("a time of a case needs a time zone")
        local = at.astimezone(zone)
        pattern = f"{self._date_pattern(local)}{'،' if self.rtl else ','} HH:mm"
        text = format_datetime(local, pattern, locale=_LOCALES[self.language])
        same = reference is not None and reference.astimezone(zone).utcoffset() == local.utcoffset()
        return text if same else f"{text} ({_format_offset(local)})"

    def _date_pattern(self, day: date) -> str:
        """Return Babel's pattern for a day. French has an ordinal for the first."""
        return "d'er' MMMM y" if self.language == "fr" and day.day == 1 else "d MMMM y"

    def language_name(self, code: str, /) -> str:
        """Return the name of a language, or its code if there is none."""
        return self._name_in_language("languages", code)

    def country_name(self, code: str, /) -> str:
        """Return the name of a country, or its code if there is none."""
        return self._name_in_language("territories", code)

    def _name_in_language(self, names: str, code: str) -> str:
        try:
            from babel import Locale
        except ImportError:  # helplines must be readable without the extra
            return code
        return str(getattr(Locale.parse(_LOCALES[self.language]), names).get(code, code))

    def duration(self, length: timedelta, /) -> str:
        """Return hours and minutes, rounded down and without a sign."""
        minutes = int(abs(length).total_seconds()) // 60
        hours, minutes = divmod(minutes, 60)
        parts = []
        if hours:
            parts.append(self.plural("{n} hour", "{n} hours", hours))
        if minutes or not hours:
            parts.append(self.plural("{n} minute", "{n} minutes", minutes))
        if len(parts) == 1:
            return parts[0]
        translate = self
        return translate("{hours} and {minutes}").format(hours=parts[0], minutes=parts[1])


def _format_offset(local: datetime) -> str:
    seconds = int((local.utcoffset() or timedelta()).total_seconds())
    if not seconds:
        return "UTC"
    hours, remainder = divmod(abs(seconds), 3600)
    return f"UTC{'+' if seconds > 0 else '-'}{hours:02}:{remainder // 60:02}"


@lru_cache(maxsize=len(LANGUAGES))
def get_translator(language: Language) -> Translator:
    """Return the translator of a language.

    Raises HotlineError if the language is not supported or the extra is missing.
    """
    if language not in LANGUAGES:
        message = mark("a language is one of {known}")
        raise HotlineError(message, known=", ".join(LANGUAGES))
    if language == "en":  # the messages themselves
        return Translator(language, gettext.NullTranslations())
    return Translator(language, _compile_catalogue(load_catalogue(language)))


def _compile_catalogue(catalogue: Catalog) -> gettext.GNUTranslations:
    """Compile a catalogue, without translations that have placeholders of their own."""
    from babel.messages.mofile import write_mo

    for message in catalogue:
        if message.id and not _find_placeholders(message.string) <= _find_placeholders(message.id):
            message.string = ""
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _find_placeholders(texts: str | Iterable[str] | None) -> set[str | None]:
    names: set[str | None] = set()
    for text in (texts,) if isinstance(texts, str) else texts or ():
        try:
            names |= {name for _, name, _, _ in string.Formatter().parse(text)} - {None}
        except ValueError:
            names.add("{")
    return names


def load_catalogue(language: Language) -> Catalog:
    """Return the catalogue of a language other than English.

    Raises HotlineError if Babel is missing or the catalogue cannot be read.
    """
    try:
        from babel.messages.pofile import PoFileError, read_po
    except ImportError:
        raise HotlineError(_NO_BABEL) from None
    try:
        return read_po(io.BytesIO(_read_catalogue(language)), locale=language, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise HotlineError(_NO_CATALOGUE, language=language, why=str(error)) from None


def _read_catalogue(language: Language) -> bytes:
    folder = files("screener.hotline.language").joinpath("locale")
    return folder.joinpath(language, "LC_MESSAGES", "screener.po").read_bytes()


def detect_language(environment: Mapping[str, str]) -> Language:
    """Return the language of a shell's environment (LC_ALL, LC_MESSAGES, LANG), or English."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    value = next((value for name in names if (value := environment.get(name))), "")
    return next((language for language in LANGUAGES if language == value[:2].lower()), "en")


def list_unreviewed() -> tuple[Language, ...]:
    """Return the languages whose current texts no native speaker has signed.

    A signature in `locale/REVIEWED.toml` applies to the catalogue with its SHA-256 only.
    """
    text = files("screener.hotline.language").joinpath("locale", "REVIEWED.toml").read_text("utf-8")
    signatures = tomllib.loads(text)
    return tuple(
        language
        for language in LANGUAGES
        if language != "en"
        and not _is_signed(signatures.get(language, {}), _read_catalogue(language))
    )


def _is_signed(signature: Mapping[str, object], text: bytes) -> bool:
    complete = all(str(signature.get(name, "")).strip() for name in ("by", "on"))
    return complete and signature.get("sha256") == hashlib.sha256(text).hexdigest()
