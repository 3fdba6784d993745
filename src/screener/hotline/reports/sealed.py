"""Sealed files: a report encrypted to a hotline's public key, in one of two lengths.

A NaCl sealed box. docs/hotline.md lists what an onlooker still learns.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import unicodedata
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from screener.errors import HotlineError
from screener.hotline.language.sentence import Sentence, describe_os_error, mark
from screener.system import files
from screener.system.installation import format_install

if TYPE_CHECKING:
    from nacl.public import PrivateKey, PublicKey

MAGIC = b"screener-sealed/1\n"
# Padded content has one of these lengths. The first holds many addresses, a note, and all pictures
# and most clips that a person has of themselves, so the length does not distinguish them.
CONTENT_LENGTHS = (1 << 19, 1 << 22)
_OVERHEAD = 48  # bytes that a sealed box adds: an ephemeral key and an authenticator
MAX_FILE_BYTES = len(MAGIC) + CONTENT_LENGTHS[-1] + _OVERHEAD
_PREFIX = 4  # bytes of the content's length
_PUBLIC = "screener-hotline-public-key/1"
_SECRET = "screener-hotline-secret-key/1"
_MAX_KEY_FILE_BYTES = 1024  # bytes of its file

_SECRET_BYTES = 20
_CHECK_BYTES = 5  # of a checksum that finds slips: eight characters of base32
_GROUP = 4
# Digits that are read as the letter that looks like them.
_LOOKALIKES = str.maketrans("018", "OLB")


@dataclass(frozen=True)
class Secret:
    """A reporter's secret; `text` shows it, `str` does not."""

    value: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Secret:
        """Return a random secret."""
        return cls(secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Secret:
        """Read a secret as a person types it. Raises HotlineError.

        Case, script of the digits, hyphens and invisible characters do not matter.
        """
        letters = (str(unicodedata.digit(c)) if c.isdigit() else c for c in text if c.isalnum())
        try:
            decoded = base64.b32decode("".join(letters).upper().translate(_LOOKALIKES))
        except ValueError:
            decoded = b""
        value, check = decoded[:_SECRET_BYTES], decoded[_SECRET_BYTES:]
        if len(check) != _CHECK_BYTES or check != _derived(value, "check", _CHECK_BYTES):
            raise HotlineError(mark("this is not the secret of a report: look for a typing error"))
        return cls(value)

    @property
    def text(self) -> str:
        """Return the secret for the reporter: groups of four letters and digits."""
        check = _derived(self.value, "check", _CHECK_BYTES)
        letters = base64.b32encode(self.value + check).decode()
        return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))

    @property
    def status_key(self) -> bytes:
        """Return the key by which the status is found and read; the hotline has it."""
        return _derived(self.value, "status", 32)

    @property
    def withdrawal(self) -> bytes:
        """Return the token that a withdrawal contains; the hotline has only its `proof`."""
        return _derived(self.value, "withdrawal", 32)


def derive_proof(withdrawal: bytes) -> bytes:
    """Return what the hotline stores to recognise a withdrawal token."""
    return _derived(withdrawal, "proof", 32)


def _derived(value: bytes, purpose: str, size: int) -> bytes:
    return hashlib.blake2b(
        key=value, person=f"scr-{purpose}".encode()[:16], digest_size=size
    ).digest()


class UnsealError(Exception):
    """A file that cannot be opened; `why` is a sentence."""

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Keys:
    """The paths of a hotline's keys: the public one for everybody, the secret one 0600."""

    public: Path
    secret: Path


def make_keys(folder: str | PathLike[str]) -> Keys:
    """Write a key pair as `hotline.pub` and `hotline.key` in a folder.

    Raises HotlineError if one exists, since nobody could read reports to a lost key.
    """
    check_library()
    from nacl.public import PrivateKey

    folder = Path(folder)
    keys = Keys(folder / "hotline.pub", folder / "hotline.key")
    for path in (keys.public, keys.secret):
        if os.path.lexists(path):
            message = mark("{file} exists already; choose another folder")
            raise HotlineError(message, file=path)
    key = PrivateKey.generate()
    write_new(keys.secret, _line(_SECRET, bytes(key)))
    write_new(keys.public, _line(_PUBLIC, bytes(key.public_key)))
    os.chmod(keys.public, 0o644)
    return keys


def read_public_key(path: str | PathLike[str]) -> PublicKey:
    """Read a public key. Raises HotlineError."""
    check_library()
    from nacl.public import PublicKey

    return PublicKey(_read_key(path, _PUBLIC))


def read_secret_key(path: str | PathLike[str]) -> PrivateKey:
    """Read a secret key. Raises HotlineError."""
    check_library()
    from nacl.public import PrivateKey

    return PrivateKey(_read_key(path, _SECRET))


def seal(content: bytes, key: PublicKey) -> bytes:
    """Return a sealed file of some content. Raises HotlineError if it is too long."""
    from nacl.public import SealedBox

    return MAGIC + SealedBox(key).encrypt(pad(content))


def unseal(data: bytes, key: PrivateKey) -> bytes:
    """Return the content of a sealed file. Raises UnsealError."""
    from nacl.exceptions import CryptoError
    from nacl.public import SealedBox

    if not data.startswith(MAGIC):
        raise UnsealError(mark("it is no report to a hotline"))
    if len(data) - len(MAGIC) - _OVERHEAD not in CONTENT_LENGTHS:
        raise UnsealError(mark("it is cut short, or does not have the length of a report"))
    try:
        content = SealedBox(key).decrypt(data[len(MAGIC) :])
    except CryptoError:
        raise UnsealError(mark("it is sealed to another key, or was changed")) from None
    return _unpadded(content)


def read_file(path: Path) -> bytes:
    """Read a file that may be a sealed one. Raises UnsealError."""
    try:
        if not path.is_file():
            raise UnsealError(mark("it is no file"))
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError:
        raise UnsealError(mark("it cannot be read")) from None
    if len(data) > MAX_FILE_BYTES:
        raise UnsealError(mark("it is larger than a report can be"))
    return data


def pad(content: bytes) -> bytes:
    """Return content with its length in front and zeros behind. Raises HotlineError."""
    for length in CONTENT_LENGTHS:
        if len(content) + _PREFIX <= length:
            return (len(content).to_bytes(_PREFIX, "big") + content).ljust(length, b"\0")
    raise HotlineError(mark("this is too much for one report: make several"))


def _unpadded(box: bytes) -> bytes:
    length = int.from_bytes(box[:_PREFIX], "big")
    content, rest = box[_PREFIX : _PREFIX + length], box[_PREFIX + length :]
    if len(content) != length or rest.strip(b"\0"):
        raise UnsealError(mark("its padding is not that of a report"))
    return content


def write_new(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read, atomically. Raises HotlineError."""
    try:
        with files.write_atomically(path, replace=False) as (handle,):
            files.current.write(handle, data)
    except FileExistsError:
        raise HotlineError(mark("{file} exists already; choose another name"), file=path) from None
    except OSError as error:
        raise HotlineError(
            mark("{file} cannot be written: {why}"), file=path, why=describe_os_error(error)
        ) from None


def _line(label: str, key: bytes) -> bytes:
    return f"{label} {base64.b64encode(key).decode()}\n".encode()


def _read_key(path: str | PathLike[str], label: str) -> bytes:
    try:
        with open(os.fspath(path), "rb") as stream:  # fspath refuses a file descriptor
            found, _, text = stream.read(_MAX_KEY_FILE_BYTES).strip().partition(b" ")
        key = base64.b64decode(text, validate=True)
    except OSError as error:
        message = mark("the key {file} cannot be read: {why}")
        raise HotlineError(message, file=path, why=describe_os_error(error)) from error
    except (binascii.Error, ValueError):
        found, key = b"", b""
    if found != label.encode() or len(key) != 32:
        if label == _PUBLIC:
            raise HotlineError(mark("{file} holds no public key of a hotline"), file=path)
        raise HotlineError(mark("{file} holds no secret key of a hotline"), file=path)
    return key


def check_library() -> None:
    """Raise HotlineError without PyNaCl, which is imported only to seal or open."""
    try:
        import nacl.public  # noqa: F401
    except ImportError:
        message = mark("reports need an extra: {install}")
        raise HotlineError(message, install=format_install("hotline")) from None
