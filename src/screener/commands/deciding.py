"""What the commands that decide share: their options, their Screener, where results go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from screener import audit, console, list_pages
from screener.commands.opening import open_list
from screener.output import JsonLines
from screener.policy import Policy
from screener.result import Result
from screener.screen import Screener

EXIT_CODES = """\b
Exit codes:
  0    everything was screened, nothing matched
  1    at least one match
  3    no match, but something was not screened
  2    the call or the list was wrong
  130  interrupted"""

LISTS = click.option(
    "--list",
    "lists",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A hash list made by `screener import`, or a list file for a quick try. Repeatable.",
)
POLICY = click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with radius, floor, limits; the defaults where left out.",
)
OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    callback=lambda _context, _option, path: None if path == Path("-") else path,
    help="Write the results here, readable by you only, instead of to standard output.",
)
DIGESTS_ONLY = click.option(
    "--digests-only", is_flag=True, help="Compare MD5, SHA-1 and SHA-256 only; decode nothing."
)
AUDIT = click.option(
    "--audit",
    "audit_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add each decision to this audit log, begun where there is none.",
)
AUDIT_KEY = click.option(
    "--audit-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An Ed25519 private key in a PEM file, which signs the log when it is closed.",
)
COUNT = click.option(
    "--count", is_flag=True, help="Add the matches to the list's counts: see `screener show`."
)


def make_engine(
    stack: ExitStack, lists: tuple[Path, ...], policy_file: Path | None, digests_only: bool
) -> Screener:
    """The Screener that the options describe."""
    policy = Policy() if policy_file is None else Policy.load(policy_file)
    if digests_only:
        policy = replace(policy, digests_only=True)
    return Screener([open_list(stack, path) for path in lists], policy=policy)


def open_audit(
    stack: ExitStack, audit_file: Path | None, key: Path | None, engine: Screener
) -> audit.AuditLog | None:
    """The audit log that was asked for. To be opened before the output is, which is emptied then:
    a log that is refused must cost no results.
    """
    if audit_file is None:
        if key is not None:
            raise click.UsageError("--audit-key signs an audit log: name one by --audit")
        return None
    log = audit.open_log(audit_file, engine, key=key)
    stack.push(_told_end(log, audit_file))
    return log


def make_writer(out: JsonLines, log: audit.AuditLog | None) -> Callable[[Result], None]:
    """What writes a result: to the audit log first, so that none is told that is not in it."""

    def write(result: Result) -> None:
        if log is not None:
            log.write(result)
        out.write(result)

    return write


def _told_end(log: audit.AuditLog, path: Path) -> Callable[..., None]:
    """Closes an audit log when the run is over, and tells its head."""

    def end(*raised: Any) -> None:
        log.__exit__(*raised)
        signed = "signed" if log.signed else "not signed: give --audit-key"
        click.echo(f"audit log {console.printable(str(path))}: head {log.head}, {signed}", err=True)

    return end


def counted(
    stack: ExitStack, results: Iterable[Result], engine: Screener, count: bool
) -> Iterator[Result]:
    """The results as they are; where asked to, their matches are counted when the run is over,
    also by an interruption.
    """
    if not count:
        return iter(results)
    kept: list[Result] = []

    def tell() -> None:
        for one in engine.lists:
            list_pages.print_floods(console.to_stderr(), one.name, one.count_matches(kept))

    stack.callback(tell)
    return _kept(results, kept)


def _kept(results: Iterable[Result], kept: list[Result]) -> Iterator[Result]:
    for result in results:
        if result.matches or result.beside:
            kept.append(result)
        yield result
