"""Rules for the columns of the casebook's tables, which `case_database` creates."""

from __future__ import annotations

import json
from datetime import datetime
from typing import get_args

from screener.errors import ListError
from screener.hashing.vpdq_value import check_vpdq
from screener.hotline.language.sentence import from_json
from screener.hotline.model.case import LANGUAGES, Outcome, State
from screener.lists.store import column_checks
from screener.lists.terms import Terms
from screener.system.row_checks import BLOB, COUNT, TEXT, Forms, Table, fits, one_of, or_null

_STATE_RULE = one_of(get_args(State))
_HASH_COLUMNS = {
    "kind": column_checks.KIND,
    "value": column_checks.VALUE,
    "quality": column_checks.QUALITY,
}
_TIME_RULE = fits("reads_moment")
_FLAG_RULE = "{c} IN (0, 1)"


def _check_time(text: str) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("no zone")


def _check_terms(text: str) -> None:
    try:
        Terms(**json.loads(text))
    except ListError as error:
        raise ValueError from error


FORMS = Forms(
    (
        Table("meta", {"name": TEXT, "value": TEXT}, row=None),
        Table(
            "cases",
            {"reference": TEXT, "number": COUNT, "state": _STATE_RULE, "received": _TIME_RULE,
             "outcome": or_null(one_of(get_args(Outcome))),
             "basis": or_null(fits("reads_reason")), "seen": _FLAG_RULE},
            row="reference",
        ),
        Table(
            "reports",
            {"reference": TEXT, "number": COUNT, "in_case": TEXT, "received": _TIME_RULE,
             "content": BLOB, "language": one_of(LANGUAGES), "country": or_null(TEXT),
             "note": TEXT, "status_key": BLOB, "proof": BLOB, "withdrawn": or_null(_TIME_RULE)},
            row="in_case",
        ),
        Table("withdrawals", {"proof": BLOB, "at": _TIME_RULE}, row=None),
        Table("addresses", {"report": TEXT, "address": TEXT, "page": TEXT}, row=None),
        Table("reported", {"report": TEXT, **_HASH_COLUMNS}, row=None),
        Table(
            "known",
            {"in_case": TEXT, "report": TEXT, "list": TEXT, "source": TEXT, "entry": TEXT,
             "state": column_checks.STATE, "kind": column_checks.KIND, "distance": COUNT},
            row="in_case",
        ),
        Table("related", {"in_case": TEXT, "other": TEXT}, row="in_case"),
        Table("proposals", {"in_case": TEXT, "by": TEXT, "basis": TEXT}, row="in_case"),
        Table(
            "held",
            {"in_case": TEXT, "item": COUNT, "origin": TEXT, **_HASH_COLUMNS,
             "terms": or_null(fits("reads_terms"))},
            row="in_case",
        ),
        Table(
            "entries",
            {"entry": TEXT, "in_case": TEXT, "report": or_null(TEXT), "state": column_checks.STATE,
             "by": TEXT, "written": _FLAG_RULE},
            row="in_case",
        ),
        Table(
            "events",
            {"in_case": TEXT, "state": _STATE_RULE, "at": _TIME_RULE, "by": TEXT,
             "reason": fits("reads_reason")},
        ),
        Table(
            "sent",
            {"notice": TEXT, "in_case": TEXT, "partner": TEXT, "at": _TIME_RULE,
             "acknowledged": or_null(_TIME_RULE), "removed": or_null(_TIME_RULE),
             "refused": or_null(_TIME_RULE), "staged": _FLAG_RULE, "written": _FLAG_RULE},
            row="in_case",
        ),
        Table("log", {"facts": fits("reads_object")}, row="seq"),
    ),
    {
        "reads_moment": _check_time,
        "reads_object": lambda text: json.loads(text).items(),
        "reads_reason": from_json,
        "reads_terms": _check_terms,
        "reads_vpdq": check_vpdq,
    },
)  # fmt: skip
