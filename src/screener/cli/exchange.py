"""The commands by which files come into a list and go out of it: import, export, terms."""

from __future__ import annotations

import json
from pathlib import Path

import click

from screener.cli import console, list_text, progress
from screener.cli.open_list import open_or_create
from screener.cli.options import BY, FILE, LIST, OUTPUT, terms_of, terms_options, text
from screener.errors import ListError
from screener.lists.formats.registry import FORMATS
from screener.lists.hashlist import HashList
from screener.lists.terms import AUDIENCES
from screener.screening.screener import warn_of_other_pixels
from screener.system import files as toml_file


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--into",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    help="The list's folder.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    metavar="FORMAT",
    help="Found from the content where left out.",
)
@click.option("--source", help="Who says so; the file's name where left out.")
@click.option("--scheme", help="Whose categories they are, where the file does not say.")
@click.option(
    "--state",
    type=click.Choice(["confirmed", "disputed", "seed", "known_good"]),
    help="Of rows that would match: known_good for an exclude list, seed for leads.",
)
@click.option("--mapping", type=FILE, help="A TOML file that tells what the columns of a CSV mean.")
@click.option("--strict", is_flag=True, help="Refuse the whole file for one bad row.")
@click.option("--full", is_flag=True, help="The file is all its source has: withdraw the rest.")
@click.option("--accept-shrink", is_flag=True, help="Take a full file that leaves out many.")
@BY
@click.option(
    "--key",
    type=FILE,
    help="An Ed25519 public key in a PEM file: take only what its holder signed.",
)
@click.option(
    "--group",
    help="Let the users of this group read the list, and all that is written to it later.",
)
@terms_options
def import_(
    files: tuple[Path, ...], into: Path, format_: str | None, source: str | None,
    scheme: str | None, state: str | None, mapping: Path | None, strict: bool, full: bool,
    accept_shrink: bool, by: str | None, key: Path | None, group: str | None, tlp: str | None,
    redistribution: str | None, expires: str | None, terms_file: Path | None,
) -> int:  # fmt: skip
    """Import list files into a hash list, which is made where there is none.

    A row that cannot be read is quarantined, counted and named by its line; the rest is
    imported. Each file becomes one generation of the list, whole or not at all. Only you can read
    the list, unless you give it a --group, which it keeps.

    \b
    Formats:
      csv  a header names the columns: id, pdq, md5, sha1, sha256, photodna, phash …,
           quality, category, category_scheme, status, updated; others are kept as labels
      tx, tx-csv          lines of `type value`, and the CSV of `tx dataset`
      ncmec               NCMEC Hash Sharing v2, XML
      vics, icse          Project VIC, JSON; INTERPOL ICSE, CSV
      threatexchange, stopncii, tat, hma     JSON of these services
      pdq-lines, vpdq, tmk                   what the hashing tools write
      md5sum, sha1sum, sha256sum, bsd-sums, hashdeep     checksum files
      nsrl                NIST's known files, CSV or SQLite

    \b
    Exit codes:
      0  every file was imported, whatever was set aside in it
      2  a file was refused, and those named behind it with it; or the call was wrong
    """
    if full:
        _check_each_is_whole([file.stem if source is None else source for file in files])
    terms = terms_of(tlp, redistribution, expires, terms_file)
    told = console.to_stderr()
    with open_or_create(into, group=group) as known:
        for place, file in enumerate(files, 1):
            try:
                with progress.bar(f"importing {file.name}") as shown:
                    report = known.import_file(
                        file, source=source, format=format_, scheme=scheme, state=state,
                        strict=strict, mapping=mapping, full=full, accept_shrink=accept_shrink,
                        by=by, terms=terms, key=key, group=group, progress=shown,
                    )  # fmt: skip
            except ListError as error:
                rest = len(files) - place
                if not rest:
                    raise
                # Withdrawals may stand in them.
                after = f"files named after it, not imported either: {rest}"
                raise ListError(f"{error}; {after}") from None
            list_text.print_import(told, str(file), report)
            known = known.refresh()
        warn_of_other_pixels(known)
    list_text.print_hubs(told, known.hubs())
    return 0


def _check_each_is_whole(sources: list[str]) -> None:
    """Refuse several full files of one source: each would withdraw what stands in the others."""
    if len(set(sources)) < len(sources):
        raise click.UsageError(
            "--full says that a file is all its source has, and several of these files are of one"
            " source: join them into one file, or import them without --full; nothing was imported"
        )


@click.command()
@LIST
@click.option("--format", "format_", required=True, help="csv, tx, ncmec, vics, hma or bloom.")
@click.option(
    "-o", "--output", required=True, type=OUTPUT,
    help="The file to write, readable by you only; its manifest goes beside.",
)  # fmt: skip
@click.option("--source", "sources", multiple=True, help="Only what this source gave. Repeatable.")
@click.option(
    "--audience",
    type=click.Choice(list(AUDIENCES)),
    default="community",
    show_default=True,
    help="Whom it is for; own is the own team.",
)
@click.option("--categories", type=FILE, help="For vics: a TOML table, see below.")
@click.option("--kind", help="For bloom: which digests.  [default: sha256]")
@click.option(
    "--error-rate", type=float,
    help="For bloom: the share of other digests that it takes for listed ones.  [default: 0.001]",
)  # fmt: skip
@click.option(
    "--sign", type=FILE,
    help="An Ed25519 private key in a PEM file; the signature is FILE.manifest.json.sig.",
)  # fmt: skip
def export(
    path: Path, format_: str, output: Path, sources: tuple[str, ...], audience: str,
    categories: Path | None, kind: str | None, error_rate: float | None, sign: Path | None,
) -> int:  # fmt: skip
    """Write a list in another format, as far as the terms of its sources allow.

    What may not go on is left out and counted, and so is what the format has no place for. The
    manifest, FILE.manifest.json, holds the counts, the generation and the SHA-256 of the file.

    \b
    The table for vics gives, for each scheme, the number of each code:
      ["uk-sentencing-council"]
      A = 1

    \b
    Examples:
      screener export known.list --format csv -o known.csv --sign key.pem
      screener export known.list --format bloom --kind sha256 -o known.bloom --audience own
    """
    report = HashList.open(path).export(
        output, format=format_, audience=audience, sources=sources or None,
        categories=None if categories is None else _table(categories),
        kind=kind, error_rate=error_rate, key=sign,
    )  # fmt: skip
    list_text.print_export(console.to_stderr(), report)
    return 0


def _table(path: Path) -> dict[tuple[str, str], int]:
    try:
        found = toml_file.read_toml(path)
        table = {(s, str(code)): n for s, codes in found.items() for code, n in codes.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ListError(f"cannot read the categories {path}: {error}") from error
    if not all(type(number) is int for number in table.values()):
        raise ListError(f"{path}: a category's number is a whole number")
    return table


@click.command()
@LIST
@click.option("--source", callback=text, help="Set the terms of this source.")
@terms_options
@BY
def terms(
    path: Path, source: str | None, tlp: str | None, redistribution: str | None,
    expires: str | None, terms_file: Path | None, by: str | None,
) -> int:  # fmt: skip
    """Show what each source allows to be done with what it gave, or set it for one."""
    known = HashList.open(path)
    given = terms_of(tlp, redistribution, expires, terms_file)
    if given is None:
        click.echo(json.dumps({s: t.to_dict() for s, t in known.terms().items()}))
    elif source is None:
        raise click.UsageError("terms are of one source: name it by --source")
    else:
        known.set_terms(source, given, by=by)
    return 0


COMMANDS = (import_, export, terms)
