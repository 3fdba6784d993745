"""Write bank contents as HMA 2 returns them: a JSON array, one content per line.

A content has one signal per type, so an entry with two hashes of a kind makes two contents with the
same `content_id`. A record imported from such a file is named `BANK/id` and keeps both.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from operator import itemgetter
from typing import Any, TextIO

from screener.hashing.hash import KINDS
from screener.lists.exporting.writers.entry import Entry, Tally, Wants

NAME = "hma"
_MAX_NOTE_CHARACTERS = 255
_BANK_AND_ID = re.compile(r"([A-Z0-9_]+)/([0-9]{1,18})", re.ASCII)


def write(out: TextIO, entries: Iterable[Entry], tally: Tally, wants: Wants) -> None:
    """Write the confirmed and disputed entries."""
    tally.lost |= {"category", "quality", "labels", "whether it is disputed"}
    out.write("[")
    number = 0
    for entry in entries:
        if not tally.matching(entry):
            continue
        hashes = tally.select_hashes(entry, KINDS)
        if not hashes:
            continue
        tally.wrote(entry, hashes)
        named = [("video_md5" if entry.video and h.kind.name == "md5" else h.kind.name, h.text)
                 for h in hashes]  # fmt: skip
        by_kind = [list(signals) for _, signals in itertools.groupby(named, key=itemgetter(0))]
        for signals in itertools.zip_longest(*by_kind):
            number += 1
            content = _to_content(entry, number, dict(filter(None, signals)))
            out.write((",\n" if number > 1 else "\n") + json.dumps(content, ensure_ascii=False))
    out.write("\n]\n")


def _to_content(entry: Entry, number: int, signals: dict[str, str]) -> dict[str, Any]:
    bank_and_id = _BANK_AND_ID.fullmatch(entry.name)
    bank = bank_and_id[1] if bank_and_id else re.sub(r"[^A-Z0-9_]", "_", entry.source.upper())
    return {
        "id": int(bank_and_id[2]) if bank_and_id else number,
        "disable_until_ts": 1,
        "original_media_uri": None,
        "bank": {"name": bank, "matching_enabled_ratio": 1.0},
        "signals": signals,
        "metadata": {"content_id": entry.name, "content_uri": None, "json": {}},
        "note": entry.source[:_MAX_NOTE_CHARACTERS],
    }
