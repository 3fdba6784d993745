"""ICSE sets and files of tools: PDQ lines, vPDQ, TMK, checksums, hashdeep, NSRL."""

import bz2
import csv
import gzip
import hashlib
import json
import lzma
import sqlite3
import struct
from contextlib import closing

import pytest
from exchange_samples import (
    ICSE,
    LAYOUTS,
    MD5,
    NSRL,
    PDQ,
    PDQ_LINES,
    PHOTODNA,
    SHA1,
    SHA256,
    content,
    imported,
    kinds,
    read,
    reader_of,
    refused,
)

from screener import HashList
from screener.errors import ListError
from screener.hashing import vpdq_value
from screener.lists.formats.registry import sniff
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_icse_the_documented_sample(encoding, ends):
    """Both rows are notable, the short one too; flags fold, and the baseline is stored."""
    first, second = read(ICSE.replace("\n", ends).encode(encoding))

    assert (first.entry, first.state) == ("1001", State.CONFIRMED)
    assert kinds(first) == {"md5": MD5, "sha1": SHA1, "photodna": PHOTODNA}
    assert first.labels["Is distributed"] == "true"
    assert first.labels["File Available"] == "false"
    assert first.categories == (Category("interpol-baseline", "true"),)
    assert (second.entry, second.state, second.categories) == ("1002", State.CONFIRMED, ())


def test_icse_further_columns_of_a_kind_are_read():
    """Further columns may follow; one named after a kind of hash is compared."""
    header = ICSE.splitlines()[0]
    reader = reader_of(f"{header};SHA-256;PDQ\n{MD5};;;7;;;;;;;;yes;{SHA256};{PDQ}\n")
    (row,) = reader

    assert kinds(row) == {"md5": MD5, "sha256": SHA256, "pdq": PDQ}
    assert not {"SHA-256", "PDQ", "MD5"} & set(reader.unknown_columns)


def test_icse_an_id_that_a_spreadsheet_has_rounded_joins_nothing():
    """As in any CSV."""
    header = ICSE.splitlines()[0]

    assert read(f"{header}\n{MD5};;;1,2E+10\n") == [BadRow(2, "entry", "damaged by a spreadsheet")]


def test_icse_ragged_rows():
    """Surplus cells become labels; a false baseline is not innocent."""
    header = ICSE.splitlines()[0]
    short, long = read(f"{header}\n{MD5}\n{MD5};;;7;;;;;;;;no;more\n")

    assert kinds(short) == {"md5": MD5}
    assert (long.state, long.labels["column 13"]) == (State.CONFIRMED, "more")


def test_pdq_lines_the_documented_sample(tmp_path):
    """Names may contain commas; a low quality is stored and counted."""
    first, second = read(PDQ_LINES)

    assert (kinds(first), first.hashes[0].quality) == ({"pdq": PDQ}, 97)
    assert second.labels == {"file": "synthetic, with comma.jpg"}
    assert second.hashes[0].quality == 12
    _, report = imported(tmp_path, PDQ_LINES)
    assert report.low_quality == 1


@pytest.mark.parametrize(
    ("line", "quality", "file"),
    [
        (f"hash={PDQ},norm=1,delta=2,quality=88,filename=a,b.jpg", 88, "a,b.jpg"),
        (f"{PDQ},a,b.jpg", None, "a,b.jpg"),
        (f"hash={PDQ}", None, None),
        (f"hash={PDQ},x", None, "x"),
        (f"{PDQ.upper()},100,x\r", 100, "x"),
        (PDQ, None, None),
    ],
)
def test_pdq_lines_of_every_tool(line, quality, file):
    """Lines that do not identify themselves are read if the format is named."""
    (row,) = read(line + "\n", format="pdq-lines")

    assert (kinds(row), row.hashes[0].quality) == ({"pdq": PDQ}, quality)
    assert row.labels.get("file") == file


def test_pdq_lines_with_a_quality_of_any_length():
    """Whether a file is of such lines is told without taking that for a number, which Python
    refuses beyond some thousands of digits; its row is set aside.
    """
    lines = [f"hash={PDQ},norm=1,delta=2,quality={quality}" for quality in ("88", "1" * 5_000)]

    row, bad = read("\n".join(lines))

    assert (row.hashes[0].quality, bad.reason) == (88, "bad quality")


@pytest.mark.parametrize(("cell", "file"), [('"a,b.jpg"', "a,b.jpg"), ("#1.jpg", "#1.jpg")])
def test_pdq_lines_of_the_web_page(cell, file):
    """A header, and the hash last; a file's name may begin like a comment."""
    (row,) = read(f"FilePath,Hash\n{cell},{PDQ}\n", format="pdq-lines")

    assert (kinds(row), row.labels) == ({"pdq": PDQ}, {"file": file})


def test_pdq_lines_without_detail_are_no_error():
    """The tools write no hash for an image without detail."""
    good, bad = read(f"{PDQ},90,x\n,3,y\n", format="pdq-lines")

    assert isinstance(good, Row)
    assert bad == BadRow(2, "pdq", "no usable hash")


def test_a_value_and_a_name_do_not_say_what_they_are():
    """64 digits may be of three kinds."""
    refused(f"{PDQ},a.jpg\n", "no format|in no known format")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_vpdq_in_its_four_layouts(layout):
    """One record with all frames; the array does not number them."""
    (row,) = read(LAYOUTS[layout])

    (item,) = row.hashes
    assert (item.kind.name, row.labels) == ("vpdq", {"media": "video"})
    frames = list(vpdq_value.vpdq_frames(item.value))
    assert [(frame.quality, frame.time, frame.pdq.hex()) for frame in frames] == [
        (100, 0.0, PDQ),
        (98, 1.0, PDQ),
    ]
    assert [frame.number for frame in frames] == ([-1, -1] if layout == "array" else [0, 30])


def test_vpdq_a_time_of_three_digits():
    """ThreatExchange's tools write 1234.567 seconds as `1.23e+03`; we write it in full."""
    (row,) = read(json.dumps([f"{PDQ},100,1.23e+03"]))

    assert next(vpdq_value.vpdq_frames(row.hashes[0].value)).time == 1230.0
    assert row.hashes[0].text == f'["{PDQ},100,1230.000"]'


def test_vpdq_a_damaged_frame_does_not_take_the_others():
    """It is quarantined with its number."""
    bad, row = read(LAYOUTS["C++"] + f"60,101,{PDQ},2.0\n")

    assert bad == BadRow(3, "vpdq", "not a frame")
    assert len(list(vpdq_value.vpdq_frames(row.hashes[0].value))) == 2


def test_vpdq_no_frames_is_no_usable_hash():
    """An empty text or array means that."""
    for text in ("[]", "\n"):
        assert read(text, format="vpdq") == [BadRow(1, "vpdq", "no usable hash")]


def test_vpdq_the_reference_files(material):
    """Every file of the reference makes one record with as many frames as lines."""
    files = sorted((material / "vpdq").glob("*.txt"))
    for file in files:
        data = file.read_bytes()
        (row,) = read(data)
        assert len(list(vpdq_value.vpdq_frames(row.hashes[0].value))) == data.count(b"\n")
    assert files


def test_vpdq_in_a_line_of_tx_has_spaces_and_commas():
    """It is split at its first space only."""
    (row,) = read(f"vpdq {LAYOUTS['array']}\n", format="tx")

    assert len(list(vpdq_value.vpdq_frames(row.hashes[0].value))) == 2


def test_tmk_the_reference_files(material, tmp_path):
    """They are stored in full, and not searched."""
    file = min((material / "tmk").glob("*.tmk"))
    known, report = imported(tmp_path, file.read_bytes())
    assert (report.format, report.added, dict(known.kinds)) == ("tmk", 1, {})


def test_tmk_with_a_lying_count_is_refused(material):
    """Counts, length and numbers are checked first."""
    data = bytearray(next((material / "tmk").glob("*.tmk")).read_bytes())
    for place, value in (
        (16, b"\xff\xff\xff\x7f"),
        (28, b"\xff\xff\xff\xff"),
        (48, b"\0\0\xc0\x7f"),
    ):
        refused(bytes(data[:place] + value + data[place + 4 :]), "tmk_pdqf")
    refused(bytes(data[:-1]), "length")
    refused(bytes(data + b"\0"), "length")


def test_checksums_the_documented_sample():
    """GNU's two forms, BSD's, and a bare one, of one kind."""
    rows = read(
        f"{MD5}  synthetic one.bin\n{MD5} *synthetic-two.bin\n"
        f"MD5 (synthetic three.bin) = {MD5}\n{MD5.upper()}\n"
    )

    assert [kinds(row) for row in rows] == [{"md5": MD5}] * 4
    assert [row.labels.get("file") for row in rows] == [
        "synthetic one.bin",
        "synthetic-two.bin",
        "synthetic three.bin",
        None,
    ]


@pytest.mark.parametrize(
    ("line", "format", "kind", "value"),
    [
        (f"{SHA1}  x", "sha1sum", "sha1", SHA1),
        (f"SHA256 (x) = {SHA256}", "bsd-sums", "sha256", SHA256),
        (f"2048  {MD5}  x", "md5sum", "md5", MD5),
    ],
)
def test_checksums_of_each_tool(line, format, kind, value):
    """The form of the lines identifies the tool."""
    assert sniff(content(line + "\n")) == format
    (row,) = read(line + "\n")
    assert (kinds(row), row.labels) == ({kind: value}, {"file": "x"})


def sums(values):
    """Return lines as a checksum tool writes them."""
    return "".join(f"{value}  {number}.jpg\n" for number, value in enumerate(values))


DIGESTS_ONLY = [hashlib.sha256(bytes([number])).hexdigest() for number in range(20)]
SUMS = [one for one in DIGESTS_ONLY if int(one, 16).bit_count() != 128]
HALF_SET = [PDQ[turn:] + PDQ[:turn] for turn in range(16)]  # as PDQ is, but for plain pictures


def test_checksums_sha256_is_told_by_its_bits():
    """Four values are enough, even if one has half of its bits set by chance."""
    assert sniff(content(sums(SUMS[:4]))) == "sha256sum"
    assert sniff(content(sums([*SUMS[:3], HALF_SET[0]]))) == "sha256sum"
    assert [kinds(row) for row in read(sums(SUMS))] == [{"sha256": value} for value in SUMS]


@pytest.mark.parametrize("others", [0, 1, 7])
def test_checksums_pdq_in_their_dress_is_not_taken_for_a_digest(others):
    """A PDQ has half its bits set, unless it is of a plain picture: that some have not makes a file
    no list of digests.
    """
    refused(sums([*SUMS[:others], *HALF_SET[: max(4, others)]]), "PDQ")


@pytest.mark.parametrize("values", [SUMS[:1], SUMS[:3], HALF_SET[:1], 5 * SUMS[:1]])
def test_checksums_too_few_to_tell_are_asked_about(values):
    """Fewer than four distinct values of 64 digits may be of either kind, until it is named."""
    refused(sums(values), "too few|PDQ")

    rows = read(sums(values), format="sha256sum")

    assert [kinds(row) for row in rows] == [{"sha256": value} for value in values]


def test_checksums_pdq_of_real_pictures_is_not_taken_for_a_digest(material):
    """The reference's hashes of its own images, in any order."""
    with (material / "expected.csv").open(newline="") as stream:
        values = [row["hash_hex"] for row in csv.DictReader(stream) if row["kind"] == "pdq"]
    for some in (values, values[::-1], sorted(values), values[:4]):
        refused(sums(some), "PDQ")


def test_checksums_of_digits_only():
    """A digest without letters is not a size, with or without a size in front."""
    digits = "0123456789012345" * 2
    rows = read(f"{digits}  x\n{MD5}  y\n99  {digits}  z\n", format="md5sum")

    assert [kinds(row)["md5"] for row in rows] == [digits, MD5, digits]
    assert [row.labels["file"] for row in rows] == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bz2.compress(b"md5"), "bzip2"),
        (lzma.compress(b"md5"), "xz"),
        (gzip.compress(b"md5", mtime=0), "gzip"),
        (b"\x28\xb5\x2f\xfd\0\0", "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "7z"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "Excel"),
        (f"id,md5\n1,{MD5}\n".encode("utf-16-le"), "not text in UTF-8 or UTF-16"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\r\n\n", "is empty"),
    ],
    ids=["bzip2", "xz", "gzip", "zstd", "7z", "xls", "utf-16", "mark", "blank"],
)
def test_what_is_no_list_is_called_what_it_is(data, why):
    """Compressed, of another program, in an undeclared encoding, or empty."""
    with pytest.raises(ListError, match=why):
        sniff(content(data))


def test_checksums_escaped_names():
    """A backslash before the line announces an escaped name."""
    (row,) = read(f"\\{MD5}  a\\nb\\\\c\n")

    assert row.labels == {"file": "a\nb\\c"}


def test_checksums_another_digest_in_a_file():
    """A line that names another kind than the file's is quarantined."""
    good, bad = read(f"{MD5}  a\nSHA1 (b) = {SHA1}\n")

    assert isinstance(good, Row)
    assert bad == BadRow(2, None, "another digest than the file's")


def test_hashdeep_the_documented_sample():
    """Every comma after the last column belongs to the name."""
    (row,) = read(
        "%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n## synthetic example\n"
        f"2048,{MD5},{SHA256},/synthetic/a,b.bin\n"
    )

    assert kinds(row) == {"md5": MD5, "sha256": SHA256}
    assert row.labels == {"size": "2048", "filename": "/synthetic/a,b.bin"}


def test_nsrl_the_documented_sample(tmp_path):
    """Known files never match; names are in Latin-1; a special file is quarantined."""
    first, second, special = read(NSRL.encode("latin-1"))

    assert (first.state, kinds(first), first.labels) == (
        State.KNOWN_GOOD,
        {"md5": MD5, "sha1": SHA1},
        {},
    )
    assert isinstance(second, Row)
    assert (special.field, special.row.hashes) == ("SpecialCode", first.hashes)
    known, report = imported(tmp_path, NSRL.encode("latin-1"))
    assert (report.added, report.repeated, known.matchable) == (1, 1, False)


def nsrl_database(path, schema):
    """Write a database with the tables or views of NSRL's version 3."""
    made = sqlite3.connect(path)
    made.executescript(schema)
    made.execute("INSERT INTO METADATA VALUES (?, ?, ?)", (SHA256.upper(), SHA1.upper(), MD5))
    made.commit()
    made.close()


def test_nsrl_database(tmp_path):
    """Version 3 is recognised and read, and not written to."""
    file = tmp_path / "rds.db"
    nsrl_database(
        file,
        "CREATE TABLE METADATA(sha256, sha1, md5); CREATE VIEW FILE AS SELECT * FROM METADATA;",
    )
    before = file.read_bytes()
    known = HashList.create(tmp_path / "known.list")

    report = known.import_file(file)

    assert (report.format, report.added) == ("nsrl", 1)
    assert dict(known.refresh().kinds) == {"md5": 1, "sha1": 1, "sha256": 1}
    assert not known.refresh().matchable
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known.list", "rds.db"]


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE VIEW METADATA AS {endless} SELECT x AS md5 FROM a WHERE x < 0",
        "CREATE VIEW METADATA AS {endless} SELECT lower(hex(randomblob(16))) AS md5 FROM a",
        "CREATE VIEW FILE AS SELECT hex(zeroblob(400000000)) AS md5",
        "CREATE VIRTUAL TABLE METADATA USING fts5(md5)",
        "CREATE TABLE FILE(id, md5 AS (hex(zeroblob(4)))); INSERT INTO FILE VALUES (1)",
        # Views and tables that are not what the rows of the schema say.
        "{view} UPDATE sqlite_master SET type = 'VIEW' WHERE name = 'METADATA'; {beside}",
        "{view} UPDATE sqlite_master SET name = name || char(0) WHERE type = 'view'; {beside}",
        "{view} UPDATE sqlite_master SET name = CAST(name AS BLOB) WHERE type = 'view'; {beside}",
        "{rows} CREATE VIRTUAL TABLE METADATA USING fts5(md5);"
        " UPDATE sqlite_master SET rootpage = CAST('0' AS BLOB) WHERE name = 'METADATA'",
    ],
)
def test_nothing_in_an_nsrl_database_is_run(tmp_path, schema):
    """A view, which may have rows without end or compute without giving one, a virtual table or a
    column that is computed is none of NSRL's.
    """
    endless = "WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a)"
    rows = "PRAGMA writable_schema = ON;"
    view = f"{rows} CREATE TABLE b(md5); CREATE VIEW METADATA AS {endless} SELECT x AS md5 FROM a;"
    beside = (
        "INSERT INTO sqlite_master"
        " VALUES ('table', 'METADATA', 'METADATA', 2, 'CREATE TABLE IF NOT EXISTS METADATA(md5)')"
    )
    with closing(sqlite3.connect(tmp_path / "rds.db")) as made:
        made.executescript(schema.format(endless=endless, rows=rows, view=view, beside=beside))
        made.commit()
    with pytest.raises(ListError, match="not one of NSRL's"):
        HashList.create(tmp_path / "known.list").import_file(tmp_path / "rds.db")


def test_an_nsrl_database_that_repeats_its_pages_ends(tmp_path):
    """Of two kilobytes in which pages name others seventy times each, no more rows are read than
    the file has bytes.
    """
    file, size, each = tmp_path / "rds.db", 512, 70
    with closing(sqlite3.connect(file)) as made:
        made.executescript(f"PRAGMA page_size = {size}; CREATE TABLE METADATA(md5)")
        made.execute("INSERT INTO METADATA VALUES (?)", (MD5,))
        made.commit()
    data = file.read_bytes()
    assert len(data) == 2 * size

    def pointing(page):
        cells = struct.pack(">IB", page, 1) * (each - 1)  # a child, and the largest id in it
        starts = [size - 5 * number for number in range(1, each)]
        head = struct.pack(">BHHHBI", 5, 0, each - 1, min(starts), 0, page)
        return (head + struct.pack(f">{each - 1}H", *starts)).ljust(
            size - len(cells), b"\0"
        ) + cells

    header = data[:28] + struct.pack(">I", 4) + data[32:size]
    file.write_bytes(header + pointing(3) + pointing(4) + data[size:])
    with closing(sqlite3.connect(file)) as made:
        assert made.execute("SELECT count(*) FROM METADATA").fetchone() == (each * each,)

    with pytest.raises(ListError, match="more rows than bytes"):
        HashList.create(tmp_path / "known.list").import_file(file)


def test_nsrl_another_database_is_refused(tmp_path, monkeypatch):
    """A database without the columns, or a damaged one; neither is left open."""
    known = HashList.create(tmp_path / "known.list")
    connect, opened = sqlite3.connect, []

    def noted(*what, **settings):
        made = connect(*what, **settings)
        opened.extend([made] * ("immutable" in str(what[0])))
        return made

    monkeypatch.setattr(sqlite3, "connect", noted)
    for number, data in enumerate((b"SQLite format 3\0" + b"x" * 4096, None)):
        file = tmp_path / f"{number}.db"
        if data is None:
            with closing(sqlite3.connect(file)) as made:
                made.execute("CREATE TABLE a(b)")
        else:
            file.write_bytes(data)
        with pytest.raises(ListError, match=r"NSRL|cannot be read"):
            known.import_file(file)
    assert len(opened) == 2
    for one in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            one.execute("SELECT 1")
