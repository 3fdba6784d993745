"""Cases: order of steps, statuses, concurrent writers, and file modes."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hotline_case import (
    NOON,
    illegal,
    report_of,
    take,
)

from screener import audit
from screener.errors import HotlineError, ScreenerError
from screener.hotline.casebook import casebook
from screener.hotline.reports import status_file
from screener.hotline.reports.sealed import Secret


def test_statuses_read_each_case_once(desk, items, monkeypatch):
    """However many reported it; filters read no other cases."""
    mine = [Secret.make() for _ in range(4)]
    take(desk, *(report_of(items["picture"], secret=one) for one in mine))
    (other,) = take(desk, report_of(items["other"]))
    desk.assess(other.case, by="amina", outcome="not_illegal", reason="a holiday")
    desk.close(other.case, state="refused", by="amina", reason="nothing to remove")
    gone_through, read = [], []
    find_state_start, find = casebook.find_state_start, casebook.load_case
    monkeypatch.setattr(
        casebook,
        "find_state_start",
        lambda steps: (gone_through.append(1), find_state_start(steps))[1],
    )
    monkeypatch.setattr(
        casebook, "load_case", lambda connection, one: (read.append(one), find(connection, one))[1]
    )

    output = desk.statuses()
    open_ones = desk.cases("received")
    desk.overdue()

    assert [status_file.read(output, one).state for one in mine] == ["received"] * 4
    assert len(gone_through) == 2
    assert read == [open_ones[0].reference] * 2


def test_the_days_of_a_status_are_those_of_the_hotline(desk):
    """Around midnight, the day is that of the hotline's zone."""
    mine = Secret.make()
    late = NOON.replace(month=7, hour=23, minute=30)
    take(desk, report_of(addresses=("page",), secret=mine), at=late)
    output = status_file.read(desk.statuses(at=late), mine)
    assert output.received == output.since == late.date() + timedelta(days=1)


def test_steps_out_of_order_are_refused_and_change_nothing(desk, items, monkeypatch):
    """As are invalid names and reasons. Each recorded step is in the log, which detects changes."""
    (taken,) = take(desk, report_of(items["picture"], addresses=("https://x.example",)))
    case, before = taken.case, desk.case(taken.case)
    for wrong in (
        lambda: desk.close(case, state="removed", by="amina", reason="x"),
        lambda: desk.notify(case, "meta", by="mallory", reason="x"),
        lambda: desk.close(case, state="received", by="amina", reason="x"),
        lambda: desk.notify(case, "meta", by="amina", reason="x"),
        lambda: desk.reverse(case, by="amina", reason="x"),
        lambda: desk.assess("C-NONE", by="amina", outcome="not_illegal", reason="x"),
        lambda: desk.assess(case, by="amina", outcome="not_illegal", reason=" "),
        lambda: desk.assess(case, by="a\x1bb", outcome="not_illegal", reason="x"),
        lambda: desk.assess(case, by="amina", outcome="not_illegal", basis="seen", reason="x"),
        lambda: desk.assess(
            case, by="amina", outcome="not_illegal", reason="x", at=NOON.replace(tzinfo=None)
        ),
    ):
        with pytest.raises(ScreenerError):
            wrong()
    assert desk.case(case) == before

    illegal(desk, case, monkeypatch, items["picture"])
    desk.notify(case, "meta", by="amina", reason="x", at=NOON)
    with pytest.raises(HotlineError, match="already"):
        desk.notify(case, "meta", by="badr", reason="x", at=NOON)
    for step in (
        lambda: desk.notify(case, "tiktok", by="mallory", reason="x", at=NOON),
        lambda: desk.close(case, state="refused", by="mallory", reason="x", at=NOON),
    ):
        with pytest.raises(HotlineError, match="not an authorised analyst"):
            step()
    with pytest.raises(HotlineError):
        desk.assess(case, by="amina", outcome="not_illegal", reason="x")

    log = desk.folder / "cases.audit"
    assert not (found := audit.verify(log)).trouble
    assert found.closed
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["step"] for one in steps[1:]] == ["received", "opinion", "assessed", "notified"]
    assert [(one["by"], one["state"]) for one in steps[1:]] == [
        ("amina", "received"), ("amina", "received"), ("badr", "assessed"), ("amina", "notified"),
    ]  # fmt: skip
    text = log.read_text()
    assert "x.example" not in text
    assert not [one for one in items["picture"].upright_hashes if one.text in text]
    log.write_text(text.replace("badr", "dina"))
    assert audit.verify(log).trouble
    log.write_text(text.replace('"notified"', '"assessed"'))
    with pytest.raises(ScreenerError, match="changed or cut"):
        desk.close(case, state="removed", by="amina", reason="x")


def test_two_writers_wait_for_each_other(desk):
    """All cases exist once, and the log is intact."""
    mine = [report_of(addresses=(f"https://x.example/{n}",)) for n in range(6)]

    with ThreadPoolExecutor(2) as both:
        took = list(both.map(lambda some: take(desk, *some), (mine[:4], mine[2:])))

    became = [one.status for some in took for one in some]
    assert sorted(became) == ["new"] * 6 + ["repeated"] * 2
    assert len(desk.cases()) == 6
    found = audit.verify(desk.folder / "cases.audit")
    assert (found.trouble, found.closed) == ((), True)


def test_only_the_owner_reads_a_hotline(desk):
    """Every file but the public key is private; a file is no hotline."""
    assert desk.folder.stat().st_mode & 0o777 == 0o700
    for path in desk.folder.iterdir():
        want = {"hotline.pub": 0o644, "hotline.list": 0o700}.get(path.name, 0o600)
        if path.name not in ("settings.toml", "partners.toml"):  # which the test wrote
            assert path.stat().st_mode & 0o777 == want, path
    with pytest.raises(HotlineError, match="hotline create"):
        type(desk).open(desk.folder.parent)
    with pytest.raises(HotlineError, match="not empty"):
        type(desk).create(desk.folder)
