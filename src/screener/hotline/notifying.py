"""Notifying: one notice of a case to each partner that is asked, and what comes back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from screener.errors import HotlineError
from screener.hotline import acknowledgements, casebook, database, delivery, notices
from screener.hotline.acknowledgements import Acknowledgement, Unread
from screener.hotline.case import Case, State, latest_run
from screener.hotline.notices import Held
from screener.hotline.partners import Partner, Partners
from screener.hotline.sentence import Sentence, marked
from screener.hotline.wording import EVENTS_SAID
from screener.lists.terms import Terms


@dataclass(frozen=True)
class Answers:
    """What partners' folders said that was new: each with its case; and files of no use."""

    taken: tuple[tuple[str, str, Acknowledgement], ...]  # partner, case, what it said
    unread: tuple[tuple[str, Unread], ...]  # partner, file


def notice_id(case: str, partner: str) -> str:
    """The id of the one notice of a case to a partner: the same whoever asks, and whenever."""
    text = json.dumps([case, partner]).encode()
    return "N-" + hashlib.blake2b(text, digest_size=10).hexdigest()


def held(connection: sqlite3.Connection, case: str, own: Terms) -> list[Held]:
    """The hashes that the hotline made or held of a case, with the terms that bind them; `own` are
    those of its own.
    """
    return [
        Held(one.hash, own if one.terms is None else Terms(**json.loads(one.terms)))
        for one in casebook.held(connection, case)
    ]


def notify(
    connection: sqlite3.Connection, case: Case, known: Partners, partner: Partner, *, by: str,
    reason: str, at: datetime,
) -> None:  # fmt: skip
    """Have a notice written to a partner after the commit; HotlineError where it was, or where
    there is nothing that it could say.
    """
    if any(one.partner == partner.id for one in case.sent):
        raise HotlineError(
            marked("{partner} was sent a notice of {case} already"),
            partner=partner.id,
            case=case.reference,
        )
    notice = notice_id(case.reference, partner.id)
    hashes = held(connection, case.reference, known.hotline.terms)
    notices.make(case, partner, hotline=known.hotline, at=at, notice=notice, hashes=hashes)
    connection.execute(
        "INSERT INTO sent VALUES (?, ?, ?, ?, NULL, NULL, NULL, 0, 0)",
        (notice, case.reference, partner.id, casebook.stamp(at)),
    )
    casebook.note(
        connection, case.reference, "notified", at=at, by=by, reason=reason, state="notified",
        partner=partner.id, notice=notice,
    )  # fmt: skip


class Handing:
    """Hands notices to partners, each in two steps: whole beside where the partner finds it, and
    there. Whoever records the first step before taking the second hands it out once, whenever it is
    killed, and whatever the partner does with what it finds.
    """

    def __init__(self, folder: Path, known: Partners) -> None:
        """Of the hotline in a folder, to partners that it knows."""
        self._folder = folder
        self._known = known

    def stage(self, reference: str, partner: str) -> None:
        """Have the notice that the casebook says a partner is sent lie ready for it."""
        with database.reading(self._folder) as connection:
            case = casebook.find(connection, reference)
            hashes = held(connection, reference, self._known.hotline.terms)
            given = "SELECT 1 FROM sent WHERE partner = ? AND (staged OR written) LIMIT 1"
            first = connection.execute(given, (partner,)).fetchone() is None
        (at,) = (one.at for one in case.sent if one.partner == partner)
        notices.stage(
            case, self._known.named(partner), hotline=self._known.hotline, at=at,
            notice=notice_id(reference, partner), hashes=hashes, first=first,
        )  # fmt: skip

    def give(self, reference: str, partner: str) -> bool:
        """Give a partner what lies ready, unless it was given before; or take it away, where
        nobody is to remove the item any more. Whether the partner has been given it.
        """
        with database.reading(self._folder) as connection:
            case = casebook.find(connection, reference)
        whom, notice = self._known.named(partner).folder, notice_id(reference, partner)
        if case.outcome == "illegal" and case.state == "notified":
            delivery.give(whom, notice)
            return True
        return not delivery.take_away(whom, notice)


def acknowledge(
    connection: sqlite3.Connection, known: Partners, *, by: str, at: datetime
) -> Answers:
    """Record what partners have answered since: each event of a notice once. A case is removed when
    all that were sent a notice of it say so, and is so no more when one of them takes that back.
    """
    taken: list[tuple[str, str, Acknowledgement]] = []
    unread: list[tuple[str, Unread]] = []
    for partner in known.partners.values():
        rows = connection.execute(
            "SELECT notice, in_case, at FROM sent WHERE partner = ? AND written", (partner.id,)
        ).fetchall()
        cases = {notice: case for notice, case, _ in rows}
        sent = {notice: casebook.moment(when) for notice, _, when in rows}
        said, useless = acknowledgements.read(partner, sent=sent, now=at)
        unread += [(partner.id, one) for one in useless]
        for one in said:
            if _record(connection, partner, cases[one.notice], one, by=by, at=at):
                taken.append((partner.id, cases[one.notice], one))
    return Answers(tuple(taken), tuple(unread))


def _record(
    connection: sqlite3.Connection, partner: Partner, case: str, said: Acknowledgement, *, by: str,
    at: datetime,
) -> bool:  # fmt: skip
    """Whether it was new. Of what a partner has done, its last word counts, by its own clock:
    whoever puts back what it had removed has not removed it.
    """
    when = casebook.stamp(said.at)
    if not _set(connection, said, when):
        return False
    # Whoever has removed or refused it has read it.
    connection.execute(
        "UPDATE sent SET acknowledged = coalesce(acknowledged, ?) WHERE notice = ?",
        (when, said.notice),
    )
    found = casebook.find(connection, case)
    state: State | None = None
    if found.state == "notified" and _all_removed(found):
        state = "removed"
    elif found.state == "removed" and _ended_by_answers(found) and not _all_removed(found):
        state = "notified"
    casebook.note(
        connection, case, "answered", at=at, by=by, reason=_reason(partner, said),
        state=state, partner=partner.id, notice=said.notice,
    )  # fmt: skip
    return True


def _set(connection: sqlite3.Connection, said: Acknowledgement, when: str) -> bool:
    """Keep what an answer says, unless it was said before, or the partner has said otherwise since;
    of both at one time, that it was removed.
    """
    kept = f"UPDATE sent SET {said.event} = :at"
    new = f"WHERE notice = :notice AND {said.event} IS NULL"
    if said.event == "removed":
        done = f"{kept}, refused = NULL {new} AND coalesce(refused <= :at, TRUE)"
    elif said.event == "refused":
        done = f"{kept}, removed = NULL {new} AND coalesce(removed < :at, TRUE)"
    else:
        done = f"{kept} {new}"
    return bool(connection.execute(done, {"at": when, "notice": said.notice}).rowcount)


def _all_removed(case: Case) -> bool:
    """Whether all that were sent a notice say that they have removed it."""
    return bool(case.sent) and all(one.removed is not None for one in case.sent)


def _ended_by_answers(case: Case) -> bool:
    """Whether answers gave a case its state, and not somebody by hand, who said why in words."""
    began = latest_run((one.state, one) for one in case.events)
    return began is not None and isinstance(began.reason, Sentence)


def _reason(partner: Partner, said: Acknowledgement) -> Sentence:
    """What a partner said, who there, and why if they told; one line, since an answer has one."""
    told = {"partner": partner.id, "event": EVENTS_SAID[said.event], "by": said.by}
    if said.note:
        return marked("{partner}: {event} ({by}): {note}", note=said.note, **told)
    return marked("{partner}: {event} ({by})", **told)


def drop_unwritten(connection: sqlite3.Connection, case: str) -> None:
    """Send no notice of a case any more that lies ready for no partner yet; what does is taken
    away afterwards, if the partner has not been given it.
    """
    connection.execute("DELETE FROM sent WHERE in_case = ? AND NOT staged", (case,))
