"""The tutorial runs from first to last line in an empty folder, and prints what it shows."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from command_process import put_in_path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(?P<form>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def as_shown(text: str) -> str:
    """Return an output without what another version of a decoder changes, or a terminal's width."""
    lines = [line.rstrip() for line in re.sub(r"\d+ of \d+ bits", "N bits", text).splitlines()]
    return "\n".join(lines).strip()


def run(command: list[str] | str, folder: Path, code: int = 0) -> str:
    """Run a command, check its exit code, and return what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        shell=isinstance(command, str),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, (command, done.stdout)
    return done.stdout


def test_the_tutorial_runs_in_an_empty_folder(tmp_path, monkeypatch):
    """Each command ends with the exit code in its comment (0 without one), each output that the
    page shows is the printed one, and the files hold what the text says.
    """
    programs, folder = tmp_path / "bin", tmp_path / "empty"
    put_in_path(monkeypatch, programs)
    (programs / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (programs / "python").chmod(0o700)
    folder.mkdir()
    monkeypatch.setenv("COLUMNS", "200")
    printed, outputs = "", 0

    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        text, form = block["text"], block["form"]
        if title := re.search(r'title="(.+)"', form):
            (folder / title[1]).write_text(text)
        elif form == "python":
            printed = run([sys.executable, "-c", text], folder)
        elif form == "text":
            assert as_shown(printed) == as_shown(text)
            outputs += 1
        else:
            assert form == ""
            for line in text.splitlines():
                code = re.search(r"# exit code (\d)", line)
                printed = run(line, folder, int(code[1]) if code else 0)

    assert outputs == 3
    results = (folder / "results.jsonl").read_text()
    assert re.search('"input":"uploads/cropped.jpg".*"verdict":"match".*uncrop all sides', results)
    assert '"input":"uploads/second.jpg"' in (folder / "matches.jsonl").read_text()
    assert "uploads/broken.jpg" in (folder / "report.html").read_text(encoding="utf-8")
