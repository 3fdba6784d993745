"""Arguments and options that several commands have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from screener.lists.terms import TLP, Terms


def text(_context: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """What was typed, as text that a list can hold; bytes in another encoding are a mistake."""
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it holds bytes that are no text in UTF-8") from None
    return value


class _Output(click.Path):
    """The path of a file to write."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A path with a name; one without any, as of a variable that nobody set, is a mistake."""
        if not os.fspath(value):
            self.fail("it is empty, and names no file", param, ctx)
        return super().convert(value, param, ctx)


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT = _Output(dir_okay=False, path_type=Path)
OUTPUT_OR_DASH = _Output(dir_okay=False, path_type=Path, allow_dash=True)
# Not by click: a list that may not be read is refused with what to do, as from Python.
LIST_PATH = click.Path(exists=True, readable=False, path_type=Path)
LIST = click.argument("path", metavar="LIST", type=LIST_PATH)
SOURCE = click.option(
    "--source", callback=text, help="Whose entry is meant, where several sources have one."
)
BY = click.option("--by", callback=text, help="Who asks for it; kept in the log.")
WHO = click.option("--by", required=True, help="Who decides it; kept in the log.")
WHY = click.option("--reason", required=True, help="Why, in a line; kept in the log.")
REASON = click.option("--reason", callback=text, help="Why, in a line; kept in the log.")
JSON = click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
JOBS = click.option(
    "--jobs", type=click.IntRange(min=1), help="Worker processes; all cores by default."
)
POLICY = click.option(
    "--policy",
    "policy_file",
    type=FILE,
    help="A TOML file with radius, floor, limits; the defaults where left out.",
)


def terms_options(command: Any) -> Any:
    """The options that say what a source allows."""
    for option in (
        click.option("--terms", "terms_file", type=FILE, help="A TOML file with these as keys."),
        click.option("--expires", help="The last day on which it may be exported: 2030-12-31."),
        click.option(
            "--redistribution",
            type=click.Choice(["yes", "no"]),
            help="Whether the source lets it go on to others than the own team.",
        ),
        click.option("--tlp", help=f"Its level in the Traffic Light Protocol: {', '.join(TLP)}."),
    ):
        command = option(command)
    return command


def terms_of(
    tlp: str | None, redistribution: str | None, expires: str | None, terms_file: Path | None
) -> Terms | None:
    """The terms that options and file give together, options first; None where there are none."""
    given = {} if terms_file is None else Terms.load(terms_file).to_dict()
    if tlp is not None:
        given["tlp"] = tlp
    if redistribution is not None:
        given["redistribution"] = redistribution == "yes"
    if expires is not None:
        given["expires"] = expires
    return Terms(**given) if given else None
