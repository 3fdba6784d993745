"""Calibration by evidence: its counts are those of scans at each threshold."""

import hashlib
import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from command_process import screener
from PIL import Image

from screener import Policy, Screener, scan
from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.media.archives.archive import Budget
from screener.reporting.calibration.calibrate import calibrate
from screener.reporting.calibration.calibration_page import render_page
from screener.reporting.calibration.edits import EDITS
from screener.reporting.calibration.recall import EditDistances, EditingJob
from screener.screening.input.hash_item import hash_item
from screener.screening.input.hasher import HashMode, Target

THRESHOLDS = (40, 60, 80, 100, 120, 140, 160)
CROPS = {0: 0, 1: 0.02, 2: 0.02, 3: 0.03, 4: 0.04, 5: 0.05, 6: 0.05, 7: 0.07}


def crop(picture, share):
    """A picture without so much of each side."""
    width, height = picture.size
    x, y = int(width * share), int(height * share)
    return picture.crop((x, y, width - x, height - y))


def pdq_row(picture, entry, **columns):
    """A row of a list with a picture's PDQ."""
    hash_ = pdq.compute(np.asarray(picture))
    return {"id": entry, "pdq": hash_.text, "quality": str(hash_.quality), **columns}


@pytest.fixture(scope="module")
def benign(scene, tmp_path_factory):
    """A folder of crops, an unrelated picture and one without detail."""
    folder = tmp_path_factory.mktemp("benign")
    for number, share in CROPS.items():
        crop(scene(number), share).save(folder / f"{number}.jpg", quality=75)
    scene(90).save(folder / "other.png")
    Image.new("L", (300, 300), 9).save(folder / "blank.png")
    return folder


@pytest.fixture
def photos(make_list, scene):
    """A list of the PDQs of the whole pictures."""
    return make_list([pdq_row(scene(number), f"P{number}") for number in CROPS])


def count_matches(hash_list, folder, policy):
    """The pictures that a scan matches by evidence, one by one."""
    results = scan(Screener(hash_list, policy=policy), [folder], jobs=1)
    return sum(any(match.by == "evidence" for match in result.matches) for result in results)


def hits_by_threshold(curve):
    """The false matches at THRESHOLDS."""
    return [curve.false_matches[bits - curve.first].hits for bits in THRESHOLDS]


@pytest.mark.parametrize("effort", ["evidence", "views"])
def test_counts_are_those_of_scans_at_each_threshold(photos, benign, effort):
    """A picture of some evidence as it is may have more by a view, which a scan at a low threshold
    does not look for, and one at a higher threshold finds.
    """
    policy = Policy(effort=effort)
    made = calibrate(photos, benign, policy=policy)
    curve = made.evidence

    expected = [
        count_matches(photos, benign, replace(policy, evidence={"pdq": bits}))
        for bits in THRESHOLDS
    ]
    assert hits_by_threshold(curve) == expected
    assert expected[0] > expected[-1]
    assert (curve.effort, curve.threshold, curve.first) == (effort, 80, 40)
    assert {count.cases for count in curve.false_matches} == {made.pictures} == {len(CROPS) + 2}
    shares = [count.share for count in curve.false_matches]
    assert shares == sorted(shares, reverse=True)
    by_distance = made.curves[0].false_matches[-1].hits
    assert made.together.hits == len(made.matching) == by_distance + hits_by_threshold(curve)[2]


def test_some_pictures_have_evidence_as_they_are_and_more_by_a_view(photos, benign):
    """So the counts above need both stages of each picture."""
    policy = Policy(effort="views", evidence={"pdq": 40})
    low = scan(Screener(photos, policy=policy), [benign], jobs=1)
    high = scan(Screener(photos, policy=replace(policy, evidence={"pdq": 120})), [benign], jobs=1)
    views = {r.input: {match.view for match in r.matches} for r in low}
    assert any(views[r.input] == {None} and r.matches and r.matches[0].view for r in high)


def test_at_effort_distance_nothing_is_added(photos, benign):
    """Neither in Python, nor in JSON, nor on the page."""
    made = calibrate(photos, benign, policy=Policy(effort="distance"))
    assert made.evidence is None
    assert "evidence" not in made.to_dict()
    assert "evidence" not in render_page(made)


@pytest.mark.parametrize(
    ("settings", "threshold", "together"),
    [
        ({"lists": {"known": {"evidence": {"pdq": 120}}}}, 120, True),
        ({"evidence": {"pdq": False}}, None, False),
        ({"shadow_evidence": True}, 80, False),
        ({"evidence": {"pdq": 30}}, 30, True),
        ({"evidence": {"pdq": 200}}, 200, False),
    ],
)
def test_the_policy_marks_its_threshold_and_decides_what_matches(
    photos, benign, settings, threshold, together
):
    """The curve is the same, but reaches a threshold beyond its ends."""
    usual = calibrate(photos, benign, policy=Policy(effort="views"))
    made = calibrate(photos, benign, policy=Policy(effort="views", **settings))
    curve = made.evidence

    assert curve.threshold == threshold
    assert curve.first == (30 if threshold == 30 else 40)
    assert hits_by_threshold(curve) == hits_by_threshold(usual.evidence)
    assert len(curve.false_matches) == {30: 131, 200: 161}.get(threshold, 121)
    by_distance = made.curves[0].false_matches[-1].hits
    added = curve.false_matches[threshold - curve.first].hits if together else 0
    assert made.together.hits == by_distance + added
    assert (added > 0) is together


def test_what_makes_no_false_match_by_distance_makes_none_by_evidence(make_list, scene, benign):
    """Seeds and known-good entries are no matches; files listed by a digest are counted apart."""
    digest = hashlib.sha256((benign / "6.jpg").read_bytes()).hexdigest()
    known = make_list(
        [
            pdq_row(scene(3), "seed", status="seed"),
            pdq_row(scene(4), "good", status="known_good"),
            pdq_row(scene(5), "one"),
            pdq_row(scene(6), "listed", sha256=digest),
        ]
    )
    made = calibrate(known, benign, policy=Policy(effort="views"))
    assert (made.listed, made.pictures) == (1, len(CROPS) + 1)
    assert [count.hits for count in made.evidence.false_matches[:41]] == [1] * 41
    assert made.together.hits == 1


def test_a_hit_of_a_weak_kind_hides_no_match_by_evidence(make_list, scene, benign):
    """In a large list nearly every picture has such hits, which match nothing alone."""
    hashed = hash_item(str(benign / "5.jpg"), policy=Policy(), kinds=[KINDS["dhash"]])
    weak = {"id": "weak", "dhash": hashed.hashes[0].hash.text}
    known = make_list([pdq_row(scene(5), "one"), weak])
    made = calibrate(known, benign, policy=Policy(effort="views"))

    dhash = next(curve for curve in made.curves if curve.kind == "dhash")
    assert (dhash.false_matches[0].hits, dhash.weak) == (1, True)
    assert made.evidence.false_matches[40].hits == 1
    assert made.together.hits == 1


def test_a_list_without_pdqs_has_no_curve_by_evidence(make_list, benign):
    """Only PDQ has evidence."""
    known = make_list([{"id": "far", "phash": "0123456789abcdef"}])
    assert calibrate(known, benign, policy=Policy(effort="views")).evidence is None


def test_evidence_of_edited_forms_is_that_of_a_search(make_list, scene, tmp_path):
    """Of all orientations and views, as a scan of the form finds it, in whole bits."""
    policy = Policy(effort="views", evidence={"pdq": 1}, radius={"pdq": 0}, shadow_evidence=True)
    scene(11).save(tmp_path / "a.png")
    engine = Screener(make_list([pdq_row(scene(11), "one")]), policy=policy)
    job = EditingJob(policy, (KINDS["pdq"],), "known")
    answer = job.run(Target(str(tmp_path / "a.png")), Budget(1, 1), HashMode.EXACT)

    assert set(answer) == {"pdq", "evidence"}
    compared = 0
    for name, edit in EDITS.items():
        result = engine.screen(edit(scene(11)))
        if not result.matches:  # a match by distance ends the search
            (hit,) = result.other_hits
            assert answer["evidence"][name] == int(hit.evidence), name
            compared += 1
    assert compared > 5


def test_forms_are_found_again_by_distance_or_evidence():
    """A form without evidence counts if its PDQ is within the radius; each of the two suffices."""
    distances = EditDistances([KINDS["pdq"]])
    names = list(EDITS)
    by_edit = dict.fromkeys(names, 50) | {names[0]: 31, names[1]: None}
    evidence = dict.fromkeys(names, 79) | {names[0]: None, names[1]: 80, names[2]: -9}
    distances.add({"pdq": by_edit, "evidence": evidence})
    distances.add({"pdq": dict.fromkeys(names, 32), "evidence": dict.fromkeys(names)})
    forms = distances.weigh_forms(31)

    assert forms.shape == (2, len(EDITS))
    assert (forms >= 80).sum() == 2
    assert (forms >= 79).sum() == len(EDITS) - 1
    assert (forms >= 256).sum() == 1


def test_recall_falls_with_the_threshold(photos, benign):
    """It is never below that of PDQ at the policy's radius."""
    made = calibrate(photos, benign, policy=Policy(effort="views"), edits=True, jobs=2)
    curve, (by_distance,) = made.evidence, made.curves
    shares = [count.share for count in curve.recall]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] >= by_distance.recall[by_distance.radius].share
    assert {count.cases for count in curve.recall} == {made.edited * len(EDITS)}
    own = curve.recall[curve.threshold - curve.first]
    assert own.hits == sum(count.hits for count in curve.by_edit.values())
    assert set(curve.by_edit) == set(EDITS)


def test_page_and_command_show_each_ten_bits(photos, benign, tmp_path):
    """With bounds, the policy's threshold marked; the page is well formed and names no edit."""
    (tmp_path / "policy.toml").write_text("[evidence]\npdq = 85\n")
    call = ["calibrate", photos.path, "--benign", benign, "--effort", "views", "--jobs", "1"]
    call += ["--policy", tmp_path / "policy.toml", "-o", tmp_path / "page.html"]
    done = screener(*call)
    assert done.returncode == 0, done.stderr
    added = done.stdout.split("matches that evidence adds, effort views:")[1]
    lines = [line.split() for line in added.splitlines() if line.startswith("pdq")]
    assert [line[1] for line in lines] == [
        *("40", "50", "60", "70", "80", "85*", "90", "100", "110", "120", "130", "140", "150"),
        "160",
    ]
    assert "* the policy's threshold" in added

    curve = json.loads(screener(*call[:-2], "--json").stdout)["evidence"]
    assert [int(line[2]) for line in lines] == [
        curve["false_matches"][int(line[1].strip("*")) - curve["first"]]["hits"] for line in lines
    ]
    page = (tmp_path / "page.html").read_text()
    ElementTree.fromstring(page.removeprefix("<!doctype html>"))
    assert "pdq by evidence, effort views" in page
    assert page.count("<svg") == 2
    assert '<tr class="own"><td>85</td>' in page
    assert ".jpg" not in page
