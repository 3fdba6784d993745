"""Verifying an audit log: from its first line to its last, and the head beside it."""

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

_TOLD = 20  # troubles, at most


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
    found = _Found(kept, beside)
    try:
        with path.open("rb") as stream:
            for step in walk(stream, found.chain):
                found.add(step)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    verification = found.verification()
    return verification if key is None else _with_signature(verification, beside, key)


class _Found:
    """What a log turns out to be, line by line; `chain` is that of its last line so far."""

    def __init__(self, kept: str | None, beside: Head | None) -> None:
        """Held against a head that was `kept` elsewhere, and the one `beside` the log."""
        self.chain = Chain()
        self._kept, self._beside = kept, beside
        self._passed_kept = kept is None
        self._passed_beside = beside is None or beside.of_no_line
        self._counts = dict.fromkeys(EVENTS, 0)
        self._unclosed: list[int] = []  # the first lines of runs
        self._running = False
        self._trouble: list[str] = []

    def add(self, step: Step) -> None:
        """Note a line."""
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
        self._passed_kept = self._passed_kept or self.chain.prev == self._kept
        if self._beside is not None:
            self._passed_beside = self._passed_beside or self.chain == self._beside.chain

    def verification(self) -> Verification:
        """What was found, now that there are no more lines."""
        beside, chain, trouble = self._beside, self.chain, [*self._trouble]
        if not self._passed_kept:
            trouble.append("the log never had the head that was kept: it was cut or written anew")
        if beside is not None and not (self._passed_beside and beside.allows(chain)):
            trouble.append("the log is not the one that its head is of: it was cut or changed")
        at_head = beside is not None and chain == beside.chain
        return Verification(
            lines=chain.lines,
            runs=self._counts["open"],
            decisions=self._counts["decision"],
            unclosed=tuple(self._unclosed),
            head=chain.prev,
            closed=bool(chain.lines) and at_head and not self._running,
            signature="none" if beside is None or beside.signature is None else "unchecked",
            trouble=tuple(trouble[:_TOLD]),
        )


def _kept_head(text: str) -> str:
    """A head as somebody wrote it down; OutputError where it cannot be one."""
    if not isinstance(text, str):
        found = type(text).__name__
        raise OutputError(f"the head that was kept is a SHA-256 as text, and not {found}")
    head = text.strip().lower()
    if len(head) == len(FIRST) and set(head) <= set("0123456789abcdef"):
        return head
    raise OutputError(
        f"the head that was kept is a SHA-256, {len(FIRST)} hexadecimal digits: give it whole;"
        f" these are {len(head)} characters, and nothing was checked"
    )


def _with_signature(
    found: Verification, beside: Head | None, key: str | PathLike[str]
) -> Verification:
    public = read_public_key(key)  # one that cannot be read is the caller's mistake, head or not
    if beside is None:
        return found  # and not closed, which says it
    if beside.is_signed_with(public):
        return replace(found, signature="good")
    sentence = f"the head is not signed with the key {key}"
    return replace(
        found,
        signature="none" if found.signature == "none" else "bad",
        trouble=(*found.trouble, sentence),
    )
