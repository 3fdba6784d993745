"""Tech Against Terrorism's hash list: a `results` array with an id, a digest and its algorithm.

Terrorist content is another harm than child abuse: import it into a separate list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screener.hashing.hash import KINDS
from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import Gathered, JsonRows, text_of, truth_of
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

NAME = "tat"
_KINDS = {**{name: name for name in KINDS}, "tmk": "tmk_pdqf"}
_READ = frozenset(("id", "hash_digest", "algorithm", "deleted", "updated_on", "ideology"))


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text is such a list, possibly without changes."""
    if head.root.get("results") == [] and "checkpoint" in head.root:
        return True
    first = head.first_under("results")
    return isinstance(first, dict) and {"hash_digest", "algorithm"} <= set(first)


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader of one or several pages."""
    return JsonRows(content, ("results",), _read)


def _read(gathered: Gathered, item: Mapping[str, Any]) -> list[Row | BadRow]:
    entry = text_of(item.get("id")) or None
    deleted = truth_of(item.get("deleted"))
    if deleted is None and item.get("deleted") is not None:
        return [BadRow(gathered.number, "deleted", "neither true nor false")]
    algorithm = text_of(item.get("algorithm")).casefold()
    kind = _KINDS.get(algorithm.replace("-", "").replace("+", "_"))
    if kind is not None:
        gathered.hash(kind, item.get("hash_digest"))
    elif not (deleted and entry):
        return [BadRow(gathered.number, "algorithm", "unsupported type")]
    for name, value in item.items():
        if name not in _READ:
            gathered.label(name, value)
    ideology = text_of(item.get("ideology"))
    categories = (Category("tcap-ideology", ideology),) if ideology else ()
    state = State.WITHDRAWN if deleted else State.CONFIRMED
    return gathered.rows(entry, state, categories, item.get("updated_on"))
