"""Every kind of hostile text, to every reader that may meet it: a bad row, or a refusal, with the
file and the place. What may grow is read in a process with little memory and time.
"""

import io

import pytest
from exchange_samples import ICSE, MD5, PDQ
from limited_process import in_child
from list_values import ANY_COLUMNS

from screener.errors import ListError
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import open_reader
from screener.lists.store.records import BadRow

SPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
ROOT = f'<queryResult xmlns="{SPACE}"><images>'
MEMBER = '<member id="1"/><id>x</id>'
IMAGE = f"<image>{MEMBER}<fingerprints><md5>{MD5}</md5></fingerprints></image>"
LIMITS = {"megabytes": 300, "seconds": 20}

# What a good record of a format is, and what stands before it; the damage comes behind.
GOOD = {
    "vics": ('{"value": [', f'{{"MD5": "{MD5}", "Category": 1}}'),
    "threatexchange": (
        '{"data": [',
        f'{{"id": "1", "indicator": "{MD5}", "type": "HASH_MD5", "should_delete": true}}',
    ),
    "stopncii": (
        '{"hashRecords": [',
        f'{{"signalType": "ImagePDQ", "hashValue": "{PDQ}", "hashStatus": "Active"}}',
    ),
    "tat": ('{"results": [', f'{{"id": 1, "hash_digest": "{MD5}", "algorithm": "MD5"}}'),
    "hma": ("[", f'{{"id": 1, "bank": {{"name": "B"}}, "signals": {{"pdq": "{PDQ}"}}}}'),
}
# The text of a file is read by one reader for all of these: of an array under a key, and of one
# that is the whole.
TEXTS = ("vics", "hma")
LINES = {
    "csv": (b"id,md5\n", f"x,{MD5}\n".encode()),
    "tx": (b"", f"md5 {MD5}\n".encode()),
    "tx-csv": (
        b"signal_type,signal_str,collab,category,tags\n",
        f"video_md5,{MD5},c,POSITIVE_CLASS,\n".encode(),
    ),
    "icse": (ICSE.splitlines(keepends=True)[0].encode(), f"{MD5};;;7;;;;;;;;\n".encode()),
    "pdq-lines": (b"", f"{PDQ},90,a.jpg\n".encode()),
    "md5sum": (b"", f"{MD5}  a\n".encode()),
    "bsd-sums": (b"", f"MD5 (a) = {MD5}\n".encode()),
    "hashdeep": (b"%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n", f"1,{MD5},a\n".encode()),
}


def told(data, format, *, times=1, middle="b''", end=b""):
    """What a reader says of `data`, the expression `middle` so many times, and `end`; how many
    rows it yields, and how many of them are bad.
    """
    scheme = "'vics-uk'"
    call = f"run({data!r}, {middle}, {times}, {end!r}, {format!r}, {scheme})"
    said, rows, bad, peak = in_child(call, **LIMITS)
    assert MD5 not in said
    assert PDQ not in said
    assert peak < 150
    return said, rows, bad


def told_here(data, format):
    """Return what `told` does for small input, without a process of its own."""
    content, said, found = Content(io.BytesIO(data), "big"), "", []
    try:
        for row in open_reader(content, Options("s", "vics-uk", **ANY_COLUMNS), format=format):
            found.append(row)
    except ListError as error:
        said = str(error)
    assert MD5 not in said
    assert PDQ not in said
    return said, len(found), sum(isinstance(row, BadRow) for row in found)


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ('<!DOCTYPE q [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>', 2),
        ('<!DOCTYPE q SYSTEM "file:///etc/passwd">', 2),
        ('<!DOCTYPE q [<!ENTITY % p SYSTEM "http://x.invalid/p"> %p;]>', 2),
        ('<!DOCTYPE q [<!ATTLIST q a CDATA "x">]>', 2),
    ],
)
def test_xml_that_declares_anything_is_refused_with_its_line(declared, line):
    """A document type or entities, own, of a file or the network; nothing is fetched."""
    data = f'<?xml version="1.0"?>\n{declared}\n{ROOT}{IMAGE}</images></queryResult>'
    said, rows, _ = told(data.encode(), "ncmec")

    assert f"big, line {line}" in said
    assert rows == 0


def test_xml_with_an_entity_that_nobody_declared_is_refused_with_its_line():
    """Also after valid rows."""
    said, rows, _ = told(f"{ROOT}\n{IMAGE}\n<image>&a;".encode(), "ncmec")

    assert "line 3" in said
    assert rows <= 1


def test_xml_of_a_hundred_thousand_levels_is_refused_with_its_line():
    """Within an entry."""
    data = f"{ROOT}\n{IMAGE}\n<image>".encode()
    said, rows, _ = told(data, "ncmec", middle="b'<a>' * 1000", times=100)

    assert "line 3: its elements are nested too deeply" in said
    assert rows <= 1


@pytest.mark.parametrize("damage", [b"\xff\xfe\xfd", b"\0"], ids=["invalid UTF-8", "NUL"])
def test_xml_with_undecodable_bytes_is_refused_with_its_line(damage):
    """XML has no rows to quarantine: the document is damaged."""
    said, rows, _ = told(f"{ROOT}\n{IMAGE}\n<image><id>".encode() + damage, "ncmec")

    assert "line 3" in said
    assert rows <= 1


@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
def test_json_of_a_hundred_thousand_levels_is_refused_with_its_place(format, opening):
    """Also after a valid record, which is read."""
    start, good = GOOD[format]
    data = f'{start}{good}, {{"x": '.encode()
    said, rows, _ = told(data, format, middle=f"{opening!r} * 1000", times=100)

    assert f"nested too deeply, in the value at character {len(data) - 5}" in said
    assert rows == 1


@pytest.mark.parametrize("format", GOOD)
def test_json_cut_short_is_refused_with_its_place(format):
    """The place is the end of the text."""
    start, good = GOOD[format]
    data = f"{start}{good},".encode()
    said, rows, _ = told_here(data, format)

    assert f"ends too early, after character {len(data)}" in said
    assert rows == 1


@pytest.mark.parametrize("format", GOOD)
def test_json_with_invalid_utf8_is_one_bad_record(format):
    """The records around it are read."""
    start, good = GOOD[format]
    end = b"]" if start == "[" else b"]}"
    data = f"{start}{good},".encode() + b'{"x": "\xff\xfe"}, ' + good.encode() + end
    said, rows, bad = told_here(data, format)

    assert (said, rows, bad) == ("", 3, 1)


@pytest.mark.parametrize("format", GOOD)
def test_json_with_a_nul_is_refused_with_its_place(format):
    """On the first line it is a binary file; later it is damage."""
    start, good = GOOD[format]
    for data, place in (
        (f"{start}{good},\0".encode(), f"NUL at byte {len(start) + len(good) + 2}"),
        (f"{start}\n{good},\0]".encode(), f"character {len(start) + len(good) + 3}"),
    ):
        said, _, _ = told_here(data, format)
        assert place in said


@pytest.mark.parametrize("format", GOOD)
def test_json_with_a_mark_is_read(format):
    """In each encoding that has one."""
    start, good = GOOD[format]
    end = "]" if start == "[" else "]}"
    for encoding in ("utf-8-sig", "utf-16"):
        assert told_here(f"{start}{good}{end}".encode(encoding), format) == ("", 1, 0)


@pytest.mark.parametrize("format", LINES)
@pytest.mark.parametrize("damage", [b"\xff\xfe\xfd", b"\0"], ids=["invalid UTF-8", "NUL"])
def test_a_damaged_line_is_one_bad_row(format, damage):
    """The lines around it are read."""
    head, good = LINES[format]
    said, rows, bad = told_here(head + good + damage + good + good, format)

    assert (said, rows, bad) == ("", 3, 1)


@pytest.mark.parametrize("format", LINES)
def test_a_line_of_a_hundred_megabytes_is_one_bad_row(format):
    """It is never in memory as a whole."""
    head, good = LINES[format]
    end = b"\n" + good
    said, rows, bad = told(head + good, format, middle="b'0' * (1 << 20)", times=100, end=end)

    assert (said, rows, bad) == ("", 3, 1)


@pytest.mark.parametrize("format", LINES)
def test_a_mark_is_no_part_of_the_first_line(format):
    """In each encoding that has one."""
    head, good = LINES[format]
    for encoding in ("utf-8-sig", "utf-16"):
        assert told_here((head + good).decode().encode(encoding), format) == ("", 1, 0)
