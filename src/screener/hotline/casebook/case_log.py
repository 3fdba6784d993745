"""Case log: the audit log with one line per step of a case.

A log is not continued if its head is not signed with the configured key; a new signature would
vouch for lines that anybody may have changed.
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
_CASE_EVENT = "case"  # event name of a line for a step


def write(folder: Path, key_path: Path | None) -> HotlineError | None:
    """Append the missing lines, then write the head, signed if there is a key.

    Returns the error that prevents signing if lines are missing, otherwise None. Raises
    HotlineError if the log cannot be continued.
    """
    path = folder / FILE_NAME
    key_error = find_key_error(key_path, path)
    try:
        log = AuditFile.open(path, key=None if key_error else key_path)
        try:
            if key_error is None:
                if key_path is not None and _has_unsigned_head(path):
                    log.write_head()  # sign first, in case the process is killed while it writes
                _write_lines(folder, log)
            return key_error if _is_behind(folder, log) else None
        finally:
            log.close()
    except OutputError as error:
        message = mark("the log {file} cannot be continued: {why}")
        raise HotlineError(message, file=path, why=str(error)) from error


def _write_lines(folder: Path, log: AuditFile) -> None:
    if not log.lines:
        log.append("open", hotline=1, versions={"screener": __version__})
    logged = _read_last_logged(folder, log)
    with case_database.begin_read(folder) as connection:
        rows = connection.execute(
            "SELECT seq, facts FROM log WHERE seq > ? ORDER BY seq", (logged,)
        )
        for seq, facts in rows:
            log.append(_CASE_EVENT, seq=seq, **json.loads(facts))
    if logged > _read_last_recorded(folder):
        message = mark(
            "{file} has more lines than the casebook: one of the two was"
            " restored from an older copy"
        )
        raise HotlineError(message, file=folder / FILE_NAME)
    if not log.headed:
        log.write_head()


def _is_behind(folder: Path, log: AuditFile) -> bool:
    return (
        not log.lines
        or not log.headed
        or _read_last_logged(folder, log) < _read_last_recorded(folder)
    )


def _read_last_recorded(folder: Path) -> int:
    with case_database.begin_read(folder) as connection:
        (last_recorded,) = connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()
    return int(last_recorded)


def _read_last_logged(folder: Path, log: AuditFile) -> int:
    """Return the number of the last logged step. Raises HotlineError if the log is another's."""
    last = log.last(_CASE_EVENT)
    logged = 0 if last is None else last.get("seq")
    if type(logged) is not int:
        raise HotlineError(mark("{file} is not the log of this hotline"), file=folder / FILE_NAME)
    return logged


def find_key_error(key_path: Path | None, log: Path) -> HotlineError | None:
    """Return an error if the log cannot be continued with this key, or None."""
    try:
        signer = None if key_path is None else read_private_key(key_path)
    except ListError:
        message = mark(
            "{file} holds no signing key for the log: put the key there, or remove log_key"
            " from the settings"
        )
        return HotlineError(message, file=key_path)
    try:
        head = read_head(head_path(log))
    except OutputError:
        return None  # opening the log raises the error
    if signer is None and head is not None and head.signature is not None:
        message = mark(
            "{file} is signed: name its key as log_key in the settings. Or move it and its"
            " head away, keep them as evidence, and all steps are written anew"
        )
        return HotlineError(message, file=log)
    if signer is None or head is None or _has_no_case_line(head, log):
        return None
    if not head.is_signed_with(signer.public_key()):
        message = mark(
            "{file} is not signed with the key of the settings, so anybody may have changed"
            " it. Run `screener audit verify`, then move it and its head away and keep them as"
            " evidence: all steps are written anew, and signed"
        )
        return HotlineError(message, file=log)
    return None


def _has_unsigned_head(log: Path) -> bool:
    head = read_head(head_path(log))
    return head is not None and head.signature is None


def _has_no_case_line(head: Head, log: Path) -> bool:
    """Return whether an unsigned log has only its opening line."""
    if head.signature is not None or head.chain.lines > 1:
        return False
    return log.is_file() and log.stat().st_size <= head.chain.size
