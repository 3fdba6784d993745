"""No input is missing from a cache unsaid: killed scans, scans that go on, members of one name."""

import hashlib
import io
import json
import shutil
import signal
import subprocess
import tarfile
import time
import zipfile
from collections import Counter

import numpy as np
import pytest
from clips import clip, scenes, value_of
from command_process import CALL, screener

from screener import Hash, HashCache, Screener, output, rescan, scan
from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.media.name import Name, name_of
from screener.scanning.rescan import compared
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.result import MediaFacts, is_counted_line


@pytest.fixture
def known(make_list):
    """A list that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


@pytest.fixture
def folder(scene, tmp_path):
    """Enough files for a scan to be killed amid them, and an archive."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(3):
        scene(number, (160, 120)).save(folder / f"{number}.png")
    for number in range(3, 150):
        shutil.copy(folder / f"{number % 3}.png", folder / f"{number}.png")
    with zipfile.ZipFile(folder / "100.zip", "w") as archive:
        for number in range(20):
            archive.write(folder / f"{number}.png", f"{number}.png")
    return folder


def inputs(path):
    """The inputs that have a line that counts, in order."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [line["input"] for line in lines if is_counted_line(line)]


def cached(path, known):
    """The inputs that a rescan can tell of, but for archives."""
    with HashCache.open(path) as cache:
        found = [one.input for one in rescan(Screener(known), cache, every=True)]
    return sorted(name for name in found if not name.endswith(".zip"))


def go_on(known, paths, results, cache_path):
    """A scan that goes on, in this process; the inputs that it wrote."""
    engine = Screener(known)
    with output.resume_jsonl(results, engine) as out, HashCache.open(cache_path) as cache:
        told = list(scan(engine, paths, jobs=1, finished=out.finished, cache=cache))
        for one in told:
            out.write(one)
    return [one.input for one in told]


def kill(call, results, lines):
    """Run a scan, and kill it when so many lines are there."""
    process = subprocess.Popen([*CALL, *map(str, call)], stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not results.exists() or results.read_bytes().count(b"\n") < lines:
        assert time.monotonic() < until
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_what_has_a_line_is_in_the_cache_of_a_killed_scan(known, folder, tmp_path):
    """At any moment, however early; and when the scan has gone on, all are, each with one line."""
    results, cache = tmp_path / "r.jsonl", tmp_path / "c"
    call = ("scan", folder, "--list", known.path, "--resume", results, "--cache", cache)
    for lines in (3, 90):
        kill((*call, "--jobs", "2"), results, lines)
        whole = results.read_bytes().rsplit(b"\n", 1)[0].decode().splitlines()
        told = {one["input"] for one in map(json.loads, whole) if is_counted_line(one)}
        assert len(told) >= lines - 1
        assert told <= set(cached(cache, known))

    done = screener(*call)

    assert done.returncode == 0, done.stderr
    expected = [str(path) for path in folder.glob("*.png")]
    expected += [f"{folder}/100.zip!{n}.png" for n in range(20)]
    assert sorted(inputs(results)) == sorted(expected)
    assert cached(cache, known) == sorted(expected)
    assert "hashed for the cache" not in done.stderr


def test_a_scan_that_goes_on_takes_into_its_cache_what_it_lacks(known, folder, tmp_path):
    """A cache that is given first then, one that lost some, or that holds what a file was: what has
    a line is hashed, told of by the summary, and gets no second line.
    """
    results, cache = tmp_path / "r.jsonl", tmp_path / "c"
    (folder / "empty").touch()
    kept = sorted([*folder.glob("1[02].png"), folder / "100.zip", folder / "empty"])
    call = ("scan", *kept, "--list", known.path, "--resume", results)
    assert screener(*call).returncode == 3
    lines = inputs(results)

    done = screener(*call, "--cache", cache)

    again = len(lines) + 1  # with the archive
    assert f"{again} inputs with a valid result hashed for the cache" in done.stderr
    assert inputs(results) == lines
    assert cached(cache, known) == sorted(lines)
    assert go_on(known, kept, results, cache) == []
    with HashCache.open(cache) as held, held._file.writing() as connection:
        connection.execute("UPDATE inputs SET size = 1 WHERE id = 7")
        connection.execute("DELETE FROM inputs WHERE id > 15")
        connection.execute("DELETE FROM codes WHERE input > 15")
    assert go_on(known, kept, results, cache) == []
    assert cached(cache, known) == sorted(lines)
    with HashCache.open(cache) as held:
        assert {one.bytes for one in rescan(Screener(known), held, every=True)} >= {0}
        assert 1 not in {one.bytes for one in rescan(Screener(known), held, every=True)}


def test_an_archive_is_in_the_cache_only_behind_its_members(known, folder, tmp_path):
    """A damaged one has a line of its own: if the cache held it before its members, a scan that was
    killed in between would never look into it again.
    """
    cut = tmp_path / "cut.tar"
    with tarfile.open(cut, "w") as archive:
        for number in range(120):
            archive.add(folder / f"{number}.png", f"{number}.png")
    cut.write_bytes(cut.read_bytes()[:-12_000])
    results = tmp_path / "r.jsonl"
    members = go_on(known, [cut], results, tmp_path / "first")[:-1]
    assert inputs(results)[-1] == str(cut)
    assert len(members) > 80

    engine = Screener(known)
    with HashCache.open(tmp_path / "c") as cache:
        with output.resume_jsonl(results, engine) as out:
            going = scan(engine, cut, jobs=1, finished=out.finished, cache=cache, metrics=broken)
            with pytest.raises(KeyboardInterrupt):
                list(going)
        assert len(cache) > 0
        assert not cache.holds(name_of(cut), engine.hasher)
    assert go_on(known, [cut], results, tmp_path / "c") == []
    assert cached(tmp_path / "c", known) == sorted([*members, str(cut)])


def broken(name, _number, _labels):
    """Ends a scan when it has gone through something for its cache."""
    if name == "hashed_again":
        raise KeyboardInterrupt


def add(archive, name, content):
    """A member of a tar file."""
    facts = tarfile.TarInfo(name)
    facts.size = len(content)
    archive.addfile(facts, io.BytesIO(content))


def test_members_of_one_name_are_inputs_of_their_own(known, folder, scene, tmp_path, make_list):
    """In zip and tar, and within archives of one name: a rescan tells of each that a scan tells of,
    also when an earlier go put them in another place.
    """
    other = io.BytesIO()
    scene(7, (160, 120)).save(other, "PNG")
    first, second = (folder / "0.png").read_bytes(), other.getvalue()
    tar = tmp_path / "t.tar"
    boxes = []
    for content in (first, second):
        box = io.BytesIO()
        with tarfile.open(fileobj=box, mode="w") as archive:
            add(archive, "a.png", content)
        boxes.append(box.getvalue())
    with tarfile.open(tar, "w") as archive:
        for content in (first, second, first):
            add(archive, "a.png", content)
        for box in boxes:
            add(archive, "box.tar", box)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("dup.png", second)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("dup.png", first)
    given = [tar, tmp_path / "z.zip"]
    with HashCache.open(tmp_path / "c") as cache:
        for _ in range(2):
            told = list(scan(Screener(known), given, jobs=1, cache=cache))
    assert [one.counts for one in told].count(True) == 7
    values = [pdq.compute(np.asarray(scene(n, (160, 120)))).text for n in (0, 7)]
    both = make_list([{"id": str(n), "pdq": one} for n, one in enumerate(values)], name="both")
    for engine in (Screener(both), Screener(make_list([{"id": "7", "pdq": values[1]}], name="b"))):
        anew = sorted((r.input, r.matches[0].entry) for r in scan(engine, given) if r.matches)
        with HashCache.open(tmp_path / "c") as cache:
            found = sorted((r.input, r.matches[0].entry) for r in rescan(engine, cache))
        assert found == anew
    assert len(anew) == 3

    with tarfile.open(tar, "w") as archive:  # now the same content stands elsewhere
        for content in (second, first):
            add(archive, "a.png", content)
    with HashCache.open(tmp_path / "c") as cache:
        list(scan(Screener(known), [tar], jobs=1, cache=cache))
        of_a = [r.mtime_ns for r in rescan(Screener(both), cache) if r.input == f"{tar}!a.png"]
    assert of_a.count(tar.stat().st_mtime_ns) == 2


def test_what_could_not_be_hashed_as_a_whole_is_counted(known, folder, tmp_path):
    """A file that is empty or gone has no hash to compare, one that is cut short has digests and
    some: a rescan says so, and ends with 3, as a scan does. Where digests alone are to be compared,
    that of a file that is cut short is enough.
    """
    (folder / "empty").touch()
    (folder / "cut.png").write_bytes((folder / "1.png").read_bytes()[:20_000])
    given = [folder / "0.png", folder / "empty", folder / "gone.png", folder / "cut.png"]
    with HashCache.open(tmp_path / "c") as cache:
        list(scan(Screener(known), given, jobs=1, cache=cache))
        reasons = [str(one.reason) for one in rescan(Screener(known), cache, every=True)]
    assert sorted(reasons) == ["None", "empty", "truncated", "unreadable"]
    call = ("rescan", "--cache", tmp_path / "c", "--list", known.path)

    done = screener(*call)

    assert (done.returncode, done.stdout) == (3, "")
    assert "no compared input hits a record" in done.stderr
    assert "4 inputs compared, of 4 inputs in the cache" in done.stderr
    assert "nothing to screen was found" not in done.stderr  # there was, and it was compared
    assert "3 inputs unscreened, without a hit" in done.stderr
    assert all(f"1 {reason}" in done.stderr for reason in ("empty", "unreadable", "truncated"))
    assert "2 inputs unscreened, without a hit" in screener(*call, "--digests-only").stderr
    with HashCache.open(tmp_path / "d") as cache:
        list(scan(Screener(known), [given[0], given[3]], jobs=1, cache=cache))
    only = ("rescan", "--cache", tmp_path / "d", "--list", known.path)
    for more in ((), ("--all",)):
        assert screener(*only, *more).returncode == 3
        assert screener(*only, *more, "--digests-only").returncode == 0


def test_what_is_gone_leaves_its_hashes_in_the_cache(known, folder, tmp_path, make_list):
    """A file that a scan finds gone is found by a newer list all the same; one that was never there
    is counted.
    """
    picture, results, cache = folder / "0.png", tmp_path / "r.jsonl", tmp_path / "c"
    given = [picture, folder / "never.png"]
    go_on(known, given, results, cache)
    digest = hashlib.md5(picture.read_bytes()).hexdigest()
    picture.unlink()
    assert go_on(known, given, results, cache) == [str(picture)]
    assert go_on(known, given, results, cache) == []
    newer = make_list([{"id": "new", "md5": digest}], name="newer")

    with HashCache.open(cache) as held:
        unscreened = Counter()
        found = [one.input for one in rescan(Screener(newer), held, unscreened=unscreened)]

        looked_at = compared(Screener(newer), held)
        other_kind = make_list([{"id": "new", "phash": "0123456789abcdef"}], name="kind")
        none = compared(Screener(other_kind), held)

    assert found == [str(picture)]
    assert unscreened == {"unreadable": 1}
    assert (looked_at, none) == (2, 0)
    done = screener("rescan", "--cache", cache, "--list", newer.path).stderr
    assert "1 with a hit: 1 match" in done
    assert "2 inputs compared, of 2 inputs in the cache" in done


def test_frames_of_listed_videos_are_found_in_whatever_was_hashed(make_list, tmp_path):
    """In a video that does not declare how many frames it has, as those in Matroska files, and in a
    still picture that the list has a kind for: as deciding them says.
    """
    film = clip(scenes(60, seed=1))
    value = Hash(KINDS["vpdq"], value_of(film)).text
    known = make_list([{"id": "film", "vpdq": value}, {"id": "one", "pdq": "0f" * 32}])
    engine = Screener(known)
    frames = [
        LocatedHash(Hash(KINDS["pdq"], code.tobytes(), int(quality)), time=time)
        for time, quality, code in zip(film.times.tolist(), film.qualities, film.codes, strict=True)
    ]
    still = MediaFacts("image/png", 64, 64, 1)
    items = [
        HashedInput(Name("a.mkv"), tuple(frames), MediaFacts("video/x-matroska", 64, 64, 0)),
        HashedInput(Name("a.png"), (frames[7]._replace(time=0.0),), still),
        HashedInput(Name("b.png"), (frames[7]._replace(hash=Hash(KINDS["pdq"], bytes(32), 100)),),
                    still),
    ]  # fmt: skip
    with HashCache.open(tmp_path / "c") as cache:
        cache.add(items, engine.hasher)
        found = {one.input: one.to_dict() for one in rescan(engine, cache)}

    decided = {one.input: one.to_dict() for one in engine.decide(items)}
    assert decided["a.mkv"]["verdict"] == "match"
    assert decided["a.png"]["other_hits"]
    assert found == {name: decided[name] for name in ("a.mkv", "a.png")}


def test_a_rescan_sees_what_a_scan_replaces_meanwhile(
    known, folder, scene, tmp_path, make_list, monkeypatch
):
    """An input that is hashed again while a rescan stands before it is told of all the same."""
    monkeypatch.setattr("screener.scanning.rescan._DECISION_BATCH", 1)
    given = [folder / "0.png", folder / "1.png"]
    texts = [pdq.compute(np.asarray(scene(n, (160, 120)))).text for n in range(2)]
    listed = make_list([{"id": str(n), "pdq": t} for n, t in enumerate(texts)], name="listed")
    with HashCache.open(tmp_path / "c") as cache:
        list(scan(Screener(known), given, jobs=1, cache=cache))
        found = rescan(Screener(listed), cache)
        told = [next(found).input]
        with HashCache.open(tmp_path / "c") as other:
            list(scan(Screener(known), given[::-1], jobs=1, cache=other))
        told += [one.input for one in found]
    assert set(told) == {str(one) for one in given}
