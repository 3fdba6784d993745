"""The command `audit verify`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from screener.cli import streams
from screener.cli.option_types import FILE
from screener.cli.options import JSON
from screener.cli.usage_errors import Group
from screener.errors import counted, printable, some
from screener.reporting.audit import verification
from screener.reporting.audit.verification import Verification


@click.group(cls=Group)
def audit() -> None:
    """Check the audit log of a scan, rescan, match or hotline."""


@audit.command()
@click.argument("file", type=FILE)
@click.option("--key", type=FILE, help="The Ed25519 public key (PEM) of the signer.")
@click.option(
    "--head",
    help="A head (64 hexadecimal digits) that you stored elsewhere when the log was closed.",
)
@JSON
def verify(file: Path, key: Path | None, head: str | None, as_json: bool) -> int:
    """Find lines of an audit log that were changed, removed or added.

    \b
    Exit codes:
      0  all lines are as written; with --key, by the holder of the key
      2  something was changed, and messages say where; or the call was wrong
      3  nothing was changed, but the last run did not close the log: its end may be missing

    \b
    Examples:
      screener audit verify decisions.audit --key audit.pub.pem
      screener audit verify decisions.audit \\
        --head 5f70bf18a086007016e948b04aed3b82e9c3a1b6d4f25c708890d7e4a31b6c52
    """
    checked = verification.verify(file, key=key, head=head)
    if as_json:
        click.echo(json.dumps(checked.to_dict()))
    else:
        _print_verification(streams.to_stdout(), str(file), checked)
    for sentence in checked.trouble:
        click.echo(f"screener: {sentence}", err=True)
    if checked.trouble:
        return 2
    return 0 if checked.closed else 3


def _print_verification(out: Console, name: str, checked: Verification) -> None:
    out.print(
        f"{escape(printable(name))}: {counted(checked.lines, 'line')},"
        f" {counted(checked.decisions, 'decision')} in {counted(checked.runs, 'run')};"
        f" head {checked.head}"
    )
    signature = {
        "none": "not signed: whoever can write to the log could have rewritten it",
        "unchecked": "signed, but not checked: give --key",
        "good": "signed with the key",
        "bad": "not signed with the key",
    }
    out.print(f"  {signature[checked.signature]}")
    if checked.unclosed:
        out.print(
            f"  [yellow]runs without an end, whose last lines may be missing: they begin at line"
            f" {some(checked.unclosed)}[/]"
        )
    if not checked.closed:
        out.print("  [yellow]the last run did not close the log: its end may be missing[/]")
