"""Arguments and options that several commands have."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from screener.cli.option_types import FILE, LIST_PATH, OneOf
from screener.lists.terms import TLP, Terms


def check_utf8(_context: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Return an argument as typed. Raises BadParameter if it is not UTF-8."""
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not text in UTF-8") from None
    return value


def number_from(
    minimum: int, *, fraction: bool = False, above: bool = False
) -> Callable[[str], float]:
    """Return the type of an option that is a finite number.

    Parameters:
        minimum: The smallest number that is accepted.
        fraction: Accept any number, not only integers.
        above: Accept larger numbers only, not `minimum` itself.
    """

    def parse_number(value: str) -> float:
        try:
            number = float(value) if fraction else int(value)
        except ValueError:
            number = math.nan
        if minimum < number < math.inf or (number == minimum and not above):
            return number
        noun = "a number" if fraction else "an integer"
        bound = "above" if above else "from"
        raise click.BadParameter(f"expected {noun} {bound} {minimum}, not {value}")

    return parse_number


LIST = click.argument("path", metavar="LIST", type=LIST_PATH)
SOURCE = click.option(
    "--source", callback=check_utf8, help="The source of the entry, if several sources have one."
)
BY = click.option("--by", callback=check_utf8, help="Who makes the change; kept in the log.")
WHO = click.option("--by", required=True, help="Who decides it; kept in the log.")
WHY = click.option("--reason", required=True, help="Why, in a line; kept in the log.")
REASON = click.option("--reason", callback=check_utf8, help="Why, in a line; kept in the log.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
JOBS = click.option("--jobs", type=number_from(1), help="Worker processes (default: one per core).")
POLICY = click.option(
    "--policy",
    "policy_file",
    type=FILE,
    help="A TOML file with radii, detail floors and limits; what it omits keeps its default.",
)


def with_terms_options(command: Any) -> Any:
    """Decorate a command with the options for the terms of a source."""
    for option in (
        click.option("--terms", "terms_file", type=FILE, help="A TOML file with these as keys."),
        click.option("--expires", help="The last day on which it may be exported: 2030-12-31."),
        click.option(
            "--redistribution",
            type=OneOf(("yes", "no")),
            help="Whether you may pass the source's data on to others.",
        ),
        click.option("--tlp", help=f"Its Traffic Light Protocol level: {', '.join(TLP)}."),
    ):
        command = option(command)
    return command


def build_terms(
    tlp: str | None, redistribution: str | None, expires: str | None, terms_file: Path | None
) -> Terms | None:
    """Return the terms in a file and in options, which overrule it, or None without any."""
    values = {} if terms_file is None else Terms.load(terms_file).to_dict()
    if tlp is not None:
        values["tlp"] = tlp
    if redistribution is not None:
        values["redistribution"] = redistribution == "yes"
    if expires is not None:
        values["expires"] = expires
    return Terms(**values) if values else None
