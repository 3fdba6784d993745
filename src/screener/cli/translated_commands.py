"""Commands in Arabic, French or English, by `--language` or the environment.

Help texts and errors are English in the code and translated when shown. Names of commands and
options are not translated.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from screener.cli.option_types import OneOf
from screener.cli.usage_errors import (
    LANGUAGE_KEY,
    TranslatedUsageError,
    current_language,
    current_translator,
    describe_usage_error,
)
from screener.errors import HotlineError, ScreenerError
from screener.hotline.language.sentence import describe_os_error, mark
from screener.hotline.language.translator import Translator, get_translator
from screener.hotline.model.case import LANGUAGES, Language

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_NUMBERED = re.compile(r"( +\d+ +)(.*)", re.DOTALL)  # an exit code and its meaning
_RIGHT_TO_LEFT_ISOLATE, _POP_ISOLATE = "\u2067", "\u2069"
_HELP_OPTION_TEXT = mark("Show this help.")
_LANGUAGE_OPTION_TEXT = mark("Language of texts and messages (default: that of the environment).")

# `_find_language` reads it before click parses the command line, so that errors are translated too.
# If a group has it, it applies to its commands.
LANGUAGE_OPTION = click.option(
    "--language", type=OneOf(LANGUAGES), expose_value=False, help=_LANGUAGE_OPTION_TEXT
)


def _find_language(args: Sequence[str]) -> Language | None:
    """Return the language that a command line names, even if the rest of it is invalid."""
    code = None
    for index, arg in enumerate(args):
        if arg == "--":
            break
        name, equals, value = arg.partition("=")
        if name == "--language":
            code = value if equals else "".join(args[index + 1 : index + 2])
    return next((language for language in LANGUAGES if language == code), None)


class _Translated(click.Command):
    """A command whose help and usage errors are translated; base of commands and groups."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises TranslatedUsageError."""
        language = _find_language(args)
        if language is not None:
            ctx.meta[LANGUAGE_KEY] = language
        try:
            return super().parse_args(ctx, args)
        except (TranslatedUsageError, click.exceptions.NoArgsIsHelpError):
            raise
        except click.UsageError as error:
            raise TranslatedUsageError(describe_usage_error(error, ctx), ctx) from None

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        translate, pieces = current_translator(ctx), " ".join(self.collect_usage_pieces(ctx))
        # One pair of marks encloses the whole text, so that a wrapped line keeps its direction.
        before, _, after = translate.isolate_ltr("-").partition("-")
        path = f"{before}{ctx.command_path}"
        formatter.write_usage(path, f"{pieces}{after}", prefix=f"{translate('Usage:')} ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(translated_help(self.help or "", current_translator(ctx)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each option."""
        translate = current_translator(ctx)
        rows = [
            row
            for param in self.get_params(ctx)
            if (row := _option_row(param, ctx, translate)) is not None
        ]
        _write_section(formatter, translate("Options:"), rows)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the `--help` option, with this module's text instead of click's."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _HELP_OPTION_TEXT
        return option

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return completions with translated help."""
        translate, items = current_translator(ctx), super().shell_complete(ctx, incomplete)
        for item in items:
            if item.help:
                item.help = translate(item.help)
        return items


class TranslatedCommand(_Translated):
    """A command in the user's language."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises TranslatedUsageError, also for surplus ones."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise TranslatedUsageError(
                mark("unexpected arguments: {words}", words=" ".join(rest)), ctx
            )
        return rest


class TranslatedGroup(_Translated, click.Group):
    """A group of commands in the user's language."""

    command_class = TranslatedCommand

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand. Raises TranslatedUsageError if none is named."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if isinstance(error, TranslatedUsageError) or error.ctx is not ctx:
                raise
            raise TranslatedUsageError(mark("a command is missing"), ctx) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the named subcommand. Raises TranslatedUsageError."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            known = ", ".join(self.list_commands(ctx))
            message = mark(
                "there is no command {name}; there are: {known}", name=args[0], known=known
            )
            raise TranslatedUsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each option and each command."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each command."""
        translate = current_translator(ctx)
        names = self.list_commands(ctx)
        rows = [(name, _summarise(self.commands[name], translate)) for name in names]
        _write_section(formatter, translate("Commands:"), rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return completions, subcommands with their summaries."""
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            if item.value in self.commands:
                item.help = _summarise(self.commands[item.value], current_translator(ctx))
        return items


def translated(command: Callable[..., int]) -> Callable[..., int]:
    """Decorate a command that takes `translate`, a translator, and print its errors with it."""

    @LANGUAGE_OPTION
    @wraps(command)
    def in_language(*arguments: Any, **options: Any) -> int:
        translate = get_translator(current_language())
        try:
            return command(*arguments, translate=translate, **options)
        except (ScreenerError, OSError) as error:
            print_error(error, translate)
            return 2
        except click.Abort:
            click.echo(translate("interrupted"), err=True)
            return 130

    return in_language


def print_error(error: ScreenerError | OSError, translate: Translator) -> None:
    """Print an error in the user's language. Messages of lower layers stay English inside it."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, OSError):
        text = translate("{file}: {why}", file=error.filename or "–", why=describe_os_error(error))
    elif isinstance(error, HotlineError):
        text = translate.render(error)
    else:
        text = translate("the library reports an error: {why}", why=error)
    click.echo(translate.line(f"screener: {text}"), err=True)


def translated_help(text: str, translate: Callable[[str], str]) -> str:
    """Return a help text translated by paragraphs.

    A paragraph that keeps its lines is translated line by line. Indented lines, which are commands
    to type, stay as they are.
    """
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(_translate_paragraph(paragraph, translate) for paragraph in paragraphs)


def help_texts(command: click.Command) -> Iterator[str]:
    """Yield each text of a command's help that is translated separately."""
    texts: list[str] = []

    def collect(text: str) -> str:
        texts.append(text)
        return text

    translated_help(command.help or "", collect)
    yield from texts
    for param in command.params:
        if isinstance(param, click.Option) and param.help:
            yield param.help
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            yield from help_texts(subcommand)


def _translate_paragraph(text: str, translate: Callable[[str], str]) -> str:
    if not text.startswith("\b\n"):
        return translate(" ".join(text.split()))
    lines = text.split("\n")[1:]
    return "\n".join(["\b", *(_translate_line(line, translate) for line in lines)])


def _translate_line(text: str, translate: Callable[[str], str]) -> str:
    numbered = _NUMBERED.fullmatch(text)
    if numbered is not None:
        return numbered[1] + translate(numbered[2])
    return text if text.startswith(" ") else translate(text)


def _summarise(command: click.Command, translate: Translator) -> str:
    paragraph = translated_help(command.help or "", translate).partition("\n\n")[0]
    first, more, _ = paragraph.partition(". ")
    return f"{first}." if more else first


def _option_row(
    param: click.Parameter, ctx: click.Context, translate: Translator
) -> tuple[str, str] | None:
    if not isinstance(param, click.Option):
        return None
    unadorned_option = copy.copy(param)
    unadorned_option.required, unadorned_option.help = False, ""
    row = unadorned_option.get_help_record(ctx)
    if row is None:
        return None
    help_text = translate(param.help) if param.help else ""
    required = f"[{translate('required')}]" if param.required else ""
    text = " ".join(filter(None, (help_text, required)))
    # The option goes from left to right, its help in the direction of the language.
    return row[0], f"{_RIGHT_TO_LEFT_ISOLATE}{text}{_POP_ISOLATE}" if translate.rtl else text


def _write_section(
    formatter: click.HelpFormatter, title: str, rows: Sequence[tuple[str, str]]
) -> None:
    formatter.write_paragraph()
    formatter.write(f"{title}\n")
    with formatter.indentation():
        formatter.write_dl(rows)
