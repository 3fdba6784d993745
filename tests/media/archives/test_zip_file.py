"""Zip files whose directory does not mention all that they hold, or is wrong."""

import io
import struct
import zipfile
import zlib

import pytest
from archive_files import zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from screener import Reason
from screener.errors import MediaError
from screener.media.archives.archive import Archive, Budget
from screener.media.files.limits import Limits

FREE = Budget(members=1000, bytes=1 << 40)


SOME_ZIPS = st.builds(
    zipped,
    st.dictionaries(
        st.text("ab\u00e9/", min_size=1, max_size=5), st.binary(max_size=90), max_size=3
    ),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)


@settings(max_examples=150, deadline=None)
@given(
    before=st.just(b"") | SOME_ZIPS,
    last=SOME_ZIPS,
    comment=st.binary(max_size=40).filter(lambda one: b"PK" not in one),
    behind=st.just(b"") | st.binary(max_size=40).filter(lambda one: b"PK" not in one),
    zeros=st.sampled_from([0, 1, 21, 22, 23, 70_000, 3 << 20]),
)
def test_bytes_of_a_zip_file_that_are_in_no_member_are_reported(
    before, last, comment, behind, zeros
):
    """Its own members are read, and it is damaged if another file or bytes other than zeros
    surround it.
    """
    stream = io.BytesIO(last)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.comment = comment
        expected = [(i.filename.encode(), archive.read(i)) for i in archive.infolist()]
    archive = Archive(io.BytesIO(before + stream.getvalue() + behind + bytes(zeros)))
    expected = [(name, data) for name, data in expected if data or not name.endswith(b"/")]

    listing = archive.list(Limits(), FREE)

    assert [
        (one.name, archive.read(number, 1 << 20)[0]) for number, one in enumerate(listing.members)
    ] == expected
    reason = listing.error and listing.error.reason
    assert reason == ("undecodable" if before or any(behind) else None)


def without(data, number):
    """Return a zip file whose directory no longer names one member."""
    end = data.rfind(b"PK\5\6")
    directory = int.from_bytes(data[end + 16 : end + 20], "little")
    entries = [b"PK\1\2" + one for one in data[directory:end].split(b"PK\1\2")[1:]]
    del entries[number]
    left = b"".join(entries)
    counts = struct.pack("<4H2IH", 0, 0, len(entries), len(entries), len(left), directory, 0)
    return data[:directory] + left + b"PK\5\6" + counts


class Streamed(io.RawIOBase):
    """A pipe: members written to it have their sizes behind their data."""

    def __init__(self, stream):
        super().__init__()
        self._stream = stream

    def writable(self):
        """Return True."""
        return True

    def write(self, data):
        """Write into the stream."""
        return self._stream.write(data)


@pytest.mark.parametrize("number", [1, 2])
def test_a_picture_between_the_members_of_a_zip_file_is_reported(pictures, number):
    """Unpackers that start at the front find it. Zeros, names and descriptors hide nothing."""
    three = dict(zip(("a" * 700, "b.png", "c.png"), pictures, strict=False))
    whole = zipped(three, zipfile.ZIP_STORED)
    streamed = io.BytesIO()
    with zipfile.ZipFile(Streamed(streamed), "w") as archive:
        for name, data in three.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert streamed.getvalue().count(b"PK\7\b") == 3
    hidden = without(whole, number)
    end = hidden.find(pictures[number]) + len(pictures[number])
    begin = hidden.rfind(b"PK\3\4", 0, end)
    emptied = hidden[:begin] + bytes(end - begin) + hidden[end:]

    for data, reason in ((whole, None), (streamed.getvalue(), None), (emptied, None),
                         (hidden, "undecodable")):  # fmt: skip
        listing = Archive(io.BytesIO(data)).list(Limits(), FREE)
        assert (listing.error and listing.error.reason) == reason


@pytest.mark.parametrize("name", [b"bb.png", b"\xff\xff.png"])
@pytest.mark.parametrize(
    "second", ["\u65e5.png".encode(), b"", b"\xff", b"folder/", b"\0", None], ids=repr
)
def test_a_second_name_costs_no_member(name, second):
    """A second name in Unicode, sound or damaged, changes neither the members nor their names."""
    body = b"\1" if second is None else struct.pack("<BL", 1, zlib.crc32(name)) + second
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.png", b"a")
        info = zipfile.ZipInfo("bb.png" if name.isascii() else "\u00e9.png")
        info.extra = struct.pack("<2H2s", 0x9999, 2, b"up") + struct.pack("<2sH", b"up", len(body))
        info.extra += body
        archive.writestr(info, b"b")
        archive.writestr("c.png", b"c")

    archive = Archive(io.BytesIO(stream.getvalue().replace("\u00e9.png".encode(), name)))

    listing = archive.list(Limits(), FREE)
    assert [one.name for one in listing.members] == [b"a.png", name, b"c.png"]
    assert listing.error is None
    assert [archive.read(number, 9)[0] for number in range(3)] == [b"a", b"b", b"c"]


def test_a_zip_that_lies_about_sizes_is_held_to_them():
    """A member is read to its declared end or the limit, whichever comes first."""
    data = bytearray(zipped({"x": bytes(1 << 20)}))
    packed = zlib.compress(bytes(1 << 20))
    assert len(packed) < 2000
    for magic, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = data.index(magic) + offset
        data[at : at + 4] = (100).to_bytes(4, "little")
    archive = Archive(io.BytesIO(bytes(data)))

    assert [member.size for member in archive.list(Limits(), FREE).members] == [100]
    with pytest.raises(MediaError, match="undecodable"):
        raise archive.read(0, 1 << 30)[1]
    honest = Archive(io.BytesIO(zipped({"x": bytes(1 << 20)})))
    with pytest.raises(MediaError) as caught:
        honest.read(0, 1000)
    assert caught.value.reason == Reason.TOO_LARGE
