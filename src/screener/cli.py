"""The command line; one short function a command."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from screener import console, hash_lines, list_commands, list_pages
from screener.errors import ListError, ScreenerError
from screener.hashed import hash_item
from screener.hashing.hash import KINDS, HashKind, kind_named
from screener.lists.formats import FORMATS
from screener.lists.hashlist import HashList
from screener.measure import measure
from screener.output import open_jsonl
from screener.policy import Policy
from screener.result import Reason, Result
from screener.scan import find
from screener.scan import scan as scan_files
from screener.screen import Screener
from screener.version import __version__

_EXIT_CODES = """\b
Exit codes:
  0    everything was screened, nothing matched
  1    at least one match
  3    no match, but something was not screened
  2    the call or the list was wrong
  130  interrupted"""

_LISTS = click.option(
    "--list",
    "lists",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A hash list made by `screener import`, or a list file for a quick try. Repeatable.",
)
_POLICY = click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with radius, floor, limits; the defaults where left out.",
)
_OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results here, readable by you only, instead of to standard output.",
)
_DIGESTS_ONLY = click.option(
    "--digests-only", is_flag=True, help="Compare MD5, SHA-1 and SHA-256 only; decode nothing."
)
_COUNT = click.option(
    "--count", is_flag=True, help="Add the matches to the list's counts: see `screener show`."
)


class _Commands(click.Group):
    """The commands; a reader of the output that goes away ends them, and is no match.

    Here and not in `main`, since click would end the process with 1, which says a match.
    """

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Python must not stumble over the pipe once more when it flushes at exit.
            sys.stdout = io.StringIO()
            return 141


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="screener")
def cli() -> None:
    """Match images against lists of hashes of known abuse material.

    \b
    A first session:
      screener import known.csv --into known.list
      screener info known.list
      screener scan uploads/ --list known.list -o results.jsonl
    """


@cli.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--into", required=True, type=click.Path(path_type=Path), help="The list's folder.")
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
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file that tells what the columns of a CSV mean.",
)
@click.option("--strict", is_flag=True, help="Refuse the whole file for one bad row.")
@click.option("--full", is_flag=True, help="The file is all its source has: withdraw the rest.")
@click.option("--accept-shrink", is_flag=True, help="Take a full file that leaves out many.")
@click.option("--by", help="Who asks for it; kept in the log.")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An Ed25519 public key in a PEM file: take only what its holder signed.",
)
@list_commands.terms_options
def import_(
    files: tuple[Path, ...], into: Path, format_: str | None, source: str | None,
    scheme: str | None, state: str | None, mapping: Path | None, strict: bool, full: bool,
    accept_shrink: bool, by: str | None, key: Path | None, tlp: str | None,
    redistribution: str | None, expires: str | None, terms_file: Path | None,
) -> int:  # fmt: skip
    """Import list files into a hash list, which is made where there is none.

    A row that cannot be read is quarantined, counted and named by its line; the rest is
    imported. Each file becomes one generation of the list, whole or not at all.

    \b
    Formats:
      csv  a header names the columns: id, pdq, md5, sha1, sha256, photodna, phash …,
           quality, category, category_scheme, status; others are kept as labels
      tx, tx-csv          lines of `type value`, and the CSV of `tx dataset`
      ncmec               NCMEC Hash Sharing v2, XML
      vics, icse          Project VIC, JSON; INTERPOL ICSE, CSV
      threatexchange, stopncii, tat, hma     JSON of these services
      pdq-lines, vpdq, tmk                   what the hashing tools write
      md5sum, sha1sum, sha256sum, bsd-sums, hashdeep     checksum files
      nsrl                NIST's known files, CSV or SQLite
    """
    terms = list_commands.terms_of(tlp, redistribution, expires, terms_file)
    known = _open_or_create(into)
    told = console.to_stderr()
    for file in files:
        report = known.import_file(
            file, source=source, format=format_, scheme=scheme, state=state, mapping=mapping,
            strict=strict, full=full, accept_shrink=accept_shrink, by=by, terms=terms, key=key,
        )  # fmt: skip
        console.print_import(told, str(file), report)
        known = known.refresh()
    console.print_hubs(told, known.hubs())
    return 0


@cli.command(epilog=_EXIT_CODES)
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@_LISTS
@_OUTPUT
@_POLICY
@_DIGESTS_ONLY
@_COUNT
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; all cores by default.")
def scan(
    paths: tuple[str, ...],
    lists: tuple[Path, ...],
    output: Path | None,
    policy_file: Path | None,
    digests_only: bool,
    count: bool,
    jobs: int | None,
) -> int:
    """Screen files and folders; one JSON line a file.

    Every file is opened in a worker process of its own: one that crashes, hangs or eats memory
    costs exactly itself, and is reported as unscreened with the reason.

    \b
    Examples:
      screener scan photo.jpg --list known.list
      screener scan uploads/ --list known.list --list known.csv -o results.jsonl --jobs 4
    """
    told = console.to_stderr()
    tally = console.Tally()
    with ExitStack() as stack:
        engine = _engine(stack, lists, policy_file, digests_only)
        total = sum(1 for _ in find(paths))
        bar = stack.enter_context(console.progress(told, total))
        out = stack.enter_context(open_jsonl(output))
        for result in _counted(stack, scan_files(engine, paths, jobs=jobs), engine, count):
            out.write(result)
            tally.add(result)
            bar.update(bar.task_ids[0], advance=1, tally=tally.short)
    tally.print(told)
    return tally.exit_code


@cli.command(epilog=_EXIT_CODES)
@_LISTS
@_OUTPUT
@_POLICY
@_DIGESTS_ONLY
@_COUNT
def match(
    lists: tuple[Path, ...], output: Path | None, policy_file: Path | None, digests_only: bool,
    count: bool,
) -> int:  # fmt: skip
    """Look up hashes made elsewhere: lines of `kind value [quality [input]]` on standard input.

    `-` stands for an unknown quality. Lines in a row with one input are one item, so that the
    output of `screener hash` can be piped in. A hash is compared as it is: the mirrored and
    turned forms need the picture.

    \b
    Example:
      screener hash photo.jpg | screener match --list known.list
    """
    tally = console.Tally()
    with ExitStack() as stack:
        if sys.stdin is None:
            raise click.UsageError("standard input is closed, and the hashes come from there")
        engine = _engine(stack, lists, policy_file, digests_only)
        out = stack.enter_context(open_jsonl(output))
        found = hash_lines.match(engine, sys.stdin.buffer)
        for result in _counted(stack, found, engine, count):
            out.write(result)
            tally.add(result)
    tally.print(console.to_stderr())
    return tally.exit_code


@cli.command("hash")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--kinds", default="pdq,md5,sha1,sha256", show_default=True, help="With commas.")
def hash_(files: tuple[str, ...], kinds: str) -> int:
    """Print the hashes of files and folders: lines of `kind value quality input`.

    A file that cannot be hashed to its end gets a line `unscreened reason - input`, by which
    `match` knows it, and a sentence on standard error; the exit code is then 3. Files are opened
    in this process: of files that nobody trusts, use `scan`.
    """
    wanted = _computed(kinds)
    failed = False
    for path in find(files):
        hashed = hash_item(path, policy=Policy(), kinds=wanted)
        for located in hashed.hashes:
            if located.orientation == "upright":
                click.echo(hash_lines.write(located.hash, path))
        if hashed.trouble is not None:
            failed = True
            click.echo(hash_lines.write_trouble(Reason(hashed.trouble.reason), path))
            click.echo(f"{console.printable(path)}: {hashed.trouble}", err=True)
    return 3 if failed else 0


@cli.command()
@click.argument("path", metavar="LIST", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def info(path: Path, as_json: bool) -> int:
    """Show what a list holds: records by state, values by kind, and which records no hash that
    is computed here can reach.
    """
    with ExitStack() as stack:
        found = _open_list(stack, path).info()
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        console.print_info(console.to_stdout(), found)
    return 0


@cli.command()
@click.argument("path", metavar="LIST", type=click.Path(exists=True, path_type=Path))
def compact(path: Path) -> int:
    """Merge the index files of a list into one for each kind.

    Imports keep them few by themselves, so there is seldom a need; it takes as long as building
    the whole index. Scans go on meanwhile; imports wait their turn, and are refused after a while.

    \b
    Example:
      screener compact known.list
    """
    changed = HashList.open(path).compact()
    click.echo("compacted" if changed else "all in one file already", err=True)
    return 0


@cli.command()
@click.argument("path", metavar="LIST", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="About how long it may take, once the list has been read.",
)
@click.option(
    "--radius",
    multiple=True,
    type=click.IntRange(min=0),
    help="Bits; 0, half of a kind's default and its default where left out. Repeatable.",
)
@click.option("--hugepages", is_flag=True, help="Copy the list into memory, in large pages.")
def bench(
    path: Path, as_json: bool, seconds: float, radius: tuple[int, ...], hugepages: bool
) -> int:
    """Measure how fast a list answers on this machine.

    Single queries and batches, by one thread and by all cores, at several radii: random ones and
    neighbours of what is listed. Nothing of the list is shown but sizes. What `flat`, `lookup`
    and `join` mean: docs/benchmarks.md.

    \b
    Examples:
      screener bench known.list
      screener bench known.list --radius 31 --radius 40 --seconds 60 --hugepages --json
    """
    with ExitStack() as stack:
        known = _open_list(stack, path, hugepages=hugepages)
        report = measure(known, seconds=seconds, radius=radius)
    if as_json:
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        console.print_report(console.to_stdout(), report)
    return 0


@cli.command()
@click.argument("path", metavar="LIST", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--seed", type=int, help="Draw the queries of an earlier run again.")
def verify(path: Path, as_json: bool, seed: int | None) -> int:
    """Check a list on disk: every byte, every table, the records, and a sample of searches.

    For each kind, hashes of the list are changed in 0 bits, in 1, and so on to the radius, and
    searched; the answers must be those of comparing with every value. No hash is printed.

    \b
    Exit codes:
      0  all is well
      2  something is damaged, and a sentence says what

    \b
    Example:
      screener verify known.list
    """
    found = HashList.open(path).verify(seed=seed)
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        console.print_verification(console.to_stdout(), found)
    for sentence in found.damage:
        click.echo(f"screener: {console.printable(sentence)}", err=True)
    return 2 if found.damage else 0


for _command in list_commands.COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line; the exit codes are those that its help tells."""
    console.fill_standard_streams()
    try:
        code = cli.main(standalone_mode=False)
    except click.Abort:
        click.echo("interrupted", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = 2
    except ScreenerError as error:
        click.echo(f"screener: {error}", err=True)
        code = 2
    except OSError as error:
        click.echo(f"screener: {error.filename or 'input or output'}: {error.strerror}", err=True)
        code = 2
    except Exception:
        # A fault of ours; it must not end with Python's 1, which says a match.
        traceback.print_exc()
        code = 2
    sys.exit(code)


def _engine(
    stack: ExitStack, lists: tuple[Path, ...], policy_file: Path | None, digests_only: bool
) -> Screener:
    policy = Policy() if policy_file is None else Policy.load(policy_file)
    if digests_only:
        policy = replace(policy, digests_only=True)
    return Screener([_open_list(stack, path) for path in lists], policy=policy)


def _counted(
    stack: ExitStack, results: Iterable[Result], engine: Screener, count: bool
) -> Iterator[Result]:
    """The results as they are; where asked to, their matches are counted when the run is over,
    also by an interruption.
    """
    if not count:
        return iter(results)
    kept: list[Result] = []

    def tell() -> None:
        for one in engine.lists:
            list_pages.print_floods(console.to_stderr(), one.name, one.count_matches(kept))

    stack.callback(tell)
    return _kept(results, kept)


def _kept(results: Iterable[Result], kept: list[Result]) -> Iterator[Result]:
    for result in results:
        if result.matches or result.beside:
            kept.append(result)
        yield result


def _open_list(stack: ExitStack, path: Path, *, hugepages: bool = False) -> HashList:
    """A list folder as it is; a list file imported into a folder that goes with the command."""
    if path.is_dir():
        return HashList.open(path, hugepages=hugepages)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="screener-"))
    known = HashList.create(Path(folder) / f"{path.name}.list")
    report = known.import_file(path)
    console.print_import(console.to_stderr(), str(path), report)
    return HashList.open(known.path, hugepages=hugepages)


def _open_or_create(path: Path) -> HashList:
    if not path.exists():
        try:
            return HashList.create(path)
        except ListError:
            if not path.exists():  # made meanwhile by another import
                raise
    return HashList.open(path)


def _computed(names: str) -> tuple[HashKind, ...]:
    kinds = tuple(kind_named(name.strip().lower()) for name in names.split(","))
    for kind in kinds:
        if not kind.computed:
            made = ", ".join(one.name for one in KINDS.values() if one.computed)
            raise click.UsageError(f"--kinds: {kind.name} is not computed here; only {made}")
    return kinds
