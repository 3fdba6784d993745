"""Case: the state of one reported item, and its 24-hour clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from screener.hashing.hash import Hash
from screener.lists.terms import Terms

State = Literal["received", "assessed", "notified", "removed", "refused", "withdrawn"]
# A case in one of these states may become overdue.
OPEN_STATES: tuple[State, ...] = ("received", "assessed", "notified")
Outcome = Literal["illegal", "not_illegal"]
Standing = Literal["in_time", "warned", "overdue", "ended"]
Language = Literal["ar", "fr", "en"]
LANGUAGES: tuple[Language, ...] = ("ar", "fr", "en")

# Partners undertake to act within this time after the receipt of the report.
DEADLINE = timedelta(hours=24)
WARNING_SHARE = 0.75  # elapsed share of the time after which a case is `warned`
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)  # between two computers

Step = TypeVar("Step")  # a step, or its time


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a case, with the state after it and its time (UTC).

    `reason` is a Sentence, or the person's own words.
    """

    state: State
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ListMatch:
    """A listed record that a reported hash matches, without the hash."""

    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int


@dataclass(frozen=True, slots=True)
class ItemHash:
    """A hash of a case's item, computed by the hotline or from a trusted list.

    `origin` names the list's record or the hotline. `terms` are those of the list's source, or None
    for the hotline's own hashes, which have the terms in partners.toml.
    """

    hash: Hash = field(repr=False)
    origin: str
    terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice to one partner, with the times of writing and of the answers (UTC)."""

    notice: str
    partner: str
    at: datetime
    acknowledged: datetime | None = None
    removed: datetime | None = None
    refused: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One item, with all reports of it. Times are UTC and aware.

    `hashes` come unchecked from reporters' computers. They never leave the hotline and never match
    anything.
    """

    reference: str
    state: State
    received: datetime  # receipt of the first report
    reports: tuple[str, ...]  # random references
    reported: tuple[datetime, ...] = ()  # receipt of each report
    languages: tuple[Language, ...] = ()  # languages of the reporters
    countries: tuple[str, ...] = ()  # countries of the reporters, ISO 3166-1 alpha-2
    addresses: tuple[str, ...] = ()  # as reported, not defanged
    hashes: tuple[Hash, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)  # words of the reporters
    related: tuple[str, ...] = ()  # references of cases that its reports also match
    entries: tuple[tuple[str, str], ...] = ()  # records in the hotline's list, and their states
    list_matches: tuple[ListMatch, ...] = ()
    proposed_by: str | None = None  # who assessed it as illegal, until a second person does
    outcome: Outcome | None = None
    basis: str | None = None  # the recorded basis of `illegal`
    addresses_seen: bool = (
        False  # whether the analysts saw them; if not, only hashes identify the item
    )
    events: tuple[Event, ...] = ()
    sent: tuple[Sent, ...] = ()

    @property
    def due(self) -> datetime:
        """Deadline for partners: 24 hours after the first report."""
        return self.received + DEADLINE

    @property
    def since(self) -> datetime:
        """Time at which the case entered its present state."""
        return find_state_start((event.state, event.at) for event in self.events) or self.received

    @property
    def is_running(self) -> bool:
        """Whether the clock runs: the case is open and may be illegal."""
        return self.state in OPEN_STATES and self.outcome != "not_illegal"

    def remaining(self, now: datetime) -> timedelta:
        """Return the time until `due`, negative after it, even if the case has ended."""
        return self.due - now

    def is_overdue(self, now: datetime) -> bool:
        """Return whether the clock runs and `due` is reached or past."""
        return self.is_running and now >= self.due

    def is_warned(self, now: datetime) -> bool:
        """Return whether the clock runs and at most a quarter of its time is left."""
        return self.is_running and self.received + DEADLINE * WARNING_SHARE <= now < self.due

    def is_in_future(self, now: datetime) -> bool:
        """Return whether the clock runs but the receipt lies in the future.

        The computer's clock was ahead at the receipt, or is behind now.
        """
        return self.is_running and self.received > now + MAX_CLOCK_DIFFERENCE

    def standing(self, now: datetime) -> Standing:
        """Return the standing of the case's clock."""
        if not self.is_running:
            return "ended"
        if self.is_overdue(now):
            return "overdue"
        return "warned" if self.is_warned(now) else "in_time"


def find_state_start(steps: Iterable[tuple[State, Step]]) -> Step | None:
    """Return the step that led to the present state, or None without steps.

    `steps` are pairs of the state after a step and the step. Steps that do not change the state are
    skipped.
    """
    start, previous = None, None
    for state, step in steps:
        if state != previous:
            start, previous = step, state
    return start
