"""What a hostile or damaged file can do to an import: nothing, in bounded memory.

The big ones run in a child process whose address space is limited, and are made as they are read.
"""

import json

import pytest
from limited_process import in_child

from screener import HashList
from screener.errors import ListError

MD5 = "00112233445566778899aabbccddeeff"
PDQ = "0123456789abcdef" * 4
JSON_FORMATS = ["vics", "threatexchange", "stopncii", "tat", "hma", "vpdq"]
# The ways in which their one reader goes through a text: the elements of an array under a key,
# those of the root, and the members of the root.
JSON_TEXTS = ["vics", "hma", "vpdq"]
KEYS = {
    "vics": "value",
    "threatexchange": "data",
    "stopncii": "hashRecords",
    "tat": "results",
}


@pytest.mark.slow
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_csv_field_of_a_gibibyte_is_one_bad_row(quote):
    """In bounded memory, with and without quotes; the rows round it are read."""
    call = (
        f"run(b'id,md5\\nx,{MD5}\\ny,{quote}', b'0' * (1 << 20), 1024,"
        f" b'{quote}\\nz,{MD5}\\n', 'csv')"
    )
    said, rows, bad, peak = in_child(call)

    assert (said, rows, bad) == ("", 3, 1)
    assert peak < 150


@pytest.mark.slow
@pytest.mark.parametrize("format", JSON_TEXTS)
@pytest.mark.parametrize("middle", ["b'a' * (1 << 20)", "b'[' * (1 << 20)", "b'1' * (1 << 20)"])
def test_json_that_does_not_end_is_refused_in_bounded_memory(format, middle):
    """A text, a nesting and a number of 100 MiB, in the first record and before it."""
    key = KEYS.get(format)
    quote = '"' if "'a'" in middle else ""
    for start in (f'{{"{key}": [{{"x": ' if key else '{"x": ', '{"x": '):
        call = f"run(b'{start}{quote}', {middle}, 100, b'', {format!r}, 'vics-uk')"
        said, rows, _, peak = in_child(call)
        assert "refused" in said or rows == 1
        assert peak < 150


@pytest.mark.slow
@pytest.mark.parametrize("start", ['<a b="', "<!-- ", "<q>", "<image><id>", "<![CDATA["])
def test_xml_that_does_not_end_is_refused_in_bounded_memory(start):
    """A tag, a comment and a text of 100 MiB."""
    root = '<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">'
    call = f"run(b'''{root}{start}''', b'x' * (1 << 20), 100, b'', 'ncmec')"
    said, _, _, peak = in_child(call)

    assert "refused" in said
    assert peak < 150


@pytest.mark.slow
def test_a_vics_on_one_line_is_read_in_bounded_memory():
    """Forty megabytes of media without a line end."""
    medium = json.dumps({"MediaID": 1, "Category": 1, "MD5": MD5, "Series": "x" * 300})
    call = (
        'run(b\'{"odata.metadata": "http://x/DataModels/1.3.xml#Media", "value": [\''
        f" + b'{medium}', b',{medium}' * 1000, 100, b']}}', 'vics', 'vics-us-legacy')"
    )
    said, rows, bad, peak = in_child(call)

    assert (said, rows, bad) == ("", 100_001, 0)
    assert peak < 150


@pytest.mark.parametrize("format", JSON_FORMATS)
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"value":[', '[{"a":'])
def test_json_nested_deeply_is_refused(tmp_path, format, opening):
    """A hundred thousand levels, in every reader."""
    deep = opening * 100_000
    inside = f'{{"{KEYS.get(format, "x")}": [{{"MD5": {deep}'
    for data in (deep, inside):
        refuse(tmp_path, data.encode(), format=format)


DAMAGE = {
    "invalid UTF-8": b"\xff\xfe\xfd",
    "a NUL": b"\0",
    "an escaped NUL": b"\\u0000",
    "half a surrogate pair": b"\\ud800",
    "a number of five thousand digits": b'", "n": ' + b"1" * 5000 + b', "m": "',
    "not a number": b'", "n": NaN, "m": "',
    "a key twice": b'", "a": 1, "a": 2, "m": "',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_in_a_json_record_is_confined_to_it(tmp_path, damage):
    """Set aside or read, never torn; the record after it is read."""
    data = b'{"results": [{"id": 1, "hash_digest": "%s", "algorithm": "MD5", "x": "%s"}, %s]}' % (
        MD5.encode(),
        damage,
        json.dumps({"id": 2, "hash_digest": PDQ, "algorithm": "PDQ"}).encode(),
    )
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "list.json"
    file.write_bytes(data)
    if damage == b"\0":
        refuse(tmp_path, data)
        return

    report = known.import_file(file)

    assert report.rows == 2
    assert known.refresh().kinds["pdq"] == 1
    assert MD5 not in repr(report)
    assert PDQ not in repr(report)


def test_json_a_field_given_twice_is_set_aside(tmp_path):
    """Which of the two is meant is not guessed."""
    file = tmp_path / "list.json"
    file.write_text(
        f'{{"results": [{{"id": 1, "hash_digest": "{MD5}", "hash_digest": "{"ab" * 16}",'
        f' "algorithm": "MD5"}}, {{"id": 2, "hash_digest": "{MD5}", "algorithm": "MD5"}}]}}'
    )

    report = HashList.create(tmp_path / "known.list").import_file(file)

    assert (report.added, report.quarantined) == (1, {"a field given twice": 1})


def refuse(tmp_path, data, **settings):
    """A file is refused, with a message that holds no value, and changes nothing."""
    file = tmp_path / "hostile"
    file.write_bytes(data)
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}.list"
    known = HashList.create(folder)
    if settings.get("format") == "vics":
        settings["scheme"] = "vics-uk"
    with pytest.raises(ListError) as caught:
        known.import_file(file, **settings)
    assert known.refresh().generation == 0
    assert MD5 not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert sorted(path.name for path in (folder / "segments").iterdir()) == []


@pytest.mark.parametrize("cut", [10, 60, 100, -1, -3])
def test_truncated_json_is_refused(tmp_path, cut):
    """Cut inside the frame, a record, a value; nothing is imported."""
    record = {"id": 1, "hash_digest": MD5, "algorithm": "MD5"}
    data = json.dumps({"count": 2, "results": [record, {**record, "id": 2}]}).encode()

    refuse(tmp_path, data[:cut], format="tat")


def test_json_with_something_after_its_end_is_refused(tmp_path):
    """What is no JSON there means that it is damaged."""
    data = json.dumps({"results": [{"id": 1, "hash_digest": MD5, "algorithm": "MD5"}]}) + "xyz"

    refuse(tmp_path, data.encode(), format="tat")
