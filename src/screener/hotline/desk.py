"""Desk: a hotline's folder, and all that is done with its cases; no server.

desk = Desk.open("hotline")
for taken in desk.take(["inbox/a.sealed"], by="amina"):
    print(taken.became, taken.case)
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from screener.audit_file import AuditFile
from screener.errors import HotlineError, IndexFileError
from screener.hotline import (
    assessing,
    casebook,
    clock,
    completing,
    database,
    intake,
    notifying,
    own_media,
    partners,
    settings,
    statuses,
)
from screener.hotline.assessing import Basis, Opinion
from screener.hotline.case import Case, Outcome, State
from screener.hotline.intake import Taken
from screener.hotline.language import marked
from screener.hotline.notifying import Answers
from screener.hotline.partners import Partners
from screener.hotline.report import Withdrawal, decode
from screener.hotline.sealed import Unsealable, make_keys, read_file, secret_key, unseal
from screener.hotline.settings import Settings
from screener.index.held import one_at_a_time
from screener.lists.hashlist import HashList
from screener.lists.terms import Terms
from screener.screen import Screener

FilePath = str | PathLike[str]
SETTINGS = "settings.toml"
PARTNERS = "partners.toml"
_WAIT_SECONDS = 30.0


class Desk:
    """A hotline's folder: its casebook, its list, its log, its keys; readable by its owner only.

    One writes at a time; others wait some seconds. What was interrupted is completed by the next
    one. Times are given (`at`, aware), now where left out. HotlineError for a step that is not
    allowed, and then nothing is changed.
    """

    def __init__(self, folder: Path) -> None:
        """Not for callers: use `create` or `open`."""
        self._folder = folder
        # Notices that could not be written and are due still: of which case, to whom, and why.
        self.pending: list[completing.Unwritten] = []

    @classmethod
    def create(cls, folder: FilePath) -> Desk:
        """Make a hotline: its folder, key pair, empty list, casebook, log, settings to fill in."""
        folder = Path(folder)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if any(folder.iterdir()):
            raise HotlineError(
                marked("{folder} is not empty; choose another folder"), folder=folder
            )
        os.chmod(folder, 0o700)
        make_keys(folder)
        _write(folder / SETTINGS, settings.TEMPLATE)
        _write(folder / PARTNERS, partners.TEMPLATE)
        HashList.create(folder / completing.LIST)
        database.create(folder)
        desk = cls(folder)
        with desk._at_work():
            pass
        return desk

    @classmethod
    def open(cls, folder: FilePath) -> Desk:
        """Open a hotline's folder, and complete what was interrupted; HotlineError."""
        folder = Path(folder)
        database.check(folder)
        desk = cls(folder)
        with desk._at_work():
            pass
        return desk

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._folder

    @property
    def own_list(self) -> HashList:
        """The hotline's own list, as it is now: seeds, and what two persons confirmed."""
        return HashList.open(self._folder / completing.LIST)

    @property
    def settings(self) -> Settings:
        """What the operator decided, as the file says now."""
        return Settings.load(self._folder / SETTINGS)

    @property
    def partners(self) -> Partners:
        """The hotline and its partners, as the file says now; ScreenerError."""
        return partners.load(self._folder / PARTNERS)

    def case(self, reference: str) -> Case:
        """A case as it stands; HotlineError where there is none."""
        with database.reading(self._folder) as connection:
            return casebook.find(connection, reference)

    def cases(self, *states: State) -> list[Case]:
        """All cases, or those in some states, in the order in which they came."""
        with database.reading(self._folder) as connection:
            found = [casebook.find(connection, one) for one in casebook.references(connection)]
        return [one for one in found if not states or one.state in states]

    def overdue(self, *, at: datetime | None = None) -> list[Case]:
        """Cases of which the time has passed, or three quarters of it; the most overdue first."""
        now = _now(at)
        due = [one for one in self.cases() if clock.overdue(one, now) or clock.warned(one, now)]
        return sorted(due, key=lambda one: one.due)

    def take(
        self,
        files: Sequence[FilePath],
        *,
        by: str,
        at: datetime | None = None,
        key: FilePath | None = None,
    ) -> list[Taken]:
        """Take sealed files in: what became of each, in an order with withdrawals last.

        A file that is no report is told as `refused`, with a reason, and changes nothing. `key` is
        the hotline's secret key, where it is not kept in its folder.
        """
        by, now = settings.person(by), _now(at)
        mine = secret_key(self._folder / "hotline.key" if key is None else key)
        taken: list[Taken] = []
        late: list[tuple[str, Withdrawal]] = []  # a report and its withdrawal may come in at once
        with self._at_work():
            engine = self._engine()
            for file in files:
                try:
                    said = decode(unseal(read_file(Path(file)), mine))
                except Unsealable as trouble:
                    taken.append(Taken(str(file), "refused", reason=str(trouble)))
                    continue
                if isinstance(said, Withdrawal):
                    late.append((str(file), said))
                    continue
                reached = intake.reach(engine, said)
                with database.writing(self._folder) as connection:
                    told = intake.take(connection, said, reached, at=now, by=by, file=str(file))
                taken.append(told)
                self._complete()
                engine = engine.refresh()
            for name, back in late:
                with database.writing(self._folder) as connection:
                    told = intake.take_withdrawal(connection, back, at=now, by=by, file=name)
                taken.append(told)
                self._complete()
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
        show what the first one's did. Who spoke first may speak again, with a basis.
        """
        by, reason = settings.person(by), settings.line(reason, "a reason")
        self.settings.check_analyst(by)
        items, troubles = own_media.make_whole(files)
        if troubles:
            place, why = troubles[0].place, troubles[0].reason.reason
            raise HotlineError(
                marked("{file} cannot be hashed: {reason}"), file=files[place], reason=why
            )
        said = Opinion(by, outcome, reason, _now(at), basis, items)
        with self._step(reference, _now(at)) as (connection, case):
            assessing.give(connection, self.settings, case, said)
        return self.case(reference)

    def reverse(self, reference: str, *, by: str, reason: str, at: datetime | None = None) -> Case:
        """Take back that an item is illegal: it stops matching at once, and the case is refused."""
        by, reason = settings.person(by), settings.line(reason, "a reason")
        with self._step(reference, _now(at)) as (connection, case):
            notifying.drop_unwritten(connection, reference)
            assessing.reverse(connection, self.settings, case, by=by, reason=reason, at=_now(at))
        return self.case(reference)

    def notify(
        self, reference: str, partner: str, *, by: str, reason: str, at: datetime | None = None
    ) -> Case:
        """Send a partner, by its id, a notice of an illegal item: once, whatever happens.

        It is recorded first; where it cannot be written, ScreenerError says so, and it is written
        when the hotline is next opened.
        """
        by, reason = settings.person(by), settings.line(reason, "a reason")
        known = self.partners
        self.settings.check_analyst(by)
        with self._step(reference, _now(at)) as (connection, case):
            notifying.notify(
                connection, case, known, known.named(partner), by=by, reason=reason, at=_now(at)
            )
        for which, whom, wrong in self.pending:
            if (which, whom) == (reference, partner):
                raise wrong
        return self.case(reference)

    def acknowledge(self, *, by: str, at: datetime | None = None) -> Answers:
        """Record what partners have put into their folders since."""
        by, known, now = settings.person(by), self.partners, _now(at)
        with self._at_work():
            with database.writing(self._folder) as connection:
                answers = notifying.acknowledge(connection, known, by=by, at=now)
            self._complete()
        return answers

    def close(
        self, reference: str, *, state: State, by: str, reason: str, at: datetime | None = None
    ) -> Case:
        """End a case: `removed`, or `refused` where nothing was or could be removed."""
        by, reason = settings.person(by), settings.line(reason, "a reason")
        if state not in ("removed", "refused"):
            raise HotlineError(marked("a case is closed as removed or as refused"))
        self.settings.check_analyst(by)
        with self._step(reference, _now(at)) as (connection, case):
            if case.state not in ("assessed", "notified"):
                raise HotlineError(
                    marked("{case} has not been assessed, or is closed"), case=reference
                )
            if state == "removed" and case.outcome != "illegal":
                raise HotlineError(
                    marked("{case} is not illegal: nobody was asked to remove it"), case=reference
                )
            notifying.drop_unwritten(connection, reference)
            casebook.note(
                connection, reference, "closed", at=_now(at), by=by, reason=reason, state=state
            )
        return self.case(reference)

    def statuses(self, *, at: datetime | None = None) -> bytes:
        """The status file to publish: how every report stands, for its reporter only."""
        with database.reading(self._folder) as connection:
            found = casebook.statuses(connection)
        return statuses.write(found, day=_now(at).astimezone(UTC).date())

    @contextlib.contextmanager
    def _step(self, reference: str, at: datetime) -> Iterator[tuple[sqlite3.Connection, Case]]:
        """One step of a case: whole or not at all, and completed before this returns."""
        with self._at_work():
            with database.writing(self._folder) as connection:
                case = casebook.find(connection, reference)
                if at < case.received:
                    raise HotlineError("a step of a case is not before its report came in")
                yield connection, case
            self._complete()

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """Be the only one that writes, with all completed that was interrupted before."""
        database.check(self._folder)
        with contextlib.ExitStack() as stack:
            try:
                lock = one_at_a_time(self._folder / "lock", seconds=_WAIT_SECONDS)
                stack.enter_context(lock)
            except IndexFileError as error:
                raise HotlineError(str(error)) from None
            completing.sweep(self._folder)
            self._complete()
            yield

    def _complete(self) -> None:
        log = AuditFile.open(self._folder / completing.LOG, key=self.settings.log_key)
        try:
            completing.write_log(self._folder, log)
        finally:
            log.close()
        known = self.partners if (self._folder / PARTNERS).exists() else None
        completing.write_list(self._folder, Terms() if known is None else known.hotline.terms)
        self.pending = completing.write_notices(
            self._folder,
            lambda case, partner: notifying.write(self._folder, self.partners, case, partner),
        )

    def _engine(self) -> Screener:
        """What reports are looked up with; the hotline's own list comes first."""
        found = self.settings
        others = dict.fromkeys(path.resolve() for path in (*found.trusted, *found.lists))
        return Screener([self.own_list, *map(HashList.open, others)])


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _now(at: datetime | None) -> datetime:
    now = datetime.now(UTC) if at is None else at
    casebook.stamp(now)  # which says what is wrong with a time without a zone
    return now
