"""Project VIC's VICS hash sets, 1.x and 2.0: a `value` array of media in OData.

The case of field names does not matter. An entry is identified by its MD5, since `MediaID` repeats;
rows with the same MD5 are further opinions on it. The meaning of a category depends on the scheme.
Version 2.0 of the US or the UK names it; for other files the user must, because two schemes swap 0
and 5. Case files, paths, thumbnails and Exif data are personal and not stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from screener.errors import ListError, counted
from screener.hashing.hash import KINDS
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import (
    JsonRows,
    RecordBuilder,
    fold_fields,
    has_duplicate,
    to_text,
)
from screener.lists.formats.json_text import JsonHead, parse_head
from screener.lists.formats.kind_names import find_kind
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row, derive_entry

NAME = "vics"
_CONTEXT_FIELDS = ("@odata.context", "odata.metadata")
_MODEL_ADDRESS = re.compile(
    r".*/DataModels/(?P<version>\d+\.\d+)\.xml(?:/(?P<region>\w+))?(?:/\$metadata)?#(?P<contents>\w+)",
    re.IGNORECASE,
)
_INTEGER_TEXT = re.compile(r"(\d+)\.0+", re.ASCII)  # 1.0, as some tools write 1
_KIND_ORDER = {name: index for index, name in enumerate(KINDS)}  # MD5 before other digests
_DROPPED_FIELDS = frozenset(("relativefilepath", "miniature", "exifs", "mediafiles"))
_HANDLED_FIELDS = frozenset(("category", "alternativehashes", "dateupdated"))
_UNLABELLED_FIELDS = _HANDLED_FIELDS | _DROPPED_FIELDS
_SINGLE_FIELDS = _HANDLED_FIELDS | frozenset(KINDS)

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
_SCHEME_BY_REGION = {"us": "vics-us-2.0", "uk": "vics-uk"}


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is a VICS set, by its context or its media."""
    if _match_address(head.root) is not None:
        return True
    first = head.find_first("value")
    return isinstance(first, dict) and {"mediaid", "md5"} <= set(fold_fields(first))


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader for one or several hash sets of one scheme.

    Raises ListError for a case file, or if the scheme is not known.
    """
    first = parse_head(content).first
    scheme, states = _find_scheme(content.name, first if isinstance(first, dict) else {}, options)

    def check(root: Mapping[str, Any]) -> None:
        # The context may come after the media, and further sets may follow.
        if _find_scheme(content.name, root, options)[0] != scheme:
            raise ListError(
                f"{content.name} contains sets of different schemes, whose numbers have different"
                " meanings; import them one by one"
            )

    media = _MediaReader(scheme, states, options.state)
    return JsonRows(content, ("value",), media.read, notes=media.notes, check=check)


def _find_scheme(
    name: str, root: Mapping[str, Any], options: Options
) -> tuple[str, Mapping[str, State]]:
    """Return the scheme of a set's categories and the state for each category.

    Raises ListError if the options and the file name no scheme, or if it is not a hash set.
    """
    address = _match_address(root)
    if address is not None:
        _check_address(name, address, options)
    mapping = options.mapping
    scheme = options.scheme or (mapping and mapping.scheme) or _find_region_scheme(address)
    if not scheme and options.state is State.KNOWN_GOOD:
        scheme = f"operator:{options.source}"
    states = SCHEMES.get(scheme or "") or (mapping and mapping.states)
    if scheme is None or (not states and options.state is None):
        raise ListError(
            f"{name} does not name the scheme of its categories; name it with --scheme: one of"
            f" {', '.join(SCHEMES)}, or your own with a [states] table in a mapping file"
        )
    return scheme, states or {}


def _match_address(root: Mapping[str, Any]) -> re.Match[str] | None:
    """Return the match of the data model's address in the root members, or None."""
    addresses = (
        _MODEL_ADDRESS.fullmatch(to_text(root.get(context))) for context in _CONTEXT_FIELDS
    )
    return next((match for match in addresses if match is not None), None)


def _check_address(name: str, address: re.Match[str], options: Options) -> None:
    """Raise ListError for a case file, or if a version with innocent files needs a state."""
    if address["contents"].casefold() == "cases":
        raise ListError(
            f"{name} is the export of a case, not a hash set; it lists files found on someone's"
            " disk, innocent ones too"
        )
    if address["version"].startswith("1.2") and options.state is None:
        raise ListError(
            f"{name} is VICS {address['version']}, which is also used for sets of known innocent"
            " files; choose --state confirmed or --state known_good"
        )


def _find_region_scheme(address: re.Match[str] | None) -> str | None:
    if address is None or address["version"] != "2.0":
        return None
    return _SCHEME_BY_REGION.get((address["region"] or "").casefold())


class _MediaReader:
    """The rows of a hash set."""

    def __init__(self, scheme: str, states: Mapping[str, State], default: State | None) -> None:
        self._scheme = scheme
        self._states = states
        self._default = State.SEED if states or default is None else default
        self._unknown_category_count = 0  # records whose category the scheme does not define
        self._uncategorised_count = 0  # records without a readable category

    def notes(self) -> tuple[str, ...]:
        """Return notes on records that cannot match because they have no valid category."""
        counts = (
            (self._unknown_category_count, f"a category that {self._scheme} does not define"),
            (self._uncategorised_count, "no category"),
        )
        return tuple(
            f"{counted(count, 'record')} with {description}: taken as seeds, which match nothing"
            for count, description in counts
            if count
        )

    def read(self, builder: RecordBuilder, item: Mapping[str, Any]) -> list[Row | BadRow]:
        if has_duplicate(item, _SINGLE_FIELDS):
            return [BadRow(builder.number, None, "a field given twice")]
        fields = fold_fields(item)
        hashes = {name: kind for name in item if (kind := find_kind(name)) is not None}
        for name in sorted(hashes, key=lambda name: _KIND_ORDER[hashes[name]]):
            builder.add_hash(hashes[name], item[name])
        _add_alternatives(builder, fields.get("alternativehashes"))
        for name, value in item.items():
            if name not in hashes and name.casefold() not in _UNLABELLED_FIELDS:
                builder.add_label(name, value)
        # 0 is a valid category.
        category = fields.get("category")
        code = _parse_code(category)
        if self._states and code not in self._states:
            self._unknown_category_count += bool(code)
            self._uncategorised_count += not code
        state = self._states.get(code, self._default)
        categories = () if category is None or not code else (Category(self._scheme, code),)
        digests = [item for item in builder.hashes if item.kind.digest]
        entry = derive_entry(digests[:1]) if digests else None
        return builder.build_rows(entry, state, categories, fields.get("dateupdated"))


def _add_alternatives(builder: RecordBuilder, alternatives: object) -> None:
    """Add hashes from one or several pairs of name and value; unknown kinds become labels."""
    if not alternatives:
        return
    for alternative in alternatives if isinstance(alternatives, list) else [alternatives]:
        fields = fold_fields(alternative) if isinstance(alternative, dict) else {}
        if not {"hashname", "hashvalue"} <= set(fields):
            reason = "not a name and a value"
            builder.bad_rows.append(BadRow(builder.number, "AlternativeHashes", reason))
            continue
        name = to_text(fields["hashname"])
        kind = find_kind(name)
        if kind is not None:
            builder.add_hash(kind, fields["hashvalue"])
        else:
            builder.add_label(f"AlternativeHashes {name}".strip(), fields["hashvalue"])


def _parse_code(category: object) -> str:
    """Return the code of a category; `1.0` becomes `1`."""
    text = to_text(category)
    match = _INTEGER_TEXT.fullmatch(text)
    return text if match is None else match[1]
