"""ThreatExchange's answers to `threat_updates`: a `data` array of indicators with descriptors.

An indicator without a descriptor is deleted. If no indicator of a file has one, a note says so: the
field may not have been requested. An item that is itself a descriptor, as in an answer to
`threat_descriptors`, is quarantined. The status is the owners' assessment: malicious matches, with
a contrary opinion it is disputed, and anything else is a seed. The address of the next page
contains the reader's secret and is never stored. The `share_level` of each descriptor is a TLP
level by its older name, and binds the indicator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import Gathered, JsonRows, text_of, truth_of
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "threatexchange"
SIGNALS = {
    "pdq": ("pdq", "image"),
    "md5": ("md5", None),
    "video_md5": ("md5", "video"),
    "sha1": ("sha1", None),
    "sha256": ("sha256", None),
    "video_sha256": ("sha256", "video"),
    "photodna": ("photodna", "image"),
    "tmk": ("tmk_pdqf", "video"),
    "tmk_pdqf": ("tmk_pdqf", "video"),
    "vpdq": ("vpdq", "video"),
}
_SHARED = ("pdq", "md5", "video_md5", "sha1", "sha256", "video_sha256", "photodna", "tmk")
_TYPES = {f"HASH_{name.upper()}": SIGNALS[name] for name in _SHARED}
_READ = frozenset(
    ("id", "indicator", "type", "last_updated", "should_delete", "descriptors", "share_level")
)
# Fields that only descriptors have.
_OF_DESCRIPTORS = frozenset(("raw_indicator", "status", "owner", "privacy_type", "review_status"))


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is such an answer, possibly without changes."""
    if head.root.get("data") == [] and "paging" in head.root:
        return True
    first = head.first_under("data")
    return isinstance(first, dict) and {"indicator", "type"} <= set(first)


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader of one or several answers."""
    updates = _Updates()
    return JsonRows(content, ("data",), updates.read, notes=updates.notes)


class _Updates:
    """The indicators of one file, and whether any of them has a descriptor."""

    def __init__(self) -> None:
        self._described = False
        self._undescribed = 0  # indicators deleted only for lack of a descriptor

    def notes(self) -> tuple[str, ...]:
        """Return a note if no indicator has a descriptor."""
        if self._described or not self._undescribed:
            return ()
        return (
            f"none of its indicators has a descriptor, so {self._undescribed} of them count as"
            " deleted; if they are not, ask the service for the field `descriptors`",
        )

    def read(self, gathered: Gathered, item: Mapping[str, Any]) -> list[Row | BadRow]:
        descriptor_field = item.get("descriptors")
        descriptors = list(_objects_of(descriptor_field))
        marked_deleted = truth_of(item.get("should_delete")) is True
        self._described |= bool(descriptors)
        if not descriptors and not marked_deleted:
            if descriptor_field is None and not _OF_DESCRIPTORS.isdisjoint(item):
                return [BadRow(gathered.number, None, "a descriptor, not an indicator")]
            if not _empty(descriptor_field):
                return [BadRow(gathered.number, "descriptors", "not a list of objects")]
            self._undescribed += 1
        return _read(gathered, item, descriptors, deleted=marked_deleted or not descriptors)


def _share_levels(item: Mapping[str, Any]) -> set[str]:
    """Return the levels of an indicator and its descriptors, valid or not."""
    objects = (item, *_objects_of(item.get("descriptors")))
    return {_share_level(one.get("share_level")) for one in objects} - {""}


def _share_level(level: object) -> str:
    """Return a level as written; other values than text count as RED."""
    return text_of(level).upper() if level is None or isinstance(level, str) else "RED"


def _read(
    gathered: Gathered,
    item: Mapping[str, Any],
    descriptors: list[Mapping[str, Any]],
    *,
    deleted: bool,
) -> list[Row | BadRow]:
    tags = sorted({tag for one in descriptors for tag in _tags(one)})
    kind_and_media = _kind(text_of(item.get("type")).upper(), tags)
    entry = text_of(item.get("id")) or None
    if kind_and_media is None and not (deleted and entry):
        return [BadRow(gathered.number, "type", "unsupported type")]
    kind, media = kind_and_media or (None, None)
    if kind is not None:
        gathered.hash(kind, item.get("indicator"))
    if media is not None:
        gathered.label("media", media)
    for name, value in item.items():
        if name not in _READ:
            gathered.label(name, value)
    gathered.label("tags", " ".join(tags))
    gathered.label("owners", " ".join(sorted({o for one in descriptors if (o := _owner(one))})))
    gathered.label("share_level", " ".join(sorted(_share_levels(item))))
    statuses = sorted({text_of(one.get("status")).upper() for one in descriptors} - {""})
    state = State.WITHDRAWN if deleted else _state(descriptors)
    categories = tuple(Category("te-status", status) for status in statuses)
    return gathered.rows(entry, state, categories, item.get("last_updated"))


def _kind(type_: str, tags: list[str]) -> tuple[str, str | None] | None:
    if type_ == "DEBUG_STRING":
        named = [tag.partition(":")[2] for tag in tags if tag.startswith("signal_type:")]
        return SIGNALS.get(named[0].casefold()) if len(named) == 1 else None
    kind_and_media = _TYPES.get(type_)
    if kind_and_media is None or kind_and_media[1] is not None:
        return kind_and_media
    for tag, media in (("media_type_photo", "image"), ("media_type_video", "video")):
        if tag in tags:
            return kind_and_media[0], media
    return kind_and_media


def _state(descriptors: list[Mapping[str, Any]]) -> State:
    statuses = {text_of(one.get("status")).upper() for one in descriptors}
    reactions = {
        text_of(reaction.get("key")).upper()
        for one in descriptors
        for reaction in _objects_of(one.get("reactions"))
    }
    negative = "NON_MALICIOUS" in statuses or "DISAGREE_WITH_TAGS" in reactions
    if "MALICIOUS" in statuses:
        return State.DISPUTED if negative else State.CONFIRMED
    return State.KNOWN_GOOD if statuses == {"NON_MALICIOUS"} else State.SEED


def _tags(descriptor: Mapping[str, Any]) -> Iterator[str]:
    for tag in _objects_of(descriptor.get("tags")):
        text = text_of(tag.get("text"))
        if text:
            yield text


def _owner(descriptor: Mapping[str, Any]) -> str:
    owner = descriptor.get("owner")
    return text_of(owner.get("id")) if isinstance(owner, dict) else ""


def _empty(field: object) -> bool:
    """Return whether a list, possibly under `data`, is missing or empty."""
    return not (field.get("data") if isinstance(field, dict) else field)


def _objects_of(field: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(field, dict):
        field = field.get("data")
    for one in field if isinstance(field, list) else ():
        if isinstance(one, dict):
            yield one
