"""The manifest of an exported file: its content, its terms, and the manifest's signature.

`FILE.manifest.json` has the file's SHA-256; `FILE.manifest.json.sig` is an Ed25519 signature of the
manifest's bytes, in base64. An import with a key checks both before it parses the file.
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
from screener.lists.terms import Terms, intersect_terms
from screener.system.signatures import is_signed, read_public_key

SCHEMA = "screener-manifest/1"
_LARGEST = 1 << 20  # bytes
_LIST_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)  # see `transaction.identity`


@dataclass(frozen=True)
class Manifest:
    """The content of a signed manifest: the file's SHA-256 (hex), its terms and its list."""

    sha256: str
    terms: Terms
    list_id: str
    list: str
    generation: int

    def check_digest(self, found: str, path: Path) -> None:
        """Raise ListError unless the file's digest is the signed one."""
        if found != self.sha256:
            raise ListError(f"{path} is not the file that its manifest was signed for")


def manifest_of(path: Path) -> Path:
    """Return the path of a file's manifest."""
    return path.with_name(f"{path.name}.manifest.json")


def signature_of(path: Path) -> Path:
    """Return the path of the signature of a file's manifest."""
    return path.with_name(f"{path.name}.manifest.json.sig")


def encode(facts: Mapping[str, Any]) -> bytes:
    """Serialise a manifest."""
    return json.dumps({"schema": SCHEMA, **facts}, ensure_ascii=False, indent=1).encode() + b"\n"


def check(path: Path, *, key: str | PathLike[str]) -> Manifest:
    """Return the manifest of a file after checking its signature and the file's digest."""
    public = read_public_key(key)
    text, signature = _read(manifest_of(path)), _read(signature_of(path))
    if not is_signed(text, signature, key=public):
        raise ListError(f"the manifest of {path} is not signed with the key {key}")
    manifest = _parsed(text, path)
    manifest.check_digest(_digest(path), path)
    return manifest


def _parsed(text: bytes, path: Path) -> Manifest:
    try:
        facts = json.loads(text)
        if facts["schema"] != SCHEMA:
            raise ListError(f"the manifest of {path} does not have the schema {SCHEMA}")
        (part,) = facts["parts"]
        digest = part["sha256"]
        source_terms = intersect_terms(Terms(**one) for one in facts["terms"].values())
        generation, name, list_id = facts["generation"], facts["list"], facts["list_id"]
        if type(generation) is not int or not isinstance(name, str):
            raise TypeError
        if not isinstance(list_id, str) or not _LIST_ID.fullmatch(list_id):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ListError(
            f"the manifest of {path} cannot be read, or is of an older version: ask for a"
            " new export"
        ) from None
    return Manifest(str(digest), source_terms, list_id, name, generation)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ListError(f"the key needs {path}, which cannot be read: {error.strerror}") from error
    if len(text) > _LARGEST:
        raise ListError(f"{path} is too large for a manifest")
    return text


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ListError(f"cannot read {path}: {error.strerror}") from error
