"""Compressed files unpack as with Python's own readers, and end where they end."""

import bz2
import gzip
import io
import lzma
import random

import pytest

from screener.media.archives.compressed import PACKED

PACKERS = {
    "application/gzip": (gzip.compress, gzip.open),
    "application/x-bzip2": (bz2.compress, bz2.open),
    "application/x-xz": (lzma.compress, lzma.open),
}
BLOCK = random.Random(1).randbytes(5000)
TEXT = BLOCK * 60  # 300 kB, which pack well


def unpacked(kind, data):
    """Return a stream of the unpacked bytes."""
    return PACKED[kind](io.BytesIO(data))


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize(
    "parts", [[TEXT], [b""], [TEXT[:1000], b"", TEXT], [TEXT[:n] for n in range(9)]]
)
@pytest.mark.parametrize("zeros", [0, 4, 70_000])
def test_runs_one_after_another_are_read_as_one(kind, parts, zeros):
    """Any number of runs, with zeros behind them, as tapes and disks pad them."""
    pack, reader = PACKERS[kind]
    data = b"".join(map(pack, parts))
    with reader(io.BytesIO(data)) as expected, unpacked(kind, data + bytes(zeros)) as found:
        assert found.read() == expected.read() == b"".join(parts)
        assert found.read() == b""


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("behind", [b"\xff\xd8\xff\xe0 a picture", b"\0\0\0\0x", b"B", b"BZh9x"])
def test_bytes_behind_the_end_are_reported(kind, behind):
    """Python's own readers of bzip2 and xz ignore them."""
    stream = unpacked(kind, PACKERS[kind][0](TEXT) + behind)
    assert stream.read(len(TEXT)) == TEXT
    with pytest.raises((OSError, EOFError, lzma.LZMAError)):
        stream.read()


@pytest.mark.parametrize("kind", PACKERS)
def test_cut_short_it_is_reported_wherever_it_is_cut(kind):
    """A cut stream raises EOFError."""
    data = PACKERS[kind][0](TEXT)
    for length in range(20, len(data), 97):
        with pytest.raises(EOFError):
            unpacked(kind, data[:length]).read()


@pytest.mark.parametrize("kind", PACKERS)
def test_any_way_through_it_reads_what_is_there(kind):
    """Seeking goes forwards, backwards and beyond the end."""
    rng = random.Random(2)
    plain = io.BytesIO(TEXT)
    stream = unpacked(kind, PACKERS[kind][0](TEXT[:7000]) + PACKERS[kind][0](TEXT[7000:]))
    for _ in range(60):
        place, size = rng.randrange(len(TEXT) + 100), rng.choice([0, 1, 513, 20_000])
        if rng.random() < 0.3:
            step = rng.randrange(30_000)
            assert stream.seek(step, io.SEEK_CUR) == min(plain.seek(step, io.SEEK_CUR), len(TEXT))
            plain.seek(stream.tell())
        else:
            assert stream.seek(place) == min(place, len(TEXT))
            plain.seek(min(place, len(TEXT)))
        assert stream.read(size) == plain.read(size)
        assert stream.tell() == plain.tell()


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_unpacked_as_far_as_it_is_asked_for(kind):
    """64 MiB of zeros take little more memory than the 8 MiB window of xz."""
    import tracemalloc

    data = PACKERS[kind][0](bytes(64 << 20))
    tracemalloc.start()
    assert unpacked(kind, data).read(1000) == bytes(1000)
    assert tracemalloc.get_traced_memory()[1] < 12 << 20
    tracemalloc.stop()
