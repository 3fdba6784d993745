"""Assessing: two persons make an item one that is matched; no report does, nor one person alone.

`illegal` needs a basis: that an authorised analyst has seen the item under the hotline's own
procedure, or that a list which the hotline trusts has it confirmed. What is then matched is hashes
that the hotline made itself, or that the trusted list holds: never what a reporter's computer made.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from screener.errors import HotlineError, ListError
from screener.hashing.hash import Hash
from screener.hotline.casebook import casebook, same_item
from screener.hotline.language.sentence import Sentence, marked
from screener.hotline.model.case import Case, ItemHash, ListMatch, Outcome
from screener.hotline.model.report import Item
from screener.hotline.open_list import open_list
from screener.hotline.settings import Settings, name_key
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.database import name_of
from screener.lists.store.records import why_not_searchable
from screener.lists.terms import Terms
from screener.screening.input import vpdq

Basis = Literal["seen", "known"]
_OWN = "hotline"  # where hashes of the hotline's own making come from


@dataclass(frozen=True)
class Opinion:
    """What one person holds of a case, when and why; for `illegal` on which basis, and items that
    were hashed of files which the person had.
    """

    by: str
    outcome: Outcome
    reason: str
    at: datetime
    basis: Basis | None = None
    items: tuple[Item, ...] = ()


def record_opinion(
    connection: sqlite3.Connection, settings: Settings, case: Case, said: Opinion
) -> None:
    """Record an opinion; with a second one of another person on the same, the case is assessed."""
    settings.check_analyst(said.by)
    if case.state != "received":
        raise HotlineError(_already_decided(case), case=case.reference)
    row = connection.execute(
        "SELECT by, basis FROM proposals WHERE in_case = ?", (case.reference,)
    ).fetchone()
    if said.outcome == "illegal" and row is not None and _begins_anew(settings, said, row[0]):
        casebook.drop_proposal(connection, case.reference)
        row = None
    if said.outcome == "not_illegal":
        _give_not_illegal(connection, case, said, proposed=row is not None)
    elif row is None:
        _propose(connection, settings, case, said)
    else:
        _confirm(connection, settings, case, said, *row)


def _begins_anew(settings: Settings, said: Opinion, first: str) -> bool:
    """Whether an opinion takes the place of the first one: of the same person, with another basis
    or other files, or of a person who may not assess any more, whom nobody can confirm.
    """
    return bool(said.basis) and (
        name_key(said.by) == name_key(first) or not settings.authorises(first)
    )


def _already_decided(case: Case) -> str:
    """That nobody gives an opinion of a case any more, and how a mistake is mended."""
    if case.outcome == "illegal" and case.state in ("assessed", "notified"):
        return marked("{case} has been assessed: `screener case reverse` takes it back")
    return marked(
        "{case} has been assessed, or is closed: whatever report of it comes in now, one of yours"
        " too, begins a new case"
    )


def _give_not_illegal(
    connection: sqlite3.Connection, case: Case, said: Opinion, *, proposed: bool
) -> None:
    """One person suffices: nothing is matched or sent for it. Against a first opinion that it is
    illegal, it takes that back and leaves the case open: two persons hold different things.
    """
    if said.basis is not None or said.items:
        raise HotlineError(marked("a basis and files are for what is illegal"))
    casebook.drop_proposal(connection, case.reference)
    if proposed:
        _record_opinion_step(
            connection, case, said, marked("held not illegal, against an opinion before")
        )
        return
    _set_not_illegal(connection, case, said.by)
    _record_opinion_step(connection, case, said, marked("not illegal"), assessed=True)


def _set_not_illegal(connection: sqlite3.Connection, case: Case, by: str) -> None:
    casebook.set_outcome(connection, case.reference, "not_illegal")
    casebook.withdraw_entries(connection, case.reference, by)
    # Nothing is to be removed there, and whoever reported it has taken that back.
    casebook.forget_withdrawn(connection, case.reference)


def _propose(connection: sqlite3.Connection, settings: Settings, case: Case, said: Opinion) -> None:
    if said.basis is None:
        raise HotlineError(
            marked("illegal needs a basis: that you have seen it, or that it is known")
        )
    if said.basis == "known":
        _check_confirmed(case, settings)
    connection.execute(
        "INSERT INTO proposals VALUES (?, ?, ?)", (case.reference, said.by, said.basis)
    )
    for number, item in enumerate(said.items):
        own = [ItemHash(one, _OWN) for one in item.upright]
        casebook.store_item_hashes(connection, case.reference, own, item=number)
    what = marked(
        casebook.FIRST_OPINION.message,
        basis=_basis_sentence(said.basis),
        hashed=_describe_items(said),
    )
    _record_opinion_step(connection, case, said, what)


def _describe_items(said: Opinion) -> Sentence:
    """Of how many files of which types hashes were made, for whoever reads it afterwards."""
    if not said.items:
        return marked("nothing hashed")
    types = ", ".join(item.type or "–" for item in said.items)
    return marked("hashed {number}: {types}", number=len(said.items), types=types)


def _confirm(
    connection: sqlite3.Connection, settings: Settings, case: Case, said: Opinion, first: str,
    basis: Basis,
) -> None:  # fmt: skip
    """Have the case be illegal, as the first person said on a basis."""
    _check_second(settings, case, said, first, basis)
    _check_items(connection, case, said)
    if basis == "known":
        listed = _check_confirmed(case, settings)
        casebook.store_item_hashes(connection, case.reference, listed)
        told = marked("confirmed in {lists}", lists=", ".join(sorted({o.origin for o in listed})))
    else:
        told = _basis_sentence(basis)
    connection.execute("DELETE FROM proposals WHERE in_case = ?", (case.reference,))
    casebook.set_outcome(connection, case.reference, "illegal")
    casebook.set_basis(connection, case.reference, told, seen=basis == "seen")
    held = "SELECT 1 FROM held WHERE in_case = ? LIMIT 1"
    if connection.execute(held, (case.reference,)).fetchone() is not None:
        casebook.set_entry(
            connection, f"{case.reference}/item", case.reference, "confirmed", said.by
        )
    what = marked(
        "illegal: {basis}; first held by {first}; {hashed}",
        basis=told, first=first, hashed=_describe_items(said),
    )  # fmt: skip
    _record_opinion_step(connection, case, said, what, assessed=True)


def _check_second(settings: Settings, case: Case, said: Opinion, first: str, basis: Basis) -> None:
    """HotlineError unless who speaks is a second person, who says what the first one did."""
    if name_key(said.by) == name_key(first):
        raise HotlineError(
            marked("{by} holds {case} to be illegal already: a second person has to confirm"),
            by=first,
            case=case.reference,
        )
    if not settings.authorises(first):
        message = marked(
            "{first}, who held {case} to be illegal, is no authorised analyst any more: say it with"
            " a basis, and have another person confirm it"
        )
        raise HotlineError(message, first=first, case=case.reference)
    if said.basis not in (None, basis):
        raise HotlineError(
            marked("a second person confirms what the first one said, and adds nothing")
        )


def _check_items(connection: sqlite3.Connection, case: Case, said: Opinion) -> None:
    """HotlineError unless the second person had each item that the first one hashed, too: what is
    going to match is for two to confirm, not only that the case is of something illegal.
    """
    held = casebook.own_items(connection, case.reference)
    for hashes in held:
        if not any(same_item.is_of(item, hashes) for item in said.items):
            raise HotlineError(
                marked("to confirm it, hash a file of each item that the first person hashed")
            )
    for item in said.items:
        if not any(same_item.is_of(item, hashes) for hashes in held):
            raise HotlineError(
                marked("a second person confirms what the first one said, and adds nothing")
            )


def too_little_detail(connection: sqlite3.Connection, case: Case) -> int:
    """Of how many files that were hashed of what is held to be illegal nothing matches but the very
    bytes, since they show too little to be compared.
    """
    if case.proposed is None and case.outcome != "illegal":
        return 0
    seen = 0
    for hashes in casebook.own_items(connection, case.reference):
        # Without any, it has those of a file before it.
        of_what_it_shows = [one for one in hashes if not one.kind.digest]
        seen += bool(of_what_it_shows) and not any(map(_is_compared, of_what_it_shows))
    return seen


def _is_compared(one: Hash) -> bool:
    """Whether anything can match by a hash of what is shown."""
    if one.kind.video:
        return vpdq.matches(one)
    if one.quality is not None and one.quality < one.kind.floor:
        return False
    return why_not_searchable(one) is None


def reverse(
    connection: sqlite3.Connection, case: Case, *, by: str, reason: str, at: datetime
) -> None:
    """Take back that an item is illegal: one authorised analyst suffices, since it ends matches."""
    if case.outcome != "illegal":
        raise HotlineError(
            marked("{case} was not assessed as illegal: nothing to take back"), case=case.reference
        )
    _set_not_illegal(connection, case, by)
    casebook.record_step(
        connection, case.reference, "reversed", at=at, by=by, reason=reason, state="refused"
    )


def _record_opinion_step(
    connection: sqlite3.Connection, case: Case, said: Opinion, what: Sentence, *,
    assessed: bool = False,
) -> None:  # fmt: skip
    casebook.record_step(
        connection, case.reference, "assessed" if assessed else "opinion", at=said.at, by=said.by,
        reason=marked("{reason} ({what})", reason=said.reason, what=what),
        state="assessed" if assessed else None,
        outcome=said.outcome,
    )  # fmt: skip


def _basis_sentence(basis: Basis) -> Sentence:
    return {
        "seen": marked("seen by an analyst"),
        "known": marked("confirmed in a trusted list"),
    }[basis]


def confirmed_hashes(case: Case, settings: Settings) -> list[ItemHash]:
    """What trusted lists hold now of the records that the case reached at intake and that are
    confirmed.
    """
    found: list[ItemHash] = []
    for folder in settings.trusted:
        reached = [match for match in case.known if match.list == name_of(folder)]
        if reached:
            trusted = open_list(folder)  # once: very many records may hold one hash
            found += [one for match in reached for one in _confirmed_in(trusted, match)]
    return found


def _check_confirmed(case: Case, settings: Settings) -> list[ItemHash]:
    """What trusted lists confirm now; HotlineError where that is nothing."""
    listed = confirmed_hashes(case, settings)
    if not listed:
        raise HotlineError(
            marked(
                "no list that the hotline trusts has confirmed what {case} is of: somebody has to"
                " see it"
            ),
            case=case.reference,
        )
    return listed


def _confirmed_in(trusted: HashList, match: ListMatch) -> list[ItemHash]:
    try:
        (shown,) = trusted.show(match.entry, source=match.source, values=True, alone=True)
    except ListError:  # it is gone since
        return []
    # Also by its source alone: an opinion of one of us in that list is no second person.
    if not shown.state == shown.said == State.CONFIRMED:
        return []
    origin = f"{trusted.name}: {shown.source}/{shown.entry}"
    terms = Terms(**dict(shown.terms)) if shown.terms else Terms()
    return [
        ItemHash(Hash.parse(one.kind, one.value, quality=one.quality), origin, terms)
        for one in shown.hashes
        if one.value is not None and one.why_not is None
    ]
