"""StopNCII's hash records: a `hashRecords` array, each a full snapshot of one hash.

`hashStatus` gives the state, but a hash is withdrawn if all of its cases are. Case numbers are
personal and not stored. These are intimate images of adults: import them into a separate list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screener.lists.formats.content import Content
from screener.lists.formats.json_rows import (
    JsonRows,
    RecordBuilder,
    fold_fields,
    has_duplicate,
    to_text,
)
from screener.lists.formats.json_text import JsonHead
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row, derive_entry

NAME = "stopncii"
_KIND_AND_MEDIA = {
    "imagepdq": ("pdq", "image"),
    "videomd5": ("md5", "video"),
    "videotmk": ("tmk_pdqf", "video"),
}
_STATE_BY_STATUS = {
    "active": State.CONFIRMED,
    "received": State.SEED,
    "unknown": State.SEED,
    "withdrawn": State.WITHDRAWN,
    "deleted": State.WITHDRAWN,
}
_GONE_STATUSES = ("withdrawn", "deleted")
_HANDLED_FIELDS = frozenset(
    ("lastmodtimestamp", "signaltype", "hashvalue", "hashstatus", "casenumbers", "cspfeedbacks")
)


def recognises(head: JsonHead) -> bool:
    """Return whether a JSON text has StopNCII records."""
    return "hashrecords" in head.root


def open_rows(content: Content, options: Options) -> JsonRows:
    """Return the reader for one or several pages."""
    return JsonRows(content, ("hashrecords",), _read_item)


def _read_item(builder: RecordBuilder, item: Mapping[str, Any]) -> list[Row | BadRow]:
    if has_duplicate(item, _HANDLED_FIELDS):
        return [BadRow(builder.number, None, "a field given twice")]
    fields = fold_fields(item)
    signal = _KIND_AND_MEDIA.get(to_text(fields.get("signaltype")).casefold())
    if signal is None:
        return [BadRow(builder.number, "signalType", "unsupported type")]
    status = to_text(fields.get("hashstatus"))
    state = _STATE_BY_STATUS.get(status.casefold())
    if state is None:
        return [BadRow(builder.number, "hashStatus", "unknown state")]
    cases = fields.get("casenumbers")
    if isinstance(cases, dict) and cases and all(map(_is_gone, cases.values())):
        state = State.WITHDRAWN
    builder.add_hash(signal[0], fields.get("hashvalue"))
    builder.add_label("media", signal[1])
    for name, value in item.items():
        if name.casefold() not in _HANDLED_FIELDS:
            builder.add_label(name, value)
    feedbacks = fields.get("cspfeedbacks")
    feedback_list = (
        [feedback for feedback in feedbacks if isinstance(feedback, dict)]
        if isinstance(feedbacks, list)
        else []
    )
    if feedback_list:
        builder.add_label("CSPFeedbacks", feedback_list)
    if state is State.CONFIRMED and any(_is_contrary(feedback) for feedback in feedback_list):
        state = State.DISPUTED
    entry = derive_entry(builder.hashes) if builder.hashes else None
    categories = (Category("stopncii-status", status),)
    return builder.build_rows(entry, state, categories, fields.get("lastmodtimestamp"))


def _is_gone(case: object) -> bool:
    return to_text(case).casefold() in _GONE_STATUSES


def _is_contrary(feedback: Mapping[str, Any]) -> bool:
    return to_text(feedback.get("feedbackValue")).casefold() == "notblocked"
