"""A Screener whose workers do what the first bytes of an item say, and the Pool around it."""

import os
import time
from pathlib import Path

from screener import Screener
from screener.screening.input.hasher import Hasher


def orders(item):
    """The words at the start of an item's file or bytes."""
    try:
        head = item if isinstance(item, bytes) else Path(item).read_bytes()
    except (OSError, TypeError, ValueError):  # no file, or pixels
        return [""]
    return head[:300].rpartition(COSTLY)[2].decode("latin-1").split("\n")[0].split(" ")


# The beginning of a PNG of 144 megapixels.
COSTLY = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x2e\xe0\0\0\x2e\xe0\b\2\0\0\0"


class Accident(Hasher):
    """Hashes as usual, but items that begin with a telling word."""

    def hash(self, item, digests=()):
        """Let the accident happen, wait as ordered, or hash."""
        word, *rest = orders(item)
        if word == "crash":
            os.abort()
        if word == "hang":
            while True:
                pass
        if word == "memory":
            bytearray(600 << 20)
        if word == "wait":  # begun FILE, until FILE
            Path(rest[0]).touch()
            while not Path(rest[1]).exists():
                time.sleep(0.01)
        return super().hash(item, digests)


class Engine(Screener):
    """Sends accidents to its workers."""

    @property
    def hasher(self):
        """One that has accidents."""
        return Accident(self._hashing_policy, self._kinds)

    def refresh(self):
        """The same of newer lists."""
        newer = super().refresh()
        return self if newer is self else Engine(newer.lists, policy=newer.policy)


class Held:
    """An item at which a worker waits until it is released."""

    def __init__(self, folder, name="held", *, costly=False):
        self.begun, self.end = folder / f"{name}-begun", folder / f"{name}-end"
        self.data = (COSTLY if costly else b"") + f"wait {self.begun} {self.end}\n".encode()

    def until_begun(self):
        """Return when a worker is at it; RLIMIT_FSIZE allows an empty file."""
        until(self.begun.exists)

    def release(self):
        """Let the worker go on."""
        self.end.touch()


def until(condition, seconds=60):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)


def is_alive(process):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers_of(pool):
    """The PIDs of a pool's workers."""
    crews = pool._dispatcher._crews
    groups = [crew.workers._workers for crew in (crews.current, *crews._retiring)]
    processes = [worker._process for workers in groups for worker in workers]
    return [process.pid for process in processes if not process._closed]


def children_of(process):
    """The PIDs of all processes below one."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == process:
            found += [int(name), *children_of(int(name))]
    return found
