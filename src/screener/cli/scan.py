"""The command `scan`."""

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

from screener.cli import progress_display, streams
from screener.cli.decision_options import (
    EXIT_CODES,
    DecisionOptions,
    ResultWriter,
    with_decision_options,
)
from screener.cli.option_types import OUTPUT, OneOf
from screener.cli.options import JOBS, number_from
from screener.cli.summary import Tally
from screener.errors import PolicyError, counted, printable
from screener.media.remote.url import is_file_url, is_url
from screener.reporting.output import (
    JsonLines,
    ResumedJsonLines,
    claim_jsonl,
    claim_resumed,
    journal_of,
)
from screener.scanning.cache.hash_cache import HashCache, check_keep
from screener.scanning.inputs.cells import Column
from screener.scanning.inputs.expand import count_files, parse_arguments
from screener.scanning.scan import check_classic
from screener.scanning.scan import scan as scan_files
from screener.screening.policy import Effort
from screener.screening.result import Result
from screener.screening.screener import Screener
from screener.system.installation import describe_extra, is_available

_HASHED_AGAIN = "hashed_again"  # a metric of scans


def _check_days(
    _context: click.Context, _option: click.Parameter, days: float | None
) -> float | None:
    if days is not None:
        try:
            check_keep(days)
        except PolicyError as error:
            raise click.BadParameter(str(error)) from None
    return days


KEEP = click.option(
    "--keep", type=number_from(0, fraction=True), callback=_check_days, metavar="DAYS",
    help="Set after how many days the cache deletes an input (30 in a new cache).",
)  # fmt: skip


@click.command(epilog=EXIT_CODES)
# An unreadable path gets a result line that says so.
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True, readable=False))
@with_decision_options
@click.option(
    "--resume",
    type=OUTPUT,
    help="Continue this file of results: skip inputs that are done, append the others.",
)
@click.option(
    "--cache", type=OUTPUT,
    help="Store the hashes of all inputs here, for `screener rescan`.",
)  # fmt: skip
@click.option(
    "--cache-weights/--no-cache-weights", default=None,
    help="Set whether the cache stores weights, so that rescan compares by evidence (--effort);"
    " they are a blurred picture. With --no, erase them. A new cache stores none.",
)  # fmt: skip
@KEEP
@click.option(
    "--column",
    metavar="NAME",
    help="Screen each row of Parquet files: the bytes in this column, such as `data` or"
    " `image.bytes`.",
)
@click.option(
    "--id-column", metavar="NAME", help="Name the rows by this column (default: FILE#ROW)."
)
@JOBS
@click.option(
    "--unordered", is_flag=True, help="Write results as they arrive; read files in disk order."
)
@click.option(
    "--engine",
    "engine",
    type=OneOf(("local", "ray")),
    default="local",
    show_default=True,
    help="Where the workers run: on this machine, or on the nodes of a Ray cluster.",
)
@click.option(
    "--address",
    help="The Ray cluster, host:port or `auto` (default: RAY_ADDRESS, else a new local Ray).",
)
@click.option("--json-progress", is_flag=True, help="Print progress as JSON on standard error.")
def scan(
    paths: tuple[str, ...], options: DecisionOptions, resume: Path | None, cache: Path | None,
    cache_weights: bool | None, keep: float | None, column: str | None, id_column: str | None,
    jobs: int | None, unordered: bool, engine: str, address: str | None, json_progress: bool,
) -> int:  # fmt: skip
    """Screen files, folders and archives; one JSON line per file.

    Every file is opened in a worker process: one that crashes, hangs or uses too much memory
    affects only its own result, which is `unscreened` with the reason. Members of zip and tar
    archives have lines of their own, named `archive.zip!member`; the archive's own line follows
    them. A path may be a pattern with `*`, `?` or `**`; `-` reads names from standard input,
    separated by NULs or line ends.

    Lines come in the order of the inputs, so one slow file delays the lines after it. With
    --unordered, each line is written as soon as its input is done.

    With --resume, an input is skipped if it has a line in the file and its size, its time, the
    lists' generations and the policy are unchanged; with --cache, only if the cache has its hashes.
    The exit code covers all valid lines of the file, old and new. It is 3 if no input was found:
    a folder that is not mounted, or a `find` that failed, clears nothing.

    A URL such as s3://bucket/uploads/ names an object or all objects below it; credentials are
    those that fsspec finds. With --column, each row of Parquet files is an input.

    With --engine ray, the nodes of a Ray cluster open the files, at the same paths on each. Lists
    stay on this machine.

    \b
    Examples:
      screener scan photo.jpg --list known.list
      screener scan uploads/ --list known.list --list known.csv -o results.jsonl --jobs 4
      screener scan uploads/ --list known.list --resume results.jsonl
      screener scan s3://bucket/uploads/ --list known.list -o results.jsonl
      screener scan images.parquet --column data --id-column id --list known.list
      find uploads -not -type d -newer last -print0 | screener scan - --list known.list
      screener scan - --list known.list --unordered < names.pipe
    """
    if keep is not None and cache is None:
        raise click.UsageError("--cache is missing: --keep sets how long a cache stores hashes")
    if cache_weights is not None and cache is None:
        raise click.UsageError("--cache is missing: --cache-weights sets what a cache stores")
    if address is not None and engine != "ray":
        raise click.UsageError("--address needs --engine ray: it names a Ray cluster")
    cells = _parse_column(column, id_column)
    has_urls = any(is_url(path) or is_file_url(path) for path in paths)
    if engine == "ray" and (cells is not None or has_urls):
        raise click.UsageError(
            "--engine ray reads files at paths of its nodes, neither URLs nor --column: leave it"
            " out, or read the data by Ray Data and call screener.scanning.ray.screen"
        )
    run_scan = scan_files if engine == "local" else _scan_on_ray(address)
    if "-" in paths and sys.stdin is None:
        raise click.UsageError("cannot read names for `-`: standard input is closed")
    console = streams.to_stderr()
    metrics: Counter[str] = Counter()
    with ExitStack() as stack:
        options.check_files(resume=resume, cache=cache)
        screener = options.open_screener(stack)
        if cache_weights and screener.policy.effort is Effort.DISTANCE:
            raise click.UsageError("--cache-weights needs an --effort above distance")
        check_classic(screener.policy, screener.kinds)
        out = stack.enter_context(_claim_output(options, resume, screener))
        log = options.claim_audit_log(stack)
        # Opened last, since opening changes it, and the other files may still be refused.
        hashes = None
        if cache is not None:
            opened = HashCache.open(cache, keep=keep, weights=cache_weights)
            hashes = stack.enter_context(opened)
        finished = out.finished if isinstance(out, ResumedJsonLines) else None
        tally = Tally(finished)
        count_total = None
        if cells is None and not has_urls and "-" not in paths:
            count_total = lambda: count_files(parse_arguments(paths, None))  # noqa: E731
        stack.push(partial(_print_how_to_resume, out, options, resume))
        # A bar must not be drawn into result lines on the same terminal.
        display = stack.enter_context(progress_display.show_scan(
            console, count_total, finished, as_json=json_progress, with_bar=not out.on_terminal,
        ))  # fmt: skip
        stdin = sys.stdin.buffer if "-" in paths else None
        if engine == "ray":
            # Ray prints messages about lost workers to standard output, which has the results.
            stack.enter_context(redirect_stdout(io.StringIO()))
        results = stack.enter_context(closing(run_scan(
            screener, parse_arguments(paths, stdin), jobs=jobs, ordered=not unordered,
            finished=finished, cache=hashes, metrics=partial(_add_metric, metrics),
            **({} if cells is None else {"column": cells}),
        )))  # fmt: skip
        writer = ResultWriter(stack, screener, out=out, log=log, count=options.count)
        for result in writer.begin(results):
            writer.write(result)
            tally.add(result)
            display.add(result)
    if not json_progress:
        tally.print(console)
        if again := metrics[_HASHED_AGAIN]:
            console.print(f"{counted(again, 'input')} with a valid result hashed for the cache")
    if hashes is not None and hashes.forgotten:  # No later call can report it.
        console.print(
            f"[yellow]{counted(hashes.forgotten, 'input')} deleted from the cache[/], being older"
            " than it keeps them: scan them again with --cache, or rescan will miss them"
        )
    return tally.exit_code


def _parse_column(column: str | None, id_column: str | None) -> Column | None:
    """Return the columns to read. Raises UsageError if the extra for them is missing."""
    if column is None:
        if id_column is not None:
            raise click.UsageError(
                "--column is missing: --id-column names the rows of Parquet files"
            )
        return None
    if not is_available("arrow"):
        raise click.UsageError(f"--column needs {describe_extra('arrow')}")
    return Column(column, id_column)


def _print_how_to_resume(
    out: JsonLines,
    options: DecisionOptions,
    resume: Path | None,
    raised: type[BaseException] | None,
    *_: object,
) -> None:
    """Print the command that continues a scan whose results were interrupted or filled the disk."""
    path = resume or options.output
    is_full = raised is OSError and path is not None and journal_of(path).is_file()
    if not out.begun or not (raised is KeyboardInterrupt or is_full):
        return
    if path is None:
        message = (
            "to continue later, save the lines written so far to a file and give the command"
            " --resume FILE instead of -o"
        )
    elif list_files := [list_path for list_path in options.lists if not list_path.is_dir()]:
        message = (
            f"--resume cannot continue {path}: {list_files[0]} is a list file; import it first"
            f" (screener import {shlex.quote(str(list_files[0]))} --into known.list)"
        )
    elif not journal_of(path).is_file():
        message = f"--resume cannot continue {path}: it is not a regular file"
    else:
        names = ", with the same names on standard input"
        paths = click.get_current_context().params["paths"]
        message = f"to continue: {_format_resume_command(path)}{names if '-' in paths else ''}"
    click.echo(printable(message), err=True)


def _format_resume_command(results: Path) -> str:
    """Return the command line as typed, with --resume in place of -o."""
    context = click.get_current_context()
    paths: list[str] = []
    options: list[str] = []
    for param in context.command.params:
        name = param.name or ""
        value = context.params.get(name)
        is_typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if isinstance(param, click.Argument):
            paths = [str(path) for path in value or ()]
        elif isinstance(param, click.Option) and is_typed and name not in ("output", "resume"):
            for argument in (value or ()) if param.multiple else (value,):
                options += [param.opts[0]] if param.is_flag else [param.opts[0], str(argument)]
    if any(path.startswith("-") and path != "-" for path in paths):
        paths.insert(0, "--")
    arguments = [*options, "--resume", str(results), *paths]
    return f"{context.command_path} {shlex.join(arguments)}"


def _add_metric(metrics: Counter[str], name: str, number: float, _: Mapping[str, str]) -> None:
    if name == _HASHED_AGAIN:
        metrics[name] += int(number)


def _scan_on_ray(address: str | None) -> Callable[..., Generator[Result, None, None]]:
    try:
        from screener.scanning.ray import scan as ray_scan
    except ImportError as error:
        raise click.UsageError(str(error)) from None
    return partial(ray_scan, address=address)


def _claim_output(options: DecisionOptions, resume: Path | None, screener: Screener) -> JsonLines:
    if resume is None:
        return claim_jsonl(options.output)
    if options.output is not None:
        raise click.UsageError("-o and --resume cannot be combined: --resume names the output")
    options.check_folders("--resume compares the generations of lists")
    out = claim_resumed(resume, screener)
    finished, number = out.finished, len(out.finished)
    torn = f"; removed half a line of {counted(finished.torn, 'byte')}" if finished.torn else ""
    valid = f"{counted(number, 'existing result')} {'is' if number == 1 else 'are'} still valid"
    click.echo(f"{printable(resume)}: {valid}{torn}", err=True)
    return out
