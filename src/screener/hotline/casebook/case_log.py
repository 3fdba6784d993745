"""Case log: the audit log in which each step of a hotline's cases has a line, written after the
commit of the casebook from what that says. A line is known by its number, and written once.

What anybody may have changed is not to be signed: a head that is not signed with the key of the
settings would have the next step's signature stand for it. And a log that is signed does not lose
that again.
"""

from __future__ import annotations

import json
from pathlib import Path

from screener.errors import HotlineError, ListError, OutputError
from screener.hotline.casebook import database
from screener.hotline.language.sentence import marked
from screener.reporting.audit.chain import Head, head_path, read_head
from screener.reporting.audit.file import AuditFile
from screener.system.installation import __version__
from screener.system.signatures import read_private_key

FILE = "cases.audit"
_EVENT = "case"  # of a line


def write(folder: Path, key: Path | None) -> HotlineError | None:
    """Write the lines that the log lacks, and its head, signed with a key if there is one; why they
    cannot be signed, if it lacks some. HotlineError where the log cannot be gone on with.
    """
    path = folder / FILE
    trouble = trouble_of(key, path)
    try:
        log = AuditFile.open(path, key=None if trouble else key)
        try:
            if trouble is None:
                if key is not None and not _is_signed(path):
                    log.write_head()  # before a step, so that what is killed has begun to sign
                _write_lines(folder, log)
            return trouble if _is_behind(folder, log) else None
        finally:
            log.close()
    except OutputError as error:
        message = marked("the log {file} cannot be continued: {why}")
        raise HotlineError(message, file=path, why=str(error)) from error


def _write_lines(folder: Path, log: AuditFile) -> None:
    if not log.lines:
        log.append("open", hotline=1, versions={"screener": __version__})
    done = _last(folder, log)
    with database.reading(folder) as connection:
        rows = connection.execute("SELECT seq, facts FROM log WHERE seq > ? ORDER BY seq", (done,))
        for seq, facts in rows:
            log.append(_EVENT, seq=seq, **json.loads(facts))
    if done > _newest(folder):
        message = marked("{file} says more than the casebook: one of the two was put back")
        raise HotlineError(message, file=folder / FILE)
    if not log.headed:
        log.write_head()


def _is_behind(folder: Path, log: AuditFile) -> bool:
    """Whether the log lacks lines, or its head."""
    return not log.lines or not log.headed or _last(folder, log) < _newest(folder)


def _newest(folder: Path) -> int:
    """The number of the newest line that the casebook has for the log."""
    with database.reading(folder) as connection:
        (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()
    return int(newest)


def _last(folder: Path, log: AuditFile) -> int:
    """The number of the newest line that the log has of the casebook's; HotlineError."""
    last = log.last(_EVENT)
    done = 0 if last is None else last.get("seq")
    if type(done) is not int:
        raise HotlineError(marked("{file} is not the log of this hotline"), file=folder / FILE)
    return done


def trouble_of(key: Path | None, log: Path) -> HotlineError | None:
    """Why a log cannot be gone on with by a key, or without one; None where it can."""
    try:
        signer = None if key is None else read_private_key(key)
    except ListError:
        message = marked(
            "{file} holds no key that signs the log: put it there, or take log_key out of the"
            " settings"
        )
        return HotlineError(message, file=key)
    try:
        head = read_head(head_path(log))
    except OutputError:
        return None  # which is told where the log is opened
    if signer is None and head is not None and head.signature is not None:
        message = marked(
            "{file} is signed: name its key as log_key in the settings; or move it and its head"
            " away, which are evidence, and all steps are written anew"
        )
        return HotlineError(message, file=log)
    if signer is None or head is None or _holds_no_step(head, log):
        return None
    if not head.is_signed_with(signer.public_key()):
        message = marked(
            "{file} is not signed with the key of the settings, so that anybody may have changed"
            " it: see what `screener audit verify` says of it, and move it and its head away, which"
            " are evidence; all steps are then written anew, and signed"
        )
        return HotlineError(message, file=log)
    return None


def _is_signed(log: Path) -> bool:
    """Whether the head of a log is signed; a log without one is new, and will be."""
    head = read_head(head_path(log))
    return head is None or head.signature is not None


def _holds_no_step(head: Head, log: Path) -> bool:
    """Whether there is only the line of a hotline that was just made, which nobody signed yet."""
    if head.signature is not None or head.chain.lines > 1:
        return False
    return log.is_file() and log.stat().st_size <= head.chain.size
