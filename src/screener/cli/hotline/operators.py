"""The commands of a hotline's operator: `hotline create`, `status`, `page`."""

from __future__ import annotations

from pathlib import Path

import click

from screener.cli.hotline.helpline_output import HELPLINES_OPTION, load_helplines
from screener.cli.hotline.store_option import STORE_OPTION, open_desk
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
def create(folder: Path, translate: Translator) -> int:
    """Create a hotline's folder: its keys, its list, its casebook, and files to fill in.

    Reports are encrypted to `hotline.pub`, which everybody may have. Without `hotline.key` nobody
    can read them: keep a copy of it in a safe place.

    \b
    Example:
      screener hotline create hotline
    """
    from screener.hotline.desk import Desk

    desk = Desk.create(folder)
    click.echo(translate("The hotline is in {folder}.", folder=desk.folder))
    click.echo(translate("Give this key to reporters: {file}", file=desk.folder / "hotline.pub"))
    click.echo(translate("Name your analysts in {file}", file=desk.folder / "settings.toml"))
    click.echo(translate("Name your partners in {file}", file=desk.folder / "partners.toml"))
    return 0


@hotline.command()
@STORE_OPTION
@click.option(
    "-o", "--output", required=True, type=OUTPUT,
    help="The file to publish, anywhere: each entry is for its reporter only.",
)  # fmt: skip
@HELPLINES_OPTION
@translated
def status(store: Path, output: Path, helplines: Path | None, translate: Translator) -> int:
    """Write the file from which every reporter reads how their report stands.

    Reporters also see helplines; the command warns of those that you have not checked.
    """
    from screener.hotline.pages import status_page
    from screener.hotline.reports import status_file

    load_helplines(helplines, translate)
    statuses = open_desk(store, translate).statuses()
    status_page.publish(output, statuses, kind=status_file.FILE_KIND, mode=0o666)
    click.echo(translate("Publish {file} where reporters find it.", file=output))
    return 0


@hotline.command()
@STORE_OPTION
@click.option(
    "-o", "--output", required=True, type=SuffixedPath(".html"),
    help="The page to write, readable by you only: NAME.html.",
)  # fmt: skip
@HELPLINES_OPTION
@translated
def page(store: Path, output: Path, helplines: Path | None, translate: Translator) -> int:
    """Write a page of the clock: how much time each case has, and how fast partners remove."""
    from datetime import UTC, datetime

    from screener.hotline.pages import status_page

    desk = open_desk(store, translate)
    directory = desk.partners
    status_page.write_html(
        output, desk.cases(), now=datetime.now(UTC), language=translate.language,
        hotline=directory.hotline, partners=directory.partners,
        helplines=load_helplines(helplines, translate),
    )  # fmt: skip
    click.echo(translate("The page is {file}.", file=output))
    return 0


COMMANDS = (hotline,)
