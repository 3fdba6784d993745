"""Members of archives: their limits, their names, and damage."""

import gzip
import io
import random
import struct
import tarfile

import pytest
from archive_files import PACKERS, special, tarred, zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from screener import Reason
from screener.errors import MediaError
from screener.media.archives.archive import Archive, Budget, find_archive_type
from screener.media.files.limits import Limits
from screener.media.name import Name
from screener.scanning.workers.messages import Answer
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import OpenedArchive

FREE = Budget(members=1000, bytes=1 << 40)


def facts(listing):
    """Return name, size and reason of each member."""
    return [(one.name, one.size, one.error and one.error.reason) for one in listing.members]


@pytest.mark.parametrize("make", [zipped, tarred, lambda members: gzip.compress(tarred(members))])
def test_what_is_exactly_at_a_limit_is_within_it(make):
    """One byte or member more is too much. Names count as bytes; a skipped member counts only in a
    packed tar.
    """
    archive = Archive(io.BytesIO(make({"a": b"x" * 20, "b/": b"", "c": b"y" * 10})))

    def listed(bytes=20, **budget):
        listing = archive.list(Limits(bytes=bytes), Budget(**{"members": 2, "bytes": 32} | budget))
        members = [(one.name, one.size, one.error and one.error.reason) for one in listing.members]
        return members, listing.bytes, listing.error and listing.error.reason

    a, c = (b"a", 20, None), (b"c", 10, None)
    assert listed() == ([a, c], 32, None)
    assert listed(members=1) == ([a], 32, "too_large")
    assert listed(bytes=20, members=3) == ([a, c], 32, None)
    listing = archive.list(Limits(), Budget(2, 31))
    assert (len(listing.members), listing.error.reason) == (1, "too_large")
    large = ([(b"a", 20, "too_large"), c], 12 if archive.direct else 32, None)
    assert listed(bytes=19) == large
    assert archive.read(0, 20) == (b"x" * 20, None)
    assert archive.read(1, 20) == (b"y" * 10, None)
    with pytest.raises(MediaError, match="too_large"):
        archive.read(0, 19)
    with pytest.raises(MediaError, match="undecodable"):
        archive.read(2, 20)
    piece = 1 << 16
    longer = Archive(io.BytesIO(make({"a": random.Random(1).randbytes(piece + 1)})))
    with pytest.raises(MediaError, match="too_large"):
        longer.read(0, piece)
    assert len(longer.read(0, piece + 1)[0]) == piece + 1


def test_what_unpacks_to_many_times_its_size_is_not_read(monkeypatch):
    """A member of a zip file by itself, a packed tar file as a whole; small ones never."""
    monkeypatch.setattr("screener.media.archives.bomb_limits._MIN_BOMB_BYTES", 5000)
    members = {"few": bytes(5000), "zeros": bytes(5001), "a": random.Random(1).randbytes(6000)}
    limits = Limits(ratio=100)

    listing = Archive(io.BytesIO(zipped(members))).list(limits, FREE)
    reasons = [one.error and str(one.error) for one in listing.members]
    assert reasons == [None, "too_large: unpacks to more than 100 times its size", None]
    assert listing.error is None

    packed = gzip.compress(tarred({"few": bytes(4000), "zeros": bytes(40_000)}))
    listing = Archive(io.BytesIO(packed)).list(limits, FREE)
    assert [one.name for one in listing.members] == [b"few"]
    assert listing.error.reason == "too_large"


def test_names_and_kinds_of_members_are_those_of_the_archive():
    """Names may be any bytes; links and folders with content are members; a folder alone is not."""
    links = {"l": special("l", tarfile.SYMTYPE, "a"), "h": special("h", tarfile.LNKTYPE, "a")}
    raw = tarred({"a\udcff": b"x", "d/": b"", **links}, tarfile.GNU_FORMAT)
    archive = Archive(io.BytesIO(raw))
    listing = archive.list(Limits(), FREE)
    assert facts(listing) == [
        (b"a\xff", 1, None), (b"l", 0, "unreadable"), (b"h", 0, "unreadable"),
    ]  # fmt: skip
    assert archive.direct
    assert not Archive(io.BytesIO(gzip.compress(raw))).direct

    listing = Archive(io.BytesIO(zipped({"d/": b"", "e/": b"content"}))).list(Limits(), FREE)
    assert [(one.name, one.size) for one in listing.members] == [(b"e/", 7)]


def huge(size):
    """Yield a zip file and tar files whose second member declares so many bytes."""
    extra = struct.pack("<HHQ", 1, 8, size % (1 << 64))
    data = zipped({"a": b"good", "b": b""})
    at, end = data.rindex(b"PK\1\2"), data.index(b"PK\5\6")
    entry = bytearray(data[at:end]) + extra
    entry[24:28], entry[30:32] = b"\xff" * 4, len(extra).to_bytes(2, "little")
    record = bytearray(data[end:])
    record[12:16] = (int.from_bytes(record[12:16], "little") + len(extra)).to_bytes(4, "little")
    yield data[:at] + entry + record
    for form, where in ((tarfile.GNU_FORMAT, "size"), (tarfile.PAX_FORMAT, "pax_headers")):
        info = tarfile.TarInfo("b")
        setattr(info, where, size if where == "size" else {"size": str(size)})
        yield tarred({"a": b"good"}, form)[:1024] + info.tobuf(form) + bytes(10240)


@pytest.mark.parametrize("size", [(1 << 63) - 1, (1 << 64) - 1])
def test_a_size_that_no_file_has_costs_its_member_alone(size):
    """The members before it are listed, also in the message of a worker."""
    for data in huge(size):
        listing = Archive(io.BytesIO(data)).list(Limits(), FREE)
        sent = OpenedArchive(HashedInput(Name("x")), listing, direct=True)
        listing = Answer.from_wire(Answer(1, sent, 0.5, 0.6).to_wire()).outcome.listing

        assert [one.name for one in listing.members] == [b"a", b"b"]
        first, second = listing.members
        assert (first.error, second.error.reason) == (None, "too_large")


def trouble_of(data):
    """Return what keeps an archive from being opened, or its members from being listed."""
    try:
        return Archive(io.BytesIO(data)).list(Limits(), FREE).error
    except MediaError as error:
        return error


@pytest.mark.parametrize("refused", [False, True])
def test_a_size_below_nothing_ends_a_list(monkeypatch, refused):
    """Older libraries would go back and list members again; newer ones silently end the list."""
    if refused:

        def blocks(_, count):
            if count < 0:
                raise tarfile.InvalidHeaderError("invalid offset")
            return -(-count // 512) * 512

        monkeypatch.setattr(tarfile.TarInfo, "_block", blocks)
    _, *tars = huge(-1024)
    for data in tars:
        listing = Archive(io.BytesIO(data)).list(Limits(), FREE)

        assert [one.name for one in listing.members] == [b"a"]
        assert listing.error.reason == Reason.UNDECODABLE

        for rest in (b"", tarred({"c": b"good"})):
            assert trouble_of(data[1024:-10240] + rest + bytes(10240)).reason == "undecodable"


@settings(max_examples=150, deadline=None)
@given(
    which=st.integers(0, 4),
    edits=st.lists(st.tuples(st.integers(0), st.binary(min_size=1, max_size=6)), max_size=4),
    cut=st.none() | st.integers(0),
)
def test_damage_never_escapes_as_another_error(which, edits, cut):
    """A damaged archive is listed and read, or raises MediaError."""
    members = {"a": bytes(range(256)) * 8, "b/c": b"x" * 700, "d.zip": zipped({"e": b"f"})}
    packings = [zipped(members), *(pack(tarred(members)) for pack in PACKERS.values())]
    data = bytearray(packings[which])
    for where, what in edits:
        at = where % len(data)
        data[at : at + len(what)] = what
    stream = io.BytesIO(bytes(data if cut is None else data[: cut % (len(data) + 1)]))
    if find_archive_type(stream) is None:
        return
    try:
        archive = Archive(stream)
    except MediaError:
        return
    listing = archive.list(Limits(), FREE)
    if not edits and cut is None:
        assert listing.error is None
        assert [m.name for m in listing.members] == [b"a", b"b/c", b"d.zip"]
    for number, member in enumerate(listing.members):
        try:
            content, _ = archive.read(number, 1 << 20)
        except MediaError:
            continue
        if not edits and cut is None:
            assert content == members[member.name.decode()]
