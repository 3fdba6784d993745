"""Settings: a TOML file with the analysts, the trusted lists and other lists to search."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.language.sentence import Sentence, mark
from screener.hotline.language.translator import join_lines
from screener.hotline.toml_table import Table

FILE_NAME = "settings.toml"
_MAX_NAME_LENGTH = 200
TEMPLATE = """\
# Who may assess: at least two people, since a second one has to confirm `illegal`.
# Names as in --by. Whoever can write to this file decides who assesses.
analysts = []

# Folders of hash lists whose confirmed records are a basis, such as a clearing house's.
trusted = []

# Folders of other lists to look reports up in.
lists = []

# An Ed25519 private key in a PEM file, which signs the head of cases.audit. Best kept elsewhere.
# log_key = "/media/key/audit.pem"
"""


@dataclass(frozen=True)
class Settings:
    """The operator's settings. Paths in the file are relative to its folder."""

    analysts: tuple[str, ...] = ()
    trusted: tuple[Path, ...] = ()
    lists: tuple[Path, ...] = ()
    log_key: Path | None = None
    file: Path = Path(FILE_NAME)

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read the file. Raises HotlineError with file and setting if it is invalid."""
        table = Table.load(path)
        table.check_names(("analysts", "trusted", "lists", "log_key"))
        analysts = tuple(map(clean_name, table.texts("analysts")))
        if len(set(map(normalise_name, analysts))) < len(analysts):
            message = mark("{file}: two of the {field} have the same name")
            raise table.error(message, "analysts")
        trusted, lists = (
            tuple(path.parent / text for text in table.texts(name)) for name in ("trusted", "lists")
        )
        key = table.text("log_key", "")
        return cls(analysts, trusted, lists, path.parent / key if key else None, path)

    def authorises(self, by: str) -> bool:
        """Return whether a person may assess."""
        return normalise_name(by) in map(normalise_name, self.analysts)

    def check_analyst(self, by: str) -> None:
        """Raise HotlineError if a person may not assess."""
        if not self.authorises(by):
            message = mark("{by} is not an authorised analyst: {file} names those who are")
            raise HotlineError(message, by=by, file=self.file)


def clean_name(text: str) -> str:
    """Return a person's name in its stored form. Raises HotlineError if it is no name."""
    return clean_line(text, mark("a name"), max_length=_MAX_NAME_LENGTH)


def clean_line(text: str, subject: Sentence, *, max_length: int = 500) -> str:
    """Return one line of printable text, without invisible characters.

    Raises HotlineError about `subject` if the text is empty, too long or unprintable.
    """
    stripped = join_lines(text)
    if not stripped or not stripped.isprintable() or len(stripped) > max_length:
        message = mark("{what} is one line of printable text, at most {most} characters")
        raise HotlineError(message, what=subject, most=max_length)
    return stripped


def normalise_name(name: str) -> str:
    """Return a key that is equal for different spellings of a person's name."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
