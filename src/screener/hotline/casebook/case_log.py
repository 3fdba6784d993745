"""Case log: the audit log with one line for each step of a case, written after the commit.

A log whose head is not signed with the key of the settings is not continued: the next signature
would cover lines that anybody may have changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from screener.errors import HotlineError, ListError, OutputError
from screener.hotline.casebook import case_database
from screener.hotline.language.sentence import mark
from screener.reporting.audit.audit_file import AuditFile
from screener.reporting.audit.chain import Head, head_path, read_head
from screener.system.installation import __version__
from screener.system.signatures import read_private_key

FILE_NAME = "cases.audit"
_EVENT = "case"  # of a line


def write(folder: Path, key: Path | None) -> HotlineError | None:
    """Write the lines that the log lacks, and its head, signed if there is a key.

    Returns why lines cannot be signed, if some are missing. Raises HotlineError if the log cannot
    be continued.
    """
    path = folder / FILE_NAME
    trouble = find_key_error(key, path)
    try:
        log = AuditFile.open(path, key=None if trouble else key)
        try:
            if trouble is None:
                if key is not None and not _is_signed(path):
                    log.write_head()  # before the steps: a killed process has then begun to sign
                _write_lines(folder, log)
            return trouble if _is_behind(folder, log) else None
        finally:
            log.close()
    except OutputError as error:
        message = mark("the log {file} cannot be continued: {why}")
        raise HotlineError(message, file=path, why=str(error)) from error


def _write_lines(folder: Path, log: AuditFile) -> None:
    if not log.lines:
        log.append("open", hotline=1, versions={"screener": __version__})
    done = _last(folder, log)
    with case_database.begin_read(folder) as connection:
        rows = connection.execute("SELECT seq, facts FROM log WHERE seq > ? ORDER BY seq", (done,))
        for seq, facts in rows:
            log.append(_EVENT, seq=seq, **json.loads(facts))
    if done > _newest(folder):
        message = mark(
            "{file} has more lines than the casebook: one of the two was"
            " restored from an older copy"
        )
        raise HotlineError(message, file=folder / FILE_NAME)
    if not log.headed:
        log.write_head()


def _is_behind(folder: Path, log: AuditFile) -> bool:
    return not log.lines or not log.headed or _last(folder, log) < _newest(folder)


def _newest(folder: Path) -> int:
    with case_database.begin_read(folder) as connection:
        (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()
    return int(newest)


def _last(folder: Path, log: AuditFile) -> int:
    """Return the newest line's number in the log. Raises HotlineError if it is another log."""
    last = log.last(_EVENT)
    done = 0 if last is None else last.get("seq")
    if type(done) is not int:
        raise HotlineError(mark("{file} is not the log of this hotline"), file=folder / FILE_NAME)
    return done


def find_key_error(key: Path | None, log: Path) -> HotlineError | None:
    """Return why the log cannot be continued with a key, or without one; None if it can."""
    try:
        signer = None if key is None else read_private_key(key)
    except ListError:
        message = mark(
            "{file} holds no signing key for the log: put the key there, or remove log_key"
            " from the settings"
        )
        return HotlineError(message, file=key)
    try:
        head = read_head(head_path(log))
    except OutputError:
        return None  # opening the log raises it
    if signer is None and head is not None and head.signature is not None:
        message = mark(
            "{file} is signed: name its key as log_key in the settings. Or move it and its"
            " head away, keep them as evidence, and all steps are written anew"
        )
        return HotlineError(message, file=log)
    if signer is None or head is None or _holds_no_step(head, log):
        return None
    if not head.is_signed_with(signer.public_key()):
        message = mark(
            "{file} is not signed with the key of the settings, so anybody may have changed"
            " it. Run `screener audit verify`, then move it and its head away and keep them as"
            " evidence: all steps are written anew, and signed"
        )
        return HotlineError(message, file=log)
    return None


def _is_signed(log: Path) -> bool:
    """Return whether the head of a log is signed, or still to be written."""
    head = read_head(head_path(log))
    return head is None or head.signature is not None


def _holds_no_step(head: Head, log: Path) -> bool:
    """Return whether an unsigned log has only the line of its hotline's creation."""
    if head.signature is not None or head.chain.lines > 1:
        return False
    return log.is_file() and log.stat().st_size <= head.chain.size
