"""Datasets of Ray Data, screened on a cluster of several nodes: what a scan says of each input."""

import io
import json
import os
import re
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from paths import REPOSITORY

from screener import HashList, Policy, Screener
from screener import scan as scan_here
from screener.errors import ClusterError
from screener.hashing import pdq

pytest.importorskip("ray", reason="Ray is not installed: scripts/ray installs it and runs these")

import pyarrow as pa
import ray
from ray.data.expressions import col

from screener.scanning.ray import dataset, nodes, screen
from screener.scanning.ray.dataset_rows import COLUMNS

# Ray warns of its own settings.
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.")

POLICY = Policy(seconds=20)


@pytest.fixture
def known(make_list, scene):
    """A list that the picture 0 is on, as it is and at a distance."""
    text = pdq.compute(np.asarray(scene(0, (160, 120)))).text
    near = f"{int(text[:2], 16) ^ 3:02x}{text[2:]}"
    return make_list([{"id": "near", "pdq": near}, {"id": "one", "pdq": text}])


@pytest.fixture
def files(scene, tmp_path):
    """Pictures, damage, an archive of each sort, a name that is no file's, and one that is not
    UTF-8's.
    """
    folder = tmp_path / "uploads"
    folder.mkdir()
    pictures = []
    for number in range(5):
        out = io.BytesIO()
        scene(number, (160, 120)).save(out, "PNG")
        pictures.append(out.getvalue())
        (folder / f"{number}.png").write_bytes(out.getvalue())
    (folder / "half.png").write_bytes(pictures[0][:20000])
    (folder / "empty").write_bytes(b"")
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for number, data in enumerate(pictures):
            archive.writestr(f"in/{number}.png", data)
    with tarfile.open(folder / "b.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("n\udcff.png")
        info.size = len(pictures[0])
        archive.addfile(info, io.BytesIO(pictures[0]))
    return sorted(map(str, folder.iterdir()))


def told(line):
    """A line without what no two runs share."""
    facts = json.loads(line)
    facts.pop("seconds", None)
    facts["lists"] = [{**one, "age_s": 0} for one in facts["lists"]]
    return facts


def expected(known, files):
    """The lines of a local scan, by input."""
    engine = Screener(known, policy=POLICY)
    lines = [told(json.dumps(one.to_dict())) for one in scan_here(engine, files, jobs=1)]
    return {line["input"]: line for line in lines}


def by_input(rows):
    """The lines in rows, by input; none twice."""
    lines = [told(row["result"]) for row in rows]
    found = {line["input"]: line for line in lines}
    assert len(found) == len(lines)
    return found


def test_a_dataset_of_paths_gives_what_a_scan_gives(cluster, known, files):
    """Every line is that of a local scan, members of archives too; columns say what the line says,
    and tell the nearest match; a column that is kept is that of the input.
    """
    files = [*files, "/nowhere/none.png"]
    rows = [{"path": path, "upload": number} for number, path in enumerate(files)]
    given = ray.data.from_items(rows, override_num_blocks=4)

    found = screen(given, lists=known.path, policy=POLICY, keep=["upload"]).take_all()

    assert by_input(found) == expected(known, files)
    assert {row["upload"] for row in found} == set(range(len(files)))
    for row in found:
        line = json.loads(row["result"])
        assert row["input"].split("!")[0] == files[row["upload"]]
        nearest = line["matches"][0] if line["matches"] else {}
        for name in ("list", "source", "entry", "kind", "distance"):
            assert row[name] == nearest.get(name)
        for name in ("input", "verdict", "reason", "bytes", "seconds"):
            assert row[name] == line[name]
        assert row["media_type"] == (line["media"] or {}).get("type")
        assert (row["matches"], row["other_hits"]) == (
            len(line["matches"]),
            len(line["other_hits"]),
        )
    (match,) = [row for row in found if row["input"].endswith("/uploads/0.png")]
    assert (match["verdict"], match["entry"], match["distance"]) == ("match", "one", 0)
    assert match["matches"] == 2


def test_a_dataset_of_bytes_gives_the_same_but_for_the_time(cluster, known, files):
    """`read_binary_files` with paths: the same lines without a time of last change; filters work on
    columns, and the schema is the documented one.
    """
    given = ray.data.read_binary_files(files, include_paths=True)

    screened = screen(given, lists=[HashList.open(known.path)], policy=POLICY).materialize()

    here = {name: {**one, "mtime_ns": None} for name, one in expected(known, files).items()}
    there = by_input(screened.take_all())
    for name, one in there.items():
        if name.endswith(".tar.gz"):  # which Ray has unpacked
            one["bytes"] = here[name]["bytes"]
    assert there == here
    assert screened.filter(expr=col("verdict") == "match").count() == sum(
        one["verdict"] == "match" for one in here.values()
    )
    assert pa.schema(screened.schema().base_schema) == COLUMNS


def test_rows_without_names_or_without_anything_have_results(cluster, known, files):
    """Bytes that nobody named, an archive among them; nulls are `unreadable`, never left out."""
    contents = [Path(name).read_bytes() for name in files]
    table = pa.table({"data": pa.array([*contents, None], pa.binary())})
    given = ray.data.from_arrow(table)

    rows = screen(given, lists=known, contents="data", policy=POLICY, batch_size=4).take_all()

    inputs = [row["input"] for row in rows]
    assert sorted(one for one in inputs if one is not None) == [
        *(f"!in/{number}.png" for number in range(5)),
        "!n�.png",
    ]
    assert sum(one is None for one in inputs) == len(files) + 1
    assert [row["reason"] for row in rows if row["reason"] == "unreadable"] == ["unreadable"]
    assert not any("/proc/" in row["result"] for row in rows)

    table = pa.table({"path": pa.array([files[0], None, files[0]], pa.string())})
    rows = screen(ray.data.from_arrow(table), lists=known, policy=POLICY).take_all()
    assert [(row["input"], row["reason"]) for row in rows if row["input"] is None] == [
        (None, "unreadable")
    ]
    assert len(rows) > 2


def test_each_row_is_what_it_holds_whatever_stands_in_its_batch(known, files, screening):
    """A row without bytes is the file that its path names, also where others of the batch have
    bytes, to which Ray joins it with a null; two names of one file are two inputs. What comes out
    is in the order of the rows, which a pipeline may keep.
    """
    listed = Path(files[0]).read_bytes()
    rows = [{"path": files[0]}, {"bytes": listed}, {"bytes": None, "path": files[0]}]
    given = ray.data.from_items([*rows, {"upload": 3}], override_num_blocks=1)
    found = screen(given, lists=known, policy=POLICY).take_all()
    assert sorted((str(row["input"]), row["reason"] or row["entry"]) for row in found) == sorted(
        [(files[0], "one"), (files[0], "one"), ("None", "one"), ("None", "unreadable")]
    )

    folder, name = os.path.split(files[0])
    table = pa.table(
        {
            "path": pa.array([name.encode(), files[0].encode()], pa.binary()),
            "bytes": pa.array([None, None], pa.binary()),
        }
    )
    told = list(screening(folder)._results(table))
    assert [(row, one.input, one.matches[0].entry) for row, one in told] == [
        (0, name, "one"),
        (1, files[0], "one"),
    ]

    paths = [None, files[0], "named", files[0], None]
    table = pa.table({"path": paths, "bytes": [None, None, listed, None, listed]})
    assert screening("/")(table)["input"].to_pylist() == paths


@pytest.fixture
def screening(cluster, known, monkeypatch):
    """Makes what an actor is in this process, for callers in a folder."""
    monkeypatch.setattr(nodes, "hide_main_module", lambda: None)

    def make(folder):
        listed = [nodes.ListReference.from_list(known)]
        return dataset.Screening(listed, nodes.read_versions(), POLICY, folder, "path", "bytes", ())

    return make


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("bytes", ["a picture as text"], "contents must be bytes, not str"),
        ("bytes", [17], "contents must be bytes, not int"),
        ("bytes", [{"data": b"x"}], "contents must be bytes, not dict"),
        ("bytes", [[1, 2, 3]], "contents must be bytes, not list"),
        ("path", [17], "a path must be text or bytes, not int"),
    ],
)
def test_columns_of_other_types_are_said(screening, column, values, words):
    """Text is no file, and not `unsupported`: the column is the wrong one."""
    table = pa.table({"bytes": [b"x"], column: values})
    with pytest.raises(ClusterError, match=words):
        list(screening("/")._results(table))


def test_names_are_as_given_whatever_folder_an_actor_is_in(cluster, known, files, monkeypatch):
    """Relative paths mean the caller's folder; names that are not UTF-8 come as bytes; a path that
    two rows have gives two results for each of its members.
    """
    folder = Path(files[0]).parent
    monkeypatch.chdir(folder)
    odd = os.fsencode(folder) + b"/n\xff.png"
    shutil.copy("0.png", odd)
    names = [b"0.png", b"./a.zip", b"none.png", b"", odd, os.fsencode(folder), b"./a.zip"]
    given = ray.data.from_arrow(pa.table({"path": pa.array(names, pa.binary())}))

    rows = screen(given, lists=known, policy=POLICY).take_all()

    engine = Screener(known, policy=POLICY)
    single = [name for name in names if name != os.fsencode(folder)]
    here = [
        told(json.dumps(one.to_dict()))
        for one in scan_here(engine, map(os.fsdecode, single), jobs=1)
    ]
    whole = {**engine.screen(str(folder)).to_dict()}
    lines = sorted([told(row["result"]) for row in rows], key=json.dumps)
    assert lines == sorted([*here, told(json.dumps(whole))], key=json.dumps)


def test_a_node_that_is_lost_costs_nothing(cluster, known, scene, tmp_path):
    """One of two nodes goes while a dataset is screened: each input has its row, once."""
    for number in range(60):
        scene(number % 6, (160 + number, 120)).save(tmp_path / f"{number:03}.png")
    files = sorted(map(str, tmp_path.glob("*.png")))
    given = ray.data.from_items([{"path": path} for path in files], override_num_blocks=20)

    rows = []
    for row in screen(given, lists=known, policy=POLICY, concurrency=2).iter_rows():
        rows.append(row)
        if len(rows) == 10:
            cluster.lose()

    assert by_input(rows) == expected(known, files)


def test_every_node_must_have_that_very_list(cluster, known, make_list, tmp_path):
    """No list, another one, another generation: ClusterError that names node and path, before
    anything is screened.
    """
    listed = nodes.ListReference.from_list(known)
    gone = replace(listed, path=str(tmp_path / "gone.list"))
    with pytest.raises(ClusterError, match=r"node [\d.]+ has no generation 1 of the list .*/gone"):
        nodes.check_nodes([gone])
    with pytest.raises(ClusterError, match=r"node [\d.]+ has no generation 7 of the list .*known"):
        nodes.check_nodes([replace(listed, generation=7)])
    other = make_list([{"id": "x", "md5": "ab" * 16}], name="other")
    with pytest.raises(ClusterError, match=r"node [\d.]+ has another list at .*/other.list"):
        nodes.check_nodes([replace(listed, path=str(other.path))])
    nodes.check_nodes([listed])


def test_an_actor_that_finds_another_list_ends_the_job_with_that_sentence(
    cluster, known, files, monkeypatch
):
    """A node that came later than the check is checked too."""
    listed = replace(nodes.ListReference.from_list(known), generation=7)
    monkeypatch.setattr(dataset.ListReference, "from_list", lambda hash_list: listed)
    monkeypatch.setattr(nodes, "check_nodes", lambda lists: None)
    given = screen(ray.data.from_items([{"path": files[0]}]), lists=known, policy=POLICY)

    with pytest.raises(Exception, match=r"has no generation 7 of the list") as raised:
        given.take_all()
    assert "copy" in str(raised.value) or "every node needs" in str(raised.value)


def test_a_generation_is_the_one_that_was_current_at_the_call(cluster, known, files, tmp_path):
    """An import between the call and the work changes nothing, as with a scan."""
    given = ray.data.from_items([{"path": path} for path in files])
    screened = screen(given, lists=known.path, policy=POLICY)
    (tmp_path / "more.csv").write_text("id,md5\nmore," + "cd" * 16 + "\n")
    HashList.open(known.path).import_file(tmp_path / "more.csv", source="more")

    rows = screened.take_all()

    assert HashList.open(known.path).generation == 2
    generations = {json.loads(row["result"])["lists"][0]["generation"] for row in rows}
    assert generations == {1}


def test_wrong_columns_are_said_by_name(cluster, known, files):
    """A column that results have cannot be kept; one that is not there stops the job; one that is
    named twice is kept once."""
    given = ray.data.from_items([{"file": files[0]}])
    with pytest.raises(ClusterError, match="the column verdict cannot be kept"):
        screen(given, lists=known, keep=["verdict"])
    with pytest.raises(ClusterError, match=r"keep must be a list of columns: keep=\['file'\]"):
        screen(given, lists=known, path="file", keep="file")
    twice = screen(given, lists=known, path="file", keep=["file", "file"]).take_all()
    assert twice[0]["file"] == files[0]
    with pytest.raises(Exception, match="the dataset has neither a column bytes nor path"):
        screen(given, lists=known).take_all()
    with pytest.raises(Exception, match="the dataset has no column upload to keep"):
        screen(given, lists=known, path="file", keep=["upload"]).take_all()


def test_the_examples_of_the_documentation_run(cluster, files, tmp_path, monkeypatch, capsys):
    """Both Python blocks of docs/ray.md, as they stand."""
    root = REPOSITORY
    monkeypatch.chdir(tmp_path)
    HashList.create("known.list").import_file(root / "fixtures/known.csv")
    shutil.copy(root / "fixtures/images/kiosk-mirrored.jpg", "uploads/kiosk.jpg")
    page = (root / "docs/ray.md").read_text(encoding="utf-8")
    page = page.replace("/shared/", f"{tmp_path}/")
    scanned, screened = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    exec(compile(scanned, "docs/ray.md", "exec"), {})
    exec(compile(screened, "docs/ray.md", "exec"), {})

    lines = Path("results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) > len(files)
    assert ray.data.read_parquet(str(tmp_path / "results")).count() == len(lines)
    printed = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{tmp_path}/uploads/kiosk.jpg demo-0003 ") for line in printed)
