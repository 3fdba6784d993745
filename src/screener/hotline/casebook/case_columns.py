"""Checks of the columns of a casebook; `database` has the tables."""

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

_STATE = one_of(get_args(State))
_HASH = {"kind": column_checks.KIND, "value": column_checks.VALUE, "quality": column_checks.QUALITY}
_MOMENT = fits("reads_moment")
_FLAG = "{c} IN (0, 1)"


def _moment_of(text: str) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("no zone")


def _terms_of(text: str) -> None:
    try:
        Terms(**json.loads(text))
    except ListError as error:
        raise ValueError from error


FORMS = Forms(
    (
        Table("meta", {"name": TEXT, "value": TEXT}, row=None),
        Table(
            "cases",
            {"reference": TEXT, "number": COUNT, "state": _STATE, "received": _MOMENT,
             "outcome": or_null(one_of(get_args(Outcome))),
             "basis": or_null(fits("reads_reason")), "seen": _FLAG},
            row="reference",
        ),
        Table(
            "reports",
            {"reference": TEXT, "number": COUNT, "in_case": TEXT, "received": _MOMENT,
             "content": BLOB, "language": one_of(LANGUAGES), "country": or_null(TEXT),
             "note": TEXT, "status_key": BLOB, "proof": BLOB, "withdrawn": or_null(_MOMENT)},
            row="in_case",
        ),
        Table("withdrawals", {"proof": BLOB, "at": _MOMENT}, row=None),
        Table("addresses", {"report": TEXT, "address": TEXT, "page": TEXT}, row=None),
        Table("reported", {"report": TEXT, **_HASH}, row=None),
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
            {"in_case": TEXT, "item": COUNT, "origin": TEXT, **_HASH,
             "terms": or_null(fits("reads_terms"))},
            row="in_case",
        ),
        Table(
            "entries",
            {"entry": TEXT, "in_case": TEXT, "report": or_null(TEXT), "state": column_checks.STATE,
             "by": TEXT, "written": _FLAG},
            row="in_case",
        ),
        Table(
            "events",
            {"in_case": TEXT, "state": _STATE, "at": _MOMENT, "by": TEXT,
             "reason": fits("reads_reason")},
        ),
        Table(
            "sent",
            {"notice": TEXT, "in_case": TEXT, "partner": TEXT, "at": _MOMENT,
             "acknowledged": or_null(_MOMENT), "removed": or_null(_MOMENT),
             "refused": or_null(_MOMENT), "staged": _FLAG, "written": _FLAG},
            row="in_case",
        ),
        Table("log", {"facts": fits("reads_object")}, row="seq"),
    ),
    {
        "reads_moment": _moment_of,
        "reads_object": lambda text: json.loads(text).items(),
        "reads_reason": from_json,
        "reads_terms": _terms_of,
        "reads_vpdq": check_vpdq,
    },
)  # fmt: skip
