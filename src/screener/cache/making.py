"""Making: by what hashes were made, and so whether they serve where others would be made now."""

from __future__ import annotations

import json
from functools import lru_cache

from screener.hasher import Hasher
from screener.hashing.hash import KINDS
from screener.media import pixels

# Settings of a policy that say how hashes are compared, and not how they are made.
_COMPARING = ("radius", "known_good_radius", "floor", "alone", "max_list_age", "digests_only")


def made_by(hasher: Hasher) -> str:
    """What decides how hashes come out: the kinds, the settings of a policy that make them, and the
    version of the pixel pipeline.
    """
    settings = {k: v for k, v in hasher.policy.to_dict().items() if k not in _COMPARING}
    kinds = sorted(kind.name for kind in hasher.kinds)
    facts = {"kinds": kinds, "pixels": pixels.VERSION, "policy": settings}
    return json.dumps(facts, sort_keys=True)


@lru_cache(maxsize=64)  # asked of each input of a scan that goes on
def serves(kept: str, wanted: str) -> bool:
    """Whether hashes made by some settings have all that others would make."""
    one, other = json.loads(kept), json.loads(wanted)
    made, asked = set(one.pop("kinds")), set(other.pop("kinds"))
    if all(KINDS[kind].digest for kind in asked):
        for settings in (one, other):  # which frames are looked at is nothing to a digest
            settings["policy"].pop("sampling")
    return made >= asked and bool(one == other)
