"""Jobs of worker processes that do no hashing, and what becomes of their tasks."""

import os
import select
import struct
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

from screener import Policy
from screener.errors import ShortOfMemory
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput


class Counting:
    """A job that tells how many bytes a file has; for those named so, more than any pipe holds."""

    policy = Policy()
    kinds = ()
    outcomes = (str, dict)

    def start_session(self):
        """Itself."""
        return self

    def run(self, target, budget, way):
        """The size, or very much."""
        size = Path(target.path).stat().st_size
        return "much" * 2_000_000 if "much" in target.path else {"size": size}


class Hoarding:
    """A job that keeps memory after a file named so, as decoders do, and needs much for another."""

    policy = Policy(memory=400 << 20)
    kinds = ()
    outcomes = (str,)
    held: ClassVar[list] = []

    def start_session(self):
        """Itself."""
        return self

    def run(self, target, budget, way):
        """What this process could be given."""
        if "hoard" in target.path:
            self.held.append(bytearray(120 << 20))
        if "swallowed" in target.path:
            try:
                bytearray((500 if "too" in target.path else 200) << 20)
            except MemoryError:
                return HashedInput(Name(target.path), error=ShortOfMemory("as decoders tell it"))
        if "much" in target.path:
            bytearray(200 << 20)
        if "too" in target.path:
            bytearray(500 << 20)
        return target.path


class Priority(Counting):
    """A job that tells the priority of its thread."""

    def run(self, target, budget, way):
        """How nice it is to others."""
        return {"nice": os.getpriority(os.PRIO_PROCESS, threading.get_native_id())}


class Waiting(Counting):
    """A job that is at a file until there is one."""

    def run(self, target, budget, way):
        """As for a file that takes long to decode, or for ever."""
        while not Path(target.path).exists():
            time.sleep(0.01)
        return "done"


class Flooding(Counting):
    """A job whose process a file takes over: it then sends without an end, as its name says."""

    def run(self, target, budget, way):
        """The size, or never anything."""
        sends = {
            "long": struct.pack("<Q", 1 << 62),
            "just-too-long": struct.pack("<Q", self.policy.memory // 4 + 1),
            "many": b"",
        }
        begin = sends.get(Path(target.path).name)
        if begin is None:
            return super().run(target, budget, way)
        frame = sys._getframe()
        while "answers" not in frame.f_locals:
            frame = frame.f_back
        pipe = frame.f_locals["answers"].fileno()
        os.write(pipe, begin)
        while True:
            os.write(pipe, bytes(1 << 16))  # the lengths of empty messages


def until_begun(worker):
    """When its task was begun."""
    while not worker._usage.since:
        time.sleep(0.01)
    return worker._usage.since


def until_told(worker):
    """What a worker has done next."""
    while not (done := worker.collect()):
        select.select([worker.answers], [], [], worker.seconds_left())
    return done


def first_done(worker):
    """What a worker tells next."""
    return until_told(worker)[0].outcome
