"""Hashes that other implementations recorded for the reference pictures."""

import csv

import pytest
from PIL import Image

from screener import Hash
from screener.hashing import pdq
from screener.media.image import open_image


@pytest.fixture(scope="module")
def recorded(material):
    """Rows of expected.csv: plain PDQ, recorded upstream by some implementation."""
    with (material / "expected.csv").open(newline="", encoding="utf-8") as file:
        return [
            row
            for row in csv.DictReader(file)
            if row["kind"] == "pdq" and not row["source"].startswith("recomputed")
        ]


def hash_as_stored(path):
    """Return the file's PDQ by our pipeline without the EXIF orientation, as upstream does. None
    for files with alpha, a palette, CMYK or 16 bits, which upstream converts differently:
    docs/internals/pixels.md gives the differences and reasons.
    """
    with Image.open(path) as picture:
        if picture.mode not in ("RGB", "L") or picture.has_transparency_data:
            return None
        picture.getexif().clear()
        (frame,) = open_image.open(picture).frames()
    return pdq.compute(frame.pixels)


def test_other_implementations_lie_within_twelve_bits(recorded, material):
    """At quality 80 and above, whatever they resize or decode differently first."""
    distances = {}
    for row in recorded:
        made = hash_as_stored(material / row["file"])
        if made is not None and made.quality >= 80:
            distance = made.distance(Hash.parse("pdq", row["hash_hex"]))
            distances[row["file"], row["source"]] = distance

    assert len(distances) >= 20
    assert {key: d for key, d in distances.items() if d > 12} == {}
