"""The group `report`: pages and tables of results; `app` adds the reports to a hotline."""

from __future__ import annotations

from pathlib import Path

import click

from screener.cli.option_types import FILE, SuffixedPath
from screener.cli.translated_commands import LANGUAGE_OPTION, TranslatedGroup
from screener.cli.usage_errors import TranslatedUsageError, current_translator
from screener.hotline.language.sentence import mark
from screener.reporting.pages import report_page, spreadsheet


class _ReportGroup(TranslatedGroup):
    """The group `report`; `report RESULTS` is short for `report page RESULTS`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the command `page` if the first word is not a command."""
        first = args[0] if args else ""
        count = 2 if first == "--language" else int(first.startswith("--language="))
        language, words = args[:count], args[count:]
        if words and words[0] not in self.commands and words[0] not in ctx.help_option_names:
            words = ["page", *words]
        return super().parse_args(ctx, [*language, *words])


@click.group(cls=_ReportGroup)
@LANGUAGE_OPTION
def report() -> None:
    """Make a page of results, or report content to a hotline.

    \b
    Of results that `scan` and `match` wrote:
      screener report results.jsonl -o report.html
      screener report results.jsonl -o results.csv
    To a hotline, without a name:
      screener report create --to hotline.pub --address https://… -o report.sealed
    """


_WRITERS = {".html": report_page.write_html, ".csv": spreadsheet.write_csv}


@report.command()
@click.argument("results", type=FILE)
@LANGUAGE_OPTION
@click.option(
    "-o", "--output", required=True, type=SuffixedPath(*_WRITERS),
    help="The page or table to write, readable by you only: NAME.html or NAME.csv.",
)  # fmt: skip
def page(results: Path, output: Path) -> int:
    """Make a page or a table of results; `report RESULTS -o …` does the same.

    The page stands alone: matches, hits beside them, what was not screened and why, then counts.
    It holds no picture, no script and no listed hash. The table has a row for each hit, and one
    for each result without a hit.
    """
    if output.exists() and output.samefile(results):
        raise TranslatedUsageError(
            mark("{file} is the file of results itself", file=output), click.get_current_context()
        )
    suffix = output.suffix.lower()
    unread = _WRITERS[suffix](results, output)
    translate = current_translator()
    if suffix == ".html":
        click.echo(translate("The page is {file}.", file=output), err=True)
    else:
        click.echo(translate("The table is {file}.", file=output), err=True)
    if unread:
        click.echo(translate.plural("{n} line could not be read, and is not in it",
                                    "{n} lines could not be read, and are not in it", unread),
                   err=True)  # fmt: skip
    return 0
