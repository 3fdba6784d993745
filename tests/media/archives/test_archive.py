"""Archives in a scan: each member has its Result, and nothing is unpacked without end."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from archive_files import locked, tarred, zipped
from doubtful_screener import Doubtful
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_bytes import png
from workers_backwards import Backwards, Doing

from screener import Policy, Reason, Screener, Verdict, scan
from screener.errors import MediaError
from screener.hashing import pdq
from screener.media.archives.archive import Archive, Budget, type_of
from screener.media.files.limits import Limits
from screener.media.source import Name
from screener.scanning.inputs.expand import places
from screener.scanning.scan import path_results, results_of
from screener.scanning.workers.messages import Answer
from screener.screening.input import hasher
from screener.screening.input.hash_item import Hashed
from screener.screening.input.hasher import Opened

PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
FREE = Budget(members=1000, bytes=1 << 40)


def special(name, kind, link=""):
    """A member of a tar file that is no regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def padded(content):
    """How many bytes a content takes in a tar file."""
    return (len(content) + 511) // 512 * 512


def told(results, folder):
    """Name, verdict and reason of the results that count: of an archive that its members speak for,
    none.
    """
    return [
        (r.input.removeprefix(f"{folder}/"), str(r.verdict), r.reason and str(r.reason))
        for r in results
        if r.counts
    ]


@pytest.fixture
def pictures(scene):
    """Files of three pictures, of which the first is listed."""
    return [png(scene(number, (160, 120))) for number in range(3)]


@pytest.fixture
def engine(make_list, scene, pictures):
    """Matches the first picture by PDQ, and by its digest the zip file of the second alone."""
    import hashlib

    text = pdq.compute(np.asarray(scene(0, (160, 120)))).text
    listed = hashlib.md5(zipped({"b.png": pictures[1]})).hexdigest()
    known = make_list([{"id": "one", "pdq": text}, {"id": "two", "md5": listed}])
    return Screener(known, policy=Policy(seconds=20))


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("jobs", [1, 2])
def test_each_member_has_its_result_under_its_name(engine, pictures, tmp_path, jobs, ordered):
    """Zip, tar in all its packings, archives inside archives, folders and odd members: in order,
    the same with any number of jobs, with the outermost archive's time and the member's size.
    """
    folder = tmp_path / "uploads"
    folder.mkdir()
    match, no_match = ("match", None), ("no_match", None)
    members = {"x/a.png": pictures[0], "b.png": pictures[1], "c.txt": b"words", "x/": b""}
    three = [("x/a.png", *match), ("b.png", *no_match), ("c.txt", "unscreened", "unsupported")]
    for packing, pack in PACKERS.items():
        (folder / f"1.tar{packing}").write_bytes(pack(tarred(members)))
    (folder / "2.zip").write_bytes(zipped(members))
    inner = zipped({"deep.tar.gz": gzip.compress(tarred(members)), "c.png": pictures[2]})
    (folder / "3.zip").write_bytes(zipped({"in.zip": inner, "z.png": pictures[0]}))
    (folder / "4.png").write_bytes(pictures[2])
    (folder / "5.zip").write_bytes(zipped({"b.png": pictures[1]}))
    names = ["1.tar", "1.tar.bz2", "1.tar.gz", "1.tar.xz", "2.zip"]
    expected = [(f"{name}!{m}", v, r) for name in names for m, v, r in three]
    expected += [(f"3.zip!in.zip!deep.tar.gz!{m}", v, r) for m, v, r in three]
    expected += [("3.zip!in.zip!c.png", *no_match), ("3.zip!z.png", *match), ("4.png", *no_match)]
    # The archive itself is listed, and told behind its members.
    expected += [("5.zip!b.png", *no_match), ("5.zip", *match)]

    results = list(scan(engine, folder, jobs=jobs, ordered=ordered))

    found = told(results, folder)
    if not ordered:
        found, expected = sorted(found, key=str), sorted(expected, key=str)
    assert found == expected
    for one in results:
        outermost, *inner = one.input.split("!")
        assert one.mtime_ns == os.stat(outermost).st_mtime_ns
        if inner and inner[-1] == "b.png":
            assert one.bytes == len(pictures[1])


def test_what_cannot_be_read_is_named_with_its_reason(engine, pictures, tmp_path):
    """Locked members, links and devices, damage, ends cut off, nothing inside, names that are not
    UTF-8: one result each, and what can be read beside them is.
    """
    a, b = pictures[:2]
    cut = tarred({"a.png": a, "b.png": b})
    damaged = bytearray(cut)
    damaged[512 + padded(a)] ^= 255  # the second header
    flipped = bytearray(zipped({"a.png": a, "b.png": b}, zipfile.ZIP_STORED))
    flipped[flipped.index(b) + 50] ^= 255
    odd = tarred({"caf\udce9.png": a}, tarfile.GNU_FORMAT)
    kinds = {
        "fifo": special("fifo", tarfile.FIFOTYPE), "device": special("device", tarfile.CHRTYPE),
        "link": special("link", tarfile.SYMTYPE, "/etc/passwd"),
        "hard": special("hard", tarfile.LNKTYPE, "a.png"), "a.png": a,
    }  # fmt: skip
    files = {
        "01-locked.zip": locked({"a.png": a}), "02-kinds.tar": tarred(kinds),
        "03-cut.tar": cut[: 512 + len(a) // 2], "04-cut.tar": cut[: 1024 + padded(a) + padded(b)],
        "05-damaged.tar": bytes(damaged), "06-flipped.zip": bytes(flipped),
        "07-cut.zip": bytes(flipped)[:-30], "08-empty.zip": zipped({}), "09-odd.tar": odd,
        "10-cut.tar.gz": gzip.compress(cut)[:-200], "11-no.gz": gzip.compress(b"words" * 200),
        "12-empty.tar": tarred({}), "13-empty.tar.gz": gzip.compress(tarred({})),
        "14-in.zip": zipped({"empty.tar": bytes(1024)}), "15-zeros.tar": bytes(1 << 17),
        "16-zeros.jpg": bytes(10_241), "17-no.tar": bytes(1024) + b"x" * 512, "18-few": bytes(512),
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    results = list(scan(engine, [tmp_path / name for name in files], jobs=1))

    found = told(results, tmp_path)
    unreadable = ("unscreened", "unreadable")
    assert found[:6] == [
        ("01-locked.zip!a.png", "unscreened", "encrypted"),
        *[(f"02-kinds.tar!{name}", *unreadable) for name in ("fifo", "device", "link", "hard")],
        ("02-kinds.tar!a.png", "match", None),
    ]
    rest = {name: (verdict, reason) for name, verdict, reason in found[6:]}
    assert rest == {
        "03-cut.tar!a.png": ("unscreened", "truncated"),
        "03-cut.tar": ("unscreened", "truncated"),
        "04-cut.tar!a.png": ("match", None),
        "04-cut.tar!b.png": ("no_match", None),
        "04-cut.tar": ("unscreened", "truncated"),
        "05-damaged.tar!a.png": ("match", None),
        "05-damaged.tar": ("unscreened", "undecodable"),
        "06-flipped.zip!a.png": ("match", None),
        "06-flipped.zip!b.png": ("unscreened", "undecodable"),
        "07-cut.zip": ("unscreened", "undecodable"),
        "08-empty.zip": ("unscreened", "empty"),
        "09-odd.tar!caf\ufffd.png": ("match", None),
        "10-cut.tar.gz!a.png": ("match", None),
        "10-cut.tar.gz!b.png": ("unscreened", "truncated"),
        "10-cut.tar.gz": ("unscreened", "truncated"),
        "11-no.gz": ("unscreened", "unsupported"),
        "12-empty.tar": ("unscreened", "empty"),
        "13-empty.tar.gz": ("unscreened", "empty"),
        "14-in.zip!empty.tar": ("unscreened", "empty"),
        "15-zeros.tar": ("unscreened", "unsupported"),
        "16-zeros.jpg": ("unscreened", "unsupported"),
        "17-no.tar": ("unscreened", "unsupported"),
        "18-few": ("unscreened", "unsupported"),
    }
    odd_one, _ = [r for r in results if "09-odd" in r.input]
    assert odd_one.input_bytes == os.fsencode(tmp_path / "09-odd.tar") + b"!caf\xe9.png"


def test_bombs_end_at_the_limits(engine, pictures, tmp_path):
    """Too many members, too many bytes, too good a ratio, too deep, a member too large: what comes
    before is screened, the rest is one `too_large`, and nothing of it is held.
    """
    a = pictures[0]
    zeros = bytes(40 << 20)
    deep = zipped({"a.png": a})
    for _ in range(3):
        deep = zipped({"in.zip": deep, "a.png": a})
    files = {
        "1-ratio.zip": zipped({"zeros": zeros, "a.png": a}),
        "2-ratio.tar.gz": gzip.compress(tarred({"a.png": a, "zeros": zeros})),
        "3-many.zip": zipped({f"{n}.png": a for n in range(7)}),
        "4-deep.zip": deep,
        "5-bytes.tar": tarred({f"{n}": bytes(9 << 20) for n in range(7)}),
        "6-large.zip": zipped({"large": os.urandom(11 << 20), "a.png": a}),
        # Each archive inside counts against the limits of the outermost.
        "7-sum.zip": zipped({f"{n}.zip": zipped({"a.png": a, "b.png": a}) for n in range(4)}),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    limits = Limits(bytes=10 << 20, members=6, unpacked=50 << 20, nesting=3)
    bounded = Screener(engine.lists, policy=Policy(limits=limits, memory=256 << 20))

    found = told(scan(bounded, [tmp_path / name for name in files], jobs=1), tmp_path)

    large = ("unscreened", "too_large")
    by_file = {name: [f for f in found if f[0].startswith(name)] for name in files}
    assert by_file["1-ratio.zip"] == [
        ("1-ratio.zip!zeros", *large), ("1-ratio.zip!a.png", "match", None),
    ]  # fmt: skip
    assert by_file["2-ratio.tar.gz"] == [
        ("2-ratio.tar.gz!a.png", "match", None), ("2-ratio.tar.gz", *large),
    ]  # fmt: skip
    assert by_file["3-many.zip"][5:] == [
        ("3-many.zip!5.png", "match", None), ("3-many.zip", *large),
    ]  # fmt: skip
    inside = "4-deep.zip!in.zip!in.zip"
    assert by_file["4-deep.zip"] == [
        (f"{inside}!in.zip", *large), (f"{inside}!a.png", "match", None),
        ("4-deep.zip!in.zip!a.png", "match", None), ("4-deep.zip!a.png", "match", None),
    ]  # fmt: skip
    assert by_file["5-bytes.tar"][-1] == ("5-bytes.tar", *large)
    assert len(by_file["5-bytes.tar"]) == 6
    assert by_file["6-large.zip"] == [
        ("6-large.zip!large", *large), ("6-large.zip!a.png", "match", None),
    ]  # fmt: skip
    assert by_file["7-sum.zip"] == [
        *[(f"7-sum.zip!0.zip!{name}.png", "match", None) for name in "ab"],
        *[(f"7-sum.zip!{number}.zip", *large) for number in (1, 2, 3)],
    ]


@pytest.mark.parametrize("nesting", [1, 2, 3, 4])
@pytest.mark.parametrize("make", [zipped, tarred, lambda members: gzip.compress(tarred(members))])
def test_archives_are_opened_to_the_limit_of_nesting_and_not_cleared_beyond(
    engine, pictures, tmp_path, make, nesting
):
    """The listed picture in the last archive that is opened is found; in one more it is not looked
    at, and that archive says so.
    """
    limits = Limits(nesting=nesting)
    bounded = Screener(engine.lists, policy=Policy(limits=limits))
    content = make({"a.png": pictures[0]})
    for _ in range(nesting - 1):
        content = make({"in": content})
    (tmp_path / "at").write_bytes(content)
    (tmp_path / "beyond").write_bytes(make({"in": content}))

    found = told(scan(bounded, [tmp_path / "at", tmp_path / "beyond"], jobs=1), tmp_path)

    assert found == [
        ("!".join(["at", *["in"] * (nesting - 1), "a.png"]), "match", None),
        ("!".join(["beyond", *["in"] * nesting]), "unscreened", "too_large"),
    ]


@pytest.mark.parametrize("make", [zipped, tarred, lambda members: gzip.compress(tarred(members))])
def test_what_is_exactly_at_a_limit_is_within_it(make):
    """Bytes of a member, members, and bytes of all of them with their names: one more is too much,
    and of what is not read only that of a packed tar counts, where it has to be passed.
    """
    archive = Archive(io.BytesIO(make({"a": b"x" * 20, "b/": b"", "c": b"y" * 10})))

    def listed(bytes=20, **budget):
        told = archive.list(Limits(bytes=bytes), Budget(**{"members": 2, "bytes": 32} | budget))
        members = [(one.name, one.size, one.trouble and one.trouble.reason) for one in told.members]
        return members, told.bytes, told.trouble and told.trouble.reason

    a, c = (b"a", 20, None), (b"c", 10, None)
    assert listed() == ([a, c], 32, None)
    assert listed(members=1) == ([a], 32, "too_large")
    assert listed(bytes=20, members=3) == ([a, c], 32, None)
    told = archive.list(Limits(), Budget(2, 31))
    assert (len(told.members), told.trouble.reason) == (1, "too_large")
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
    """A member of a zip file by itself, and a packed tar file as a whole; never of few bytes."""
    monkeypatch.setattr("screener.media.archives.archive._INNOCENT", 5000)
    members = {"few": bytes(5000), "zeros": bytes(5001), "a": random.Random(1).randbytes(6000)}
    limits = Limits(ratio=100)

    told = Archive(io.BytesIO(zipped(members))).list(limits, FREE)
    reasons = [one.trouble and str(one.trouble) for one in told.members]
    assert reasons == [None, "too_large: unpacks to more than 100 times its size", None]
    assert told.trouble is None

    packed = gzip.compress(tarred({"few": bytes(4000), "zeros": bytes(40_000)}))
    told = Archive(io.BytesIO(packed)).list(limits, FREE)
    assert [one.name for one in told.members] == [b"few"]
    assert told.trouble.reason == "too_large"


def test_names_and_kinds_of_members_are_those_of_the_archive():
    """Bytes that are no text, links, and a folder with content; a folder alone is no member."""
    links = {"l": special("l", tarfile.SYMTYPE, "a"), "h": special("h", tarfile.LNKTYPE, "a")}
    raw = tarred({"a\udcff": b"x", "d/": b"", **links}, tarfile.GNU_FORMAT)
    archive = Archive(io.BytesIO(raw))
    told = archive.list(Limits(), FREE)
    assert [(one.name, one.size, one.trouble and one.trouble.reason) for one in told.members] == [
        (b"a\xff", 1, None), (b"l", 0, "unreadable"), (b"h", 0, "unreadable"),
    ]  # fmt: skip
    assert archive.direct
    assert not Archive(io.BytesIO(gzip.compress(raw))).direct

    told = Archive(io.BytesIO(zipped({"d/": b"", "e/": b"content"}))).list(Limits(), FREE)
    assert [(one.name, one.size) for one in told.members] == [(b"e/", 7)]


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_names_are_bounded_as_what_they_name_is(engine, pictures, tmp_path, packing):
    """A name that no zip file could hold ends the list; names count as bytes that are unpacked, and
    long ones as members, also with those of archives inside: what comes before is screened, and
    the rest is one `too_large`.
    """
    a = pictures[0]
    longest = "x" * 65_535
    files = {
        "1": tarred({"a": a, longest: a, longest + "x": a, "b": a}),
        "2": tarred({"a": a} | {f"{n:03}" + "x" * 60_000: b"" for n in range(300)}),
        "3": tarred({"in": zipped({f"{n}" + "x" * 30_000: a for n in range(3)}), "b": a}),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(PACKERS[packing](content))
    large = ("unscreened", "too_large")

    def found(name, **limits):
        bounded = Screener(engine.lists, policy=Policy(limits=Limits(**limits)))
        return told(scan(bounded, tmp_path / name, jobs=1), tmp_path)

    first = [("1!a", "match", None), (f"1!{longest}", "match", None)]
    assert found("1") == [*first, ("1", *large)]
    assert found("1", members=1 + 128 - 1) == [first[0], ("1", *large)]
    assert found("1", members=1 + 128) == [*first, ("1", *large)]
    second = found("2", unpacked=len(a) + 5 * 60_003 + 1)
    assert second[0] == ("2!a", "match", None)
    assert (len(second), second[-1]) == (7, ("2", *large))
    if packing:  # beyond 16 MiB, no more of them than the ratio allows
        assert len(found("2", ratio=1)) == 1 + ((16 << 20) - len(a)) // 60_003 + 1
        assert found("2", ratio=10_000)[-1] == (f"2!299{'x' * 60_000}", "unscreened", "empty")
    inner = [(f"3!in!{n}" + "x" * 30_000, "match", None) for n in range(3)]
    assert found("3") == [*inner, ("3!b", "match", None)]
    # Two are left for what is inside, where a name counts as 59.
    assert found("3", members=2 + 2 * 59) == [*inner[:2], ("3!in", *large), ("3!b", "match", None)]


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
def test_bytes_of_a_zip_file_that_are_in_no_member_are_told(before, last, comment, behind, zeros):
    """Another zip file before it, or anything but zeros behind its end: its own members are listed
    and read, and it is damaged, since nobody knows what else there is. Nothing else is.
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
    reason = listing.trouble and listing.trouble.reason
    assert reason == ("undecodable" if before or any(behind) else None)


def without(data, number):
    """A zip file whose directory does not name a member of that number any more."""
    end = data.rfind(b"PK\5\6")
    directory = int.from_bytes(data[end + 16 : end + 20], "little")
    entries = [b"PK\1\2" + one for one in data[directory:end].split(b"PK\1\2")[1:]]
    del entries[number]
    left = b"".join(entries)
    counts = struct.pack("<4H2IH", 0, 0, len(entries), len(entries), len(left), directory, 0)
    return data[:directory] + left + b"PK\5\6" + counts


@pytest.mark.parametrize("number", [1, 2])
def test_a_picture_between_the_members_of_a_zip_file_is_told_of(pictures, number):
    """Who unpacks it from its front finds it there. Zeros, and the names and descriptors with which
    members begin and end, are nothing that is hidden.
    """
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
        assert (listing.trouble and listing.trouble.reason) == reason


class Streamed(io.RawIOBase):
    """A pipe into which something is written: members have their sizes behind them."""

    def __init__(self, stream):
        super().__init__()
        self._stream = stream

    def writable(self):
        """It is."""
        return True

    def write(self, data):
        """Into the stream."""
        return self._stream.write(data)


def test_a_zip_file_behind_another_is_told_of(engine, pictures, tmp_path):
    """The members of the last are screened; it is never cleared, as those of the first are not."""
    first, last = zipped({"a.png": pictures[0]}), zipped({"c.png": pictures[2]})
    (tmp_path / "a.zip").write_bytes(first + last)

    found = told(scan(engine, tmp_path / "a.zip", jobs=1), tmp_path)

    assert found == [
        ("a.zip!c.png", "no_match", None), ("a.zip", "unscreened", "undecodable"),
    ]  # fmt: skip


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_tar_file_behind_another_is_told_of(engine, pictures, tmp_path, pack):
    """The members of the first are screened, and those of the second cleared by nothing, listed as
    they may be; packed together or each by itself. Zeros, of any number, are an end and no more.
    """
    first, last = tarred({"c.png": pictures[2]}), tarred({"a.png": pictures[0]})
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.tar").write_bytes(pack(first + last))
    (folder / "2.tar").write_bytes(pack(first) + pack(last))
    (folder / "3.tar").write_bytes(pack(first + bytes(100_000)))
    (folder / "4.tar").write_bytes(pack(first + bytes(100_000) + b"!"))

    found = told(scan(engine, folder, jobs=1), folder)

    assert found == [
        ("1.tar!c.png", "no_match", None), ("1.tar", "unscreened", "undecodable"),
        ("2.tar!c.png", "no_match", None), ("2.tar", "unscreened", "undecodable"),
        ("3.tar!c.png", "no_match", None),
        ("4.tar!c.png", "no_match", None), ("4.tar", "unscreened", "undecodable"),
    ]  # fmt: skip


@pytest.mark.parametrize("zeros", [0, 100_000])
def test_an_odd_name_costs_no_member(engine, pictures, tmp_path, zeros):
    """Names that say they are UTF-8 and are not stay as they are, and all members are screened; so
    they are if the first name of a tar file spells the signature of something else.
    """
    folder = tmp_path / "uploads"
    folder.mkdir()
    a, b = pictures[:2]
    odd = zipped({"\u00e9.png": a, "\u00fc.png": b, "c\u00e9.png": a}, zipfile.ZIP_STORED)
    odd = odd.replace("\u00e9.png".encode(), b"\xff\x80.png")
    (folder / "a.zip").write_bytes(odd + bytes(zeros))
    (folder / "b.tar").write_bytes(tarred({"GIF89a": a, "b": b}))
    (folder / "c.tar").write_bytes(tarred({"BZh": b, "a": a}))

    results = list(scan(engine, folder, jobs=1))

    match, no_match = ("match", None), ("no_match", None)
    assert told(results, folder) == [
        ("a.zip!\ufffd\ufffd.png", *match), ("a.zip!\u00fc.png", *no_match),
        ("a.zip!c\ufffd\ufffd.png", *match), ("b.tar!GIF89a", *match), ("b.tar!b", *no_match),
        ("c.tar!BZh", *no_match), ("c.tar!a", *match),
    ]  # fmt: skip
    assert results[0].input_bytes == os.fsencode(folder / "a.zip") + b"!\xff\x80.png"


@pytest.mark.parametrize("name", [b"bb.png", b"\xff\xff.png"])
@pytest.mark.parametrize(
    "second", ["\u65e5.png".encode(), b"", b"\xff", b"folder/", b"\0", None], ids=repr
)
def test_a_second_name_costs_no_member(name, second):
    """A member's name in Unicode, which packers write beside the other, whole or damaged: all
    members are read, each by the name that stands first, on every Python and without a warning.
    """
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
    assert listing.trouble is None
    assert [archive.read(number, 9)[0] for number in range(3)] == [b"a", b"b", b"c"]


def test_a_member_without_a_name_is_screened(engine, pictures, tmp_path):
    """A name that is empty, as one is that begins with a zero byte, costs no member."""
    data = zipped({"a.png": pictures[0], "!.png": pictures[0], "c.png": pictures[0]})
    (tmp_path / "a.zip").write_bytes(data.replace(b"!.png", b"\0.png"))

    found = told(scan(engine, tmp_path / "a.zip", jobs=1), tmp_path)

    assert found == [(f"a.zip!{name}", "match", None) for name in ("a.png", "", "c.png")]


class Counted(io.BufferedIOBase):
    """A file object that counts the bytes that are read of it and others of its kind."""

    bytes = 0

    def __init__(self, stream):
        self.stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable
        self.getvalue = getattr(stream, "getvalue", None)

    def read(self, size=-1):
        """Read and count."""
        data = self.stream.read(size)
        Counted.bytes += len(data)
        return data

    def close(self):
        """Close what is read."""
        self.stream.close()
        super().close()


def test_a_line_tells_which_it_is_of_members_of_one_name_whoever_is_done_first(make_list, tmp_path):
    """Also in archives of one name, and unordered: how many came before it, in each archive."""
    contents = (b"one", b"two", b"six")
    known = make_list(
        [{"id": one.decode(), "md5": hashlib.md5(one).hexdigest()} for one in contents]
    )
    boxes = [tarred({"a": one}) for one in contents]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, members in (("a", contents), ("box.tar", boxes), ("b", contents[:1])):
            for content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    file = tmp_path / "a.tar"
    file.write_bytes(stream.getvalue())
    told = [
        [(one.input, one.same, one.matches[0].entry) for one in found if one.counts]
        for found in (
            scan(Screener(known), file, jobs=1),
            results_of(path_results(Backwards, Screener(known), places(file), ordered=False)),
        )
    ]

    assert told[0] != told[1]
    assert sorted(told[1]) == sorted(told[0])
    assert told[0] == [
        *((f"{file}!a", (n,), entry) for n, entry in enumerate(("one", "two", "six"))),
        *((f"{file}!box.tar!a", (n, 0), entry) for n, entry in enumerate(("one", "two", "six"))),
        (f"{file}!b", (0,), "one"),
    ]


@pytest.mark.parametrize("state", ["confirmed", "disputed", "seed", "known_good"])
def test_an_archive_that_is_listed_has_a_line_whatever_its_state(make_list, tmp_path, state):
    """Behind its members: what stands beside a match is told of an archive as of any file."""
    data = zipped({"a": b"words"})
    row = {"id": "box", "md5": hashlib.md5(data).hexdigest(), "status": state}
    known = make_list([row, {"id": "other", "md5": "01" * 16}])
    (tmp_path / "a.zip").write_bytes(data)

    results = list(results_of(path_results(Backwards, Screener(known), places(tmp_path / "a.zip"))))

    assert [one.input.removeprefix(f"{tmp_path}/") for one in results] == ["a.zip!a", "a.zip"]
    hits = (*results[1].matches, *results[1].beside)
    assert [(hit.entry, hit.state) for hit in hits] == [("box", state)]


def test_archives_within_one_share_what_it_may_cost(engine, tmp_path):
    """Also if they are opened at a time, each as if all that is left were for it, or one within the
    other: what is beyond the limit of members or bytes is one `too_large`, and never left out.
    """
    three = {name: name.encode() * 1000 for name in "xyz"}
    box = zipped(three, zipfile.ZIP_STORED)
    beside = {"0.zip": box, "1.zip": box}
    (tmp_path / "beside.zip").write_bytes(zipped(beside, zipfile.ZIP_STORED))
    within = {"in.zip": zipped({"box.zip": box}, zipfile.ZIP_STORED)}
    (tmp_path / "within.zip").write_bytes(zipped(within, zipfile.ZIP_STORED))

    def found(name, **limits):
        """How many members that are no archives have a result, and what is too large."""
        bounded = Screener(engine.lists, policy=Policy(limits=Limits(**limits)))
        results = told(
            results_of(path_results(Backwards, bounded, places(tmp_path / name))), tmp_path
        )
        assert {reason for *_, reason in results} <= {"unsupported", "too_large"}
        return (
            sum(reason == "unsupported" for *_, reason in results),
            [one.partition("!")[2] for one, _, reason in results if reason == "too_large"],
        )

    assert found("beside.zip", members=2 + 6) == (6, [])
    told_first, (too_large,) = found("beside.zip", members=2 + 4)
    assert (told_first, too_large in beside) == (4, True)
    held = sum(len(one) for one in (*within.values(), box, b"in.zip", b"box.zip"))
    assert found("within.zip", unpacked=held + 3003) == (3, [])
    assert found("within.zip", unpacked=held + 3002) == (2, ["in.zip!box.zip"])


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz"])
def test_bytes_behind_a_packed_tar_are_told(engine, pictures, tmp_path, packing):
    """A picture behind it that nobody looks at: its members have their results, and the archive has
    a line that says that there is more.
    """
    file = tmp_path / f"a.tar{packing}"
    packed = PACKERS[packing](tarred({"a.png": pictures[1]}))
    for behind, expected in ((bytes(512), []), (pictures[0], [(file.name, "undecodable")])):
        file.write_bytes(packed + behind)
        found = told(scan(engine, file, jobs=1), tmp_path)
        assert found[:1] == [("a.tar" + packing + "!a.png", "no_match", None)]
        assert [(name, reason) for name, _, reason in found[1:]] == expected


@pytest.mark.parametrize("packing", [".gz", ".xz"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_packed_tar_is_read_twice_however_many_members_are_near_a_record(
    make_list, scene, tmp_path, monkeypatch, packing, inside
):
    """Once for the names, once for the members: no member that has to be looked at again, because
    its sketch does not do or memory was short, has what is before it unpacked anew.
    """
    picture = png(scene(3, (160, 120)))
    known = make_list([{"id": "3", "pdq": pdq.compute(np.asarray(scene(3, (160, 120)))).text}])
    # Each is padded by bytes that cannot be packed, so that reading on is seen.
    members = {f"{n:03}.png": picture + os.urandom(3000) for n in range(150)}
    data = PACKERS[packing](tarred(members))
    file = tmp_path / f"a.tar{packing}"
    file.write_bytes(zipped({"in": data}) if inside else data)

    class Archive(hasher.Archive):
        """Counts what is read of it."""

        def __init__(self, stream):
            super().__init__(Counted(stream))

    monkeypatch.setattr(hasher, "Archive", Archive)
    monkeypatch.setattr(Counted, "bytes", 0)
    found = results_of(path_results(Doing, Doubtful(known), places(file)))
    found = [one for one in found if one.counts]

    assert [one.verdict for one in found].count(Verdict.MATCH) == 100
    assert len(found) == 150
    # What gzip has packed is read in pieces from Python 3.12 on, one for telling that it is a tar.
    most = (4.1 if inside else 2.1) * len(data) + (128 << 10)
    assert 1.9 * len(data) < Counted.bytes < most


@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_of_another_checksum_is_searched_and_cleared_by_nothing(
    engine, pictures, tmp_path, way
):
    """Many a tool unpacks it all the same. What is in it may match, and the member of which nothing
    does is damaged.
    """
    data = bytearray(zipped({"a.png": pictures[0], "c.png": pictures[2]}, way))
    assert len(pictures[0]) < 1 << 16
    at = -1
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        data[at + 16] ^= 1
    (tmp_path / "a.zip").write_bytes(data)

    results = list(scan(engine, tmp_path / "a.zip", jobs=1))

    assert told(results, tmp_path) == [
        ("a.zip!a.png", "match", None),
        ("a.zip!c.png", "unscreened", "undecodable"),
    ]


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


def huge(size):
    """A zip file and tar files whose second member declares so many bytes."""
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
    """Those before it are listed, and a scan is told so."""
    for data in huge(size):
        told = Archive(io.BytesIO(data)).list(Limits(), FREE)
        sent = Opened(Hashed(Name("x")), told, direct=True)
        listing = Answer.unpacked(Answer(1, sent, 0.5, 0.6).packed()).outcome.listing

        assert [one.name for one in listing.members] == [b"a", b"b"]
        first, second = listing.members
        assert (first.trouble, second.trouble.reason) == (None, "too_large")


def trouble_of(data):
    """What keeps an archive from being opened, or its members from being listed."""
    try:
        return Archive(io.BytesIO(data)).list(Limits(), FREE).trouble
    except MediaError as error:
        return error


@pytest.mark.parametrize("refused", [False, True])
def test_a_size_below_nothing_ends_a_list(monkeypatch, refused):
    """Behind it older libraries go back, and find the members before it again and again; newer ones
    end the list there and say nothing, or begin behind it where it is the first.
    """
    if refused:

        def blocks(_, count):
            if count < 0:
                raise tarfile.InvalidHeaderError("invalid offset")
            return -(-count // 512) * 512

        monkeypatch.setattr(tarfile.TarInfo, "_block", blocks)
    _, *tars = huge(-1024)
    for data in tars:
        told = Archive(io.BytesIO(data)).list(Limits(), FREE)

        assert [one.name for one in told.members] == [b"a"]
        assert told.trouble.reason == Reason.UNDECODABLE

        for rest in (b"", tarred({"c": b"good"})):
            assert trouble_of(data[1024:-10240] + rest + bytes(10240)).reason == "undecodable"


def test_a_member_that_kills_its_worker_costs_itself(engine, pictures, tmp_path):
    """The members before and after it are screened; so with a packed tar, which is read anew."""
    from scan_of_accidents import accidents

    folder = tmp_path / "uploads"
    folder.mkdir()
    members = {f"{n}.png": pictures[n % 3] for n in range(4)} | {"1x": b"crash-1"}
    members = dict(sorted(members.items()))
    (folder / "a.tar.gz").write_bytes(gzip.compress(tarred(members)))
    (folder / "b.zip").write_bytes(zipped(members))

    lines, done = accidents(engine.lists[0], folder, 1)

    names = ["0.png", "1.png", "1x", "2.png", "3.png"]
    expected = []
    for archive in ("a.tar.gz", "b.zip"):
        expected += [*(f"{archive}!{name}" for name in names), archive]
    assert [line["input"].removeprefix(f"{folder}/") for line in lines] == expected, done.stderr
    reasons = [None, None, "crashed", None, None, "members"]
    assert [line["reason"] for line in lines] == reasons * 2


@settings(max_examples=150, deadline=None)
@given(
    which=st.integers(0, 4),
    edits=st.lists(st.tuples(st.integers(0), st.binary(min_size=1, max_size=6)), max_size=4),
    cut=st.none() | st.integers(0),
)
def test_damage_never_escapes_as_another_error(which, edits, cut):
    """Whatever is done to an archive, it is listed and read with MediaError or without."""
    members = {"a": bytes(range(256)) * 8, "b/c": b"x" * 700, "d.zip": zipped({"e": b"f"})}
    packings = [zipped(members), *(pack(tarred(members)) for pack in PACKERS.values())]
    data = bytearray(packings[which])
    for where, what in edits:
        at = where % len(data)
        data[at : at + len(what)] = what
    stream = io.BytesIO(bytes(data if cut is None else data[: cut % (len(data) + 1)]))
    if type_of(stream) is None:
        return
    try:
        archive = Archive(stream)
    except MediaError:
        return
    listing = archive.list(Limits(), FREE)
    if not edits and cut is None:
        assert listing.trouble is None
        assert [m.name for m in listing.members] == [b"a", b"b/c", b"d.zip"]
    for number, member in enumerate(listing.members):
        try:
            content, _ = archive.read(number, 1 << 20)
        except MediaError:
            continue
        if not edits and cut is None:
            assert content == members[member.name.decode()]


def test_single_calls_open_no_archive(engine, pictures):
    """`screen` gives one Result: what is no picture is `unsupported`, as its documentation says."""
    result = engine.screen(zipped({"a.png": pictures[0]}))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.UNSUPPORTED)
