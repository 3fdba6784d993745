"""Speaking: commands whose help and mistakes are told in Arabic, French or English, by `--language`
or by the environment. Their texts stand in English where they are written, and are translated when
they are shown; names of options, commands and values are the same in all languages.
"""

from __future__ import annotations

import copy
import inspect
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from screener.errors import HotlineError
from screener.hotline.case import LANGUAGES, Language
from screener.hotline.language import Translator, preferred, translator
from screener.hotline.sentence import Sentence, marked

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_META = "screener.language"
_NUMBERED = re.compile(r"( +\d+ +)(.*)", re.DOTALL)  # an exit code and what it says
_HELP = marked("Show this help.")
LANGUAGE_HELP = marked("The language of what is said; that of the environment where left out.")


class Unfit(click.BadParameter):
    """A value of an option or argument that is of no use; `sentence` says why."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


class Place(click.Path):
    """The path of a file or folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A path of the kind that is wanted; Unfit."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            raise Unfit(_no_use(os.fsdecode(value), folder=not self.file_okay)) from None


def _no_use(path: str, *, folder: bool) -> Sentence:
    if not os.path.exists(path):  # which, unlike a Path's own, is not stopped by rights or a NUL
        message = marked("there is no folder {file}") if folder else marked("there is no {file}")
        return marked(message, file=path)
    if os.path.isdir(path) and not folder:
        return marked("{file} is a folder", file=path)
    if folder and not os.path.isdir(path):
        return marked("{file} is no folder", file=path)
    return marked("{file} cannot be opened", file=path)


class OneOf(click.Choice[str]):
    """One of some words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word; Unfit lists those there are."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            known = ", ".join(self.choices)
            raise Unfit(marked("{value} is none of: {known}", value=value, known=known)) from None


FILE = Place(exists=True, dir_okay=False, path_type=Path)
OUTPUT = Place(dir_okay=False, path_type=Path)
LANGUAGE = click.option("--language", type=OneOf(LANGUAGES), help=LANGUAGE_HELP)
# Where only the help and mistakes are spoken; of a group, also those of its commands.
SPOKEN = click.option("--language", type=OneOf(LANGUAGES), expose_value=False, help=LANGUAGE_HELP)


class Mistake(click.UsageError):
    """What was typed is no such command; told in the language of its context."""

    def __init__(self, sentence: Sentence, ctx: click.Context) -> None:
        super().__init__(str(sentence), ctx)
        self.sentence = sentence
        self._whose = ctx

    def format_message(self) -> str:
        """What is wrong."""
        return speaker(self._whose).told(self.sentence)

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell what is wrong, on standard error."""
        say, ctx = speaker(self._whose), self._whose
        click.echo(ctx.get_usage(), file=file, err=True)
        click.echo(say("For help: {command}", command=f"{ctx.command_path} --help"),
                   file=file, err=True)  # fmt: skip
        click.echo(f"\n{say('Error: {what}', what=self.sentence)}", file=file, err=True)


def speaker(ctx: click.Context | None = None) -> Translator:
    """The translator of a context, or of the current one. English where the catalogues cannot be
    read: a command that needs them says so when it is run.
    """
    ctx = ctx or click.get_current_context(silent=True)
    found: Language | None = None if ctx is None else ctx.meta.get(_META)
    try:
        return translator(found or preferred(os.environ))
    except HotlineError:
        return translator("en")


def language_of(ctx: click.Context) -> Language:
    """The language that was asked for; that of the environment where none was."""
    found: Language | None = ctx.meta.get(_META)
    return found or preferred(os.environ)


def _asked(args: Sequence[str]) -> Language | None:
    """The language that a command line names, also where something else of it is wrong."""
    given = None
    for number, one in enumerate(args):
        if one == "--":
            break
        name, equals, value = one.partition("=")
        if name == "--language":
            given = value if equals else "".join(args[number + 1 : number + 2])
    return next((language for language in LANGUAGES if language == given), None)


class _Speaking(click.Command):
    """What commands and groups have in common."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As of any command, with mistakes told in the language asked for."""
        asked = _asked(args)
        if asked is not None:
            ctx.meta[_META] = asked
        try:
            return super().parse_args(ctx, args)
        except (Mistake, click.exceptions.NoArgsIsHelpError):
            raise
        except click.UsageError as error:
            raise Mistake(_sentence_of(error, ctx), ctx) from None

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How the command is typed."""
        say, pieces = speaker(ctx), " ".join(self.collect_usage_pieces(ctx))
        # Isolated as a whole, also where it goes on in a second line.
        before, _, after = say.exact("-").partition("-")
        path = f"{before}{ctx.command_path}"
        formatter.write_usage(path, f"{pieces}{after}", prefix=f"{say('Usage:')} ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the command does."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(mapped(self.help or "", speaker(ctx)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line for each option."""
        say = speaker(ctx)
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
        say, found = speaker(ctx), super().shell_complete(ctx, incomplete)
        for one in found:
            if one.help:
                one.help = say(one.help)
        return found


class Speaking(_Speaking):
    """A command that speaks."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As of any command, with more words than it takes told likewise."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise Mistake(
                marked("more than this command takes: {words}", words=" ".join(rest)), ctx
            )
        return rest


class SpeakingGroup(_Speaking, click.Group):
    """A group of commands that speak."""

    command_class = Speaking

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if isinstance(error, Mistake) or error.ctx is not ctx:
                raise
            raise Mistake(marked("a command is missing"), ctx) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; Mistake."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            known = ", ".join(self.list_commands(ctx))
            raise Mistake(
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
        say = speaker(ctx)
        rows = [(name, _short(self.commands[name], say)) for name in self.list_commands(ctx)]
        _list(formatter, say("Commands:"), rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a shell offers, with a word on each."""
        found = super().shell_complete(ctx, incomplete)
        for one in found:
            if one.value in self.commands:
                one.help = _short(self.commands[one.value], speaker(ctx))
        return found


def mapped(text: str, say: Callable[[str], str]) -> str:
    """A help text with each of its paragraphs said; of one that is laid out by lines each line,
    but for commands to type, which are indented.
    """
    return "\n\n".join(_paragraph(one, say) for one in inspect.cleandoc(text).split("\n\n"))


def texts_of(command: click.Command) -> Iterator[str]:
    """All that the help of a command says, piece by piece as it is translated."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    mapped(command.help or "", note)
    yield from found
    for one in command.params:
        if isinstance(one, click.Option) and one.help:
            yield one.help
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from texts_of(below)


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
    first, more, _ = mapped(command.help or "", say).partition("\n\n")[0].partition(". ")
    return f"{first}." if more else first


def _row(param: click.Parameter, ctx: click.Context, say: Translator) -> tuple[str, str] | None:
    """An option and its help."""
    if not isinstance(param, click.Option):
        return None
    told = copy.copy(param)
    told.required, told.help = False, ""
    row = told.get_help_record(ctx)
    if row is None:
        return None
    words = say(param.help) if param.help else ""
    required = f"[{say('required')}]" if param.required else ""
    return row[0], " ".join(filter(None, (words, required)))


def _list(formatter: click.HelpFormatter, title: str, rows: Sequence[tuple[str, str]]) -> None:
    formatter.write_paragraph()
    formatter.write(f"{title}\n")
    with formatter.indentation():
        formatter.write_dl(rows)


def _sentence_of(error: click.UsageError, ctx: click.Context) -> Sentence:
    """What is wrong with a command line."""
    if isinstance(error, Unfit):
        return marked("{name}: {what}", name=_name(error.param), what=error.sentence)
    if isinstance(error, click.MissingParameter):
        return marked("{name} is missing", name=_name(error.param))
    if isinstance(error, click.NoSuchOption):
        if not error.possibilities:
            return marked("there is no option {name}", name=error.option_name)
        return marked(
            "there is no option {name}; did you mean: {known}?",
            name=error.option_name, known=", ".join(sorted(error.possibilities)),
        )  # fmt: skip
    if isinstance(error, click.BadOptionUsage):
        option = next((one for one in ctx.command.get_params(ctx)
                       if error.option_name in one.opts), None)  # fmt: skip
        if isinstance(option, click.Option) and option.is_flag:
            return marked("{name} stands alone, without a value", name=error.option_name)
        return marked("{name} needs a value", name=error.option_name)
    return marked("this cannot be understood: {what}", what=error.format_message())


def _name(param: click.Parameter | None) -> str:
    if param is None:
        return "–"
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.human_readable_name.upper()
