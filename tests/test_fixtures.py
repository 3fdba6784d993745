"""The fixtures are what the repository's own script draws."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from drawn_videos import clip
from PIL import Image

from screener.hashing import pdq

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def test_every_scene_has_full_quality_and_none_is_near_another(scene):
    """Detail 100 each, and all pairs at least 64 bits apart: nothing matches by accident."""
    hashes = [pdq.compute(np.asarray(scene(seed))) for seed in range(20)]

    assert {one.quality for one in hashes} == {100}
    assert min(a.distance(b) for i, a in enumerate(hashes) for b in hashes[:i]) >= 64


def test_drawing_again_gives_the_fixtures(draw, tmp_path):
    """The same files by name, and the pictures equal but for the encoder's version."""
    draw.write_images(tmp_path)

    kept = {path.name: path for path in (FIXTURES / "images").iterdir()}
    drawn = {path.name: path for path in tmp_path.iterdir()}
    assert kept.keys() == drawn.keys()
    for name in kept.keys() - {"truncated.jpg", "text.jpg", "empty.jpg"}:
        old, new = (np.asarray(Image.open(p[name]).convert("L"), int) for p in (kept, drawn))
        assert abs(old - new).mean() < 3, name
    assert kept["text.jpg"].read_bytes() == drawn["text.jpg"].read_bytes()


def test_the_list_is_that_of_the_scenes(draw, tmp_path):
    """Rows, states and perceptual hashes are drawn; digests are those of the file kept."""
    draw.write_list(tmp_path / "known.csv", FIXTURES / "images")

    kept, drawn = (
        list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for path in (FIXTURES / "known.csv", tmp_path / "known.csv")
    )
    assert kept == drawn


def test_the_fixtures_are_small():
    """All of them together stay under 200 kB."""
    sizes = [path.stat().st_size for path in FIXTURES.rglob("*.*") if path.suffix != ".pyc"]
    assert sum(sizes) < 200_000


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no scheduling to be asked for")
def test_a_clip_leaves_the_priority_of_who_makes_it(scene):
    """The encoder of AV1 takes real time for the thread that calls it, where root runs it."""
    before = os.sched_getscheduler(0)
    clip([scene(5, (160, 120))] * 2, codec="libsvtav1")

    assert os.sched_getscheduler(0) == before
