"""Videos of a list: matched frame by frame, for as long as their record is in effect."""

import csv
import io
import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from clips import clip, near, scenes, value_of
from drawn_videos import clip as encoded
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from rich.console import Console

from screener import Hash, HashCache, HashList, Policy, Reason, Screener, Verdict, output, rescan
from screener.cli.summary import Tally
from screener.errors import ListError, PolicyError
from screener.hashing.hash import KINDS
from screener.hashing.video_frames import Frames
from screener.lists.inspecting.verify import DamagedList
from screener.media.name import Name
from screener.reporting.pages import report_page
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.matching import video_search
from screener.screening.result import MediaFacts

FILM = clip(scenes(60, seed=1))
OTHER = clip(scenes(40, seed=2))


def vpdq(frames):
    """Return the vPDQ of a video of these frames."""
    return Hash(KINDS["vpdq"], value_of(frames))


def upright(frames, *, orientation="upright", region="full"):
    """Return the frames' hashes as decoding makes them."""
    return [
        LocatedHash(Hash(KINDS["pdq"], code.tobytes(), int(quality)), orientation, region, 0, time)
        for time, quality, code in zip(
            frames.times.tolist(), frames.qualities, frames.codes, strict=True
        )
    ]


def decide(engine, located, *, type="video/mp4"):
    """Return the Result of an item whose frames were hashed."""
    facts = MediaFacts(type, 640, 360, len(located))
    return next(engine.decide([HashedInput(Name(text="clip.mp4"), tuple(located), facts)]))


@pytest.fixture
def put(known, tmp_path):
    """Return a function that imports entries with frames and columns, and opens the newest list."""

    def importing(*entries, source="demo", **settings):
        file = tmp_path / f"{source}.csv"
        with file.open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["id", "vpdq", "status", "pdq"])
            for entry, frames, *rest in entries:
                text = "" if frames is None else vpdq(frames).text
                rows.writerow([entry, text, *rest, *[""] * (2 - len(rest))])
        report = known.import_file(file, source=source, **settings)
        assert not report.quarantined
        return known.refresh()

    return importing


def found(one, frames=FILM):
    """Return the entries that a video matches, and the rule."""
    result = Screener(one).match([vpdq(frames)])
    assert (result.verdict is Verdict.MATCH) == bool(result.matches)
    return [(match.entry, str(match.video.rule)) for match in result.matches]


def test_a_match_has_category_and_opinions_of_its_entry(known, tmp_path):
    """For a picture and a video, as a match and as another hit."""
    picture = FILM.codes[0].tobytes().hex()
    (tmp_path / "a.csv").write_text(
        "id,vpdq,pdq,category,category_scheme,status\n"
        f'film,"{vpdq(FILM).text.replace(chr(34), chr(34) * 2)}",,A,ours,confirmed\n'
        f"still,,{picture},B,ours,seed\n"
    )
    assert not known.import_file(tmp_path / "a.csv").quarantined
    for entry in ("film", "still"):
        known.give_opinion(entry, state="disputed", by="ann", reason=f"of {entry}")

    result = Screener(known.refresh()).match([vpdq(FILM)])

    facts = {}
    for one in (*result.matches, *result.other_hits):
        categories = [(each.scheme, each.code) for each in one.category]
        facts[one.entry] = (categories, one.source_state, [each.reason for each in one.opinions])
    assert facts == {
        "film": ([("ours", "A")], "confirmed", ["of film"]),
        "still": ([("ours", "B")], "seed", ["of still"]),
    }


def test_known_good_videos_have_a_radius_of_their_own(put):
    """Smaller or larger than that of matches, within one list too."""
    one = put(("film", FILM, "known_good"))
    both = put(("another", FILM, "confirmed"))
    query = vpdq(clip(near(FILM.codes, 12, seed=4)))

    for radius, known_good, others in ((8, 12, ["film"]), (12, 11, [])):
        policy = Policy(radius={"vpdq": radius}, known_good_radius={"vpdq": known_good})
        result = Screener(one, policy=policy).match([query])
        assert ([m.entry for m in result.other_hits if m.kind == "vpdq"], result.matches) == (
            others,
            (),
        )
        result = Screener(both, policy=policy).match([query])
        assert [m.entry for m in result.other_hits if m.kind == "vpdq"] == others
        assert [m.entry for m in result.matches] == ([] if others else ["another"])


def test_frames_without_a_quality_are_compared(put):
    """As any hash made elsewhere."""
    shown = [one._replace(hash=Hash(KINDS["pdq"], one.hash.value)) for one in upright(FILM)]

    result = decide(Screener(put(("film", FILM))), shown)

    assert [(match.entry, match.kind) for match in result.matches] == [("film", "vpdq")]


def test_a_rescan_matches_a_video_listed_later(put, tmp_path):
    """By all frames that were cached."""
    shown = tuple(upright(FILM))
    facts = MediaFacts("video/mp4", 640, 360, len(shown), 60.0, len(shown))
    name = Name("clip.mp4", None, 1, 1)
    engine = Screener(put(("film", FILM), ("other", OTHER)))
    with HashCache.open(tmp_path / "c") as cache:
        cache.add([HashedInput(name, shown, facts)], engine.hasher)
        (result,) = rescan(engine, cache)

    assert [(match.entry, match.kind) for match in result.matches] == [("film", "vpdq")]


def inside(codes, at):
    """Return a clip of a minute that shows some frames from a second on."""
    shown = scenes(60, seed=3)
    shown[at : at + len(codes)] = codes
    return clip(shown)


def test_a_listed_video_inside_another_matches_with_its_spans(put):
    """Both percentages, both spans, the median distance; the line fits the schema."""
    one = put(("film", FILM), ("other", OTHER))
    query = inside(near(FILM.codes[30:40], 12, seed=4), 20)

    result = Screener(one).match([vpdq(query)], input="clip")

    (match,) = result.matches
    assert (match.entry, match.kind, match.state) == ("film", "vpdq", "confirmed")
    assert (match.distance, match.radius, match.time, match.part) == (12, 31, 20.0, 0)
    assert result.other_hits == ()
    line = json.loads(json.dumps(result.to_dict()))
    assert line["matches"][0]["video"] == {
        "rule": "run",
        "found": 10, "listed": 60, "found_percent": 16.6,
        "agreeing": 10, "usable": 60, "agreeing_percent": 16.6,
        "input_span": [20.0, 29.0], "listed_span": [30.0, 39.0],
    }  # fmt: skip
    assert value_of(FILM)[13:45].hex() not in str(line)


def test_lines_with_videos_fit_the_schema(put):
    """For a match of each rule, and for another hit."""
    schema = json.loads((REPOSITORY / "docs/result.schema.json").read_text())
    engine = Screener(put(("film", FILM), ("seed", OTHER, "seed")))
    for query in (FILM, inside(FILM.codes[30:40], 20), FILM.only(slice(3, 5)), OTHER):
        line = engine.match([vpdq(query)]).to_dict()
        assert line["matches"] or line["other_hits"]
        Draft202012Validator(schema).validate(json.loads(json.dumps(line)))


def test_table_and_report_show_the_seconds_of_both_videos(put, tmp_path):
    """In the printed table and on the page."""
    one = put(("film", FILM))
    query = inside(near(FILM.codes[30:40], 12, seed=4), 20)
    result = Screener(one).match([vpdq(query)], input="clip")

    shown, summary = Console(file=io.StringIO(), width=200), Tally()
    summary.add(result)
    summary.print(shown)
    text = " ".join(shown.file.getvalue().split())
    assert "film (confirmed) by vpdq at 12 of 31 bits from 20.0 to 29.0 s" in text
    assert "like 30.0 to 39.0 s of the entry" in text
    with output.open_jsonl(tmp_path / "r.jsonl") as out:
        out.write(result)
    report_page.write_html(tmp_path / "r.jsonl", tmp_path / "r.html")
    assert "20.0 to 29.0 s, like 30.0 to 39.0 s of the entry" in (tmp_path / "r.html").read_text()


def test_all_frames_match_in_one_orientation_and_region(put):
    """A mirrored clip matches; frames that each agree in another way do not."""
    engine = Screener(put(("film", FILM)))
    ways = ["upright", "flip_horizontal", "rotate90"]

    def turned(of):
        """Return the frames in several orientations, the right one as `of` names it by second."""
        return [
            located
            for place, way in enumerate(ways)
            for located in upright(
                Frames.ordered(
                    FILM.times,
                    FILM.qualities,
                    np.where((of == place)[:, None], FILM.codes, scenes(60, seed=10 + place)),
                ),
                orientation=way,
                region="trimmed",
            )
        ]

    (match,) = decide(engine, turned(np.full(60, 1))).matches
    assert (match.orientation, match.region, match.video.found) == (
        "flip_horizontal",
        "trimmed",
        60,
    )
    mixed = decide(engine, turned(np.arange(60) % 3))
    assert (mixed.verdict, mixed.matches, mixed.other_hits) == (Verdict.NO_MATCH, (), ())


# Ways in which frames agree with the film, the best first.
WAYS = (
    clip(FILM.codes),
    clip(near(FILM.codes, 4, seed=6)),
    clip(near(FILM.codes[:55], 2, seed=6)),
    clip(np.concatenate([FILM.codes[10:30], scenes(40, seed=11)])),
    clip(np.concatenate([near(FILM.codes[10:30], 4, seed=6), scenes(40, seed=11)])),
    clip(np.repeat(FILM.codes[:1], 60, axis=0)),
)


@pytest.mark.parametrize("better", range(len(WAYS) - 1))
def test_the_best_agreement_of_a_video_counts(put, better):
    """By rule, then share of listed frames, then distance, in any order of comparison."""
    engine = Screener(put(("film", FILM)))
    first = upright(WAYS[better], region="full")
    second = upright(WAYS[better + 1], region="trimmed")

    hits = []
    for ways in ((first, second), (second, first), (first,)):
        result = decide(engine, [one for way in ways for one in way])
        hits.append([m for m in (*result.matches, *result.other_hits) if m.kind == "vpdq"])
        assert result.verdict is Verdict.MATCH

    assert hits[0] == hits[1] == hits[2]
    assert [(m.entry, m.region, m.source_state, m.opinions) for m in hits[0]] == [
        ("film", "full", None, ())
    ]


def test_a_short_listed_video_matches_inside_a_long_one(put):
    """Four in five of its frames are enough."""
    photo = scenes(1, seed=51)
    one = put(("still", clip(np.concatenate([np.repeat(photo, 8, axis=0), scenes(2, seed=5)]))))

    assert found(one, clip(np.concatenate([np.repeat(photo, 3, axis=0), scenes(57, seed=6)]))) == [
        ("still", "whole")
    ]


def test_states_apply_to_videos(put):
    """Seeds and known files are other hits; a disputed video matches."""
    one = put(
        ("a", FILM, "seed"),
        ("b", FILM, "disputed"),
        ("c", FILM, "known_good"),
        ("d", OTHER, "seed"),
    )

    result = Screener(one).match([vpdq(FILM)])
    assert [(m.entry, m.state) for m in result.matches] == [("b", "disputed")]
    assert [(m.entry, m.state) for m in result.other_hits] == [("a", "seed"), ("c", "known_good")]
    assert Screener(one).match([vpdq(OTHER)]).verdict is Verdict.NO_MATCH


def test_the_policy_sets_radius_and_floor_of_frames(put):
    """A distance beyond the radius does not agree; the least floor is 50."""
    one = put(("film", FILM))
    query = [vpdq(clip(near(FILM.codes, 12, seed=5)))]

    assert Screener(one, policy=Policy(radius={"vpdq": 12})).match(query).matches
    assert not Screener(one, policy=Policy(radius={"vpdq": 11})).match(query).matches
    low = [vpdq(clip(FILM.codes, quality=70))]
    assert Screener(one).match(low).matches
    strict = Screener(one, policy=Policy(floor={"vpdq": 71})).match(low)
    assert (strict.verdict, strict.reason) == (Verdict.UNSCREENED, Reason.TOO_LITTLE_DETAIL)
    with pytest.raises(PolicyError, match="from 50"):
        Policy(floor={"vpdq": 49})


def test_videos_without_frames_above_a_raised_floor_clear_nothing(put):
    """Nothing could be compared with them."""
    one = put(("film", clip(FILM.codes, quality=60)))
    for floor, expected in ((60, (Verdict.NO_MATCH, None)),
                        (61, (Verdict.UNSCREENED, Reason.NOT_COMPARABLE))):  # fmt: skip
        result = Screener(one, policy=Policy(floor={"vpdq": floor})).match([vpdq(OTHER)])
        assert (result.verdict, result.reason) == expected

    two = put(("other", clip(FILM.codes[:2], quality=np.array([60, 61]))))
    assert two.can_match("vpdq", floor=61)
    assert not two.can_match("vpdq", floor=62)


def test_frames_below_a_raised_floor_do_not_count_for_the_share(put):
    """Two of four frames have the quality, so that both are the whole video.

    For other hits too.
    """
    codes, quality = FILM.codes[:4], np.array([100, 100, 60, 60])
    one = put(("film", clip(codes, quality=quality)))
    around = OTHER.codes[:20]
    both, single = (vpdq(clip(np.concatenate((around, codes[:count])))) for count in (2, 1))

    assert found(one, clip(np.concatenate((around, codes[:2])))) == []
    strict = Screener(one, policy=Policy(floor={"vpdq": 61}))
    assert [str(match.video.rule) for match in strict.match([both]).matches] == ["whole"]
    assert strict.match([single]).verdict is Verdict.NO_MATCH

    lone = put(("lone", clip(FILM.codes[9:11], quality=np.array([100, 60]))))
    strict = Screener(lone, policy=Policy(floor={"vpdq": 61}))
    (hit,) = strict.match([vpdq(clip(np.concatenate((around, FILM.codes[9:10]))))]).other_hits
    assert (hit.entry, str(hit.video.rule)) == ("lone", "alike")


def test_a_picture_of_a_listed_video_is_another_hit(put):
    """A still is `not_comparable` with videos."""
    engine = Screener(put(("film", FILM)))

    seen = decide(engine, upright(FILM.only(slice(7, 8))), type="image/jpeg")
    assert (seen.verdict, seen.reason) == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)
    assert [(m.entry, str(m.video.rule), m.video.listed_span) for m in seen.other_hits] == [
        ("film", "alike", (7.0, 7.0))
    ]
    other = decide(engine, upright(OTHER.only(slice(7, 8))), type="image/jpeg")
    assert (other.verdict, other.reason, other.other_hits) == (seen.verdict, seen.reason, ())


def test_a_list_of_videos_clears_videos_with_two_usable_frames(put):
    """Not one frame, and none without detail."""
    engine = Screener(put(("film", FILM)))

    assert decide(engine, upright(OTHER)).verdict is Verdict.NO_MATCH
    for frames in (OTHER.only(slice(0, 1)), clip(OTHER.codes, quality=20)):
        blank = decide(engine, upright(frames))
        assert (blank.verdict, blank.reason) == (Verdict.UNSCREENED, Reason.TOO_LITTLE_DETAIL)
        assert Screener(engine.lists).match([vpdq(frames)]).verdict is Verdict.UNSCREENED


def test_the_detail_for_one_usable_frame_says_that_two_are_needed(put, scene):
    """Though the frame shows enough detail."""
    engine = Screener(put(("film", FILM)))

    result = engine.screen(encoded([scene(1)]))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.TOO_LITTLE_DETAIL)
    assert "1 of 1" in result.detail
    assert "it takes two" in result.detail


def test_a_list_of_pictures_and_videos_clears_a_still_by_its_pictures(put):
    """Frames of a listed video are not listed pictures."""
    engine = Screener(put(("film", FILM), ("still", None, "", OTHER.codes[0].tobytes().hex())))

    result = decide(engine, upright(FILM.only(slice(7, 8))), type="image/jpeg")
    assert (result.verdict, len(result.other_hits)) == (Verdict.NO_MATCH, 1)
    assert decide(engine, upright(OTHER)).matches[0].entry == "still"


def test_frames_of_a_vpdq_made_elsewhere_are_looked_up_among_pictures(put):
    """With times, a timeline and a verdict, as for a video."""
    one = put(("still", None, "", near(FILM.codes[7:8], 6, seed=1)[0].tobytes().hex()))
    engine = Screener(one)

    result = engine.match([vpdq(FILM)])
    assert [(m.kind, m.distance, m.time) for m in result.matches] == [("pdq", 6, 7.0)]
    assert result.timeline[0].spans == ((7.0, 7.0),)
    assert engine.match([vpdq(OTHER)]).verdict is Verdict.NO_MATCH


def test_a_list_with_seed_videos_only_clears_nothing(put):
    """It can make no match by them."""
    engine = Screener(put(("a", FILM, "seed"), ("b", clip(OTHER.codes, quality=9), "confirmed")))

    result = engine.match([vpdq(OTHER)])
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)


def test_digests_only_compares_no_frame(put):
    """The Result is `not_comparable`."""
    engine = Screener(put(("film", FILM)), policy=Policy(digests_only=True))

    result = engine.match([vpdq(FILM)])
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)


# --- what is done to a list


def test_a_withdrawn_video_stops_matching_at_once_and_for_good(put, known):
    """Frames of another record still match; a rollback does not restore the video."""
    shared = clip(np.concatenate([FILM.codes[:30], OTHER.codes[:30]]))
    before = put(("film", FILM), ("shared", shared))
    assert found(before) == [("film", "whole"), ("shared", "run")]

    after = put(("film", None, "withdrawn"))
    assert found(after) == [("shared", "run")]
    assert after.kinds["vpdq"] == 60
    assert found(before) == [("film", "whole"), ("shared", "run")]  # a generation never changes
    known.rollback(1, by="ann", reason="x")
    assert found(known.refresh()) == [("shared", "run")]
    assert known.refresh().verify().damage == ()


def test_a_changed_video_replaces_the_old_one_and_rolls_back(put, known):
    """Frames come and go with the version that has them."""
    put(("film", FILM))
    changed = put(("film", OTHER))
    assert (found(changed), found(changed, OTHER)) == ([], [("film", "whole")])

    known.rollback(1, by="ann", reason="x")
    back = known.refresh()
    assert (found(back), found(back, OTHER)) == ([("film", "whole")], [])
    assert back.verify().damage == ()


def test_videos_match_after_opinions_compaction_and_many_imports(put, known):
    """A copied record takes its frames along; segments merge like others."""
    for number in range(6):
        one = put((f"film{number}", clip(scenes(20, seed=100 + number))))
    one.give_opinion("film3", state="disputed", by="ann", reason="x")
    known.compact()

    one = known.refresh()
    for number in range(6):
        assert found(one, clip(scenes(20, seed=100 + number))) == [(f"film{number}", "whole")]
    check = one.verify()
    assert check.damage == ()
    assert {"frames"} <= set(check.database)
    assert [(kind.kind, kind.values) for kind in check.kinds] == [("vpdq", 120)]


def test_several_videos_of_an_entry_all_match(put):
    """Each is compared by itself."""
    one = put(("film", FILM), ("film", OTHER))

    assert (found(one), found(one, OTHER)) == ([("film", "whole")], [("film", "whole")])
    assert one.verify().damage == ()


def test_blank_frames_are_not_indexed(put):
    """A video of frames without detail is quarantined as of low information."""
    codes = FILM.codes.copy()
    codes[:10] = 0
    quality = np.full(60, 100, np.uint8)
    quality[10:20] = 49
    one = put(
        ("film", Frames.ordered(FILM.times, quality, codes)), ("dark", clip(OTHER.codes, quality=3))
    )

    assert one.kinds["vpdq"] == 40
    assert [(row.entry, row.reason) for row in one.quarantined()[1]] == [
        ("dark", "low information")
    ]
    assert (one.info().reached["vpdq"], one.info().by_none) == (1, 1)
    with pytest.raises(ListError, match="no vpdq value"):
        one.release_value("dark", "vpdq", by="ann", reason="x")


def test_a_purge_removes_all_frames(put, known):
    """No file of the list holds a PDQ of one; videos of other sources stay."""
    put(("film", FILM), source="mine")
    put(("other", OTHER), source="theirs")

    known.purge("mine", by="ann")

    content = b"".join(path.read_bytes() for path in known.path.rglob("*") if path.is_file())
    assert not any(code.tobytes() in content for code in FILM.codes)
    assert any(code.tobytes() in content for code in OTHER.codes)
    assert found(known.refresh(), OTHER) == [("other", "whole")]
    assert known.refresh().verify().damage == ()


def test_verify_reports_wrong_frames(put, known):
    """One too many, one missing, and one without a video."""
    put(("film", FILM))
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
        connection.execute("DELETE FROM frames WHERE value = ?", (FILM.codes[3].tobytes(),))
    with pytest.raises(DamagedList) as caught:
        known.refresh().verify()
    assert "other frames" in str(caught.value)
    assert "index files lack 0 values" in str(caught.value)


def test_a_frame_in_thousands_of_videos_is_indexed_once(put, monkeypatch):
    """Only videos that may match are read, not all that share a title."""
    title = scenes(1, seed=9)
    many = [(f"v{n}", clip(np.concatenate([title, scenes(6, seed=1000 + n)]))) for n in range(1500)]
    one = put(*many, ("film", FILM))
    assert one.kinds["vpdq"] == 1500 * 6 + 1 + 60
    read = []
    videos = HashList.videos
    monkeypatch.setattr(
        HashList, "videos", lambda self, numbers: read.extend(numbers) or videos(self, numbers)
    )

    query = clip(np.concatenate([np.repeat(title, 20, axis=0), FILM.codes[:10]]))
    assert found(one, query) == [("film", "run")]
    assert len(read) == 1


def test_results_do_not_depend_on_the_size_of_batches(put, monkeypatch):
    """Hits are counted, and candidate videos are read, in parts of any size."""
    pair = clip(np.repeat(scenes(2, seed=51), 6, axis=0))
    # It matches by its own few frames alone, so each of them has to count.
    holder = clip(np.concatenate([scenes(2, seed=51), scenes(30, seed=52)]))
    one = put(
        ("film", FILM),
        ("holder", holder),
        ("more", OTHER),
        ("anew", clip(near(FILM.codes, 4, seed=6))),
    )
    items = [[vpdq(each)] for each in (pair, FILM, OTHER, clip(scenes(9, seed=53)), pair)]

    def matches_now():
        results = Screener(one).match_many(items)
        return [(m, m.video) for each in results for m in (*each.matches, *each.other_hits)]

    at_once = matches_now()
    entries = [match.entry for match, _ in at_once]
    assert entries == ["holder", "film", "anew", "more", "holder"]
    search, calls = HashList.search, iter(range(1000))

    def counted(*given, **settings):
        """Search as usual; fail if called without end."""
        next(calls)
        return search(*given, **settings)

    monkeypatch.setattr(HashList, "search", counted)
    for name in ("_FIRST_SEARCH_FRAMES", "_TARGET_HITS", "_VIDEOS_PER_READ"):
        monkeypatch.setattr(video_search, name, 1)
    assert matches_now() == at_once
