"""Secret: what a reporter keeps, and the keys that follow from it.

The hotline is told keys that are derived from the secret, one for each purpose, and never the
secret: it can publish a status that the reporter alone finds and reads, and it knows a withdrawal
when it sees one, but cannot make one.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import unicodedata
from dataclasses import dataclass, field

from screener.errors import HotlineError
from screener.hotline.sentence import marked

_BYTES = 20
_CHECK = 5  # bytes in base32: eight characters more, so that a slip is told
_GROUP = 4
# Letters and digits that look alike are read as one.
_LIKE = str.maketrans("018", "OLB")


@dataclass(frozen=True)
class Secret:
    """A reporter's secret; `str` does not show it, `text` does."""

    value: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Secret:
        """A fresh one."""
        return cls(secrets.token_bytes(_BYTES))

    @classmethod
    def parse(cls, text: str) -> Secret:
        """Read one as a person types it: in either case, in any digits, with or without
        hyphens and signs that are not seen; HotlineError."""
        shown = (str(unicodedata.digit(c)) if c.isdigit() else c for c in text if c.isalnum())
        plain = "".join(shown).upper().translate(_LIKE)
        try:
            held = base64.b32decode(plain)
        except ValueError:
            held = b""
        value, check = held[:_BYTES], held[_BYTES:]
        if len(held) != _BYTES + _CHECK or check != _derived(value, "check", _CHECK):
            raise HotlineError(marked("this is no secret of a report: look for a slip in it"))
        return cls(value)

    @property
    def text(self) -> str:
        """The secret as it is told to the reporter: groups of four letters and digits."""
        plain = base64.b32encode(self.value + _derived(self.value, "check", _CHECK)).decode()
        return "-".join(plain[at : at + _GROUP] for at in range(0, len(plain), _GROUP))

    @property
    def status_key(self) -> bytes:
        """By which the status is found and read; the hotline has it."""
        return _derived(self.value, "status", 32)

    @property
    def withdrawal(self) -> bytes:
        """What a withdrawal shows; the hotline has its `proof` only."""
        return _derived(self.value, "withdrawal", 32)


def proof(withdrawal: bytes) -> bytes:
    """What the hotline keeps to know a withdrawal by."""
    return _derived(withdrawal, "proof", 32)


def _derived(value: bytes, purpose: str, size: int) -> bytes:
    return hashlib.blake2b(
        key=value, person=f"scr-{purpose}".encode()[:16], digest_size=size
    ).digest()
