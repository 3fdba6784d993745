"""Pictures of a HEIF or AVIF that its decoder does not return are reported."""

import pytest
from frames_of_file import frames_and_reason
from heic_files import heic
from hypothesis import given
from hypothesis import strategies as st
from picture_bytes import saved, several

from screener.media.image.structure import file_end, items


def avif(*pictures):
    """Return an AVIF of a picture, or an animation of several."""
    return several(pictures, "AVIF") if pictures[1:] else saved(pictures[0], "AVIF")


def infos(data):
    """Return the places of the boxes that describe items."""
    found, at = [], -1
    while (at := data.find(b"infe", at + 1)) >= 0:
        found.append(at)
    return found


def of_type(data, number, kind):
    """Return the file with the item of that place given another type."""
    at = infos(data)[number] + 12
    return data[:at] + kind + data[at + 4 :]


def hidden(data, number):
    """Return the file with the item of that place marked as hidden."""
    at = infos(data)[number] + 7
    return data[:at] + bytes([data[at] | 1]) + data[at + 1 :]


def moved(data, by, picture=None):
    """Return the file with its one picture at another place, perhaps of another length."""
    at = data.index(b"iloc") + 18
    assert data[at - 14 : at - 8] == bytes.fromhex("000000004400")
    start, length = (int.from_bytes(data[one : one + 4], "big") for one in (at, at + 4))
    numbers = (start + by, len(picture) if picture else length)
    written = b"".join(number.to_bytes(4, "big") for number in numbers)
    return data[:at] + written + data[at + 8 :] + (picture or b"")


def with_item(data, kind=b"av01", flags=0):
    """Return an AVIF of one picture that declares one more."""
    entry = b"\0\0\0\x15infe\2\0\0" + bytes([flags]) + b"\0\2\0\0" + kind + b"\0"
    data = moved(data, len(entry))
    for name in (b"meta", b"iinf"):
        at = data.index(name) - 4
        length = int.from_bytes(data[at : at + 4], "big")
        data = data[:at] + (length + len(entry)).to_bytes(4, "big") + data[at + 4 :]
    return data[: at + length] + entry + data[at + length :]


@pytest.mark.parametrize("kind", [b"av01", b"jpeg", b"vvc1", b"j2k1", b"unci"])
def test_a_picture_of_a_heif_that_libheif_leaves_out_is_reported(scene, kind):
    """Its decoder silently returns the other one."""
    data = heic(scene(1), scene(2))
    assert [len(frames_and_reason(data)[0]), frames_and_reason(data)[1]] == [2, None]
    frames, reason = frames_and_reason(of_type(data, 1, kind))
    assert [len(frames), reason] == [1, "unsupported"]


def test_a_hidden_picture_is_reported(scene):
    """No viewer shows it. Hidden parts of other pictures, such as tiles, are not reported."""
    assert frames_and_reason(hidden(heic(scene(1), scene(2)), 1))[1] == "unsupported"
    assert frames_and_reason(with_item(avif(scene(1)), flags=1))[1] == "unsupported"


def test_a_second_picture_of_an_avif_is_reported(scene):
    """libavif returns one."""
    assert frames_and_reason(avif(scene(1)))[1] is None
    assert frames_and_reason(with_item(avif(scene(1)), b"mime"))[1] is None
    frames, reason = frames_and_reason(with_item(avif(scene(1))))
    assert [len(frames), reason] == [1, "unsupported"]


def test_the_picture_of_an_animation_that_is_none_of_its_frames_is_reported(scene):
    """Viewers without animation show it; as a rule it is the first frame."""
    data = avif(scene(1), scene(2))
    assert [len(frames_and_reason(data)[0]), frames_and_reason(data)[1]] == [2, None]

    start = items._find_data(data[data.index(b"meta") + 4 :], 1)
    frames, reason = frames_and_reason(moved(data, len(data) - start, b"another picture's data"))
    assert [len(frames), reason] == [2, "unsupported"]


def test_no_sound_file_has_more(material):
    """Grids, gain maps, alpha, depth and metadata are no further pictures."""
    looked_at = 0
    for folder in ("libavif", "pillow-heif"):
        for path in sorted((material / "robustness" / folder).iterdir()):
            frames, reason = frames_and_reason(path.read_bytes())
            looked_at += len(frames)
            assert reason != "unsupported" or "empty" in path.name, path.name
    assert looked_at > 20


@given(st.binary(max_size=80), st.integers(0, 400), st.integers(0, 600))
def test_nothing_raises_on_what_is_broken(rest, at, cut):
    """Bytes are overwritten anywhere in the boxes, or cut off."""
    data = (_SOUND[:at] + rest + _SOUND[at + len(rest) :])[:cut]
    for format in ("HEIF", "AVIF"):
        assert items.has_more(data, format, 1) in (True, False)
    assert file_end.find_end(_SOUND, 0) == len(_SOUND)


_SOUND = bytes.fromhex(
    "0000001c667479706176697300000000617669666d696631617669730000009a"
    "6d65746100000000000000216864726c0000000000000000706963740000000000000000000000000000"
    "0000000e7069746d000000000001"
    "0000001e696c6f6300000000440000010001000000010000013300000010"
    "0000002869696e660000000000010000001a696e6665020000000001000061763031436f6c6f7200"
    "0000001469726566000000000000000c64696d6700"
)
