"""Reports to a hotline, as a reporter makes them: what is in them, what is not, who can read."""

import base64
import errno
import json
import os
import random
import re
import stat
import string
import sys
from datetime import UTC, date, datetime
from itertools import cycle
from typing import get_args

import pytest
from drawn_videos import clip, panned
from hotline_case import IMAGES, item_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from picture_bytes import jpeg
from PIL import Image, ImageOps

from screener import Hash
from screener.errors import HotlineError, MediaError
from screener.hashing.pdq import ORIENTATIONS
from screener.hotline.casebook import statuses
from screener.hotline.casebook.statuses import Status
from screener.hotline.model.addresses import checked, normalised
from screener.hotline.model.case import State
from screener.hotline.model.report import MOST_TIMES, Item, Report, Withdrawal
from screener.hotline.reports import own_media, personal_data, reporting, sealed
from screener.hotline.reports.report_json import decode, encode
from screener.hotline.reports.sealed import Secret, Unsealable, proof
from screener.media.files.sniff import CONTAINERS
from screener.scanning.workers import pool
from screener.screening.input import vpdq
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash

DAY = date(2026, 3, 14)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The key pair of a hotline."""
    return sealed.make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def in_process(monkeypatch):
    """Hash in this process: what is asked is what a report says, not who decodes."""
    monkeypatch.setattr(own_media, "make", lambda paths: (tuple(map(item_of, paths)), ()))


def in_turn(making, names, *, jobs):
    """What workers make of files, made in this process."""
    return (making.do(Target(name), None, HashMode.NORMAL) for name in names)


def opened(path, keys):
    """The content of a report's file, and the report."""
    content = sealed.unseal(path.read_bytes(), sealed.secret_key(keys.secret))
    return content, decode(content)


def test_a_picture_of_oneself_gives_hashes_of_every_kind_and_stays(tmp_path, keys):
    """Hashed in a worker process: every kind that is made of a still, in all eight orientations,
    and nothing of the file's name, time or size; a file that is no picture is told by its place.
    """
    mine = tmp_path / "Amina Benali 1999.jpg"
    mine.write_bytes((IMAGES / "alley.jpg").read_bytes())
    (tmp_path / "text").write_text("no picture")

    made = reporting.create(
        tmp_path / "r", key=keys.public, my_images=[mine, tmp_path / "text"], day=DAY, language="fr"
    )

    content, report = opened(tmp_path / "r", keys)
    (item,) = report.items
    kinds = {one.hash.kind.name for one in item.hashes}
    assert kinds == {
        "pdq", "phash", "dhash", "ahash", "whash", "phash256", "dhash256", "ahash256", "whash256",
        "md5", "sha1", "sha256",
    }  # fmt: skip
    assert len({one.orientation for one in item.hashes}) == 8
    assert (item.type, item.moving) == ("image/jpeg", False)
    assert [(one.place, one.error.reason) for one in made.troubles] == [(1, "unsupported")]
    for told in (b"Amina", b"1999", b"alley", str(mine.stat().st_size).encode()):
        assert told not in content


def test_a_clip_of_oneself_gives_hashes_of_its_frames_and_of_the_whole(tmp_path, draw):
    """Digests, a vPDQ, and the PDQ of each frame in eight orientations; those of the same clip
    mirrored and made smaller are within reach, turned.
    """
    pictures = [one for seed in (3, 4, 5) for one in panned(draw.scene, seed, 10)]
    (tmp_path / "mine.mp4").write_bytes(clip(pictures))
    (tmp_path / "theirs.mp4").write_bytes(clip([ImageOps.mirror(p) for p in pictures], crf="34"))

    mine, theirs = (item_of(tmp_path / f"{name}.mp4") for name in ("mine", "theirs"))

    assert (mine.type, mine.moving) == ("video/mp4", True)
    assert [one.kind.name for one in mine.upright] == ["md5", "sha1", "sha256", "vpdq"]
    frames = [one for one in mine.hashes if one.hash.kind.name == "pdq" and one.region == "full"]
    assert {one.orientation for one in frames} == set(ORIENTATIONS)
    for one in (one for one in frames if one.orientation == "flip_horizontal"):
        others = [o for o in theirs.hashes if (o.orientation, o.time) == ("upright", one.time)]
        assert min(one.hash.distance(o.hash) for o in others if o.hash.kind.perceptual) <= 31


def test_addresses_suffice_and_look_no_different(tmp_path, keys, in_process):
    """A report of an address is as long as one of pictures and one that takes a report back; its
    file's time is the day's, and only its owner may read it.
    """
    alone = reporting.create(tmp_path / "a", key=keys.public, addresses=["https://x.example/1"],
                             day=DAY)  # fmt: skip
    reporting.create(
        tmp_path / "b", key=keys.public, my_images=[IMAGES / "alley.jpg"] * 4, note="n" * 4000,
        day=DAY,
    )  # fmt: skip
    reporting.withdraw(tmp_path / "c", key=keys.public, secret=alone.secret, day=DAY)

    facts = [os.stat(tmp_path / name) for name in "abc"]
    assert len({one.st_size for one in facts}) == 1
    midnight = datetime(2026, 3, 14, tzinfo=UTC).timestamp()
    assert {(one.st_mtime, stat.S_IMODE(one.st_mode)) for one in facts} == {(midnight, 0o600)}


def test_the_same_input_twice_cannot_be_linked_without_the_key(tmp_path, keys, in_process):
    """Two files of one input have no eight bytes in common but the first line, and with the key no
    reference, key or proof in common.
    """
    same = {"addresses": ["https://x.example/1"], "my_images": [IMAGES / "alley.jpg"], "day": DAY}
    first = reporting.create(tmp_path / "a", key=keys.public, **same)
    second = reporting.create(tmp_path / "b", key=keys.public, **same)

    files = [(tmp_path / name).read_bytes().removeprefix(sealed.MAGIC) for name in "ab"]
    pieces = [{data[at : at + 8] for at in range(len(data) - 7)} for data in files]
    assert pieces[0].isdisjoint(pieces[1])
    assert first.secret != second.secret
    (_, one), (_, other) = (opened(tmp_path / name, keys) for name in "ab")
    for name in ("reference", "status_key", "proof"):
        assert getattr(one, name) != getattr(other, name)
    assert one.items == other.items


@pytest.fixture
def named(monkeypatch):
    """The names of a user and a host, as programs find them."""
    names = {"USER": "aminabenali", "LOGNAME": "aminabenali", "HOSTNAME": "amina-laptop"}
    for name, value in (names | {"HOME": "/home/aminabenali"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("socket.gethostname", lambda: "amina-laptop")
    return "aminabenali", "amina-laptop"


def with_exif(image, words):
    """A JPEG that carries words in its EXIF, a comment and its ICC profile's place."""
    exif = Image.Exif()
    for tag, text in zip((0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298), words, strict=True):
        exif[tag] = text
    return jpeg(image, exif=exif.tobytes(), comment=words[0].encode())


# Words that no report has of its own, such as the names of its fields.
WORD = st.text(string.ascii_letters, min_size=8, max_size=24).map("zq{}".format)


@pytest.mark.parametrize("links", [True, False])
def test_a_report_takes_no_file_away(tmp_path, keys, monkeypatch, links):
    """Also on a stick that knows no links; it is for its owner, and nothing else is left there."""

    def unknown(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", unknown)
    out = tmp_path / "out"
    reporting.create(out, key=keys.public, addresses=["https://a.example"], day=DAY)
    first = out.read_bytes()
    assert opened(out, keys)[1].addresses == ("https://a.example",)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(HotlineError, match="exists already"):
        reporting.create(out, key=keys.public, addresses=["https://b.example"], day=DAY)
    assert (out.read_bytes(), os.listdir(tmp_path)) == (first, ["out"])


def test_what_cannot_be_written_or_read_is_told(tmp_path, keys, monkeypatch):
    """Nobody believes to have written a report that is not there; a disk that fails is not said to
    hold a report of another kind.
    """
    out = tmp_path / "none" / "out"
    with pytest.raises(HotlineError, match="out cannot be written: it is not there"):
        reporting.create(out, key=keys.public, addresses=["https://a.example"], day=DAY)

    def failing(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(tmp_path), "open", failing)
    with pytest.raises(sealed.Unsealable) as caught:
        sealed.read_file(keys.public)
    assert "cannot be read" in str(caught.value.why)


def test_without_its_library_nothing_is_sealed(tmp_path, keys, monkeypatch):
    """What to install is told, before anything is made."""
    monkeypatch.setitem(sys.modules, "nacl.public", None)
    for call in (
        lambda: sealed.make_keys(tmp_path),
        lambda: sealed.public_key(keys.public),
        lambda: sealed.secret_key(keys.secret),
    ):
        with pytest.raises(HotlineError, match=r"pip install '\.\[hotline\]'"):
            call()
    assert os.listdir(tmp_path) == []


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(WORD, min_size=7, max_size=7, unique=True), seed=st.integers(0, 1 << 30))
def test_nothing_of_a_picture_but_hashes_is_told(tmp_path, keys, in_process, named, words, seed):
    """Whatever its name, folder, EXIF, comment and pixels are: none of them, no name of user or
    host, and no time of day is in what the hotline reads, nor in the file; and the length is always
    one.
    """
    rng = random.Random(seed)
    size = rng.randint(64, 200), rng.randint(64, 200)
    image = Image.effect_noise(size, 90).convert("RGB")
    folder = tmp_path / words[6]
    folder.mkdir(exist_ok=True)
    mine = folder / f"{words[5]}.jpg"
    mine.write_bytes(with_exif(image, words[:6]))
    out = tmp_path / "out"
    out.unlink(missing_ok=True)

    reporting.create(out, key=keys.public, my_images=[mine], day=DAY)

    content, report = opened(out, keys)
    assert out.stat().st_size == len(sealed.MAGIC) + (1 << 19) + 48
    private = [*words, str(tmp_path), *named]
    for data in (content, out.read_bytes()):
        assert not [word for word in private if word.encode() in data]
    pixels = image.tobytes()
    spots = range(0, len(pixels) - 12, len(pixels) // 50)
    assert not any(pixels[at : at + 12] in content for at in spots)
    facts = {"type": "image/jpeg", "moving": False}
    assert {name: getattr(report.items[0], name) for name in facts} == facts
    assert (report.day, report.note, report.addresses) == (DAY, "", ())
    assert not re.search(rb"\d\d:\d\d", content)
    values = b"".join(one.hash.value for item in report.items for one in item.hashes)
    assert not any(pixels[at : at + 8] in values for at in spots)


def test_a_clip_that_fails_as_a_whole_alone_is_told(tmp_path, draw, monkeypatch):
    """Its frames decode, and its vPDQ, which decodes it once more, ends early or is none: it is no
    whole clip to an analyst, and to a reporter as much of one as there is.
    """
    path = tmp_path / "me.mp4"
    path.write_bytes(clip(panned(draw.scene, 3, 5)))
    whole, trouble = vpdq.compute(path)
    assert trouble is None
    monkeypatch.setattr(pool, "each", in_turn)
    for made in (whole, None):
        monkeypatch.setattr(
            vpdq, "compute", lambda path, made=made: (made, MediaError("truncated", "too short"))
        )
        items, troubles = own_media.make_whole([path])
        assert (items, [one.error.reason for one in troubles]) == ((), ["truncated"])
        ((item,), troubles) = own_media.make([path])
        assert troubles == ()
        kinds = {one.hash.kind.name for one in item.hashes}
        assert kinds == {"pdq", "md5", "sha1", "sha256"} | ({"vpdq"} if made else set())


def test_no_report_is_made_that_the_hotline_would_refuse(tmp_path, keys, monkeypatch):
    """Of several clips that hardly move it would have more times than one holds: whoever made it is
    told, and not the hotline alone, which can tell nobody.
    """
    times = tuple(map(float, range(MOST_TIMES)))
    shown = [Hash.parse("pdq", f"{number:064x}", quality=100) for number in range(2)]
    clips = [Item("video/mp4", True, (LocatedHash(one, again=times),)) for one in shown]
    monkeypatch.setattr(own_media, "make", lambda paths: (tuple(clips[: len(paths)]), ()))

    with pytest.raises(HotlineError, match="make several"):
        reporting.create(tmp_path / "r", key=keys.public, my_images=["a", "b"])
    assert os.listdir(tmp_path) == []
    reporting.create(tmp_path / "r", key=keys.public, my_images=["a"])
    assert opened(tmp_path / "r", keys)[1].items == (clips[0],)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"addresses": "https://video.example/1"}, "addresses are a list of them, and not one str"),
        ({"my_images": "photo.jpg"}, "pictures are a list of them"),
        ({"my_images": IMAGES / "alley.jpg"}, "pictures are a list of them"),
        ({"addresses": None}, "addresses are a list of them"),
        ({"note": None}, "a note is a str"),
        ({"country": 504}, "a country is a str"),
        ({"day": "2026-03-14"}, "a day is a date, and not str"),
        ({"day": datetime(2026, 3, 14, 9, 30)}, "a day is a date, and not datetime"),
    ],
)
def test_a_report_is_made_of_what_a_program_means(tmp_path, keys, given, said):
    """The letters of one address were taken for addresses, and the hotline had those; a time tells
    more than the day. Nothing is written, of a withdrawal neither.
    """
    told = {"addresses": ["https://video.example/1"]} | given
    with pytest.raises(TypeError, match=said):
        reporting.create(tmp_path / "report.sealed", key=keys.public, **told)
    for wrong in ({"secret": "A", "day": DAY}, {"secret": Secret.make(), "day": "2026-03-14"}):
        with pytest.raises(TypeError, match=r"a secret is a Secret|a day is a date"):
            reporting.withdraw(tmp_path / "report.sealed", key=keys.public, **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_is_not_all_text_is_sent_with_what_is(tmp_path, keys):
    """A terminal of another encoding hands over bytes, of which Python makes what no file holds."""
    given = {"key": keys.public, "addresses": ["https://x.example"], "note": "caf\udce9, \ud800"}
    reporting.create(tmp_path / "r", **given)

    assert opened(tmp_path / "r", keys)[1].note == "caf\ufffd, \ufffd"


def test_what_is_no_report_is_refused_and_writes_nothing(tmp_path, keys, in_process):
    """Nothing to report; an address that is a file of one's own; too much; a file that is there."""
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(b"x")
    wrong = [
        {},
        {"addresses": ["file:///home/amina/x.jpg"]},
        {"addresses": [str(mine)]},
        {"addresses": ["C:\\Users\\amina\\x.jpg"]},
        {"addresses": ["a\nb"]},
        {"addresses": ["https://x.example"] * 101},
        {"addresses": ["https://x.example"], "note": "n" * 4001},
        {"addresses": ["https://x.example"], "country": "ma"},
        {"addresses": ["https://x.example"], "language": "de"},
    ]
    for said in wrong:
        with pytest.raises(HotlineError):
            reporting.create(tmp_path / "r", key=keys.public, **said)
    with pytest.raises(HotlineError, match="no public key"):
        reporting.create(tmp_path / "r", key=keys.secret, addresses=["https://x.example"])
    assert os.listdir(tmp_path) == ["mine.jpg"]
    with pytest.raises(HotlineError, match="exists already"):
        reporting.create(mine, key=keys.public, addresses=["https://x.example"])
    assert mine.read_bytes() == b"x"
    with pytest.raises(HotlineError, match="exists already"):
        sealed.make_keys(keys.public.parent)
    assert stat.S_IMODE(keys.secret.stat().st_mode) == 0o600


@given(st.binary(min_size=20, max_size=20), st.integers(0, 39), st.sampled_from("ABCXYZ234567"))
def test_a_secret_is_read_as_a_person_types_it_and_a_slip_is_told(value, place, letter):
    """In either case, in Arabic digits, as copied from a right-to-left line, with or without
    hyphens; one wrong letter is no secret."""
    secret = Secret(value)

    assert Secret.parse(secret.text.lower().replace("-", " ")) == secret
    arabic = secret.text.translate(str.maketrans("234567", "٢٣٤٥٦٧"))
    assert Secret.parse(f"\u2068{arabic}\u2069\r\n") == secret
    plain = secret.text.replace("-", "")
    slip = plain[:place] + letter + plain[place + 1 :]
    if slip != plain:
        with pytest.raises(HotlineError):
            Secret.parse(slip)
    assert secret.text not in repr(secret)
    derived = [secret.status_key, secret.withdrawal, proof(secret.withdrawal)]
    assert len({*derived, value}) == 4


def test_a_status_is_read_by_its_reporter_only_and_two_files_have_nothing_in_common():
    """Each secret reads its own, another's none; entries of two files are all different, and their
    number says only about how many there are.
    """
    mine = [Secret.make() for _ in range(70)]
    told = [
        (one.status_key, Status(state, date(2026, 3, day % 28 + 1), DAY))
        for day, (one, state) in enumerate(zip(mine, cycle(get_args(State)), strict=False))
    ]

    first, second = statuses.write(told, day=DAY), statuses.write(told[:65], day=DAY)

    for (_, status), secret in zip(told, mine, strict=True):
        assert statuses.read(first, secret) == status
    assert statuses.read(first, Secret.make()) is None
    assert statuses.read(second, mine[-1]) is None
    lines = [set(file.splitlines()[5:-2]) for file in (first, second)]
    assert lines[0].isdisjoint(lines[1])
    assert all(one.status_key not in first and one.value not in first for one in mine)
    for damaged in (
        b"", b"{}", b"[" * 9999, first[:-20], first.replace(b'"screener-st', b'"'),
        first.replace(b'"salt": "', b'"salt": "!'),
        b'{"schema": "screener-status/1", "salt": "", "entries": []}',
        statuses.write([(mine[0].status_key, Status("lost", DAY, DAY))], day=DAY),
    ):  # fmt: skip
        with pytest.raises(HotlineError):
            statuses.read(damaged, mine[0])


@pytest.mark.parametrize(
    ("told", "entries"), [(0, 64), (1, 64), (64, 64), (65, 128), (128, 128), (129, 256)]
)
def test_an_entry_of_a_report_looks_like_one_that_stands_for_nothing(told, entries):
    """Of the same bytes, whatever the state; in the order of their names, which mean nothing; and
    so many that their number tells no more than the power of two above it.
    """
    states = cycle(get_args(State))
    pairs = [(Secret.make().status_key, Status(next(states), DAY, DAY)) for _ in range(told)]

    facts = json.loads(statuses.write(pairs, day=DAY))

    assert (facts["schema"], facts["day"]) == ("screener-status/1", DAY.isoformat())
    names = [base64.b64decode(name) for name in facts["entries"]]
    assert names == sorted(names)
    assert len(names) == entries
    contents = [base64.b64decode(content) for content in facts["entries"].values()]
    assert {len(one) for one in names} == {16}
    assert {len(one) for one in contents} == {136}


ADDRESSES = [
    ("https://www.Example.org:443/a%7Eb/?utm_source=x&id=3#top", "example.org/a~b?id=3#top"),
    ("http://user:pw@example.org/A/b/", "example.org/A/b"),
    ("hxxps[:]//example[.]org/a", "example.org/a"),
    ("example.org/a?fbclid=1", "example.org/a"),
    ("https://مثال.example/صورة", "xn--mgbh0fb.example/%D8%B5%D9%88%D8%B1%D8%A9"),
    ("@someone on an app", "@someoneonanapp"),
    ("https://example.org:8443/", "example.org:8443"),
    ("https://[bad/", "https://[bad/"),
    ("https://mega.example/#!AAAA!key%31", "mega.example#!AAAA!key1"),
    ("https://mega.example/#!BBBB!key2", "mega.example#!BBBB!key2"),
    ("https://x.example/?u=a%26b%3d", "x.example?u=a%26b%3D"),
    ("https://x.example/?u=a&b=", "x.example?u=a&b="),
    ("https://x.example/a%2Fb", "x.example/a%2Fb"),
    ("https://x.example/a#:~:text=word", "x.example/a"),
    ("https://Straße.example/", "straße.example"),
    ("https://strasse.example/", "strasse.example"),
    ("https://x.example/a b", "x.example/a%20b"),
    ("https://x.example/long-\r\nname", "x.example/long-name"),
    ("https://x.example/\u00b2", "x.example/%C2%B2"),
    ("https://x.example/\ufefb?q=\uff11", "x.example/%EF%BB%BB?q=%EF%BC%91"),
    ("https://Ｘ．example/\u0661", "x.example/%D9%A1"),
    ("Ｘ．example/2", "x.example/2"),
]


@pytest.mark.parametrize(("written", "page"), ADDRESSES)
def test_addresses_of_one_page_are_one_and_of_two_are_two(written, page):
    """What does not tell pages apart is left out; the path's case and the query do tell them."""
    assert normalised(written) == page
    assert normalised(normalised(written)) == page


KEPT = [
    ("https://amina:pw@x.example/p?id=3&fbclid=abc&utm_source=mail", "https://x.example/p?id=3"),
    ("x.example/p/xyz?igsh=R", "x.example/p/xyz"),
    ("amina:pw@x.example/p", "x.example/p"),
    ("amina:pw@x.example", "x.example"),
    ("amina:pw@192.0.2.7:8080/p", "192.0.2.7:8080/p"),
    ("ftp://amina:pw@x.example/p", "ftp://x.example/p"),
    ("hxxps[:]//amina:pw@x[.]example/p?id=3&fbclid=a#top", "hxxps[:]//x[.]example/p?id=3#top"),
    ("https://amina:pw@[bad/p?fbclid=a", "https://[bad/p"),
    # A browser takes these for slashes, or needs none: the host of the first is x.example.
    ("https://x.example\\@other.example/", "https://x.example/@other.example/"),
    ("https:\\\\amina:pw@x.example\\p?q=a\\b", "https://x.example/p?q=a\\b"),
    ("https:amina:pw@x.example/p", "https:x.example/p"),
    # What is no address of a page, or names what is reported itself, stays whole.
    ("someone@x.example", "someone@x.example"),
    ("@someone@x.example", "@someone@x.example"),
    ("mailto:someone@x.example", "mailto:someone@x.example"),
    ("xmpp:room@x.example/name", "xmpp:room@x.example/name"),
    ("https://x.example/@someone?q=a@b", "https://x.example/@someone?q=a@b"),
    ("ed2k://|file|a@b|1|00|/", "ed2k://|file|a@b|1|00|/"),
    ("the group x@y on an app", "the group x@y on an app"),
]


@pytest.mark.parametrize(("said", "kept"), KEPT)
def test_an_address_loses_the_name_of_who_saw_it(said, kept):
    """A name and password, and what sites add to know a reader by, with or without a scheme; who
    or what is reported stays.
    """
    assert checked(said) == kept
    assert checked(kept) == kept


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("\u200ehttps://x.example/1\u200e", "https://x.example/1"),
        ("\u2068 https://x.example/1\u00a0\u2069", "https://x.example/1"),
        ("\ufeffx.example/1", "x.example/1"),
        ("https://x.example\u200f/1", "https://x.example/1"),
        ("https\u200e://me:secret@x.example/1?fbclid=2", "https://x.example/1"),
        ("me:secret@x.exam\u200bple/1", "x.example/1"),
        ("me:secret@a\u200cb.example/1", "a%E2%80%8Cb.example/1"),
        ("me:secret@x.exam\u200cple/1?fbclid=2", "x.exam%E2%80%8Cple/1"),
        ("me:secret@x.example\u200d/1", "x.example%E2%80%8D/1"),
        ("https://x.example/a\u200cb", "https://x.example/a%E2%80%8Cb"),
        ("https://x.example/\u202egpj", "https://x.example/%E2%80%AEgpj"),
        ("\u200fقناة\u200f @x\u200f", "قناة @x"),
    ],
)
def test_an_address_is_taken_as_it_is_pasted_from_a_chat_in_arabic(pasted, kept):
    """The signs that give it its direction there are no part of it, and hide neither its host nor
    a name and password; those that are, are written so that they are seen, and ask for the same
    page.
    """
    assert checked(pasted) == kept
    assert checked(kept) == kept


@pytest.mark.parametrize("begins", ["data:image/jpeg;base64,", "\u200eDATA:image/png,", "data[:],"])
@pytest.mark.parametrize("length", [10, 5000])
def test_no_picture_goes_into_a_report_as_an_address(begins, length):
    """What a browser calls the address of a picture may be the picture: partners would be sent it.
    It is said what to give instead, however long it is.
    """
    with pytest.raises(HotlineError, match="the address of the page"):
        checked(begins + "A" * length)


def test_a_backslash_parts_an_address_as_it_does_in_a_browser():
    """Two addresses that open one page are one, and of the host that is opened."""
    assert normalised("https://x.example\\@other.example/") == "x.example/@other.example"


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_refused(text):
    """Nothing else is raised, and what is kept is one line that can be printed."""
    assert isinstance(normalised(text), str)
    try:
        kept = checked(text)
    except HotlineError:
        return
    assert kept.isprintable()


TOLD = [
    ("My name is Sara", {("name", "Sara")}),
    ("je m'appelle Yassine Amrani.", {("name", "Yassine Amrani")}),
    ("اسمي فاطمة الزهراء", {("name", "فاطمة الزهراء")}),
    ("ana smiti fatima, w hiya smitha khadija", {("name", "fatima"), ("name", "khadija")}),
    ("smiyti youssef, ismi youssef", {("name", "youssef")}),
    ("06\u201361\u201023 45\u201167", {("phone", "06\u201361\u201023 45\u201167")}),
    ("il a écrit à Mme Dupont", {("name", "Dupont")}),
    ("راسلني السيد بنكيران", {("name", "بنكيران")}),
    ("my friend Sara Benali knows", {("name", "Sara Benali")}),
    ("appelez le 06 12-34.56 78", {("phone", "06 12-34.56 78")}),
    ("رقمي ٠٦١٢٣٤٥٦٧٨", {("phone", "0612345678")}),
    ("call +212 (0) 661-23-45-67", {("phone", "+212 (0) 661-23-45-67")}),
    ("شماره ۰۹۱۲۳۴۵۶۷۸۹", {("phone", "09123456789")}),
    ("06\u200b12\u200b34\u200b56\u200b78", {("phone", "0612345678")}),
    ("sara.b+x@mail.example", {("email", "sara.b+x@mail.example")}),
    ("sara [at] mail [dot] com", {("email", "sara [at] mail [dot] com")}),
    ("sara arobase mail point fr", {("email", "sara arobase mail point fr")}),
    ("user@domain.ma", {("email", "user@domain.ma")}),
    ("This is on a page. The page was seen on 2026-03-14 at https://x.example/123456789012", set()),
    ("La photo est publiée depuis 3 jours, vue 1200 fois.", set()),
    ("صورتي منشورة في الموقع بدون إذن منذ ٣ أيام", set()),
]


@pytest.mark.parametrize(("note", "expected"), TOLD)
def test_a_note_is_searched_for_names_numbers_and_addresses(note, expected):
    """In three languages and any digits; dates, short numbers and addresses of pages are none."""
    assert {(one.kind, one.words) for one in personal_data.find(note)} == expected


@settings(deadline=2000)
@given(st.text(max_size=4000))
def test_any_note_is_searched_and_soon(note):
    """Nothing is raised whatever it says."""
    for one in personal_data.find(note):
        assert one.words


@pytest.mark.parametrize("letter", ["a", "1 ", "a@", "(", "Aa ", "a.", "اسمي "])
def test_a_note_that_is_hard_to_search_is_searched_soon(letter):
    """Four thousand characters of what patterns begin with, in less than two seconds."""
    begin = os.times().user
    personal_data.find((letter * 4000)[:4000])
    assert os.times().user - begin < 2


def test_a_clip_in_any_container_can_be_reported():
    """Also one whose type says application, or audio, as those of Ogg and of songs with a cover do;
    what is no type of a file is refused.
    """
    shown = (LocatedHash(Hash.parse("pdq", "0" * 64, quality=100)),)
    for kind in (*CONTAINERS, None):
        report = Report("0" * 32, DAY, "ar", b"1" * 32, b"2" * 32, items=(Item(kind, True, shown),))
        assert decode(encode(report)) == report
    for wrong in ("text/html", "video", "video/<b>"):
        report = Report(
            "0" * 32, DAY, "ar", b"1" * 32, b"2" * 32, items=(Item(wrong, True, shown),)
        )
        with pytest.raises(Unsealable):
            decode(encode(report))


def test_what_was_sealed_reads_back_equal(keys):
    """A report and a withdrawal."""
    public, secret = sealed.public_key(keys.public), sealed.secret_key(keys.secret)
    report = Report("0" * 32, DAY, "ar", b"1" * 32, b"2" * 32, "MA", ("a",), "n\n", ())
    for said in (report, Withdrawal(b"3" * 32)):
        assert decode(sealed.unseal(sealed.seal(encode(said), public), secret)) == said
