"""An audit log on disk: lines are appended, and its head is written beside it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from screener.errors import OutputError
from screener.reporting.audit.chain import Chain, head_of, head_path, line_of, read_head, walk
from screener.system import files
from screener.system.output_file import Claim, claim, make_private
from screener.system.signatures import read_private_key, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CHUNK = 1 << 16  # bytes read at a time

_LEFT = (
    "it was left unchanged: keep it and the files beside it as evidence, check it with `screener"
    " audit verify`, and begin another log"
)


class AuditFile:
    """The lines of an audit log and its head; made by `open`, used by one thread.

    `screener.reporting.audit.log` and `screener.hotline` decide what the lines say.
    """

    def __init__(
        self, path: Path, claimed: Claim, state: _State, key: Ed25519PrivateKey | None
    ) -> None:
        self._path = path.absolute()  # the program may change its folder
        self._claimed = claimed
        self._descriptor = claimed.descriptor
        self._chain = state.chain
        self._torn = state.torn
        self._covered = state.covered
        self._key = key
        self.unheaded = state.unheaded
        """How many lines no head covered when the log was opened, because their run was killed."""

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, key: str | PathLike[str] | None = None
    ) -> AuditFile:
        """Begin or continue a log, readable by its owner only.

        `key`: an Ed25519 private key in a PEM file, which signs the head. Half a line left by a
        crash is removed, and a new line records that. Raises OutputError if the log has lines but
        no head, does not fit its head, breaks its chain, or is written by another program.
        """
        log = cls.claim(path, key=key)
        try:
            log.begin()
        except BaseException:
            log.close()
            raise
        return log

    @classmethod
    def claim(
        cls,
        path: str | PathLike[str],
        *,
        key: str | PathLike[str] | None = None,
        one_key: bool = False,
    ) -> AuditFile:
        """Open a log like `open`, but change nothing before `begin` is called.

        With `one_key`, refuse a log whose head is unsigned or signed with another key; appending
        would replace its signature.
        """
        signer = None if key is None else read_private_key(key)
        path = Path(path)
        claimed = claim(path, os.O_RDWR | os.O_APPEND)
        try:
            if not claimed.regular:
                raise OutputError(f"{path} is not a regular file, so it cannot store an audit log")
            state = _read_state(path)
            if one_key:
                _check_key(path, signer)
        except BaseException:
            claimed.abandon()
            raise
        return cls(path, claimed, state, signer)

    def begin(self) -> None:
        """Remove half a line left by a crash; record that in a line unless it was the first."""
        make_private(self._path, self._descriptor)
        torn, self._torn = self._torn, b""
        if torn:
            os.ftruncate(self._descriptor, self._chain.size)
        if torn and self._chain.lines:
            self.append("recovered", bytes=len(torn), sha256=hashlib.sha256(torn).hexdigest())

    def give_up(self) -> None:
        """Close the log unchanged; if it was created by the claim, remove it."""
        if not self.closed:
            self._claimed.abandon()

    @property
    def closed(self) -> bool:
        """Whether the log is closed."""
        return self._claimed.file.closed

    @property
    def is_own(self) -> bool:
        """Whether this process opened the log, rather than one that it was forked from."""
        return self._claimed.is_own

    def check_own(self) -> None:
        """Raise OutputError if another process opened the log: its chain would break."""
        if not self.is_own:
            raise OutputError(
                f"the audit log {self._path} was opened before this process was forked: open a log"
                " of its own in each process"
            )

    @property
    def lines(self) -> int:
        """How many lines the log has."""
        return self._chain.lines

    @property
    def head(self) -> str:
        """The SHA-256 of the last line, in hex."""
        return self._chain.prev

    @property
    def signed(self) -> bool:
        """Whether the head will be signed."""
        return self._key is not None

    def append(self, event: str, **facts: Any) -> None:
        """Hand a line to the system; `sync` flushes it to disk.

        Raises OutputError in a forked process, and if the log is closed.
        """
        self.check_own()
        if self.closed:  # its descriptor may be another file's by now
            raise OutputError(f"the audit log {self._path} is closed")
        data = line_of(self._chain.lines + 1, event, facts, self._chain.prev)
        self._cover()
        try:
            files.current.write(self._descriptor, data)
            self._chain = self._chain.after(data)
        except BaseException as error:
            # A full disk takes half a line, and Ctrl-C may come before the chain has the line.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._chain.size)
            if isinstance(error, OSError):
                error.filename = error.filename or str(self._path)
            raise
        self._cover()

    def last(self, event: str) -> dict[str, Any] | None:
        """Return the last line of an event, or None; read from the end of the log.

        Raises OutputError if a line on the way is damaged.
        """
        with self._path.open("rb") as stream:
            end = self._chain.size
            rest = b""
            while end:
                start = max(0, end - _CHUNK)
                stream.seek(start)
                first, *complete = (stream.read(end - start) + rest).split(b"\n")
                rest, end = (first, start) if start else (b"", 0)
                for line in filter(None, reversed(complete if start else [first, *complete])):
                    facts = self._parse(line)
                    if facts["event"] == event:
                        return facts
        return None

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(line)
            facts["event"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OutputError(f"{self._path} has a damaged line; {_LEFT}") from None
        return facts

    @property
    def headed(self) -> bool:
        """Whether the head beside the log is of its last line."""
        beside = read_head(head_path(self._path))
        return beside is not None and beside.chain == self._chain

    def sync(self) -> None:
        """Flush the lines to disk, so that they survive a power cut.

        Raises OutputError if the file was moved or changed meanwhile: added lines would be lost.
        """
        os.fsync(self._descriptor)
        facts, named = os.fstat(self._descriptor), None
        with contextlib.suppress(OSError):
            named = os.stat(self._path)
        same = named is not None and os.path.samestat(facts, named)
        if not same or facts.st_size != self._chain.size:
            raise OutputError(
                f"the audit log {self._path} was moved, removed or changed by another program"
                " during this run, whose later decisions are not in it: move a log, and its head,"
                " only after it is closed"
            )

    def write_head(self) -> None:
        """Write the head of the last line, signed if there is a key, after a `sync`."""
        self.sync()
        text = head_of(self._chain).encode()
        if self._key is not None:
            text += sign(text, key=self._key)
        path = head_path(self._path)
        with files.write_atomically(path) as (handle,):
            files.current.write(handle, text)

    def _cover(self) -> None:
        """Write a head of no line before the first line, and one of it after it: see Head."""
        if not self._covered:
            self.write_head()
            self._covered = bool(self._chain.lines)

    def close(self) -> None:
        """Close the log and release its lock; do nothing if it is closed."""
        self._claimed.close()


def _check_key(path: Path, signer: Ed25519PrivateKey | None) -> None:
    """Raise OutputError unless a log's head is signed with this key, or unsigned if it is None."""
    head = read_head(head_path(path))
    if head is None:
        return  # a new log
    if signer is None:
        if head.signature is not None:
            raise OutputError(f"{path} is a signed log: give the key that signs it")
    elif head.signature is None:
        raise OutputError(
            f"{path} is not signed, so anybody may have changed its lines, and a signature would"
            " vouch for them: begin another log, or continue without the key. If it was signed"
            f" before: {_LEFT}"
        )
    elif not head.is_signed_with(signer.public_key()):
        raise OutputError(
            f"the head of {path} was signed with another key, or was changed; {_LEFT}"
        )


class _State(NamedTuple):
    """The state of a log before it is continued.

    `unheaded`: lines after its head, left by a run that was killed. `torn`: half a line after
    these. `covered`: the head is of a line.
    """

    chain: Chain
    unheaded: int = 0
    torn: bytes = b""
    covered: bool = False


def _read_state(path: Path) -> _State:
    """Return the state of a log. Raises OutputError if it must not be continued.

    Only lines after the head are read; `verify` reads all.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        head = read_head(head_path(path))
        if head is not None and not head.fits(stream):
            raise _mismatch(path)
        chain = Chain() if head is None else head.chain
        stream.seek(chain.size)
        state = _walk_unheaded(stream, chain, path)
    if head is not None and not head.allows(state.chain):
        raise _mismatch(path)
    if head is None and size:
        raise OutputError(
            f"{path} has lines but no head, {head_path(path)}: it was removed, and lines may have"
            f" been removed too; {_LEFT}"
        )
    return state._replace(covered=head is not None and not head.of_no_line)


def _mismatch(path: Path) -> OutputError:
    return OutputError(
        f"{path} does not fit its head {head_path(path)}: it was changed or cut, and lines may be"
        f" missing, or the head is of another log; {_LEFT}"
    )


def _walk_unheaded(stream: BinaryIO, chain: Chain, path: Path) -> _State:
    """Check the lines after a head. Raises OutputError if one does not follow."""
    lines = chain.lines
    for step in walk(stream, chain):
        if step.torn:
            return _State(chain, chain.lines - lines, step.data)
        if step.trouble is not None:
            raise OutputError(
                f"{path}, line {step.number}: {step.trouble}; nothing was written to it"
            )
        chain = step.chain
    return _State(chain, chain.lines - lines)
