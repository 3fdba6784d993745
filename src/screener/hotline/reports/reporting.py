"""Reporting: what a reporter does on their own computer; nothing of it touches a network.

made = reporting.create("report.sealed", key="hotline.pub", addresses=["https://…"])
print(made.secret.text)
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
from screener.hotline import arguments
from screener.hotline.language.sentence import marked
from screener.hotline.model.addresses import checked
from screener.hotline.model.case import LANGUAGES, Language
from screener.hotline.model.report import (
    LONGEST_NOTE,
    MOST_ADDRESSES,
    MOST_ITEMS,
    Report,
    Withdrawal,
)
from screener.hotline.reports import own_media
from screener.hotline.reports import personal_data as findings
from screener.hotline.reports.own_media import HashingFailure
from screener.hotline.reports.personal_data import Finding
from screener.hotline.reports.report_json import decode
from screener.hotline.reports.report_json import encode as encoded
from screener.hotline.reports.sealed import Secret, UnsealError, proof, public_key, seal, write_new

FilePath = str | PathLike[str]


@dataclass(frozen=True)
class CreatedReport:
    """A report that was written: the secret to keep, what in the note may tell who somebody is, and
    which of the pictures could not be hashed and are not in it.
    """

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
    """Write a report to the hotline whose public key is in the file `key`.

    Addresses where the content was seen suffice; nobody should download anything. `my_images` are
    pictures and clips of the reporter, of which hashes are made here, and of which nothing else
    goes into the report. `country` is that of ISO 3166-1 (`MA`); `day` is today's unless given.

    Nothing in the file, its length or its time tells the reporter: see docs/hotline.md. Raises
    HotlineError, and then nothing is written. A script that gives `my_images` guards its main part
    by `if __name__ == "__main__":`, since they are opened in a process of their own.
    """
    whose = public_key(key)
    addresses = arguments.several("addresses", addresses)
    my_images = arguments.several("pictures", my_images)
    arguments.check("a note", note, str)
    if country is not None:
        arguments.check("a country", country, str)
    if day is not None:
        arguments.check_day(day)
    # A terminal of another encoding hands over bytes of which Python makes what no file can hold.
    note = re.sub("[\ud800-\udfff]", "\ufffd", note)
    _check(addresses, my_images, note, language, country)
    kept = tuple(dict.fromkeys(map(checked, addresses)))
    items, failures = own_media.hash_files(my_images)
    if not kept and not items:
        if failures:
            file, why = Path(my_images[failures[0].index]).name, failures[0].why
            raise HotlineError(marked("{file} cannot be hashed: {reason}"), file=file, reason=why)
        raise HotlineError(marked("a report needs an address, or a picture that can be hashed"))
    secret = Secret.make()
    report = Report(
        secrets.token_hex(16),
        datetime.now(UTC).date() if day is None else day,
        language,
        secret.status_key,
        proof(secret.withdrawal),
        country,
        kept,
        note,
        items,
    )
    content = encoded(report)
    try:
        decode(content)  # the hotline would refuse it, and could tell nobody
    except UnsealError:
        message = marked("this is more than one report holds: make several of it")
        raise HotlineError(message) from None
    _write(Path(path), seal(content, whose), report.day)
    found = findings.find("\n".join((note, *kept)) if note else "\n".join(kept))
    return CreatedReport(secret, found, failures)


def withdraw(path: FilePath, *, key: FilePath, secret: Secret, day: date | None = None) -> None:
    """Write what takes a report back, to be handed to the hotline as the report was.

    It looks like a report: nobody but the hotline can tell which it is, nor of which report.
    """
    arguments.check("a secret", secret, Secret)
    if day is not None:
        arguments.check_day(day)
    sealed = seal(encoded(Withdrawal(secret.withdrawal)), public_key(key))
    _write(Path(path), sealed, datetime.now(UTC).date() if day is None else day)


def _check(
    addresses: Sequence[str],
    my_images: Sequence[FilePath],
    note: str,
    language: str,
    country: str | None,
) -> None:
    if len(addresses) > MOST_ADDRESSES or len(my_images) > MOST_ITEMS:
        raise HotlineError(
            marked("a report holds {addresses} addresses and {pictures} pictures: make several"),
            addresses=MOST_ADDRESSES,
            pictures=MOST_ITEMS,
        )
    if len(note) > LONGEST_NOTE:
        raise HotlineError(marked("a note has at most {most} characters"), most=LONGEST_NOTE)
    if language not in LANGUAGES:
        message = marked("a language is one of {known}")
        raise HotlineError(message, known=", ".join(LANGUAGES))
    if country is not None and not (
        len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    ):
        raise HotlineError(marked("a country is told by two letters, such as MA"))


def _write(path: Path, data: bytes, day: date) -> None:
    write_new(path, data)
    # A file's own time would tell when in the day it was made, wherever it is handed on with it.
    begin = datetime.combine(day, time(), UTC).timestamp()
    os.utime(path, (begin, begin))
