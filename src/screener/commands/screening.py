"""The commands that screen: scan, match, hash."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from screener import audit, console, hash_lines, list_pages
from screener.commands.opening import open_list
from screener.hashed import hash_item
from screener.hashing.hash import KINDS, HashKind, kind_named
from screener.inputs import find
from screener.output import open_jsonl
from screener.policy import Policy
from screener.result import Reason, Result
from screener.scan import scan as scan_files
from screener.screen import Screener

_EXIT_CODES = """\b
Exit codes:
  0    everything was screened, nothing matched
  1    at least one match
  3    no match, but something was not screened
  2    the call or the list was wrong
  130  interrupted"""

_LISTS = click.option(
    "--list",
    "lists",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A hash list made by `screener import`, or a list file for a quick try. Repeatable.",
)
_POLICY = click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with radius, floor, limits; the defaults where left out.",
)
_OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results here, readable by you only, instead of to standard output.",
)
_DIGESTS_ONLY = click.option(
    "--digests-only", is_flag=True, help="Compare MD5, SHA-1 and SHA-256 only; decode nothing."
)
_AUDIT = click.option(
    "--audit",
    "audit_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add each decision to this audit log, begun where there is none.",
)
_AUDIT_KEY = click.option(
    "--audit-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An Ed25519 private key in a PEM file, which signs the log when it is closed.",
)
_COUNT = click.option(
    "--count", is_flag=True, help="Add the matches to the list's counts: see `screener show`."
)


@click.command(epilog=_EXIT_CODES)
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@_LISTS
@_OUTPUT
@_POLICY
@_DIGESTS_ONLY
@_COUNT
@_AUDIT
@_AUDIT_KEY
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; all cores by default.")
def scan(
    paths: tuple[str, ...],
    lists: tuple[Path, ...],
    output: Path | None,
    policy_file: Path | None,
    digests_only: bool,
    count: bool,
    audit_file: Path | None,
    audit_key: Path | None,
    jobs: int | None,
) -> int:
    """Screen files and folders; one JSON line a file.

    Every file is opened in a worker process of its own: one that crashes, hangs or eats memory
    costs exactly itself, and is reported as unscreened with the reason.

    \b
    Examples:
      screener scan photo.jpg --list known.list
      screener scan uploads/ --list known.list --list known.csv -o results.jsonl --jobs 4
    """
    told = console.to_stderr()
    tally = console.Tally()
    with ExitStack() as stack:
        engine = _engine(stack, lists, policy_file, digests_only)
        total = sum(1 for _ in find(paths))
        bar = stack.enter_context(console.progress(told, total))
        write = _writer(stack, output, audit_file, audit_key, engine)
        for result in _counted(stack, scan_files(engine, paths, jobs=jobs), engine, count):
            write(result)
            tally.add(result)
            bar.update(bar.task_ids[0], advance=1, tally=tally.short)
    tally.print(told)
    return tally.exit_code


@click.command(epilog=_EXIT_CODES)
@_LISTS
@_OUTPUT
@_POLICY
@_DIGESTS_ONLY
@_COUNT
@_AUDIT
@_AUDIT_KEY
def match(
    lists: tuple[Path, ...], output: Path | None, policy_file: Path | None, digests_only: bool,
    count: bool, audit_file: Path | None, audit_key: Path | None,
) -> int:  # fmt: skip
    """Look up hashes made elsewhere: lines of `kind value [quality [input]]` on standard input.

    `-` stands for an unknown quality. Lines in a row with one input are one item, so that the
    output of `screener hash` can be piped in. A hash is compared as it is: the mirrored and
    turned forms need the picture.

    \b
    Example:
      screener hash photo.jpg | screener match --list known.list
    """
    tally = console.Tally()
    with ExitStack() as stack:
        if sys.stdin is None:
            raise click.UsageError("standard input is closed, and the hashes come from there")
        engine = _engine(stack, lists, policy_file, digests_only)
        write = _writer(stack, output, audit_file, audit_key, engine)
        found = hash_lines.match(engine, sys.stdin.buffer)
        for result in _counted(stack, found, engine, count):
            write(result)
            tally.add(result)
    tally.print(console.to_stderr())
    return tally.exit_code


@click.command("hash")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--kinds", default="pdq,md5,sha1,sha256", show_default=True, help="With commas.")
def hash_(files: tuple[str, ...], kinds: str) -> int:
    """Print the hashes of files and folders: lines of `kind value quality input`.

    A file that cannot be hashed to its end gets a line `unscreened reason - input`, by which
    `match` knows it, and a sentence on standard error; the exit code is then 3. Files are opened
    in this process: of files that nobody trusts, use `scan`.
    """
    wanted = _computed(kinds)
    failed = False
    for path in find(files):
        hashed = hash_item(path, policy=Policy(), kinds=wanted)
        for located in hashed.hashes:
            if located.orientation == "upright":
                click.echo(hash_lines.write(located.hash, path))
        if hashed.trouble is not None:
            failed = True
            click.echo(hash_lines.write_trouble(Reason(hashed.trouble.reason), path))
            click.echo(f"{console.printable(path)}: {hashed.trouble}", err=True)
    return 3 if failed else 0


def _engine(
    stack: ExitStack, lists: tuple[Path, ...], policy_file: Path | None, digests_only: bool
) -> Screener:
    policy = Policy() if policy_file is None else Policy.load(policy_file)
    if digests_only:
        policy = replace(policy, digests_only=True)
    return Screener([open_list(stack, path) for path in lists], policy=policy)


def _writer(
    stack: ExitStack, output: Path | None, audit_file: Path | None, key: Path | None,
    engine: Screener,
) -> Callable[[Result], None]:  # fmt: skip
    """What writes a result: to the audit log first, so that none is told that is not in it."""
    if key is not None and audit_file is None:
        raise click.UsageError("--audit-key signs an audit log: name one by --audit")
    logs = []
    if audit_file is not None:
        log = audit.open_log(audit_file, engine, key=key)
        stack.push(_told_end(log, audit_file))
        logs.append(log)
    out = stack.enter_context(open_jsonl(output))

    def write(result: Result) -> None:
        for log in logs:
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


def _counted(
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


def _computed(names: str) -> tuple[HashKind, ...]:
    kinds = tuple(kind_named(name.strip().lower()) for name in names.split(","))
    for kind in kinds:
        if not kind.computed:
            made = ", ".join(one.name for one in KINDS.values() if one.computed)
            raise click.UsageError(f"--kinds: {kind.name} is not computed here; only {made}")
    return kinds


COMMANDS = (scan, match, hash_)
