"""Figures on the speed of removal, by partner and by month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from screener.hotline.model.case import DEADLINE, Case, Sent, Standing


@dataclass(frozen=True, slots=True)
class Removals:
    """Counts of the notices to one partner or to all partners.

    - `sent`: all notices.
    - `acknowledged`, `removed`: notices with these answers. If an analyst closed the case as
      removed, unanswered notices count as removed at that time.
    - `refused`: notices refused and not removed later.
    - `counted`: notices removed or past due, except those past due of cases that were withdrawn or
      found not illegal.
    - `in_time`: notices removed within 24 hours after receipt of the report.
    - `median`: the median time from report to removal, or None without removals.
    """

    sent: int
    acknowledged: int
    removed: int
    refused: int
    counted: int
    in_time: int
    median: timedelta | None

    @property
    def share(self) -> float | None:
        """Share removed within 24 hours (0 to 1), or None if nothing is counted."""
        return self.in_time / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class Figures:
    """Cases by the standing of their clocks; removals by partner and in total."""

    cases: int
    standings: Mapping[Standing, int]
    partners: Mapping[str, Removals]
    all: Removals


def figures(cases: Iterable[Case], *, now: datetime) -> Figures:
    """Return the figures at a time, with partners in alphabetical order."""
    all_cases = list(cases)
    notices = [(case, sent) for case in all_cases for sent in case.sent]
    names = sorted({sent.partner for _, sent in notices})
    return Figures(
        cases=len(all_cases),
        standings=Counter(case.standing(now) for case in all_cases),
        partners={
            name: _count_removals([notice for notice in notices if notice[1].partner == name], now)
            for name in names
        },
        all=_count_removals(notices, now),
    )


@dataclass(frozen=True, slots=True)
class Month:
    """Counts of the steps in one month (`2026-10`) of a hotline's time zone.

    - `reports`, `cases`: reports received, and cases begun by them.
    - `assessed`, `illegal`: cases assessed, and those of them that are illegal now.
    - `sent`: notices written.
    - `removed`, `in_time`: notices answered as removed, and those of them answered within 24 hours
      after receipt of the report.
    - `median`: the median time from report to removal, or None without removals.
    """

    month: str
    reports: int
    cases: int
    assessed: int
    illegal: int
    sent: int
    removed: int
    in_time: int
    median: timedelta | None


def by_month(cases: Iterable[Case], *, zone: tzinfo) -> tuple[Month, ...]:
    """Return the counts of all months with a step, newest first."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    durations: defaultdict[str, list[timedelta]] = defaultdict(list)

    def format_month(at: datetime) -> str:
        return f"{at.astimezone(zone):%Y-%m}"

    for case in cases:
        counts[format_month(case.received)]["cases"] += 1
        for at in case.reported:
            counts[format_month(at)]["reports"] += 1
        for event in case.events:
            if event.state == "assessed":  # later steps may stay in that state
                counts[format_month(event.at)].update(
                    assessed=1, illegal=int(case.outcome == "illegal")
                )
                break
        for sent in case.sent:
            counts[format_month(sent.at)]["sent"] += 1
            removed = _find_removal_time(case, sent)
            if removed is not None:
                durations[format_month(removed)].append(_measure_duration(case, removed))
    return tuple(
        Month(
            month=month,
            reports=counts[month]["reports"],
            cases=counts[month]["cases"],
            assessed=counts[month]["assessed"],
            illegal=counts[month]["illegal"],
            sent=counts[month]["sent"],
            removed=len(durations[month]),
            in_time=sum(time <= DEADLINE for time in durations[month]),
            median=_compute_median(sorted(durations[month])),
        )
        for month in sorted({*counts, *durations}, reverse=True)
    )


def _count_removals(notices: list[tuple[Case, Sent]], now: datetime) -> Removals:
    durations = [_find_duration(case, sent) for case, sent in notices]
    removed = sorted(time for time in durations if time is not None)
    late = sum(
        time is None and _is_expected(case) and now >= case.due
        for (case, _), time in zip(notices, durations, strict=True)
    )
    return Removals(
        sent=len(notices),
        acknowledged=sum(sent.acknowledged is not None for _, sent in notices),
        removed=len(removed),
        refused=sum(sent.refused is not None and sent.removed is None for _, sent in notices),
        counted=len(removed) + late,
        in_time=sum(time <= DEADLINE for time in removed),
        median=_compute_median(removed),
    )


def _compute_median(times: list[timedelta]) -> timedelta | None:
    """Return the median of sorted times, or None without times."""
    if not times:
        return None
    return (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2


def _find_duration(case: Case, sent: Sent) -> timedelta | None:
    removed = _find_removal_time(case, sent)
    return None if removed is None else _measure_duration(case, removed)


def _measure_duration(case: Case, removed: datetime) -> timedelta:
    """Return the time from report to removal, at least 0, since clocks may differ."""
    return max(removed - case.received, timedelta(0))


def _find_removal_time(case: Case, sent: Sent) -> datetime | None:
    """Return the time of removal: as answered, or when the case was closed as removed."""
    closed = case.state == "removed" and sent.refused is None
    return sent.removed or (case.since if closed else None)


def _is_expected(case: Case) -> bool:
    return case.state != "withdrawn" and case.outcome != "not_illegal"
