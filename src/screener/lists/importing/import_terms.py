"""What binds an import: the terms that its manifest and whoever imports it give a source.

A verified manifest is the source's word: whoever imports may tighten it, and not loosen it. What a
file says of single rows stays with them: see `terms.parse_labels`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from screener.errors import ListError
from screener.lists import terms
from screener.lists.exporting.manifest import Manifest
from screener.lists.redaction import HIDDEN, may_hold_hash
from screener.lists.store import source_terms
from screener.lists.store.records import has_records
from screener.lists.terms import Terms

SIGNED_KEY = "signed"  # among what is kept of an import


def bind_source(
    connection: sqlite3.Connection,
    source: str,
    *,
    signed: Manifest | None,
    given: Terms | None,
    by: str | None,
    full: bool,
) -> None:
    """Keep the terms of a source that a file of it is imported with, before its rows are taken.

    A manifest may be of another audience's export than the one before it, whose records are still
    held: unless its file is all that the source has, it only tightens what is kept.
    """
    new_terms = given or Terms()
    if signed is not None:
        new_terms = terms.tighten(signed.terms, new_terms)
        if not full and has_records(connection, source):
            stored_terms = source_terms.stored(connection).get(source, Terms())
            tightened = terms.intersect_terms([stored_terms, new_terms])
            source_terms.keep(
                connection,
                source,
                replace(tightened, note=new_terms.note or stored_terms.note),
                by=by,
            )
            return
    if new_terms != Terms():
        source_terms.store(connection, source, new_terms, by=by)


def describe_manifest(signed: Manifest | None) -> dict[str, Any]:
    """Return what is kept of an import beside its counts if it is signed, so that no older one
    follows.
    """
    if signed is None:
        return {}
    return {
        SIGNED_KEY: {
            "id": signed.list_id,
            "list": _redact_name(signed),
            "generation": signed.generation,
        }
    }


def check_not_older(
    connection: sqlite3.Connection, source: str, signed: Manifest, path: Path
) -> None:
    """Raise ListError if a file was signed for an earlier generation of its list than one that
    was imported of the source: it would bring back what its sender has withdrawn since. A
    list is known by its id, whatever its folder is called; imports of older versions kept its
    name alone.
    """
    identity = {"id": signed.list_id, "list": _redact_name(signed)}
    generations_ = [
        signed_import["generation"]
        for signed_import in _read_signed_imports(connection, source)
        if (key := "id" if "id" in signed_import else "list")
        and signed_import[key] == identity[key]
    ]
    newest = max(generations_, default=signed.generation)
    if signed.generation < newest:
        raise ListError(
            f"{path} was signed for generation {signed.generation} of its sender's list, and"
            f" generation {newest} was imported already: ask for a newer export; if the sender's"
            " list was made anew, purge the source first, or name another source"
        )


def note_missing_signature(
    connection: sqlite3.Connection, source: str, signed: Manifest | None
) -> Iterator[str]:
    """Yield what to know where no signature was asked for, and one was of an earlier file of the
    source: anybody may have written this one, and it may be older than what is held.
    """
    if signed is None and _read_signed_imports(connection, source):
        yield (
            "earlier files of this source were taken by their signature, and this one without: who"
            " wrote it, and when, was not checked; --key checks it"
        )


def _read_signed_imports(connection: sqlite3.Connection, source: str) -> list[dict[str, Any]]:
    """Return what is kept of the signed imports of a source."""
    rows = connection.execute(
        "SELECT counts FROM imports WHERE source = ? AND instr(counts, ?)",
        (source, json.dumps(SIGNED_KEY)),
    )
    return [counts[SIGNED_KEY] for (text,) in rows if SIGNED_KEY in (counts := json.loads(text))]


def _redact_name(signed: Manifest) -> str:
    return HIDDEN if may_hold_hash(signed.list) else signed.list
