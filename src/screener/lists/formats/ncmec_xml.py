"""NCMEC Hash Sharing v2: the XML of `/v2/entries`, one or several pages of a query.

An entry is identified by its member and its id, which is unique within the member only. A damaged
fingerprint is quarantined alone. One of an unknown kind, or a link to a large one, becomes a label;
the link itself must not be stored. Unknown elements among the entries are quarantined. A vote
against a fingerprint makes the entry disputed, and it still matches; only tombstones withdraw.
"""

from __future__ import annotations

from collections.abc import Iterator

from screener.errors import ListError
from screener.lists.formats import paging
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import Gathered
from screener.lists.formats.options import Options
from screener.lists.formats.xml_text import Element, XmlText, root_of
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "ncmec"
NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
SCHEME = "industry-classification"
_ROOT = "queryResult"
_LIVE = {"image": "image", "video": "video"}
_DELETED = {"deletedImage": "image", "deletedVideo": "video"}
_NEXT = "paging"
_SECTIONS = frozenset(("images", "videos"))
_KINDS = {
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha256",
    "pdna": "photodna",
    "pdq": "pdq",
    "tmk-pdqf": "tmk_pdqf",
}
_READ = frozenset(("member", "timestamp", "id", "classification", "fingerprints", "feedback"))
_MOST_NAMES = 1_000


def recognises(root: tuple[str, str]) -> bool:
    """Return whether a document with that root is of this format."""
    return root[1] == _ROOT and root[0] in (NAMESPACE, "")


class NcmecXml:
    """The entries of one page; `notes` state whether another follows."""

    unit = "line"

    def __init__(self, content: Content, options: Options) -> None:
        if not recognises(root_of(content)):
            raise ListError(
                f"{content.name} is not an answer of NCMEC's hash sharing, version 2, to a query"
                " of its entries"
            )
        wanted = frozenset((*_LIVE, *_DELETED, _NEXT))
        self._text = XmlText(content, wanted, of=_SECTIONS)
        self._names: dict[str, None] = {}
        self.notes: tuple[str, ...] = ()

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The labels of the entries read so far."""
        return tuple(self._names)

    def __iter__(self) -> Iterator[Row | BadRow]:
        for element in self._text.elements():
            if element.name == _NEXT:
                if element.text_of("next"):
                    self.notes = (paging.NEXT_PAGE_NOTE,)
                continue
            if element.name not in _LIVE and element.name not in _DELETED:
                yield BadRow(element.line, None, "unsupported type")
                continue
            gathered = Gathered(element.line)
            yield from _read(gathered, element)
            if len(self._names) < _MOST_NAMES:
                self._names.update(dict.fromkeys(gathered.labels))


def _read(gathered: Gathered, element: Element) -> list[Row | BadRow]:
    member = element.child("member")
    owner = "" if member is None else member.attributes.get("id", "").strip()
    number = element.text_of("id")
    if not owner or not number:
        return [BadRow(gathered.number, "id" if owner else "member", "missing")]
    entry = f"{owner}/{number}"
    updated = element.text_of("timestamp")
    gathered.label("media", _LIVE.get(element.name) or _DELETED[element.name])
    if element.name in _DELETED:
        return gathered.rows(entry, State.WITHDRAWN, updated=updated)
    for fingerprint in _children_of(element, "fingerprints"):
        _add_fingerprint(gathered, fingerprint)
    against = [
        vote for vote in _children_of(element, "feedback") if vote.name == "negativeFeedback"
    ]
    for vote in _children_of(element, "feedback"):
        gathered.label(f"{vote.name} {vote.attributes.get('type', '')}".strip(), _votes(vote))
    for child in element.children:
        if child.name not in _READ:
            gathered.label(child.name, _flattened(child))
    code = element.text_of("classification")
    categories = (Category(SCHEME, code),) if code else ()
    return gathered.rows(entry, State.DISPUTED if against else State.CONFIRMED, categories, updated)


def _children_of(element: Element, name: str) -> Iterator[Element]:
    for child in element.children:
        if child.name == name:
            yield from child.children


def _add_fingerprint(gathered: Gathered, fingerprint: Element) -> None:
    text = fingerprint.text.strip()
    kind = _KINDS.get(fingerprint.name.casefold())
    if not text:
        if "href" in fingerprint.attributes:
            gathered.label(f"fingerprint {fingerprint.name}", "by link")
    elif kind is not None:
        gathered.hash(kind, text)
    else:
        gathered.label(f"fingerprint {fingerprint.name}", text)


def _votes(vote: Element) -> str:
    names = [
        one.attributes["name"] for one in _descendants(vote, "reason") if "name" in one.attributes
    ]
    members = [
        one.attributes["id"] for one in _descendants(vote, "member") if "id" in one.attributes
    ]
    return "; ".join((*dict.fromkeys(names), f"members {' '.join(dict.fromkeys(members))}".strip()))


def _descendants(element: Element, name: str) -> Iterator[Element]:
    for child in element.children:
        if child.name == name:
            yield child
        yield from _descendants(child, name)


def _flattened(element: Element) -> str:
    """Format an unknown element and its attributes, one a line."""
    lines = [f"{key}={value}" for key, value in element.attributes.items() if key != "href"]
    lines += [element.text.strip(), *map(_flattened, element.children)]
    return "\n".join(filter(None, lines))
