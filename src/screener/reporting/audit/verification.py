"""The check of all lines of an audit log, and of its head."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from screener.errors import OutputError
from screener.reporting.audit.chain import (
    EVENTS,
    FIRST_PREV,
    Chain,
    Head,
    Step,
    head_path,
    read_head,
    walk,
)
from screener.system.signatures import read_public_key

_MAX_SENTENCES = 20


@dataclass(frozen=True)
class Verification:
    """The outcome of a check.

    - `lines`, `runs`, `decisions`: counts.
    - `unclosed`: the first line number of each run without a closing line. It was killed or is not
      over, and its later lines may be missing.
    - `head`: the SHA-256 of the last line.
    - `closed`: the last line ends a run and the head is that of this line, so nothing is missing at
      the end.
    - `signature`: `none`, `unchecked` (no key was given), `good` or `bad`.
    - `trouble`: at most twenty sentences on wrong lines, which quote none.
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
        """Return the fields as types of JSON."""
        lists = {"unclosed": list(self.unclosed), "trouble": list(self.trouble)}
        return {**asdict(self), **lists}


def verify(
    path: str | PathLike[str],
    *,
    key: str | PathLike[str] | None = None,
    head: str | None = None,
) -> Verification:
    """Check an audit log from its first line to its last, and its head.

    Parameters:
        path: The log.
        key: A PEM file with the Ed25519 public key whose private key must have signed the head.
        head: An earlier head, stored elsewhere, that the log must have had: 64 hexadecimal digits.

    Raises:
        OutputError: If a file cannot be read, or `head` is not a head.
    """
    earlier = None if head is None else _parse_head(head)
    path = Path(path)
    file_head = read_head(head_path(path))
    check = _Check(earlier, file_head)
    try:
        with path.open("rb") as stream:
            for step in walk(stream, check.chain):
                check.add(step)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from error
    verification = check.make_verification()
    return verification if key is None else _check_signature(verification, file_head, key)


class _Check:
    """A check of a log, line by line, against its head and an earlier one."""

    def __init__(self, earlier: str | None, file_head: Head | None) -> None:
        self.chain = Chain()
        self._earlier, self._file_head = earlier, file_head
        self._passed_earlier = earlier is None
        self._passed_file_head = file_head is None or file_head.is_empty
        self._counts = dict.fromkeys(EVENTS, 0)
        self._unclosed: list[int] = []  # first line numbers
        self._is_running = False
        self._sentences: list[str] = []

    def add(self, step: Step) -> None:
        if step.problem is not None:
            self._sentences.append(f"line {step.number}: {step.problem}")
        elif step.event is not None:
            self._counts[step.event] += 1
        if step.begins:
            self._unclosed.append(step.number)
        elif step.event == "close" and self._is_running:
            self._unclosed.pop()
        self._is_running = step.begins or (self._is_running and step.event not in ("open", "close"))
        self.chain = step.chain
        self._passed_earlier = self._passed_earlier or self.chain.prev == self._earlier
        if self._file_head is not None:
            is_passed = self.chain == self._file_head.chain
            self._passed_file_head = self._passed_file_head or is_passed

    def make_verification(self) -> Verification:
        """Return the outcome after the last line."""
        file_head, chain, sentences = self._file_head, self.chain, [*self._sentences]
        if not self._passed_earlier:
            sentences.append("the log never had the given head: it was cut or rewritten")
        if file_head is not None and not (self._passed_file_head and file_head.allows(chain)):
            sentences.append("the log does not fit its head: it was cut or changed")
        is_at_head = file_head is not None and chain == file_head.chain
        is_signed = file_head is not None and file_head.signature is not None
        return Verification(
            lines=chain.lines,
            runs=self._counts["open"],
            decisions=self._counts["decision"],
            unclosed=tuple(self._unclosed),
            head=chain.prev,
            closed=bool(chain.lines) and is_at_head and not self._is_running,
            signature="unchecked" if is_signed else "none",
            trouble=tuple(sentences[:_MAX_SENTENCES]),
        )


def _parse_head(text: str) -> str:
    """Return a head that a person typed. Raises OutputError if it is not a head."""
    head = text.strip().lower()
    if len(head) == len(FIRST_PREV) and set(head) <= set("0123456789abcdef"):
        return head
    raise OutputError(
        f"a head is a SHA-256, {len(FIRST_PREV)} hexadecimal digits, not these {len(head)}"
        " characters; nothing was checked: give the complete head"
    )


def _check_signature(
    verification: Verification, file_head: Head | None, key: str | PathLike[str]
) -> Verification:
    public_key = read_public_key(key)  # an unreadable key is an error even without a head
    if file_head is None:
        return verification  # it is not closed either
    if file_head.is_signed_with(public_key):
        return replace(verification, signature="good")
    return replace(
        verification,
        signature="none" if verification.signature == "none" else "bad",
        trouble=(*verification.trouble, f"the head is not signed with the key {key}"),
    )
