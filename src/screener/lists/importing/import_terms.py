"""Store the terms of an imported file, from its manifest and from the operator.

A verified manifest is the source's statement: the operator may tighten its terms, not loosen them.
Terms of single rows stay with their records: see `terms.parse_labels`.
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

SIGNED_KEY = "signed"  # key of the manifest among the stored counts of an import


def bind_source(
    connection: sqlite3.Connection,
    source: str,
    *,
    signed: Manifest | None,
    given: Terms | None,
    by: str | None,
    full: bool,
) -> None:
    """Store the terms of a source before the rows of its file are taken.

    Records of an earlier export for another audience may still be in the list. So a manifest only
    tightens the stored terms, unless its file contains all entries of the source.

    `signed`: the verified manifest, if any.
    `given`: the operator's terms, if any.
    `by`: author, for the log.
    `full`: whether the file contains all entries of the source.
    """
    new_terms = given or Terms()
    if signed is not None:
        new_terms = terms.tighten(signed.terms, new_terms)
        if not full and has_records(connection, source):
            stored_terms = source_terms.read_terms(connection).get(source, Terms())
            tightened = terms.intersect_terms([stored_terms, new_terms])
            source_terms.write_terms(
                connection,
                source,
                replace(tightened, note=new_terms.note or stored_terms.note),
                by=by,
            )
            return
    if new_terms != Terms():
        source_terms.update_terms(connection, source, new_terms, by=by)


def describe_manifest(signed: Manifest | None) -> dict[str, Any]:
    """Return the list and generation of a manifest, to be stored with the import's counts."""
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
    """Raise ListError if a later generation of the signed list was already imported.

    The older file would restore entries that its sender has withdrawn since. A list is identified
    by its id, or by its name if an older version of this library imported it.
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
            f" generation {newest} was imported already: ask for a newer export; if the sender"
            " created a new list, purge the source first, or name another source"
        )


def note_missing_signature(
    connection: sqlite3.Connection, source: str, signed: Manifest | None
) -> Iterator[str]:
    """Yield a note if earlier files of the source were verified, but not this one.

    Anybody may have written it, and it may be older than the stored records.
    """
    if signed is None and _read_signed_imports(connection, source):
        yield (
            "earlier files of this source were verified by their signature, but this one was not:"
            " its author and age are unchecked; use --key to check them"
        )


def _read_signed_imports(connection: sqlite3.Connection, source: str) -> list[dict[str, Any]]:
    """Return the stored manifests of the signed imports of a source."""
    rows = connection.execute(
        "SELECT counts FROM imports WHERE source = ? AND instr(counts, ?)",
        (source, json.dumps(SIGNED_KEY)),
    )
    return [counts[SIGNED_KEY] for (text,) in rows if SIGNED_KEY in (counts := json.loads(text))]


def _redact_name(signed: Manifest) -> str:
    return HIDDEN if may_hold_hash(signed.list_name) else signed.list_name
