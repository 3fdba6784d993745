"""Assess cases: two analysts together decide that an item is illegal and must match.

`illegal` needs a basis: an authorised analyst has seen the item, or a trusted list has confirmed
it. The hashes that match are the hotline's own or the trusted list's, never those of a reporter.
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
_OWN_ORIGIN = "hotline"  # origin of hashes that the hotline computed itself
_PDQ, _VIDEO = KINDS["pdq"], KINDS["vpdq"]


@dataclass(frozen=True)
class Opinion:
    """One person's assessment of a case.

    A first opinion of `illegal` needs a basis. `items` are hashes of the person's files.
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
    """Record an opinion. `illegal` counts once a second person agrees.

    Raises HotlineError if the person or the opinion is not allowed.
    """
    settings.check_analyst(opinion.by)
    if case.state != "received":
        raise HotlineError(_explain_already_decided(case), case=case.reference)
    row = connection.execute(
        "SELECT by, basis FROM proposals WHERE in_case = ?", (case.reference,)
    ).fetchone()
    if (
        opinion.outcome == "illegal"
        and row is not None
        and _replaces_first(settings, opinion, row[0])
    ):
        casebook.delete_proposal(connection, case.reference)
        row = None
    if opinion.outcome == "not_illegal":
        _record_not_illegal(connection, case, opinion, proposed=row is not None)
    elif row is None:
        _record_first_opinion(connection, settings, case, opinion)
    else:
        _confirm_first_opinion(connection, settings, case, opinion, *row)


def _replaces_first(settings: Settings, opinion: Opinion, first_analyst: str) -> bool:
    """Return whether an opinion replaces the first one, by the same or a former analyst."""
    return bool(opinion.basis) and (
        normalise_name(opinion.by) == normalise_name(first_analyst)
        or not settings.authorises(first_analyst)
    )


def _explain_already_decided(case: Case) -> str:
    if case.outcome == "illegal" and case.state in ("assessed", "notified"):
        return mark("{case} has been assessed: `screener case reverse` takes it back")
    return mark(
        "{case} has been assessed or is closed. A new report of it, also one of your own,"
        " begins a new case"
    )


def _record_not_illegal(
    connection: sqlite3.Connection, case: Case, opinion: Opinion, *, proposed: bool
) -> None:
    """Record `not_illegal`. One person suffices unless another one held it illegal."""
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
    # Their reporters asked for it, and no notice needs them any more.
    casebook.forget_withdrawn(connection, case.reference)


def _record_first_opinion(
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
        item_hashes = [ItemHash(hash_, _OWN_ORIGIN) for hash_ in item.upright_hashes]
        casebook.store_item_hashes(connection, case.reference, item_hashes, item=number)
    summary = mark(
        casebook.FIRST_OPINION.message,
        basis=_describe_basis(opinion.basis),
        hashed=_describe_items(opinion),
    )
    _record_opinion_step(connection, case, opinion, summary)


def _describe_items(opinion: Opinion) -> Sentence:
    if not opinion.items:
        return mark("nothing hashed")
    types = ", ".join(item.type or "–" for item in opinion.items)
    return mark("hashed {number}: {types}", number=len(opinion.items), types=types)


def _confirm_first_opinion(
    connection: sqlite3.Connection, settings: Settings, case: Case, opinion: Opinion,
    first_analyst: str, basis: Basis,
) -> None:  # fmt: skip
    _check_second_analyst(settings, case, opinion, first_analyst, basis)
    _check_same_items(connection, case, opinion)
    if basis == "known":
        list_hashes = _check_confirmed(case, settings)
        casebook.store_item_hashes(connection, case.reference, list_hashes)
        origins = sorted({item_hash.origin for item_hash in list_hashes})
        basis_text = mark("confirmed in {lists}", lists=", ".join(origins))
    else:
        basis_text = _describe_basis(basis)
    connection.execute("DELETE FROM proposals WHERE in_case = ?", (case.reference,))
    casebook.set_outcome(connection, case.reference, "illegal")
    casebook.set_basis(connection, case.reference, basis_text, seen=basis == "seen")
    query = "SELECT 1 FROM held WHERE in_case = ? LIMIT 1"
    if connection.execute(query, (case.reference,)).fetchone() is not None:
        casebook.set_entry(
            connection, f"{case.reference}/item", case.reference, "confirmed", opinion.by
        )
    summary = mark(
        "illegal: {basis}; first held by {first}; {hashed}",
        basis=basis_text, first=first_analyst, hashed=_describe_items(opinion),
    )  # fmt: skip
    _record_opinion_step(connection, case, opinion, summary, assessed=True)


def _check_second_analyst(
    settings: Settings, case: Case, opinion: Opinion, first_analyst: str, basis: Basis
) -> None:
    if normalise_name(opinion.by) == normalise_name(first_analyst):
        message = mark(
            "{by} has already assessed {case} as illegal: a second person has to confirm it, one of"
            " the analysts in {file}"
        )
        raise HotlineError(message, by=first_analyst, case=case.reference, file=settings.file)
    if not settings.authorises(first_analyst):
        message = mark(
            "{first}, who first assessed {case} as illegal, is no longer one of the analysts in"
            " {file}: assess it with a basis, and let another person confirm it"
        )
        raise HotlineError(message, first=first_analyst, case=case.reference, file=settings.file)
    if opinion.basis not in (None, basis):
        raise HotlineError(
            mark("a second person confirms the first assessment and adds nothing to it")
        )


def _check_same_items(connection: sqlite3.Connection, case: Case, opinion: Opinion) -> None:
    """Raise HotlineError unless both people hashed the same items."""
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
    """Return whether hashes were computed from the same item.

    Items are the same if their bytes are equal, if pictures are within PDQ's radius in any
    orientation, or if most frames of clips agree. Pictures with too little detail need equal bytes.
    """
    digests = {hash_ for hash_ in hashes if hash_.kind.digest}
    if any(located.hash in digests for located in item.hashes):
        return True
    return _is_same_clip(item, hashes) if item.is_clip else _is_same_picture(item, hashes)


def _is_same_picture(item: Item, hashes: Sequence[Hash]) -> bool:
    others = [other for other in hashes if other.kind == _PDQ and _has_detail(other.quality)]
    return any(
        located.hash.distance(other) <= _PDQ.radius
        for located in item.hashes
        if located.hash.kind == _PDQ and _has_detail(lowest_score(located))
        for other in others
    )


def _is_same_clip(item: Item, hashes: Sequence[Hash]) -> bool:
    clips = [
        Frames.of_value(located.hash.value)
        for located in item.hashes
        if located.hash.kind == _VIDEO
    ]
    others = [Frames.of_value(hash_.value) for hash_ in hashes if hash_.kind == _VIDEO]
    agreements = [
        compare(clip, other, radius=_VIDEO.radius, floor=_VIDEO.floor)
        for clip in clips
        for other in others
    ]
    return any(agreement is not None and agreement.rule is Rule.WHOLE for agreement in agreements)


def _has_detail(score: int | None) -> bool:
    return score is not None and score >= _PDQ.floor


def count_low_detail_files(connection: sqlite3.Connection, case: Case) -> int:
    """Return the number of an illegal case's files that only exact copies can match."""
    if case.proposed_by is None and case.outcome != "illegal":
        return 0
    count = 0
    for hashes in casebook.read_own_items(connection, case.reference):
        # A file without perceptual hashes shares those of an earlier file.
        perceptual = [hash_ for hash_ in hashes if not hash_.kind.digest]
        count += bool(perceptual) and not any(map(_can_match, perceptual))
    return count


def _can_match(hash_: Hash) -> bool:
    if hash_.kind.video:
        return vpdq.can_match(hash_)
    if hash_.quality is not None and hash_.quality < hash_.kind.floor:
        return False
    return find_exclusion(hash_) is None


def reverse(
    connection: sqlite3.Connection, case: Case, *, by: str, reason: str, at: datetime
) -> None:
    """Take back that an item is illegal. One analyst suffices, since it only ends matches."""
    if case.outcome != "illegal":
        raise HotlineError(
            mark("{case} was not assessed as illegal: nothing to take back"), case=case.reference
        )
    _set_not_illegal(connection, case, by)
    casebook.record_step(
        connection, case.reference, "reversed", at=at, by=by, reason=reason, state="refused"
    )


def _record_opinion_step(
    connection: sqlite3.Connection, case: Case, opinion: Opinion, summary: Sentence, *,
    assessed: bool = False,
) -> None:  # fmt: skip
    casebook.record_step(
        connection, case.reference, "assessed" if assessed else "opinion",
        at=opinion.at, by=opinion.by,
        reason=mark("{reason} ({what})", reason=opinion.reason, what=summary),
        state="assessed" if assessed else None,
        outcome=opinion.outcome,
    )  # fmt: skip


def _describe_basis(basis: Basis) -> Sentence:
    return {
        "seen": mark("seen by an analyst"),
        "known": mark("confirmed in a trusted list"),
    }[basis]


def read_confirmed_hashes(case: Case, settings: Settings) -> list[ItemHash]:
    """Return the hashes of those list matches of a case that trusted lists confirm now."""
    hashes: list[ItemHash] = []
    for folder in settings.trusted:
        matches = [match for match in case.list_matches if match.list == get_list_name(folder)]
        if matches:
            trusted = open_list(folder)  # opened once for all its matches
            hashes += [
                item_hash for match in matches for item_hash in _read_confirmed(trusted, match)
            ]
    return hashes


def _check_confirmed(case: Case, settings: Settings) -> list[ItemHash]:
    list_hashes = read_confirmed_hashes(case, settings)
    if not list_hashes:
        raise HotlineError(
            mark("no trusted list has confirmed the item of {case}: an analyst has to see it"),
            case=case.reference,
        )
    return list_hashes


def _read_confirmed(trusted: HashList, match: ListMatch) -> list[ItemHash]:
    try:
        (shown,) = trusted.show(match.entry, source=match.source, values=True, alone=True)
    except ListError:  # the record is gone
        return []
    # The source itself must confirm it; our own opinion in that list does not count.
    if not shown.state == shown.said == State.CONFIRMED:
        return []
    origin = f"{trusted.name}: {shown.source}/{shown.entry}"
    terms = Terms(**dict(shown.terms)) if shown.terms else Terms()
    return [
        ItemHash(
            Hash.parse(shown_hash.kind, shown_hash.value, quality=shown_hash.quality), origin, terms
        )
        for shown_hash in shown.hashes
        if shown_hash.value is not None and shown_hash.why_not is None
    ]
