"""The chain of an audit log: how each line is bound to the one before it, and the head that stands
beside the log and says how far it goes.
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


EVENTS = ("open", "decision", "case", "close", "recovered")
_SCHEMA = "screener-audit-head/1"
FIRST = "0" * 64
"""What the first line holds in the place of the SHA-256 of a line before it."""

_BEGINS = b'{"audit":1,'
_ENDLESS = (
    f"it is longer than the {LONGEST:,} bytes that a line of a log may have, and nothing behind it"
    " was checked: something else was written there, or this is no audit log"
)


@dataclass(frozen=True)
class Chain:
    """A log up to the end of a line: how many lines and bytes, where the last line starts, and its
    SHA-256 in hex.
    """

    lines: int = 0
    size: int = 0
    start: int = 0
    prev: str = FIRST

    def after(self, line: bytes) -> Chain:
        """The chain with one more line, its end included."""
        digest = hashlib.sha256(line).hexdigest()
        return Chain(self.lines + 1, self.size + len(line), self.size, digest)


@dataclass(frozen=True)
class Head:
    """What was written beside a log when it was opened or closed: how far the log went then. `text`
    is what was signed, if there is a signature.

    So that no log ever has lines and no head, a head that says "no line yet" is written before the
    first line, and one that is of a line right behind it. A crash between the two leaves a log of
    one line with the head of no line, and nothing else does.
    """

    chain: Chain
    text: bytes
    signature: bytes | None

    @property
    def of_no_line(self) -> bool:
        """Whether the log had no line when it was written."""
        return self.chain == Chain()

    def fits(self, log: BinaryIO) -> bool:
        """Whether a log still has the line that was its last when the head was written."""
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
        """Whether a log that it fits may have grown to this. Of what is cut off behind a head of no
        line nobody could tell: so it stands for one line at most.
        """
        return not self.of_no_line or chain.lines <= 1

    def is_signed_with(self, public: Ed25519PublicKey) -> bool:
        """Whether it was signed with the private half of a key."""
        return self.signature is not None and is_signed(self.text, self.signature, key=public)


def head_path(path: Path) -> Path:
    """Where the head of an audit log stands."""
    return Path(f"{path}.head")


def head_of(chain: Chain) -> str:
    """A head as it is written and signed: one line."""
    facts = {"schema": _SCHEMA, "lines": chain.lines, "bytes": chain.size, "start": chain.start}
    facts["sha256"] = chain.prev
    return json.dumps(facts, separators=(",", ":")) + "\n"


def read_head(path: Path) -> Head | None:
    """The head of a log; None where there is no such file. OutputError where it cannot be read."""
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
        # A line that is longer than `walk` reads has no head.
        if not sound or (chain != Chain() and not (0 <= start < size <= start + LONGEST)):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(f"{path} is no head of an audit log") from None
    return Head(chain, text + b"\n", signature.strip() or None)


@dataclass(frozen=True)
class Step:
    """One line of a log, and the chain with it; `trouble` where it does not follow. `begins`: it
    is the first line of a run, which is to end with a `close`; the line that a hotline's log opens
    with is not. `torn`: it is cut short, as by a crash. `endless`: it is longer than any line.
    """

    number: int
    data: bytes
    chain: Chain
    event: str | None = None
    trouble: str | None = None
    torn: bool = False
    begins: bool = False
    endless: bool = False


def walk(stream: BinaryIO, chain: Chain) -> Iterator[Step]:
    """The lines of a log from where a stream stands, which `chain` describes; a line that does not
    follow is told, and the next is held against it all the same. One that is longer than any is the
    last: it may have no end.
    """
    while data := stream.readline(LONGEST):
        step = _step(data, chain)
        chain = step.chain
        yield step
        if step.endless:
            return


def _step(data: bytes, chain: Chain) -> Step:
    number, after = chain.lines + 1, chain.after(data)
    if not data.endswith(b"\n") and len(data) < LONGEST:
        if chain.lines or data.startswith(_BEGINS) or _BEGINS.startswith(data):
            return Step(number, data, after, torn=True, trouble="a line that is cut short")
        return Step(number, data, after, trouble="this is no audit log")
    if not data.endswith(b"\n"):
        return Step(number, data, after, trouble=_ENDLESS, endless=True)
    try:
        line = json.loads(data)
        if not isinstance(line, dict):
            raise ValueError
    except (ValueError, RecursionError):
        return Step(number, data, after, trouble="this is no line of an audit log")
    event = str(line.get("event"))
    begins = event == "open" and "policy" in line
    return Step(number, data, after, event, _trouble(line, chain), begins=begins)


def _trouble(line: dict[str, Any], chain: Chain) -> str | None:
    if line.get("audit") != VERSION:
        return f"it is of another version than {VERSION}, or no line of an audit log"
    if line.get("event") not in EVENTS or (chain.lines == 0 and line["event"] != "open"):
        return "it is of a kind that cannot stand here"
    if line.get("line") != chain.lines + 1:
        return "its number is another: lines before it were removed or added"
    if line.get("prev") != chain.prev:
        return "it does not follow the line before: one of the two was changed, removed or added"
    return None
