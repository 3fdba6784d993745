"""Figures: what a set of cases says of how fast content is removed, by whom, and month by month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from screener.hotline.model import case as clock
from screener.hotline.model.case import DEADLINE, Case, Sent, Standing


@dataclass(frozen=True, slots=True)
class Removals:
    """What became of notices, to one partner or to all.

    `sent` notices of which `acknowledged` and `removed` came back, and `refused`, unless it was
    removed all the same. `counted` are those of which it is known whether they were removed in
    time: removed, or past due; `in_time` are those removed within 24 hours after the report came
    in. Notices of cases that were withdrawn, or found not illegal later, count as sent; unless they
    were removed, nobody is late with them. Where an analyst closed a case as removed, what partners
    have not answered counts as removed when it was closed. `median` is of the time from report to
    removal, of what was removed; None where nothing was.
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
        """The share removed within 24 hours, 0 to 1; None where none can be counted yet."""
        return self.in_time / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class Figures:
    """Cases by how their clock stands, and removals by partner and of all."""

    cases: int
    standings: Mapping[Standing, int]
    partners: Mapping[str, Removals]
    all: Removals


def figures(cases: Iterable[Case], *, now: datetime) -> Figures:
    """Count cases and their notices, as they stand at a time; partners in alphabetical order."""
    held = list(cases)
    notices = [(case, sent) for case in held for sent in case.sent]
    names = sorted({sent.partner for _, sent in notices})
    return Figures(
        cases=len(held),
        standings=Counter(clock.standing(case, now) for case in held),
        partners={
            name: _removals([one for one in notices if one[1].partner == name], now)
            for name in names
        },
        all=_removals(notices, now),
    )


@dataclass(frozen=True, slots=True)
class Month:
    """What was done in a month, `2026-10`, of a hotline's zone.

    `reports` and `cases` came in, each case with its first report; `assessed` cases were held by
    those who decide to be illegal or not, and `illegal` of these are held so now. `sent` notices
    were written; `removed` were told to be removed in it, whenever they were sent, `in_time` of
    them within 24 hours after the report came in. `median` is of the time from report to removal of
    what was removed; None where nothing was.
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
    """Each step of cases in the month in which it was taken, the newest first; none of a month in
    which there was nothing.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    taken: defaultdict[str, list[timedelta]] = defaultdict(list)

    def of(at: datetime) -> str:
        return f"{at.astimezone(zone):%Y-%m}"

    for case in cases:
        counts[of(case.received)]["cases"] += 1
        for at in case.reported:
            counts[of(at)]["reports"] += 1
        for event in case.events:
            if event.state == "assessed":  # once a case: later steps may leave it there
                counts[of(event.at)].update(assessed=1, illegal=int(case.outcome == "illegal"))
                break
        for sent in case.sent:
            counts[of(sent.at)]["sent"] += 1
            removed = _removed(case, sent)
            if removed is not None:
                taken[of(removed)].append(_since_report(case, removed))
    return tuple(
        Month(
            month=month,
            reports=counts[month]["reports"],
            cases=counts[month]["cases"],
            assessed=counts[month]["assessed"],
            illegal=counts[month]["illegal"],
            sent=counts[month]["sent"],
            removed=len(taken[month]),
            in_time=sum(time <= DEADLINE for time in taken[month]),
            median=_median(sorted(taken[month])),
        )
        for month in sorted({*counts, *taken}, reverse=True)
    )


def _removals(notices: list[tuple[Case, Sent]], now: datetime) -> Removals:
    taken = [_taken(case, sent) for case, sent in notices]
    removed = sorted(time for time in taken if time is not None)
    late = sum(
        time is None and _owed(case) and now >= case.due
        for (case, _), time in zip(notices, taken, strict=True)
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
    """The middle of times in order; of an even number, halfway between the two in the middle."""
    if not times:
        return None
    return (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2


def _taken(case: Case, sent: Sent) -> timedelta | None:
    """From report to removal; None where the partner has not removed it."""
    removed = _removed(case, sent)
    return None if removed is None else _since_report(case, removed)


def _since_report(case: Case, removed: datetime) -> timedelta:
    """How long a removal took; a partner's clock may be a little behind ours."""
    return max(removed - case.received, timedelta(0))


def _removed(case: Case, sent: Sent) -> datetime | None:
    """When a partner removed it: by its own word, or, of one that has not answered, by the word of
    whoever closed the case as removed. That is the latest that it can have been.
    """
    closed = case.state == "removed" and sent.refused is None
    return sent.removed or (case.since if closed else None)


def _owed(case: Case) -> bool:
    """Whether the content is still to be removed, however long ago it was asked for."""
    return case.state != "withdrawn" and case.outcome != "not_illegal"
