"""Workers: what they gave up before they open a file."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from screener.scanning.workers import sandbox


@pytest.fixture
def known(make_list):
    """Where a list is that matches nothing below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}]).path


DAEMON = """
import os, sys
from screener import HashList, Screener, scan

if __name__ == "__main__":
    engine = Screener(HashList.open(sys.argv[1]))
    os.close(2)
    (result,) = scan(engine, "picture.png", jobs=1)
    open("told", "w").write(str(result.verdict))
"""

CODE = """
import json, multiprocessing, os, resource
from screener.scanning.workers.sandbox import confine

def limited(pipe):
    confine(200 << 20)
    told = dict(line.strip().split(":", 1) for line in open("/proc/self/status"))
    facts = {"privileges": told.get("NoNewPrivs", "").strip()}
    facts["core"] = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        open("written", "wb", buffering=0).write(b"x")
    except OSError as error:
        facts["written"] = type(error).__name__
    try:
        bytearray(300 << 20)
    except MemoryError:
        facts["memory"] = True
    for stream in (1, 2):
        os.write(stream, b"a decoder's own words")
    pipe.send(facts)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=limited, args=(there,)).start()
    there.close()
    print(json.dumps(here.recv()))
"""


def test_a_worker_can_gain_no_rights_write_no_file_and_take_no_more_memory(tmp_path):
    """As docs/threat-model.md says: asked of a process that confined itself, on Linux. Nor does a
    word of a decoder come among the results, which go to standard output.
    """
    (tmp_path / "confine_one.py").write_text(CODE)
    call = [sys.executable, "confine_one.py"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts == {"privileges": "1", "core": [0, 0], "written": "OSError", "memory": True}
    assert done.stderr == ""
    assert os.stat(tmp_path / "written").st_size == 0


LADEN = """
import mmap, sys
from screener import HashList, Policy, Screener, scan

taken = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE)

if __name__ == "__main__":
    engine = Screener(HashList.open(sys.argv[1]), policy=Policy(memory=400 << 20))
    (one,) = scan(engine, sys.argv[2], jobs=1)
    print(one.verdict, one.reason)
"""


def test_what_a_program_itself_takes_of_memory_is_held_against_no_file(known, scene, tmp_path):
    """A script whose main module takes more than a worker may has the Results of any other."""
    (tmp_path / "laden.py").write_text(LADEN)
    scene(1, (160, 120)).save(tmp_path / "small.png")
    call = [sys.executable, "laden.py", known, "small.png"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert done.stdout.split() == ["no_match", "None"], done.stderr


LOOK = """
import os, sys
from screener import HashList, Screener, scan
from screener.errors import MediaError
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.media.name import Name

class Looking(Hasher):
    def hash(self, item, digests=()):
        maps = open("/proc/self/maps").read()
        held = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                if os.path.exists(f"/proc/self/fd/{n}")]
        opened = sum("known.list" in one for one in held)
        told = f"{maps.count('known.list')} {opened}"
        return HashedInput(Name(), error=MediaError("undecodable", told))

class Engine(Screener):
    @property
    def hasher(self):
        return Looking(self.policy, self._kinds)

if __name__ == "__main__":
    engine = Engine(HashList.open(sys.argv[1]))
    engine.warm()
    print(open("/proc/self/maps").read().count("known.list") > 0)
    print([result.detail for result in scan(engine, [sys.argv[0]], jobs=1)])
"""


def test_a_worker_has_no_list_mapped_or_open(make_list, tmp_path):
    """The scan has; its workers have not, while they hash."""
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    (tmp_path / "look.py").write_text(LOOK)
    call = [sys.executable, tmp_path / "look.py", known.path]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.split("\n")[:2] == ["True", "['0 0']"], done.stderr


SENTINEL = """
import multiprocessing, os
from screener.system import process

def tell(pipe):
    pipe.send((os.readlink("/proc/self/fd/2"), multiprocessing.parent_process().sentinel))

if __name__ == "__main__":
    process.fill_standard_streams()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=tell, args=(there,)).start()
    there.close()
    print(*here.recv())
"""


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-"])
def test_a_worker_does_not_take_its_parent_for_standard_error(tmp_path, closed):
    """Where the scan was started without standard error, its workers have nothing there either:
    silencing a decoder would close the pipe by which they know that the scan still runs.
    """
    (tmp_path / "tell.py").write_text(SENTINEL)
    call = f"{sys.executable} tell.py {closed}"
    done = subprocess.run(call, shell=True, cwd=tmp_path, capture_output=True, text=True)

    there, sentinel = done.stdout.split()
    assert there == os.devnull
    assert int(sentinel) > 2


def test_a_worker_ends_with_its_parent_also_where_another_process_holds_that_ones_pipe(monkeypatch):
    """As one does that was forked from the scan's and lives on when that is killed."""
    sentinel, held = os.pipe()
    parents, ended = iter([7, 7, 1]), threading.Event()
    parent = SimpleNamespace(sentinel=sentinel)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: parent)
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "_exit", lambda _: ended.set())
    monkeypatch.setattr(sandbox, "_PARENT_CHECK_SECONDS", 0.001, raising=False)

    sandbox._end_with_parent()

    assert ended.wait(10)
    for end in (sentinel, held):
        os.close(end)


def test_a_scan_by_a_program_without_standard_error(known, tmp_path, scene):
    """A daemon that has closed it screens as any program does: the first pipe to a worker does not
    take its place, where it would be silenced.
    """
    scene(3, (200, 150)).save(tmp_path / "picture.png")
    (tmp_path / "daemon.py").write_text(DAEMON)
    subprocess.run([sys.executable, "daemon.py", known], cwd=tmp_path, timeout=60)

    assert (tmp_path / "told").read_text() == "no_match"
