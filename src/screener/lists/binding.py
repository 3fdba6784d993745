"""What binds an import: the terms that its file, its manifest and whoever imports it give a source.

A verified manifest and a file's own levels are the source's word: whoever imports may tighten it,
and not loosen it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from screener.lists import terms
from screener.lists.manifest import Manifest
from screener.lists.terms import TLP, Terms


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
