"""ThreatExchange's answers to `threat_updates`: a `data` array of indicators with descriptors.

An indicator without a descriptor is deleted. If no indicator of a file has one, a note warns the
user: the field may not have been requested. An item that is itself a descriptor, as in an answer to
`threat_descriptors`, is quarantined. The status is the owners' assessment: malicious is confirmed,
or disputed if an opinion is contrary; anything else is a seed. The address of the next page
contains the user's secret and is never stored. The `share_level` of each descriptor is a TLP level
by its older name, and binds the indicator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import JsonRows, RecordBuilder, parse_truth, to_text
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "threatexchange"
SIGNAL_TYPES = {
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
_INDICATOR_SIGNALS = (
    "pdq",
    "md5",
    "video_md5",
    "sha1",
    "sha256",
    "video_sha256",
    "photodna",
    "tmk",
)
_INDICATOR_TYPES = {f"HASH_{name.upper()}": SIGNAL_TYPES[name] for name in _INDICATOR_SIGNALS}
_HANDLED_FIELDS = frozenset(
    ("id", "indicator", "type", "last_updated", "should_delete", "descriptors", "share_level")
)
# Fields that only descriptors have.
_DESCRIPTOR_FIELDS = frozenset(
    ("raw_indicator", "status", "owner", "privacy_type", "review_status")
)


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is such an answer, even without indicators."""
    if head.root.get("data") == [] and "paging" in head.root:
        return True
    first = head.find_first("data")
    return isinstance(first, dict) and {"indicator", "type"} <= set(first)


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader for one or several answers."""
    updates = _Updates()
    return JsonRows(content, ("data",), updates.read, notes=updates.notes)


class _Updates:
    """The indicators of one file, and whether any of them has a descriptor."""

    def __init__(self) -> None:
        self._has_descriptor = False
        self._undescribed_count = 0  # indicators deleted only for lack of a descriptor

    def notes(self) -> tuple[str, ...]:
        """Return a note if no indicator has a descriptor."""
        if self._has_descriptor or not self._undescribed_count:
            return ()
        return (
            f"none of its indicators has a descriptor, so {self._undescribed_count} of them count"
            " as deleted; if they are not, ask the service for the field `descriptors`",
        )

    def read(self, builder: RecordBuilder, item: Mapping[str, Any]) -> list[Row | BadRow]:
        descriptor_field = item.get("descriptors")
        descriptors = list(_list_objects(descriptor_field))
        is_deleted = parse_truth(item.get("should_delete")) is True
        self._has_descriptor |= bool(descriptors)
        if not descriptors and not is_deleted:
            if descriptor_field is None and not _DESCRIPTOR_FIELDS.isdisjoint(item):
                return [BadRow(builder.number, None, "a descriptor, not an indicator")]
            if not _is_empty(descriptor_field):
                return [BadRow(builder.number, "descriptors", "not a list of objects")]
            self._undescribed_count += 1
        return _read_item(builder, item, descriptors, deleted=is_deleted or not descriptors)


def _find_share_levels(item: Mapping[str, Any]) -> set[str]:
    """Return the levels of an indicator and its descriptors, valid or not."""
    objects = (item, *_list_objects(item.get("descriptors")))
    return {_read_share_level(object_.get("share_level")) for object_ in objects} - {""}


def _read_share_level(level: object) -> str:
    """Return a level in upper case, or RED for a value that is not text."""
    return to_text(level).upper() if level is None or isinstance(level, str) else "RED"


def _read_item(
    builder: RecordBuilder,
    item: Mapping[str, Any],
    descriptors: list[Mapping[str, Any]],
    *,
    deleted: bool,
) -> list[Row | BadRow]:
    tags = sorted({tag for descriptor in descriptors for tag in _read_tags(descriptor)})
    kind_and_media = _find_kind(to_text(item.get("type")).upper(), tags)
    entry = to_text(item.get("id")) or None
    if kind_and_media is None and not (deleted and entry):
        return [BadRow(builder.number, "type", "unsupported type")]
    kind, media = kind_and_media or (None, None)
    if kind is not None:
        builder.add_hash(kind, item.get("indicator"))
    if media is not None:
        builder.add_label("media", media)
    for name, value in item.items():
        if name not in _HANDLED_FIELDS:
            builder.add_label(name, value)
    builder.add_label("tags", " ".join(tags))
    builder.add_label("owners", " ".join(sorted(set(map(_read_owner, descriptors)) - {""})))
    builder.add_label("share_level", " ".join(sorted(_find_share_levels(item))))
    statuses = sorted(
        {to_text(descriptor.get("status")).upper() for descriptor in descriptors} - {""}
    )
    state = State.WITHDRAWN if deleted else _decide_state(descriptors)
    categories = tuple(Category("te-status", status) for status in statuses)
    return builder.build_rows(entry, state, categories, item.get("last_updated"))


def _find_kind(type_: str, tags: list[str]) -> tuple[str, str | None] | None:
    if type_ == "DEBUG_STRING":
        signal_names = [tag.partition(":")[2] for tag in tags if tag.startswith("signal_type:")]
        return SIGNAL_TYPES.get(signal_names[0].casefold()) if len(signal_names) == 1 else None
    kind_and_media = _INDICATOR_TYPES.get(type_)
    if kind_and_media is None or kind_and_media[1] is not None:
        return kind_and_media
    for tag, media in (("media_type_photo", "image"), ("media_type_video", "video")):
        if tag in tags:
            return kind_and_media[0], media
    return kind_and_media


def _decide_state(descriptors: list[Mapping[str, Any]]) -> State:
    statuses = {to_text(descriptor.get("status")).upper() for descriptor in descriptors}
    reactions = {
        to_text(reaction.get("key")).upper()
        for descriptor in descriptors
        for reaction in _list_objects(descriptor.get("reactions"))
    }
    negative = "NON_MALICIOUS" in statuses or "DISAGREE_WITH_TAGS" in reactions
    if "MALICIOUS" in statuses:
        return State.DISPUTED if negative else State.CONFIRMED
    return State.KNOWN_GOOD if statuses == {"NON_MALICIOUS"} else State.SEED


def _read_tags(descriptor: Mapping[str, Any]) -> Iterator[str]:
    for tag in _list_objects(descriptor.get("tags")):
        text = to_text(tag.get("text"))
        if text:
            yield text


def _read_owner(descriptor: Mapping[str, Any]) -> str:
    owner = descriptor.get("owner")
    return to_text(owner.get("id")) if isinstance(owner, dict) else ""


def _is_empty(field: object) -> bool:
    """Return whether a list, possibly under `data`, is missing or empty."""
    return not (field.get("data") if isinstance(field, dict) else field)


def _list_objects(field: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(field, dict):
        field = field.get("data")
    for object_ in field if isinstance(field, list) else ():
        if isinstance(object_, dict):
            yield object_
