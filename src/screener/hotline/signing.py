"""Signing: whether the log of a hotline may be gone on with by the key of its settings.

What anybody may have changed is not to be signed: a head that is not signed with the key would have
the next step's signature stand for it. And a log that is signed does not lose that again.
"""

from __future__ import annotations

from pathlib import Path

from screener.audit_chain import Head, head_path, read_head
from screener.errors import HotlineError, ListError, OutputError
from screener.hotline.sentence import marked
from screener.lists.manifest import private_key


def trouble_of(key: Path | None, log: Path) -> HotlineError | None:
    """Why a log cannot be gone on with by a key, or without one; None where it can."""
    try:
        signer = None if key is None else private_key(key)
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


def is_signed(log: Path) -> bool:
    """Whether the head of a log is signed; a log without one is new, and will be."""
    head = read_head(head_path(log))
    return head is None or head.signature is not None


def _holds_no_step(head: Head, log: Path) -> bool:
    """Whether there is only the line of a hotline that was just made, which nobody signed yet."""
    if head.signature is not None or head.chain.lines > 1:
        return False
    return log.is_file() and log.stat().st_size <= head.chain.size
