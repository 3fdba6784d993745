"""Edited copies are found by evidence, as far as the policy's effort asks, and nothing else is."""

import io
import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from archive_files import zipped
from drawn_videos import clip
from evidence_oracle import coefficients, in_code_order, probabilities, samples
from exif_blocks import exif_block
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from picture_bytes import png, saved, several
from PIL import Image, ImageDraw, ImageOps

from screener import HashCache, Policy, Screener, Verdict, rescan, scan
from screener.hashing import pdq
from screener.hashing.views import VIEWS_OF
from screener.screening.input.located_hash import list_weighed
from screener.screening.policy import Effort

SCHEMA = json.loads((REPOSITORY / "docs/result.schema.json").read_text("utf-8"))
THRESHOLD = 80


def pdq_row(picture, entry, **columns):
    """A row of a list with a picture's PDQ."""
    hash_ = pdq.compute(np.asarray(picture))
    return {"id": entry, "pdq": hash_.text, "quality": str(hash_.quality), **columns}


def crop(picture, share):
    """A picture without so much of each side, saved as JPEG."""
    width, height = picture.size
    x, y = int(width * share), int(height * share)
    return jpeg(picture.crop((x, y, width - x, height - y)))


def ticker(picture):
    """A picture with an opaque band of words at its foot, saved as JPEG."""
    copy, top = picture.copy(), picture.height * 4 // 5
    canvas = ImageDraw.Draw(copy)
    canvas.rectangle((0, top, *copy.size), fill="navy")
    canvas.text((10, top + 5), "some words", "white", font_size=copy.height // 9)
    return jpeg(copy)


def jpeg(picture):
    """Return a picture as JPEG."""
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=75)
    return stream.getvalue()


def screen_at(effort, hash_list, item, **settings):
    """The result at an effort, which keeps the schema."""
    result = Screener(hash_list, policy=Policy(effort=effort, **settings)).screen(item)
    Draft202012Validator(SCHEMA).validate(json.loads(result.to_json()))
    return result


@pytest.fixture
def photos(make_list, scene):
    """A list of the PDQs of twenty pictures."""
    return make_list([pdq_row(scene(number), f"P{number}") for number in range(20)])


def test_a_crop_is_found_by_views_alone(photos, scene):
    """The match names its evidence and the edit that was undone, and no distance."""
    copies = [crop(scene(number), 0.05) for number in range(20)]
    found = dict.fromkeys(Effort, 0)
    for effort in Effort:
        for number, copy in enumerate(copies):
            result = screen_at(effort, photos, copy)
            entries = {match.entry for match in result.matches}
            assert entries <= {f"P{number}"}
            found[effort] += bool(entries)
            assert result.effort == effort

    assert found[Effort.DISTANCE] == 0
    assert found[Effort.ALL] >= found[Effort.VIEWS] >= 18
    (match,) = screen_at("views", photos, copies[0]).matches
    assert (match.by, match.distance, match.radius) == ("evidence", None, None)
    assert match.evidence >= match.threshold == THRESHOLD
    assert match.view in {view.name for views in VIEWS_OF.values() for view in views}


def test_a_crop_of_a_picture_with_a_plain_margin_is_found(make_list, scene):
    """The margin may be the listed picture's own, as of goods on white: the whole has views too."""
    pictures = [ImageOps.expand(scene(number), 40, "white") for number in range(20)]
    known = make_list([pdq_row(one, f"P{number}") for number, one in enumerate(pictures)])
    found = 0
    for number, picture in enumerate(pictures):
        matches = screen_at("views", known, crop(picture, 0.05)).matches
        assert {match.entry for match in matches} <= {f"P{number}"}
        found += bool(matches)

    assert found >= 17


@pytest.mark.parametrize(("mirrored", "threshold"), [(False, 50), (True, 63)])
def test_a_crop_to_a_square_needs_less_evidence(make_list, scene, mirrored, threshold):
    """Much of the picture is missing, so a copy has less; no other picture has any."""
    pictures = [scene(number, (640, 480)) for number in range(20)]
    known = make_list([pdq_row(one, f"P{number}") for number, one in enumerate(pictures)])
    found = []
    for number, picture in enumerate(pictures):
        copy = picture.crop((80, 0, 560, 480))
        result = screen_at("views", known, jpeg(ImageOps.mirror(copy) if mirrored else copy))
        found += result.matches
        assert {match.entry for match in result.matches} <= {f"P{number}"}
    by_shape = [match for match in found if match.view == "uncrop 4:3 to 1:1"]
    assert len({match.entry for match in found}) >= 17
    assert by_shape
    assert all(match.evidence >= match.threshold == threshold for match in by_shape)


def test_a_negative_is_found(photos, scene):
    """Upright and mirrored; the match names the view."""
    for number in range(4):
        negative = ImageOps.invert(scene(number).convert("RGB"))
        for copy in (negative, ImageOps.mirror(negative)):
            (match,) = screen_at("views", photos, jpeg(copy)).matches
            assert (match.entry, match.view) == (f"P{number}", "negative")


@pytest.mark.parametrize(("side", "region"), [(480, "full"), (120, "enlarged")])
def test_one_region_of_a_picture_has_views(photos, scene, side, region):
    """Those of a small picture are made of its enlargement alone, and find the same copy."""
    copy = Image.open(io.BytesIO(crop(scene(3), 0.05)))
    copy.thumbnail((2 * side, side))
    item = Screener(photos, policy=Policy(effort="views")).hasher.hash(jpeg(copy))

    viewed = [group.region for group, columns in list_weighed(item.hashes) if columns.view_weights]
    assert viewed == [region]
    (match,) = screen_at("views", photos, jpeg(copy)).matches
    assert (match.entry, match.region, bool(match.view)) == ("P3", region, True)


def test_threads_find_the_same(photos, scene):
    """A scan searches with several."""
    engine = Screener(photos, policy=Policy(effort="views"))
    items = [engine.hasher.hash(crop(scene(number), 0.05)) for number in range(0, 24, 3)]

    alone, together = (list(engine.decide_if_sure(items, threads=count)) for count in (1, 3))
    assert together == alone
    assert [bool(result.matches) for result in alone] == [True] * 7 + [False]


def test_a_ticker_is_found_by_evidence_of_the_picture_as_it_is(photos, scene):
    """A view is not needed if the rest of the picture is where it was."""
    copies = [ticker(scene(number)) for number in range(20)]
    results = [screen_at("evidence", photos, copy) for copy in copies]
    matches = [match for result in results for match in result.matches]

    assert len(matches) >= 12
    assert any(match.by == "evidence" for match in matches)
    assert {match.view for match in matches} == {None}


@pytest.mark.parametrize("nearly", [False, True])
def test_a_hit_of_a_sketch_is_decided_by_the_exact_hash(make_list, scene, nearly):
    """Also if the sketch has less evidence than it takes, by a part of a bit."""
    photo = scene(3, (1600, 1200))
    hash_list = make_list([pdq_row(photo, "P"), pdq_row(scene(4), "Q")])
    screener = Screener(hash_list, policy=Policy(effort=Effort.EVIDENCE))
    edited = ticker(photo)
    sketch = replace(screener.hasher, sketches=True).hash(edited)
    assert any(group.doubts[0] for group, _ in list_weighed(sketch.hashes))
    (match,) = screener.screen(edited).matches
    if nearly:
        threshold = {"pdq": math.floor(match.evidence) + 1}
        screener = Screener(hash_list, policy=Policy(effort=Effort.EVIDENCE, evidence=threshold))

    assert list(screener.decide_if_sure([sketch])) == [None]
    assert (screener.screen(edited).verdict is Verdict.MATCH) == (not nearly)


@pytest.mark.parametrize(
    ("turn", "orientations"),
    [
        (ImageOps.mirror, {"views": {"flip_horizontal"}, "all": {"flip_horizontal"}}),
        (lambda one: one.rotate(90, expand=True), {"views": set(), "all": {"rotate270"}}),
        (ImageOps.flip, {"views": set(), "all": {"flip_vertical"}}),
    ],
)
def test_a_mirrored_crop_is_found_by_views_and_a_turned_one_by_all(
    photos, scene, turn, orientations
):
    """The match names the orientation and the view."""
    copies = [crop(turn(scene(number)), 0.05) for number in range(10)]
    for effort, expected in orientations.items():
        matches = [one for copy in copies for one in screen_at(effort, photos, copy).matches]
        assert {match.orientation for match in matches} == expected
        assert len(matches) >= 9 * len(expected)


def test_matches_by_distance_are_the_same_at_every_effort(photos, scene):
    """Evidence neither hides nor replaces them."""
    for number in range(20):
        results = [screen_at(effort, photos, png(scene(number))) for effort in Effort]
        assert results[0].matches
        assert all(result.matches == results[0].matches for result in results)


def test_another_list_is_searched_though_one_matched_by_distance(make_list, scene):
    """Each list's own entries count, so a match on one list does not end the search of another."""
    picture = scene(1)
    original = make_list([pdq_row(picture, "original")], name="original")
    copy = jpeg(picture.crop((int(0.05 * picture.width), 0, *picture.size)))
    listed_copy = make_list([pdq_row(Image.open(io.BytesIO(copy)), "copy")], name="copies")

    result = screen_at("views", [original, listed_copy], copy)

    assert [(match.list, match.by) for match in result.matches] == [
        ("copies", "distance"), ("original", "evidence"),
    ]  # fmt: skip


def test_evidence_is_that_of_its_definition(photos, scene):
    """An oracle in float64 has the same bits, but for rounding to sixteenths."""
    picture = ImageOps.grayscale(scene(3))
    listed = pdq.compute(np.asarray(scene(3)))
    edited = picture.copy()
    ImageDraw.Draw(edited).rectangle((0, 0, edited.width // 3, edited.height // 4), fill=255)
    luma = np.asarray(edited)

    ones = in_code_order(probabilities(coefficients(samples(luma)), 0))
    bits = np.unpackbits(np.frombuffer(listed.value, np.uint8))
    expected = np.log2(2 * np.where(bits == 1, ones, 1 - ones)).sum()
    result = screen_at("evidence", photos, luma, evidence={"pdq": 1}, radius={"pdq": 0})

    (match,) = [match for match in result.matches if match.entry == "P3"]
    assert match.evidence == pytest.approx(expected, abs=6)


def test_a_threshold_holds_for_its_list_and_can_be_off(photos, scene):
    """Below it there is no hit, not even one that is reported."""
    copy = crop(scene(2), 0.05)
    (match,) = screen_at("views", photos, copy).matches
    beyond = int(match.evidence) + 1

    assert not screen_at("views", photos, copy, evidence={"pdq": beyond + 60}).matches
    assert not screen_at("views", photos, copy, evidence={"pdq": False}).matches
    off = {"evidence": {"pdq": False}}
    assert not screen_at("views", photos, copy, lists={"known": off}).matches
    assert screen_at("views", photos, copy, lists={"other": off}).matches == (match,)


TURNS = [ImageOps.mirror, partial(Image.Image.rotate, angle=90, expand=True)]


@pytest.mark.parametrize("effort", ["evidence", "views"])
def test_a_turned_picture_needs_more_evidence_than_an_upright_one(make_list, scene, effort):
    """Many goods look like their mirror image. A list may ask for as much of both, or none."""
    known = make_list([pdq_row(scene(number), f"P{number}") for number in range(20)])
    low = {"evidence_turned": {"pdq": 80}}
    compared = 0
    for number in range(12):
        for turn in (Image.Image.copy, *TURNS):
            copy = ticker(turn(scene(number)))
            (hit,) = screen_at(effort, known, copy, lists={"known": low}).matches or [None]
            if hit is None or hit.evidence is None:
                continue
            upright = hit.orientation == "upright"
            assert hit.threshold == 80
            usual = screen_at(effort, known, copy).matches
            if upright or hit.evidence >= 100:
                assert [replace(match, threshold=80) for match in usual] == [hit]
                assert {match.threshold for match in usual} == {80 if upright else 100}
            else:
                # A view may have more than the picture as it is.
                assert all(match.view and match.evidence >= 100 for match in usual)
                compared += not usual
            off = screen_at(effort, known, copy, evidence_turned={"pdq": False}).matches
            assert bool(off) == upright
    assert compared > 2


def test_shadow_evidence_is_reported_and_makes_no_match(photos, scene):
    """So an operator can try evidence on real traffic first."""
    copy = crop(scene(2), 0.05)
    result = screen_at("views", photos, copy, shadow_evidence=True)

    assert (result.verdict, result.matches) == (Verdict.NO_MATCH, ())
    (hit,) = result.other_hits
    assert (hit.entry, hit.shadow) == ("P2", True)


@pytest.mark.parametrize(("status", "hits"), [("known_good", 0), ("seed", 1)])
def test_known_good_records_are_hit_by_distance_alone(make_list, scene, status, hits):
    """A seed's hit is reported, as one by distance is; neither makes a match."""
    known = make_list([pdq_row(scene(1), "one", status=status)])
    result = screen_at("views", known, crop(scene(1), 0.05))
    assert (result.matches, len(result.other_hits)) == ((), hits)


def test_an_archive_is_compared_by_its_members(photos, scene, tmp_path):
    """Each member as a file is; the archive itself has digests alone, which its line says."""
    members = {"1.jpg": crop(scene(1), 0.05), "words.txt": b"words"}
    (tmp_path / "a.zip").write_bytes(zipped(members))
    engine = Screener(photos, policy=Policy(effort="views"))
    crop_result, words, archive = scan(engine, [tmp_path / "a.zip"], jobs=1)

    assert [match.by for match in crop_result.matches] == ["evidence"]
    assert [result.effort for result in (crop_result, words, archive)] == [
        "views", "distance", "distance",
    ]  # fmt: skip


def test_a_list_of_digests_asks_for_no_pictures(make_list, scene):
    """Nothing is decoded, so nothing is weighed, whatever the effort."""
    digests = make_list([{"id": "one", "md5": "ab" * 16}])
    assert {screen_at(effort, digests, png(scene(1))).effort for effort in Effort} == {"distance"}


def test_a_blank_is_compared_by_distance_alone(photos):
    """It shows nothing that could be weighed."""
    result = screen_at("views", photos, png(Image.new("RGB", (320, 240))))
    assert (result.verdict, result.effort) == (Verdict.UNSCREENED, "distance")


def moving(kind, pictures):
    """A video or an animation of pictures, each shown for a second or a frame."""
    if kind == "video":
        return clip(pictures, rate=1)
    return several(pictures, "GIF", disposal=2)


@pytest.mark.parametrize("kind", ["video", "animation"])
def test_frames_are_weighed_as_they_are(photos, scene, kind):
    """Those of videos and animations have no views: there may be thousands."""
    covered = [Image.open(io.BytesIO(ticker(scene(number)))) for number in range(4)]
    copy = moving(kind, covered)
    results = {effort: screen_at(effort, photos, copy) for effort in Effort}

    assert {effort: result.effort for effort, result in results.items()} == {
        Effort.DISTANCE: "distance", Effort.EVIDENCE: "evidence", Effort.VIEWS: "evidence",
        Effort.ALL: "evidence",
    }  # fmt: skip
    assert results["evidence"].matches == results["views"].matches
    weighed = [match for match in results["views"].matches if match.by == "evidence"]
    assert len(weighed) >= 2
    for match in weighed:
        assert (match.view, match.entry) == (None, f"P{match.part}")
    assert {m.by for m in results["distance"].matches} <= {"distance"}

    cropped = [Image.open(io.BytesIO(crop(scene(number), 0.05))) for number in range(4)]
    assert not screen_at("views", photos, moving(kind, cropped)).matches


@pytest.mark.parametrize(("edit", "found"), [(ticker, True), (crop, False)])
def test_a_thumbnail_is_weighed_as_it_is(photos, scene, edit, found):
    """It has no views; those of the picture that it is hidden in are computed all the same."""
    edits = [edit(scene(n)) if edit is ticker else edit(scene(n), 0.05) for n in range(6)]
    efforts, matches = set(), []
    for copy in edits:
        result = screen_at("views", photos, saved(scene(90), "JPEG", exif=exif_block(jpeg=copy)))
        efforts.add(result.effort)
        matches += result.matches

    assert efforts == {"views"}
    assert bool(matches) == found
    assert {(match.part_kind, match.view) for match in matches} <= {("thumbnail", None)}
    assert any(match.by == "evidence" for match in matches) == found


def test_digests_only_looks_for_no_edits(photos, scene):
    """Nothing is decoded then, so there is nothing to weigh."""
    result = screen_at("views", photos, crop(scene(1), 0.05), digests_only=True)
    assert (result.matches, result.effort) == ((), "distance")


def test_scans_agree_and_a_cache_keeps_no_weights(photos, scene, tmp_path):
    """A `rescan` from a cache compares by distance, and its results say so."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(crop(scene(number), 0.05))
    engine = Screener(photos, policy=Policy(effort="views"))
    with HashCache.open(tmp_path / "cache") as cache:
        one = [replace(r, seconds=None) for r in scan(engine, [folder], jobs=1, cache=cache)]
        two = [replace(r, seconds=None) for r in scan(engine, [folder], jobs=2)]
        again = list(rescan(engine, cache, every=True))

    assert sum(bool(result.matches) for result in one) >= 5
    assert [(r.input, r.verdict, r.effort, r.matches) for r in one] == [
        (r.input, r.verdict, r.effort, r.matches) for r in two
    ]
    assert {result.effort for result in one} == {"views"}
    assert {(result.effort, result.verdict) for result in again} == {("distance", "no_match")}


@pytest.fixture(scope="module")
def drawn_plain(plain, screens):
    """Blanks, gradients, stripes, text pages, codes, charts, chats and articles."""
    return [
        module.draw(family, seed)
        for module in (plain, screens)
        for family in module.FAMILIES
        for seed in range(12)
    ]


def test_drawn_screens_and_plain_pictures_match_nothing_by_evidence(make_list, drawn_plain):
    """They look alike, but none is a copy of another."""
    known = make_list([pdq_row(picture, f"D{n}") for n, picture in enumerate(drawn_plain)])
    engine = Screener(known, policy=Policy(effort="views"))
    results = engine.screen_many(drawn_plain)
    assert any(result.effort == "views" for result in results)
    for result in results:
        assert not [match for match in result.matches if match.by == "evidence"]


def test_a_view_of_too_little_detail_hits_nothing(make_list, plainer):
    """The view of a checkerboard, itself detailed, has the few patterns of other drawings."""
    query, other = (plainer.draw("checkerboard", seed) for seed in (68, 27))
    known = make_list([pdq_row(other, "other")])
    assert screen_at("views", known, query, floor={"pdq": 0}).matches
    result = screen_at("views", known, query)
    assert (result.effort, result.matches, result.other_hits) == ("views", (), ())


def test_the_effort_is_distance_if_no_list_is_searched_by_evidence(make_list, scene):
    """Evidence that is off for the only list with PDQs is not weighed, whatever the effort."""
    digests = make_list([{"id": "D", "md5": "ab" * 16}], name="digests")
    known = make_list([pdq_row(scene(0), "P")])
    for effort in ("evidence", "views"):
        evidence_off = {"evidence": {"pdq": False}}
        for off in (evidence_off, {"lists": {"known": evidence_off}}):
            assert screen_at(effort, [known, digests], png(scene(1)), **off).effort == "distance"
    on_there = {"evidence": {"pdq": False}, "lists": {"known": {"evidence": {"pdq": 90}}}}
    assert screen_at("evidence", [digests, known], png(scene(1)), **on_there).effort == "evidence"
    assert Screener(known).screen(png(scene(1))).effort == "views"
    assert Screener(digests).screen(png(scene(1))).effort == "distance"


def test_settings_of_an_unknown_list_are_reported_once(photos, caplog):
    """It is a slip of the pen, or a policy that serves several calls, so it is no error."""
    policy = Policy(lists={"knwon": {"mode": "off"}, "known": {"evidence": {"pdq": 100}}})
    for _ in range(2):
        Screener(photos, policy=policy)
    (message,) = [record.getMessage() for record in caplog.records if "knwon" in record.message]
    assert "settings for a list 'knwon'" in message
    assert "(known)" in message
