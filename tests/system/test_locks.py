"""Locks of output files: held by one process, and not by those forked from it."""

import contextlib
import errno
import os

import pytest

from screener import HashList, Screener, audit, output
from screener.errors import OutputError
from screener.hotline.notices import delivery
from screener.reporting.audit import audit_file
from screener.reporting.calibration import calibration_page
from screener.reporting.calibration.calibration_page import claim_page
from screener.system import locks, output_file
from screener.system.locks import lock_file

fcntl = pytest.importorskip("fcntl")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def results(path):
    """A file of results."""
    return output.open_jsonl(path)


def resumed(path):
    """Results that are gone on with."""
    return output.resume_jsonl(path, Screener(HashList.create(path.with_name("known.list"))))


@contextlib.contextmanager
def written_page(path):
    """A page that is written."""
    with claim_page(path) as put:
        yield
        put("x")


def log(path):
    """A log of decisions."""
    return audit.open_log(path, Screener(HashList.create(path.with_name("known.list"))))


@contextlib.contextmanager
def folder(path):
    """A partner's folder, while a notice is written."""
    path.mkdir()
    with delivery._lock(path):
        yield


HOLDERS = (results, resumed, claim_page, written_page, log, folder, lock_file)


def is_locked(path):
    """Whether somebody writes to what is at a path."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@pytest.mark.parametrize("hold", HOLDERS)
def test_a_process_forked_while_a_file_is_written_keeps_nobody_out_afterwards(tmp_path, hold):
    """It knows nothing of the file, has its descriptor all the same, and lives on."""
    path = tmp_path / "held"
    reading, writing = os.pipe()
    with hold(path):
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        assert is_locked(path)
    try:
        assert not path.exists() or not is_locked(path)
    finally:
        os.close(reading)
        os.close(writing)
        os.waitpid(child, 0)


@pytest.mark.parametrize("hold", HOLDERS)
def test_a_process_forked_while_a_file_is_written_does_not_end_its_turn(tmp_path, hold):
    """The forked process leaves the body as well, by an exception, while its parent is still at
    work.
    """
    path, child = tmp_path / "held", None
    try:
        with hold(path):
            child = os.fork()
            if child == 0:
                raise InterruptedError
            os.waitpid(child, 0)
            assert is_locked(path)
    finally:
        if child == 0:
            os._exit(0)


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize("step", ["claim", "Lock"])
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_an_interrupt_when_a_file_was_just_taken_keeps_nobody_out(
    tmp_path, monkeypatch, hold, step
):
    """A program that goes on after it could not write there any more until its end."""
    path = tmp_path / "held"

    def interrupted(taking):
        def taken(*given, **how):
            held.append(taking(*given, **how))
            raise KeyboardInterrupt

        return taken

    held = []
    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        for module in (output, audit_file, calibration_page, output_file, delivery, locks):
            if hasattr(module, step):
                patched.setattr(module, step, interrupted(getattr(module, step)))
        with hold(path):
            pass
    held.clear()

    assert not path.exists() or not is_locked(path)


def test_where_a_disk_has_no_locks_it_is_told_of_which_file(tmp_path, monkeypatch):
    """As on some network shares: results and logs are refused before anything of them goes, and so
    is whatever one program at a time may do.
    """

    def none_left(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none_left)
    (tmp_path / "r").write_bytes(b'{"schema":1,')

    with pytest.raises(OutputError, match=r"r cannot be locked.*a disk that supports locks"):
        output.open_jsonl(tmp_path / "r")
    with pytest.raises(OSError, match="locks available") as named, lock_file(tmp_path / "lock"):
        pass

    assert (tmp_path / "r").read_bytes() == b'{"schema":1,'
    assert named.value.filename == str(tmp_path / "lock")
