"""NCMEC's XML: every fingerprint, tombstones, votes, and hostile documents."""

import pytest
from exchange_samples import (
    MD5,
    NCMEC,
    PDQ,
    PHOTODNA,
    SHA1,
    imported,
    kinds,
    read,
    reader_of,
    refused,
)
from list_values import met, value

from screener import HashList
from screener.errors import ListError
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category


def ncmec(*entries, kind="images"):
    """Return a page of these entries."""
    space = "https://hashsharing.ncmec.org/hashsharing/v2"
    return f'<queryResult xmlns="{space}"><{kind}>{"".join(entries)}</{kind}></queryResult>'


def image(fingerprints, *, member="1", number="x", more="", name="image"):
    """Return an entry."""
    return (
        f'<{name}><member id="{member}">M</member><id>{number}</id>{more}'
        f"<fingerprints>{fingerprints}</fingerprints></{name}>"
    )


def test_ncmec_the_documented_sample():
    """Hashes, class, votes, a tombstone, a video and the next page are read as documented."""
    reader = reader_of(NCMEC)
    first, gone, clip = list(reader)

    assert (first.entry, first.state) == ("9001/syn-img-1", State.DISPUTED)
    assert kinds(first) == {"md5": MD5, "sha1": SHA1, "photodna": PHOTODNA, "pdq": PDQ}
    assert first.categories == (Category("industry-classification", "B2"),)
    assert first.labels["negativeFeedback Pdq"] == "Synthetic reason; members 9003"
    assert first.labels["affirmativeFeedback Md5"] == "members 9002"
    assert (first.updated, first.line) == ("2030-01-02T03:00:00Z", 4)
    assert (gone.entry, gone.state, gone.hashes) == ("9002/syn-img-2", State.WITHDRAWN, ())
    assert (clip.entry, kinds(clip)) == ("9001/syn-vid-1", {"md5": MD5})
    assert clip.state is State.CONFIRMED
    assert clip.labels == {"media": "video", "fingerprint tmk-pdqf": "by link"}
    assert "another page" in reader.notes[0]


def test_ncmec_upstream_documents(material, tmp_path):
    """Four entries, two of them tombstones; only the shortened PhotoDNA is quarantined."""
    data = (material / "exchange" / "ncmec_entries_xml.xml").read_bytes()
    known, report = imported(tmp_path, data)

    assert (report.format, report.added, report.withdrawn) == ("ncmec", 4, 2)
    assert report.quarantined == {"bad characters": 1}
    assert dict(known.kinds) == {"md5": 2, "sha1": 2}
    assert report.notes


def test_ncmec_an_empty_page_changes_nothing(material, tmp_path):
    """A page without entries is not an error."""
    data = (material / "exchange" / "ncmec_entries_no_data_xml.xml").read_bytes()
    known, report = imported(tmp_path, data)

    assert (report.rows, known.generation) == (0, 0)


def test_ncmec_what_is_no_entry_that_is_known_is_set_aside():
    """An unknown element may be an entry; its neighbours are imported, in a wrapper too."""
    page = ncmec(
        image(f"<md5>{MD5}</md5>", name="picture"),
        image(f"<md5>{MD5}</md5>"),
        image("", name="retractedImage"),
    )
    for data in (
        page,
        page.replace("<images>", "<all><images>").replace("</images>", "</images></all>"),
    ):
        bad, row, other = read(data)

        assert (bad.reason, other.reason) == ("unsupported type", "unsupported type")
        assert kinds(row) == {"md5": MD5}


@pytest.mark.parametrize("name", ["ncmec_feedback_reasons_xml.xml", "ncmec_status_xml.xml"])
def test_ncmec_other_answers_are_refused(material, name):
    """They have no entries, and are not an empty page, even if the format is named."""
    data = (material / "exchange" / name).read_bytes()
    refused(data, "not an answer")
    refused(data, "not an answer", format="ncmec")


def page(day, **fingerprints):
    """Return a page with one entry of these fingerprints, dated by a day in January."""
    told = "".join(f"<{name}>{text}</{name}>" for name, text in fingerprints.items())
    return ncmec(image(told, more=f"<timestamp>2024-01-0{day}T00:00:00Z</timestamp>"))


@pytest.mark.parametrize("again", [1, 2])
def test_trap_a_damaged_fingerprint_does_not_drop_the_sound_older_one(known, put, again):
    """A newer page says the MD5 anew and a PDQ that cannot be read: the entry has the new MD5, and
    the PDQ that it had; the damaged one is set aside. Read twice, it changes nothing more.
    """
    old, new, pdq = value(1), value(2), value(1, 32)
    put(page(1, md5=old, pdq=pdq, sha1=value(1, 20)))

    for _ in range(again):
        report = put(page(2, md5=new, pdq=pdq[:-2]))

    assert (report.changed, report.unchanged) == ((1, 0) if again == 1 else (0, 1))
    assert dict(report.quarantined) == {"wrong length": 1}
    (shown,) = known.refresh().show("1/x", values=True)
    assert {one.kind: one.value for one in shown.hashes} == {"md5": new, "pdq": pdq}
    assert met(known, "pdq", 1, 32)[0] == "match"
    assert [met(known, "md5", n, 16)[0] for n in (1, 2)] == ["no_match", "match"]
    # What is sound again, or withdrawn, is as it says.
    put(page(3, md5=new, pdq=value(3, 32)))
    assert [met(known, "pdq", n, 32)[0] for n in (1, 3)] == ["no_match", "match"]
    put(page(4).replace("<image>", "<deletedImage>").replace("</image>", "</deletedImage>"))
    put(page(5, md5=new, pdq="zz"))
    assert dict(known.refresh().kinds) == {"md5": 1}


def test_ncmec_one_id_under_two_members_is_two_entries():
    """An id is unique within its member only."""
    page = ncmec(image(f"<md5>{MD5}</md5>", member="1"), image(f"<md5>{MD5}</md5>", member="2"))

    assert [row.entry for row in read(page)] == ["1/x", "2/x"]


@pytest.mark.parametrize("name", ["image", "deletedImage"])
def test_ncmec_an_entry_without_its_member_or_its_id_is_set_aside(name):
    """Otherwise it would share a name with others, and its tombstone would withdraw them."""
    page = ncmec(
        image(f"<md5>{MD5}</md5>", member=" ", name=name),
        image(f"<md5>{MD5}</md5>", number="", name=name),
        image(f"<md5>{MD5}</md5>", name=name),
    )
    no_member, no_id, whole = read(page)

    assert (no_member.field, no_member.reason) == ("member", "missing")
    assert (no_id.field, no_id.reason) == ("id", "missing")
    assert whole.entry == "1/x"


def test_ncmec_a_tombstone_and_a_later_page(tmp_path):
    """A deleted entry matches again if a later page lists it."""
    gone = ncmec(image("", more="<timestamp>2030-01-01T00:00:00Z</timestamp>", name="deletedImage"))
    later = "<timestamp>2030-01-02T00:00:00Z</timestamp>"
    live = ncmec(image(f"<md5>{MD5}</md5>", more=later))
    known, first = imported(tmp_path, gone, source="s")
    assert (first.withdrawn, dict(known.kinds)) == (1, {})
    file = tmp_path / "page 2"
    file.write_text(live)

    second = known.import_file(file, source="s")

    assert second.changed == 1
    assert dict(known.refresh().kinds) == {"md5": 1}


def test_ncmec_every_fingerprint_is_kept():
    """Image digests and unknown kinds are stored too; an empty entry is quarantined."""
    marks = f"<md5>{MD5}</md5><netclean>some</netclean><ssvh_safer_hash>other</ssvh_safer_hash>"
    good, bare = read(ncmec(image(marks), image("", number="y")))

    assert kinds(good) == {"md5": MD5}
    assert good.labels["fingerprint netclean"] == "some"
    assert good.labels["fingerprint ssvh_safer_hash"] == "other"
    assert bare == BadRow(1, None, "no usable hash")


def test_ncmec_a_damaged_fingerprint_does_not_take_the_others():
    """Only the damaged one is quarantined."""
    good, bad = read(ncmec(image(f"<md5>{MD5}</md5><pdq>{'0' * 32}</pdq>")))

    assert kinds(good) == {"md5": MD5}
    assert bad == BadRow(1, "pdq", "wrong length")


def test_ncmec_prefixes_and_unknown_elements():
    """The namespace counts, not its prefix; unknown elements are stored."""
    page = (
        '<h:queryResult xmlns:h="https://hashsharing.ncmec.org/hashsharing/v2"><h:images>'
        '<h:image><h:member id="1"/><h:id>x</h:id><h:categorizations><h:c guid="g">Viral</h:c>'
        f"</h:categorizations><h:fingerprints><h:md5>{MD5}</h:md5></h:fingerprints></h:image>"
        "</h:images></h:queryResult>"
    )
    (row,) = read(page)

    assert (row.entry, kinds(row)) == ("1/x", {"md5": MD5})
    assert row.labels["categorizations"] == "guid=g\nViral"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_ncmec_encodings(encoding):
    """UTF-8 with and without a mark, and UTF-16."""
    page = NCMEC.replace('encoding="UTF-8" ', "").encode(encoding)

    assert len(read(page)) == 3


BOMBS = {
    "doctype": "<!DOCTYPE queryResult><queryResult/>",
    "entities": '<!DOCTYPE q [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><q>&b;</q>',
    "external": '<!DOCTYPE q SYSTEM "file:///etc/passwd"><q/>',
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_xml_with_a_dtd_is_refused(bomb):
    """Nothing in it is expanded or fetched, whether the format is recognised or named."""
    refused(bomb, "document type")
    refused(bomb, "document type", format="ncmec")


def test_xml_with_a_dtd_after_the_root_is_known_is_refused():
    """A page like any other but for its DTD."""
    page = NCMEC.replace("<queryResult", "<!DOCTYPE queryResult [<!ENTITY a 'b'>]><queryResult", 1)
    refused(page, "document type")
    refused(page, "document type", format="ncmec")


def test_xml_nested_deeply_is_refused():
    """In and outside an entry."""
    deep = "<a>" * 100_000
    refused(ncmec(deep), "nested too deeply")
    refused(ncmec(image(deep)), "nested too deeply")


@pytest.mark.parametrize("cut", [100, 900, 1500, -20])
def test_truncated_xml_is_refused(tmp_path, cut):
    """Nothing changes."""
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "a.file"
    file.write_text(NCMEC[:cut])

    with pytest.raises(ListError):
        known.import_file(file, format="ncmec")
    assert known.refresh().generation == 0
