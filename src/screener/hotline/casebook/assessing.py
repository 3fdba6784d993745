"""Assessing: two analysts together decide that an item is illegal and is matched.

`illegal` needs a basis: an authorised analyst has seen the item, or a trusted list has it
confirmed. Matched are then the hotline's own hashes or the trusted list's, never those of a
reporter.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from screener.errors import HotlineError, ListError
from screener.hashing.hash import KINDS, Hash
from screener.hashing.video_frames import Frames
from screener.hotline.casebook import casebook
from screener.hotline.language.sentence import Sentence, mark
from screener.hotline.model.case import Case, ItemHash, ListMatch, Outcome
from screener.hotline.model.report import Item, lowest_score
from screener.hotline.open_list import open_list
from screener.hotline.settings import Settings, normalise_name
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.database import get_list_name
from screener.lists.store.records import find_exclusion
from screener.lists.terms import Terms
from screener.screening.input import vpdq
from screener.screening.video_rule.agreement import Rule, compare

Basis = Literal["seen", "known"]
_OWN = "hotline"  # the origin of hashes that the hotline computed itself
_PDQ, _VIDEO = KINDS["pdq"], KINDS["vpdq"]


@dataclass(frozen=True)
class Opinion:
    """One person's assessment of a case.

    `illegal` needs a basis. `items` were hashed from files of that person.
    """

    by: str
    outcome: Outcome
    reason: str
    at: datetime
    basis: Basis | None = None
    items: tuple[Item, ...] = ()


def record_opinion(
    connection: sqlite3.Connection, settings: Settings, case: Case, opinion: Opinion
) -> None:
    """Record an opinion. The case is assessed once a second person agrees."""
    settings.check_analyst(opinion.by)
    if case.state != "received":
        raise HotlineError(_already_decided(case), case=case.reference)
    row = connection.execute(
        "SELECT by, basis FROM proposals WHERE in_case = ?", (case.reference,)
    ).fetchone()
    if opinion.outcome == "illegal" and row is not None and _begins_anew(settings, opinion, row[0]):
        casebook.delete_proposal(connection, case.reference)
        row = None
    if opinion.outcome == "not_illegal":
        _give_not_illegal(connection, case, opinion, proposed=row is not None)
    elif row is None:
        _propose(connection, settings, case, opinion)
    else:
        _confirm(connection, settings, case, opinion, *row)


def _begins_anew(settings: Settings, opinion: Opinion, first: str) -> bool:
    """Return whether an opinion replaces the first one, of the same or a former analyst."""
    return bool(opinion.basis) and (
        normalise_name(opinion.by) == normalise_name(first) or not settings.authorises(first)
    )


def _already_decided(case: Case) -> str:
    if case.outcome == "illegal" and case.state in ("assessed", "notified"):
        return mark("{case} has been assessed: `screener case reverse` takes it back")
    return mark(
        "{case} has been assessed or is closed. A new report of it, also one of your own,"
        " begins a new case"
    )


def _give_not_illegal(
    connection: sqlite3.Connection, case: Case, opinion: Opinion, *, proposed: bool
) -> None:
    """Record `not_illegal`. One person suffices, or takes back a first opinion of `illegal`."""
    if opinion.basis is not None or opinion.items:
        raise HotlineError(mark("a basis and files are for what is illegal"))
    casebook.delete_proposal(connection, case.reference)
    if proposed:
        _record_opinion_step(
            connection, case, opinion, mark("held not illegal, against an opinion before")
        )
        return
    _set_not_illegal(connection, case, opinion.by)
    _record_opinion_step(connection, case, opinion, mark("not illegal"), assessed=True)


def _set_not_illegal(connection: sqlite3.Connection, case: Case, by: str) -> None:
    casebook.set_outcome(connection, case.reference, "not_illegal")
    casebook.withdraw_entries(connection, case.reference, by)
    # Nothing is left to remove, and the reporters asked for it.
    casebook.forget_withdrawn(connection, case.reference)


def _propose(
    connection: sqlite3.Connection, settings: Settings, case: Case, opinion: Opinion
) -> None:
    if opinion.basis is None:
        raise HotlineError(
            mark("illegal needs a basis: that you have seen it, or that it is known")
        )
    if opinion.basis == "known":
        _check_confirmed(case, settings)
    connection.execute(
        "INSERT INTO proposals VALUES (?, ?, ?)", (case.reference, opinion.by, opinion.basis)
    )
    for number, item in enumerate(opinion.items):
        own = [ItemHash(one, _OWN) for one in item.upright_hashes]
        casebook.store_item_hashes(connection, case.reference, own, item=number)
    what = mark(
        casebook.FIRST_OPINION.message,
        basis=_basis_sentence(opinion.basis),
        hashed=_describe_items(opinion),
    )
    _record_opinion_step(connection, case, opinion, what)


def _describe_items(opinion: Opinion) -> Sentence:
    if not opinion.items:
        return mark("nothing hashed")
    types = ", ".join(item.type or "–" for item in opinion.items)
    return mark("hashed {number}: {types}", number=len(opinion.items), types=types)


def _confirm(
    connection: sqlite3.Connection, settings: Settings, case: Case, opinion: Opinion, first: str,
    basis: Basis,
) -> None:  # fmt: skip
    _check_second(settings, case, opinion, first, basis)
    _check_items(connection, case, opinion)
    if basis == "known":
        listed = _check_confirmed(case, settings)
        casebook.store_item_hashes(connection, case.reference, listed)
        origins = sorted({one.origin for one in listed})
        recorded = mark("confirmed in {lists}", lists=", ".join(origins))
    else:
        recorded = _basis_sentence(basis)
    connection.execute("DELETE FROM proposals WHERE in_case = ?", (case.reference,))
    casebook.set_outcome(connection, case.reference, "illegal")
    casebook.set_basis(connection, case.reference, recorded, seen=basis == "seen")
    query = "SELECT 1 FROM held WHERE in_case = ? LIMIT 1"
    if connection.execute(query, (case.reference,)).fetchone() is not None:
        casebook.set_entry(
            connection, f"{case.reference}/item", case.reference, "confirmed", opinion.by
        )
    what = mark(
        "illegal: {basis}; first held by {first}; {hashed}",
        basis=recorded, first=first, hashed=_describe_items(opinion),
    )  # fmt: skip
    _record_opinion_step(connection, case, opinion, what, assessed=True)


def _check_second(
    settings: Settings, case: Case, opinion: Opinion, first: str, basis: Basis
) -> None:
    if normalise_name(opinion.by) == normalise_name(first):
        raise HotlineError(
            mark("{by} has already assessed {case} as illegal: a second person has to confirm it"),
            by=first,
            case=case.reference,
        )
    if not settings.authorises(first):
        message = mark(
            "{first}, who first assessed {case} as illegal, is no longer an authorised"
            " analyst: assess it with a basis, and let another person confirm it"
        )
        raise HotlineError(message, first=first, case=case.reference)
    if opinion.basis not in (None, basis):
        raise HotlineError(
            mark("a second person confirms the first assessment and adds nothing to it")
        )


def _check_items(connection: sqlite3.Connection, case: Case, opinion: Opinion) -> None:
    """Raise HotlineError unless both people hashed the same items, which are going to match."""
    proposed = casebook.read_own_items(connection, case.reference)
    for hashes in proposed:
        if not any(is_same_item(item, hashes) for item in opinion.items):
            raise HotlineError(
                mark("to confirm it, hash a file of each item that the first person hashed")
            )
    for item in opinion.items:
        if not any(is_same_item(item, hashes) for hashes in proposed):
            raise HotlineError(
                mark("a second person confirms the first assessment and adds nothing to it")
            )


def is_same_item(item: Item, hashes: Sequence[Hash]) -> bool:
    """Return whether hashes were computed from the same item as another one.

    By equal bytes, PDQ's radius in any orientation, or most frames of a clip. A picture with too
    little detail needs equal bytes.
    """
    digests = {one for one in hashes if one.kind.digest}
    if any(one.hash in digests for one in item.hashes):
        return True
    return _is_same_clip(item, hashes) if item.is_clip else _is_same_picture(item, hashes)


def _is_same_picture(item: Item, hashes: Sequence[Hash]) -> bool:
    others = [one for one in hashes if one.kind == _PDQ and _has_detail(one.quality)]
    return any(
        one.hash.distance(other) <= _PDQ.radius
        for one in item.hashes
        if one.hash.kind == _PDQ and _has_detail(lowest_score(one))
        for other in others
    )


def _is_same_clip(item: Item, hashes: Sequence[Hash]) -> bool:
    clips = [Frames.of_value(one.hash.value) for one in item.hashes if one.hash.kind == _VIDEO]
    others = [Frames.of_value(one.value) for one in hashes if one.kind == _VIDEO]
    agreements = [
        compare(clip, other, radius=_VIDEO.radius, floor=_VIDEO.floor)
        for clip in clips
        for other in others
    ]
    return any(one is not None and one.rule is Rule.WHOLE for one in agreements)


def _has_detail(score: int | None) -> bool:
    return score is not None and score >= _PDQ.floor


def too_little_detail(connection: sqlite3.Connection, case: Case) -> int:
    """Return how many files hashed for an illegal case can match byte for byte only."""
    if case.proposed_by is None and case.outcome != "illegal":
        return 0
    count = 0
    for hashes in casebook.read_own_items(connection, case.reference):
        # A file without perceptual hashes shares those of a file before it.
        perceptual = [one for one in hashes if not one.kind.digest]
        count += bool(perceptual) and not any(map(_is_compared, perceptual))
    return count


def _is_compared(one: Hash) -> bool:
    if one.kind.video:
        return vpdq.can_match(one)
    if one.quality is not None and one.quality < one.kind.floor:
        return False
    return find_exclusion(one) is None


def reverse(
    connection: sqlite3.Connection, case: Case, *, by: str, reason: str, at: datetime
) -> None:
    """Take back that an item is illegal. One analyst suffices, as it only ends matches."""
    if case.outcome != "illegal":
        raise HotlineError(
            mark("{case} was not assessed as illegal: nothing to take back"), case=case.reference
        )
    _set_not_illegal(connection, case, by)
    casebook.record_step(
        connection, case.reference, "reversed", at=at, by=by, reason=reason, state="refused"
    )


def _record_opinion_step(
    connection: sqlite3.Connection, case: Case, opinion: Opinion, what: Sentence, *,
    assessed: bool = False,
) -> None:  # fmt: skip
    casebook.record_step(
        connection, case.reference, "assessed" if assessed else "opinion",
        at=opinion.at, by=opinion.by,
        reason=mark("{reason} ({what})", reason=opinion.reason, what=what),
        state="assessed" if assessed else None,
        outcome=opinion.outcome,
    )  # fmt: skip


def _basis_sentence(basis: Basis) -> Sentence:
    return {
        "seen": mark("seen by an analyst"),
        "known": mark("confirmed in a trusted list"),
    }[basis]


def confirmed_hashes(case: Case, settings: Settings) -> list[ItemHash]:
    """Return the hashes of the case's list matches that trusted lists have confirmed now."""
    hashes: list[ItemHash] = []
    for folder in settings.trusted:
        matches = [match for match in case.list_matches if match.list == get_list_name(folder)]
        if matches:
            trusted = open_list(folder)  # once, since many records may have one hash
            hashes += [one for match in matches for one in _confirmed_in(trusted, match)]
    return hashes


def _check_confirmed(case: Case, settings: Settings) -> list[ItemHash]:
    listed = confirmed_hashes(case, settings)
    if not listed:
        raise HotlineError(
            mark("no trusted list has confirmed the item of {case}: an analyst has to see it"),
            case=case.reference,
        )
    return listed


def _confirmed_in(trusted: HashList, match: ListMatch) -> list[ItemHash]:
    try:
        (shown,) = trusted.show(match.entry, source=match.source, values=True, alone=True)
    except ListError:  # the record is gone
        return []
    # The source itself must confirm it: our own opinion in that list is no second person.
    if not shown.state == shown.said == State.CONFIRMED:
        return []
    origin = f"{trusted.name}: {shown.source}/{shown.entry}"
    terms = Terms(**dict(shown.terms)) if shown.terms else Terms()
    return [
        ItemHash(Hash.parse(one.kind, one.value, quality=one.quality), origin, terms)
        for one in shown.hashes
        if one.value is not None and one.why_not is None
    ]
