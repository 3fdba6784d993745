"""Concerns: what an analyst has to decide about a case, however much time is left."""

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
    """Return the concerns of a case with these hashes."""
    concerns = (
        describe_future_receipt(case, now),
        refusal(case),
        describe_lost_confirmation(case, hashes, settings),
    )
    return [one for one in concerns if one is not None]


def describe_future_receipt(case: Case, now: datetime) -> Sentence | None:
    """Return that the case came in at a future time, so that it would never be late."""
    if not case.is_in_future(now):
        return None
    return mark(
        "{case} was received in the future: the clock of this computer was ahead then, or is"
        " behind now. Correct it; if it is right now, `screener case restart` starts the 24"
        " hours now.",
        case=case.reference,
    )  # fmt: skip


def refusal(case: Case) -> Sentence | None:
    """Return that all partners have answered and some refuse to remove the item.

    The clock goes on, since the illegal item is still online.
    """
    refused = [one.partner for one in case.sent if one.refused and not one.removed]
    if case.state != "notified" or not refused:
        return None
    if not all(one.refused or one.removed for one in case.sent):
        return None
    return mark(
        "Every partner that was asked about {case} has answered, and these have refused:"
        " {partners}. Ask another, or close it as refused.",
        case=case.reference, partners=", ".join(refused),
    )  # fmt: skip


def describe_lost_confirmation(
    case: Case, hashes: list[ItemHash], settings: Settings
) -> Sentence | None:
    """Return that a trusted list no longer confirms what the assessment relied on.

    The item goes on matching until somebody reverses the case.
    """
    origins = {one.origin for one in hashes if one.terms is not None}
    if case.outcome != "illegal" or not origins:
        return None
    try:
        lost = origins - {one.origin for one in assessing.confirmed_hashes(case, settings)}
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
