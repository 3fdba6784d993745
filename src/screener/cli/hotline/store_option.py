"""The option `--store`, and the hotline that it names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from screener.cli.option_types import Place
from screener.hotline.language.translator import Translator

if TYPE_CHECKING:
    from screener.hotline.desk import Desk

STORE_OPTION = click.option(
    "--store",
    envvar="SCREENER_HOTLINE",
    required=True,
    type=Place(exists=True, file_okay=False, path_type=Path),
    help="The hotline's folder (default: SCREENER_HOTLINE).",
)


def open_desk(store: Path, translate: Translator) -> Desk:
    """Open a hotline's folder, and print its backlog."""
    from screener.hotline.desk import Desk

    desk = Desk.open(store)
    for _, partner, error in desk.backlog.notices:
        text = translate(
            "A notice to {partner} could not be written: {why}", partner=partner, why=error
        )
        click.echo(text, err=True)
    for entry, reason in desk.backlog.records:
        click.echo(translate("{entry} cannot be listed: {why}", entry=entry, why=reason), err=True)
    if desk.backlog.terms is not None:
        text = translate(
            "The sharing level of the hotline's list could not be updated: {why}",
            why=desk.backlog.terms,
        )
        click.echo(text, err=True)
    if desk.backlog.log is not None:
        click.echo(translate("The log is behind: {why}", why=desk.backlog.log), err=True)
    return desk


def check_listing(desk: Desk, translate: Translator, *references: str) -> int:
    """Return exit code 0, or print a message and return 2 if the list lacks a step."""
    failed: dict[str, str] = {}
    for entry, reason in desk.backlog.records:
        failed.setdefault(entry.partition("/")[0], reason)
    unlisted = [case for case in dict.fromkeys(references) if case in failed]
    for case in unlisted:
        text = translate(
            "This is recorded for {case}, but could not be written to the hotline's list:"
            " {why}. What matched before still matches, until a later command can write it:"
            " run `screener case list`.",
            case=case,
            why=failed[case],
        )
        click.echo(text, err=True)
    return 2 if unlisted else 0
