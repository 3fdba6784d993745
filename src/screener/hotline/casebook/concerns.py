"""Concerns about cases, on which an analyst has to decide."""

from __future__ import annotations

from datetime import datetime

from screener.errors import HotlineError
from screener.hotline.casebook import assessing
from screener.hotline.language.sentence import Sentence, mark
from screener.hotline.model.case import Case, ItemHash
from screener.hotline.settings import Settings


def find_concerns(
    case: Case, hashes: list[ItemHash], settings: Settings, *, now: datetime
) -> list[Sentence]:
    """Return the concerns about a case with these hashes."""
    concerns = (
        describe_future_receipt(case, now),
        describe_refusal(case),
        describe_lost_confirmation(case, hashes, settings),
    )
    return [concern for concern in concerns if concern is not None]


def describe_future_receipt(case: Case, now: datetime) -> Sentence | None:
    """Return a concern if the case was received in the future.

    Otherwise it would not become overdue.
    """
    if not case.is_in_future(now):
        return None
    return mark(
        "{case} was received in the future: the clock of this computer was ahead then, or is"
        " behind now. Correct it; if it is right now, `screener case restart` starts the 24"
        " hours now.",
        case=case.reference,
    )  # fmt: skip


def describe_refusal(case: Case) -> Sentence | None:
    """Return a concern if all partners have answered and some refuse to remove the item.

    The clock still runs, since the illegal item is online.
    """
    refused = [sent.partner for sent in case.sent if sent.refused and not sent.removed]
    if case.state != "notified" or not refused:
        return None
    if not all(sent.refused or sent.removed for sent in case.sent):
        return None
    return mark(
        "Every partner that was asked about {case} has answered, and these have refused:"
        " {partners}. Ask another, or close it as refused.",
        case=case.reference, partners=", ".join(refused),
    )  # fmt: skip


def describe_lost_confirmation(
    case: Case, hashes: list[ItemHash], settings: Settings
) -> Sentence | None:
    """Return a concern if a trusted list no longer confirms the records of the assessment.

    The item still matches until somebody reverses the case.
    """
    origins = {item_hash.origin for item_hash in hashes if item_hash.terms is not None}
    if case.outcome != "illegal" or not origins:
        return None
    try:
        confirmed = assessing.read_confirmed_hashes(case, settings)
        lost = origins - {item_hash.origin for item_hash in confirmed}
    except HotlineError as error:
        return mark(
            "Could not check whether {case} is still confirmed: {why}",
            case=case.reference, why=mark(error.message, **error.values),
        )  # fmt: skip
    if not lost:
        return None
    return mark(
        "{case} relies on records that are no longer confirmed: {lists}. It goes on matching"
        " until it is reversed.",
        case=case.reference, lists=", ".join(sorted(lost)),
    )  # fmt: skip
