"""The command that calibrates a list: calibrate."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli import console, progress
from screener.cli.decision_options import check_apart
from screener.cli.hotline.usage_errors import Named
from screener.cli.open_list import open_list
from screener.cli.options import JOBS, JSON, LIST, POLICY
from screener.errors import counted, printable
from screener.screening.policy import Policy
from screener.system.process import cores

# All commands load this, and what edits and plots is much: it is loaded by who calibrates.
if TYPE_CHECKING:
    from screener.reporting.calibration.calibrate import Calibration


@click.command()
@LIST
@click.option(
    "--benign",
    multiple=True,
    required=True,
    type=click.Path(exists=True),
    help="A folder of your own ordinary pictures, or one of them. Repeatable.",
)
@click.option("--edits", is_flag=True, help="Edit them too, to see at which radius they are found.")
@click.option(
    "-o",
    "--output",
    type=Named(".html"),
    help="Write a page with plots here, readable by you only: NAME.html.",
)
@POLICY
@click.option("--names", is_flag=True, help="Name the pictures that match under the policy.")
@JOBS
@JSON
def calibrate(
    path: Path, benign: tuple[str, ...], edits: bool, output: Path | None,
    policy_file: Path | None, names: bool, jobs: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Tell how many of your own ordinary pictures a list would match, at each radius.

    For each kind that the list holds: false matches in a million pictures, with 95 % bounds, and
    with --edits how many are found again after everyday edits. No picture and no listed hash is
    shown, and nothing beyond the policy's radius: for larger ones give a policy that has them.

    \b
    Examples:
      screener calibrate known.list --benign holiday-photos/
      screener calibrate known.list --benign holiday-photos/ --edits -o report.html
    """
    from screener.reporting.calibration import page
    from screener.reporting.calibration.calibrate import calibrate as calibrate_list

    policy = Policy() if policy_file is None else Policy.load(policy_file)
    check_apart(output=output, lists=[path], policy_file=policy_file, audit_key=None)
    with ExitStack() as stack:
        put = None if output is None else stack.enter_context(page.claimed(output))
        known = open_list(stack, path)
        with progress.bar("calibrating") as shown:
            told = calibrate_list(
                known, benign, policy=policy, edits=edits, jobs=jobs or cores(), progress=shown
            )
        if put is not None:
            put(page.page(told, names=names))
    if as_json:
        kept = told.to_dict() | ({"matching": list(told.matching)} if names else {})
        click.echo(json.dumps(kept, ensure_ascii=False))
    else:
        _print(console.to_stdout(), told, names=names)
    return 0


def _print(out: Console, told: Calibration, *, names: bool = False) -> None:
    """What each kind would match of ordinary pictures, at the policy's radius and around it."""
    from screener.reporting.calibration.page import in_a_million

    out.print(
        f"{escape(printable(told.list))}: generation {told.generation};"
        f" {counted(told.pictures, 'picture')} compared, {told.listed:,} named by a digest,"
        f" {counted(told.copies, 'copy', 'copies')}, {sum(told.left_out.values()):,} left out"
    )
    out.print(f"by any kind, in a million pictures: {in_a_million(told.together)}")
    columns = ("kind", "radius", "match", "in a million, with 95 % bounds", "found again")
    table = Table(*columns, box=None, pad_edge=False)
    for curve in told.curves:
        for radius in sorted({0, curve.radius // 2, curve.radius, len(curve.false_matches) - 1}):
            count = curve.false_matches[radius]
            again = f"{curve.recall[radius].share:.1%}" if curve.recall else "-"
            own = "*" if radius == curve.radius else ""
            table.add_row(
                curve.kind, f"{radius}{own}", f"{count.hits:,}", in_a_million(count), again
            )
    out.print(table)
    out.print("* the policy's radius")
    if weak := ", ".join(curve.kind for curve in told.curves if curve.weak):
        out.print(f"no match alone, and counted here as if it were: {weak}")
    if told.edited or told.not_edited:
        failed = ", ".join(f"{count} {reason}" for reason, count in told.not_edited.items())
        out.print(f"{counted(told.edited, 'picture')} edited" + (f"; not: {failed}" * bool(failed)))
    for name in told.matching if names else ():
        out.print(f"matches: {escape(printable(name))}", soft_wrap=True)


COMMANDS = (calibrate,)
