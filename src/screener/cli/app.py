"""The command `screener`: its subcommands by section, and its exit code."""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import click

from screener.cli import change_list, inspect_list, serve, streams, usage_errors
from screener.cli.audit import audit
from screener.cli.bench import bench
from screener.cli.calibrate import calibrate
from screener.cli.export_list import export
from screener.cli.hash import hash_
from screener.cli.hotline import cases, operators, reporters
from screener.cli.import_list import import_
from screener.cli.match import match
from screener.cli.report import report
from screener.cli.rescan import rescan
from screener.cli.scan import scan
from screener.cli.views import views
from screener.errors import ScreenerError
from screener.system import process
from screener.system.installation import __version__

SECTIONS = {
    "Screen": (scan, rescan, match, hash_),
    "Serve": serve.COMMANDS,
    "Lists": (import_, export, *inspect_list.COMMANDS, *change_list.COMMANDS),
    "Hotline": (report, *cases.COMMANDS, *operators.COMMANDS),
    "Tools": (audit, bench, calibrate, views),
}


class _Commands(usage_errors.Group):
    """All commands. If the output pipe is closed, they exit with 141; Click's 1 means a match."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; print the help or the version if asked to."""
        with _exit_on_closed_pipe():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _exit_on_closed_pipe():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of each section with their complete summaries."""
        width = max(map(len, self.commands))
        for title, commands in SECTIONS.items():
            rows = [
                (f"{command.name:{width}}", command.get_short_help_str(limit=1000))
                for command in commands
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


@contextlib.contextmanager
def _exit_on_closed_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # Python flushes standard output at exit, which must not fail again.
        sys.stdout = io.StringIO()
        raise click.exceptions.Exit(141) from None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="screener")
def cli() -> None:
    """Match images and videos against lists of hashes of known abuse material.

    \b
    A first session:
      screener import known.csv --into known.list
      screener info known.list
      screener scan uploads/ --list known.list -o results.jsonl
    """


for _report_command in reporters.COMMANDS:
    report.add_command(_report_command)
for _section in SECTIONS.values():
    for _command in _section:
        cli.add_command(_command)


def main() -> None:
    """Run the command line and exit with the code that the command's help states."""
    streams.prepare()
    streams.print_warnings()
    process.handle_stop_signals()
    try:
        code = _flush_output(_run_command())
    except KeyboardInterrupt:  # after the command
        code = 130
    atexit.register(process.ignore_stop_signals)
    sys.exit(code)


def _run_command() -> Any:
    """Run the command, print an error if there is one, and return the exit code.

    If a message cannot be written, the exit code must not be Python's 1, which means a match.
    """
    try:
        return cli.main(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        message, code = "interrupted", 130
    except click.UsageError as error:
        message, code = usage_errors.format_usage_error(error), 2
    except click.ClickException as error:
        message, code = f"screener: {error.format_message()}", 2
    except ScreenerError as error:
        message, code = f"screener: {error}", 2
    except OSError as error:
        message, code = f"screener: {error.filename or 'input or output'}: {error.strerror}", 2
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message += ": make room, or write to another disk"
    except Exception as error:
        message, code = _describe_bug(error), 2
    with contextlib.suppress(OSError):
        click.echo(message, err=True)
    return code


def _describe_bug(error: Exception) -> str:
    # Without the text of the exception, which may contain a listed hash.
    calls = "".join(traceback.format_tb(error.__traceback__))
    return f"screener: a bug in screener, please report it:\n{calls}{type(error).__name__}"


def _flush_output(code: Any) -> Any:
    """Flush the output; return the exit code, or 2 if that fails.

    Python flushes again at exit, which must not fail.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None:  # It is None if it was closed from the start.
                stream.flush()
        except OSError:
            setattr(sys, name, io.StringIO())
            code = 2 if name == "stdout" else code
    return code
