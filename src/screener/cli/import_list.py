"""The command `import`."""

from __future__ import annotations

from pathlib import Path

import click

from screener.cli import list_text, progress_display, streams
from screener.cli.open_list import open_or_create
from screener.cli.option_types import FILE, OneOf, Place
from screener.cli.options import BY, build_terms, with_terms_options
from screener.errors import ListError
from screener.lists.formats.mapping_template import build_template
from screener.lists.formats.registry import FORMATS
from screener.screening.screener import warn_of_pixel_versions


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=Place(exists=True, path_type=Path))
@click.option(
    "--into",
    type=Place(readable=False, path_type=Path),
    help="The list's folder.",
)
@click.option(
    "--format",
    "format_",
    type=OneOf(tuple(FORMATS)),
    metavar="FORMAT",
    help="One of the formats above (default: recognised from the content).",
)
@click.option("--source", help="Name of the source (default: the file's name).")
@click.option("--scheme", help="The scheme of the categories, if the file does not name it.")
@click.option(
    "--state",
    type=OneOf(("confirmed", "disputed", "seed", "known_good")),
    help="State of rows that would match: known_good for an exclude list, seed for leads.",
)
@click.option("--mapping", type=FILE, help="A TOML file that maps the columns of a CSV.")
@click.option(
    "--mapping-template", is_flag=True, help="Print a mapping file for FILE to start from, and end."
)
@click.option("--id-column", metavar="NAME", help="The column of a CSV that has the ids.")
@click.option("--ids-from-hashes", is_flag=True, help="Accept a CSV without ids.")
@click.option(
    "--ignore-columns", metavar="NAME,...", default="",
    help="Columns of a CSV that have no meaning here: store them as labels.",
)  # fmt: skip
@click.option("--ignore-unknown-columns", is_flag=True, help="All unknown columns are such.")
@click.option("--strict", is_flag=True, help="Refuse a file if any of its rows is bad.")
@click.option(
    "--full", is_flag=True, help="The file is the source's whole list: withdraw all other entries."
)
@click.option("--accept-shrink", is_flag=True, help="Accept a full file that omits many entries.")
@BY
@click.option(
    "--key",
    type=FILE,
    help="An Ed25519 public key (PEM): accept only files signed with its private key.",
)
@click.option("--group", help="Let this group of users read the list, now and after each change.")
@with_terms_options
def import_(
    files: tuple[Path, ...], into: Path | None, format_: str | None, source: str | None,
    scheme: str | None, state: str | None, mapping: Path | None, mapping_template: bool,
    id_column: str | None, ids_from_hashes: bool, ignore_columns: str,
    ignore_unknown_columns: bool, strict: bool, full: bool, accept_shrink: bool,
    by: str | None, key: Path | None, group: str | None, tlp: str | None,
    redistribution: str | None, expires: str | None, terms_file: Path | None,
) -> int:  # fmt: skip
    """Import list files into a hash list; create it if needed.

    Unreadable rows are quarantined, counted and named by line; the others are imported. Each file
    becomes one generation of the list, completely or not at all. Only you can read the list,
    unless you name a --group.

    \b
    Formats:
      csv  a header names the columns: id, pdq, md5, sha1, sha256, photodna, phash …,
           quality, category, category_scheme, status, updated, tlp, expires; any other
           column needs --mapping, or --ignore-columns, which stores it as a label
      tx, tx-csv          lines of `type value`, and the CSV of `tx dataset`
      ncmec               NCMEC Hash Sharing v2, XML
      vics, icse          Project VIC, JSON; INTERPOL ICSE, CSV
      threatexchange, stopncii, tat, hma     JSON of these services
      pdq-lines, vpdq, tmk                   output of the hashing tools
      md5sum, sha1sum, sha256sum, bsd-sums, hashdeep     checksum files
      nsrl                NIST's known files, CSV or SQLite

    \b
    Exit codes:
      0  all files were imported, some perhaps with rows quarantined
      2  a file was refused, so that later files were not imported; or the call was wrong
    """
    if mapping_template:
        for file in files:
            click.echo(build_template(file), nl=False)
        return 0
    if into is None:
        raise click.UsageError("Missing option '--into'.")
    if full:
        _check_full_sources([file.stem if source is None else source for file in files])
    terms = build_terms(tlp, redistribution, expires, terms_file)
    console = streams.to_stderr()
    with open_or_create(into, group=group) as hash_list:
        for number, file in enumerate(files, 1):
            try:
                with progress_display.show_bar(f"importing {file.name}") as on_progress:
                    report = hash_list.import_file(
                        file, source=source, format=format_, scheme=scheme, state=state,
                        strict=strict, mapping=mapping, id_column=id_column,
                        ids_from_hashes=ids_from_hashes,
                        ignore_columns=[name for name in ignore_columns.split(",") if name],
                        ignore_unknown_columns=ignore_unknown_columns, full=full,
                        accept_shrink=accept_shrink,
                        by=by, terms=terms, key=key, group=group, progress=on_progress,
                    )  # fmt: skip
            except ListError as error:
                remaining = len(files) - number
                if not remaining:
                    raise
                # The user must know, since later files may contain withdrawals.
                raise ListError(f"{error}; later files not imported either: {remaining}") from None
            list_text.print_import(console, str(file), report)
            hash_list = hash_list.refresh()
        warn_of_pixel_versions(hash_list)
    list_text.print_hubs(console, hash_list.hubs())
    return 0


def _check_full_sources(sources: list[str]) -> None:
    """Refuse several full files of one source, since each would withdraw the others' entries."""
    if len(set(sources)) < len(sources):
        raise click.UsageError(
            "--full takes one file per source, and several of these files are of one source;"
            " nothing was imported: join them into one file, or import them without --full"
        )
