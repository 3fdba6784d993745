"""Language: what the hotline says, in Arabic, French or English.

English texts stand in the code; `locale/<language>/LC_MESSAGES/screener.po` hold the others, and
are read as they are: nothing is compiled, so that an operator can correct a text in place. Dates
and numbers are written by Babel as they are in Morocco, France and Britain.
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
from screener.hotline.language.sentence import Sentence, marked
from screener.hotline.model.case import LANGUAGES, Language
from screener.system.installation import install

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

# Moroccan Arabic has month names and digits of its own, which are those that its readers use.
_LOCALES: Mapping[Language, str] = {"ar": "ar_MA", "fr": "fr_FR", "en": "en_GB"}
# What is said where no catalogue can be read, in all languages at once.
_NO_BABEL = (
    "the hotline needs an extra / la ligne demande un supplément / يتطلب خط الإبلاغ حزمة إضافية:"
    f" {install('hotline')}"
)
_NO_CATALOGUE = (
    "the texts cannot be read / les textes sont illisibles / تتعذر قراءة النصوص:"
    " locale/{language}/LC_MESSAGES/screener.po: {why}"
)
_RIGHT_TO_LEFT_MARK = "\u200f"
_LEFT_TO_RIGHT_ISOLATE, _FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2066", "\u2068", "\u2069"


def visible(text: str) -> str:
    """A text without the signs that are not seen, such as give an Arabic text its direction: they
    come along with what is pasted, and say nothing of what is meant.
    """
    return "".join(c for c in text if category(c) != "Cf")


def one_line(text: str) -> str:
    """What somebody wrote, as one line of what is seen: French has spaces of its own before signs,
    and Arabic signs that give a text its direction.
    """
    return " ".join(visible(normalize("NFC", text)).split())


@dataclass(frozen=True)
class Translator:
    """Says the messages of one language.

    `say("Case {reference} is closed.", reference=…)` gives the translation with the values filled
    in; without values it is given as it is, to be filled by the caller. A value that is a Sentence,
    or an error of the hotline, is said in this language as well. `say.plural` takes the form
    for a number, which fills `{n}`. Values are plain text, one line; in Arabic those that are
    texts are isolated (U+2068, U+2069), and elsewhere those that are written from right to left, so
    that each keeps its order. What fills HTML is escaped by the page that it fills.
    """

    language: Language
    _found: gettext.NullTranslations = field(repr=False, compare=False)

    def __call__(self, message: str, /, **values: object) -> str:
        """The message in this language, filled with the values if there are any."""
        said = self._found.gettext(message)
        return said.format(**self._filled(values)) if values else said

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The form for `n` things, filled with the number as `{n}` and with the values."""
        said = self._found.ngettext(one, many, n)
        return said.format(**self._filled(values), n=self.number(n))

    def _filled(self, values: Mapping[str, object]) -> dict[str, str]:
        return {name: self.render(value) for name, value in values.items()}

    def render(self, value: object) -> str:
        """A sentence or an error in this language; any other value as it is, isolated."""
        if isinstance(value, Sentence | HotlineError):
            return self(value.message, **value.values)
        return self.isolated(value)

    def isolated(self, value: object) -> str:
        """A value as plain text that does not turn the text around it, nor is turned by it."""
        return self._apart(_FIRST_STRONG_ISOLATE, value)

    def isolated_ltr(self, value: object) -> str:
        """The same of an address, a reference, a hash or a command: always from left to right."""
        return self._apart(_LEFT_TO_RIGHT_ISOLATE, value)

    def _apart(self, isolate: str, value: object) -> str:
        text = printable(value)
        # A terminal shows more of these characters than a reader wants: only where they are needed.
        turns = self.rtl or any(bidirectional(c) in ("R", "AL", "AN") for c in text)
        if isinstance(value, int | float) or not turns:
            return text
        return f"{isolate}{text}{_POP_ISOLATE}"

    def line(self, text: str) -> str:
        """A line that goes as the language is written, whatever letter it begins with, by which it
        would go elsewise.
        """
        return f"{_RIGHT_TO_LEFT_MARK}{text}" if self.rtl else text

    @property
    def rtl(self) -> bool:
        """Whether it is written from right to left."""
        return self.language == "ar"

    @property
    def direction(self) -> str:
        """`rtl` or `ltr`, as HTML has it."""
        return "rtl" if self.rtl else "ltr"

    def number(self, value: float, /) -> str:
        """A number with the separators of the language, at most one decimal. Counts in English need
        no Babel, since commands that need no extra tell them.
        """
        if self.language == "en" and isinstance(value, int):
            return f"{value:,}"
        from babel.numbers import format_decimal

        return format_decimal(value, "#,##0.#", locale=_LOCALES[self.language])

    def share(self, value: float, /) -> str:
        """A share from 0 to 1, in percent; 1 and 0 are only said of exactly these."""
        from babel.numbers import format_percent

        shown = min(max(value, 0.001), 0.999) if 0 < value < 1 else value
        pattern = "#,##0.#%" if self.language == "en" else "#,##0.#\u00a0%"
        return format_percent(shown, pattern, locale=_LOCALES[self.language])

    def day(self, day: date, /) -> str:
        """A day with the name of its month."""
        from babel.dates import format_date

        return format_date(day, self._dated(day), locale=_LOCALES[self.language])

    def moment(self, at: datetime, /, zone: tzinfo = UTC, *, beside: datetime | None = None) -> str:
        """A day and a time to the minute in a time zone, which it names by its distance to UTC;
        but not where that is the same as of a time that stands `beside` it.

        Raises ValueError for a time that says no zone.
        """
        from babel.dates import format_datetime

        if at.tzinfo is None:
            raise ValueError("a time of a case says its zone")
        local = at.astimezone(zone)
        pattern = f"{self._dated(local)}{'،' if self.rtl else ','} HH:mm"
        text = format_datetime(local, pattern, locale=_LOCALES[self.language])
        known = beside is not None and beside.astimezone(zone).utcoffset() == local.utcoffset()
        return text if known else f"{text} ({_offset(local)})"

    def _dated(self, day: date) -> str:
        """How Babel is to write a day: in French the first of a month is told by its rank."""
        return "d'er' MMMM y" if self.language == "fr" and day.day == 1 else "d MMMM y"

    def language_name(self, code: str, /) -> str:
        """The name of a language, in this one; its code where it has none, or without Babel."""
        return self._name("languages", code)

    def country_name(self, code: str, /) -> str:
        """The name of a country, in this language; its code where it has none, or without Babel."""
        return self._name("territories", code)

    def _name(self, names: str, code: str) -> str:
        try:
            from babel import Locale
        except ImportError:  # a reporter without the extra is still told whom to turn to
            return code
        return str(getattr(Locale.parse(_LOCALES[self.language]), names).get(code, code))

    def duration(self, length: timedelta, /) -> str:
        """Hours and minutes, without a sign; minutes are cut off, not rounded."""
        minutes = int(abs(length).total_seconds()) // 60
        hours, minutes = divmod(minutes, 60)
        render = []
        if hours:
            render.append(self.plural("{n} hour", "{n} hours", hours))
        if minutes or not hours:
            render.append(self.plural("{n} minute", "{n} minutes", minutes))
        if len(render) == 1:
            return render[0]
        say = self
        return say("{hours} and {minutes}").format(hours=render[0], minutes=render[1])


def _offset(local: datetime) -> str:
    """`UTC`, or `UTC+01:00`. A name such as WEST says less to a reader of another country."""
    seconds = int((local.utcoffset() or timedelta()).total_seconds())
    if not seconds:
        return "UTC"
    hours, rest = divmod(abs(seconds), 3600)
    return f"UTC{'+' if seconds > 0 else '-'}{hours:02}:{rest // 60:02}"


@lru_cache(maxsize=len(LANGUAGES))
def translator(language: Language) -> Translator:
    """The translator of a language; HotlineError for another, or without the extra `hotline`."""
    if language not in LANGUAGES:
        message = marked("a language is one of {known}")
        raise HotlineError(message, known=", ".join(LANGUAGES))
    if language == "en":  # the messages themselves
        return Translator(language, gettext.NullTranslations())
    return Translator(language, _compiled(catalogue(language)))


def _compiled(found: Catalog) -> gettext.GNUTranslations:
    """A catalogue as the standard library looks up in it, plural rules and all.

    A translation that fills in what its message does not, by a slip of whoever corrected it, is
    left out: the English text is better than no notice.
    """
    from babel.messages.mofile import write_mo

    for message in found:
        if message.id and not _filled_by(message.string) <= _filled_by(message.id):
            message.string = ""
    compiled = io.BytesIO()
    write_mo(compiled, found)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _filled_by(texts: str | Iterable[str] | None) -> set[str | None]:
    """The names that are filled into a text or the forms of one; what cannot be filled has the name
    of no value.
    """
    names: set[str | None] = set()
    for text in (texts,) if isinstance(texts, str) else texts or ():
        try:
            names |= {name for _, name, _, _ in string.Formatter().parse(text)} - {None}
        except ValueError:
            names.add("{")
    return names


def catalogue(language: Language) -> Catalog:
    """The catalogue of a language other than English, as its file has it; HotlineError."""
    try:
        from babel.messages.pofile import PoFileError, read_po
    except ImportError:
        raise HotlineError(_NO_BABEL) from None
    try:
        return read_po(io.BytesIO(_text_of(language)), locale=language, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise HotlineError(_NO_CATALOGUE, language=language, why=str(error)) from None


def _text_of(language: Language) -> bytes:
    folder = files("screener.hotline.language").joinpath("locale")
    return folder.joinpath(language, "LC_MESSAGES", "screener.po").read_bytes()


def preferred(environment: Mapping[str, str]) -> Language:
    """The language that a shell's environment asks for, by LC_ALL, LC_MESSAGES or LANG; English
    where it asks for none of ours.
    """
    asked = next((v for n in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := environment.get(n))), "")
    found = [language for language in LANGUAGES if asked[:2].lower() == language]
    return found[0] if found else "en"


def unreviewed() -> tuple[Language, ...]:
    """The languages whose texts no native speaker has signed, as they stand now.

    `locale/REVIEWED.toml` is where they sign: a signature is of the catalogue with that SHA-256,
    and lapses with the first change to it.
    """
    text = files("screener.hotline.language").joinpath("locale", "REVIEWED.toml").read_text("utf-8")
    signed = tomllib.loads(text)
    return tuple(
        language
        for language in LANGUAGES
        if language != "en" and not _is_signed(signed.get(language, {}), _text_of(language))
    )


def _is_signed(said: Mapping[str, object], text: bytes) -> bool:
    language_name = all(str(said.get(name, "")).strip() for name in ("by", "on"))
    return language_name and said.get("sha256") == hashlib.sha256(text).hexdigest()
