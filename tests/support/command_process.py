"""The command line as a process of its own, and a list made by it."""

import atexit
import functools
import hashlib
import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from screener import HashList

CALL = (sys.executable, "-c", "from screener.cli.app import main; main()")


def screener(*arguments, input=None, cwd=None):
    """Run the command, and return the finished process with its output as text.

    The process is forked from one that has loaded the command, since loading takes long.
    """
    words = [*map(str, arguments)]
    with ExitStack() as stack:
        call, stdin, out, err = (
            stack.enter_context(TemporaryFile("w+", encoding="utf-8", errors="replace"))
            for _ in range(4)
        )
        json.dump([words, os.fspath(cwd or os.getcwd()), dict(os.environ)], call)
        stdin.write(input or "")
        for stream in (call, stdin):
            stream.seek(0)
        with socket.socket(socket.AF_UNIX) as calls:
            calls.settimeout(120)
            calls.connect(_calls())
            socket.send_fds(calls, [b"!"], [stream.fileno() for stream in (call, stdin, out, err)])
            code = int(calls.recv(16))
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess([*CALL, *words], code, out.read(), err.read())


def put_in_path(monkeypatch, folder):
    """Put a program `screener` into a new folder and the folder into PATH.

    The program forks a process like `screener` does, with its own streams.
    """
    folder.mkdir()
    program = folder / "screener"
    program.write_text(_PROGRAM.format(python=sys.executable, calls=_calls()))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


_PROGRAM = """#!{python} -IS
import json, os, socket, sys, tempfile
with socket.socket(socket.AF_UNIX) as calls, tempfile.TemporaryFile("w+") as call:
    json.dump([sys.argv[1:], os.getcwd(), dict(os.environ)], call)
    call.seek(0)
    calls.connect("{calls}")
    socket.send_fds(calls, [b"!"], [call.fileno(), 0, 1, 2])
    sys.exit(int(calls.recv(16)))
"""


def _calls():
    """Return the socket of a process that has loaded the command with this one's settings."""
    settings = {name: text for name, text in os.environ.items() if name.startswith(_AT_START)}
    return _loaded(*sorted(settings.items()))


_AT_START = ("PYTHON", "LC_", "LANG", "SCREENER_")
"""Prefixes of environment variables that a process reads while it loads."""


@functools.cache
def _loaded(*settings):
    """Return the socket of a process that has loaded the command with these settings."""
    folder = TemporaryDirectory()
    path = os.path.join(folder.name, "calls")
    start = "import sys, forked_command as one; one.serve(sys.argv.pop()); one.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", start, path], cwd=Path(__file__).parent,
        # Pipes cannot be seeked: so a call's stream may be a pipe or a file.
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    atexit.register(folder.cleanup)
    atexit.register(process.communicate)  # which ends it, before its folder goes
    ready = process.stdout.read(1)
    assert ready == b"\n", ready + process.communicate()[0]  # which ends the process
    return path


def value(number, size=16):
    """Return a pseudo-random value of `size` bytes, in hex."""
    return hashlib.shake_128(str(number).encode()).hexdigest(size)


ROWS = f"""id,pdq,md5,sha256,status,category,category_scheme,series
a1,{value(1, 32)},{value(1)},{value(1, 32)},,A,uk-sentencing-council,red
a2,,{value(2)},,disputed,,,
a3,{"0" * 62}ff,{value(3)},,,,,
a4,zz,{value(4)},,,,,
a5,zz,,,,,,
"""


def make_list(folder):
    """Make a list of two sources, one with terms, and return its path."""
    (folder / "a.csv").write_text(ROWS)
    (folder / "b.csv").write_text(f"id,md5,status\na1,{value(1)},known_good\n")
    into = ("--into", folder / "known.list")
    free = ("--tlp", "green", "--redistribution", "yes", "--expires", "2999-12-31")
    first = screener("import", folder / "a.csv", *into, "--source", "a", "--by", "ann", *free,
                     "--ignore-columns", "series")  # fmt: skip
    second = screener("import", folder / "b.csv", *into, "--source", "b", "--by", "bob")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    return folder / "known.list"


def generation(known):
    """Return the newest generation's number."""
    return HashList.open(known).generation


def refused(*arguments, **settings):
    """Return the message of a command that must be refused: exit code 2, no traceback."""
    done = screener(*arguments, **settings)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr
