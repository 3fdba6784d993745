"""Each row of a column of bytes is screened as a file is, in order, and once."""

import hashlib
import io
import json
import os
import resource

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_process import refused
from command_process import screener as command
from resumed_scan import go_on

from screener import HashCache, Screener, rescan, scan
from screener.scanning.inputs import cells
from screener.scanning.inputs.cells import Column


@pytest.fixture(scope="module")
def contents(scene):
    """The cells of a table: pictures, the first one listed, no bytes, and null."""
    made = []
    for number in range(6):
        stream = io.BytesIO()
        scene(number, (96, 96)).save(stream, "JPEG")
        made.append(stream.getvalue())
    return [*made, b"", None, b"no picture"]


@pytest.fixture
def known(make_list, contents):
    """A list of the first cell's MD5."""
    md5 = hashlib.md5(contents[0]).hexdigest()
    return make_list([{"id": "one", "md5": md5, "pdq": "0f" * 32}])


@pytest.fixture
def engine(known):
    """A Screener of that list."""
    return Screener(known)


EXPECTED = ["match", *["no_match"] * 5, "empty", "unreadable", "undecodable"]


def write(path, contents, **settings):
    """Write a table of contents and ids; return the path."""
    ids = [f"id {number}" for number in range(len(contents))]
    table = pa.table({"id": ids, "data": pa.array(contents, pa.binary()), "more": ids})
    pq.write_table(table, path, **settings)
    return path


def described(results):
    """Names, and verdicts or reasons."""
    return [(one.input, str(one.reason or one.verdict)) for one in results]


def test_each_row_has_one_result_by_its_number(engine, contents, tmp_path):
    """In the order of the rows, with the size of the cell and the time of the file."""
    path = write(tmp_path / "images.parquet", contents)

    results = list(scan(engine, path, jobs=1, column=Column("data")))

    assert [name for name, _ in described(results)] == [f"{path}#{n}" for n in range(9)]
    found = [why for _, why in described(results)]
    assert found[:8] == EXPECTED[:8]
    assert results[8].verdict == "unscreened"
    assert [one.bytes for one in results] == [None if c is None else len(c) for c in contents]
    assert {one.mtime_ns for one in results} == {path.stat().st_mtime_ns}


def test_results_equal_those_of_files(engine, contents, tmp_path):
    """Everything but names and times."""
    path = write(tmp_path / "images.parquet", contents[:6])
    for number, content in enumerate(contents[:6]):
        (tmp_path / f"{number}.jpg").write_bytes(content)
    files = [tmp_path / f"{number}.jpg" for number in range(6)]

    def facts(results):
        return [(r.verdict, r.reason, r.bytes, r.media, r.matches, r.effort) for r in results]

    rows = facts(scan(engine, path, jobs=1, column=Column("data")))
    assert rows == facts(scan(engine, files, jobs=1))


def test_few_descriptors_are_enough_for_many_rows(engine, contents, tmp_path):
    """Each copy has one."""
    path = write(tmp_path / "images.parquet", contents[1:2] * 400)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(used, 64) * 2 + 48, hard))
    try:
        results = list(scan(engine, path, jobs=1, column=Column("data")))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert {str(one.verdict) for one in results} == {"no_match"}
    assert len(results) == 400


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("settings", [{"row_group_size": 2}, {"use_dictionary": False}])
def test_batches_and_row_groups_change_nothing(
    engine, contents, tmp_path, monkeypatch, batch, settings
):
    """Whatever their sizes, and however bytes are encoded."""
    monkeypatch.setattr(cells, "_MAX_BATCH_ROWS", batch)
    path = write(tmp_path / "images.parquet", contents, **settings)

    results = scan(engine, path, jobs=1, column=Column("data", "id"))

    assert [name for name, _ in described(results)] == [f"id {n}" for n in range(9)]


def test_a_row_is_named_by_its_id_unless_that_came_before(engine, contents, tmp_path):
    """Else two rows would be one input, of which one result would replace the other's."""
    path, other = tmp_path / "a.parquet", tmp_path / "b.parquet"
    ids = [7, 8, 7, None, 9, 10]
    pq.write_table(pa.table({"id": ids, "data": contents[:6]}), path)
    pq.write_table(pa.table({"id": [11, 8], "data": contents[:2]}), other)

    results = scan(engine, [path, other], jobs=1, column=Column("data", "id"))
    names = [name for name, _ in described(results)]

    assert names == ["7", "8", f"{path}#2", f"{path}#3", "9", "10", "11", f"{other}#1"]


@pytest.mark.parametrize(
    ("ids", "name"),
    [
        (pa.array([b"\xe9", b"b"]), "\ufffd"),
        (pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xe9", b"b"]).buffers()), "\ufffd"),
        (pa.array([1.5, 2]), "1.5"),
        (pa.array([1 << 60, 1 << 61], pa.timestamp("ms")), None),  # not a time of Python's
        (pa.array([[1], [2]]), "[1]"),
    ],
)
def test_an_id_of_any_type_names_its_row(engine, contents, tmp_path, ids, name):
    """By its bytes or its text, also if it is not UTF-8 or has no value in Python."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ids, "data": contents[:2]}), path, store_schema=False)

    first, second = scan(engine, path, jobs=1, column=Column("data", "id"))

    assert first.input != second.input
    assert (first.verdict, second.verdict) == ("match", "no_match")
    assert name in (first.input, None)
    if name == "\ufffd":
        assert first.input_bytes == b"\xe9"


def test_an_id_that_is_forged_names_no_other_row(engine, contents, tmp_path, monkeypatch):
    """Whatever comes first: else a result of the one would replace that of the other."""
    monkeypatch.setattr(cells, "_MAX_BATCH_ROWS", 2)
    path = tmp_path / "a.parquet"
    ids = [f"{path}#1", None, "a", "a", f"{path}#3", f"{path}#1#"]
    pq.write_table(pa.table({"id": ids, "data": contents[:6]}), path, use_dictionary=False)

    results = list(scan(engine, path, jobs=1, column=Column("data", "id")))

    names = [name for name, _ in described(results)]
    assert names == [
        f"{path}#1", f"{path}#1#", "a", f"{path}#3", f"{path}#4", f"{path}#5"
    ]  # fmt: skip


def test_many_ids_are_told_apart(monkeypatch):
    """As a set of them would, whatever the batches."""
    seen, oracle, ids = cells._SeenIds(), set(), [number * number % 613 for number in range(5000)]
    for begin in range(0, 5000, 37):
        batch = ids[begin : begin + 37]
        expected = []
        for one in batch:
            expected.append(one not in oracle)
            oracle.add(one)
        assert seen.add([b"%d" % one for one in batch]) == expected


@pytest.mark.parametrize(
    "kind", [pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())]
)
def test_other_types_of_bytes_are_read(engine, contents, tmp_path, kind):
    """As pandas and polars write them."""
    table = pa.table({"data": pa.array(contents, pa.binary()).cast(kind)})
    pq.write_table(table, tmp_path / "images.parquet")

    results = scan(engine, tmp_path / "images.parquet", jobs=1, column=Column("data"))

    assert [why for _, why in described(results)][:8] == EXPECTED[:8]


def test_a_field_of_a_structure_is_a_column(engine, contents, tmp_path):
    """As datasets of Hugging Face have it; a structure that is null has no bytes."""
    rows = [None if one is None else {"bytes": one, "path": "x"} for one in contents]
    pq.write_table(pa.table({"image": rows}), tmp_path / "images.parquet")

    results = scan(engine, tmp_path / "images.parquet", jobs=1, column=Column("image.bytes"))

    assert [why for _, why in described(results)][:8] == EXPECTED[:8]


def test_one_value_for_many_rows_takes_its_memory_once(engine, tmp_path):
    """A small file of a large value that all rows share is no bomb."""
    value = bytes(1 << 20)
    rows = 256
    table = pa.table({"data": pa.array([value] * rows, pa.binary())})
    pq.write_table(table, tmp_path / "images.parquet", compression="zstd")
    assert (tmp_path / "images.parquet").stat().st_size < 1 << 20
    before = pa.total_allocated_bytes()
    largest = 0

    for result in scan(engine, tmp_path / "images.parquet", jobs=1, column=Column("data")):
        largest = max(largest, pa.total_allocated_bytes() - before)
        assert result.verdict == "unscreened"

    assert largest < 130 << 20


def test_a_scan_of_rows_is_resumed(engine, contents, tmp_path):
    """Rows with a line are passed over; rows of a file that changed are screened again."""
    path = write(tmp_path / "images.parquet", contents)
    results = tmp_path / "results.jsonl"
    rows = {"column": Column("data", "id")}
    assert len(go_on(engine, path, results, **rows)) == 9
    assert go_on(engine, path, results, **rows) == []

    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join(lines[:3] + lines[4:]))
    assert go_on(engine, path, results, **rows) == ["id 3"]
    write(path, contents[:2])
    assert go_on(engine, path, results, **rows) == ["id 0", "id 1"]


def test_rows_are_cached_and_matched_again(known, make_list, contents, tmp_path):
    """`rescan` gives their results, by the same names."""
    path = write(tmp_path / "images.parquet", contents)
    engine = Screener(known)
    with HashCache.open(tmp_path / "hashes.cache") as cache:
        first = list(scan(engine, path, jobs=1, column=Column("data"), cache=cache))
        again = list(rescan(engine, cache, every=True))

    assert sorted(described(again)) == sorted(described(first))


def test_files_of_a_folder_are_read_and_others_reported(engine, contents, tmp_path):
    """What programs leave beside Parquet files is passed over, if it is none itself."""
    folder = tmp_path / "table"
    (folder / "day=1").mkdir(parents=True)
    write(folder / "day=1" / "a.parquet", contents[:2])
    write(folder / "_b.parquet", contents[:1])
    (folder / "_SUCCESS").touch()
    (folder / ".a.crc").write_bytes(b"crc")
    (folder / "note.txt").write_text("text")

    results = described(scan(engine, folder, jobs=1, column=Column("data")))

    assert results == [
        (f"{folder}/_b.parquet#0", "match"),
        (f"{folder}/day=1/a.parquet#0", "match"),
        (f"{folder}/day=1/a.parquet#1", "no_match"),
        (f"{folder}/note.txt", "unsupported"),
    ]


def test_rows_that_are_damaged_are_reported_and_others_screened(engine, contents, tmp_path):
    """Row groups around them have results; one more result tells which rows have none."""
    path = write(tmp_path / "a.parquet", contents[:6], row_group_size=1, compression="none")
    group = pq.read_metadata(path).row_group(3)
    data = bytearray(path.read_bytes())
    start = group.column(1).dictionary_page_offset or group.column(1).data_page_offset
    data[start : start + 40] = bytes(40)
    path.write_bytes(data)

    results = list(scan(engine, path, jobs=1, column=Column("data")))

    names = [f"{path}#{n}" for n in range(6)]
    names[3] = str(path)
    assert [name for name, _ in described(results)] == names
    assert results[3].reason == "unreadable"
    assert "rows 3 to 3" in results[3].detail


def test_rows_that_are_not_there_are_reported(engine, contents, tmp_path):
    """If the file says that it has more than are found, in all or in a row group."""
    path = tmp_path / "images.parquet"
    data = pa.array(contents[:1] * 50, pa.binary())
    pq.write_table(pa.table({"data": data}), path, use_dictionary=False, write_statistics=False)
    whole = path.read_bytes()
    footer = whole[-8 - int.from_bytes(whole[-8:-4], "little") : -8]
    found = []
    for place in (n for n, byte in enumerate(footer) if byte == 2 * 50):  # as Thrift writes 50
        changed = bytearray(footer)
        changed[place] = 2 * 60
        path.write_bytes(whole[: -8 - len(footer)] + changed + whole[-8:])
        file = pq.ParquetFile(path).metadata
        if max(file.num_rows, file.row_group(0).num_rows) == 60:
            results = list(scan(engine, path, jobs=1, column=Column("data")))
            assert [one.verdict for one in results[:50]] == ["match"] * 50
            found.append({(one.input, str(one.reason)) for one in results[50:]})

    assert found == [{(str(path), "unreadable")}] * 2


def test_a_table_whose_name_is_not_utf8_is_read(engine, contents, tmp_path):
    """As any file is; its rows have the raw name."""
    path = os.fsencode(tmp_path) + b"/\xff.parquet"
    os.rename(write(tmp_path / "a.parquet", contents), path)

    results = list(scan(engine, os.fsdecode(path), jobs=1, column=Column("data")))

    assert [one.input_bytes for one in results] == [path + b"#%d" % n for n in range(9)]
    assert results[0].verdict == "match"


def test_a_damaged_table_is_reported_whatever_its_name(engine, contents, tmp_path):
    """Only what programs leave beside tables is passed over."""
    folder = tmp_path / "table"
    folder.mkdir()
    path = write(folder / "_images.parquet", contents)
    path.write_bytes(b"no!!" + path.read_bytes()[4:])
    (folder / "_SUCCESS").touch()

    results = scan(engine, folder, jobs=1, column=Column("data"))

    assert described(results) == [(str(path), "unsupported")]


@pytest.mark.parametrize(
    ("column", "detail"),
    [("nothing", "the columns are id, data, more"), ("more", "not bytes"), ("data.x", "no column")],
)
def test_a_column_that_is_not_there_is_one_result(engine, contents, tmp_path, column, detail):
    """Its detail names the columns that are."""
    path = write(tmp_path / "images.parquet", contents)
    (result,) = scan(engine, path, jobs=1, column=Column(column))
    assert (result.input, result.reason) == (str(path), "unreadable")
    assert detail in result.detail


def test_a_table_behind_a_url_is_read(engine, contents, tmp_path):
    """In any store of fsspec."""
    write(tmp_path / "images.parquet", contents)
    store = fsspec.filesystem("memory")
    store.pipe("/tables/images.parquet", (tmp_path / "images.parquet").read_bytes())
    try:
        results = list(scan(engine, "memory://tables", jobs=1, column=Column("data")))
    finally:
        store.rm("/tables", recursive=True)

    url = "memory://tables/images.parquet"
    assert [name for name, _ in described(results)] == [f"{url}#{n}" for n in range(9)]


def test_rows_of_a_store_without_times_are_screened_again(engine, contents, tmp_path, monkeypatch):
    """A changed cell may have the size that it had."""
    monkeypatch.setattr("screener.media.remote.store._TIMES", ())
    store, results = fsspec.filesystem("memory"), tmp_path / "results.jsonl"
    try:
        for content in (bytes(len(contents[0])), contents[0]):
            path = write(tmp_path / "images.parquet", [content])
            store.pipe("/images.parquet", path.read_bytes())
            url = "memory://images.parquet"
            assert len(go_on(engine, url, results, column=Column("data"))) == 1
    finally:
        store.rm("/images.parquet")

    verdicts = [json.loads(line)["verdict"] for line in results.read_text().splitlines()]
    assert verdicts == ["unscreened", "match"]


def test_the_command_screens_a_column(known, contents, tmp_path):
    """With names from the id column; a wrong call is refused."""
    path = write(tmp_path / "images.parquet", contents)
    call = ("scan", path, "--list", known.path, "--jobs", "1")

    done = command(*call, "--column", "data", "--id-column", "id")

    assert done.returncode == 1, done.stderr
    assert [json.loads(line)["input"] for line in done.stdout.splitlines()] == [
        f"id {n}" for n in range(9)
    ]
    assert "--column is missing" in refused(*call, "--id-column", "id")
    assert "neither URLs nor --column" in refused(*call, "--column", "data", "--engine", "ray")
    assert "neither URLs" in refused(*call, "s3://bucket/", "--engine", "ray")


def test_a_forgotten_column_is_named(engine, contents, tmp_path):
    """A Parquet file as a plain input is unscreened, and its result says what to add."""
    (result,) = scan(engine, write(tmp_path / "images.parquet", contents), jobs=1)

    assert result.reason == "unsupported"
    assert "name the column of their bytes (--column NAME)" in result.detail
