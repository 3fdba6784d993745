"""Bearer keys with roles, of which only digests are stored."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from screener.arguments import is_line
from screener.errors import ServiceError, cause
from screener.system.files import write_atomically

_PREFIX = "screener_"  # by which scanners for secrets find a key
_KEY_BYTES = 32
_MAX_FILE_BYTES = 1 << 22


class Role(StrEnum):
    """What a key allows: screen files, match hashes, change lists, or read metrics."""

    SCREEN = "screen"
    MATCH = "match"
    CURATE = "curate"
    METRICS = "metrics"


@dataclass(frozen=True)
class Key:
    """A key without its secret: its name, and what it allows."""

    name: str
    roles: frozenset[Role]


class Keys:
    """The keys of a file: a table of SHA-256 digests.

    A key has 256 random bits, so its digest needs no salt and no slow hash.
    """

    def __init__(self, keys: dict[str, Key] | None = None) -> None:
        self._keys = {} if keys is None else keys

    @classmethod
    def load(cls, path: Path, *, allow_none: bool = False) -> Keys:
        """Return the keys of a file.

        Raises ServiceError if it cannot be read, or has no key and is not allowed to have none.
        """
        keys = _read(path)
        if not keys and not allow_none:
            raise ServiceError(f"{path} has no key: make one with `screener serve-key`")
        return cls(keys)

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret, or None."""
        return self._keys.get(_digest(secret))

    def __len__(self) -> int:
        return len(self._keys)


def add_key(path: Path, name: str, roles: Iterable[Role]) -> str:
    """Add a key to a file, which is created if missing, and return its secret.

    Raises ServiceError if the file cannot be read, or the name is taken or not a line of text.
    """
    if not is_line(name):
        raise ServiceError("the name of a key must be one line of printable text")
    keys = _read(path) if path.exists() else {}
    if any(key.name == name for key in keys.values()):
        raise ServiceError(f"{path} has a key {name} already: remove it, or choose another name")
    secret = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    keys[_digest(secret)] = Key(name, frozenset(roles))
    _write(path, keys)
    return secret


def remove_key(path: Path, name: str) -> None:
    """Remove a key from a file. Raises ServiceError if there is none of this name."""
    keys = _read(path)
    left = {digest: key for digest, key in keys.items() if key.name != name}
    if len(left) == len(keys):
        raise ServiceError(f"{path} has no key {name}")
    _write(path, left)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _read(path: Path) -> dict[str, Key]:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE_BYTES + 1)
        if len(text) > _MAX_FILE_BYTES:
            raise ServiceError(f"{path} is too long for a file of keys")
        if not text.strip():  # emptied by hand
            return {}
        return {row["sha256"]: _parse(row) for row in json.loads(text)["keys"]}
    except OSError as error:
        raise ServiceError(f"cannot read the keys of {path}: {cause(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ServiceError(f"{path} is not a file of keys: make one with `serve-key`") from None


def _parse(row: Any) -> Key:
    if not (is_line(row["name"]) and isinstance(row["sha256"], str) and len(row["sha256"]) == 64):
        raise ValueError
    return Key(row["name"], frozenset(map(Role, row["roles"])))


def _write(path: Path, keys: dict[str, Key]) -> None:
    rows = [
        {"name": key.name, "roles": sorted(key.roles), "sha256": digest}
        for digest, key in keys.items()
    ]
    text = json.dumps({"keys": rows}, indent=1, ensure_ascii=False) + "\n"
    with write_atomically(path) as (handle,):
        unwritten = memoryview(text.encode())
        while unwritten:
            unwritten = unwritten[os.write(handle, unwritten) :]
