"""Writers: their files read back equal, and other tools read them."""

import csv
import io
import json
import string
import struct
import sys
import zlib
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writer_cases import VIDEO, as_entry, by_entry, entry, joined, made, read, written

from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import TMK_BYTES, TMK_MAGIC, VideoFrame, pack_vpdq
from screener.lists import times
from screener.lists.exporting.writers import WRITERS
from screener.lists.exporting.writers.entry import Wants
from screener.lists.states import State
from screener.lists.store.records import Category, Row
from screener.lists.terms import parse_labels

NAMESPACE = {"n": "https://hashsharing.ncmec.org/hashsharing/v2"}

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=12)
_LETTERS = string.ascii_letters + string.digits
_WORD = st.builds(
    "{}{}{}".format,
    st.sampled_from(_LETTERS + "=+@_"),
    st.text(_LETTERS + " =+@_.,;-", max_size=10),
    st.sampled_from(_LETTERS),
)
_HASH = st.builds(
    lambda kind, number, quality: made(kind, number, quality if KINDS[kind].perceptual else None),
    st.sampled_from([name for name in KINDS if name not in VIDEO]),
    st.integers(0, 50),
    st.none() | st.integers(0, 100),
)


@st.composite
def _csv_row(draw):
    """Draw a row that the neutral CSV can represent."""
    return Row(
        1,
        None,
        draw(st.sampled_from(list(State))),
        tuple(draw(st.lists(_HASH, min_size=1, max_size=5))),
        tuple(draw(st.lists(st.builds(Category, _WORD, _WORD), max_size=3))),
        draw(st.dictionaries(_WORD.map(lambda w: f"x {w}"), _TEXT, max_size=3)),
        draw(st.none() | _WORD),
    )


@given(st.dictionaries(_WORD, _csv_row(), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_the_neutral_csv_reads_back_equal(rows):
    """Every hash, quality, state, category, label and time; several of a kind in several rows.

    But for labels that a spreadsheet would take for formulas: these are guarded, and said to be.
    """
    text, tally = written("csv", [as_entry(name, row) for name, row in rows.items()])

    back = joined(read("csv", text))

    expected = joined(row._replace(entry=name) for name, row in rows.items())
    formulas = any(v[:1] in "=+-@\t" for row in rows.values() for v in row.labels.values())
    assert bool(tally.lost) == formulas
    if not formulas:
        assert back == expected
    assert tally.records == len(rows) == len(back)


def test_the_rows_of_an_entry_are_made_in_time_with_its_hashes():
    """Twice as many hashes take twice as many calls."""

    def calls(count):
        seen = 0
        one = entry("a", *(made("pdq", number, 50) for number in range(count)))

        def seeing(*_):
            nonlocal seen
            seen += 1

        sys.setprofile(seeing)
        try:
            text, _ = written("csv", [one])
        finally:
            sys.setprofile(None)
        assert text.count("\n") == count + 1
        return seen

    assert calls(400) < 2.5 * calls(200)


def test_long_labels_are_not_said_again_in_each_row_of_an_entry():
    """Each of many labels is in one row, binding ones are in all, and both read back."""
    hashes = [made("md5", number) for number in range(200)]
    names = "\n".join(f"a picture of some name {'x' * 60} {number}" for number in range(200))
    labels = {"file": names, " TLP": "RED", "expires": "2030-01-01"}
    text, _ = written("csv", [entry("a", *hashes, labels=labels)])

    rows = read("csv", text)
    (row,) = by_entry(rows).values()

    assert len(text) < 3 * len(names)
    assert all(parse_labels(one.labels) == parse_labels(labels) for one in rows)
    assert row.labels["file"] == " ".join(names.split("\n"))
    assert {*row.hashes} == {*hashes}


_ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40)
_NAMES = _ANY | st.sampled_from(
    (
        "",
        " ",
        "Note",
        "Note ",
        "quality",
        "quality (label)",
        "a\nb",
        "=x",
        "'x'",
        "column 4",
        "ab" * 16,
    )
)


@given(st.dictionaries(_NAMES, _ANY | st.integers(0, 150).map("x\n".__mul__)))
@settings(max_examples=150, deadline=None)
def test_whatever_labels_are_called_their_entry_reads_back(labels):
    """Names of JSON fields, and texts of many lines, do not break the file."""
    fine = made("md5", 2)
    text, _ = written("csv", [entry("a", made("md5", 1), labels=labels), entry("b", fine)])

    back = {row.entry: row.hashes for row in read("csv", text)}

    assert back == {"a": (made("md5", 1),), "b": (fine,)}


def test_a_label_that_no_column_can_have_or_of_too_many_lines_is_told():
    """Labels whose names are equal for the reader share a column, and still bind the entry."""
    labels = {"tlp": "GREEN", " TLP\n": "RED", "ab" * 16: "x", "note": "line\n" * 120}
    text, tally = written("csv", [entry("a", made("md5", 1), labels=labels)])
    (row,) = read("csv", text)

    assert parse_labels(row.labels).tlp == "RED"
    assert row.labels["label"] == "x"
    assert row.labels["note"] == "line " * 119 + "line"
    assert tally.lost == {
        "names of labels that no column can have",
        "lines of labels that have too many for a row",
    }


@given(st.lists(_HASH, min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_tx_text_reads_back_equal(hashes):
    """All values but those of videos; quality has no place, and the tally reports it."""
    text, tally = written("tx", [entry(str(n), item) for n, item in enumerate(hashes)])

    back = {row.hashes for row in read("tx", text)}

    assert back == {(item,) for item in hashes}
    assert "quality" in tally.lost


def of_video(count, time=1.5):
    """Return a vPDQ value of `count` frames without numbers, and a TMK value."""
    frames = [VideoFrame(-1, n * time, n % 101, bytes(range(32))) for n in range(count)]
    head = struct.pack("<12s5i4i", TMK_MAGIC, 15, 4, 32, 256, 9, 1, 2, 3, 4)
    tmk = head + bytes(TMK_BYTES - len(head))
    return Hash(KINDS["vpdq"], pack_vpdq(frames)), Hash(KINDS["tmk_pdqf"], tmk)


@pytest.mark.parametrize("format", ["csv", "tx"])
def test_hashes_of_videos_read_back_equal(format):
    """In lines; the tally reports what the text of vPDQ loses."""
    vpdq, tmk = of_video(3)
    text, tally = written(format, [entry("a", vpdq), entry("b", tmk)])

    assert {row.hashes for row in read(format, text)} == {(vpdq,), (tmk,)}
    assert any("vpdq" in lost for lost in tally.lost)


@pytest.mark.parametrize("format", ["csv", "tx"])
def test_a_vpdq_that_no_reader_would_take_is_left_out(format):
    """As that of a film of hours; other hashes are written, and it is counted."""
    vpdq, _ = of_video(8_000)
    text, tally = written(format, [entry("a", vpdq, made("md5", 1))])

    assert [row.hashes for row in read(format, text)] == [(made("md5", 1),)]
    assert dict(tally.left_out) == {"vpdq: too long for a line": 1}
    assert dict(tally.hashes) == {"md5": 1}


def test_tx_text_is_lower_case_with_line_feeds_and_nothing_else():
    """An MD5 of a video has its own type; states that the format lacks are left out."""
    text, tally = written(
        "tx",
        [
            entry("a", made("pdq", 1), made("md5", 1)),
            entry("b", made("md5", 2), labels={"media": "video"}),
            entry("c", made("md5", 3), state=State.SEED),
            entry("d", made("md5", 4), state=State.KNOWN_GOOD),
            entry("e", made("pdq", 5), why_not="low information"),
        ],
    )

    assert text == (
        f"pdq {made('pdq', 1).text}\nmd5 {made('md5', 1).text}\nvideo_md5 {made('md5', 2).text}\n"
    )
    assert (tally.records, dict(tally.hashes)) == (2, {"pdq": 1, "md5": 2})
    assert dict(tally.left_out) == {
        "seed records: the format has no states": 1,
        "known_good records: the format has no states": 1,
        "pdq: low information": 1,
    }


def test_threatexchange_reads_our_tx_text(tmp_path):
    """Its local file exchange finds each signal, and its types accept the values."""
    from threatexchange.exchanges.impl.file_api import (
        FileCollaborationConfig,
        LocalFileSignalExchangeAPI,
    )
    from threatexchange.signal_type.md5 import VideoMD5Signal
    from threatexchange.signal_type.pdq.signal import PdqSignal

    video = entry("b", made("md5", 2), labels={"media": "video"})
    text, _ = written("tx", [entry("a", made("pdq", 1)), video])
    file = tmp_path / "signals.txt"
    file.write_text(text)
    config = FileCollaborationConfig(name="x", filename=str(file))

    (delta,) = LocalFileSignalExchangeAPI.for_collab(config).fetch_iter([], None)

    assert set(delta.updates) == {("pdq", made("pdq", 1).text), ("video_md5", made("md5", 2).text)}
    for (_, value), kind in zip(sorted(delta.updates), (PdqSignal, VideoMD5Signal), strict=True):
        assert kind.validate_signal_str(value) == value


def test_threatexchange_reads_our_ncmec_xml():
    """Its client parses entries, fingerprints and deletions."""
    from threatexchange.exchanges.clients.ncmec.hash_api import GetEntriesResponse, _XMLWrapper

    text, _ = written(
        "ncmec",
        [
            entry("7/a", made("pdq", 1), made("photodna", 1), made("md5", 1)),
            entry("7/b", made("md5", 2), labels={"media": "video"}),
            entry("7/c", state=State.WITHDRAWN),
        ],
    )

    plain = text.replace(' xmlns="https://hashsharing.ncmec.org/hashsharing/v2"', "")  # as it does
    updates = GetEntriesResponse.from_xml(_XMLWrapper(ElementTree.fromstring(plain)), 0).updates

    found = {one.id: (one.member_id, one.deleted, dict(one.fingerprints)) for one in updates}
    assert found["c"][:2] == (7, True)
    assert found["a"][0] == 7
    values = {value for _, _, prints in found.values() for value in prints.values()}
    assert values == {
        made("pdq", 1).text,
        made("photodna", 1).text,
        made("md5", 1).text,
        made("md5", 2).text,
    }


def test_ncmec_xml_says_what_it_can_and_escapes_what_it_must():
    """Member, id, counts, the newest time in UTC and the class; markup is escaped."""
    text, tally = written(
        "ncmec",
        [
            entry(
                "9001/a<&\"'",
                made("pdq", 1),
                made("pdq", 2),
                made("sha256", 1),
                updated="2030-01-02T03:04:05+01:00",
                categories=(Category("industry-classification", "B2"), Category("x", "A1")),
            ),
            entry("plain", made("md5", 2), updated="last week\x01"),
            entry("known", made("md5", 3), state=State.KNOWN_GOOD),
        ],
    )
    root = ElementTree.fromstring(text)
    images = root.findall("n:images/n:image", NAMESPACE)

    ids = [(i.find("n:member", NAMESPACE).get("id"), i.find("n:id", NAMESPACE).text)
           for i in images]  # fmt: skip
    assert ids == [("9001", "a<&\"'"), ("9001", "a<&\"'"), (str(zlib.crc32(b"demo")), "plain")]
    assert root.find("n:images", NAMESPACE).get("count") == "3"
    assert root.find("n:images", NAMESPACE).get("maxTimestamp") == "2030-01-02T02:04:05Z"
    assert root.find("n:videos", NAMESPACE).attrib == {"count": "0"}
    assert images[0].find("n:classification", NAMESPACE).text == "B2"
    assert images[2].find("n:timestamp", NAMESPACE).text == "1970-01-01T00:00:00Z"
    assert dict(tally.left_out) == {
        "sha256: no place in the format": 1,
        "known_good records: the format has no states": 1,
    }


@pytest.mark.parametrize(
    ("said", "written_as"),
    [
        ("1764011512345", "2025-11-24T19:11:52Z"),
        ("1764011512", "2025-11-24T19:11:52Z"),
        ("20251124191152", "2025-11-24T19:11:52Z"),
        ("20251124", "2025-11-24T00:00:00Z"),
        ("0001-01-01T00:00:00+01:00", "2025-11-24T19:11:52Z"),
        ("0001-01-01T00:00:00", "2025-11-24T19:11:52Z"),
        ("1970-01-01", "2025-11-24T19:11:52Z"),
    ],
)
def test_ncmec_xml_writes_times_as_they_are_compared(said, written_as):
    """Milliseconds read as a date are of another century, before all that a partner holds: a
    tombstone of such a time would delete nothing.
    """
    gone = entry("7/a", state=State.WITHDRAWN, updated=said, made=1764011512.0)
    text, _ = written("ncmec", [gone])

    assert f"<timestamp>{written_as}</timestamp>" in text
    (row,) = read("ncmec", text)
    assert times.compare_times(row.updated, "2025-11-23") == 1


@pytest.mark.parametrize(
    ("format", "lost"),
    [
        ("csv", set()),
        ("hma", {"category", "quality", "labels", "whether it is disputed"}),
        ("ncmec", {"quality", "labels", "whether it is disputed", "categories but A1 to B2"}),
        ("tx", {"source", "entry", "category", "quality", "labels", "whether it is disputed"}),
        ("vics", {"entry", "quality", "labels", "whether it is disputed"}),
    ],
)
def test_a_writer_tells_what_its_format_does_not_say(format, lost):
    """The tally names the lost fields even if no record has them."""
    category = Category("uk-sentencing-council", "A")
    tally = written(format, [entry("a", made("md5", 1), categories=(category,))])[1]

    assert tally.lost == lost


def test_vics_json_tells_of_records_that_get_no_category():
    """The reader would take them as uncategorised, which never match."""
    told = "that records to which the table gives no category match at all"
    known, unknown = Category("uk-sentencing-council", "A"), Category("uk-sentencing-council", "X")

    def lost(*categories):
        return written("vics", [entry("a", made("md5", 1), categories=categories)])[1].lost

    assert told in lost()
    assert told in lost(unknown)
    assert told not in lost(known, unknown)


def test_vics_json_follows_its_rules():
    """Region CUSTOM; MD5 upper-case and mandatory; category 0 is a category; PDQ by its name."""
    text, tally = written(
        "vics",
        [
            entry("a", made("md5", 1), made("sha1", 1), made("photodna", 1), made("pdq", 1),
                  categories=(Category("uk-sentencing-council", "C"), Category("x", "y"))),
            entry("b", made("pdq", 2)),
            entry("c", made("md5", 3)),
        ],
    )  # fmt: skip
    found = json.loads(text)

    assert found["@odata.context"].endswith("/2.0.xml/CUSTOM/$metadata#Media")
    first, second = found["value"]
    assert (first["MediaID"], first["Category"]) == (1, 0)
    assert first["MD5"] == made("md5", 1).text.upper()
    assert first["SHA1"] == made("sha1", 1).text.upper()
    assert first["PhotoDNA"] == made("photodna", 1).text
    assert first["AlternativeHashes"] == [{"HashName": "PDQ", "HashValue": made("pdq", 1).text}]
    assert second == {"MediaID": 2, "MD5": made("md5", 3).text.upper()}
    assert tally.left_out["records without an MD5"] == 1
    assert "categories that the table does not name" in tally.lost


def test_vics_needs_to_be_told_what_its_numbers_mean():
    """Without a table it is refused: a number without a scheme has another meaning elsewhere."""
    from screener.errors import ListError

    with pytest.raises(ListError, match="table of categories"):
        written("vics", [entry("a", made("md5", 1))], Wants())


def test_hma_json_has_one_signal_of_a_type_in_a_content():
    """A second PDQ makes a second content of one content id; the bank's name is valid."""
    hashes = made("pdq", 1), made("pdq", 2), made("md5", 1)
    text, _ = written("hma", [entry("a", *hashes, labels={"media": "video"})])
    found = json.loads(text)

    assert [sorted(one["signals"]) for one in found] == [["pdq", "video_md5"], ["pdq"]]
    assert {one["metadata"]["content_id"] for one in found} == {"a"}
    assert found[0]["bank"]["name"] == "DEMO"
    assert [one["id"] for one in found] == [1, 2]
    (back,) = json.loads(written("hma", [entry("MY_BANK/17", made("pdq", 1))])[0])
    assert (back["bank"]["name"], back["id"]) == ("MY_BANK", 17)


def test_the_neutral_csv_disarms_formulas_in_text_and_leaves_hashes_alone():
    """A cell that a spreadsheet would run gets an apostrophe; base64 may begin with a plus."""
    plus = Hash(KINDS["photodna"], b"\xfb" * 144)
    assert plus.text.startswith("+")
    labels = {"series": "=HYPERLINK(1)", "note": "-x", "fine": "a=b"}
    text, tally = written("csv", [entry("@id", plus, labels=labels, updated="+1")])
    (row,) = csv.DictReader(io.StringIO(text))

    assert (row["id"], row["series"], row["note"]) == ("'@id", "'=HYPERLINK(1)", "'-x")
    assert (row["fine"], row["updated"], row["photodna"]) == ("a=b", "'+1", plus.text)
    assert tally.lost == {"labels that look like formulas get an apostrophe in front"}
    (back,) = read("csv", text)
    assert (back.entry, back.updated) == ("@id", "+1")


@pytest.mark.parametrize("format", list(WRITERS))
def test_nothing_to_write_makes_a_file_of_its_format(format):
    """An empty file parses, and the reader of the CSV returns no row."""
    text, tally = written(format, [])

    assert tally.records == 0
    if format == "ncmec":
        assert ElementTree.fromstring(text).find("n:images", NAMESPACE).get("count") == "0"
    elif format == "vics":
        assert json.loads(text)["value"] == []
    elif format == "hma":
        assert json.loads(text) == []
    elif format == "csv":
        assert read("csv", text) == []
    else:
        assert text == ""
