"""The commands of a hotline's operator: hotline create, status, page."""

from __future__ import annotations

from pathlib import Path

import click

from screener.cli.hotline.desk import STORE, open_desk
from screener.cli.hotline.helplines import HELPLINES, load_helplines
from screener.cli.option_types import OUTPUT, Place, SuffixedPath
from screener.cli.translated_commands import LANGUAGE_OPTION, TranslatedGroup, translated
from screener.hotline.language.translator import Translator


@click.group(cls=TranslatedGroup)
@LANGUAGE_OPTION
def hotline() -> None:
    """Set a hotline up, and publish how its cases stand."""


@hotline.command()
@click.argument("folder", type=Place(path_type=Path))
@translated
def create(folder: Path, say: Translator) -> int:
    """Create a hotline's folder: its keys, its list, its casebook, and files to fill in.

    Reports are encrypted to `hotline.pub`, which everybody may have. Without `hotline.key` nobody
    can read them: keep a copy of it in a safe place.

    \b
    Example:
      screener hotline create hotline
    """
    from screener.hotline.desk import Desk

    desk = Desk.create(folder)
    click.echo(say("The hotline is in {folder}.", folder=desk.folder))
    click.echo(say("Give this key to reporters: {file}", file=desk.folder / "hotline.pub"))
    click.echo(say("Name your analysts in {file}", file=desk.folder / "settings.toml"))
    click.echo(say("Name your partners in {file}", file=desk.folder / "partners.toml"))
    return 0


@hotline.command()
@STORE
@click.option(
    "-o", "--output", required=True, type=OUTPUT,
    help="The file to publish, anywhere: each entry is for its reporter only.",
)  # fmt: skip
@HELPLINES
@translated
def status(store: Path, output: Path, helplines: Path | None, say: Translator) -> int:
    """Write the file from which every reporter reads how their report stands.

    Reporters also see helplines; the command warns of those that you have not checked.
    """
    from screener.hotline.pages import status_page
    from screener.hotline.reports import status_file

    load_helplines(helplines, say)
    statuses = open_desk(store, say).statuses()
    status_page.publish(output, statuses, kind=status_file.FILE_KIND, mode=0o666)
    click.echo(say("Publish {file} where reporters find it.", file=output))
    return 0


@hotline.command()
@STORE
@click.option(
    "-o", "--output", required=True, type=SuffixedPath(".html"),
    help="The page to write, readable by you only: NAME.html.",
)  # fmt: skip
@HELPLINES
@translated
def page(store: Path, output: Path, helplines: Path | None, say: Translator) -> int:
    """Write a page of the clock: how much time each case has, and how fast partners remove."""
    from datetime import UTC, datetime

    from screener.hotline.pages import status_page

    desk = open_desk(store, say)
    directory = desk.partners
    status_page.write_html(
        output, desk.cases(), now=datetime.now(UTC), language=say.language,
        hotline=directory.hotline, partners=directory.partners,
        helplines=load_helplines(helplines, say),
    )  # fmt: skip
    click.echo(say("The page is {file}.", file=output))
    return 0


COMMANDS = (hotline,)
