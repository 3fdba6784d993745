"""A Hasher as code that took over its process would have it: its answers are no hashes."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from screener import Screener
from screener.errors import MediaError
from screener.scanning.workers.messages import Answer
from screener.screening.input.hasher import Hasher
from screener.screening.input.located_hash import OrientedHashes


class Order:
    """Unpickled, it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def _sent(message):
    """Have this process send the message instead of its next answer."""
    to_wire = Answer.to_wire

    def send(answer):
        Answer.to_wire = to_wire
        return message

    Answer.to_wire = send


class TakenOver(Hasher):
    """Answers with orders to the scan for files with a telling name."""

    def hash(self, item, digests=()):
        """An order, a class that is not ours, columns or a reason that cannot be, what another job
        would tell, or the hashes, also under another's name.
        """
        name = Path(item).stem
        if name.startswith("order"):
            return _sent(pickle.dumps(Order(f"{item}-made")))
        if name.startswith("class"):
            return _sent(pickle.dumps(pickle.PickleError("not a hash")))
        if name.startswith("columns"):
            hashed = super().hash(item, digests)
            group = next(one for one in hashed.hashes.groups if isinstance(one, OrientedHashes))
            hashed.hashes.groups = (structs.replace(group, values=group.values[1:]),)
            return hashed
        if name.startswith("box"):
            hashed = super().hash(item, digests)
            group = next(one for one in hashed.hashes.groups if isinstance(one, OrientedHashes))
            outside = structs.replace(group, region="inset", box=(0, 0, 161, 120))
            hashed.hashes.groups = (*hashed.hashes.groups, outside)
            return hashed
        if name.startswith("reason"):
            return replace(super().hash(item, digests), error=MediaError("none that there is", ""))
        if name.startswith("plain"):
            return {"a": 1}
        if name.startswith("name"):
            hashed = super().hash(item, digests)
            return replace(
                hashed, name=replace(hashed.name, text="a.png", archives=(1,), same=(0,))
            )
        if name.startswith("error"):
            raise RuntimeError("a mistake of ours")
        return super().hash(item, digests)


class Engine(Screener):
    """Has its inputs hashed by that."""

    @property
    def hasher(self):
        """One that was taken over."""
        return TakenOver(self.policy, self._kinds)
