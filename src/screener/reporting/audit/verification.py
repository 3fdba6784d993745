"""Check an audit log from its first line to its last, and the head beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from screener.errors import OutputError
from screener.reporting.audit.chain import (
    EVENTS,
    FIRST,
    Chain,
    Head,
    Step,
    head_path,
    read_head,
    walk,
)
from screener.system.signatures import read_public_key

_MOST = 20  # troubles that are reported


@dataclass(frozen=True)
class Verification:
    """The outcome of a check.

    `lines`, `runs` and `decisions` are counts. `unclosed` has the first line numbers of runs
    without a closing line, which were killed or are not over; later lines of theirs may be missing.
    `head` is the SHA-256 of the last line. `closed`: the last line ends a run and the head is of
    it, so nothing is missing at the end. `signature` is `none`, `unchecked` (no key was given),
    `good` or `bad`. `trouble` has at most twenty sentences, none of which quotes a line.
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
        """Return the fields as plain values for JSON."""
        lists = {"unclosed": list(self.unclosed), "trouble": list(self.trouble)}
        return {**asdict(self), **lists}


def verify(
    path: str | PathLike[str],
    *,
    key: str | PathLike[str] | None = None,
    head: str | None = None,
) -> Verification:
    """Check an audit log from its first line to its last, and the head beside it.

    `key`: an Ed25519 public key in a PEM file; the head must be signed with its private half.
    `head`: an earlier head, stored elsewhere, that the log must have had: 64 hexadecimal digits.
    Raises OutputError if a file cannot be read or `head` is not one.
    """
    earlier = None if head is None else _checked_head(head)
    path = Path(path)
    beside = read_head(head_path(path))
    check = _Check(earlier, beside)
    try:
        with path.open("rb") as stream:
            for step in walk(stream, check.chain):
                check.add(step)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    verification = check.verification()
    return verification if key is None else _with_signature(verification, beside, key)


class _Check:
    """A check of a log, line by line, against an earlier head and the head beside the log."""

    def __init__(self, earlier: str | None, beside: Head | None) -> None:
        self.chain = Chain()
        self._earlier, self._beside = earlier, beside
        self._passed_earlier = earlier is None
        self._passed_beside = beside is None or beside.of_no_line
        self._counts = dict.fromkeys(EVENTS, 0)
        self._unclosed: list[int] = []  # the first lines of runs
        self._running = False
        self._trouble: list[str] = []

    def add(self, step: Step) -> None:
        """Check a line."""
        if step.trouble is not None:
            self._trouble.append(f"line {step.number}: {step.trouble}")
        elif step.event is not None:
            self._counts[step.event] += 1
        if step.begins:
            self._unclosed.append(step.number)
        elif step.event == "close" and self._running:
            self._unclosed.pop()
        self._running = step.begins or (self._running and step.event not in ("open", "close"))
        self.chain = step.chain
        self._passed_earlier = self._passed_earlier or self.chain.prev == self._earlier
        if self._beside is not None:
            self._passed_beside = self._passed_beside or self.chain == self._beside.chain

    def verification(self) -> Verification:
        """Return the outcome after the last line."""
        beside, chain, trouble = self._beside, self.chain, [*self._trouble]
        if not self._passed_earlier:
            trouble.append("the log never had the given head: it was cut or rewritten")
        if beside is not None and not (self._passed_beside and beside.allows(chain)):
            trouble.append("the log does not fit its head: it was cut or changed")
        at_head = beside is not None and chain == beside.chain
        return Verification(
            lines=chain.lines,
            runs=self._counts["open"],
            decisions=self._counts["decision"],
            unclosed=tuple(self._unclosed),
            head=chain.prev,
            closed=bool(chain.lines) and at_head and not self._running,
            signature="none" if beside is None or beside.signature is None else "unchecked",
            trouble=tuple(trouble[:_MOST]),
        )


def _checked_head(text: str) -> str:
    """Return a head as typed by a person. Raises OutputError if it is not one."""
    head = text.strip().lower()
    if len(head) == len(FIRST) and set(head) <= set("0123456789abcdef"):
        return head
    raise OutputError(
        f"a head is a SHA-256, {len(FIRST)} hexadecimal digits, not these {len(head)} characters;"
        " nothing was checked: give the complete head"
    )


def _with_signature(
    outcome: Verification, beside: Head | None, key: str | PathLike[str]
) -> Verification:
    public = read_public_key(key)  # also if there is no head: an unreadable key is an error
    if beside is None:
        return outcome  # which is not closed
    if beside.is_signed_with(public):
        return replace(outcome, signature="good")
    sentence = f"the head is not signed with the key {key}"
    return replace(
        outcome,
        signature="none" if outcome.signature == "none" else "bad",
        trouble=(*outcome.trouble, sentence),
    )
