"""Takes steps of a hotline's cases again and again, each time killed at a random moment.

Usage: kill_a_case.py FOLDER STEP KILLS SEED. FOLDER holds a hotline `hotline`, and files `new/*`
that are to be taken in. A child takes the step in a fresh copy and is killed with SIGKILL some time
after it began; the times are spread over as long as the step takes. Then the hotline is opened and
must be whole: each report that was in it is in it once, the log and the list say what the casebook
says, and no partner has two notices of a case, nor a part of one. The same step then leaves what it
leaves where nobody is killed. Prints JSON: the kills that came before the
step was done, how many came late besides, and how many of the former found it made all the same.
"""

import contextlib
import json
import random
import shutil
import sqlite3
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hotlines import IMAGES, item_of
from killed_child import killed

from screener import HashList, audit
from screener.errors import ScreenerError
from screener.hotline import own_media
from screener.hotline.desk import Desk

AT = datetime(2026, 3, 14, 13, 0, tzinfo=UTC)


def by_state(desk, *states):
    """The references of cases in some states, in order."""
    return [one.reference for one in desk.cases(*states)]


def take(desk):
    """Take in all that is new: reports of old items and of new ones, and a withdrawal."""
    desk.take(sorted((desk.folder.parent / "new").iterdir()), by="amina", at=AT)


def assess(desk):
    """The second person's word on the first case."""
    case = desk.cases()[0]
    if case.state == "received":
        own_media.make_whole = lambda files: ((item_of(IMAGES / "alley.jpg"),), ())
        desk.assess(case.reference, by="badr", outcome="illegal", reason="x", at=AT)


def notify(desk):
    """Notices of the second case to both partners."""
    case = desk.cases()[1].reference
    for partner in ("meta", "tiktok"):
        if partner not in {one.partner for one in desk.case(case).sent}:
            desk.notify(case, partner, by="amina", reason="x", at=AT)


def answer(desk):
    """What partners have said of the third case, which ends it; and the fourth is reversed."""
    desk.acknowledge(by="amina", at=AT + timedelta(hours=2))
    case = desk.cases()[3]
    if case.outcome == "illegal":
        desk.reverse(case.reference, by="chloé", reason="x", at=AT)


def on_opening(step):
    """Opening completes what a kill left, so that it is part of the step."""
    return lambda folder: step(Desk.open(folder))


STEPS = {"take": take, "assess": assess, "notify": notify, "answer": answer}


def rows(folder, question):
    """The answer of the casebook."""
    with contextlib.closing(sqlite3.connect(folder / "cases.sqlite")) as connection:
        return connection.execute(question).fetchall()


def check(desk, held):
    """Whether a hotline that was opened is whole, and has what it had."""
    folder = desk.folder
    reports = [one for case in desk.cases() for one in case.reports]
    assert len(set(reports)) == len(reports), "a report twice"
    assert set(reports) >= held, "a report lost"
    assert all(case.reports for case in desk.cases()), "a case of nothing"
    log = folder / "cases.audit"
    found = audit.verify(log)
    assert (found.trouble, found.closed) == ((), True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines = [one for one in lines if one["event"] == "case"]
    kept = [(seq, json.loads(facts)) for seq, facts in rows(folder, "SELECT * FROM log")]
    assert [(one["seq"], one["step"], one.get("case")) for one in lines] == [
        (seq, facts["step"], facts.get("case")) for seq, facts in kept
    ], "the log is not what the casebook says"
    assert not rows(folder, "SELECT 1 FROM entries WHERE NOT written"), "the list is behind"
    known = HashList.open(folder / "hotline.list")
    for entry, state in rows(folder, "SELECT entry, state FROM entries"):
        assert [str(one.state) for one in known.show(entry)] == [state], "the list says another"
    notices = rows(folder, "SELECT notice, partner, in_case, written FROM sent")
    assert all(written for *_, written in notices)
    for partner in ("meta", "tiktok"):
        to = folder / "to" / partner
        there = {path.name for path in to.iterdir() if path.name != "acknowledgements"}
        assert there == {notice for notice, whom, *_ in notices if whom == partner}
        cases = [json.loads((to / one / "notice.json").read_text())["case"] for one in there]
        assert len(set(cases)) == len(cases), "two notices of a case"
        for one in there:
            assert {path.suffix for path in (to / one).iterdir()} == {".json", ".txt", ".html"}
    assert not list(folder.glob(".entries-*"))


def left(desk):
    """What a step leaves: nothing of it depends on when, or on references that are drawn."""
    names = {one.reference: number for number, one in enumerate(desk.cases())}
    return [
        (
            names[one.reference], one.state, one.outcome, one.reports, one.addresses, one.notes,
            sorted(names[other] for other in one.related), len(one.entries),
            [(event.state, event.by, event.reason) for event in one.events],
            [(s.partner, s.acknowledged, s.removed) for s in one.sent],
            sorted(
                str(shown.state) for entry in one.entries for shown in desk.own_list.show(entry)
            ),
        )
        for one in desk.cases()
    ]  # fmt: skip


def main():
    """Kill so many times."""
    base, step, kills = Path(sys.argv[1]), STEPS[sys.argv[2]], int(sys.argv[3])
    rng = random.Random(int(sys.argv[4]))
    trial, done = base.with_name("trial"), base.with_name("done")
    held = {one for case in Desk.open(base / "hotline").cases() for one in case.reports}
    before = left(Desk.open(base / "hotline"))
    shutil.copytree(base, done)
    start = time.monotonic()
    step(Desk.open(done / "hotline"))
    longest = time.monotonic() - start
    after = left(Desk.open(done / "hotline"))
    assert after != before
    amid = made = late = 0
    while amid < kills:
        assert late <= 4 * kills + 8, "the step is over before it can be killed"
        shutil.copytree(base, trial)
        early = killed(lambda: trial / "hotline", on_opening(step), rng.uniform(0, longest))
        desk = Desk.open(trial / "hotline")
        check(desk, held)
        ready = left(desk) == after
        assert ready or early, "what was acknowledged is lost"
        with contextlib.suppress(ScreenerError):
            step(desk)
        check(desk, held)
        assert left(desk) == after, "the same step again leaves something else"
        amid, made, late = amid + early, made + (early and ready), late + (not early)
        longest *= (
            1.05 if early else 0.9
        )  # other work on the machine makes a step longer or shorter
        shutil.rmtree(trial)
    print(json.dumps({"kills": amid, "late": late, "of_these_made": made}))


if __name__ == "__main__":
    main()
