"""The hotline that a command is about: opening it, and telling what could not be written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from screener.cli.hotline.usage_errors import Place
from screener.hotline.language.translator import Translator

if TYPE_CHECKING:
    from screener.hotline.desk import Desk

STORE = click.option(
    "--store",
    envvar="SCREENER_HOTLINE",
    required=True,
    type=Place(exists=True, file_okay=False, path_type=Path),
    help="The hotline's folder; SCREENER_HOTLINE where left out.",
)


def open_desk(store: Path, say: Translator) -> Desk:
    """The hotline in a folder, opened; what its casebook says and could not be written is told."""
    from screener.hotline.desk import Desk

    desk = Desk.open(store)
    for _, partner, wrong in desk.backlog.pending:
        text = say("A notice to {partner} could not be written: {why}", partner=partner, why=wrong)
        click.echo(text, err=True)
    for entry, unlisted in desk.backlog.unlisted:
        click.echo(say("{entry} cannot be listed: {why}", entry=entry, why=unlisted), err=True)
    if desk.backlog.unbound is not None:
        text = say("The hotline's list cannot be told how far its hashes may go now: {why}",
                   why=desk.backlog.unbound)  # fmt: skip
        click.echo(text, err=True)
    if desk.backlog.unlogged is not None:
        click.echo(say("The log is behind: {why}", why=desk.backlog.unlogged), err=True)
    return desk


def listing_exit_code(desk: Desk, say: Translator, *references: str) -> int:
    """The exit code of a step of cases: 2, and what follows is told, where the hotline's list could
    not be brought to what it recorded.
    """
    failed: dict[str, str] = {}
    for entry, unlisted in desk.backlog.unlisted:
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
