"""Status file: published by a hotline, it shows each reporter, and nobody else, how a case stands.

Only the reporter and the hotline have the key of an entry. Entries have one length and a random
order, and random ones are added up to a power of two. Each file has its own salt.
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
FILE_KIND = FileKind(f'{{\n"schema": "{SCHEMA}"', "statuses")  # what a file of them begins with
MAX_FILE_BYTES = 1 << 28  # bytes of a file that are read
_FEWEST = 64  # entries
_PLAIN = 96  # bytes of an entry's content, padded
_SALT = 16
_NAME = 16
_OVERHEAD = 40  # bytes that encryption adds


@dataclass(frozen=True)
class Status:
    """How a report's case stands: its state, since which day, and the day of receipt."""

    state: State
    since: date
    received: date


def write(statuses: Iterable[tuple[bytes, Status]], *, day: date) -> bytes:
    """Return a status file of pairs of a reporter's `status_key` and a Status."""
    from nacl.secret import SecretBox

    salt = secrets.token_bytes(_SALT)
    entries = {}
    for key, status in statuses:
        box = SecretBox(_derived(key, b"box", 32))
        entries[_name(key, salt)] = bytes(box.encrypt(_encoded(status)))
    wanted = max(_FEWEST, 1 << (len(entries) - 1).bit_length()) if entries else _FEWEST
    while len(entries) < wanted:
        entries[secrets.token_bytes(_NAME)] = secrets.token_bytes(_PLAIN + _OVERHEAD)
    facts = {
        "schema": SCHEMA,
        "day": day.isoformat(),
        "salt": _text(salt),
        "entries": {_text(name): _text(entries[name]) for name in sorted(entries)},
    }
    return json.dumps(facts, indent=0).encode() + b"\n"


def read(data: bytes, secret: Secret) -> Status | None:
    """Return the status for a secret, or None if the file has none. Raises HotlineError."""
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    try:
        facts = json.loads(data)
        if facts["schema"] != SCHEMA:
            raise ValueError
        salt = base64.b64decode(facts["salt"], validate=True)
        found = facts["entries"].get(_text(_name(secret.status_key, salt)))
        if found is None:
            return None
        box = SecretBox(_derived(secret.status_key, b"box", 32))
        return _decoded(box.decrypt(base64.b64decode(found, validate=True)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, CryptoError):
        raise HotlineError(mark("this is no status file of a hotline, or it was damaged")) from None


def _encoded(status: Status) -> bytes:
    facts = {"state": status.state, "since": status.since.isoformat()}
    facts["received"] = status.received.isoformat()
    return json.dumps(facts).encode().ljust(_PLAIN)


def _decoded(content: bytes) -> Status:
    facts: dict[str, Any] = json.loads(content)
    if facts["state"] not in get_args(State):
        raise ValueError
    since, received = (date.fromisoformat(facts[name]) for name in ("since", "received"))
    return Status(facts["state"], since, received)


def _name(key: bytes, salt: bytes) -> bytes:
    return _derived(key, b"name" + salt, _NAME)


def _derived(key: bytes, what: bytes, size: int) -> bytes:
    return hashlib.blake2b(what, key=key, person=b"scr-status", digest_size=size).digest()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
