"""AuditFile: a log on the disk to which lines are added, each bound to the one before it."""

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
from screener.system.output_file import Claim, claim, close, give_up, make_private
from screener.system.signatures import read_private_key, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CHUNK = 1 << 16  # bytes that are read at once

_LEFT = (
    "it was left as it is: keep it as evidence with what lies beside it, see what `screener audit"
    " verify` says of it, and begin another log"
)


class AuditFile:
    """The lines of an audit log, and its head beside; made by `open`, used by one thread.

    It knows nothing of what the lines say: see `screener.reporting.audit.log` and
    `screener.hotline`.
    """

    def __init__(
        self, path: Path, claimed: Claim, found: _Found, key: Ed25519PrivateKey | None
    ) -> None:
        """Not for callers: use `open`."""
        self._path = path.absolute()  # the program may go to another folder before the head is due
        self._claimed = claimed
        self._descriptor = claimed.descriptor
        self._chain = found.chain
        self._torn = found.torn
        self._covered = found.covered
        self._key = key
        self.unheaded = found.unheaded
        """How many lines no head covered when it was opened: those of a run that was killed."""

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, key: str | PathLike[str] | None = None
    ) -> AuditFile:
        """Begin a log, or continue one; `key` is an Ed25519 private key in a PEM file, which signs.

        Only the owner may read it. One that has lines and no head, does not fit its head or breaks
        its own chain is refused as it is, with OutputError; so is one that another program writes.
        Half a line that a crash left is taken away, and a line says so.
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
        """As `open`, but the log is as it was until `begin` is called: then lines may be added.

        With `one_key` a log whose head is signed otherwise, or not, is refused: what it stands for
        would be signed by whom it is not of, or lose its signature.
        """
        signer = None if key is None else read_private_key(key)
        path = Path(path)
        claimed = claim(path, os.O_RDWR | os.O_APPEND)
        try:
            if not claimed.regular:
                raise OutputError(f"{path} is no regular file, and an audit log has to stay")
            found = _continued(path)
            if one_key:
                _check_key(path, signer)
        except BaseException:
            give_up(path, claimed)
            raise
        return cls(path, claimed, found, signer)

    def begin(self) -> None:
        """Take half a line away that a crash left, and say so in a line where one is before it."""
        make_private(self._path, self._descriptor)
        torn, self._torn = self._torn, b""
        if torn:
            os.ftruncate(self._descriptor, self._chain.size)
        if torn and self._chain.lines:
            self.append("recovered", bytes=len(torn), sha256=hashlib.sha256(torn).hexdigest())

    def give_up(self) -> None:
        """Let others write to it, as it was when it was claimed; nothing once it is closed."""
        if not self.closed:
            give_up(self._path, self._claimed)

    @property
    def closed(self) -> bool:
        """Whether others may write to it, and nothing can be added any more."""
        return self._claimed.file.closed

    @property
    def is_own(self) -> bool:
        """Whether this process opened it, and was not forked from the one that did."""
        return self._claimed.is_own

    def check_own(self) -> None:
        """OutputError where another process opened it: that one adds lines to it, and knows of none
        that are added here.
        """
        if not self.is_own:
            raise OutputError(
                f"the audit log {self._path} was opened before this process was forked: open a log"
                " of its own in each process"
            )

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return self._chain.lines

    @property
    def head(self) -> str:
        """The SHA-256 of the last line, in hex."""
        return self._chain.prev

    @property
    def signed(self) -> bool:
        """Whether its head will be signed."""
        return self._key is not None

    def append(self, event: str, **facts: Any) -> None:
        """Add a line; it is the system's when this returns, and on the disk after `sync`. What is
        too long for a line is told by its length and SHA-256. OutputError in a forked process, and
        once it is closed.
        """
        self.check_own()
        if self.closed:  # its descriptor may be that of another file by now
            raise OutputError(f"the audit log {self._path} is closed")
        data = line_of(self._chain.lines + 1, event, facts, self._chain.prev)
        self._cover()
        try:
            files.current.write(self._descriptor, data)
            self._chain = self._chain.after(data)
        except BaseException as error:
            # A disk that is full takes half a line, and Ctrl-C may come before the line counts;
            # what cannot be told whole is not told.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._chain.size)
            if isinstance(error, OSError):
                error.filename = error.filename or str(self._path)
            raise
        self._cover()

    def last(self, event: str) -> dict[str, Any] | None:
        """The last line of that event, read from the end; None where there is none. OutputError
        where a line on the way is none of a log.
        """
        with self._path.open("rb") as stream:
            end = self._chain.size
            rest = b""
            while end:
                start = max(0, end - _CHUNK)
                stream.seek(start)
                first, *whole = (stream.read(end - start) + rest).split(b"\n")
                rest, end = (first, start) if start else (b"", 0)
                for line in filter(None, reversed(whole if start else [first, *whole])):
                    found = self._read(line)
                    if found["event"] == event:
                        return found
        return None

    def _read(self, line: bytes) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(line)
            found["event"]  # which it has, or it is none
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OutputError(f"{self._path} has a line that is none of a log; {_LEFT}") from None
        return found

    @property
    def headed(self) -> bool:
        """Whether the head beside it is of its last line."""
        beside = read_head(head_path(self._path))
        return beside is not None and beside.chain == self._chain

    def sync(self) -> None:
        """Return when its lines last through a power cut. OutputError where the file is no more at
        its place, or as it was written, so that what is added to it is in no log.
        """
        os.fsync(self._descriptor)
        facts, there = os.fstat(self._descriptor), None
        with contextlib.suppress(OSError):
            there = os.stat(self._path)
        same = there is not None and os.path.samestat(facts, there)
        if not same or facts.st_size != self._chain.size:
            raise OutputError(
                f"the audit log {self._path} was moved, removed or changed by another program while"
                " it was written to, so that what was decided since is not in it: a log is moved,"
                " with its head, once it is closed"
            )

    def write_head(self) -> None:
        """Write beside it how far it goes, signed if there is a key; what it covers is synced."""
        self.sync()
        text = head_of(self._chain).encode()
        if self._key is not None:
            text += sign(text, key=self._key)
        path = head_path(self._path)
        with files.write_atomically(path) as (handle,):
            files.current.write(handle, text)

    def _cover(self) -> None:
        """See to it that there is a head of a line, below which the log cannot be cut unnoticed;
        before there is a line, one of none, so that no log has lines and no head.
        """
        if not self._covered:
            self.write_head()
            self._covered = bool(self._chain.lines)

    def close(self) -> None:
        """Let others write to it; nothing once it is closed."""
        close(self._claimed)


def _check_key(path: Path, signer: Ed25519PrivateKey | None) -> None:
    """OutputError where a log's head is not signed with a key, or is signed and there is none."""
    head = read_head(head_path(path))
    if head is None:
        return  # a new log
    if signer is None:
        if head.signature is not None:
            raise OutputError(f"{path} is a signed log: name the key that signs it")
    elif head.signature is None:
        raise OutputError(
            f"{path} is not signed, so what it says so far may have been changed by anybody, and a"
            " signature would stand for it: begin another log, or go on without the key. If it was"
            f" signed before: {_LEFT}"
        )
    elif not head.is_signed_with(signer.public_key()):
        raise OutputError(
            f"the head of {path} was signed with another key, or changed since; {_LEFT}"
        )


class _Found(NamedTuple):
    """Where a log that is to be gone on with stands: `unheaded` of its lines are behind its head,
    as of a run that was killed; `torn` is half a line behind these; `covered` says whether its head
    is of a line.
    """

    chain: Chain
    unheaded: int = 0
    torn: bytes = b""
    covered: bool = False


def _continued(path: Path) -> _Found:
    """Where a log stands; OutputError where it may not go on.

    Only what follows the head is read: all before it is for `verify`, which takes its time.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        head = read_head(head_path(path))
        if head is not None and not head.fits(stream):
            raise _another(path)
        chain = Chain() if head is None else head.chain
        stream.seek(chain.size)
        found = _behind(stream, chain, path)
    if head is not None and not head.allows(found.chain):
        raise _another(path)
    if head is None and size:
        raise OutputError(
            f"{path} has lines and no head, {head_path(path)}, which every log has from its first"
            f" line on: it was taken away, and lines may have been; {_LEFT}"
        )
    return found._replace(covered=head is not None and not head.of_no_line)


def _another(path: Path) -> OutputError:
    return OutputError(
        f"{path} is not what its head {head_path(path)} says: it was changed or cut since,"
        f" and lines may have been removed, or the head is of another log; {_LEFT}"
    )


def _behind(stream: BinaryIO, chain: Chain, path: Path) -> _Found:
    """Walk over the lines behind a head; OutputError where one does not follow."""
    lines = chain.lines
    for step in walk(stream, chain):
        if step.torn:
            return _Found(chain, chain.lines - lines, step.data)
        if step.trouble is not None:
            raise OutputError(
                f"{path}, line {step.number}: {step.trouble}; nothing was written to it"
            )
        chain = step.chain
    return _Found(chain, chain.lines - lines)
