"""Concerns about cases, and cases that only hashes identify."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hotline_case import IMAGES, NOON, item_of, make_desk, report_of, take

from screener import HashList
from screener.errors import HotlineError, ListError
from screener.hotline import trusted_terms
from screener.hotline.casebook import assessing
from screener.hotline.desk import Desk
from screener.hotline.model.case import ListMatch
from screener.hotline.model.report import Withdrawal
from screener.hotline.pages.figures import figures
from screener.hotline.reports import own_media
from screener.hotline.reports.sealed import Secret
from screener.lists.terms import Terms

PAGE = "https://x.example/1"


@pytest.fixture(scope="module")
def item():
    """Return the item of a picture."""
    return item_of(IMAGES / "alley.jpg")


@pytest.fixture
def trusted(tmp_path, item):
    """Return a list that has the picture confirmed and may be passed on."""
    (pdq,) = (one for one in item.upright_hashes if one.kind.name == "pdq")
    file = tmp_path / "trusted.csv"
    file.write_text(f"id,pdq,status\nt1,{pdq.text},confirmed\n")
    folder = tmp_path / "trusted.list"
    HashList.create(folder).import_file(file, source="iwf", terms=Terms(tlp="CLEAR"))
    return folder


def assessed(desk, reference, **fields):
    """Let two people assess a case as illegal."""
    desk.assess(reference, by="amina", outcome="illegal", reason="x", at=NOON, **fields)
    return desk.assess(reference, by="badr", outcome="illegal", reason="x", at=NOON)


def answer(desk, sent, event, hour, *, ahead=0):
    """Write a partner's answer, by a clock that is some hours ahead."""
    facts = {"schema": "screener-acknowledgement/1", "notice": sent.notice, "event": event}
    facts |= {"at": (NOON + timedelta(hours=hour + ahead)).isoformat(), "by": "duty"}
    folder = desk.folder / "to" / sent.partner / "acknowledgements"
    (folder / f"{event}-{hour}.json").write_text(json.dumps(facts))
    desk.acknowledge(by="amina", at=NOON + timedelta(hours=hour))


def test_a_trusted_list_is_opened_once_for_all_its_matches(tmp_path, trusted, monkeypatch):
    """A list without a match is not opened."""
    file = tmp_path / "more.csv"
    lines = [f"t{n},{n:032x},{'seed' if n % 2 else 'confirmed'}" for n in range(2, 22)]
    file.write_text("\n".join(["id,md5,status", *lines]))
    HashList.open(trusted).import_file(file, source="iwf")
    known = [ListMatch("trusted", "iwf", f"t{n}", "confirmed", "md5", 0) for n in range(1, 30)]
    opened, open_list = [], assessing.open_list
    monkeypatch.setattr(
        assessing, "open_list", lambda path: (opened.append(path), open_list(path))[1]
    )
    settings = SimpleNamespace(trusted=(trusted, tmp_path / "other.list"))

    found = assessing.read_confirmed_hashes(SimpleNamespace(list_matches=known), settings)

    origins = [one.origin for one in found]
    assert origins == [f"trusted: iwf/t{n}" for n in (1, *range(2, 22, 2))]
    assert opened == [trusted]


def test_a_refusal_by_every_partner_is_a_concern_while_the_clock_runs(tmp_path):
    """Another partner can be asked, and a removal ends the case."""
    desk = make_desk(tmp_path / "hotline")
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    assessed(desk, taken.case, basis="seen")
    found = desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON)
    assert desk.concerns(found) == []

    answer(desk, found.sent[0], "refused", 1)

    found = desk.case(taken.case)
    assert found.state == "notified"
    assert [one.reference for one in desk.overdue(at=NOON + timedelta(hours=25))] == [taken.case]
    (output,) = desk.concerns(found)
    assert "have refused: meta" in output
    found = desk.notify(taken.case, "tiktok", by="amina", reason="x", at=NOON)
    assert desk.concerns(found) == []
    answer(desk, next(one for one in found.sent if one.partner == "tiktok"), "removed", 2)
    (output,) = desk.concerns(desk.case(taken.case))  # one has removed it, and one does not
    assert "have refused: meta" in output
    answer(desk, found.sent[0], "removed", 3)
    assert desk.case(taken.case).state == "removed"
    assert desk.concerns(desk.case(taken.case)) == []


def test_the_latest_answer_of_a_partner_counts(tmp_path):
    """A restored item opens the case again, and a removal after it closes it, however often files
    are read.
    """
    desk = make_desk(tmp_path / "hotline")
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    assessed(desk, taken.case, basis="seen")
    sent = desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON).sent[0]

    def stands():
        found = desk.case(taken.case)
        (one,) = found.sent
        late = bool(desk.overdue(at=NOON + timedelta(hours=25)))
        return found.state, one.removed, one.refused, late, bool(desk.concerns(found))

    def at(hour):
        return NOON + timedelta(hours=hour)

    answer(desk, sent, "removed", 1)
    answer(desk, sent, "removed", 2)
    assert stands() == ("removed", at(1), None, False, False)
    answer(desk, sent, "refused", 3)
    assert stands() == ("notified", None, at(3), True, True)
    (figure,) = figures(desk.cases(), now=at(25)).partners.values()
    assert (figure.removed, figure.refused, figure.share) == (0, 1, 0.0)
    answer(desk, sent, "removed", 4)
    assert stands() == ("removed", at(4), None, False, False)
    assert desk.acknowledge(by="amina", at=at(5)).new == ()
    assert stands() == ("removed", at(4), None, False, False)
    answer(desk, sent, "refused", 6, ahead=0.05)
    answer(desk, sent, "removed", 6.01, ahead=0.05)
    answer(desk, sent, "refused", 6.02, ahead=0.05)
    assert stands() == ("notified", None, at(6.07), True, True)
    assert desk.acknowledge(by="amina", at=at(7)).new == ()


def test_the_latest_answer_counts_if_the_partners_clock_is_behind(tmp_path):
    """Also minutes before the notice; no duration is negative."""
    desk = make_desk(tmp_path / "hotline")
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    assessed(desk, taken.case, basis="seen")
    sent = desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON).sent[0]

    answer(desk, sent, "removed", 0.01, ahead=-0.05)
    removed = figures(desk.cases(), now=NOON).all
    answer(desk, sent, "refused", 0.02, ahead=-0.05)

    assert (removed.in_time, removed.median) == (1, timedelta(0))
    found = desk.case(taken.case)
    assert (found.state, found.sent[0].removed) == ("notified", None)


@pytest.mark.parametrize("late", [[], ["tiktok"]])
def test_a_case_closed_by_hand_stays_closed(tmp_path, late):
    """Whatever partners answer later."""
    desk = make_desk(tmp_path / "hotline")
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    assessed(desk, taken.case, basis="seen")
    desk.notify(taken.case, "tiktok", by="amina", reason="x", at=NOON)
    sent = desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON).sent
    meta = next(one for one in sent if one.partner == "meta")
    answer(desk, meta, "removed", 1)
    desk.close(taken.case, state="removed", by="amina", reason="x", at=NOON + timedelta(hours=2))

    for one in sent:
        if one.partner in late:
            answer(desk, one, "removed", 2.5)
    answer(desk, meta, "refused", 3)

    found = desk.case(taken.case)
    assert found.state == "removed"
    assert [one.partner for one in found.sent if one.refused] == ["meta"]


@pytest.mark.parametrize("how", ["withdrawn", "not trusted", "gone"])
def test_a_lost_confirmation_is_a_concern_and_stops_notices(tmp_path, trusted, item, how):
    """Until somebody reverses the case."""
    desk = make_desk(tmp_path / "hotline", trusted=[trusted])
    (taken,) = take(desk, report_of(item))
    found = assessed(desk, taken.case, basis="known")
    assert desk.concerns(found) == []
    desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON)
    if how == "withdrawn":
        gone = tmp_path / "gone.csv"
        gone.write_text("id,pdq,status\nt1,,withdrawn\n")
        HashList.open(trusted).import_file(gone, source="iwf")
    elif how == "not trusted":
        path = desk.folder / "settings.toml"
        path.write_text('analysts = ["amina", "badr", "chloé"]\n')
    else:
        trusted.rename(tmp_path / "elsewhere.list")

    (output,) = desk.concerns(desk.case(taken.case))

    assert taken.case in output
    assert ("Could not check" if how == "gone" else "trusted: iwf/t1") in output
    with pytest.raises(HotlineError, match=taken.case):
        desk.notify(taken.case, "tiktok", by="amina", reason="x", at=NOON)
    assert desk.own_list.matchable
    if how == "withdrawn":
        desk.reverse(taken.case, by="amina", reason="taken off the list", at=NOON)
        assert desk.concerns(desk.case(taken.case)) == []
        assert not desk.own_list.matchable


@pytest.mark.parametrize("how", ["source", "record"])
def test_narrowed_terms_of_a_trusted_list_apply_from_the_next_opening(tmp_path, trusted, item, how):
    """No partner and no export gets the hash until the list allows it again."""
    desk = make_desk(tmp_path / "hotline", trusted=[trusted])
    path = desk.folder / "partners.toml"
    path.write_text(path.read_text("utf-8").replace('"GREEN"', '"CLEAR"'), "utf-8")
    (taken,) = take(desk, report_of(item))
    assessed(desk, taken.case, basis="known")
    text = (tmp_path / "trusted.csv").read_text()

    def said(level):
        file = tmp_path / f"{level}.csv"
        if how == "record":
            labelled = text.replace("status\n", "status,tlp\n").rstrip() + f",{level}\n"
            file.write_text(labelled)
            HashList.open(trusted).import_file(file, source="iwf")
        else:
            HashList.open(trusted).set_terms("iwf", Terms(tlp=level))
        return Desk.open(desk.folder)

    def exported(again):
        try:
            done = again.own_list.export(tmp_path / "out.csv", format="csv", audience="clients",
                                         sources=["hotline"])  # fmt: skip
        except ListError:
            return False
        return bool(done.records)

    assert exported(desk)
    again = said("RED")
    assert again.own_list.matchable
    assert not exported(again)
    with pytest.raises(HotlineError, match="no hash that may go"):
        again.notify(taken.case, "meta", by="amina", reason="x", at=NOON)
    again = said("AMBER")
    assert exported(again)
    again.notify(taken.case, "meta", by="amina", reason="x", at=NOON)
    (notice,) = (desk.folder / "to/meta").glob("N-*/notice.json")
    assert json.loads(notice.read_text())["tlp"] == "AMBER"


def test_unchanged_trusted_lists_are_not_read_again(tmp_path, trusted, item, monkeypatch):
    """An opening compares their generation and terms."""
    desk = make_desk(tmp_path / "hotline", trusted=[trusted])
    (taken,) = take(desk, report_of(item))
    assessed(desk, taken.case, basis="known")
    Desk.open(desk.folder)
    asked = []
    monkeypatch.setattr(
        trusted_terms.assessing, "read_confirmed_hashes", lambda *_: asked.append(1) or []
    )
    Desk.open(desk.folder)
    assert asked == []
    HashList.open(trusted).set_terms("iwf", Terms(tlp="RED"))
    Desk.open(desk.folder)
    assert asked == [1]


def test_a_case_known_by_hashes_sends_no_address(tmp_path, trusted, item):
    """Anybody may have reported a page beside a known picture. Two people who saw it can say so."""
    desk = make_desk(tmp_path / "hotline", trusted=[trusted])
    text = (desk.folder / "partners.toml").read_text(encoding="utf-8")
    (taken,) = take(desk, report_of(item, addresses=("https://innocent.example",)))
    found = assessed(desk, taken.case, basis="known")
    assert (found.addresses_seen, found.addresses) == (False, ("https://innocent.example",))

    desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON)

    (notice,) = (desk.folder / "to/meta").glob("N-*")
    fields = json.loads((notice / "notice.json").read_text())
    assert fields["addresses"] == []
    assert [one["kind"] for one in fields["hashes"]] == ["pdq"]
    assert "innocent" not in "".join(path.read_text("utf-8") for path in notice.iterdir())
    with pytest.raises(HotlineError, match="nobody has seen the addresses"):
        desk.notify(taken.case, "tiktok", by="amina", reason="x", at=NOON)  # takes MD5 alone
    assert text == (desk.folder / "partners.toml").read_text(encoding="utf-8")
    # Reported anew, the page has a case of its own, which somebody looks at.
    same, bare = take(desk, report_of(item, addresses=("https://innocent.example",)),
                      report_of(item))  # fmt: skip
    assert (same.status, desk.case(same.case).related) == ("new", (taken.case,))
    assert bare.status == "joined"
    assert assessed(desk, same.case, basis="seen").addresses_seen


def test_a_first_opinion_by_a_list_can_be_replaced_by_seen(tmp_path, trusted, item, monkeypatch):
    """While the case is open."""
    desk = make_desk(tmp_path / "hotline", trusted=[trusted])
    (taken,) = take(desk, report_of(item, addresses=(PAGE,)))
    desk.assess(taken.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
    monkeypatch.setattr(own_media, "hash_intact_files", lambda files: ((item,), ()))
    assert assessed(desk, taken.case, basis="seen").addresses_seen
    desk.notify(taken.case, "meta", by="amina", reason="x", at=NOON)
    (fields,) = (desk.folder / "to/meta").glob("N-*/notice.json")
    assert json.loads(fields.read_text())["addresses"] == [PAGE]


def test_matches_of_a_withdrawn_report_are_no_basis(tmp_path, trusted, item):
    """Those of other reports of the case still are."""
    desk = make_desk(tmp_path / "hotline", trusted=[trusted])
    mine, theirs = Secret.make(), Secret.make()
    (taken, *_) = take(
        desk, report_of(addresses=(PAGE,)), report_of(item, addresses=(PAGE,), secret=mine),
        report_of(item, addresses=(PAGE,), secret=theirs),
    )  # fmt: skip
    take(desk, Withdrawal(mine.withdrawal))
    assert {one.entry for one in desk.case(taken.case).list_matches} == {"t1"}
    take(desk, Withdrawal(theirs.withdrawal))
    assert desk.case(taken.case).list_matches == ()
    with pytest.raises(HotlineError, match="no trusted list"):
        desk.assess(taken.case, by="amina", outcome="illegal", basis="known", reason="x", at=NOON)
