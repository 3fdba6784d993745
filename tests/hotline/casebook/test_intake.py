"""Intake: which case a report joins, and what a withdrawal erases."""

from dataclasses import replace
from datetime import timedelta

import clips
import pytest
from hotline_case import (
    NOON,
    clip_of,
    illegal,
    listed,
    make_desk,
    make_list,
    report_of,
    row,
    take,
    verdict,
)

from screener.hotline.model.report import Withdrawal
from screener.hotline.reports import status_file
from screener.hotline.reports.sealed import Secret


def test_reports_of_one_item_share_a_case(desk, items):
    """A mirrored or smaller picture and another spelling of an address join; others do not. A
    report of two cases relates them.
    """
    first = report_of(items["picture"])
    page = report_of(addresses=("https://www.example.org/1/",))
    took = take(
        desk, first, report_of(items["mirrored"]), report_of(items["smaller"]), first, page,
        report_of(items["other"]), report_of(addresses=("http://example.org/1?fbclid=2",)),
        report_of(addresses=("http://example.org/2",)),
        report_of(items["mirrored"], addresses=("https://example.org/1",)),
    )  # fmt: skip

    assert [one.status for one in took] == [
        "new", "joined", "joined", "repeated", "new", "new", "joined", "new", "joined",
    ]  # fmt: skip
    a, b = took[0].case, took[4].case
    assert [one.case for one in took] == [a, a, a, a, b, took[5].case, b, took[7].case, a]
    assert len(desk.cases()) == 4
    assert (desk.case(a).related, desk.case(b).related) == ((b,), (a,))
    assert len(desk.case(a).reports) == 4
    assert desk.case(a).due == NOON + timedelta(hours=24)


def test_a_report_of_a_closed_case_begins_a_new_one(desk, items):
    """With its own clock, related to the closed one."""
    (first,) = take(desk, report_of(items["picture"]))
    desk.assess(first.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    desk.assess(first.case, by="badr", outcome="illegal", reason="x", at=NOON)
    desk.close(first.case, state="removed", by="amina", reason="gone", at=NOON)

    (again,) = take(desk, report_of(items["picture"]), at=NOON + timedelta(days=9))

    assert again.status == "new"
    assert desk.case(again.case).related == (first.case,)
    assert desk.case(again.case).received == NOON + timedelta(days=9)


def test_an_unseen_page_joins_no_assessed_case(desk, items, monkeypatch):
    """A notice would ask for its removal. A report without a new page joins. A first opinion is
    enough.
    """
    page = "https://x.example/1"
    (early,) = take(desk, report_of(items["other"], addresses=("https://e.example",)))
    desk.assess(early.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    meant = report_of(items["other"], addresses=("https://innocent.example/2",))
    assert take(desk, meant)[0].status == "new"
    (first,) = take(desk, report_of(items["picture"], addresses=(page,)))
    illegal(desk, first.case, monkeypatch, items["picture"])

    innocent, same, none = take(
        desk, report_of(items["picture"], addresses=(page, "https://innocent.example")),
        report_of(addresses=(page + "?utm_source=a",)), report_of(items["mirrored"]),
    )  # fmt: skip

    assert innocent.status == "new"
    assert desk.case(innocent.case).related == (first.case,)
    assert {one.list for one in innocent.list_matches} == {"hotline"}
    assert (same.status, same.case) == ("joined", first.case)
    assert (none.status, none.case) == ("joined", first.case)
    desk.notify(first.case, "meta", by="amina", reason="x", at=NOON)
    (notice,) = (desk.folder / "to/meta").glob("N-*/notice.json")
    assert "innocent" not in notice.read_text()
    (later,) = take(desk, report_of(items["picture"], addresses=("https://y.example",)))
    assert later.case == innocent.case
    desk.assess(innocent.case, by="amina", outcome="not_illegal", reason="x", at=NOON)
    assert (
        take(desk, report_of(items["smaller"], addresses=("https://z.example",)))[0].status == "new"
    )


def test_a_report_of_a_case_that_was_not_illegal_begins_a_new_one(desk, items):
    """The page may show something else by now."""
    page = "https://x.example/1"
    (decoy,) = take(desk, report_of(items["picture"], addresses=(page,)))
    desk.assess(decoy.case, by="amina", outcome="not_illegal", reason="empty", at=NOON)

    later = NOON + timedelta(days=2)
    same, hashes = take(desk, report_of(addresses=(page,)), report_of(items["picture"]), at=later)

    assert (same.status, desk.case(same.case).related) == ("new", (decoy.case,))
    assert hashes.status == "new"
    assert desk.case(same.case).received == later
    assert same.case in [one.reference for one in desk.overdue(at=later + timedelta(hours=24))]


@pytest.mark.parametrize("order", [("smaller", "picture"), ("picture", "smaller")])
def test_the_nearest_picture_of_a_report_counts_for_a_record(tmp_path, items, order):
    """In either order."""
    looked = make_list(tmp_path / "looked.list", [row(items["picture"], "l1")], "other")
    desk = make_desk(tmp_path / "hotline", lists=[looked])

    (taken,) = take(desk, report_of(*(items[name] for name in order)))

    assert [(one.entry, one.kind, one.distance) for one in taken.list_matches] == [("l1", "pdq", 0)]


def test_clips_share_a_case_by_most_frames_not_by_one(desk):
    """Changed a little or mirrored they join; a shared title frame is not enough."""
    codes = clips.scenes(40, seed=1)
    changed, other = clips.near(codes, 10, seed=2), clips.scenes(40, seed=3)
    other[:1] = codes[:1]
    turned = clip_of(clips.scenes(40, seed=4))
    back = [
        one._replace(orientation="flip_horizontal")
        for one in clip_of(codes).hashes
        if not one.hash.kind.video
    ]
    turned = replace(turned, hashes=(*turned.hashes, *back))

    took = take(
        desk, report_of(clip_of(codes)), report_of(clip_of(changed)), report_of(clip_of(other)),
        report_of(turned),
    )  # fmt: skip

    assert [one.status for one in took] == ["new", "joined", "new", "joined"]
    assert [took[1].case, took[3].case] == [took[0].case] * 2


def test_a_withdrawal_erases_a_report_and_its_seeds_at_once(desk, items):
    """Also if it comes in before its report; other reports stay."""
    mine, late = Secret.make(), Secret.make()
    first = report_of(items["picture"], secret=mine, note="a secret note", addresses=("mine",))
    take(desk, first, report_of(items["picture"], addresses=("theirs",)))
    assert b"a secret note" in (desk.folder / "cases.sqlite").read_bytes()

    (gone,) = take(desk, Withdrawal(mine.withdrawal))

    case = desk.case(gone.case)
    assert (gone.status, case.state, case.notes, case.addresses) == (
        "withdrawn", "received", (), ("theirs",),
    )  # fmt: skip
    assert sorted(listed(desk).values()) == ["seed", "withdrawn"]
    assert status_file.read(desk.statuses(), mine).state == "withdrawn"
    after = (desk.folder / "cases.sqlite").read_bytes()
    assert b"a secret note" not in after
    assert take(desk, Withdrawal(mine.withdrawal))[0].status == "repeated"
    assert take(desk, Withdrawal(late.withdrawal))[0].case is None
    (come,) = take(desk, report_of(items["other"], secret=late))
    assert (come.status, desk.case(come.case).state) == ("withdrawn", "withdrawn")
    assert take(desk, Withdrawal(bytes(32)))[0].case is None
    assert len([one for one in desk.cases() if one.state == "withdrawn"]) == 1


def test_a_withdrawal_does_not_end_a_confirmed_case(desk, pictures, items, monkeypatch):
    """The reporter may be the offender: the seeds go, the item stays."""
    mine = Secret.make()
    (taken,) = take(
        desk, report_of(items["picture"], secret=mine, addresses=("https://x.example",))
    )
    illegal(desk, taken.case, monkeypatch, items["picture"])

    take(desk, Withdrawal(mine.withdrawal))

    assert desk.case(taken.case).state == "assessed"
    assert desk.case(taken.case).addresses == ("https://x.example",)
    assert verdict(desk, pictures["picture"]) == "match"


def test_a_withdrawal_does_not_end_a_case_with_a_first_opinion(desk, pictures, items, monkeypatch):
    """The addresses stay for the second analyst; notes and seeds go."""
    mine = Secret.make()
    pages = ("https://x.example",)
    first = report_of(items["picture"], secret=mine, note="a secret note", addresses=pages)
    (taken,) = take(desk, first)
    made = ((items["picture"],), ())
    monkeypatch.setattr("screener.hotline.reports.own_media.hash_intact_files", lambda files: made)
    desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)

    take(desk, Withdrawal(mine.withdrawal))

    case = desk.case(taken.case)
    assert (case.state, case.proposed_by, case.notes, case.addresses) == (
        "received", "amina", (), pages,
    )  # fmt: skip
    assert set(listed(desk).values()) == {"withdrawn"}
    assert status_file.read(desk.statuses(), mine).state == "withdrawn"
    desk.assess(taken.case, by="badr", outcome="illegal", reason="y", at=NOON)
    assert verdict(desk, pictures["picture"]) == "match"
    assert desk.case(taken.case).addresses == pages


@pytest.mark.parametrize("by", ["amina", "badr"])
def test_a_withdrawal_does_not_end_a_disputed_case(desk, items, by):
    """Not even by a report that comes in and is withdrawn later."""
    mine, another = Secret.make(), Secret.make()
    pages = ("https://x.example",)
    (taken,) = take(desk, report_of(items["picture"], secret=mine, addresses=pages))
    desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    desk.assess(taken.case, by=by, outcome="not_illegal", reason="y", at=NOON)

    take(desk, Withdrawal(mine.withdrawal))
    take(desk, report_of(secret=another, addresses=pages), Withdrawal(another.withdrawal))

    case = desk.case(taken.case)
    assert (case.state, case.addresses, len(case.reports)) == ("received", pages, 2)
    assert [one.reference for one in desk.overdue(at=case.due)] == [taken.case]
    desk.assess(taken.case, by="chloé", outcome="not_illegal", reason="z", at=NOON)
    assert (desk.case(taken.case).state, desk.case(taken.case).addresses) == ("assessed", ())


@pytest.mark.parametrize("seen_by", [1, 2])
def test_withdrawn_addresses_are_erased_once_a_case_is_not_illegal(
    desk, items, monkeypatch, seen_by
):
    """After a first opinion was overruled, or a confirmed case reversed."""
    mine = Secret.make()
    (taken,) = take(
        desk,
        report_of(items["picture"], secret=mine, addresses=("https://x.example",)),
        report_of(items["picture"], addresses=("https://y.example",)),
    )[:1]
    if seen_by == 2:
        illegal(desk, taken.case, monkeypatch, items["picture"])
    else:
        desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    take(desk, Withdrawal(mine.withdrawal))
    assert len(desk.case(taken.case).addresses) == 2

    if seen_by == 2:
        desk.reverse(taken.case, by="badr", reason="a film still", at=NOON)
    else:
        desk.assess(taken.case, by="badr", outcome="not_illegal", reason="y", at=NOON)
        assert len(desk.case(taken.case).addresses) == 2  # two persons hold different things
        desk.assess(taken.case, by="badr", outcome="not_illegal", reason="y", at=NOON)

    assert desk.case(taken.case).addresses == ("https://y.example",)
    assert b"x.example" not in (desk.folder / "cases.sqlite").read_bytes()
