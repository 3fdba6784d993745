"""Writes XML in the namespace of NCMEC's Hash Sharing v2: a `queryResult` of images and videos.

A record from such a file is named `member/id` and goes back under both. Of another, the member's
number is made from the source, and the id is the entry.
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
    """Write the entries that can match, and those withdrawn as deleted; in two passes."""
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
                out.writelines(_texts(entry, tally))
        out.write(f"</{name}s>\n")
    out.write("</queryResult>\n")


def _census(entries: Iterable[Entry]) -> dict[bool, tuple[int, str]]:
    """How many elements there will be of pictures and of videos, and the newest time of each."""
    found = {False: (0, ""), True: (0, "")}
    for entry in entries:
        count, newest = found[entry.video]
        if number := len(_texts(entry, Tally())):
            found[entry.video] = count + number, max(newest, _time(entry))
    return found


def _texts(entry: Entry, tally: Tally) -> list[str]:
    """The elements of an entry: none where it has no place, and several where it has more than
    one hash of a kind.
    """
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
        for some in _apart(hashes)
    ]


def _apart(hashes: list[Hash]) -> list[list[Hash]]:
    """Hashes in groups with one of a kind each: a further one is a further element of one id."""
    by_kind = [[h for h in hashes if h.kind.name == name] for name in _ELEMENTS]
    return [[h for h in some if h is not None] for some in itertools.zip_longest(*by_kind)]


def _fingerprints(hashes: list[Hash]) -> str:
    named = ((_ELEMENTS[item.kind.name], item.text) for item in hashes)
    return "".join(f"<{name}>{text}</{name}>" for name, text in named)


def _owned(entry: Entry) -> tuple[str, str]:
    """The member's number and the id: of a record that has them, its own; else the source's.

    Members are numbers, as other readers expect; a source that is none has one from its name.
    """
    member, separator, rest = entry.name.partition("/")
    if separator and rest and member.isascii() and member.isdecimal():
        return member, rest
    return str(zlib.crc32(entry.source.encode())), entry.name


def _member(entry: Entry) -> str:
    return f'<member id="{_owned(entry)[0]}">{_text(entry.source)}</member>'


def _id(entry: Entry) -> str:
    return f"<id>{_text(_owned(entry)[1])}</id>"


def _timestamp(entry: Entry) -> str:
    return f"<timestamp>{_time(entry)}</timestamp>"


def _time(entry: Entry) -> str:
    """The source's own time where it is one, else when the record came; in UTC."""
    said = times.seconds(entry.updated or "")
    try:
        found = datetime.fromtimestamp(entry.made if said is None else said, UTC)
    except (ValueError, OverflowError):  # after the year 9999, by its zone
        found = datetime.fromtimestamp(entry.made, UTC)
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")


def _classification(entry: Entry) -> str:
    codes = [one.code for one in entry.categories if one.scheme == SCHEME and one.code in _CLASSES]
    return f"<classification>{min(codes)}</classification>" if codes else ""


def _text(text: str) -> str:
    """A text with its markup escaped, without the characters that XML has no way to write."""
    clean = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
    return html.escape(clean)
