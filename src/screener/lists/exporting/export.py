"""Export the records of a generation to a file of another format, within their terms.

The terms of each source apply to every format. Records that may not be exported, and data that the
format cannot represent, are left out and counted, also in the manifest next to the file.
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
from screener.lists.store import database, source_terms
from screener.lists.store.database import get_list_name, is_in_generation
from screener.lists.store.generations import Generation
from screener.lists.terms import AUDIENCES, Terms
from screener.system import files
from screener.system.installation import __version__
from screener.system.signatures import read_private_key, sign
from screener.system.sqlite_errors import explain


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    `records`: numbers of written records by state.
    `hashes`: numbers of written hashes by kind.
    `withheld`: numbers of records withheld by their source's or their own terms, by source and
    reason.
    `left_out`: numbers of hashes and records that the format cannot represent, by reason.
    `lost`: the fields that the format drops.
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
    """The options of an export.

    `sources`: the sources to export, or none for all.
    `wants`: the options of the format's writer.
    `sign`: the path of a private key that signs the manifest.
    `fill`: a function that writes a binary format.
    """

    format: str
    audience: str
    sources: Sequence[str] = ()
    wants: Wants = field(default_factory=Wants)
    sign: Path | None = None
    fill: Callable[[BinaryIO, Entries, Tally], None] | None = None


def export(
    folder: Path, generation: Generation, path: Path, options: ExportOptions
) -> ExportReport:
    """Write the records of a generation to a file, and its manifest next to it.

    Raises ListError if an option is invalid, if the path must not be written, or if nothing may be
    exported.
    """
    if options.audience not in AUDIENCES:
        raise ListError(f"audience must be one of {', '.join(AUDIENCES)}")
    if options.format not in WRITERS and options.fill is None:
        raise ListError(f"unknown format {options.format!r}; one of: {', '.join(WRITERS)}, bloom")
    key = None if options.sign is None else read_private_key(options.sign)
    _check_target(path, folder)
    list_fields = {"list": get_list_name(folder), "list_id": database.ask(folder, database.read_id)}
    signature = manifest.get_signature_path(path)
    names = (manifest.get_manifest_path(path), *([signature] if key else []), path)
    try:
        with files.write_atomically(*names) as handles:
            # The query may be repeated, if the list changed during it.
            report, fields = database.ask(
                folder, lambda connection: _fill(connection, handles[-1], path, generation, options)
            )
            fields["parts"] = [{"name": path.name, "sha256": _digest(handles[-1])}]
            text = manifest.encode(list_fields | fields)
            files.current.write(handles[0], text)
            if key is not None:
                files.current.write(handles[1], sign(text, key=key))
            # An existing signature belongs to an older file. Sync first, to shorten the time
            # between its removal and the appearance of the new files.
            for handle in handles:
                files.current.sync(handle)
            signature.unlink(missing_ok=True)
    except OSError as error:
        raise ListError(f"cannot write {path}: {explain(error, path)}") from error
    return report


def _check_target(path: Path, folder: Path) -> None:
    """Raise ListError if an export must not be written to a path.

    That is a path without a file name, within the list, or of a file without a manifest. Such a
    file was not exported, and may be the original of a source.
    """
    if not path.name:
        raise ListError("an export needs a file name")
    if path.resolve().is_relative_to(folder.resolve()):
        raise ListError(
            f"{path} would lie in the list's own folder, in the way of its files, and outlive a"
            " purge: name a file elsewhere"
        )
    try:
        status = path.stat()
        exported = manifest.get_manifest_path(path).exists()
    except OSError:
        return  # no file, or an error that writing will report
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ListError(f"cannot write {path}: it is not a regular file, which an export must be")
    if stat.S_ISREG(status.st_mode) and status.st_size and not exported:
        raise ListError(
            f"{path} was not exported by screener (it has no manifest next to it), and would"
            " be lost: name another file, or remove that one first"
        )


def _fill(
    connection: sqlite3.Connection,
    handle: int,
    path: Path,
    generation: Generation,
    options: ExportOptions,
) -> tuple[ExportReport, dict[str, Any]]:
    """Write the file from its start; return the report and the fields of the manifest."""
    connection.execute("BEGIN")  # all queries see one state of the database
    allowed, withheld = _select_sources(connection, generation.number, options)
    entries, tally = Entries(connection, generation.number, allowed, options.audience), Tally()
    with open(handle, "wb", closefd=False) as stream:
        stream.seek(0)
        stream.truncate()
        if options.fill is not None:
            options.fill(stream, entries, tally)
        else:
            _write_text(stream, options, entries, tally)
    for (source, why_not), count in sorted(entries.withheld.items()):
        withheld.setdefault(source, {})[why_not] = count
    if withheld and not entries.yielded:
        raise _all_withheld_error(options, withheld)
    if entries.matching and not tally.hashes:
        raise _no_hashes_error(options, entries.matching, tally)
    # Without labels, which have the terms of single records, all get the strictest terms.
    stated_terms = allowed if options.format == neutral_csv.NAME else entries.strictest
    report = ExportReport(
        path.name, options.format, generation.number,
        dict(tally.states), dict(tally.hashes), withheld, dict(tally.left_out),
        tuple(sorted(tally.lost)), options.sign is not None,
    )  # fmt: skip
    return report, {
        "generation": generation.number,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "library": __version__,
        "format": options.format,
        "audience": options.audience,
        "records": report.records,
        "hashes": report.hashes,
        "left_out": report.left_out,
        "terms": {source: terms.to_dict() for source, terms in stated_terms.items()},
    }


def _write_text(stream: BinaryIO, options: ExportOptions, entries: Entries, tally: Tally) -> None:
    # Detached at the end, since closing it would close the underlying stream.
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
    try:
        WRITERS[options.format](text, entries, tally, options.wants)
        text.flush()
    finally:
        text.detach()


def _select_sources(
    connection: sqlite3.Connection, number: int, options: ExportOptions
) -> tuple[dict[str, Terms], dict[str, dict[str, int]]]:
    """Return the terms of the exportable sources, and the record counts of the others."""
    stored_terms = source_terms.read_terms(connection)
    counts = dict(
        connection.execute(
            "SELECT source, count(*) FROM records r"
            f" WHERE {is_in_generation(number)} GROUP BY source ORDER BY source"
        ).fetchall()
    )
    for source in options.sources:
        if source not in counts:
            raise ListError(f"the list has no source {source!r}; it has {', '.join(counts)}")
    allowed: dict[str, Terms] = {}
    withheld: dict[str, dict[str, int]] = {}
    for source in options.sources or counts:
        terms = stored_terms.get(source, Terms())
        why_not = terms.why_not(options.audience)
        if why_not is None:
            allowed[source] = terms
        else:
            withheld[source] = {why_not: counts[source]}
    if withheld and not allowed:
        raise _all_withheld_error(options, withheld)
    return allowed, withheld


def _all_withheld_error(
    options: ExportOptions, withheld: Mapping[str, Mapping[str, int]]
) -> ListError:
    reasons = "; ".join(f"{source}: {', '.join(why)}" for source, why in withheld.items())
    return ListError(
        f"nothing may go on to the audience {options.audience!r} ({reasons}); terms are given"
        " at import, by the labels of a record, or by `screener terms`"
    )


def _no_hashes_error(options: ExportOptions, matching: int, tally: Tally) -> ListError:
    """Return the error for a file without hashes, in which a lookup would clear everything."""
    reasons = ", ".join(f"{reason}: {count}" for reason, count in tally.left_out.items())
    return ListError(
        f"of {matching} confirmed and disputed records that may go on, none has a hash for this"
        f" {options.format} file ({reasons}); choose another format or, for bloom, another kind"
    )


def _digest(handle: int) -> str:
    with open(handle, "rb", closefd=False) as stream:
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()
