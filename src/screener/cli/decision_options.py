"""The options of `scan`, `rescan` and `match`, and the writer of their results."""

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
from screener.cli.option_types import FILE, LIST_PATH, OUTPUT, OUTPUT_OR_DASH, OneOf
from screener.cli.options import POLICY
from screener.errors import printable
from screener.lists.store import match_counts
from screener.reporting.audit import log as audit
from screener.reporting.audit.chain import head_path
from screener.reporting.output import JsonLines, journal_of
from screener.screening.policy import Effort, Policy
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

EFFORT = click.option(
    "--effort",
    type=OneOf([effort.value for effort in Effort]),
    help="How far to go to find edited copies (default: the policy's; `views` if it has none).",
)

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
        help="Write the results to this file, readable by you only (default: standard output);"
        " as Parquet if it is called NAME.parquet.",
    ),
    POLICY,
    click.option(
        "--digests-only", is_flag=True, help="Compare MD5, SHA-1 and SHA-256 only; decode nothing."
    ),
    EFFORT,
    click.option(
        "--shadow-evidence",
        is_flag=True,
        help="Report hits by evidence, but let them make no match.",
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
    """The values of the options that `with_decision_options` adds to a command."""

    lists: tuple[Path, ...]
    output: Path | None
    policy_file: Path | None
    digests_only: bool
    effort: str | None
    shadow_evidence: bool
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
                f"-o: results are JSON Lines or Parquet, not {self.output.suffix}: write them to"
                " NAME.jsonl, then make a page or a table: screener report NAME.jsonl -o"
                f" NAME{self.output.suffix.lower()}"
            )

    def check_folders(self, reason: str) -> None:
        """Raise UsageError if a list is a list file, whose import lasts only for one call."""
        for path in self.lists:
            if not path.is_dir():
                raise click.UsageError(
                    f"{reason}, and {printable(path)} is a list file: import it first"
                )

    def open_screener(self, stack: ExitStack) -> Screener:
        """Open the lists and the policy, and return a Screener."""
        if self.count:
            self.check_folders("--count adds to a list's own counts")
        policy = Policy() if self.policy_file is None else Policy.load(self.policy_file)
        if self.digests_only:
            policy = replace(policy, digests_only=True)
        if self.effort is not None:
            policy = replace(policy, effort=Effort(self.effort))
        if self.shadow_evidence:
            policy = replace(policy, shadow_evidence=True)
        return Screener([open_list(stack, path) for path in self.lists], policy=policy)

    def claim_audit_log(self, stack: ExitStack) -> audit.AuditLog | None:
        """Claim the audit log, if one is named; nothing is written before the first result."""
        if self.audit_file is None:
            if self.audit_key is not None:
                raise click.UsageError("--audit is missing: --audit-key signs an audit log")
            return None
        log = audit.claim_log(self.audit_file, key=self.audit_key)
        stack.push(_closing_callback(log, self.audit_file))
        return log


def with_decision_options(command: Callable[..., int]) -> Callable[..., int]:
    """Decorate a command with the options; it gets their values as `options`."""

    @wraps(command)
    def run_command(**values: Any) -> int:
        options = DecisionOptions(
            **{field.name: values.pop(field.name) for field in fields(DecisionOptions)}
        )
        return command(options=options, **values)

    for option in reversed(_OPTIONS):
        run_command = option(run_command)
    return run_command


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
    for option, path in written[:2]:
        if path is not None and journal_of(path) != path:
            written.append((f"the journal of {option}", journal_of(path)))
    if cache is not None:  # SQLite writes these next to it
        for suffix in ("-wal", "-shm", "-journal"):
            written.append(("a file next to --cache", cache.with_name(cache.name + suffix)))
    read = [("--policy", policy_file), ("--audit-key", audit_key)]
    all_files = written + read + [("--list", path) for path in lists]
    for number, (option, path) in enumerate(written):
        for other_option, other_path in all_files[number + 1 :]:
            if path is not None and other_path is not None and _is_same_file(path, other_path):
                raise click.UsageError(
                    f"{option} and {other_option} are one file, {printable(path)}, and one would"
                    " overwrite the other: name two files"
                )


def _is_same_file(path: Path, other: Path) -> bool:
    """Return whether two paths name one regular file, or the first is inside the other."""
    real, other_real = (Path(os.path.realpath(name)) for name in (path, other))
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and os.path.samestat(status, other.stat()):
            return True
        is_device = not stat.S_ISREG(status.st_mode)
    except OSError:
        is_device = False
    return not is_device and (real == other_real or other_real in real.parents)


class ResultWriter:
    """Writes results to the audit log, then to the output, and counts matches if asked to."""

    def __init__(
        self, stack: ExitStack, screener: Screener, *, out: JsonLines,
        log: audit.AuditLog | None, count: bool,
    ) -> None:  # fmt: skip
        """With `count`, the lists' counts are updated when the stack closes."""
        self._screener = screener
        self._out = out
        self._log = log
        self._counts_by_list = _count_at_end(stack, screener) if count else {}

    def begin(self, results: Iterable[Result]) -> Iterator[Result]:
        """Yield the results; begin the files when the first one arrives.

        So a call that is refused or stopped earlier leaves every file as it was. Only the audit log
        records an interrupt.
        """
        iterator = iter(results)
        try:
            first = next(iterator, None)
        except KeyboardInterrupt:
            if self._log is not None:
                self._log.begin(self._screener)
            raise
        if self._log is not None:
            self._log.begin(self._screener)
        self._out.begin()
        if first is not None:
            yield first
            yield from iterator

    def write(self, result: Result) -> None:
        """Write a result to the audit log and the output, and count its matches."""
        if self._log is not None:
            self._log.write(result)
        self._out.write(result)
        for name, counts in self._counts_by_list.items():
            counts.update(match_counts.find_hits([result], name))


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


def _closing_callback(log: audit.AuditLog, path: Path) -> Callable[..., None]:
    def close_and_print_head(*raised: Any) -> None:
        log.__exit__(*raised)
        if not log.begun:
            return
        signed = "signed" if log.signed else "not signed: give --audit-key"
        click.echo(f"audit log {printable(path)}: head {log.head}, {signed}", err=True)

    return close_and_print_head
