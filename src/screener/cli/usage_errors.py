"""Usage errors, all in one form: `screener: ` and what is wrong, then the command for help."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import click

from screener.cli.hotline.usage_errors import (
    InvalidValue,
    TranslatedUsageError,
    current_translator,
    describe_usage_error,
)
from screener.errors import printable
from screener.hotline.language.translator import translator


class Group(click.Group):
    """A group of commands, whose wrong calls can be reported by `message_of`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Click names no context if an option lacks its value: add it."""
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
        """Return the command that the arguments name. For an unknown one, name those alike."""
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            alike = ", ".join(get_close_matches(args[0], self.commands))
            ctx.fail(f"there is no command {args[0]}" + (f"; did you mean: {alike}?" * bool(alike)))
        return super().resolve_command(ctx, args)


def message_of(error: click.UsageError) -> str:
    """Return the lines for a wrong call; for a hotline's command in the language asked for."""
    ctx = error.ctx
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()  # the whole help
    if ctx is None:
        return f"screener: {error.format_message()}\nFor help: screener --help"
    say = current_translator(ctx) if isinstance(error, TranslatedUsageError) else translator("en")
    what = (
        error.format_message()
        if isinstance(error, TranslatedUsageError)
        else _what_is_wrong(error, ctx)
    )
    hint = say("For help: {command}", command=f"{ctx.command_path} --help")
    return f"{say.line(f'screener: {what}')}\n{hint}"


def _what_is_wrong(error: click.UsageError, ctx: click.Context) -> str:
    translated = (InvalidValue, click.MissingParameter, click.NoSuchOption, click.BadOptionUsage)
    if isinstance(error, translated):
        return str(describe_usage_error(error, ctx))
    what = printable(error.message)
    if isinstance(error, click.BadParameter) and error.param is not None:
        option = isinstance(error.param, click.Option)
        name = max(error.param.opts, key=len)
        return f"{name if option else error.param.human_readable_name.upper()}: {what}"
    return what[:1].lower() + what[1:]
