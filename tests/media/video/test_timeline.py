"""When the pictures of a list are seen in a video."""

import hashlib
import io
import json

import numpy as np
import pytest
from drawn_videos import clip, shown_for
from jsonschema import Draft202012Validator
from paths import REPOSITORY

from screener import Screener, Verdict
from screener.hashing import pdq


def test_a_picture_shown_for_a_second_is_found_at_its_time(decoder, scene, engine_of):
    """The timeline has every run with its frames and best distance, and fits the schema."""
    data = clip(shown_for(scene, seconds=[(1, 5), (2, 1), (3, 4), (2, 2), (4, 3)]))
    engine = engine_of({"shown": scene(2), "not": scene(9)})

    result = engine.screen(data)

    (match,) = result.matches
    (seen,) = result.timeline
    assert (match.entry, match.kind, match.orientation) == ("shown", "pdq", "upright")
    assert match.time in (5.0, 10.0)
    assert (seen.entry, seen.frames, seen.distance) == ("shown", 3, match.distance)
    assert seen.spans == ((5.0, 5.0), (10.0, 11.0))
    assert result.media.type == "video/mp4"
    assert (result.media.duration, result.media.samples) == (pytest.approx(15, abs=0.2), 15)
    Draft202012Validator(
        json.loads((REPOSITORY / "docs" / "result.schema.json").read_text())
    ).validate(json.loads(json.dumps(result.to_dict())))


def test_seeds_are_in_the_timeline(scene, make_list):
    """They make no match."""
    rows = [{"id": "s", "pdq": pdq.compute(np.asarray(scene(2))).text, "status": "seed"}]
    engine = Screener(make_list(rows))

    result = engine.screen(clip(shown_for(scene, seconds=[(1, 2), (2, 2)])))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "not_comparable")
    assert [(one.state, one.spans) for one in result.timeline] == [("seed", ((2.0, 3.0),))]


def test_a_video_shorter_than_a_step_has_a_timeline(scene, engine_of):
    """All of its frames are sampled."""
    (seen,) = engine_of({"shown": scene(2)}).screen(clip([scene(2)] * 3)).timeline

    assert (seen.frames, seen.spans, seen.part_kind) == (3, ((0.0, 0.2),), "frame")


def test_a_still_has_no_timeline(scene, engine_of):
    """A match does not change that."""
    buffer = io.BytesIO()
    scene(2).save(buffer, "PNG")

    result = engine_of({"shown": scene(2)}).screen(buffer.getvalue())

    assert result.verdict == Verdict.MATCH
    assert result.timeline == ()


def test_an_animated_picture_has_a_timeline_in_its_own_times(scene, engine_of):
    """A GIF has one match a record, and the times of its frames."""
    pictures = [scene(number) for number in (1, 2, 3, 2)]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=[500, 1500, 2000, 100]
    )

    result = engine_of({"shown": scene(2)}).screen(buffer.getvalue())

    assert [match.entry for match in result.matches] == ["shown"]
    (seen,) = result.timeline
    assert seen.spans == ((0.5, 0.5), (4.0, 4.0))


def test_an_animation_of_two_frames_has_times_and_one_match_a_record(scene, engine_of):
    """Both frames show the record."""
    first, second = scene(2), scene(2)
    second.paste("white", (0, 0, 40, 30))
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=[second], duration=500)

    result = engine_of({"shown": scene(2)}).screen(buffer.getvalue())

    assert [(match.entry, match.part) for match in result.matches] == [("shown", 0)]
    assert [(seen.frames, seen.spans) for seen in result.timeline] == [(2, ((0.0, 0.5),))]


def test_the_digest_of_a_video_has_no_times(scene, make_list):
    """It is a hash of the whole file."""
    data = clip([scene(2)] * 20)
    rows = [{"id": "file", "md5": hashlib.md5(data).hexdigest(), "pdq": "0f" * 32}]

    result = Screener(make_list(rows)).screen(data)

    assert [(match.entry, match.kind) for match in result.matches] == [("file", "md5")]
    assert result.timeline == ()
