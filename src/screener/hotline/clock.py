"""Clock: how much of its 24 hours a case has left. Pure functions of a case and a given now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from screener.hotline.case import DEADLINE, OPEN, WARNING_SHARE, Case

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
