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
_MAX_BYTES = 1 << 20
_LIST_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)  # see `database.read_id`


@dataclass(frozen=True)
class Manifest:
    """The content of a signed manifest.

    `sha256`: the SHA-256 of the file, in hex.
    `terms`: the strictest terms of its sources.
    `list_id`, `list_name`, `generation`: the list that it was exported from.
    """

    sha256: str
    terms: Terms
    list_id: str
    list_name: str
    generation: int

    def check_digest(self, digest: str, path: Path) -> None:
        """Raise ListError unless the file's digest is the signed one."""
        if digest != self.sha256:
            raise ListError(f"{path} does not match the SHA-256 in its signed manifest")


def get_manifest_path(path: Path) -> Path:
    """Return the path of a file's manifest."""
    return path.with_name(f"{path.name}.manifest.json")


def get_signature_path(path: Path) -> Path:
    """Return the path of the signature of a file's manifest."""
    return path.with_name(f"{path.name}.manifest.json.sig")


def encode(fields: Mapping[str, Any]) -> bytes:
    """Return the JSON of a manifest with these fields."""
    return json.dumps({"schema": SCHEMA, **fields}, ensure_ascii=False, indent=1).encode() + b"\n"


def verify(path: Path, *, key: str | PathLike[str]) -> Manifest:
    """Return the manifest of a file after checking its signature and the file's digest.

    Raises ListError if a file cannot be read, the signature is not of this key, or the digest
    differs.
    """
    public = read_public_key(key)
    data, signature = _read(get_manifest_path(path)), _read(get_signature_path(path))
    if not is_signed(data, signature, key=public):
        raise ListError(f"the manifest of {path} is not signed with the key {key}")
    manifest = _parse(data, path)
    manifest.check_digest(_digest(path), path)
    return manifest


def _parse(data: bytes, path: Path) -> Manifest:
    try:
        fields = json.loads(data)
        if fields["schema"] != SCHEMA:
            raise ListError(f"the manifest of {path} does not have the schema {SCHEMA}")
        (part,) = fields["parts"]
        digest = part["sha256"]
        source_terms = intersect_terms(Terms(**terms) for terms in fields["terms"].values())
        generation, name, list_id = fields["generation"], fields["list"], fields["list_id"]
        if type(generation) is not int or not isinstance(name, str):
            raise TypeError
        if not isinstance(list_id, str) or not _LIST_ID.fullmatch(list_id):
            raise TypeError
    # The errors that foreign JSON may cause; ListError comes of invalid terms or another schema.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ListError(
            f"the manifest of {path} cannot be read, or is of an older version: ask for a"
            " new export"
        ) from None
    return Manifest(str(digest), source_terms, list_id, name, generation)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ListError(
            f"cannot read {path}, which is needed to verify the signature: {error.strerror}"
        ) from error
    if len(data) > _MAX_BYTES:
        raise ListError(f"{path} is too large for a manifest")
    return data


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ListError(f"cannot read {path}: {error.strerror}") from error
