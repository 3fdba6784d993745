"""Hash lines: what `hash` prints, `match` reads."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener import Hash, Reason
from screener.cli import hash_lines
from screener.hashing.hash import KINDS

OF_ANY_BYTES = sorted(set(KINDS) - {"vpdq", "tmk_pdqf"})


@given(kind=st.sampled_from(OF_ANY_BYTES), data=st.data(), quality=st.none() | st.integers(0, 100))
def test_a_line_that_was_written_reads_back(kind, data, quality):
    """Kind, value, quality and a plain name survive, whatever the kind."""
    value = data.draw(st.binary(min_size=KINDS[kind].size, max_size=KINDS[kind].size))
    made = Hash(KINDS[kind], value, quality=quality)

    line = hash_lines.parse_line(7, hash_lines.format_hash(made, "a folder/photo 1.jpg").encode())

    assert line.hash == made
    assert line.hash.quality == quality
    assert (line.number, line.input, line.error) == (7, "a folder/photo 1.jpg", None)


def test_a_name_cannot_break_its_line():
    """Line breaks and bytes that are no text are escaped."""
    made = Hash.parse("md5", "00" * 16)

    line = hash_lines.format_hash(made, "a\nb\udcff\x1b[31m.jpg")

    assert line.isprintable()
    assert line.endswith(" - a\\nb\\udcff\\x1b[31m.jpg")


@pytest.mark.parametrize("name", ["a", " a", "a ", "  a b  ", " ", "  "])
def test_a_name_with_spaces_round_it_is_no_other_name(name):
    """They are escaped: else two files whose lines follow each other would be one item."""
    read = hash_lines.parse_line(
        1, hash_lines.format_hash(Hash.parse("md5", "00" * 16), name).encode()
    )

    assert read.input == name.replace(" ", "\\x20").replace("a\\x20b", "a b")


@given(st.binary(max_size=300))
def test_any_bytes_give_a_hash_or_an_error(data):
    """Reading never raises, and the error does not repeat the line."""
    line = hash_lines.parse_line(1, data)

    if line is not None:
        assert (line.hash is None) == (line.error is not None)


def test_a_bad_line_is_told_without_its_value():
    """The error names what is wrong and never the hash itself."""
    value = "0123456789abcdef" * 3
    line = hash_lines.parse_line(1, f"pdq {value}".encode())

    assert line.hash is None
    assert value not in line.error
    assert hash_lines.parse_line(2, b"pdq " + b"0" * 64 + b" high").hash is None
    assert hash_lines.parse_line(3, b"pdq " + b"0" * 64 + b" 101").hash is None
    assert hash_lines.parse_line(4, b"sha3 00").hash is None
    assert hash_lines.parse_line(5, b"pdq " + b"0" * 64 + b" " + b"9" * 5000).hash is None
    assert hash_lines.parse_line(6, b"pdq " + b"0" * 64 + "\u0665".encode()).hash is None
    swapped = hash_lines.parse_line(7, f"{value}0123456789abcdef pdq".encode())
    assert value not in swapped.error


def test_an_unscreened_line_says_its_reason():
    """What could not be hashed is known to whoever reads the lines."""
    line = hash_lines.parse_line(
        3, hash_lines.format_unscreened(Reason.TRUNCATED, "a b.jpg").encode()
    )

    assert (line.hash, line.reason, line.input) == (None, Reason.TRUNCATED, "a b.jpg")


def test_blank_lines_and_comments_are_no_items():
    """They are passed over."""
    assert hash_lines.parse_line(1, b"  \r") is None
    assert hash_lines.parse_line(2, b"# pdq 00") is None


def test_a_mark_of_the_byte_order_before_all_lines_is_passed_over():
    """As editors of other systems write: the first line's hash is read. Elsewhere it is damage."""
    line = b"\xef\xbb\xbfmd5 " + b"0" * 32

    assert hash_lines.parse_line(1, line).hash == Hash.parse("md5", "0" * 32)
    assert hash_lines.parse_line(1, b"\xef\xbb\xbf# a comment") is None
    assert hash_lines.parse_line(2, line).hash is None


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b""))))
def test_batches_lose_no_line(lines):
    """However a stream is cut into reads, its lines come out whole and in order."""
    text = b"".join(line + b"\n" for line in lines)

    class Trickle(io.BytesIO):
        def read1(self, size=-1):
            return self.read(3)

    found = [line for batch in hash_lines.read_batches(Trickle(text)) for line in batch]
    assert found == lines


def test_a_line_without_end_is_not_kept():
    """Memory stays bounded, and what follows is one bad line."""
    stream = io.BytesIO(b"x" * 30_000_000 + b"\npdq " + b"0" * 64 + b"\n")

    lines = [line for batch in hash_lines.read_batches(stream) for line in batch]

    assert len(lines) == 2
    assert len(lines[0]) < 10_000_000
    assert hash_lines.parse_line(1, lines[0]).error
    assert hash_lines.parse_line(2, lines[1]).hash is not None


def test_many_lines_of_one_input_are_gone_through_once(monkeypatch):
    """However they arrive: those that came are not gone through again with each that comes."""
    asked = 0

    class Asked(hash_lines.HashLine):
        def __getattribute__(self, name):
            nonlocal asked
            asked += name == "input"
            return super().__getattribute__(name)

    class Trickle(io.BytesIO):
        def read1(self, size):
            return self.readline()

    class Engine:
        def match_each(self, items, inputs):
            return [*zip(inputs, map(len, items), strict=True)]

    monkeypatch.setattr(hash_lines, "HashLine", Asked)
    lines = [f"md5 {number:032x} - {name}\n" for number, name in enumerate("a" * 300 + "bc")]
    stream = Trickle("".join([*lines, f"md5 {0:032x}\n" * 2]).encode())

    found = list(hash_lines.match_lines(Engine(), stream))

    assert found == [("a", 300), ("b", 1), ("c", 1), ("stdin:303", 1), ("stdin:304", 1)]
    assert asked < 10 * 304


def test_of_many_lines_few_are_looked_up_at_once():
    """Their results are held together, and one may name each of a hundred thousand records."""
    at_once = []

    class Engine:
        def match_each(self, items, inputs):
            at_once.append(len(items))
            return inputs

    lines = [f"md5 {number:032x} - {number // 2}\n" for number in range(1001)]

    found = list(hash_lines.match_lines(Engine(), io.BytesIO("".join(lines).encode())))

    assert found == [str(number) for number in range(501)]
    assert max(at_once) <= 64
