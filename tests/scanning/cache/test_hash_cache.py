"""The cache of hashes: a rescan says what a scan of the same files would; old ones go."""

import hashlib
import json
import sqlite3
import stat
import time
import zipfile
from collections import Counter
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from clips import clip, scenes, value_of
from command_process import screener
from drawn_videos import sound
from PIL import Image

from screener import HashCache, HashList, Policy, Screener, rescan, scan
from screener.errors import MediaError, OutputError
from screener.hashing import pdq
from screener.hashing.hash import KINDS, Hash
from screener.media.files.limits import Limits
from screener.media.name import Name
from screener.media.video.sampling.settings import Sampling
from screener.scanning.cache.cache_rows import COLUMNS, encode_columns
from screener.scanning.rescan import count_without_insets, outdated
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.located_hash import LocatedHash
from screener.screening.result import MediaFacts
from screener.system.installation import make_missing_error


@pytest.fixture
def known(make_list):
    """A list of kinds but of nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


@pytest.fixture
def folder(scene, tmp_path):
    """Pictures, one of little detail, an animation, one cut short, an archive, and no picture."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    pictures = [scene(number, (160, 120)) for number in range(6)]
    for number, picture in enumerate(pictures[:3]):
        picture.save(folder / f"{number}.png")
    Image.new("RGB", (100, 100)).save(folder / "blank.png")
    pictures[3].save(folder / "a.gif", save_all=True, append_images=pictures[4:6])
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "words.txt").write_bytes(b"words")
    (folder / "empty").touch()
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.write(folder / "1.png", "in.png")
    return folder


def lines(results):
    """Results as lines, without what differs from run to run."""
    found = {}
    for result in results:
        if (
            not result.counts
        ):  # an archive that its members speak for, of which a rescan has no line
            continue
        line = replace(result, seconds=None).to_dict()
        for one in line["lists"]:
            one.pop("age_s")
        found[line["input"]] = line
    return found


def fill(path, known, folder, **settings):
    """Scan with a cache."""
    engine = Screener(known, policy=settings.pop("policy", None))
    with HashCache.open(path, **settings) as cache:
        return list(scan(engine, folder, jobs=1, cache=cache))


def test_a_rescan_gives_what_a_scan_would(known, folder, scene, tmp_path):
    """After an import that lists some of them, by PDQ turned and near, by digest, and as known
    good: the same lines as a scan anew, for what reaches a record, and for all with `every`.
    """
    fill(tmp_path / "c", known, folder)
    with HashCache.open(tmp_path / "c") as cache:
        assert list(rescan(Screener(known), cache)) == []
        assert repr(cache) == f"<HashCache {str(tmp_path / 'c')!r}>"
    turned = np.asarray(scene(1, (160, 120)).transpose(Image.Transpose.ROTATE_90))
    near = int(pdq.compute(np.asarray(scene(2, (160, 120)))).text, 16) ^ 0b1011
    frame = pdq.compute(np.asarray(scene(4, (160, 120)))).text

    digest = hashlib.md5((folder / "words.txt").read_bytes()).hexdigest()
    half = hashlib.md5((folder / "cut.png").read_bytes()).hexdigest()
    rows = [f"t,{pdq.compute(turned).text},,", f"n,{near:064x},,", f"f,{frame},,"]
    rows += [f"d,,{digest},", f"h,,{half},known_good"]
    (tmp_path / "more.csv").write_text("id,pdq,md5,status\n" + "\n".join(rows) + "\n")
    known.import_file(tmp_path / "more.csv", source="more")
    engine = Screener(known.refresh(), policy=Policy(effort="distance"))  # as of a cache

    anew = lines(scan(engine, folder, jobs=1))
    with HashCache.open(tmp_path / "c") as cache:
        found, every = lines(rescan(engine, cache)), lines(rescan(engine, cache, every=True))
        assert outdated(engine, cache) == 0

    assert found == {n: one for n, one in anew.items() if one["matches"] or one["other_hits"]}
    assert [n.removeprefix(f"{folder}/") for n in sorted(found)] == [
        "1.png", "2.png", "a.gif", "cut.png", "words.txt", "z.zip!in.png",
    ]  # fmt: skip
    # The archive's own bytes were hashed too, and have no line where nothing is to be said of them.
    assert every == anew


def tallied(results):
    """How many results there are of each verdict, and of each reason."""
    return Counter(str(one.reason or one.verdict) for one in results if one.counts)


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        ("pdq,md5", {}), ("pdq,md5", {"digests_only": True}), ("pdq,md5", {"floor": {"pdq": 99}}),
        ("pdq", {"floor": {"pdq": 0}}), ("pdq", {"digests_only": True}), ("md5", {}),
        ("md5", {"digests_only": True}), ("vpdq", {}), ("pdq good,md5", {}),
    ],
)  # fmt: skip
def test_what_a_scan_leaves_unscreened_a_rescan_counts(
    make_list, folder, scene, tmp_path, rows, settings
):
    """Damage, content of no known type, an empty file, a member cut short, too little detail, no
    kind to compare by: by their reasons, whatever a list holds and a policy asks. So a rescan ends
    as a scan would.
    """
    with zipfile.ZipFile(folder / "y.zip", "w") as archive:
        archive.write(folder / "1.png", "in.png")
        archive.write(folder / "cut.png", "cut.png")
    damaged = bytearray((folder / "y.zip").read_bytes())
    damaged[300] ^= 0xFF
    (folder / "y.zip").write_bytes(damaged)
    (folder / "half.zip").write_bytes(bytes(damaged[: len(damaged) // 2]))
    values = {
        "pdq": pdq.compute(np.asarray(scene(1, (160, 120)))).text,
        "pdq good": "0f" * 32,
        "md5": hashlib.md5((folder / "words.txt").read_bytes()).hexdigest(),
        "vpdq": Hash(KINDS["vpdq"], value_of(clip(scenes(30, seed=1)))).text,
    }
    listed = [
        {"id": one, one.split()[0]: values[one], "status": "known_good" if "good" in one else ""}
        for one in rows.split(",")
    ]
    other = {"pdq": "01" * 32, "md5": "01" * 16}
    if rows == "vpdq":  # frames are looked at in another way for it
        other["vpdq"] = values["vpdq"]
    everything = make_list([{"id": "other"} | other], name="all")
    engine = Screener(make_list(listed), policy=Policy(**settings))
    cached_by = Screener(everything, policy=Policy(**settings))
    with HashCache.open(tmp_path / "c") as cache:
        list(scan(cached_by, folder, jobs=1, cache=cache))
        anew = tallied(scan(engine, folder, jobs=1))
        unscreened = Counter()
        told = tallied(rescan(engine, cache, unscreened=unscreened))
        every = tallied(rescan(engine, cache, every=True))
        assert outdated(engine, cache) == 0

    del anew["no_match"], every["no_match"], told["no_match"]
    found = [anew, every, told + unscreened]
    if rows == "md5":  # of a cut picture in an archive the cache knows more than a scan
        found = [one.total() for one in found]
    assert found[1:] == found[:1] * 2
    assert anew.total() > 1


def test_digests_alone_are_compared_in_whatever_was_cached(make_list, folder, tmp_path):
    """A cache that was filled to compare pictures and videos has all digests: what a file or a
    member could not be decoded for keeps neither from being compared by them, as in a scan. One
    under a password has none, and that is told.
    """
    with zipfile.ZipFile(folder / "y.zip", "w") as archive:
        for name in ("1.png", "words.txt", "empty"):
            archive.write(folder / name, name)
        archive.writestr("sound.mp4", sound())
        archive.writestr("locked", b"words")
        archive.filelist[-1].flag_bits |= 1  # encrypted, as far as a reader looks
    film = Hash(KINDS["vpdq"], value_of(clip(scenes(30, seed=1)))).text
    md5 = hashlib.md5((folder / "1.png").read_bytes()).hexdigest()
    known = make_list([{"id": "one", "vpdq": film, "md5": md5}])
    engine = Screener(known, policy=Policy(digests_only=True))
    fill(tmp_path / "c", known, folder)

    with HashCache.open(tmp_path / "c") as cache:
        assert outdated(engine, cache) == 0
        every = {one.input: (one.verdict, one.reason) for one in rescan(engine, cache, every=True)}

    scanned = [one for one in scan(engine, folder, jobs=1) if one.counts]
    anew = {one.input: (one.verdict, one.reason) for one in scanned}
    assert every == anew
    assert sorted(name for name, (_, reason) in anew.items() if reason) == [
        str(folder / "empty"), f"{folder}/y.zip!empty", f"{folder}/y.zip!locked",
    ]  # fmt: skip


def test_what_cannot_be_decided_from_the_cache_is_counted(known, folder, tmp_path, make_list):
    """Other limits, another sampling, or a kind that was not made then: to be scanned again. How
    hashes are compared is decided as it stands.
    """
    fill(tmp_path / "c", known, folder / "0.png")
    sha = make_list([{"id": "s", "pdq": "0f" * 32, "sha1": "cd" * 20}], name="sha")
    with HashCache.open(tmp_path / "c") as cache:
        assert outdated(Screener(sha), cache) == 1
        assert outdated(Screener(known, policy=Policy(limits=Limits(frames=3))), cache) == 1
        assert outdated(Screener(known, policy=Policy(sampling=Sampling(every=2))), cache) == 1
        for comparing in ({"radius": {"pdq": 5}}, {"floor": {"pdq": 5}}, {"digests_only": True}):
            assert outdated(Screener(known, policy=Policy(**comparing)), cache) == 0
        assert list(rescan(Screener(sha), cache, every=True)) == []


@pytest.fixture
def page(scene, tmp_path):
    """A page with two photos, of which the second will be listed, as a file."""
    drawn = Image.new("RGB", (500, 800), "white")
    for number, top in ((1, 40), (2, 400)):
        drawn.paste(scene(number, (400, 300)), (50, top))
    drawn.paste("black", (0, 0, 20, 800))  # no border
    drawn.save(tmp_path / "page.png")
    return tmp_path / "page.png"


def list_photo(make_list, scene):
    """A list of one of the page's photos."""
    value = pdq.compute(np.asarray(scene(2, (400, 300)))).text
    return make_list([{"id": "photo", "pdq": value, "md5": "0f" * 16}], name="photos")


def test_a_rescan_finds_what_is_listed_inside_of_a_picture(known, make_list, scene, page, tmp_path):
    """With its box, as a scan does; without insets in the policy, as a scan does without them."""
    fill(tmp_path / "c", known, page)
    photos = list_photo(make_list, scene)
    with HashCache.open(tmp_path / "c") as cache:
        for insets in (Policy().insets, 0):
            engine = Screener(photos, policy=Policy(effort="distance", insets=insets))
            anew = lines(scan(engine, page, jobs=1))
            assert lines(rescan(engine, cache, every=True)) == anew
            assert (outdated(engine, cache), count_without_insets(engine, cache)) == (0, 0)
            hits = anew[str(page)]["matches"]
            assert [hit["region"] for hit in hits] == ["inset"] * bool(insets)
            for hit in hits:
                assert np.abs(np.subtract(hit["box"], (50, 400, 450, 700))).max() <= 4
        for other in (Policy(insets=3), Policy(inset_side=64)):
            assert outdated(Screener(photos, policy=other), cache) == 1


def test_a_cache_without_insets_goes_on_to_be_compared(known, make_list, scene, page, tmp_path):
    """By its whole pictures; of an earlier version too, whose settings name no insets. A scan with
    insets looks at the inputs again.
    """
    plain = Policy(insets=0)
    value = pdq.compute(np.asarray(Image.open(page))).text
    whole = make_list([{"id": "whole", "pdq": value}], name="whole")
    photos, engine = list_photo(make_list, scene), Screener(whole)
    fill(tmp_path / "c", known, page, policy=plain)
    for is_earlier in (False, True):
        if is_earlier:
            with closing(sqlite3.connect(tmp_path / "c")) as file, file:
                ((made_by,),) = file.execute("SELECT made_by FROM makings").fetchall()
                settings = json.loads(made_by)
                del settings["policy"]["insets"], settings["policy"]["inset_side"]
                changed = json.dumps(settings, sort_keys=True)
                file.execute("UPDATE makings SET made_by = ?", (changed,))
        with HashCache.open(tmp_path / "c") as cache:
            (result,) = rescan(engine, cache)
            assert (result.verdict, result.matches[0].entry) == ("match", "whole")
            assert list(rescan(Screener(photos), cache)) == []
            assert (outdated(engine, cache), count_without_insets(engine, cache)) == (0, 1)
            assert count_without_insets(Screener(whole, policy=plain), cache) == 0
            name = hash_item(page, policy=plain, kinds=[KINDS["md5"]]).name
            assert cache.holds(name, Screener(known, policy=plain).hasher)
            assert not cache.holds(name, Screener(known).hasher)
    text = screener("rescan", "--cache", tmp_path / "c", "--list", whole.path).stderr
    assert "1 input compared without insets" in " ".join(text.split())


def test_the_newest_hashes_of_a_name_are_kept_and_old_ones_go(known, folder, tmp_path, monkeypatch):
    """A file scanned again has one place; after `keep` days it has none, and no byte is left."""
    path, picture = tmp_path / "c", folder / "0.png"
    value = pdq.compute(np.asarray(Image.open(picture))).value
    for number in (1, 0):
        picture.write_bytes((folder / f"{number}.png").read_bytes() if number else b"x")
        fill(path, known, picture)
    with HashCache.open(path) as cache:
        assert len(cache) == 1
        (one,) = rescan(Screener(known), cache, every=True)
        assert one.bytes == 1
    fill(path, known, folder / "2.png")
    value = pdq.compute(np.asarray(Image.open(folder / "2.png"))).value
    assert value in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    later = time.time() + 3 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    with HashCache.open(path) as cache:
        assert (len(cache), cache.keep) == (2, 30)
    with HashCache.open(path, keep=2) as cache:
        assert len(cache) == 0
    emptied = screener("rescan", "--cache", path, "--list", known.path)
    assert (emptied.returncode, "the cache is empty" in emptied.stderr) == (3, True)
    with HashCache.open(path) as cache:
        assert cache.keep == 2  # as it was last said, and not by who merely reads
    assert value not in path.read_bytes()


def hashed(
    text="a", *, size=5, mtime_ns=7, frames=1, hashes=None, trouble=None, raw=None, place=((), ())
):
    """An input that was hashed, by default with one PDQ."""
    one = LocatedHash(Hash(KINDS["pdq"], bytes(range(32)), quality=90))
    media = None if frames is None else MediaFacts("image/gif", 4, 3, frames, None, frames)
    return HashedInput(Name(text, raw, size, mtime_ns, *place), hashes or (one,), media, trouble)


def test_a_cache_holds_an_input_as_it_is_now_and_as_it_is_wanted(
    known, make_list, tmp_path, monkeypatch
):
    """Of that name, place, size and time, with all that a Hasher would make of it: one that wanted
    an extra is held until the extra is here.
    """
    wide, narrow = Screener(known), Screener(make_list([{"id": "m", "pdq": "0f" * 32}], name="m"))
    other = Screener(known, policy=Policy(limits=Limits(frames=3)))
    with HashCache.open(tmp_path / "c") as cache:
        inner = (3, 5), (1, 2)
        cache.add([hashed(place=inner)], wide.hasher)
        cache.add([hashed("less")], narrow.hasher)

        def holds(text="a", engine=wide, place=inner, **facts):
            return cache.holds(hashed(text, place=place, **facts).name, engine.hasher)

        assert holds()
        assert holds(engine=narrow)
        assert not holds(engine=other)
        assert not holds("less", place=((), ()))
        assert holds("less", narrow, ((), ()))
        for changed in ({"size": 6}, {"size": None}, {"mtime_ns": 8}, {"text": "b"}):
            assert not holds(**changed)
        for archives, same in (
            ((), ()), ((3,), (1,)), ((3, 5), (2, 1)), ((5, 3), (1, 2)), ((35,), (12,)),
            ((3, 5, 7), (1, 2, 0)),
        ):  # fmt: skip
            assert not holds(place=(archives, same))

        wanting = hashed("heic", trouble=make_missing_error("heif", "image/heic"))
        cache.add([wanting], wide.hasher)
        for here in (False, True):
            monkeypatch.setattr(
                "screener.scanning.cache.hash_cache.is_available", lambda extra, here=here: here
            )
            assert cache.holds(wanting.name, wide.hasher) is not here


def test_what_a_cache_gives_back_is_what_it_was_given(known, tmp_path):
    """Names that are no text, facts, trouble, and each hash with all that is said of it."""
    value = iter(range(200))

    def located(kind, **where):
        size = KINDS[kind].size
        return LocatedHash(
            Hash(KINDS[kind], bytes([next(value)]) * size, **where.pop("hash", {})), **where
        )

    frame = {"orientation": "rotate90", "region": "trimmed", "part": 3, "time": 1.5, "detail": 0}
    hashes = (
        located("pdq", hash={"quality": 0, "pixels": 7}, **frame, again=(2.0, 2.5), track=2),
        located("md5"),
        located("pdq", hash={"quality": 100}, part_kind="appended", detail=80),
        located("phash"),
        located("pdq", hash={"quality": 60}, region="inset", box=(0, 1, 4, 3), detail=70),
        located("pdq"),
    )
    given = [
        hashed("plain", hashes=hashes, frames=2),
        hashed("a\N{REPLACEMENT CHARACTER}", raw=b"a\xff", hashes=hashes[1:2], frames=None),
        hashed("cut", trouble=MediaError("truncated", "the data end"), place=((2, 3), (0, 4))),
        hashed("no size", size=None, mtime_ns=None),
        hashed("of the year 2302", mtime_ns=10_500_000_000 * 10**9),
    ]
    engine = Screener(known)
    with HashCache.open(tmp_path / "c") as cache:
        cache.add(given, engine.hasher)
        found = list(
            cache.load_inputs(
                cache.list_numbers(1, cache.last_number() + 1), set(cache.list_settings())
            )
        )
        assert list(cache.load_inputs([1, 2], {"other settings"})) == []
        assert (
            list(cache.load_inputs([999], set(cache.list_settings()))) == []
        )  # forgotten since it was asked for
        assert all(cache.holds(one.name, engine.hasher) for one in given)
        assert not cache.holds(replace(given[-1].name, mtime_ns=10**19), engine.hasher)

    for one, wanted in zip(found, given, strict=True):
        assert (one.name, one.hashes, one.media) == (wanted.name, wanted.hashes, wanted.media)
        for said in ("quality", "pixels"):  # which make no other hash
            values = [[getattr(each.hash, said) for each in of.hashes] for of in (one, wanted)]
            assert values[0] == values[1]
        assert (one.error and (one.error.reason, one.error.detail)) == (
            wanted.error and (wanted.error.reason, wanted.error.detail)
        )


def scored(kind, quality, detail=None, part_kind="frame"):
    """A hash of these scores."""
    hash = Hash(KINDS[kind], bytes(KINDS[kind].size), quality)
    return LocatedHash(hash, detail=detail, part_kind=part_kind)


STILL = MediaFacts("image/png", 4, 3, 1)
CUT = MediaError("truncated", "the data end")
DIGEST = LocatedHash(Hash(KINDS["md5"], bytes(16)))


def nameless(*facts, **more):
    """An input without a name."""
    return HashedInput(Name(), *facts, **more)


@pytest.mark.parametrize(
    ("item", "clear"),
    [
        (nameless((scored("pdq", 70, 60), scored("phash", 80)), STILL), 60),
        (nameless((scored("pdq", 60, 70), scored("phash", 80)), STILL), 60),
        (nameless((scored("pdq", 90), scored("phash", 80)), STILL), 80),
        # The best of the ways in which it was turned and cut, of each kind.
        (nameless((scored("pdq", 9), scored("pdq", 70), scored("phash", 80)), STILL), 70),
        (nameless((scored("pdq", 70), scored("pdq", 9), scored("phash", 80)), STILL), 70),
        # Of each kind that there may be; of digests nothing hangs on.
        (nameless((scored("pdq", 70), DIGEST), STILL), -1),
        (nameless((DIGEST,), STILL), -1),
        (nameless((scored("pdq", None), scored("phash", None)), None), 255),
        # What is not shown clears nothing.
        (nameless((scored("pdq", 9), scored("phash", 80),
                scored("pdq", 70, part_kind="thumbnail")), STILL), 9),
        # What moves, and what gave trouble, is looked at whole; an archive is its members.
        (nameless((scored("pdq", 70), scored("phash", 80)), replace(STILL, frames=2)), -1),
        (nameless((scored("pdq", 70), scored("phash", 80)), replace(STILL, frames=0)), -1),
        (nameless((scored("pdq", 70), scored("phash", 80)),
                replace(STILL, type="video/mp4")), -1),
        (nameless((scored("pdq", 70), scored("phash", 80)), STILL, CUT), -1),
        (nameless((DIGEST,), archive=True), 256),
        (nameless((DIGEST,), error=CUT, archive=True), -1),
    ],
)  # fmt: skip
def test_the_floor_up_to_which_an_input_is_surely_screened(item, clear):
    """A rescan counts as screened, without looking, what reaches a policy's floor by it."""
    kinds = [KINDS[name] for name in ("md5", "pdq", "phash")]

    assert encode_columns(item, kinds)[COLUMNS.index("clear")] == clear


def test_where_nothing_is_compared_but_digests_each_is_sure():
    """There is no floor; but for what has no hash."""
    for item, clear in ((HashedInput(Name(), (DIGEST,), STILL), 255), (HashedInput(Name()), -1)):
        assert encode_columns(item, [KINDS["md5"]])[COLUMNS.index("clear")] == clear


@pytest.mark.parametrize("first", ["pictures", "others"])
def test_what_one_of_several_lists_leaves_unscreened_is_counted(make_list, tmp_path, first):
    """Each has a floor of its own kinds, of which the highest says what is to be looked at."""
    lists = [
        make_list([{"id": "one", "pdq": "0f" * 32}], name="pictures"),
        make_list([{"id": "one", "phash": "0f" * 8}], name="others"),
    ]
    lists.sort(key=lambda one: one.name != first)
    engine = Screener(lists, policy=Policy(floor={"pdq": 50, "phash": 80}))
    clear, unclear = (
        hashed(name, hashes=(scored("pdq", score, 99), scored("phash", score, 99)))
        for name, score in (("clear", 80), ("unclear", 79))
    )

    with HashCache.open(tmp_path / "c") as cache:
        cache.add([clear, unclear], engine.hasher)
        unscreened = Counter()
        assert list(rescan(engine, cache, unscreened=unscreened)) == []
        reasons = {one.input: one.reason for one in rescan(engine, cache, every=True)}

    assert reasons == {"clear": None, "unclear": "too_little_detail"}
    assert unscreened == {"too_little_detail": 1}


@pytest.mark.parametrize(("chunk", "decided"), [(1, 1), (3, 2), (10, 4), (11, 256)])
def test_a_rescan_tells_of_each_input_once_and_in_order(
    make_list, tmp_path, monkeypatch, chunk, decided
):
    """However many are read and decided at a time; matches, and hits beside them."""
    monkeypatch.setattr("screener.scanning.rescan._SEARCH_BATCH", chunk)
    monkeypatch.setattr("screener.scanning.rescan._DECISION_BATCH", decided)
    states = ["confirmed", "seed", "known_good"]
    values = [bytes([number, 255 - number] * 16) for number in range(10)]
    rows = [
        {"id": str(number), "pdq": values[number].hex(), "status": states[number % 3]}
        for number in range(10)
        if number % 4
    ]
    engine = Screener(make_list(rows))
    with HashCache.open(tmp_path / "c") as cache:
        for number, one in enumerate(values):
            hashes = (LocatedHash(Hash(KINDS["pdq"], one, quality=90), detail=90),)
            cache.add([hashed(str(number), hashes=hashes)], engine.hasher)
        found = list(rescan(engine, cache))
        every = [one.input for one in rescan(engine, cache, every=True)]

    assert every == [str(number) for number in range(10)]
    assert [one.input for one in found] == [row["id"] for row in rows]
    for one in found:
        assert next(hit.entry for hit in (*one.matches, *one.other_hits)) == one.input


def test_a_rescan_tells_of_what_any_list_has_within_the_radius_of_its_state(make_list, tmp_path):
    """Whichever list it is, and though known files reach further than matches do."""
    values = [bytes([number, 255 - number] * 16) for number in range(5)]
    further = (int.from_bytes(values[2], "big") ^ 0xFFF).to_bytes(32, "big")
    rows = [
        [{"id": "0", "pdq": values[0].hex()}],
        [{"id": "1", "pdq": values[1].hex()}, {"id": "2", "pdq": further.hex()}],
        [{"id": "2", "pdq": further.hex(), "status": "known_good"}],
    ]
    lists = [make_list(each, name=name) for name, each in zip("abc", rows, strict=True)]
    policy = Policy(radius={"pdq": 11}, known_good_radius={"pdq": 12})
    engine = Screener(lists, policy=policy)
    with HashCache.open(tmp_path / "c") as cache:
        for number, one in enumerate(values):
            hashes = (LocatedHash(Hash(KINDS["pdq"], one, quality=90), detail=90),)
            cache.add([hashed(str(number), hashes=hashes)], engine.hasher)
        for order in (lists, lists[::-1]):
            found = list(rescan(Screener(order, policy=policy), cache))
            told = [
                (one.input, [hit.list for hit in one.matches], [hit.list for hit in one.other_hits])
                for one in found
            ]
            assert told == [("0", ["a"], []), ("1", ["b"], []), ("2", [], ["c"])]


@pytest.mark.parametrize("here", [True, False])
def test_what_wants_an_extra_is_counted_once(known, tmp_path, monkeypatch, here):
    """As to be scanned again where the extra is here now, and else as unscreened."""
    monkeypatch.setattr("screener.scanning.rescan.is_available", lambda _: here)
    engine = Screener(known)
    trouble = make_missing_error("heif", "image/heic")
    with HashCache.open(tmp_path / "c") as cache:
        cache.add([hashed("a.heic", trouble=trouble)], engine.hasher)
        unscreened = Counter()
        assert list(rescan(engine, cache, unscreened=unscreened)) == []
        counts = (outdated(engine, cache), unscreened["unsupported"])

    assert counts == ((1, 0) if here else (0, 1))


def test_what_is_forgotten_is_counted_and_what_is_not_older_stays(known, tmp_path, monkeypatch):
    """To the second; over all the times that something was."""
    engine, now = Screener(known), 1_000_000_000
    with HashCache.open(tmp_path / "c", keep=1) as cache:
        for second in range(4):
            monkeypatch.setattr(time, "time", lambda at=now + second: at)
            cache.add([hashed(str(second))], engine.hasher)
        for gone in range(4):
            monkeypatch.setattr(time, "time", lambda at=now + 86_400 + gone: at)
            cache.forget()
            assert (cache.forgotten, len(cache)) == (gone, 4 - gone)


@pytest.mark.parametrize("more", [(), ("--json-progress",)])
def test_a_scan_tells_what_it_forgets(known, tmp_path, more):
    """No rescan behind it could: of what is in no cache, nothing is counted."""
    for name in ("old.txt", "new.txt"):
        (tmp_path / name).write_text(name)
    before = ("--list", known.path, "--cache", tmp_path / "c", "-o", tmp_path / "r.jsonl")
    first = screener("scan", tmp_path / "old.txt", *before, "--keep", "1", *more)
    assert "deleted from the cache" not in first.stderr
    with closing(sqlite3.connect(tmp_path / "c")) as kept, kept:
        kept.execute("UPDATE inputs SET hashed = hashed - 200000")
    second = screener("scan", tmp_path / "new.txt", *before, *more)
    assert "1 input deleted from the cache, being older" in second.stderr


def test_what_is_forgotten_is_in_no_file_though_others_have_it_open(known, tmp_path, monkeypatch):
    """Neither in the cache nor in the log beside it, which only the last to close takes away."""
    engine, path, value = Screener(known), tmp_path / "c", bytes(range(32))
    with HashCache.open(path) as cache, HashCache.open(path):
        cache.add([hashed()], engine.hasher)
        assert any(value in file.read_bytes() for file in tmp_path.glob("c*"))
        later = time.time() + 40 * 86_400
        monkeypatch.setattr(time, "time", lambda: later)
        assert cache.forget() == 1
        assert not any(value in file.read_bytes() for file in tmp_path.glob("c*"))


def test_what_grows_old_while_a_cache_is_open_is_forgotten_with_its_end(
    known, tmp_path, monkeypatch
):
    """A scan may last for days, and nobody may open the cache after it."""
    path, value = tmp_path / "c", bytes(range(32))
    with HashCache.open(path) as cache:
        cache.add([hashed()], Screener(known).hasher)
        later = time.time() + 40 * 86_400
        monkeypatch.setattr(time, "time", lambda: later)

    assert cache.forgotten == 1
    assert value not in path.read_bytes()


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(100)])
def test_a_file_that_is_no_cache_is_left_alone(known, tmp_path, content):
    """Also a list's database."""
    (tmp_path / "x").write_bytes(content)
    for path in (tmp_path / "x", known.path / "records.sqlite"):
        before = path.read_bytes()
        with pytest.raises(OutputError):
            HashCache.open(path)
        assert path.read_bytes() == before


def test_the_commands_scan_import_and_rescan(folder, scene, tmp_path):
    """Nothing matches, a newer list comes, and the cache tells what does; and other settings."""
    known, cache = tmp_path / "k.list", tmp_path / "c"
    (tmp_path / "k.csv").write_text("id,pdq\none," + "0123456789abcdef" * 4 + "\n")
    HashList.create(known).import_file(tmp_path / "k.csv", source="s")
    first = screener("scan", folder, "--list", known, "--cache", cache, "-o", tmp_path / "r")
    assert first.returncode == 3
    text = pdq.compute(np.asarray(scene(1, (160, 120)))).text
    (tmp_path / "k.csv").write_text(f"id,pdq\ntwo,{text}\n")
    HashList.open(known).import_file(tmp_path / "k.csv", source="s")

    done = screener("rescan", "--cache", cache, "--list", known, "--audit", tmp_path / "log")

    assert done.returncode == 1, done.stderr
    inputs = [json.loads(line)["input"] for line in done.stdout.splitlines()]
    assert sorted(inputs) == [f"{folder}/1.png", f"{folder}/z.zip!in.png"]
    (tmp_path / "p.toml").write_text("[limits]\nframes = 2\n")
    other = ("--list", known, "--policy", tmp_path / "p.toml")
    again = screener("rescan", "--cache", cache, *other)
    assert again.returncode == 3
    assert "10 inputs hashed with other settings" in again.stderr
    assert "scan again with --cache" in again.stderr


def test_a_full_disk_is_an_error_that_names_the_cache(known, folder, tmp_path):
    """And what was written before it is kept."""
    path = tmp_path / "full.cache"
    hasher = Screener(known).hasher
    hashed = hasher.hash(folder / "0.png")

    def fill():
        """More than a disk of twelve pages holds."""
        with HashCache.open(path) as cache:
            cache._file._connection.execute("PRAGMA max_page_count = 14")
            for number in range(1000):
                cache.add([replace(hashed, name=Name(f"{number}"))], hasher)

    with pytest.raises(OutputError, match=r"full\.cache: cannot store hashes"):
        fill()

    with HashCache.open(path) as cache:
        assert len(cache) >= 1
