"""Sealed files: a report in a NaCl sealed box for a hotline's public key.

A file has one of two lengths. docs/hotline.md lists what an onlooker still learns.
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
# Lengths of padded content in bytes. The first suffices for many addresses, a note, pictures and
# most clips, so the length does not distinguish such reports.
CONTENT_LENGTHS = (1 << 19, 1 << 22)
_SEAL_OVERHEAD = 48  # bytes of the ephemeral key and the authenticator
MAX_FILE_BYTES = len(MAGIC) + CONTENT_LENGTHS[-1] + _SEAL_OVERHEAD
_LENGTH_PREFIX_SIZE = 4  # bytes
_PUBLIC_KEY_LABEL = "screener-hotline-public-key/1"
_SECRET_KEY_LABEL = "screener-hotline-secret-key/1"
_MAX_KEY_FILE_BYTES = 1024

_SECRET_SIZE = 20
_CHECKSUM_SIZE = 5  # bytes, to detect typing errors: eight characters of base32
_GROUP_LENGTH = 4
# Digits that look like a letter are read as that letter.
_LOOKALIKES = str.maketrans("018", "OLB")


@dataclass(frozen=True)
class Secret:
    """A reporter's secret. `text` shows it, `repr` does not."""

    value: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Secret:
        """Return a random secret."""
        return cls(secrets.token_bytes(_SECRET_SIZE))

    @classmethod
    def parse(cls, text: str) -> Secret:
        """Parse a secret that a person typed.

        Case, script of the digits, hyphens and invisible characters do not matter. Raises
        HotlineError if the checksum does not match.
        """
        letters = (str(unicodedata.digit(c)) if c.isdigit() else c for c in text if c.isalnum())
        try:
            decoded = base64.b32decode("".join(letters).upper().translate(_LOOKALIKES))
        except ValueError:
            decoded = b""
        value, checksum = decoded[:_SECRET_SIZE], decoded[_SECRET_SIZE:]
        if len(checksum) != _CHECKSUM_SIZE or checksum != _derive(value, "check", _CHECKSUM_SIZE):
            raise HotlineError(mark("this is not the secret of a report: look for a typing error"))
        return cls(value)

    @property
    def text(self) -> str:
        """The secret in groups of four letters and digits."""
        checksum = _derive(self.value, "check", _CHECKSUM_SIZE)
        letters = base64.b32encode(self.value + checksum).decode()
        return "-".join(
            letters[start : start + _GROUP_LENGTH]
            for start in range(0, len(letters), _GROUP_LENGTH)
        )

    @property
    def status_key(self) -> bytes:
        """Key to find and decrypt the status; the hotline has it too."""
        return _derive(self.value, "status", 32)

    @property
    def withdrawal(self) -> bytes:
        """Token in a withdrawal; the hotline has only its proof (see `derive_proof`)."""
        return _derive(self.value, "withdrawal", 32)


def derive_proof(withdrawal: bytes) -> bytes:
    """Return the value by which the hotline recognises a withdrawal token."""
    return _derive(withdrawal, "proof", 32)


def _derive(value: bytes, purpose: str, size: int) -> bytes:
    return hashlib.blake2b(
        key=value, person=f"scr-{purpose}".encode()[:16], digest_size=size
    ).digest()


class UnsealError(Exception):
    """A file that cannot be unsealed; `reason` is a sentence."""

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Keys:
    """Paths of a hotline's public key, for everybody, and secret key, with mode 0600."""

    public: Path
    secret: Path


def make_keys(folder: str | PathLike[str]) -> Keys:
    """Write a key pair as `hotline.pub` and `hotline.key` in a folder.

    Raises HotlineError if one exists, since nobody can read reports to an overwritten key.
    """
    check_nacl()
    from nacl.public import PrivateKey

    folder = Path(folder)
    keys = Keys(folder / "hotline.pub", folder / "hotline.key")
    for path in (keys.public, keys.secret):
        if os.path.lexists(path):
            message = mark("{file} exists already; choose another folder")
            raise HotlineError(message, file=path)
    key = PrivateKey.generate()
    write_new(keys.secret, _format_key_line(_SECRET_KEY_LABEL, bytes(key)))
    write_new(keys.public, _format_key_line(_PUBLIC_KEY_LABEL, bytes(key.public_key)))
    os.chmod(keys.public, 0o644)
    return keys


def read_public_key(path: str | PathLike[str]) -> PublicKey:
    """Read a public key. Raises HotlineError if the file has none or PyNaCl is missing."""
    check_nacl()
    from nacl.public import PublicKey

    return PublicKey(_read_key(path, _PUBLIC_KEY_LABEL))


def read_secret_key(path: str | PathLike[str]) -> PrivateKey:
    """Read a secret key. Raises HotlineError if the file has none or PyNaCl is missing."""
    check_nacl()
    from nacl.public import PrivateKey

    return PrivateKey(_read_key(path, _SECRET_KEY_LABEL))


def seal(content: bytes, key: PublicKey) -> bytes:
    """Return the sealed content. Raises HotlineError if it is too long."""
    from nacl.public import SealedBox

    return MAGIC + SealedBox(key).encrypt(pad(content))


def unseal(data: bytes, key: PrivateKey) -> bytes:
    """Return the content of a sealed file. Raises UnsealError if it cannot be opened."""
    from nacl.exceptions import CryptoError
    from nacl.public import SealedBox

    if not data.startswith(MAGIC):
        raise UnsealError(mark("it is no report to a hotline"))
    if len(data) - len(MAGIC) - _SEAL_OVERHEAD not in CONTENT_LENGTHS:
        raise UnsealError(mark("it is cut short, or does not have the length of a report"))
    try:
        content = SealedBox(key).decrypt(data[len(MAGIC) :])
    except CryptoError:
        raise UnsealError(mark("it is sealed to another key, or was changed")) from None
    return _unpad(content)


def read_file(path: Path) -> bytes:
    """Read a possibly sealed file. Raises UnsealError if it is unreadable or too large."""
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
    """Pad content to one of the lengths. Raises HotlineError if it is too long."""
    for length in CONTENT_LENGTHS:
        if len(content) + _LENGTH_PREFIX_SIZE <= length:
            return (len(content).to_bytes(_LENGTH_PREFIX_SIZE, "big") + content).ljust(
                length, b"\0"
            )
    raise HotlineError(mark("this is too much for one report: make several"))


def _unpad(box: bytes) -> bytes:
    length = int.from_bytes(box[:_LENGTH_PREFIX_SIZE], "big")
    content, padding = (
        box[_LENGTH_PREFIX_SIZE : _LENGTH_PREFIX_SIZE + length],
        box[_LENGTH_PREFIX_SIZE + length :],
    )
    if len(content) != length or padding.strip(b"\0"):
        raise UnsealError(mark("its padding is not that of a report"))
    return content


def write_new(path: Path, data: bytes) -> None:
    """Write a new file atomically, for its owner only. Raises HotlineError if that fails."""
    try:
        with files.write_atomically(path, replace=False) as (handle,):
            files.current.write(handle, data)
    except FileExistsError:
        raise HotlineError(mark("{file} exists already; choose another name"), file=path) from None
    except OSError as error:
        raise HotlineError(
            mark("{file} cannot be written: {why}"), file=path, why=describe_os_error(error)
        ) from None


def _format_key_line(label: str, key: bytes) -> bytes:
    return f"{label} {base64.b64encode(key).decode()}\n".encode()


def _read_key(path: str | PathLike[str], label: str) -> bytes:
    try:
        with open(os.fspath(path), "rb") as stream:  # fspath refuses a file descriptor
            found_label, _, text = stream.read(_MAX_KEY_FILE_BYTES).strip().partition(b" ")
        key = base64.b64decode(text, validate=True)
    except OSError as error:
        message = mark("the key {file} cannot be read: {why}")
        raise HotlineError(message, file=path, why=describe_os_error(error)) from error
    except (binascii.Error, ValueError):
        found_label, key = b"", b""
    if found_label != label.encode() or len(key) != 32:
        if label == _PUBLIC_KEY_LABEL:
            raise HotlineError(mark("{file} holds no public key of a hotline"), file=path)
        raise HotlineError(mark("{file} holds no secret key of a hotline"), file=path)
    return key


def check_nacl() -> None:
    """Raise HotlineError if PyNaCl is missing. Only sealing and unsealing import it."""
    try:
        import nacl.public  # noqa: F401
    except ImportError:
        message = mark("reports need an extra: {install}")
        raise HotlineError(message, install=format_install("hotline")) from None
