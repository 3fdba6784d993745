"""An audit log on disk: its lines, and its head in a second file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from screener.errors import OutputError
from screener.reporting.audit.chain import Chain, build_head, build_line, head_path, read_head, walk
from screener.system import files
from screener.system.output_file import Claim, claim, make_private
from screener.system.signatures import read_private_key, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CHUNK_BYTES = 1 << 16

_EVIDENCE_ADVICE = (
    "it was left unchanged: keep it and the files next to it as evidence, check it with `screener"
    " audit verify`, and begin another log"
)


class AuditFile:
    """The lines of an audit log, and its head, for one thread.

    `open` and `claim` make one. `AuditLog` and `screener.hotline` decide the content of the lines.
    """

    def __init__(
        self, path: Path, claimed: Claim, state: _State, key: Ed25519PrivateKey | None
    ) -> None:
        self._path = path.absolute()  # the program may change its folder
        self._claimed = claimed
        self._descriptor = claimed.descriptor
        self._chain = state.chain
        self._torn = state.torn
        self._has_line_head = state.has_line_head
        self._key = key
        self.unheaded = state.unheaded
        """The number of lines after the head at opening; their run was killed."""

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, key: str | PathLike[str] | None = None
    ) -> AuditFile:
        """Begin or continue a log, readable by its owner only.

        `key` is a PEM file with the Ed25519 private key that signs the head. If a crash left an
        incomplete line, it is removed, and a new line records that. Raises OutputError if the log
        has lines but no head, does not fit its head, breaks its chain, or is written by another
        program.
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

        With `one_key`, refuse a log whose head is unsigned or signed with another key, since
        appending would replace its signature.
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
        """Remove an incomplete last line, and record that unless it was the only one."""
        make_private(self._path, self._descriptor)
        torn, self._torn = self._torn, b""
        if torn:
            os.ftruncate(self._descriptor, self._chain.size)
        if torn and self._chain.lines:
            self.append("recovered", bytes=len(torn), sha256=hashlib.sha256(torn).hexdigest())

    def give_up(self) -> None:
        """Close the log unchanged, and remove it if the claim created it."""
        if not self.closed:
            self._claimed.abandon()

    @property
    def closed(self) -> bool:
        """True if the log is closed."""
        return self._claimed.file.closed

    @property
    def is_own(self) -> bool:
        """True if this process opened the log, not a process that it was forked from."""
        return self._claimed.is_own

    def check_own(self) -> None:
        """Raise OutputError if another process opened the log: the chain would break."""
        if not self.is_own:
            raise OutputError(
                f"the audit log {self._path} was opened before this process was forked: open a log"
                " of its own in each process"
            )

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self._chain.lines

    @property
    def head(self) -> str:
        """The SHA-256 of the last line in hex."""
        return self._chain.prev

    @property
    def signed(self) -> bool:
        """True if the head will be signed."""
        return self._key is not None

    def append(self, event: str, **fields: Any) -> None:
        """Write a line, which `sync` flushes to disk.

        Raises OutputError in a forked process, or if the log is closed.
        """
        self.check_own()
        if self.closed:  # its descriptor may belong to another file now
            raise OutputError(f"the audit log {self._path} is closed")
        data = build_line(self._chain.lines + 1, event, fields, self._chain.prev)
        self._write_first_heads()
        try:
            files.current.write(self._descriptor, data)
            self._chain = self._chain.extend(data)
        except BaseException as error:
            # A full disk may leave half a line, and Ctrl-C may come before the chain has the line.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._chain.size)
            if isinstance(error, OSError):
                error.filename = error.filename or str(self._path)
            raise
        self._write_first_heads()

    def last(self, event: str) -> dict[str, Any] | None:
        """Return the last line of an event, or None if there is none.

        The log is read from its end. Raises OutputError if a line on the way is damaged.
        """
        with self._path.open("rb") as stream:
            end = self._chain.size
            line_end = b""  # the rest of a line that begins in an earlier chunk
            while end:
                start = max(0, end - _CHUNK_BYTES)
                stream.seek(start)
                first, *complete = (stream.read(end - start) + line_end).split(b"\n")
                line_end, end = (first, start) if start else (b"", 0)
                for line in filter(None, reversed(complete if start else [first, *complete])):
                    fields = self._parse(line)
                    if fields["event"] == event:
                        return fields
        return None

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = json.loads(line)
            fields["event"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OutputError(f"{self._path} has a damaged line; {_EVIDENCE_ADVICE}") from None
        return fields

    @property
    def headed(self) -> bool:
        """True if the head in the file is that of the last line."""
        head = read_head(head_path(self._path))
        return head is not None and head.chain == self._chain

    def sync(self) -> None:
        """Flush the lines to disk, so that they survive a power cut.

        Raises OutputError if another program moved or changed the file, since lines would be lost.
        """
        os.fsync(self._descriptor)
        own_stat, path_stat = os.fstat(self._descriptor), None
        with contextlib.suppress(OSError):
            path_stat = os.stat(self._path)
        is_same = path_stat is not None and os.path.samestat(own_stat, path_stat)
        if not is_same or own_stat.st_size != self._chain.size:
            raise OutputError(
                f"the audit log {self._path} was moved, removed or changed by another program"
                " during this run, whose later decisions are not in it: move a log, and its head,"
                " only after it is closed"
            )

    def write_head(self) -> None:
        """Flush the lines, and write the head, signed if there is a key."""
        self.sync()
        text = build_head(self._chain).encode()
        if self._key is not None:
            text += sign(text, key=self._key)
        path = head_path(self._path)
        with files.write_atomically(path) as (handle,):
            files.current.write(handle, text)

    def _write_first_heads(self) -> None:
        """Write an empty head before the first line, and its head after it: see Head."""
        if not self._has_line_head:
            self.write_head()
            self._has_line_head = bool(self._chain.lines)

    def close(self) -> None:
        """Close the log and release its lock. Do nothing if it is closed."""
        self._claimed.close()


def _check_key(path: Path, signer: Ed25519PrivateKey | None) -> None:
    """Raise OutputError if the head has another signature than that of this key.

    Without a key, it must have none.
    """
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
            f" before: {_EVIDENCE_ADVICE}"
        )
    elif not head.is_signed_with(signer.public_key()):
        raise OutputError(
            f"the head of {path} was signed with another key, or was changed; {_EVIDENCE_ADVICE}"
        )


class _State(NamedTuple):
    """The state of a log before it is continued.

    `unheaded`: the number of lines after the head, whose run was killed. `torn`: an incomplete line
    after these. `has_line_head`: there is a head, which is not empty.
    """

    chain: Chain
    unheaded: int = 0
    torn: bytes = b""
    has_line_head: bool = False


def _read_state(path: Path) -> _State:
    """Return the state of a log. Raises OutputError if it must not be continued.

    Only lines after the head are read. `verify` reads all.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        head = read_head(head_path(path))
        if head is not None and not head.fits(stream):
            raise _head_mismatch(path)
        chain = Chain() if head is None else head.chain
        stream.seek(chain.size)
        state = _walk_unheaded(stream, chain, path)
    if head is not None and not head.allows(state.chain):
        raise _head_mismatch(path)
    if head is None and size:
        raise OutputError(
            f"{path} has lines but no head, {head_path(path)}: it was removed, and lines may have"
            f" been removed too; {_EVIDENCE_ADVICE}"
        )
    return state._replace(has_line_head=head is not None and not head.is_empty)


def _head_mismatch(path: Path) -> OutputError:
    return OutputError(
        f"{path} does not fit its head {head_path(path)}: it was changed or cut, and lines may be"
        f" missing, or the head is of another log; {_EVIDENCE_ADVICE}"
    )


def _walk_unheaded(stream: BinaryIO, chain: Chain, path: Path) -> _State:
    lines = chain.lines
    for step in walk(stream, chain):
        if step.torn:
            return _State(chain, chain.lines - lines, step.data)
        if step.problem is not None:
            raise OutputError(
                f"{path}, line {step.number}: {step.problem}; nothing was written to it"
            )
        chain = step.chain
    return _State(chain, chain.lines - lines)
