"""Desk: the analysts' work on a hotline's cases, in its folder and without a server.

desk = Desk.open("hotline")
for result in desk.take(["inbox/a.sealed"], by="amina"):
    print(result.status, result.case)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from os import PathLike
from pathlib import Path
from typing import get_args

from screener.errors import HotlineError
from screener.hotline import settings
from screener.hotline.casebook import assessing, case_database, casebook, concerns, intake
from screener.hotline.casebook.assessing import Basis, Opinion
from screener.hotline.casebook.intake import IntakeResult
from screener.hotline.language.sentence import Sentence, mark
from screener.hotline.model.case import OPEN_STATES, Case, Outcome, State
from screener.hotline.model.report import Withdrawal
from screener.hotline.notices import notifying
from screener.hotline.notices.notifying import Answers
from screener.hotline.open_list import open_list
from screener.hotline.partners import Partners
from screener.hotline.reports import own_media, status_file
from screener.hotline.reports.report_json import decode
from screener.hotline.reports.sealed import UnsealError, read_file, read_secret_key, unseal
from screener.hotline.settings import Settings
from screener.hotline.store import Backlog, Store
from screener.lists.hashlist import HashList
from screener.screening.screener import Screener

FilePath = str | PathLike[str]


class Desk:
    """A hotline's cases, and the steps that analysts take.

    One process writes at a time; others wait up to 30 seconds. The next process completes
    interrupted work. Times (`at`) need a time zone; the default is now. A step that is not allowed
    raises HotlineError and changes nothing.
    """

    def __init__(self, store: Store) -> None:
        """Not for callers: use `create` or `open`."""
        self._store = store
        self.folder = store.folder

    @classmethod
    def create(cls, folder: FilePath) -> Desk:
        """Create a hotline: folder, keys, empty list, casebook, log, and files to fill in.

        Raises HotlineError if the folder has other files or PyNaCl is missing.
        """
        return cls(Store.create(Path(folder)))

    @classmethod
    def open(cls, folder: FilePath) -> Desk:
        """Open a hotline's folder and complete interrupted work.

        Raises HotlineError if the folder is no hotline or its casebook is damaged.
        """
        return cls(Store.open(Path(folder)))

    @property
    def backlog(self) -> Backlog:
        """Changes that the last step recorded but could not write elsewhere."""
        return self._store.backlog

    @property
    def own_list(self) -> HashList:
        """The hotline's own list: reported items, and items that two people confirmed."""
        return self._store.own_list

    @property
    def settings(self) -> Settings:
        """The operator's settings, read from their file."""
        return self._store.settings

    @property
    def partners(self) -> Partners:
        """The hotline and its partners, read from their file."""
        return self._store.partners

    @property
    def zone(self) -> tzinfo:
        """The hotline's time zone, or UTC if partners.toml is invalid."""
        try:
            zone: tzinfo = self.partners.hotline.zone
        except HotlineError:
            return UTC
        return zone

    def case(self, reference: str) -> Case:
        """Return a case. Raises HotlineError if there is none with this reference."""
        with case_database.begin_read(self.folder) as connection:
            return casebook.load_case(connection, reference)

    def cases(self, *states: State) -> list[Case]:
        """Return all cases, or those in the given states, oldest first.

        Raises ValueError for an unknown state.
        """
        for state in states:
            _check_choice("a state", state, get_args(State))
        with case_database.begin_read(self.folder) as connection:
            references = casebook.list_references(connection, states)
            return [casebook.load_case(connection, reference) for reference in references]

    def overdue(self, *, at: datetime | None = None) -> list[Case]:
        """Return the cases with at most a quarter of their time left, most overdue first."""
        now = _now(at)
        late_cases = [
            case for case in self.cases(*OPEN_STATES) if case.is_overdue(now) or case.is_warned(now)
        ]
        return sorted(late_cases, key=lambda case: case.due)

    def concerns(self, case: Case, *, at: datetime | None = None) -> list[Sentence]:
        """Return the facts on which an analyst has to decide, regardless of the time left."""
        with case_database.begin_read(self.folder) as connection:
            hashes = casebook.read_item_hashes(connection, case.reference)
        return concerns.find_concerns(case, hashes, self.settings, now=_now(at))

    def too_little_detail(self, case: Case) -> int:
        """Return the number of an illegal case's files that only exact copies can match."""
        with case_database.begin_read(self.folder) as connection:
            return assessing.count_low_detail_files(connection, case)

    def take(
        self,
        files: Sequence[FilePath],
        *,
        by: str,
        at: datetime | None = None,
        key: FilePath | None = None,
    ) -> list[IntakeResult]:
        """Import sealed files.

        Parameters:
            files: The sealed files. One that is no report is refused and changes nothing.
            by: The name of the person who imports them.
            at: The time of receipt.
            key: The file with the hotline's secret key (default: `hotline.key` in its folder).

        Returns:
            One result per file, with those of withdrawals last.

        Raises:
            HotlineError: If the key or a list cannot be read, or the log cannot be continued.
        """
        by, now = settings.clean_name(by), _now(at)
        private_key = read_secret_key(self.folder / "hotline.key" if key is None else key)
        results: list[IntakeResult] = []
        withdrawals: list[
            tuple[str, Withdrawal]
        ] = []  # processed last, since the files may include their reports
        with self._store.lock():
            screener = self._open_screener()
            for file in files:
                try:
                    report = decode(unseal(read_file(Path(file)), private_key))
                except UnsealError as error:
                    results.append(IntakeResult(str(file), "refused", reason=error.reason))
                    continue
                if isinstance(report, Withdrawal):
                    withdrawals.append((str(file), report))
                    continue
                matches = intake.look_up(screener, report)
                with self._store.begin_write() as connection:
                    results.append(
                        intake.take_report(
                            connection, report, matches, at=now, by=by, file=str(file)
                        )
                    )
                screener = screener.refresh()
            for name, withdrawal in withdrawals:
                with self._store.begin_write() as connection:
                    results.append(
                        intake.take_withdrawal(connection, withdrawal, at=now, by=by, file=name)
                    )
        return results

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
        """Record an authorised analyst's assessment of a case.

        `illegal` counts once a second analyst agrees. The first analyst may replace a first opinion
        by assessing again with a basis.

        Parameters:
            reference: The case.
            by: The analyst's name.
            outcome: `illegal` or `not_illegal`.
            reason: One line of text.
            basis: For a first opinion of `illegal`: `seen`, or `known` to a trusted list.
            files: Copies of the item, hashed in a process of their own and not stored. The second
                analyst's must show the same as the first one's, whose hashes then match.
            at: The time of the assessment.

        Returns:
            The updated case.

        Raises:
            HotlineError: If the step is not allowed, or if a file cannot be hashed.
            ValueError: If the outcome or basis is unknown.
        """
        # A misspelt outcome must not count as `illegal`.
        _check_choice("an outcome", outcome, get_args(Outcome))
        if basis is not None:
            _check_choice("a basis", basis, get_args(Basis))
        by, reason, _ = self._check_decision(by, reason, at)
        items, failures = own_media.hash_intact_files(files)
        if failures:
            first_failure = failures[0]
            message = mark("{file} cannot be hashed: {reason}")
            raise HotlineError(
                message, file=files[first_failure.index], reason=first_failure.reason
            )
        opinion = Opinion(
            by, outcome, reason, _now(at), basis, items
        )  # now, since hashing takes minutes
        with self._store.begin_step(reference, opinion.at) as (connection, case):
            assessing.record_opinion(connection, self.settings, case, opinion)
        return self.case(reference)

    def reverse(self, reference: str, *, by: str, reason: str, at: datetime | None = None) -> Case:
        """Take back that an item is illegal, and refuse the case.

        The item stops matching at once. If the list cannot be written, the item is in
        `backlog.records` and matches until it can.
        """
        by, reason, now = self._check_decision(by, reason, at)
        with self._store.begin_step(reference, now) as (connection, case):
            notifying.delete_unstaged(connection, reference)
            assessing.reverse(connection, case, by=by, reason=reason, at=now)
        return self.case(reference)

    def notify(
        self, reference: str, partner: str, *, by: str, reason: str, at: datetime | None = None
    ) -> Case:
        """Send a partner a notice of an illegal item, exactly once.

        The notice is recorded before it is written. Raises HotlineError if it is not allowed, and
        ScreenerError if it cannot be written; then the next opening writes it.
        """
        by, reason, now = self._check_decision(by, reason, at)
        directory = self.partners
        case = self.case(reference)
        with case_database.begin_read(self.folder) as connection:
            hashes = casebook.read_item_hashes(connection, reference)
        lost = concerns.describe_lost_confirmation(case, hashes, self.settings)
        if lost is not None:
            raise HotlineError(lost.message, **lost.values)
        with self._store.begin_step(reference, now) as (connection, case):
            notifying.notify(
                connection, case, directory, directory.get(partner), by=by, reason=reason, at=now
            )
        for case_reference, recipient, error in self.backlog.notices:
            if (case_reference, recipient) == (reference, partner):
                raise error
        return self.case(reference)

    def acknowledge(self, *, by: str, at: datetime | None = None) -> Answers:
        """Record the new answers in the partners' folders, and return them."""
        by, directory, now = settings.clean_name(by), self.partners, _now(at)
        with self._store.lock(), self._store.begin_write() as connection:
            answers = notifying.acknowledge(connection, directory, by=by, at=now)
        return answers

    def close(
        self, reference: str, *, state: State, by: str, reason: str, at: datetime | None = None
    ) -> Case:
        """Close a case as `removed`, or as `refused` if nothing was or could be removed."""
        by, reason, now = self._check_decision(by, reason, at)
        if state not in ("removed", "refused"):
            raise HotlineError(mark("a case is closed as removed or as refused"))
        with self._store.begin_step(reference, now) as (connection, case):
            if case.state not in ("assessed", "notified"):
                raise HotlineError(
                    mark("{case} has not been assessed, or is closed"), case=reference
                )
            if state == "removed" and case.outcome != "illegal":
                raise HotlineError(
                    mark("{case} is not illegal: nobody was asked to remove it"), case=reference
                )
            notifying.delete_unstaged(connection, reference)
            casebook.record_step(
                connection, reference, "closed", at=now, by=by, reason=reason, state=state
            )
        return self.case(reference)

    def restart(self, reference: str, *, by: str, reason: str, at: datetime | None = None) -> Case:
        """Restart the 24 hours of a case whose receipt lies in the future."""
        by, reason, now = self._check_decision(by, reason, at)
        with self._store.lock(), self._store.begin_write() as connection:
            case = casebook.load_case(connection, reference)
            if not (case.is_running and case.received > now):
                message = mark(
                    "{case} has ended or was not received in the future: its clock stays as it is"
                )
                raise HotlineError(message, case=reference)
            casebook.restart(connection, reference, at=now)
            casebook.record_step(connection, reference, "restarted", at=now, by=by, reason=reason)
        return self.case(reference)

    def statuses(self, *, at: datetime | None = None) -> bytes:
        """Return the content of the status file, with days in the hotline's time zone."""
        zone = self.zone
        with case_database.begin_read(self.folder) as connection:
            statuses = casebook.read_statuses(connection, zone)
        return status_file.write(statuses, day=_now(at).astimezone(zone).date())

    def _check_decision(
        self, by: str, reason: str, at: datetime | None
    ) -> tuple[str, str, datetime]:
        by, reason = settings.clean_name(by), settings.clean_line(reason, mark("a reason"))
        self.settings.check_analyst(by)
        return by, reason, _now(at)

    def _open_screener(self) -> Screener:
        """Return a Screener for reports, whose first list is the hotline's own."""
        operator_settings = self.settings
        other_lists = dict.fromkeys(
            path.resolve() for path in (*operator_settings.trusted, *operator_settings.lists)
        )
        return Screener([self.own_list, *map(open_list, other_lists)])


def _now(at: datetime | None) -> datetime:
    now = datetime.now(UTC) if at is None else at
    casebook.format_time(now)  # raises if there is no time zone
    return now


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
