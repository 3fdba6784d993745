"""Take a step of a hotline's cases repeatedly, each time killed at a random moment.

Usage: kill_a_case.py FOLDER STEP KILLS SEED. FOLDER holds what `make_base` makes. A child takes the
step in a fresh copy and is killed with SIGKILL at a random time within the step's duration. Then
partners fetch what they find, and the hotline is opened and checked: each report exists once, the
log and the list agree with the casebook, and no partner got two notices of a case, or part of one.
The same step then has the same result as without a kill. Prints JSON: the kills during the step,
the kills that came too late, and how many of the former found the step done.
"""

import contextlib
import functools
import json
import random
import shutil
import sqlite3
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from hotline_case import IMAGES, NOON, item_of, make_desk, report_of, sealed_file, take
from killed_child import killed

from screener import HashList, audit
from screener.errors import HotlineError, ScreenerError
from screener.hotline.desk import Desk
from screener.hotline.model.report import Withdrawal
from screener.hotline.reports import own_media
from screener.hotline.reports.sealed import Secret

AT = datetime(2026, 3, 14, 13, 0, tzinfo=UTC)
# A case for each step, in the order in which they come in.
FIRST, SECOND, HARMLESS, NOTIFY, ANSWER, CLOSE, REVERSE, BACK = range(8)
PICTURES = (
    "alley.jpg", "bridge.jpg", "harbour.jpg", "market.jpg", "withdrawn.jpg", "kiosk-mirrored.jpg",
    "stairs-exif-turned.jpg", "reported-not-assessed.webp",
)  # fmt: skip
NEW = "meadow-half.jpg"


@functools.cache
def picture(number):
    """Return the item of a case's picture."""
    return item_of(IMAGES / PICTURES[number])


def use_picture(number):
    """Let the next opinion use the file of a case's picture."""
    own_media.hash_intact_files = lambda files: ((picture(number),), ())


def assess(desk, number, by, **options):
    """Record one person's assessment of a case."""
    case = desk.cases()[number].reference
    desk.assess(case, by=by, outcome="illegal", reason="x", at=NOON, **options)


def make_base(folder):
    """Create a hotline with a case for each step, and files to import."""
    folder.mkdir()
    desk, secret = make_desk(folder / "hotline"), Secret.make()
    for number in range(len(PICTURES)):
        mine = {"secret": secret} if number == BACK else {}
        take(desk, report_of(picture(number), addresses=(f"https://x.example/{number}",), **mine))
    for number in (SECOND, NOTIFY, ANSWER, CLOSE, REVERSE):
        use_picture(number)
        assess(desk, number, "amina", basis="seen")
        if number != SECOND:
            assess(desk, number, "badr")
    for number in (ANSWER, REVERSE):
        for partner in ("meta", "tiktok"):
            case = desk.cases()[number].reference
            desk.notify(case, partner, by="amina", reason="x", at=NOON)
    for notice in desk.cases()[ANSWER].sent:
        for event, hours in (("acknowledged", 1), ("removed", 2)):
            write_answer(desk, notice, event, NOON + timedelta(hours=hours))
    new = [report_of(picture(SECOND)), report_of(item_of(IMAGES / NEW)),
           report_of(item_of(IMAGES / NEW), addresses=("a",))]  # fmt: skip
    for name, files in (("new", new), ("back", [Withdrawal(secret.withdrawal)])):
        (folder / name).mkdir()
        for number, one in enumerate(files):
            sealed_file(desk, one, f"{name}/{number}")
    for path in folder.glob("in-*"):
        path.unlink()


def write_answer(desk, notice, event, at):
    """Write a partner's answer."""
    facts = {"schema": "screener-acknowledgement/1", "notice": notice.notice, "event": event}
    facts |= {"at": at.isoformat(), "by": "duty"}
    file = (
        desk.folder / "to" / notice.partner / "acknowledgements" / f"{notice.notice}-{event}.json"
    )
    file.write_text(json.dumps(facts))


def take_in(name):
    """Return a step that imports all files of a folder."""
    return lambda desk: desk.take(sorted((desk.folder.parent / name).iterdir()), by="amina", at=AT)


def first(desk):
    """Record the first opinion, with a file."""
    use_picture(FIRST)
    if not any("first person" in event.reason for event in desk.cases()[FIRST].events):
        assess(desk, FIRST, "amina", basis="seen")


def second(desk):
    """Record the second opinion."""
    use_picture(SECOND)
    if desk.cases()[SECOND].state == "received":
        assess(desk, SECOND, "badr")


def harmless(desk):
    """Assess an item as not illegal."""
    case = desk.cases()[HARMLESS]
    if case.state == "received":
        desk.assess(case.reference, by="badr", outcome="not_illegal", reason="x", at=NOON)


def notify(desk):
    """Send notices of a case to both partners."""
    case = desk.cases()[NOTIFY].reference
    for partner in ("meta", "tiktok"):
        if partner not in {one.partner for one in desk.case(case).sent}:
            desk.notify(case, partner, by="amina", reason="x", at=AT)


def answer(desk):
    """Record the partners' answers, which end a case."""
    desk.acknowledge(by="amina", at=AT + timedelta(hours=2))


def close(desk):
    """Close a case by hand."""
    case = desk.cases()[CLOSE]
    if case.state == "assessed":
        desk.close(case.reference, state="refused", by="amina", reason="x", at=AT)


def reverse(desk):
    """Reverse a case of which partners have notices."""
    case = desk.cases()[REVERSE]
    if case.outcome == "illegal":
        desk.reverse(case.reference, by="chloé", reason="x", at=AT)


def create(desk):
    """Create another hotline, unless it exists."""
    if not is_made(desk):
        Desk.create(desk.folder.parent / "made")


def is_made(desk):
    """Return whether the other hotline is complete."""
    try:
        made = Desk.open(desk.folder.parent / "made")
    except HotlineError:
        return False
    names = {path.name for path in made.folder.iterdir()}
    assert names >= {"hotline.key", "hotline.pub", "settings.toml", "partners.toml", "cases.audit"}
    assert made.own_list.generation is not None
    assert audit.verify(made.folder / "cases.audit").closed
    return True


STEPS = {
    "take": take_in("new"), "withdraw": take_in("back"), "first": first, "second": second,
    "not_illegal": harmless, "notify": notify, "answer": answer, "close": close,
    "reverse": reverse, "create": create,
}  # fmt: skip


def on_opening(step):
    """Return a step that includes the opening, which completes interrupted work."""
    return lambda folder: step(Desk.open(folder))


def rows(folder, question):
    """Return the rows of a query on the casebook."""
    with contextlib.closing(sqlite3.connect(folder / "cases.sqlite")) as connection:
        return connection.execute(question).fetchall()


def fetch(folder):
    """Let partners move away the notices that they find, each whole and only once."""
    for notice in folder.glob("to/*/N-*"):
        fetched = folder.parent / "fetched" / notice.parent.name
        fetched.mkdir(parents=True, exist_ok=True)
        assert not (fetched / notice.name).exists(), "a notice twice"
        notice.rename(fetched / notice.name)


def check(desk, held):
    """Assert that an opened hotline is intact and still has its reports."""
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
    fetch(folder)
    for partner in ("meta", "tiktok"):
        to = folder.parent / "fetched" / partner
        there = {path.name for path in to.iterdir()}
        assert there == {notice for notice, whom, *_ in notices if whom == partner}
        cases = [json.loads((to / one / "notice.json").read_text())["case"] for one in there]
        assert len(set(cases)) == len(cases), "two notices of a case"
        for one in there:
            assert {path.suffix for path in (to / one).iterdir()} == {".json", ".txt", ".html"}
        assert [p.name for p in (folder / "to" / partner).iterdir()] == ["acknowledgements"]
    assert not list(folder.glob(".entries-*"))


def left(desk):
    """Return the result of a step, without times and random references."""
    names = {one.reference: number for number, one in enumerate(desk.cases())}
    return is_made(desk), [
        (
            names[one.reference], one.state, one.outcome, one.reports, one.addresses, one.notes,
            sorted(names[other] for other in one.related), len(one.entries),
            [(event.state, event.by, event.reason) for event in one.events],
            [(s.partner, s.acknowledged, s.removed) for s in one.sent],
            sorted(
                str(shown.state) for entry, _ in one.entries for shown in desk.own_list.show(entry)
            ),
        )
        for one in desk.cases()
    ]  # fmt: skip


def main():
    """Kill the step as often as asked."""
    base, step, kills = Path(sys.argv[1]), STEPS[sys.argv[2]], int(sys.argv[3])
    rng = random.Random(int(sys.argv[4]))
    trial, done = base.with_name("trial"), base.with_name("done")
    for number in (FIRST, SECOND):
        picture(number)  # so that the child is killed in what follows
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
        fetch(trial / "hotline")
        desk = Desk.open(trial / "hotline")
        check(desk, held)
        ready = left(desk) == after
        assert ready or early, "what was acknowledged is lost"
        with contextlib.suppress(ScreenerError):
            step(desk)
        check(desk, held)
        assert left(desk) == after, "the same step again leaves something else"
        amid, made, late = amid + early, made + (early and ready), late + (not early)
        # Other work on the machine makes a step longer or shorter.
        longest *= 1.05 if early else 0.8
        shutil.rmtree(trial)
    shutil.rmtree(done)
    print(json.dumps({"kills": amid, "late": late, "of_these_made": made}))


if __name__ == "__main__":
    main()
