"""A file that is opened once: its type, all of its bytes, and no descriptor left open."""

import os
import tracemalloc

import pytest

from screener.errors import MediaError
from screener.media.files.open_file import HEAD_SIZE, OpenFile
from screener.media.files.sniff import sniff


def descriptors():
    """Return how many descriptors this process has."""
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("size", [0, 1, HEAD_SIZE, HEAD_SIZE + 1, 1 << 18, (1 << 18) + 1, 700_000])
def test_a_file_is_read_from_its_start_to_its_end(tmp_path, size):
    """As bytes or as a stream, whatever was read of it before."""
    content = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(content)
    before = descriptors()

    with OpenFile(path) as file:
        assert (file.mime, file.size) == (sniff(content[:HEAD_SIZE]), size)
        assert (os.fspath(file), str(file), file.raw) == (str(path), str(path), os.fsencode(path))
        assert file.mtime_ns == path.stat().st_mtime_ns
        assert file.read_all() == content
    with OpenFile(path) as file:
        assert file.load() == content
        path.write_bytes(b"another")
        assert file.read_all() == content
        path.write_bytes(content)
    with OpenFile(path) as file:
        stream = file.stream()
    with stream:
        assert stream.read() == content
    OpenFile(path).close()

    assert descriptors() == before


def test_a_large_file_is_held_once(tmp_path):
    """Its first bytes are not copied in front of the rest."""
    path = tmp_path / "file"
    path.write_bytes(bytes(20 << 20))
    tracemalloc.start()
    try:
        with OpenFile(path) as file:
            size = len(file.read_all())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (size, peak < 1.2 * size) == (20 << 20, True)


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_file_that_grows_or_shrinks_meanwhile_is_what_it_is_when_read(tmp_path, size):
    """Nothing hangs, and no bytes are made up."""
    path = tmp_path / "file"
    path.write_bytes(b"a" * size)
    with OpenFile(path) as file:
        with path.open("ab") as stream:
            stream.write(b"b" * 100_000)
        assert file.read_all() == b"a" * size + b"b" * 100_000
    with OpenFile(path) as file:
        os.truncate(path, 5)
        assert file.read_all()[:5] == b"a" * 5


@pytest.mark.parametrize("path", ["/no/such/file", "/dev/zero", "/", "", "a\0b", "x" * 5000])
def test_what_is_no_regular_file_is_not_opened(path):
    """Missing, a device, a folder, an impossible name: `unreadable`."""
    before = descriptors()
    with pytest.raises(MediaError, match="unreadable"):
        OpenFile(path)
    assert descriptors() == before


def test_an_interrupt_closes_no_descriptor_twice(tmp_path, monkeypatch):
    """After a time limit by signal, the descriptor's number may be another file's."""
    (tmp_path / "photo").write_bytes(b"pixels")
    opened, handed_over = os.fdopen, []

    def interrupted(descriptor, mode):
        handed_over.append(opened(descriptor, mode))
        raise KeyboardInterrupt

    file = OpenFile(tmp_path / "photo")
    monkeypatch.setattr(os, "fdopen", interrupted)

    with pytest.raises(KeyboardInterrupt), file:
        file.stream()

    with handed_over[0] as stream:
        assert stream.read() == b"pixels"
