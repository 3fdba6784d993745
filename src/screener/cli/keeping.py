"""The commands that keep a list: show, opinion, quarantine, log, rollback, purge."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from screener.cli import console, list_text
from screener.cli.options import BY, JSON, LIST, REASON, SOURCE, WHO, WHY, text
from screener.errors import counted
from screener.lists.hashlist import HashList


@click.command()
@LIST
@click.argument("entry", callback=text)
@SOURCE
@click.option("--values", is_flag=True, help="Tell the hash values too. They are secret.")
@JSON
def show(path: Path, entry: str, source: str | None, values: bool, as_json: bool) -> int:
    """Explain an entry: what its source and we say of it, where it came from, how often it matched.

    \b
    Example:
      screener show known.list demo-0007
    """
    for found in HashList.open(path).show(entry, source=source, values=values):
        if as_json:
            click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
        else:
            list_text.print_entry(console.to_stdout(), found)
    return 0


@click.command()
@LIST
@click.argument("entry", callback=text)
@click.option(
    "--state",
    required=True,
    type=click.Choice(["confirmed", "disputed", "known_good", "withdrawn"]),
    help="What you hold of it; withdrawn takes your opinion back.",
)
@WHO
@WHY
@SOURCE
def opinion(path: Path, entry: str, state: str, by: str, reason: str, source: str | None) -> int:
    """Record what we hold of an entry, beside what its source says.

    An opinion never cancels a match. A confirmed entry that we dispute, or know to be good, still
    matches and says `disputed`; a seed matches once we confirm it.

    \b
    Example:
      screener opinion known.list demo-0007 --state disputed --by ann --reason "a stock photo"
    """
    known = HashList.open(path)
    number = known.give_opinion(entry, state=state, by=by, reason=reason, source=source)
    click.echo(f"generation {number}", err=True)
    return 0


@click.command()
@LIST
@click.option("--release", "ids", type=int, multiple=True, help="Take in this row. Repeatable.")
@click.option(
    "--release-entry", "entry", callback=text, help="Compare the values of this entry after all."
)
@click.option("--kind", help="Which kind of its values.")
@SOURCE
@BY
@REASON
@JSON
def quarantine(
    path: Path, ids: tuple[int, ...], entry: str | None, kind: str | None,
    source: str | None, by: str | None, reason: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Show what imports set aside, and the values that are kept but not compared; release them.

    A row of which something could be read can be taken in with that. A value is not compared if
    it carries too little information, or if a source repeats it over many different files.

    \b
    Examples:
      screener quarantine known.list
      screener quarantine known.list --release 12 --by ann --reason "the MD5 is sound"
      screener quarantine known.list --release-entry demo-3 --kind pdq --by ann --reason "checked"
    """
    if ids and entry is not None:
        raise click.UsageError("--release or --release-entry, not both at once")
    if not ids and entry is None and (by or reason or kind or source):
        raise click.UsageError("nothing is released: name what by --release or --release-entry")
    known = HashList.open(path)
    if ids:
        number = known.release_rows(ids, by=by or "", reason=reason or "")
    elif entry is not None:
        if kind is None:
            raise click.UsageError("--release-entry needs --kind: which of its values")
        number = known.release_value(entry, kind, by=by or "", reason=reason or "", source=source)
    else:
        rows, values = known.quarantined()
        if as_json:
            click.echo(list_text.quarantine_json(rows, values))
        else:
            list_text.print_quarantine(console.to_stdout(), rows, values)
        return 0
    click.echo(f"released; generation {number}", err=True)
    return 0


@click.command()
@LIST
@JSON
def log(path: Path, as_json: bool) -> int:
    """Show all that was done to a list, by whom and why, and of imports their counts."""
    entries = HashList.open(path).log()
    if as_json:
        for one in entries:
            click.echo(json.dumps(one.to_dict(), ensure_ascii=False))
    else:
        list_text.print_log(console.to_stdout(), entries)
    return 0


@click.command()
@LIST
@click.option("--to", required=True, type=int, help="The generation to go back to.")
@WHO
@WHY
def rollback(path: Path, to: int, by: str, reason: str) -> int:
    """Write a new generation with the records of an earlier one.

    What a source withdrew since, or was purged, does not come back. Our opinions stay. The new
    generation counts as old as the earlier one.
    """
    number = HashList.open(path).rollback(to, by=by, reason=reason)
    click.echo(f"generation {number}", err=True)
    return 0


@click.command()
@LIST
@click.option("--source", required=True, callback=text, help="Erase what this source gave.")
@WHO
@REASON
@click.option("--yes", is_flag=True, help="Erase it without asking.")
def purge(path: Path, source: str, by: str, reason: str | None, yes: bool) -> int:
    """Erase what a source gave from the list's folder, for good: at the end of a contract.

    All versions of its records go, the index files of old generations, and every trace in the
    database and its log. Counts stay. Programs that have the list open should refresh it.
    """
    if not yes:
        try:
            if sys.stdin is None:
                raise EOFError
            sure = click.confirm("Erase it in every generation, for good?")
        except (EOFError, click.Abort) as ended:
            # Click makes the end of the input an interrupt, which it is not.
            if not isinstance(ended.__context__ or ended, EOFError):
                raise
            why = "nobody can be asked, as standard input is closed: give --yes"
            raise click.UsageError(why) from None
        if not sure:
            raise click.ClickException("not confirmed: nothing was erased")
    report = HashList.open(path).purge(source, by=by, reason=reason)
    click.echo(
        f"purged {counted(report.records, 'record')} ({counted(report.versions, 'version')},"
        f" {counted(report.hashes, 'hash', 'hashes')})"
        f" of {source}; generation {report.generation}",
        err=True,
    )
    return 0


COMMANDS = (show, opinion, quarantine, log, rollback, purge)
