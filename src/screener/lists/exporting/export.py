"""Exporting: the records of a generation into a file of another format, as far as they may go.

The terms of each source bind every format alike. What may not go on, and what the format has no
place for, is left out and counted; a manifest beside the file says so too.
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
from screener.lists.store.database import name_of, of_generation
from screener.lists.store.generations import Generation
from screener.lists.terms import AUDIENCES, Terms
from screener.system import files
from screener.system.installation import __version__
from screener.system.signatures import read_private_key, sign


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote. `records` by state and `hashes` by kind went on; `withheld` are
    records that the terms of their source, or their own, keep back, by source and reason;
    `left_out` what the format cannot hold, by reason; `lost` what it does not say of what went on.
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
class Order:
    """What an export is to be: the format, for whom, of which sources (all where empty), and what
    the format wants; `fill` writes a format of bytes in place of a text.
    """

    format: str
    audience: str
    sources: Sequence[str] = ()
    wants: Wants = field(default_factory=Wants)
    sign: Path | None = None
    fill: Callable[[BinaryIO, Entries, Tally], None] | None = None


def export(folder: Path, generation: Generation, path: Path, order: Order) -> ExportReport:
    """Write the records of a generation into a file, and its manifest beside; ListError."""
    if order.audience not in AUDIENCES:
        raise ListError(f"an audience is one of {', '.join(AUDIENCES)}")
    if order.format not in WRITERS and order.fill is None:
        raise ListError(f"unknown format {order.format!r}; one of: {', '.join(WRITERS)}, bloom")
    key = None if order.sign is None else read_private_key(order.sign)
    _check_place(path, folder)
    known_as = {"list": name_of(folder), "list_id": transaction.identity(folder)}
    signature = manifest.signature_of(path)
    names = (manifest.manifest_of(path), *([signature] if key else []), path)
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


def _check_place(path: Path, folder: Path) -> None:
    """ListError where a path is no place for an export of the list in a folder: it names no file,
    lies within the list, or has something there that no export wrote and that would be lost: the
    list as it came from its source, say, of which ours leaves out what its terms withhold.
    """
    if not path.name:
        raise ListError("an export is written to a file, and none is named")
    if path.resolve().is_relative_to(folder.resolve()):
        raise ListError(
            f"{path} would lie in the list's own folder, in the way of its files, and outlive a"
            " purge: name a file elsewhere"
        )
    try:
        status = path.stat()
        exported = manifest.manifest_of(path).exists()
    except OSError:
        return  # nothing, or what writing will say more of
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ListError(f"cannot write {path}: it is no file, and an export is one with a manifest")
    if stat.S_ISREG(status.st_mode) and status.st_size and not exported:
        raise ListError(
            f"{path} holds something that no export wrote (it has no manifest beside it), and would"
            " be lost: name another file, or remove that one first"
        )


def _fill(
    connection: sqlite3.Connection, handle: int, path: Path, generation: Generation, order: Order
) -> tuple[ExportReport, dict[str, Any]]:
    """Write the file from its start; what was written, and what the manifest says of it."""
    connection.execute("BEGIN")  # all passes see one state of the database
    allowed, withheld = _sorted_by_terms(connection, generation.number, order)
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
        raise _nothing(order, withheld)
    if entries.matching and not tally.hashes:
        raise _no_place(order, entries.matching, tally)
    # Labels carry the terms of single records; where there are none, all go under the narrowest.
    under = allowed if order.format == neutral_csv.NAME else entries.narrowest
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
        "terms": {source: held.to_dict() for source, held in under.items()},
    }


def _write_text(stream: BinaryIO, order: Order, entries: Entries, tally: Tally) -> None:
    # Detached and not closed: closing it would close the stream beneath.
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
    try:
        WRITERS[order.format](text, entries, tally, order.wants)
        text.flush()
    finally:
        text.detach()


def _sorted_by_terms(
    connection: sqlite3.Connection, number: int, order: Order
) -> tuple[dict[str, Terms], dict[str, dict[str, int]]]:
    """The sources whose records may go on, with their terms; and the records of the others."""
    kept = source_terms.stored(connection)
    counts = dict(
        connection.execute(
            "SELECT source, count(*) FROM records r"
            f" WHERE {of_generation(number)} GROUP BY source ORDER BY source"
        ).fetchall()
    )
    for source in order.sources:
        if source not in counts:
            raise ListError(f"the list has no source {source!r}; it has {', '.join(counts)}")
    allowed: dict[str, Terms] = {}
    withheld: dict[str, dict[str, int]] = {}
    for source in order.sources or counts:
        held = kept.get(source, Terms())
        why_not = held.why_not(order.audience)
        if why_not is None:
            allowed[source] = held
        else:
            withheld[source] = {why_not: counts[source]}
    if withheld and not allowed:
        raise _nothing(order, withheld)
    return allowed, withheld


def _nothing(order: Order, withheld: Mapping[str, Mapping[str, int]]) -> ListError:
    reasons = "; ".join(f"{source}: {', '.join(why)}" for source, why in withheld.items())
    return ListError(
        f"nothing may go on to the audience {order.audience!r} ({reasons}); terms are given"
        " at import, by the labels of a record, or by `screener terms`"
    )


def _no_place(order: Order, matching: int, tally: Tally) -> ListError:
    """Who looks up in such a file would find nothing, and take all for cleared."""
    reasons = ", ".join(f"{reason}: {count}" for reason, count in tally.left_out.items())
    return ListError(
        f"of {matching} confirmed and disputed records that may go on, none has a hash for this"
        f" {order.format} file ({reasons}); choose another format or, for bloom, another kind"
    )


def _digest(handle: int) -> str:
    with open(handle, "rb", closefd=False) as stream:
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()
