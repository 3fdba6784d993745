"""Find words in a note that may identify a person. The note is neither changed nor stored.

It knows Arabic (also Moroccan in Latin letters), French and English, and digits of any script. It
finds what is usual; a note without a finding may still identify somebody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Kind = Literal["name", "phone", "email"]

# Invisible characters that may stand between letters.
_UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_MARKS = re.compile("[\u064b-\u0652\u0640]")  # vowels and lengthening of Arabic
_AT = r"(?:@|\s*[\[({]\s*(?:at|a|arobase|chez)\s*[\])}]\s*|\s+(?:at|arobase|آت|أت)\s+)"
_DOT = r"(?:\.|\s*[\[({]\s*(?:dot|point)\s*[\])}]\s*|\s+(?:dot|point|نقطة|دوت)\s+)"
_EMAIL = re.compile(
    rf"[\w.+-]{{1,64}}{_AT}[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{0,8}}{_DOT}[^\W\d_]{{2,}}", re.I
)
_PHONE = re.compile(
    r"(?<![\w/=.-])(?:\+|00)?\(?\d(?:[\s().\u00a0/·\u2010-\u2015-]{0,3}\d){7,14}(?![\w/])"
)
_DATE = re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\b")
_ADDRESS = re.compile(r"\b(?:https?|hxxps?)://\S+", re.I)
_WORD = r"[^\W\d_][\w'’-]*"
_INTRODUCED = re.compile(
    r"(?:\b(?:my name is|i am called|her name is|his name is|named|je m['’]appelle|je me nomme|"
    r"smi?y?t(?:i|ou?|ha)|ismi|"
    r"mon nom est|mon pr[ée]nom est|elle s['’]appelle|il s['’]appelle|nomm[ée]e?|signé)"
    r"|(?<!\w)(?:اسمي|إسمي|اسمه|اسمها|أدعى|يدعى|تدعى|سميتي))"
    rf"\s*:?\s+(?P<name>{_WORD}(?:\s+{_WORD})?)",
    re.I,
)
_TITLED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Miss|Dr|M|Mme|Mlle|Monsieur|Madame|Mademoiselle|Lalla|Sidi)\.?"
    r"|(?<!\w)(?:السيد|السيدة|الأستاذ|الأستاذة|الآنسة|الدكتور|الدكتورة|سيدي|للا|مولاي))"
    rf"\s+(?P<name>{_WORD}(?:\s+[^\W\d_a-zà-ÿ][\w'’-]*)?)"
)
_PAIR = re.compile(
    r"(?<!\w)(?P<name>[A-ZÀ-Þ][\w'’-]+(?:\s+(?:El|Al|Ben|Ait|Aït|de|bint|ibn))?\s+[A-ZÀ-Þ][\w'’-]+)"
)


@dataclass(frozen=True)
class Finding:
    """Words of a note that may identify a person, and their kind."""

    kind: Kind
    words: str


def find(note: str) -> tuple[Finding, ...]:
    """Return what may identify a person, each once, in the order of the note."""
    text = _plain(note)
    found: list[tuple[int, Finding]] = []
    taken: list[tuple[int, int]] = []
    for kind, start, end in (*_emails(text), *_phones(text), *_names(text)):
        if all(end <= before or start >= behind for before, behind in taken):
            taken.append((start, end))
            found.append((start, Finding(kind, " ".join(text[start:end].split()))))
    return tuple(dict.fromkeys(one for _, one in sorted(found, key=lambda pair: pair[0])))


def _plain(note: str) -> str:
    """Return the note in NFC with Western digits and without invisible characters."""
    text = _MARKS.sub("", _UNSEEN.sub("", unicodedata.normalize("NFC", note)))
    return "".join(
        str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text
    )


def _emails(text: str) -> Iterator[tuple[Kind, int, int]]:
    for match in _EMAIL.finditer(text):
        yield "email", match.start(), match.end()


def _phones(text: str) -> Iterator[tuple[Kind, int, int]]:
    elsewhere = [match.span() for match in _ADDRESS.finditer(text)]
    for match in _PHONE.finditer(text):
        inside = any(start <= match.start() < end for start, end in elsewhere)
        if not inside and not _DATE.match(match.group().strip("( ")):
            yield "phone", match.start(), match.end()


def _names(text: str) -> Iterator[tuple[Kind, int, int]]:
    for pattern in (_INTRODUCED, _TITLED):
        for match in pattern.finditer(text):
            yield "name", *match.span("name")
    given = _given_names()
    for match in _PAIR.finditer(text):
        # The first word of a sentence has a capital anyway.
        if not _begins(text, match.start()) or match.group().split()[0].casefold() in given:
            yield "name", *match.span("name")
    for match in re.finditer(_WORD, text):
        word = match.group()
        # In Latin letters a name has a capital; in Arabic a conjunction may be joined to it.
        latin = word[:1].isupper() and word.casefold() in given
        if latin or (not word.isascii() and (word in given or word.lstrip("وبلف") in given)):
            yield "name", match.start(), match.end()


@cache
def _given_names() -> frozenset[str]:
    """Return common given names of Morocco, France and Britain that are seldom another word."""
    return frozenset(
        files("screener.hotline.reports").joinpath("given_names.txt").read_text("utf-8").split()
    )


def _begins(text: str, at: int) -> bool:
    before = text[:at].rstrip()
    return not before or before[-1] in ".!?؟…:\n" or "\n" in text[len(before) : at]
