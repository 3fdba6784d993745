"""Figures: how fast content is removed, by partner and by month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from screener.hotline.model.case import DEADLINE, Case, Sent, Standing


@dataclass(frozen=True, slots=True)
class Removals:
    """The notices to one partner or to all.

    `sent` counts all notices, `acknowledged` and `removed` those with these answers, `refused`
    those refused and not removed later. `counted` are those removed or past due; `in_time` those
    removed within 24 hours after the report came in. Nobody is late with a notice of a case that
    was withdrawn or found not illegal. If an analyst closed the case as removed, unanswered notices
    count as removed at that time. `median` is of the time from report to removal, None without
    removals.
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
        """Return the share removed within 24 hours, 0 to 1; None if none can be counted yet."""
        return self.in_time / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class Figures:
    """Cases by the standing of their clocks, and removals by partner and of all."""

    cases: int
    standings: Mapping[Standing, int]
    partners: Mapping[str, Removals]
    all: Removals


def figures(cases: Iterable[Case], *, now: datetime) -> Figures:
    """Count cases and notices as of a time, with partners in alphabetical order."""
    every = list(cases)
    notices = [(case, sent) for case in every for sent in case.sent]
    names = sorted({sent.partner for _, sent in notices})
    return Figures(
        cases=len(every),
        standings=Counter(case.standing(now) for case in every),
        partners={
            name: _removals([one for one in notices if one[1].partner == name], now)
            for name in names
        },
        all=_removals(notices, now),
    )


@dataclass(frozen=True, slots=True)
class Month:
    """The steps taken in one month (`2026-10`) of a hotline's time zone.

    `reports` and `cases` came in; a case counts with its first report. `assessed` were assessed,
    and `illegal` of these are illegal now. `sent` notices were written. `removed` were answered as
    removed, whenever they were sent, and `in_time` of them within 24 hours after the report came
    in. `median` is of the time from report to removal, None without removals.
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
    """Return the months in which something happened, the newest first."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    durations: defaultdict[str, list[timedelta]] = defaultdict(list)

    def month_of(at: datetime) -> str:
        return f"{at.astimezone(zone):%Y-%m}"

    for case in cases:
        counts[month_of(case.received)]["cases"] += 1
        for at in case.reported:
            counts[month_of(at)]["reports"] += 1
        for event in case.events:
            if event.state == "assessed":  # later steps may stay in that state
                counts[month_of(event.at)].update(
                    assessed=1, illegal=int(case.outcome == "illegal")
                )
                break
        for sent in case.sent:
            counts[month_of(sent.at)]["sent"] += 1
            removed = _removed(case, sent)
            if removed is not None:
                durations[month_of(removed)].append(_since_report(case, removed))
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
            median=_median(sorted(durations[month])),
        )
        for month in sorted({*counts, *durations}, reverse=True)
    )


def _removals(notices: list[tuple[Case, Sent]], now: datetime) -> Removals:
    durations = [_duration(case, sent) for case, sent in notices]
    removed = sorted(time for time in durations if time is not None)
    late = sum(
        time is None and _is_expected(case) and now >= case.due
        for (case, _), time in zip(notices, durations, strict=True)
    )
    return Removals(
        sent=len(notices),
        acknowledged=sum(sent.acknowledged is not None for _, sent in notices),
        removed=len(removed),
        refused=sum(one.refused is not None and one.removed is None for _, one in notices),
        counted=len(removed) + late,
        in_time=sum(time <= DEADLINE for time in removed),
        median=_median(removed),
    )


def _median(times: list[timedelta]) -> timedelta | None:
    """Return the middle of sorted times, or the mean of the two in the middle."""
    if not times:
        return None
    return (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2


def _duration(case: Case, sent: Sent) -> timedelta | None:
    removed = _removed(case, sent)
    return None if removed is None else _since_report(case, removed)


def _since_report(case: Case, removed: datetime) -> timedelta:
    """Return how long a removal took, at least 0, since the partner's clock may be behind."""
    return max(removed - case.received, timedelta(0))


def _removed(case: Case, sent: Sent) -> datetime | None:
    """Return when a partner removed the item, at the latest when the case was closed as removed."""
    closed = case.state == "removed" and sent.refused is None
    return sent.removed or (case.since if closed else None)


def _is_expected(case: Case) -> bool:
    return case.state != "withdrawn" and case.outcome != "not_illegal"
