"""Frames of one file: those that differ are hashed, those that hardly do are not."""

from __future__ import annotations

import io

import numpy as np
from PIL import ImageDraw

from screener import Policy
from screener.distinct import NEAR, Distinct
from screener.hashed import hash_item
from screener.hashing import pdq
from screener.hashing.hash import Hash


def turned(value, bits):
    """A PDQ value with its first bits turned over."""
    number = int.from_bytes(value) ^ ((1 << bits) - 1)
    return number.to_bytes(32)


def test_what_lies_near_a_hashed_frame_is_left_out():
    """Up to NEAR bits from any frame that was hashed, not from one that was left out."""
    start = bytes(range(32))
    distinct = Distinct()
    assert distinct.add(Hash(pdq.PDQ, start, quality=100))
    assert not distinct.add(Hash(pdq.PDQ, turned(start, NEAR), quality=100))
    assert distinct.add(Hash(pdq.PDQ, turned(start, 2 * NEAR), quality=100))
    assert not distinct.add(Hash(pdq.PDQ, start, quality=100))


def test_a_frame_of_more_detail_is_a_new_one():
    """A blank beginning must not keep the first frame that can be compared from being hashed."""
    distinct = Distinct()
    assert distinct.add(Hash(pdq.PDQ, bytes(32), quality=49))
    assert distinct.add(Hash(pdq.PDQ, bytes(32), quality=50))
    assert not distinct.add(Hash(pdq.PDQ, bytes(32), quality=49))


def parts_of(frames):
    """Which parts of an animation of these frames are hashed."""
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], quality=80, duration=100)
    hashes = hash_item(out.getvalue(), policy=Policy(), kinds=[pdq.PDQ]).hashes
    return sorted({one.part for one in hashes})


def test_an_animation_is_hashed_where_it_changes(scene):
    """A mark that moves over a still picture changes nothing; another picture does."""
    frames = []
    for number in range(6):
        frame = scene(40 if number < 4 else 41)
        ImageDraw.Draw(frame).ellipse((10 + 9 * number, 10, 13 + 9 * number, 13), fill="white")
        frames.append(frame)
    assert parts_of(frames) == [0, 4]
    assert parts_of([scene(40), scene(41), scene(40), scene(41), scene(42)]) == [0, 1, 4]


def test_every_page_of_a_tiff_is_there_when_they_differ(scene):
    """As many parts as there are pictures."""
    pages = [scene(number, (160, 120)) for number in range(40, 46)]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    hashes = hash_item(out.getvalue(), policy=Policy(), kinds=[pdq.PDQ]).hashes
    full = [one for one in hashes if one.region == "full" and one.orientation == "upright"]
    assert [one.part for one in full] == [0, 1, 2, 3, 4, 5]
    for one, page in zip(full, pages, strict=True):
        assert one.hash.distance(pdq.compute(np.asarray(page))) == 0
