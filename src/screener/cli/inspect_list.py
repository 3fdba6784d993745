"""Commands that read a list: info, show, log, verify."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import click

from screener.cli import list_text, progress_display, streams
from screener.cli.open_list import open_list
from screener.cli.options import JSON, LIST, SOURCE, check_utf8, number_from
from screener.errors import printable
from screener.lists.hashlist import HashList
from screener.lists.inspecting.verify import DamagedList
from screener.screening.screener import warn_of_pixel_versions


@click.command()
@LIST
@JSON
def info(path: Path, as_json: bool) -> int:
    """Show what a list holds: records by state and values by kind.

    It also counts the records that no hash computed here can match.
    """
    with ExitStack() as stack:
        hash_list = open_list(stack, path)
        warn_of_pixel_versions(hash_list)
        with progress_display.show_bar(f"counting {hash_list.name}") as on_progress:
            list_info = hash_list.info(progress=on_progress)
    if as_json:
        click.echo(json.dumps(list_info.to_dict(), ensure_ascii=False))
    else:
        list_text.print_info(streams.to_stdout(), list_info)
    return 0


@click.command()
@LIST
@click.argument("entry", callback=check_utf8)
@SOURCE
@click.option("--values", is_flag=True, help="Print the hash values too. They are secret.")
@JSON
def show(path: Path, entry: str, source: str | None, values: bool, as_json: bool) -> int:
    """Show an entry: its states, its origin and how often it matched.

    \b
    Example:
      screener show known.list demo-0007
    """
    for shown in HashList.open(path).show(entry, source=source, values=values):
        if as_json:
            click.echo(json.dumps(shown.to_dict(), ensure_ascii=False))
        else:
            list_text.print_entry(streams.to_stdout(), shown)
    return 0


@click.command()
@LIST
@JSON
def log(path: Path, as_json: bool) -> int:
    """Show every change of a list: who made it, why, and its counts."""
    entries = HashList.open(path).log()
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry.to_dict(), ensure_ascii=False))
    else:
        list_text.print_log(streams.to_stdout(), entries)
    return 0


@click.command()
@LIST
@JSON
@click.option("--seed", type=number_from(0), help="Repeat the sample of an earlier run.")
def verify(path: Path, as_json: bool, seed: int | None) -> int:
    """Check a list's files and records, and a sample of searches.

    For each kind, listed hashes are searched with 0 bits changed, with 1, and so on up to the
    radius; the answers must equal those of brute force. No hash is printed.

    \b
    Exit codes:
      0  the list is intact
      2  the list is damaged, and messages say how; or the call was wrong

    \b
    Example:
      screener verify known.list
    """
    try:
        hash_list = HashList.open(path)
        with progress_display.show_bar(f"verifying {hash_list.name}") as on_progress:
            verification = hash_list.verify(seed=seed, progress=on_progress)
    except DamagedList as error:
        verification = error.found
    if as_json:
        click.echo(json.dumps(verification.to_dict(), ensure_ascii=False))
    else:
        list_text.print_verification(streams.to_stdout(), verification)
    for sentence in verification.damage:
        click.echo(f"screener: {printable(sentence)}", err=True)
    return 2 if verification.damage else 0


COMMANDS = (info, show, log, verify)
