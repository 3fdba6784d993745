"""The commands about an audit log: audit verify."""

from __future__ import annotations

import json
from pathlib import Path

import click

from screener import audit as audit_log
from screener import console
from screener.commands.options import FILE, JSON


@click.group()
def audit() -> None:
    """Check audit logs, which `scan --audit` and `match --audit` write."""


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
    found = audit_log.verify(file, key=key, head=head)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        console.print_audit(console.to_stdout(), str(file), found)
    for sentence in found.trouble:
        click.echo(f"screener: {sentence}", err=True)
    if found.trouble:
        return 2
    return 0 if found.closed else 3


COMMANDS = (audit,)
