"""The commands about an audit log: audit verify."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from screener.cli import console
from screener.cli.options import FILE, JSON
from screener.errors import counted, printable, some
from screener.reporting.audit import verification
from screener.reporting.audit.verification import Verification


@click.group()
def audit() -> None:
    """Check audit logs: of `scan`, `rescan` and `match` with --audit, and of a hotline."""


@audit.command()
@click.argument("file", type=FILE)
@click.option("--key", type=FILE, help="The Ed25519 public key of who signs, in a PEM file.")
@click.option(
    "--head",
    help="A head, all 64 digits, that was told when the log was closed, and kept elsewhere.",
)
@JSON
def verify(file: Path, key: Path | None, head: str | None, as_json: bool) -> int:
    """Find any line of an audit log that was changed, removed or added, and an end cut off.

    \b
    Exit codes:
      0  all is as it was written; with --key, by the holder of the key
      2  something was changed, and sentences say where; or the call was wrong
      3  nothing was changed, but the last run did not close the log: its end may be missing

    \b
    Examples:
      screener audit verify decisions.audit --key audit.pub.pem
      screener audit verify decisions.audit \\
        --head 5f70bf18a086007016e948b04aed3b82e9c3a1b6d4f25c708890d7e4a31b6c52
    """
    found = verification.verify(file, key=key, head=head)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _print(console.to_stdout(), str(file), found)
    for sentence in found.trouble:
        click.echo(f"screener: {sentence}", err=True)
    if found.trouble:
        return 2
    return 0 if found.closed else 3


def _print(out: Console, name: str, found: Verification) -> None:
    """What an audit log holds, and how far it is proved."""
    out.print(
        f"{escape(printable(name))}: {counted(found.lines, 'line')},"
        f" {counted(found.decisions, 'decision')} of {counted(found.runs, 'run')};"
        f" head {found.head}"
    )
    signature = {
        "none": "nobody signed it, and whoever can write to it can write it anew",
        "unchecked": "signed, and not checked: give --key",
        "good": "signed with the key",
        "bad": "not signed with the key",
    }
    out.print(f"  {signature[found.signature]}")
    if found.unclosed:
        out.print(
            f"  [yellow]runs that did not end by themselves, so that lines of them may be missing:"
            f" those that begin at line {some(found.unclosed)}[/]"
        )
    if not found.closed:
        out.print("  [yellow]not closed by its last run: its end may be missing[/]")


COMMANDS = (audit,)
