"""One input as a cache keeps it: what it is called there, and what is kept of it, as columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from screener.arguments import whole, within
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.hashing.pdq import ORIENTATIONS
from screener.media.image import pixels
from screener.media.source import Name
from screener.screening.input.hash_item import Hashed
from screener.screening.input.hasher import Hasher
from screener.screening.input.located_hash import (
    Located,
    OrientedHashes,
    groups_of,
    packed,
    unpacked,
)
from screener.screening.input.wire import trouble_of
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
    facts = media and json.dumps(vars(media))
    located = json.dumps([_place(one) for one in groups_of(hashed.hashes)])
    return (
        name.text, *state(name), int(hashed.archive), _clear(hashed, kinds),
        trouble and trouble.extra, facts, trouble and trouble.reason,
        trouble and trouble.detail, located,
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
    groups: list[Located | OrientedHashes] = []
    for told in json.loads(located):
        kind, columns = KINDS[told["kind"]], told.get("columns")
        start = at[kind.name]
        at[kind.name] = start + kind.size * (1 if columns is None else len(ORIENTATIONS))
        value = values[kind.name][start : at[kind.name]]
        where = {k[1:]: _tuple(v) for k, v in told.items() if k.startswith(".")}
        if columns is None:
            hash = Hash(kind, value, quality=told.get("quality"), pixels=told.get("pixels"))
            groups.append(Located(hash, **where))
        else:
            qualities, details, doubts, leasts = map(bytes.fromhex, columns)
            groups.append(
                OrientedHashes(kind.name, value, qualities, details, doubts, leasts, **where)
            )
    if any(at[kind] != len(value) for kind, value in values.items()):
        raise ValueError("hashes without their places")
    raw = None if text.encode("utf-8") == name else name
    levels = [tuple(map(int, level.split(":"))) for level in place.split("/") if level]
    archives, same = zip(*levels, strict=True) if levels else ((), ())
    return Hashed(
        Name(text, raw, size, mtime_ns, archives, same),
        unpacked(packed(groups)),  # which checks them
        None if media is None else MediaFacts(**json.loads(media)),
        trouble_of(None if reason is extra is None else (reason, detail, extra)),
        archive=bool(archive),
    )


def _place(one: Located | OrientedHashes) -> dict[str, Any]:
    """A hash, or those of one picture in all orientations, without its value, and where it was
    made; what is as usual is left out.
    """
    told: dict[str, Any]
    if isinstance(one, OrientedHashes):
        columns = (one.qualities, one.details, one.doubts, one.leasts)
        told = {"kind": one.kind, "columns": [column.hex() for column in columns]}
    else:
        facts = {"quality": one.hash.quality, "pixels": one.hash.pixels}
        told = {"kind": one.hash.kind.name} | {k: v for k, v in facts.items() if v is not None}
    for name, default in one._field_defaults.items():
        value = getattr(one, name)
        if value != default:
            told[f".{name}"] = value
    return told


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
