"""What the commands that decide share: their options, their Screener, where results go."""

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

from screener.cli import console, list_text
from screener.cli.open_list import open_list
from screener.cli.options import FILE, LIST_PATH, OUTPUT, OUTPUT_OR_DASH, POLICY
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
  141  whoever read the output has gone"""

_MADE_LATER = (".csv", ".html")

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
        help="Write the results here, readable by you only, instead of to standard output.",
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
        help="Add each decision to this audit log, begun where there is none.",
    ),
    click.option(
        "--audit-key",
        type=FILE,
        help="An Ed25519 private key in a PEM file, which signs the head of the log.",
    ),
)


@dataclass(frozen=True)
class Asked:
    """What the options ask of a command that decides, as `deciding` adds them."""

    lists: tuple[Path, ...]
    output: Path | None
    policy_file: Path | None
    digests_only: bool
    count: bool
    audit_file: Path | None
    audit_key: Path | None

    def check_files(self, *, resume: Path | None = None, cache: Path | None = None) -> None:
        """UsageError where two of its files, or those given, are one, or results are to have the
        name of what is made of them later.
        """
        check_apart(
            output=self.output, resume=resume, audit_file=self.audit_file, cache=cache,
            lists=self.lists, policy_file=self.policy_file, audit_key=self.audit_key,
        )  # fmt: skip
        if self.output is not None and self.output.suffix.lower() in _MADE_LATER:
            raise click.UsageError(
                f"-o {printable(str(self.output))}: results are JSON Lines. Write them to"
                " NAME.jsonl, and then make a page or a table of them: screener report NAME.jsonl"
                f" -o NAME{self.output.suffix.lower()}"
            )

    def check_folders(self, why: str) -> None:
        """UsageError where a list is given as a file, which has no state that outlasts the call."""
        for path in self.lists:
            if not path.is_dir():
                raise click.UsageError(
                    f"{why}, and {printable(str(path))} is a list file: import it first"
                )

    def screener(self, stack: ExitStack) -> Screener:
        """The Screener that is asked for."""
        if self.count:
            self.check_folders("--count adds to a list's own counts")
        policy = Policy() if self.policy_file is None else Policy.load(self.policy_file)
        if self.digests_only:
            policy = replace(policy, digests_only=True)
        return Screener([open_list(stack, path) for path in self.lists], policy=policy)

    def audit_log(self, stack: ExitStack) -> audit.AuditLog | None:
        """The audit log that is asked for, as it was until the first result is there."""
        if self.audit_file is None:
            if self.audit_key is not None:
                raise click.UsageError("--audit-key signs an audit log: name one by --audit")
            return None
        log = audit.claim_log(self.audit_file, key=self.audit_key)
        stack.push(_told_end(log, self.audit_file))
        return log


def deciding(command: Callable[..., int]) -> Callable[..., int]:
    """A command that has the options of those that decide, and is given them as `asked`."""

    @wraps(command)
    def with_options(**given: Any) -> int:
        asked = Asked(**{one.name: given.pop(one.name) for one in fields(Asked)})
        return command(asked=asked, **given)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options


def check_apart(
    *, lists: Iterable[Path], policy_file: Path | None, audit_key: Path | None,
    audit_file: Path | None = None, output: Path | None = None, resume: Path | None = None,
    cache: Path | None = None,
) -> None:  # fmt: skip
    """UsageError where a file that is written to for one option is another option's too."""
    head = None if audit_file is None else head_path(audit_file)
    written = [
        ("-o", output), ("--resume", resume), ("--audit", audit_file),
        ("the head of --audit", head), ("--cache", cache),
    ]  # fmt: skip
    if cache is not None:  # SQLite writes these beside it
        for end in ("-wal", "-shm", "-journal"):
            written.append(("a file beside --cache", cache.with_name(cache.name + end)))
    read = [("--policy", policy_file), ("--audit-key", audit_key)]
    all_of = written + read + [("--list", path) for path in lists]
    for number, (option, path) in enumerate(written):
        for other, its in all_of[number + 1 :]:
            if path is not None and its is not None and _same_file(path, its):
                raise click.UsageError(
                    f"{option} and {other} are one file, {printable(str(path))}: what is"
                    " written for the one would destroy the other"
                )


def _same_file(path: Path, other: Path) -> bool:
    """Whether two names are of one file that keeps what it holds, or the first is in a folder."""
    real, its = (Path(os.path.realpath(one)) for one in (path, other))
    try:
        there = path.stat()
        if stat.S_ISREG(there.st_mode) and os.path.samestat(there, other.stat()):
            return True
        device = not stat.S_ISREG(there.st_mode)
    except OSError:
        device = False
    return not device and (real == its or its in real.parents)


def recorded(
    results: Iterable[Result], stack: ExitStack, screener: Screener, *, out: JsonLines,
    log: audit.AuditLog | None, count: bool,
) -> Iterator[Result]:  # fmt: skip
    """The results, each once it is written: to the audit log first, so that none is told that is
    not in it. With `count` their matches are counted when the run is over, also by an interruption.
    """
    met = _to_be_counted(stack, screener) if count else {}
    for result in _begun(results, screener, out, log):
        if log is not None:
            log.write(result)
        out.write(result)
        for name, counts in met.items():
            counts.update(match_counts.hits([result], name))
        yield result


def _begun(
    results: Iterable[Result], screener: Screener, out: JsonLines, log: audit.AuditLog | None
) -> Iterator[Result]:
    """The results as they are. What they are written to is begun when the first is there: whatever
    refuses a call until then leaves every file as it was, and so does who stops it. But that is no
    refusal, and the log says it.
    """
    coming = iter(results)
    try:
        first = next(coming, None)
    except KeyboardInterrupt:
        if log is not None:
            log.begin(screener)
        raise
    if log is not None:
        log.begin(screener)
    out.begin()
    if first is not None:
        yield first
        yield from coming


def _to_be_counted(stack: ExitStack, screener: Screener) -> dict[str, Counter[match_counts.Key]]:
    """By the name of a list, where the entries that matched are counted; what is there when the run
    is over is added to the list's own counts. So a number is held for each entry, and no result.
    """
    for one in screener.lists:
        one.check_counting()  # at its end a long scan would have to be called a failure
    met = {one.name: Counter[match_counts.Key]() for one in screener.lists}

    def tell() -> None:
        for one in screener.lists:
            floods = match_counts.count(one.path, met[one.name])
            list_text.print_floods(console.to_stderr(), one.name, floods)

    stack.callback(tell)
    return met


def _told_end(log: audit.AuditLog, path: Path) -> Callable[..., None]:
    """Closes an audit log when the run is over, and tells its head."""

    def end(*raised: Any) -> None:
        log.__exit__(*raised)
        if not log.begun:
            return
        signed = "signed" if log.signed else "not signed: give --audit-key"
        click.echo(f"audit log {printable(str(path))}: head {log.head}, {signed}", err=True)

    return end
