"""StopNCII's hash records: a `hashRecords` array, each a full snapshot of one hash.

`hashStatus` decides, with the status of the cases: a hash all of whose cases are withdrawn is
withdrawn. Case numbers are personal and not stored. These are intimate images of adults: import
them into a separate list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import (
    Gathered,
    JsonRows,
    fields_of,
    has_duplicate,
    text_of,
)
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row, derive_entry

NAME = "stopncii"
_TYPES = {
    "imagepdq": ("pdq", "image"),
    "videomd5": ("md5", "video"),
    "videotmk": ("tmk_pdqf", "video"),
}
_STATES = {
    "active": State.CONFIRMED,
    "received": State.SEED,
    "unknown": State.SEED,
    "withdrawn": State.WITHDRAWN,
    "deleted": State.WITHDRAWN,
}
_GONE = ("withdrawn", "deleted")
_READ = frozenset(
    ("lastmodtimestamp", "signaltype", "hashvalue", "hashstatus", "casenumbers", "cspfeedbacks")
)


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text has StopNCII records."""
    return "hashrecords" in head.root


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader of one or several pages."""
    return JsonRows(content, ("hashrecords",), _read)


def _read(gathered: Gathered, item: Mapping[str, Any]) -> list[Row | BadRow]:
    if has_duplicate(item, _READ):
        return [BadRow(gathered.number, None, "a field given twice")]
    fields = fields_of(item)
    signal = _TYPES.get(text_of(fields.get("signaltype")).casefold())
    if signal is None:
        return [BadRow(gathered.number, "signalType", "unsupported type")]
    status = text_of(fields.get("hashstatus"))
    state = _STATES.get(status.casefold())
    if state is None:
        return [BadRow(gathered.number, "hashStatus", "unknown state")]
    cases = fields.get("casenumbers")
    if isinstance(cases, dict) and cases and all(map(_gone, cases.values())):
        state = State.WITHDRAWN
    gathered.hash(signal[0], fields.get("hashvalue"))
    gathered.label("media", signal[1])
    for name, value in item.items():
        if name.casefold() not in _READ:
            gathered.label(name, value)
    feedbacks = fields.get("cspfeedbacks")
    feedback_list = (
        [one for one in feedbacks if isinstance(one, dict)] if isinstance(feedbacks, list) else []
    )
    if feedback_list:
        gathered.label("CSPFeedbacks", feedback_list)
    if state is State.CONFIRMED and any(_against(one) for one in feedback_list):
        state = State.DISPUTED
    entry = derive_entry(gathered.hashes) if gathered.hashes else None
    categories = (Category("stopncii-status", status),)
    return gathered.rows(entry, state, categories, fields.get("lastmodtimestamp"))


def _gone(case: object) -> bool:
    return text_of(case).casefold() in _GONE


def _against(feedback: Mapping[str, Any]) -> bool:
    return text_of(feedback.get("feedbackValue")).casefold() == "notblocked"
