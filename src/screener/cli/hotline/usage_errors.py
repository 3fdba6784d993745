"""Parameter types and usage errors of the hotline's commands, in the user's language."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

import click

from screener.errors import HotlineError
from screener.hotline.language.sentence import Sentence, marked
from screener.hotline.language.translator import Translator, preferred, translator
from screener.hotline.model.case import Language

LANGUAGE_KEY = "screener.language"  # of a context's `meta`


class InvalidValue(click.BadParameter):
    """An invalid value of an option or argument; `sentence` says why."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


class Place(click.Path):
    """The path of a file or folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises InvalidValue.

        An empty path, as of an unset variable, counts as missing.
        """
        if not os.fspath(value):
            raise click.MissingParameter(ctx=ctx, param=param)
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            raise InvalidValue(
                _describe_path_error(os.fsdecode(value), folder=not self.file_okay)
            ) from None


def _describe_path_error(path: str, *, folder: bool) -> Sentence:
    if not os.path.exists(
        path
    ):  # unlike Path.exists(), it accepts a NUL and paths without permission
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
        """Return the word. Raises InvalidValue that lists the words."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            known = ", ".join(self.choices)
            raise InvalidValue(
                marked("{value} is not one of: {known}", value=value, known=known)
            ) from None


class Named(Place):
    """The path of a file to write, with one of some suffixes."""

    def __init__(self, *ends: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self._ends = ends

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises InvalidValue that lists the suffixes."""
        path = super().convert(value, param, ctx)
        if path.suffix.lower() not in self._ends:
            known = ", ".join(f"NAME{end}" for end in self._ends)
            raise InvalidValue(marked("{value} is not one of: {known}", value=path, known=known))
        return path


FILE = Place(exists=True, dir_okay=False, path_type=Path)
OUTPUT = Place(dir_okay=False, path_type=Path)


class TranslatedUsageError(click.UsageError):
    """A usage error in the language of its context."""

    def __init__(self, sentence: Sentence, ctx: click.Context) -> None:
        super().__init__(str(sentence), ctx)
        self.sentence = sentence
        self._context = ctx

    def format_message(self) -> str:
        """Return what is wrong."""
        return current_translator(self._context).render(self.sentence)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print usage and error to standard error."""
        say, ctx = current_translator(self._context), self._context
        click.echo(ctx.get_usage(), file=file, err=True)
        click.echo(say("For help: {command}", command=f"{ctx.command_path} --help"),
                   file=file, err=True)  # fmt: skip
        click.echo(f"\n{say('Error: {what}', what=self.sentence)}", file=file, err=True)


def current_translator(ctx: click.Context | None = None) -> Translator:
    """Return the translator of a context, the current one by default.

    It is English if the catalogues cannot be read; a command that needs them reports that when run.
    """
    try:
        return translator(current_language(ctx))
    except HotlineError:
        return translator("en")


def current_language(ctx: click.Context | None = None) -> Language:
    """Return the language of a context (default: the current one), or of the environment."""
    ctx = ctx or click.get_current_context(silent=True)
    language: Language | None = None if ctx is None else ctx.meta.get(LANGUAGE_KEY)
    return language or preferred(os.environ)


def describe_usage_error(error: click.UsageError, ctx: click.Context) -> Sentence:
    """Return what is wrong with a command line."""
    if isinstance(error, InvalidValue):
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
            return marked("{name} takes no value", name=error.option_name)
        return marked("{name} needs a value", name=error.option_name)
    return marked("this cannot be understood: {what}", what=error.format_message())


def _name(param: click.Parameter | None) -> str:
    if param is None:
        return "–"
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.human_readable_name.upper()
