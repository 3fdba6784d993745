"""Weak kinds: aHash, wHash, dHash and wHash256 make no match alone, whoever looks them up."""

import hashlib
import io
import json
from dataclasses import replace

import pytest
from command_process import screener
from hotline_case import item_of, make_desk, report_of, take
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from picture_bytes import png

from screener import Hash, HashCache, Match, Policy, Reason, Screener, Verdict, rescan, scan
from screener.hashing.hash import KINDS
from screener.hotline.model.report import Item
from screener.reporting.calibration.calibrate import calibrate
from screener.reporting.calibration.calibration_page import render_page
from screener.scanning.rescan import outdated
from screener.screening.input.hash_item import hash_item
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching.hits import InputHits
from screener.screening.video_rule.agreement import Agreement, Rule

WEAK = ["dhash", "ahash", "whash", "whash256"]
SCHEMA = json.loads((REPOSITORY / "docs/result.schema.json").read_text("utf-8"))


def texts(picture, *kinds):
    """The values of a picture, as a list's columns."""
    made = hash_item(picture, policy=Policy(), kinds=[KINDS[kind] for kind in kinds])
    return {
        one.hash.kind.name: one.hash.text
        for one in made.hashes
        if (one.orientation, one.region) == ("upright", "full")
    }


def told(result):
    """The kinds by which an input matched, and those of the uncorroborated hits beside them."""
    Draft202012Validator(SCHEMA).validate(json.loads(result.to_json()))
    assert all(hit.uncorroborated for hit in result.other_hits)
    return {hit.kind for hit in result.matches}, {hit.kind for hit in result.other_hits}


def test_the_kinds_that_cannot_bear_a_list_of_a_million_are_weak():
    """All others that are compared make a match alone, at their default radius."""
    assert [name for name, kind in KINDS.items() if kind.weak] == WEAK


@pytest.mark.parametrize("kind", WEAK)
def test_a_hit_of_a_weak_kind_makes_no_match(make_list, scene, kind):
    """It stands beside the verdict, with the reason; another entry's PDQ decides that."""
    rows = [{"id": "weak", **texts(scene(1), kind)}, {"id": "other", **texts(scene(2), "pdq")}]
    engine = Screener(make_list(rows))

    result = engine.screen(png(scene(1)))

    assert (result.verdict, told(result)) == (Verdict.NO_MATCH, (set(), {kind}))
    assert result.to_dict()["other_hits"][0]["uncorroborated"] is True
    (match,) = engine.screen(png(scene(2))).matches
    assert (match.entry, match.uncorroborated) == ("other", False)
    assert "uncorroborated" not in match.to_dict()


def test_weak_kinds_do_not_corroborate_each_other(make_list, scene):
    """Photos that are near by one of them are near by the others too: docs/radius.md."""
    rows = [{"id": "weak", **texts(scene(1), *WEAK)}, {"id": "other", **texts(scene(2), "pdq")}]

    result = Screener(make_list(rows)).screen(png(scene(1)))

    assert (result.verdict, told(result)) == (Verdict.NO_MATCH, (set(), set(WEAK)))


def test_a_list_of_weak_kinds_alone_clears_nothing(make_list, scene):
    """It can make no match, so that an input without a hit is not compared; the detail says why.
    Beside a list of PDQs it keeps others from being cleared, as one of PhotoDNA does.
    """
    weak = make_list([{"id": "one", **texts(scene(1), *WEAK)}], name="weak")
    sound = make_list([{"id": "one", **texts(scene(1), "pdq")}], name="sound")

    for picture in (scene(1), scene(2)):
        result = Screener(weak).screen(png(picture))
        assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)
        assert "a hit by ahash, dhash, whash, whash256 makes no match" in result.detail
    both = Screener([sound, weak])
    assert both.screen(png(scene(2))).reason == Reason.NOT_COMPARABLE
    assert both.screen(png(scene(1))).verdict == Verdict.MATCH


def test_an_entry_of_weak_kinds_in_a_list_of_pdqs_is_like_one_of_photodna(make_list, scene):
    """What was compared by PDQ is cleared, and `info` counts the entries that nothing matches."""
    rows = [
        {"id": "weak", **texts(scene(1), "ahash", "whash")},
        {"id": "more", **texts(scene(5), "dhash")},
        {"id": "both", **texts(scene(2), "ahash", "pdq")},
        {"id": "seed", **texts(scene(3), "ahash"), "status": "seed"},
    ]
    known = make_list(rows)

    assert Screener(known).screen(png(scene(4))).verdict == Verdict.NO_MATCH
    assert (known.info().by_weak, known.info().by_none) == (2, 0)
    told = [line.split() for line in screener("info", known.path).stdout.splitlines()]
    assert ["can", "be", "hit", "by", "weak", "kinds", "only,", "no", "match", "2"] in told


@pytest.mark.parametrize("strong", ["pdq", "phash", "md5"])
def test_another_kind_of_the_same_entry_corroborates(make_list, scene, strong):
    """By a digest every picture of the file; then the weak hit is part of the match."""
    data = png(scene(1))
    value = {"md5": hashlib.md5(data).hexdigest()} if strong == "md5" else texts(scene(1), strong)
    rows = [{"id": "one", **value, **texts(scene(1), "whash", "dhash")}]
    result = Screener(make_list(rows)).screen(data)

    assert told(result) == ({strong, "whash", "dhash"}, set())


def test_another_entry_or_source_does_not_corroborate(make_list, scene, tmp_path):
    """Each opinion stands for itself."""
    rows = [{"id": "weak", **texts(scene(1), "whash")}, {"id": "sound", **texts(scene(1), "pdq")}]
    known = make_list(rows)
    (tmp_path / "b.csv").write_text(f"id,pdq\nweak,{texts(scene(1), 'pdq')['pdq']}\n")
    known.import_file(tmp_path / "b.csv", source="b")
    result = Screener(known.refresh()).screen(png(scene(1)))

    assert told(result) == ({"pdq"}, {"whash"})
    assert {(hit.source, hit.entry) for hit in result.matches} == {("test", "sound"), ("b", "weak")}


@pytest.mark.parametrize("form", ["TIFF", "GIF"])
def test_another_picture_of_the_file_does_not_corroborate(make_list, scene, form):
    """The PDQ of one page or frame says nothing of the aHash of another."""
    pages = [scene(seed).convert("L") for seed in (1, 2)]
    data = io.BytesIO()
    pages[0].save(data, form, save_all=True, append_images=pages[1:], duration=1000)
    row = texts(pages[0], "pdq", "whash") | texts(pages[1], "ahash")
    result = Screener(make_list([{"id": "one", **row}])).screen(data.getvalue())

    assert told(result) == ({"pdq", "whash"}, {"ahash"})


@pytest.mark.parametrize(
    ("weak", "strong", "corroborated"),
    [([0], [0], True), ([1, 2], [2, 3], True), ([0, 1], [2, 3], False), ([3], [], False)],
)
@pytest.mark.parametrize("order", [1, -1])
def test_frames_of_a_video_corroborate_at_one_time(weak, strong, corroborated, order):
    """Whichever kind was looked up first, and however often either was seen."""
    frames = [
        LocatedHash(Hash(KINDS[kind], bytes(KINDS[kind].size)), part=second, time=float(second))
        for second in range(4)
        for kind in ("pdq", "ahash")
    ]
    seen = [one for one in frames if one.part in {"pdq": strong, "ahash": weak}[one.hash.kind.name]]
    found = InputHits(frames, video=True)
    for one in seen[::order]:
        kind = one.hash.kind.name
        hit = Match(
            "known", "demo", "one", "confirmed", kind, 0, KINDS[kind].radius, "upright", "full",
            one.part, "frame", one.time, (), uncorroborated=kind == "ahash",
        )  # fmt: skip
        found.add([hit], one)

    assert ("ahash" in {hit.kind for hit in found.summarize().matches}) is corroborated
    assert [hit.kind for hit in found.summarize().other_hits] == ["ahash"] * (not corroborated)


@pytest.mark.parametrize(("rule", "corroborated"), [(Rule.WHOLE, True), (Rule.ALIKE, False)])
def test_a_listed_video_corroborates_only_if_it_matches(rule, corroborated):
    """Pictures of it that are merely alike are no evidence for a weak kind."""
    frame = LocatedHash(Hash(KINDS["ahash"], bytes(8)))
    hit = Match("known", "demo", "one", "confirmed", "ahash", 0, 0, "upright", "full", 0, "frame",
                0.0, (), uncorroborated=True)  # fmt: skip
    agreement = Agreement(rule, 0, 5, 5, 5, 5, (0.0, 4.0), (0.0, 4.0))
    found = InputHits([frame], video=True)
    found.add([hit], frame)
    found.add_video(replace(hit, kind="vpdq", video=agreement, uncorroborated=False))

    assert ("ahash" in {one.kind for one in found.summarize().matches}) is corroborated


def test_the_policy_names_weak_kinds_that_match_alone(make_list, scene):
    """They then match, clear, and corroborate others; to name a radius for one does not suffice."""
    known = make_list([{"id": "one", **texts(scene(1), "ahash", "whash")}])
    alone = Screener(known, policy=Policy(alone=["whash"]))
    tuned = Screener(known, policy=Policy(radius={"whash": 1}))

    assert told(alone.screen(png(scene(1)))) == ({"ahash", "whash"}, set())
    assert alone.screen(png(scene(2))).verdict == Verdict.NO_MATCH
    assert tuned.screen(png(scene(1))).reason == Reason.NOT_COMPARABLE


def test_a_seed_by_a_weak_kind_says_so_too(make_list, scene):
    """Its state and its kind each keep it from making a match."""
    rows = [{"id": "one", **texts(scene(1), "pdq"), "status": "known_good"}]
    rows += [{"id": "two", **texts(scene(1), "ahash"), "status": "seed"}]
    hits = Screener(make_list(rows)).screen(png(scene(1))).other_hits

    assert {(hit.entry, hit.uncorroborated) for hit in hits} == {("one", False), ("two", True)}


def test_every_way_to_look_up_agrees(make_list, scene, tmp_path):
    """`screen`, `match`, `match_many`, `scan`, `rescan` and the exit code of the command; a cache
    serves whatever the policy says of weak kinds.
    """
    file = tmp_path / "one.png"
    scene(1).save(file)
    rows = [{"id": "weak", **texts(scene(1), *WEAK)}, {"id": "other", **texts(scene(2), "pdq")}]
    known = make_list(rows)
    engine, policy = Screener(known), Policy(alone=WEAK)
    hashes = [Hash.parse(kind, text) for kind, text in texts(scene(1), "pdq", *WEAK).items()]

    with HashCache.open(tmp_path / "kept") as cache:
        (scanned,) = scan(engine, file, jobs=1, cache=cache)
        (again,) = rescan(engine, cache)
        accepting = Screener(known, policy=policy)
        assert outdated(accepting, cache) == 0
        (accepted,) = rescan(accepting, cache)
    results = [engine.screen(file), engine.match(hashes), *engine.match_many([hashes])]
    for result in (*results, scanned, again):
        assert (result.verdict, told(result)) == (Verdict.NO_MATCH, (set(), set(WEAK)))
    assert told(accepted) == told(accepting.screen(file)) == (set(WEAK), set())
    (tmp_path / "policy.toml").write_text(f"alone = {WEAK}\n")
    call = ["scan", file, "--list", known.path, "-o", "-"]
    assert screener(*call).returncode == 0
    assert screener(*call, "--policy", tmp_path / "policy.toml").returncode == 1


def test_calibration_counts_what_a_weak_kind_would_match(make_list, scene, tmp_path):
    """As if it matched alone, so that an operator sees what accepting it costs; the figure for the
    policy as it is leaves it out.
    """
    (tmp_path / "album").mkdir()
    for seed in (1, 2):
        scene(seed).save(tmp_path / "album" / f"{seed}.png")
    known = make_list([{"id": "one", **texts(scene(1), "whash")}])

    (strict, loose) = (
        calibrate(known, tmp_path / "album", policy=policy)
        for policy in (Policy(), Policy(alone=["whash"]))
    )

    for made, weak in ((strict, True), (loose, False)):
        (curve,) = made.curves
        assert ([one.hits for one in curve.false_matches], curve.weak) == ([1], weak)
        assert (made.pictures, made.together.hits) == (2, 0 if weak else 1)
        assert ("make no match unless another kind" in render_page(made)) is weak
    said = screener("calibrate", known.path, "--benign", tmp_path / "album").stdout
    assert "never a match alone, but counted here as one: whash" in said


def test_a_hotline_takes_no_weak_hit_for_a_known_picture(make_list, scene, tmp_path):
    """A report is not joined to a case, nor shown as known, by a kind that is often wrong."""
    scene(1).save(tmp_path / "one.png")
    whole = item_of(tmp_path / "one.png")
    seen = tuple(one for one in whole.hashes if one.hash.kind.weak)
    weak = Item(whole.type, whole.is_clip, seen)
    trusted = make_list([{"id": "listed", **texts(scene(1), "ahash", "pdq")}], name="trusted")
    desk = make_desk(tmp_path / "hotline", trusted=[trusted.path])

    (first,), (second,) = (take(desk, report_of(item)) for item in (whole, weak))

    assert {one.kind for one in first.list_matches} == {"ahash", "pdq"}
    assert (second.status, second.list_matches) == ("new", ())
