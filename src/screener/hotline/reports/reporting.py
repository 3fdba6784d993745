"""Create and withdraw a report on the reporter's own computer, without network access.

created = reporting.create("report.sealed", key="hotline.pub", addresses=["https://…"])
print(created.secret.text)
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from os import PathLike
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.language.sentence import mark
from screener.hotline.model.addresses import clean_address
from screener.hotline.model.case import LANGUAGES, Language
from screener.hotline.model.report import (
    MAX_ADDRESSES,
    MAX_ITEMS,
    MAX_NOTE_LENGTH,
    Report,
    Withdrawal,
)
from screener.hotline.reports import own_media, personal_data
from screener.hotline.reports.own_media import HashingFailure
from screener.hotline.reports.personal_data import Finding
from screener.hotline.reports.report_json import decode, encode
from screener.hotline.reports.sealed import (
    Secret,
    UnsealError,
    derive_proof,
    read_public_key,
    seal,
    write_new,
)

FilePath = str | PathLike[str]


@dataclass(frozen=True)
class CreatedReport:
    """A written report: its secret, words that may identify a person, and failed files."""

    secret: Secret
    findings: tuple[Finding, ...] = ()
    failures: tuple[HashingFailure, ...] = ()


def create(
    path: FilePath,
    *,
    key: FilePath,
    addresses: Sequence[str] = (),
    my_images: Sequence[FilePath] = (),
    note: str = "",
    language: Language = "en",
    country: str | None = None,
    day: date | None = None,
) -> CreatedReport:
    """Write a sealed report to a hotline.

    Nothing in the file, its length or its time identifies the reporter: see docs/hotline.md.
    Scripts that pass `my_images` need an `if __name__ == "__main__":` guard, since files are opened
    in a process of their own.

    Parameters:
        path: The new file.
        key: The file with the hotline's public key.
        addresses: Where the content was seen. They suffice; do not download anything.
        my_images: The reporter's own pictures and clips; the report contains only their hashes.
        note: Anything else for the hotline, without names.
        language: The reporter's language.
        country: The reporter's country, ISO 3166-1 alpha-2 (`MA`).
        day: The day of the report (default: today, in UTC).

    Returns:
        The reporter's secret, words that may identify a person, and files that were not hashed.

    Raises:
        HotlineError: If the report is empty, too large or has invalid fields, or if it cannot be
            written. Then no file is written.
        TypeError: If a list is a single value, or `day` is a datetime.
    """
    recipient = read_public_key(key)
    _check_list("addresses", addresses)
    _check_list("my_images", my_images)
    day = _check_day(day)
    # Python decodes a terminal's invalid bytes as surrogates, which UTF-8 cannot encode.
    note = re.sub("[\ud800-\udfff]", "\ufffd", note)
    _check_fields(addresses, my_images, note, language, country)
    addresses = tuple(dict.fromkeys(map(clean_address, addresses)))
    items, failures = own_media.hash_files(my_images)
    if not addresses and not items:
        raise _explain_empty_report(my_images, failures)
    secret = Secret.make()
    report = Report(
        secrets.token_hex(16),
        day,
        language,
        secret.status_key,
        derive_proof(secret.withdrawal),
        country,
        addresses,
        note,
        items,
    )
    _write_dated(Path(path), seal(_encode_checked(report), recipient), day)
    findings = personal_data.find("\n".join((note, *addresses) if note else addresses))
    return CreatedReport(secret, findings, failures)


def withdraw(path: FilePath, *, key: FilePath, secret: Secret, day: date | None = None) -> None:
    """Write a sealed withdrawal of the report with a secret.

    It looks like a report; only the hotline can distinguish them. Raises HotlineError if it cannot
    be written.
    """
    day = _check_day(day)
    sealed = seal(encode(Withdrawal(secret.withdrawal)), read_public_key(key))
    _write_dated(Path(path), sealed, day)


def _check_list(name: str, values: object) -> None:
    if isinstance(values, str | bytes | PathLike):  # otherwise each letter would become an address
        raise TypeError(f"{name} must be a list; wrap a single one as [value]")


def _check_day(day: date | None) -> date:
    """Return the day, today by default. Raises TypeError for a datetime, which is too precise."""
    if isinstance(day, datetime):
        raise TypeError("day must be a date, not a datetime")
    return datetime.now(UTC).date() if day is None else day


def _check_fields(
    addresses: Sequence[str],
    my_images: Sequence[FilePath],
    note: str,
    language: str,
    country: str | None,
) -> None:
    if len(addresses) > MAX_ADDRESSES or len(my_images) > MAX_ITEMS:
        raise HotlineError(
            mark(
                "a report has at most {addresses} addresses and {pictures} pictures: make several"
            ),
            addresses=MAX_ADDRESSES,
            pictures=MAX_ITEMS,
        )
    if len(note) > MAX_NOTE_LENGTH:
        raise HotlineError(mark("a note has at most {most} characters"), most=MAX_NOTE_LENGTH)
    if language not in LANGUAGES:
        message = mark("a language is one of {known}")
        raise HotlineError(message, known=", ".join(LANGUAGES))
    if country is not None and not (
        len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    ):
        raise HotlineError(mark("a country is two letters, such as MA"))


def _explain_empty_report(
    my_images: Sequence[FilePath], failures: Sequence[HashingFailure]
) -> HotlineError:
    if not failures:
        return HotlineError(mark("a report needs an address, or a picture that can be hashed"))
    file = Path(my_images[failures[0].index]).name
    message = mark("{file} cannot be hashed: {reason}")
    return HotlineError(message, file=file, reason=failures[0].reason)


def _encode_checked(report: Report) -> bytes:
    """Return a report as JSON. Raises HotlineError if the hotline would refuse it."""
    content = encode(report)
    try:
        decode(content)
    except UnsealError:
        raise HotlineError(mark("this is too much for one report: make several")) from None
    return content


def _write_dated(path: Path, data: bytes, day: date) -> None:
    write_new(path, data)
    # The file's modification time would reveal the time of day.
    midnight = datetime.combine(day, time(), UTC).timestamp()
    os.utime(path, (midnight, midnight))
