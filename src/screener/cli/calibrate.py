"""The command `calibrate`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from screener.cli import progress_display, streams
from screener.cli.decision_options import EFFORT, check_distinct_files
from screener.cli.open_list import open_list
from screener.cli.option_types import Place, SuffixedPath
from screener.cli.options import JOBS, JSON, LIST, POLICY
from screener.errors import counted, printable
from screener.screening.policy import Effort, Policy
from screener.system.process import count_cores

# Imported by the command only, since editing and plotting take long to load.
if TYPE_CHECKING:
    from screener.reporting.calibration.calibrate import Calibration
    from screener.reporting.calibration.evidence_curve import EvidenceCurve


@click.command()
@LIST
@click.option(
    "--benign",
    multiple=True,
    required=True,
    type=Place(exists=True),
    help="A folder of your own ordinary pictures, or one picture. Repeatable.",
)
@click.option("--edits", is_flag=True, help="Also edit them, to see which radius finds them again.")
@click.option(
    "-o",
    "--output",
    type=SuffixedPath(".html"),
    help="Write a page with plots to NAME.html, readable by you only.",
)
@POLICY
@EFFORT
@click.option("--names", is_flag=True, help="Name the pictures that match under the policy.")
@JOBS
@JSON
def calibrate(
    path: Path, benign: tuple[str, ...], edits: bool, output: Path | None,
    policy_file: Path | None, effort: str | None, names: bool, jobs: int | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Count how many of your own ordinary pictures a list would match.

    You get the false matches per million pictures for each kind and radius, with 95 % bounds, and
    with --edits the share that is found again after everyday edits. No picture and no listed hash
    is shown. Radii go up to the policy's: for larger ones, give a policy with larger radii. With
    --effort evidence, views or all you also get what evidence adds, at each threshold.

    \b
    Examples:
      screener calibrate known.list --benign holiday-photos/
      screener calibrate known.list --benign holiday-photos/ --edits -o report.html
      screener calibrate known.list --benign holiday-photos/ --effort views
    """
    from screener.reporting.calibration import calibration_page
    from screener.reporting.calibration.calibrate import calibrate as calibrate_list

    policy = Policy() if policy_file is None else Policy.load(policy_file)
    if effort is not None:
        policy = replace(policy, effort=Effort(effort))
    check_distinct_files(output=output, lists=[path], policy_file=policy_file, audit_key=None)
    with ExitStack() as stack:
        write = None if output is None else stack.enter_context(calibration_page.claim_page(output))
        hash_list = open_list(stack, path)
        with progress_display.show_bar("calibrating") as on_progress:
            calibration = calibrate_list(
                hash_list, benign, policy=policy, edits=edits, jobs=jobs or count_cores(),
                progress=on_progress,
            )  # fmt: skip
        if write is not None:
            write(calibration_page.render_page(calibration, names=names))
    if as_json:
        fields = calibration.to_dict() | ({"matching": list(calibration.matching)} if names else {})
        click.echo(json.dumps(fields, ensure_ascii=False))
    else:
        _print_calibration(streams.to_stdout(), calibration, names=names)
    return 0


def _print_calibration(out: Console, calibration: Calibration, *, names: bool = False) -> None:
    from screener.reporting.calibration.calibration_page import format_per_million

    out.print(
        f"{escape(printable(calibration.list))}: generation {calibration.generation};"
        f" {counted(calibration.pictures, 'picture')} compared, {calibration.listed:,} listed by"
        f" digest, {counted(calibration.copies, 'copy', 'copies')},"
        f" {sum(calibration.left_out.values()):,} left out"
    )
    out.print(f"false matches per million by any kind: {format_per_million(calibration.together)}")
    columns = ("kind", "radius", "matches", "per million, with 95 % bounds", "found again")
    table = Table(*columns, box=None, pad_edge=False)
    for curve in calibration.curves:
        for radius in sorted({0, curve.radius // 2, curve.radius, len(curve.false_matches) - 1}):
            count = curve.false_matches[radius]
            found_again = f"{curve.recall[radius].share:.1%}" if curve.recall else "-"
            mark = "*" if radius == curve.radius else ""
            table.add_row(
                curve.kind,
                f"{radius}{mark}",
                f"{count.hits:,}",
                format_per_million(count),
                found_again,
            )
    out.print(table)
    out.print("* the policy's radius")
    if calibration.evidence is not None:
        _print_evidence(out, calibration.evidence)
    if weak := ", ".join(curve.kind for curve in calibration.curves if curve.weak):
        out.print(f"never a match alone, but counted here as one: {weak}")
    if calibration.edited or calibration.not_edited:
        failed = ", ".join(f"{count} {reason}" for reason, count in calibration.not_edited.items())
        out.print(
            f"{counted(calibration.edited, 'picture')} edited"
            + (f"; failed: {failed}" if failed else "")
        )
    for name in calibration.matching if names else ():
        out.print(f"matches: {escape(printable(name))}", soft_wrap=True)


def _print_evidence(out: Console, curve: EvidenceCurve) -> None:
    from screener.reporting.calibration.calibration_page import format_per_million

    out.print(f"matches that evidence adds, effort {curve.effort}:")
    columns = ("kind", "evidence", "matches", "per million, with 95 % bounds", "found again")
    table = Table(*columns, box=None, pad_edge=False)
    for threshold in curve.rows:
        count = curve.false_matches[threshold - curve.first]
        recall = curve.recall[threshold - curve.first] if curve.recall else None
        table.add_row(
            curve.kind,
            f"{threshold}{'*' if threshold == curve.threshold else ''}",
            f"{count.hits:,}",
            format_per_million(count),
            "-" if recall is None else f"{recall.share:.1%}",
        )
    out.print(table)
    out.print("* the policy's threshold" if curve.threshold else "the policy's threshold is off")
