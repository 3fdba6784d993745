"""The chain of an audit log: each line has the SHA-256 of the one before.

The head, a file next to the log, states the length of the log and the SHA-256 of its last line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from screener.errors import OutputError
from screener.system.signatures import is_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 1
EVENTS = ("open", "decision", "case", "close", "recovered")

# The longest line, written or read: a result with some hundred thousand matches.
MAX_LINE_BYTES = 1 << 26

# In a line that would be longer, larger values are replaced by their length and SHA-256.
_MAX_VALUE_BYTES = 1 << 12

# The `prev` of the first line, which has no line before it.
FIRST_PREV = "0" * 64

_HEAD_SCHEMA = "screener-audit-head/1"
_MAX_HEAD_BYTES = 1 << 16
_LINE_PREFIX = b'{"audit":1,'
_OVERLONG_PROBLEM = (
    f"it is longer than {MAX_LINE_BYTES:,} bytes, the longest line of an audit log, and nothing"
    " after it was checked: another program wrote there, or this is not an audit log"
)


def build_line(number: int, event: str, fields: dict[str, Any], prev: str) -> bytes:
    """Return a line of at most `MAX_LINE_BYTES`.

    `prev` is the SHA-256 of the line before it.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"audit": VERSION, "line": number, "time": now, "event": event}
    data = _encode({**line, **fields, "prev": prev}) + b"\n"
    if len(data) <= MAX_LINE_BYTES:
        return data
    return _encode({**line, **_shorten(fields), "prev": prev}) + b"\n"


def _shorten(value: Any) -> Any:
    data = _encode(value)
    if len(data) <= _MAX_VALUE_BYTES:
        return value
    if isinstance(value, dict):
        return {name: _shorten(part) for name, part in value.items()}
    return {"left_out": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}


def _encode(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


@dataclass(frozen=True)
class Chain:
    """A log up to the end of a line.

    `lines` and `size` (bytes) are its length, `start` is the offset of the last line, and `prev`
    that line's SHA-256.
    """

    lines: int = 0
    size: int = 0
    start: int = 0
    prev: str = FIRST_PREV

    def extend(self, line: bytes) -> Chain:
        """Return the chain with one more line, whose line end is included."""
        digest = hashlib.sha256(line).hexdigest()
        return Chain(self.lines + 1, self.size + len(line), self.size, digest)


@dataclass(frozen=True)
class Head:
    """The chain of a log when it was opened or closed.

    `text` is the signed part of the head's file.

    The head of an empty log is written before the first line, and the head of that line right after
    it. So no log has lines and no head, and only a crash leaves one line with an empty head.
    """

    chain: Chain
    text: bytes
    signature: bytes | None

    @property
    def is_empty(self) -> bool:
        """True if the log had no line when the head was written."""
        return self.chain == Chain()

    def fits(self, log: BinaryIO) -> bool:
        """Return whether a log still has the head's line at its offset."""
        if self.is_empty:
            return True
        log.seek(self.chain.start)
        line = log.read(self.chain.size - self.chain.start)
        if hashlib.sha256(line).hexdigest() != self.chain.prev:
            return False
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return isinstance(fields, dict) and fields.get("line") == self.chain.lines

    def allows(self, chain: Chain) -> bool:
        """Return whether a log that fits the head may have grown to a chain.

        An empty head allows one line at most. Otherwise the loss of later lines would go unnoticed.
        """
        return not self.is_empty or chain.lines <= 1

    def is_signed_with(self, public: Ed25519PublicKey) -> bool:
        """Return whether the head was signed with the private half of a key."""
        return self.signature is not None and is_signed(self.text, self.signature, key=public)


def head_path(path: Path) -> Path:
    """Return the path of a log's head."""
    return Path(f"{path}.head")


def build_head(chain: Chain) -> str:
    """Return the head of a chain as the line that is written and signed."""
    fields = {
        "schema": _HEAD_SCHEMA,
        "lines": chain.lines,
        "bytes": chain.size,
        "start": chain.start,
        "sha256": chain.prev,
    }
    return json.dumps(fields, separators=(",", ":")) + "\n"


def read_head(path: Path) -> Head | None:
    """Return a log's head, or None if there is no such file.

    Raises OutputError if it cannot be read or is damaged.
    """
    try:
        with path.open("rb") as stream:
            text, _, signature = stream.read(_MAX_HEAD_BYTES).partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    try:
        fields = json.loads(text)
        lines, size, start = numbers = [fields[name] for name in ("lines", "bytes", "start")]
        prev = fields["sha256"]
        is_sound = fields["schema"] == _HEAD_SCHEMA and isinstance(prev, str)
        is_sound = is_sound and all(type(number) is int for number in numbers)
        chain = Chain(lines, size, start, prev)
        # `walk` reads no longer line, so no head is of one.
        if not is_sound or (chain != Chain() and not 0 <= start < size <= start + MAX_LINE_BYTES):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(
            f"{path} is not the head of an audit log, or one of another version: use the version"
            " that wrote it"
        ) from None
    return Head(chain, text + b"\n", signature.strip() or None)


@dataclass(frozen=True)
class Step:
    """A line of a log, and the chain up to it.

    `problem` is a sentence if the line does not follow the line before. `begins`: the line is the
    first of a run, which should end with a `close`; a hotline's log has no such line. `torn`: the
    line is cut short, as by a crash. `overlong`: it is longer than `MAX_LINE_BYTES`.
    """

    number: int
    data: bytes
    chain: Chain
    event: str | None = None
    problem: str | None = None
    torn: bool = False
    begins: bool = False
    overlong: bool = False


def walk(stream: BinaryIO, chain: Chain) -> Iterator[Step]:
    """Yield the lines of a log after `chain`, which ends at the stream's position.

    A line that does not follow has a `problem`, and the next is still checked against it. An
    overlong line is the last, since it may have no end.
    """
    while data := stream.readline(MAX_LINE_BYTES):
        step = _check_line(data, chain)
        chain = step.chain
        yield step
        if step.overlong:
            return


def _check_line(data: bytes, chain: Chain) -> Step:
    number, extended = chain.lines + 1, chain.extend(data)
    if not data.endswith(b"\n") and len(data) < MAX_LINE_BYTES:
        if chain.lines or data.startswith(_LINE_PREFIX) or _LINE_PREFIX.startswith(data):
            return Step(number, data, extended, torn=True, problem="the line is cut short")
        return Step(number, data, extended, problem="this is not an audit log")
    if not data.endswith(b"\n"):
        return Step(number, data, extended, problem=_OVERLONG_PROBLEM, overlong=True)
    try:
        fields = json.loads(data)
        if not isinstance(fields, dict):
            raise ValueError
    except (ValueError, RecursionError):
        return Step(number, data, extended, problem="this is not a line of an audit log")
    event = str(fields.get("event"))
    begins = event == "open" and "policy" in fields
    return Step(number, data, extended, event, _find_problem(fields, chain), begins=begins)


def _find_problem(fields: dict[str, Any], chain: Chain) -> str | None:
    if fields.get("audit") != VERSION:
        return f"it has another version than {VERSION}, or is not a line of an audit log"
    if fields.get("event") not in EVENTS or (chain.lines == 0 and fields["event"] != "open"):
        return "its event cannot occur here"
    if fields.get("line") != chain.lines + 1:
        return "its number is wrong: lines before it were removed or added"
    if fields.get("prev") != chain.prev:
        return "it does not follow the line before: one of the two was changed, removed or added"
    return None
