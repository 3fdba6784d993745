"""Commands that change a list: terms, opinion, quarantine, rollback, purge, compact."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from screener.cli import list_text, progress_display, streams
from screener.cli.option_types import OneOf
from screener.cli.options import (
    BY,
    JSON,
    LIST,
    REASON,
    SOURCE,
    WHO,
    WHY,
    build_terms,
    check_utf8,
    number_from,
    with_terms_options,
)
from screener.errors import counted
from screener.lists.hashlist import HashList


@click.command()
@LIST
@click.option("--source", callback=check_utf8, help="Set the terms of this source.")
@with_terms_options
@BY
def terms(
    path: Path, source: str | None, tlp: str | None, redistribution: str | None,
    expires: str | None, terms_file: Path | None, by: str | None,
) -> int:  # fmt: skip
    """Show or set what each source allows you to do with its data."""
    hash_list = HashList.open(path)
    new_terms = build_terms(tlp, redistribution, expires, terms_file)
    if new_terms is None:
        all_terms = hash_list.terms()
        click.echo(json.dumps({name: terms_.to_dict() for name, terms_ in all_terms.items()}))
    elif source is None:
        raise click.UsageError("--source is missing: terms are set for one source")
    else:
        hash_list.set_terms(source, new_terms, by=by)
    return 0


@click.command()
@LIST
@click.argument("entry", callback=check_utf8)
@click.option(
    "--state",
    required=True,
    type=OneOf(("confirmed", "disputed", "known_good", "withdrawn")),
    help="Your assessment; withdrawn takes back an earlier one.",
)
@WHO
@WHY
@SOURCE
def opinion(path: Path, entry: str, state: str, by: str, reason: str, source: str | None) -> int:
    """Record your own assessment of an entry next to its source's.

    An opinion never suppresses a match. A confirmed entry that you dispute, or call known_good,
    still matches, with the state `disputed`; a seed matches once you confirm it.

    \b
    Example:
      screener opinion known.list demo-0007 --state disputed --by ann --reason "a stock photo"
    """
    hash_list = HashList.open(path)
    generation = hash_list.give_opinion(entry, state=state, by=by, reason=reason, source=source)
    click.echo(f"generation {generation}", err=True)
    return 0


@click.command()
@LIST
@click.option(
    "--release",
    "ids",
    type=number_from(0),
    multiple=True,
    help="Import this row after all. Repeatable.",
)
@click.option(
    "--release-entry", "entry", callback=check_utf8, help="Compare this entry's value of a --kind."
)
@click.option("--kind", help="The kind of the value to release.")
@SOURCE
@BY
@REASON
@JSON
def quarantine(
    path: Path, ids: tuple[int, ...], entry: str | None, kind: str | None,
    source: str | None, by: str | None, reason: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Show or release quarantined rows, and values not compared.

    A row can be released if parts of it are readable. A value is not compared if it carries too
    little information, or if a source repeats it over many different files.

    \b
    Examples:
      screener quarantine known.list
      screener quarantine known.list --release 12 --by ann --reason "the MD5 is sound"
      screener quarantine known.list --release-entry demo-3 --kind pdq --by ann --reason "checked"
    """
    if ids and entry is not None:
        raise click.UsageError("--release and --release-entry cannot be combined")
    if not ids and entry is None and (by or reason or kind or source):
        raise click.UsageError("nothing is released: add --release or --release-entry")
    hash_list = HashList.open(path)
    if ids:
        generation = hash_list.release_rows(ids, by=by or "", reason=reason or "")
    elif entry is not None:
        if kind is None:
            raise click.UsageError("--kind is missing: name the value to release")
        generation = hash_list.release_value(
            entry, kind, by=by or "", reason=reason or "", source=source
        )
    else:
        rows, values = hash_list.quarantined()
        if as_json:
            click.echo(list_text.quarantine_json(rows, values))
        else:
            list_text.print_quarantine(streams.to_stdout(), rows, values)
        return 0
    click.echo(f"released; generation {generation}", err=True)
    return 0


@click.command()
@LIST
@click.option("--to", required=True, type=number_from(0), help="The generation to return to.")
@WHO
@WHY
def rollback(path: Path, to: int, by: str, reason: str) -> int:
    """Write a new generation with the records of an earlier one.

    Entries that a source withdrew since then, or that were purged, do not come back. Your opinions
    stay. The new generation counts as old as the earlier one.
    """
    generation = HashList.open(path).rollback(to, by=by, reason=reason)
    click.echo(f"generation {generation}", err=True)
    return 0


@click.command()
@LIST
@click.option("--source", required=True, callback=check_utf8, help="The source to erase.")
@WHO
@REASON
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def purge(path: Path, source: str, by: str, reason: str | None, yes: bool) -> int:
    """Erase all data of a source for good.

    Use it at the end of a contract. It erases all versions of the source's records, the index files
    of old generations, and every trace in the database and its log. Counts remain. Programs that
    have the list open should refresh it.
    """
    if not yes:
        _confirm_purge()
    report = HashList.open(path).purge(source, by=by, reason=reason)
    click.echo(
        f"purged {counted(report.records, 'record')} ({counted(report.versions, 'version')},"
        f" {counted(report.hashes, 'hash', 'hashes')})"
        f" of {source}; generation {report.generation}",
        err=True,
    )
    return 0


def _confirm_purge() -> None:
    try:
        if sys.stdin is None:
            raise EOFError
        is_confirmed = click.confirm("Erase it in every generation, for good?")
    except (EOFError, click.Abort) as error:
        # Click reports the end of the input as an interrupt.
        if not isinstance(error.__context__ or error, EOFError):
            raise
        raise click.UsageError(
            "cannot ask for confirmation, as standard input is closed: add --yes"
        ) from None
    if not is_confirmed:
        raise click.ClickException("not confirmed; nothing was erased")


@click.command()
@LIST
def compact(path: Path) -> int:
    """Merge the index files of a list into one for each kind.

    Imports already limit their number, so you seldom need this; it takes as long as building the
    whole index. Scans continue meanwhile. Imports wait, and are refused after a while.

    \b
    Example:
      screener compact known.list
    """
    hash_list = HashList.open(path)
    with progress_display.show_bar(f"compacting {hash_list.name}") as on_progress:
        changed = hash_list.compact(progress=on_progress)
    click.echo("compacted" if changed else "each kind is in one file already", err=True)
    return 0


COMMANDS = (terms, opinion, quarantine, rollback, purge, compact)
