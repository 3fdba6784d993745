"""Settings: who may assess, which lists a hotline trusts, and which it looks into; a TOML file."""

from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline.language import marked

_LONGEST = 200  # characters of a name

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
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise HotlineError(f"cannot read the settings {path}: {error.strerror}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise HotlineError(f"cannot read the settings {path}: {error}") from error
        known = ("analysts", "trusted", "lists", "log_key")
        if unknown := sorted(found.keys() - set(known)):
            raise HotlineError(f"{path}: {unknown[0]} is no setting; there are: {', '.join(known)}")
        for name in known[:3]:
            value = found.get(name, [])
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise HotlineError(f"{path}: {name} is a list of texts")
        key = found.get("log_key")
        if key is not None and not isinstance(key, str):
            raise HotlineError(f"{path}: log_key is the path of a file")
        analysts = tuple(person(one) for one in found.get("analysts", []))
        if len({same(one) for one in analysts}) < len(analysts):
            raise HotlineError(f"{path}: two analysts have one name, and must be told apart")
        trusted, lists = (
            tuple(path.parent / one for one in found.get(name, [])) for name in ("trusted", "lists")
        )
        return cls(analysts, trusted, lists, None if key is None else path.parent / key)

    def check_analyst(self, by: str) -> None:
        """HotlineError for somebody who may not assess."""
        if same(by) not in map(same, self.analysts):
            raise HotlineError(
                marked("{by} is no authorised analyst: the settings name those who are"), by=by
            )


def person(text: str) -> str:
    """The name of somebody, as it is recorded; HotlineError where it is none."""
    return line(text, "a name", longest=_LONGEST)


def line(text: str, what: str, *, longest: int = 500) -> str:
    """One line of printable text that says something; HotlineError."""
    said = " ".join(unicodedata.normalize("NFC", text).split())
    if not said or not said.isprintable() or len(said) > longest:
        raise HotlineError(f"{what} is one line of printable text, at most {longest} characters")
    return said


def same(name: str) -> str:
    """What two writings of one person's name have in common."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
