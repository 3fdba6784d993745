"""One input as a cache keeps it: what it is called there, and what is kept of it, as columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict

from screener.arguments import whole, within
from screener.hashing.hash import KINDS, HashKind
from screener.hashing.pdq import ORIENTATIONS
from screener.media.image import pixels
from screener.media.source import Name
from screener.screening.input.hash_item import Hashed
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


# In the order of `columns`; `loaded` takes them with the values of the hashes.
COLUMNS = (
    "text", "size", "mtime_ns", "archive", "clear", "extra", "media", "reason", "detail", "located"
)  # fmt: skip

_WHOLE = 1 << 63

# What `_clear` says of an input that no floor is sure to leave screened, of one that each leaves
# so, and of an archive, which is never unscreened for want of detail: its members are.
_NEVER, _ALWAYS, _ARCHIVE = -1, 255, 256

EVERY = _ARCHIVE
"""In the place of a floor: every input but archives may be `unscreened`."""


def key_of(name: Name) -> tuple[bytes, str]:
    """By what an input is told from all others: its name, and its place in archives, which is empty
    for a file.
    """
    levels = zip(name.archives, name.same, strict=True)
    return name.as_bytes, "/".join(f"{length}:{before}" for length, before in levels)


def state(name: Name) -> tuple[int | bytes | None, ...]:
    """The size and the time of an input as they are kept: SQLite's whole numbers have 64 bits, of
    which a time in or behind the year 2262 has more.
    """
    return tuple(
        one if one is None or -_WHOLE <= one < _WHOLE else str(one).encode()
        for one in (name.size, name.mtime_ns)
    )


def _whole_of(kept: int | bytes) -> int:
    return int(kept) if isinstance(kept, bytes) else whole(kept)


def columns(hashed: Hashed, kinds: Iterable[HashKind]) -> tuple[Any, ...]:
    """What is kept of an input but the values of its hashes, which are of those kinds."""
    name, media, trouble = hashed.name, hashed.media, hashed.trouble
    facts = media and _encoder.encode(media).decode()
    places = [_Place.of(one) for one in to_wire(groups_of(hashed.hashes))]
    return (
        name.text, *state(name), int(hashed.archive), _clear(hashed, kinds),
        trouble and trouble.extra, facts, trouble and trouble.reason,
        trouble and trouble.detail, _encoder.encode(places).decode(),
    )  # fmt: skip


def _clear(hashed: Hashed, kinds: Iterable[HashKind]) -> int:
    """The highest floor under which an input is surely screened, whichever of its perceptual kinds
    a list holds: only above it may it be `unscreened`. None is, of what moves or gave trouble:
    that is for all of its hashes to say.
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


def values(hashed: Hashed) -> dict[str, bytes]:
    """The values of its hashes by kind, joined in their order."""
    by_kind: dict[str, list[bytes]] = {}
    for one in groups_of(hashed.hashes):
        if isinstance(one, OrientedHashes):
            by_kind.setdefault(one.kind, []).append(one.values)
        else:
            by_kind.setdefault(one.hash.kind.name, []).append(one.hash.value)
    return {kind: b"".join(each) for kind, each in by_kind.items()}


def loaded(key: tuple[bytes, str], row: Sequence[Any], values: dict[str, bytes]) -> Hashed:
    """The input again. Raises ValueError, KeyError or TypeError of what was never kept."""
    name, place = key
    text, *kept, archive, clear, extra, media, reason, detail, located = row
    if within(archive, 0, 1) is None or within(clear, _NEVER, _ARCHIVE) is None:
        raise ValueError("neither an archive nor none")
    if not (type(name) is bytes and type(text) is str):
        raise TypeError("no name")
    size, mtime_ns = (one if one is None else _whole_of(one) for one in kept)
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
    return Hashed(
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
