"""Reports as a reporter creates them: contents, privacy, and who can read them."""

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
from screener.hotline.model.addresses import clean_address, normalise_address
from screener.hotline.model.case import State
from screener.hotline.model.report import MAX_FRAME_TIMES, Item, Report, Withdrawal
from screener.hotline.reports import own_media, personal_data, reporting, sealed, status_file
from screener.hotline.reports.report_json import decode, encode
from screener.hotline.reports.sealed import Secret, UnsealError, derive_proof
from screener.hotline.reports.status_file import Status
from screener.media.files.sniff import CONTAINERS
from screener.scanning.workers import pool
from screener.screening.input import vpdq
from screener.screening.input.hasher import HashMode, Target
from screener.screening.input.located_hash import LocatedHash

DAY = date(2026, 3, 14)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Return the key pair of a hotline."""
    return sealed.make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def in_process(monkeypatch):
    """Hash in this process."""
    monkeypatch.setattr(own_media, "hash_files", lambda paths: (tuple(map(item_of, paths)), ()))


def in_turn(making, names, *, jobs):
    """Hash files one by one in this process."""
    return (making.run(Target(name), None, HashMode.NORMAL) for name in names)


def opened(path, keys):
    """Return the content of a report's file, and the report."""
    content = sealed.unseal(path.read_bytes(), sealed.read_secret_key(keys.secret))
    return content, decode(content)


def test_a_picture_gives_hashes_of_every_kind_in_eight_orientations(tmp_path, keys):
    """By a worker process; other files fail by their index."""
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
    assert (item.type, item.is_clip) == ("image/jpeg", False)
    assert [(one.index, one.error.reason) for one in made.failures] == [(1, "unsupported")]
    for output in (b"Amina", b"1999", b"alley", str(mine.stat().st_size).encode()):
        assert output not in content


def test_a_clip_gives_digests_a_vpdq_and_the_pdq_of_each_frame(tmp_path, draw):
    """In eight orientations; a mirrored, smaller copy is within the radius."""
    pictures = [one for seed in (3, 4, 5) for one in panned(draw.scene, seed, 10)]
    (tmp_path / "mine.mp4").write_bytes(clip(pictures))
    (tmp_path / "theirs.mp4").write_bytes(clip([ImageOps.mirror(p) for p in pictures], crf="34"))

    mine, theirs = (item_of(tmp_path / f"{name}.mp4") for name in ("mine", "theirs"))

    assert (mine.type, mine.is_clip) == ("video/mp4", True)
    assert [one.kind.name for one in mine.upright_hashes] == ["md5", "sha1", "sha256", "vpdq"]
    frames = [one for one in mine.hashes if one.hash.kind.name == "pdq" and one.region == "full"]
    assert {one.orientation for one in frames} == set(ORIENTATIONS)
    for one in (one for one in frames if one.orientation == "flip_horizontal"):
        others = [o for o in theirs.hashes if (o.orientation, o.time) == ("upright", one.time)]
        assert min(one.hash.distance(o.hash) for o in others if o.hash.kind.perceptual) <= 31


def test_reports_and_withdrawals_look_the_same(tmp_path, keys, in_process):
    """Length, time and mode of the file do not depend on the contents."""
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
    """No eight bytes in common but the first line; with the key no reference or proof in common."""
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
    """Let programs see these names of user and host."""
    names = {"USER": "aminabenali", "LOGNAME": "aminabenali", "HOSTNAME": "amina-laptop"}
    for name, value in (names | {"HOME": "/home/aminabenali"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("socket.gethostname", lambda: "amina-laptop")
    return "aminabenali", "amina-laptop"


def with_exif(image, words):
    """Return a JPEG with words in EXIF, comment and ICC profile."""
    exif = Image.Exif()
    for tag, text in zip((0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298), words, strict=True):
        exif[tag] = text
    return jpeg(image, exif=exif.tobytes(), comment=words[0].encode())


# Words that no report has of its own, such as the names of its fields.
WORD = st.text(string.ascii_letters, min_size=8, max_size=24).map("zq{}".format)


@pytest.mark.parametrize("links", [True, False])
def test_a_report_overwrites_no_file(tmp_path, keys, monkeypatch, links):
    """Also on file systems without links; it is private, and nothing else is left."""

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


def test_an_unwritable_report_or_unreadable_key_is_an_error(tmp_path, keys, monkeypatch):
    """A disk error is not reported as a wrong key."""
    out = tmp_path / "none" / "out"
    with pytest.raises(HotlineError, match="out cannot be written: it is not there"):
        reporting.create(out, key=keys.public, addresses=["https://a.example"], day=DAY)

    def failing(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(tmp_path), "open", failing)
    with pytest.raises(sealed.UnsealError) as caught:
        sealed.read_file(keys.public)
    assert "cannot be read" in str(caught.value.reason)


def test_without_its_library_nothing_is_sealed(tmp_path, keys, monkeypatch):
    """The error names the extra, before anything is created."""
    monkeypatch.setitem(sys.modules, "nacl.public", None)
    for call in (
        lambda: sealed.make_keys(tmp_path),
        lambda: sealed.read_public_key(keys.public),
        lambda: sealed.read_secret_key(keys.secret),
    ):
        with pytest.raises(HotlineError, match=r"pip install 'media-screener\[hotline\]'"):
            call()
    assert os.listdir(tmp_path) == []


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(WORD, min_size=7, max_size=7, unique=True), seed=st.integers(0, 1 << 30))
def test_a_report_contains_nothing_of_a_picture_but_hashes(
    tmp_path, keys, in_process, named, words, seed
):
    """No name, folder, EXIF, comment, pixels, user, host or time of day."""
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
    assert (report.items[0].type, report.items[0].is_clip) == ("image/jpeg", False)
    assert (report.day, report.note, report.addresses) == (DAY, "", ())
    assert not re.search(rb"\d\d:\d\d", content)
    values = b"".join(one.hash.value for item in report.items for one in item.hashes)
    assert not any(pixels[at : at + 8] in values for at in spots)


def test_a_clip_whose_vpdq_fails_is_not_intact(tmp_path, draw, monkeypatch):
    """For an analyst it fails, for a reporter its frames count."""
    path = tmp_path / "me.mp4"
    path.write_bytes(clip(panned(draw.scene, 3, 5)))
    whole, trouble = vpdq.compute(path)
    assert trouble is None
    monkeypatch.setattr(pool, "map_ordered", in_turn)
    for made in (whole, None):
        monkeypatch.setattr(
            vpdq, "compute", lambda path, made=made: (made, MediaError("truncated", "too short"))
        )
        items, troubles = own_media.hash_intact_files([path])
        assert (items, [one.error.reason for one in troubles]) == ((), ["truncated"])
        ((item,), troubles) = own_media.hash_files([path])
        assert troubles == ()
        kinds = {one.hash.kind.name for one in item.hashes}
        assert kinds == {"pdq", "md5", "sha1", "sha256"} | ({"vpdq"} if made else set())


def test_a_report_that_the_hotline_would_refuse_is_not_written(tmp_path, keys, monkeypatch):
    """Such as several still clips with too many times."""
    times = tuple(map(float, range(MAX_FRAME_TIMES)))
    shown = [Hash.parse("pdq", f"{number:064x}", quality=100) for number in range(2)]
    clips = [Item("video/mp4", True, (LocatedHash(one, again=times),)) for one in shown]
    monkeypatch.setattr(own_media, "hash_files", lambda paths: (tuple(clips[: len(paths)]), ()))

    with pytest.raises(HotlineError, match="make several"):
        reporting.create(tmp_path / "r", key=keys.public, my_images=["a", "b"])
    assert os.listdir(tmp_path) == []
    reporting.create(tmp_path / "r", key=keys.public, my_images=["a"])
    assert opened(tmp_path / "r", keys)[1].items == (clips[0],)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"addresses": "https://video.example/1"}, "addresses must be a list"),
        ({"my_images": str(IMAGES / "alley.jpg")}, "my_images must be a list"),
        ({"my_images": IMAGES / "alley.jpg"}, "my_images must be a list"),
        ({"day": datetime(2026, 3, 14, 9, 30)}, "day must be a date, not a datetime"),
    ],
)
def test_a_single_address_or_a_time_of_day_is_refused(tmp_path, keys, given, message):
    """The letters of one address would count as addresses; a time says more than the day. Nothing
    is written.
    """
    options = {"addresses": ["https://video.example/1"]} | given
    with pytest.raises(TypeError, match=message):
        reporting.create(tmp_path / "report.sealed", key=keys.public, **options)
    with pytest.raises(TypeError, match="day must be a date"):
        reporting.withdraw(
            tmp_path / "r", key=keys.public, secret=Secret.make(), day=datetime(2026, 3, 14, 9, 30)
        )
    assert list(tmp_path.iterdir()) == []


def test_surrogates_in_a_note_are_replaced(tmp_path, keys):
    """They come from a terminal in another encoding."""
    values = {"key": keys.public, "addresses": ["https://x.example"], "note": "caf\udce9, \ud800"}
    reporting.create(tmp_path / "r", **values)

    assert opened(tmp_path / "r", keys)[1].note == "caf\ufffd, \ufffd"


def test_an_invalid_report_is_refused_and_writes_nothing(tmp_path, keys, in_process):
    """Nothing to report, a local file as address, too much, an existing file."""
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
    for fields in wrong:
        with pytest.raises(HotlineError):
            reporting.create(tmp_path / "r", key=keys.public, **fields)
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
def test_a_secret_is_read_as_a_person_types_it(value, place, letter):
    """Any case, Arabic digits, invisible characters, hyphens; one wrong letter is refused."""
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
    derived = [secret.status_key, secret.withdrawal, derive_proof(secret.withdrawal)]
    assert len({*derived, value}) == 4


def test_a_status_is_read_by_its_secret_only():
    """Two files share no entry, and their number shows only a power of two."""
    mine = [Secret.make() for _ in range(70)]
    output = [
        (one.status_key, Status(state, date(2026, 3, day % 28 + 1), DAY))
        for day, (one, state) in enumerate(zip(mine, cycle(get_args(State)), strict=False))
    ]

    first, second = status_file.write(output, day=DAY), status_file.write(output[:65], day=DAY)

    for (_, status), secret in zip(output, mine, strict=True):
        assert status_file.read(first, secret) == status
    assert status_file.read(first, Secret.make()) is None
    assert status_file.read(second, mine[-1]) is None
    lines = [set(file.splitlines()[5:-2]) for file in (first, second)]
    assert lines[0].isdisjoint(lines[1])
    assert all(one.status_key not in first and one.value not in first for one in mine)
    for damaged in (
        b"", b"{}", b"[" * 9999, first[:-20], first.replace(b'"screener-st', b'"'),
        first.replace(b'"salt": "', b'"salt": "!'),
        b'{"schema": "screener-status/1", "salt": "", "entries": []}',
        status_file.write([(mine[0].status_key, Status("lost", DAY, DAY))], day=DAY),
    ):  # fmt: skip
        with pytest.raises(HotlineError):
            status_file.read(damaged, mine[0])


@pytest.mark.parametrize(
    ("told", "entries"), [(0, 64), (1, 64), (64, 64), (65, 128), (128, 128), (129, 256)]
)
def test_entries_of_reports_look_like_random_ones(told, entries):
    """The same length for every state, sorted by random names."""
    states = cycle(get_args(State))
    pairs = [(Secret.make().status_key, Status(next(states), DAY, DAY)) for _ in range(told)]

    facts = json.loads(status_file.write(pairs, day=DAY))

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
def test_addresses_of_one_page_are_equal(written, page):
    """The case of the path and the query matter."""
    assert normalise_address(written) == page
    assert normalise_address(normalise_address(written)) == page


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
def test_an_address_loses_user_names_and_tracking_parameters(said, kept):
    """With and without a scheme."""
    assert clean_address(said) == kept
    assert clean_address(kept) == kept


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
def test_invisible_characters_around_an_address_are_dropped(pasted, kept):
    """Those inside are percent-encoded and open the same page."""
    assert clean_address(pasted) == kept
    assert clean_address(kept) == kept


@pytest.mark.parametrize("begins", ["data:image/jpeg;base64,", "\u200eDATA:image/png,", "data[:],"])
@pytest.mark.parametrize("length", [10, 5000])
def test_no_picture_goes_into_a_report_as_an_address(begins, length):
    """A `data:` address is refused, with what to give instead."""
    with pytest.raises(HotlineError, match="the address of the page"):
        clean_address(begins + "A" * length)


def test_a_backslash_counts_as_a_slash_as_in_browsers():
    """The host is the one that is opened."""
    assert normalise_address("https://x.example\\@other.example/") == "x.example/@other.example"


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_refused(text):
    """What is accepted is one printable line."""
    assert isinstance(normalise_address(text), str)
    try:
        kept = clean_address(text)
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
def test_names_numbers_and_mail_addresses_are_found_in_a_note(note, expected):
    """In three languages and any digits; not dates, short numbers or page addresses."""
    assert {(one.kind, one.words) for one in personal_data.find(note)} == expected


@settings(deadline=2000)
@given(st.text(max_size=4000))
def test_any_note_can_be_searched(note):
    """Nothing is raised."""
    for one in personal_data.find(note):
        assert one.words


@pytest.mark.parametrize("letter", ["a", "1 ", "a@", "(", "Aa ", "a.", "اسمي "])
def test_a_hard_note_is_searched_in_under_two_seconds(letter):
    """Four thousand characters that begin patterns."""
    begin = os.times().user
    personal_data.find((letter * 4000)[:4000])
    assert os.times().user - begin < 2


def test_a_clip_in_any_container_can_be_reported():
    """Also types `application` and `audio`; invalid types are refused."""
    shown = (LocatedHash(Hash.parse("pdq", "0" * 64, quality=100)),)
    for kind in (*CONTAINERS, None):
        report = Report("0" * 32, DAY, "ar", b"1" * 32, b"2" * 32, items=(Item(kind, True, shown),))
        assert decode(encode(report)) == report
    for wrong in ("text/html", "video", "video/<b>"):
        report = Report(
            "0" * 32, DAY, "ar", b"1" * 32, b"2" * 32, items=(Item(wrong, True, shown),)
        )
        with pytest.raises(UnsealError):
            decode(encode(report))


def test_what_was_sealed_reads_back_equal(keys):
    """A report and a withdrawal."""
    public, secret = sealed.read_public_key(keys.public), sealed.read_secret_key(keys.secret)
    report = Report("0" * 32, DAY, "ar", b"1" * 32, b"2" * 32, "MA", ("a",), "n\n", ())
    for each in (report, Withdrawal(b"3" * 32)):
        assert decode(sealed.unseal(sealed.seal(encode(each), public), secret)) == each
