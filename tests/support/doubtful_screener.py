"""A Screener whose hashes, where bits of them may be in doubt, have all those bits wrong."""

import random
from dataclasses import replace

from screener import Screener
from screener.hashing.hash import Hash
from screener.hashing.pdq import MOST_DOUBT
from screener.screening.input.hasher import Hasher


def wrong(located, rng, told):
    """The hash with as many bits in doubt as there may be, and up to all of them the others; where
    its detail is not told, that may be any.
    """
    doubt = rng.randint(1, MOST_DOUBT)
    value = int.from_bytes(located.hash.value)
    for bit in rng.sample(range(256), rng.choice([doubt, rng.randint(0, doubt)])):
        value ^= 1 << bit
    hash = Hash(located.hash.kind, value.to_bytes(32), located.hash.quality, located.hash.pixels)
    least, most = (located.detail, located.detail) if told else (0, 100)
    return located._replace(hash=hash, doubt=doubt, detail=most, least=least)


class Doubting(Hasher):
    """Sketches as badly as is allowed."""

    def hash(self, item, digests=()):
        """The worst sketch that there can be, by name of the input."""
        hashed = Hasher(self.policy, self.kinds).hash(item)
        if not self.sketches:
            return hashed
        rng = random.Random(str(item))
        told = rng.random() < 0.5
        hashes = [wrong(o, rng, told) if o.hash.kind.name == "pdq" else o for o in hashed.hashes]
        return replace(hashed, hashes=tuple(hashes))


class Doubtful(Screener):
    """Has its inputs hashed by that."""

    @property
    def hasher(self):
        """One that doubts."""
        return Doubting(self.policy, self.kinds)
