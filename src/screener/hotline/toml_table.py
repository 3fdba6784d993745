"""Table: one table of a file that the operator writes, whose fields are read with errors that name
the file and the field, in words that can be translated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from screener.errors import HotlineError
from screener.hotline.language.sentence import marked, why
from screener.system import files

_LONGEST = 2000  # characters of a text
Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True)
class Table:
    """The values of a table, of which file it is, and by which name; "" for the file's own."""

    file: str
    name: str
    values: dict[str, Any] = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Table:
        """A whole TOML file; HotlineError where it cannot be read."""
        try:
            return cls(str(path), "", files.read_toml(path))
        except OSError as error:
            reason = why(error)
        except UnicodeDecodeError:
            reason = marked("it is not written in UTF-8")
        except ValueError as error:
            reason = _no_toml(str(error))
        raise HotlineError(marked("{file} cannot be read: {why}"), file=path, why=reason)

    def wrong(self, message: str, name: str, **values: object) -> HotlineError:
        """What is wrong with a field: a message that has a place for `{file}` and `{field}`."""
        full = f"{self.name}.{name}" if self.name else name
        return HotlineError(message, file=self.file, field=full, **values)

    def check_names(self, known: Sequence[str]) -> None:
        """HotlineError where the table has a field that nobody reads, such as a slip in a name."""
        for name in self.values:
            if name not in known:
                message = marked("{file}: {field} is no field; there are: {known}")
                raise self.wrong(message, name, known=", ".join(known))

    def table(self, name: str) -> Table:
        """A table in this one; HotlineError where there is none."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self.wrong(marked("{file}: {field} is no table, or is missing"), name)
        return Table(self.file, f"{self.name}.{name}" if self.name else name, value)

    def text(self, name: str, default: str | None = None, *, longest: int = _LONGEST) -> str:
        """One line of text; it must be there and say something, unless there is a default."""
        value = self.values.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            message = marked("{file}: {field} is a text, and must not be missing or empty")
            raise self.wrong(message, name)
        if len(value) > longest or not value.isprintable():
            message = marked("{file}: {field} is one line of text, at most {most} characters")
            raise self.wrong(message, name, most=longest)
        return value.strip()

    def like(self, name: str, pattern: str, example: str, default: str | None = None) -> str:
        """One line of text of a form."""
        value = self.text(name, default)
        if not re.fullmatch(pattern, value, re.ASCII):
            raise self.wrong(marked("{file}: {field} looks like {example}"), name, example=example)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, empty where there is none."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(marked("{file}: {field} is a list of texts"), name)
        return tuple(value)

    def one_of(self, name: str, known: Sequence[str], default: str | None = None) -> str:
        """A known word."""
        value = self.text(name, default)
        if value not in known and value != default:
            message = marked("{file}: {field} is one of {known}")
            raise self.wrong(message, name, known=", ".join(known))
        return value

    def several(
        self, name: str, is_one: Callable[[Any], bool], example: str, default: Sequence[Word] = ()
    ) -> tuple[Word, ...]:
        """A list of words, each once; HotlineError where `is_one` does not hold of each."""
        value = self.values.get(name, list(default))
        if not isinstance(value, list) or not all(map(is_one, value)):
            message = marked("{file}: {field} is a list with some of: {known}")
            raise self.wrong(message, name, known=example)
        return tuple(dict.fromkeys(value))


def _no_toml(said: str) -> str:
    """What is wrong with a file, by where its reader stopped."""
    found = re.search(r"at line (\d+), column (\d+)", said)
    if found is None:
        return marked("it ends in the middle of something")
    line, column = map(int, found.groups())
    return marked("line {line} is no TOML from column {column} on", line=line, column=column)
