"""Audit log: one line a decision, each bound to the one before it, the last one signed.

Every line is a JSON object that ends with `prev`, the SHA-256 of the line before it, line end
included. When a log is closed, its head (how many lines and bytes, the SHA-256 of the last line) is
written beside it as `FILE.head`, and signed if there is a key. `verify` finds any line that was
changed, removed or added since, and an end that was cut off. docs/audit.md says what that is worth.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import stat
import time
from collections import Counter
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from screener.audit_chain import (
    VERSION,
    Chain,
    Head,
    Verification,
    head_of,
    head_path,
    read_head,
    verify,
    walk,
)
from screener.errors import OutputError
from screener.index import disk
from screener.lists.manifest import private_key
from screener.result import Result
from screener.screen import VERSIONS, Screener

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# A power cut may cost the lines of so many seconds; a killed process costs none.
_SYNC_S = 1.0


class AuditLog:
    """Adds lines to an audit log; a context manager. Made by `open_log`, used by one thread."""

    def __init__(
        self, path: Path, descriptor: int, chain: Chain, key: Ed25519PrivateKey | None
    ) -> None:
        self._path = path
        self._descriptor = descriptor
        self._chain = chain
        self._key = key
        self._verdicts: Counter[str] = Counter()
        self._synced = time.monotonic()

    def begin(self, engine: Screener) -> None:
        """Write by which policy, in full, and which lists decisions are made from here on."""
        policy = {"fingerprint": engine.policy.fingerprint, "settings": engine.policy.to_dict()}
        lists = [{"name": one.name, "generation": one.generation} for one in engine.lists]
        self._append("open", policy=policy, lists=lists, versions=dict(VERSIONS))

    def write(self, result: Result) -> None:
        """Write one decision; it is the system's when this returns, and on the disk soon after."""
        self._append("decision", result=result.to_dict())
        self._verdicts[result.verdict] += 1
        if time.monotonic() - self._synced > _SYNC_S:
            os.fsync(self._descriptor)
            self._synced = time.monotonic()

    def close(self, *, ended: str = "complete") -> None:
        """Write how the run ended, and the head beside the log."""
        try:
            self._append(
                "close", ended=ended, decisions=self._verdicts.total(),
                verdicts=dict(self._verdicts),
            )  # fmt: skip
            os.fsync(self._descriptor)
            self._write_head()
        finally:
            os.close(self._descriptor)

    @property
    def head(self) -> str:
        """The SHA-256 of the last line, in hex. That of a closed log, kept elsewhere, proves the
        log even against who holds the key.
        """
        return self._chain.prev

    @property
    def signed(self) -> bool:
        """Whether the head will be signed."""
        return self._key is not None

    def _append(self, event: str, **facts: Any) -> None:
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

    def _write_head(self) -> None:
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

    def _recover(self, torn: bytes) -> None:
        """Take half a line away that a crash left, and say so in a line."""
        os.ftruncate(self._descriptor, self._chain.size)
        self._append("recovered", bytes=len(torn), sha256=hashlib.sha256(torn).hexdigest())

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(OSError):  # the error that is under way says more
            self.close(ended="failed" if issubclass(kind, Exception) else "interrupted")


def open_log(
    path: str | PathLike[str], engine: Screener, *, key: str | PathLike[str] | None = None
) -> AuditLog:
    """Begin an audit log, or continue one, for the decisions of a Screener.

    `key`: an Ed25519 private key in a PEM file, which signs the head on close. Only the owner may
    read the log. One that does not fit its head or breaks its own chain is refused as it is, with
    OutputError; so is one that another program writes. Half a line that a crash left is taken away,
    and a line says so.
    """
    signer = None if key is None else private_key(key)
    path = Path(path)
    descriptor = os.open(
        path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600
    )
    try:
        _claim(descriptor, path)
        chain, torn = _continued(path)
        log = AuditLog(path, descriptor, chain, signer)
        if torn:
            log._recover(torn)
        log.begin(engine)
    except BaseException:
        os.close(descriptor)
        raise
    return log


def _claim(descriptor: int, path: Path) -> None:
    """Be the only writer of a regular file that only its owner reads."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OutputError(f"{path} is no regular file, and an audit log has to stay")
    try:
        import fcntl
    except ImportError:
        pass
    else:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"another program is writing the audit log {path}") from None
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)


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


__all__ = ["AuditLog", "Verification", "open_log", "verify"]
