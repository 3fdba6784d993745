"""Parse and check the columns of a list's database; `schema` has the tables.

The parsers raise one of `row_checks.DAMAGE_ERRORS` if a text is damaged.
"""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from screener.arguments import integer
from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import PDQ_BYTES, check_vpdq
from screener.lists.states import State
from screener.lists.terms import TLP
from screener.system.row_checks import BLOB, COUNT, TEXT, TIME, Forms, Table, fits, one_of, or_null

SEGMENT_NAME = re.compile(r"[a-z0-9]+-[0-9]{8,}-[0-9a-f]{16}\.(idx|gone)", re.ASCII)
STATE = one_of(State)
KIND = one_of(KINDS)
_SIZES = " ".join(f"WHEN '{kind.name}' THEN {kind.size}" for kind in KINDS.values() if kind.bits)
# A hash whose kind is in the column `kind`; its `Forms` need the function `reads_vpdq`.
VALUE = (
    f"{BLOB} AND CASE WHEN t.kind = 'vpdq' THEN reads_vpdq({{c}})"
    f" ELSE length({{c}}) = CASE t.kind {_SIZES} END END"
)
QUALITY = or_null("typeof({c}) = 'integer' AND {c} BETWEEN 0 AND 100")
_GENERATIONS = {"since": COUNT, "until": or_null(COUNT)}


def parse_labels(text: str) -> dict[str, str]:
    """Return labels from a JSON object of strings."""
    labels = {} if text == "{}" else json.loads(text)
    if type(text) is not str or type(labels) is not dict or set(map(type, labels.values())) - {str}:
        raise ValueError("no labels")
    return labels


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """Return categories, as (scheme, code), from a JSON array of pairs of strings."""
    pairs = [(scheme, code) for scheme, code in json.loads(text)]
    if type(text) is not str or {type(part) for pair in pairs for part in pair} - {str}:
        raise ValueError("no categories")
    return pairs


def parse_counts(text: str) -> list[tuple[str, str, tuple[str, ...], bool, int]]:
    """Return the groups of records of a generation from JSON.

    A group has a source, a state, kinds, whether there are hashes that are not compared, and a
    count.
    """
    groups = []
    for source, state, kinds, aside, count in json.loads(text):
        if type(source) is not str or type(aside) is not bool or integer(count) < 1:
            raise ValueError("no counts")
        names = tuple(KINDS[kind].name for kind in kinds)
        groups.append((source, str(State(state)), names, aside, count))
    return groups


def parse_row(text: str) -> tuple[Any, ...]:
    """Return the fields of a quarantined row.

    These are line, entry, state, hashes, categories as pairs, labels, time, and damaged kinds.
    """
    line, entry, state, stored_hashes, categories, labels, updated, damaged = json.loads(text)
    hashes = tuple(
        Hash(KINDS[kind], bytes.fromhex(value), quality) for kind, value, quality in stored_hashes
    )
    pairs = [(scheme, code) for scheme, code in categories]
    return line, entry, State(state), hashes, pairs, dict(labels.items()), updated, damaged


FORMS = Forms(
    (
        Table(
            "meta",
            {"name": TEXT, "value": TEXT},
            row=None,
        ),
        Table(
            "generations",
            {"number": COUNT, "time": TIME, "confirmed": TIME, "what": TEXT, "library": TEXT,
             "counts": fits("reads_counts"), "who": or_null(TEXT), "note": or_null(TEXT),
             "target": or_null(COUNT), "source": or_null(TEXT), "entry": or_null(TEXT)},
            row="number",
        ),
        Table(
            "imports",
            {"generation": COUNT, "time": TIME, "file": TEXT, "format": TEXT, "source": TEXT,
             "sha256": TEXT, "counts": fits("reads_import"), "who": or_null(TEXT)},
        ),
        Table(
            "records",
            {"source": TEXT, "entry": TEXT, "state": STATE, "said": STATE,
             "categories": f"({{c}} = '[]' OR {fits('reads_categories')})",
             "labels": f"({{c}} = '{{{{}}}}' OR {fits('reads_labels')})",
             "updated": or_null(TEXT), "fingerprint": BLOB, "import": COUNT, **_GENERATIONS},
        ),
        Table(
            "hashes",
            {"record": COUNT, "kind": KIND, "value": VALUE,
             "quality": QUALITY,
             "why_not": or_null(TEXT)},
            row="record",
        ),
        Table(
            "frames",
            {"record": COUNT, "value": f"{BLOB} AND length({{c}}) = {PDQ_BYTES}",
             "count": f"{COUNT} AND {{c}} > 0"},
            row="record",
        ),
        Table(
            "segments",
            {"file": fits("reads_name"), "kind": KIND, "rows": COUNT, **_GENERATIONS},
            row=None,
        ),
        Table(
            "quarantine",
            {"import": COUNT, "line": COUNT, "field": or_null(TEXT), "reason": TEXT,
             "row": or_null(fits("reads_row")), "released": or_null(COUNT)},
        ),
        Table(
            "opinions",
            {"source": TEXT, "entry": TEXT, "who": TEXT, "state": STATE, "reason": TEXT,
             "time": TIME, **_GENERATIONS},
        ),
        Table("judged", {"kind": KIND, "value": VALUE, "why_not": or_null(TEXT)}, row=None),
        Table(
            "terms",
            {"source": TEXT, "tlp": or_null(one_of(TLP)),
             "redistribution": or_null("{c} IN (0, 1)"), "expires": or_null(fits("reads_day")),
             "note": or_null(TEXT), "who": or_null(TEXT), "time": TIME},
            row=None,
        ),
    ),
    {
        "reads_vpdq": check_vpdq,
        "reads_labels": parse_labels,
        "reads_categories": parse_pairs,
        "reads_counts": parse_counts,
        "reads_import": lambda text: json.loads(text)["quarantined"].items(),
        "reads_row": parse_row,
        "reads_name": lambda text: SEGMENT_NAME.fullmatch(text)[0],  # type: ignore[index]
        "reads_day": date.fromisoformat,
    },
)  # fmt: skip
