"""Usage errors, all in one form: `screener: ` and the error, then the command for help.

The errors of `report` and of the hotline's commands are in the user's language.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import IO, Any

import click

from screener.errors import HotlineError, printable
from screener.hotline.language.sentence import Sentence, mark
from screener.hotline.language.translator import Translator, detect_language, get_translator
from screener.hotline.model.case import Language

LANGUAGE_KEY = "screener.language"
"""The key of the language in a context's `meta`."""


class InvalidValue(click.BadParameter):
    """An invalid value of an option or argument; `sentence` is the reason."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


class TranslatedUsageError(click.UsageError):
    """A usage error in the language of its context."""

    def __init__(self, sentence: Sentence, ctx: click.Context) -> None:
        super().__init__(str(sentence), ctx)
        self.sentence = sentence
        self._context = ctx

    def format_message(self) -> str:
        """Return the translated error."""
        return current_translator(self._context).render(self.sentence)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print usage and error to standard error."""
        translate, ctx = current_translator(self._context), self._context
        click.echo(ctx.get_usage(), file=file, err=True)
        click.echo(translate("For help: {command}", command=f"{ctx.command_path} --help"),
                   file=file, err=True)  # fmt: skip
        click.echo(f"\n{translate('Error: {what}', what=self.sentence)}", file=file, err=True)


class Group(click.Group):
    """A command group whose usage errors `format_usage_error` can print."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Click leaves `error.ctx` unset if an option lacks its value: set it.
        """
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if error.ctx is None:
                name = ctx.invoked_subcommand or ""
                error.ctx = click.Context(self.commands[name], parent=ctx, info_name=name)
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; suggest similar names if there is none."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            similar = ", ".join(get_close_matches(args[0], self.commands))
            suggestion = f"; did you mean: {similar}?" if similar else ""
            ctx.fail(f"there is no command {args[0]}{suggestion}")
        return super().resolve_command(ctx, args)


def format_usage_error(error: click.UsageError) -> str:
    """Return the lines to print for a usage error."""
    ctx = error.ctx
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()  # the complete help
    if ctx is None:
        return f"screener: {error.format_message()}\nFor help: screener --help"
    if isinstance(error, TranslatedUsageError):
        translate, message = current_translator(ctx), error.format_message()
    else:
        translate, message = get_translator("en"), _describe_in_english(error, ctx)
    hint = translate("For help: {command}", command=f"{ctx.command_path} --help")
    return f"{translate.line(f'screener: {message}')}\n{hint}"


def _describe_in_english(error: click.UsageError, ctx: click.Context) -> str:
    translated = (InvalidValue, click.MissingParameter, click.NoSuchOption, click.BadOptionUsage)
    if isinstance(error, translated):
        return str(describe_usage_error(error, ctx))
    message = printable(error.message)
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{_name(error.param)}: {message}"
    return message[:1].lower() + message[1:]


def current_translator(ctx: click.Context | None = None) -> Translator:
    """Return the translator of a context (default: the current one).

    If the catalogues cannot be read, it is English; a command that needs them reports that later.
    """
    try:
        return get_translator(current_language(ctx))
    except HotlineError:
        return get_translator("en")


def current_language(ctx: click.Context | None = None) -> Language:
    """Return the language of a context (default: the current one) or of the environment."""
    ctx = ctx or click.get_current_context(silent=True)
    language: Language | None = None if ctx is None else ctx.meta.get(LANGUAGE_KEY)
    return language or detect_language(os.environ)


def describe_usage_error(error: click.UsageError, ctx: click.Context) -> Sentence:
    """Return a usage error of Click as a sentence that can be translated."""
    if isinstance(error, InvalidValue):
        return mark("{name}: {what}", name=_name(error.param), what=error.sentence)
    if isinstance(error, click.MissingParameter):
        return mark("{name} is missing", name=_name(error.param))
    if isinstance(error, click.NoSuchOption):
        if not error.possibilities:
            return mark("there is no option {name}", name=error.option_name)
        return mark(
            "there is no option {name}; did you mean: {known}?",
            name=error.option_name, known=", ".join(sorted(error.possibilities)),
        )  # fmt: skip
    if isinstance(error, click.BadOptionUsage):
        params = ctx.command.get_params(ctx)
        option = next((param for param in params if error.option_name in param.opts), None)
        if isinstance(option, click.Option) and option.is_flag:
            return mark("{name} takes no value", name=error.option_name)
        return mark("{name} needs a value", name=error.option_name)
    return mark("this cannot be understood: {what}", what=error.format_message())


def _name(param: click.Parameter | None) -> str:
    if param is None:
        return "–"
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.human_readable_name.upper()
