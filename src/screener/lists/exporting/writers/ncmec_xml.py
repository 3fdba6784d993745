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
    census = _census(entries)
    for name, video in (("image", False), ("video", True)):
        count, newest = census[video]
        newest_of_all = f' maxTimestamp="{newest}"' if newest else ""
        out.write(f'<{name}s count="{count}"{newest_of_all}>\n')
        for entry in entries:
            if entry.video is video:
                out.writelines(_elements(entry, tally))
        out.write(f"</{name}s>\n")
    out.write("</queryResult>\n")


def _census(entries: Iterable[Entry]) -> dict[bool, tuple[int, str]]:
    """Return the number of elements for images and for videos, with the newest time of each."""
    totals = {False: (0, ""), True: (0, "")}
    for entry in entries:
        count, newest = totals[entry.video]
        if number := len(_elements(entry, Tally())):
            totals[entry.video] = count + number, max(newest, _time(entry))
    return totals


def _elements(entry: Entry, tally: Tally) -> list[str]:
    """Return the elements of an entry: none if it has no place, several for hashes of one kind."""
    if entry.state is State.WITHDRAWN:
        tally.wrote(entry, ())
        name = "deletedVideo" if entry.video else "deletedImage"
        return [f"<{name}>{_member(entry)}{_id(entry)}{_timestamp(entry)}</{name}>\n"]
    if not tally.matching(entry):
        return []
    hashes = tally.of_kinds(entry, _ELEMENTS)
    if not hashes:
        return []
    tally.wrote(entry, hashes)
    name = "video" if entry.video else "image"
    begin = f"<{name}>{_member(entry)}{_timestamp(entry)}{_id(entry)}{_classification(entry)}"
    return [
        f"{begin}<fingerprints>{_fingerprints(some)}</fingerprints><feedback/></{name}>\n"
        for some in _split_by_kind(hashes)
    ]


def _split_by_kind(hashes: list[Hash]) -> list[list[Hash]]:
    """Split hashes into groups with at most one of a kind; each becomes an element."""
    by_kind = [[h for h in hashes if h.kind.name == name] for name in _ELEMENTS]
    return [[h for h in some if h is not None] for some in itertools.zip_longest(*by_kind)]


def _fingerprints(hashes: list[Hash]) -> str:
    named = ((_ELEMENTS[item.kind.name], item.text) for item in hashes)
    return "".join(f"<{name}>{text}</{name}>" for name, text in named)


def _member_and_id(entry: Entry) -> tuple[str, str]:
    """Return the member's number and the id.

    Members are numbers, as other readers expect; otherwise the number is derived from the source's
    name.
    """
    member, separator, rest = entry.name.partition("/")
    if separator and rest and member.isascii() and member.isdecimal():
        return member, rest
    return str(zlib.crc32(entry.source.encode())), entry.name


def _member(entry: Entry) -> str:
    return f'<member id="{_member_and_id(entry)[0]}">{_escaped(entry.source)}</member>'


def _id(entry: Entry) -> str:
    return f"<id>{_escaped(_member_and_id(entry)[1])}</id>"


def _timestamp(entry: Entry) -> str:
    return f"<timestamp>{_time(entry)}</timestamp>"


def _time(entry: Entry) -> str:
    """Return the source's own time if it is valid, else that of the import; in UTC."""
    stated = times.parse_time(entry.updated or "")
    try:
        moment = datetime.fromtimestamp(entry.made if stated is None else stated, UTC)
    except (ValueError, OverflowError):  # after the year 9999 in its time zone
        moment = datetime.fromtimestamp(entry.made, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _classification(entry: Entry) -> str:
    codes = [one.code for one in entry.categories if one.scheme == SCHEME and one.code in _CLASSES]
    return f"<classification>{min(codes)}</classification>" if codes else ""


def _escaped(text: str) -> str:
    """Escape a text and drop the characters that XML cannot represent."""
    clean = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
    return html.escape(clean)
