"""The command line as a process of its own, and a list made by it, for tests."""

import hashlib
import subprocess
import sys

from screener import HashList

CALL = (sys.executable, "-c", "from screener.cli import main; main()")


def screener(*arguments, input=None, cwd=None):
    """Run the command with the arguments; the finished process, its output as text."""
    call = [*CALL, *map(str, arguments)]
    return subprocess.run(
        call, input=input, cwd=cwd, capture_output=True, text=True, timeout=120, errors="replace"
    )


def value(number, size=16):
    """A well-mixed value of so many bytes, in hex."""
    return hashlib.shake_128(str(number).encode()).hexdigest(size)


ROWS = f"""id,pdq,md5,sha256,status,category,category_scheme,series
a1,{value(1, 32)},{value(1)},{value(1, 32)},,A,uk-sentencing-council,red
a2,,{value(2)},,disputed,,,
a3,{"0" * 62}ff,{value(3)},,,,,
a4,zz,{value(4)},,,,,
a5,zz,,,,,,
"""


def make_list(folder):
    """A list of two sources, one of them with terms, made in a folder by the command."""
    (folder / "a.csv").write_text(ROWS)
    (folder / "b.csv").write_text(f"id,md5,status\na1,{value(1)},known_good\n")
    into = ("--into", folder / "known.list")
    free = ("--tlp", "green", "--redistribution", "yes", "--expires", "2999-12-31")
    first = screener("import", folder / "a.csv", *into, "--source", "a", "--by", "ann", *free)
    second = screener("import", folder / "b.csv", *into, "--source", "b", "--by", "bob")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    return folder / "known.list"


def generation(known):
    """The newest generation's number."""
    return HashList.open(known).generation


def refused(*arguments, **settings):
    """What a command says that must be refused: exit code 2, one sentence, no traceback."""
    done = screener(*arguments, **settings)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr
