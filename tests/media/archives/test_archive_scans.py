"""Scans of archives: a result for each member, and nothing is unpacked without limit."""

import gzip
import hashlib
import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
from archive_files import PACKERS, locked, special, tarred, zipped
from doubtful_screener import Doubtful
from picture_bytes import png
from workers_backwards import Backwards, Doing

from screener import Policy, Reason, Screener, Verdict, scan
from screener.hashing import pdq
from screener.media.files.limits import Limits
from screener.scanning.inputs.expand import locate_files
from screener.scanning.scan import drop_paths, scan_with_paths
from screener.screening.input import hasher


def padded(content):
    """Return how many bytes a content takes in a tar file."""
    return (len(content) + 511) // 512 * 512


def counted(results, folder):
    """Return name, verdict and reason of the results that count."""
    return [
        (r.input.removeprefix(f"{folder}/"), str(r.verdict), r.reason and str(r.reason))
        for r in results
        if r.counts
    ]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("jobs", [1, 2])
def test_each_member_has_its_result_under_its_name(screener, pictures, tmp_path, jobs, ordered):
    """Results come in order, whatever the packing, the nesting and the number of jobs.

    Each has the time of the outermost archive and the size of the member.
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

    results = list(scan(screener, folder, jobs=jobs, ordered=ordered))

    found = counted(results, folder)
    if not ordered:
        found, expected = sorted(found, key=str), sorted(expected, key=str)
    assert found == expected
    for one in results:
        outermost, *inner = one.input.split("!")
        assert one.mtime_ns == os.stat(outermost).st_mtime_ns
        if inner and inner[-1] == "b.png":
            assert one.bytes == len(pictures[1])


def test_what_cannot_be_read_is_named_with_its_reason(screener, pictures, tmp_path):
    """There is one result for each thing that cannot be read, and what stands beside it is
    screened.
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

    results = list(scan(screener, [tmp_path / name for name in files], jobs=1))

    found = counted(results, tmp_path)
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


def test_bombs_end_at_the_limits(screener, pictures, tmp_path):
    """The members before a limit are screened; the rest is one `too_large`."""
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
    bounded = Screener(screener.lists, policy=Policy(limits=limits, memory=256 << 20))

    found = counted(scan(bounded, [tmp_path / name for name in files], jobs=1), tmp_path)

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
    screener, pictures, tmp_path, make, nesting
):
    """A picture in the deepest archive within the limit is found; the next one is `too_large`."""
    limits = Limits(nesting=nesting)
    bounded = Screener(screener.lists, policy=Policy(limits=limits))
    content = make({"a.png": pictures[0]})
    for _ in range(nesting - 1):
        content = make({"in": content})
    (tmp_path / "at").write_bytes(content)
    (tmp_path / "beyond").write_bytes(make({"in": content}))

    found = counted(scan(bounded, [tmp_path / "at", tmp_path / "beyond"], jobs=1), tmp_path)

    assert found == [
        ("!".join(["at", *["in"] * (nesting - 1), "a.png"]), "match", None),
        ("!".join(["beyond", *["in"] * nesting]), "unscreened", "too_large"),
    ]


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_names_are_bounded_as_what_they_name_is(screener, pictures, tmp_path, packing):
    """Names count as unpacked bytes, and long ones as further members, in inner archives too.

    A name longer than a zip file can hold ends the list.
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
        bounded = Screener(screener.lists, policy=Policy(limits=Limits(**limits)))
        return counted(scan(bounded, tmp_path / name, jobs=1), tmp_path)

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


def test_a_zip_file_behind_another_is_reported(screener, pictures, tmp_path):
    """The members of the last are screened, and the file is never cleared."""
    first, last = zipped({"a.png": pictures[0]}), zipped({"c.png": pictures[2]})
    (tmp_path / "a.zip").write_bytes(first + last)

    found = counted(scan(screener, tmp_path / "a.zip", jobs=1), tmp_path)

    assert found == [
        ("a.zip!c.png", "no_match", None), ("a.zip", "unscreened", "undecodable"),
    ]  # fmt: skip


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_tar_file_behind_another_is_reported(screener, pictures, tmp_path, pack):
    """The members of the first are screened, those of the second not cleared. Zeros are an end."""
    first, last = tarred({"c.png": pictures[2]}), tarred({"a.png": pictures[0]})
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.tar").write_bytes(pack(first + last))
    (folder / "2.tar").write_bytes(pack(first) + pack(last))
    (folder / "3.tar").write_bytes(pack(first + bytes(100_000)))
    (folder / "4.tar").write_bytes(pack(first + bytes(100_000) + b"!"))

    found = counted(scan(screener, folder, jobs=1), folder)

    assert found == [
        ("1.tar!c.png", "no_match", None), ("1.tar", "unscreened", "undecodable"),
        ("2.tar!c.png", "no_match", None), ("2.tar", "unscreened", "undecodable"),
        ("3.tar!c.png", "no_match", None),
        ("4.tar!c.png", "no_match", None), ("4.tar", "unscreened", "undecodable"),
    ]  # fmt: skip


@pytest.mark.parametrize("zeros", [0, 100_000])
def test_an_odd_name_costs_no_member(screener, pictures, tmp_path, zeros):
    """Names that falsely claim to be UTF-8 stay as they are; a name may spell another signature."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    a, b = pictures[:2]
    odd = zipped({"\u00e9.png": a, "\u00fc.png": b, "c\u00e9.png": a}, zipfile.ZIP_STORED)
    odd = odd.replace("\u00e9.png".encode(), b"\xff\x80.png")
    (folder / "a.zip").write_bytes(odd + bytes(zeros))
    (folder / "b.tar").write_bytes(tarred({"GIF89a": a, "b": b}))
    (folder / "c.tar").write_bytes(tarred({"BZh": b, "a": a}))

    results = list(scan(screener, folder, jobs=1))

    match, no_match = ("match", None), ("no_match", None)
    assert counted(results, folder) == [
        ("a.zip!\ufffd\ufffd.png", *match), ("a.zip!\u00fc.png", *no_match),
        ("a.zip!c\ufffd\ufffd.png", *match), ("b.tar!GIF89a", *match), ("b.tar!b", *no_match),
        ("c.tar!BZh", *no_match), ("c.tar!a", *match),
    ]  # fmt: skip
    assert results[0].input_bytes == os.fsencode(folder / "a.zip") + b"!\xff\x80.png"


def test_a_member_without_a_name_is_screened(screener, pictures, tmp_path):
    """A name that is empty, or begins with a zero byte, costs no member."""
    data = zipped({"a.png": pictures[0], "!.png": pictures[0], "c.png": pictures[0]})
    (tmp_path / "a.zip").write_bytes(data.replace(b"!.png", b"\0.png"))

    found = counted(scan(screener, tmp_path / "a.zip", jobs=1), tmp_path)

    assert found == [(f"a.zip!{name}", "match", None) for name in ("a.png", "", "c.png")]


class Counted(io.BufferedIOBase):
    """A file object that counts the bytes read from all objects of its class."""

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
    """A line counts the members of its name before it in each archive, in any order of results."""
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
            drop_paths(
                scan_with_paths(Backwards, Screener(known), locate_files(file), ordered=False)
            ),
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
    """Its line comes behind those of its members, with the hits beside a match."""
    data = zipped({"a": b"words"})
    row = {"id": "box", "md5": hashlib.md5(data).hexdigest(), "status": state}
    known = make_list([row, {"id": "other", "md5": "01" * 16}])
    (tmp_path / "a.zip").write_bytes(data)

    results = list(
        drop_paths(scan_with_paths(Backwards, Screener(known), locate_files(tmp_path / "a.zip")))
    )

    assert [one.input.removeprefix(f"{tmp_path}/") for one in results] == ["a.zip!a", "a.zip"]
    hits = (*results[1].matches, *results[1].other_hits)
    assert [(hit.entry, hit.state) for hit in hits] == [("box", state)]


def test_archives_within_one_share_what_it_may_cost(screener, tmp_path):
    """If inner archives are opened at the same time, what is over the limit is one `too_large`."""
    three = {name: name.encode() * 1000 for name in "xyz"}
    box = zipped(three, zipfile.ZIP_STORED)
    beside = {"0.zip": box, "1.zip": box}
    (tmp_path / "beside.zip").write_bytes(zipped(beside, zipfile.ZIP_STORED))
    within = {"in.zip": zipped({"box.zip": box}, zipfile.ZIP_STORED)}
    (tmp_path / "within.zip").write_bytes(zipped(within, zipfile.ZIP_STORED))

    def found(name, **limits):
        """Return how many members that are no archives have a result, and what is too large."""
        bounded = Screener(screener.lists, policy=Policy(limits=Limits(**limits)))
        results = counted(
            drop_paths(scan_with_paths(Backwards, bounded, locate_files(tmp_path / name))), tmp_path
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
def test_bytes_behind_a_packed_tar_are_reported(screener, pictures, tmp_path, packing):
    """The members have their results, and the archive has one that says that there is more."""
    file = tmp_path / f"a.tar{packing}"
    packed = PACKERS[packing](tarred({"a.png": pictures[1]}))
    for behind, expected in ((bytes(512), []), (pictures[0], [(file.name, "undecodable")])):
        file.write_bytes(packed + behind)
        found = counted(scan(screener, file, jobs=1), tmp_path)
        assert found[:1] == [("a.tar" + packing + "!a.png", "no_match", None)]
        assert [(name, reason) for name, _, reason in found[1:]] == expected


@pytest.mark.parametrize("packing", [".gz", ".xz"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_packed_tar_is_read_twice_however_many_members_are_near_a_record(
    make_list, scene, tmp_path, monkeypatch, packing, inside
):
    """It is read once for the names and once for the members, though members are hashed again."""
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
    found = drop_paths(scan_with_paths(Doing, Doubtful(known), locate_files(file)))
    found = [one for one in found if one.counts]

    assert [one.verdict for one in found].count(Verdict.MATCH) == 100
    assert len(found) == 150
    # What gzip has packed is read in pieces from Python 3.12 on, one for telling that it is a tar.
    most = (4.1 if inside else 2.1) * len(data) + (128 << 10)
    assert 1.9 * len(data) < Counted.bytes < most


@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_of_another_checksum_is_searched_and_cleared_by_nothing(
    screener, pictures, tmp_path, way
):
    """It may match, since many tools unpack it; without a match it is `undecodable`."""
    data = bytearray(zipped({"a.png": pictures[0], "c.png": pictures[2]}, way))
    assert len(pictures[0]) < 1 << 16
    at = -1
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        data[at + 16] ^= 1
    (tmp_path / "a.zip").write_bytes(data)

    results = list(scan(screener, tmp_path / "a.zip", jobs=1))

    assert counted(results, tmp_path) == [
        ("a.zip!a.png", "match", None),
        ("a.zip!c.png", "unscreened", "undecodable"),
    ]


def test_a_member_that_kills_its_worker_costs_itself(screener, pictures, tmp_path):
    """The members before and after it are screened, in a packed tar too."""
    from scan_of_accidents import accidents

    folder = tmp_path / "uploads"
    folder.mkdir()
    members = {f"{n}.png": pictures[n % 3] for n in range(4)} | {"1x": b"crash-1"}
    members = dict(sorted(members.items()))
    (folder / "a.tar.gz").write_bytes(gzip.compress(tarred(members)))
    (folder / "b.zip").write_bytes(zipped(members))

    lines, done = accidents(screener.lists[0], folder, 1)

    names = ["0.png", "1.png", "1x", "2.png", "3.png"]
    expected = []
    for archive in ("a.tar.gz", "b.zip"):
        expected += [*(f"{archive}!{name}" for name in names), archive]
    assert [line["input"].removeprefix(f"{folder}/") for line in lines] == expected, done.stderr
    reasons = [None, None, "crashed", None, None, "members"]
    assert [line["reason"] for line in lines] == reasons * 2


def test_single_calls_open_no_archive(screener, pictures):
    """`screen` returns one Result, so an archive is `unsupported`."""
    result = screener.screen(zipped({"a.png": pictures[0]}))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.UNSUPPORTED)
