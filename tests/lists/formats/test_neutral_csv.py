"""The neutral CSV reader: headers, encodings, damage, and hostile input."""

import base64
import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from list_values import ANY_COLUMNS

from screener.errors import ListError
from screener.lists.formats import csv_rows
from screener.lists.formats.content import MAX_LINE_CHARS, Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import open_reader, sniff
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

MD5 = "00112233445566778899aabbccddeeff"
SHA1 = "00112233445566778899aabbccddeeff00112233"
SHA256 = MD5 * 2
PDQ = "0123456789abcdef" * 4
PHOTODNA = bytes(range(144))

# The example of the profile that the format is documented by, letter for letter.
SAMPLE = f"""\
id,md5,sha256,photodna,category,age,sex,series,status
SYN-0001,{MD5},{SHA256},{base64.b64encode(PHOTODNA).decode()},A,7-10,unknown,,active
SYN-0002,{MD5.upper()},,,C,14-15,unknown,series-x,active
SYN-0003,,{SHA256},,prohibited,,,,withdrawn
"""


def reader_of(data, source="demo", format="csv"):
    """A reader over text or bytes."""
    raw = data if isinstance(data, bytes) else data.encode()
    return open_reader(
        Content(io.BytesIO(raw), "file.csv"),
        Options(source, **ANY_COLUMNS),
        format=format,
    )


def read(data, **settings):
    """All rows of a file, good and bad."""
    return list(reader_of(data, **settings))


def good(data):
    """The rows of a file that has no bad one."""
    rows = read(data)
    assert not [item for item in rows if isinstance(item, BadRow)]
    return rows


def texts(rows):
    """The hashes of rows as (kind, text)."""
    return [[(item.kind.name, item.text) for item in row.hashes] for row in rows]


def test_the_documented_sample_reads_as_documented():
    """Upper case folds, categories stay apart, a withdrawal keeps its digest, labels are kept."""
    first, second, third = good(SAMPLE)

    assert first.entry == "SYN-0001"
    assert {item.kind.name: item.value for item in first.hashes} == {
        "md5": bytes.fromhex(MD5),
        "sha256": bytes.fromhex(SHA256),
        "photodna": PHOTODNA,
    }
    assert first.categories == (Category("operator:demo", "A"),)
    assert first.labels == {"age": "7-10", "sex": "unknown"}
    assert texts([second]) == [[("md5", MD5)]]
    assert second.categories == (Category("operator:demo", "C"),)
    assert third.state is State.WITHDRAWN
    assert reader_of(SAMPLE).unknown_columns == ("age", "sex", "series")


ENCODED = [
    ("utf-8", "utf-8"),
    ("utf-8 with a mark", "utf-8-sig"),
    ("utf-16 little", "utf-16-le"),
    ("utf-16 big", "utf-16-be"),
]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("_", "encoding"), ENCODED)
def test_encodings_and_line_ends_change_nothing(_, encoding, ends):
    """A mark decides the encoding, any line end ends a line, the last may be missing."""
    text = SAMPLE.rstrip("\n").replace("\n", ends).replace("series-x", "série-x")
    mark = "\ufeff" if encoding.startswith("utf-16") else ""

    rows = good((mark + text).encode(encoding))

    assert texts(rows) == texts(good(SAMPLE))
    assert rows[1].labels["series"] == "série-x"
    assert [row.line for row in rows] == [2, 3, 4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_told_from_the_header(delimiter):
    """Comma, semicolon and tab; the other two are then ordinary characters."""
    other = {",": ";", ";": ",", "\t": ","}[delimiter]
    text = f"id|md5|note\nx|{MD5}|a{other}b\n".replace("|", delimiter)

    (row,) = good(text)

    assert row.labels == {"note": f"a{other}b"}


@pytest.mark.parametrize(
    "header",
    [
        "id,sha256",
        "ID , SHA256",
        '"Entry ID","SHA-256"',
        "\ufeffentry_id,sha 256",
        "Entry,\u00a0Sha_256\u200b",
        "# a comment\n\nid,sha256",
        "sep=,\nid,sha256",
        "id,sha256,",
    ],
)
def test_header_names_are_forgiving(header):
    """Case, spaces, hyphens, quotes, marks, comments before it and a last comma do not matter."""
    (row,) = good(f"{header}\nx,{SHA256}\n")

    assert row.entry == "x"
    assert texts([row]) == [[("sha256", SHA256)]]


def test_columns_without_a_name_are_told_apart():
    """Several may have none: each is kept under its place."""
    (row,) = good(f"id,,sha256,,note\nx,a,{SHA256},b,c\n")

    assert row.labels == {"column 2": "a", "column 4": "b", "note": "c"}


@pytest.mark.parametrize(
    "cell",
    [
        MD5.upper(),
        f"  {MD5}\t",
        f'"{MD5}"',
        f"'{MD5}'",
        f'="{MD5}"',
        f'"=""{MD5}"""',
        f"0x{MD5}",
        f"0X{MD5.upper()}",
        f"\u00a0{MD5}\u200b",
        f"\ufeff{MD5}",
        f"\u200e{MD5}\u200f",
        f"\u202b{MD5}\u202c",
        f"\u2067{MD5}\u2069\u00ad",
        " ".join(MD5[at : at + 2] for at in range(0, 32, 2)),
    ],
)
def test_what_surrounds_a_value_is_forgiven(cell):
    """Quotes, spaces, invisible characters, `0x`, spaces between the digits, and the `="…"` by
    which a spreadsheet is told that digits are text.
    """
    (row,) = good(f"id,md5\nx,{cell}\n")

    assert texts([row]) == [[("md5", MD5)]]


def test_an_id_that_a_spreadsheet_was_told_is_text_is_that_id():
    """A later delivery may have it without, and withdraw it."""
    (row,) = good(f'id;md5\n="0012";{MD5}\n')

    assert row.entry == "0012"


def test_a_cell_of_nothing_that_a_spreadsheet_was_told_is_text_is_empty():
    """A row with such cells says as much as one without: it is not set aside, and has no id that
    all others without one would have too.
    """
    head = "id;md5;pdq;pdq_quality;status;category;updated\n"
    (row,) = good(f'{head}="";="{MD5}";="";="";="";="";=""\n')

    assert [row] == good(f"{head};{MD5};;;;;\n")
    assert row.entry is None


def test_a_file_of_withdrawals_alone_is_told_what_it_needs():
    """A column of a kind, which stays empty; without one it is no list, and nothing is taken back
    until somebody knows that.
    """
    with pytest.raises(ListError, match=r"a CSV of withdrawals alone.*`id,status,md5`"):
        sniff(Content(io.BytesIO(b"id,status\nx,withdrawn\n"), "s.csv"))

    (row,) = good("id,status,md5\nx,withdrawn,\n")

    assert (row.entry, row.state) == ("x", State.WITHDRAWN)


@pytest.mark.parametrize(
    "blank",
    [",", ",,", " , ", ",,,,", "\u00a0", "\u00a0,\u00a0", "\u200f,\u200e", '"",""', "", " "],
)
def test_a_row_of_empty_cells_is_blank(blank):
    """As spreadsheets write many below the last one: none is counted, and a full list that ends so
    is not refused for rows that could not be read.
    """
    (row,) = good(f"id,md5\nx,{MD5}\n{blank}\n\n{blank}\n")

    assert row.entry == "x"


@pytest.mark.parametrize("emptied", [",", " , ", ",,,,", "\u00a0,\u00a0", '"",""'])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_that_were_emptied_among_others_are_set_aside(emptied, delimiter):
    """The first of each run, since nobody knows what they said: as a full list, a faulty export
    would withdraw what stood there. A tab is a delimiter there, and no space of a blank line.
    """
    text = f"id,md5\nx,{MD5}\n{emptied}\n\n{emptied}\ny,{MD5}\n{emptied}\nz,{MD5}\n,\n"
    rows = read(text.replace(",", delimiter))

    assert [row.entry for row in rows if isinstance(row, Row)] == ["x", "y", "z"]
    bad = [(row.line, row.reason) for row in rows if isinstance(row, BadRow)]
    assert bad == [(3, "only delimiters"), (7, "only delimiters")]


@pytest.mark.parametrize("mark", ["\u200f{}", "{}\u200e", "\u202b{}\u202c", "{}\u00ad"])
def test_an_id_with_marks_that_nobody_sees_is_the_id_without(mark):
    """A withdrawal that was copied from a page in Arabic reaches the entry that it names."""
    (row,) = good(f"id,status,md5\n{mark.format('x')},{mark.format('withdrawn')},\n")

    assert (row.entry, row.state) == ("x", State.WITHDRAWN)


@pytest.mark.parametrize(
    "cell",
    [
        PHOTODNA.hex(),
        PHOTODNA.hex().upper(),
        base64.b64encode(PHOTODNA).decode(),
        '"' + ",".join(map(str, PHOTODNA)) + '"',
        '"' + ", ".join(map(str, PHOTODNA)) + '"',
    ],
)
def test_photodna_in_all_its_texts(cell):
    """Hex, base64 and decimals give the same bytes."""
    (row,) = good(f"id,photodna\nx,{cell}\n")

    assert row.hashes[0].value == PHOTODNA


def test_base64_is_never_folded():
    """PDQ in base64 keeps its case; SHA-1 in base32 folds."""
    raw = bytes.fromhex(PDQ)
    (row,) = good(
        f"id,pdq,sha1\nx,{base64.b64encode(raw).decode()},aaisem2ekvthpcezvk54zxpo74abcirt\n"
    )

    assert texts([row]) == [[("pdq", PDQ), ("sha1", SHA1)]]


DAMAGED = [
    ("md5", "1.23E+31", "damaged by a spreadsheet"),
    ("md5", '"1,23E+31"', "damaged by a spreadsheet"),
    ("md5", MD5[2:], "wrong length"),
    ("md5", MD5 + "00", "wrong length"),
    ("md5", MD5[:-1] + "g", "bad characters"),
    ("md5", "none?", "bad characters"),
    ("pdq", "0" * 32, "wrong length"),
    ("pdq", SHA1, "wrong length"),
    ("sha256", MD5, "wrong length"),
    ("photodna", PHOTODNA[1:].hex(), "wrong length"),
    ("photodna", PHOTODNA.hex() + "ff", "wrong length"),
    ("photodna", '"' + ",".join(["256"] * 144) + '"', "bad characters"),
]


@pytest.mark.parametrize(("kind", "cell", "reason"), DAMAGED)
def test_a_damaged_value_sets_its_row_aside(kind, cell, reason):
    """Line, field and reason are told, never the value; the next row is read."""
    bad, row = read(f"id,{kind},other\nx,{cell},\ny,,\n")

    assert (bad.line, bad.field) == (2, kind)
    assert bad.reason in (reason, "wrong length" if kind == "photodna" else reason)
    assert cell.strip('"') not in str(bad)
    assert isinstance(row, Row)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("", "confirmed"),
        ("active", "confirmed"),
        ("Confirmed", "confirmed"),
        (" DISPUTED ", "disputed"),
        ("seed", "seed"),
        ("known", "known_good"),
        ("Known-Good", "known_good"),
        ("withdrawn", "withdrawn"),
        ("removed", "withdrawn"),
        ("deleted", "withdrawn"),
    ],
)
def test_the_words_for_a_state(word, state):
    """Each word of a status column, whatever its case."""
    (row,) = good(f"id,md5,status\nx,{MD5},{word}\n")

    assert row.state == state


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (f"x,{MD5},50,perhaps", "state", "unknown state 'perhaps'; define it in a mapping file"),
        (f"x,{MD5},50", None, "wrong number of columns"),
        (f"x,{MD5},50,active,more", None, "wrong number of columns"),
        (f"x,{MD5}\0,50,active", None, "NUL byte"),
        (f"{'x' * 1025},{MD5},50,active", "entry", "field too long"),
        (f'x,"{MD5}"x,50,active', None, "bad quoting"),
    ],
)
def test_a_damaged_row_is_set_aside(line, field, reason):
    """The row's line and the reason are told, and the rows around it are read."""
    rows = read(f"id,md5,quality,status\na,{MD5},,\n{line}\nb,{MD5},,\n")

    assert [row.entry for row in rows if isinstance(row, Row)] == ["a", "b"]
    assert [row for row in rows if isinstance(row, BadRow)] == [BadRow(3, field, reason)]


@pytest.mark.parametrize(
    ("cell", "quality"), [("", None), ("0", 0), ("50", 50), ("100", 100), ("97.0", 97)]
)
def test_quality_of_pdq(cell, quality):
    """`quality` and `pdq_quality` are PDQ's."""
    for column in ("quality", "pdq_quality", "PDQ quality"):
        (row,) = good(f"id,pdq,{column}\nx,{PDQ},{cell}\n")
        assert row.hashes[0].quality == quality


@pytest.mark.parametrize("cell", ["101", "-1", "high", "97.5", "٩"])
def test_a_bad_quality_sets_the_row_aside(cell):
    """Anything but 0 to 100."""
    assert read(f"id,pdq,quality\nx,{PDQ},{cell}\n") == [BadRow(2, "pdq_quality", "bad quality")]


def test_the_quality_of_an_absent_kind_is_a_label():
    """Nothing is lost and nothing is guessed."""
    text = f"id,md5,quality,phash_quality\nx,{MD5},12,high\n"
    (row,) = good(text)

    assert row.labels == {"quality": "12", "phash_quality": "high"}
    assert row.hashes[0].quality is None
    assert reader_of(text).unknown_columns == ("quality", "phash_quality")


def test_unknown_columns_are_kept_unchanged():
    """Kinds that are not known here too, and formulas and spaces as they are."""
    text = f"id,md5,sha512,ssdeep,note\nx,{MD5},{'ab' * 64},[],  =1+1 \n"
    (row,) = good(text)

    assert row.labels == {"sha512": "ab" * 64, "ssdeep": "[]", "note": "  =1+1 "}
    assert reader_of(text).unknown_columns == ("sha512", "ssdeep", "note")


@pytest.mark.parametrize("name", ["PDQ hash", "pdq_hash", "hash_pdq", "Hash-PDQ", "PDQHash"])
def test_a_column_of_hashes_may_say_so(name):
    """Beside the kind: such a column was a label, and nothing was compared with it."""
    text = f"id,md5 hash,{name},pdq_quality\nx,{MD5},{PDQ},80\n"
    (row,) = good(text)

    assert texts([row]) == [[("pdq", PDQ), ("md5", MD5)]]
    assert {item.kind.name: item.quality for item in row.hashes} == {"md5": None, "pdq": 80}
    assert reader_of(text).unknown_columns == ()
    with pytest.raises(ListError, match="columns 1 and 2 have the same meaning"):
        read(f"pdq,{name}\n{PDQ},{PDQ}\n")


def test_category_schemes_and_times():
    """A scheme column names the scheme; without one it is the operator's."""
    text = f"id,md5,category,category_scheme,updated_at\nx,{MD5},A,uk,2026-01-02\ny,{MD5},B,,\n"
    first, second = good(text)

    assert first.categories == (Category("uk", "A"),)
    assert first.updated == "2026-01-02"
    assert second.categories == (Category("operator:demo", "B"),)
    assert second.updated is None


def test_quoted_cells_run_over_lines():
    """A cell in quotes may hold delimiters, quotes and line ends; lines are still counted."""
    text = f'id,md5,note\r\nx,{MD5},"a, ""b""\r\nc"\r\ny,{MD5},\r\n'
    first, second = good(text)

    assert first.labels == {"note": 'a, "b"\nc'}
    assert (first.line, second.line) == (2, 4)


def test_a_stray_quote_swallows_no_other_row():
    """A quote that is never closed costs its own row only, though rows follow."""
    rest = [f"e{number},{MD5}," for number in range(300)]
    text = "\n".join(["id,md5,note", f'bad,{MD5},"open', *rest])

    rows = read(text)

    assert rows[0] == BadRow(2, None, "bad quoting")
    assert [row.entry for row in rows[1:]] == [f"e{number}" for number in range(300)]
    assert [row.line for row in rows[1:]] == list(range(3, 303))


def test_two_stray_quotes_swallow_no_row_between_them():
    """Where the lines between two quotes make no good row together, each is read by itself."""
    lines = ["id,md5,note", f'a,{MD5},"open', f"b,{MD5},x", f'c,{MD5},"x', f"d,{MD5},x"]

    rows = read("\n".join(lines))

    assert [row.entry for row in rows if isinstance(row, Row)] == ["b", "d"]
    assert [row.line for row in rows if isinstance(row, BadRow)] == [2, 4]

    short = ["id,md5,note", f'a,{MD5},"open', f"b,{MD5},x", f'c,{MD5},",z', f"d,{MD5},x"]
    assert [row.line for row in read("\n".join(short)) if isinstance(row, Row)] == [3, 5]


@pytest.mark.parametrize(
    "lines",
    [
        ["id,md5,note", 'a,{},"5 inch', "b,{},x", 'c,{},4"', "d,{},x"],
        ["id,md5,note", '"a,{},x', 'b",{},x', "c,{},x", "d,{},x"],
        ["id,note,md5", 'a,"x,{}', 'b,y",{}', "c,x,{}", "d,x,{}"],
        ["id,md5,note", 'a,{},"x', "b,{},x,,", 'c,{},4"', "d,{},x"],
    ],
)
def test_two_stray_quotes_that_make_a_good_row_together_swallow_none(lines):
    """A cell of several lines that are rows by themselves is none that somebody wrote."""
    rows = read("\n".join(line.format(MD5) for line in lines))

    assert rows[0] == BadRow(2, None, "bad quoting")
    assert [(row.line, texts([row])) for row in rows[1:]] == [
        (number, [[("md5", MD5)]]) for number in (3, 4, 5)
    ]


def test_files_put_together_with_columns_in_another_order_are_refused():
    """Under the second header a SHA-256 would be a PDQ. The same header again costs a line only."""
    rows = f"1,{SHA256},{PDQ}\n", f"2,{PDQ},{SHA256}\n"
    text = f"id,sha256,pdq\n{rows[0]}ID,PDQ hash,sha256\n{rows[1]}"

    with pytest.raises(ListError, match=r"file\.csv, line 3: a second header") as caught:
        read(text)

    assert PDQ not in str(caught.value)
    first, again, last = read(f"id,sha256,pdq\n{rows[0]}id,SHA256,pdq,\n{rows[0]}")
    assert (first.entry, last.entry) == ("1", "1")
    assert isinstance(again, BadRow)


@pytest.mark.parametrize("row", ["1,md5,", "1,nothing,pdq", "id,md,7"])
def test_a_word_in_the_place_of_a_hash_is_no_header(row):
    """One name alone, or where no hash should stand, costs its row only."""
    (bad, fine) = read(f"id,md5,note\n{row}\n2,{MD5},\n")

    assert isinstance(bad, BadRow)
    assert texts([fine]) == [[("md5", MD5)]]


@pytest.mark.parametrize("entry", ["1.2E+10", '"1,23457E+11"', "1E+12", "1.2345678901234568e+16"])
def test_an_id_that_a_spreadsheet_has_rounded_joins_nothing(entry):
    """It is the id of many rows then, and a withdrawal of one would be one of all."""
    rows = read(f"id,md5,status\n{entry},{MD5},\n{entry},{'f' * 32},withdrawn\nx,{MD5},\n")

    assert rows[:2] == [BadRow(line, "entry", "damaged by a spreadsheet") for line in (2, 3)]
    assert rows[2].entry == "x"


@pytest.mark.parametrize("entry", ["1E5", "1.2E10", "12E+10", "1.2E+10/a", "E+1"])
def test_ids_with_an_e_between_digits_are_ids(entry):
    """As those of hex digits are."""
    (row,) = good(f"id,md5\n{entry},{MD5}\n")

    assert row.entry == entry


def test_blank_lines_comments_and_last_delimiters_are_skipped():
    """An exported file's ornaments are no rows."""
    text = f"id,md5\n\n# a comment\nx,{MD5},\n   \n#1,{MD5}\n"

    assert [row.entry for row in good(text)] == ["x", "#1"]


def test_a_row_whose_id_begins_like_a_comment_is_not_passed_over():
    """A last delimiter, or a column too many, makes no comment of a row with a hash, which would be
    lost without a word; what has neither columns nor a hash is one.
    """
    text = f"id,md5\n#1,{MD5},\n#2,{MD5},a,note\n# the end, of list 3, of 3\n# SHA-256: {SHA256}\n"
    rows = read(text)

    assert [row.entry for row in rows if isinstance(row, Row)] == ["#1"]
    bad = [(row.line, row.reason) for row in rows if isinstance(row, BadRow)]
    assert bad == [(3, "wrong number of columns")]


def test_one_column_with_a_name():
    """A header makes a single column safe, whatever its values hold."""
    assert texts(good(f"pdq\n{PDQ}\n\n{PDQ.upper()}\n")) == [[("pdq", PDQ)]] * 2
    decimals = ",".join(map(str, PHOTODNA))
    (row,) = good(f"photodna\n{decimals}\n")
    assert row.hashes[0].value == PHOTODNA


def test_a_withdrawal_by_id_is_honoured_even_if_damaged():
    """What is withdrawn must stop matching, also where the row's hash cannot be read."""
    (row,) = good("id,md5,status\nx,1.23E+31,withdrawn\n")
    assert (row.entry, row.state, row.hashes) == ("x", State.WITHDRAWN, ())

    assert isinstance(read("md5,status\n1.23E+31,withdrawn\n")[0], BadRow)


def test_undecodable_bytes_set_their_row_aside():
    """Latin-1 in a label costs that row; so does a UTF-16 file that ends within a character."""
    rows = read(f"id,md5,note\na,{MD5},caf".encode() + b"\xe9\nb," + f"{MD5},\n".encode())
    assert rows[0] == BadRow(2, None, "undecodable text")
    assert rows[1].entry == "b"

    odd = ("\ufeff" + f"id,md5,note\na,{MD5},\nb,{MD5},x").encode("utf-16-le") + b"y"
    assert [type(row) for row in read(odd)] == [Row, BadRow]


def test_a_line_without_end_is_never_held():
    """A line over the limit is one bad row, and the next is read."""
    text = f"id,md5,note\nx,{MD5},{'y' * (MAX_LINE_CHARS + 10)}\nz,{MD5},\n"

    rows = read(text)

    assert rows[0] == BadRow(2, None, "line too long")
    assert rows[1].entry == "z"
    assert rows[1].line == 3
    endless = read(f"id,md5\nx,{'7' * (3 * MAX_LINE_CHARS)}")
    assert endless == [BadRow(2, None, "line too long")]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_over_the_limit_is_set_aside(quote):
    """With and without quotes."""
    big = quote + "y" * (csv_rows.MAX_CELL_CHARS + 1) + quote

    rows = read(f"id,md5,note\nx,{MD5},{big}\nz,{MD5},\n")

    assert rows[0] == BadRow(2, None, "field too long")
    assert rows[1].entry == "z"


REFUSED = [
    (b"", "empty"),
    (b"\x1f\x8b\x08\0\0", "gzip"),
    (b"PK\x03\x04rest", "zip"),
    (b"SQLite format 3\0", "SQLite"),
    (b"<?xml version='1.0'?>", "XML"),
    (b'{"value": []}', "JSON"),
    (b"\x89PNG\r\n\x1a\n\0\0\0", "no format known|in no known format"),
    (b"\0\x01\x02\x03", "not text"),
    (b"id,name\n1,2\n", "no header|in no known format"),
    ((PDQ + "\n").encode(), "kind of hash"),
    ((MD5 + "\n" + MD5 + "\n").encode(), "kind of hash"),
    (f"pdq,{PDQ}\n".encode(), "in no known format"),
    (f"x,{MD5}\n".encode(), "in no known format"),
    (b"id,md5,MD5\n", "same meaning"),
    (b"id,entry_id,md5\n", "same meaning"),
    (b"id,md5,note,note\n", "same meaning"),
    ("id,md5\n".encode("utf-32"), "not text"),
]


@pytest.mark.parametrize(("data", "words"), REFUSED)
def test_what_is_no_list_is_refused(data, words):
    """A sentence that names the file and shows nothing of its content."""
    with pytest.raises(ListError, match=words) as caught:
        read(data, format=None)

    assert "file.csv" in str(caught.value)
    assert PDQ not in str(caught.value)
    assert MD5 not in str(caught.value)


def test_forcing_the_format_needs_the_header_all_the_same():
    """`csv` by name, without a header: refused, and the first line is not shown."""
    for data in (f"x,{MD5}\n", f"md5,{MD5}\n", "", "\n\n", f"{'x' * (MAX_LINE_CHARS + 1)}\n"):
        with pytest.raises(ListError, match="does not name a kind of hash") as caught:
            read(data)
        assert MD5 not in str(caught.value)
    with pytest.raises(ListError, match="unknown format"):
        read(SAMPLE, format="xlsx")


def test_a_long_heading_with_a_number_is_no_hash():
    """Words with spaces between them are no base64, however many there are."""
    name = "Number of submissions in the last 30 days"
    (row,) = good(f"id,md5,{name}\n1,{MD5},3\n")

    assert row.labels == {name: "3"}
    assert sniff(Content(io.BytesIO(f"md5,{name}\n".encode()), "file")) == "csv"


def test_sniffing_reads_the_header():
    """The sample is recognised in every encoding."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert sniff(Content(io.BytesIO(SAMPLE.encode(encoding)), "f")) == "csv"


def outcome(data, format):
    """The rows, or the refusal."""
    try:
        return read(data, format=format)
    except ListError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([None, "csv"]))
@example(b'id,md5\n"', "csv")
@example(b'id,md5\n"\r\r\n"\n"\n', "csv")
@example(b"\xff\xfei\0d\0,\0m\0d\0" + b"5\0\n\0\0\xd8", None)
def test_random_bytes_never_crash(data, format):
    """Rows or a refusal, whatever comes."""
    outcome(data, format)


LINES = st.lists(
    st.text(st.sampled_from("\"',;\t#\0 0xabcdef1\r\n\u00a0\ufeff\ud800é"), max_size=20), max_size=8
)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_hostile_rows_under_a_good_header_never_crash(lines):
    """Every physical line that is no ornament gives a row, good or bad, in ascending order."""
    data = ("id,md5,note\n" + "\n".join(lines)).encode("utf-8", "surrogatepass")

    rows = outcome(data, "csv")

    assert not isinstance(rows, str)
    numbers = [row.line for row in rows]
    assert numbers == sorted(set(numbers))


CELLS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=30
)


@settings(max_examples=200, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_what_a_csv_writer_writes_reads_back(notes, delimiter):
    """Labels come back unchanged, whatever quoting the writer chose."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["id", "md5", "note"])
    for number, note in enumerate(notes):
        writer.writerow([f"e{number}", MD5, note])

    rows = good(out.getvalue().encode())

    assert [row.labels.get("note", "") for row in rows] == notes


def test_states_that_are_many_long_or_a_hash_are_reported_without_their_words():
    """A shifted file has a thousand of them, and a reason never has a hash."""
    cells = [MD5, "x" * 41, *(f"word {number}" for number in range(30))]
    text = "".join(f"{number},{MD5},{cell}\n" for number, cell in enumerate(cells))
    reasons = [row.reason for row in read(f"id,md5,status\n{text}")]

    assert reasons[:2] == ["unknown state"] * 2
    assert reasons[2] == "unknown state 'word 0'; define it in a mapping file"
    assert (len(set(reasons)), reasons[-1]) == (21, "unknown state")
