"""The recipes of docs/data.md run as they stand, on the table that its scan of a column writes."""

import contextlib
import io
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_process import screener as command

from screener import HashList

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a list, a picture that it has, and a table with that picture."""
    HashList.create(tmp_path / "known.list").import_file(ROOT / "fixtures/known.csv")
    photo = (ROOT / "fixtures/images/kiosk-mirrored.jpg").read_bytes()
    (tmp_path / "photo.jpg").write_bytes(photo)
    table = {"id": ["a", "b", "c"], "data": [b"", photo, None], "uploaded_by": ["x", "ann", "y"]}
    pq.write_table(pa.table(table), tmp_path / "images.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_recipes_find_the_row_that_matches(folder):
    """The command of the page's section on columns, then each block in turn."""
    text = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^```\n(screener scan .*)\n```$", text, re.M)
    done = command(*line.split()[1:], "--jobs", "1", cwd=folder)
    assert done.returncode == 1, done.stderr
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    printed = []
    names = []
    for block in blocks:
        stream, scope = io.StringIO(), {}
        with contextlib.redirect_stdout(stream):
            exec(compile(block, "docs/data.md", "exec"), scope)
        printed.append(stream.getvalue())
        names.append(scope)

    with_pandas, with_polars, with_duckdb = names
    assert list(with_pandas["frame"]["verdict"]) == ["match", "unscreened"]
    (row,) = with_polars["matched"].to_dicts()
    assert (row["id"], row["uploaded_by"], row["entry"]) == ("b", "ann", "demo-0003")
    assert next(hit[:2] for hit in with_duckdb["hits"].fetchall()) == ("b", "demo-0003")
    assert "unreadable" in printed[2]
    assert "empty" in printed[2]
