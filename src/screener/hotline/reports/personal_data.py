"""Find words in a note that may identify a person.

Covers Arabic (also Moroccan Arabic in Latin letters), French and English, and digits of any script.
Only usual forms are found; a note without findings may still identify somebody.
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

# Invisible characters that may separate letters.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_ARABIC_MARKS = re.compile("[\u064b-\u0652\u0640]")  # Arabic vowel signs and lengthening
_AT_SIGN = r"(?:@|\s*[\[({]\s*(?:at|a|arobase|chez)\s*[\])}]\s*|\s+(?:at|arobase|آت|أت)\s+)"
_DOT = r"(?:\.|\s*[\[({]\s*(?:dot|point)\s*[\])}]\s*|\s+(?:dot|point|نقطة|دوت)\s+)"
_EMAIL_PATTERN = re.compile(
    rf"[\w.+-]{{1,64}}{_AT_SIGN}[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{0,8}}{_DOT}[^\W\d_]{{2,}}",
    re.I,
)
_PHONE_PATTERN = re.compile(
    r"(?<![\w/=.-])(?:\+|00)?\(?\d(?:[\s().\u00a0/·\u2010-\u2015-]{0,3}\d){7,14}(?![\w/])"
)
_DATE_PATTERN = re.compile(r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\b")
_ADDRESS_PATTERN = re.compile(r"\b(?:https?|hxxps?)://\S+", re.I)
_WORD = r"[^\W\d_][\w'’-]*"
_INTRODUCED_NAME = re.compile(
    r"(?:\b(?:my name is|i am called|her name is|his name is|named|je m['’]appelle|je me nomme|"
    r"smi?y?t(?:i|ou?|ha)|ismi|"
    r"mon nom est|mon pr[ée]nom est|elle s['’]appelle|il s['’]appelle|nomm[ée]e?|signé)"
    r"|(?<!\w)(?:اسمي|إسمي|اسمه|اسمها|أدعى|يدعى|تدعى|سميتي))"
    rf"\s*:?\s+(?P<name>{_WORD}(?:\s+{_WORD})?)",
    re.I,
)
_TITLED_NAME = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Miss|Dr|M|Mme|Mlle|Monsieur|Madame|Mademoiselle|Lalla|Sidi)\.?"
    r"|(?<!\w)(?:السيد|السيدة|الأستاذ|الأستاذة|الآنسة|الدكتور|الدكتورة|سيدي|للا|مولاي))"
    rf"\s+(?P<name>{_WORD}(?:\s+[^\W\d_a-zà-ÿ][\w'’-]*)?)"
)
_NAME_PAIR = re.compile(
    r"(?<!\w)(?P<name>[A-ZÀ-Þ][\w'’-]+(?:\s+(?:El|Al|Ben|Ait|Aït|de|bint|ibn))?\s+[A-ZÀ-Þ][\w'’-]+)"
)


@dataclass(frozen=True)
class Finding:
    """Words of a note that may identify a person, and their kind."""

    kind: Kind
    words: str


def find(note: str) -> tuple[Finding, ...]:
    """Return words that may identify a person, in the order of the note."""
    text = _normalise(note)
    findings: list[tuple[int, Finding]] = []
    spans: list[tuple[int, int]] = []
    for kind, start, end in (*_find_emails(text), *_find_phones(text), *_find_names(text)):
        if all(end <= before or start >= after for before, after in spans):
            spans.append((start, end))
            findings.append((start, Finding(kind, " ".join(text[start:end].split()))))
    return tuple(
        dict.fromkeys(finding for _, finding in sorted(findings, key=lambda pair: pair[0]))
    )


def _normalise(note: str) -> str:
    """Return the note in NFC with Western digits and without invisible characters."""
    text = _ARABIC_MARKS.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFC", note)))
    return "".join(
        str(unicodedata.digit(character))
        if character.isdigit() and not character.isascii()
        else character
        for character in text
    )


def _find_emails(text: str) -> Iterator[tuple[Kind, int, int]]:
    for match in _EMAIL_PATTERN.finditer(text):
        yield "email", match.start(), match.end()


def _find_phones(text: str) -> Iterator[tuple[Kind, int, int]]:
    address_spans = [match.span() for match in _ADDRESS_PATTERN.finditer(text)]
    for match in _PHONE_PATTERN.finditer(text):
        inside = any(start <= match.start() < end for start, end in address_spans)
        if not inside and not _DATE_PATTERN.match(match.group().strip("( ")):
            yield "phone", match.start(), match.end()


def _find_names(text: str) -> Iterator[tuple[Kind, int, int]]:
    for pattern in (_INTRODUCED_NAME, _TITLED_NAME):
        for match in pattern.finditer(text):
            yield "name", *match.span("name")
    given_names = _load_given_names()
    for match in _NAME_PAIR.finditer(text):
        # The first word of a sentence has a capital in any case.
        if (
            not _is_sentence_start(text, match.start())
            or match.group().split()[0].casefold() in given_names
        ):
            yield "name", *match.span("name")
    for match in re.finditer(_WORD, text):
        word = match.group()
        # In Latin letters, names have a capital. In Arabic, a conjunction may precede the name.
        latin = word[:1].isupper() and word.casefold() in given_names
        if latin or (
            not word.isascii() and (word in given_names or word.lstrip("وبلف") in given_names)
        ):
            yield "name", match.start(), match.end()


@cache
def _load_given_names() -> frozenset[str]:
    """Return given names common in Morocco, France and Britain and rare as other words."""
    return frozenset(
        files("screener.hotline.reports").joinpath("given_names.txt").read_text("utf-8").split()
    )


def _is_sentence_start(text: str, at: int) -> bool:
    before = text[:at].rstrip()
    return not before or before[-1] in ".!?؟…:\n" or "\n" in text[len(before) : at]
