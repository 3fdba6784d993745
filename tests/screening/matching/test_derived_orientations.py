"""Mirrored and turned copies are found from a hash that was made elsewhere."""

import csv

import numpy as np
import pytest
from clips import clip, scenes, value_of

from screener import Hash, HashList, Screener
from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.hashing.vpdq_value import PACKED

PDQ = KINDS["pdq"]
FILM = clip(scenes(20, seed=1))


def turned(hash_, orientation):
    """Return a hash with its code derived for an orientation."""
    codes = pdq.derive_orientations(np.frombuffer(hash_.value, np.uint8).reshape(1, -1))
    return Hash(PDQ, codes[0, pdq.ORIENTATIONS.index(orientation)].tobytes(), hash_.quality)


def film_turned(orientation):
    """Return the vPDQ of the film, each of its frames turned."""
    packed = np.frombuffer(value_of(FILM), PACKED).copy()
    codes = np.array([np.frombuffer(one.tobytes(), np.uint8) for one in packed["pdq"]])
    number = pdq.ORIENTATIONS.index(orientation)
    packed["pdq"] = pdq.derive_orientations(codes)[:, number].reshape(packed["pdq"].shape)
    return Hash(KINDS["vpdq"], packed.tobytes())


@pytest.fixture(scope="module")
def listed(scene):
    """Return the hashes of a drawn picture in all orientations; the first is listed."""
    return pdq.compute_orientations(np.asarray(scene(3, (1600, 1004)).convert("L")))


@pytest.fixture(scope="module")
def frame():
    """Return a frame of the film as a hash."""
    return Hash(PDQ, np.frombuffer(value_of(FILM), PACKED)["pdq"][0].tobytes(), 100)


def screener_of(folder, name, **values):
    """Return a Screener of a list of one entry."""
    file = folder / f"{name}.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", *values])
        writer.writeheader()
        writer.writerow({"id": "one", **values})
    made = HashList.create(folder / f"{name}.list")
    made.import_file(file, source=name)
    return Screener(made.refresh())


@pytest.fixture
def known(tmp_path, listed):
    """A Screener of a list of the picture."""
    return screener_of(tmp_path, "known", pdq=listed[0].text)


@pytest.mark.parametrize("number", range(1, 8))
def test_the_hash_of_a_turned_copy_matches_and_says_so(known, listed, number):
    """Its distance is that of the derived code; the line has the field, which reads back."""
    (match,) = known.match([listed[number]]).matches
    derived = [
        turned(listed[number], name).distance(listed[0])
        for name in pdq.ORIENTATIONS
        if name == match.orientation
    ]
    assert match.derived
    assert match.orientation != "upright"
    assert [match.distance] == derived
    assert match.to_dict()["derived"] is True


def test_an_upright_match_is_not_derived(known, listed):
    """And the line is as before."""
    (match,) = known.match([listed[0]]).matches
    assert (match.orientation, match.derived, match.distance) == ("upright", False, 0)
    assert "derived" not in match.to_dict()


def test_a_batch_names_the_right_items(known, listed):
    """Among misses, items with several hashes and digests."""
    rng = np.random.default_rng(1)
    miss = [Hash(PDQ, rng.bytes(32), 100) for _ in range(3)]
    md5 = Hash(KINDS["md5"], rng.bytes(16))
    items = [[miss[0]], [miss[1], listed[5]], [md5], [md5, miss[2], listed[2]], [listed[0]]]
    found = [[m.orientation for m in r.matches] for r in known.match_many(items)]
    assert found == [[], ["flip_horizontal"], [], ["rotate180"], ["upright"]]


def test_given_orientations_are_compared_as_they_are(known, listed):
    """All eight of a picture, in any order; seven of them or eight frames are derived from."""
    orders = [listed, listed[::-1]]
    for hashes in orders:
        matches = known.match(hashes).matches
        assert [one.derived for one in matches] == [False]
    rng = np.random.default_rng(2)
    others = [Hash(PDQ, rng.bytes(32), 100) for _ in range(7)]
    for hashes in (listed[1:], [*others, listed[5]]):
        assert known.match(hashes).matches[0].derived
    mirrored = tuple(turned(one, "flip_horizontal") for one in others)
    assert known.match([*others, *mirrored, *others[:2]]).verdict == "no_match"


def test_few_bits_set_are_not_turned(tmp_path):
    """A code of graphics would lie near a listed one that its picture is not like."""
    stripes = pdq.derive_orientations(np.zeros((1, 32), np.uint8))[0, 5]
    few = np.zeros(32, np.uint8)
    few[:3] = 255
    engine = screener_of(tmp_path, "stripes", pdq=stripes.tobytes().hex())
    assert engine.match([Hash(PDQ, few.tobytes(), 100)]).verdict == "no_match"
    assert engine.match([Hash(PDQ, stripes.tobytes(), 100)]).verdict == "match"


def test_frames_of_a_vpdq_match_listed_pictures_and_videos(tmp_path, frame):
    """Turned; a single PDQ of a turned frame is also compared with listed videos."""
    pictures = screener_of(tmp_path, "pictures", pdq=frame.text)
    videos = screener_of(tmp_path, "videos", vpdq=Hash(KINDS["vpdq"], value_of(FILM)).text)
    mirrored = film_turned("flip_horizontal")
    for engine in (pictures, videos):
        (match,) = engine.match([mirrored]).matches
        assert (match.orientation, match.derived) == ("flip_horizontal", True)
        assert match.distance == 0
    hits = videos.match([turned(frame, "rotate180")])
    assert {one.orientation for one in hits.matches + hits.other_hits} <= {"rotate180"}
