"""Long commands show on a terminal how far they have come, and nothing anywhere else."""

import os
import pty
import re
import subprocess
import threading

import pytest
from command_process import CALL, screener
from list_values import putting, value

from screener import HashList
from screener.cli.bench import measure
from screener.reporting.calibration.calibrate import calibrate


class Enough(Exception):
    """What a program raises that gives up."""


WORDS = {
    "import": "importing more.csv",
    "info": "counting known",
    "verify": "verifying known",
    "compact": "compacting known",
    "calibrate": "calibrating",
    "bench": "measuring known",
}


@pytest.fixture(scope="module")
def benign(scene, tmp_path_factory):
    """A folder of two pictures."""
    folder = tmp_path_factory.mktemp("benign")
    for seed in range(2):
        scene(seed).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def known(tmp_path):
    """A list in two files of each of two kinds, so that they can be merged."""
    made = HashList.create(tmp_path / "known.list")
    put = putting(made, tmp_path)
    for first, count in ((0, 5_000), (5_000, 50)):  # files of unlike sizes, which stay apart
        rows = (f"e{n},{value(n)},{value(n, 32)}" for n in range(first, first + count))
        put("\n".join(["id,md5,pdq", *rows]))
    (tmp_path / "more.csv").write_text(f"id,md5\nmore,{value('more')}\n")
    return made.refresh()


def call_of(command, known, benign):
    """The words of a command about the list."""
    return {
        "import": ["import", str(known.path.parent / "more.csv"), "--into", str(known.path)],
        "calibrate": ["calibrate", str(known.path), "--benign", str(benign), "--jobs", "1"],
        "bench": ["bench", str(known.path), "--seconds", "0.2"],
    }.get(command, [command, str(known.path)])


def on_a_terminal(arguments):
    """What a command writes to standard error where that is a terminal; and its exit code."""
    ours, its = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*CALL, *arguments], stdout=subprocess.PIPE, stderr=its, env=environment
    )
    os.close(its)
    pieces = []

    def read():
        try:
            while piece := os.read(ours, 1 << 16):
                pieces.append(piece)
        except OSError:  # nobody has the terminal open any more
            os.close(ours)

    reading = threading.Thread(target=read)
    reading.start()
    out, _ = process.communicate(timeout=300)
    reading.join(60)
    return out.decode(), b"".join(pieces).decode(), process.returncode


@pytest.mark.parametrize("command", WORDS)
def test_a_bar_is_shown_on_a_terminal_and_is_gone_at_the_end(known, benign, command):
    """It says what is done; standard output is what it is anywhere."""
    out, shown, code = on_a_terminal(call_of(command, known, benign))
    assert code == 0, shown
    assert WORDS[command] in shown
    assert "━" in shown
    assert re.search(r"\d+%", shown)
    assert shown.rindex("\x1b[2K") > shown.rindex(WORDS[command])  # the line was cleared
    assert WORDS[command] not in out


@pytest.mark.parametrize("command", WORDS)
def test_nothing_is_shown_where_standard_error_is_no_terminal(known, benign, command, monkeypatch):
    """Not even where the environment says that colours are wanted."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = screener(*call_of(command, known, benign))
    assert done.returncode == 0, done.stderr
    assert WORDS[command] not in done.stderr
    assert "\r" not in done.stderr
    assert "━" not in done.stderr


def calls(known, benign, progress):
    """Every function that tells how far it has come."""
    return {
        "import": lambda: known.import_file(known.path.parent / "more.csv", progress=progress),
        "info": lambda: known.info(progress=progress),
        "verify": lambda: known.verify(progress=progress),
        "compact": lambda: known.compact(progress=progress),
        "calibrate": lambda: calibrate(known, benign, edits=True, progress=progress),
        "bench": lambda: measure(known, seconds=0.1, progress=progress),
    }


@pytest.mark.parametrize("name", WORDS)
def test_progress_rises_to_its_total(known, benign, name):
    """It begins with nothing done, never falls, and ends with all of it, in the caller's thread."""
    told, threads = [], set()

    def progress(done, total):
        told.append((done, total))
        threads.add(threading.current_thread())

    calls(known, benign, progress)[name]()
    dones, totals = zip(*told, strict=True)
    assert dones[0] == 0
    assert list(dones) == sorted(dones)
    assert len(set(dones)) > 1
    assert set(totals) == {dones[-1]}
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("name", WORDS)
def test_what_progress_raises_ends_the_call(known, benign, name):
    """So that a program can give up; the list is as it was."""

    def progress(done, total):
        if done:
            raise Enough

    with pytest.raises(Enough):
        calls(known, benign, progress)[name]()
    assert known.refresh() is known


def test_an_import_from_a_pipe_has_no_total(known, tmp_path):
    """Nobody knows how much is to come."""
    os.mkfifo(tmp_path / "pipe")
    text = f"id,md5\nx,{value('x')}\n"
    writing = threading.Thread(target=(tmp_path / "pipe").write_text, args=(text,))
    writing.start()
    told = []
    known.import_file(
        tmp_path / "pipe", source="demo", progress=lambda done, total: told.append((done, total))
    )
    writing.join()
    assert told[0] == (0, None)
    assert told[-1] == (len(text), None)
