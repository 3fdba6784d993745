"""pHash, dHash, aHash and wHash: equal to those of `imagehash`, in all eight orientations."""

import csv
import subprocess
import sys

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from screener import Hash, Policy, Screener, Verdict, scan
from screener.errors import HashError, PolicyError
from screener.hashing import classic
from screener.hashing.hash import KINDS
from screener.hashing.pdq import ORIENTATIONS
from screener.screening.input.hash_item import hash_item

ORACLES = {
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "ahash": imagehash.average_hash,
    "whash": imagehash.whash,
}
TURNS = {
    "upright": lambda a: a,
    "rotate90": np.rot90,
    "rotate180": lambda a: np.rot90(a, 2),
    "rotate270": lambda a: np.rot90(a, 3),
    "flip_vertical": np.flipud,
    "flip_horizontal": np.fliplr,
    "transpose": lambda a: a.swapaxes(0, 1),
    "anti_transpose": lambda a: np.rot90(a, 2).swapaxes(0, 1),
}
RECORDED = {"average_hash": "ahash", "phash": "phash", "dhash": "dhash", "whash": "whash"}


def oracle(kind, pixels):
    """Return imagehash's hash of the pixels as text."""
    function = ORACLES[kind.removesuffix("256")]
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return str(function(picture, hash_size=16 if kind.endswith("256") else 8))


def differences(pixels):
    """The kinds and orientations in which a picture's hashes are not imagehash's."""
    made = classic.compute_orientations(pixels, classic.CLASSIC)
    return [
        (kind, name)
        for kind, hashes in made.items()
        for name, one in zip(ORIENTATIONS, hashes, strict=True)
        if one.text != oracle(kind, TURNS[name](pixels))
    ]


@st.composite
def pictures(draw):
    """Grey and RGB pictures of all shapes: noise, soft shapes, and few shades with many ties."""
    height, width = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (height, width, 3) if draw(st.booleans()) else (height, width)
    match draw(st.sampled_from(("noise", "soft", "shades", "flat"))):
        case "noise":
            return random.integers(0, 256, shape, np.uint8)
        case "soft":
            small = random.integers(0, 256, (5, 7, *shape[2:]), np.uint8)
            soft = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
            return np.asarray(soft)
        case "shades":
            return (random.integers(0, 3, shape) * 100).astype(np.uint8)
        case _:
            return np.full(shape, random.integers(0, 256), np.uint8)


@settings(max_examples=40, deadline=None)
@given(pictures())
def test_every_orientation_is_that_of_the_turned_picture(pixels):
    """Each kind's hash in each orientation equals imagehash's of the turned picture, bit for bit,
    ties included.
    """
    assert differences(pixels) == []


def test_every_orientation_of_photos_is_that_of_the_turned_picture(material):
    """The same on ordinary photos, in colour and grey."""
    photos = sorted((material / "photos-free").glob("*.jpg"))
    for path in photos[::18]:
        with Image.open(path) as photo:
            assert differences(np.asarray(photo.convert("RGB"))) == [], path.name
            assert differences(np.asarray(photo.convert("L"))) == [], path.name


def test_mirroring_commutes_with_shrinking():
    """A picture mirrored and shrunk is the shrunk picture mirrored, at any width and height: the
    rounded weights of Pillow's filter are symmetric.
    """
    random = np.random.default_rng(7)
    for length in [*range(1, 130), 333, 640, 1004, 1600, 2049, 4000, 6016]:
        line = Image.fromarray(random.integers(0, 256, (2, length), np.uint8))
        for side in (8, 9, 16, 17, 32, 64):
            for picture, size, mirror in (
                (line, (side, 2), Image.Transpose.FLIP_LEFT_RIGHT),
                (
                    line.transpose(Image.Transpose.TRANSPOSE),
                    (2, side),
                    Image.Transpose.FLIP_TOP_BOTTOM,
                ),
            ):
                after = picture.resize(size, Image.Resampling.LANCZOS).transpose(mirror)
                before = picture.transpose(mirror).resize(size, Image.Resampling.LANCZOS)
                assert after.tobytes() == before.tobytes(), (length, side)


def test_recorded_values_of_imagehash_are_equal(material):
    """Those that imagehash's own tests record, and those recorded of the reference photos."""
    with (material / "expected.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"].startswith("imagehash:")]
    seen = 0
    for row in rows:
        kind = RECORDED.get(row["kind"].removeprefix("imagehash:"))
        if kind is None:
            continue
        with Image.open(material / row["file"]) as picture:
            pixels = np.asarray(picture.convert("RGB" if picture.mode != "L" else "L"))
        found = classic.compute(pixels, KINDS[kind])
        assert found == Hash.parse(kind, row["hash_hex"]), (row["file"], kind)
        seen += "test_hash_is_constant" in row["source"]
    assert seen == 4


def test_the_bytes_are_those_of_imagehash_in_hexadecimal(scene):
    """The text of a hash is `str()` of imagehash's, so that lists can be exchanged."""
    pixels = np.asarray(scene(1))
    for kind in classic.CLASSIC:
        found = classic.compute(pixels, kind)
        text = oracle(kind.name, pixels)
        assert found.text == text
        assert np.array_equal(
            np.unpackbits(np.frombuffer(found.value, np.uint8)),
            imagehash.hex_to_hash(text).hash.reshape(-1),
        )


def test_views_and_strides_are_read_as_they_are(scene):
    """A turned or mirrored view of an array has the hashes of its copy."""
    pixels = np.asarray(scene(2))
    for view in (pixels[::-1], pixels[:, ::-1], pixels.swapaxes(0, 1), pixels[::2, 1:, 0]):
        assert classic.compute_orientations(view, classic.CLASSIC) == (
            classic.compute_orientations(view.copy(), classic.CLASSIC)
        )


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.ma.zeros((4, 4), np.uint8),
        [[1, 2], [3, 4]],
    ],
)
def test_what_is_no_picture_is_refused(pixels):
    """Another type or shape is the caller's mistake, and so is a kind that is made elsewhere."""
    with pytest.raises(HashError, match="pixels must"):
        classic.compute(pixels, KINDS["phash"])
    with pytest.raises(HashError, match="pdq is not a classic kind; one of: phash"):
        classic.compute(np.zeros((9, 9), np.uint8), KINDS["pdq"])
    with pytest.raises(HashError, match="a kind is needed, KINDS"):
        classic.compute(np.zeros((9, 9), np.uint8), "phash")
    with pytest.raises(HashError, match="kinds must be a list"):
        classic.compute_orientations(np.zeros((9, 9), np.uint8), KINDS["phash"])


def test_a_thread_of_pixels_is_not_enlarged():
    """A picture a few pixels wide and enormously long has no hash that is compared, instead of
    being enlarged to gigabytes.
    """
    for shape in ((2_000_000, 3), (3, 2_000_000)):
        found = classic.compute(np.zeros(shape, np.uint8), KINDS["whash256"])
        assert (found.value, found.quality) == (bytes(32), 0)


def test_a_long_picture_is_hashed_where_it_is_not_a_mere_thread(monkeypatch, scene):
    """Of 64 pixels and more on its shorter side, however long it is."""
    monkeypatch.setattr(classic, "_LARGEST", 64 * 1000)
    drawn = np.asarray(scene(4, (1001, 64)).convert("L"))
    for shorter, hashed in ((64, True), (63, False), (20, False)):
        pixels = drawn[:shorter]
        for view in (pixels, pixels.swapaxes(0, 1)):
            made = classic.compute(view, KINDS["phash"])
            assert (made.text == oracle("phash", view)) == hashed
            assert (made.quality == 0) == (not hashed)
        assert classic.compute(pixels[:, :1000], KINDS["phash"]).value != bytes(8)


@pytest.mark.parametrize(("side", "seeds"), [(256, range(8)), (1024, [1])])
def test_ties_between_the_squares_of_a_picture_are_decided_as_by_imagehash(side, seeds):
    """Of pictures of few shades, half of whose squares may be equally light."""
    for seed in seeds:
        shades = np.random.default_rng(seed).integers(0, 3, (8, 8)) * 100
        pixels = np.kron(shades, np.ones((side // 8, side // 8), int)).astype(np.uint8)
        _, below, above, _ = np.array_split(np.sort(shades, axis=None), (31, 32, 33))
        assert below == above
        assert classic.compute(pixels, KINDS["whash"]).text == oracle("whash", pixels), seed


def test_the_squares_of_the_largest_pictures_are_summed_in_full():
    """Of 512 pixels a side each, and more: the lower half of the picture is lighter."""
    pixels = np.full((4096, 4096), 130, np.uint8)
    pixels[:2048] = 120
    assert classic.compute(pixels, KINDS["whash"]).text == "00000000ffffffff"


def test_the_contrast_of_a_whash_is_that_of_means(monkeypatch, scene):
    """Of its squares, which are greys as those that other kinds are made of."""
    pixels, seen = np.asarray(scene(1).convert("L")), []
    monkeypatch.setattr(classic.detail, "contrast_score", lambda greys: seen.append(greys) or 100)
    for kind in classic.CLASSIC:
        classic.compute(pixels, kind)
    assert [greys.shape for greys in seen[:1]] == [(32, 32)]
    for greys in seen:
        assert greys.mean() == pytest.approx(pixels.mean(), abs=4)


def test_large_pictures_are_those_of_imagehash_too(scene):
    """A picture whose wHash is made of 2,048 × 2,048 pixels, beyond those whose ties are asked."""
    pixels = np.asarray(scene(5, (2300, 2100)).convert("L"))
    made = classic.compute_orientations(pixels, [KINDS["whash"], KINDS["whash256"], KINDS["phash"]])
    for kind, hashes in made.items():
        for name in ("upright", "rotate90"):
            turned = TURNS[name](pixels)
            assert hashes[ORIENTATIONS.index(name)].text == oracle(kind, turned), (kind, name)
    assert made["whash"][0].quality >= 50


def test_a_large_picture_of_equal_squares_takes_no_wavelets():
    """If many squares of a large picture are equally light, wHash is exact: no square of the
    median's lightness has its bit set.
    """
    pixels = np.full((2048, 2048), 255, np.uint8)
    pixels[:256, :256] = 0
    assert classic.compute(pixels, KINDS["whash"]).value == bytes(8)


@pytest.mark.parametrize("kind", [kind.name for kind in classic.CLASSIC])
def test_a_list_of_a_classic_kind_is_screened_by_it(make_list, scene, kind):
    """A list that holds nothing but one of these kinds finds its picture, turned or not, computes
    that kind only, and clears another picture; by a weak kind if the policy accepts it.
    """
    known = make_list([{"id": "one", kind: oracle(kind, np.asarray(scene(1)))}])
    engine = Screener(known, policy=Policy(alone=[kind] if KINDS[kind].weak else []))
    for name, turn in TURNS.items():
        result = engine.screen(np.ascontiguousarray(turn(np.asarray(scene(1)))))
        (match,) = result.matches
        undone = {"rotate90": "rotate270", "rotate270": "rotate90"}.get(name, name)
        assert (match.kind, match.distance, match.orientation) == (kind, 0, undone)
    assert engine.screen(scene(2)).verdict == Verdict.NO_MATCH
    hashed = hash_item(scene(1), policy=Policy(), kinds=[KINDS[kind]])
    assert {located.hash.kind.name for located in hashed.hashes} == {kind}
    assert [located.orientation for located in hashed.hashes] == list(ORIENTATIONS)
    assert all(located.hash.pixels == 1 for located in hashed.hashes)


def test_a_worker_has_the_memory_that_a_classic_hash_takes(make_list, scene, tmp_path):
    """Too little memory is refused before any file is opened; the minimum suffices. A list without
    such hashes needs none.
    """
    scene(1).save(tmp_path / "one.png")
    hashes = {kind: oracle(kind, np.asarray(scene(1))) for kind in ("phash", "whash")}
    known = make_list([{"id": "one"} | hashes])
    with pytest.raises(PolicyError, match="must be at least 201326592 bytes"):
        scan(Screener(known, policy=Policy(memory=128 << 20)), tmp_path / "one.png")
    engine = Screener(known, policy=Policy(memory=192 << 20))
    (result,) = scan(engine, tmp_path / "one.png", jobs=1)
    assert {match.kind for match in result.matches} == {"phash", "whash"}
    others = make_list([{"id": "one", "pdq": "01" * 32, "md5": "01" * 16}], name="others")
    scan(Screener(others, policy=Policy(memory=128 << 20)), tmp_path / "one.png").close()


def test_heavy_libraries_are_imported_when_first_used():
    """Screening by PDQ loads neither imagehash nor what it needs; its own kinds do."""
    code = (
        "import sys, numpy as np\n"
        "from screener.screening.input.hash_item import hash_item\n"
        "from screener.hashing.hash import KINDS\n"
        "from screener import Policy\n"
        "pixels = np.zeros((64, 64), np.uint8)\n"
        "for kind in ('pdq', 'phash', 'whash'):\n"
        "    hash_item(pixels, policy=Policy(), kinds=[KINDS[kind]])\n"
        "    print(*(name in sys.modules for name in ('imagehash', 'scipy', 'pywt')))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["False False False", "True True False", "True True True"]


def test_a_worker_loads_what_classic_hashes_take_before_its_first_picture():
    """SciPy's linear algebra never finishes loading if a picture has left it too little memory:
    such a file would be reported as too slow instead of too large.
    """
    code = """
import sys
from screener import Policy
from screener.screening.input.hasher import Hasher
from screener.hashing.hash import KINDS
before = "scipy.fftpack" in sys.modules
Hasher(Policy(), (KINDS["pdq"], KINDS["md5"])).start_session()
print(before, "scipy.fftpack" in sys.modules)
Hasher(Policy(), (KINDS["pdq"], KINDS["phash"])).start_session()
print("scipy.fftpack" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]
