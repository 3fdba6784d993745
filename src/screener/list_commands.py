"""The commands that keep a list: show, opinion, quarantine, export, terms, log, rollback, purge."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import click

from screener import console, list_pages
from screener.errors import ListError
from screener.lists import database
from screener.lists.hashlist import HashList
from screener.lists.terms import AUDIENCES, TLP, Terms

_LIST = click.argument("path", metavar="LIST", type=click.Path(exists=True, path_type=Path))
_SOURCE = click.option("--source", help="Whose entry is meant, where several sources have one.")
_BY = click.option("--by", help="Who asks for it; kept in the log.")
_WHO = click.option("--by", required=True, help="Who decides it; kept in the log.")
_WHY = click.option("--reason", required=True, help="Why, in a line; kept in the log.")
_REASON = click.option("--reason", help="Why, in a line; kept in the log.")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def terms_options(command: Any) -> Any:
    """The options that say what a source allows."""
    for option in (
        click.option("--terms", "terms_file", type=_FILE, help="A TOML file with these as keys."),
        click.option("--expires", help="The last day on which it may be exported: 2030-12-31."),
        click.option(
            "--redistribution",
            type=click.Choice(["yes", "no"]),
            help="Whether the source lets it go on to others than the own team.",
        ),
        click.option("--tlp", help=f"Its level in the Traffic Light Protocol: {', '.join(TLP)}."),
    ):
        command = option(command)
    return command


def terms_of(
    tlp: str | None, redistribution: str | None, expires: str | None, terms_file: Path | None
) -> Terms | None:
    """The terms that options and file give together, options first; None where there are none."""
    given = {} if terms_file is None else Terms.load(terms_file).to_dict()
    if tlp is not None:
        given["tlp"] = tlp
    if redistribution is not None:
        given["redistribution"] = redistribution == "yes"
    if expires is not None:
        given["expires"] = expires
    return Terms(**given) if given else None


@click.command()
@_LIST
@click.argument("entry")
@_SOURCE
@click.option("--values", is_flag=True, help="Tell the hash values too. They are secret.")
@_JSON
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
            list_pages.print_entry(console.to_stdout(), found)
    return 0


@click.command()
@_LIST
@click.argument("entry")
@click.option(
    "--state",
    required=True,
    type=click.Choice(["confirmed", "disputed", "known_good", "withdrawn"]),
    help="What you hold of it; withdrawn takes your opinion back.",
)
@_WHO
@_WHY
@_SOURCE
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
@_LIST
@click.option("--release", "ids", type=int, multiple=True, help="Take in this row. Repeatable.")
@click.option("--release-entry", "entry", help="Compare the values of this entry after all.")
@click.option("--kind", help="Which kind of its values.")
@_SOURCE
@_BY
@_REASON
@_JSON
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
            click.echo(list_pages.quarantine_json(rows, values))
        else:
            list_pages.print_quarantine(console.to_stdout(), rows, values)
        return 0
    click.echo(f"released; generation {number}", err=True)
    return 0


@click.command()
@_LIST
@click.option("--format", "format_", required=True, help="csv, tx, ncmec, vics, hma or bloom.")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write, readable by you only; its manifest goes beside.",
)  # fmt: skip
@click.option("--source", "sources", multiple=True, help="Only what this source gave. Repeatable.")
@click.option(
    "--audience",
    type=click.Choice(list(AUDIENCES)),
    default="community",
    show_default=True,
    help="Whom it is for; own is the own team.",
)
@click.option("--categories", type=_FILE, help="For vics: a TOML table, see below.")
@click.option("--kind", default="sha256", show_default=True, help="For bloom: which digests.")
@click.option(
    "--error-rate", type=float, default=0.001, show_default=True,
    help="For bloom: the share of other digests that it takes for listed ones.",
)  # fmt: skip
@click.option("--sign", type=_FILE, help="An Ed25519 private key in a PEM file.")
def export(
    path: Path, format_: str, output: Path, sources: tuple[str, ...], audience: str,
    categories: Path | None, kind: str, error_rate: float, sign: Path | None,
) -> int:  # fmt: skip
    """Write a list in another format, as far as the terms of its sources allow.

    What may not go on is left out and counted, and so is what the format has no place for. The
    manifest, FILE.manifest.json, holds the counts, the generation and the SHA-256 of the file.

    \b
    The table for vics gives, for each scheme, the number of each code:
      ["uk-sentencing-council"]
      A = 1

    \b
    Examples:
      screener export known.list --format csv -o known.csv --sign key.pem
      screener export known.list --format bloom --kind sha256 -o known.bloom --audience own
    """
    report = HashList.open(path).export(
        output, format=format_, audience=audience, sources=sources,
        categories=None if categories is None else _table(categories),
        kind=kind, error_rate=error_rate, key=sign,
    )  # fmt: skip
    list_pages.print_export(console.to_stderr(), report)
    return 0


def _table(path: Path) -> dict[tuple[str, str], int]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        table = {(s, str(code)): n for s, codes in found.items() for code, n in codes.items()}
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError) as error:
        raise ListError(f"cannot read the categories {path}: {error}") from error
    if not all(type(number) is int for number in table.values()):
        raise ListError(f"{path}: a category's number is a whole number")
    return table


@click.command()
@_LIST
@click.option("--source", help="Set the terms of this source.")
@terms_options
@_BY
def terms(
    path: Path, source: str | None, tlp: str | None, redistribution: str | None,
    expires: str | None, terms_file: Path | None, by: str | None,
) -> int:  # fmt: skip
    """Show what each source allows to be done with what it gave, or set it for one."""
    known = HashList.open(path)
    given = terms_of(tlp, redistribution, expires, terms_file)
    if given is None:
        click.echo(json.dumps({s: t.to_dict() for s, t in known.terms().items()}))
    elif source is None:
        raise click.UsageError("terms are of one source: name it by --source")
    else:
        known.set_terms(source, given, by=by)
    return 0


@click.command()
@_LIST
@_JSON
def log(path: Path, as_json: bool) -> int:
    """Show what was done to a list: imports with their counts, opinions, rollbacks, purges."""
    entries = HashList.open(path).log()
    if as_json:
        for one in entries:
            click.echo(json.dumps(one.to_dict(), ensure_ascii=False))
    else:
        list_pages.print_log(console.to_stdout(), entries)
    return 0


@click.command()
@_LIST
@click.option("--to", required=True, type=int, help="The generation to go back to.")
@_WHO
@_WHY
def rollback(path: Path, to: int, by: str, reason: str) -> int:
    """Write a new generation with the records of an earlier one.

    What a source withdrew since, or was purged, does not come back. Our opinions stay. The new
    generation counts as old as the earlier one.
    """
    number = HashList.open(path).rollback(to, by=by, reason=reason)
    click.echo(f"generation {number}", err=True)
    return 0


@click.command()
@_LIST
@click.option("--source", required=True, help="Erase what this source gave.")
@_WHO
@_REASON
@click.confirmation_option(prompt="Erase it in every generation, for good?")
def purge(path: Path, source: str, by: str, reason: str | None) -> int:
    """Erase what a source gave from the list's folder, for good: at the end of a contract.

    All versions of its records go, the index files of old generations, and every trace in the
    database and its log. Counts stay. Programs that have the list open should refresh it.
    """
    report = HashList.open(path).purge(source, by=by, reason=reason)
    click.echo(
        f"purged {report.records} records ({report.versions} versions, {report.hashes} hashes)"
        f" of {source}; generation {report.generation}",
        err=True,
    )
    return 0


@click.command()
@_LIST
def upgrade(path: Path) -> int:
    """Bring a list that an older version wrote to the format of this one."""
    click.echo("upgraded" if database.upgrade(path) else "of this format already", err=True)
    return 0


COMMANDS = (show, opinion, quarantine, export, terms, log, rollback, purge, upgrade)
