"""The columns in which a cache stores one input, and its key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict

from screener.arguments import integer, integer_within
from screener.hashing.hash import KINDS, HashKind
from screener.hashing.pdq import ORIENTATIONS
from screener.media.image import pixels
from screener.media.source import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.screening.input.located_hash import (
    Doubt,
    OrientedHashes,
    Score,
    SingleHash,
    from_wire,
    groups_of,
    to_wire,
)
from screener.screening.input.wire import Count, Seconds, trouble_from_wire
from screener.screening.result import MediaFacts

# Settings of a policy for comparing hashes, not for making them.
_COMPARING = ("radius", "known_good_radius", "floor", "alone", "max_list_age", "digests_only")


def made_by(hasher: Hasher) -> str:
    """Return, as a text, what decides the hashes: kinds, settings and pixel pipeline."""
    settings = {k: v for k, v in hasher.policy.to_dict().items() if k not in _COMPARING}
    kinds = sorted(kind.name for kind in hasher.kinds)
    facts = {"kinds": kinds, "pixels": pixels.VERSION, "policy": settings}
    return json.dumps(facts, sort_keys=True)


@lru_cache(maxsize=64)  # called for each input of a resumed scan
def serves(stored: str, wanted: str) -> bool:
    """Return whether hashes made by some settings include all that others would make."""
    one, other = json.loads(stored), json.loads(wanted)
    made, needed = set(one.pop("kinds")), set(other.pop("kinds"))
    if all(KINDS[kind].digest for kind in needed):
        for settings in (one, other):  # digests do not depend on sampled frames
            settings["policy"].pop("sampling")
    return made >= needed and bool(one == other)


# In the order of `columns`; `loaded` takes them with the values of the hashes.
COLUMNS = (
    "text", "size", "mtime_ns", "archive", "clear", "extra", "media", "reason", "detail", "located"
)  # fmt: skip

_WHOLE = 1 << 63

# `_clear` of an input that may be unscreened at any floor, of one that is screened at every floor,
# and of an archive, which is never unscreened for lack of detail.
_NEVER, _ALWAYS, _ARCHIVE = -1, 255, 256

EVERY = _ARCHIVE
"""In place of a floor: every input but archives may be `unscreened`."""


def key_of(name: Name) -> tuple[bytes, str]:
    """Return an input's key: its name, and its place in archives, empty for a file."""
    levels = zip(name.archives, name.same, strict=True)
    return name.as_bytes, "/".join(f"{length}:{before}" for length, before in levels)


def state(name: Name) -> tuple[int | bytes | None, ...]:
    """Return the size and time as stored. SQLite's integers have 64 bits, which times from the year
    2262 on exceed; these are stored as bytes.
    """
    return tuple(
        one if one is None or -_WHOLE <= one < _WHOLE else str(one).encode()
        for one in (name.size, name.mtime_ns)
    )


def _whole_of(stored: int | bytes) -> int:
    return int(stored) if isinstance(stored, bytes) else integer(stored)


def columns(hashed: HashedInput, kinds: Iterable[HashKind]) -> tuple[Any, ...]:
    """Return the columns of an input, whose hashes are of those kinds, without their values."""
    name, media, trouble = hashed.name, hashed.media, hashed.trouble
    facts = media and _encoder.encode(media).decode()
    places = [_Place.of(one) for one in to_wire(groups_of(hashed.hashes))]
    return (
        name.text, *state(name), int(hashed.archive), _clear(hashed, kinds),
        trouble and trouble.extra, facts, trouble and trouble.reason,
        trouble and trouble.detail, _encoder.encode(places).decode(),
    )  # fmt: skip


def _clear(hashed: HashedInput, kinds: Iterable[HashKind]) -> int:
    """Return the highest floor at which an input is surely screened, whichever of its perceptual
    kinds a list has. There is none for videos, animations and inputs in trouble: all of their
    hashes must be looked at.
    """
    media = hashed.media
    if hashed.trouble is not None:
        return _NEVER
    if hashed.archive:
        return _ARCHIVE
    if hashed.video or (media is not None and media.frames != 1):
        return _NEVER
    best = {kind.name: _NEVER for kind in kinds if kind.perceptual}
    for group in groups_of(hashed.hashes):
        kind = group.kind if isinstance(group, OrientedHashes) else group.hash.kind.name
        if kind in best and group.part_kind == "frame":
            best[kind] = max(best[kind], _ALWAYS if group.score is None else group.score)
    return min(best.values(), default=_ALWAYS if hashed.hashes else _NEVER)


def values(hashed: HashedInput) -> dict[str, bytes]:
    """Return the values of its hashes by kind, joined in their order."""
    by_kind: dict[str, list[bytes]] = {}
    for one in groups_of(hashed.hashes):
        if isinstance(one, OrientedHashes):
            by_kind.setdefault(one.kind, []).append(one.values)
        else:
            by_kind.setdefault(one.hash.kind.name, []).append(one.hash.value)
    return {kind: b"".join(each) for kind, each in by_kind.items()}


def loaded(key: tuple[bytes, str], row: Sequence[Any], values: dict[str, bytes]) -> HashedInput:
    """Return the input of a row. Raise ValueError, KeyError or TypeError for anything that was
    never stored.
    """
    name, place = key
    text, *stored, archive, clear, extra, media, reason, detail, located = row
    if integer_within(archive, 0, 1) is None or integer_within(clear, _NEVER, _ARCHIVE) is None:
        raise ValueError("not an archive's flag or floor")
    if not (type(name) is bytes and type(text) is str):
        raise TypeError("not a name")
    size, mtime_ns = (one if one is None else _whole_of(one) for one in stored)
    at = dict.fromkeys(values, 0)
    groups: list[OrientedHashes | SingleHash] = []
    for hashes in _places.decode(located):
        start = at[hashes.kind]
        end = start + KINDS[hashes.kind].size * (len(ORIENTATIONS) if hashes.columns else 1)
        at[hashes.kind] = end
        groups.append(hashes.group(values[hashes.kind][start:end]))
    if any(at[kind] != len(value) for kind, value in values.items()):
        raise ValueError("hashes without their places")
    raw = None if text.encode("utf-8") == name else name
    levels = [tuple(map(int, level.split(":"))) for level in place.split("/") if level]
    archives, same = zip(*levels, strict=True) if levels else ((), ())
    return HashedInput(
        Name(text, raw, size, mtime_ns, archives, same),
        from_wire(groups),
        None if media is None else _media.decode(media),
        trouble_from_wire(None if reason is extra is None else (reason, detail, extra)),
        archive=bool(archive),
    )


class _Place(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A hash, or the hashes of one picture in all orientations, without the value."""

    kind: str
    columns: tuple[str, str, str, str] | None = None
    quality: Score | None = None
    pixels: Count | None = None
    orientation: str = field(default="upright", name=".orientation")
    region: str = field(default="full", name=".region")
    part: Count = field(default=0, name=".part")
    time: Seconds = field(default=0.0, name=".time")
    part_kind: str = field(default="frame", name=".part_kind")
    detail: Count | None = field(default=None, name=".detail")
    again: tuple[Seconds, ...] = field(default=(), name=".again")
    track: Count = field(default=0, name=".track")
    doubt: Doubt = field(default=0, name=".doubt")
    least: Count | None = field(default=None, name=".least")

    @classmethod
    def of(cls, hashes: OrientedHashes | SingleHash) -> _Place:
        """Return the place of hashes."""
        facts = asdict(hashes)
        if isinstance(hashes, SingleHash):
            del facts["value"]
            return cls(**facts)
        del facts["values"]
        qualities, details, doubts, leasts = (facts.pop(name).hex() for name in _COLUMNS)
        return cls(columns=(qualities, details, doubts, leasts), **facts)

    def group(self, value: bytes) -> OrientedHashes | SingleHash:
        """Return the hashes of this place, whose value is given."""
        if self.columns is None:
            facts = asdict(self)
            del facts["columns"]
            return SingleHash(value=value, **facts)
        qualities, details, doubts, leasts = map(bytes.fromhex, self.columns)
        return OrientedHashes(
            self.kind, value, qualities, details, doubts, leasts, self.region, self.part, self.time,
            self.part_kind, self.again, self.track,
        )  # fmt: skip


_COLUMNS = ("qualities", "details", "doubts", "leasts")

_encoder = Encoder()
_places = Decoder(list[_Place])
_media = Decoder(MediaFacts)
