"""A scan that was broken off goes on: nothing twice, nothing left out, nothing taken on trust."""

import csv
import hashlib
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from command_process import screener
from paths import PROGRAMS, REPOSITORY
from resumed_scan import go_on

from screener import (
    Hash,
    HashCache,
    HashList,
    Policy,
    Screener,
    Verdict,
    audit,
    output,
    rescan,
    scan,
)
from screener.errors import OutputError
from screener.media.name import name_of
from screener.reporting.pages.report_page import render_page
from screener.reporting.pages.result_summary import Summary
from screener.reporting.pages.spreadsheet import write_csv
from screener.scanning import result_lines
from screener.scanning.result_lines import IDENTITY_DTYPE, LineIdentity, find_superseded
from screener.scanning.resume import Finished
from screener.screening.result import is_counted_line

KILLS = int(os.environ.get("SCREENER_KILLS", "5"))


@pytest.fixture
def folder(scene, tmp_path):
    """A few pictures and an archive of some."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(3):
        scene(number, (160, 120)).save(folder / f"{number}.png")
    with zipfile.ZipFile(folder / "1.zip", "w") as archive:
        for number in range(2):
            archive.write(folder / f"{number}.png", f"in/{number}.png")
    return folder


@pytest.fixture
def known(make_list):
    """A list that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


def lines(path):
    """The result lines of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def resume(known, folder, path, **settings):
    """Go on with a file by a Screener of the list; return the names that were written."""
    return go_on(Screener(known, policy=settings.pop("policy", None)), folder, path, **settings)


ALL = ["0.png", "1.png", "1.zip!in/0.png", "1.zip!in/1.png", "1.zip", "2.png"]


@pytest.mark.parametrize("kept", range(7))
def test_a_scan_goes_on_where_its_file_ends(known, folder, tmp_path, kept):
    """Whatever number of lines are there, with half a line behind them: the rest is written, and
    the whole is what one scan gives. A name that was given twice has two lines.
    """
    path, whole = tmp_path / "results.jsonl", tmp_path / "whole.jsonl"
    assert resume(known, folder, whole) == ALL
    written = whole.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(written[:kept]) + (written[kept][:40] if kept < 6 else b""))

    assert resume(known, folder, path) == ALL[kept:]

    assert [line["input"] for line in lines(path)] == [line["input"] for line in lines(whole)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    twice = [folder / "0.png", folder / "0.png"]
    if kept == 6:
        assert resume(known, twice, path) == [str(folder / "0.png")]


def test_what_changed_is_screened_again(known, folder, tmp_path, make_list):
    """Another size, another time, another generation, another policy, another list: each is."""
    path = tmp_path / "results.jsonl"
    resume(known, folder, path)
    assert resume(known, folder, path) == []

    os.utime(folder / "0.png", ns=(1, 1))
    assert resume(known, folder, path) == ["0.png"]
    facts = (folder / "2.png").stat()
    (folder / "2.png").write_bytes(b"")
    os.utime(folder / "2.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert resume(known, folder, path) == ["2.png"]
    assert resume(known, folder, path, policy=Policy(radius={"pdq": 30})) == ALL
    other = make_list([{"id": "two", "pdq": "0f" * 32}], name="other")
    assert resume([known, other], folder, path) == ALL
    (tmp_path / "more.csv").write_text("id,pdq\ntwo," + "0f" * 32 + "\n")
    known.import_file(tmp_path / "more.csv")
    assert resume(known.refresh(), folder, path) == ALL
    assert resume(known.refresh(), folder, path) == []


def test_members_of_another_size_are_screened_again(known, folder, tmp_path):
    """Though their archive has the time that it had."""
    path, archive = tmp_path / "results.jsonl", folder / "1.zip"
    resume(known, folder, path)
    facts = archive.stat()
    assert len({(folder / f"{number}.png").stat().st_size for number in range(3)}) == 3

    for number in (2, 0):
        with zipfile.ZipFile(archive, "w") as made:
            made.write(folder / "0.png", "in/0.png")
            made.write(folder / f"{number}.png", "in/1.png")
        os.utime(archive, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert resume(known, folder, path) == ["1.zip!in/1.png", "1.zip"]

    assert resume(known, folder, path) == []


def made(folder, digest):
    """A new list called `known` in a folder, at generation 1: one record of that MD5."""
    folder.mkdir(exist_ok=True)
    (folder / "known.csv").write_text(f"id,md5\none,{digest}\n")
    known = HashList.create(folder / "known.list")
    known.import_file(folder / "known.csv")
    return known.refresh()


def test_a_list_made_anew_or_another_of_its_name_is_another(folder, tmp_path):
    """Though its generation has the same number: its hashes are compared. A copy of a list, or one
    that was moved, is the same; copies that went on apart are not.
    """
    path, digest = tmp_path / "r.jsonl", hashlib.md5((folder / "1.png").read_bytes()).hexdigest()
    first = made(tmp_path / "first", "ab" * 16)
    assert resume(first, folder, path) == ALL
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies" / "known.list"
    shutil.copytree(first.path, copy)
    assert resume(HashList.open(copy), folder, path) == []
    shutil.rmtree(first.path)

    again = made(tmp_path / "first", digest)
    other = made(tmp_path / "other", digest)

    for one in (again, other):
        assert (one.name, one.generation) == (first.name, first.generation)
        assert resume(one, folder, path) == ALL
        assert [line["verdict"] for line in lines(path)[-5:]].count("match") == 2
        assert digest not in one.stamp()
    assert f"known, generation 1 ({other.stamp()})" in render_page(Summary.read(path), "r")
    shutil.copytree(copy, tmp_path / "apart.list")
    both = [HashList.open(copy), HashList.open(tmp_path / "apart.list")]
    assert both[0].stamp() == both[1].stamp()
    for one in both:
        one.import_file(tmp_path / "other" / "known.csv", source="more")
    assert both[0].refresh().generation == both[1].refresh().generation
    assert both[0].refresh().stamp() != both[1].refresh().stamp()


def test_a_line_that_does_not_tell_its_list_by_a_stamp_is_no_proof(known, folder, tmp_path):
    """As lines of an earlier version: such inputs are screened again, and their new lines count."""
    path = tmp_path / "r.jsonl"
    resume(known, folder, path)
    old = lines(path)
    for line in old:
        del line["lists"][0]["stamp"]
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in old))

    assert resume(known, folder, path) == ALL
    assert resume(known, folder, path) == []
    assert Summary.read(path).total == len(ALL) - 1  # without the archive's own


def test_odd_names_and_missing_files_are_known_again(known, tmp_path):
    """A name that is not UTF-8, one with a line end, a file that is not there: each left out."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"caf\xe9", "café\n".encode(), b"?", b"\xef\xbf\xbd"):
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(b"x")
    (folder / "gone").symlink_to("nowhere")
    path = tmp_path / "results.jsonl"

    assert len(resume(known, folder, path)) == 5
    assert resume(known, folder, path) == []


@pytest.mark.parametrize(
    "content",
    [
        b"a picture",
        b"two\nlines\n",
        b'{"schema":1}\n',
        b"[]\n",
        b'{"audit":1,"line":1}\n',
        b"\xff\n",
    ],
)
def test_a_file_that_is_none_of_results_is_left_alone(known, tmp_path, content):
    """A mistaken name costs no file, not even its last half line."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)

    with pytest.raises(OutputError):
        output.resume_jsonl(path, Screener(known))

    assert path.read_bytes() == content
    with pytest.raises(OutputError):
        output.resume_jsonl(os.devnull, Screener(known))


def test_the_zeros_of_a_power_cut_are_half_a_line(known, folder, tmp_path):
    """Some file systems leave them in the place of the last bytes; and half a line is so, however
    little of it is there.
    """
    path = tmp_path / "results.jsonl"
    resume(known, folder / "0.png", path)
    whole = path.read_bytes()
    for half in (bytes(600), b"{", whole[:9], whole[:-1]):
        path.write_bytes(whole + half)

        assert len(resume(known, folder / "0.png", path)) == 0
        assert path.read_bytes() == whole


def test_two_scans_of_one_file_are_refused(known, tmp_path):
    """The second is told, whether it would go on with the file or begin it anew, and the lines of
    the first one stay.
    """
    path, engine = tmp_path / "results.jsonl", Screener(known)
    for begin in (lambda: output.resume_jsonl(path, engine), lambda: output.open_jsonl(path)):
        with begin() as out:
            out.write(engine.screen(b""))
            with pytest.raises(OutputError, match="another program"):
                output.resume_jsonl(path, engine)
            with pytest.raises(OutputError, match="another program"):
                output.open_jsonl(path)
        assert len(lines(path)) == 1


def test_many_lines_are_told_apart(known, tmp_path):
    """Each of thousands is found once, and none that is not there."""
    engine = Screener(known)
    with output.open_jsonl(tmp_path / "r") as out:
        for number in range(3000):
            out.write(engine.screen(f"missing-{number}"))
    finished = Finished.read(tmp_path / "r", engine)

    assert len(finished) == 3000
    assert finished.reasons == {"unreadable": 3000}
    assert not any(finished.take(name_of(f"missing-{n}")) for n in range(3000, 6000))
    assert all(finished.take(name_of(f"missing-{n}")) for n in range(3000))
    assert not finished.take(name_of("missing-7"))


def test_a_line_that_several_newer_ones_replace_is_taken_out_once(known, tmp_path):
    """Of an input that is given twice, say: what is counted is what is left."""
    engine, path = Screener(known), tmp_path / "r"
    old = [engine.screen(f"missing-{number}") for number in range(3)]
    with output.open_jsonl(path) as out:
        for one in old:
            out.write(one)
    finished = Finished.read(path, engine)

    for _ in range(2):
        finished.replace(replace(old[0], bytes=1))
    finished.replace(old[1])

    assert (len(finished), finished.verdicts, finished.reasons) == (
        2,
        {"unscreened": 2},
        {"unreadable": 2},
    )


def test_a_line_replaces_those_of_its_name_alone_though_the_names_are_no_text(known, tmp_path):
    """Two that read the same as text are two inputs."""
    engine, path = Screener(known), tmp_path / "r"
    one, other = (
        replace(engine.screen("missing"), input="a\ufffd", input_bytes=raw, bytes=1, mtime_ns=1)
        for raw in (b"a\xfe", b"a\xff")
    )
    with output.open_jsonl(path) as out:
        out.write(one)
        out.write(other)
    finished = Finished.read(path, engine)
    assert len(finished) == 2

    for _ in range(2):
        finished.replace(replace(one, bytes=2))
        assert len(finished) == 1
    finished.replace(replace(other, bytes=2))
    assert len(finished) == 0


def test_a_line_of_another_pixel_pipeline_is_no_proof(known, tmp_path):
    """Its hashes were others."""
    engine, path = Screener(known), tmp_path / "r"
    with output.open_jsonl(path) as out:
        for name in "ab":
            (tmp_path / name).touch()
            result = engine.screen(tmp_path / name)
            others = dict(result.versions) | ({"pixels": 0} if name == "b" else {})
            out.write(replace(result, versions=tuple(others.items())))

    finished = Finished.read(path, engine)

    taken = [finished.take(name_of(tmp_path / name)) for name in "ab"]
    assert taken == [Verdict.UNSCREENED, None]
    assert len(finished) == 1


@pytest.mark.parametrize(
    ("size", "mtime_ns", "left"), [(None, None, 1), (5, None, 0), (None, 7, 0), (0, 0, 0)]
)
def test_what_was_matched_by_hashes_alone_was_there(known, tmp_path, size, mtime_ns, left):
    """It has neither size nor time either, and is not taken back by a line that says no more than
    that nothing is there; one of which something is told is newer.
    """
    engine, path = Screener(known), tmp_path / "r"
    match = engine.match([Hash.parse("pdq", "0123456789abcdef" * 4)], input="x")
    for policy in (Policy(), Policy(radius={"pdq": 30})):
        missing = Screener(known, policy=policy).screen("missing")
        newer = replace(missing, input="x", bytes=size, mtime_ns=mtime_ns)
        with output.open_jsonl(path) as out:
            out.write(match)
            out.write(newer)
        assert Summary.read(path).verdicts["match"] == left

    with output.open_jsonl(path) as out:
        out.write(match)
    finished = Finished.read(path, engine)
    finished.replace(newer)
    assert finished.verdicts["match"] == left


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ('{"schema":1,', '{"schema":2,'),
        ('{"schema":1,', '{"schema":1,"same":[1e999],'),
        ('{"schema":1,', '{"schema":1,"archives":[0.5],'),
        ('"mtime_ns":null', '"mtime_ns":"\\ud800","archives":[1]'),
    ],
)
def test_lines_of_another_version_are_not_gone_on_with(known, tmp_path, said, other):
    """Whatever they say besides: it need not mean what it means here. Nor are damaged ones."""
    engine, path = Screener(known), tmp_path / "r"
    with output.open_jsonl(path) as out:
        out.write(engine.screen("missing"))
    path.write_text(path.read_text().replace(said, other))
    content = path.read_bytes()

    with pytest.raises(OutputError, match="line 1: not a result of this version"):
        output.resume_jsonl(path, engine)

    assert path.read_bytes() == content


def test_the_command_ends_with_the_code_of_the_whole_file(tmp_path):
    """A match of an earlier run is one of the whole; -o beside it and a list file are refused."""
    root = REPOSITORY
    known, path = tmp_path / "known.list", tmp_path / "r.jsonl"
    HashList.create(known).import_file(root / "fixtures/known.csv")
    images = root / "fixtures" / "images"
    call = ("--list", known, "--resume", path)
    assert screener("scan", images / "harbour.jpg", *call).returncode == 1
    path.write_bytes(path.read_bytes() + b'{"schema":1,"inp')

    done = screener("scan", images / "harbour.jpg", images / "alley.jpg", *call)

    assert done.returncode == 1
    assert "1 existing result is still valid; removed half a line of 16 bytes" in done.stderr
    assert "2 screened: 1 match, 1 no_match" in done.stderr
    assert len(lines(path)) == 2
    refused = screener("scan", images, *call, "-o", tmp_path / "o")
    assert (refused.returncode, len(lines(path))) == (2, 2)
    quick = ("--list", root / "fixtures/known.csv", "--resume", path)
    assert "import it first" in screener("scan", images, *quick).stderr


def test_each_input_counts_once_by_its_newest_line(tmp_path):
    """Of files that were replaced the old lines count no more: not in the summary, the exit code,
    the page or the table, in the run that wrote the new ones and in those after it.
    """
    root = REPOSITORY
    known, path, uploads = tmp_path / "known.list", tmp_path / "r.jsonl", tmp_path / "uploads"
    HashList.create(known).import_file(root / "fixtures/known.csv")
    images = root / "fixtures" / "images"
    uploads.mkdir()
    for number in range(3):
        shutil.copy(images / "harbour.jpg", uploads / f"{number}.jpg")
    with zipfile.ZipFile(uploads / "two.zip", "w") as archive:
        for name in ("harbour.jpg", "alley.jpg"):
            with (
                pytest.warns(UserWarning, match="Duplicate")
                if name == "alley.jpg"
                else nullcontext()
            ):
                archive.write(images / name, "same.jpg")
    call = ("scan", uploads, "--list", known, "--jobs", 1)
    first = screener(*call, "-o", path)
    assert "5 screened: 4 match, 1 no_match" in first.stderr
    for name in ("0.jpg", "1.jpg", "2.jpg"):
        shutil.copy(images / "alley.jpg", uploads / name)
        os.utime(uploads / name, ns=(1, 1))
    (uploads / "two.zip").unlink()
    shutil.copy(images / "blank.png", uploads / "two.zip")

    second = screener(*call, "--resume", path)

    assert "5 existing results are still valid" in second.stderr
    # Of the archive that is gone there is no newer line.
    assert "6 screened: 1 match, 4 no_match, 1 unscreened" in second.stderr
    (uploads / "3.jpg").write_bytes(b"")
    third = screener(*call, "--resume", path)
    assert "7 screened: 1 match, 4 no_match, 2 unscreened" in third.stderr
    kept = [line for line in lines(path) if "!" not in line["input"]]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in kept))
    last = screener(*call, "--resume", path)
    assert (last.returncode, first.returncode) == (3, 1)
    assert "5 screened: 0 match, 3 no_match, 2 unscreened" in last.stderr

    screener("report", path, "-o", tmp_path / "r.csv")
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text("utf-8-sig").splitlines()))
    assert sorted((Path(row["input"]).name, row["verdict"]) for row in rows) == [
        ("0.jpg", "no_match"), ("1.jpg", "no_match"), ("2.jpg", "no_match"),
        ("3.jpg", "unscreened"), ("two.zip", "unscreened"),
    ]  # fmt: skip
    found = Summary.read(path)
    assert (found.total, found.verdicts) == (5, {"no_match": 3, "unscreened": 2})
    assert len(found.older) == 4  # with that of the archive that is a picture now
    assert "4 older lines" in render_page(found, "r")


def test_a_match_that_counts_no_more_is_told(make_list, scene, tmp_path):
    """As where the results of two lists were put together: the newest line of an input says what
    one list said, and the page, that another had a match. What matches still is not among these.
    """
    for seed in (1, 2, 3):
        scene(seed).save(tmp_path / f"{seed}.png")
    digest = {
        seed: hashlib.md5((tmp_path / f"{seed}.png").read_bytes()).hexdigest() for seed in (1, 2)
    }
    one = make_list([{"id": f"a{seed}", "md5": digest[seed]} for seed in (1, 2)], name="one")
    other = make_list([{"id": "b2", "md5": digest[2]}], name="other")
    path = tmp_path / "r.jsonl"
    with output.open_jsonl(path) as out:
        for known in (one, other):
            engine = Screener(known, policy=Policy(digests_only=True))
            for seed in (1, 2, 3):
                out.write(engine.screen(tmp_path / f"{seed}.png"))

    found = Summary.read(path)

    assert (found.verdicts, found.matched_before) == ({"match": 1, "no_match": 2}, 1)
    assert "Matches by such a line only: 1 input</strong>" in render_page(found, "r")


@pytest.mark.parametrize("chunk", [7, result_lines._CHUNK_LINES])
def test_what_counts_is_what_a_plain_dictionary_says(monkeypatch, chunk):
    """The newest state of each input, whatever the order and the number of lines; one that was
    there is not superseded by its being gone, which any later state supersedes.
    """
    monkeypatch.setattr(result_lines, "_CHUNK_LINES", chunk)
    drawn = random.Random(7)
    told = []
    for _ in range(3000):
        archives, same = drawn.choice([((), ()), ((5,), (0,)), ((5,), (1,)), ((5, 7), (0, 1))])
        of_input = (f"a.zip!m!{drawn.randrange(200)}".encode(), archives, same)
        there = (drawn.randrange(2), drawn.randrange(2), drawn.choice("xy"), None, False)
        gone = (None, None, drawn.choice("xy"), None, True)
        told.append((of_input, drawn.choice([there, gone])))
    expected = []
    for place, (one, state) in enumerate(told):
        later = [other for again, other in told[place:] if again == one]
        if not state[-1]:
            later = [other for other in later if not other[-1]]
        if any(other != later[-1] for other in later):
            expected.append(place)
    seen = b"".join(LineIdentity(*one, *state).hashes() for one, state in told)

    assert find_superseded(np.frombuffer(seen, IDENTITY_DTYPE)).tolist() == expected
    assert 100 < len(expected) < 2900
    assert find_superseded(np.empty(0, IDENTITY_DTYPE)).tolist() == []


def zipped(members):
    """A zip file of those names and contents, as bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_no_name_of_a_file_or_a_member_stands_for_another_input(make_list, scene, tmp_path):
    """Whoever uploads chooses names: a file may be called as a member is, and a member as one of an
    archive within. Each has its line, which counts whatever the others say, and is found again by a
    scan that goes on; and a rescan tells of each that a scan tells of.
    """
    listed = tmp_path / "listed.png"
    scene(0, (160, 120)).save(listed)
    content = listed.read_bytes()
    known = make_list([{"id": "one", "md5": hashlib.md5(content).hexdigest()}])
    uploads = tmp_path / "up"
    uploads.mkdir()
    within = zipped({"c": content})
    (uploads / "a.zip").write_bytes(zipped({"b.zip": within, "b.zip!c": b"harmless", "c": content}))
    for name, bytes_of in (
        ("a.zip!b.zip", zipped({"c": b"different"})), ("a.zip!b.zip!c", b"plain"), ("a.zip!c", b"x")
    ):  # fmt: skip
        (uploads / name).write_bytes(bytes_of)
        os.utime(uploads / name, ns=(1, 1))
    path = tmp_path / "r.jsonl"

    written = resume(known, uploads, path)

    archives = ["a.zip", "a.zip!b.zip", "a.zip!b.zip"]
    assert sorted(written) == [*archives, *["a.zip!b.zip!c"] * 4, *["a.zip!c"] * 2]
    root = REPOSITORY
    schema = json.loads((root / "docs" / "result.schema.json").read_text(encoding="utf-8"))
    for line in lines(path):
        jsonschema.validate(line, schema)
    where = len(os.fsencode(uploads)) + 1
    counted = [one for one in lines(path) if is_counted_line(one)]
    places = [[place - where for place in one.get("archives", [])] for one in counted]
    named = [one["verdict"] for one in counted]
    assert sorted(zip(places, named, strict=True)) == [
        ([], "unscreened"), ([], "unscreened"), ([5], "match"), ([5], "unscreened"),
        ([5, 11], "match"), ([11], "unscreened"),
    ]  # fmt: skip
    assert resume(known, uploads, path) == []
    found = Summary.read(path)
    assert (found.total, found.verdicts["match"], len(found.older)) == (6, 2, 0)
    page = render_page(found, "r")
    assert page.count(f"in the archive <bdi>{uploads}/a.zip</bdi>") == 3
    write_csv(path, tmp_path / "r.csv")
    rows = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    assert sorted(row["archive"] for row in rows) == ["", ""] + [f"{uploads}/a.zip"] * 3 + [
        f"{uploads}/a.zip!b.zip"
    ]
    with HashCache.open(tmp_path / "c") as cache:
        anew = scan(Screener(known), uploads, jobs=1, cache=cache)
        anew = [one.to_dict() for one in anew if one.counts]
        again = [one.to_dict() for one in rescan(Screener(known), cache, every=True)]
    told = [
        {key: one[key] for key in ("input", "verdict", "bytes", "mtime_ns")}
        | {"archives": one.get("archives")}
        for one in (*anew, *again)
    ]
    assert all(one in told[len(anew) :] for one in told[: len(anew)])


def test_nobody_can_look_for_names_that_stand_for_each_other():
    """The hashes by which lines are known are short: they are others in each process, so that who
    names the files cannot have one line take the place of another.
    """
    made = "LineIdentity(b'a.jpg', (5,), (0,), 1, 2, 'lists')"
    asked = f"from screener.scanning.result_lines import LineIdentity; one = {made}"
    asked += "; print((one.hashes() + one.archive_hashes()).hex())"
    told = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.strip()
    one = LineIdentity(b"a.jpg", (5,), (0,), 1, 2, "lists")
    own = (one.hashes() + one.archive_hashes()).hex()
    assert [len(told), len(own)] == [48, 48]
    assert not {told[at : at + 16] for at in range(0, 48, 16)} & {own[:16], own[16:32], own[32:]}


def test_an_archive_in_which_members_share_a_name_goes_on_where_it_was(known, tmp_path):
    """Which of them has a line is told by the line, in whatever order they were written."""
    tar, path = tmp_path / "t.tar", tmp_path / "r.jsonl"
    with tarfile.open(tar, "w") as archive:
        for size in (5, 5, 7):
            facts = tarfile.TarInfo("a")
            facts.size = size
            archive.addfile(facts, io.BytesIO(bytes(size)))
    resume(known, tar, path)
    written = path.read_text().splitlines(keepends=True)
    assert [line.get("same") for line in lines(path)] == [None, [1], [2], None]
    for kept in ((0, 2), (2, 1), (1,), (2, 1, 0)):
        path.write_text("".join(written[number] for number in kept))
        resume(known, tar, path)
        *members, archive = lines(path)
        assert sorted(line.get("same", [0]) for line in members) == [[0], [1], [2]]
        assert (archive["input"], archive["members"]["unscreened"]) == (str(tar), 3)
        assert Summary.read(path).total == 3


@pytest.mark.parametrize(("ordered", "cached"), [(True, False), (False, True)])
def test_an_archive_with_a_line_is_gone_on_with_for_its_members(known, tmp_path, ordered, cached):
    """An archive that is damaged has a line of its own. Whoever removes that of a member, to have
    it tried again, gets that one again and no other, in whichever archive it is.
    """
    (tmp_path / "up").mkdir()
    within = zipped({"c": b"1", "d": b"22"}) + b"more"
    (tmp_path / "up" / "a.zip").write_bytes(zipped({"b.zip": within, "e": b"333"}) + b"more")
    path = tmp_path / "r.jsonl"
    places = ["!b.zip!c", "!b.zip!d", "!b.zip", "!e", ""]

    def go_on():
        with HashCache.open(tmp_path / "cache") if cached else nullcontext() as cache:
            return resume(known, tmp_path / "up", path, ordered=ordered, cache=cache)

    assert sorted(go_on()) == sorted(f"a.zip{place}" for place in places)
    written = path.read_text().splitlines(keepends=True)
    for removed in ("!b.zip!d", "!e", ""):
        left = [one for one in written if not json.loads(one)["input"].endswith(f"a.zip{removed}")]
        assert len(left) == len(written) - 1
        path.write_text("".join(left))
        assert go_on() == [f"a.zip{removed}"]
    assert go_on() == []


def test_what_is_gone_takes_nothing_back(tmp_path):
    """A file that matched, or did not, and is away later has a line without size and time: what was
    found counts beside it, in the run that finds it gone and in those after it. Back in another
    state, that counts instead of both.
    """
    root = REPOSITORY
    known, path, uploads = tmp_path / "known.list", tmp_path / "r.jsonl", tmp_path / "up"
    HashList.create(known).import_file(root / "fixtures/known.csv")
    uploads.mkdir()
    files = [uploads / "harbour.jpg", uploads / "alley.jpg"]
    for one in files:
        shutil.copy(root / "fixtures" / "images" / one.name, one)
    call = ("scan", *files, "--list", known, "--jobs", 1, "--resume", path)
    assert "2 screened: 1 match, 1 no_match, 0 unscreened" in screener(*call).stderr
    for one in files:
        one.rename(tmp_path / one.name)

    for _ in range(2):
        done = screener(*call)

        assert done.returncode == 1
        assert "4 screened: 1 match, 1 no_match, 2 unscreened (2 unreadable)" in done.stderr
        found = Summary.read(path)
        assert (found.total, found.verdicts["match"]) == (4, 1)
        assert len(lines(path)) == 4

    shutil.copy(tmp_path / "alley.jpg", files[0])
    os.utime(files[0], ns=(1, 1))
    (tmp_path / "alley.jpg").rename(files[1])  # as it was
    done = screener(*call)
    assert "3 screened: 0 match, 2 no_match, 1 unscreened" in done.stderr
    assert len(lines(path)) == 5


def test_a_line_that_others_decided_later_is_not_finished(known, folder, tmp_path):
    """What another policy said last is what the file says: the first one's line is made again."""
    path = tmp_path / "results.jsonl"
    resume(known, folder, path)
    assert resume(known, folder, path, policy=Policy(radius={"pdq": 30})) == ALL
    assert len(Finished.read(path, Screener(known))) == 0

    assert resume(known, folder, path) == ALL
    assert resume(known, folder, path) == []
    assert len(Finished.read(path, Screener(known))) == len(ALL) - 1  # without the archive's own


def test_killed_at_random_moments_the_union_is_complete(known, folder, tmp_path):
    """No input is left out and none has two lines; no worker outlives its scan; and the audit log
    of all those runs is whole. SCREENER_KILLS sets how often; 50 were run before this was first
    kept.
    """
    for number in range(40 + 3 * KILLS):
        shutil.copy(folder / f"{number % 3}.png", folder / f"{number:03}.png")
    with zipfile.ZipFile(folder / "middle.zip", "w") as archive:
        for number in range(20):
            archive.write(folder / f"{number % 3}.png", f"{number}.png")
    out = tmp_path / "out"
    out.mkdir()
    script = PROGRAMS / "kill_a_scan.py"

    done = subprocess.run(
        [sys.executable, script, known.path, folder, out, str(KILLS), "1"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["killed"], set(told["codes"])) == (KILLS, {0})
    expected = [str(path) for path in folder.iterdir() if path.suffix == ".png"]
    expected += [f"{folder}/1.zip!in/{n}.png" for n in range(2)]
    expected += [f"{folder}/middle.zip!{n}.png" for n in range(20)]
    expected += [f"{folder}/1.zip", f"{folder}/middle.zip"]
    for number in range(len(told["codes"])):
        found = sorted(line["input"] for line in lines(out / f"{number}.jsonl"))
        assert found == sorted(expected)
        checked = audit.verify(out / f"{number}.log")
        assert (checked.trouble, checked.closed) == ((), True)
        assert checked.decisions >= len(found)
