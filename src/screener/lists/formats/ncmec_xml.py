"""NCMEC Hash Sharing v2: the XML of `/v2/entries`, one or several pages of a query.

An entry is identified by its member and its id, since an id is unique only within a member. A
damaged fingerprint is quarantined without its entry. A fingerprint of an unknown kind becomes a
label. A large fingerprint is only linked; it becomes a label without the link, which must not be
stored. Unknown elements among the entries are quarantined. A vote against a fingerprint makes the
entry disputed, so it still matches; only deleted entries are withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.lists.formats import paging
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import RecordBuilder
from screener.lists.formats.options import Options
from screener.lists.formats.xml_text import Element, XmlText, parse_root
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "ncmec"
NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
SCHEME = "industry-classification"
_ROOT_NAME = "queryResult"
_MEDIA_TYPES = {"image": "image", "video": "video"}
_DELETED_MEDIA_TYPES = {"deletedImage": "image", "deletedVideo": "video"}
_PAGING_NAME = "paging"
_SECTION_NAMES = frozenset(("images", "videos"))
_KIND_BY_ELEMENT = {
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha256",
    "pdna": "photodna",
    "pdq": "pdq",
    "tmk-pdqf": "tmk_pdqf",
}
_HANDLED_CHILDREN = frozenset(
    ("member", "timestamp", "id", "classification", "fingerprints", "feedback")
)
_MAX_LABEL_NAMES = 1_000


def recognises(root: tuple[str, str]) -> bool:
    """Return whether a document with that root (namespace, name) is of this format."""
    return root[1] == _ROOT_NAME and root[0] in (NAMESPACE, "")


class NcmecXml:
    """The entries of one or several pages; `notes` says if another page follows."""

    unit = "line"

    def __init__(self, content: Content, options: Options) -> None:
        if not recognises(parse_root(content)):
            raise ListError(
                f"{content.name} is not an answer of NCMEC's hash sharing, version 2, to a query"
                " for entries"
            )
        names = frozenset((*_MEDIA_TYPES, *_DELETED_MEDIA_TYPES, _PAGING_NAME))
        self._text = XmlText(content, names, within=_SECTION_NAMES)
        self._label_names: dict[str, None] = {}
        self.notes: tuple[str, ...] = ()

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The labels of the entries read so far."""
        return tuple(self._label_names)

    def __iter__(self) -> Iterator[Row | BadRow]:
        for element in self._text.read_elements():
            if element.name == _PAGING_NAME:
                if element.find_text("next"):
                    self.notes = (paging.NEXT_PAGE_NOTE,)
                continue
            if element.name not in _MEDIA_TYPES and element.name not in _DELETED_MEDIA_TYPES:
                yield BadRow(element.line, None, "unsupported type")
                continue
            builder = RecordBuilder(element.line)
            yield from _read_entry(builder, element)
            if len(self._label_names) < _MAX_LABEL_NAMES:
                self._label_names.update(dict.fromkeys(builder.labels))


def _read_entry(builder: RecordBuilder, element: Element) -> list[Row | BadRow]:
    member = element.find_child("member")
    member_id = "" if member is None else member.attributes.get("id", "").strip()
    entry_id = element.find_text("id")
    if not member_id or not entry_id:
        return [BadRow(builder.number, "id" if member_id else "member", "missing")]
    entry = f"{member_id}/{entry_id}"
    updated = element.find_text("timestamp")
    builder.add_label("media", _MEDIA_TYPES.get(element.name) or _DELETED_MEDIA_TYPES[element.name])
    if element.name in _DELETED_MEDIA_TYPES:
        return builder.build_rows(entry, State.WITHDRAWN, updated=updated)
    for fingerprint in element.find_grandchildren("fingerprints"):
        _add_fingerprint(builder, fingerprint)
    votes = element.find_grandchildren("feedback")
    for vote in votes:
        name = f"{vote.name} {vote.attributes.get('type', '')}".strip()
        builder.add_label(name, _format_votes(vote))
    for child in element.children:
        if child.name not in _HANDLED_CHILDREN:
            builder.add_label(child.name, _format_unknown(child))
    code = element.find_text("classification")
    categories = (Category(SCHEME, code),) if code else ()
    is_disputed = any(vote.name == "negativeFeedback" for vote in votes)
    state = State.DISPUTED if is_disputed else State.CONFIRMED
    return builder.build_rows(entry, state, categories, updated)


def _add_fingerprint(builder: RecordBuilder, fingerprint: Element) -> None:
    text = fingerprint.text.strip()
    kind = _KIND_BY_ELEMENT.get(fingerprint.name.casefold())
    if not text:
        if "href" in fingerprint.attributes:
            builder.add_label(f"fingerprint {fingerprint.name}", "by link")
    elif kind is not None:
        builder.add_hash(kind, text)
    else:
        builder.add_label(f"fingerprint {fingerprint.name}", text)


def _format_votes(vote: Element) -> str:
    reasons = vote.find_descendants("reason")
    names = [reason.attributes["name"] for reason in reasons if "name" in reason.attributes]
    members = vote.find_descendants("member")
    ids = [member.attributes["id"] for member in members if "id" in member.attributes]
    return "; ".join((*dict.fromkeys(names), f"members {' '.join(dict.fromkeys(ids))}".strip()))


def _format_unknown(element: Element) -> str:
    """Format an unknown element and its attributes, one per line."""
    lines = [f"{key}={value}" for key, value in element.attributes.items() if key != "href"]
    lines += [element.text.strip(), *map(_format_unknown, element.children)]
    return "\n".join(filter(None, lines))
