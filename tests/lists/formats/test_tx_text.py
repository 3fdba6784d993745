"""Lines of `type value`: types, damage and refusals."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.lists.formats.content import MAX_LINE_CHARS, Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import open_reader, sniff
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

PDQ = "0123456789abcdef" * 4
MD5 = "00112233445566778899aabbccddeeff"


def content(data):
    """Return text or bytes as the content of a file."""
    return Content(io.BytesIO(data if isinstance(data, bytes) else data.encode()), "list.txt")


def read(data, format="tx"):
    """Return all rows of a file, good and bad."""
    return list(open_reader(content(data), Options("demo"), format=format))


def test_the_documented_sample():
    """Two types, one of which is a digest of a video."""
    first, second = read(f"pdq {PDQ}\nvideo_md5 {MD5}\n", format=None)

    assert (first.hashes[0].kind.name, first.hashes[0].text) == ("pdq", PDQ)
    assert (first.state, first.entry, first.labels) == (State.CONFIRMED, None, {})
    assert (second.hashes[0].kind.name, second.hashes[0].text) == ("md5", MD5)
    assert second.labels == {"media": "video"}


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"vpdq", "tmk_pdqf"}))
def test_every_kind_is_a_type(name):
    """Name and value may have any case."""
    value = bytes(range(1, KINDS[name].size + 1))

    (row,) = read(f"{name.upper()} {value.hex().upper()}")

    assert row.hashes[0].kind.name == name
    assert row.hashes[0].value == value


@pytest.mark.parametrize("more", ["90 photo.jpg", "- a", "90", "\tphoto.jpg"])
def test_more_than_a_type_and_a_value_is_told_as_that(more):
    """So are lines of `screener hash`, which `match` reads: the value is not said to be damaged.
    Pairs of digits are one value, and a damaged one is damaged whatever follows it.
    """
    spaced = bytes.fromhex(MD5).hex(" ")
    good, further, bad = read(f"md5 {spaced}\nmd5 {MD5} {more}\nmd5 {MD5[1:]} {more}\n")

    assert good.hashes[0].text == MD5
    assert further == BadRow(2, "md5", "more than a type and a value")
    assert bad.reason in ("bad characters", "wrong length")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_blank_lines_and_comments(encoding):
    """They change nothing, and count as lines."""
    text = f"# a list\r\n\r\n  pdq   {PDQ} \r\n#pdq nothing\r\nmd5 0x{MD5}"

    rows = read(text.encode(encoding), format=None)

    assert [(row.line, row.hashes[0].kind.name) for row in rows] == [(3, "pdq"), (5, "md5")]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (f"vpdq {PDQ},1 2", "vpdq", "bad characters"),
        (f"raw_text {PDQ},1 2", "type", "unsupported type"),
        ("url http://example.org", "type", "unsupported type"),
        (f"{PDQ} pdq", "type", "unsupported type"),
        (PDQ, "type", "unsupported type"),
        ("pdq " + "0" * 32, "pdq", "wrong length"),
        (f"pdq {PDQ} {PDQ}", "pdq", "more than a type and a value"),
        ("md5 " + "z" * 32, "md5", "bad characters"),
        (f"md5 {MD5}\0", None, "NUL byte"),
        ("md5 ''", "md5", "no usable hash"),
        ("pdq " + "0" * MAX_LINE_CHARS, None, "line too long"),
    ],
)
def test_a_bad_line_is_set_aside(line, field, reason):
    """The bad row has line, field and reason; the lines around it are read."""
    rows = read(f"md5 {MD5}\n{line}\nmd5 {MD5}\n", format=None)

    assert rows[1] == BadRow(2, field, reason)
    assert [type(row) for row in rows] == [Row, BadRow, Row]


@pytest.mark.parametrize("value", [PDQ, MD5, "AAECAwQF", "hello"])
def test_one_unnamed_column_is_refused(value):
    """Its length does not identify it; the message says what to do, and shows no value."""
    for format in (None, "tx"):
        with pytest.raises(ListError, match="kind of hash") as caught:
            read(f"{value}\n{value}\n", format=format)
        assert value not in str(caught.value)
        assert "list.txt" in str(caught.value)


def test_prose_is_no_list():
    """A sentence that begins with a kind's name does not make a text a list."""
    prose = "An introduction\n\nPDQ is a hash.\nIt was published in 2019.\nIt is used.\n"

    with pytest.raises(ListError, match="in no known format"):
        read(prose, format=None)


def test_sniffing_bears_damaged_and_foreign_lines():
    """Half of the lines must have known types, not all."""
    assert sniff(content(f"url x\npdq {PDQ}\n")) == "tx"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([None, "tx"]))
def test_random_bytes_never_crash(data, format):
    """Any input gives rows or a refusal."""
    with contextlib.suppress(ListError):
        read(data, format)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("pdqm5 0af#\t\0\r\ufeff\ud800"), max_size=20)))
def test_hostile_lines_never_crash(lines):
    """After a good line, every line gives at most one row, in order."""
    data = "\n".join([f"md5 {MD5}", *lines]).encode("utf-8", "surrogatepass")

    numbers = [row.line for row in read(data)]

    assert numbers[0] == 1
    assert numbers == sorted(set(numbers))
