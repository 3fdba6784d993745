"""Results as tables: every field of a line is in its row, and files are complete or not there."""

import json
import signal
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_process import CALL, refused
from command_process import screener as command

from screener import Policy, Screener, output, reporting, scan
from screener.errors import OutputError
from screener.hashing import pdq
from screener.reporting.arrow import make_schema, write_parquet


@pytest.fixture
def folder(scene, tmp_path):
    """Pictures, one of them in a second state and one that is none."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(4):
        scene(number, (96, 96)).save(folder / f"{number}.png")
    (folder / "4.png").write_bytes(b"")
    (folder / "caf\udce9.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def known(scene, make_list):
    """A list of one of them by its PDQ, with a category, and of another as a seed."""
    listed, seed = (pdq.compute(np.asarray(scene(number, (96, 96)))).text for number in (0, 1))
    return make_list([
        {"id": "one", "pdq": listed, "category": "A", "category_scheme": "uk-sentencing-council"},
        {"id": "two", "pdq": seed, "status": "seed"},
    ])  # fmt: skip


def lines_of(path):
    """The parsed lines of a file of results."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def is_in(value, row):
    """Whether a value of a line is in that of a row, where fields that do not apply are null."""
    if isinstance(value, dict):
        return all(is_in(one, row[name]) for name, one in value.items())
    if isinstance(value, list):
        return len(value) == len(row) and all(map(is_in, value, row))
    return value == row


def test_a_row_has_every_field_of_its_line(known, folder):
    """Under the names of the schema of lines; media facts are columns, a raw name is bytes."""
    results = list(scan(Screener(known), folder, jobs=1))

    table = reporting.to_arrow(results)

    assert table.schema == make_schema()
    rows = table.to_pylist()
    for result, row in zip(results, rows, strict=True):
        line = json.loads(result.to_json().encode("utf-8", "replace"))
        media, _ = line.pop("media") or {}, line.pop("schema")
        assert row["media_type"] == media.pop("type", None)
        assert (row["input_bytes"] is None) == (line.pop("input_base64", None) is None)
        assert row["input_bytes"] == result.input_bytes
        assert is_in(line | media, row), line
        assert row["match_count"] == len(result.matches)
    (match,) = [row for row in rows if row["verdict"] == "match"]
    assert [match[name] for name in ("list", "entry", "kind", "distance")] == [
        "known", "one", "pdq", 0
    ]  # fmt: skip
    assert match["matches"][0]["shadow"] is False
    assert match["lists"][0]["mode"] == "enforce"
    assert [row["entry"] for row in rows if row["other_hit_count"]] == [None]


def test_no_results_are_a_table_without_rows():
    """With all columns."""
    assert reporting.to_arrow([]).schema == make_schema()
    assert len(reporting.to_arrow(iter(()))) == 0


def test_the_command_writes_parquet_and_a_journal(known, folder, tmp_path):
    """The table has the lines of the journal; both are the owner's alone."""
    path = tmp_path / "results.parquet"

    done = command("scan", folder, "--list", known.path, "-o", path, "--jobs", "1")

    assert done.returncode == 1, done.stderr
    lines = lines_of(tmp_path / "results.parquet.jsonl")
    table = pq.read_table(path)
    assert table.schema.equals(make_schema())
    assert table["input"].to_pylist() == [line["input"] for line in lines]
    assert table["verdict"].to_pylist() == [line["verdict"] for line in lines]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("page", ["page.html", "page.csv", "again.parquet"])
def test_a_table_is_no_report(known, folder, tmp_path, page):
    """The message names the lines that it was made of, of which a page is made."""
    path = tmp_path / "r.parquet"
    command("scan", folder, "--list", known.path, "--jobs", "1", "-o", path)
    if page.endswith(".parquet"):
        with pytest.raises(OutputError, match=rf"{path}\.jsonl"):
            write_parquet(path, tmp_path / page)
    else:
        assert f"{path}.jsonl" in refused("report", path, "-o", tmp_path / page)
        assert command("report", f"{path}.jsonl", "-o", tmp_path / page).returncode == 0


def test_a_scan_into_parquet_is_resumed_and_has_one_row_an_input(known, folder, tmp_path):
    """Where an input changed, its newest line counts."""
    path = tmp_path / "results.parquet"
    call = ("scan", folder, "--list", known.path, "--jobs", "1")
    command(*call, "-o", path)
    (folder / "0.png").write_bytes((folder / "2.png").read_bytes())
    (folder / "5.png").write_bytes((folder / "1.png").read_bytes())

    done = command(*call, "--resume", path)

    assert done.returncode == 3, done.stderr
    assert len(lines_of(tmp_path / "results.parquet.jsonl")) == 8
    rows = {row["input"]: row["verdict"] for row in pq.read_table(path).to_pylist()}
    assert len(rows) == pq.read_metadata(path).num_rows == 7
    assert rows[f"{folder}/0.png"] == rows[f"{folder}/5.png"] == "no_match"


def test_a_journal_is_not_continued_without_its_table(known, folder, tmp_path):
    """Which would look complete and lack the newer results."""
    path, journal = tmp_path / "r.parquet", tmp_path / "r.parquet.jsonl"
    call = ("scan", folder, "--list", known.path, "--jobs", "1")
    assert command(*call, "-o", path).returncode in (0, 1, 3)
    before = path.read_bytes(), journal.read_bytes()

    for option in ("--resume", "-o"):
        assert f"is the journal of {path}" in refused(*call, option, journal)
    assert (path.read_bytes(), journal.read_bytes()) == before

    path.unlink()
    assert command(*call, "--resume", journal).returncode in (0, 1, 3)


def test_a_scan_that_is_killed_leaves_its_journal_and_no_table(known, folder, tmp_path):
    """An older table does not stand beside it; the scan is resumed by the table's name."""
    path = tmp_path / "results.parquet"
    call = ["scan", str(folder), "--list", str(known.path), "--jobs", "1"]
    command(*call, "-o", path)
    process = subprocess.Popen(
        [*CALL, "scan", "-", *call[2:], "-o", path, "--unordered"],
        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    process.stdin.write(f"{folder}/0.png\n{folder}/1.png\n".encode())
    process.stdin.flush()
    journal = tmp_path / "results.parquet.jsonl"
    while path.exists() or not journal.stat().st_size:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert not path.exists()
    assert 1 <= len(lines_of(journal)) <= 2
    assert command(*call, "--resume", path).returncode == 1
    assert pq.read_metadata(path).num_rows == 6


def test_rescan_writes_parquet(known, folder, tmp_path):
    """As a scan does."""
    cache, path = tmp_path / "hashes.cache", tmp_path / "again.parquet"
    first = tmp_path / "first.parquet"
    call = ("--list", known.path, "--cache", cache)
    command("scan", folder, *call, "-o", first, "--jobs", "1")

    done = command("rescan", *call, "--all", "-o", path)

    assert done.returncode == 1, done.stderr
    verdicts = [
        {row["input"]: row["verdict"] for row in pq.read_table(one).to_pylist()}
        for one in (first, path)
    ]
    assert verdicts[0] == verdicts[1]


def test_only_results_are_overwritten(known, folder, tmp_path):
    """A table of something else stays, and so does one whose journal is gone."""
    path = tmp_path / "images.parquet"
    pq.write_table(pa.table({"data": [b"x"]}), path)
    before = path.read_bytes()
    call = ("scan", folder, "--list", known.path)

    assert "something else than results" in refused(*call, "-o", path)
    assert "something else than results" in refused(*call, "--resume", path)
    with pytest.raises(OutputError):
        output.open_jsonl(path)
    assert path.read_bytes() == before
    with output.open_jsonl(tmp_path / "results.parquet"):
        pass
    (tmp_path / "results.parquet.jsonl").unlink()
    assert "journal" in refused(*call, "--resume", tmp_path / "results.parquet")


def test_a_file_of_lines_becomes_parquet_later(known, folder, tmp_path):
    """And one with a damaged line does not."""
    with output.open_jsonl(tmp_path / "results.jsonl") as out:
        for result in scan(Screener(known, policy=Policy()), folder, jobs=1):
            out.write(result)
    write_parquet(tmp_path / "results.jsonl", tmp_path / "results.parquet")
    assert pq.read_metadata(tmp_path / "results.parquet").num_rows == 6

    with (tmp_path / "results.jsonl").open("a") as stream:
        stream.write('{"schema":1}\n')
    with pytest.raises(OutputError, match="line 7"):
        write_parquet(tmp_path / "results.jsonl", tmp_path / "other.parquet")
    assert not (tmp_path / "other.parquet").exists()


def test_a_missing_extra_is_named(known, folder, tmp_path, monkeypatch):
    """Before anything is scanned."""
    monkeypatch.setattr("screener.reporting.arrow.is_available", lambda _: False)
    with pytest.raises(OutputError, match="extra `arrow`"):
        output.open_jsonl(tmp_path / "results.parquet")
    with pytest.raises(OutputError, match="extra `arrow`"):
        reporting.to_arrow([])
