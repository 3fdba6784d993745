"""A cache that stores weights: a rescan compares by evidence; without, it says that it did not."""

import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from command_process import screener
from PIL import Image, ImageDraw

from screener import HashCache, Policy, Screener, rescan, scan
from screener.errors import OutputError
from screener.hashing import pdq
from screener.media.name import name_of
from screener.scanning.rescan import outdated
from screener.screening.input.located_hash import EvidenceColumns, OrientedHashes, list_groups
from screener.screening.policy import Effort

SIZE = (320, 240)
DISTANCE, EVIDENCE, VIEWS, _ = (Policy(effort=effort) for effort in Effort)


def pdq_rows(scene, *numbers):
    """Rows of a list with the PDQs of scenes."""
    return [
        {"id": f"P{number}", "pdq": pdq.compute(np.asarray(scene(number, SIZE))).text}
        for number in numbers
    ]


def cover(picture):
    """The picture with a band at its foot."""
    copy = picture.copy()
    ImageDraw.Draw(copy).rectangle((0, SIZE[1] * 4 // 5, *SIZE), fill="navy")
    return copy


@pytest.fixture
def known(make_list):
    """A list that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


@pytest.fixture
def listed(make_list, scene):
    """A newer list: the first scene, and those of the covered copies."""
    return make_list(pdq_rows(scene, *range(8)), name="newer")


@pytest.fixture
def folder(scene, tmp_path):
    """A listed picture, seven covered copies, an animation of one, a blank, and no picture."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    scene(0, SIZE).save(folder / "0.png")
    copies = [cover(scene(number, SIZE)) for number in range(1, 8)]
    for number, copy in enumerate(copies, 1):
        copy.save(folder / f"{number}.png")
    copies[0].save(folder / "a.gif", save_all=True, append_images=[scene(9, SIZE)])
    Image.new("RGB", SIZE).save(folder / "blank.png")
    (folder / "words.txt").write_bytes(b"words")
    return folder


def fill(path, known, folder, policy=EVIDENCE, **options):
    """Scan with a cache."""
    with HashCache.open(path, **options) as cache:
        return list(scan(Screener(known, policy=policy), folder, jobs=1, cache=cache))


def timeless(results):
    """Results without what differs from run to run, by input."""
    return {
        result.input: replace(
            result, seconds=None, lists=tuple(replace(state, age_s=0) for state in result.lists)
        )
        for result in results
    }


def rescan_at(path, hash_list, policy, **options):
    """The results of a rescan, by input."""
    with HashCache.open(path) as cache:
        return timeless(rescan(Screener(hash_list, policy=policy), cache, **options))


def weight_rows(path):
    """The stored weights."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT bytes FROM codes WHERE kind = 'pdq weights' ORDER BY input"
        return [value for (value,) in connection.execute(query)]


@pytest.mark.parametrize("effort", ["evidence", "views"])
def test_a_rescan_with_weights_equals_a_scan_by_evidence(known, listed, folder, tmp_path, effort):
    """Whichever effort filled the cache: the same matches, of animations too, and nothing more."""
    fill(tmp_path / "c", known, folder, Policy(effort=effort), weights=True)
    fresh = timeless(scan(Screener(listed, policy=EVIDENCE), folder, jobs=1))
    found = {name: result for name, result in fresh.items() if result.matches}
    by_evidence = [r for r in found.values() if {m.by for m in r.matches} == {"evidence"}]
    assert len(by_evidence) >= 5
    assert any(result.media.type == "image/gif" for result in by_evidence)

    assert rescan_at(tmp_path / "c", listed, EVIDENCE) == found
    assert rescan_at(tmp_path / "c", listed, EVIDENCE, every=True) == fresh
    at_views = rescan_at(tmp_path / "c", listed, VIEWS)
    assert {name: result.matches for name, result in at_views.items()} == {
        name: result.matches for name, result in found.items()
    }
    assert {result.effort for result in at_views.values()} == {"evidence"}


def test_any_list_that_is_searched_by_evidence_is(known, listed, folder, make_list, tmp_path):
    """Evidence may be off for all lists but one."""
    fill(tmp_path / "c", known, folder, weights=True)
    policy = Policy(
        effort="evidence", evidence={"pdq": False}, lists={"newer": {"evidence": {"pdq": 80}}}
    )
    expected = rescan_at(tmp_path / "c", listed, EVIDENCE)
    for lists in ([known, listed], [listed, known]):
        found = rescan_at(tmp_path / "c", lists, policy)
        assert {name: result.matches for name, result in found.items()} == {
            name: result.matches for name, result in expected.items()
        }
    with HashCache.open(tmp_path / "c") as cache:
        off = replace(policy, lists={})
        results = list(rescan(Screener([known, listed], policy=off), cache))
    assert {match.by for result in results for match in result.matches} == {"distance"}


@pytest.mark.parametrize(
    "settings", [{"effort": "distance"}, {"effort": "evidence", "digests_only": True}]
)
def test_a_rescan_by_distance_says_so_though_there_are_weights(
    known, listed, folder, tmp_path, settings
):
    """The policy decides, not what the cache holds."""
    fill(tmp_path / "c", known, folder, weights=True)
    found = rescan_at(tmp_path / "c", listed, Policy(**settings), every=True)

    assert {result.effort for result in found.values()} == {"distance"}
    assert not [m for r in found.values() for m in r.matches if m.by == "evidence"]


def test_an_input_without_weights_is_compared_by_distance(known, listed, folder, tmp_path):
    """Next to one that has them; each result says how far it was compared."""
    fill(tmp_path / "c", known, folder / "1.png")
    fill(tmp_path / "c", known, folder / "2.png", weights=True)
    fill(tmp_path / "c", known, folder / "0.png", DISTANCE)
    found = rescan_at(tmp_path / "c", listed, EVIDENCE, every=True)

    assert [(found[str(folder / f"{n}.png")].effort) for n in range(3)] == [
        "distance", "distance", "evidence",
    ]  # fmt: skip
    assert found[str(folder / "0.png")].matches
    assert not found[str(folder / "1.png")].matches
    assert found[str(folder / "2.png")].matches


def test_what_is_stored_is_the_weights_of_the_picture_as_it_is(known, folder, tmp_path):
    """They come back as they were, without those of views."""
    hasher = Screener(known, policy=VIEWS).hasher.exact()
    names = [str(folder / name) for name in ("1.png", "a.gif", "blank.png", "words.txt")]
    given = list(map(hasher.hash, names))
    with HashCache.open(tmp_path / "c", weights=True) as cache:
        cache.add(given, hasher)
        found = list(cache.load_inputs(range(1, 5), set(cache.list_settings())))

    some = 0
    for one, stored in zip(given, found, strict=True):
        for group, back in zip(list_groups(one.hashes), list_groups(stored.hashes), strict=True):
            if isinstance(group, OrientedHashes):
                evidence = group.evidence
                kept = evidence and EvidenceColumns(evidence.weights, evidence.ceilings)
                some += kept is not None
                assert back.evidence == kept
    assert some >= 3
    assert any(group.evidence.view_codes for group in list_groups(given[0].hashes)[1:])


def test_a_cache_stores_no_weights_unless_told_to(known, folder, tmp_path):
    """The setting stays until it is changed; then the weights are gone from the file."""
    path = tmp_path / "c"
    fill(path, known, folder)
    assert not weight_rows(path)
    with HashCache.open(path, weights=True) as cache:
        assert cache.weights
        assert len(cache) == 11
    fill(path, known, folder)
    stored = weight_rows(path)
    assert len(stored) == 11
    longest = max(stored, key=len)
    assert longest[1100:1400] in path.read_bytes()

    with HashCache.open(path, weights=False) as cache:
        assert not cache.weights
        assert len(cache) == 11
        for file in (path, path.with_name("c-wal")):
            assert longest[1100:1400] not in file.read_bytes()
    assert not weight_rows(path)
    assert longest[1100:1400] not in path.read_bytes()
    fill(path, known, folder)
    assert not weight_rows(path)
    with pytest.raises(TypeError, match="weights must be True, False or None"):
        HashCache.open(path, weights="no")


def test_many_weights_are_erased_in_parts(known, folder, tmp_path, monkeypatch):
    """All of them, however few are erased at a time."""
    fill(tmp_path / "c", known, folder, weights=True)
    monkeypatch.setattr("screener.scanning.cache.hash_cache._MAX_REMOVED", 2)
    with HashCache.open(tmp_path / "c", weights=False) as cache:
        assert not cache.weights
    assert not weight_rows(tmp_path / "c")


def test_weights_go_with_their_input(known, folder, tmp_path, monkeypatch):
    """When it is forgotten, and when it is hashed again, with or without them."""
    path = tmp_path / "c"
    fill(path, known, folder, weights=True)
    fill(path, known, folder)
    assert len(weight_rows(path)) == 11
    fill(path, known, folder, DISTANCE)
    assert not weight_rows(path)
    fill(path, known, folder)
    later = "screener.scanning.cache.hash_cache.time.time"
    monkeypatch.setattr(later, lambda now=time.time: now() + 40 * 86_400)
    with HashCache.open(path) as cache:
        assert len(cache) == 0
    assert not weight_rows(path)


def test_programs_without_weights_refuse_the_file(known, folder, tmp_path):
    """They would leave the weights of forgotten inputs there. Without weights nothing changes."""
    path, versions = tmp_path / "c", []
    fill(path, known, folder / "0.png")
    for weights in (None, True, False):
        with HashCache.open(path, weights=weights):
            versions.append(int.from_bytes(path.read_bytes()[60:64], "big"))
    assert versions == [9, 10, 9]


def test_an_input_whose_weights_are_missing_is_hashed_again(known, folder, tmp_path):
    """If the cache is to store them and the effort makes them; no other is."""
    path, name = tmp_path / "c", name_of(str(folder / "1.png"))
    distance, evidence, views = (
        Screener(known, policy=policy).hasher for policy in (DISTANCE, EVIDENCE, VIEWS)
    )
    fill(path, known, folder)
    with HashCache.open(path) as cache:
        assert all(cache.holds(name, hasher) for hasher in (distance, evidence, views))
    with HashCache.open(path, weights=True) as cache:
        held = [cache.holds(name, hasher) for hasher in (distance, evidence, views)]
    assert held == [True, False, False]
    fill(path, known, folder)
    with HashCache.open(path) as cache:
        assert all(cache.holds(name, hasher) for hasher in (distance, evidence, views))


def test_evidence_settings_leave_cached_inputs_valid(known, folder, tmp_path):
    """They decide how hashes are compared, not how they are made."""
    fill(tmp_path / "c", known, folder, DISTANCE)
    for policy in (
        DISTANCE,
        EVIDENCE,
        VIEWS,
        Policy(
            evidence={"pdq": 90}, lists={"known": {"evidence": {"pdq": 7}}}, shadow_evidence=True
        ),
    ):
        with HashCache.open(tmp_path / "c") as cache:
            assert outdated(Screener(known, policy=policy), cache) == 0


def test_a_cache_of_a_version_without_efforts_is_used_as_before(known, listed, folder, tmp_path):
    """Its settings lack those of evidence."""
    fill(tmp_path / "c", known, folder)
    with closing(sqlite3.connect(tmp_path / "c")) as connection:
        ((settings,),) = connection.execute("SELECT made_by FROM makings").fetchall()
    assert not [word for word in ("effort", "evidence") if word in settings]
    found = rescan_at(tmp_path / "c", listed, EVIDENCE)
    assert str(folder / "0.png") in found
    assert {m.by for result in found.values() for m in result.matches} == {"distance"}


@pytest.mark.parametrize(
    "value", ["x''", "x'00'", "NULL", "'text'", "x'90'", "x'92c0c0'", "x'9192c400c400'", "x'9100'"]
)
def test_weights_of_other_contents_are_damage(known, listed, folder, tmp_path, value):
    """No such input is passed over or compared by distance."""
    fill(tmp_path / "c", known, folder / "1.png", weights=True)
    with closing(sqlite3.connect(tmp_path / "c")) as connection, connection:
        connection.execute(f"UPDATE codes SET bytes = {value} WHERE kind = 'pdq weights'")
    with pytest.raises(OutputError, match=r"damaged cache of hashes .input number 1"):
        rescan_at(tmp_path / "c", listed, EVIDENCE)


def test_the_commands_store_weights_and_compare_by_evidence(known, listed, folder, tmp_path):
    """A rescan counts the inputs that it compared by distance alone."""
    path = tmp_path / "c"
    scanned = ("scan", folder, "--list", known.path, "--cache", path, "--effort", "evidence")
    again = ("rescan", "--cache", path, "--list", listed.path, "--effort", "evidence")
    assert screener(*scanned).returncode in (0, 3)
    plain = screener(*again)
    assert plain.stdout
    assert '"by":"evidence"' not in plain.stdout
    assert "11 inputs compared by distance alone" in " ".join(plain.stderr.split())

    assert screener(*scanned, "--cache-weights").returncode in (0, 3)
    weighed = screener(*again)
    assert weighed.stdout.count('"by":"evidence"') >= 5
    assert "by distance alone" not in " ".join(weighed.stderr.split())
    assert '"by":"evidence"' not in screener(*again[:-1], "distance").stdout

    assert screener(*scanned, "--no-cache-weights").returncode in (0, 3)
    assert not weight_rows(path)


def test_weights_need_an_effort_that_makes_them(known, folder, tmp_path):
    """The call is refused before the cache is made."""
    scanned = ("scan", folder, "--list", known.path, "--cache", tmp_path / "c", "--cache-weights")
    done = screener(*scanned, "--effort", "distance")
    assert done.returncode == 2
    assert "--cache-weights needs an --effort above distance" in done.stderr
    assert not (tmp_path / "c").exists()
