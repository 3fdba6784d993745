"""Export the records of a generation to a file of another format, within their terms.

The terms of each source bind every format alike. Records that may not go, and data that the format
cannot represent, are left out and counted; a manifest beside the file says so too.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from screener.errors import ListError
from screener.lists.exporting import manifest
from screener.lists.exporting.entries import Entries
from screener.lists.exporting.writers import WRITERS, neutral_csv
from screener.lists.exporting.writers.entry import Tally, Wants
from screener.lists.store import database, source_terms, transaction
from screener.lists.store.database import get_list_name, is_in_generation
from screener.lists.store.generations import Generation
from screener.lists.terms import AUDIENCES, Terms
from screener.system import files
from screener.system.installation import __version__
from screener.system.signatures import read_private_key, sign


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    `records` by state and `hashes` by kind were written; `withheld` are records that the terms of
    their source, or their own, withhold, by source and reason; `left_out` counts hashes and records
    that the format cannot represent, by reason; `lost` names the fields that it drops.
    """

    file: str
    format: str
    generation: int
    records: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, int] = field(default_factory=dict)
    withheld: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    signed: bool = False


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export: no `sources` means all; `fill` writes a binary format."""

    format: str
    audience: str
    sources: Sequence[str] = ()
    wants: Wants = field(default_factory=Wants)
    sign: Path | None = None
    fill: Callable[[BinaryIO, Entries, Tally], None] | None = None


def export(folder: Path, generation: Generation, path: Path, order: ExportOptions) -> ExportReport:
    """Write the records of a generation to a file, and its manifest beside it."""
    if order.audience not in AUDIENCES:
        raise ListError(f"audience must be one of {', '.join(AUDIENCES)}")
    if order.format not in WRITERS and order.fill is None:
        raise ListError(f"unknown format {order.format!r}; one of: {', '.join(WRITERS)}, bloom")
    key = None if order.sign is None else read_private_key(order.sign)
    _check_target(path, folder)
    known_as = {"list": get_list_name(folder), "list_id": transaction.ensure_list_id(folder)}
    signature = manifest.get_signature_path(path)
    names = (manifest.get_manifest_path(path), *([signature] if key else []), path)
    try:
        with files.write_atomically(*names) as handles:
            # The question may be asked again, if the list changed while it was answered.
            report, facts = database.ask(
                folder, lambda connection: _fill(connection, handles[-1], path, generation, order)
            )
            facts["parts"] = [{"name": path.name, "sha256": _digest(handles[-1])}]
            text = manifest.encode(known_as | facts)
            files.current.write(handles[0], text)
            if key is not None:
                files.current.write(handles[1], sign(text, key=key))
            # An older signature is of another file. Sync first, so that a kill rarely comes between
            # its removal and the new files.
            for handle in handles:
                files.current.sync(handle)
            signature.unlink(missing_ok=True)
    except OSError as error:
        raise ListError(f"cannot write {path}: {error.strerror}") from error
    return report


def _check_target(path: Path, folder: Path) -> None:
    """Raise ListError if an export must not be written to a path.

    The path has no file name, lies within the list, or holds a file without a manifest. Such a file
    was not exported: it may be a source's original, with more than the terms let us export.
    """
    if not path.name:
        raise ListError("an export needs a file name, and none is named")
    if path.resolve().is_relative_to(folder.resolve()):
        raise ListError(
            f"{path} would lie in the list's own folder, in the way of its files, and outlive a"
            " purge: name a file elsewhere"
        )
    try:
        status = path.stat()
        exported = manifest.get_manifest_path(path).exists()
    except OSError:
        return  # nothing there, or an error that writing will report
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ListError(f"cannot write {path}: it is not a regular file, which an export must be")
    if stat.S_ISREG(status.st_mode) and status.st_size and not exported:
        raise ListError(
            f"{path} was not exported from here (it has no manifest beside it), and would"
            " be lost: name another file, or remove that one first"
        )


def _fill(
    connection: sqlite3.Connection,
    handle: int,
    path: Path,
    generation: Generation,
    order: ExportOptions,
) -> tuple[ExportReport, dict[str, Any]]:
    """Write the file from its start; return the report and the facts for the manifest."""
    connection.execute("BEGIN")  # all passes see one state of the database
    allowed, withheld = _exportable(connection, generation.number, order)
    entries, tally = Entries(connection, generation.number, allowed, order.audience), Tally()
    with open(handle, "wb", closefd=False) as stream:
        stream.seek(0)
        stream.truncate()
        if order.fill is not None:
            order.fill(stream, entries, tally)
        else:
            _write_text(stream, order, entries, tally)
    for (source, why_not), count in sorted(entries.withheld.items()):
        withheld.setdefault(source, {})[why_not] = count
    if withheld and not entries.passed:
        raise _all_withheld(order, withheld)
    if entries.matching and not tally.hashes:
        raise _nothing_searchable(order, entries.matching, tally)
    # Labels carry the terms of single records; without labels, all get the narrowest terms.
    stated_terms = allowed if order.format == neutral_csv.NAME else entries.narrowest
    report = ExportReport(
        path.name, order.format, generation.number,
        dict(tally.states), dict(tally.hashes), withheld, dict(tally.left_out),
        tuple(sorted(tally.lost)), order.sign is not None,
    )  # fmt: skip
    return report, {
        "generation": generation.number,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "library": __version__,
        "format": order.format,
        "audience": order.audience,
        "records": report.records,
        "hashes": report.hashes,
        "left_out": report.left_out,
        "terms": {source: terms.to_dict() for source, terms in stated_terms.items()},
    }


def _write_text(stream: BinaryIO, order: ExportOptions, entries: Entries, tally: Tally) -> None:
    # Closing it would close the underlying stream.
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
    try:
        WRITERS[order.format](text, entries, tally, order.wants)
        text.flush()
    finally:
        text.detach()


def _exportable(
    connection: sqlite3.Connection, number: int, order: ExportOptions
) -> tuple[dict[str, Terms], dict[str, dict[str, int]]]:
    """Return the exportable sources with their terms, and the record counts of the others."""
    stored_terms = source_terms.read_terms(connection)
    counts = dict(
        connection.execute(
            "SELECT source, count(*) FROM records r"
            f" WHERE {is_in_generation(number)} GROUP BY source ORDER BY source"
        ).fetchall()
    )
    for source in order.sources:
        if source not in counts:
            raise ListError(f"the list has no source {source!r}; it has {', '.join(counts)}")
    allowed: dict[str, Terms] = {}
    withheld: dict[str, dict[str, int]] = {}
    for source in order.sources or counts:
        terms = stored_terms.get(source, Terms())
        why_not = terms.why_not(order.audience)
        if why_not is None:
            allowed[source] = terms
        else:
            withheld[source] = {why_not: counts[source]}
    if withheld and not allowed:
        raise _all_withheld(order, withheld)
    return allowed, withheld


def _all_withheld(order: ExportOptions, withheld: Mapping[str, Mapping[str, int]]) -> ListError:
    reasons = "; ".join(f"{source}: {', '.join(why)}" for source, why in withheld.items())
    return ListError(
        f"nothing may go on to the audience {order.audience!r} ({reasons}); terms are given"
        " at import, by the labels of a record, or by `screener terms`"
    )


def _nothing_searchable(order: ExportOptions, matching: int, tally: Tally) -> ListError:
    """Refuse a file without hashes: looking up in it would clear everything."""
    reasons = ", ".join(f"{reason}: {count}" for reason, count in tally.left_out.items())
    return ListError(
        f"of {matching} confirmed and disputed records that may go on, none has a hash for this"
        f" {order.format} file ({reasons}); choose another format or, for bloom, another kind"
    )


def _digest(handle: int) -> str:
    with open(handle, "rb", closefd=False) as stream:
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()
