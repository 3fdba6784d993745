"""Status file, in which each reporter can read only the status of their own case.

Only the reporter and the hotline have the key of an entry. Entries have one length and a random
order, and random entries fill the file up to a power of two. Each file has its own salt.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

from screener.errors import HotlineError
from screener.hotline.language.sentence import mark
from screener.hotline.model.case import State
from screener.hotline.reports.sealed import Secret
from screener.system.output_file import FileKind

SCHEMA = "screener-status/1"
FILE_KIND = FileKind(f'{{\n"schema": "{SCHEMA}"', "statuses")
MAX_FILE_BYTES = 1 << 28
_MIN_ENTRIES = 64
_CONTENT_SIZE = 96  # bytes of an entry's padded content
_SALT_SIZE = 16
_NAME_SIZE = 16
_BOX_OVERHEAD = 40  # bytes of nonce and authenticator


@dataclass(frozen=True)
class Status:
    """State of a report's case, the day of that state, and the day of receipt."""

    state: State
    since: date
    received: date


def write(statuses: Iterable[tuple[bytes, Status]], *, day: date) -> bytes:
    """Return a status file. `statuses` are pairs of a reporter's `status_key` and a Status."""
    from nacl.secret import SecretBox

    salt = secrets.token_bytes(_SALT_SIZE)
    entries = {}
    for key, status in statuses:
        box = SecretBox(_derive(key, b"box", 32))
        entries[_derive_name(key, salt)] = bytes(box.encrypt(_encode_status(status)))
    padded_count = (
        max(_MIN_ENTRIES, 1 << (len(entries) - 1).bit_length()) if entries else _MIN_ENTRIES
    )
    while len(entries) < padded_count:
        entries[secrets.token_bytes(_NAME_SIZE)] = secrets.token_bytes(
            _CONTENT_SIZE + _BOX_OVERHEAD
        )
    fields = {
        "schema": SCHEMA,
        "day": day.isoformat(),
        "salt": _to_base64(salt),
        "entries": {_to_base64(name): _to_base64(entries[name]) for name in sorted(entries)},
    }
    return json.dumps(fields, indent=0).encode() + b"\n"


def read(data: bytes, secret: Secret) -> Status | None:
    """Return the status for a secret, or None if the file has none.

    Raises HotlineError if the file is damaged or no status file.
    """
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    try:
        fields = json.loads(data)
        if fields["schema"] != SCHEMA:
            raise ValueError
        salt = base64.b64decode(fields["salt"], validate=True)
        encrypted = fields["entries"].get(_to_base64(_derive_name(secret.status_key, salt)))
        if encrypted is None:
            return None
        box = SecretBox(_derive(secret.status_key, b"box", 32))
        return _decode_status(box.decrypt(base64.b64decode(encrypted, validate=True)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, CryptoError):
        raise HotlineError(mark("this is no status file of a hotline, or it was damaged")) from None


def _encode_status(status: Status) -> bytes:
    fields = {"state": status.state, "since": status.since.isoformat()}
    fields["received"] = status.received.isoformat()
    return json.dumps(fields).encode().ljust(_CONTENT_SIZE)


def _decode_status(content: bytes) -> Status:
    fields: dict[str, Any] = json.loads(content)
    if fields["state"] not in get_args(State):
        raise ValueError
    since, received = (date.fromisoformat(fields[name]) for name in ("since", "received"))
    return Status(fields["state"], since, received)


def _derive_name(key: bytes, salt: bytes) -> bytes:
    return _derive(key, b"name" + salt, _NAME_SIZE)


def _derive(key: bytes, purpose: bytes, size: int) -> bytes:
    return hashlib.blake2b(purpose, key=key, person=b"scr-status", digest_size=size).digest()


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
