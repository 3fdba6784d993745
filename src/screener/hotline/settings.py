"""Settings: who may assess, which lists a hotline trusts, and which it looks into; a TOML file."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.arguments import check
from screener.hotline.language.sentence import Sentence, marked
from screener.hotline.language.translator import one_line
from screener.hotline.toml_table import Table

_LONGEST = 200  # characters of a name

FILE = "settings.toml"
TEMPLATE = """\
# Who may assess: at least two, since what one holds to be illegal a second has to confirm.
# Names as they are given by --by. Whoever may write to this file decides who assesses.
analysts = []

# Folders of hash lists whose confirmed records are a basis, such as a clearing house's.
trusted = []

# Folders of further lists that are looked into when a report comes in.
lists = []

# An Ed25519 private key in a PEM file, which signs the head of cases.audit. Best kept elsewhere.
# log_key = "/media/key/audit.pem"
"""


@dataclass(frozen=True)
class Settings:
    """What the operator decides. Paths are taken from where the file lies."""

    analysts: tuple[str, ...] = ()
    trusted: tuple[Path, ...] = ()
    lists: tuple[Path, ...] = ()
    log_key: Path | None = None

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read the file; HotlineError names it and the setting."""
        table = Table.load(path)
        table.check_names(("analysts", "trusted", "lists", "log_key"))
        analysts = tuple(map(checked_name, table.texts("analysts")))
        if len({name_key(one) for one in analysts}) < len(analysts):
            raise table.wrong(
                marked("{file}: two of the {field} have one name, and must be told apart"),
                "analysts",
            )
        trusted, lists = (
            tuple(path.parent / one for one in table.texts(name)) for name in ("trusted", "lists")
        )
        key = table.text("log_key", "")
        return cls(analysts, trusted, lists, path.parent / key if key else None)

    def authorises(self, by: str) -> bool:
        """Whether somebody may assess."""
        return name_key(by) in map(name_key, self.analysts)

    def check_analyst(self, by: str) -> None:
        """HotlineError for somebody who may not assess."""
        if not self.authorises(by):
            raise HotlineError(
                marked("{by} is no authorised analyst: the settings name those who are"), by=by
            )


def checked_name(text: str) -> str:
    """The name of somebody, as it is recorded; HotlineError where it is none."""
    return checked_line(text, marked("a name"), longest=_LONGEST)


def checked_line(text: str, what: Sentence, *, longest: int = 500) -> str:
    """One line of printable text that says something, without signs that are not seen;
    HotlineError. TypeError for what is no text.
    """
    check(str(what), text, str)
    said = one_line(text)
    if not said or not said.isprintable() or len(said) > longest:
        message = marked("{what} is one line of printable text, at most {most} characters")
        raise HotlineError(message, what=what, most=longest)
    return said


def name_key(name: str) -> str:
    """What two writings of one person's name have in common."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
