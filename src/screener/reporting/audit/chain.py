"""The chain of an audit log: each line holds the SHA-256 of the line before it.

The head, a file beside the log, states how far the log goes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from screener.errors import OutputError
from screener.system.signatures import is_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from datetime import UTC, datetime

VERSION = 1
LONGEST = 1 << 26
"""Bytes of the longest line, written or read: a result with some hundred thousand matches."""

# In a line that would be longer, values of more bytes are replaced by their length and SHA-256.
_SHORT = 1 << 12


def line_of(number: int, event: str, facts: dict[str, Any], prev: str) -> bytes:
    """Return a line of at most `LONGEST` bytes; `prev` is the SHA-256 of the line before it.

    In a longer one, long values are replaced by their length and SHA-256.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"audit": VERSION, "line": number, "time": now, "event": event}
    data = _json({**line, **facts, "prev": prev}) + b"\n"
    if len(data) <= LONGEST:
        return data
    return _json({**line, **_shortened(facts), "prev": prev}) + b"\n"


def _shortened(value: Any) -> Any:
    data = _json(value)
    if len(data) <= _SHORT:
        return value
    if isinstance(value, dict):
        return {name: _shortened(part) for name, part in value.items()}
    return {"left_out": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}}


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


EVENTS = ("open", "decision", "case", "close", "recovered")
_SCHEMA = "screener-audit-head/1"
FIRST = "0" * 64
"""What the first line holds instead of the SHA-256 of a line before it."""

_BEGINS = b'{"audit":1,'
_OVERLONG = (
    f"it is longer than {LONGEST:,} bytes, the longest line of an audit log, and nothing after it"
    " was checked: another program wrote there, or this is not an audit log"
)


@dataclass(frozen=True)
class Chain:
    """A log up to the end of a line: lines, bytes, where the last line starts, and its SHA-256."""

    lines: int = 0
    size: int = 0
    start: int = 0
    prev: str = FIRST

    def after(self, line: bytes) -> Chain:
        """Return the chain with one more line, line end included."""
        digest = hashlib.sha256(line).hexdigest()
        return Chain(self.lines + 1, self.size + len(line), self.size, digest)


@dataclass(frozen=True)
class Head:
    """How far a log went when it was opened or closed; `text` is what was signed.

    A head of no line is written before the first line, and a head of that line right after it. So
    no log has lines and no head; only a crash leaves one line with the head of no line.
    """

    chain: Chain
    text: bytes
    signature: bytes | None

    @property
    def of_no_line(self) -> bool:
        """Whether the log had no line when the head was written."""
        return self.chain == Chain()

    def fits(self, log: BinaryIO) -> bool:
        """Return whether a log still has the line that was its last when the head was written."""
        if self.of_no_line:
            return True
        log.seek(self.chain.start)
        line = log.read(self.chain.size - self.chain.start)
        if hashlib.sha256(line).hexdigest() != self.chain.prev:
            return False
        try:
            numbered = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return isinstance(numbered, dict) and numbered.get("line") == self.chain.lines

    def allows(self, chain: Chain) -> bool:
        """Return whether a log that fits the head may have grown to this chain.

        A head of no line covers one line at most: a cut log of more lines would go unnoticed.
        """
        return not self.of_no_line or chain.lines <= 1

    def is_signed_with(self, public: Ed25519PublicKey) -> bool:
        """Return whether the head was signed with the private half of a key."""
        return self.signature is not None and is_signed(self.text, self.signature, key=public)


def head_path(path: Path) -> Path:
    """Return the path of a log's head."""
    return Path(f"{path}.head")


def head_of(chain: Chain) -> str:
    """Return the head of a chain, as written and signed: one line."""
    facts = {"schema": _SCHEMA, "lines": chain.lines, "bytes": chain.size, "start": chain.start}
    facts["sha256"] = chain.prev
    return json.dumps(facts, separators=(",", ":")) + "\n"


def read_head(path: Path) -> Head | None:
    """Return a log's head, or None if there is no such file.

    Raises OutputError if it cannot be read or is damaged.
    """
    try:
        with path.open("rb") as stream:
            text, _, signature = stream.read(1 << 16).partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    try:
        facts = json.loads(text)
        lines, size, start = numbers = [facts[name] for name in ("lines", "bytes", "start")]
        prev = facts["sha256"]
        sound = facts["schema"] == _SCHEMA and isinstance(prev, str)
        sound = sound and all(type(n) is int for n in numbers)
        chain = Chain(lines, size, start, prev)
        # `walk` reads no longer line, so no head can be of one.
        if not sound or (chain != Chain() and not (0 <= start < size <= start + LONGEST)):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(f"{path} is not the head of an audit log") from None
    return Head(chain, text + b"\n", signature.strip() or None)


@dataclass(frozen=True)
class Step:
    """A line of a log and the chain up to it; `trouble` if it does not follow the line before.

    `begins`: it is the first line of a run, which should end with a `close`; a hotline's log has
    no such line. `torn`: it is cut short, as by a crash. `overlong`: it is longer than `LONGEST`.
    """

    number: int
    data: bytes
    chain: Chain
    event: str | None = None
    trouble: str | None = None
    torn: bool = False
    begins: bool = False
    overlong: bool = False


def walk(stream: BinaryIO, chain: Chain) -> Iterator[Step]:
    """Yield the lines of a log after `chain`, up to which the stream was read.

    A line that does not follow has a `trouble`, and the next is checked against it all the same.
    An overlong line is the last, since it may have no end.
    """
    while data := stream.readline(LONGEST):
        step = _step(data, chain)
        chain = step.chain
        yield step
        if step.overlong:
            return


def _step(data: bytes, chain: Chain) -> Step:
    number, after = chain.lines + 1, chain.after(data)
    if not data.endswith(b"\n") and len(data) < LONGEST:
        if chain.lines or data.startswith(_BEGINS) or _BEGINS.startswith(data):
            return Step(number, data, after, torn=True, trouble="the line is cut short")
        return Step(number, data, after, trouble="this is not an audit log")
    if not data.endswith(b"\n"):
        return Step(number, data, after, trouble=_OVERLONG, overlong=True)
    try:
        line = json.loads(data)
        if not isinstance(line, dict):
            raise ValueError
    except (ValueError, RecursionError):
        return Step(number, data, after, trouble="this is not a line of an audit log")
    event = str(line.get("event"))
    begins = event == "open" and "policy" in line
    return Step(number, data, after, event, _trouble(line, chain), begins=begins)


def _trouble(line: dict[str, Any], chain: Chain) -> str | None:
    if line.get("audit") != VERSION:
        return f"it has another version than {VERSION}, or is not a line of an audit log"
    if line.get("event") not in EVENTS or (chain.lines == 0 and line["event"] != "open"):
        return "its event cannot occur here"
    if line.get("line") != chain.lines + 1:
        return "its number is wrong: lines before it were removed or added"
    if line.get("prev") != chain.prev:
        return "it does not follow the line before: one of the two was changed, removed or added"
    return None
