"""Concerns: what somebody has to decide of a case, however much of its time is left."""

from __future__ import annotations

from datetime import datetime

from screener.errors import HotlineError
from screener.hotline.casebook import assessing
from screener.hotline.language.sentence import Sentence, marked
from screener.hotline.model import case as clock
from screener.hotline.model.case import Case, ItemHash
from screener.hotline.settings import Settings


def concerns_of(
    case: Case, held: list[ItemHash], settings: Settings, *, now: datetime
) -> list[Sentence]:
    """Those of a case, of which the hotline holds some hashes."""
    found = (future_receipt(case, now), refusal(case), lost_confirmation(case, held, settings))
    return [one for one in found if one is not None]


def future_receipt(case: Case, now: datetime) -> Sentence | None:
    """That its 24 hours have not begun, so that it would never be late."""
    if not clock.to_come(case, now):
        return None
    return marked(
        "{case} came in at a time that is still to come: the clock of this computer was ahead then,"
        " or is behind now. Set it right; if it is right now, `screener case restart` has the 24"
        " hours begin now.",
        case=case.reference,
    )  # fmt: skip


def refusal(case: Case) -> Sentence | None:
    """That all partners have answered, and some refused: nobody removes it any more by itself. The
    clock goes on, since what is illegal is still there.
    """
    refused = [one.partner for one in case.sent if one.refused and not one.removed]
    if case.state != "notified" or not refused:
        return None
    if not all(one.refused or one.removed for one in case.sent):
        return None
    return marked(
        "Every partner that was asked about {case} has answered, and these have refused:"
        " {partners}. Ask another, or close it as refused.",
        case=case.reference, partners=", ".join(refused),
    )  # fmt: skip


def lost_confirmation(case: Case, held: list[ItemHash], settings: Settings) -> Sentence | None:
    """That a trusted list does not confirm any more what two persons went by. The item goes on
    matching until somebody reverses it.
    """
    went_by = {one.origin for one in held if one.terms is not None}
    if case.outcome != "illegal" or not went_by:
        return None
    try:
        lost = went_by - {one.origin for one in assessing.confirmed_hashes(case, settings)}
    except HotlineError as error:
        return marked(
            "It cannot be checked whether {case} is confirmed still: {why}",
            case=case.reference, why=marked(error.message, **error.values),
        )  # fmt: skip
    if not lost:
        return None
    return marked(
        "Not confirmed any more, though {case} rests on it: {lists}. It goes on matching until it"
        " is reversed.",
        case=case.reference, lists=", ".join(sorted(lost)),
    )  # fmt: skip
