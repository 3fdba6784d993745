"""Project VIC's VICS hash sets, 1.x and 2.0: a `value` array of media in an OData envelope.

Field names are compared without case. An entry is identified by its MD5, since `MediaID` repeats;
rows with one MD5 are further opinions on it. The meaning of a category depends on the scheme. A 2.0
file of the US or the UK names it. All others need it named, because two schemes swap 0 and 5. Files
of a case, paths, thumbnails and Exif data are personal, and dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from screener.errors import ListError, counted
from screener.hashing.hash import KINDS
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import (
    Gathered,
    JsonRows,
    fields_of,
    has_duplicate,
    text_of,
)
from screener.lists.formats.json_text import JsonHead, head_of
from screener.lists.formats.kind_names import kind_of_field
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row, derive_entry

NAME = "vics"
_CONTEXTS = ("@odata.context", "odata.metadata")
_ADDRESS = re.compile(
    r".*/DataModels/(?P<version>\d+\.\d+)\.xml(?:/(?P<region>\w+))?(?:/\$metadata)?#(?P<what>\w+)",
    re.IGNORECASE,
)
_INTEGER = re.compile(r"(\d+)\.0+", re.ASCII)  # 1.0, as some tools write 1
_ORDER = {name: place for place, name in enumerate(KINDS)}  # MD5 before other digests
_DROPPED = frozenset(("relativefilepath", "miniature", "exifs", "mediafiles"))
_READ = frozenset(("category", "alternativehashes", "dateupdated"))
_NO_LABELS = _READ | _DROPPED
_ONCE = _READ | frozenset(KINDS)

# Uncategorised images, legal ones and unknown codes never match.
SCHEMES: Mapping[str, Mapping[str, State]] = {
    "vics-us-2.0": {
        "0": State.KNOWN_GOOD,  # non-pertinent
        "1": State.CONFIRMED,
        "2": State.CONFIRMED,
        "3": State.SEED,  # drawn or computer-made
        "4": State.SEED,  # comparison
        "5": State.SEED,  # uncategorised
    },
    "vics-us-legacy": {
        "0": State.SEED,  # uncategorised
        "1": State.CONFIRMED,
        "2": State.DISPUTED,  # not illegal, or the age is in doubt
        "3": State.SEED,
        "4": State.SEED,
        "5": State.KNOWN_GOOD,  # non-pertinent
    },
    "vics-uk": {
        "0": State.SEED,
        "1": State.CONFIRMED,  # A, B and C
        "2": State.CONFIRMED,
        "3": State.CONFIRMED,
        "4": State.SEED,
        "5": State.SEED,
    },
}
_BY_REGION = {"us": "vics-us-2.0", "uk": "vics-uk"}


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is a VICS set, by its context or its media."""
    if _address_of(head.root) is not None:
        return True
    first = head.first_under("value")
    return isinstance(first, dict) and {"mediaid", "md5"} <= set(fields_of(first))


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader of one or several hash sets of one scheme.

    Raises ListError for a case file, or if the scheme is not known.
    """
    first = head_of(content).first
    scheme, states = _scheme_of(content.name, first if isinstance(first, dict) else {}, options)

    def check(root: Mapping[str, Any]) -> None:
        # The context may follow the media, and other sets may follow.
        if _scheme_of(content.name, root, options)[0] != scheme:
            raise ListError(
                f"{content.name} holds sets of different schemes, whose numbers mean different"
                " things; import them one by one"
            )

    media = _Media(scheme, states, options.state)
    return JsonRows(content, ("value",), media.read, notes=media.notes, check=check)


def _scheme_of(
    name: str, root: Mapping[str, Any], options: Options
) -> tuple[str, Mapping[str, State]]:
    """Return the scheme of a set's categories and their states, from the file and the options.

    Raises ListError if they are unknown, or if it is not a hash set.
    """
    address = _address_of(root)
    if address is not None:
        _check_address(name, address, options)
    mapping = options.mapping
    scheme = options.scheme or (mapping and mapping.scheme) or _of_region(address)
    if not scheme and options.state is State.KNOWN_GOOD:
        scheme = f"operator:{options.source}"
    states = SCHEMES.get(scheme or "") or (mapping and mapping.states)
    if scheme is None or (not states and options.state is None):
        raise ListError(
            f"{name} does not say what its categories mean; name their scheme with --scheme, one of"
            f" {', '.join(SCHEMES)}, or your own with a [states] table in a mapping file"
        )
    return scheme, states or {}


def _address_of(root: Mapping[str, Any]) -> re.Match[str] | None:
    """Match the address of the data model that a text states, if it does."""
    addresses = (_ADDRESS.fullmatch(text_of(root.get(context))) for context in _CONTEXTS)
    return next((match for match in addresses if match is not None), None)


def _check_address(name: str, address: re.Match[str], options: Options) -> None:
    """Refuse a case file, and, unless a state is set, a version used for innocent files too."""
    if address["what"].casefold() == "cases":
        raise ListError(
            f"{name} is the export of a case, not a hash set; it holds what was found on someone's"
            " disk, innocent files too"
        )
    if address["version"].startswith("1.2") and options.state is None:
        raise ListError(
            f"{name} is VICS {address['version']}, in which sets of known innocent files go round"
            " too; say which it is with --state confirmed or --state known_good"
        )


def _of_region(address: re.Match[str] | None) -> str | None:
    if address is None or address["version"] != "2.0":
        return None
    return _BY_REGION.get((address["region"] or "").casefold())


class _Media:
    """The rows of a hash set."""

    def __init__(self, scheme: str, states: Mapping[str, State], default: State | None) -> None:
        self._scheme = scheme
        self._states = states
        self._default = State.SEED if states or default is None else default
        self._unknown_category = 0  # records of a category that the scheme does not name
        self._uncategorised = 0  # records without a readable category

    def notes(self) -> tuple[str, ...]:
        """Return notes on the records that cannot match for lack of a valid category."""
        counts = (
            (self._unknown_category, f"a category that {self._scheme} does not name"),
            (self._uncategorised, "no category"),
        )
        return tuple(
            f"{counted(count, 'record')} with {what}: taken as seeds, which match nothing"
            for count, what in counts
            if count
        )

    def read(self, gathered: Gathered, item: Mapping[str, Any]) -> list[Row | BadRow]:
        if has_duplicate(item, _ONCE):
            return [BadRow(gathered.number, None, "a field given twice")]
        fields = fields_of(item)
        hashes = {name: kind for name in item if (kind := kind_of_field(name)) is not None}
        for name in sorted(hashes, key=lambda name: _ORDER[hashes[name]]):
            gathered.hash(hashes[name], item[name])
        _add_alternatives(gathered, fields.get("alternativehashes"))
        for name, value in item.items():
            if name not in hashes and name.casefold() not in _NO_LABELS:
                gathered.label(name, value)
        # 0 is a valid category.
        category = fields.get("category")
        code = _code(category)
        if self._states and code not in self._states:
            self._unknown_category += bool(code)
            self._uncategorised += not code
        state = self._states.get(code, self._default)
        categories = () if category is None or not code else (Category(self._scheme, code),)
        digests = [item for item in gathered.hashes if item.kind.digest]
        entry = derive_entry(digests[:1]) if digests else None
        return gathered.rows(entry, state, categories, fields.get("dateupdated"))


def _add_alternatives(gathered: Gathered, alternatives: object) -> None:
    """Add the hashes of a list of names and values, or of one; label unknown kinds."""
    if not alternatives:
        return
    for one in alternatives if isinstance(alternatives, list) else [alternatives]:
        fields = fields_of(one) if isinstance(one, dict) else {}
        if not {"hashname", "hashvalue"} <= set(fields):
            why = "not a name and a value"
            gathered.bad.append(BadRow(gathered.number, "AlternativeHashes", why))
            continue
        name = text_of(fields["hashname"])
        kind = kind_of_field(name)
        if kind is not None:
            gathered.hash(kind, fields["hashvalue"])
        else:
            gathered.label(f"AlternativeHashes {name}".strip(), fields["hashvalue"])


def _code(category: object) -> str:
    """Return the code of a category; `1.0` becomes `1`."""
    text = text_of(category)
    whole = _INTEGER.fullmatch(text)
    return text if whole is None else whole[1]
