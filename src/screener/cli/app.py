"""The command line: the group of all commands, and what becomes of its exit code."""

from __future__ import annotations

import atexit
import contextlib
import io
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import click

from screener.cli import (
    auditing,
    calibrating,
    console,
    exchange,
    keeping,
    reporting,
    scanning,
    screening,
    upkeep,
)
from screener.cli.hotline import cases, hotline
from screener.errors import ScreenerError
from screener.system import process
from screener.system.installation import __version__


class _Commands(click.Group):
    """The commands; a reader of the output that goes away ends them, and is no match.

    Here and not in `main`, since click would end the process with 1, which says a match.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Also prints the help and the version."""
        with _reader_gone():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_gone():
            return super().invoke(ctx)


@contextlib.contextmanager
def _reader_gone() -> Iterator[None]:
    """End with 141 where whoever read the output has gone."""
    try:
        yield
    except BrokenPipeError:
        # Python must not stumble over the pipe once more when it flushes at exit.
        sys.stdout = io.StringIO()
        raise click.exceptions.Exit(141) from None


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


for _commands in (
    exchange, scanning, screening, calibrating, reporting, auditing, keeping, upkeep, hotline, cases
):  # fmt: skip
    for _command in _commands.COMMANDS:
        cli.add_command(_command)


def main() -> None:
    """Run the command line; the exit codes are those that its help tells."""
    console.fill_standard_streams()
    console.tell_warnings()
    process.handle_stop_signals()
    try:
        code = _flushed(_exit_code())
    except KeyboardInterrupt:  # behind the command
        code = 130
    atexit.register(process.ignore_stop_signals)
    sys.exit(code)


def _exit_code() -> Any:
    """What the command ends with. What cannot be told, as standard error has gone or is full, must
    not end with Python's 1, which says a match.
    """
    try:
        return cli.main(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        told, code = "interrupted", 130
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return 2
    except ScreenerError as error:
        told, code = f"screener: {error}", 2
    except OSError as error:
        told, code = f"screener: {error.filename or 'input or output'}: {error.strerror}", 2
    except Exception as error:
        # A fault of ours.
        told, code = _fault(error), 2
    with contextlib.suppress(OSError):
        click.echo(told, err=True)
    return code


def _fault(error: Exception) -> str:
    """Where an exception arose and of which type it is; not its words, which may hold a hash."""
    where = "".join(traceback.format_tb(error.__traceback__))
    return f"screener: a fault of screener itself, please report it:\n{where}{type(error).__name__}"


def _flushed(code: Any) -> Any:
    """The exit code, or 2 where the end of the output cannot be written. Python, which flushes once
    more, must not stumble over that.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None:  # closed from the beginning
                stream.flush()
        except OSError:
            setattr(sys, name, io.StringIO())
            code = 2 if name == "stdout" else code
    return code
