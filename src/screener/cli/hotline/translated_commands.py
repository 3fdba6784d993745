"""Speaking: commands whose help, mistakes and errors are told in Arabic, French or English, by
`--language` or by the environment. Their texts stand in English where they are written, and are
translated when they are shown; names of options, commands and values are the same in all languages.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from screener.cli.hotline.usage_errors import (
    LANGUAGE_KEY,
    OneOf,
    TranslatedUsageError,
    current_language,
    current_translator,
    describe_usage_error,
)
from screener.errors import HotlineError, ScreenerError
from screener.hotline.language.sentence import marked, why
from screener.hotline.language.translator import Translator, translator
from screener.hotline.model.case import LANGUAGES, Language

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_NUMBERED = re.compile(r"( +\d+ +)(.*)", re.DOTALL)  # an exit code and what it says
_RIGHT_TO_LEFT_ISOLATE, _POP_ISOLATE = "\u2067", "\u2069"
_HELP = marked("Show this help.")
_LANGUAGE = marked("The language of what is said; that of the environment where left out.")

# It is found where a command line is parsed, and asked for of its context; of a group, it is that
# of its commands too.
LANGUAGE_OPTION = click.option(
    "--language", type=OneOf(LANGUAGES), expose_value=False, help=_LANGUAGE
)


def _language_option(args: Sequence[str]) -> Language | None:
    """The language that a command line names, also where something else of it is wrong."""
    given = None
    for number, one in enumerate(args):
        if one == "--":
            break
        name, equals, value = one.partition("=")
        if name == "--language":
            given = value if equals else "".join(args[number + 1 : number + 2])
    return next((language for language in LANGUAGES if language == given), None)


class _TranslatedCommand(click.Command):
    """What commands and groups have in common."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As of any command, with mistakes told in the language asked for."""
        asked = _language_option(args)
        if asked is not None:
            ctx.meta[LANGUAGE_KEY] = asked
        try:
            return super().parse_args(ctx, args)
        except (TranslatedUsageError, click.exceptions.NoArgsIsHelpError):
            raise
        except click.UsageError as error:
            raise TranslatedUsageError(describe_usage_error(error, ctx), ctx) from None

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How the command is typed."""
        say, pieces = current_translator(ctx), " ".join(self.collect_usage_pieces(ctx))
        # Isolated as a whole, also where it goes on in a second line.
        before, _, after = say.isolated_ltr("-").partition("-")
        path = f"{before}{ctx.command_path}"
        formatter.write_usage(path, f"{pieces}{after}", prefix=f"{say('Usage:')} ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the command does."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(translated_help(self.help or "", current_translator(ctx)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each option."""
        say = current_translator(ctx)
        rows = [row for one in self.get_params(ctx) if (row := _row(one, ctx, say)) is not None]
        _list(formatter, say("Options:"), rows)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """`--help`, in words of ours."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _HELP
        return option

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers, with a word on each."""
        say, found = current_translator(ctx), super().shell_complete(ctx, incomplete)
        for one in found:
            if one.help:
                one.help = say(one.help)
        return found


class TranslatedCommand(_TranslatedCommand):
    """A command that speaks."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As of any command, with more words than it takes told likewise."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise TranslatedUsageError(
                marked("more than this command takes: {words}", words=" ".join(rest)), ctx
            )
        return rest


class TranslatedGroup(_TranslatedCommand, click.Group):
    """A group of commands that speak."""

    command_class = TranslatedCommand

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if isinstance(error, TranslatedUsageError) or error.ctx is not ctx:
                raise
            raise TranslatedUsageError(marked("a command is missing"), ctx) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; Mistake."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            known = ", ".join(self.list_commands(ctx))
            raise TranslatedUsageError(
                marked("there is no command {name}; there are: {known}", name=args[0], known=known),
                ctx,
            )
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each option, and for each command."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each command."""
        say = current_translator(ctx)
        rows = [(name, _short(self.commands[name], say)) for name in self.list_commands(ctx)]
        _list(formatter, say("Commands:"), rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers, with a word on each."""
        found = super().shell_complete(ctx, incomplete)
        for one in found:
            if one.value in self.commands:
                one.help = _short(self.commands[one.value], current_translator(ctx))
        return found


def translated(command: Callable[..., int]) -> Callable[..., int]:
    """A command that is given `say`, the translator of the language asked for, in which is told
    also what is not allowed or goes wrong.
    """

    @LANGUAGE_OPTION
    @wraps(command)
    def in_language(*given: Any, **options: Any) -> int:
        say = translator(current_language())
        try:
            return command(*given, say=say, **options)
        except (ScreenerError, OSError) as error:
            print_error(error, say)
            return 2
        except click.Abort:
            click.echo(say("interrupted"), err=True)
            return 130

    return in_language


def print_error(error: ScreenerError | OSError, say: Translator) -> None:
    """Tell what was wrong, in a language; what the layers below say stands in it in English."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, OSError):
        told = say("{file}: {why}", file=error.filename or "–", why=why(error))
    elif isinstance(error, HotlineError):
        told = say.render(error)
    else:
        told = say("something else than the hotline's own is not in order: {why}", why=error)
    click.echo(say.line(f"screener: {told}"), err=True)


def translated_help(text: str, say: Callable[[str], str]) -> str:
    """A help text with each of its paragraphs said; of one that is laid out by lines each line,
    but for commands to type, which are indented.
    """
    return "\n\n".join(_paragraph(one, say) for one in inspect.cleandoc(text).split("\n\n"))


def help_texts(command: click.Command) -> Iterator[str]:
    """All that the help of a command says, piece by piece as it is translated."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    translated_help(command.help or "", note)
    yield from found
    for one in command.params:
        if isinstance(one, click.Option) and one.help:
            yield one.help
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from help_texts(below)


def _paragraph(text: str, say: Callable[[str], str]) -> str:
    if not text.startswith("\b\n"):
        return say(" ".join(text.split()))
    return "\n".join(["\b", *(_line(one, say) for one in text.split("\n")[1:])])


def _line(text: str, say: Callable[[str], str]) -> str:
    numbered = _NUMBERED.fullmatch(text)
    if numbered is not None:
        return numbered[1] + say(numbered[2])
    return text if text.startswith(" ") else say(text)


def _short(command: click.Command, say: Translator) -> str:
    """A command in a line: the first sentence of its help."""
    first, more, _ = translated_help(command.help or "", say).partition("\n\n")[0].partition(". ")
    return f"{first}." if more else first


def _row(param: click.Parameter, ctx: click.Context, say: Translator) -> tuple[str, str] | None:
    """An option and its help."""
    if not isinstance(param, click.Option):
        return None
    bare = copy.copy(param)
    bare.required, bare.help = False, ""
    row = bare.get_help_record(ctx)
    if row is None:
        return None
    words = say(param.help) if param.help else ""
    required = f"[{say('required')}]" if param.required else ""
    told = " ".join(filter(None, (words, required)))
    # The line begins with the option, from left to right; what follows keeps its own direction.
    return row[0], f"{_RIGHT_TO_LEFT_ISOLATE}{told}{_POP_ISOLATE}" if say.rtl else told


def _list(formatter: click.HelpFormatter, title: str, rows: Sequence[tuple[str, str]]) -> None:
    formatter.write_paragraph()
    formatter.write(f"{title}\n")
    with formatter.indentation():
        formatter.write_dl(rows)
