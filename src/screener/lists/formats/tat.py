"""Tech Against Terrorism's hash list: a `results` array of ids, digests and their algorithms.

It lists terrorist content, not child abuse: import it into a separate list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screener.hashing.hash import KINDS
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import JsonRows, RecordBuilder, parse_truth, to_text
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "tat"
_KIND_BY_ALGORITHM = {**{name: name for name in KINDS}, "tmk": "tmk_pdqf"}
_HANDLED_FIELDS = frozenset(("id", "hash_digest", "algorithm", "deleted", "updated_on", "ideology"))


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is such a list, even without entries."""
    if head.root.get("results") == [] and "checkpoint" in head.root:
        return True
    first = head.find_first("results")
    return isinstance(first, dict) and {"hash_digest", "algorithm"} <= set(first)


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader for one or several pages."""
    return JsonRows(content, ("results",), _read_item)


def _read_item(builder: RecordBuilder, item: Mapping[str, Any]) -> list[Row | BadRow]:
    entry = to_text(item.get("id")) or None
    deleted = parse_truth(item.get("deleted"))
    if deleted is None and item.get("deleted") is not None:
        return [BadRow(builder.number, "deleted", "neither true nor false")]
    algorithm = to_text(item.get("algorithm")).casefold()
    kind = _KIND_BY_ALGORITHM.get(algorithm.replace("-", "").replace("+", "_"))
    if kind is not None:
        builder.add_hash(kind, item.get("hash_digest"))
    elif not (deleted and entry):
        return [BadRow(builder.number, "algorithm", "unsupported type")]
    for name, value in item.items():
        if name not in _HANDLED_FIELDS:
            builder.add_label(name, value)
    ideology = to_text(item.get("ideology"))
    categories = (Category("tcap-ideology", ideology),) if ideology else ()
    state = State.WITHDRAWN if deleted else State.CONFIRMED
    return builder.build_rows(entry, state, categories, item.get("updated_on"))
