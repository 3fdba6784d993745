"""Sealed files: what a reporter hands to a hotline, encrypted to its public key and of few lengths.

A NaCl sealed box: only the holder of the hotline's secret key opens it, and two of the same content
have nothing in common but their first line. docs/hotline.md says what an onlooker still learns.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from screener.errors import HotlineError
from screener.hotline.language.sentence import Sentence, marked, why
from screener.system import files
from screener.system.installation import install

if TYPE_CHECKING:
    from nacl.public import PrivateKey, PublicKey
import hashlib
import secrets
import unicodedata
from dataclasses import field

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


MAGIC = b"screener-sealed/1\n"
# What is sealed has one of these lengths, its padding included. The first holds many addresses,
# a note, and all pictures and most clips that a person has of themselves, so that the length tells
# none of these from another.
LENGTHS = (1 << 19, 1 << 22)
_OVERHEAD = 48  # bytes that a sealed box adds: a key of its own, and an authenticator
LARGEST = len(MAGIC) + LENGTHS[-1] + _OVERHEAD
_PREFIX = 4  # bytes that say how much of it is content
_PUBLIC = "screener-hotline-public-key/1"
_SECRET = "screener-hotline-secret-key/1"
_LARGEST_KEY = 1024  # bytes of its file


class Unsealable(Exception):
    """A file that cannot be opened; `why` says it in a sentence."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Keys:
    """Where a hotline's two keys are: the public one for everybody, the secret one 0600."""

    public: Path
    secret: Path


def make_keys(folder: str | PathLike[str]) -> Keys:
    """Make a key pair as `hotline.pub` and `hotline.key` in a folder; HotlineError where one of
    them exists, since reports to a key that is gone can be read by nobody.
    """
    check_library()
    from nacl.public import PrivateKey

    folder = Path(folder)
    keys = Keys(folder / "hotline.pub", folder / "hotline.key")
    for path in (keys.public, keys.secret):
        if os.path.lexists(path):
            message = marked("{file} exists already; choose another folder")
            raise HotlineError(message, file=path)
    made = PrivateKey.generate()
    write_new(keys.secret, _line(_SECRET, bytes(made)))
    write_new(keys.public, _line(_PUBLIC, bytes(made.public_key)))
    os.chmod(keys.public, 0o644)
    return keys


def public_key(path: str | PathLike[str]) -> PublicKey:
    """The public key in a file; HotlineError where there is none."""
    check_library()
    from nacl.public import PublicKey

    return PublicKey(_read_key(path, _PUBLIC))


def secret_key(path: str | PathLike[str]) -> PrivateKey:
    """The secret key in a file; HotlineError where there is none."""
    check_library()
    from nacl.public import PrivateKey

    return PrivateKey(_read_key(path, _SECRET))


def seal(content: bytes, key: PublicKey) -> bytes:
    """A sealed file of the content; HotlineError where it is longer than the largest."""
    from nacl.public import SealedBox

    return MAGIC + SealedBox(key).encrypt(padded(content))


def unseal(data: bytes, key: PrivateKey) -> bytes:
    """The content of a sealed file; Unsealable."""
    from nacl.exceptions import CryptoError
    from nacl.public import SealedBox

    if not data.startswith(MAGIC):
        raise Unsealable(marked("it is no report to a hotline"))
    if len(data) - len(MAGIC) - _OVERHEAD not in LENGTHS:
        raise Unsealable(marked("it is cut short, or has no length that a report has"))
    try:
        held = SealedBox(key).decrypt(data[len(MAGIC) :])
    except CryptoError:
        raise Unsealable(marked("it is sealed to another key, or was changed")) from None
    return _unpadded(held)


def read_file(path: Path) -> bytes:
    """The bytes of a file that came in, as many as a sealed one has; Unsealable."""
    try:
        if not path.is_file():
            raise Unsealable(marked("it is no file"))
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError:
        raise Unsealable(marked("it cannot be read")) from None
    if len(data) > LARGEST:
        raise Unsealable(marked("it is larger than a report can be"))
    return data


def padded(content: bytes) -> bytes:
    """Content with its length before it and zeros behind it; HotlineError."""
    for length in LENGTHS:
        if len(content) + _PREFIX <= length:
            return (len(content).to_bytes(_PREFIX, "big") + content).ljust(length, b"\0")
    raise HotlineError(marked("this is more than one report holds: make several of it"))


def _unpadded(held: bytes) -> bytes:
    length = int.from_bytes(held[:_PREFIX], "big")
    content, rest = held[_PREFIX : _PREFIX + length], held[_PREFIX + length :]
    if len(content) != length or rest.strip(b"\0"):
        raise Unsealable(marked("its padding is not that of a report"))
    return content


def write_new(path: Path, data: bytes) -> None:
    """Write a file that its owner alone reads, whole or not at all; HotlineError where there is one
    of the name, or where it cannot be written.
    """
    try:
        with files.write_atomically(path, replace=False) as (handle,):
            files.current.write(handle, data)
    except FileExistsError:
        raise HotlineError(
            marked("{file} exists already; choose another name"), file=path
        ) from None
    except OSError as error:
        raise HotlineError(
            marked("{file} cannot be written: {why}"), file=path, why=why(error)
        ) from None


def _line(label: str, key: bytes) -> bytes:
    return f"{label} {base64.b64encode(key).decode()}\n".encode()


def _read_key(path: str | PathLike[str], label: str) -> bytes:
    try:
        with open(os.fspath(path), "rb") as stream:  # of a descriptor nothing is read or closed
            said, _, text = stream.read(_LARGEST_KEY).strip().partition(b" ")
        key = base64.b64decode(text, validate=True)
    except OSError as error:
        message = marked("the key {file} cannot be read: {why}")
        raise HotlineError(message, file=path, why=why(error)) from error
    except (binascii.Error, ValueError):
        said, key = b"", b""
    if said != label.encode() or len(key) != 32:
        if label == _PUBLIC:
            raise HotlineError(marked("{file} holds no public key of a hotline"), file=path)
        raise HotlineError(marked("{file} holds no secret key of a hotline"), file=path)
    return key


def check_library() -> None:
    """HotlineError without PyNaCl, which is loaded only where something is sealed or opened."""
    try:
        import nacl.public  # noqa: F401
    except ImportError:
        message = marked("reports need an extra: {install}")
        raise HotlineError(message, install=install("hotline")) from None
