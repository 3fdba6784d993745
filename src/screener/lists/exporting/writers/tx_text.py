"""Write `type value` lines for the `tx` command line: lower-case hex, LF, no byte order mark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from screener.hashing.hash import KINDS
from screener.lists.exporting.writers.entry import Entry, Tally, Wants

NAME = "tx"


def write(out: TextIO, entries: Iterable[Entry], tally: Tally, wants: Wants) -> None:
    """Write the hashes of confirmed and disputed entries, one per line."""
    tally.lost |= {"source", "entry", "category", "quality", "labels", "whether it is disputed"}
    for entry in entries:
        if not tally.matching(entry):
            continue
        hashes = [hash_ for hash_ in tally.select_hashes(entry, KINDS) if tally.fits(hash_)]
        for hash_ in hashes:
            is_video_md5 = hash_.kind.name == "md5" and entry.video
            out.write(f"{'video_md5' if is_video_md5 else hash_.kind.name} {hash_.text}\n")
        if hashes:
            tally.wrote(entry, hashes)
