"""Write Project VIC's VICS 2.0 JSON, region CUSTOM, a `#Media` set, one item per line.

An item needs an MD5. The operator defines what its numbers mean: a table maps the categories of the
list's schemes to them. An item has one category; a further one becomes a further item with the same
MD5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TextIO

from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.exporting.writers.entry import Entry, Tally, Wants

NAME = "vics"
CONTEXT = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/CUSTOM/$metadata#Media"
_KINDS = ("md5", "sha1", "photodna", "pdq", "sha256")


def write(out: TextIO, entries: Iterable[Entry], tally: Tally, wants: Wants) -> None:
    """Write the confirmed and disputed entries that have an MD5."""
    if wants.categories is None:
        raise ListError("VICS needs a table of categories: see `screener export --help`")
    tally.lost |= {"entry", "quality", "labels", "whether it is disputed"}
    out.write(json.dumps({"@odata.context": CONTEXT})[:-1] + ', "value": [')
    number = 0
    for entry in entries:
        for item in _build_items(entry, tally, wants.categories):
            number += 1
            text = json.dumps({"MediaID": number} | item, ensure_ascii=False)
            out.write((",\n" if number > 1 else "\n") + text)
    out.write("\n]}\n")


def _build_items(entry: Entry, tally: Tally, table: Any) -> list[dict[str, Any]]:
    """Return an item per MD5 and category of an entry; the first has its other hashes."""
    if not tally.matching(entry):
        return []
    hashes = tally.select_hashes(entry, _KINDS)
    by_kind = {kind: [h for h in hashes if h.kind.name == kind] for kind in _KINDS}
    if not by_kind["md5"]:
        tally.left_out["records without an MD5"] += 1
        return []
    numbers = [table[key] for c in entry.categories if (key := (c.scheme, c.code)) in table]
    if len(numbers) < len(entry.categories):
        tally.lost.add("categories that the table does not name")
    if not numbers:
        tally.lost.add("that records to which the table gives no category match at all")
    tally.wrote(entry, hashes)
    category_fields = [{"Category": number} for number in dict.fromkeys(numbers)] or [{}]
    date_fields = {} if entry.updated is None else {"DateUpdated": entry.updated}
    items = [
        category | {"MD5": md5.text.upper()} | date_fields
        for md5 in by_kind["md5"]
        for category in category_fields
    ]
    items[0] |= _build_other_fields(by_kind)
    return items


def _build_other_fields(by_kind: dict[str, list[Hash]]) -> dict[str, Any]:
    """Return the fields of the other kinds; hashes without a field are listed by name."""
    item: dict[str, Any] = {}
    alternatives: list[Hash] = by_kind["pdq"] + by_kind["sha256"]
    for kind, field in (("sha1", "SHA1"), ("photodna", "PhotoDNA")):
        if by_kind[kind]:
            text = by_kind[kind][0].text
            item[field] = text.upper() if kind == "sha1" else text
            alternatives += by_kind[kind][1:]
    if alternatives:
        item["AlternativeHashes"] = [
            {"HashName": _NAMES[hash_.kind.name], "HashValue": hash_.text} for hash_ in alternatives
        ]
    return item


_NAMES = {"pdq": "PDQ", "sha256": "SHA256", "sha1": "SHA1", "photodna": "PhotoDNA"}
