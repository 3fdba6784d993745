"""Convert inputs to and from the rows of a cache."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct, field, msgpack
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict, replace

from screener.arguments import integer, integer_within
from screener.hashing.hash import KINDS, HashKind
from screener.hashing.pdq import ORIENTATIONS
from screener.media.image import pixels
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher
from screener.screening.input.located_hash import (
    INSET,
    UNSEEN_REGIONS,
    Doubt,
    EvidenceColumns,
    Hashes,
    OrientedHashes,
    Score,
    SingleHash,
    from_wire,
    list_groups,
    to_wire,
)
from screener.screening.input.wire import BoxWire, Count, Seconds, error_from_wire
from screener.screening.result import MediaFacts

# Settings of a policy for comparing hashes, not for computing them.
_COMPARISON_SETTINGS = (
    "radius",
    "known_good_radius",
    "floor",
    "alone",
    "max_list_age",
    "digests_only",
    "effort",
    "evidence",
    "evidence_turned",
    "lists",
    "shadow_evidence",
)

WEIGHTS = "pdq weights"
"""The kind of `encode_weights` among the codes of an input."""


def describe_settings(hasher: Hasher) -> str:
    """Return the kinds, settings and pixel pipeline that decide the hashes, as JSON."""
    settings = {k: v for k, v in hasher.policy.to_dict().items() if k not in _COMPARISON_SETTINGS}
    kinds = sorted(kind.name for kind in hasher.kinds)
    described = {"kinds": kinds, "pixels": pixels.VERSION, "policy": settings}
    return json.dumps(described, sort_keys=True)


@lru_cache(maxsize=64)  # called for each input of a resumed scan
def covers(stored: str, required: str, *, without_insets: bool = False) -> bool:
    """Return whether hashes computed with stored settings include all that are required.

    With `without_insets`, those of pictures whose insets were not looked for do too. Hashes of
    insets that are not required do no harm: `drop_insets` removes them.
    """
    have, need = json.loads(stored), json.loads(required)
    stored_kinds, required_kinds = set(have.pop("kinds")), set(need.pop("kinds"))
    if all(KINDS[kind].digest for kind in required_kinds):
        for settings in (have, need):  # digests do not depend on sampled frames
            settings["policy"].pop("sampling")
    stored_insets, required_insets = (_pop_insets(one["policy"]) for one in (have, need))
    enough = {required_insets, None} if without_insets else {required_insets}
    if required_insets is not None and stored_insets not in enough:
        return False
    return stored_kinds >= required_kinds and bool(have == need)


def _pop_insets(policy: dict[str, Any]) -> tuple[int, int] | None:
    """Remove the settings of insets and return them, or None if insets are not looked for.

    Earlier versions had no such settings.
    """
    settings = policy.pop("insets", 0), policy.pop("inset_side", 0)
    return settings if settings[0] else None


def drop_insets(hashed: HashedInput) -> HashedInput:
    """Return an input without the hashes of its insets."""
    groups = [group for group in list_groups(hashed.hashes) if group.region != INSET]
    return dataclasses.replace(hashed, hashes=Hashes(groups))


# The columns of `encode_columns` and `decode_row`, in this order.
COLUMNS = (
    "text", "size", "mtime_ns", "archive", "clear", "extra", "media", "reason", "detail", "located"
)  # fmt: skip

_MAX_INTEGER = 1 << 63  # of SQLite, exclusive

# The column `clear` (see `_highest_passed_floor`) of an input that may be unscreened at any floor,
# of one that is screened at every floor, and of an archive, which never lacks detail.
_NO_FLOOR, _ANY_FLOOR, _ARCHIVE_FLOOR = -1, 255, 256

EVERY_FLOOR = _ARCHIVE_FLOOR
"""A floor above all others: every input except archives may be `unscreened`."""


def cache_key(name: Name) -> tuple[bytes, str]:
    """Return the key of an input: its name, and its position in archives, empty for a file."""
    levels = zip(name.archives, name.same, strict=True)
    return name.as_bytes, "/".join(f"{length}:{before}" for length, before in levels)


def encode_state(name: Name) -> tuple[int | bytes | None, ...]:
    """Return the size and time as stored.

    Times from the year 2262 on exceed SQLite's integers of 64 bits, and are stored as bytes.
    """
    return tuple(
        number if number is None or -_MAX_INTEGER <= number < _MAX_INTEGER else str(number).encode()
        for number in (name.size, name.mtime_ns)
    )


def _decode_integer(stored: int | bytes) -> int:
    return int(stored) if isinstance(stored, bytes) else integer(stored)


def encode_columns(hashed: HashedInput, kinds: Iterable[HashKind]) -> tuple[Any, ...]:
    """Return the columns of an input, whose hashes have these kinds, without the hash values."""
    name, media, trouble = hashed.name, hashed.media, hashed.error
    media_json = media and _encoder.encode(media).decode()
    located = [_LocatedHashes.of(group) for group in to_wire(list_groups(hashed.hashes))]
    return (
        name.text, *encode_state(name), int(hashed.archive), _highest_passed_floor(hashed, kinds),
        trouble and trouble.extra, media_json, trouble and trouble.reason,
        trouble and trouble.detail, _encoder.encode(located).decode(),
    )  # fmt: skip


def _highest_passed_floor(hashed: HashedInput, kinds: Iterable[HashKind]) -> int:
    """Return the highest floor at which an input is screened by any of its perceptual kinds.

    Videos, animations and inputs with an error have none: all of their hashes must be compared.
    """
    media = hashed.media
    if hashed.error is not None:
        return _NO_FLOOR
    if hashed.archive:
        return _ARCHIVE_FLOOR
    if hashed.video or (media is not None and media.frames != 1):
        return _NO_FLOOR
    best = {kind.name: _NO_FLOOR for kind in kinds if kind.perceptual}
    for group in list_groups(hashed.hashes):
        kind = group.kind if isinstance(group, OrientedHashes) else group.hash.kind.name
        if kind in best and group.part_kind == "frame" and group.region not in UNSEEN_REGIONS:
            best[kind] = max(best[kind], _ANY_FLOOR if group.score is None else group.score)
    return min(best.values(), default=_ANY_FLOOR if hashed.hashes else _NO_FLOOR)


def join_values(hashed: HashedInput) -> dict[str, bytes]:
    """Return the hash values of an input by kind, joined in their order."""
    by_kind: dict[str, list[bytes]] = {}
    for group in list_groups(hashed.hashes):
        if isinstance(group, OrientedHashes):
            by_kind.setdefault(group.kind, []).append(group.values)
        else:
            by_kind.setdefault(group.hash.kind.name, []).append(group.hash.value)
    return {kind: b"".join(parts) for kind, parts in by_kind.items()}


def encode_weights(hashed: HashedInput) -> bytes:
    """Return the weights and ceilings of an input's hashes in columns, without those of views."""
    groups = list_groups(hashed.hashes)
    evidence = [group.evidence for group in groups if isinstance(group, OrientedHashes)]
    return msgpack.encode([one and (one.weights, one.ceilings) for one in evidence])


def _add_weights(groups: list[OrientedHashes | SingleHash], stored: bytes) -> None:
    """Add the weights of `encode_weights` to the hashes of an input."""
    numbers = [n for n, group in enumerate(groups) if isinstance(group, OrientedHashes)]
    for number, columns in zip(numbers, _weights_decoder.decode(stored), strict=True):
        evidence = None if columns is None else EvidenceColumns(*columns)
        groups[number] = replace(groups[number], evidence=evidence)


def decode_row(key: tuple[bytes, str], row: Sequence[Any], values: dict[str, bytes]) -> HashedInput:
    """Return the input of a row, whose weights, if any, are among the values.

    Raises ValueError, KeyError or TypeError if the row has content that is never stored.
    """
    name, place = key
    text, *stored, archive, clear, extra, media, reason, detail, located = row
    if (
        integer_within(archive, 0, 1) is None
        or integer_within(clear, _NO_FLOOR, _ARCHIVE_FLOOR) is None
    ):
        raise ValueError("not an archive's flag or floor")
    if not (type(name) is bytes and type(text) is str):
        raise TypeError("not a name")
    size, mtime_ns = (value if value is None else _decode_integer(value) for value in stored)
    offsets = {kind: 0 for kind in values if kind != WEIGHTS}
    groups: list[OrientedHashes | SingleHash] = []
    for hashes in _located_decoder.decode(located):
        start = offsets[hashes.kind]
        end = start + KINDS[hashes.kind].size * (len(ORIENTATIONS) if hashes.columns else 1)
        offsets[hashes.kind] = end
        groups.append(hashes.group(values[hashes.kind][start:end]))
    if any(end != len(values[kind]) for kind, end in offsets.items()):
        raise ValueError("hash values without their locations")
    if WEIGHTS in values:
        _add_weights(groups, values[WEIGHTS])
    facts = None if media is None else _media_decoder.decode(media)
    raw = None if text.encode("utf-8") == name else name
    levels = [tuple(map(int, level.split(":"))) for level in place.split("/") if level]
    archives, same = zip(*levels, strict=True) if levels else ((), ())
    return HashedInput(
        Name(text, raw, size, mtime_ns, archives, same),
        from_wire(groups, facts),
        facts,
        error_from_wire(None if reason is extra is None else (reason, detail, extra)),
        archive=bool(archive),
    )


class _LocatedHashes(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The location of a hash, or of the hashes of a picture in all orientations, without values."""

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
    box: BoxWire | None = field(default=None, name=".box")

    @classmethod
    def of(cls, hashes: OrientedHashes | SingleHash) -> _LocatedHashes:
        """Return the location of hashes."""
        fields = asdict(hashes)
        if isinstance(hashes, SingleHash):
            del fields["value"]
            return cls(**fields)
        del fields["values"], fields["evidence"]
        qualities, details, doubts, leasts = (fields.pop(name).hex() for name in _ORIENTED_COLUMNS)
        return cls(columns=(qualities, details, doubts, leasts), **fields)

    def group(self, value: bytes) -> OrientedHashes | SingleHash:
        """Return the hashes with this location and value."""
        if self.columns is None:
            fields = asdict(self)
            del fields["columns"]
            return SingleHash(value=value, **fields)
        qualities, details, doubts, leasts = map(bytes.fromhex, self.columns)
        return OrientedHashes(
            self.kind, value, qualities, details, doubts, leasts, self.region, self.part, self.time,
            self.part_kind, self.again, self.track, box=self.box,
        )  # fmt: skip


_ORIENTED_COLUMNS = ("qualities", "details", "doubts", "leasts")

_encoder = Encoder()
_located_decoder = Decoder(list[_LocatedHashes])
_weights_decoder = msgpack.Decoder(list[tuple[bytes, bytes] | None])
_media_decoder = Decoder(MediaFacts)
