"""A line of an audit log, as it is written: never so long that it would not be read as one."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

VERSION = 1
LONGEST = 1 << 26
"""The longest line that is written, and that is read as one, in bytes: a result with some hundred
thousand matches.
"""

# Of a line that would be longer, what is longer than so many bytes is left out.
_SHORT = 1 << 12


def line_of(number: int, event: str, facts: dict[str, Any], prev: str) -> bytes:
    """A line with its end; `prev` is the SHA-256 of the line before it. What makes it longer than
    `LONGEST` is told by its length and SHA-256.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"audit": VERSION, "line": number, "time": now, "event": event}
    data = _packed({**line, **facts, "prev": prev}) + b"\n"
    if len(data) <= LONGEST:
        return data
    return _packed({**line, **_shortened(facts), "prev": prev}) + b"\n"


def _shortened(value: Any) -> Any:
    """A value without what is long in it; of an object, each of its values for itself."""
    data = _packed(value)
    if len(data) <= _SHORT:
        return value
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    return {"left_out": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}


def _packed(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
