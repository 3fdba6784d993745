"""The manifest beside an exported file: what is in it, under which terms, and its signature.

`FILE.manifest.json` carries the file's SHA-256; `FILE.manifest.json.sig` is an Ed25519 signature of
the manifest's bytes, in base64. An import that is given a key checks both before it parses a byte.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from screener.errors import ListError
from screener.lists.terms import Terms, strictest
from screener.system.signatures import is_signed, read_public_key

SCHEMA = "screener-manifest/1"
_LARGEST = 1 << 20  # bytes of a manifest
_LIST_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)  # see `changing.identity`; the log tells it


@dataclass(frozen=True)
class Manifest:
    """What a signed manifest says of one file: its SHA-256 in hex, the terms it goes under, and the
    id, name and generation of the list that it was made of.
    """

    sha256: str
    terms: Terms
    list_id: str
    list: str
    generation: int

    def check_digest(self, found: str, path: Path) -> None:
        """ListError where a file's digest is not the one that was signed."""
        if found != self.sha256:
            raise ListError(f"{path} is not the file that its manifest was signed for")


def manifest_of(path: Path) -> Path:
    """Where the manifest of a file stands."""
    return path.with_name(f"{path.name}.manifest.json")


def signature_of(path: Path) -> Path:
    """Where the signature of a file's manifest stands."""
    return path.with_name(f"{path.name}.manifest.json.sig")


def encode(facts: Mapping[str, Any]) -> bytes:
    """A manifest's bytes."""
    return json.dumps({"schema": SCHEMA, **facts}, ensure_ascii=False, indent=1).encode() + b"\n"


def check(path: Path, *, key: str | PathLike[str]) -> Manifest:
    """The manifest of a file, signed by the holder of a key and true of the file; ListError."""
    public = read_public_key(key)
    text, signature = _read(manifest_of(path)), _read(signature_of(path))
    if not is_signed(text, signature, key=public):
        raise ListError(f"the manifest of {path} is not signed with the key {key}")
    found = _parsed(text, path)
    found.check_digest(_digest(path), path)
    return found


def _parsed(text: bytes, path: Path) -> Manifest:
    """What a manifest says of the one file that it is of."""
    try:
        facts = json.loads(text)
        if facts["schema"] != SCHEMA:
            raise ListError(f"the manifest of {path} is of another schema than {SCHEMA}")
        (part,) = facts["parts"]
        digest = part["sha256"]
        held = strictest(Terms(**one) for one in facts["terms"].values())
        generation, name, known_as = facts["generation"], facts["list"], facts["list_id"]
        if type(generation) is not int or not isinstance(name, str):
            raise TypeError
        if not isinstance(known_as, str) or not _LIST_ID.fullmatch(known_as):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ListError(
            f"the manifest of {path} cannot be read, or is of an older version: ask for a"
            " new export"
        ) from None
    return Manifest(str(digest), held, known_as, name, generation)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ListError(f"a key was given, and {path} cannot be read: {error.strerror}") from error
    if len(text) > _LARGEST:
        raise ListError(f"{path} is too large for a manifest")
    return text


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ListError(f"cannot read {path}: {error.strerror}") from error
