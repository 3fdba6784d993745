"""Write the XML of NCMEC's Hash Sharing v2: a `queryResult` of images and videos.

A record imported from such a file is named `member/id` and keeps both. Another gets a member number
made from its source, and its entry as id.
"""

from __future__ import annotations

import html
import itertools
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from screener.hashing.hash import Hash
from screener.lists import times
from screener.lists.exporting.writers.entry import Entry, Tally, Wants
from screener.lists.formats.ncmec_xml import NAMESPACE, SCHEME
from screener.lists.states import State

NAME = "ncmec"
_ELEMENTS = {"md5": "md5", "sha1": "sha1", "photodna": "pdna", "pdq": "pdq"}
_CLASSES = ("A1", "A2", "B1", "B2")


def write(out: TextIO, entries: Iterable[Entry], tally: Tally, wants: Wants) -> None:
    """Write the entries that can match, and withdrawn ones as deleted, in two passes."""
    tally.lost |= {"quality", "labels", "whether it is disputed", "categories but A1 to B2"}
    out.write('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n')
    out.write(f'<queryResult xmlns="{NAMESPACE}">\n')
    totals = _count_elements(entries)
    for name, video in (("image", False), ("video", True)):
        count, newest = totals[video]
        max_timestamp = f' maxTimestamp="{newest}"' if newest else ""
        out.write(f'<{name}s count="{count}"{max_timestamp}>\n')
        for entry in entries:
            if entry.video is video:
                out.writelines(_build_elements(entry, tally))
        out.write(f"</{name}s>\n")
    out.write("</queryResult>\n")


def _count_elements(entries: Iterable[Entry]) -> dict[bool, tuple[int, str]]:
    """Return the number of elements and their newest time, for images and for videos."""
    totals = {False: (0, ""), True: (0, "")}
    for entry in entries:
        count, newest = totals[entry.video]
        if number := len(_build_elements(entry, Tally())):
            totals[entry.video] = count + number, max(newest, _get_time(entry))
    return totals


def _build_elements(entry: Entry, tally: Tally) -> list[str]:
    """Return the elements of an entry: none if the format lacks it, several if a kind repeats."""
    if entry.state is State.WITHDRAWN:
        tally.wrote(entry, ())
        name = "deletedVideo" if entry.video else "deletedImage"
        return [
            f"<{name}>{_format_member(entry)}{_format_id(entry)}{_format_timestamp(entry)}</{name}>\n"
        ]
    if not tally.matching(entry):
        return []
    hashes = tally.select_hashes(entry, _ELEMENTS)
    if not hashes:
        return []
    tally.wrote(entry, hashes)
    name = "video" if entry.video else "image"
    begin = (
        f"<{name}>{_format_member(entry)}{_format_timestamp(entry)}{_format_id(entry)}"
        f"{_format_classification(entry)}"
    )
    return [
        f"{begin}<fingerprints>{_format_fingerprints(group)}</fingerprints><feedback/></{name}>\n"
        for group in _split_by_kind(hashes)
    ]


def _split_by_kind(hashes: list[Hash]) -> list[list[Hash]]:
    """Split hashes into groups with at most one per kind; each becomes an element."""
    by_kind = [[h for h in hashes if h.kind.name == name] for name in _ELEMENTS]
    return [[h for h in group if h is not None] for group in itertools.zip_longest(*by_kind)]


def _format_fingerprints(hashes: list[Hash]) -> str:
    named = ((_ELEMENTS[hash_.kind.name], hash_.text) for hash_ in hashes)
    return "".join(f"<{name}>{text}</{name}>" for name, text in named)


def _split_name(entry: Entry) -> tuple[str, str]:
    """Return the member's number and the entry's id.

    Other readers expect a number. If the entry has none, it is derived from the source's name.
    """
    member, separator, entry_id = entry.name.partition("/")
    if separator and entry_id and member.isascii() and member.isdecimal():
        return member, entry_id
    return str(zlib.crc32(entry.source.encode())), entry.name


def _format_member(entry: Entry) -> str:
    return f'<member id="{_split_name(entry)[0]}">{_escape(entry.source)}</member>'


def _format_id(entry: Entry) -> str:
    return f"<id>{_escape(_split_name(entry)[1])}</id>"


def _format_timestamp(entry: Entry) -> str:
    return f"<timestamp>{_get_time(entry)}</timestamp>"


def _get_time(entry: Entry) -> str:
    """Return the source's own time or, if it is not valid, the time of the import, in UTC."""
    stated = times.parse_time(entry.updated or "")
    try:
        moment = datetime.fromtimestamp(entry.made if stated is None else stated, UTC)
    except (ValueError, OverflowError):  # after the year 9999 in its time zone
        moment = datetime.fromtimestamp(entry.made, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _format_classification(entry: Entry) -> str:
    codes = [
        category.code
        for category in entry.categories
        if category.scheme == SCHEME and category.code in _CLASSES
    ]
    return f"<classification>{min(codes)}</classification>" if codes else ""


def _escape(text: str) -> str:
    """Escape a text and drop the characters that XML cannot represent."""
    clean = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
    return html.escape(clean)
