"""The command that makes files of results readable: report."""

from __future__ import annotations

from pathlib import Path

import click

from screener import report as pages
from screener.commands.options import FILE


@click.command()
@click.argument("results", type=FILE)
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="The page or table to write, readable by you only: NAME.html or NAME.csv.",
)  # fmt: skip
def report(results: Path, output: Path) -> int:
    """Make a page or a table of the results that `scan` and `match` write.

    The page stands alone: counts, reasons, matches by day and distance, the slowest files, by which
    generations and policies. It holds no picture, no script and no listed hash. The table has a
    row a match, and one for each result without.

    \b
    Examples:
      screener report results.jsonl -o report.html
      screener report results.jsonl -o results.csv
    """
    writers = {".html": pages.write_html, ".csv": pages.write_csv}
    if output.suffix.lower() not in writers:
        raise click.UsageError(f"-o {output}: a name that ends with .html or .csv")
    if output.exists() and output.samefile(results):
        raise click.UsageError("-o is the file of results itself")
    unread = writers[output.suffix.lower()](results, output)
    if unread:
        click.echo(f"{unread} lines could not be read, and are not in it", err=True)
    return 0


COMMANDS = (report,)
