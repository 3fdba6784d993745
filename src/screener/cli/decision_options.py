"""What `scan`, `rescan` and `match` share: options, their Screener, and where results go."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from screener.cli import list_text, streams
from screener.cli.open_list import open_list
from screener.cli.option_types import FILE, LIST_PATH, OUTPUT, OUTPUT_OR_DASH
from screener.cli.options import POLICY
from screener.errors import printable
from screener.lists.store import match_counts
from screener.reporting.audit import log as audit
from screener.reporting.audit.chain import head_path
from screener.reporting.output import JsonLines
from screener.screening.policy import Policy
from screener.screening.result import Result
from screener.screening.screener import Screener

EXIT_CODES = """\b
Exit codes:
  0    everything was screened, nothing matched
  1    at least one match
  3    no match, but something was not screened, or there was nothing to screen
  2    the call or the list was wrong
  130  interrupted
  141  the output pipe was closed"""

_OPTIONS = (
    click.option(
        "--list",
        "lists",
        multiple=True,
        required=True,
        type=LIST_PATH,
        help="A hash list made by `screener import`, or a list file for a quick try. Repeatable.",
    ),
    click.option(
        "-o",
        "--output",
        type=OUTPUT_OR_DASH,
        callback=lambda _context, _option, path: None if path == Path("-") else path,
        help="Write the results to this file, readable by you only (default: standard output).",
    ),
    POLICY,
    click.option(
        "--digests-only", is_flag=True, help="Compare MD5, SHA-1 and SHA-256 only; decode nothing."
    ),
    click.option(
        "--count", is_flag=True, help="Add the matches to the list's counts: see `screener show`."
    ),
    click.option(
        "--audit",
        "audit_file",
        type=OUTPUT,
        help="Add each decision to this audit log; created if missing.",
    ),
    click.option(
        "--audit-key",
        type=FILE,
        help="An Ed25519 private key (PEM) that signs the head of the audit log.",
    ),
)


@dataclass(frozen=True)
class DecisionOptions:
    """The values of the options that `deciding` adds to a command."""

    lists: tuple[Path, ...]
    output: Path | None
    policy_file: Path | None
    digests_only: bool
    count: bool
    audit_file: Path | None
    audit_key: Path | None

    def check_files(self, *, resume: Path | None = None, cache: Path | None = None) -> None:
        """Raise UsageError if two options name one file, or results are named NAME.csv or .html."""
        check_distinct_files(
            output=self.output, resume=resume, audit_file=self.audit_file, cache=cache,
            lists=self.lists, policy_file=self.policy_file, audit_key=self.audit_key,
        )  # fmt: skip
        if self.output is not None and self.output.suffix.lower() in (".csv", ".html"):
            raise click.UsageError(
                f"-o: results are JSON Lines, not {self.output.suffix}: write them to NAME.jsonl,"
                " then make a page or a table: screener report NAME.jsonl -o"
                f" NAME{self.output.suffix.lower()}"
            )

    def check_folders(self, why: str) -> None:
        """Raise UsageError if a list is a file, whose import does not outlast the call."""
        for path in self.lists:
            if not path.is_dir():
                raise click.UsageError(
                    f"{why}, and {printable(path)} is a list file: import it first"
                )

    def screener(self, stack: ExitStack) -> Screener:
        """Open the lists and the policy, and return their Screener."""
        if self.count:
            self.check_folders("--count adds to a list's own counts")
        policy = Policy() if self.policy_file is None else Policy.load(self.policy_file)
        if self.digests_only:
            policy = replace(policy, digests_only=True)
        return Screener([open_list(stack, path) for path in self.lists], policy=policy)

    def audit_log(self, stack: ExitStack) -> audit.AuditLog | None:
        """Claim the audit log, if there is one; nothing is written before the first result."""
        if self.audit_file is None:
            if self.audit_key is not None:
                raise click.UsageError("--audit is missing: --audit-key signs an audit log")
            return None
        log = audit.claim_log(self.audit_file, key=self.audit_key)
        stack.push(_close_and_print_head(log, self.audit_file))
        return log


def deciding(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options, whose values the command receives as `options`."""

    @wraps(command)
    def with_options(**values: Any) -> int:
        options = DecisionOptions(
            **{field.name: values.pop(field.name) for field in fields(DecisionOptions)}
        )
        return command(options=options, **values)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options


def check_distinct_files(
    *, lists: Iterable[Path], policy_file: Path | None, audit_key: Path | None,
    audit_file: Path | None = None, output: Path | None = None, resume: Path | None = None,
    cache: Path | None = None,
) -> None:  # fmt: skip
    """Raise UsageError if a file that one option writes is another option's file too."""
    head = None if audit_file is None else head_path(audit_file)
    written = [
        ("-o", output), ("--resume", resume), ("--audit", audit_file),
        ("the head of --audit", head), ("--cache", cache),
    ]  # fmt: skip
    if cache is not None:  # SQLite writes these beside it
        for end in ("-wal", "-shm", "-journal"):
            written.append(("a file beside --cache", cache.with_name(cache.name + end)))
    read = [("--policy", policy_file), ("--audit-key", audit_key)]
    all_files = written + read + [("--list", path) for path in lists]
    for number, (option, path) in enumerate(written):
        for other, other_path in all_files[number + 1 :]:
            if path is not None and other_path is not None and _same_file(path, other_path):
                raise click.UsageError(
                    f"{option} and {other} are one file, {printable(path)}, and one would overwrite"
                    " the other: name two files"
                )


def _same_file(path: Path, other: Path) -> bool:
    """Return whether two names are of one regular file, or the first lies in the other's folder."""
    real, other_real = (Path(os.path.realpath(name)) for name in (path, other))
    try:
        facts = path.stat()
        if stat.S_ISREG(facts.st_mode) and os.path.samestat(facts, other.stat()):
            return True
        device = not stat.S_ISREG(facts.st_mode)
    except OSError:
        device = False
    return not device and (real == other_real or other_real in real.parents)


def recorded(
    results: Iterable[Result], stack: ExitStack, screener: Screener, *, out: JsonLines,
    log: audit.AuditLog | None, count: bool,
) -> Iterator[Result]:  # fmt: skip
    """Yield each result once it is written: to the audit log first, then to the output.

    With `count`, the matches are added to the lists' counts when the run ends or is interrupted.
    """
    counts_by_list = _count_at_end(stack, screener) if count else {}
    for result in _begin_files(results, screener, out, log):
        if log is not None:
            log.write(result)
        out.write(result)
        for name, counts in counts_by_list.items():
            counts.update(match_counts.hits([result], name))
        yield result


def _begin_files(
    results: Iterable[Result], screener: Screener, out: JsonLines, log: audit.AuditLog | None
) -> Iterator[Result]:
    """Yield the results; begin the files when the first one arrives.

    So a call that is refused or stopped before leaves every file as it was. Only the audit log
    records an interrupt.
    """
    rest = iter(results)
    try:
        first = next(rest, None)
    except KeyboardInterrupt:
        if log is not None:
            log.begin(screener)
        raise
    if log is not None:
        log.begin(screener)
    out.begin()
    if first is not None:
        yield first
        yield from rest


def _count_at_end(stack: ExitStack, screener: Screener) -> dict[str, Counter[match_counts.Key]]:
    """Return a counter of matched entries for each list, to be stored when the stack closes."""
    for hash_list in screener.lists:
        hash_list.check_counting()  # now, rather than at the end of a long scan
    counts = {hash_list.name: Counter[match_counts.Key]() for hash_list in screener.lists}

    def store() -> None:
        for hash_list in screener.lists:
            floods = match_counts.count(hash_list.path, counts[hash_list.name])
            list_text.print_floods(streams.to_stderr(), hash_list.name, floods)

    stack.callback(store)
    return counts


def _close_and_print_head(log: audit.AuditLog, path: Path) -> Callable[..., None]:
    def end(*raised: Any) -> None:
        log.__exit__(*raised)
        if not log.begun:
            return
        signed = "signed" if log.signed else "not signed: give --audit-key"
        click.echo(f"audit log {printable(path)}: head {log.head}, {signed}", err=True)

    return end
