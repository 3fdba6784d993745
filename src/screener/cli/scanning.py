"""The commands that screen: files, and what a cache kept of them: scan, rescan."""

from __future__ import annotations

import io
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, redirect_stdout
from functools import partial
from pathlib import Path

import click
from click.core import ParameterSource

from screener.cli import console, progress
from screener.cli.decision_options import EXIT_CODES, Asked, deciding, recorded
from screener.cli.options import FILE, JOBS, OUTPUT
from screener.cli.summary import Tally
from screener.errors import PolicyError, counted, printable
from screener.reporting.output import JsonLines, ResumedJsonLines, claim_jsonl, claim_resumed
from screener.scanning.cache.hash_cache import HashCache, checked_keep
from screener.scanning.inputs.expand import arguments
from screener.scanning.inputs.expand import count as count_files
from screener.scanning.rescan import outdated
from screener.scanning.rescan import rescan as match_cache
from screener.scanning.scan import check_memory
from screener.scanning.scan import scan as scan_files
from screener.screening.result import Result
from screener.screening.screener import Screener
from screener.system.process import cores

_AGAIN = "hashed_again"  # of the metrics of a scan

CACHE = click.option(
    "--cache", type=OUTPUT,
    help="Keep the hashes of all inputs here, for `screener rescan`.",
)  # fmt: skip


def _days(_context: click.Context, _option: click.Parameter, days: float | None) -> float | None:
    """The days of --keep, checked before anything is opened."""
    if days is not None:
        try:
            checked_keep(days)
        except PolicyError as error:
            raise click.BadParameter(str(error)) from None
    return days


KEEP = click.option(
    "--keep", type=float, callback=_days, metavar="DAYS",
    help="Days after which the cache forgets an input, from now on; 30 at first.",
)  # fmt: skip


@click.command(epilog=EXIT_CODES)
# One that may not be read has a line that says so, as below a folder, and costs itself only.
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True, readable=False))
@deciding
@click.option(
    "--resume",
    type=OUTPUT,
    help="Go on with this file of results: leave out what is done, and write behind it.",
)
@CACHE
@KEEP
@JOBS
@click.option("--unordered", is_flag=True, help="Write results as they come; files in disk order.")
@click.option(
    "--engine",
    "where",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Where the workers run: on this machine, or on the nodes of a Ray cluster.",
)
@click.option(
    "--address",
    help="Of the Ray cluster, host:port or `auto`; RAY_ADDRESS, or a Ray of its own, without.",
)
@click.option("--json-progress", is_flag=True, help="Progress as JSON lines on standard error.")
def scan(
    paths: tuple[str, ...], asked: Asked, resume: Path | None, cache: Path | None,
    keep: float | None, jobs: int | None, unordered: bool, where: str, address: str | None,
    json_progress: bool,
) -> int:  # fmt: skip
    """Screen files, folders, archives; one JSON line a file.

    Every file is opened in a worker process: one that crashes, hangs or eats memory costs exactly
    itself, and is reported as unscreened with the reason. Members of zip and tar archives have
    lines of their own, named `archive.zip!member`; the archive's own line follows them, and says
    that it is done. A path may be a pattern with `*`, `?` or `**`; `-` reads names from standard
    input, separated by NULs or line ends.

    Lines come in the order of the inputs, so that one slow file delays the lines behind it. With
    --unordered, each comes when its input is done.

    With --resume, an input that has a line in the file is left out if its size and time are the
    same, and generations of the lists and policy too. The exit code is that of all lines of the
    file that those decided, old and new, and 3 where no input was found: a folder that is not
    mounted, or a `find` that failed, clears none.
    With --cache, such an input is hashed all the same if the cache does not hold it.

    With --engine ray, files are opened on the nodes of a Ray cluster, which all need them at the
    same paths; lists stay here, and all else is as it is without.

    \b
    Examples:
      screener scan photo.jpg --list known.list
      screener scan uploads/ --list known.list --list known.csv -o results.jsonl --jobs 4
      screener scan uploads/ --list known.list --resume results.jsonl
      find uploads -not -type d -newer last -print0 | screener scan - --list known.list
      screener scan - --list known.list --unordered < names.pipe
    """
    if keep is not None and cache is None:
        raise click.UsageError("--keep is how long a cache keeps hashes: name one by --cache")
    if address is not None and where != "ray":
        raise click.UsageError("--address is that of a Ray cluster: give --engine ray too")
    scan_them = scan_files if where == "local" else _on_ray(address)
    if "-" in paths and sys.stdin is None:
        raise click.UsageError("standard input is closed, and the names come from there")
    told = console.to_stderr()
    again: Counter[str] = Counter()
    with ExitStack() as stack:
        asked.check_files(resume=resume, cache=cache)
        screener = asked.screener(stack)
        check_memory(screener.policy, screener.kinds)
        out = stack.enter_context(_claimed(asked, resume, screener))
        log = asked.audit_log(stack)
        # The last that may be refused: it changes what it opens.
        kept = None if cache is None else stack.enter_context(HashCache.open(cache, keep=keep))
        finished = out.finished if isinstance(out, ResumedJsonLines) else None
        tally = Tally(finished)
        total = None if "-" in paths else (lambda: count_files(arguments(paths, None)))
        stack.push(partial(_tell_how_to_go_on, out, asked, resume))
        show = stack.enter_context(progress.shown(
            # A bar would be drawn into the lines.
            told, total, finished, as_json=json_progress, with_bar=not out.on_terminal,
        ))  # fmt: skip
        stdin = sys.stdin.buffer if "-" in paths else None
        if where == "ray":
            # Ray prints there what it thinks of lost workers, among the results.
            stack.enter_context(redirect_stdout(io.StringIO()))
        results = stack.enter_context(closing(scan_them(
            screener, arguments(paths, stdin), jobs=jobs, ordered=not unordered, finished=finished,
            cache=kept, metrics=partial(_count_again, again),
        )))  # fmt: skip
        for result in recorded(results, stack, screener, out=out, log=log, count=asked.count):
            tally.add(result)
            show.add(result)
    if not json_progress:
        tally.print(told)
        if again[_AGAIN]:
            told.print(
                f"{counted(again[_AGAIN], 'input')} with a line already: hashed again for the cache"
            )
    if kept is not None and kept.forgotten:  # of which no later call could tell
        told.print(
            f"[yellow]forgotten, being older than the cache keeps: "
            f"{counted(kept.forgotten, 'input')}[/]. rescan tells nothing of them until they are"
            " scanned again with --cache"
        )
    return tally.exit_code


def _tell_how_to_go_on(
    out: JsonLines,
    asked: Asked,
    resume: Path | None,
    raised: type[BaseException] | None,
    *_: object,
) -> None:
    """Say by which command an interrupted scan goes on, if it has written anything."""
    if raised is None or not issubclass(raised, KeyboardInterrupt) or not out.begun:
        return
    path = resume or asked.output
    if path is None:
        told = (
            "to go on later, keep the lines written so far in a file and give the command"
            " --resume FILE instead of -o"
        )
    elif list_files := [one for one in asked.lists if not one.is_dir()]:
        told = (
            f"--resume cannot go on with {path}: {list_files[0]} is a list file; import it first"
            f" (screener import {shlex.quote(str(list_files[0]))} --into known.list)"
        )
    elif not path.is_file():
        told = f"--resume cannot go on with {path}: it is no regular file"
    else:
        names = ", with the same names on standard input"
        paths = click.get_current_context().params["paths"]
        told = f"to go on: {_command(path)}{names if '-' in paths else ''}"
    click.echo(printable(told), err=True)


def _command(results: Path) -> str:
    """The command that goes on with a file of results: as this one was given, but for the file."""
    context = click.get_current_context()
    paths: list[str] = []
    options: list[str] = []
    for one in context.command.params:
        value = context.params.get(one.name or "")
        given = context.get_parameter_source(one.name or "") is ParameterSource.COMMANDLINE
        if isinstance(one, click.Argument):
            paths = [str(path) for path in value or ()]
        elif isinstance(one, click.Option) and given and one.name not in ("output", "resume"):
            for each in (value or ()) if one.multiple else (value,):
                options += [one.opts[0]] if one.is_flag else [one.opts[0], str(each)]
    if any(path.startswith("-") and path != "-" for path in paths):
        paths.insert(0, "--")
    words = [*options, "--resume", str(results), *paths]
    return f"{context.command_path} {shlex.join(words)}"


def _count_again(again: Counter[str], name: str, number: float, _: Mapping[str, str]) -> None:
    """Of all that a scan tells of itself, count what people are told."""
    if name == _AGAIN:
        again[name] += int(number)


@click.command(epilog=EXIT_CODES)
@click.option("--cache", required=True, type=FILE, help="The hashes that `scan --cache` kept.")
@KEEP
@deciding
@click.option("--all", "every", is_flag=True, help="Write also what reaches no record.")
def rescan(cache: Path, keep: float | None, asked: Asked, every: bool) -> int:
    """Match the hashes of inputs that were scanned before against newer lists; open no file.

    One JSON line for each input that reaches a record: what a scan of it would give now. Inputs
    that were hashed by other settings or kinds are counted, and are to be scanned again; inputs
    that are unscreened are counted by their reasons. Both make the exit code 3 where nothing
    matched; so does a cache that holds no input.

    \b
    Examples:
      screener scan uploads/ --list known.list --cache hashes.cache -o results.jsonl
      screener import newer.csv --into known.list
      screener rescan --cache hashes.cache --list known.list -o matches.jsonl
    """
    told = console.to_stderr()
    tally = Tally()
    with ExitStack() as stack:
        asked.check_files(cache=cache)
        screener = asked.screener(stack)
        out = stack.enter_context(claim_jsonl(asked.output))
        log = asked.audit_log(stack)
        kept = stack.enter_context(HashCache.open(cache, keep=keep, create=False))
        untold: Counter[str] = Counter()
        found = match_cache(screener, kept, every=every, threads=cores(), unscreened=untold)
        for result in recorded(found, stack, screener, out=out, log=log, count=asked.count):
            tally.add(result)
        notes, lacking = _contents(kept, screener, untold)
    code = 3 if lacking else 0
    if tally.total:
        tally.print(told)
        code = tally.exit_code or code
    else:  # which is not to say that there was nothing to compare
        told.print("nothing that was compared reaches a record")
    for note in notes:
        told.print(note)
    return code


def _contents(kept: HashCache, screener: Screener, untold: Counter[str]) -> tuple[list[str], bool]:
    """What a cache holds, what it cannot tell of and what is unscreened, in words; and whether
    there is such.
    """
    held, old = len(kept), outdated(screener, kept)
    days = f"{kept.keep:g} {'day' if kept.keep == 1 else 'days'}"
    notes = [f"{counted(held, 'input')} in the cache, which forgets them after {days}"]
    for number, what in (
        (kept.forgotten, "older than that and forgotten now"),
        (old, "hashed by other settings, or without a kind that the lists hold, or"
         " without an extra that is here now"),
    ):  # fmt: skip
        if number:
            again = f"{counted(number, 'input')} {what}"
            notes.append(f"[yellow]{again}[/]: scan again with --cache")
    if untold:
        reasons = ", ".join(f"{number} {reason}" for reason, number in untold.most_common())
        notes.append(
            f"[yellow]{counted(untold.total(), 'input')} unscreened, without a hit[/] ({reasons}):"
            " --all tells each"
        )
    if not held:
        notes.append("[yellow]the cache holds nothing to compare[/]: scan with --cache first")
    return notes, bool(old or untold or not held)


def _on_ray(address: str | None) -> Callable[..., Generator[Result, None, None]]:
    """A scan on a cluster; loads Ray."""
    try:
        from screener.scanning.ray import scan as scan_there
    except ImportError as error:
        raise click.UsageError(str(error)) from None
    return partial(scan_there, address=address)


def _claimed(asked: Asked, resume: Path | None, screener: Screener) -> JsonLines:
    if resume is None:
        return claim_jsonl(asked.output)
    if asked.output is not None:
        raise click.UsageError("--resume writes to the file that it names: leave -o away")
    asked.check_folders("--resume needs generations")
    out = claim_resumed(resume, screener)
    finished = out.finished
    torn = f"; removed half a line of {counted(finished.torn, 'byte')}" if finished.torn else ""
    valid = f"{counted(len(finished), 'existing result')} still valid"
    click.echo(f"{printable(str(resume))}: {valid}{torn}", err=True)
    return out


COMMANDS = (scan, rescan)
