"""Writing vPDQs: `screener hash --kinds vpdq` writes what vPDQ's own tool writes."""

import io

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_videos import clip, panned, tracks

from screener import HashList, Screener
from screener.cli.app import cli
from screener.cli.hash_lines import match_lines
from screener.hashing import vpdq_value
from screener.hashing.hash import KINDS, Hash
from screener.lists.store.records import derive_entry
from screener.screening.input import vpdq

CLIPS = [
    "chair-20-sd-bar", "doorknob-hd-no-bar", "pattern-hd-no-bar", "pattern-sd-grey-bar",
    "pattern-sd-with-large-logo-bar", "test-padded-dimensions",
]  # fmt: skip


def written(*arguments):
    """Return what the command prints, and its exit code."""
    done = CliRunner().invoke(cli, ["hash", *map(str, arguments)], standalone_mode=False)
    return done.stdout, done.return_value if done.exception is None else done.exception


def read(text):
    """Return the lines of frame, quality, hash and time."""
    rows = [line.split(",") for line in text.splitlines()]
    codes = np.array([np.frombuffer(bytes.fromhex(row[2]), np.uint8) for row in rows])
    numbers = np.array([[float(row[0]), float(row[1]), float(row[3])] for row in rows])
    return numbers.T, codes


def test_frames_of_the_reference_videos_have_the_reference_hashes(material):
    """The same numbers and times; frames with detail within 31 bits, 95 % of them within 10.

    For the dimmest clip nine in ten. Hashes one second apart are those of every thirtieth frame.
    """
    bits = {}
    texts = {}
    for name in CLIPS:
        path = material / f"videos/threatexchange/{name}.mp4"
        texts[name], code = written(path, "--kinds", "vpdq", "--every", "0")
        assert code == 0
        (numbers, _, times), codes = read(texts[name])
        (wanted, qualities, wanted_times), wanted_codes = read(
            (material / f"vpdq/{name}.txt").read_text()
        )
        assert np.array_equal(numbers, wanted)
        assert np.abs(times - wanted_times).max() < 0.002
        bits[name] = np.bitwise_count(codes ^ wanted_codes).sum(axis=1)[qualities >= 50]
    together = np.concatenate(list(bits.values()))
    assert together.max() <= 31
    assert (together <= 10).mean() >= 0.95
    assert min((one <= 10).mean() for one in bits.values()) >= 0.9

    name = "chair-20-sd-bar"
    seconds, _ = written(material / f"videos/threatexchange/{name}.mp4", "--kinds", "vpdq")
    assert seconds.splitlines() == texts[name].splitlines()[::30]


def test_a_fractional_rate_is_truncated_as_in_vpdq(material):
    """At 24000 / 1001 frames a second it takes every 23rd."""
    text, _ = written(material / "videos/perception/v1.m4v", "--kinds", "vpdq")

    assert [int(line.split(",")[0]) for line in text.splitlines()] == list(range(0, 119, 23))


def test_a_written_vpdq_is_imported_as_the_same_value_and_matches(material, tmp_path):
    """As text layout or hash line; it finds the video, its mirror image and its hash."""
    path = material / "videos/derived/base.mp4"
    made, _ = vpdq.compute(path)
    text, _ = written(path, "--kinds", "vpdq")
    (tmp_path / "base.txt").write_text(text)
    known = HashList.create(tmp_path / "known.list")
    known.import_file(tmp_path / "base.txt", source="demo")
    known = known.refresh()
    (shown,) = known.show(known_entry(known), values=True)
    assert shown.hashes[0].value == made.text
    assert [f.number for f in vpdq_value.vpdq_frames(made.value)] == [0, 25, 50, 75, 100, 125]

    engine = Screener(known)
    line, _ = written(path, "--kinds", "vpdq", "--lines")
    (piped,) = match_lines(engine, stream(line))
    (wrong, *_) = match_lines(engine, stream(text))
    assert "--lines" in wrong.detail
    (screened,) = engine.screen(path).matches
    assert (piped.matches[0].distance, piped.matches[0].video.found) == (0, 6)
    assert (screened.kind, screened.orientation) == ("vpdq", "upright")
    (mirrored,) = engine.screen(material / "videos/derived/hflip.mp4").matches
    assert (mirrored.orientation, str(mirrored.video.rule)) == ("flip_horizontal", "whole")


def known_entry(known):
    """Return the name of the only entry of a list."""
    numbers = known.frame_holders(np.arange(1)).videos.tolist()
    ((_, listed),) = known.videos(numbers)
    assert listed.record.entry == derive_entry([Hash(KINDS["vpdq"], listed.value)])
    return listed.record.entry


def stream(text):
    """Return text as standard input has it."""
    return io.BytesIO(text.encode())


@pytest.mark.parametrize("lines", [(), ("--lines",)])
@pytest.mark.parametrize(
    ("every", "message"),
    [("1", "matches nothing"), ("0.3", "with 3 frames"), ("0.2", None), ("0", None)],
)
def test_a_warning_names_a_clip_too_short_to_match_copies(tmp_path, scene, lines, every, message):
    """With frames of one moment nothing matches, with fewer than five no copy that lacks one."""
    path = tmp_path / "short.mp4"
    path.write_bytes(clip(panned(scene, 5, 9)))

    done = CliRunner().invoke(cli, ["hash", str(path), "--kinds", "vpdq", "--every", every, *lines])

    assert done.exit_code == 0
    assert (message in done.stderr and "--every 0 " in done.stderr) if message else not done.stderr


def test_a_still_has_no_vpdq_and_two_videos_need_hash_lines(tmp_path, scene):
    """Other kinds of a still are printed; two files in the text layout are refused."""
    picture = tmp_path / "a.png"
    scene(1).save(picture)
    assert written(picture, "--kinds", "vpdq") == ("", 3)
    text, code = written(picture, "--kinds", "vpdq,pdq")
    assert (code, text.split()[0]) == (0, "pdq")
    scene(2).save(tmp_path / "b.png")
    assert "--lines" in str(written(tmp_path, "--kinds", "vpdq")[1])


def test_damage_in_a_video_is_reported_despite_an_intact_cover(scene):
    """The vPDQ is reported as incomplete."""
    whole = tracks(panned(scene, 5, 60), [scene(7, (320, 240))], covers=(1,))
    start = whole.index(b"mdat")
    size = whole.index(b"moov") - start
    hole = bytes(size // 3)
    damaged = whole[: start + size // 3] + hole + whole[start + size // 3 + len(hole) :]

    complete, no_trouble = vpdq.compute(whole)
    part, trouble = vpdq.compute(damaged)

    assert no_trouble is None
    assert len(list(vpdq_value.vpdq_frames(complete.value))) == 6
    assert trouble.reason == "undecodable"
    assert 0 < len(list(vpdq_value.vpdq_frames(part.value))) < 6


def test_a_vpdq_has_no_hidden_frames(scene):
    """A picture after an animation's end would be a frame at second 0 that no viewer shows."""
    animation, behind = io.BytesIO(), io.BytesIO()
    first, *others = panned(scene, 5, 5)
    first.save(animation, "GIF", save_all=True, append_images=others, duration=500)
    scene(7).save(behind, "JPEG")

    alone, _ = vpdq.compute(animation.getvalue())
    made, trouble = vpdq.compute(animation.getvalue() + behind.getvalue())

    assert (made, trouble) == (alone, None)
    assert len(list(vpdq_value.vpdq_frames(made.value))) == 5


@pytest.mark.parametrize("every", ["nan", "inf"])
def test_a_negative_or_infinite_step_is_refused(tmp_path, every):
    """By the command and by the library."""
    assert "expected a number from 0" in str(
        written(tmp_path / "a.mp4", "--kinds", "vpdq", "--every", every)[1]
    )
    for wrong in (float(every), every, True, None, -1):
        with pytest.raises(ValueError, match="every must be a number of seconds"):
            vpdq.compute(b"", every=wrong)


def test_a_very_long_step_takes_the_first_frame(scene):
    """However large the number is."""
    made, trouble = vpdq.compute(clip(panned(scene, 5, 30)), every=1e308)
    assert trouble is None
    assert [frame.number for frame in vpdq_value.vpdq_frames(made.value)] == [0]
