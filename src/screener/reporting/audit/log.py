"""The audit log of a program that decides: each result is a line, bound to the line before it.

Every line is a JSON object that ends with `prev`, the SHA-256 of the line before it, line end
included. When a run begins and when it ends, the head of the log (lines, bytes, SHA-256 of the last
line) is written to `FILE.head`, and signed if there is a key. `verify` finds each line that was
changed, removed or added, and an end that was cut off; such a log is not continued. docs/audit.md
explains what that proves.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from os import PathLike

from screener.errors import OutputError
from screener.reporting.audit.file import AuditFile
from screener.screening.result import Result
from screener.screening.screener import VERSIONS, Screener

ENDS = ("complete", "interrupted", "failed")
"""How a run ends: by itself, by an interrupt, by an error."""

# A power cut may cost the lines of so many seconds; a killed process loses none.
_SYNC_S = 1.0


class AuditLog:
    """Adds lines to an audit log; a context manager. Made by `open_log`; threads may share it.

    A forked process must open a log of its own. A signal handler must not call the log: let it
    raise an exception, as Ctrl-C does, and the block writes the closing line and the head.
    """

    def __init__(self, file: AuditFile) -> None:
        self._file = file
        self._turn = threading.RLock()
        self._writing = False
        self._verdicts: Counter[str] = Counter()
        self._synced = time.monotonic()
        self.begun = False

    def begin(self, screener: Screener) -> None:
        """Write the policy and the lists of the decisions that follow, then the head.

        Raises OutputError if the run has begun: the run before would look like a killed one.
        """
        if self.begun:
            raise OutputError("this run of the audit log has begun: open_log begins another")
        self._file.begin()
        policy = {"fingerprint": screener.policy.fingerprint, "settings": screener.policy.to_dict()}
        lists = [
            {"name": one.name, "generation": one.generation, "stamp": one.stamp()}
            for one in screener.lists
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
        """Hand the line of a decision to the system, and flush lines to disk every second.

        Raises OutputError if the run has not begun, and, within a second or when the log is closed,
        if another program moved, removed or changed the file.
        """
        if not self.begun:  # closing would remove the line
            raise OutputError("this run of the audit log has not begun: call begin(screener) first")
        self._file.check_own()  # before the lock, which another thread may have held at a fork
        verdict, facts = result.verdict, result.to_dict()
        with self._exclusive():
            self._file.append("decision", result=facts)
            self._verdicts[verdict] += 1
            if time.monotonic() - self._synced > _SYNC_S:
                self._file.sync()
                self._synced = time.monotonic()

    def close(self, *, ended: str = "complete") -> None:
        """Write how the run ended, and the head.

        Write nothing if the run never began, the log is closed, or another process opened it.
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
        """Raise OutputError in a signal handler amid a line, which a second would tear."""
        with self._turn:
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
        """The SHA-256 of the last line, in hex.

        The head of a closed log, stored elsewhere, proves the log even against the key's holder.
        """
        return self._file.head

    @property
    def signed(self) -> bool:
        """Whether the head will be signed."""
        return self._file.signed

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        with contextlib.suppress(OSError, OutputError):  # the exception under way says more
            self.close(ended="failed" if issubclass(kind, Exception) else "interrupted")


def open_log(
    path: str | PathLike[str], screener: Screener, *, key: str | PathLike[str] | None = None
) -> AuditLog:
    """Begin or continue an audit log, readable by its owner only, for a Screener's decisions.

    `key`: an Ed25519 private key in a PEM file, which signs the head; all runs of a log have the
    same key, or none. Half a line left by a crash is removed, and a new line records that. Raises
    OutputError, and leaves the log unchanged, if it has lines but no head, does not fit its head,
    breaks its chain, has a head signed otherwise, or is written by another program.
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
