"""The cache of hashes: a rescan says what a scan of the same files would; old ones go."""

import hashlib
import json
import stat
import time
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from clips import clip, scenes, value_of
from command import screener
from PIL import Image

from screener import Hash, HashCache, HashList, Policy, Screener, rescan, scan
from screener.errors import OutputError
from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.media.limits import Limits
from screener.media.source import Name
from screener.rescan import outdated


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
    turned = np.asarray(scene(1, (160, 120)).transpose(Image.Transpose.ROTATE_90))
    near = int(pdq.compute(np.asarray(scene(2, (160, 120)))).text, 16) ^ 0b1011
    frame = pdq.compute(np.asarray(scene(4, (160, 120)))).text

    digest = hashlib.md5((folder / "words.txt").read_bytes()).hexdigest()
    half = hashlib.md5((folder / "cut.png").read_bytes()).hexdigest()
    rows = [f"t,{pdq.compute(turned).text},,", f"n,{near:064x},,", f"f,{frame},,"]
    rows += [f"d,,{digest},", f"h,,{half},known_good"]
    (tmp_path / "more.csv").write_text("id,pdq,md5,status\n" + "\n".join(rows) + "\n")
    known.import_file(tmp_path / "more.csv", source="more")
    engine = Screener(known.refresh())

    anew = lines(scan(engine, folder, jobs=1))
    with HashCache.open(tmp_path / "c") as cache:
        found, every = lines(rescan(engine, cache)), lines(rescan(engine, cache, every=True))
        assert outdated(engine, cache) == 0

    assert found == {n: one for n, one in anew.items() if one["matches"] or one["beside"]}
    assert [n.removeprefix(f"{folder}/") for n in sorted(found)] == [
        "1.png", "2.png", "a.gif", "cut.png", "words.txt", "z.zip!in.png",
    ]  # fmt: skip
    # The archive's own bytes were hashed too, and have no line where nothing is to be said of them.
    assert every == anew


def tallied(results):
    """How many results there are of each verdict, and of each reason."""
    return Counter(str(one.reason or one.verdict) for one in results)


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        ("pdq,md5", {}), ("pdq,md5", {"digests_only": True}), ("pdq,md5", {"floor": {"pdq": 99}}),
        ("pdq", {"floor": {"pdq": 0}}), ("md5", {}), ("md5", {"digests_only": True}), ("vpdq", {}),
        ("pdq good,md5", {}),
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
        untold = Counter()
        told = tallied(rescan(engine, cache, untold=untold))
        every = tallied(rescan(engine, cache, every=True))
        assert outdated(engine, cache) == 0

    del anew["no_match"], every["no_match"], told["no_match"]
    found = [anew, every, told + untold]
    if rows == "md5":  # of a cut picture in an archive the cache knows more than a scan
        found = [one.total() for one in found]
    assert found[1:] == found[:1] * 2
    assert anew.total() > 1


def test_what_cannot_be_decided_from_the_cache_is_counted(known, folder, tmp_path, make_list):
    """Other limits, or a kind that was not made then: to be scanned again. Another radius is
    decided as it stands.
    """
    fill(tmp_path / "c", known, folder / "0.png")
    sha = make_list([{"id": "s", "pdq": "0f" * 32, "sha1": "cd" * 20}], name="sha")
    with HashCache.open(tmp_path / "c") as cache:
        assert outdated(Screener(sha), cache) == 1
        assert outdated(Screener(known, policy=Policy(limits=Limits(frames=3))), cache) == 1
        assert outdated(Screener(known, policy=Policy(radius={"pdq": 5})), cache) == 0
        assert list(rescan(Screener(sha), cache, every=True)) == []


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
    assert (emptied.returncode, "holds nothing to compare" in emptied.stderr) == (3, True)
    with HashCache.open(path) as cache:
        assert cache.keep == 2  # as it was last said, and not by who merely reads
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
    assert "10 inputs were hashed by other settings" in again.stderr
    assert "scan them again with --cache" in again.stderr


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

    with pytest.raises(OutputError, match=r"full\.cache: cannot keep hashes"):
        fill()

    with HashCache.open(path) as cache:
        assert len(cache) >= 1
