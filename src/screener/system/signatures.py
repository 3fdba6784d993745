"""Make and check Ed25519 signatures with keys in PEM files.

`cryptography`, the extra `sign`, is imported only when it is needed.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from screener.errors import ListError
from screener.system.installation import describe_extra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )


def sign(text: bytes, *, key: Ed25519PrivateKey) -> bytes:
    """Return the signature of a text as a line in base64."""
    return base64.b64encode(key.sign(text)) + b"\n"


def is_signed(text: bytes, signature: bytes, *, key: Ed25519PublicKey) -> bool:
    """Return whether `sign` made this signature of the text with the matching private key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(signature.strip(), validate=True), text)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def read_private_key(path: str | PathLike[str]) -> Ed25519PrivateKey:
    """Return the signing key of a PEM file.

    Raises ListError if the file cannot be read or has no such key.
    """
    _check_installed()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _load(path, "private", partial(load_pem_private_key, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        raise ListError(f"the private key {path} is not an Ed25519 one")
    return key


def read_public_key(path: str | PathLike[str]) -> Ed25519PublicKey:
    """Return the verifying key of a PEM file.

    Raises ListError if the file cannot be read or has no such key.
    """
    _check_installed()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _load(path, "public", load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise ListError(f"the public key {path} is not an Ed25519 one")
    return key


def _load(path: str | PathLike[str], half: str, load: Callable[[bytes], object]) -> object:
    try:
        return load(Path(path).read_bytes())
    except OSError as error:
        raise ListError(f"cannot read the {half} key {path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise ListError(f"cannot read the {half} key {path}: not an Ed25519 PEM file") from None


def _check_installed() -> None:
    if importlib.util.find_spec("cryptography") is None:
        raise ListError(f"signatures need {describe_extra('sign')}")
