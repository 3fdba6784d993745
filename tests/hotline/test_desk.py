"""A day of a hotline, from the first report to the figures."""

import json
from datetime import timedelta

import pytest
from hotline_case import IMAGES, NOON, listed, make_desk
from PIL import Image, ImageOps

from screener import HashList, Screener, audit
from screener.errors import HotlineError
from screener.hotline.pages import figures, status_page
from screener.hotline.reports import reporting, status_file


def answer(folder, notice, event, at):
    """Write a partner's answer."""
    facts = {"schema": "screener-acknowledgement/1", "notice": notice, "event": event}
    facts |= {"at": at.isoformat(), "by": "night shift"}
    (folder / "acknowledgements" / f"{event}.json").write_text(json.dumps(facts))


@pytest.fixture
def place(tmp_path):
    """Return a folder with a picture, its mirrored copy, and a list that has the picture."""
    picture = Image.open(IMAGES / "alley.jpg")
    picture.save(tmp_path / "mine.jpg", quality=92)
    ImageOps.mirror(picture).resize((240, 180)).save(tmp_path / "theirs.png")
    (tmp_path / "known.csv").write_text(
        "id,pdq,status\nk1," + str(pdq_of(tmp_path / "mine.jpg")) + ",disputed\n"
    )
    HashList.create(tmp_path / "known.list").import_file(tmp_path / "known.csv", source="ngo")
    return tmp_path


def pdq_of(path):
    """Return the PDQ of a picture by the library's hasher."""
    from screener.hashing import pdq
    from screener.media.image import open_image

    with path.open("rb") as stream:
        (frame,) = open_image.open(stream.read()).frames()
    return pdq.compute(frame.pixels).text


def hour(hours):
    """Return a time some hours after the first report."""
    return NOON + timedelta(hours=hours)


def test_a_whole_day(place):
    """Three reports gather in one case, match a list, are assessed by two, sent to two partners,
    answered and removed.
    """
    desk = make_desk(place / "hotline", lists=[place / "known.list"])
    key = desk.folder / "hotline.pub"
    scan = lambda: str(Screener(desk.own_list).screen(place / "theirs.png").verdict)  # noqa: E731

    # Three reporters, none of whom gives a name.
    page = "https://video.example/watch?v=1"
    day = NOON.date()
    made = [
        reporting.create(place / "1.sealed", key=key, addresses=[page], language="ar", day=day),
        reporting.create(
            place / "2.sealed", key=key, addresses=[f"http://www.{page[8:]}&utm_source=x"],
            my_images=[place / "mine.jpg"], language="fr", country="MA", day=day,
        ),
        reporting.create(
            place / "3.sealed", key=key, my_images=[place / "theirs.png"], language="en", day=day
        ),
    ]  # fmt: skip

    # They gather, and a list knows the picture.
    took = desk.take([place / f"{n}.sealed" for n in (1, 2, 3)], by="amina", at=NOON)
    assert [one.status for one in took] == ["new", "joined", "joined"]
    (case,) = desk.cases()
    assert {(one.list, one.entry, one.state) for one in case.list_matches} == {
        ("known", "k1", "disputed")
    }
    assert [one.list for one in took[0].list_matches] == []
    assert (case.due, case.languages, case.countries) == (hour(24), ("ar", "fr", "en"), ("MA",))
    assert scan() != "match"
    assert status_file.read(desk.statuses(at=NOON), made[2].secret).state == "received"
    assert desk.overdue(at=hour(17)) == []
    assert [one.reference for one in desk.overdue(at=hour(18))] == [case.reference]

    # Two persons, and only then a match, of the mirrored picture too.
    desk.assess(
        case.reference, by="amina", outcome="illegal", basis="seen", reason="under our procedure",
        files=[place / "mine.jpg"], at=hour(1),
    )  # fmt: skip
    (place / "half.jpg").write_bytes((place / "mine.jpg").read_bytes()[:9000])
    with pytest.raises(HotlineError, match="cut short"):
        desk.assess(case.reference, by="badr", outcome="illegal", reason="x",
                    files=[place / "half.jpg"])  # fmt: skip
    assert scan() != "match"
    generation = desk.own_list.generation
    desk.assess(
        case.reference, by="badr", outcome="illegal", reason="seen too",
        files=[place / "theirs.png"], at=hour(2),
    )  # fmt: skip
    assert desk.own_list.generation == generation + 1
    assert scan() == "match"
    assert sorted(listed(desk).values()) == ["confirmed", "seed", "seed"]

    # Notices, once.
    for partner, at in (("meta", hour(3)), ("tiktok", hour(4))):
        desk.notify(case.reference, partner, by="badr", reason="hosted there", at=at)
    to = desk.folder / "to"
    (meta,), (tiktok,) = (list((to / name).glob("N-*")) for name in ("meta", "tiktok"))
    assert {path.name for path in meta.iterdir()} == {
        "notice.json", *(f"notice.{c}.{e}" for c in ("ar", "fr", "en") for e in ("txt", "html"))
    }  # fmt: skip
    notice = json.loads((meta / "notice.json").read_text())
    assert (notice["received"], notice["due"]) == ("2026-03-14T12:00:00Z", "2026-03-15T12:00:00Z")
    assert len(notice["addresses"]) == 2
    assert {one["kind"] for one in notice["hashes"]} == {"pdq", "md5", "sha256"}
    assert pdq_of(place / "mine.jpg") in {one["value"] for one in notice["hashes"]}
    assert pdq_of(place / "theirs.png") not in (meta / "notice.json").read_text()
    kinds = json.loads((tiktok / "notice.json").read_text())["hashes"]
    assert {one["kind"] for one in kinds} == {"md5"}
    assert "hxxps" in (meta / "notice.ar.txt").read_text()

    # One removes in time, the other late.
    answer(to / "meta", meta.name, "acknowledged", hour(5))
    assert desk.acknowledge(by="amina", at=hour(6)).unread == ()
    answer(to / "meta", meta.name, "removed", hour(7))
    desk.acknowledge(by="amina", at=hour(8))
    assert desk.case(case.reference).state == "notified"
    assert [one.reference for one in desk.overdue(at=hour(25))] == [case.reference]
    answer(to / "tiktok", tiktok.name, "removed", hour(26))
    answers = desk.acknowledge(by="amina", at=hour(27))
    assert [(partner, one.event) for partner, _, one in answers.new] == [("tiktok", "removed")]
    assert desk.acknowledge(by="amina", at=hour(28)).new == ()

    # How it stands, to everybody's eyes.
    ended = desk.case(case.reference)
    assert [one.state for one in ended.events] == [
        "received", "received", "received", "received", "assessed", "notified", "notified",
        "notified", "notified", "removed",
    ]  # fmt: skip
    output = status_file.read(desk.statuses(at=hour(28)), made[0].secret)
    assert (output.state, output.received, output.since) == (
        "removed", NOON.date(), hour(27).date(),
    )  # fmt: skip
    found = figures.figures(desk.cases(), now=hour(28))
    assert (found.partners["meta"].share, found.partners["tiktok"].share) == (1.0, 0.0)
    assert found.all.median == timedelta(hours=16.5)
    (month,) = figures.by_month(desk.cases(), zone=desk.zone)
    assert (month.month, month.reports, month.cases, month.assessed, month.illegal) == (
        f"{NOON:%Y-%m}", len(case.reports), 1, 1, 1,
    )  # fmt: skip
    assert (month.sent, month.removed, month.in_time, month.median) == (2, 2, 1, found.all.median)
    known = desk.partners
    for language in ("ar", "fr", "en"):
        html = status_page.render_page(
            desk.cases(), now=hour(28), language=language, hotline=known.hotline,
            partners=known.partners,
        )  # fmt: skip
        assert case.reference in html
        assert "video.example" not in html
    checked = audit.verify(desk.folder / "cases.audit")
    assert (checked.trouble, checked.closed) == ((), True)
