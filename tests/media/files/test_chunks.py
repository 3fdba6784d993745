"""ISO boxes and RIFF chunks, read from bytes and from streams."""

import io
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso_boxes import box

from screener.media.files.chunks import read_boxes, read_riff_chunks

TYPE, FREE = box(b"ftyp", b"isom"), box(b"free", bytes(5))


@pytest.mark.parametrize("opened", [bytes, io.BytesIO])
def test_boxes_have_a_short_length_a_long_one_or_the_rest(opened):
    """A length of 1 stands for a longer one behind the name, a length of 0 for all that is left."""
    long = struct.pack(">I4sQ", 1, b"mdat", 20) + bytes(4)
    rest = struct.pack(">I4s", 0, b"moov") + bytes(9)
    data = TYPE + long + rest

    found = list(read_boxes(opened(data), 0, len(data)))

    assert found == [(b"ftyp", 8, 12), (b"mdat", 28, 32), (b"moov", 40, 49)]


@pytest.mark.parametrize(
    "broken",
    [
        struct.pack(">I4s", 7, b"free") + bytes(8),
        struct.pack(">I4sQ", 1, b"free", 15) + bytes(8),
        struct.pack(">I4s", 1, b"free"),
        b"\0\0\0\x08fre",
    ],
)
def test_boxes_end_at_a_length_that_is_less_than_a_head(broken):
    """Nothing behind such a box is known to be one."""
    assert list(read_boxes(TYPE + broken, 0, 12 + len(broken))) == [(b"ftyp", 8, 12)]


def test_a_last_box_may_be_declared_longer_than_the_file():
    """That is how a file that is cut short is recognised."""
    assert list(read_boxes(TYPE[:-2], 0, 10)) == [(b"ftyp", 8, 12)]


def test_no_more_boxes_are_read_than_allowed():
    """A file of nothing but heads of boxes costs a limited time."""
    assert len(list(read_boxes(FREE * 9, 0, 9 * len(FREE), 5))) == 5


@pytest.mark.parametrize("opened", [bytes, io.BytesIO])
def test_chunks_of_an_odd_length_are_padded(opened):
    """The padding is between the end of one and the start of the next."""
    data = b"abcd\3\0\0\0xyz\0" + b"efgh\2\0\0\0xy"

    assert list(read_riff_chunks(opened(data), 0, len(data))) == [
        (b"abcd", 8, 11),
        (b"efgh", 20, 22),
    ]


@given(st.binary(max_size=200), st.integers(0, 50))
def test_damaged_bytes_end_the_walk_and_never_raise(data, at):
    """Each chunk begins behind the one before."""
    for walk in (read_boxes, read_riff_chunks):
        found = list(walk(data, at, len(data)))
        assert found == list(walk(io.BytesIO(data), at, len(data)))
        assert all(one[2] <= other[1] for one, other in itertools.pairwise(found))
