"""Notifying: one notice of a case to each partner that is asked, and what comes back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from screener.errors import HotlineError, ScreenerError
from screener.hotline import partners
from screener.hotline.casebook import casebook, database
from screener.hotline.language.sentence import Sentence, marked
from screener.hotline.language.wording import ANSWERS
from screener.hotline.model.case import Case, State, latest_run
from screener.hotline.notices import acknowledgements, delivery
from screener.hotline.notices.acknowledgement import Acknowledgement
from screener.hotline.notices.acknowledgements import UnreadFile
from screener.hotline.notices.notice import make_notice
from screener.hotline.notices.notice_files import render_files
from screener.hotline.partners import Partner, Partners

Unwritten = tuple[str, str, ScreenerError]  # a notice: its case, its partner, and why


@dataclass(frozen=True)
class Answers:
    """What partners' folders said that was new: each with its case; and files of no use."""

    taken: tuple[tuple[str, str, Acknowledgement], ...]  # partner, case, what it said
    unread: tuple[tuple[str, UnreadFile], ...]  # partner, file


def notice_id(case: str, partner: str) -> str:
    """The id of the one notice of a case to a partner: the same whoever asks, and whenever."""
    text = json.dumps([case, partner]).encode()
    return "N-" + hashlib.blake2b(text, digest_size=10).hexdigest()


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
    hashes = casebook.item_hashes(connection, case.reference)
    # What it would say now is asked before it is recorded: there may be nothing that it could say.
    make_notice(case, partner, hotline=known.hotline, at=at, notice=notice, hashes=hashes)
    connection.execute(
        "INSERT INTO sent VALUES (?, ?, ?, ?, NULL, NULL, NULL, 0, 0)",
        (notice, case.reference, partner.id, casebook.format_time(at)),
    )
    casebook.record_step(
        connection, case.reference, "notified", at=at, by=by, state="notified", notice=notice,
        partner=partner.id, reason=marked("{partner}: {why}", partner=partner.id, why=reason),
    )  # fmt: skip


def deliver_pending(folder: Path) -> list[Unwritten]:
    """Give partners the notices that they were not given yet; those that could not be.

    Each in two steps: whole beside where the partner finds it, and there. The first is recorded
    before the second is taken, where the partner cannot reach: so a notice is given once, whenever
    whoever gives it is killed, and however soon the partner fetches it.
    """
    with database.reading(folder) as connection:
        due = connection.execute(
            "SELECT notice, in_case, partner, staged FROM sent WHERE NOT written ORDER BY notice"
        ).fetchall()
    failed: list[Unwritten] = []
    for notice, case, partner, staged in due:
        try:
            known = partners.load(folder / partners.FILE)
            if not staged:
                _stage(folder, known, notice, case, partner)
                _mark(folder, notice, "staged")
            given = _give(folder, known, notice, case, partner)
        except ScreenerError as error:  # one that is out of reach keeps no other from its notice
            failed.append((case, partner, error))
            continue
        if given:
            _mark(folder, notice, "written")
        else:
            with database.writing(folder) as connection:
                connection.execute("DELETE FROM sent WHERE notice = ?", (notice,))
    return failed


def _stage(folder: Path, known: Partners, notice: str, reference: str, partner: str) -> None:
    """Have a notice lie ready for a partner, as the casebook says."""
    with database.reading(folder) as connection:
        case, hashes = (
            casebook.load_case(connection, reference),
            casebook.item_hashes(connection, reference),
        )
        given = "SELECT 1 FROM sent WHERE partner = ? AND (staged OR written) LIMIT 1"
        first = connection.execute(given, (partner,)).fetchone() is None
    (at,) = (one.at for one in case.sent if one.partner == partner)
    whom = known.named(partner)
    made = make_notice(case, whom, hotline=known.hotline, at=at, notice=notice, hashes=hashes)
    delivery.stage(whom.folder, notice, reference, render_files(made), first=first)


def _give(folder: Path, known: Partners, notice: str, reference: str, partner: str) -> bool:
    """Give a partner what lies ready, unless it was given before; or take it away, where nobody is
    to remove the item any more. Whether the partner has been given it.
    """
    with database.reading(folder) as connection:
        case = casebook.load_case(connection, reference)
    whom = known.named(partner).folder
    if case.outcome == "illegal" and case.state == "notified":
        delivery.deliver(whom, notice)
        return True
    return not delivery.retract(whom, notice)


def _mark(folder: Path, notice: str, column: str) -> None:
    with database.writing(folder) as connection:
        connection.execute(f"UPDATE sent SET {column} = 1 WHERE notice = ?", (notice,))


def acknowledge(
    connection: sqlite3.Connection, known: Partners, *, by: str, at: datetime
) -> Answers:
    """Record what partners have answered since: each event of a notice once. A case is removed when
    all that were sent a notice of it say so, and is so no more when one of them takes that back.
    """
    taken: list[tuple[str, str, Acknowledgement]] = []
    unread: list[tuple[str, UnreadFile]] = []
    for partner in known.partners.values():
        rows = connection.execute(
            "SELECT notice, in_case, at FROM sent WHERE partner = ? AND written", (partner.id,)
        ).fetchall()
        cases = {notice: case for notice, case, _ in rows}
        sent = {notice: casebook.parse_time(when) for notice, _, when in rows}
        said, useless = acknowledgements.read_folder(partner, sent=sent, now=at)
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
    when = casebook.format_time(said.at)
    if not _set(connection, said, when):
        return False
    # Whoever has removed or refused it has read it.
    connection.execute(
        "UPDATE sent SET acknowledged = coalesce(acknowledged, ?) WHERE notice = ?",
        (when, said.notice),
    )
    found = casebook.load_case(connection, case)
    state: State | None = None
    if found.state == "notified" and _all_removed(found):
        state = "removed"
    elif found.state == "removed" and _ended_by_answers(found) and not _all_removed(found):
        state = "notified"
    casebook.record_step(
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
    told = {"partner": partner.id, "event": ANSWERS[said.event], "by": said.by}
    if said.note:
        return marked("{partner}: {event} ({by}): {note}", note=said.note, **told)
    return marked("{partner}: {event} ({by})", **told)


def drop_unstaged(connection: sqlite3.Connection, case: str) -> None:
    """Send no notice of a case any more that lies ready for no partner yet; what does is taken
    away afterwards, if the partner has not been given it.
    """
    connection.execute("DELETE FROM sent WHERE in_case = ? AND NOT staged", (case,))
