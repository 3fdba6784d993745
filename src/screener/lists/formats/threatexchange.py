"""ThreatExchange's answers to `threat_updates`: a `data` array of indicators with descriptors.

An indicator without a descriptor is deleted, whatever it says; where none of a file has one, the
summary says so, for then the field may not have been asked for. A row that is itself a descriptor,
as in an answer to `threat_descriptors`, is no indicator without one, and is set aside. Its status
is what its owners hold of it: malicious is a match, not malicious against it a dispute, anything
else a lead. The address of the next page holds the reader's own secret and is never kept. Each
descriptor has a `share_level`, a level of the Traffic Light Protocol by its older names: it binds
the indicator.
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
_TYPES = {
    "HASH_PDQ": ("pdq", "image"),
    "HASH_MD5": ("md5", None),
    "HASH_VIDEO_MD5": ("md5", "video"),
    "HASH_SHA1": ("sha1", None),
    "HASH_SHA256": ("sha256", None),
    "HASH_VIDEO_SHA256": ("sha256", "video"),
    "HASH_PHOTODNA": ("photodna", "image"),
    "HASH_TMK": ("tmk_pdqf", "video"),
}
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
_READ = frozenset(
    ("id", "indicator", "type", "last_updated", "should_delete", "descriptors", "share_level")
)
# What a descriptor says, and an indicator leaves to its descriptors.
_OF_DESCRIPTORS = frozenset(("raw_indicator", "status", "owner", "privacy_type", "review_status"))


def recognises(head: JsonHead) -> bool:
    """Whether a JSON text is such an answer: its first item has an indicator and a type, or it has
    none and says how it is paged, as where nothing has changed.
    """
    if head.root.get("data") == [] and "paging" in head.root:
        return True
    first = head.first_under("data")
    return isinstance(first, dict) and {"indicator", "type"} <= set(first)


def open_rows(content: Content, options: Options) -> JsonRows:
    """The reader of such an answer, or of several in a row."""
    updates = _Updates()
    return JsonRows(content, ("data",), updates.read, notes=updates.notes)


class _Updates:
    """The indicators of one file, and whether any of them has a descriptor."""

    def __init__(self) -> None:
        self._described = False
        self._bare = 0  # indicators that nothing but the want of a descriptor deletes

    def notes(self) -> tuple[str, ...]:
        """What to know of a file that says nothing of what anybody holds of its indicators."""
        if self._described or not self._bare:
            return ()
        return (
            f"none of its indicators has a descriptor, by which {self._bare} of them count as"
            " deleted; if they are not, ask the service for the field `descriptors`",
        )

    def read(self, gathered: Gathered, item: Mapping[str, Any]) -> list[Row | BadRow]:
        said = item.get("descriptors")
        descriptors = list(_listed(said))
        gone = truth_of(item.get("should_delete")) is True
        self._described |= bool(descriptors)
        if not descriptors and not gone:
            if said is None and not _OF_DESCRIPTORS.isdisjoint(item):
                return [BadRow(gathered.number, None, "a descriptor, not an indicator")]
            if not _empty(said):
                return [BadRow(gathered.number, "descriptors", "not a list of objects")]
            self._bare += 1
        return _read(gathered, item, descriptors, deleted=gone or not descriptors)


def _share_levels(item: Mapping[str, Any]) -> set[str]:
    """What an indicator and its descriptors have as their level, whatever it is."""
    said = (item, *_listed(item.get("descriptors")))
    return {_share_level(one.get("share_level")) for one in said} - {""}


def _share_level(said: object) -> str:
    """A level as it is written; what is no text is none that can be read, and so RED."""
    return text_of(said).upper() if said is None or isinstance(said, str) else "RED"


def _read(
    gathered: Gathered,
    item: Mapping[str, Any],
    descriptors: list[Mapping[str, Any]],
    *,
    deleted: bool,
) -> list[Row | BadRow]:
    tags = sorted({tag for one in descriptors for tag in _tags(one)})
    found = _kind(text_of(item.get("type")).upper(), tags)
    entry = text_of(item.get("id")) or None
    if found is None and not (deleted and entry):
        return [BadRow(gathered.number, "type", "unsupported type")]
    kind, media = found or (None, None)
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
    found = _TYPES.get(type_)
    if found is None or found[1] is not None:
        return found
    for tag, media in (("media_type_photo", "image"), ("media_type_video", "video")):
        if tag in tags:
            return found[0], media
    return found


def _state(descriptors: list[Mapping[str, Any]]) -> State:
    """What the owners and those who react hold of an indicator together."""
    statuses = {text_of(one.get("status")).upper() for one in descriptors}
    reactions = {
        text_of(reaction.get("key")).upper()
        for one in descriptors
        for reaction in _listed(one.get("reactions"))
    }
    negative = "NON_MALICIOUS" in statuses or "DISAGREE_WITH_TAGS" in reactions
    if "MALICIOUS" in statuses:
        return State.DISPUTED if negative else State.CONFIRMED
    return State.KNOWN_GOOD if statuses == {"NON_MALICIOUS"} else State.SEED


def _tags(descriptor: Mapping[str, Any]) -> Iterator[str]:
    for tag in _listed(descriptor.get("tags")):
        text = text_of(tag.get("text"))
        if text:
            yield text


def _owner(descriptor: Mapping[str, Any]) -> str:
    owner = descriptor.get("owner")
    return text_of(owner.get("id")) if isinstance(owner, dict) else ""


def _empty(said: object) -> bool:
    """Whether a list, which may stand under `data`, has nothing in it, or there is none."""
    return not (said.get("data") if isinstance(said, dict) else said)


def _listed(said: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a list, which may stand under `data`."""
    if isinstance(said, dict):
        said = said.get("data")
    for one in said if isinstance(said, list) else ():
        if isinstance(one, dict):
            yield one
