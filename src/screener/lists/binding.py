"""What binds an import: the terms that its file, its manifest and whoever imports it give a source.

A verified manifest and a file's own levels are the source's word: whoever imports may tighten it,
and not loosen it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from screener.errors import ListError
from screener.lists import terms
from screener.lists.manifest import Manifest
from screener.lists.telling import HIDDEN, may_hold_hash
from screener.lists.terms import TLP, Terms

SIGNED = "signed"  # among what is kept of an import


def bind(
    connection: sqlite3.Connection,
    source: str,
    *,
    signed: Manifest | None,
    given: Terms | None,
    level: str | None,
    by: str | None,
) -> tuple[str, ...]:
    """Keep the terms of a source that a file of it was imported with; what a user should know.

    `level` is the narrowest that the file itself gives a row of it, None where it gives none. It
    binds the whole source where it is narrower than what it is held to without it.
    """
    held = given or Terms()
    if signed is not None:
        held = terms.tightened(signed.terms, held)
    notes: tuple[str, ...] = ()
    if level is not None:
        known = terms.stored(connection).get(source, Terms())
        if TLP.index(level) < TLP.index(replace(known, **held.to_dict()).level):
            held = replace(held, tlp=level)
            notes = (f"rows of it are marked TLP:{level}, which now binds all of the source",)
    if held != Terms():
        terms.store(connection, source, held, by=by)
    return notes


def remembered(signed: Manifest) -> dict[str, Any]:
    """What is kept of a signed import beside its counts, so that no older one follows it."""
    return {SIGNED: {"list": _told(signed), "generation": signed.generation}}


def check_not_older(
    connection: sqlite3.Connection, source: str, signed: Manifest, path: Path
) -> None:
    """ListError where a file was signed for an earlier generation of its list than one that was
    imported of the source: it would bring back what its sender has withdrawn since.
    """
    rows = connection.execute("SELECT counts FROM imports WHERE source = ?", (source,))
    before = [kept[SIGNED] for (text,) in rows if SIGNED in (kept := json.loads(text))]
    same = [one["generation"] for one in before if one["list"] == _told(signed)]
    newest = max(same, default=signed.generation)
    if signed.generation < newest:
        raise ListError(
            f"{path} was signed for generation {signed.generation} of its sender's list, and"
            f" generation {newest} was imported already: ask for a newer export; if the sender's"
            " list was made anew, purge the source first, or name another source"
        )


def _told(signed: Manifest) -> str:
    return HIDDEN if may_hold_hash(signed.list) else signed.list
