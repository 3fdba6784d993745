"""The command `match`."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from screener.cli import hash_lines, streams
from screener.cli.decision_options import (
    EXIT_CODES,
    DecisionOptions,
    ResultWriter,
    with_decision_options,
)
from screener.cli.summary import Tally
from screener.reporting.output import claim_jsonl


@click.command(epilog=EXIT_CODES)
@with_decision_options
def match(options: DecisionOptions) -> int:
    """Look up hashes from standard input, as `hash` prints them.

    A line is `kind value [quality [input]]`; `-` is an unknown quality. Consecutive lines with one
    input are one item. A PDQ is also compared mirrored and turned, by codes derived
    from its bits: to find smaller copies, and turned ones of small pictures, use `hash
    --orientations`. The exit code is 3 if there is no line, since the command that should write
    them may have failed. If it fails half-way, missing lines go unnoticed unless you use `set -o
    pipefail`.

    \b
    Example:
      screener hash --orientations photo.jpg | screener match --list known.list
    """
    tally = Tally()
    with ExitStack() as stack:
        if sys.stdin is None:
            raise click.UsageError("cannot read hashes: standard input is closed")
        options.check_files()
        screener = options.open_screener(stack)
        out = stack.enter_context(claim_jsonl(options.output))
        log = options.claim_audit_log(stack)
        results = hash_lines.match_lines(screener, sys.stdin.buffer)
        writer = ResultWriter(stack, screener, out=out, log=log, count=options.count)
        for result in writer.begin(results):
            writer.write(result)
            tally.add(result)
    tally.print(streams.to_stderr())
    return tally.exit_code
