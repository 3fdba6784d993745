"""A scan whose files do to their worker what their names say; run by test_scan.py.

python scan_with_accidents.py LIST FOLDER JOBS [STOP_AFTER [KILL_AFTER]]
"""

import multiprocessing
import os
import signal
import sys
import time

from screener import HashList, Policy, Screener, output, scan
from screener.errors import ListError
from screener.screening.input.hasher import Hasher


def name_of(item):
    """A file's own name; of a member of an archive, its first bytes."""
    return item[:20].decode("latin-1") if isinstance(item, bytes) else os.path.basename(item)


class Accident(Hasher):
    """Hashes as usual, but for files with a telling name."""

    def hash(self, item, digests=()):
        """Let the accident happen, or hash."""
        name = name_of(item)
        if name.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if name.startswith("exit"):
            os._exit(3)  # as a C library may that gives up
        if name.startswith("hang"):
            while True:
                pass
        if name.startswith("memory"):
            bytearray(600 << 20)
        return super().hash(item, digests)

    def digest(self, item):
        """Some do harm however they are read."""
        if name_of(item).startswith("crash-2"):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().digest(item)


class Engine(Screener):
    """Sends accidents to its workers; its list breaks at a file with a telling name."""

    @property
    def hasher(self):
        """One that has accidents."""
        return Accident(self.policy, self._kinds)

    def decide_if_sure(self, items, **how):
        """Look up, unless the list breaks."""
        if any("broken-list" in item.name.text for item in items):
            raise ListError("the list broke")
        return super().decide_if_sure(items, **how)


def main():
    """Scan, and write what comes to standard output."""
    known, folder, jobs = sys.argv[1:4]
    stop_after = int(sys.argv[4]) if len(sys.argv) > 4 else None
    kill_after = int(sys.argv[5]) if len(sys.argv) > 5 else None
    policy = Policy(seconds=2, memory=500 << 20)
    engine = Engine(HashList.open(known), policy=policy)
    with output.open_jsonl() as out:
        for number, result in enumerate(scan(engine, folder, jobs=int(jobs)), start=1):
            out.write(result)
            if number == stop_after:
                break
            if number == kill_after:
                for worker in multiprocessing.active_children():
                    worker.kill()
                time.sleep(0.5)


if __name__ == "__main__":
    main()
