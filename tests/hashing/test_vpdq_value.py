"""vPDQ and TMK values: what is read is written back, and what cannot be one is refused."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener.errors import HashError
from screener.hashing import vpdq_value
from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import VideoFrame

frames = st.lists(
    st.builds(
        VideoFrame,
        number=st.just(-1),
        time=st.integers(0, 10**9).map(lambda thousandths: thousandths / 1000),
        quality=st.integers(0, 100),
        pdq=st.binary(min_size=32, max_size=32),
    ),
    min_size=1,
    max_size=20,
)


@given(frames)
def test_a_vpdq_is_read_back(made):
    """From its text, to the thousandth of a second; the text has no space."""
    one = Hash(KINDS["vpdq"], vpdq_value.pack_vpdq(made))

    assert list(vpdq_value.vpdq_frames(one.value)) == made
    assert Hash.parse("vpdq", one.text) == one
    assert " " not in one.text
    assert str(one) == f"vpdq hash of {8 * len(one.value)} bits"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "3", '["a"]', '["a,b,c"]', '{"0": 1}', '[["x"]]', "[" * 10_000, '["é,1,2"]',
     f'["{"ab" * 31},1,2"]', f'["{"ab" * 33},1,2"]', f'["{"ab" * 32},1"]',
     '{"0": {"quality": 1, "timestamp": 2}}',
     # Numbers that JSON can have, and a frame or Python cannot.
     *(f'{{"0": {{"hash": "{"ab" * 32}", {numbers}}}}}'
       for numbers in ('"quality": 1e999, "timestamp": 2',
                       f'"quality": 1, "timestamp": 1{"0" * 400}'))],
)  # fmt: skip
def test_what_is_no_vpdq_is_refused(text):
    """In words that do not repeat it."""
    with pytest.raises(HashError, match="not a vpdq value") as caught:
        Hash.parse("vpdq", text)
    assert len(text) < 2 or text not in str(caught.value)


@pytest.mark.parametrize(
    "frame",
    [
        (0, 1.0, 101),
        (-2, 1.0, 50),
        (0, -1.0, 50),
        (0, float("nan"), 50),
        (0, float("inf"), 50),
        (2**40, 1.0, 5),
    ],
)
def test_a_frame_that_cannot_be_is_refused(frame):
    """A quality over 100, a time or number below zero, or that is none."""
    with pytest.raises(HashError):
        vpdq_value.pack_vpdq([VideoFrame(*frame, bytes(32))])


@pytest.mark.parametrize("pdq", [b"", bytes(31), bytes(33), b"5a" * 32, bytearray(31)])
def test_a_frame_whose_pdq_is_none_is_refused(pdq):
    """One that is too short or too long, as its hex is; it was filled up, or cut."""
    with pytest.raises(HashError, match=r"wrong length|bad frame"):
        vpdq_value.pack_vpdq([VideoFrame(0, 1.0, 50, bytes(32)), VideoFrame(1, 2.0, 50, pdq)])


def test_a_value_of_another_length_is_refused(monkeypatch):
    """One that is no whole number of frames, has none, or more than a video may have."""
    monkeypatch.setattr(vpdq_value, "MOST_FRAMES", 3)
    frame = vpdq_value.pack_vpdq([VideoFrame(0, 1.0, 50, bytes(32))])

    assert [vpdq_value.check_vpdq(frame * count) for count in (1, 3)] == [None] * 2
    for value in (b"", frame[:-1], frame + b"x", frame * 4):
        with pytest.raises(HashError, match="wrong length"):
            vpdq_value.check_vpdq(value)


def tmk(*, counts=(15, 4, 32, 256), frames=300, last=4, number=0.5, size=vpdq_value.TMK_BYTES):
    """A TMK file."""
    head = struct.pack("<12s5i4i", b"TMK1FVECPDQF", *counts, frames, 1, 2, 3, last)
    rest = struct.pack("<f", number) * (vpdq_value.TMK_BYTES // 4)
    return (head + rest)[:size]


def test_a_tmk_is_read_back():
    """In base64 as a whole, and after its magic."""
    value = tmk()
    one = Hash.parse("tmk_pdqf", base64.b64encode(value).decode())

    assert one.value == value
    assert Hash.parse("tmk_pdqf", one.text) == one
    rest = base64.b64encode(value[12:]).decode()
    assert Hash.parse("tmk_pdqf", f"TMK1FVECPDQF|{rest}") == one
    for text in (one.text, f"TMK1FVECPDQF|{rest}"):
        with pytest.raises(HashError, match="bad characters"):
            Hash.parse("tmk_pdqf", f"{text[:40]}*{text[40:]}")


@pytest.mark.parametrize(
    "value",
    [
        tmk(counts=(15, 2**31 - 1, 32, 256)),
        tmk(counts=(0, 4, 32, 256)),
        tmk(counts=(15, 4, 31, 256)),
        tmk(counts=(15, 4, 32, 255)),
        tmk(frames=-1),
        tmk(frames=0),
        tmk(last=0),
        tmk(size=vpdq_value.TMK_BYTES + 4),
        tmk(number=float("nan")),
        tmk(number=float("inf")),
        tmk()[:-4] + struct.pack("<f", float("nan")),
        tmk(size=-1),
        tmk(size=47),
        b"TMK1",
        tmk().replace(b"TMK1", b"TMK2"),
    ],
)
def test_a_lying_tmk_is_refused(value):
    """Counts, numbers and length are checked before anything is believed."""
    with pytest.raises(HashError, match="not a tmk_pdqf value"):
        vpdq_value.check_tmk(value)


@pytest.mark.parametrize(
    ("number", "time"), [(2**31, 0.0), (2**70, 0.0), (-2, 0.0), (0, "inf"), (0, -0.5)]
)
def test_a_frame_with_a_number_that_no_video_has_is_refused(number, time):
    """By itself, so that it does not take a video's other frames with it."""
    with pytest.raises(HashError, match="bad frame"):
        vpdq_value.vpdq_frame(number, "ab" * 32, 90, time)


@pytest.mark.parametrize(("quality", "time"), [(True, 1.0), (90, True), ("x", 1.0), (90, "")])
def test_a_frame_whose_numbers_are_none_is_refused(quality, time):
    """In JSON, `true` is no number."""
    with pytest.raises(ValueError):  # noqa: PT011 - as `int` and `float` raise it
        vpdq_value.vpdq_frame(0, "ab" * 32, quality, time)


@given(frames)
def test_the_lines_of_vpdqs_tool_have_a_number_each(made):
    """The number is the frame's own if it is known, else its position."""
    numbered = [one._replace(number=7 * n) for n, one in enumerate(made)]
    for given_frames, factor in ((made, 1), (numbered, 7)):
        lines = [
            line.split(",") for line in vpdq_value.vpdq_lines(vpdq_value.pack_vpdq(given_frames))
        ]

        assert [int(number) for number, *_ in lines] == [factor * n for n in range(len(made))]
        for (_, quality, pdq, time), one in zip(lines, made, strict=True):
            assert (int(quality), bytes.fromhex(pdq)) == (one.quality, one.pdq)
            assert float(time) == pytest.approx(one.time, abs=0.0005)
