"""Desk: all that is done with a hotline's cases, in its folder; no server.

desk = Desk.open("hotline")
for taken in desk.take(["inbox/a.sealed"], by="amina"):
    print(taken.became, taken.case)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from os import PathLike
from pathlib import Path
from typing import get_args

from screener.errors import HotlineError
from screener.hotline import arguments, settings
from screener.hotline.casebook import assessing, casebook, concerns, database, intake
from screener.hotline.casebook.assessing import Basis, Opinion
from screener.hotline.casebook.intake import IntakeResult
from screener.hotline.language.sentence import Sentence, marked
from screener.hotline.model import case as clock
from screener.hotline.model.case import OPEN, Case, Outcome, State
from screener.hotline.model.report import Withdrawal
from screener.hotline.notices import notifying
from screener.hotline.notices.notifying import Answers
from screener.hotline.open_list import open_list
from screener.hotline.partners import Partners
from screener.hotline.reports import own_media, status_file
from screener.hotline.reports.report_json import decode
from screener.hotline.reports.sealed import UnsealError, read_file, secret_key, unseal
from screener.hotline.settings import Settings
from screener.hotline.store import Backlog, Store
from screener.lists.hashlist import HashList
from screener.screening.screener import Screener

FilePath = str | PathLike[str]


class Desk:
    """What analysts do with cases.

    One writes at a time; others wait some seconds. What was interrupted is completed by the next
    one. Times are given (`at`, aware), now where left out. HotlineError for a step that is not
    allowed, and then nothing is changed.
    """

    def __init__(self, store: Store) -> None:
        """Not for callers: use `create` or `open`."""
        self._store = store
        self.folder = store.folder

    @classmethod
    def create(cls, folder: FilePath) -> Desk:
        """Make a hotline: its folder, key pair, empty list, casebook, log, files to fill in."""
        return cls(Store.create(Path(folder)))

    @classmethod
    def open(cls, folder: FilePath) -> Desk:
        """Open a hotline's folder, and complete what was interrupted; HotlineError."""
        return cls(Store.open(Path(folder)))

    @property
    def backlog(self) -> Backlog:
        """What is recorded and could not be brought about, as of the last step or the opening."""
        return self._store.backlog

    @property
    def own_list(self) -> HashList:
        """The hotline's own list, as it is now: seeds, and what two persons confirmed."""
        return self._store.own_list

    @property
    def settings(self) -> Settings:
        """What the operator decided, as the file says now."""
        return self._store.settings

    @property
    def partners(self) -> Partners:
        """The hotline and its partners, as the file says now; HotlineError."""
        return self._store.partners

    @property
    def zone(self) -> tzinfo:
        """The hotline's time zone; UTC where no file says one."""
        try:
            zone: tzinfo = self.partners.hotline.zone
        except HotlineError:
            return UTC
        return zone

    def case(self, reference: str) -> Case:
        """A case as it stands; HotlineError where there is none."""
        with database.reading(self.folder) as connection:
            return casebook.load_case(connection, reference)

    def cases(self, *states: State) -> list[Case]:
        """All cases, or those in some states, in the order in which they came. ValueError for a
        state that is none, in which no case ever is.
        """
        for state in states:
            arguments.check_one_of("a state", state, get_args(State))
        with database.reading(self.folder) as connection:
            wanted = casebook.references(connection, states)
            return [casebook.load_case(connection, one) for one in wanted]

    def overdue(self, *, at: datetime | None = None) -> list[Case]:
        """Cases of which the time has passed, or three quarters of it; the most overdue first."""
        now = _now(at)
        running = self.cases(*OPEN)
        due = [one for one in running if clock.overdue(one, now) or clock.warned(one, now)]
        return sorted(due, key=lambda one: one.due)

    def concerns(self, case: Case, *, at: datetime | None = None) -> list[Sentence]:
        """What somebody has to decide of a case, however much of its time is left: that it came in
        by a clock that was ahead, that partners refuse to remove it, or that a trusted list does
        not confirm it any more.
        """
        arguments.check("a case", case, Case)
        with database.reading(self.folder) as connection:
            held = casebook.item_hashes(connection, case.reference)
        return concerns.concerns_of(case, held, self.settings, now=_now(at))

    def too_little_detail(self, case: Case) -> int:
        """Of how many files that were hashed for a case nothing matches but the very bytes, since
        they show too little to be compared; 0 where nobody holds it to be illegal.
        """
        arguments.check("a case", case, Case)
        with database.reading(self.folder) as connection:
            return assessing.too_little_detail(connection, case)

    def take(
        self,
        files: Sequence[FilePath],
        *,
        by: str,
        at: datetime | None = None,
        key: FilePath | None = None,
    ) -> list[IntakeResult]:
        """Take sealed files in: what became of each, in an order with withdrawals last.

        A file that is no report is told as `refused`, with a reason, and changes nothing. `key` is
        the hotline's secret key, where it is not kept in its folder.
        """
        by, now = settings.checked_name(by), _now(at)
        given = arguments.several("sealed files", files)
        mine = secret_key(self.folder / "hotline.key" if key is None else key)
        taken: list[IntakeResult] = []
        late: list[tuple[str, Withdrawal]] = []  # a report and its withdrawal may come in at once
        with self._store.at_work():
            screener = self._screener()
            for file in given:
                try:
                    said = decode(unseal(read_file(Path(file)), mine))
                except UnsealError as trouble:
                    taken.append(IntakeResult(str(file), "refused", reason=trouble.why))
                    continue
                if isinstance(said, Withdrawal):
                    late.append((str(file), said))
                    continue
                reached = intake.look_up(screener, said)
                with self._store.writing() as connection:
                    told = intake.take_report(
                        connection, said, reached, at=now, by=by, file=str(file)
                    )
                taken.append(told)
                screener = screener.refresh()
            for name, back in late:
                with self._store.writing() as connection:
                    told = intake.take_withdrawal(connection, back, at=now, by=by, file=name)
                taken.append(told)
        return taken

    def assess(
        self,
        reference: str,
        *,
        by: str,
        outcome: Outcome,
        reason: str,
        basis: Basis | None = None,
        files: Sequence[FilePath] = (),
        at: datetime | None = None,
    ) -> Case:
        """Record what an authorised analyst holds of a case; how it stands then.

        `illegal` needs a `basis` (`seen` or `known`), and counts when a second analyst has said the
        same. `files` are hashed, in a process of their own, and not kept: what they show is then
        what is matched. Both analysts give them; those of the second are not listed, and have to
        show what the first one's did. Who spoke first may speak again, with a basis. ValueError for
        another outcome or basis.
        """
        # Another outcome would be taken for the graver one.
        arguments.check_one_of("an outcome", outcome, get_args(Outcome))
        if basis is not None:
            arguments.check_one_of("a basis", basis, get_args(Basis))
        given = arguments.several("files", files)
        by, reason, _ = self._decision(by, reason, at)
        items, failures = own_media.hash_intact_files(given)
        if failures:
            first = failures[0]
            message = marked("{file} cannot be hashed: {reason}")
            raise HotlineError(message, file=given[first.index], reason=first.why)
        said = Opinion(by, outcome, reason, _now(at), basis, items)  # hashing takes minutes
        with self._store.step(reference, said.at) as (connection, case):
            assessing.record_opinion(connection, self.settings, case, said)
        return self.case(reference)

    def reverse(self, reference: str, *, by: str, reason: str, at: datetime | None = None) -> Case:
        """Take back that an item is illegal: it stops matching at once, and the case is refused.

        Where the list cannot be written, `behind.unlisted` says so, and it matches until it can be.
        """
        by, reason, now = self._decision(by, reason, at)
        with self._store.step(reference, now) as (connection, case):
            notifying.drop_unstaged(connection, reference)
            assessing.reverse(connection, case, by=by, reason=reason, at=now)
        return self.case(reference)

    def notify(
        self, reference: str, partner: str, *, by: str, reason: str, at: datetime | None = None
    ) -> Case:
        """Send a partner, by its id, a notice of an illegal item: once, whatever happens.

        It is recorded first; where it cannot be written, ScreenerError says so, and it is written
        when the hotline is next opened.
        """
        by, reason, now = self._decision(by, reason, at)
        known = self.partners
        found = self.case(reference)
        with database.reading(self.folder) as connection:
            lost = concerns.lost_confirmation(
                found, casebook.item_hashes(connection, reference), self.settings
            )
        if lost is not None:
            raise HotlineError(lost.message, **lost.values)
        with self._store.step(reference, now) as (connection, case):
            notifying.notify(
                connection, case, known, known.named(partner), by=by, reason=reason, at=now
            )
        for which, whom, wrong in self.backlog.pending:
            if (which, whom) == (reference, partner):
                raise wrong
        return self.case(reference)

    def acknowledge(self, *, by: str, at: datetime | None = None) -> Answers:
        """Record what partners have put into their folders since."""
        by, known, now = settings.checked_name(by), self.partners, _now(at)
        with self._store.at_work(), self._store.writing() as connection:
            answers = notifying.acknowledge(connection, known, by=by, at=now)
        return answers

    def close(
        self, reference: str, *, state: State, by: str, reason: str, at: datetime | None = None
    ) -> Case:
        """End a case: `removed`, or `refused` where nothing was or could be removed."""
        by, reason, now = self._decision(by, reason, at)
        if state not in ("removed", "refused"):
            raise HotlineError(marked("a case is closed as removed or as refused"))
        with self._store.step(reference, now) as (connection, case):
            if case.state not in ("assessed", "notified"):
                raise HotlineError(
                    marked("{case} has not been assessed, or is closed"), case=reference
                )
            if state == "removed" and case.outcome != "illegal":
                raise HotlineError(
                    marked("{case} is not illegal: nobody was asked to remove it"), case=reference
                )
            notifying.drop_unstaged(connection, reference)
            casebook.record_step(
                connection, reference, "closed", at=now, by=by, reason=reason, state=state
            )
        return self.case(reference)

    def restart(self, reference: str, *, by: str, reason: str, at: datetime | None = None) -> Case:
        """Have the 24 hours of a case begin now, that came in at a time that is still to come, by a
        clock that was ahead. No other case is given more time.
        """
        by, reason, now = self._decision(by, reason, at)
        with self._store.at_work(), self._store.writing() as connection:
            case = casebook.load_case(connection, reference)
            if not (clock.runs(case) and case.received > now):
                message = marked(
                    "{case} has ended, or did not come in at a time that is still to come: its"
                    " clock stays as it is"
                )
                raise HotlineError(message, case=reference)
            casebook.restart(connection, reference, at=now)
            casebook.record_step(connection, reference, "restarted", at=now, by=by, reason=reason)
        return self.case(reference)

    def statuses(self, *, at: datetime | None = None) -> bytes:
        """The status file to publish: how every report stands, for its reporter only. Its days are
        those of the hotline's zone, as in its notices.
        """
        zone = self.zone
        with database.reading(self.folder) as connection:
            found = casebook.statuses(connection, zone)
        return status_file.write(found, day=_now(at).astimezone(zone).date())

    def _decision(self, by: str, reason: str, at: datetime | None) -> tuple[str, str, datetime]:
        """Who decides something, why and when, as it is recorded; HotlineError for somebody who is
        no authorised analyst, and where one of the three is of no use.
        """
        by, reason = settings.checked_name(by), settings.checked_line(reason, marked("a reason"))
        self.settings.check_analyst(by)
        return by, reason, _now(at)

    def _screener(self) -> Screener:
        """What reports are looked up with; the hotline's own list comes first."""
        found = self.settings
        others = dict.fromkeys(path.resolve() for path in (*found.trusted, *found.lists))
        return Screener([self.own_list, *map(open_list, others)])


def _now(at: datetime | None) -> datetime:
    now = datetime.now(UTC) if at is None else at
    casebook.format_time(now)  # which says what is wrong with a time without a zone
    return now
