"""Case: what the hotline knows of one reported item, as it stands. Values; no store, no files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from screener.hashing.hash import Hash
from screener.lists.terms import Terms

Standing = Literal["in_time", "warned", "overdue", "ended"]

AHEAD = timedelta(minutes=5)


def runs(case: Case) -> bool:
    """Whether the clock runs: nobody has removed or refused, the report was not withdrawn, and no
    assessment has found that there is nothing to remove.
    """
    return case.state in OPEN and case.outcome != "not_illegal"


def remaining(case: Case, now: datetime) -> timedelta:
    """The time left until the case is due; below zero once that has passed. Of a case that has
    ended too: `runs` tells which has.
    """
    return case.due - now


def overdue(case: Case, now: datetime) -> bool:
    """Whether the clock runs and its time has passed. At the due time itself it has."""
    return runs(case) and now >= case.due


def warned(case: Case, now: datetime) -> bool:
    """Whether the clock runs and three quarters of its time have passed, but not all."""
    return runs(case) and case.received + DEADLINE * WARNING_SHARE <= now < case.due


def to_come(case: Case, now: datetime) -> bool:
    """Whether the clock runs and has not begun: the case came in by a clock that was ahead, unless
    it is the one that tells `now` that is behind. Clocks differ a little.
    """
    return runs(case) and case.received > now + AHEAD


def standing(case: Case, now: datetime) -> Standing:
    """Which of these a case is."""
    if not runs(case):
        return "ended"
    if overdue(case, now):
        return "overdue"
    return "warned" if warned(case, now) else "in_time"


State = Literal["received", "assessed", "notified", "removed", "refused", "withdrawn"]
OPEN: tuple[State, ...] = ("received", "assessed", "notified")  # in which a case may be late
Outcome = Literal["illegal", "not_illegal"]
Language = Literal["ar", "fr", "en"]

At = TypeVar("At")  # the time of a step, or the step itself

LANGUAGES: tuple[Language, ...] = ("ar", "fr", "en")

# Partners undertake to act within this time, counted from when the report came in.
DEADLINE = timedelta(hours=24)
# A case is warned of once this share of it has passed.
WARNING_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a case: which state it took, when (UTC), by whom and why; the reason is what
    somebody wrote, or a Sentence.
    """

    state: State
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ListMatch:
    """A listed record that a reported hash lies near; the hash itself is not told."""

    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int


@dataclass(frozen=True, slots=True)
class ItemHash:
    """A hash that the hotline made of an item itself, or that a trusted list holds of it: where it
    is from, and the terms of who gave it. None: it is the hotline's own, and goes as far as the
    hotline says when it is asked.
    """

    hash: Hash = field(repr=False)
    origin: str
    terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice to one partner: when it was written (UTC), and what came back."""

    notice: str
    partner: str
    at: datetime
    acknowledged: datetime | None = None
    removed: datetime | None = None
    refused: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One item, however often it was reported. Times are UTC and aware.

    `hashes` are those that reporters' computers made and nobody has checked: they never leave the
    hotline, and nothing is ever matched by them.
    """

    reference: str
    state: State
    received: datetime  # of its first report
    reports: tuple[str, ...]  # their random references
    reported: tuple[datetime, ...] = ()  # when each of them came in
    languages: tuple[Language, ...] = ()  # of the reporters
    countries: tuple[str, ...] = ()  # that reporters told, ISO 3166-1 alpha-2
    addresses: tuple[str, ...] = ()  # as reported, not defanged
    hashes: tuple[Hash, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)  # of reporters, as they wrote them
    related: tuple[str, ...] = ()  # references of other cases that its reports touch
    entries: tuple[tuple[str, str], ...] = ()  # its records in the hotline's own list, their states
    known: tuple[ListMatch, ...] = ()
    proposed: str | None = None  # who holds it to be illegal, until a second person does too
    outcome: Outcome | None = None  # of its assessment
    basis: str | None = None  # the recorded basis of `illegal`
    # Whether those who assessed it saw it at its addresses; else it is known by its hashes only.
    seen: bool = False
    events: tuple[Event, ...] = ()
    sent: tuple[Sent, ...] = ()

    @property
    def due(self) -> datetime:
        """When partners should have acted: 24 hours after the first report."""
        return self.received + DEADLINE

    @property
    def since(self) -> datetime:
        """When it took the state that it has; a later step that leaves it there does not count."""
        return latest_run((one.state, one.at) for one in self.events) or self.received


def latest_run(steps: Iterable[tuple[State, At]]) -> At | None:
    """Of steps in their order, each with the state that it left: the time of the one by which the
    present state was taken, however many later ones left it as it was. None without a step.
    """
    since, before = None, None
    for state, at in steps:
        if state != before:
            since, before = at, state
    return since
