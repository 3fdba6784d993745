"""The names of inputs: files, file objects, bytes and arrays."""

import io
import os
from pathlib import Path

import numpy as np

from screener.media.name import Name, name_of, name_of_label


def test_names_say_what_the_file_is(tmp_path):
    """Text, size and time for a file; raw bytes only if the name is not UTF-8."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"12")
    os.utime(file, ns=(1, 2_000_000_000))
    odd = os.fsencode(tmp_path) + b"/\xe9"

    assert name_of(file) == Name(str(file), None, 2, 2_000_000_000)
    assert name_of(os.fsdecode(odd)).raw == odd
    assert name_of(os.fsdecode(odd)).text.endswith("/\N{REPLACEMENT CHARACTER}")
    assert name_of(b"abc") == Name(size=3)
    assert name_of("missing") == Name("missing")
    assert name_of(np.zeros((2, 2), np.uint8)) == Name()


def test_every_name_is_reported_in_utf_8():
    """Names of file objects too, as text or bytes, even if no file can have them."""
    odd = io.BytesIO()
    for name, raw in (("\udce9.jpg", b"\xe9.jpg"), (b"\xe9.jpg", b"\xe9.jpg"), ("a", None)):
        odd.name = name
        assert name_of(odd).raw == raw
        assert name_of(odd).text.encode() == (b"\xef\xbf\xbd.jpg" if raw else b"a")
    assert name_of_label(Path("a")) == Name("a")
    odd.name = 3  # what an object made of a descriptor is name_of_label
    assert name_of(odd) == Name()
    assert name_of("\ud800").text.encode().startswith(b"\xef\xbf\xbd")
