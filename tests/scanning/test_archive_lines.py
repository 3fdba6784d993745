"""The line of an archive, which follows those of its members and says that it is done."""

import gzip
import hashlib
import io
import json
import os
import re
import select
import subprocess
import time
import zipfile
from collections import Counter
from contextlib import closing

import jsonschema
import pytest
from archive_files import locked, tarred, zipped
from command_process import CALL, screener
from paths import REPOSITORY
from picture_bytes import png
from resumed_scan import go_on
from slow_names import piped

from screener import HashCache, Policy, Screener, output, rescan, scan
from screener.media.files.limits import Limits
from screener.reporting.calibration.calibrate import calibrate
from screener.reporting.pages.result_summary import Summary
from screener.scanning.resume import Finished

SCHEMA = json.loads((REPOSITORY / "docs" / "result.schema.json").read_text(encoding="utf-8"))
BAD, SEED, GOOD = b"listed", b"reported", b"harmless"
LISTED_ZIP = zipped({"good": GOOD})
SEED_ZIP = zipped({"bad": BAD})


@pytest.fixture
def known(make_list):
    """A list of digests: of one content and one archive, and as seeds of another of each."""
    return make_list(
        [
            {"id": name, "md5": hashlib.md5(content).hexdigest(), "status": state}
            for name, content, state in (
                ("bad", BAD, "confirmed"), ("zip", LISTED_ZIP, "confirmed"),
                ("seed", SEED, "seed"), ("seed zip", SEED_ZIP, "seed"),
            )
        ]
    )  # fmt: skip


@pytest.fixture
def engine(known):
    """Compares digests alone, so that what is no picture is cleared by them."""
    return Screener(known, policy=Policy(digests_only=True, limits=Limits(members=9)))


# By the name of a file: its content, and verdict and reason of its own line.
FILES = {
    "clean.zip": (zipped({"a": GOOD, "b": b"more"}), "no_match", None),
    "matching.tar": (tarred({"a": GOOD, "b": BAD}), "unscreened", "members"),
    "seed.tar.gz": (gzip.compress(tarred({"a": SEED})), "no_match", None),
    "locked.zip": (locked({"a": GOOD}), "unscreened", "members"),
    "nested.zip": (
        zipped({"in.zip": zipped({"deep.tar": tarred({"a": GOOD}), "b": b"1"}), "c": b"2"}),
        "no_match", None,
    ),
    "nested-match.zip": (
        zipped({"in.tar": tarred({"deep.zip": zipped({"a": BAD})}), "c": b"2"}),
        "unscreened", "members",
    ),
    "nested-empty.zip": (zipped({"in.zip": zipped({})}), "unscreened", "members"),
    "nested-broken.zip": (
        zipped({"in.tar": tarred({"a": GOOD})[:512 + 4]}), "unscreened", "members",
    ),
    "listed.zip": (LISTED_ZIP, "match", None),
    "seed.zip": (SEED_ZIP, "unscreened", "members"),
    "empty.tar": (tarred({}), "unscreened", "empty"),
    "broken.tar": (tarred({"a": BAD, "b": GOOD})[:1024 + 512 + 4], "unscreened", "truncated"),
    "broken.zip": (zipped({"a": GOOD})[:-30], "unscreened", "undecodable"),
    "many.zip": (zipped({str(n): GOOD for n in range(10)}), "unscreened", "too_large"),
    "plain": (GOOD, "no_match", None),
}  # fmt: skip


@pytest.fixture
def uploads(tmp_path):
    """A folder of archives of every sort, and a plain file."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for name, (content, *_) in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def lines(path):
    """The result lines of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def check(results, folder):
    """Hold that each archive that was opened has a line, behind those of all its members, that
    counts what they came to, and is `no_match` only if all of them are.
    """
    line_of = {}
    for place, one in enumerate(results):
        name = one.input.removeprefix(f"{folder}/")
        assert name not in line_of, f"{name} has two lines"
        line_of[name] = place
        jsonschema.validate(one.to_dict(), SCHEMA)
        assert json.loads(one.to_json()) == one.to_dict()
        below = [
            other
            for other in results
            if other.input.startswith(f"{one.input}!") and len(other.archives) > len(one.archives)
        ]
        assert all(results.index(other) < place for other in below)
        if one.members is None:
            assert not below
            continue
        told = Counter(str(other.verdict) for other in below if other.counts)
        assert Counter({k: n for k, n in vars(one.members).items() if n}) == told
        if str(one.verdict) == "no_match":
            assert {str(other.verdict) for other in below} == {"no_match"}
            assert one.counts is False
    for name in line_of:
        holder, _, member = name.rpartition("!")
        assert not member or not holder or holder in line_of, f"{holder} has no line"


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("jobs", [1, 2])
def test_every_archive_has_a_line_behind_its_members(engine, uploads, jobs, ordered):
    """With the verdict that its own digest, its own trouble or else its members call for."""
    results = list(scan(engine, uploads, jobs=jobs, ordered=ordered))

    check(results, uploads)
    own = {
        one.input.removeprefix(f"{uploads}/"): (str(one.verdict), one.reason and str(one.reason))
        for one in results
        if "!" not in one.input
    }
    assert own == {name: tuple(told) for name, (_, *told) in FILES.items()}
    (seed,) = [one for one in results if one.input.endswith("/seed.zip")]
    assert [hit.entry for hit in seed.other_hits] == ["seed zip"]
    assert not seed.counts
    inner = {one.input.rpartition("nested.zip!")[2]: one for one in results if one.archives}
    assert str(inner["in.zip!deep.tar"].verdict) == str(inner["in.zip"].verdict) == "no_match"


def test_summaries_count_members_and_not_the_archives_that_they_speak_for(known, uploads, tmp_path):
    """In the summary, the exit code, a page and the next run's counts: as many as the lines that
    count, and a match within an archive is one match.
    """
    path, call = tmp_path / "r.jsonl", ("--list", known.path, "--digests-only", "--jobs", 1)
    done = screener("scan", uploads, *call, "-o", path, "--json-progress")
    counted = [one for one in lines(path) if one.get("reason") != "members"]
    counted = [one for one in counted if "members" not in one or one["verdict"] != "no_match"]
    verdicts = Counter(one["verdict"] for one in counted)
    assert verdicts["match"] == 5  # bad in four archives, and the archive that is listed itself
    progress = json.loads(done.stderr.splitlines()[-1])
    assert (progress["files"], progress["match"]) == (len(counted), 5)
    assert sum(progress["unscreened"].values()) == verdicts["unscreened"]

    again = screener("scan", uploads, *call, "--resume", path)
    told = ", ".join(f"{verdicts[one]} {one}" for one in ("match", "no_match", "unscreened"))
    assert f"{len(counted)} existing results are still valid" in again.stderr
    assert f"{len(counted)} screened: {told} (" in again.stderr
    assert not re.search(r"\d members", again.stderr)
    assert (done.returncode, again.returncode) == (1, 1)
    found = Summary.read(path)
    assert (found.total, found.verdicts) == (len(counted), verdicts)

    clean = screener("scan", uploads / "clean.zip", uploads / "nested.zip", *call)
    assert (clean.returncode, len(clean.stdout.splitlines())) == (0, 9)
    assert "5 screened: 0 match, 5 no_match, 0 unscreened" in clean.stderr


@pytest.mark.parametrize("extra", [(), ("--unordered",)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_reader_of_a_pipe_knows_when_each_name_is_done(known, uploads, jobs, extra):
    """A program that hands over one name, and waits for the line of that name before the next, is
    never left waiting, whatever the file is.
    """
    call = [*CALL, "scan", "-", "--list", str(known.path), "--digests-only", "--jobs", str(jobs)]
    with subprocess.Popen(
        [*call, *extra], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as scanner:
        coming = b""
        try:
            for name in FILES:
                path = str(uploads / name)
                os.write(scanner.stdin.fileno(), path.encode() + b"\n")
                told, end = [], time.monotonic() + 60
                while not told or told[-1]["input"] != path:
                    ready, *_ = select.select([scanner.stdout], [], [], end - time.monotonic())
                    assert ready, f"nothing says that {name} is done"
                    coming += os.read(scanner.stdout.fileno(), 1 << 16)
                    *whole, coming = coming.split(b"\n")
                    told += map(json.loads, whole)
                assert all(one["input"].startswith(path) for one in told)
                assert coming == b""
        finally:
            scanner.stdin.close()
        assert scanner.stdout.read() == b""
    assert scanner.returncode == 1


@pytest.mark.parametrize("ordered", [True, False])
def test_an_archive_is_closed_while_names_are_awaited_whatever_was_done_before(
    engine, uploads, tmp_path, ordered
):
    """All of its members have lines, and are hashed again for a cache that lacks them: its own line
    comes all the same before the next name does.
    """
    path, file = tmp_path / "r.jsonl", uploads / "clean.zip"
    go_on(engine, file, path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with (
        HashCache.open(tmp_path / "cache") as cache,
        output.resume_jsonl(path, engine) as out,
        piped(uploads) as pipe,
        closing(
            scan(engine, [pipe.names], jobs=1, ordered=ordered, finished=out.finished, cache=cache)
        ) as results,
    ):
        pipe.add(file.name)
        closed = next(results)

    assert (closed.input, vars(closed.members)["no_match"]) == (str(file), 2)


@pytest.mark.parametrize(("ordered", "cached"), [(True, False), (False, True)])
def test_a_resumed_scan_closes_an_archive_once(engine, uploads, tmp_path, ordered, cached):
    """Wherever the file of results ends, what is missing of an archive is written with its line,
    which then counts members of both scans; what is done is written no second time.
    """
    path, whole = tmp_path / "r.jsonl", tmp_path / "whole.jsonl"
    go_on(engine, uploads, whole)
    written = whole.read_bytes().splitlines(keepends=True)
    names = [json.loads(line)["input"].removeprefix(f"{uploads}/") for line in written]
    expected = Counter(
        (one["input"], one["verdict"], str(one.get("members"))) for one in lines(whole)
    )
    with HashCache.open(tmp_path / "cache") as cache:
        ends = ("matching.tar", "nested.zip!in.zip!deep.tar", "nested.zip!in.zip", "nested.zip")
        for kept in (1, *map(names.index, ends)):
            path.write_bytes(b"".join(written[:kept]))
            new = go_on(engine, uploads, path, ordered=ordered, cache=cache if cached else None)

            assert sorted(new) == sorted(names[kept:])
            told = [(one["input"], one["verdict"], str(one.get("members"))) for one in lines(path)]
            assert Counter(told) == expected
            assert go_on(engine, uploads, path, ordered=ordered) == []


def test_a_member_that_is_screened_anew_renews_the_line_of_its_archive(engine, uploads, tmp_path):
    """The newest line of the archive says what its members came to in the end, and none of both
    counts; so in each archive that it is in.
    """
    path = tmp_path / "r.jsonl"
    go_on(engine, uploads, path)
    before = Summary.read(path)
    for member, holders in (
        ("matching.tar!b", ["matching.tar"]),
        ("nested-match.zip!in.tar!deep.zip!a",
         ["nested-match.zip!in.tar!deep.zip", "nested-match.zip!in.tar", "nested-match.zip"]),
    ):  # fmt: skip
        left = [
            one for one in path.read_text().splitlines(keepends=True) if f'/{member}"' not in one
        ]
        path.write_text("".join(left))
        assert go_on(engine, uploads, path) == [member, *holders]
        assert lines(path)[-1]["members"]["match"] == 1
    after = Summary.read(path)
    assert (after.total, after.verdicts, after.reasons) == (
        before.total, before.verdicts, before.reasons
    )  # fmt: skip
    assert len(Finished.read(path, engine)) == before.total


def test_an_archive_that_changed_counts_by_its_newest_line(known, tmp_path):
    """One that was broken and is whole now is unscreened no more, in the run that finds it so and
    in those after it.
    """
    file, path = tmp_path / "a.tar", tmp_path / "r.jsonl"
    call = ("scan", file, "--list", known.path, "--digests-only", "--jobs", 1, "--resume", path)
    file.write_bytes(tarred({"a": GOOD})[:1024])
    assert screener(*call).returncode == 3
    file.write_bytes(tarred({"a": GOOD}))
    os.utime(file, ns=(1, 1))

    for _ in range(2):
        done = screener(*call)
        assert "1 screened: 0 match, 1 no_match, 0 unscreened" in done.stderr
        assert done.returncode == 0


def test_a_rescan_has_no_line_that_members_speak_for(engine, uploads, tmp_path):
    """It tells of archives that are listed themselves or could not be read, as before."""
    with HashCache.open(tmp_path / "cache") as cache:
        scanned = [one for one in scan(engine, uploads, jobs=1, cache=cache) if one.counts]
        again = list(rescan(engine, cache, every=True))
    seed = [one for one in again if one.input.endswith("/seed.zip")]

    assert [[hit.entry for hit in one.other_hits] for one in seed] == [["seed zip"]]
    assert sorted((one.input, one.verdict) for one in again if one not in seed) == sorted(
        (one.input, one.verdict) for one in scanned
    )
    assert all(one.members is None for one in again)


def test_a_zip_of_many_members_is_closed_by_one_line(engine, tmp_path):
    """Far more members than may wait for each other."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(1500):
            archive.writestr(str(number), b"%d" % number)
    (tmp_path / "a.zip").write_bytes(stream.getvalue())
    wide = Screener(engine.lists, policy=Policy(digests_only=True))

    results = list(scan(wide, tmp_path / "a.zip", jobs=2))

    assert len(results) == 1501
    assert vars(results[-1].members) == {"match": 0, "no_match": 1500, "unscreened": 0}
    assert str(results[-1].verdict) == "no_match"


def test_measurements_count_no_archive_that_its_members_speak_for(make_list, scene, tmp_path):
    """The metrics of a scan, which are summed up elsewhere, and calibration, whose pictures are the
    members.
    """
    folder = tmp_path / "ordinary"
    folder.mkdir()
    picture = png(scene(5, (160, 120)))
    (folder / "a.zip").write_bytes(zipped({"in.png": picture, "words": GOOD}))
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    heard = Counter()

    def metrics(name, number, _labels):
        heard[name] += number

    results = list(scan(Screener(known), folder, jobs=1, metrics=metrics))

    assert [one.counts for one in results] == [True, True, False]
    assert (heard["results"], heard["bytes"]) == (2, len(picture) + len(GOOD))
    told = calibrate(known, folder, jobs=1)
    assert (told.pictures, told.left_out) == (1, {"unsupported": 1})
