"""Helplines on the command line: what an operator is told of them, and whom a reporter is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from screener.cli.hotline.translated_commands import print_error
from screener.cli.hotline.usage_errors import FILE
from screener.errors import HotlineError
from screener.hotline.language.translator import Translator
from screener.hotline.model.case import Language

if TYPE_CHECKING:
    from screener.hotline.helplines import Helpline

HELPLINES = click.option(
    "--helplines", envvar="SCREENER_HELPLINES", type=FILE,
    help="The operator's corrections of the helplines, a TOML file; SCREENER_HELPLINES.",
)  # fmt: skip


def load_helplines(corrections: Path | None, say: Translator) -> tuple[Helpline, ...]:
    """Those that reporters are told; the operator is told which of them nobody has checked."""
    from screener.hotline import helplines

    known = helplines.load(corrections)
    unchecked = helplines.unchecked_notice(known, say)
    if unchecked is not None:
        click.echo(unchecked, err=True)
    return known


def print_helplines(country: str | None, corrections: Path | None, say: Translator) -> None:
    """Whom a reporter can turn to; a slip in the operator's corrections is told, and costs them
    only.
    """
    from screener.hotline import helplines

    language: Language = say.language
    try:
        known = helplines.load(corrections)
    except HotlineError as error:
        print_error(error, say)
        known = helplines.load()
    for line in helplines.lines(helplines.for_reporter(country, language, helplines=known), say):
        click.echo(line)
