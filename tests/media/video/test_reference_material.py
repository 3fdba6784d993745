"""Videos of the reference material: the verdict of each, and what is found in it."""

import csv
import functools
import json

import av
import numpy as np
import pytest
from drawn_videos import clip
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from PIL import Image, ImageOps

from screener import Policy, Screener, scan
from screener.hashing import pdq
from screener.hashing.hash import Hash
from screener.media.video import frames as video
from screener.media.video.sampling.settings import Sampling

SCHEMA = REPOSITORY / "docs" / "result.schema.json"

# Files that are not screened, and why; every other one is.
REASONS = {
    "androidx-media/mp4__sample_malformed_free_box.mp4": "undecodable",
    "androidx-media/mp4__sample_audio_only.mp4": "no_video",
    "androidx-media/mp4__silent-black-10s.mp4": "too_little_detail",
    "androidx-media/drm__sample_fragmented_clearkey.mp4": "encrypted",
    "decord/corrupted.mp4": "undecodable",
    "decord/unordered.mov": "too_little_detail",
    "perception/rgb.m4v": "too_little_detail",  # one colour after the other
    "derived/trunc_moov_missing.mp4": "truncated",
    "derived/trunc_fragmented.mp4": "truncated",
    "derived/trunc.webm": "truncated",
    "derived/bytes_corrupted.mp4": "undecodable",  # its only key frame is damaged
    "derived/empty.mp4": "empty",
    "derived/text.mp4": "unsupported",
}

# One clip of each family that shows something else, and a second of it.
CLIPS = {
    "threatexchange/chair-20-sd-bar.mp4": 2,
    "threatexchange/pattern-hd-no-bar.mp4": 3,
    "threatexchange/doorknob-hd-no-bar.mp4": 1,
    "threatexchange/test-padded-dimensions.mp4": 2,  # a test card between bars
    "torchcodec/h265_video.mp4": 0,  # 128 x 128: half of it is smaller than what PDQ looks at
    "torchcodec/nasa_13013.mp4": 3,
    "androidx-media/vp9__bear-vp9.webm": 1,
    "androidx-media/avi__sample.avi": 3,
    "androidx-media/mkv__bbb_642x642_768kbps_30fps_vp9.webm": 1,
    "perception/v1.m4v": 3,
}
SECONDS = 4


def engine_of(make_list, stills, **settings):
    """Return a function that makes a Screener whose list holds these pictures."""
    rows = [
        {"id": name, "pdq": pdq.compute(np.asarray(still)).text, "status": "active"}
        for name, still in stills.items()
    ]
    return Screener(make_list(rows), policy=Policy(**settings))


@functools.lru_cache(maxsize=1)  # for all edits of a clip, one after the other
def pictures_of(path, seconds=SECONDS):
    """Return the frames of a clip as Pillow pictures, at most 320 pixels long, with their times."""
    pictures, times = [], []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            if frame.time >= seconds:
                break
            scale = max(frame.width, frame.height, 320) / 320
            size = [max(round(side / scale / 4) * 4, 16) for side in (frame.width, frame.height)]
            pictures.append(frame.to_image(width=size[0], height=size[1]))
            times.append(frame.time)
    return pictures, times


def still_of(path, second):
    """Return the frame that a clip shows at a second, in full size."""
    with av.open(str(path)) as file:
        return next(f for f in file.decode(video=0) if f.time >= second - 0.001).to_image()


def letterboxed(picture):
    """Return a picture with black bars above and below."""
    return ImageOps.expand(picture, (0, picture.height // 16 * 2), 0)


EDITS = {
    "half": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "letterboxed": letterboxed,
    "mirrored": ImageOps.mirror,
}


@pytest.fixture(scope="module")
def stills(material):
    """Return one still of each clip."""
    return {name: still_of(material / "videos" / name, at) for name, at in CLIPS.items()}


def test_every_file_has_the_documented_reason(material, make_list):
    """A scan in workers of at most a gibibyte has one line a file that fits the schema, and no
    crash.
    """
    engine = engine_of(make_list, {"not": Image.effect_noise((256, 256), 90)})
    listed = csv.DictReader((material / "videos.csv").read_text().splitlines())
    files = [row["file"].removeprefix("videos/") for row in listed]

    results = list(scan(engine, [str(material / "videos" / name) for name in files], jobs=1))

    reasons = {name: result.reason for name, result in zip(files, results, strict=True)}
    assert {name: str(reason) for name, reason in reasons.items() if reason} == REASONS
    schema = Draft202012Validator(json.loads(SCHEMA.read_text()))
    for result in results:
        schema.validate(json.loads(json.dumps(result.to_dict())))


def test_a_still_of_each_clip_is_found_there_and_nowhere_else(material, make_list, stills):
    """It is found at its second, and in no clip of another family."""
    engine = engine_of(make_list, stills)

    for name, second in CLIPS.items():
        result = engine.screen(material / "videos" / name)
        seen = {one.entry: one.spans for one in result.timeline}
        assert set(seen) == {name}
        assert any(start - 1 <= second <= end + 1 for start, end in seen[name]), (name, seen)


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", CLIPS)
def test_a_still_is_found_in_copies_of_its_clip(material, make_list, stills, name, edit):
    """Copies are re-encoded at half size, letterboxed or mirrored; no other still is found."""
    pictures, times = pictures_of(material / "videos" / name)
    changed = [EDITS[edit](picture) for picture in pictures]
    data = clip(changed, times=times, rate=30)

    result = engine_of(make_list, stills).screen(data)

    assert {match.entry for match in result.matches} == {name}
    (seen,) = result.timeline
    second = CLIPS[name]
    assert any(start - 1 <= second <= end + 1 for start, end in seen.spans), seen.spans
    if edit == "mirrored":
        assert result.matches[0].orientation == "flip_horizontal"


def test_a_still_is_found_in_each_derived_clip(material, make_list, stills):
    """The material has one clip in many codecs, containers and rotations."""
    still = still_of(material / "videos/derived/base.mp4", 2)
    engine = engine_of(make_list, stills | {"base": still})
    shown = "letterbox rot90_meta rot180_meta rot90_pixels hflip noaudio half_crf38 grey"
    shown += " hevc fragmented"
    files = [f"{name}.mp4" for name in shown.split()] + ["vp9.webm"]

    for file in files:
        result = engine.screen(material / "videos/derived" / file)
        seen = {one.entry: one.spans for one in result.timeline}
        others = set(seen) - {"base", "torchcodec/nasa_13013.mp4"}
        assert "base" in seen, file
        assert not others, file
        assert any(start - 1 <= 2 <= end + 1 for start, end in seen["base"]), (file, seen)


def lines_of(path):
    """Return quality, hash and time of the frames in a file that the vPDQ tool wrote."""
    for line in path.read_text().split():
        _, quality, value, time = line.split(",")
        yield int(quality), Hash.parse("pdq", value), float(time)


def shrunk(pixels):
    """Return a frame at 128 x 128 by area, as the tool does with that option."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((128, 128), 5))


def test_small_frames_hash_as_those_of_the_reference_did(material):
    """All usable frames agree within 31 bits, and 95 in a hundred within 10."""
    distances = []
    for path in sorted((material / "vpdq").glob("*-128x128.txt")):
        name = path.stem.removesuffix("-128x128")
        made = video.open(
            (material / f"videos/threatexchange/{name}.mp4").read_bytes(),
            sampling=Sampling(mode="all", distinct=False),
        )
        expected = list(lines_of(path))
        frames = list(made.frames())
        assert [frame.time for frame in frames] == pytest.approx(
            [time for _, _, time in expected], abs=0.002
        )
        for frame, (quality, value, _) in zip(frames, expected, strict=True):
            if quality >= 50:
                distances.append(pdq.compute(shrunk(frame.pixels)).distance(value))
    assert len(distances) > 1000
    assert max(distances) <= 31
    assert (np.array(distances) <= 10).mean() >= 0.95


def test_samples_a_second_apart_are_those_of_the_reference(material):
    """The reference counts frames, which is the same at whole frame rates."""
    expected = list(lines_of(material / "vpdq/chair-20-sd-bar.txt"))[::30]
    clip_file = material / "videos/threatexchange/chair-20-sd-bar.mp4"
    frames = list(video.open(clip_file.read_bytes(), sampling=Sampling(distinct=False)).frames())

    assert len(frames) == len(expected) == 21
    for frame, (_, value, time) in zip(frames, expected, strict=True):
        assert frame.time == pytest.approx(time, abs=0.002)
        assert pdq.compute(frame.pixels).distance(value) <= 10
