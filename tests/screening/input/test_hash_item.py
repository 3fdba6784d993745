"""Frames of one file: what is looked up of all of them is what is looked up of each by itself."""

from __future__ import annotations

import io

import numpy as np
import pytest
from drawn_videos import clip
from picture_bytes import jpeg, several
from PIL import Image, ImageDraw

from screener import HashList, Policy, Screener
from screener.hashing import classic, pdq
from screener.hashing.hash import KINDS
from screener.media.files.picture import Frame, Media, Picture
from screener.media.video.sampling.rules import Sampling
from screener.screening.input import hash_item as hashed
from screener.screening.input.hash_item import hash_item
from screener.screening.input.located_hash import groups_of

ALL = [pdq.PDQ, *classic.CLASSIC]


def copied(picture, quality):
    """A JPEG copy of a picture, decoded."""
    made = io.BytesIO(jpeg(picture.copy(), quality=quality))  # saving marks what is saved
    return Image.fromarray(np.asarray(Image.open(made)))


def looked_up(data, kinds=ALL, **policy):
    """What an input's hashes find, at any radius and floor: values and scores, of each kind and
    orientation, of the whole and of what is within its borders.
    """
    hashed = hash_item(data, policy=Policy(**policy), kinds=kinds)
    assert hashed.trouble is None
    return {
        (one.hash.kind.name, one.hash.value, one.hash.quality, one.detail, one.orientation)
        for one in hashed.hashes
        if one.region != "enlarged"  # of small frames only
    }


@pytest.mark.parametrize("quality", [95, 60, 25])
def test_a_page_is_searched_beside_its_near_copy(scene, quality):
    """Every page alone against the file of all pages, for every kind: a page that hardly differs
    from the one before it loses no hash, and so no match at any radius.
    """
    for number in range(8):
        picture = scene(300 + number, (200, 150))
        pages = [copied(picture, quality), picture, copied(picture, quality - 5)]

        together = looked_up(several(pages, "TIFF"))

        for page in pages:
            assert looked_up(several([page], "TIFF")) <= together


def listed(folder, kind, pictures):
    """A list of one kind, of so many pictures."""
    rows = [f"{n},{classic.compute(p, kind).value.hex()}" for n, p in enumerate(pictures)]
    (folder / "known.csv").write_text("\n".join([f"id,{kind.name}", *rows]) + "\n")
    known = HashList.create(folder / "known.list")
    known.import_file(folder / "known.csv")
    return Screener(HashList.open(folder / "known.list"))


@pytest.mark.parametrize("kind", classic.CLASSIC, ids=lambda kind: kind.name)
def test_a_listed_page_behind_its_copy_matches(scene, tmp_path, kind):
    """As many files match, and tell as many records, as the listed pages do alone."""
    pictures = [scene(300 + number, (200, 150)) for number in range(24)]
    engine = listed(tmp_path, kind, [np.asarray(one) for one in pictures])

    for picture in pictures:
        alone = engine.screen(several([picture], "TIFF"))
        both = engine.screen(several([copied(picture, 60), picture], "TIFF"))
        assert {one.entry for one in alone.matches} <= {one.entry for one in both.matches}
        assert alone.verdict != "match" or both.verdict == "match"


@pytest.mark.parametrize("format", ["WEBP", "GIF", "PNG"])
def test_an_animation_is_searched_frame_by_frame(scene, format):
    """A mark that moves over a still picture; every frame's hashes are there, at its time."""
    frames = []
    for number in range(12):
        frame = scene(40 if number < 8 else 41, (200, 150))
        ImageDraw.Draw(frame).ellipse((9 * number, 10, 9 * number + 6, 16), fill="white")
        frames.append(frame)
    lossless = {"lossless": True} if format == "WEBP" else {}
    data = several(frames, format, duration=100, **lossless)

    together = looked_up(data)

    with Image.open(io.BytesIO(data)) as opened:
        for number in range(opened.n_frames):
            opened.seek(number)
            assert looked_up(several([opened.convert("RGB")], "TIFF")) <= together
    hashed = hash_item(data, policy=Policy(), kinds=ALL).hashes
    assert len({time for one in hashed for time in (one.time, *one.again)}) == 12


def test_frames_whose_every_hash_was_looked_up_are_not_again(scene):
    """Of frames that go back and forth each is looked up once, and all their times are kept."""
    data = several([scene(n) for n in (40, 41, 40, 41, 42)], "PNG", duration=100)

    hashes = hash_item(data, policy=Policy(), kinds=ALL).hashes

    assert len(groups_of(hashes)) == 3 * len(ALL)
    times = {one.part: (one.time, *one.again) for one in hashes}
    assert {part: [round(t, 1) for t in each] for part, each in times.items()} == {
        0: [0.0, 0.2], 1: [0.1, 0.3], 4: [0.4],
    }  # fmt: skip


def test_one_equal_hash_makes_no_repeat():
    """A frame is looked up where any kind of hash of it is new, though most are not."""
    flat = Image.new("RGB", (64, 64), (200, 200, 200))
    dotted = flat.copy()
    ImageDraw.Draw(dotted).rectangle((0, 0, 20, 9), fill=(202, 202, 202))
    assert looked_up(several([flat], "TIFF")) != looked_up(several([dotted], "TIFF"))

    together = looked_up(several([flat, dotted], "TIFF"))

    assert looked_up(several([dotted], "TIFF")) <= together


def test_equal_hashes_of_one_kind_make_no_repeat(scene):
    """A frame that PDQ does not tell from the one before is looked up for the kinds that do."""
    one = scene(40, (320, 240))
    other = one.copy()
    ImageDraw.Draw(other).point((60, 120), fill=(255, 255, 255))
    frames = [several([shown], "TIFF") for shown in (one, other)]
    by_pdq, by_all = ([looked_up(each, kinds) for each in frames] for kinds in ([pdq.PDQ], ALL))
    assert by_pdq[0] == by_pdq[1]
    assert by_all[0] != by_all[1]

    assert looked_up(several([one, other], "TIFF")) == by_all[0] | by_all[1]


def test_frames_of_a_video_lose_nothing_to_their_neighbours(scene):
    """A still with a moving mark, encoded: every frame that is sampled finds what it finds when no
    neighbour stands for another, in every kind; and at as many times.
    """
    pictures = []
    for number in range(30):
        frame = scene(5)
        ImageDraw.Draw(frame).ellipse((9 * number, 90, 9 * number + 12, 102), fill="white")
        pictures.append(frame)
    data = clip(pictures, rate=1)
    apart = {"sampling": Sampling(distinct=False)}

    assert looked_up(data) == looked_up(data, **apart)
    assert len({value for kind, value, *_ in looked_up(data) if kind == "whash256"}) > 8
    times = [
        {time for one in hashed.hashes for time in (one.time, *one.again)}
        for hashed in (
            hash_item(data, policy=Policy(**policy), kinds=[KINDS["ahash"]])
            for policy in ({}, apart)
        )
    ]
    assert times[0] == times[1] == set(map(float, range(30)))


@pytest.fixture
def frames_of(monkeypatch):
    """Hashes an input by PDQ that is decoded to these frames."""

    def hashing(type, *frames):
        height, width = frames[0].pixels.shape[:2]
        picture = Picture(Media(type, width, height, len(frames)), lambda: iter(frames))
        monkeypatch.setattr(hashed.opening, "open", lambda *_, **__: picture)
        return hash_item(b"content", policy=Policy(), kinds=[pdq.PDQ])

    return hashing


def told_times(found):
    """By the part that was hashed, when it is shown."""
    return {one.part: (one.time, *one.again) for one in found.hashes if one.region == "full"}


def blended(scene, away):
    """A picture, and two that turn into another one slowly: so many bits from it, and one more."""
    one, other = (scene(seed, (320, 240)).convert("L") for seed in (1, 2))
    first = pdq.compute(np.asarray(one))
    shown = {}
    for step in range(1, 200):
        mixed = np.asarray(Image.blend(one, other, step / 400))
        shown.setdefault(first.distance(pdq.compute(mixed)), mixed)
    nearest = min(bits for bits in shown if bits > away)
    return np.asarray(one), shown[away], shown[nearest], nearest


def test_frames_in_between_are_hashed_if_they_differ_from_the_last_that_was(frames_of, scene):
    """By more than ten bits, also where it is little by little; only what is hashed was looked at.
    A frame at a time to look at is hashed whatever it shows.
    """
    first, near, further, bits = blended(scene, 10)
    assert bits < 20
    assert pdq.compute(near).distance(pdq.compute(further)) <= 10

    def found(*shown):
        frames = [
            Frame(pixels, float(number), number, between=between)
            for number, (pixels, between) in enumerate(shown)
        ]
        hashed = frames_of("video/mp4", *frames)
        return [one.time for one in hashed.hashes[::8]], hashed.media.samples

    assert found((first, False), (near, True), (further, True)) == ([0.0, 2.0], 2)
    assert found((first, False), (near, False), (further, True)) == ([0.0, 1.0], 2)
    assert found((first, True), (first, True), (near, True)) == ([0.0], 1)
    # It is the one before that counts, whatever others were compared with.
    other = np.asarray(scene(3, (320, 240)).convert("L"))
    times = [0.0, 2.0, 3.0]
    assert found((first, False), (near, True), (other, False), (near, True)) == (times, 3)
    assert found((first, False), (near, True), (other, True), (near, True)) == (times, 3)


def test_all_times_at_which_a_frame_is_shown_are_told(frames_of, scene):
    """Of one that stays, of one that comes back, and of one that stays again then."""
    one, other = (np.asarray(scene(seed, (320, 240))) for seed in (1, 2))

    found = frames_of(
        "video/mp4",
        Frame(one, 0.0, 0, again=(1.0,)),
        Frame(other, 2.0, 1, again=(3.0,)),
        Frame(one, 4.0, 2, again=(5.0, 6.0)),
    )

    assert told_times(found) == {0: (0.0, 1.0, 4.0, 5.0, 6.0), 1: (2.0, 3.0)}
    assert (found.media.width, found.media.height, found.media.samples) == (320, 240, 7)


def test_what_is_hidden_is_no_repeat_of_what_is_shown(frames_of, scene):
    """A thumbnail that shows what the picture does is told of by itself, and is no frame that was
    looked at; nor does a track stand for another.
    """
    one = np.asarray(scene(1, (320, 240)))

    still = frames_of("image/jpeg", Frame(one, 0.0, 0), Frame(one, 0.0, 1, "thumbnail"))
    tracks = frames_of("video/mp4", Frame(one, 0.0, 0), Frame(one, 1.0, 1, track=1))

    assert [(one.part, one.part_kind) for one in still.hashes[::8]] == [
        (0, "frame"), (1, "thumbnail"),
    ]  # fmt: skip
    assert [(one.time, one.track) for one in tracks.hashes[::8]] == [(0.0, 0), (1.0, 1)]
    assert (still.media.samples, tracks.media.samples) == (1, 2)
