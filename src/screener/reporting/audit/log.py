"""The audit log of a Screener's decisions, one line per Result.

Every line is a JSON object that ends with `prev`, the SHA-256 of the line before it and its line
end. When a run begins and when it ends, the head of the log (lines, bytes, SHA-256 of the last
line) is written to `FILE.head`, and signed if there is a key. `verify` finds lines that were
changed, removed or added, and a missing end. Such a log is not continued. docs/audit.md explains
what a log proves.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from os import PathLike

from screener.errors import OutputError
from screener.reporting.audit.audit_file import AuditFile
from screener.screening.result import Result
from screener.screening.screener import VERSIONS, Screener

# The ways in which a run ends: by itself, by an interrupt, by an error.
ENDS = ("complete", "interrupted", "failed")

# A power cut may cost the lines of this time; a killed process loses none.
_SYNC_INTERVAL_SECONDS = 1.0


class AuditLog:
    """Adds lines to an audit log; a context manager.

    `open_log` makes one. Threads may share it, but a forked process must open its own log. A signal
    handler must not call the log. Let it raise an exception, as Ctrl-C does, so that the block
    writes the closing line and the head.
    """

    def __init__(self, file: AuditFile) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._writing = False
        self._verdicts: Counter[str] = Counter()
        self._last_sync = time.monotonic()
        self.begun = False

    def begin(self, screener: Screener) -> None:
        """Write the policy and the lists of the next decisions, then the head.

        Raises OutputError if the run has begun: a second beginning would make it look killed.
        """
        if self.begun:
            raise OutputError("this run of the audit log has begun: open_log begins another")
        self._file.begin()
        policy = {"fingerprint": screener.policy.fingerprint, "settings": screener.policy.to_dict()}
        lists = [
            {
                "name": hash_list.name,
                "generation": hash_list.generation,
                "stamp": hash_list.stamp(),
            }
            for hash_list in screener.lists
        ]
        unheaded = {"unheaded": self._file.unheaded} if self._file.unheaded else {}
        lines = self._file.lines
        try:
            self._file.append(
                "open", policy=policy, lists=lists, versions=dict(VERSIONS), **unheaded
            )
        finally:  # without this line, no closing line may be written
            self.begun = self._file.lines > lines
        self._file.write_head()

    def write(self, result: Result) -> None:
        """Write the line of a decision, and flush lines to disk every second.

        Raises OutputError if the run has not begun, or if another program moved, removed or changed
        the file, which is checked at each flush and when the log is closed.
        """
        if not self.begun:  # closing would remove the line
            raise OutputError("this run of the audit log has not begun: call begin(screener) first")
        self._file.check_own()  # before the lock, which another thread may have held at a fork
        line = result.to_dict()
        with self._exclusive():
            self._file.append("decision", result=line)
            self._verdicts[result.verdict] += 1
            if time.monotonic() - self._last_sync > _SYNC_INTERVAL_SECONDS:
                self._file.sync()
                self._last_sync = time.monotonic()

    def close(self, *, ended: str = "complete") -> None:
        """Write the way in which the run ended, and the head.

        Nothing is written if the run never began, the log is closed, or another process opened it.
        Raises ValueError if `ended` is not one of `ENDS`.
        """
        if ended not in ENDS:
            raise ValueError(f"ended must be one of: {', '.join(ENDS)}")
        if not self._file.is_own:
            self._file.close()
            return
        with self._exclusive():
            if not self.begun:
                self._file.give_up()
            elif not self._file.closed:
                self._end(ended)

    def _end(self, ended: str) -> None:
        verdicts = dict(self._verdicts)
        try:
            decisions = self._verdicts.total()
            self._file.append("close", ended=ended, decisions=decisions, verdicts=verdicts)
            self._file.write_head()
        finally:
            self._file.close()

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Take the lock. Raises OutputError in a signal handler that interrupts a write."""
        with self._lock:
            if self._writing:
                raise OutputError(
                    "a signal handler called the audit log during a write: raise an exception in"
                    " the handler, and close the log after it"
                )
            self._writing = True
            try:
                yield
            finally:
                self._writing = False

    @property
    def head(self) -> str:
        """The SHA-256 of the last line in hex.

        If it is stored elsewhere after closing, not even the owner of the key can forge the log.
        """
        return self._file.head

    @property
    def signed(self) -> bool:
        """True if the head will be signed."""
        return self._file.signed

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(OSError, OutputError):  # the exception being raised matters more
            self.close(ended="failed" if issubclass(kind, Exception) else "interrupted")


def open_log(
    path: str | PathLike[str], screener: Screener, *, key: str | PathLike[str] | None = None
) -> AuditLog:
    """Begin or continue an audit log of a Screener's decisions, readable by its owner only.

    If a crash left an incomplete last line, it is removed, and a new line records that.

    Parameters:
        path: The log; its head is `path` with `.head`.
        screener: The Screener whose policy and lists the log names.
        key: A PEM file with the Ed25519 private key that signs the head. All runs of a log have the
            same key, or none.

    Raises:
        OutputError: If the log has lines but no head, does not fit its head, breaks its chain, has
            another key, or is written by another program. It is left unchanged.
    """
    log = claim_log(path, key=key)
    try:
        log.begin(screener)
    except BaseException:
        log._file.close()
        raise
    return log


def claim_log(path: str | PathLike[str], *, key: str | PathLike[str] | None = None) -> AuditLog:
    """Open an audit log like `open_log`, but change nothing before `begin` is called."""
    return AuditLog(AuditFile.claim(path, key=key, one_key=True))
