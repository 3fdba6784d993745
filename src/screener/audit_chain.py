"""The chain of an audit log: how its lines hold together, and how that is checked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from screener.audit_line import LONGEST, VERSION
from screener.errors import OutputError
from screener.lists.manifest import public_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EVENTS = ("open", "decision", "case", "close", "recovered")
_SCHEMA = "screener-audit-head/1"
_FIRST = "0" * 64  # what the first line holds in the place of a hash
_BEGINS = b'{"audit":1,'
_TOLD = 20  # troubles, at most
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
    prev: str = _FIRST

    def after(self, line: bytes) -> Chain:
        """The chain with one more line, its end included."""
        digest = hashlib.sha256(line).hexdigest()
        return Chain(self.lines + 1, self.size + len(line), self.size, digest)


@dataclass(frozen=True)
class Head:
    """What was written beside a log when it was opened or closed: `text` is what was signed, if
    there is a signature.

    Before the first line there is one of no line, so that no log has lines and no head. That may be
    behind its log, by the first line and no more; no other may be ahead of it.
    """

    chain: Chain
    text: bytes
    signature: bytes | None

    @property
    def of_no_line(self) -> bool:
        """Whether it is that of a log whose first line was not written when it was."""
        return self.chain == Chain()

    def fits(self, log: BinaryIO) -> bool:
        """Whether a log has at the head's place the line that it had when the head was written."""
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
        """Whether a log that it fits may go so far: one of no line does not stay where there are
        more than the first.
        """
        return not self.of_no_line or chain.lines <= 1

    def signed_by(self, key: str | PathLike[str]) -> bool:
        """Whether the holder of a key signed it; ListError where the key cannot be read."""
        return self.is_signed_with(public_key(key))

    def is_signed_with(self, public: Ed25519PublicKey) -> bool:
        """Whether it was signed with the private half of a key."""
        from cryptography.exceptions import InvalidSignature

        if self.signature is None:
            return False
        try:
            public.verify(base64.b64decode(self.signature, validate=True), self.text)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def head_path(path: Path) -> Path:
    """Where the head of an audit log stands."""
    return path.with_name(f"{path.name}.head")


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
        # The head of no line, or of one that `walk` would read.
        if not sound or (chain != Chain() and not (0 <= start < size <= start + LONGEST)):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OutputError(f"{path} is no head of an audit log") from None
    return Head(chain, text + b"\n", signature.strip() or None)


@dataclass(frozen=True)
class Step:
    """One line of a log, and the chain with it; `trouble` where it does not follow. `begins`: it
    is the first of a run that is to end with a line of its own. `endless`: it is longer than any.
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


@dataclass(frozen=True)
class Verification:
    """What a check of an audit log found.

    `lines`, `runs` and `decisions` are counts. `unclosed` are the first lines of runs that did not
    end with a line that says so: killed, or under way; of these, lines after the first may be
    missing. `head` is the SHA-256 of the last line. `closed`: whether the head beside the log is of
    its last line, and that ends a run, so that nothing is missing at its end.
    `signature` is `none`, `unchecked` (no key was given), `good` or `bad`. `trouble` are sentences,
    the first twenty at most; none of them repeats a line.
    """

    lines: int
    runs: int
    decisions: int
    unclosed: tuple[int, ...]
    head: str
    closed: bool
    signature: str
    trouble: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        told = {"unclosed": list(self.unclosed), "trouble": list(self.trouble)}
        return {**asdict(self), **told}


def verify(
    path: str | PathLike[str],
    *,
    key: str | PathLike[str] | None = None,
    head: str | None = None,
) -> Verification:
    """Check an audit log from its first line to its last, and its head beside it.

    `key`: an Ed25519 public key in a PEM file, by which the head must be signed. `head`: a head's
    SHA-256 that was kept elsewhere and that the log must have passed, 64 hexadecimal digits.
    OutputError where a file cannot be read, or that is no such head.
    """
    kept = None if head is None else _kept_head(head)
    path = Path(path)
    beside = read_head(head_path(path))
    trouble: list[str] = []
    counts = dict.fromkeys(EVENTS, 0)
    chain = Chain()
    unclosed: list[int] = []
    running = passed = False
    passed_head = beside is not None and beside.of_no_line
    try:
        with path.open("rb") as stream:
            for step in walk(stream, chain):
                if step.trouble is not None:
                    trouble.append(f"line {step.number}: {step.trouble}")
                elif step.event is not None:
                    counts[step.event] += 1
                if step.begins:
                    unclosed.append(step.number)
                elif step.event == "close" and running:
                    unclosed.pop()
                running = step.begins or (running and step.event not in ("open", "close"))
                chain = step.chain
                passed = passed or chain.prev == kept
                passed_head = passed_head or (beside is not None and chain == beside.chain)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    if kept is not None and not passed:
        trouble.append("the log never had the head that was kept: it was cut or written anew")
    if beside is not None and not (passed_head and beside.allows(chain)):
        trouble.append("the log is not the one that its head is of: it was cut or changed")
    found = Verification(
        lines=chain.lines,
        runs=counts["open"],
        decisions=counts["decision"],
        unclosed=tuple(unclosed),
        head=chain.prev,
        closed=bool(chain.lines) and beside is not None and chain == beside.chain and not running,
        signature="none" if beside is None or beside.signature is None else "unchecked",
        trouble=tuple(trouble[:_TOLD]),
    )
    return found if key is None else _with_signature(found, beside, key)


def _kept_head(text: str) -> str:
    """A head as somebody wrote it down; OutputError where it cannot be one."""
    head = text.strip().lower()
    if len(head) == len(_FIRST) and set(head) <= set("0123456789abcdef"):
        return head
    raise OutputError(
        f"the head that was kept is a SHA-256, {len(_FIRST)} hexadecimal digits: give it whole;"
        f" these are {len(head)} characters, and nothing was checked"
    )


def _with_signature(
    found: Verification, beside: Head | None, key: str | PathLike[str]
) -> Verification:
    public_key(key)  # a key that cannot be read is the caller's mistake, head or not
    if beside is None:
        return found  # and not closed, which says it
    if beside.signed_by(key):
        return replace(found, signature="good")
    sentence = f"the head is not signed with the key {key}"
    return replace(
        found,
        signature="none" if found.signature == "none" else "bad",
        trouble=(*found.trouble, sentence),
    )
