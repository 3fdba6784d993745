"""The command `rescan`."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import click

from screener.cli import streams
from screener.cli.decision_options import (
    EXIT_CODES,
    DecisionOptions,
    ResultWriter,
    with_decision_options,
)
from screener.cli.option_types import FILE
from screener.cli.scan import KEEP
from screener.cli.summary import Tally
from screener.errors import counted
from screener.reporting.output import claim_jsonl
from screener.scanning.cache.hash_cache import HashCache
from screener.scanning.rescan import compared, count_without_insets, outdated
from screener.scanning.rescan import rescan as rescan_cache
from screener.screening.policy import Effort
from screener.screening.screener import Screener
from screener.system.process import count_cores


@click.command(epilog=EXIT_CODES)
@click.option("--cache", required=True, type=FILE, help="The hashes that `scan --cache` stored.")
@KEEP
@with_decision_options
@click.option("--all", "every", is_flag=True, help="Also write inputs that hit no record.")
def rescan(cache: Path, keep: float | None, options: DecisionOptions, every: bool) -> int:
    """Match hashes of earlier scans against newer lists; open no file.

    You get one JSON line per input that hits a record, as a new scan would write it. Inputs whose
    hashes were made with other settings or kinds are counted; scan them again. Unscreened inputs
    are counted by reason. If nothing matched, either makes the exit code 3, and so does an empty
    cache.

    \b
    Examples:
      screener scan uploads/ --list known.list --cache hashes.cache -o results.jsonl
      screener import newer.csv --into known.list
      screener rescan --cache hashes.cache --list known.list -o matches.jsonl
    """
    console = streams.to_stderr()
    tally = Tally()
    with ExitStack() as stack:
        options.check_files(cache=cache)
        screener = options.open_screener(stack)
        out = stack.enter_context(claim_jsonl(options.output))
        log = options.claim_audit_log(stack)
        hashes = stack.enter_context(HashCache.open(cache, keep=keep, create=False))
        unscreened: Counter[str] = Counter()
        results = rescan_cache(
            screener, hashes, every=every, threads=count_cores(), unscreened=unscreened
        )
        writer = ResultWriter(stack, screener, out=out, log=log, count=options.count)
        for result in writer.begin(results):
            writer.write(result)
            tally.add(result)
        notes, incomplete = _describe_coverage(hashes, screener, unscreened)
    code = 3 if incomplete else 0
    if tally.total:
        tally.print(console, "screened" if every else "with a hit")
        code = tally.exit_code or code
    else:
        console.print("no compared input hits a record")
    for note in notes:
        console.print(note)
    return code


def _describe_coverage(
    hashes: HashCache, screener: Screener, unscreened: Counter[str]
) -> tuple[list[str], bool]:
    """Return sentences about the inputs in the cache, and whether any was not decided."""
    total, old = len(hashes), outdated(screener, hashes)
    seen = compared(screener, hashes)
    days = f"{hashes.keep:g} {'day' if hashes.keep == 1 else 'days'}"
    notes = [
        f"{counted(seen, 'input')} compared, of {counted(total, 'input')} in the cache, which"
        f" deletes them after {days}"
    ]
    for number, description in (
        (hashes.forgotten, "older than that, and deleted now"),
        (old, "hashed with other settings, without a kind that the lists hold, or"
         " without an extra that is now installed"),
    ):  # fmt: skip
        if number:
            notes.append(
                f"[yellow]{counted(number, 'input')} {description}[/]: scan again with --cache"
            )
    if unscreened:
        reasons = ", ".join(f"{number} {reason}" for reason, number in unscreened.most_common())
        notes.append(
            f"[yellow]{counted(unscreened.total(), 'input')} unscreened, without a hit[/]"
            f" ({reasons}): --all lists them"
        )
    if screener.effort is not Effort.DISTANCE and (number := hashes.count_unweighted()):
        notes.append(
            f"{counted(number, 'input')} compared by distance alone, being stored without weights:"
            " to compare by evidence, scan again with --cache-weights"
        )
    if number := count_without_insets(screener, hashes):
        notes.append(
            f"{counted(number, 'input')} compared without insets, being hashed without them:"
            " scan again with --cache"
        )
    if not total:
        notes.append("[yellow]the cache is empty[/]: scan with --cache first")
    return notes, bool(old or unscreened or not total)
