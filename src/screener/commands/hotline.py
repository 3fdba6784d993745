"""The commands of a hotline's operator: hotline create, status, page; and what the commands of
analysts and reporters share with them: opening the hotline, and telling what goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from screener.commands.mistakes import FILE, OUTPUT, Named, Place, language_of
from screener.commands.speaking import SPOKEN, SpeakingGroup
from screener.errors import HotlineError, ScreenerError
from screener.hotline.language import Translator, translator
from screener.hotline.sentence import why

if TYPE_CHECKING:
    from screener.hotline.desk import Desk
    from screener.hotline.helplines import Helpline

STORE = click.option(
    "--store",
    envvar="SCREENER_HOTLINE",
    required=True,
    type=Place(exists=True, file_okay=False, path_type=Path),
    help="The hotline's folder; SCREENER_HOTLINE where left out.",
)
HELPLINES = click.option(
    "--helplines", envvar="SCREENER_HELPLINES", type=FILE,
    help="The operator's corrections of the helplines, a TOML file; SCREENER_HELPLINES.",
)  # fmt: skip


def said(command: Callable[..., int]) -> Callable[..., int]:
    """A command that is given `say`, the translator of the language asked for, in which is told
    also what is not allowed or goes wrong.
    """

    @SPOKEN
    @wraps(command)
    def in_language(*given: Any, **options: Any) -> int:
        say = translator(language_of())
        try:
            return command(*given, say=say, **options)
        except (ScreenerError, OSError) as error:
            tell(error, say)
            return 2
        except click.Abort:
            click.echo(say("interrupted"), err=True)
            return 130

    return in_language


def tell(error: ScreenerError | OSError, say: Translator) -> None:
    """Tell what was wrong, in a language; what the layers below say stands in it in English."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, OSError):
        told = say("{file}: {why}", file=error.filename or "–", why=why(error))
    elif isinstance(error, HotlineError):
        told = say.told(error)
    else:
        told = say("something else than the hotline's own is not in order: {why}", why=error)
    click.echo(say.line(f"screener: {told}"), err=True)


def opened(store: Path, say: Translator) -> Desk:
    """The hotline in a folder, opened; what its casebook says and could not be written is told."""
    from screener.hotline.desk import Desk

    desk = Desk.open(store)
    for _, partner, wrong in desk.behind.pending:
        text = say("A notice to {partner} could not be written: {why}", partner=partner, why=wrong)
        click.echo(text, err=True)
    for entry, unlisted in desk.behind.unlisted:
        click.echo(say("{entry} cannot be listed: {why}", entry=entry, why=unlisted), err=True)
    if desk.behind.unbound is not None:
        text = say("The hotline's list cannot be told how far its hashes may go now: {why}",
                   why=desk.behind.unbound)  # fmt: skip
        click.echo(text, err=True)
    if desk.behind.unlogged is not None:
        click.echo(say("The log is behind: {why}", why=desk.behind.unlogged), err=True)
    return desk


def listed(desk: Desk, say: Translator, *references: str) -> int:
    """The exit code of a step of cases: 2, and what follows is told, where the hotline's list could
    not be brought to what it recorded.
    """
    failed: dict[str, str] = {}
    for entry, unlisted in desk.behind.unlisted:
        failed.setdefault(entry.partition("/")[0], unlisted)
    wrong = [one for one in dict.fromkeys(references) if one in failed]
    for one in wrong:
        text = say(
            "This is recorded of {case}, but could not be written to the hotline's list: {why}."
            " What matched before matches still, until a later command can write it: run"
            " `screener case list`.",
            case=one,
            why=failed[one],
        )
        click.echo(text, err=True)
    return 2 if wrong else 0


@click.group(cls=SpeakingGroup)
@SPOKEN
def hotline() -> None:
    """Set a hotline up, and publish how its cases stand."""


@hotline.command()
@click.argument("folder", type=Place(path_type=Path))
@said
def create(folder: Path, say: Translator) -> int:
    """Make a hotline's folder: its keys, its list, its casebook, and files to fill in.

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
@said
def status(store: Path, output: Path, helplines: Path | None, say: Translator) -> int:
    """Write the file from which every reporter reads how their report stands.

    What it says ends with helplines, and those that you have not checked are told.
    """
    from screener.hotline import published, statuses

    _known_helplines(helplines, say)
    made = opened(store, say).statuses()
    published.replace(output, made, sort=statuses.SORT, mode=0o666)
    click.echo(say("Publish {file} where reporters find it.", file=output))
    return 0


@hotline.command()
@STORE
@click.option(
    "-o", "--output", required=True, type=Named(".html"),
    help="The page to write, readable by you only: NAME.html.",
)  # fmt: skip
@HELPLINES
@said
def page(store: Path, output: Path, helplines: Path | None, say: Translator) -> int:
    """Write a page of the clock: how much time each case has, and how fast partners remove."""
    from datetime import UTC, datetime

    from screener.hotline import status_page

    desk = opened(store, say)
    known = desk.partners
    status_page.write_html(
        output, desk.cases(), now=datetime.now(UTC), language=say.language, hotline=known.hotline,
        partners=known.partners, helplines=_known_helplines(helplines, say),
    )  # fmt: skip
    click.echo(say("The page is {file}.", file=output))
    return 0


def _known_helplines(corrections: Path | None, say: Translator) -> tuple[Helpline, ...]:
    """Those that reporters are told; the operator is told which of them nobody has checked."""
    from screener.hotline import helplines

    known = helplines.load(corrections)
    unchecked = helplines.unchecked_notice(known, say)
    if unchecked is not None:
        click.echo(unchecked, err=True)
    return known


COMMANDS = (hotline,)
