"""What binds an import: terms that only tighten, levels that a file gives its rows."""

import hashlib
import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date

import hypothesis
import pytest
from hypothesis import strategies as st
from list_values import value

from screener.errors import ListError
from screener.lists.exporting import manifest
from screener.lists.hashlist import HashList
from screener.lists.importing import run
from screener.lists.terms import (
    AUDIENCES,
    TLP,
    Terms,
    intersect_terms,
    narrow,
    parse_labels,
    tighten,
)
from screener.system.signatures import read_private_key, sign


@pytest.fixture
def sent(tmp_path, keys):
    """Makes a signed export of sources with terms each, for the own team; gives its path."""

    def make(**terms):
        held = HashList.create(tmp_path / "sent.list")
        for number, (source, said) in enumerate(terms.items()):
            file = tmp_path / f"{source}.csv"
            file.write_text(f"id,md5\n{source},{value(number)}\n")
            held.import_file(file, source=source, terms=said)
        path = tmp_path / "sent.csv"
        held.refresh().export(path, format="csv", audience="own", key=keys[0])
        return path

    return make


SAID = [
    Terms(level, spread)
    for level in (None, "RED", "AMBER+STRICT", "GREEN", "CLEAR")
    for spread in (None, True, False)
]


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_strictest_of_two_allows_nothing_that_one_of_them_forbids(audience):
    """For every pair of terms: what one keeps back, said or not, both together keep back."""
    for one in SAID:
        for other in SAID:
            if one.why_not(audience) or other.why_not(audience):
                assert intersect_terms([one, other]).why_not(audience), (one, other)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_what_is_given_never_loosens_what_is_said(audience):
    """For every pair but where the manifest says neither level nor redistribution."""
    for said in SAID[1:]:
        for given in SAID:
            if said.why_not(audience):
                assert tighten(said, given).why_not(audience), (said, given)


def test_a_source_without_terms_does_not_take_those_of_another_on_the_way(sent, tmp_path, keys):
    """An export of two sources, one without terms, stays with the importer's own team."""
    path = sent(unsaid=None, open=Terms(tlp="CLEAR"))
    back = HashList.create(tmp_path / "back.list")

    back.import_file(path, source="peer", key=keys[1])

    assert back.terms() == {"peer": Terms(tlp="AMBER+STRICT")}
    with pytest.raises(ListError, match="nothing may go on"):
        back.refresh().export(tmp_path / "out.csv", format="csv", audience="clients")


def test_terms_given_with_a_key_only_tighten_the_signed_ones(sent, tmp_path, keys):
    """Field by field the narrower one counts; what was signed and not given stays."""
    signed = Terms("GREEN", False, "2090-12-31", "from the hotline")
    path = sent(hotline=signed)
    for place, (given, kept) in enumerate(
        [
            (Terms("CLEAR", True, "2091-01-01"), signed),
            (Terms("GREEN"), signed),
            (Terms("AMBER"), Terms("AMBER", False, "2090-12-31", "from the hotline")),
            (Terms(None, None, "2089-01-01"), Terms("GREEN", False, "2089-01-01", signed.note)),
        ]
    ):
        back = HashList.create(tmp_path / f"back{place}.list")
        back.import_file(path, source="peer", key=keys[1], terms=given)
        assert back.terms() == {"peer": kept}


def _shared(tmp_path, *levels):
    """A file of ThreatExchange whose descriptors have these levels."""
    items = [
        {
            "id": str(number),
            "indicator": value(number),
            "type": "HASH_MD5",
            "descriptors": {"data": [{"status": "MALICIOUS", "share_level": level}]},
        }
        for number, level in enumerate(levels)
    ]
    path = tmp_path / "shared.json"
    path.write_text(json.dumps({"data": items}))
    return path


REACH = dict(zip(AUDIENCES, ("AMBER+STRICT", "AMBER", "GREEN", "CLEAR"), strict=True))


@pytest.mark.parametrize("audience", AUDIENCES)
def test_trap_one_red_descriptor_does_not_make_its_whole_source_red(tmp_path, audience):
    """Each indicator goes as far as its own level lets it, and no further than its source: what may
    not go on is left out and counted, by reason.
    """
    levels = ["RED", "AMBER", "GREEN", "WHITE", None, "whatever"]
    held = HashList.create(tmp_path / "known.list")
    held.import_file(_shared(tmp_path, *levels), source="peer", terms=Terms("CLEAR", True))
    assert held.terms() == {"peer": Terms("CLEAR", True)}
    assert held.refresh().show("1")[0].terms == {"tlp": "AMBER", "redistribution": True}
    out = tmp_path / "out.csv"

    report = held.refresh().export(out, format="csv", audience=audience)

    level = dict(zip("012345", ("RED", "AMBER", "GREEN", "CLEAR", "CLEAR", "RED"), strict=True))
    goes = {n for n, held_to in level.items() if TLP.index(held_to) >= TLP.index(REACH[audience])}
    assert {line.split(",")[0] for line in out.read_text().splitlines()[1:]} == goes
    stays = Counter(f"TLP:{level[n]}" for n in level.keys() - goes)
    assert dict(report.withheld) == {"peer": dict(stays)}


@pytest.mark.parametrize("level", ["WHITE", "AMBER"])
@pytest.mark.parametrize("said", [None, Terms("AMBER+STRICT"), Terms(None, False)])
def test_the_level_of_a_record_never_loosens_what_its_source_says_or_does_not_say(
    tmp_path, said, level
):
    """Without terms, or with narrower ones, it stays with the own team."""
    held = HashList.create(tmp_path / "known.list")
    held.import_file(_shared(tmp_path, level), source="peer", terms=said)

    with pytest.raises(ListError, match="nothing may go on"):
        held.refresh().export(tmp_path / "out", format="csv", audience="clients")
    out = held.refresh().export(tmp_path / "out", format="csv", audience="own")
    assert sum(out.records.values()) == 1


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_record_is_held_to_the_narrower_of_its_own_terms_and_its_source(audience):
    """For every pair: what either keeps back together they keep back, and nothing else."""
    for source in SAID:
        for record in SAID:
            both = narrow(source, record).why_not(audience) is None
            own = record.tlp is None or TLP.index(record.tlp) >= TLP.index(AUDIENCES[audience])
            own &= audience == "own" or record.redistribution is not False
            assert both == (source.why_not(audience) is None and own), (source, record)


FAR = "2999-12-31"


@pytest.mark.parametrize(
    ("cells", "goes"),
    [
        ({"tlp": "RED"}, False),
        ({"TLP": "tlp:amber+strict"}, False),
        ({"tlp": "AMBER STRICT"}, False),
        ({"Tlp": "white"}, True),
        ({"tlp": "TLP:CLEAR", "share_level": "AMBER"}, False),
        ({"Share Level": "GREEN"}, True),
        ({"tlp": "for friends"}, False),
        ({"tlp": ""}, True),
        ({"expires": "2020-01-01"}, False),
        ({"expires": FAR}, True),
        ({"Expires": "20200101"}, False),
        ({"expires": "4102444800"}, True),
        ({"expires": "soon"}, False),
        ({"redistribution": "no"}, False),
        ({"redistribution": "Yes"}, True),
        ({"redistribution": "ask"}, False),
        ({"tlp": "CLEAR", "expires": "1999-01-01T00:00:00Z"}, False),
    ],
)
@pytest.mark.parametrize("format", ["csv", "tx", "bloom"])
def test_trap_the_columns_tlp_and_expires_of_a_csv_bind(make_list, tmp_path, format, cells, goes):
    """A row goes as far as it says, in every format, and no further than its source; what cannot be
    read is a no. The other rows go as they did.
    """
    terms = Terms("GREEN", True)
    rows = [{"id": "said", "sha256": value(1, 32)} | cells, {"id": "plain", "sha256": value(2, 32)}]
    known = make_list(rows, terms=terms)

    report = known.export(tmp_path / "out", format=format, audience="community")

    assert known.terms() == {"test": terms}
    assert sum(report.records.values()) == 1 + goes
    assert sum(n for why in report.withheld.values() for n in why.values()) == 1 - goes
    content = (tmp_path / "out").read_bytes()
    if format != "bloom":
        assert (value(1, 32).encode() in content, value(2, 32).encode() in content) == (goes, True)
    assert {k.lower(): v for k, v in known.show("said")[0].labels.items()} == {
        k.lower(): v for k, v in cells.items() if v
    }


def test_a_mapping_names_the_columns_that_bind(tmp_path):
    """A contract's own names of them, which are kept under ours."""
    mapping = tmp_path / "contract.toml"
    mapping.write_text(
        '[columns]\nRef = "entry"\nHash = "md5"\nSharing = "tlp"\nEnds = "expires"\n'
    )
    file = tmp_path / "rows.csv"
    file.write_text(f"Ref,Hash,Sharing,Ends\na,{value(1)},RED,\nb,{value(2)},,2001-01-01\n")
    held = HashList.create(tmp_path / "known.list")
    held.import_file(file, source="s", mapping=mapping, terms=Terms("CLEAR"))

    with pytest.raises(ListError, match=r"nothing may go on.*TLP:RED.*expired|expired.*TLP:RED"):
        held.refresh().export(tmp_path / "out", format="tx", audience="public")
    assert held.refresh().show("a")[0].labels == {"tlp": "RED"}


def test_what_single_records_are_held_to_goes_with_them(tmp_path, keys):
    """In a CSV as their labels, so that they bind again; what has no place for labels goes under
    the narrowest of them.
    """
    held = HashList.create(tmp_path / "known.list")
    held.import_file(_shared(tmp_path, "AMBER", "GREEN"), source="s", terms=Terms("GREEN", True))
    for format, known_as, is_narrow in (("csv", ("0", "1"), False), ("tx", (), True)):
        out = tmp_path / f"out.{format}"
        held.refresh().export(out, format=format, audience="clients", key=keys[0])
        back = HashList.create(tmp_path / f"{format}.list")
        back.import_file(out, source="peer", key=keys[1])

        assert back.terms()["peer"].tlp == ("AMBER" if is_narrow else "GREEN")
        for entry, level in zip(known_as, ("AMBER", "GREEN"), strict=False):
            assert back.refresh().show(entry)[0].terms["tlp"] == level


@hypothesis.given(st.dictionaries(st.sampled_from(["tlp", "Expires", "redistribution"]), st.text()))
def test_whatever_a_label_says_it_is_read_as_terms(labels):
    """Any text: it narrows, or says nothing, and never fails."""
    found = parse_labels(labels)

    assert (found is None) == (not labels)
    if found is not None:
        both = narrow(Terms("CLEAR", True), found)
        for audience in AUDIENCES:
            assert both.why_not(audience) or not (found.expires and found.expires < "2020")


def test_the_last_day_of_a_record_is_whole():
    """What ends in the course of a day may not go on during it; at its last second, it may."""
    for text, day in (
        ("2030-06-30", "2030-06-30"),
        ("20300630", "2030-06-30"),
        ("2030-06-30T08:00:00Z", "2030-06-29"),
        ("2030-06-30T23:59:59Z", "2030-06-30"),
        ("2030-06-30T00:00:00+02:00", "2030-06-28"),
        ("2031-01-01\n2030-01-01", "2030-01-01"),
        ("never", "0001-01-01"),
        (" ", None),
    ):
        assert parse_labels({"expires": text}) == Terms(None, None, day)
    assert parse_labels({"note": "RED"}) is None


def test_the_first_of_several_days_counts_however_it_is_written():
    """Days are compared as days."""
    several = [Terms(expires="20300101"), Terms(expires="2029-12-31")]

    assert date.fromisoformat(intersect_terms(several).expires or "").year == 2029


@pytest.fixture
def replayed(tmp_path, keys):
    """Two signed exports of one list, an entry withdrawn between them; the older, the newer."""
    held = HashList.create(tmp_path / "sent.list")
    paths = []
    for name, text in (
        ("older", f"id,md5\na,{value(1)}\nb,{value(2)}\n"),
        ("newer", "id,md5,status\na,,withdrawn\n"),
    ):
        file = tmp_path / f"{name}-rows.csv"
        file.write_text(text)
        held.import_file(file, source="open", terms=Terms("GREEN", True))
        held = held.refresh()
        paths.append(tmp_path / f"{name}.csv")
        held.export(paths[-1], format="csv", key=keys[0])
    return paths


def test_an_older_signed_export_does_not_undo_a_newer_one(replayed, tmp_path, keys):
    """It is refused, says both generations and what to do, and changes nothing; an equal one, and
    another source, are taken.
    """
    older, newer = replayed
    back = HashList.create(tmp_path / "back.list")
    for path in (older, newer, newer):
        back.import_file(path, source="peer", key=keys[1])

    with pytest.raises(ListError, match=r"generation 1 of .* generation 2 .* newer export"):
        back.import_file(older, source="peer", key=keys[1])

    back = back.refresh()
    assert back.show("a")[0].state == "withdrawn"
    assert back.import_file(older, source="another", key=keys[1]).added == 2


def test_trap_a_renamed_folder_hides_no_replay(tmp_path, keys):
    """A list is known by its id, which stays when its folder is renamed or copied; another list is
    another, even under the same name.
    """
    folder = tmp_path / "sent.list"
    held = HashList.create(folder)
    paths = []
    for name, text in (
        ("older", f"id,md5\na,{value(1)}\n"),
        ("newer", "id,md5,status\na,,removed\n"),
    ):
        (tmp_path / "rows.csv").write_text(text)
        held.import_file(tmp_path / "rows.csv", source="open", terms=Terms("GREEN", True))
        paths.append(tmp_path / f"{name}.csv")
        held.refresh().export(paths[-1], format="csv", key=keys[0])
        folder.rename(tmp_path / f"{name}.list")
        folder = tmp_path / f"{name}.list"
        held = HashList.open(folder)
    (tmp_path / "other").mkdir()
    other = HashList.create(tmp_path / "other" / "newer.list")
    (tmp_path / "rows.csv").write_text(f"id,md5\nb,{value(2)}\n")
    other.import_file(tmp_path / "rows.csv", source="open", terms=Terms("GREEN", True))
    other.refresh().export(tmp_path / "other.csv", format="csv", key=keys[0])
    back = HashList.create(tmp_path / "back.list")
    back.import_file(paths[1], source="peer", key=keys[1])

    with pytest.raises(ListError, match="was signed for generation 1"):
        back.import_file(paths[0], source="peer", key=keys[1])

    assert back.import_file(tmp_path / "other.csv", source="peer", key=keys[1]).added == 1


def test_an_import_of_an_older_version_is_compared_by_name(replayed, tmp_path, keys):
    """What it kept of a signed file has no id of a list."""
    older, newer = replayed
    back = HashList.create(tmp_path / "back.list")
    back.import_file(newer, source="peer", key=keys[1])
    with closing(sqlite3.connect(back.path / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE imports SET counts = json_remove(counts, '$.signed.id')")

    with pytest.raises(ListError, match="was signed for generation 1"):
        back.import_file(older, source="peer", key=keys[1])


def test_a_file_without_a_key_onto_a_source_of_signed_ones_is_noted(replayed, tmp_path, keys):
    """It is taken, and whoever imports it is told that nobody checked who wrote it, and when; not
    so of a source that had none, nor of another.
    """
    older, newer = replayed
    back = HashList.create(tmp_path / "back.list")
    assert back.import_file(newer, source="peer").notes == ()
    assert back.import_file(newer, source="peer", key=keys[1]).notes == ()
    assert back.import_file(newer, source="another").notes == ()

    (note,) = back.import_file(older, source="peer").notes

    assert "earlier files of this source were verified by their signature" in note


def test_after_a_purge_an_older_signed_export_is_taken_again(replayed, tmp_path, keys):
    """Nothing is left of the source that it could undo."""
    older, newer = replayed
    back = HashList.create(tmp_path / "back.list")
    back.import_file(newer, source="peer", key=keys[1])
    back.purge("peer", by="ann")

    assert back.import_file(older, source="peer", key=keys[1]).added == 2


@pytest.mark.parametrize("wrong", ["soon", None, [1], True])
def test_a_manifest_without_a_generation_is_refused(sent, tmp_path, keys, wrong):
    """Its signature does not make up for it."""
    path = sent(open=Terms("CLEAR"))
    facts = json.loads(manifest.get_manifest_path(path).read_text())
    text = manifest.encode(facts | {"generation": wrong})
    manifest.get_manifest_path(path).write_bytes(text)
    signature = sign(text, key=read_private_key(keys[0]))
    manifest.get_signature_path(path).write_bytes(signature)

    with pytest.raises(ListError, match="cannot be read"):
        HashList.create(tmp_path / "back.list").import_file(path, source="peer", key=keys[1])


def _text_of_export(known, tmp_path, format="csv", **settings):
    """All that an export for the community says, or nothing where nothing may go on."""
    out = tmp_path / "out"
    try:
        known.refresh().export(out, format=format, **settings)
    except ListError:
        return ""
    return out.read_text()


OPEN = Terms("GREEN", True)


@pytest.mark.parametrize("size", [1, 5000])
def test_trap_a_withdrawal_does_not_shed_the_terms_of_its_record(
    known, put, tmp_path, monkeypatch, size
):
    """By its word, with an id or without one, or by the silence of a full list, and when it is
    repeated: neither the value nor the id of what is RED goes on. A level that it states counts.
    """
    monkeypatch.setattr(run, "_BATCH_ENTRIES", size)
    others = "".join(f"e{n},{value(10 + n)},\n" for n in range(9))
    put(f"id,md5,tlp\nsecret-7,{value(1)},RED\n,{value(2)},RED\n{others}", terms=OPEN)
    put(f"id,md5,status\n,{value(2)},withdrawn\ne0,,withdrawn\n")
    told = _text_of_export(known, tmp_path)
    assert "e0" in told
    assert value(2) not in told
    again = put(f"id,md5,status\n,{value(2)},withdrawn\n")
    assert (again.unchanged, again.generation) == (1, 2)

    put(f"id,md5,tlp\n{others}", full=True)

    for format in ("csv", "ncmec"):
        assert "secret-7" not in _text_of_export(known, tmp_path, format)
    put("id,md5,status\nsecret-7,,withdrawn\n")
    assert "secret-7" not in _text_of_export(known, tmp_path)
    put("id,md5,status\nsecret-7,,withdrawn\n,,withdrawn\nsecret-7,,withdrawn\n")
    assert "secret-7" not in _text_of_export(known, tmp_path)
    report = put("id,md5,status,tlp\nsecret-7,,withdrawn,\nsecret-7,,withdrawn,GREEN\n")
    assert (report.changed, report.repeated) == (1, 1)
    assert "secret-7" in _text_of_export(known, tmp_path)


def test_trap_a_signed_export_for_more_people_does_not_loosen_the_one_before(
    known, put, tmp_path, keys
):
    """The terms of a record that were flattened into its source's hold until a full list; those
    that whoever keeps the list sets by hand are theirs to loosen.
    """
    put(f"id,md5,tlp\na,{value(1)},AMBER\nb,{value(2)},\n", terms=OPEN)
    back = HashList.create(tmp_path / "back.list")

    def receive(audience, **settings):
        sent = tmp_path / f"{audience}.tx"
        known.refresh().export(sent, format="tx", audience=audience, key=keys[0])
        back.import_file(sent, source="peer", key=keys[1], **settings)
        return back.terms()["peer"]

    assert receive("clients").tlp == "AMBER"
    for _ in range(2):
        assert receive("community").tlp == "AMBER"
    assert _text_of_export(back, tmp_path, "tx") == ""
    assert receive("community", full=True, accept_shrink=True).tlp == "GREEN"
    assert value(1) not in _text_of_export(back, tmp_path, "tx")
    back.set_terms("peer", Terms("CLEAR"))
    assert receive("community").tlp == "GREEN"


@pytest.mark.parametrize(
    ("before", "signed", "kept"),
    [
        (None, OPEN, Terms("AMBER+STRICT")),
        (OPEN, None, Terms("AMBER+STRICT")),
        (Terms(None, True), None, Terms()),
        (
            Terms("AMBER", None, "2090-01-01", "old"),
            OPEN,
            Terms("AMBER", None, "2090-01-01", "old"),
        ),
        (OPEN, Terms("GREEN", False, None, "new"), Terms("GREEN", False, None, "new")),
    ],
)
def test_what_is_held_of_a_source_is_not_freed_by_a_manifest(
    sent, known, put, keys, before, signed, kept
):
    """Nor is what a manifest says nothing of freed by what was kept: the strictest holds."""
    put(f"id,md5\nx,{value(9)}\n", source="peer", terms=before)

    known.import_file(sent(hotline=signed), source="peer", key=keys[1])

    assert known.terms().get("peer", Terms()) == kept


@pytest.mark.parametrize("level", [["RED"], {"level": "RED"}, 5, True, ["GREEN"]])
def test_trap_a_level_that_is_no_text_is_red(tmp_path, level):
    """It is said, and cannot be read: the indicator stays, and the others go."""
    held = HashList.create(tmp_path / "known.list")
    held.import_file(_shared(tmp_path, level, "GREEN", None), source="s", terms=Terms("CLEAR"))

    told = _text_of_export(held, tmp_path)

    assert [value(n) in told for n in range(3)] == [False, True, True]


@pytest.mark.parametrize("name", ["tlp", "Share Level", "expires", "T" + " " * 2000 + "LP"])
@pytest.mark.parametrize("said", ["RED " + "x" * 70_000, "x" * 70_000])
def test_trap_a_row_whose_terms_cannot_be_kept_is_set_aside(tmp_path, name, said):
    """It does not go on by leaving them out: not when it is released, nor as a withdrawal, which is
    honoured.
    """
    item = {"hash_digest": "", "algorithm": "MD5", "deleted": False}
    items = [
        item | {"id": "long", "hash_digest": value(1), name: said},
        item | {"id": "plain", "hash_digest": value(2)},
        item | {"id": "gone", "deleted": True, name: said},
    ]
    file = tmp_path / "page.json"
    file.write_text(json.dumps({"count": 3, "next": None, "results": items}))
    known = HashList.create(tmp_path / "known.list")

    report = known.import_file(file, source="s", format="tat", terms=OPEN)

    assert dict(known.refresh().states) == {"confirmed": 1, "withdrawn": 1}
    assert list(report.quarantined.values()) == [1]
    assert value(2) in _text_of_export(known, tmp_path)
    assert "gone" not in _text_of_export(known, tmp_path)
    (row,) = known.refresh().quarantined()[0]
    known.release_rows([row.id], by="ann", reason="the value is sound")
    assert known.refresh().states["confirmed"] == 2
    assert value(1) not in _text_of_export(known, tmp_path)


@pytest.mark.parametrize("known_as", ["", "A" * 32, "a" * 40, "0" * 31 + "\u0660", "x y", 7, None])
def test_trap_a_signed_list_id_is_no_text_of_the_senders_choice(tmp_path, known, keys, known_as):
    """The log tells it: whatever is not of the form of ours is refused, signed or not."""
    file = tmp_path / "a.csv"
    file.write_text(f"id,md5\na,{value(1)}\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    facts = {"terms": {}, "generation": 1, "list": "known", "parts": [{"sha256": digest}]}

    def write(said):
        text = manifest.encode(facts | {"list_id": said})
        manifest.get_manifest_path(file).write_bytes(text)
        key = read_private_key(keys[0])
        manifest.get_signature_path(file).write_bytes(sign(text, key=key))

    write(known_as)
    with pytest.raises(ListError, match=r"the manifest .* cannot be read"):
        known.import_file(file, source="peer", key=keys[1])
    write("0123456789abcdef" * 2)
    assert known.import_file(file, source="peer", key=keys[1]).added == 1


def test_trap_a_field_that_is_null_says_nothing(tmp_path):
    """It is no label: no day on which the record ends, and no level."""
    record = {"signalType": "VideoMD5", "hashValue": value(1), "hashStatus": "Active"}
    nothing = dict.fromkeys(("expires", "tlp", "redistribution", "note"))
    file = tmp_path / "records.json"
    file.write_text(json.dumps({"hashRecords": [record | nothing]}))
    known = HashList.create(tmp_path / "known.list")
    known.import_file(file, source="s", terms=OPEN)

    told = _text_of_export(known, tmp_path)

    assert value(1) in told
    assert "null" not in told


def test_trap_a_newer_row_without_a_column_of_its_terms_does_not_free_its_record(
    known, put, tmp_path
):
    """Nor does an empty cell: what was said holds until something else is said of the same, and a
    file that says nothing changes nothing.
    """
    day = "2999-12-31"
    put(
        f"id,md5,tlp,expires,redistribution\na,{value(1)},RED,{day},no\nb,{value(2)},,,\n",
        terms=OPEN,
    )
    for text in (f"id,md5,note\na,{value(1)},x\n", f"id,md5,tlp,note\na,{value(1)},,y\n"):
        put(text)
        assert value(1) not in _text_of_export(known, tmp_path)
        assert put(text).unchanged == 1
    assert known.refresh().show("a")[0].labels == {
        "tlp": "RED", "expires": day, "redistribution": "no", "note": "y"
    }  # fmt: skip

    put(f"id,md5,Share Level\na,{value(1)},GREEN\n")
    assert value(1) not in _text_of_export(known, tmp_path)
    assert known.refresh().show("a")[0].terms["tlp"] == "GREEN"
    put(f"id,md5,redistribution\na,{value(1)},yes\n")
    assert value(1) in _text_of_export(known, tmp_path)
