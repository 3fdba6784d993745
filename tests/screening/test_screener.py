"""Screener: the conditions of each verdict, and one Result for any input."""

import gc
import gzip
import hashlib
import io
import json
import os
import pickle
import re
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from collected_at_once import none_collected
from jsonschema import Draft202012Validator
from paths import REPOSITORY
from picture_bytes import png, saved
from PIL import Image, ImageOps

from screener import Hash, HashList, Policy, Reason, Screener, Verdict
from screener.errors import HashError, ListError, PolicyError
from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.media.files.limits import Limits
from screener.media.name import Name
from screener.screening.input import frame_hashes
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash

PHOTODNA = ",".join(["7"] * 144)


def pdq_text(picture):
    """Return a hash made by the reference, as text."""
    bits, _ = pdqhash.compute(np.asarray(picture.convert("RGB")))
    return np.packbits(bits).tobytes().hex()


def with_bits_flipped(text, count):
    """Return a hash at exactly that distance."""
    return (int(text, 16) ^ ((1 << count) - 1)).to_bytes(32, "big").hex()


@pytest.fixture
def engine(make_list, scene):
    """A list of one entry: the picture that scene 1 draws."""
    return Screener(make_list([{"id": "one", "pdq": pdq_text(scene(1)), "status": "active"}]))


def test_a_listed_picture_matches(engine, scene):
    """At distance 0 and upright, with the media facts in the Result."""
    result = engine.screen(png(scene(1)))

    (match,) = result.matches
    assert result.verdict == Verdict.MATCH
    assert (match.list, match.source, match.entry) == ("known", "test", "one")
    assert (match.kind, match.distance, match.radius, match.orientation) == (
        "pdq",
        0,
        31,
        "upright",
    )
    assert (result.media.type, result.media.width, result.media.height) == ("image/png", 320, 240)
    assert (result.reason, match.source_state, match.opinions) == (None, None, ())
    assert repr(engine) == f"<Screener of known:1, policy {result.policy}>"


def test_an_unrelated_picture_is_no_match(engine, scene):
    """Compared by PDQ."""
    result = engine.screen(png(scene(2)))

    assert (result.verdict, result.reason, result.matches) == (Verdict.NO_MATCH, None, ())


@pytest.mark.parametrize(
    "form", ["path", "pathlib", "bytes", "file", "pillow", "rgb array", "grey"]
)
def test_every_form_of_input_gives_the_same_match(engine, scene, tmp_path, form):
    """Path, bytes, file object, Pillow image and arrays."""
    picture = scene(1)
    path = tmp_path / "photo.png"
    picture.save(path)
    with path.open("rb") as stream:
        item = {
            "path": str(path),
            "pathlib": path,
            "bytes": path.read_bytes(),
            "file": stream,
            "pillow": picture,
            "rgb array": np.asarray(picture),
            "grey": np.asarray(picture.convert("L")),
        }[form]

        result = engine.screen(item)

    assert [m.entry for m in result.matches] == ["one"]


@pytest.mark.parametrize("distance", [0, 30, 31, 32, 60])
def test_the_radius_is_inclusive(make_list, scene, distance):
    """Distance 31 matches at radius 31, 32 does not, and nothing beyond the radius is shown."""
    listed = with_bits_flipped(pdq_text(scene(1)), distance)
    engine = Screener(make_list([{"id": "near", "pdq": listed}]))

    result = engine.screen(png(scene(1)))

    assert [m.distance for m in result.matches] == ([distance] if distance <= 31 else [])
    assert result.verdict == (Verdict.MATCH if distance <= 31 else Verdict.NO_MATCH)


@pytest.mark.parametrize("orientation", pdq.ORIENTATIONS)
def test_mirrored_and_turned_pictures_match(make_list, scene, orientation):
    """The list holds one hash; the input is searched in eight orientations."""
    picture = scene(1, (1024, 768))
    turned = {
        "upright": lambda p: p,
        "rotate90": lambda p: p.transpose(Image.Transpose.ROTATE_270),
        "rotate180": lambda p: p.transpose(Image.Transpose.ROTATE_180),
        "rotate270": lambda p: p.transpose(Image.Transpose.ROTATE_90),
        "flip_vertical": ImageOps.flip,
        "flip_horizontal": ImageOps.mirror,
        "transpose": lambda p: p.transpose(Image.Transpose.TRANSPOSE),
        "anti_transpose": lambda p: p.transpose(Image.Transpose.TRANSVERSE),
    }[orientation](picture)
    engine = Screener(make_list([{"id": "one", "pdq": pdq_text(picture)}]))

    (match,) = engine.screen(turned).matches

    assert match.orientation == orientation


def test_the_first_of_equally_near_orientations_counts(engine, scene):
    """A picture that is its own mirror image is upright."""
    value = Hash.parse("pdq", pdq_text(scene(1)), quality=100)
    places = [LocatedHash(value, orientation) for orientation in pdq.ORIENTATIONS]

    (result,) = engine.decide([HashedInput(Name(), tuple(places))])

    assert [m.orientation for m in result.matches] == ["upright"]


def test_a_digest_matches_a_file_that_cannot_be_decoded(make_list):
    """A match found before the trouble counts."""
    data = b"no picture at all"
    for kind in ("md5", "sha1", "sha256"):
        row = {"id": kind, kind: hashlib.new(kind, data).hexdigest(), "pdq": "0f" * 32}
        engine = Screener(make_list([row], name=kind))

        result = engine.screen(data)

        (match,) = result.matches
        assert (match.kind, match.distance, match.entry) == (kind, 0, kind)
        assert (result.verdict, result.reason) == (Verdict.MATCH, None)


def test_a_file_over_the_byte_limit_is_matched_by_digest_only(make_list, tmp_path):
    """Digests are computed while it is read, of a file object too."""
    file = tmp_path / "large.bin"
    file.write_bytes(b"x" * 3_000_000)
    listed = {"id": "large", "sha1": hashlib.sha1(file.read_bytes()).hexdigest(), "pdq": "0f" * 32}
    policy = Policy(limits=Limits(bytes=1_000_000))

    engine = Screener(make_list([listed]), policy=policy)
    for item in (file, file.read_bytes(), io.BytesIO(file.read_bytes())):
        assert engine.screen(item).verdict == Verdict.MATCH
    other = make_list([{"id": "x", "pdq": "0f" * 32}], name="other")
    result = Screener(other, policy=policy).screen(file)
    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.TOO_LARGE)
    stream = Screener(other, policy=policy).screen(io.BytesIO(b"x" * 3_000_000))
    assert stream.reason == Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda scene: b"", Reason.EMPTY),
        (lambda scene: b"hello, no picture", Reason.UNSUPPORTED),
        (lambda scene: png(Image.new("RGB", (300, 200), "white")), Reason.TOO_LITTLE_DETAIL),
        (lambda scene: png(scene(1).resize((4, 4))), Reason.TOO_LITTLE_DETAIL),
        (lambda scene: png(scene(9))[:3000], Reason.TRUNCATED),
        (lambda scene: png(scene(1))[:20], Reason.TRUNCATED),
        (lambda scene: b"\x89PNG\r\n\x1a\n" + bytes(500), Reason.UNDECODABLE),
        (lambda scene: "/no/such/file.jpg", Reason.UNREADABLE),
        (lambda scene: "/dev/null", Reason.UNREADABLE),
        (lambda scene: "/", Reason.UNREADABLE),
        (lambda scene: "a\0b", Reason.UNREADABLE),
    ],
)
def test_an_input_that_cannot_be_screened_has_a_reason(engine, scene, make, reason):
    """It is `unscreened`, with a reason and a sentence, never `no_match`."""
    result = engine.screen(make(scene))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, reason)
    assert result.detail


def test_a_closed_pillow_image_is_undecodable(engine, scene):
    """The detail says that it must be open."""
    image = Image.open(io.BytesIO(png(scene(1))))
    image.close()

    result = engine.screen(image)

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.UNDECODABLE)
    assert "while it is open" in result.detail


@pytest.mark.parametrize("size", [(5, 0), (0, 5), (0, 0)])
def test_an_image_without_pixels_affects_only_its_own_result(engine, size):
    """Such as a crop outside the picture."""
    one, other = engine.screen_many([Image.new("RGB", size), Image.new("RGB", (64, 64))])

    assert (one.reason, one.detail) == ("undecodable", f"an image without pixels: {size}")
    assert other.reason == "too_little_detail"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "PSD", "ICNS", None])
def test_an_unscreened_input_is_freed_at_once(engine, scene, form):
    """Without waiting for the garbage collector, since it may be large."""
    data = b"no picture of any kind" * 9
    if form in ("PSD", "ICNS"):  # headers that Pillow refuses, each with errors of its own
        data = {"PSD": b"8BPS", "ICNS": b"icns"}[form] + bytes(99)
    elif form is not None:
        data = saved(scene(9), form)
        data = data[: len(data) // 2]
    assert engine.screen(data).verdict == Verdict.UNSCREENED
    with none_collected():
        engine.screen(data)
        assert gc.collect() == 0


def test_limits_are_checked_and_settable(make_list, scene):
    """A picture over the pixel limit is `too_large`; under a higher limit it matches."""
    known = make_list([{"id": "one", "pdq": pdq_text(scene(1))}])
    small = Screener(known, policy=Policy(limits=Limits(pixels=320 * 240 - 1)))
    enough = Screener(known, policy=Policy(limits=Limits(pixels=320 * 240)))

    assert small.screen(png(scene(1))).reason == Reason.TOO_LARGE
    assert enough.screen(png(scene(1))).verdict == Verdict.MATCH


def test_a_list_of_photodna_only_is_not_comparable(make_list, scene):
    """Values that are never computed here clear no picture."""
    engine = Screener(make_list([{"id": "p", "photodna": PHOTODNA}]))

    result = engine.screen(png(scene(1)))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)


def test_digests_clear_a_picture_only_under_digests_only(make_list, scene):
    """Otherwise a list of MD5 values is `not_comparable`."""
    known = make_list([{"id": "d", "md5": "5a" * 16}])
    data = png(scene(1))

    assert Screener(known).screen(data).reason == Reason.NOT_COMPARABLE
    digests = Screener(known, policy=Policy(digests_only=True))
    assert digests.screen(data).verdict == Verdict.NO_MATCH
    assert digests.screen(b"no picture").verdict == Verdict.NO_MATCH
    assert digests.screen(scene(1)).reason == Reason.NOT_COMPARABLE


@pytest.mark.parametrize("status", ["known_good", "seed", "withdrawn"])
def test_a_kind_by_which_nothing_can_match_clears_nothing(make_list, scene, status):
    """Comparing a known file's PDQ does not look for a confirmed PhotoDNA value."""
    rows = [
        {"id": "wanted", "photodna": PHOTODNA, "status": "confirmed"},
        {"id": "other", "pdq": "0f" * 32, "status": status},
    ]

    assert Screener(make_list(rows)).screen(png(scene(1))).reason == Reason.NOT_COMPARABLE


def test_a_list_of_low_quality_hashes_clears_nothing(make_list, scene):
    """Its values are not compared at this floor, but at a lower one."""
    known = make_list([{"id": "low", "pdq": "0f" * 32, "pdq_quality": "49"}])
    data = png(scene(1))

    assert Screener(known).screen(data).reason == Reason.NOT_COMPARABLE
    lower = Policy(floor={"pdq": 49})
    assert Screener(known, policy=lower).screen(data).verdict == Verdict.NO_MATCH


@pytest.mark.parametrize("digests_only", [False, True])
def test_an_empty_file_neither_matches_nor_is_cleared(make_list, digests_only):
    """Every empty file has the same digest, whichever list holds it."""
    nothing = hashlib.md5(b"").hexdigest()
    known = make_list([{"id": "nothing", "md5": nothing}, {"id": "b", "md5": "ab" * 16}])

    result = Screener(known, policy=Policy(digests_only=digests_only)).screen(b"")

    assert (result.verdict, result.reason, result.other_hits) == (
        Verdict.UNSCREENED, Reason.EMPTY, (),
    )  # fmt: skip


def test_an_empty_list_clears_nothing(tmp_path, scene):
    """Nothing was compared."""
    engine = Screener(HashList.create(tmp_path / "none.list"))

    assert engine.screen(png(scene(1))).reason == Reason.NOT_COMPARABLE


@pytest.mark.parametrize(
    ("status", "verdict", "where"),
    [
        ("confirmed", Verdict.MATCH, "matches"),
        ("disputed", Verdict.MATCH, "matches"),
        ("seed", Verdict.NO_MATCH, "other_hits"),
        ("known_good", Verdict.NO_MATCH, "other_hits"),
        ("withdrawn", Verdict.NO_MATCH, None),
    ],
)
def test_only_confirmed_and_disputed_records_make_a_match(make_list, scene, status, verdict, where):
    """Seeds and known files are other hits; withdrawn records have none."""
    rows = [
        {"id": "it", "pdq": pdq_text(scene(1)), "status": status},
        {"id": "other", "pdq": pdq_text(scene(2)), "status": "confirmed"},
    ]

    result = Screener(make_list(rows)).screen(png(scene(1)))

    assert result.verdict == verdict
    for place in ("matches", "other_hits"):
        found = [(m.entry, m.state) for m in getattr(result, place)]
        assert found == ([("it", status)] if place == where else [])


@pytest.mark.parametrize(("status", "where"), [("confirmed", "matches"), ("seed", "other_hits")])
def test_hits_are_sorted_by_distance_then_list_and_entry(make_list, scene, status, where):
    """Whatever the order of the list."""
    value = pdq_text(scene(1))
    distances = {"a": 9, "b": 3, "c": 0, "d": 3, "e": 20, "f": 12}
    rows = [
        {"id": entry, "pdq": with_bits_flipped(value, distance), "status": status}
        for entry, distance in distances.items()
    ]
    lists = [make_list(rows, name=name) for name in ("second", "first")]

    answers = [
        (m.distance, m.list, m.entry) for m in getattr(Screener(lists).screen(scene(1)), where)
    ]

    assert answers == sorted(
        (distance, name, entry)
        for entry, distance in distances.items()
        for name in ("first", "second")
    )


def test_a_known_file_does_not_cancel_a_match(make_list, scene):
    """Both records of the value are shown."""
    value = pdq_text(scene(1))
    rows = [
        {"id": "bad", "pdq": value, "status": "confirmed"},
        {"id": "good", "pdq": value, "status": "known_good"},
    ]

    result = Screener(make_list(rows)).screen(png(scene(1)))

    assert [m.entry for m in result.matches] == ["bad"]
    assert [m.entry for m in result.other_hits] == ["good"]


def test_listed_hashes_of_low_quality_are_not_compared(make_list, scene):
    """A recorded quality below the floor excludes a value; a missing one does not."""
    value = pdq_text(scene(1))
    rows = [
        {"id": "low", "pdq": value, "pdq_quality": "49"},
        {"id": "floor", "pdq": value, "pdq_quality": "50"},
        {"id": "unknown", "pdq": value},
    ]
    known = make_list(rows)

    found = Screener(known).screen(png(scene(1))).matches
    assert sorted(m.entry for m in found) == ["floor", "unknown"]
    lower = Policy(floor={"pdq": 49})
    assert len(Screener(known, policy=lower).screen(png(scene(1))).matches) == 3


def test_several_lists_are_searched_and_named(make_list, scene):
    """Matches name their list; a list without a shared kind keeps a picture from being cleared."""
    first = make_list([{"id": "a", "pdq": pdq_text(scene(1))}], name="first")
    second = make_list([{"id": "b", "pdq": pdq_text(scene(1))}], name="second")
    opaque = make_list([{"id": "c", "photodna": PHOTODNA}], name="opaque")
    seeds = make_list([{"id": "d", "md5": "5a" * 16, "status": "known_good"}], name="files")

    result = Screener([first, second]).screen(png(scene(1)))

    assert [(m.list, m.entry) for m in result.matches] == [("first", "a"), ("second", "b")]
    assert [state.name for state in result.lists] == ["first", "second"]
    assert Screener([first, opaque]).screen(png(scene(2))).reason == Reason.NOT_COMPARABLE
    assert Screener([first, seeds]).screen(png(scene(2))).verdict == Verdict.NO_MATCH


def test_two_lists_of_one_name_are_refused(make_list, tmp_path):
    """A match could not tell them apart; the same list passed twice is refused too."""
    one = make_list([{"id": "a", "md5": "5a" * 16}])
    (tmp_path / "elsewhere").mkdir()
    other = HashList.create(tmp_path / "elsewhere" / "known.list")

    for pair in ([one, other], [one, one]):
        with pytest.raises(
            ListError, match=r"2 lists are called known, .*: pass each list once, and"
        ):
            Screener(pair)
    with pytest.raises(ListError, match="at least one"):
        Screener([])


@pytest.mark.parametrize("item", [5, None, ["a.jpg"]])
def test_an_item_of_another_type_raises(engine, item):
    """The error names what to pass instead."""
    with pytest.raises(TypeError, match=r"cannot screen \w+; .*numpy\.asarray"):
        engine.screen(item)


def test_a_batch_gives_what_single_calls_give(engine, scene):
    """`screen_many` keeps order and answers, failures included."""
    items = [png(scene(1)), b"", png(scene(2)), b"text", png(ImageOps.mirror(scene(1)))]

    together = engine.screen_many(items)

    alone = [engine.screen(item) for item in items]
    assert [replace(r, lists=()) for r in together] == [replace(r, lists=()) for r in alone]
    assert engine.screen_many([]) == []


class _Unread:
    def read(self):
        """Refuse a number of bytes."""


class _Path(os.PathLike):
    def __fspath__(self):
        """Return no path."""


def _released():
    """Return a view of memory that was released."""
    memory = memoryview(b"bytes")
    memory.release()
    return memory


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        (None, "NoneType"),
        (float("nan"), "float"),
        (["a.jpg"], "list"),
        (Policy(), "Policy"),
        (np.zeros((9, 9, 7), np.uint8), r"\(9, 9, 7\)"),
        (np.zeros((0, 9), np.uint8), "the array has no pixels"),
        (np.zeros((9, 9), np.complex64), "complex64"),
        (np.array("a.jpg"), r"not \(\)"),
        (np.ma.zeros((9, 9)), "masked array"),
        (_Unread(), "TypeError"),
        (_Path(), "cannot screen _Path: reading it raises TypeError"),
        (_released(), "cannot screen memoryview: reading it raises ValueError"),
    ],
)
def test_a_bad_item_of_a_batch_affects_only_its_own_result(engine, scene, cell, named):
    """Its detail names the type that `screen` would refuse."""
    results = engine.screen_many([png(scene(1)), cell, png(scene(2))], inputs=["a", "b", None])

    assert [(one.input, one.verdict, one.reason) for one in results] == [
        ("a", "match", None), ("b", "unscreened", "unreadable"), (None, "no_match", None)
    ]  # fmt: skip
    assert re.search(named, results[1].to_dict()["detail"])
    assert results[1].detail == json.loads(results[1].to_json())["detail"]


@pytest.mark.parametrize(
    "pixels", [np.zeros((9, 9, 7), np.uint8), np.zeros((9, 9), complex), np.ma.zeros((9, 9))]
)
def test_an_array_without_pixels_raises(make_list, pixels):
    """Whatever kinds the lists hold."""
    for kind in ({"pdq": "0f" * 32}, {"md5": "ab" * 16}):
        engine = Screener(make_list([{"id": "one"} | kind], name=next(iter(kind))))
        with pytest.raises(HashError):
            engine.screen(pixels)


def test_results_have_the_names_of_inputs(engine, scene, tmp_path):
    """A file keeps its own name by default, and its size and time under any name."""
    path = tmp_path / "a.png"
    path.write_bytes(png(scene(1)))
    named = engine.screen_many(
        [path, path, scene(1), b"", np.asarray(scene(1))],
        inputs=["one", None, b"caf\xe9", Path("up/b.jpg"), "pixels"],
    )

    assert [one.input for one in named] == ["one", str(path), "caf\ufffd", "up/b.jpg", "pixels"]
    assert [one.input_bytes for one in named] == [None, None, b"caf\xe9", None, None]
    size = path.stat().st_size
    assert [one.bytes for one in named] == [size, size, None, 0, None]
    assert (named[0].mtime_ns, named[0].verdict) == (path.stat().st_mtime_ns, "match")
    assert engine.screen(b"", input="c.jpg").input == "c.jpg"
    assert engine.screen(path).input == str(path)
    for wrong in ("ab", ["a"], {"a", "b"}, [1, 2]):
        with pytest.raises(HashError, match=r"inputs|name of an item"):
            engine.screen_many([b"", b""], inputs=wrong)


def test_frames_in_an_array_are_several_items(engine, scene):
    """Grey frames have three dimensions, like one picture in colour."""
    pictures = [scene(number).resize((160, 120)) for number in (1, 2)]
    for mode, verdicts in (("RGB", ["match", "no_match"]), ("L", ["match", "no_match"])):
        frames = np.stack([np.asarray(one.convert(mode)) for one in pictures])
        assert [one.verdict for one in engine.screen_many(frames)] == verdicts


@pytest.mark.parametrize("form", ["name", "path", "bytes", "view", "file", "grey", "rgb", "rgba"])
def test_screen_many_refuses_a_single_item(engine, scene, tmp_path, form):
    """Its letters, lines or rows are not items."""
    (tmp_path / "a.png").write_bytes(png(scene(1)))
    with (tmp_path / "a.png").open("rb") as file:
        alone = {
            "name": "a.png",
            "path": tmp_path / "a.png",
            "bytes": png(scene(1)),
            "view": memoryview(png(scene(1))),
            "file": file,
            "grey": np.asarray(scene(1).convert("L")),
            "rgb": np.asarray(scene(1).convert("RGB")),
            "rgba": np.asarray(scene(1).convert("RGBA")),
        }[form]
        with pytest.raises(TypeError, match="items must be a list"):
            engine.screen_many(alone)


@pytest.mark.parametrize("wrong", [None, 5, Policy()])
def test_batches_refuse_what_is_not_iterable(engine, wrong):
    """Of files and of hashes."""
    with pytest.raises(TypeError, match="items must be a list"):
        engine.screen_many(wrong)
    with pytest.raises(HashError, match="items must be a list of lists of Hash objects"):
        engine.match_many(wrong)


@pytest.mark.parametrize("name", ["lists", "policy"])
def test_lists_and_policy_of_a_screener_are_fixed(engine, name):
    """The kinds to hash and to compare follow from both when it is made."""
    with pytest.raises(AttributeError):
        setattr(engine, name, getattr(engine, name))


def test_an_old_list_is_refused(engine):
    """The policy's maximum age applies when a Screener is made."""
    with pytest.raises(PolicyError, match="import a newer file"):
        Screener(engine.lists, policy=Policy(max_list_age=1e-9))


def test_refresh_refuses_a_list_that_became_too_old(engine, monkeypatch):
    """Even if nothing is newer."""
    limited = Screener(engine.lists, policy=Policy(max_list_age=50))
    assert limited.refresh() is limited
    later = time.time() + 100
    monkeypatch.setattr(time, "time", lambda: later)

    with pytest.raises(PolicyError, match="import a newer file"):
        limited.refresh()


def test_a_list_imported_in_the_future_is_refused_under_a_maximum_age(make_list):
    """Its age is unknown; a clock skew of minutes is accepted."""
    known = make_list([{"id": "a", "md5": "0" * 31 + "1"}])
    for seconds, fit in ((100, True), (10_000, False)):
        with closing(sqlite3.connect(known.path / "records.sqlite")) as connection, connection:
            connection.execute("UPDATE generations SET confirmed = confirmed + ?", (seconds,))
        ahead = HashList.open(known.path)
        assert Screener(ahead).lists[0].age_s() == 0
        if fit:
            Screener(ahead, policy=Policy(max_list_age=50))
            continue
        with pytest.raises(PolicyError, match=r"a time \d+ s in the future"):
            Screener(ahead, policy=Policy(max_list_age=50))


def test_refresh_returns_a_screener_of_the_newest_generation(engine, make_list, scene, tmp_path):
    """The old one keeps its answers; one newer list of several is enough."""
    assert engine.refresh() is engine
    more = tmp_path / "more.csv"
    more.write_text(f"id,pdq\ntwo,{pdq_text(scene(2))}\n")
    engine.lists[0].import_file(more)

    newer = engine.refresh()

    assert newer.screen(png(scene(2))).verdict == Verdict.MATCH
    assert engine.screen(png(scene(2))).verdict == Verdict.NO_MATCH
    assert newer.lists[0].generation == engine.lists[0].generation + 1
    strict = Screener(engine.lists, policy=Policy(radius={"pdq": 3}))
    assert strict.refresh().policy == strict.policy
    fixed = make_list([{"id": "b", "pdq": pdq_text(scene(3))}], name="fixed")
    both = Screener([engine.lists[0], fixed]).refresh()
    assert both.screen(png(scene(2))).verdict == Verdict.MATCH


def test_hashes_made_elsewhere_are_matched_by_the_same_rules(engine, scene):
    """Radius, floor and the need for a comparison."""
    value = pdq_text(scene(1))

    def verdict(*hashes):
        result = engine.match(hashes, input="case 7")
        assert result.input == "case 7"
        return result.verdict, result.reason

    assert verdict(Hash.parse("pdq", with_bits_flipped(value, 31))) == (Verdict.MATCH, None)
    assert verdict(Hash.parse("pdq", with_bits_flipped(value, 32))) == (Verdict.NO_MATCH, None)
    assert verdict(Hash.parse("pdq", value, quality=50)) == (Verdict.MATCH, None)
    low = Hash.parse("pdq", value, quality=49)
    assert verdict(low) == (Verdict.UNSCREENED, Reason.TOO_LITTLE_DETAIL)
    digest = Hash.parse("md5", "5a" * 16)
    assert verdict(digest) == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)
    assert verdict() == (Verdict.UNSCREENED, Reason.NOT_COMPARABLE)


@pytest.mark.parametrize("kind", ["pdq", "phash", "dhash256"])
@pytest.mark.parametrize("quality", [None, 100])
def test_the_hash_of_a_blank_picture_made_elsewhere_clears_nothing(make_list, kind, quality):
    """Other tools hash blank pictures to few or no bits, often without a quality.

    Lists do not search such hashes, but one within the radius of a listed hash still matches.
    """
    size = KINDS[kind].size
    fewest = KINDS[kind].bits // 16  # bits of a hash that is compared
    near, nearly = (((1 << bits) - 1).to_bytes(size) for bits in (fewest, fewest - 1))
    engine = Screener(make_list([{"id": "n", kind: near.hex()}]), policy=Policy(radius={kind: 1}))

    def verdict(*values):
        made = [Hash(KINDS[kind], value, quality=quality) for value in values]
        result = engine.match(made)
        return result.verdict, result.reason

    unknown = Verdict.UNSCREENED, Reason.TOO_LITTLE_DETAIL
    assert verdict(bytes(size)) == verdict(b"\xff" * size) == unknown
    assert verdict(nearly) == (Verdict.MATCH, None)
    assert verdict(bytes(size), b"\xf0" * size) == (Verdict.NO_MATCH, None)


def test_a_truncated_gzip_upload_affects_only_its_own_result(engine, scene):
    """Reading it raises EOFError, not OSError."""
    packed = gzip.compress(png(scene(1)))
    whole, cut = (gzip.GzipFile(fileobj=io.BytesIO(one)) for one in (packed, packed[:-100]))

    results = engine.screen_many([whole, cut, png(scene(2))])

    answers = [(one.verdict, one.reason) for one in results]
    assert answers == [
        (Verdict.MATCH, None),
        (Verdict.UNSCREENED, Reason.UNREADABLE),
        (Verdict.NO_MATCH, None),
    ]


def test_a_name_with_lone_surrogates_can_be_written(engine):
    """Result lines are UTF-8."""
    line = json.loads(engine.match([], input="a\udcff").to_json().encode())

    assert (line["input"], line["input_base64"]) == ("a\N{REPLACEMENT CHARACTER}", "Yf8=")


def test_match_compares_other_perceptual_kinds(make_list):
    """A pHash within its radius matches."""
    engine = Screener(make_list([{"id": "p", "phash": "0123456789abcdef"}]))

    result = engine.match([Hash.parse("phash", "0123456789abcdee")])

    assert [(m.kind, m.distance) for m in result.matches] == [("phash", 1)]


def test_threads_can_share_a_screener(engine, scene):
    """Eight threads get the answers of one."""
    items = [png(scene(n)) for n in range(1, 4)]
    expected = [engine.screen(item).verdict for item in items]
    found = {}

    def work(number):
        found[number] = [engine.screen(item).verdict for item in items for _ in range(5)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(found[n] == [v for v in expected for _ in range(5)] for n in range(8))


def test_a_screener_can_be_pickled(engine, scene):
    """The copy opens the same generation and answers the same."""
    copy = pickle.loads(pickle.dumps(engine))
    copy.warm()

    assert copy.lists[0].generation == engine.lists[0].generation
    assert copy.screen(png(scene(1))).verdict == Verdict.MATCH
    assert copy.policy.fingerprint == engine.policy.fingerprint


def test_every_result_fits_the_schema_and_shows_no_listed_hash(engine, scene, tmp_path):
    """Lines validate against docs/result.schema.json."""
    schema = json.loads((REPOSITORY / "docs/result.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    odd = tmp_path / "odd.png"
    odd.write_bytes(png(scene(1)))
    raw_name = bytes(tmp_path) + b"/caf\xe9.png"
    with open(raw_name, "wb") as file:
        file.write(png(scene(2)))
    items = [odd, os.fsdecode(raw_name), b"", png(scene(1)), scene(2), "/missing"]

    lines = [result.to_dict() for result in engine.screen_many(items)]

    for line in lines:
        validator.validate(line)
    assert lines[2]["detail"] == engine.screen(b"").detail == "no bytes at all"
    assert lines[1]["detail"] is None
    text = json.dumps(lines)
    assert pdq_text(scene(1)) not in text
    assert "input_base64" in lines[1]
    assert lines[1]["verdict"] == "no_match"


def test_lack_of_memory_while_hashing_is_too_large(make_list, scene, monkeypatch):
    """A digest found before still matches."""
    file = png(scene(1))
    digest = hashlib.md5(file).hexdigest()
    known = make_list([{"id": "one", "pdq": pdq_text(scene(2)), "md5": digest}])

    def short(*_):
        raise MemoryError

    monkeypatch.setattr(frame_hashes, "find_regions", short)
    found, other = Screener(known).screen_many([file, png(scene(3))])

    assert (found.verdict, found.matches[0].kind) == (Verdict.MATCH, "md5")
    assert (other.verdict, other.reason) == (Verdict.UNSCREENED, Reason.TOO_LARGE)
    assert "memory" in other.detail


@pytest.mark.parametrize("wrong", ["known.list", Path("known.list"), None, ["known.list"], 3])
def test_a_screener_refuses_a_path(wrong):
    """Alone or among others; the error says how to open it."""
    with pytest.raises(ListError, match=r"needs HashLists, got \w+: open one with HashList\.open"):
        Screener(wrong)


@pytest.mark.parametrize("wrong", [{"radius": {"pdq": 31}}, "policy.toml", 31])
def test_a_screener_refuses_settings_and_file_names_as_policy(engine, wrong):
    """The error shows how to make one."""
    with pytest.raises(
        PolicyError, match=r"expected a Policy, got \w+: use Policy\(.*Policy\.load"
    ):
        Screener(engine.lists, policy=wrong)


def test_match_refuses_anything_but_a_list_of_hashes(engine):
    """Before any item is looked up, and without showing the value."""
    one = Hash.parse("pdq", "5a" * 32)
    for wrong in (one, one.text, one.value, None, [one, None], [one.text], [one.value]):
        with pytest.raises(HashError, match="an item must be a list of Hash objects") as caught:
            engine.match(wrong)
        assert one.text not in str(caught.value)
        with pytest.raises(HashError, match="an item must be a list of Hash objects"):
            engine.match_many([[one], wrong])


def test_match_refuses_names_that_are_not_text(engine):
    """A number, such as a database id, would be lost; a path is a name."""
    one = [Hash.parse("pdq", "5a" * 32)]
    with pytest.raises(HashError, match=r"must be text, got int"):
        engine.match(one, input=17)
    with pytest.raises(HashError, match=r"must be text, got int"):
        engine.match_many([one, one], inputs=["a", 0])
    for wrong in ("ab", b"ab", {"a", "b"}, {"a": 0, "b": 1}, 5):
        with pytest.raises(HashError, match="inputs must be a list of names"):
            engine.match_many([one, one], inputs=wrong)

    for inputs in (["a", Path("b"), None], dict.fromkeys(["a", "b", None]).keys()):
        named = engine.match_many([one, one, one], inputs=inputs)
        assert [result.input for result in named] == ["a", "b", None]


def test_selected_lists_decide_as_a_screener_of_them(make_list, scene):
    """Also what the Screener of all lists hashed, with more kinds than they need."""
    first = make_list([{"id": "one", "pdq": pdq_text(scene(1))}], name="first")
    rows = [{"id": "two", "phash": "8f0f0f0f0f0f0f0f", "pdq": pdq_text(scene(2))}]
    both = Screener([first, make_list(rows, name="second")], policy=Policy(radius={"pdq": 30}))
    alone = Screener(first, policy=both.policy)

    selected = both.select(["first"])

    for number in (1, 2, 3):
        data = png(scene(number))
        expected = replace(alone.screen(data), lists=())
        (decided,) = selected.decide([both.hasher.hash(data)])
        assert replace(decided, lists=()) == replace(selected.screen(data), lists=()) == expected
        assert [state.name for state in decided.lists] == ["first"]
    assert selected.policy == both.policy
    assert both.select({"first"}) is selected
    assert both.select(["second", "first"]) is both


@pytest.mark.parametrize("names", [["nope"], ["known", "nope"], []])
def test_unknown_lists_cannot_be_selected(engine, names):
    """Nor none: nothing would be compared."""
    with pytest.raises(ListError, match=r"no list|at least one list"):
        engine.select(names)
