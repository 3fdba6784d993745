"""Case: the state of one reported item, and its 24-hour clock. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from screener.hashing.hash import Hash
from screener.lists.terms import Terms

State = Literal["received", "assessed", "notified", "removed", "refused", "withdrawn"]
OPEN_STATES: tuple[State, ...] = ("received", "assessed", "notified")  # in which a case may be late
Outcome = Literal["illegal", "not_illegal"]
Standing = Literal["in_time", "warned", "overdue", "ended"]
Language = Literal["ar", "fr", "en"]
LANGUAGES: tuple[Language, ...] = ("ar", "fr", "en")

# Partners undertake to act within this time, counted from the receipt of the report.
DEADLINE = timedelta(hours=24)
WARNING_SHARE = 0.75  # of the time, after which a case is warned of
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)  # that two computers may have

Step = TypeVar("Step")  # a step, or its time


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a case: the state after it, its time (UTC), the person and the reason.

    The reason is what that person wrote, or a Sentence.
    """

    state: State
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ListMatch:
    """A listed record within the radius of a reported hash, without the hash."""

    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int


@dataclass(frozen=True, slots=True)
class ItemHash:
    """A hash of a case's item that the hotline computed itself or took from a trusted list.

    `origin` is where it comes from. `terms` are those of the list's source; None for the hotline's
    own hashes, whose terms are those of partners.toml when they are used.
    """

    hash: Hash = field(repr=False)
    origin: str
    terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice to one partner: when it was written, and the times of the answers (UTC)."""

    notice: str
    partner: str
    at: datetime
    acknowledged: datetime | None = None
    removed: datetime | None = None
    refused: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One item, however often it was reported. Times are UTC and aware.

    `hashes` were computed by reporters' computers and checked by nobody. They never leave the
    hotline, and nothing is matched by them.
    """

    reference: str
    state: State
    received: datetime  # of its first report
    reports: tuple[str, ...]  # their random references
    reported: tuple[datetime, ...] = ()  # when each report came in
    languages: tuple[Language, ...] = ()  # of the reporters
    countries: tuple[str, ...] = ()  # of the reporters, ISO 3166-1 alpha-2
    addresses: tuple[str, ...] = ()  # as reported, not defanged
    hashes: tuple[Hash, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)  # as reporters wrote them
    related: tuple[str, ...] = ()  # references of other cases that its reports match
    entries: tuple[tuple[str, str], ...] = ()  # its records in the hotline's list, their states
    list_matches: tuple[ListMatch, ...] = ()
    proposed_by: str | None = None  # the first person who assessed it as illegal, until a second
    outcome: Outcome | None = None
    basis: str | None = None  # the recorded basis of `illegal`
    addresses_seen: bool = False  # by those who assessed it; otherwise only hashes identify it
    events: tuple[Event, ...] = ()
    sent: tuple[Sent, ...] = ()

    @property
    def due(self) -> datetime:
        """Return when partners should have acted: 24 hours after the first report."""
        return self.received + DEADLINE

    @property
    def since(self) -> datetime:
        """Return when the case entered its present state."""
        return find_state_start((event.state, event.at) for event in self.events) or self.received

    @property
    def is_running(self) -> bool:
        """Return whether the clock runs: nothing has ended the case, and it may be illegal."""
        return self.state in OPEN_STATES and self.outcome != "not_illegal"

    def remaining(self, now: datetime) -> timedelta:
        """Return the time left until `due`, negative after it; also of a case that has ended."""
        return self.due - now

    def is_overdue(self, now: datetime) -> bool:
        """Return whether the clock runs and its time is over, the due time included."""
        return self.is_running and now >= self.due

    def is_warned(self, now: datetime) -> bool:
        """Return whether the clock runs and less than a quarter of its time is left."""
        return self.is_running and self.received + DEADLINE * WARNING_SHARE <= now < self.due

    def is_in_future(self, now: datetime) -> bool:
        """Return whether the clock runs but the receipt lies in the future.

        A computer's clock was ahead then, or is behind now.
        """
        return self.is_running and self.received > now + MAX_CLOCK_DIFFERENCE

    def standing(self, now: datetime) -> Standing:
        """Return how the clock of the case stands."""
        if not self.is_running:
            return "ended"
        if self.is_overdue(now):
            return "overdue"
        return "warned" if self.is_warned(now) else "in_time"


def find_state_start(steps: Iterable[tuple[State, Step]]) -> Step | None:
    """Return the step that led to the present state, or None without steps.

    Each step comes with the state after it. Later steps that leave the state as it is do not count.
    """
    since, before = None, None
    for state, step in steps:
        if state != before:
            since, before = step, state
    return since
