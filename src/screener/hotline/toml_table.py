"""Read tables of an operator's TOML file, with translatable errors that name file and field."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from screener.errors import HotlineError
from screener.hotline.language.sentence import describe_os_error, mark
from screener.system import files

_MAX_TEXT_LENGTH = 2000
Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a TOML file. The root table has the name ""."""

    file: str
    name: str
    values: dict[str, Any] = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read a TOML file. Raises HotlineError if it cannot be read or is not TOML."""
        try:
            return cls(str(path), "", files.read_toml(path))
        except OSError as error:
            reason = describe_os_error(error)
        except UnicodeDecodeError:
            reason = mark("it is not written in UTF-8")
        except ValueError as error:
            reason = _describe_toml_error(str(error))
        raise HotlineError(mark("{file} cannot be read: {why}"), file=path, why=reason)

    def error(self, message: str, name: str, **values: object) -> HotlineError:
        """Return an error about a field; `message` has places for `{file}` and `{field}`."""
        full = f"{self.name}.{name}" if self.name else name
        return HotlineError(message, file=self.file, field=full, **values)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise HotlineError if the table has an unknown field, such as a misspelt one."""
        for name in self.values:
            if name not in names:
                message = mark("{file}: {field} is not a field; there are: {known}")
                raise self.error(message, name, known=", ".join(names))

    def table(self, name: str) -> Table:
        """Return a sub-table. Raises HotlineError if it is missing."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self.error(mark("{file}: {field} is not a table, or is missing"), name)
        return Table(self.file, f"{self.name}.{name}" if self.name else name, value)

    def text(
        self, name: str, default: str | None = None, *, max_length: int = _MAX_TEXT_LENGTH
    ) -> str:
        """Return one line of text.

        Raises HotlineError if it is not one line, too long, or empty without a default.
        """
        value = self.values.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            message = mark("{file}: {field} must be a text, not missing or empty")
            raise self.error(message, name)
        if len(value) > max_length or not value.isprintable():
            message = mark("{file}: {field} must be one line of text, at most {most} characters")
            raise self.error(message, name, most=max_length)
        return value.strip()

    def text_like(self, name: str, pattern: str, example: str, default: str | None = None) -> str:
        """Return one line of text. Raises HotlineError if it does not match a pattern."""
        value = self.text(name, default)
        if not re.fullmatch(pattern, value, re.ASCII):
            raise self.error(
                mark("{file}: {field} must look like {example}"), name, example=example
            )
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, empty by default."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.error(mark("{file}: {field} must be a list of texts"), name)
        return tuple(value)

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """Return a text. Raises HotlineError if it is not among the choices."""
        value = self.text(name, default)
        if value not in choices and value != default:
            message = mark("{file}: {field} must be one of {known}")
            raise self.error(message, name, known=", ".join(choices))
        return value

    def choices(
        self,
        name: str,
        is_choice: Callable[[Any], bool],
        example: str,
        default: Sequence[Choice] = (),
    ) -> tuple[Choice, ...]:
        """Return a list of texts without duplicates. Raises HotlineError if one is no choice."""
        value = self.values.get(name, list(default))
        if not isinstance(value, list) or not all(map(is_choice, value)):
            message = mark("{file}: {field} must be a list with some of: {known}")
            raise self.error(message, name, known=example)
        return tuple(dict.fromkeys(value))


def _describe_toml_error(error: str) -> str:
    position = re.search(r"at line (\d+), column (\d+)", error)
    if position is None:
        return mark("it ends too early")
    line, column = map(int, position.groups())
    return mark("line {line} is not TOML from column {column} on", line=line, column=column)
