"""Verifying an audit log: from its first line to its last, and the head beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from screener.audit.chain import EVENTS, FIRST, Chain, Head, Step, head_path, read_head, walk
from screener.errors import OutputError
from screener.signatures import public_key

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
    trouble: list[str] = []
    counts = dict.fromkeys(EVENTS, 0)
    chain, runs = Chain(), _Runs()
    passed, passed_head = False, beside is not None and beside.of_no_line
    try:
        with path.open("rb") as stream:
            for step in walk(stream, chain):
                if step.trouble is not None:
                    trouble.append(f"line {step.number}: {step.trouble}")
                elif step.event is not None:
                    counts[step.event] += 1
                runs.add(step)
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
        unclosed=tuple(runs.unclosed),
        head=chain.prev,
        closed=bool(chain.lines)
        and beside is not None
        and chain == beside.chain
        and not runs.running,
        signature="none" if beside is None or beside.signature is None else "unchecked",
        trouble=tuple(trouble[:_TOLD]),
    )
    return found if key is None else _with_signature(found, beside, key)


class _Runs:
    """The runs of a log: the first lines of those that did not close, and whether one is open."""

    def __init__(self) -> None:
        self.unclosed: list[int] = []
        self.running = False

    def add(self, step: Step) -> None:
        """Note a line."""
        if step.begins:
            self.unclosed.append(step.number)
        elif step.event == "close" and self.running:
            self.unclosed.pop()
        self.running = step.begins or (self.running and step.event not in ("open", "close"))


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
    public = public_key(key)  # one that cannot be read is the caller's mistake, head or not
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
