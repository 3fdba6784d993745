"""Insets: parts of a picture that are hashed as pictures of their own."""

import numpy as np
import pytest
from drawn_videos import clip
from exif_blocks import exif_block
from picture_bytes import jpeg, png, several
from PIL import Image, ImageEnhance

import screener._core as _core
from screener import Policy
from screener.hashing import classic, pdq
from screener.media.image import insets, trim
from screener.screening.input import frame_hashes
from screener.screening.input.hash_item import hash_item
from screener.screening.input.located_hash import list_groups
from screener.screening.policy import Effort

KINDS = [pdq.PDQ, *classic.CLASSIC]
SIZE = (1000, 1400)


def _noise():
    """A ground that is no border."""
    height_and_width = SIZE[::-1]
    noise = np.random.default_rng(1).integers(0, 256, (*height_and_width, 3), np.uint8)
    return Image.fromarray(noise)


def collage(*pictures, ground=None):
    """Pictures below one another on another one, and their boxes."""
    drawn, boxes, top = (ground or _noise()).copy(), [], 40
    for picture in pictures:
        drawn.paste(picture, (40, top))
        boxes.append((40, top, 40 + picture.width, top + picture.height))
        top += picture.height + 40
    return drawn, boxes


@pytest.fixture
def propose(monkeypatch):
    """Have the search for insets propose some boxes, whatever it is given."""

    def use(*boxes):
        def find(pixels, *, limit, min_side):
            found = [
                insets.Inset(pixels[top:bottom, left:right], (left, top, right, bottom))
                for left, top, right, bottom in boxes
                if min(right - left, bottom - top) >= min_side
            ]
            return tuple(found[:limit])

        monkeypatch.setattr(frame_hashes, "find_insets", find)

    return use


def inset_groups(item, **policy):
    """The groups of an input's hashes that are of insets."""
    hashed = hash_item(item, policy=Policy(**policy), kinds=KINDS)
    assert hashed.error is None
    return [group for group in list_groups(hashed.hashes) if group.region == "inset"]


def boxes_of(item, **policy):
    """The boxes of an input's insets, in the order of their hashes."""
    return [group.box for group in inset_groups(item, **policy)]


def hashed_alone(picture):
    """The PDQs of a picture in all orientations."""
    return hash_item(picture, policy=Policy(insets=0), kinds=[pdq.PDQ]).hashes.groups[0]


def test_an_inset_has_the_hashes_of_its_own_pixels(scene, propose):
    """In eight orientations, with the quality and detail that the picture has alone, by PDQ."""
    pictures = [scene(1, (400, 300)), scene(2, (300, 420))]
    drawn, boxes = collage(*pictures)
    propose(*boxes)

    found = inset_groups(drawn)

    assert [group.box for group in found] == boxes
    for group, picture in zip(found, pictures, strict=True):
        alone = hashed_alone(picture)
        assert (group.kind, group.part, group.part_kind, group.time) == ("pdq", 0, "frame", 0.0)
        assert (group.values, group.qualities) == (alone.values, alone.qualities)
        assert (group.details, group.leasts) == (alone.details, alone.leasts)
        assert {located.box for located in group.split()} == {group.box}


@pytest.mark.parametrize("size", [(160, 120), (400, 192), (400, 193)])
def test_a_small_inset_is_hashed_at_twice_its_size_alone(scene, propose, size):
    """With a side of 192 pixels or fewer, as a small picture is beside its own size."""
    picture = scene(1, size)
    drawn, boxes = collage(picture)
    propose(*boxes)

    (group,) = inset_groups(drawn)

    hashed = hash_item(picture, policy=Policy(insets=0), kinds=[pdq.PDQ]).hashes
    region = "enlarged" if min(size) <= 192 else "full"
    alone = next(one for one in list_groups(hashed) if one.region == region)
    assert (group.values, group.details) == (alone.values, alone.details)
    assert group.box == boxes[0]


def test_a_strip_is_not_enlarged(scene, propose):
    """A line of letters across the screen costs as much as a photo otherwise."""
    picture = scene(1, (700, 150))
    drawn, boxes = collage(picture)
    propose(*boxes)

    (group,) = inset_groups(drawn)

    assert group.values == hashed_alone(picture).values


@pytest.mark.parametrize("size", [(400, 1023), (400, 1024), (380, 1300)])
def test_a_high_inset_is_hashed_by_some_of_its_rows(scene, propose, size):
    """From 1,024 rows on; few bits change."""
    picture = scene(1, size)
    drawn, boxes = collage(picture)
    propose(*boxes)

    (group,) = inset_groups(drawn)

    own, alone = (np.frombuffer(one.values, np.uint8) for one in (group, hashed_alone(picture)))
    changed = np.bitwise_count(own ^ alone).sum()
    assert (changed > 0) == (size[1] >= 1024)
    assert changed <= 20 * 8  # of eight orientations


def test_enlarging_doubles_rows_and_then_columns(scene):
    """Each pixel is three quarters of the nearest and a quarter of the next, rounded."""

    def doubled(pixels):
        near = np.repeat(pixels.astype(int), 2, axis=0)
        padded = np.pad(pixels.astype(int), ((1, 1), *[(0, 0)] * (pixels.ndim - 1)), "edge")
        others = np.empty_like(near)
        others[::2], others[1::2] = padded[:-2], padded[2:]
        return (3 * near + others + 2) // 4

    colour = np.asarray(scene(1, (31, 20)))
    for pixels in (colour, colour[..., 0], colour[::-2, ::3], colour[:1], colour[:, :1]):
        expected = doubled(doubled(pixels).swapaxes(0, 1)).swapaxes(0, 1)
        assert np.array_equal(_core.enlarge(pixels), expected)
    with pytest.raises(ValueError, match="pixels"):
        _core.enlarge(colour[:0])


def test_other_regions_come_first_and_stay_as_they_are(scene, propose):
    """An inset changes no hash of the whole, which has no box."""
    drawn, boxes = collage(scene(1, (400, 300)))
    propose(*boxes)

    with_insets, without = (
        list_groups(hash_item(drawn, policy=Policy(insets=most), kinds=KINDS).hashes)
        for most in (8, 0)
    )

    assert with_insets[: len(without)] == without
    assert [group.region for group in with_insets[len(without) :]] == ["inset"]
    assert {group.box for group in without} == {None}


def test_photos_on_a_page_are_found(scene):
    """By the search itself; each is an inset, or what is left of the page without its border."""
    photos = [scene(1, (400, 300)), scene(2, (420, 380)), scene(3, (500, 400))]
    drawn, _ = collage(*photos, ground=Image.new("RGB", SIZE, "white"))

    found = hash_item(drawn, policy=Policy(), kinds=[pdq.PDQ]).hashes

    for photo in photos:
        alone = pdq.compute(np.asarray(photo))
        assert min(alone.distance(located.hash) for located in found) <= 31


@pytest.mark.parametrize(
    ("most", "side", "count"), [(8, 96, 3), (2, 96, 2), (0, 96, 0), (8, 301, 1)]
)
def test_the_policy_bounds_number_and_size(scene, propose, most, side, count):
    """The shorter side counts."""
    drawn, boxes = collage(scene(1, (400, 300)), scene(2, (450, 320)), scene(3, (430, 290)))
    propose(*boxes)
    assert len(boxes_of(drawn, insets=most, inset_side=side)) == count


def test_without_pdq_no_inset_is_looked_for(scene, monkeypatch):
    """It would cost time and be compared with nothing."""
    monkeypatch.setattr(frame_hashes, "find_insets", lambda *_, **__: pytest.fail("looked for"))
    drawn, _ = collage(scene(1, (400, 300)))
    assert hash_item(drawn, policy=Policy(), kinds=classic.CLASSIC).error is None


@pytest.mark.parametrize("change", [0, 1, 5, 8])
def test_an_inset_that_equals_another_region_is_left_out(scene, propose, change):
    """The whole, or the part inside a border; also if it is a hundredth larger or smaller."""
    bordered = Image.new("RGB", (700, 600), "black")
    bordered.paste(scene(1, (600, 500)), (50, 50))
    (view,) = trim.find_unframed(np.asarray(bordered))
    assert view.shape == (500, 600, 3)
    whole, inner = (0, 0, 700, 600), (50, 50, 650, 550)
    smaller = [(box[0] + change, *box[1:3], box[3] - change) for box in (whole, inner)]
    propose(*smaller)

    assert boxes_of(bordered) == [box for box in smaller if change > (box[3] - box[1]) // 100]


@pytest.mark.parametrize("effort", Effort)
@pytest.mark.parametrize("what", ["blank", "gradient", "faint", "photo"])
def test_an_inset_that_shows_too_little_is_left_out(scene, propose, effort, what):
    """A button is compared with nothing at any effort. Of a faint photo the quality decides later,
    by the policy's floor.
    """
    part = {
        "blank": Image.new("RGB", (400, 300), "navy"),
        "gradient": Image.linear_gradient("L").resize((400, 300)),
        "faint": ImageEnhance.Contrast(scene(1, (400, 300))).enhance(0.15),
        "photo": scene(1, (400, 300)),
    }[what]
    drawn, boxes = collage(part)
    propose(*boxes)
    alone = hashed_alone(part)
    has_detail = max(alone.details) >= 50
    assert has_detail == (what in ("faint", "photo"))
    assert boxes_of(drawn, effort=effort) == boxes * has_detail


def test_an_inset_that_is_mostly_ground_has_no_evidence(scene, propose):
    """As texts and keyboards are, which share most bits; it is compared by distance."""
    text = Image.new("RGB", (400, 300), "white")
    text.paste(scene(1, (190, 290)), (5, 5))
    drawn, boxes = collage(text, scene(2, (400, 300)))
    propose(*boxes)

    for effort in (Effort.EVIDENCE, Effort.VIEWS):
        groups = inset_groups(drawn, effort=effort)
        assert [group.box for group in groups] == boxes
        assert [group.evidence is not None for group in groups] == [False, True]


@pytest.mark.parametrize("effort", Effort)
def test_an_inset_has_the_evidence_of_the_effort(scene, propose, effort):
    """And views, as its edge may be some pixels off."""
    drawn, boxes = collage(scene(1, (400, 300)))
    propose(*boxes)

    (group,) = inset_groups(drawn, effort=effort)

    assert (group.evidence is not None) == (effort is not Effort.DISTANCE)
    assert bool(group.evidence and group.evidence.view_ceilings) == (effort.view_orientations > 0)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize(
    ("count", "parts"),
    [(1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (5, [0, 2, 4]), (12, [0, 3, 6, 9])],
)
def test_at_most_four_frames_that_move_have_insets(scene, propose, format, count, parts):
    """Evenly spread: an animation has hundreds of frames, and one of two is as good as a still."""
    frames = [scene(number, (500, 400)) for number in range(count)]
    propose((40, 40, 440, 340))

    found = inset_groups(several(frames, format, duration=100))

    assert [group.part for group in found] == parts
    assert {group.box for group in found} == {(40, 40, 440, 340)}


def test_the_pages_of_a_file_have_as_many_insets_as_eight_pictures(scene, propose):
    """Later pages are compared as wholes."""
    pages = [scene(number, (500, 400)) for number in range(11)]
    boxes = [(40, 40, 440, 340), (20, 20, 300, 300), (100, 100, 480, 380)]
    propose(*boxes)

    found = inset_groups(several(pages, "TIFF"), insets=3)

    assert [group.part for group in found] == [part for part in range(8) for _ in boxes]


def test_frames_of_a_video_have_no_insets(scene, propose):
    """Nor have those of the clip behind a motion photo, which has some itself."""
    video = clip([scene(number, (480, 400)) for number in range(3)])
    propose((40, 40, 440, 340))

    assert boxes_of(video) == []
    assert {group.part_kind for group in inset_groups(jpeg(scene(9, (600, 400))) + video)} == {
        "frame"
    }


def test_pages_have_insets_and_thumbnails_have_none(scene, propose):
    """The pages of a TIFF, by their numbers, and those of a document, which are hidden pictures."""
    pages = [scene(number, (600, 500)) for number in (1, 2)]
    propose((40, 40, 440, 340))

    assert [group.part for group in inset_groups(several(pages, "TIFF"))] == [0, 1]
    document = b"%PDF-1.4\n" + jpeg(pages[0]) + b"\n%%EOF"
    hashed = hash_item(document, policy=Policy(), kinds=[pdq.PDQ])
    assert [(group.region, group.part_kind) for group in list_groups(hashed.hashes)] == [
        ("full", "appended"),
        ("inset", "appended"),
    ]

    block = exif_block(jpeg=jpeg(pages[1]))
    hashed = hash_item(jpeg(pages[0], exif=block), policy=Policy(), kinds=[pdq.PDQ])
    assert [(group.region, group.part_kind) for group in list_groups(hashed.hashes)] == [
        ("full", "frame"),
        ("inset", "frame"),
        ("full", "thumbnail"),
    ]


def test_boxes_are_those_of_the_upright_picture(scene, propose):
    """As a viewer turns it."""
    picture = scene(1, (400, 300))
    drawn, boxes = collage(picture)
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer turns it clockwise
    propose(*boxes)

    (group,) = inset_groups(png(drawn.transpose(Image.Transpose.ROTATE_90), exif=exif))

    assert group.values == hashed_alone(picture).values
    assert group.box == boxes[0]


def test_a_transparent_page_has_insets_beside_its_grounds(scene, propose):
    """A page in colour and its other grounds, which are grey, are compared as views of pixels."""
    drawn, boxes = collage(scene(1), scene(2))
    drawn.putalpha(255)
    drawn.paste((0, 0, 0, 0), (0, 0, drawn.width, 16))
    propose(*boxes)
    assert [group.box for group in inset_groups(png(drawn))] == boxes
    regions = {
        group.region
        for group in list_groups(hash_item(png(drawn), policy=Policy(), kinds=KINDS).hashes)
    }
    assert {"full", "on_black", "on_mean", "without_alpha", "inset"} <= regions


def test_lack_of_memory_for_insets_loses_no_hash_of_the_whole(scene, monkeypatch):
    """The whole may match; otherwise the input is unscreened."""
    picture = scene(1, (600, 400))
    whole = hash_item(picture, policy=Policy(insets=0), kinds=KINDS)

    def find(pixels, *, limit, min_side):
        raise MemoryError

    monkeypatch.setattr(frame_hashes, "find_insets", find)
    hashed = hash_item(picture, policy=Policy(), kinds=KINDS)

    assert hashed.hashes == whole.hashes
    assert (hashed.error.reason, whole.error) == ("too_large", None)


def test_a_rectified_inset_is_no_copy_of_the_region_in_its_box(scene, monkeypatch):
    """Its pixels are others, though its box may be the whole picture."""
    rectified, box = np.asarray(scene(2, (400, 300))), (0, 0, 600, 400)
    found = (insets.Inset(rectified, box),)
    monkeypatch.setattr(frame_hashes, "find_insets", lambda *_, **__: found)

    (group,) = inset_groups(scene(1, (600, 400)))

    assert group.values == hashed_alone(Image.fromarray(rectified)).values
    assert group.box == box
