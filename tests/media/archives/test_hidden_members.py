"""Archives that hide members from some readers are never cleared; ordinary ones are."""

import io
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from archive_files import PACKERS
from picture_bytes import jpeg, png, saved
from workers_backwards import Backwards

from screener import Policy, Screener
from screener.hashing import pdq
from screener.scanning.inputs.expand import locate_files
from screener.scanning.scan import drop_paths, scan_with_paths

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
BZIP2, LZMA = zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA


@pytest.fixture
def decoy(scene):
    """Return the file of a picture that is not listed."""
    return png(scene(1, (160, 120)))


@pytest.fixture
def listed(scene):
    """Return the file of the listed picture, small enough for a comment."""
    data = jpeg(scene(0, (160, 120)), quality=85)
    assert len(data) < 1 << 15
    return data


@pytest.fixture
def verdicts(make_list, scene, tmp_path):
    """Return a function that scans an archive: name, verdict and reason of each result."""
    text = pdq.compute(np.asarray(scene(0, (160, 120)))).text
    screener = Screener(make_list([{"id": "one", "pdq": text}]), policy=Policy())

    def found(data):
        (tmp_path / "a").write_bytes(data)
        return [
            (
                one.input.removeprefix(f"{tmp_path}/"),
                str(one.verdict),
                one.reason and str(one.reason),
            )
            for one in drop_paths(
                scan_with_paths(Backwards, screener, locate_files(tmp_path / "a"))
            )
            if one.counts
        ]

    return found


def packed(data, way):
    """Return the data as a zip file compresses them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", way) as archive:
        archive.writestr("a", data)
    with zipfile.ZipFile(stream) as archive:
        size = archive.getinfo("a").compress_size
    return stream.getvalue()[31 : 31 + size]


class Entry:
    """A member of a zip file; its directory entry may differ from its header.

    With `at` it has no header of its own: the directory points there.
    """

    def __init__(self, name, data, way=STORED, /, **declared):
        self.header = {"name": name, "way": way, "flags": 0, "crc": zlib.crc32(data)}
        self.header |= {"packed": len(packed(data, way)), "size": len(data), "extra": b""}
        self.body, self.comment = packed(data, way), declared.pop("comment", b"")
        self.body += declared.pop("behind", b"")
        self.header |= declared.pop("header", {})
        self.at = declared.pop("at", None)
        self.entry = self.header | declared

    def fields(self, declared):
        """What both records have of it."""
        return struct.pack(
            "<5H3I2H", 20, declared["flags"], declared["way"], 0, 33, declared["crc"],
            declared["packed"], declared["size"], len(declared["name"]), len(declared["extra"]),
        )  # fmt: skip


def zip_of(*entries, comment=b""):
    """Return a zip file of those members."""
    data, directory = b"", b""
    for one in entries:
        directory += b"PK\1\2" + struct.pack("<H", 20) + one.fields(one.entry)
        at = len(data) if one.at is None else one.at
        directory += struct.pack("<3H2I", len(one.comment), 0, 0, 0, at)
        directory += one.entry["name"] + one.entry["extra"] + one.comment
        if one.at is None:
            data += b"PK\3\4" + one.fields(one.header) + one.header["name"] + one.header["extra"]
            data += one.body
    counts = struct.pack(
        "<4H2IH", 0, 0, *[len(entries)] * 2, len(directory), len(data), len(comment)
    )
    return data + directory + b"PK\5\6" + counts + comment


def local(name, data, way=STORED):
    """Return a member with its header, without a directory entry."""
    return zip_of(Entry(name, data, way)).partition(b"PK\1\2")[0]


@pytest.mark.parametrize("way", [STORED, DEFLATED, BZIP2, LZMA])
@pytest.mark.parametrize("hidden", ["local file", "picture", "one byte"])
def test_bytes_that_are_counted_to_a_member_beyond_its_data_are_reported(
    verdicts, decoy, listed, way, hidden
):
    """Some readers stop at the end of the data, others read on."""
    more = {"local file": local(b"x.jpg", listed), "picture": listed, "one byte": b"x"}[hidden]
    size = len(packed(decoy, way)) + len(more)
    counted = {"packed": size, "header": {"packed": len(packed(decoy, way))}}

    found = verdicts(zip_of(Entry(b"a.png", decoy, way, behind=more, **counted)))
    sound = verdicts(zip_of(Entry(b"a.png", decoy, way)))

    assert found == [("a!a.png", "unscreened", "undecodable")]
    assert sound == [("a!a.png", "no_match", None)]
    # What the member itself shows is looked at all the same.
    shown = zip_of(
        Entry(b"b.jpg", listed, way, behind=more, packed=len(packed(listed, way) + more))
    )
    assert verdicts(shown) == [("a!b.jpg", "match", None)]


def test_bytes_beyond_the_data_are_reported_wherever_the_data_end(verdicts, decoy, listed):
    """Also if the data end at the border of a piece that is unpacked at once."""
    size = (1 << 16) - 2 * 5
    data = decoy + bytes(size - len(decoy))
    blocks = [(0, data[:60_000]), (1, data[60_000:])]
    body = b"".join(
        struct.pack("<B2H", last, len(one), len(one) ^ 0xFFFF) + one for last, one in blocks
    )
    assert len(body) == 1 << 16
    one = Entry(b"a.png", data, DEFLATED)
    for more, expected in ((b"", ("no_match", None)), (listed, ("unscreened", "undecodable"))):
        one.body = body + more
        one.entry["packed"] = one.header["packed"] = len(one.body)
        assert verdicts(zip_of(one)) == [("a!a.png", *expected)]


@pytest.mark.parametrize("way", [DEFLATED, BZIP2, LZMA])
def test_data_that_unpack_to_more_than_is_declared_are_reported(verdicts, decoy, listed, way):
    """Some unpackers follow the data, and find a listed picture behind the declared one."""
    body = decoy + listed
    declared = {"size": len(decoy), "crc": zlib.crc32(decoy)}

    found = verdicts(zip_of(Entry(b"a.png", body, way, header=declared)))

    assert found == [("a!a.png", "unscreened", "undecodable")]


def test_data_that_unpack_to_less_than_is_declared_are_reported(verdicts, decoy):
    """A matching checksum proves nothing about the length."""
    declared = {"size": len(decoy) + 10}
    assert verdicts(zip_of(Entry(b"a.png", decoy, DEFLATED, header=declared))) == [
        ("a!a.png", "unscreened", "undecodable")
    ]


@pytest.mark.parametrize("way", [STORED, DEFLATED])
@pytest.mark.parametrize("counted", [True, False])
def test_a_folder_that_its_header_says_is_a_file_is_screened(verdicts, decoy, listed, way, counted):
    """With its data counted to it or in a gap, the archive is never cleared."""
    declared = {"name": b"x/", "size": 0, "crc": 0} | ({} if counted else {"packed": 0})
    other = Entry(b"a.png", decoy)

    found = verdicts(zip_of(Entry(b"x.jpg", listed, way, **declared), other))
    clean = verdicts(zip_of(Entry(b"x.png", decoy, way, **declared), other))

    assert found == [
        ("a!x.jpg", "match", None), ("a!a.png", "no_match", None),
        ("a", "unscreened", "undecodable"),
    ]  # fmt: skip
    assert clean[-1] == ("a", "unscreened", "undecodable")


def test_a_folder_with_data_is_never_dropped(verdicts, decoy, listed):
    """By any name and without sizes in its header, it is a member that cannot be read."""
    for declared in (
        {"size": 0, "crc": 0},
        {"size": 0, "crc": 0, "header": {"flags": 8, "packed": 0, "size": 0, "name": b"x.jpg"}},
    ):
        found = verdicts(zip_of(Entry(b"x/", listed, **{"name": b"x/"} | declared)))
        assert "no_match" not in {verdict for _, verdict, _ in found}
        assert found[-1] == ("a", "unscreened", "undecodable"), declared


@pytest.mark.parametrize("way", [STORED, DEFLATED])
def test_a_member_that_its_header_says_is_packed_otherwise_is_reported(verdicts, decoy, way):
    """Some unpackers follow the header, and unpack something else."""
    declared = {"way": way, "header": {"way": DEFLATED if way == STORED else STORED}}
    found = verdicts(zip_of(Entry(b"a.png", decoy, way, **declared)))
    assert found == [("a!a.png", "unscreened", "undecodable")]


def test_members_that_overlap_are_reported(verdicts, decoy, listed):
    """The header of one may be taken for data of the other."""
    inner = local(b"b.png", decoy)
    outer = Entry(b"a.png", decoy + inner, header={"extra": field(listed)}, extra=b"")
    at = zip_of(outer).index(inner)

    found = verdicts(zip_of(outer, Entry(b"b.png", decoy, at=at)))

    assert found[-1] == ("a", "unscreened", "undecodable")


def field(data):
    """Return an extra field."""
    return struct.pack("<2H", 0x9999, len(data)) + data


@pytest.mark.parametrize("hidden", ["JPEG", "PNG", "GIF", "zip"])
@pytest.mark.parametrize("where", ["comment", "member", "extra", "header", "second"])
def test_a_file_in_a_comment_or_in_extra_bytes_is_reported(verdicts, scene, decoy, where, hidden):
    """In the comment of the archive or of any member, and in extra fields of either place."""
    small = scene(0, (80, 60))
    data = local(b"x.jpg", jpeg(small), DEFLATED) if hidden == "zip" else saved(small, hidden)
    declared = {
        "comment": {}, "member": {"comment": b"words " + data}, "extra": {"extra": field(data)},
        "header": {"header": {"extra": field(data)}, "extra": b""},
        "second": {"header": {"extra": field(b"abc") + field(data)}, "extra": b""},
    }[where]  # fmt: skip
    entries = Entry(b"b.png", decoy), Entry(b"a.png", decoy, **declared), Entry(b"c.png", decoy)

    found = verdicts(zip_of(*entries, comment=data if where == "comment" else b""))

    assert [verdict for _, verdict, _ in found] == ["no_match"] * 3 + ["unscreened"]
    assert found[-1] == ("a", "unscreened", "unsupported")


def described(name, data, way):
    """Return a member whose sizes stand behind its data, as written to a pipe."""
    declared = zlib.crc32(data), len(packed(data, way)), len(data)
    behind = b"PK\7\b" + struct.pack("<3I", *declared)
    empty = {"flags": 8, "crc": 0, "packed": 0, "size": 0}
    counted = dict(zip(("crc", "packed", "size"), declared, strict=True))
    return Entry(name, data, way, behind=behind, header=empty, **counted)


TIMES = struct.pack("<2HB3I", 0x5455, 13, 7, 1, 2, 3) + struct.pack(
    "<2HB2IB", 0x7875, 10, 1, 4, 5, 6
)
ORDINARY = {
    "folders": lambda data: [Entry(b"x/", b""), Entry(b"x/a.png", data)],
    # Java packs what a folder has, which is nothing.
    "packed folders": lambda data: [Entry(b"x/", b"", DEFLATED), Entry(b"x/a.png", data)],
    "described": lambda data: [described(b"x.png", data, DEFLATED), described(b"e", b"", STORED)],
    "empty": lambda data: [Entry(b"a.png", data), Entry(b"e", b""), Entry(b"f", b"", DEFLATED)],
    # As Android's tools align what is not packed.
    "aligned": lambda data: [
        Entry(b"a.png", data, header={"extra": struct.pack("<3H", 0xD935, 4000, 4) + bytes(3998)}),
        Entry(b"b.png", data, header={"extra": bytes(3)}, extra=b""),
    ],
    # As documents of Office leave room to grow.
    "growing": lambda data: [
        Entry(b"a.png", data, DEFLATED, extra=struct.pack("<2H", 0xA220, 500) + bytes(500))
    ],
    "times": lambda data: [Entry(b"a.png", data, header={"extra": TIMES}, extra=TIMES[:17])],
    "comments": lambda data: [Entry(b"a.png", data, comment=b"words " * 500)],
}  # fmt: skip


@pytest.mark.parametrize("make", ORDINARY.values(), ids=ORDINARY)
def test_an_ordinary_zip_file_is_cleared(verdicts, decoy, make):
    """Only its empty files have a reason."""
    found = verdicts(zip_of(*make(decoy), comment=b"words " * 500))

    pictures = [one for one in found if one[0].endswith(".png")]
    assert {verdict for _, verdict, _ in pictures} == {"no_match"}
    assert {reason for name, _, reason in found if not name.endswith(".png")} <= {"empty"}
    assert "a" not in {name for name, _, _ in found}


TOOLS = {
    "zip": ["zip -qr {0} .", "zip -qr0 {0} .", "zip -qr -fz {0} .", "zip -qr - . > {0}"],
    "jar": ["jar cf {0} .", "jar c0f {0} ."],
    "bsdtar": [
        *(f"bsdtar --format {form} -cf {{0}} ." for form in ("zip", "ustar", "pax", "gnutar")),
        "bsdtar --format zip -cf - . > {0}",
    ],
    "tar": [
        *(f"tar --format={form} -cf {{0}} ." for form in ("gnu", "ustar", "pax", "oldgnu")),
        "tar --format=pax -czf {0} .", "tar --format=pax -cJf {0} .", "tar -cSf {0} .",
        "tar --format=pax -cSf {0} .", "tar --format=pax --xattrs -cf {0} .",
        "tar --format=pax --pax-option=globexthdr.name=all,comment=words,mtime=9 -cf {0} .",
    ],
    "git": [
        "git init -q && git add . && git -c user.name=a -c user.email=b commit -qm c"
        f" && git archive --format {form} HEAD -o {{0}}" for form in ("zip", "tar", "tar.gz")
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "command"), [(tool, one) for tool, commands in TOOLS.items() for one in commands]
)
def test_what_common_tools_write_is_cleared(verdicts, tmp_path, decoy, tool, command):
    """Folders, an empty file and holes are no trouble; links alone are `unreadable`."""
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} on this machine")
    folder = tmp_path / "in"
    (folder / "x" / "y").mkdir(parents=True)
    for name in ("a.png", "x/b.png", "x/y/c.png"):
        (folder / name).write_bytes(decoy)
    (folder / "holes.bin").write_bytes(bytes(1 << 20) + b"x" + bytes(1 << 20))
    if command.endswith(("cf {0} .", "cSf {0} .")) and tool != "jar":
        (folder / "link").symlink_to("a.png")
        (folder / "z.png").hardlink_to(folder / "x" / "b.png")
    subprocess.run(command.format(tmp_path / "made.bin"), shell=True, cwd=folder, check=True)

    found = verdicts((tmp_path / "made.bin").read_bytes())

    assert {reason for _, _, reason in found} <= {None, "unreadable", "unsupported"}
    assert sum(verdict == "no_match" for _, verdict, _ in found) >= 3
    assert "a" not in {name for name, _, _ in found}


def header(name, size, kind=b"0", link=""):
    """Return the header of a member of a tar file."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info.tobuf(tarfile.USTAR_FORMAT)


def member(name, data, kind=b"0"):
    """Return a member of a tar file with its header."""
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def record(keyword, value):
    """Return a record of an extended header."""
    length = len(keyword) + len(value) + 3
    while (declared := len(str(length)) + len(keyword) + len(value) + 3) != length:
        length = declared
    return b"%d %s=%s\n" % (length, keyword, value)


END = bytes(1024)

GLOBALS = {
    "size of nothing": {b"size": b"0"}, "size": {b"size": b"1000"}, "path": {b"path": b"z"},
    "link": {b"linkpath": b"z"}, "map": {b"GNU.sparse.map": b"0,1", b"GNU.sparse.size": b"1"},
    "sparse": {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0"},
    "real size": {b"GNU.sparse.realsize": b"3"},
}  # fmt: skip


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("records", GLOBALS.values(), ids=GLOBALS)
def test_a_global_header_that_says_what_members_are_hides_none(
    verdicts, decoy, listed, records, pack
):
    """Only some unpackers obey it: members are read by their own headers, nothing is cleared."""
    said = member("pax", b"".join(record(*one) for one in records.items()), b"g")

    found = verdicts(pack(said + member("a.png", decoy) + member("b.jpg", listed) + END))

    assert found == [
        ("a!a.png", "no_match", None), ("a!b.jpg", "match", None),
        ("a", "unscreened", "undecodable"),
    ]  # fmt: skip


def test_a_global_size_that_hides_a_member_from_gnu_tar_is_reported(
    verdicts, tmp_path, decoy, listed
):
    """GNU tar unpacks one member where another reader finds two."""
    if shutil.which("tar") is None:
        pytest.skip("no tar on this machine")
    first, second = member("a.png", decoy), member("b.jpg", listed)
    size = b"%d" % (len(first) + len(second) - 512)
    data = member("pax", record(b"size", size), b"g") + first + second + END
    (tmp_path / "in.tar").write_bytes(data)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "in.tar", "-C", tmp_path / "out"], check=True)

    assert [one.name for one in (tmp_path / "out").iterdir()] == ["a.png"]
    assert listed in (tmp_path / "out" / "a.png").read_bytes()
    assert verdicts(data)[-1] == ("a", "unscreened", "undecodable")


KINDS = {
    "hard link": b"1", "link": b"2", "device": b"3", "block": b"4", "folder": b"5", "fifo": b"6",
}  # fmt: skip


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("declared", ["header", "extended"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_member_without_content_that_has_a_size_is_reported(
    verdicts, decoy, listed, kind, declared, pack
):
    """Some unpackers skip so many bytes, others look for the next member there."""
    covering = header("c.png", len(decoy) + -len(decoy) % 512 + len(member("b.jpg", listed)))
    covering += decoy + bytes(-len(decoy) % 512)
    size = b"%d" % len(covering)
    before = member("pax", record(b"size", size), b"x") if declared == "extended" else b""
    data = before + header("l", 0 if before else len(covering), kind, "a") + covering

    found = verdicts(pack(member("a.png", decoy) + data + member("b.jpg", listed) + END))

    assert found[0] == ("a!a.png", "no_match", None)
    assert found[-1] == ("a", "unscreened", "undecodable")


@pytest.mark.parametrize("declared", ["header", "extended"])
def test_a_file_that_is_named_as_a_folder_is_reported(verdicts, tmp_path, decoy, listed, declared):
    """GNU tar looks for members in its content."""
    content = member("b.jpg", listed)
    before = member("pax", record(b"path", b"d/"), b"x") if declared == "extended" else b""
    name = "d" if before else "d/"
    data = before + header(name, len(content)) + content + member("a.png", decoy) + END

    assert verdicts(data)[-1] == ("a", "unscreened", "undecodable")
    if shutil.which("tar") is None:
        pytest.skip("no tar on this machine")
    (tmp_path / "in.tar").write_bytes(data)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "in.tar", "-C", tmp_path / "out"], check=True)
    assert (tmp_path / "out" / "b.jpg").read_bytes() == listed


@pytest.mark.parametrize(
    "body", [b"13  size=100\n", b"012 size=10\n", b"\0 11 size=10\n", b"99 size=10\n", b"5 a=b\n"]
)
def test_an_extended_header_that_is_no_list_of_records_is_reported(verdicts, decoy, body):
    """Readers disagree about it."""
    found = verdicts(member("pax", body, b"x") + member("a.png", decoy) + END)
    assert "unscreened" in {verdict for _, verdict, _ in found}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
def test_a_file_in_a_comment_of_a_tar_file_is_reported(verdicts, decoy, listed, kind, pack):
    """In a comment of one member or of all, in any other record, and in a name."""
    bodies = [listed] if kind in b"LK" else [record(b"comment", listed), record(b"X.y", listed)]
    for body in bodies:
        said = member("pax", body, kind) + member("a.png", decoy)

        found = verdicts(pack(member("b.png", decoy) + said + member("c.png", decoy) + END))

        assert {verdict for _, verdict, _ in found[:-1]} == {"no_match"}
        assert found[-1] == ("a", "unscreened", "unsupported")
