"""AuditFile: a log on the disk to which lines are added, each bound to the one before it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screener.audit_chain import VERSION, Chain, Head, head_of, head_path, read_head, walk
from screener.claim import Claim, claim, give_up, make_private
from screener.errors import OutputError
from screener.index import disk
from screener.lists.manifest import private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class AuditFile:
    """The lines of an audit log, and its head beside; made by `open`, used by one thread.

    It knows nothing of what the lines say: see `screener.audit` and `screener.hotline`.
    """

    def __init__(
        self, path: Path, claimed: Claim, chain: Chain, torn: bytes, key: Ed25519PrivateKey | None
    ) -> None:
        """Not for callers: use `open`."""
        self._path = path
        self._claimed = claimed
        self._descriptor = claimed.descriptor
        self._chain = chain
        self._torn = torn
        self._key = key

    @classmethod
    def open(
        cls, path: str | PathLike[str], *, key: str | PathLike[str] | None = None
    ) -> AuditFile:
        """Begin a log, or continue one; `key` is an Ed25519 private key in a PEM file, which signs.

        Only the owner may read it. One that does not fit its head or breaks its own chain is
        refused as it is, with OutputError; so is one that another program writes. Half a line that
        a crash left is taken away, and a line says so.
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
        cls, path: str | PathLike[str], *, key: str | PathLike[str] | None = None
    ) -> AuditFile:
        """As `open`, but the log is as it was until `begin` is called: then lines may be added."""
        signer = None if key is None else private_key(key)
        path = Path(path)
        busy = f"another program is writing the audit log {path}"
        claimed = claim(path, os.O_RDWR | os.O_APPEND, busy)
        try:
            if not claimed.regular:
                raise OutputError(f"{path} is no regular file, and an audit log has to stay")
            chain, torn = _continued(path)
        except BaseException:
            give_up(path, claimed)
            raise
        return cls(path, claimed, chain, torn, signer)

    def begin(self) -> None:
        """Take half a line away that a crash left, and say so in a line."""
        make_private(self._descriptor)
        if self._torn:
            torn, self._torn = self._torn, b""
            os.ftruncate(self._descriptor, self._chain.size)
            self.append("recovered", bytes=len(torn), sha256=hashlib.sha256(torn).hexdigest())

    def give_up(self) -> None:
        """Let others write to it, as it was when it was claimed."""
        give_up(self._path, self._claimed)

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
        """Add a line; it is the system's when this returns, and on the disk after `sync`."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"audit": VERSION, "line": self._chain.lines + 1, "time": now, "event": event}
        text = json.dumps(
            {**line, **facts, "prev": self._chain.prev}, ensure_ascii=False, separators=(",", ":")
        )
        data = (text + "\n").encode("utf-8", "replace")
        try:
            disk.current.write(self._descriptor, data)
        except OSError as error:
            # A disk that is full takes half a line; what cannot be told whole is not told.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._chain.size)
            error.filename = error.filename or str(self._path)
            raise
        self._chain = self._chain.after(data)

    def last(self, event: str) -> dict[str, Any] | None:
        """The last line of that event, read from the end; None where there is none."""
        with self._path.open("rb") as stream:
            end = self._chain.size
            rest = b""
            while end:
                start = max(0, end - _CHUNK)
                stream.seek(start)
                first, *whole = (stream.read(end - start) + rest).split(b"\n")
                rest, end = (first, start) if start else (b"", 0)
                for line in reversed(whole if start else [first, *whole]):
                    found = json.loads(line) if line else {}
                    if found.get("event") == event:
                        return dict(found)
        return None

    @property
    def headed(self) -> bool:
        """Whether the head beside it is of its last line."""
        beside = read_head(head_path(self._path))
        return beside is not None and beside.chain == self._chain

    def sync(self) -> None:
        """Return when its lines last through a power cut."""
        os.fsync(self._descriptor)

    def write_head(self) -> None:
        """Write beside it how far it goes, signed if there is a key; what it covers is synced."""
        self.sync()
        text = head_of(self._chain).encode()
        if self._key is not None:
            text += base64.b64encode(self._key.sign(text)) + b"\n"
        path = head_path(self._path)
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        handle = disk.current.create(new)
        try:
            disk.current.write(handle, text)
            disk.current.sync(handle)
        finally:
            disk.current.close(handle)
        disk.current.rename(new, path)
        disk.current.sync_folder(path.parent)

    def close(self) -> None:
        """Let others write to it."""
        os.close(self._descriptor)


_CHUNK = 1 << 16


def _continued(path: Path) -> tuple[Chain, bytes]:
    """Where a log stands, and half a line behind that; OutputError where it may not go on.

    Only what follows the head is read: all before it is for `verify`, which takes its time.
    """
    with path.open("rb") as stream:
        head = read_head(head_path(path))
        chain = Chain()
        if isinstance(head, Head):
            if not head.fits(stream):
                raise OutputError(
                    f"{path} is not what its head {head_path(path)} says: it was changed or cut"
                    " since; see `screener audit verify`, and begin another"
                )
            chain = head.chain
        stream.seek(chain.size)
        for step in walk(stream, chain):
            if step.torn:
                return chain, step.data
            if step.trouble is not None:
                raise OutputError(
                    f"{path}, line {step.number}: {step.trouble}; nothing was written to it"
                )
            chain = step.chain
    return chain, b""
