"""Assessing: two analysts decide what is illegal and matches."""

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

from screener import HashList, Screener
from screener.errors import HotlineError, ScreenerError
from screener.hotline.casebook.assessing import is_same_item


def test_the_first_analyst_may_assess_again_with_a_file(desk, pictures, items, monkeypatch):
    """Otherwise an item without a file could never be confirmed."""
    (taken,) = take(desk, report_of(items["picture"]))
    desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    illegal(desk, taken.case, monkeypatch, items["picture"])
    assert verdict(desk, pictures["picture"]) == "match"


def test_a_first_opinion_of_a_former_analyst_can_be_replaced(desk, pictures, items, monkeypatch):
    """Another person assesses it anew, with a basis and files, and a third one confirms."""
    (taken,) = take(desk, report_of(items["picture"]))
    desk.assess(taken.case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    path = desk.folder / "settings.toml"
    path.write_text(path.read_text("utf-8").replace('"amina", ', ""), "utf-8")

    with pytest.raises(
        HotlineError,
        match=r"no longer one of the analysts in .*settings.toml: assess it with a basis",
    ):
        desk.assess(taken.case, by="badr", outcome="illegal", reason="x", at=NOON)
    monkeypatch.setattr(
        "screener.hotline.reports.own_media.hash_intact_files",
        lambda files: ((items["picture"],), ()),
    )
    updated = desk.assess(
        taken.case, by="badr", outcome="illegal", basis="seen", reason="x", at=NOON
    )
    assert (updated.state, updated.proposed_by) == ("received", "badr")
    assert verdict(desk, pictures["picture"]) != "match"
    done = desk.assess(taken.case, by="chloé", outcome="illegal", reason="x", at=NOON)
    assert done.state == "assessed"
    assert verdict(desk, pictures["picture"]) == "match"


def test_a_clip_is_confirmed_by_most_of_its_frames_or_its_bytes(items):
    """Not by another clip, nor by a picture of it."""
    codes = clips.scenes(40, seed=1)
    held = clip_of(codes).upright_hashes
    assert is_same_item(clip_of(clips.near(codes, 10, seed=2)), held)
    assert not is_same_item(clip_of(clips.scenes(40, seed=3)), held)
    assert not is_same_item(items["picture"], held)
    assert is_same_item(items["mirrored"], items["picture"].upright_hashes)
    digest = [one for one in items["picture"].upright_hashes if one.kind.name == "md5"]
    assert is_same_item(items["picture"], digest)
    assert not is_same_item(items["mirrored"], digest)


def test_an_item_matches_after_two_people_confirmed_it(desk, pictures, items, monkeypatch):
    """Two authorised people, a basis, and the hotline's own hashes; in any orientation."""
    (taken,) = take(desk, report_of(items["picture"]))
    case = taken.case
    with monkeypatch.context() as patched:
        patched.setattr(
            "screener.hotline.reports.own_media.hash_intact_files",
            lambda files: ((items["smaller"],), ()),
        )
        desk.assess(case, by="amina", outcome="illegal", basis="seen", reason="x", at=NOON)
    generation = desk.own_list.generation
    for by in ("amina", " Amina", "AMINA"):
        with pytest.raises(HotlineError, match=f"second person .* in {desk.folder}/settings.toml"):
            desk.assess(case, by=by, outcome="illegal", reason="me again", at=NOON)
    for by in ("dina", "badr2"):
        with pytest.raises(HotlineError, match=f"analyst: {desk.folder}/settings.toml names"):
            desk.assess(case, by=by, outcome="illegal", reason="I say so", at=NOON)
    with pytest.raises(HotlineError, match="adds nothing"):
        desk.assess(case, by="badr", outcome="illegal", basis="known", reason="x", at=NOON)
    assert (desk.case(case).state, desk.case(case).outcome) == ("received", None)
    assert desk.own_list.generation == generation
    assert verdict(desk, pictures["mirrored"]) != "match"

    for shown in ((), (items["other"],), (items["mirrored"], items["other"])):
        with monkeypatch.context() as patched:
            patched.setattr(
                "screener.hotline.reports.own_media.hash_intact_files",
                lambda files, made=shown: (made, ()),
            )
            with pytest.raises(HotlineError, match=r"first person hashed|adds nothing"):
                desk.assess(case, by="badr", outcome="illegal", reason="y", at=NOON)
    assert not desk.own_list.matchable

    with monkeypatch.context() as patched:
        patched.setattr(
            "screener.hotline.reports.own_media.hash_intact_files",
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
    assert {one.value for one in shown.hashes} == {
        one.text for one in items["smaller"].upright_hashes
    }
    for name in ("picture", "mirrored", "smaller"):
        assert verdict(desk, pictures[name]) == "match"
    assert verdict(desk, pictures["other"]) != "match"


def test_illegal_needs_a_basis(desk, items):
    """Seen, or confirmed in a trusted list."""
    (taken,) = take(desk, report_of(items["picture"]))
    with pytest.raises(HotlineError, match="basis"):
        desk.assess(taken.case, by="amina", outcome="illegal", reason="x", at=NOON)
    with pytest.raises(HotlineError, match="no trusted list"):
        desk.assess(taken.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    assert desk.case(taken.case).events[-1].reason == "reported"


@pytest.mark.parametrize("outcome", ["not illegal", "legal", "", None, True, ["not_illegal"]])
def test_a_mistyped_outcome_confirms_nothing(desk, items, monkeypatch, outcome):
    """Neither as the first opinion nor as the second."""
    (taken,) = take(desk, report_of(items["picture"]))
    fields = {"reason": "x", "basis": "seen", "at": NOON}
    for by in ("amina", "badr"):
        with pytest.raises(ValueError, match="an outcome must be one of illegal, not_illegal, not"):
            desk.assess(taken.case, by=by, outcome=outcome, **fields)
        if by == "amina":
            desk.assess(taken.case, by=by, outcome="illegal", **fields)
    assert desk.case(taken.case).state == "received"
    assert desk.own_list.states.get("confirmed", 0) == 0


def test_an_unknown_state_or_basis_is_refused(desk, items):
    """A mistyped state would find no case, and a mistyped basis would count as `known`."""
    (taken,) = take(desk, report_of(items["picture"]))

    with pytest.raises(ValueError, match=r"a state must be one of received, .* 'open'"):
        desk.cases("open")
    with pytest.raises(ValueError, match="a basis must be one of seen, known"):
        desk.assess(taken.case, by="amina", outcome="illegal", reason="x", basis="guessed")
    assert [event.state for event in desk.case(taken.case).events] == ["received"]


def test_only_confirmed_records_of_trusted_lists_are_a_basis(tmp_path, items):
    """Not seeds, disputed records, our own opinion there, or other lists. The trusted list's hash
    is then listed under its terms.
    """
    blank = f"t1,{'0' * 62}ff,,confirmed"
    rows = [row(items["picture"], "t1"), blank, row(items["other"], "t2", "seed")]
    trusted = make_list(tmp_path / "trusted.list", rows, "iwf")
    HashList.open(trusted).give_opinion("t2", state="confirmed", by="amina", reason="x")
    looked = make_list(tmp_path / "looked.list", [row(items["other"], "l1")], "other")
    desk = make_desk(tmp_path / "hotline", trusted=[trusted], lists=[looked])

    known, unknown = take(desk, report_of(items["smaller"]), report_of(items["other"]))

    assert [
        (k.list, k.source, k.entry, k.state) for k in known.list_matches if k.kind == "pdq"
    ] == [("trusted", "iwf", "t1", "confirmed")]
    assert {(k.list, k.state) for k in unknown.list_matches} == {
        ("trusted", "confirmed"), ("looked", "confirmed")
    }  # fmt: skip
    with pytest.raises(HotlineError, match="no trusted list"):
        desk.assess(unknown.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    desk.assess(known.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    found = desk.assess(known.case, by="badr", outcome="illegal", reason="x", at=NOON)
    assert "iwf/t1" in found.basis
    (shown,) = desk.own_list.show(f"{known.case}/item", values=True)
    assert [one.value for one in shown.hashes] == [row(items["picture"], "").split(",")[1]]
    assert shown.terms["tlp"] == "AMBER+STRICT"
    with pytest.raises(ScreenerError, match="no address, and no hash"):
        desk.notify(known.case, "meta", by="amina", reason="x", at=NOON)


@pytest.mark.parametrize("how", ["withdrawn", "doubted"])
def test_a_record_withdrawn_before_the_second_opinion_is_no_basis(tmp_path, items, how):
    """By its source, or by one of us who doubts it."""
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

    with pytest.raises(HotlineError, match="no trusted list"):
        desk.assess(taken.case, by="badr", outcome="illegal", reason="x", at=NOON)

    assert not desk.own_list.matchable


def test_disagreeing_analysts_leave_the_case_open(desk, items, monkeypatch):
    """Nothing is listed. One person alone can assess as not illegal, which withdraws the seeds."""
    (taken,) = take(desk, report_of(items["picture"]))
    with monkeypatch.context() as patched:
        patched.setattr(
            "screener.hotline.reports.own_media.hash_intact_files",
            lambda files: ((items["other"],), ()),
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


def test_a_reversal_ends_matches_at_once_and_for_good(desk, pictures, items, monkeypatch):
    """One analyst suffices; later reports do not restore the records."""
    (taken,) = take(desk, report_of(items["picture"]))
    illegal(desk, taken.case, monkeypatch, items["picture"])
    engine = Screener(desk.own_list)
    assert verdict(desk, pictures["picture"]) == "match"
    with pytest.raises(HotlineError, match="not an authorised analyst"):
        desk.reverse(taken.case, by="dina", reason="x")

    desk.reverse(taken.case, by="chloé", reason="a film still", at=NOON)

    assert str(engine.refresh().screen(pictures["picture"]).verdict) != "match"
    assert set(listed(desk).values()) == {"withdrawn"}
    assert desk.case(taken.case).state == "refused"
    take(desk, report_of(items["picture"]))
    assert verdict(desk, pictures["picture"]) != "match"
    with pytest.raises(HotlineError, match="nothing to take back"):
        desk.reverse(taken.case, by="chloé", reason="again")
