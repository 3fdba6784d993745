"""Exports: terms bind them, manifests describe and sign them, and they leak no hash."""

import hashlib
import io
import json
import os
import sqlite3
import stat
import tracemalloc
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from list_values import value
from rich.console import Console

from screener.cli import list_text
from screener.errors import ListError
from screener.lists.exporting import export
from screener.lists.exporting.bloom_filter import EdgeFilter
from screener.lists.hashlist import HashList
from screener.lists.terms import AUDIENCES, TLP, Terms, intersect_terms

FORMATS = ["csv", "tx", "ncmec", "vics", "hma", "bloom"]


@pytest.fixture
def known(tmp_path):
    """Return a list of two sources: `open` allows exports, `closed` does not."""
    made = HashList.create(tmp_path / "known.list")
    for source, first in (("open", 0), ("closed", 100)):
        file = tmp_path / f"{source}.csv"
        rows = [
            f"{source}{n},{value(n, 32)},{value(n)},{value(n, 32)}" for n in range(first, first + 3)
        ]
        file.write_text("id,pdq,md5,sha256\n" + "\n".join(rows) + "\n")
        terms = Terms(tlp="GREEN", redistribution=source == "open")
        made.import_file(file, source=source, terms=terms)
    return made.refresh()


def manifest(path):
    """Return the manifest beside a file."""
    return json.loads(path.with_name(f"{path.name}.manifest.json").read_text())


@pytest.mark.parametrize("format", FORMATS)
def test_the_terms_of_each_source_bind_every_format(known, tmp_path, format):
    """No byte of `closed` is in the file, and its records are counted as withheld, by reason."""
    path = tmp_path / "out"

    report = known.export(path, format=format, categories={})

    content = path.read_bytes().lower()
    assert dict(report.withheld) == {"closed": {"not for redistribution": 3}}
    for number in range(100, 103):
        assert b"closed" not in content
        assert value(number).encode() not in content
    if format == "bloom":
        held = EdgeFilter.open(path)
        assert [held.may_contain(value(n, 32)) for n in (0, 1, 2, 100, 101)] == [True] * 3 + [
            False
        ] * 2
    else:
        assert all(value(n).encode() in content for n in range(3))
    assert sum(report.records.values()) == 3


@pytest.mark.parametrize("audience", AUDIENCES)
def test_trap_a_manifest_says_nothing_of_what_is_withheld(known, tmp_path, audience):
    """Neither names nor counts of withheld sources are in it; they are in the report."""
    known.set_terms("open", Terms("CLEAR", True))
    known.set_terms("closed", Terms("RED"))

    report = known.export(tmp_path / "out.csv", format="csv", audience=audience)

    assert set(report.withheld) == {"closed"}
    assert "closed" not in (tmp_path / "out.csv.manifest.json").read_text()
    assert list(manifest(tmp_path / "out.csv")["terms"]) == ["open"]
    assert not any("withheld" in name for name in manifest(tmp_path / "out.csv"))


@pytest.mark.parametrize("format", FORMATS)
def test_where_nothing_may_go_on_nothing_is_written(known, tmp_path, format):
    """The message says why and what to do; neither a file nor a manifest appears."""
    with pytest.raises(ListError, match=r"nothing may go on.*closed: not for redistribution"):
        known.export(tmp_path / "out", format=format, sources=["closed"], categories={})

    assert not [name for name in os.listdir(tmp_path) if name.startswith((".out", "out"))]


@pytest.mark.parametrize("format", ["bloom", "ncmec", "vics"])
def test_what_has_a_place_for_none_of_the_hashes_is_refused(make_list, tmp_path, format):
    """Looking up in such a file would clear everything, as in a SHA-256 filter of a list of PDQ."""
    one, out = make_list([{"id": "a", "phash": "0f" * 8}]), tmp_path / "out"
    wanted = {"format": format, "audience": "own", "categories": {}}

    with pytest.raises(ListError, match="none has a hash for this"):
        one.export(out, **wanted)
    assert not list(tmp_path.glob("*out*"))

    (tmp_path / "gone.csv").write_text("id,phash,status\na,,removed\n")
    one.import_file(tmp_path / "gone.csv", source="test")
    report, told = one.refresh().export(out, **wanted), Console(file=io.StringIO(), width=200)
    list_text.print_export(told, report)
    assert "the file holds no hash" in told.file.getvalue()
    assert out.exists()


def test_a_source_without_terms_is_for_the_own_team_only(make_list, tmp_path):
    """By default only the own team's export has its records."""
    one = make_list([{"id": "a", "md5": value(1)}])

    for audience in ("clients", "community", "public"):
        with pytest.raises(ListError, match="nothing may go on"):
            one.export(tmp_path / "out", format="csv", audience=audience)
    assert one.export(tmp_path / "out", format="csv", audience="own").records == {"confirmed": 1}


@pytest.mark.parametrize("level", TLP)
@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_traffic_light_decides_how_far_it_goes(level, audience):
    """RED nowhere, AMBER+STRICT to the own team, AMBER to clients, GREEN to peers, CLEAR to all."""
    reach = {"RED": 0, "AMBER+STRICT": 1, "AMBER": 2, "GREEN": 3, "CLEAR": 4}[level]

    allowed = Terms(tlp=level).why_not(audience) is None

    assert allowed == (list(AUDIENCES).index(audience) < reach)
    assert Terms(tlp=level, redistribution=False).why_not("clients") == "not for redistribution"


def test_what_has_expired_goes_nowhere():
    """The last day still counts; after it not even the own team gets it."""
    terms = Terms(tlp="CLEAR", expires="2030-06-30")

    assert terms.why_not("public", today=date(2030, 6, 30)) is None
    assert terms.why_not("own", today=date(2030, 7, 1)) == "expired"


def test_an_older_name_of_a_level_is_understood_and_another_refused():
    """WHITE is CLEAR, and a prefix is accepted; invalid levels, days and flags are refused."""
    assert Terms(tlp="tlp:white").tlp == "CLEAR"
    for wrong in ({"tlp": "PINK"}, {"expires": "soon"}, {"redistribution": "no"}):
        with pytest.raises(ListError):
            Terms(**wrong)


def test_a_day_has_one_form():
    """It may be written as a `date` or otherwise; invalid days and levels are refused."""
    for day in ("2031-01-06", "20310106", "2031-W02-1", date(2031, 1, 6)):
        assert Terms(expires=day) == Terms(expires="2031-01-06")
    for wrong in ({"expires": 2031}, {"expires": "2031-13-01"}, {"tlp": 3}, {"tlp": "PINK"}):
        with pytest.raises(ListError, match=f"{next(iter(wrong))} must be "):
            Terms(**wrong)


def test_the_strictest_of_several_terms():
    """The narrowest level, no if one says no, and the first day."""
    several = Terms("GREEN", True, "2031-01-01"), Terms("AMBER", False), Terms(None, True)

    assert intersect_terms(several) == Terms("AMBER", False, "2031-01-01")
    assert intersect_terms([Terms("GREEN", True), Terms("CLEAR")]).redistribution is None


def test_an_export_writes_over_nothing_but_an_export(known, tmp_path):
    """Not over the file that a source gave, which has what we withhold, nor in the place of a
    device; over an earlier export and over an empty file it does.
    """
    given, out, pipe = tmp_path / "open.csv", tmp_path / "out.csv", tmp_path / "pipe"
    before, files = given.read_bytes(), set(tmp_path.iterdir())

    with pytest.raises(ListError, match="not exported by screener"):
        known.export(given, format="csv")
    assert (given.read_bytes(), set(tmp_path.iterdir())) == (before, files)
    os.mkfifo(pipe)
    with pytest.raises(ListError, match="it is not a regular file"):
        known.export(pipe, format="csv")
    assert pipe.is_fifo()
    out.touch()
    for sources in ("open", None):
        known.export(out, format="csv", audience="own", sources=sources)
    assert out.read_text().count("closed1") == 3


def test_an_export_is_not_written_into_the_list_itself(known, tmp_path):
    """The list's lock and log are empty files, which an export may be written over elsewhere; and
    what a purge is to erase must not lie beside it. A link to the folder is the folder.
    """
    (tmp_path / "link").symlink_to(known.path)
    before = sorted(known.path.rglob("*"))

    for out in (known.path / "lock", known.path / "out.csv", tmp_path / "link" / "out.csv"):
        with pytest.raises(ListError, match="in the list's own folder"):
            known.export(out, format="csv", audience="own")
    assert sorted(known.path.rglob("*")) == before
    assert (known.path / "lock").stat().st_size == 0


def test_an_export_is_of_the_sources_that_are_named(known, tmp_path):
    """One source may be exported alone; an empty selection is refused, not all exported."""
    out = tmp_path / "out.csv"

    with pytest.raises(ListError, match="no source to export is named"):
        known.export(out, format="csv", audience="own", sources=[])
    assert not out.exists()
    known.export(out, format="csv", audience="own", sources="open")
    one = out.read_bytes()
    known.export(out, format="csv", audience="own", sources=["open"])
    assert out.read_bytes() == one


def test_terms_come_from_a_file_and_stay_until_said_otherwise(known, tmp_path):
    """A TOML file with the same keys; a later import without terms leaves them."""
    file = tmp_path / "terms.toml"
    file.write_text('tlp = "AMBER"\nexpires = 2031-01-01\nnote = "contract 7"\n')

    known.set_terms("open", Terms.load(file), by="ann")

    assert known.terms()["open"] == Terms("AMBER", True, "2031-01-01", "contract 7")
    set_ = known.refresh().log()[-1]
    assert (set_.what, set_.by) == ("terms", "ann")
    assert set_.note == "open: tlp AMBER, expires 2031-01-01"
    assert (known.refresh().generation, known.refresh().states) == (
        known.generation + 1,
        known.states,
    )
    file.write_text('tpl = "AMBER"\n')
    with pytest.raises(ListError, match="tpl"):
        Terms.load(file)


def test_several_sources_in_one_file_keep_their_entries_apart(known, tmp_path):
    """The same entry of two sources is two entries, named by source."""
    known.set_terms("closed", Terms(redistribution=True))

    report = known.export(tmp_path / "out.csv", format="csv")
    back = HashList.create(tmp_path / "back.list")
    back.import_file(tmp_path / "out.csv", source="team")

    assert sum(report.records.values()) == 6
    assert back.refresh().show("open/open1")[0].source == "team"


def test_sources_with_a_slash_keep_their_entries_apart(tmp_path):
    """`hma` has an entry `BANK/17` and `hma/BANK` an entry `17`: they stay distinct."""
    known = HashList.create(tmp_path / "known.list")
    for source, row in (("hma", f"BANK/17,{value(1)},"), ("hma/BANK", f"17,{value(2)},withdrawn")):
        (tmp_path / "in.csv").write_text(f"id,md5,status\n{row}\n")
        known.import_file(tmp_path / "in.csv", source=source)

    known.refresh().export(tmp_path / "out.csv", format="csv", audience="own")
    back = HashList.create(tmp_path / "back.list")
    back.import_file(tmp_path / "out.csv", source="team")

    assert dict(back.refresh().states) == {"confirmed": 1, "withdrawn": 1}
    assert back.refresh().show("hma/BANK/17")[0].source == "team"


def test_a_single_source_comes_back_as_it_went(known, tmp_path):
    """Kinds, values, entries and states are equal after export and import."""
    known.export(tmp_path / "out.csv", format="csv", sources=["open"])
    back = HashList.create(tmp_path / "back.list")
    back.import_file(tmp_path / "out.csv", source="open")

    def told(one):
        return [
            (s.entry, s.state, [(h.kind, h.value) for h in s.hashes])
            for n in range(3)
            for s in one.show(f"open{n}", values=True)
        ]

    assert told(back.refresh()) == told(known)


def test_the_labels_of_an_entry_are_read_once_however_many_its_hashes(make_list, tmp_path):
    """Labels are not read again for each hash: an entry of many rows may have as many labels."""
    rows = [{"id": "a", "md5": value(n), "note": f"n{n} {'x' * 60}"} for n in range(400)]
    known = make_list(rows, terms=Terms(tlp="GREEN", redistribution=True))

    tracemalloc.start()
    try:
        known.export(tmp_path / "out", format="tx")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 50 * 400 * 60


def test_the_manifest_is_true_of_the_file(known, tmp_path):
    """SHA-256, counts, generation and terms are those of the file."""
    path = tmp_path / "out.txt"
    known.export(path, format="tx")
    found = manifest(path)

    assert set(found) == {
        "schema", "list", "list_id", "generation", "created", "library", "format", "audience",
        "records", "hashes", "left_out", "terms", "parts",
    }  # fmt: skip
    assert found["schema"] == "screener-manifest/1"
    assert found["parts"] == [
        {"name": "out.txt", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    ]
    assert (found["generation"], found["list"], found["format"]) == (2, "known", "tx")
    assert found["hashes"] == {"pdq": 3, "md5": 3, "sha256": 3}
    assert found["records"] == {"confirmed": 3}
    assert found["terms"] == {"open": {"tlp": "GREEN", "redistribution": True}}
    assert not path.with_name("out.txt.manifest.json.sig").exists()


def test_files_are_for_their_owner_only(known, tmp_path, keys):
    """File, manifest and signature are 0600, whatever the umask."""
    old = os.umask(0)
    try:
        known.export(tmp_path / "out.csv", format="csv", key=keys[0])
    finally:
        os.umask(old)

    made = sorted(p for p in tmp_path.iterdir() if p.name.startswith("out.csv"))
    assert [p.name for p in made] == [
        "out.csv",
        "out.csv.manifest.json",
        "out.csv.manifest.json.sig",
    ]
    assert {stat.S_IMODE(p.stat().st_mode) for p in made} == {0o600}


def test_a_signed_export_imports_with_its_key_and_brings_its_terms(known, tmp_path, keys):
    """Signature and digest are valid, and the terms stay with the records."""
    path = tmp_path / "out.csv"
    assert known.export(path, format="csv", key=keys[0]).signed
    back = HashList.create(tmp_path / "back.list")

    report = back.import_file(path, source="peer", key=keys[1])

    assert report.added == 3
    assert back.terms() == {"peer": Terms("GREEN", True)}


def _change_file(path: Path):
    path.write_bytes(path.read_bytes().replace(b"open1", b"open9"))


def _change_manifest(path: Path):
    beside = path.with_name(f"{path.name}.manifest.json")
    beside.write_text(beside.read_text().replace("GREEN", "CLEAR"))


def _drop_signature(path: Path):
    path.with_name(f"{path.name}.manifest.json.sig").unlink()


def _garble_signature(path: Path):
    path.with_name(f"{path.name}.manifest.json.sig").write_text("not base64!")


def _drop_manifest(path: Path):
    path.with_name(f"{path.name}.manifest.json").unlink()


@pytest.mark.parametrize(
    "harm",
    [_change_file, _change_manifest, _drop_signature, _garble_signature, _drop_manifest],
)
def test_what_is_not_as_it_was_signed_is_refused(known, tmp_path, keys, harm):
    """A changed file or manifest, or a missing or broken signature: nothing is imported."""
    path = tmp_path / "out.csv"
    known.export(path, format="csv", key=keys[0])
    harm(path)
    back = HashList.create(tmp_path / "back.list")

    with pytest.raises(ListError):
        back.import_file(path, source="peer", key=keys[1])

    assert back.refresh().generation == 0


def test_a_signature_of_another_key_is_refused_and_so_is_no_key_at_all(known, tmp_path, keys):
    """Keys of other types, files without a key, and the private instead of the public key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    path = tmp_path / "out.csv"
    known.export(path, format="csv", key=keys[0])
    other = tmp_path / "other.pem"
    key = Ed25519PrivateKey.generate().public_key()
    other.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    for wrong in (other, path, keys[0], tmp_path / "missing.pem"):
        with pytest.raises(ListError):
            known.import_file(path, source="peer", key=wrong)
    with pytest.raises(ListError, match=r"public key .*missing\.pem: No such file"):
        known.import_file(path, source="peer", key=tmp_path / "missing.pem")
    with pytest.raises(ListError, match="private key"):
        known.export(path, format="csv", key=keys[1])


def test_an_unsigned_export_leaves_no_older_signature(known, tmp_path, keys):
    """A signature beside a file is always that of its manifest."""
    path = tmp_path / "out.csv"
    known.export(path, format="csv", key=keys[0])
    known.export(path, format="csv")

    assert not path.with_name("out.csv.manifest.json.sig").exists()


def test_an_export_that_fails_leaves_what_was_there(known, tmp_path):
    """An unknown format, source or audience, or VICS without a table: the old file stays."""
    path = tmp_path / "out"
    path.write_text("old")

    for wrong in (
        {"format": "xls"},
        {"format": "csv", "sources": ["nobody"]},
        {"format": "csv", "audience": "everyone"},
        {"format": "vics"},
        {"format": "bloom", "kind": "pdq"},
        {"format": "bloom", "error_rate": 0.0},
    ):
        with pytest.raises(ListError):
            known.export(path, **wrong)

    assert path.read_text() == "old"
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("before", [True, False])
def test_an_export_that_is_interrupted_leaves_what_was_there(
    known, tmp_path, keys, monkeypatch, before
):
    """A file with a manifest of another, and without its signature, would be of no use."""
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "x.csv"
    if before:
        known.export(path, format="csv", audience="own", key=keys[0])
    held = {one: one.read_bytes() for one in path.parent.iterdir()}
    sign = export.sign

    def interrupted(*given, **how):
        sign(*given, **how)
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        known.export(path, format="csv", audience="own", sources=["open"], key=keys[0])

    assert {one: one.read_bytes() for one in path.parent.iterdir()} == held


def test_nothing_an_export_tells_holds_a_hash(known, tmp_path):
    """Report, manifest and errors have no listed value."""
    told = []
    for format in FORMATS:
        told.append(str(known.export(tmp_path / "out", format=format, categories={})))
        told.append(json.dumps(manifest(tmp_path / "out")))
        with pytest.raises(ListError) as error:
            known.export(tmp_path / "no" / "out", format=format, categories={})
        told.append(str(error.value))

    for number in (*range(3), *range(100, 103)):
        for size in (16, 32):
            assert not any(value(number, size) in text for text in told)


@pytest.mark.parametrize("asked", [{"kind": "md5"}, {"error_rate": 0.01}])
def test_who_asks_for_one_kind_does_not_hand_out_all(known, tmp_path, asked):
    """One kind and an error rate are for Bloom filters only; nothing else is written."""
    with pytest.raises(
        ListError, match="kind and error_rate are for the format bloom, not for csv"
    ):
        known.export(tmp_path / "out.csv", format="csv", audience="own", **asked)
    assert not list(tmp_path.glob("out.csv*"))


def test_an_export_is_of_one_state_of_the_list(make_list, tmp_path, monkeypatch):
    """Formats read the records more than once, and a purge may run in between."""
    one = make_list([{"id": "a", "md5": value(1)}, {"id": "b", "md5": value(2)}])
    real, passes = export.WRITERS["tx"], []

    def write(out, entries, tally, wants):
        passes.append([entry.name for entry in entries])
        with closing(sqlite3.connect(one.path / "records.sqlite")) as other, other:
            other.execute("DELETE FROM records WHERE entry = 'a'")
        passes.append([entry.name for entry in entries])
        real(out, entries, tally, wants)

    monkeypatch.setattr(export, "WRITERS", {"tx": write})
    report = one.export(tmp_path / "out", format="tx", audience="own")

    assert passes == [["a", "b"]] * 2
    assert report.records == {"confirmed": 2}
