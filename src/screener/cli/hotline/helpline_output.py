"""Print helplines for reporters, and warnings about them for operators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from screener.cli.option_types import FILE
from screener.cli.translated_commands import print_error
from screener.errors import HotlineError
from screener.hotline.language.translator import Translator
from screener.hotline.model.case import Language

if TYPE_CHECKING:
    from screener.hotline.helplines import Helpline

HELPLINES_OPTION = click.option(
    "--helplines", envvar="SCREENER_HELPLINES", type=FILE,
    help="The operator's corrections of the helplines, a TOML file; SCREENER_HELPLINES.",
)  # fmt: skip


def load_helplines(corrections: Path | None, translate: Translator) -> tuple[Helpline, ...]:
    """Return the helplines for reporters, and warn the operator of unchecked ones."""
    from screener.hotline import helplines

    loaded = helplines.load(corrections)
    unchecked = helplines.warn_of_unchecked(loaded, translate)
    if unchecked is not None:
        click.echo(unchecked, err=True)
    return loaded


def print_helplines(country: str | None, corrections: Path | None, translate: Translator) -> None:
    """Print the helplines for a reporter.

    If the operator's corrections are invalid, print the error and the package's helplines.
    """
    from screener.hotline import helplines

    language: Language = translate.language
    try:
        loaded = helplines.load(corrections)
    except HotlineError as error:
        print_error(error, translate)
        loaded = helplines.load()
    for line in helplines.format_lines(
        helplines.select_for_reporter(country, language, helplines=loaded), translate
    ):
        click.echo(line)
