"""The detail score: pictures that show nothing are never compared, and nearly all photos are."""

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageFilter

from screener import Policy, Screener, Verdict
from screener.hashing import classic, detail, pdq
from screener.hashing.hash import KINDS
from screener.lists.store.records import find_exclusion
from screener.media import opening
from screener.media.files.picture import Frame, Media, Picture
from screener.screening.input.hash_item import hash_item

PERCEPTUAL = [kind for kind in KINDS.values() if kind.perceptual]
EACH = 24  # drawn of each family


def greys(picture):
    """Return the pixels of a Pillow image as screening uses them: RGB or grey."""
    return np.asarray(picture.convert("L" if picture.mode == "L" else "RGB"))


def score(one):
    """The score that decides whether a hash is compared."""
    return min(one.hash.quality, one.detail)


def scores(pixels):
    """The score by which each kind is compared, as a screening has it."""
    found = hash_item(pixels, policy=Policy(), kinds=PERCEPTUAL).hashes
    whole = [one for one in found if (one.orientation, one.region) == ("upright", "full")]
    return {one.hash.kind.name: score(one) for one in whole}


@pytest.fixture(scope="module")
def drawn(plain):
    """Return pictures without detail, by name."""
    return {
        f"{family}-{seed}": plain.draw(family, seed)
        for family in plain.FAMILIES
        for seed in range(EACH)
    }


@pytest.fixture(scope="module")
def hashed(drawn):
    """Every hash of each of them, in all orientations."""
    return {
        name: hash_item(pixels, policy=Policy(), kinds=PERCEPTUAL).hashes
        for name, pixels in drawn.items()
    }


def bits_of(hashes):
    """Hashes as rows of bits."""
    values = np.frombuffer(b"".join(one.hash.value for one in hashes), np.uint8)
    return np.unpackbits(values.reshape(len(hashes), -1), axis=1).astype(np.float32)


def confused(hashed, *, floor):
    """The pairs of a picture and another that it would match by some kind: all that it is
    compared by, eight ways round, against the upright hashes of all, as a list made
    elsewhere, without scores, has them. PDQ's own quality is asked of both sides always.
    """
    pairs = set()
    for kind in PERCEPTUAL:
        of_kind = [
            (name, one)
            for name, hashes in hashed.items()
            for one in hashes
            if one.hash.kind == kind and (kind.name != "pdq" or one.hash.quality >= 50)
        ]
        asked = [(name, one) for name, one in of_kind if score(one) >= floor]
        listed = [(name, one) for name, one in of_kind if one.orientation == "upright"]
        listed = [(name, one) for name, one in listed if find_exclusion(one.hash) is None]
        if not asked:
            continue
        near, all_bits = bits_of([one for _, one in asked]), bits_of([one for _, one in listed])
        distances = near @ (1 - all_bits.T) + (1 - near) @ all_bits.T
        pairs |= {
            (kind.name, asked[row][0], listed[column][0])
            for row, column in np.argwhere(distances <= kind.radius)
            if asked[row][0] != listed[column][0]
        }
    return pairs


def test_none_of_the_drawn_pictures_matches_an_unrelated_one(hashed):
    """Blanks, gradients, stripes, checkerboards and text: by no kind, at its default floor and
    radius, does any find another, turned or mirrored; without the score hundreds do.
    """
    assert confused(hashed, floor=50) == set()
    without = confused(hashed, floor=0)
    assert {kind for kind, _, _ in without} >= {kind.name for kind in classic.CLASSIC}
    assert len(without) > 500


def test_other_drawn_pictures_match_no_unrelated_one_either(plainer):
    """The same families drawn differently, by which no floor was chosen: other sizes, periods,
    angles, shapes and fonts. Among them headings that, cut out of their page, met others by dHash,
    and lines of writing that, turned, met stripes by dHash256.
    """
    seeds = {family: list(range(8)) for family in plainer.FAMILIES}
    seeds["text"] += [30, 208, 305, 372, 571, 616, 729, 830, 906, 2147]
    seeds["checkerboard"] += [158, 199, 255, 268, 967, 2153]
    seeds["stripes"] += [22, 86, 206, 537, 617, 633, 784, 2039]
    seeds["blank"] += [406, 498]
    hashed = {
        f"{family}-{seed}": hash_item(
            plainer.draw(family, seed), policy=Policy(), kinds=PERCEPTUAL
        ).hashes
        for family, some in seeds.items()
        for seed in some
    }
    assert confused(hashed, floor=50) == set()
    assert len(confused(hashed, floor=0)) > 100


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("photos-fp-mini/clothing_83e646f09c.jpg", "photos-free/clothing_11.jpg"),
        (
            "robustness/image-png/bugfixes__issue_1825.png",
            "robustness/libgd/gdimagerotate__php_bug_65070.gif",
        ),
        ("robustness/pngsuite/f00n0g08.png", "robustness/pngsuite/f03n0g08.png"),
    ],
)
def test_pictures_of_full_detail_with_one_whash_are_refused(material, one, other):
    """Of two unrelated pictures of the reference material with the same wHash, one at least is not
    compared by it, whichever is screened and whichever is listed.
    """
    whash = KINDS["whash"]
    found = [
        [
            made
            for made in hash_item(material / name, policy=Policy(), kinds=[whash]).hashes
            if made.region == "full" and made.part == 0
        ]
        for name in (one, other)
    ]
    shared = {made.hash.value for made in found[0]} & {made.hash.value for made in found[1]}
    assert shared
    assert min(score(made) for some in found for made in some if made.hash.value in shared) < 50


CLASSIC_NEEDS = {"waves": 25.0, "texture": 230.0, "area": 0.3, "shades": 0.38, "tones": 0.12}
NEEDS = {
    "pdq": {"spread": 0.324, "area": 0.135, "tones": 0.0135},
    "whash": CLASSIC_NEEDS | {"spread": 0.435, "texture": 218.0, "shades": 0.25},
}


@pytest.mark.parametrize("kind", [kind.name for kind in PERCEPTUAL if kind.name != "vpdq"])
def test_the_score_is_the_least_of_what_matters_to_a_kind(kind):
    """The value of a measure that docs/internals/detail.md names is worth 50, half of it 25;
    measures that a kind does not use may be 0.
    """
    needs = NEEDS.get(kind, CLASSIC_NEEDS)

    def scored(**found):
        nothing = dict.fromkeys(("spread", "waves", "texture", "area", "shades", "tones"), 0.0)
        ample = {name: 9 * need for name, need in needs.items()}
        shown = type("Shown", (detail.Detail,), nothing | ample | found)
        return shown(np.zeros((8, 8), np.uint8)).score(KINDS[kind])

    assert scored() == 100
    for name, need in needs.items():
        assert [scored(**{name: need * share}) for share in (0, 0.515, 1.015, 1.515)] == [
            0, 25, 50, 75
        ], name  # fmt: skip


@pytest.mark.parametrize("scale", [1, 3])
def test_a_dithered_picture_is_judged_as_it_is_from_afar(scene, scale):
    """Its two tones are greys there, as in print and on fax. What is of two tones from afar too, or
    shows nothing, is refused by PDQ as ever, and so is either by the kinds that are not asked.
    """
    picture = scene(4).convert("L").resize((320 * scale, 240 * scale))
    dithered = np.asarray(picture.convert("1").convert("L"))
    halves, line = dithered.copy(), np.full_like(dithered, 255)
    halves[:], halves[:, : 150 * scale] = 255, 0
    line[100 * scale : 110 * scale] = dithered[100 * scale : 110 * scale]
    even = np.asarray(Image.new("L", picture.size, 100).convert("1").convert("L"))

    assert detail.Detail(dithered).tones == 0
    assert detail.Detail(dithered).score(KINDS["pdq"]) >= 50
    assert detail.Detail(dithered).score(KINDS["phash"]) == 0
    for refused in (halves, line, even, dithered[:60], dithered[:, :60]):
        assert detail.Detail(refused).score(KINDS["pdq"]) < 50


def test_the_shares_of_a_picture_are_told_apart():
    """Half of it one grey, a third another and smooth, and the rest noise."""
    shown = np.full((120, 120), 40, np.uint8)
    shown[60:100] = 90
    shown[100:] = np.random.default_rng(2).integers(100, 256, (20, 120))
    found = detail.Detail(shown)
    assert found.shades == pytest.approx(1 / 2, abs=0.03)
    assert found.tones == pytest.approx(1 / 6, abs=0.03)
    assert 0.1 < found.area < 0.4
    assert 0 < found.spread <= 1 < found.waves < found.texture


@pytest.mark.parametrize(
    ("lowered", "kinds"),
    [
        ("score", {kind.name for kind in classic.CLASSIC}),
        ("contrast_score", {kind.name for kind in classic.CLASSIC}),
        ("classic_pattern_scores", {kind.name for kind in classic.CLASSIC}),
        ("halves_score", {"whash"}),
    ],
)
def test_the_quality_of_a_classic_hash_is_the_least_of_its_scores(
    monkeypatch, scene, lowered, kinds
):
    """Whichever is low, in every orientation; the halves are those of a wHash of 64 bits."""
    of = detail.Detail if lowered == "score" else detail
    low = [7] * 8 if lowered == "classic_pattern_scores" else 7
    monkeypatch.setattr(of, lowered, lambda *_: low)
    made = classic.compute_orientations(np.asarray(scene(1)), classic.CLASSIC)
    assert {name for name, eight in made.items() if eight[0].quality == 7} == kinds
    assert all(one.quality == 7 for name in kinds for one in made[name])


def test_contrast_is_that_of_the_greys_that_a_hash_is_made_of():
    """Two greys on average from their mean are worth 50."""
    squares = np.indices((8, 8)).sum(axis=0) % 2 * 2.0
    assert [detail.contrast_score(100 + squares * most) for most in (0, 1, 2, 3, 9)] == [
        0, 25, 50, 75, 100
    ]  # fmt: skip
    one = np.zeros((8, 8))
    one[0, 0] = 8.0  # a single point makes no contrast
    assert detail.contrast_score(one) < 50


def test_the_halves_of_a_whash():
    """Two colours leave a gap between the halves, and equal squares leave it open which half they
    are in; an ordinary picture does neither.
    """
    ordinary = np.random.default_rng(8).permutation(64).reshape(8, 8) * 3.0
    assert detail.halves_score(ordinary) == 100
    assert detail.halves_score(np.where(ordinary > 94, ordinary + 60, ordinary)) < 50
    equal = ordinary.copy()
    equal[(ordinary > 84) & (ordinary < 105)] = 94.0
    assert detail.halves_score(equal) < 50
    equal[ordinary > 94] += 3  # which half they are in is no longer open
    assert detail.halves_score(equal) == 100
    for apart, score in ((0, 100), (22, 50), (23, 48)):
        lighter = np.where(ordinary > 94, ordinary + apart, ordinary)
        assert detail.halves_score(lighter) == score


@pytest.mark.parametrize("kind", [kind.name for kind in classic.CLASSIC])
def test_hashes_whose_rows_are_alike_are_not_compared(kind):
    """A hash that is the product of a row and a column is refused, noise is not: by the squared
    singular values of its bits.
    """
    rng = np.random.default_rng(9)
    side = 8 if KINDS[kind].bits == 64 else 16
    row, column = rng.integers(0, 2, (2, side))
    noise = [rng.bytes(side * side // 8) for _ in range(20)]
    few = (rng.random((20, side, side)) < 0.12) ^ row ^ column[:, np.newaxis]
    nearly = [np.packbits(one).tobytes() for one in few]
    products = [np.packbits(row ^ down[:, np.newaxis]).tobytes() for down in (column, 0 * column)]
    found = detail.classic_pattern_scores(KINDS[kind], [*products, *noise, *nearly])
    assert max(found[:2]) < 50 < min(found[2:22])
    needs = {"phash": 2.0, "phash256": 3.5, "dhash256": 1.6, "whash": 1.5}
    need = needs.get(kind, 1.25)
    for value, score in zip([*noise, *nearly], found[2:], strict=True):
        signs = np.unpackbits(np.frombuffer(value, np.uint8)).reshape(side, side) * 2.0 - 1
        squared = np.linalg.svd(signs, compute_uv=False) ** 2
        patterns = squared.sum() ** 2 / (squared**2).sum()
        assert score == min(100, int(50 * patterns / need + 1e-6))


def test_pdq_needs_the_score_too(plain):
    """PDQ's own quality lets a picture of two halves pass, and any two with the same edge are
    within its radius: the score refuses them.
    """
    upright = [
        hash_item(plain.draw("blank", seed), policy=Policy(), kinds=[KINDS["pdq"]]).hashes[0]
        for seed in (45, 52)
    ]
    assert min(one.hash.quality for one in upright) >= 50
    assert upright[0].hash.distance(upright[1].hash) <= 31
    assert max(score(one) for one in upright) < 50


def test_pictures_that_collide_at_distance_0_are_all_refused(hashed):
    """Of two drawn pictures with the same hash of a kind, neither is compared by that kind."""
    groups = {}
    for hashes in hashed.values():
        for one in hashes:
            if one.orientation == "upright":
                groups.setdefault((one.hash.kind, one.hash.value), []).append(score(one))
    shared = [scores for scores in groups.values() if len(scores) > 1]
    assert len(shared) > 20
    assert max(max(scores) for scores in shared) < 50


def test_blanks_gradients_and_stripes_are_too_little_detail(hashed):
    """None of them is compared by any kind."""
    compared = {
        (name, one.hash.kind.name)
        for name, hashes in hashed.items()
        for one in hashes
        if name.startswith(("blank", "gradient", "stripes")) and score(one) >= 50
    }
    assert compared == set()


def test_pages_of_text_are_refused_for_all_but_pdq(plain):
    """Classic kinds see only the margins of a page; PDQ distinguishes many pages."""
    pages = [detail.Detail(plain.draw("text", seed)) for seed in range(200)]
    assert {page.score(KINDS["phash"]) >= 50 for page in pages} == {False}
    assert sum(page.score(KINDS["pdq"]) >= 50 for page in pages) > 50


def test_a_picture_that_shows_nothing_is_unscreened(drawn, hashed, make_list):
    """A Screener returns `too_little_detail` for pictures on its own list, and no match."""
    some = [f"{family}-{seed}" for family in ("blank", "gradient", "stripes") for seed in (1, 2, 3)]
    upright = {name: [one for one in hashed[name] if one.orientation == "upright"] for name in some}
    known = make_list(
        [
            {"id": name} | {one.hash.kind.name: one.hash.text for one in upright[name]}
            for name in some
        ]
    )
    for name in some:
        result = Screener(known).screen(drawn[name])
        assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "too_little_detail")


def test_pdq_keeps_its_own_quality():
    """PDQ's recorded quality is the reference's, even if the picture is not compared."""
    pixels = np.zeros((200, 200), np.uint8)
    pixels[:, 100:] = 255
    bits, quality = pdqhash.compute(np.repeat(pixels[:, :, None], 3, axis=2))
    (first, *_) = hash_item(pixels, policy=Policy(), kinds=[KINDS["pdq"]]).hashes
    assert (first.hash.quality, first.hash.value) == (quality, np.packbits(bits).tobytes())
    assert first.hash.quality >= 50 > first.detail


def test_a_blurred_photo_is_compared_as_the_photo_is(material):
    """By PDQ, whose hash outlasts that: of photos blurred by five pixels those of enough quality,
    but for one in a hundred.
    """
    photos = sorted((material / "photos-fp-mini").glob("*"))
    blurred = [
        Image.open(path).convert("RGB").filter(ImageFilter.GaussianBlur(5)) for path in photos
    ]
    made = [hash_item(one, policy=Policy(), kinds=[KINDS["pdq"]]).hashes[0] for one in blurred]
    enough = [one.detail for one in made if one.hash.quality >= 50]
    assert len(enough) > 180
    assert sum(score < 50 for score in enough) <= len(enough) / 100


def test_the_patterns_of_a_hash():
    """The square of the sum of its bits' squared singular values, by that of their squares: one
    product of a row and a column has one, and random bits about eight.
    """
    rng = np.random.default_rng(3)
    row, column = rng.integers(0, 2, (2, 16))
    product = np.packbits(row ^ column[:, np.newaxis]).tobytes()
    noise = [rng.bytes(32) for _ in range(50)]
    found = detail.pattern_scores([product, *noise])
    for value, score in zip([product, *noise], found, strict=True):
        signs = np.unpackbits(np.frombuffer(value, np.uint8)).reshape(16, 16) * 2.0 - 1
        squared = np.linalg.svd(signs, compute_uv=False) ** 2
        assert score == min(100, int(50 * squared.sum() ** 2 / (squared**2).sum() / 3.15 + 1e-6))
    assert found[0] == int(50 / 3.15)
    assert min(found[1:]) >= 75


def test_a_floor_of_0_compares_everything(make_list):
    """A policy may turn the score off: then a half-black picture is found by its hash."""
    pixels = np.zeros((200, 200), np.uint8)
    pixels[:, 100:] = 255
    (first, *_) = hash_item(pixels, policy=Policy(), kinds=[KINDS["pdq"]]).hashes
    known = make_list([{"id": "half", "pdq": first.hash.text}])
    assert Screener(known).screen(pixels).reason == "too_little_detail"
    policy = Policy(floor={"pdq": 0})
    assert Screener(known, policy=policy).screen(pixels).verdict == Verdict.MATCH


def test_at_most_one_ordinary_photo_in_a_hundred_is_refused(material):
    """Over the reference photos, by each kind at its default floor."""
    photos = [*(material / "photos-free").glob("*.jpg"), *(material / "photos-fp-mini").glob("*")]
    refused = dict.fromkeys((kind.name for kind in PERCEPTUAL), 0)
    for path in photos:
        with Image.open(path) as photo:
            pixels = greys(photo)
        for kind, score in scores(pixels).items():
            refused[kind] += score < 50
    assert len(photos) > 300
    assert refused["pdq"] <= 1
    assert max(refused.values()) <= len(photos) / 100, refused


def whole(pixels):
    """PDQ of a picture as it stands, beside those of what its frame is round."""
    return hash_item(pixels, policy=Policy(), kinds=[KINDS["pdq"]]).hashes[0]


@pytest.mark.parametrize(("rows", "columns"), [(120, 0), (240, 0), (0, 160), (0, 320)])
def test_a_photo_between_bars_is_compared_as_the_photo_is(material, rows, columns):
    """Bars above and below or at the sides, as large as the photo in all or twice as large: a third
    would be refused for its bars, though no two of them come near each other.
    """
    photos, made, alone = sorted((material / "photos-fp-mini").glob("*"))[::4], [], 0
    for path in photos:
        with Image.open(path) as photo:
            pixels = np.asarray(photo.convert("L").resize((320, 240)))
        framed = np.pad(pixels, ((rows, rows), (columns, columns)))
        made.append(whole(framed))
        alone += detail.Detail(framed).score(KINDS["pdq"]) < 50

    assert sum(score(one) < 50 for one in made) <= 1
    bits = bits_of(made)
    apart = bits.sum(1)[:, None] + bits.sum(1) - 2 * bits @ bits.T
    assert apart[np.triu_indices(len(made), 1)].min() > 31
    assert alone > (len(photos) / 12 if rows + columns in (240, 320) else 0)


def test_a_frame_round_little_or_round_nothing_is_not_compared(scene, plain):
    """The hash of a small picture in a large frame is that of the frame; stripes between bars are
    stripes.
    """
    small = np.zeros((600, 800), np.uint8)
    small[250:350, 350:450] = np.asarray(scene(3, (100, 100)).convert("L"))
    assert score(whole(small)) < 50
    for family in ("blank", "gradient", "stripes"):
        shown = plain.draw(family, 3)
        bars = [(80, 80), (0, 0), (0, 0)][: shown.ndim]
        assert score(whole(np.pad(shown, bars))) < 50, family


def test_bars_do_not_make_up_for_a_picture_that_is_too_blurred(scene):
    """What they are round may have the detail and not the quality; and the hash of the whole, which
    has the quality for its bars, is as little compared.
    """
    for seed in range(3):
        blurred = scene(seed, (200, 200)).convert("L").filter(ImageFilter.GaussianBlur(11))
        pixels = np.asarray(blurred)
        assert pdq.compute(pixels).quality < 50 <= detail.Detail(pixels).score(KINDS["pdq"])

        framed = whole(np.pad(pixels, ((0, 0), (70, 70))))

        assert framed.hash.quality >= 50
        assert framed.detail < 50


def test_a_frame_is_as_detailed_as_any_part_that_it_is_round(scene, monkeypatch):
    """Of several that may be between bars, as a video's have, one may show nothing."""
    pixels = np.pad(np.asarray(scene(25, (200, 200)).convert("L")), ((0, 0), (230, 230)))
    frame = Frame(pixels, 0.0, 0, inner=(pixels[:, 230:430], pixels[:, :230]))
    picture = Picture(Media("image/png", 660, 200, 1), lambda: iter([frame]))
    monkeypatch.setattr(opening, "open", lambda *_, **__: picture)
    assert detail.Detail(pixels).score(KINDS["pdq"]) < 50

    assert score(whole(b"content")) >= 50


@pytest.mark.parametrize("size", [(320, 240), (97, 131), (40, 33), (129, 500)])
def test_turning_a_picture_does_not_change_its_measures(scene, size):
    """A picture that is compared upright is compared when it is turned or mirrored."""
    pixels = np.asarray(scene(3, size))
    upright = detail.Detail(pixels)
    for turned in (pixels[::-1], pixels[:, ::-1], np.rot90(pixels), pixels.swapaxes(0, 1)):
        found = detail.Detail(turned)
        for name in ("spread", "waves", "texture", "area", "shades", "tones"):
            assert getattr(found, name) == pytest.approx(getattr(upright, name), rel=1e-4), name


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (5, 7), (3, 3, 3)])
def test_pictures_of_any_shape_have_a_score(shape):
    """However small or narrow, there is a score, and a flat picture's is 0."""
    flat = detail.Detail(np.full(shape, 9, np.uint8))
    noise = detail.Detail(np.random.default_rng(1).integers(0, 256, shape, np.uint8))
    for kind in PERCEPTUAL:
        assert flat.score(kind) == 0
        assert 0 <= noise.score(kind) <= 100


def test_fine_patterns_that_shrink_to_grey_are_not_compared():
    """A pattern that is gone once shrunk has no contrast for a classic hash, whatever the points
    that were read of it.
    """
    noise = np.random.default_rng(5).integers(0, 2, (1024, 1024)).astype(np.uint8) * 255
    pixels = np.kron(noise[:512, :512], np.ones((2, 2), np.uint8))
    made = classic.compute_orientations(pixels, classic.CLASSIC)
    assert detail.Detail(pixels).texture > 230
    assert max(made[kind][0].quality for kind in ("ahash", "whash", "dhash")) < 50
