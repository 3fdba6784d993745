"""The mode and the radius of a list: what it finds, what makes a match, what clears an input."""

import json
import pickle

import numpy as np
import pytest
from clips import clip, scenes, value_of
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from picture_bytes import png

from screener import Hash, HashCache, HashList, Policy, Reason, Screener, Verdict, rescan, scan
from screener.errors import PolicyError
from screener.hashing import digest, pdq
from screener.hashing.hash import KINDS
from screener.screening.input.hash_item import hash_item
from screener.screening.list_policy import ListPolicy, Mode

SCHEMA = json.loads((REPOSITORY / "docs/result.schema.json").read_text("utf-8"))
SHADOW, OFF = {"mode": "shadow"}, {"mode": "off"}


def row(picture, entry, **columns):
    """A row with a picture's PDQ and SHA-256."""
    _, _, sha256 = digest.compute(png(picture))
    return {"id": entry, "pdq": pdq.compute(np.asarray(picture)).text, "sha256": sha256.text}


@pytest.fixture
def known(make_list, scene):
    """A list of one picture."""
    return make_list([row(scene(0), "K")])


@pytest.fixture
def more(make_list, scene):
    """A list of another picture."""
    return make_list([row(scene(1), "M")], name="more")


def screener_of(*lists, **settings):
    """A Screener with settings for single lists."""
    return Screener(lists, policy=Policy(lists=settings))


def outcome(result):
    """Verdict, entries of matches and of other hits, and modes; the line keeps the schema."""
    line = json.loads(result.to_json())
    Draft202012Validator(SCHEMA).validate(line)
    assert line == json.loads(json.dumps(result.to_dict()))
    assert all(hit.shadow for hit in result.other_hits)
    assert not any(hit.shadow for hit in result.matches)
    return (
        str(result.verdict),
        {hit.entry for hit in result.matches},
        {hit.entry for hit in result.other_hits},
        {state["name"]: state.get("mode", "enforce") for state in line["lists"]},
    )


def test_a_list_in_shadow_reports_and_makes_no_match(known, more, scene):
    """Its hits stand beside the verdict, which the other list decides."""
    engine = screener_of(known, more, known=SHADOW)
    modes = {"known": "shadow", "more": "enforce"}

    assert outcome(engine.screen(png(scene(0)))) == ("no_match", set(), {"K"}, modes)
    assert outcome(engine.screen(png(scene(1)))) == ("match", {"M"}, set(), modes)
    assert outcome(engine.screen(png(scene(2)))) == ("no_match", set(), set(), modes)
    hashes = [Hash.parse("pdq", row(scene(0), "")["pdq"])]
    assert outcome(engine.match(hashes)) == ("no_match", set(), {"K"}, modes)


def test_a_list_that_is_off_is_not_searched(known, more, scene):
    """Neither its hits nor its kinds of hashes are there, and its age does not matter."""
    engine = screener_of(known, more, known=OFF)
    modes = {"known": "off", "more": "enforce"}

    assert outcome(engine.screen(png(scene(0)))) == ("no_match", set(), set(), modes)
    assert outcome(engine.screen(png(scene(1)))) == ("match", {"M"}, set(), modes)
    assert outcome(engine.match([Hash.parse("pdq", row(scene(0), "")["pdq"])]))[2] == set()
    assert [one.name for one in engine.searched] == ["more"]


def test_only_an_enforced_list_clears(known, make_list, scene):
    """Lists in shadow or off clear no input, and need no comparison for `no_match`."""
    digests = make_list([{"id": "D", "md5": "ab" * 16}], name="digests")
    hashes = [Hash.parse("pdq", row(scene(2), "")["pdq"])]
    for mode in (SHADOW, OFF):
        # Nothing that was compared can match.
        for engine in (screener_of(known, known=mode), screener_of(known, digests, known=mode)):
            for result in (engine.screen(png(scene(2))), engine.match(hashes)):
                assert outcome(result)[:3] == ("unscreened", set(), set())
                assert result.reason is Reason.NOT_COMPARABLE
        # The other list can compare no picture, which does not matter now.
        engine = screener_of(known, digests, digests=mode)
        assert engine.screen(png(scene(2))).verdict is Verdict.NO_MATCH
        assert engine.match(hashes).verdict is Verdict.NO_MATCH
    everything = screener_of(known, digests)
    assert everything.screen(png(scene(2))).reason is Reason.NOT_COMPARABLE


def test_a_list_in_shadow_without_another_reports_hits(known, scene):
    """An input that it would match is not screened, as is every other."""
    result = screener_of(known, known=SHADOW).screen(png(scene(0)))
    assert outcome(result)[:3] == ("unscreened", set(), {"K"})
    assert result.detail == "the policy has every list in shadow or off, so nothing can match"


def test_known_files_do_not_clear_instead_of_a_list_in_shadow(known, make_list, scene):
    """A list that makes no match clears nothing, whatever it compared."""
    good = make_list([row(scene(3), "G") | {"state": "known_good"}], name="good")
    result = screener_of(known, good, known=SHADOW).screen(png(scene(2)))
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)


def test_modes_hold_in_scans_rescans_and_selections(known, more, scene, tmp_path):
    """All decide alike."""
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(png(scene(number)))
    everything = Screener([known, more])
    for settings in ({}, {"known": SHADOW}, {"known": OFF}, {"known": SHADOW, "more": OFF}):
        engine = screener_of(known, more, **settings)
        expected = [outcome(engine.screen(path)) for path in paths]
        with HashCache.open(tmp_path / "c") as cache:
            list(scan(everything, paths, jobs=1, cache=cache))
            assert [outcome(one) for one in rescan(engine, cache, every=True)] == expected
        assert [outcome(one) for one in scan(engine, paths, jobs=1)] == expected
    chosen = screener_of(known, more, known=SHADOW).select(["known"])
    assert outcome(chosen.screen(paths[0]))[:3] == ("unscreened", set(), {"K"})


def test_a_list_has_a_radius_of_its_own(make_list, scene):
    """It holds for records in every state, and other lists have that of the policy."""
    value = bytearray(pdq.compute(np.asarray(scene(0))).value)
    value[0] ^= 0xFF
    far = Hash(KINDS["pdq"], bytes(value))  # 8 bits off
    for state in ("confirmed", "known_good"):
        lists = [
            make_list([row(scene(0), name) | {"state": state}], name=f"{name}-{state}")
            for name in ("a", "b")
        ]
        for radius, found in ((7, {"b"}), (8, {"a", "b"})):
            policy = Policy(lists={f"a-{state}": {"radius": {"pdq": radius}}})
            result = Screener(lists, policy=policy).match([far])
            hits = [*result.matches, *result.other_hits]
            assert {hit.entry for hit in hits} == found
            assert {hit.entry: hit.radius for hit in hits}.get("a", radius) == radius
        narrow = Policy(
            radius={"pdq": 7}, known_good_radius={"pdq": 7},
            lists={f"a-{state}": {"radius": {"pdq": 8}}},
        )  # fmt: skip
        result = Screener(lists, policy=narrow).match([far])
        assert {hit.entry for hit in (*result.matches, *result.other_hits)} == {"a"}


def test_a_listed_video_in_shadow_makes_no_match(known, make_list):
    """It is compared in the same way, with the list's own radius."""
    film = Hash(KINDS["vpdq"], value_of(clip(scenes(60, seed=1))))
    videos = make_list([{"id": "F", "vpdq": film.text}], name="videos")

    (match,) = Screener(videos).match([film]).matches
    result = screener_of(known, videos, videos=SHADOW).match([film])
    assert outcome(result)[1:3] == (set(), {"F"})
    assert result.other_hits[0].video == match.video
    assert not screener_of(known, videos, videos=OFF).match([film]).other_hits


def test_weak_hits_in_shadow_need_another_hit_as_if_enforced(make_list, scene):
    """So `would_match` says what enforcing the list would do."""
    made = hash_item(scene(0), policy=Policy(), kinds=[KINDS["pdq"], KINDS["whash"]])
    texts = {one.hash.kind.name: one.hash.text for one in made.hashes[::8]}
    both = make_list([{"id": "B", **texts}], name="both")
    md5 = digest.compute(png(scene(0)))[0].text
    file = make_list([{"id": "F", "md5": md5, "whash": texts["whash"]}], name="file")
    weak = make_list([{"id": "W", "whash": texts["whash"]}], name="weak")
    for mode in ("enforce", "shadow"):
        settings = {name: {"mode": mode} for name in ("both", "file", "weak")}
        result = screener_of(both, file, weak, **settings).screen(png(scene(0)))
        hits = {(hit.entry, hit.kind): hit for hit in (*result.matches, *result.other_hits)}
        would_match = {key for key, hit in hits.items() if hit.would_match}
        assert (
            would_match
            == {(e, k) for e, k in hits if e != "W"}
            == {("B", "pdq"), ("B", "whash"), ("F", "md5"), ("F", "whash")}
        )
        assert ("W", "whash") in hits
        assert bool(result.matches) == (mode == "enforce")


def test_the_effort_is_that_of_the_comparison_that_counts(known, make_list, scene):
    """Evidence of a list in shadow does not show that other lists were compared by it."""
    copy = scene(0).crop((12, 9, scene(0).width - 12, scene(0).height - 9))
    plain = {"evidence": {"pdq": False}}
    other = make_list([row(scene(5), "O")], name="other")
    engine = Screener(
        [known, other], policy=Policy(effort="views", lists={"known": SHADOW, "other": plain})
    )
    result = engine.screen(copy)
    assert outcome(result)[:3] == ("no_match", set(), {"K"})
    assert {hit.by for hit in result.other_hits} == {"evidence"}
    assert (result.effort, engine.effort) == ("distance", "views")  # of the search: `views`


def test_the_age_of_an_enforced_list_alone_is_limited(known, more, monkeypatch):
    """An old list in shadow or off stops no screening."""
    monkeypatch.setattr(HashList, "age_s", lambda self: 100.0 if self.name == "known" else 1.0)
    for mode in (SHADOW, OFF):
        assert Screener([known, more], policy=Policy(max_list_age=10, lists={"known": mode}))
    with pytest.raises(PolicyError, match="known is 100 s old"):
        Screener([known, more], policy=Policy(max_list_age=10, lists={"more": SHADOW}))


def test_an_ageless_list_may_be_of_any_age(known, more, monkeypatch):
    """Under another policy, after a refresh, and if it is selected; the others may not."""
    monkeypatch.setattr(HashList, "age_s", lambda self: 100.0 if self.name == "known" else 1.0)
    limited = Policy(max_list_age=10)
    engine = Screener([known, more], ageless=["known"]).with_lists([known, more], policy=limited)
    assert [one.name for one in engine.aging] == ["more"]
    assert engine.refresh() is engine
    assert engine.select(["known"]).policy == limited
    with pytest.raises(PolicyError, match="known is 100 s old"):
        engine.with_lists([known, more], ageless=["more"])


def test_settings_are_made_of_a_mapping_or_as_they_are():
    """A mode may be its name; a policy of ListPolicies is pickled like any other."""
    made = ListPolicy(mode="shadow", radius={"pdq": 20}, evidence={"pdq": False}, ratio=1)
    assert (type(made.mode), made.to_dict()) == (
        Mode, {"mode": "shadow", "radius": {"pdq": 20}, "evidence": {"pdq": False}, "ratio": 1.0}
    )  # fmt: skip
    policy = Policy(lists={"known": made})
    assert policy == Policy(lists={"known": made.to_dict()})
    assert pickle.loads(pickle.dumps(policy)).of_list("known") == made
    assert policy.of_list("other") == ListPolicy()
