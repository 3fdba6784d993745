"""Audit log: one line a decision, each bound to the one before it, the last one signed.

Every line is a JSON object that ends with `prev`, the SHA-256 of the line before it, line end
included. When a run begins and when it ends, the log's head (how many lines and bytes, the SHA-256
of the last line) is written beside it as `FILE.head`, and signed if there is a key. `verify` finds
any line that was changed, removed or added since, and an end that was cut off; such a log is not
gone on with. docs/audit.md says what that is worth.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from os import PathLike

from screener.errors import OutputError
from screener.reporting.audit.file import AuditFile
from screener.screening.result import Result
from screener.screening.screener import VERSIONS, Screener, check_screener

ENDS = ("complete", "interrupted", "failed")
"""How a run ends: by itself, by a wish of whoever began it, by an error."""

# A power cut may cost the lines of so many seconds; a killed process costs none.
_SYNC_S = 1.0


class AuditLog:
    """Adds lines to an audit log; a context manager. Made by `open_log`; threads may share it. A
    process that was forked since has to open a log of its own: OutputError.
    """

    def __init__(self, file: AuditFile) -> None:
        self._file = file
        self._turn = threading.RLock()
        # A signal's handler may close it within a `write` of its own thread, which is ended first.
        self._at_a_line = False
        self._to_end: str | None = None
        self._verdicts: Counter[str] = Counter()
        self._synced = time.monotonic()
        self.begun = False

    def begin(self, screener: Screener) -> None:
        """Write by which policy, in full, and which lists decisions are made from here on; and the
        head, below which the log can be cut no more. Once: OutputError for another time, as the run
        before would look like one that was killed.
        """
        if self.begun:
            raise OutputError("this run of the audit log has begun: open_log begins another")
        self._file.begin()
        policy = {"fingerprint": screener.policy.fingerprint, "settings": screener.policy.to_dict()}
        lists = [
            {"name": one.name, "generation": one.generation, "stamp": one.stamp()}
            for one in screener.lists
        ]
        before = {"unheaded": self._file.unheaded} if self._file.unheaded else {}
        lines = self._file.lines
        try:
            self._file.append("open", policy=policy, lists=lists, versions=dict(VERSIONS), **before)
        finally:  # a run of which no line is there is not to have one that ends it
            self.begun = self._file.lines > lines
        self._file.write_head()

    def write(self, result: Result) -> None:
        """Write one decision; it is the system's when this returns, and on the disk soon after.

        OutputError, within a second or when it is closed, where the file was moved, removed or
        changed by another program, and where the run has not begun.
        """
        verdict, line = result.verdict, result.to_dict()
        if not self.begun:  # its closing would take away what it wrote
            raise OutputError("this run of the audit log has not begun: begin(engine) does it")
        self._file.check_own()  # before its turn, which another thread may have had at a fork
        with self._turn:
            self._at_a_line = True
            try:
                self._file.append("decision", result=line)
                self._verdicts[verdict] += 1
                if time.monotonic() - self._synced > _SYNC_S:
                    self._file.sync()
                    self._synced = time.monotonic()
            finally:
                self._at_a_line = False
                if self._to_end is not None:
                    self._end(self._to_end)

    def close(self, *, ended: str = "complete") -> None:
        """Write how the run ended, and the head beside the log; nothing if it never began, or is
        closed already, or is the run of the process that this one was forked from. ValueError for
        an end that is none of `ENDS`.
        """
        if ended not in ENDS:
            raise ValueError(f"a run ended in one of these ways: {', '.join(ENDS)}")
        if not self._file.is_own:
            self._file.close()
            return
        with self._turn:
            if self._at_a_line:
                self._to_end = ended
            elif not self.begun:
                self._file.give_up()
            elif not self._file.closed:
                self._end(ended)

    def _end(self, ended: str) -> None:
        self._at_a_line = True
        try:
            self._file.append(
                "close", ended=ended, decisions=self._verdicts.total(),
                verdicts=dict(self._verdicts),
            )  # fmt: skip
            self._file.write_head()
        finally:
            self._file.close()
            self._at_a_line = False

    @property
    def head(self) -> str:
        """The SHA-256 of the last line, in hex. That of a closed log, kept elsewhere, proves the
        log even against who holds the key.
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
        with contextlib.suppress(OSError, OutputError):  # the error that is under way says more
            self.close(ended="failed" if issubclass(kind, Exception) else "interrupted")


def open_log(
    path: str | PathLike[str], screener: Screener, *, key: str | PathLike[str] | None = None
) -> AuditLog:
    """Begin an audit log, or continue one, for the decisions of a Screener.

    `key`: an Ed25519 private key in a PEM file, which signs the head; all runs of a log have the
    same one, or none. Only the owner may read the log. One that has lines and no head, does not fit
    its head or breaks its own chain is refused as it is, with OutputError; so is one whose head is
    signed otherwise, and one that another program writes. Half a line that a crash left is taken
    away, and a line says so.
    """
    check_screener(screener, "open_log()")
    log = claim_log(path, key=key)
    try:
        log.begin(screener)
    except BaseException:
        log._file.close()
        raise
    return log


def claim_log(path: str | PathLike[str], *, key: str | PathLike[str] | None = None) -> AuditLog:
    """As `open_log`, but the log is as it was until `begin` is called."""
    return AuditLog(AuditFile.claim(path, key=key, one_key=True))
