"""Files of settings are read whole, and what is no such file is refused by name, soon."""

import os
from pathlib import Path

import pytest

from screener import EdgeFilter, Policy
from screener.errors import HotlineError, ListError, PolicyError
from screener.hotline.reports.sealed import read_public_key
from screener.hotline.toml_table import Table
from screener.lists.formats.mapping import ColumnMapping
from screener.lists.terms import Terms
from screener.system import files

READERS = [
    (Policy.load, PolicyError),
    (ColumnMapping.load, ListError),
    (Terms.load, ListError),
    (Table.load, HotlineError),
]


@pytest.mark.parametrize(("load", "error"), READERS)
@pytest.mark.parametrize(
    "content", [b"\0" * (1 << 23), b"a = " + b"[" * 100_000, b"a = \xff", b"a = ", None]
)
def test_what_is_no_such_file_is_refused_by_name(tmp_path, load, error, content):
    """One that goes on and on as a device does, nested, in another encoding, cut short, missing."""
    path = tmp_path / "settings.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(error, match=r"settings\.toml"):
        load(path)


@pytest.mark.parametrize("load", [*(load for load, _ in READERS), EdgeFilter.open, read_public_key])
def test_a_number_is_no_file(tmp_path, load):
    """Python would read what the program has open by that number, and close it."""
    with (tmp_path / "mine").open("w+") as mine:
        with pytest.raises(TypeError, match="not int"):
            load(mine.fileno())

        os.fstat(mine.fileno())


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_without_end_is_read_no_further_than_any_file_goes():
    """And not until there is no memory left."""
    with pytest.raises(ValueError, match="longer than"):
        files.read_toml("/dev/zero")


def test_a_file_as_editors_write_it_is_read(tmp_path):
    """With a byte order mark, and the line ends of Windows."""
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = '''\r\nx'''\r\n")

    assert files.read_toml(path) == {"a": 1, "b": "x"}
