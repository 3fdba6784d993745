"""The command `export`."""

from __future__ import annotations

from pathlib import Path

import click

from screener.cli import list_text, streams
from screener.cli.option_types import FILE, OUTPUT, OneOf
from screener.cli.options import LIST, number_from
from screener.errors import ListError
from screener.lists.hashlist import HashList
from screener.lists.terms import AUDIENCES
from screener.system.files import read_toml


@click.command()
@LIST
@click.option("--format", "format_", required=True, help="csv, tx, ncmec, vics, hma or bloom.")
@click.option(
    "-o", "--output", required=True, type=OUTPUT,
    help="The file to write, readable by you only; its manifest is written beside it.",
)  # fmt: skip
@click.option("--source", "sources", multiple=True, help="Export this source only. Repeatable.")
@click.option(
    "--audience",
    type=OneOf(tuple(AUDIENCES)),
    default="community",
    show_default=True,
    help="Who receives the file; own is your own team.",
)
@click.option("--categories", type=FILE, help="For vics: a TOML table, see below.")
@click.option("--kind", help="For bloom: the kind of digest.  [default: sha256]")
@click.option(
    "--error-rate", type=number_from(0, fraction=True),
    help="For bloom: the share of unlisted digests that it reports as listed.  [default: 0.001]",
)  # fmt: skip
@click.option(
    "--sign", type=FILE,
    help="An Ed25519 private key (PEM); the signature becomes FILE.manifest.json.sig.",
)  # fmt: skip
def export(
    path: Path, format_: str, output: Path, sources: tuple[str, ...], audience: str,
    categories: Path | None, kind: str | None, error_rate: float | None, sign: Path | None,
) -> int:  # fmt: skip
    """Write a list in another format, as its sources' terms allow.

    Records that the terms withhold, and fields that the format lacks, are left out and counted. The
    manifest, FILE.manifest.json, states the counts, the generation and the file's SHA-256.

    \b
    The table for vics maps each scheme's codes to numbers:
      ["uk-sentencing-council"]
      A = 1

    \b
    Examples:
      screener export known.list --format csv -o known.csv --sign key.pem
      screener export known.list --format bloom --kind sha256 -o known.bloom --audience own
    """
    report = HashList.open(path).export(
        output, format=format_, audience=audience, sources=sources or None,
        categories=None if categories is None else _read_category_numbers(categories),
        kind=kind, error_rate=error_rate, key=sign,
    )  # fmt: skip
    list_text.print_export(streams.to_stderr(), report)
    return 0


def _read_category_numbers(path: Path) -> dict[tuple[str, str], int]:
    try:
        schemes = read_toml(path)
        table = {
            (scheme, str(code)): number
            for scheme, codes in schemes.items()
            for code, number in codes.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise ListError(f"cannot read the categories {path}: {error}") from error
    if not all(type(number) is int for number in table.values()):
        raise ListError(f"{path}: the number of a category must be an integer")
    return table
