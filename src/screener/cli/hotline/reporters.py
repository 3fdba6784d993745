"""The commands of reporters: `report create`, `status`, `withdraw`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from screener.cli.hotline.helpline_output import HELPLINES_OPTION, print_helplines
from screener.cli.option_types import FILE, OUTPUT
from screener.cli.translated_commands import TranslatedCommand, print_error, translated
from screener.cli.usage_errors import current_translator
from screener.errors import HotlineError, ScreenerError
from screener.hotline.language.sentence import mark
from screener.hotline.language.translator import Translator
from screener.hotline.language.wording import FOR_REPORTERS

if TYPE_CHECKING:
    from screener.hotline.reports.reporting import CreatedReport
    from screener.hotline.reports.sealed import Secret

_KEY_OPTION = click.option(
    "--to", "key", required=True, type=FILE, help="The hotline's public key."
)
_OUTPUT_OPTION = click.option(
    "-o", "--output", required=True, type=OUTPUT,
    help="The file to write, to be handed to the hotline.",
)  # fmt: skip
_COUNTRY_OPTION = click.option(
    "--country",
    help="Two letters, such as MA: for its helplines; a report contains it.",
)


class ReporterCommand(TranslatedCommand):
    """A command whose help and usage errors come with helplines."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Before a usage error, print the helplines."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError:
            # `ctx.params` has the parameters that were parsed before the error.
            print_helplines(
                ctx.params.get("country"), ctx.params.get("helplines"), current_translator(ctx)
            )
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the helplines."""
        from screener.hotline import helplines

        translate = current_translator(ctx)
        formatter.write_paragraph()
        for line in helplines.format_lines(
            helplines.select_for_reporter(None, translate.language), translate
        ):
            formatter.write(f"{line}\n")


def _reporter_command(command: Callable[..., int]) -> Callable[..., int]:
    """Decorate a command that takes `translate` and `country`; print helplines after it."""

    @_COUNTRY_OPTION
    @HELPLINES_OPTION
    @translated
    @wraps(command)
    def with_helplines(
        *args: Any, translate: Translator, helplines: Path | None, **options: Any
    ) -> int:
        try:
            return command(*args, translate=translate, **options)
        except (ScreenerError, OSError) as error:
            print_error(error, translate)
            return 2
        finally:
            print_helplines(options["country"], helplines, translate)

    return with_helplines


_FINDING_MESSAGES = {
    "name": mark("This may be a name: {words}"),
    "phone": mark("This may be a phone number: {words}"),
    "email": mark("This may be an e-mail address: {words}"),
}


@click.command(cls=ReporterCommand)
@_KEY_OPTION
@_OUTPUT_OPTION
@click.option("--address", "addresses", multiple=True, help="Where you saw it. Repeatable.")
@click.option(
    "--my-image", "my_images", multiple=True, type=FILE,
    help="A picture or clip of yourself, which stays on this computer. Repeatable.",
)  # fmt: skip
@click.option("--note", default="", help="What else the hotline should know. No names.")
@_reporter_command
def create(
    key: Path, output: Path, addresses: tuple[str, ...], my_images: tuple[Path, ...], note: str,
    country: str | None, translate: Translator,
) -> int:  # fmt: skip
    """Report content to a hotline, without a name; nothing is sent from here.

    The address where you saw it suffices. Do not download anything. If it shows yourself and you
    have the picture or clip, --my-image makes hashes of it here, by which the hotline can find it;
    the picture itself does not leave your computer.

    \b
    Examples:
      screener report create --to hotline.pub --address https://example.org/1 -o report.sealed
      screener report create --to hotline.pub --my-image me.jpg -o report.sealed --language ar
    """
    from screener.hotline.reports import reporting

    click.echo(translate("Do not download anything: the address where you saw it is enough."))
    created = reporting.create(
        output, key=key, addresses=addresses, my_images=my_images, note=note,
        language=translate.language, country=country,
    )  # fmt: skip
    try:
        _print_report(created, output, my_images, translate)
    except BaseException:  # such as a closed pipe, a full disk, or Ctrl-C
        output.unlink()  # a report whose secret was not shown is useless to its reporter
        raise
    return 2 if created.failures else 0


def _print_report(
    created: CreatedReport, output: Path, my_images: tuple[Path, ...], translate: Translator
) -> None:
    for failure in created.failures:
        name = my_images[failure.index].name
        click.echo(
            translate(
                "{file} is not in the report: it cannot be hashed ({reason}).",
                file=name,
                reason=failure.reason,
            ),
            err=True,
        )
    if created.findings:
        click.echo(
            translate(
                "The report tells more than it needs to. If you do not want that, delete it"
                " and make another:"
            ),
            err=True,
        )
        for finding in created.findings:
            click.echo(
                "  " + translate(_FINDING_MESSAGES[finding.kind], words=finding.words), err=True
            )
    click.echo(translate("The report is {file}. Only the hotline can read it.", file=output))
    click.echo(translate("Your secret: {secret}", secret=created.secret.text))
    click.echo(
        translate(
            "Keep it. It alone shows how your report stands, or takes it back. Nobody can"
            " give it to you again."
        )
    )


@click.command(cls=ReporterCommand)
@click.argument("path", metavar="STATUS", type=FILE)
@_reporter_command
def status(path: Path, country: str | None, translate: Translator) -> int:
    """Show how your report stands, from the file that the hotline publishes, with your secret.

    The secret is asked for, or read from standard input.
    """
    from screener.hotline.reports import status_file

    secret = _ask_secret(translate)
    with path.open("rb") as stream:
        data = stream.read(status_file.MAX_FILE_BYTES + 1)
    current = status_file.read(data[: status_file.MAX_FILE_BYTES], secret)
    if current is None:
        raise HotlineError(mark("the file has no report with this secret: it may be older"))
    click.echo(translate(FOR_REPORTERS[current.state]))
    click.echo(translate("Received on {day}.", day=translate.day(current.received)))
    click.echo(translate("In this state since {day}.", day=translate.day(current.since)))
    return 0


@click.command(cls=ReporterCommand)
@_KEY_OPTION
@_OUTPUT_OPTION
@_reporter_command
def withdraw(key: Path, output: Path, country: str | None, translate: Translator) -> int:
    """Take your report back: write a file for the hotline, which looks like a report.

    The secret is asked for, or read from standard input.
    """
    from screener.hotline.reports import reporting

    reporting.withdraw(output, key=key, secret=_ask_secret(translate))
    click.echo(translate("Hand {file} to the hotline as you did the report.", file=output))
    return 0


def _ask_secret(translate: Translator) -> Secret:
    from screener.hotline.reports.sealed import Secret

    if sys.stdin is None:
        return Secret.parse("")
    if not sys.stdin.isatty():  # undecodable bytes become characters that are no letters
        return Secret.parse(sys.stdin.buffer.readline(1000).decode("utf-8", "replace"))
    return Secret.parse(click.prompt(translate("Your secret"), hide_input=True))


COMMANDS = (create, status, withdraw)
