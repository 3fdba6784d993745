"""The command line: the group of all commands, and what becomes of its exit code."""

from __future__ import annotations

import io
import sys
import traceback
from typing import Any

import click

from screener import console
from screener.commands import (
    auditing,
    calibrating,
    cases,
    exchange,
    hotline,
    keeping,
    reporting,
    scanning,
    screening,
    upkeep,
)
from screener.errors import ScreenerError
from screener.version import __version__


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


for _commands in (
    exchange, scanning, screening, calibrating, reporting, auditing, keeping, upkeep, hotline, cases
):  # fmt: skip
    for _command in _commands.COMMANDS:
        cli.add_command(_command)


def main() -> None:
    """Run the command line; the exit codes are those that its help tells."""
    console.fill_standard_streams()
    console.tell_warnings()
    try:
        code = cli.main(standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
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
    except Exception as error:
        # A fault of ours; it must not end with Python's 1, which says a match.
        _tell_fault(error)
        code = 2
    sys.exit(code)


def _tell_fault(error: Exception) -> None:
    """Where an exception arose and of which type it is; not its words, which may hold a hash."""
    click.echo("screener: a fault of screener itself, please report it:", err=True)
    click.echo("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__, err=True)
