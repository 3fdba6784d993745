"""Cases of a hotline: what gathers in one, how it goes on, and what may be matched by."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import clips
import pytest
from hotline_case import IMAGES, NOON, item_of, listed, make_desk, report_of, take
from PIL import Image, ImageOps

from screener import HashList, Screener, audit
from screener.errors import HotlineError, ScreenerError
from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import VideoFrame, pack_vpdq, vpdq_frames
from screener.hotline import own_list
from screener.hotline.casebook import casebook, same_item, statuses
from screener.hotline.desk import Desk
from screener.hotline.model.report import Item, Withdrawal
from screener.hotline.reports.sealed import Secret
from screener.lists.store import repeated_values
from screener.screening.input.located_hash import LocatedHash

PICTURE = IMAGES / "alley.jpg"
OTHER = IMAGES / "bridge.jpg"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A picture, the same mirrored and made smaller, and another."""
    folder = tmp_path_factory.mktemp("pictures")
    picture = Image.open(PICTURE)
    ImageOps.mirror(picture).save(folder / "mirrored.png")
    picture.resize((240, 180)).save(folder / "smaller.jpg", quality=80)
    return {
        "picture": PICTURE, "other": OTHER, "mirrored": folder / "mirrored.png",
        "smaller": folder / "smaller.jpg",
    }  # fmt: skip


@pytest.fixture(scope="module")
def items(pictures):
    """What they make."""
    return {name: item_of(path) for name, path in pictures.items()}


@pytest.fixture
def desk(tmp_path):
    """A hotline."""
    return make_desk(tmp_path / "hotline")


def verdict(desk, path):
    """What a scan with the hotline's list says of a file."""
    return str(Screener(desk.own_list).screen(path).verdict)


def illegal(desk, reference, monkeypatch, *made):
    """Have two persons hold a case to be illegal, with hashes of items as if of a file."""
    with monkeypatch.context() as patched:
        patched.setattr("screener.hotline.reports.own_media.make_whole", lambda files: (made, ()))
        desk.assess(reference, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
        return desk.assess(reference, by="badr", outcome="illegal", reason="y", at=NOON)


def test_a_picture_that_is_reported_very_often_is_found_still(desk, items, monkeypatch):
    """In many files, too: in a list from elsewhere its hash would be what a tool writes that could
    not compute one.
    """
    monkeypatch.setattr(repeated_values, "FILES", 3)

    def uploaded_anew(number):
        digests = {"md5": 16, "sha1": 20, "sha256": 32}
        hashes = tuple(
            one._replace(hash=Hash(one.hash.kind, bytes([number]) * digests[one.hash.kind.name]))
            if one.hash.kind.name in digests
            else one
            for one in items["picture"].hashes
        )
        return replace(items["picture"], hashes=hashes)

    became = [take(desk, report_of(uploaded_anew(number)))[0].became for number in range(5)]

    assert became == ["new", *["joined"] * 4]


def test_a_case_that_very_many_reported_is_gone_through_once_for_their_statuses(
    desk, items, monkeypatch
):
    """And of cases in some states, or that may be late, the others are not read."""
    mine = [Secret.make() for _ in range(4)]
    take(desk, *(report_of(items["picture"], secret=one) for one in mine))
    (other,) = take(desk, report_of(items["other"]))
    desk.assess(other.case, by="amina", outcome="not_illegal", reason="a holiday")
    desk.close(other.case, state="refused", by="amina", reason="nothing to remove")
    gone_through, read = [], []
    latest_run, find = casebook.latest_run, casebook.find
    monkeypatch.setattr(
        casebook, "latest_run", lambda steps: (gone_through.append(1), latest_run(steps))[1]
    )
    monkeypatch.setattr(
        casebook, "find", lambda connection, one: (read.append(one), find(connection, one))[1]
    )

    told = desk.statuses()
    open_ones = desk.cases("received")
    desk.overdue()

    assert [statuses.read(told, one).state for one in mine] == ["received"] * 4
    assert len(gone_through) == 2
    assert read == [open_ones[0].reference] * 2


def test_reports_of_one_item_gather_and_others_do_not(desk, items):
    """A picture mirrored, one made smaller, an address written in another way belong to the case
    of the first; another picture and another page do not; a report of both sides names the two.
    """
    first = report_of(items["picture"])
    page = report_of(addresses=("https://www.example.org/1/",))
    took = take(
        desk, first, report_of(items["mirrored"]), report_of(items["smaller"]), first, page,
        report_of(items["other"]), report_of(addresses=("http://example.org/1?fbclid=2",)),
        report_of(addresses=("http://example.org/2",)),
        report_of(items["mirrored"], addresses=("https://example.org/1",)),
    )  # fmt: skip

    assert [one.became for one in took] == [
        "new", "joined", "joined", "repeated", "new", "new", "joined", "new", "joined",
    ]  # fmt: skip
    a, b = took[0].case, took[4].case
    assert [one.case for one in took] == [a, a, a, a, b, took[5].case, b, took[7].case, a]
    assert len(desk.cases()) == 4
    assert (desk.case(a).related, desk.case(b).related) == ((b,), (a,))
    assert len(desk.case(a).reports) == 4
    assert desk.case(a).due == NOON + timedelta(hours=24)


def test_a_report_of_what_was_closed_begins_a_case_with_a_clock_of_its_own(desk, items):
    """And names the one before: what is up again must be looked at again."""
    (first,) = take(desk, report_of(items["picture"]))
    desk.assess(first.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    desk.assess(first.case, by="badr", outcome="illegal", reason="x", at=NOON)
    desk.close(first.case, state="removed", by="amina", reason="gone", at=NOON)

    (again,) = take(desk, report_of(items["picture"]), at=NOON + timedelta(days=9))

    assert again.became == "new"
    assert desk.case(again.case).related == (first.case,)
    assert desk.case(again.case).received == NOON + timedelta(days=9)


def test_a_page_that_nobody_looked_at_joins_no_case_that_was_assessed(desk, items, monkeypatch):
    """Else a notice would ask for its removal, or, sent before, would never tell it. A report that
    brings no new page joins. One person's word suffices for that.
    """
    page = "https://x.example/1"
    (early,) = take(desk, report_of(items["other"], addresses=("https://e.example",)))
    desk.assess(early.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    meant = report_of(items["other"], addresses=("https://innocent.example/2",))
    assert take(desk, meant)[0].became == "new"
    (first,) = take(desk, report_of(items["picture"], addresses=(page,)))
    illegal(desk, first.case, monkeypatch, items["picture"])

    innocent, same, none = take(
        desk, report_of(items["picture"], addresses=(page, "https://innocent.example")),
        report_of(addresses=(page + "?utm_source=a",)), report_of(items["mirrored"]),
    )  # fmt: skip

    assert innocent.became == "new"
    assert desk.case(innocent.case).related == (first.case,)
    assert {one.list for one in innocent.known} == {"hotline"}
    assert (same.became, same.case) == ("joined", first.case)
    assert (none.became, none.case) == ("joined", first.case)
    desk.notify(first.case, "meta", by="amina", reason="x", at=NOON)
    (notice,) = (desk.folder / "to/meta").glob("N-*/notice.json")
    assert "innocent" not in notice.read_text()
    (later,) = take(desk, report_of(items["picture"], addresses=("https://y.example",)))
    assert later.case == innocent.case
    desk.assess(innocent.case, by="amina", outcome="not_illegal", reason="x", at=NOON)
    assert (
        take(desk, report_of(items["smaller"], addresses=("https://z.example",)))[0].became == "new"
    )


def test_what_one_person_held_not_illegal_takes_in_no_later_report(desk, items):
    """There may be something else by now: it begins a case with a clock of its own."""
    page = "https://x.example/1"
    (decoy,) = take(desk, report_of(items["picture"], addresses=(page,)))
    desk.assess(decoy.case, by="amina", outcome="not_illegal", reason="empty", at=NOON)

    later = NOON + timedelta(days=2)
    same, hashes = take(desk, report_of(addresses=(page,)), report_of(items["picture"]), at=later)

    assert (same.became, desk.case(same.case).related) == ("new", (decoy.case,))
    assert hashes.became == "new"
    assert desk.case(same.case).received == later
    assert same.case in [one.reference for one in desk.overdue(at=later + timedelta(hours=24))]


def test_who_spoke_first_may_speak_again_with_the_file(desk, pictures, items, monkeypatch):
    """Else an item of which nobody gave a file at first could never be confirmed."""
    (taken,) = take(desk, report_of(items["picture"]))
    desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    illegal(desk, taken.case, monkeypatch, items["picture"])
    assert verdict(desk, pictures["picture"]) == "match"


def test_who_leaves_before_a_second_person_confirms_leaves_no_case_stuck(
    desk, pictures, items, monkeypatch
):
    """Nobody confirms what somebody said who may not assess any more: another person says it anew,
    with a basis and files of their own, and a third confirms that.
    """
    (taken,) = take(desk, report_of(items["picture"]))
    desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    path = desk.folder / "settings.toml"
    path.write_text(path.read_text("utf-8").replace('"amina", ', ""), "utf-8")

    with pytest.raises(HotlineError, match="any more: say it with a basis"):
        desk.assess(taken.case, by="badr", outcome="illegal", reason="x", at=NOON)
    monkeypatch.setattr(
        "screener.hotline.reports.own_media.make_whole", lambda files: ((items["picture"],), ())
    )
    said = desk.assess(taken.case, by="badr", outcome="illegal", basis="seen", reason="x", at=NOON)
    assert (said.state, said.proposed) == ("received", "badr")
    assert verdict(desk, pictures["picture"]) != "match"
    done = desk.assess(taken.case, by="chloé", outcome="illegal", reason="x", at=NOON)
    assert done.state == "assessed"
    assert verdict(desk, pictures["picture"]) == "match"


def test_clips_are_confirmed_by_clips_of_the_same(items):
    """Most of the frames, or the same bytes; neither another clip nor a picture of it."""
    codes = clips.scenes(40, seed=1)
    held = clip_of(codes).upright
    assert same_item.is_of(clip_of(clips.near(codes, 10, seed=2)), held)
    assert not same_item.is_of(clip_of(clips.scenes(40, seed=3)), held)
    assert not same_item.is_of(items["picture"], held)
    assert same_item.is_of(items["mirrored"], items["picture"].upright)
    digest = [one for one in items["picture"].upright if one.kind.name == "md5"]
    assert same_item.is_of(items["picture"], digest)
    assert not same_item.is_of(items["mirrored"], digest)


def test_what_is_reported_never_matches(desk, pictures, items):
    """However often: reported hashes are seeds. A scan shows them beside, and clears nothing by
    them.
    """
    took = take(desk, *(report_of(items["picture"]) for _ in range(5)))

    result = Screener(desk.own_list).screen(pictures["picture"])
    assert str(result.verdict) != "match"
    assert {one.state for one in result.other_hits} == {"seed"}
    assert set(listed(desk).values()) == {"seed"}
    assert {source for source, _ in listed(desk)} == {"reports"}
    assert not desk.own_list.matchable
    assert len({one.case for one in took}) == 1


def test_one_person_makes_nothing_match_and_two_do(desk, pictures, items, monkeypatch):
    """Two different authorised persons, a basis, and hashes that the hotline made: then, and only
    by these, the item matches, however it was turned.
    """
    (taken,) = take(desk, report_of(items["picture"]))
    case = taken.case
    with monkeypatch.context() as patched:
        patched.setattr(
            "screener.hotline.reports.own_media.make_whole", lambda files: ((items["smaller"],), ())
        )
        desk.assess(case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    generation = desk.own_list.generation
    for by in ("amina", " Amina", "AMINA"):
        with pytest.raises(HotlineError, match="second person"):
            desk.assess(case, by=by, outcome="illegal", reason="me again", at=NOON)
    for by in ("dina", "badr2"):
        with pytest.raises(HotlineError, match="no authorised analyst"):
            desk.assess(case, by=by, outcome="illegal", reason="I say so", at=NOON)
    with pytest.raises(HotlineError, match="adds nothing"):
        desk.assess(case, by="badr", outcome="illegal", basis="known", reason="x", at=NOON)
    assert (desk.case(case).state, desk.case(case).outcome) == ("received", None)
    assert desk.own_list.generation == generation
    assert verdict(desk, pictures["mirrored"]) != "match"

    for shown in ((), (items["other"],), (items["mirrored"], items["other"])):
        with monkeypatch.context() as patched:
            patched.setattr(
                "screener.hotline.reports.own_media.make_whole",
                lambda files, made=shown: (made, ()),
            )
            with pytest.raises(HotlineError, match=r"first person hashed|adds nothing"):
                desk.assess(case, by="badr", outcome="illegal", reason="y", at=NOON)
    assert not desk.own_list.matchable

    with monkeypatch.context() as patched:
        patched.setattr(
            "screener.hotline.reports.own_media.make_whole",
            lambda files: ((items["mirrored"],), ()),
        )
        desk.assess(case, by="badr", outcome="illegal", reason="y", at=NOON)

    assert "hashed 1: image/jpeg" in desk.case(case).events[-2].reason
    assert "hashed 1: image/png" in desk.case(case).events[-1].reason
    assert desk.own_list.generation == generation + 1
    assert listed(desk) == {
        ("hotline", f"{case}/item"): "confirmed", ("reports", f"{case}/report-1"): "seed",
    }  # fmt: skip
    (shown,) = desk.own_list.show(f"{case}/item", values=True)
    assert {one.value for one in shown.hashes} == {one.text for one in items["smaller"].upright}
    for name in ("picture", "mirrored", "smaller"):
        assert verdict(desk, pictures[name]) == "match"
    assert verdict(desk, pictures["other"]) != "match"


def test_the_hashes_of_a_report_never_match_even_where_its_case_is_illegal(
    desk, pictures, items, monkeypatch
):
    """Somebody reports an innocent picture as if it were of an illegal page: the page's own item is
    listed, the picture is not.
    """
    (taken,) = take(desk, report_of(items["other"], addresses=("https://example.org/1",)))

    illegal(desk, taken.case, monkeypatch, items["picture"])

    assert verdict(desk, pictures["picture"]) == "match"
    assert verdict(desk, pictures["other"]) != "match"
    without = illegal(desk, take(desk, report_of(addresses=("a",)))[0].case, monkeypatch)
    assert without.outcome == "illegal"
    assert without.entries == ()


def test_illegal_needs_a_basis(desk, items):
    """Seen, or confirmed in a list that the hotline trusts; what none of these has is not known."""
    (taken,) = take(desk, report_of(items["picture"]))
    with pytest.raises(HotlineError, match="basis"):
        desk.assess(taken.case, by="amina", outcome="illegal", reason="x", at=NOON)
    with pytest.raises(HotlineError, match="no list that the hotline trusts"):
        desk.assess(taken.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    assert desk.case(taken.case).events[-1].reason == "reported"


@pytest.mark.parametrize("outcome", ["not illegal", "legal", "", None, True, ["not_illegal"]])
def test_an_outcome_that_is_none_confirms_nothing(desk, items, monkeypatch, outcome):
    """A slip in a program's `not_illegal` was taken for the other: as the first opinion, and as the
    second, which had the item listed.
    """
    (taken,) = take(desk, report_of(items["picture"]))
    said = {"reason": "x", "basis": "seen", "at": NOON}
    for by in ("amina", "badr"):
        with pytest.raises(ValueError, match="an outcome is one of illegal, not_illegal, and not"):
            desk.assess(taken.case, by=by, outcome=outcome, **said)
        if by == "amina":
            desk.assess(taken.case, by=by, outcome="illegal", **said)
    assert desk.case(taken.case).state == "received"
    assert desk.own_list.states.get("confirmed", 0) == 0


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda desk, ref: desk.cases("open"), ValueError, "a state is one of received, .* 'open'"),
        (lambda desk, ref: desk.take("a.sealed", by="amina"), TypeError, "not one str"),
        (lambda desk, ref: desk.concerns(ref), TypeError, "a case is a Case, and not str"),
        (lambda desk, ref: desk.too_little_detail(ref), TypeError, "a case is a Case"),
        (lambda desk, ref: desk.overdue(at=NOON.date()), TypeError, "a time is a datetime"),
        (lambda desk, ref: desk.statuses(at="noon"), TypeError, "a time is a datetime"),
        (lambda desk, ref: desk.acknowledge(by=None), TypeError, "a name is a str, and not None"),
        (lambda desk, ref: desk.reverse(ref, by="amina", reason=5), TypeError, "a reason is a str"),
        (
            lambda desk, ref: desk.assess(
                ref, by="amina", outcome="illegal", reason="x", basis="guessed"
            ),
            ValueError,
            "a basis is one of seen, known",
        ),
        (
            lambda desk, ref: desk.assess(
                ref, by="amina", outcome="illegal", reason="x", basis="seen", files=str(PICTURE)
            ),
            TypeError,
            "files are a list of them, and not one str",
        ),
    ],
)
def test_what_a_program_gives_a_desk_is_looked_at_first(desk, call, error, said):
    """A state that is none has no case, and letters of a name are no files: both went unsaid."""
    (taken,) = take(desk, report_of(addresses=("https://video.example/1",)))
    before = len(desk.case(taken.case).events)
    with pytest.raises(error, match=said):
        call(desk, taken.case)
    assert len(desk.case(taken.case).events) == before


def make_list(folder, rows, source, **said):
    """A list of rows of a CSV."""
    file = folder.with_suffix(".csv")
    file.write_text("id,pdq,md5,status\n" + "\n".join(rows) + "\n")
    HashList.create(folder).import_file(file, source=source, **said)
    return folder


def row(item, entry, state="confirmed"):
    """The row of an item's PDQ."""
    (pdq,) = (one for one in item.upright if one.kind.name == "pdq")
    return f"{entry},{pdq.text},,{state}"


def test_only_what_a_trusted_list_confirms_is_known_and_its_own_hashes_match(tmp_path, items):
    """A match is told at intake for every list. A seed or a disputed record of a trusted list, one
    that only we confirm, and a confirmed one of a list that is not trusted are no basis. What the
    hotline then lists is the trusted list's hash, under its terms; not one that it has set aside.
    """
    blank = f"t1,{'0' * 62}ff,,confirmed"
    rows = [row(items["picture"], "t1"), blank, row(items["other"], "t2", "seed")]
    trusted = make_list(tmp_path / "trusted.list", rows, "iwf")
    HashList.open(trusted).give_opinion("t2", state="confirmed", by="amina", reason="x")
    looked = make_list(tmp_path / "looked.list", [row(items["other"], "l1")], "other")
    desk = make_desk(tmp_path / "hotline", trusted=[trusted], lists=[looked])

    known, unknown = take(desk, report_of(items["smaller"]), report_of(items["other"]))

    assert [(k.list, k.source, k.entry, k.state) for k in known.known if k.kind == "pdq"] == [
        ("trusted", "iwf", "t1", "confirmed")
    ]
    assert {(k.list, k.state) for k in unknown.known} == {
        ("trusted", "confirmed"), ("looked", "confirmed")
    }  # fmt: skip
    with pytest.raises(HotlineError, match="trusts"):
        desk.assess(unknown.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    desk.assess(known.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    found = desk.assess(known.case, by="badr", outcome="illegal", reason="x", at=NOON)
    assert "iwf/t1" in found.basis
    (shown,) = desk.own_list.show(f"{known.case}/item", values=True)
    assert [one.value for one in shown.hashes] == [row(items["picture"], "").split(",")[1]]
    assert shown.terms["tlp"] == "AMBER+STRICT"
    with pytest.raises(ScreenerError, match="no address, and no hash"):
        desk.notify(known.case, "meta", by="amina", reason="x", at=NOON)


@pytest.mark.parametrize("order", [("smaller", "picture"), ("picture", "smaller")])
def test_of_several_pictures_near_a_record_the_nearest_is_told(tmp_path, items, order):
    """In whichever order a report has them."""
    looked = make_list(tmp_path / "looked.list", [row(items["picture"], "l1")], "other")
    desk = make_desk(tmp_path / "hotline", lists=[looked])

    (taken,) = take(desk, report_of(*(items[name] for name in order)))

    assert [(one.entry, one.kind, one.distance) for one in taken.known] == [("l1", "pdq", 0)]


@pytest.mark.parametrize("how", ["withdrawn", "doubted"])
def test_what_the_trusted_list_takes_back_meanwhile_is_no_basis(tmp_path, items, how):
    """Between the first person and the second: its source, or one of us who doubts it."""
    trusted = make_list(tmp_path / "trusted.list", [row(items["picture"], "t1")], "iwf")
    desk = make_desk(tmp_path / "hotline", trusted=[trusted])
    (taken,) = take(desk, report_of(items["picture"]))
    desk.assess(taken.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    if how == "withdrawn":
        file = tmp_path / "gone.csv"
        file.write_text("id,pdq,status\nt1,,withdrawn\n")
        HashList.open(trusted).import_file(file, source="iwf")
    else:
        HashList.open(trusted).give_opinion("t1", state="disputed", by="badr", reason="x")

    with pytest.raises(HotlineError, match="trusts"):
        desk.assess(taken.case, by="badr", outcome="illegal", reason="x", at=NOON)

    assert not desk.own_list.matchable


def test_two_persons_who_differ_leave_a_case_open_and_nothing_listed(desk, items, monkeypatch):
    """The second holds it not illegal: it begins anew. One person alone ends what is not illegal,
    and its seeds with it.
    """
    (taken,) = take(desk, report_of(items["picture"]))
    with monkeypatch.context() as patched:
        patched.setattr(
            "screener.hotline.reports.own_media.make_whole", lambda files: ((items["other"],), ())
        )
        desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    desk.assess(taken.case, by="badr", outcome="not_illegal", reason="no", at=NOON)
    assert desk.case(taken.case).state == "received"
    with pytest.raises(HotlineError, match="basis"):
        desk.assess(taken.case, by="badr", outcome="illegal", reason="x", at=NOON)

    desk.assess(taken.case, by="chloé", outcome="not_illegal", reason="no", at=NOON)

    assert (desk.case(taken.case).state, desk.case(taken.case).outcome) == (
        "assessed", "not_illegal",
    )  # fmt: skip
    assert set(listed(desk).values()) == {"withdrawn"}
    with pytest.raises(HotlineError, match="not illegal"):
        desk.close(taken.case, state="removed", by="amina", reason="x", at=NOON)
    with pytest.raises(ScreenerError):
        desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON)
    assert desk.close(taken.case, state="refused", by="amina", reason="x").state == "refused"


def test_no_flood_of_reports_ends_a_match(desk, items, monkeypatch, tmp_path):
    """A value that one source repeats over very many files is taken to stand for nothing, in that
    source: what reporters send is of another source than what two persons confirmed.
    """
    (taken,) = take(desk, report_of(items["picture"]))
    illegal(desk, taken.case, monkeypatch, items["picture"])
    (pdq,) = (one for one in items["picture"].upright if one.kind.name == "pdq")
    rows = [f"r{n},{pdq.text},{n:032x},seed" for n in range(1, 150)]
    make_list(tmp_path / "flood.list", rows, "reports")

    desk.own_list.import_file(tmp_path / "flood.csv", source="reports")

    assert {one.reason for one in desk.own_list.quarantined()[1]} == {"placeholder"}
    found = Screener(desk.own_list).match([pdq])
    assert [(one.entry, one.state) for one in found.matches] == [
        (f"{taken.case}/item", "confirmed")
    ]


def clip_of(codes):
    """The item of a clip with these frames, a second apart."""
    frames = [
        LocatedHash(
            Hash(KINDS["pdq"], code.tobytes(), 100), "upright", part=n, time=float(n), detail=99
        )
        for n, code in enumerate(codes)
    ]
    value = Hash(KINDS["vpdq"], clips.value_of(clips.clip(codes)))
    return Item("video/mp4", True, (*frames, LocatedHash(value)))


def test_clips_gather_as_clips_do_not_by_a_single_frame(desk):
    """Most of the frames of one in another, changed a little, or turned: one case. A title that two
    clips share gathers nothing.
    """
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

    assert [one.became for one in took] == ["new", "joined", "new", "joined"]
    assert [took[1].case, took[3].case] == [took[0].case] * 2


def test_a_video_of_hours_is_listed_by_fewer_frames_and_not_without_any(desk, monkeypatch):
    """Evenly over all of it, as many as a line of the list has a place for: by the digests alone
    nothing of it would match but the very file.
    """
    frames = [VideoFrame(-1, float(n), 90, bytes(32)) for n in range(9_000)]
    hashes = (Hash(KINDS["vpdq"], pack_vpdq(frames)), Hash.parse("md5", "ab" * 16))
    item = Item("video/mp4", True, tuple(map(LocatedHash, hashes)))
    (taken,) = take(desk, report_of(item))

    illegal(desk, taken.case, monkeypatch, item)

    for entry in (f"{taken.case}/report-1", f"{taken.case}/item"):
        (shown,) = desk.own_list.show(entry, values=True)
        (text,) = (one.value for one in shown.hashes if one.kind == "vpdq")
        times = [one.time for one in vpdq_frames(Hash.parse("vpdq", text).value)]
        assert times == list(range(0, 9_000, 2))


def test_a_video_of_which_few_frames_take_most_room_is_listed_by_as_many_as_fit(desk):
    """Every second is at a time that nobody can have meant, of hundreds of digits."""
    frames = [VideoFrame(-1, 0.0 if n % 2 else 1e308, 90, bytes(32)) for n in range(7_000)]
    item = Item("video/mp4", True, (LocatedHash(Hash(KINDS["vpdq"], pack_vpdq(frames))),))
    (taken,) = take(desk, report_of(item))

    assert desk.behind.unlisted == []
    (shown,) = desk.own_list.show(f"{taken.case}/report-1", values=True)
    assert [one.kind for one in shown.hashes] == ["vpdq"]


def test_a_value_that_the_list_has_no_place_for_is_told(tmp_path, items, monkeypatch):
    """A record without it is behind, though all else of it is listed; until there is a place."""
    frames = [VideoFrame(-1, float(n), 90, bytes(32)) for n in range(9_000)]
    hashes = (Hash(KINDS["vpdq"], pack_vpdq(frames)), Hash.parse("md5", "ab" * 16))
    item = Item("video/mp4", True, tuple(map(LocatedHash, hashes)))
    desk = make_desk(tmp_path / "hotline")
    with monkeypatch.context() as patched:
        patched.setattr(own_list, "_fitting", lambda one: one)
        large, small = take(desk, report_of(item), report_of(items["picture"]))
        for again in (desk, Desk.open(desk.folder)):
            ((entry, why),) = again.behind.unlisted
            assert entry == f"{large.case}/report-1"
            assert "vpdq: too long for a line" in why
            for one, kinds in (
                (large, {"md5"}),
                (small, {each.kind.name for each in items["picture"].upright}),
            ):
                (shown,) = again.own_list.show(f"{one.case}/report-1")
                assert {found.kind for found in shown.hashes} == kinds

    again = Desk.open(desk.folder)
    assert again.behind.unlisted == []
    (shown,) = again.own_list.show(f"{large.case}/report-1")
    assert {found.kind for found in shown.hashes} == {"md5", "vpdq"}


def test_a_reversal_ends_matches_at_once_and_for_good(desk, pictures, items, monkeypatch):
    """One analyst suffices; the records are tombstones, and no report brings them back."""
    (taken,) = take(desk, report_of(items["picture"]))
    illegal(desk, taken.case, monkeypatch, items["picture"])
    engine = Screener(desk.own_list)
    assert verdict(desk, pictures["picture"]) == "match"
    with pytest.raises(HotlineError, match="no authorised analyst"):
        desk.reverse(taken.case, by="dina", reason="x")

    desk.reverse(taken.case, by="chloé", reason="a film still", at=NOON)

    assert str(engine.refresh().screen(pictures["picture"]).verdict) != "match"
    assert set(listed(desk).values()) == {"withdrawn"}
    assert desk.case(taken.case).state == "refused"
    take(desk, report_of(items["picture"]))
    assert verdict(desk, pictures["picture"]) != "match"
    with pytest.raises(HotlineError, match="nothing to take back"):
        desk.reverse(taken.case, by="chloé", reason="again")


def test_a_withdrawal_erases_a_report_and_its_seeds_at_once(desk, items):
    """Whoever has the secret takes it back, also before it comes in; others' reports stay, and the
    status says so to its reporter.
    """
    mine, late = Secret.make(), Secret.make()
    first = report_of(items["picture"], secret=mine, note="a secret note", addresses=("mine",))
    take(desk, first, report_of(items["picture"], addresses=("theirs",)))
    assert b"a secret note" in (desk.folder / "cases.sqlite").read_bytes()

    (gone,) = take(desk, Withdrawal(mine.withdrawal))

    case = desk.case(gone.case)
    assert (gone.became, case.state, case.notes, case.addresses) == (
        "withdrawn", "received", (), ("theirs",),
    )  # fmt: skip
    assert sorted(listed(desk).values()) == ["seed", "withdrawn"]
    assert statuses.read(desk.statuses(), mine).state == "withdrawn"
    after = (desk.folder / "cases.sqlite").read_bytes()
    assert b"a secret note" not in after
    assert take(desk, Withdrawal(mine.withdrawal))[0].became == "repeated"
    assert take(desk, Withdrawal(late.withdrawal))[0].case is None
    (come,) = take(desk, report_of(items["other"], secret=late))
    assert (come.became, desk.case(come.case).state) == ("withdrawn", "withdrawn")
    assert take(desk, Withdrawal(bytes(32)))[0].case is None
    assert len([one for one in desk.cases() if one.state == "withdrawn"]) == 1


def test_the_days_of_a_status_are_those_of_the_hotline(desk):
    """A report that was made and came in after midnight there came in on that day, as notices say:
    not on the day before, on which it was not written yet.
    """
    mine = Secret.make()
    late = NOON.replace(month=7, hour=23, minute=30)
    take(desk, report_of(addresses=("page",), secret=mine), at=late)
    told = statuses.read(desk.statuses(at=late), mine)
    assert told.received == told.since == late.date() + timedelta(days=1)


def test_a_reporter_cannot_take_back_what_two_persons_confirmed(desk, pictures, items, monkeypatch):
    """It may be the one who did it: the seeds go, the item stays listed and the case goes on."""
    mine = Secret.make()
    (taken,) = take(
        desk, report_of(items["picture"], secret=mine, addresses=("https://x.example",))
    )
    illegal(desk, taken.case, monkeypatch, items["picture"])

    take(desk, Withdrawal(mine.withdrawal))

    assert desk.case(taken.case).state == "assessed"
    assert desk.case(taken.case).addresses == ("https://x.example",)
    assert verdict(desk, pictures["picture"]) == "match"


def test_a_reporter_cannot_end_what_a_first_analyst_has_seen_to_be_illegal(
    desk, pictures, items, monkeypatch
):
    """It may be the one who did it: the case waits for a second person, with its addresses. What
    was reported of a person, and the seeds, go.
    """
    mine = Secret.make()
    pages = ("https://x.example",)
    first = report_of(items["picture"], secret=mine, note="a secret note", addresses=pages)
    (taken,) = take(desk, first)
    made = ((items["picture"],), ())
    monkeypatch.setattr("screener.hotline.reports.own_media.make_whole", lambda files: made)
    desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)

    take(desk, Withdrawal(mine.withdrawal))

    case = desk.case(taken.case)
    assert (case.state, case.proposed, case.notes, case.addresses) == (
        "received", "amina", (), pages,
    )  # fmt: skip
    assert set(listed(desk).values()) == {"withdrawn"}
    assert statuses.read(desk.statuses(), mine).state == "withdrawn"
    desk.assess(taken.case, by="badr", outcome="illegal", reason="y", at=NOON)
    assert verdict(desk, pictures["picture"]) == "match"
    assert desk.case(taken.case).addresses == pages


@pytest.mark.parametrize("by", ["amina", "badr"])
def test_a_reporter_cannot_end_what_an_analyst_has_held_illegal_and_one_has_not(desk, items, by):
    """A case that is open because what was said of it differs waits for who decides, with its
    addresses; a report that comes in and is taken back later ends it neither.
    """
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
def test_what_was_taken_back_is_forgotten_where_it_is_found_not_illegal(
    desk, items, monkeypatch, seen_by
):
    """Its addresses stayed while somebody held it to be illegal: one person, who was set aside, or
    two, whose word was reversed.
    """
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


def test_steps_out_of_order_are_refused_and_change_nothing(desk, items, monkeypatch):
    """As are persons and reasons that are none; whatever is recorded is in the log, in which any
    change is found.
    """
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
        with pytest.raises(HotlineError, match="no authorised analyst"):
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
    assert not [one for one in items["picture"].upright if one.text in text]
    log.write_text(text.replace("badr", "dina"))
    assert audit.verify(log).trouble
    log.write_text(text.replace('"notified"', '"assessed"'))
    with pytest.raises(ScreenerError, match="changed or cut"):
        desk.close(case, state="removed", by="amina", reason="x")


def test_two_who_work_at_once_wait_for_each_other(desk):
    """Both take files in at one time: all cases are there, once, and the log is whole."""
    mine = [report_of(addresses=(f"https://x.example/{n}",)) for n in range(6)]

    with ThreadPoolExecutor(2) as both:
        took = list(both.map(lambda some: take(desk, *some), (mine[:4], mine[2:])))

    became = [one.became for some in took for one in some]
    assert sorted(became) == ["new"] * 6 + ["repeated"] * 2
    assert len(desk.cases()) == 6
    found = audit.verify(desk.folder / "cases.audit")
    assert (found.trouble, found.closed) == ((), True)


def test_only_the_owner_reads_a_hotline(desk):
    """Its folder and every file in it but the public key; a folder that is none is told."""
    assert desk.folder.stat().st_mode & 0o777 == 0o700
    for path in desk.folder.iterdir():
        want = {"hotline.pub": 0o644, "hotline.list": 0o700}.get(path.name, 0o600)
        if path.name not in ("settings.toml", "partners.toml"):  # which the test wrote
            assert path.stat().st_mode & 0o777 == want, path
    with pytest.raises(HotlineError, match="hotline create"):
        type(desk).open(desk.folder.parent)
    with pytest.raises(HotlineError, match="not empty"):
        type(desk).create(desk.folder)
