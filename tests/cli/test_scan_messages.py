"""What a scan tells people: how to go on, on a terminal too, and in numbers that agree."""

import errno
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_process import CALL, screener
from paths import REPOSITORY

from screener import HashList
from screener.cli.app import cli
from screener.errors import counted

IMAGES = REPOSITORY / "fixtures" / "images"


@pytest.fixture
def known(tmp_path):
    """A list in a folder of its own."""
    HashList.create(tmp_path / "known.list").import_file(IMAGES.parent / "known.csv")
    return tmp_path / "known.list"


@pytest.fixture
def uploads(tmp_path):
    """More files than a scan has done when it is interrupted."""
    folder = tmp_path / "my uploads"
    folder.mkdir()
    for number in range(2000):
        shutil.copy(IMAGES / "alley.jpg", folder / f"{number:04}.jpg")
    return folder


def interrupted(*arguments, out, cwd, stdin=None):
    """What a scan says that is interrupted when it has written something."""
    with (
        out.open("ab") as stdout,
        subprocess.Popen(
            [*CALL, "scan", *map(str, arguments)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            # A shell that runs the tests in the background ignores it, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process,
    ):
        while not out.stat().st_size:
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.returncode == 130
    return told


def test_an_interrupted_scan_prints_the_command_that_continues_it(known, uploads, tmp_path):
    """The command as typed, with --resume for -o; it works in a shell."""
    out = tmp_path / "my results.jsonl"
    given = (uploads.name, "--list", known.name, "-o", out.name, "--jobs", 2, "--digests-only")
    out.touch()

    told = interrupted(*given, out=out, cwd=tmp_path)

    (command,) = re.findall("^to continue: .*?(scan .*)$", told, re.MULTILINE)
    words = shlex.split(command)
    assert words == [
        "scan", "--list", known.name, "--digests-only", "--jobs", "2", "--resume", out.name,
        uploads.name,
    ]  # fmt: skip
    before = out.read_text().splitlines()
    assert 0 < len(before) < 2000
    for number in range(len(before) + 2, 2000):  # so that the rest takes little time
        (uploads / f"{number:04}.jpg").unlink()
    done = screener(*words, cwd=tmp_path)
    assert f"{counted(len(before), 'existing result')} " in done.stderr
    assert " still valid" in done.stderr
    assert out.read_text().splitlines()[: len(before)] == before
    assert len(out.read_text().splitlines()) == len(before) + 2


def test_an_interrupted_scan_says_what_cannot_be_continued(known, uploads, tmp_path):
    """Results on standard output, and those of a list file."""
    out = tmp_path / "r.jsonl"
    out.touch()
    told = interrupted(uploads, "--list", known, out=out, cwd=tmp_path)
    assert "give the command --resume FILE instead of -o" in told

    csv = IMAGES.parent / "known.csv"
    out.write_bytes(b"")
    told = interrupted(uploads, "--list", csv, "-o", out, out=out, cwd=tmp_path)
    assert f"--resume cannot continue {out}: {csv} is a list file; import it first" in told
    assert "to continue:" not in told


def test_a_scan_that_fills_the_disk_prints_the_command_that_continues_it(
    known, tmp_path, monkeypatch, capsys
):
    """The lines that fitted are valid; -o with the same command would begin again."""
    out = tmp_path / "r.jsonl"

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))

    monkeypatch.setattr("screener.cli.summary.Tally.add", full)
    monkeypatch.setattr(sys, "argv", ["screener", "scan", str(IMAGES), "--list", str(known),
                                      "-o", str(out), "--jobs", "1"])  # fmt: skip
    with pytest.raises(OSError, match="No space left"):
        cli.main(standalone_mode=False)

    assert f" --resume {out} {IMAGES}\n" in capsys.readouterr().err


def test_progress_and_results_never_share_a_line_of_a_terminal(known, uploads):
    """A terminal that shows both has whole lines of JSON, and then the summary: no bar is drawn in
    between. One that shows people's messages alone has a bar.
    """
    for number in range(30, 2000):
        (uploads / f"{number:04}.jpg").unlink()
    call = [*CALL, "scan", str(uploads), "--list", str(known), "--jobs", "2"]

    shown = on_terminal(call, with_results=True)
    lines = shown.replace("\r\n", "\n").split("\n")
    told = [json.loads(line) for line in lines if '"schema"' in line]
    assert len(told) == 30
    assert "files/s" not in shown
    assert "30 screened: 0 match, 30 no_match" in shown

    alone = on_terminal(call, with_results=False)
    assert "files/s" in alone


def on_terminal(call, *, with_results):
    """What a terminal is sent by a command: its messages, and its results if asked for."""
    own, its = pty.openpty()
    out = its if with_results else subprocess.DEVNULL
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "4000"}
    with subprocess.Popen(call, stdin=its, stdout=out, stderr=its, env=environment) as process:
        os.close(its)
        shown, end = b"", time.monotonic() + 120
        while select.select([own], [], [], max(0, end - time.monotonic()))[0]:
            try:
                piece = os.read(own, 1 << 16)
            except OSError:  # Linux says so when nobody has the other side open any more
                break
            if not piece:
                break
            shown += piece
    os.close(own)
    assert process.returncode == 0, shown
    return shown.decode()


def test_the_help_of_scan_explains_unordered():
    """Next to the order of the lines."""
    told = " ".join(screener("scan", "--help").stdout.split())
    assert "so one slow file delays the lines after it. With --unordered, each line" in told
    assert "screener scan - --list known.list --unordered" in told
    assert "the archive's own line follows them" in told


def test_numbers_agree_with_their_nouns(known, tmp_path):
    """One row, one entry, one input, one result."""
    assert [counted(n, "row") for n in (0, 1, 2, 1234)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,234 rows",
    ]
    assert [counted(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]
    one = tmp_path / "one.csv"
    one.write_text("id,md5\na," + "ab" * 16 + "\n")
    told = screener("import", one, "--into", tmp_path / "one.list").stderr
    assert "1 row read, 1 added" in told
    one.write_text("id,md5\nb," + "cd" * 16 + "\n")
    call = ("import", one, "--into", tmp_path / "one.list", "--full", "--accept-shrink")
    told += screener(*call).stderr
    assert "1 entry withdrawn, as the full file omits them" in told
    cache, out = tmp_path / "c", tmp_path / "r.jsonl"
    scan = ("scan", IMAGES / "alley.jpg", "--list", known, "--cache", cache, "--resume", out)
    told += screener(*scan).stderr
    told += screener(*scan).stderr
    assert "1 existing result is still valid" in told
    rescanned = screener("rescan", "--cache", cache, "--list", known).stderr
    assert "1 input in the cache, which deletes them after 30 days" in rescanned
    wrong = re.compile(
        r"(?<![\d,.])1 (?:\w+ )?(?:rows|entries|inputs|results|records|values|lines)\b"
    )
    assert wrong.findall(told + rescanned) == []


def test_no_message_has_a_number_with_a_fixed_plural():
    """A count goes through `counted`, or any number fits the wording."""
    package = Path(sys.modules["screener"].__file__).parent
    nouns = "rows|entries|records|inputs|results|lines|values|matches|files|pictures|pairs"
    fixed = re.compile(rf"\{{(?!kind|entry\.state)[^{{}}]*\}} (?:{nouns})\b(?!/)")
    found = []
    for folder in ("cli", "reporting", "lists/importing", "lists/formats"):
        for path in (package / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for line in re.findall(r'f"[^"\n]*"', text):
                found += [(path.name, line) for _ in fixed.findall(line)]
    assert found == []
