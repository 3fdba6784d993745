"""The 24-hour clock of a case, and figures; times are passed in."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.hotline.model.case import Case, Event, Sent
from screener.hotline.pages.figures import Month, by_month, figures

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(microseconds=1)


def case(state="notified", *, outcome="illegal", received=NOON, sent=(), steps=()):
    """Return a case with what the clock reads; each step is a state and an hour after noon."""
    events = tuple(Event(one, NOON + hour * HOUR, "ann", "x") for one, hour in steps)
    return Case("C-1", state, received, ("r",), outcome=outcome, sent=tuple(sent), events=events)


def sent(partner="meta", *, removed=None, acknowledged=None, refused=None):
    """Return a notice written an hour after noon and removed some hours after noon."""
    at = None if removed is None else NOON + removed * HOUR
    return Sent("N-1", partner, NOON + HOUR, acknowledged, at, refused)


@pytest.mark.parametrize(
    ("passed", "standing"),
    [
        (0 * HOUR, "in_time"),
        (18 * HOUR - MOMENT, "in_time"),
        (18 * HOUR, "warned"),
        (24 * HOUR - MOMENT, "warned"),
        (24 * HOUR, "overdue"),
        (400 * HOUR, "overdue"),
    ],
)
def test_a_case_is_warned_at_18_hours_and_overdue_at_24(passed, standing):
    """Exactly then; the standings never overlap."""
    now = NOON + passed

    for state in ("received", "assessed", "notified"):
        one = case(state)
        assert one.standing(now) == standing
        assert one.is_warned(now) == (standing == "warned")
        assert one.is_overdue(now) == (standing == "overdue")
        assert one.remaining(now) == 24 * HOUR - passed


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("removed", "illegal"), ("refused", "illegal"), ("withdrawn", None),
     ("assessed", "not_illegal")],
)  # fmt: skip
def test_the_clock_of_an_ended_case_does_not_run(state, outcome):
    """Removed, refused, withdrawn, or not illegal."""
    one = case(state, outcome=outcome)
    for hours in (0, 20, 30):
        assert one.standing(NOON + hours * HOUR) == "ended"
        assert not one.is_overdue(NOON + hours * HOUR)
        assert not one.is_warned(NOON + hours * HOUR)


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (-HOUR, False),
        (-MOMENT, False),
        (5 * MINUTE, False),
        (5 * MINUTE + MOMENT, True),
        (400 * HOUR, True),
    ],
)
def test_a_case_is_in_the_future_by_more_than_five_minutes(ahead, told):
    """Only while its clock runs."""
    assert case(received=NOON + ahead).is_in_future(NOON) is told
    assert not case("removed", received=NOON + ahead).is_in_future(NOON)


def test_the_clock_is_the_same_in_every_time_zone():
    """A time in the operator's zone is the same moment."""
    now = (NOON + 24 * HOUR).astimezone(ZoneInfo("Africa/Casablanca"))
    assert case().is_overdue(now)
    assert not case().is_overdue(now - MOMENT)


def test_a_removal_at_24_hours_is_in_time():
    """A moment later it is not."""
    found = figures(
        [case("removed", sent=[sent(removed=24)]),
         case("removed", sent=[sent(removed=25)]),
         case("removed", sent=[sent(removed=2)])],
        now=NOON + 100 * HOUR,
    ).partners["meta"]  # fmt: skip

    assert (found.sent, found.removed, found.counted, found.in_time) == (3, 3, 3, 2)
    assert found.share == pytest.approx(2 / 3)
    assert found.median == 24 * HOUR


def test_a_case_closed_as_removed_counts_from_its_closing():
    """Unless the partner answered; a partner that refused has not removed it."""

    def counted(closed, notice):
        steps = [("notified", 1), ("removed", closed), ("removed", closed + 40)]
        found = figures([case("removed", sent=[notice], steps=steps)], now=NOON + 99 * HOUR).all
        return found.removed, found.counted, found.in_time, found.median

    assert counted(3, sent()) == (1, 1, 1, 3 * HOUR)
    assert counted(30, sent()) == (1, 1, 0, 30 * HOUR)
    assert counted(30, sent(removed=5)) == (1, 1, 1, 5 * HOUR)
    assert counted(3, sent(refused=NOON + HOUR)) == (0, 1, 0, None)


@pytest.mark.parametrize(
    ("steps", "hour"),
    [
        ((), 0),
        ((("received", 1), ("received", 2)), 1),
        ((("notified", 1), ("removed", 2), ("removed", 9)), 2),
        ((("removed", 2), ("refused", 5), ("refused", 6)), 5),
        ((("refused", 1), ("notified", 2), ("refused", 3), ("refused", 4)), 3),
    ],
)
def test_since_is_when_the_state_began(steps, hour):
    """Later steps in that state do not move it."""
    assert case("removed", steps=steps).since == NOON + hour * HOUR


def test_only_expected_removals_can_be_late():
    """Not before 24 hours, nor if the case was withdrawn or not illegal; a refusal is late."""

    def share(one, hours):
        found = figures([one], now=NOON + hours * HOUR).all
        return found.counted, found.share

    assert share(case(sent=[sent()]), 23) == (0, None)
    assert share(case(sent=[sent()]), 24) == (1, 0.0)
    assert share(case("withdrawn", sent=[sent()]), 48) == (0, None)
    assert share(case("assessed", outcome="not_illegal", sent=[sent()]), 48) == (0, None)
    assert share(case("refused", sent=[sent()]), 48) == (1, 0.0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["meta", "tiktok", "x"]),
            st.one_of(st.none(), st.integers(1, 60)),
            st.booleans(),
            st.booleans(),
            st.sampled_from(["notified", "removed", "refused", "withdrawn"]),
            st.integers(1, 60),
        ),
        max_size=30,
    ),
    st.integers(60, 90),
)
def test_figures_equal_a_plain_count(rows, hours):
    """Numbers, shares and medians, by partner and of all."""
    now = NOON + hours * HOUR
    found = figures(
        [
            case(
                state,
                steps=[(state, ended)],
                sent=[
                    sent(
                        who,
                        removed=removed,
                        acknowledged=now if heard else None,
                        refused=now if refused else None,
                    )
                ],
            )
            for who, removed, heard, refused, state, ended in rows
        ],
        now=now,
    )
    # Of what was closed as removed, who has not answered has removed it by then.
    rows = [
        (who, ended if state == "removed" and not removed and not refused else removed, *rest)
        for who, removed, *rest in rows
        for _, refused, state, ended in [rest]
    ]

    assert found.cases == len(rows)
    assert sum(found.standings.values()) == len(rows)
    assert list(found.partners) == sorted({who for who, *_ in rows})
    for partner, removals in [*found.partners.items(), (None, found.all)]:
        some = [row for row in rows if partner in (None, row[0])]
        times = sorted(removed for _, removed, *_ in some if removed is not None)
        failed = sum(r is None and state != "withdrawn" for _, r, _, _, state, _ in some)
        good = sum(time <= 24 for time in times)
        assert (removals.sent, removals.removed, removals.in_time) == (len(some), len(times), good)
        assert removals.acknowledged == sum(heard for _, _, heard, *_ in some)
        assert removals.refused == sum(no and removed is None for _, removed, _, no, *_ in some)
        whole = len(times) + failed
        assert removals.share == (float(Fraction(good, whole)) if whole else None)
        middle = None
        if times:
            middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2 * HOUR
        assert removals.median == middle


def test_each_step_counts_in_the_month_in_which_it_was_taken():
    """In the hotline's zone. A case is assessed once, and `illegal` follows its present outcome."""
    zone = ZoneInfo("Africa/Casablanca")
    night = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)  # half past midnight there, in November

    def one(*, sent=(), outcome="illegal", steps=(), reported=()):
        events = tuple(Event(state, night + hour * HOUR, "ann", "x") for state, hour in steps)
        return Case("C-1", "notified", night, ("r",), reported, outcome=outcome, sent=sent,
                    events=events)  # fmt: skip

    def notice(partner, removed=None):
        return Sent("N-1", partner, night + HOUR, None, removed and night + removed * HOUR)

    later = datetime(2026, 12, 9, tzinfo=UTC)
    assessed = [("received", 0), ("assessed", 1), ("assessed", 800)]
    cases = [
        one(reported=(night, later), sent=(notice("a", 4), notice("b", 800), notice("c")),
            steps=assessed),
        one(reported=(night - HOUR,), steps=[("received", 0), ("assessed", 740)],
            outcome="not_illegal"),
        one(steps=[("received", 0)], outcome=None),
    ]  # fmt: skip

    assert by_month(cases, zone=zone) == (
        Month("2026-12", 1, 0, 1, 0, 0, 1, 0, 800 * HOUR),
        Month("2026-11", 1, 3, 1, 1, 3, 1, 1, 4 * HOUR),
        Month("2026-10", 1, 0, 0, 0, 0, 0, 0, None),
    )
    assert by_month([], zone=zone) == ()
