"""Frames of one file are looked up as if each stood alone."""

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
from screener.media.video.sampling.settings import Sampling
from screener.screening.input import hash_item as hashed
from screener.screening.input.hash_item import hash_item
from screener.screening.input.located_hash import list_groups

ALL = [pdq.PDQ, *classic.CLASSIC]


def copied(picture, quality):
    """Return a decoded JPEG copy of a picture."""
    made = io.BytesIO(jpeg(picture.copy(), quality=quality))  # saving marks what is saved
    return Image.fromarray(np.asarray(Image.open(made)))


def looked_up(data, kinds=ALL, **policy):
    """Return values and scores of an input's hashes, by kind, orientation and region."""
    hashed = hash_item(data, policy=Policy(**policy), kinds=kinds)
    assert hashed.error is None
    return {
        (one.hash.kind.name, one.hash.value, one.hash.quality, one.detail, one.orientation)
        for one in hashed.hashes
        if one.region != "enlarged"  # of small frames only
    }


@pytest.mark.parametrize("quality", [95, 60, 25])
def test_a_page_like_the_page_before_loses_no_hash(scene, quality):
    """The file of all pages has every hash that its pages have alone, of every kind."""
    for number in range(8):
        picture = scene(300 + number, (200, 150))
        pages = [copied(picture, quality), picture, copied(picture, quality - 5)]

        together = looked_up(several(pages, "TIFF"))

        for page in pages:
            assert looked_up(several([page], "TIFF")) <= together


def listed(folder, kind, pictures):
    """Return a list of some pictures by one kind."""
    rows = [f"{n},{classic.compute(p, kind).value.hex()}" for n, p in enumerate(pictures)]
    (folder / "known.csv").write_text("\n".join([f"id,{kind.name}", *rows]) + "\n")
    known = HashList.create(folder / "known.list")
    known.import_file(folder / "known.csv")
    return Screener(HashList.open(folder / "known.list"))


@pytest.mark.parametrize("kind", classic.CLASSIC, ids=lambda kind: kind.name)
def test_a_listed_page_after_a_similar_page_matches(scene, tmp_path, kind):
    """As many files and records match as for the pages alone."""
    pictures = [scene(300 + number, (200, 150)) for number in range(24)]
    engine = listed(tmp_path, kind, [np.asarray(one) for one in pictures])

    for picture in pictures:
        alone = engine.screen(several([picture], "TIFF"))
        both = engine.screen(several([copied(picture, 60), picture], "TIFF"))
        assert {one.entry for one in alone.matches} <= {one.entry for one in both.matches}
        assert alone.verdict != "match" or both.verdict == "match"


@pytest.mark.parametrize("format", ["WEBP", "GIF", "PNG"])
def test_an_animation_is_searched_frame_by_frame(scene, format):
    """A mark moves over a still picture; every frame's hashes are there, with its time."""
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


def test_repeated_frames_are_looked_up_once(scene):
    """Frames that alternate keep all their times."""
    data = several([scene(n) for n in (40, 41, 40, 41, 42)], "PNG", duration=100)

    hashes = hash_item(data, policy=Policy(), kinds=ALL).hashes

    assert len(list_groups(hashes)) == 3 * len(ALL)
    times = {one.part: (one.time, *one.again) for one in hashes}
    assert {part: [round(t, 1) for t in each] for part, each in times.items()} == {
        0: [0.0, 0.2], 1: [0.1, 0.3], 4: [0.4],
    }  # fmt: skip


def test_a_frame_with_one_new_hash_is_no_repeat():
    """Though most kinds have an equal one."""
    flat = Image.new("RGB", (64, 64), (200, 200, 200))
    dotted = flat.copy()
    ImageDraw.Draw(dotted).rectangle((0, 0, 20, 9), fill=(202, 202, 202))
    assert looked_up(several([flat], "TIFF")) != looked_up(several([dotted], "TIFF"))

    together = looked_up(several([flat, dotted], "TIFF"))

    assert looked_up(several([dotted], "TIFF")) <= together


def test_a_frame_with_an_equal_pdq_only_is_no_repeat(scene):
    """Kinds that distinguish it are looked up."""
    one = scene(40, (320, 240))
    other = one.copy()
    ImageDraw.Draw(other).point((60, 120), fill=(255, 255, 255))
    frames = [several([shown], "TIFF") for shown in (one, other)]
    by_pdq, by_all = ([looked_up(each, kinds) for each in frames] for kinds in ([pdq.PDQ], ALL))
    assert by_pdq[0] == by_pdq[1]
    assert by_all[0] != by_all[1]

    assert looked_up(several([one, other], "TIFF")) == by_all[0] | by_all[1]


def test_frames_of_a_video_lose_no_hash_to_similar_neighbours(scene):
    """In an encoded video with a moving mark, for every kind and at as many times."""
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
    """Return the hashes by PDQ of an input that decodes to these frames."""

    def hashing(type, *frames):
        height, width = frames[0].pixels.shape[:2]
        picture = Picture(Media(type, width, height, len(frames)), lambda: iter(frames))
        monkeypatch.setattr(hashed.opening, "open", lambda *_, **__: picture)
        return hash_item(b"content", policy=Policy(), kinds=[pdq.PDQ])

    return hashing


def times_by_part(found):
    """Return by part the times at which it is shown."""
    return {one.part: (one.time, *one.again) for one in found.hashes if one.region == "full"}


def blended(scene, away):
    """Return a picture and two blends with another, just below and above the limit in bits."""
    one, other = (scene(seed, (320, 240)).convert("L") for seed in (1, 2))
    first = pdq.compute(np.asarray(one))
    shown = {}
    for step in range(1, 200):
        mixed = np.asarray(Image.blend(one, other, step / 400))
        shown.setdefault(first.distance(pdq.compute(mixed)), mixed)
    nearest = min(bits for bits in shown if bits > away)
    return np.asarray(one), shown[away], shown[nearest], nearest


def test_frames_between_samples_are_hashed_if_they_differ(frames_of, scene):
    """By more than ten bits from the last hashed frame, also after slow changes."""
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


def test_a_repeated_frame_has_all_its_times(frames_of, scene):
    """A frame that stays, one that returns, and one that stays after it returns."""
    one, other = (np.asarray(scene(seed, (320, 240))) for seed in (1, 2))

    found = frames_of(
        "video/mp4",
        Frame(one, 0.0, 0, again=(1.0,)),
        Frame(other, 2.0, 1, again=(3.0,)),
        Frame(one, 4.0, 2, again=(5.0, 6.0)),
    )

    assert times_by_part(found) == {0: (0.0, 1.0, 4.0, 5.0, 6.0), 1: (2.0, 3.0)}
    assert (found.media.width, found.media.height, found.media.samples) == (320, 240, 7)


def test_a_thumbnail_is_no_repeat_of_the_picture(frames_of, scene):
    """Nor does one track stand for another; a thumbnail is not a sample."""
    one = np.asarray(scene(1, (320, 240)))

    still = frames_of("image/jpeg", Frame(one, 0.0, 0), Frame(one, 0.0, 1, "thumbnail"))
    tracks = frames_of("video/mp4", Frame(one, 0.0, 0), Frame(one, 1.0, 1, track=1))

    assert [(one.part, one.part_kind) for one in still.hashes[::8]] == [
        (0, "frame"), (1, "thumbnail"),
    ]  # fmt: skip
    assert [(one.time, one.track) for one in tracks.hashes[::8]] == [(0.0, 0), (1.0, 1)]
    assert (still.media.samples, tracks.media.samples) == (1, 2)
