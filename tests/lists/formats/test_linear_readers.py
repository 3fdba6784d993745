"""Readers of list files take time in proportion to the length of a field, whatever stands in it."""

import io
import re
import time

import pytest
from fuzz_readers import SEEDS
from list_values import ANY_COLUMNS

from screener.errors import ListError
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import FORMATS, open_reader, sniff

# Lengths of a field that are compared, in an order in which a quadratic reader fails soon.
FEW = ((1 << 9, 1 << 14), (1 << 14, 1 << 18))
LENGTHS = ((1 << 9, 1 << 14), (1 << 14, 1 << 20), (1 << 14, 1 << 22))
# The longer one may take so many times its due. A quadratic reader takes 16 to 256 times that, each
# time that it is run; a busy machine can stretch a single run as much, but hardly five in a row.
MOST_TIMES = 10
RUNS = 5
FIELD = re.compile(rb'[^\s,;:"{}\[\]<>=()]+|(?<=[",;])(?=[",;])')
# What readers strip, split at, unescape, or look for in a text.
FILLINGS = (b"a", b"\n", b"7", b" ", b'"', b",", b")=", b"A/+", b"&amp;", b"\\n")


def seconds(name, data):
    """Return the processor time, of which neighbours take none, that reading a file takes: as a
    format and, unless it is long, as what it seems to be, which its head alone decides.
    """
    begin = time.process_time()
    for format in (name, None) if len(data) < 1 << 15 else (name,):
        try:
            content = Content(io.BytesIO(data), "a.file")
            options = Options("source", "vics-uk", **ANY_COLUMNS)
            for _ in open_reader(content, options, format=format or sniff(content, options)):
                pass
        except ListError:
            pass
    return time.process_time() - begin


def files(seed, filling):
    """Yield, for each different field of a seed, what makes a file in which it is longer."""
    fields = {found.group(): found.start() for found in FIELD.finditer(seed)}
    for at in fields.values():
        yield lambda length, at=at: seed[:at] + filling * (length // len(filling)) + seed[at:]


def check(name, made, lengths):
    """Check that, in one of several runs, the time is proportional to the length of the file."""
    for short, long in lengths:
        for _ in range(RUNS):
            due = sum(seconds(name, made(short)) for _ in range(8)) / 8 * long / short
            took = seconds(name, made(long))
            if took < MOST_TIMES * due:
                break
        else:
            pytest.fail(f"{name}: {long:,} bytes took {took:.2f} s of {due:.2f}: {made(0)[:100]!r}")


@pytest.mark.parametrize("filling", FILLINGS)
@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_is_linear_in_the_length_of_each_field(name, filling):
    """A list of one megabyte could keep an import busy for hours. Readers of lines refuse longer
    ones, so that of these just a field of letters has 4 MiB.
    """
    for made in files(SEEDS[name].encode("latin-1" if name == "nsrl" else "utf-8"), filling):
        check(name, made, LENGTHS if filling == b"a" or name == "ncmec" else FEW)


def test_a_damaged_checksum_line_is_read_in_linear_time():
    """The digest could begin anywhere in its name."""
    check("bsd-sums", lambda length: b"MD5 (" + b")=" * (length // 2) + b" x y\n", LENGTHS)
