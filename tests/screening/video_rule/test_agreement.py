"""Video files against listed videos, from decoding to the verdict."""

import itertools
from fractions import Fraction

import cv2
import numpy as np
import pytest
from drawn_videos import clip as encoded
from PIL import Image

from screener import HashList, Policy, Screener, Verdict
from screener.hashing import vpdq_value
from screener.media.video.sampling.settings import Sampling
from screener.screening.input import vpdq

RATE, WIDTH, HEIGHT = 24, 320, 192


def footage(seconds, *, seed):
    """Return frames that move: shapes drift, with a new background every two seconds."""
    rng = np.random.default_rng(seed)
    for second in range(0, seconds, 2):
        ground = cv2.resize(rng.integers(0, 256, (6, 9, 3), np.uint8), (WIDTH, HEIGHT))
        spots = rng.uniform(0, 1, (9, 2)) * (WIDTH, HEIGHT)
        drift = rng.normal(0, 12, (9, 2)) / RATE
        for number in range(RATE * min(2, seconds - second)):
            frame = ground.copy()
            for spot, (x, y) in enumerate(spots + drift * number):
                cv2.circle(frame, (int(x), int(y)), 12 + 3 * spot, (28 * spot,) * 3, -1)
            yield frame


def card(words, seconds, *, seed=0, dim=1.0):
    """Return a title: light words on black, with a little noise."""
    rng = np.random.default_rng(seed)
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for line, text in enumerate(words.split("\n")):
        size = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.2, 3)[0][0]
        place = ((WIDTH - size) // 2, 90 + 45 * line)
        cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (230,) * 3, 3)
    noisy = [(frame + rng.normal(0, 3, frame.shape)) * dim for _ in range(7)]
    shown = [np.clip(one, 0, 255).astype(np.uint8) for one in noisy]
    yield from itertools.islice(itertools.cycle(shown), RATE * seconds)


def film(path, *parts):
    """Return a file of these frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for part in parts:
        for frame in part:
            writer.write(frame)
    writer.release()
    return path


def listed(folder, *paths):
    """Return a list of the vPDQs of files at one frame a second, each its own entry."""
    hash_list = HashList.create(folder / "known.list")
    for path in paths:
        made, _ = vpdq.compute(path)
        text = folder / f"{path.stem}.txt"
        text.write_text("\n".join(vpdq_value.vpdq_lines(made.value)))
        hash_list.import_file(text, source=path.stem)
    return hash_list.refresh()


def test_ten_seconds_of_a_listed_clip_inside_another_are_found_with_both_spans(tmp_path):
    """They may begin between two whole seconds; spans are exact to a second."""
    scene = list(footage(24, seed=1))
    other = list(footage(20, seed=2))
    engine = Screener(listed(tmp_path, film(tmp_path / "scene.mp4", scene)))
    assert engine.screen(film(tmp_path / "other.mp4", other)).verdict is Verdict.NO_MATCH

    for start in (7.4, 8.75):
        at = int(start * RATE)
        mixed = film(tmp_path / "mixed.mp4", other[:at], scene[8 * RATE : 18 * RATE], other[at:])
        (match,) = engine.screen(mixed).matches
        spans = (*match.video.input_span, *match.video.listed_span)
        assert np.abs(np.subtract(spans, (start, start + 10, 8, 18))).max() <= 1.3, start


def shaken(seconds, *, seed):
    """Return frames of a hand-held close-up: hardly two agree with each other."""
    rng = np.random.default_rng(seed)
    wide = cv2.resize(rng.integers(0, 256, (24, 40, 3), np.uint8), (4 * WIDTH, 4 * HEIGHT))
    at, pace = np.array([1.5 * WIDTH, 1.5 * HEIGHT]), np.zeros(2)
    room = np.array([3 * WIDTH - 1, 3 * HEIGHT - 1])
    for _ in range(RATE * seconds):
        pace = 0.8 * pace + rng.normal(0, 14, 2)
        at = np.clip(at + pace, 0, room)
        x, y = at.astype(int)
        yield np.ascontiguousarray(wide[y : y + HEIGHT, x : x + WIDTH])


@pytest.mark.parametrize("frame", [169, 172])
def test_a_piece_of_shaken_footage_is_found_from_its_first_to_its_last_second(tmp_path, frame):
    """Frames at other times agree with none of it."""
    scene, other = list(shaken(16, seed=4)), list(footage(8, seed=5))
    engine = Screener(listed(tmp_path, film(tmp_path / "scene.mp4", scene)))
    start = frame / RATE
    piece = scene[frame : frame + 8 * RATE]
    mixed = film(tmp_path / "mixed.mp4", other[:96], piece, other[96:])

    (match,) = engine.screen(mixed).matches

    spans = (*match.video.input_span, *match.video.listed_span)
    assert np.abs(np.subtract(spans, (4, 12, start, start + 8))).max() <= 1.1


@pytest.mark.parametrize("long", [False, True])
def test_a_copy_is_found_though_vpdq_counts_frames(tmp_path, monkeypatch, long):
    """vPDQ takes each 23rd frame at 23.976 a second; the video may be too long for frames in
    between.
    """
    if long:
        monkeypatch.setattr(Sampling, "compute_step_between", lambda *_: None)
    shown = [Image.fromarray(one[:, :, ::-1]) for one in shaken(8, seed=6)]
    times = [number * 1001 / 24000 for number in range(len(shown))]
    path = tmp_path / "scene.mp4"
    path.write_bytes(encoded(shown, times=times, rate=Fraction(24000, 1001)))

    (match,) = Screener(listed(tmp_path, path)).screen(path).matches

    assert match.video.found == match.video.listed


def test_copies_are_found_mirrored_and_at_another_rate_and_size(tmp_path):
    """The match has its orientation."""
    scene = list(footage(12, seed=3))
    engine = Screener(listed(tmp_path, film(tmp_path / "scene.mp4", scene)))
    mirrored = film(tmp_path / "mirrored.mp4", (frame[:, ::-1].copy() for frame in scene))
    small = (
        cv2.resize(cv2.resize(one, (WIDTH // 2, HEIGHT // 2)), (WIDTH, HEIGHT)) for one in scene
    )

    (match,) = engine.screen(mirrored).matches
    assert (match.orientation, str(match.video.rule)) == ("flip_horizontal", "whole")
    (match,) = engine.screen(film(tmp_path / "small.mp4", small)).matches
    assert (match.orientation, str(match.video.rule)) == ("upright", "whole")


def test_dark_clips_and_title_cards_never_match_each_other(tmp_path):
    """Titles are alone or before footage; clips are dark or black."""
    clips = [
        film(tmp_path / f"{name}.mp4", *parts)
        for name, *parts in (
            ("part2", card("PART 2", 8, seed=1)),
            ("part3", card("PART 3", 8, seed=2)),
            ("end", card("THE END", 8, seed=3)),
            ("one", card("CHAPTER\nONE", 8, seed=4)),
            ("two", card("CHAPTER\nTWO", 8, seed=5)),
            ("intro-a", card("PART 2", 6, seed=6), footage(8, seed=7)),
            ("intro-b", card("PART 2", 6, seed=8), footage(8, seed=9)),
            ("dim-a", card("PART 2", 8, seed=10, dim=0.1)),
            ("dim-b", card("PART 4", 8, seed=11, dim=0.1)),
            ("dark-a", ((one // 24) for one in footage(8, seed=12))),
            ("dark-b", ((one // 24) for one in footage(8, seed=13))),
            ("black", (np.zeros((HEIGHT, WIDTH, 3), np.uint8) for _ in range(8 * RATE))),
        )
    ]
    engine = Screener(listed(tmp_path, *clips))

    for clip in clips:
        result = engine.screen(clip)
        assert {match.source for match in result.matches} <= {clip.stem}, clip.stem


def test_sampling_is_finer_if_a_list_holds_videos(tmp_path):
    """It is eight a second unless the policy says otherwise, and less for long videos."""
    still = film(tmp_path / "still.mp4", itertools.repeat(next(footage(2, seed=1)), 6 * RATE))
    of_videos = listed(tmp_path, still)
    (tmp_path / "pictures.csv").write_text(f"id,pdq\na,{'0123456789abcdef' * 4}\n")
    of_pictures = HashList.create(tmp_path / "pictures.list")
    of_pictures.import_file(tmp_path / "pictures.csv")
    every = [
        Screener(hash_list, policy=Policy(sampling=Sampling(**settings, distinct=False)))
        .screen(still)
        .media.samples
        for hash_list, settings in (
            (of_videos, {}),
            (of_videos, {"videos": 0.5}),
            (of_videos, {"every": 0.0625}),
            (of_pictures.refresh(), {}),
        )
    ]

    assert every == [48, 12, 96, 6]
    of_hours = Sampling(against_videos=True)
    steps = [of_hours.compute_step(length) for length in (60, 3600, 36000, None)]
    assert steps == [0.125, 0.36, 1.0, 0.125]
    assert [of_hours.compute_step_between(length) for length in (60, 300, 600, None)] == [
        0.02,
        0.1,
        None,
        None,
    ]
    by_vpdq = [of_hours.includes_vpdq(length) for length in (60, 3600, 6000, None)]
    assert by_vpdq == [True, True, False, True]
    assert Sampling().compute_step_between(60) is None


def test_the_clips_of_the_material_match_themselves_and_no_stranger(material, tmp_path):
    """Clips of the same footage count as one."""
    folder = material / "videos"
    names = [
        "threatexchange/doorknob-hd-no-bar.mp4", "threatexchange/test-padded-dimensions.mp4",
        "perception/v1.m4v", "torchcodec/av1_video.mkv", "androidx-media/vp9__bear-vp9.webm",
        "derived/base.mp4",
    ]  # fmt: skip
    engine = Screener(listed(tmp_path, *(folder / name for name in names)))

    for name in names:
        found = [match.source for match in engine.screen(folder / name).matches]
        assert found == [(folder / name).stem]
    for name in ("hflip", "rot90_meta", "rot90_pixels", "hevc", "vfr", "fps10", "clip_20_80"):
        (match,) = engine.screen(folder / f"derived/{name}.mp4").matches
        assert match.source == "base"
