"""Results as Arrow tables and Parquet files.

A row is a result line: its fields as columns, with those of the first match beside them, and its
matches and other hits as lists of structures. docs/data.md describes the columns. Needs the extra
`arrow`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from screener.errors import OutputError
from screener.scanning.result_lines import (
    IDENTITY_DTYPE,
    LineIdentity,
    find_superseded,
    read_lines,
)
from screener.screening.result import SCHEMA, Result
from screener.system.files import write_atomically
from screener.system.installation import describe_extra, is_available

_ROW_GROUP_ROWS = 8192
_MARK = b"screener.results"  # a key of the metadata, whose value is the version of the schema
_MAX_INTEGER = 1 << 63

# The fields of the first match that have columns of their own.
_FIRST = ("list", "source", "entry", "state", "kind", "distance", "evidence")
_MEDIA = ("width", "height", "frames", "duration", "samples")


def check_arrow(purpose: str) -> None:
    """Raise OutputError, which names the extra, if pyarrow is missing."""
    if not is_available("arrow"):
        raise OutputError(f"{purpose} needs {describe_extra('arrow')}")


@cache
def make_schema() -> Any:
    """Return the Arrow schema of results."""
    import pyarrow as pa

    text, whole, real, small = pa.string(), pa.int64(), pa.float64(), pa.int32()
    span = pa.list_(real)
    video = pa.struct([
        ("rule", text), ("found", whole), ("listed", whole), ("found_percent", real),
        ("agreeing", whole), ("usable", whole), ("agreeing_percent", real), ("input_span", span),
        ("listed_span", span),
    ])  # fmt: skip
    opinion = pa.struct([("state", text), ("by", text), ("reason", text), ("time", text)])
    hit = pa.struct([
        ("list", text), ("source", text), ("entry", text), ("state", text), ("kind", text),
        ("by", text), ("distance", small), ("radius", small), ("evidence", real),
        ("threshold", small), ("view", text), ("orientation", text), ("region", text),
        ("box", pa.list_(small)), ("part", small), ("part_kind", text), ("time", real),
        ("category", pa.list_(pa.struct([("scheme", text), ("code", text)]))),
        ("source_state", text), ("opinions", pa.list_(opinion)), ("video", video),
        ("uncorroborated", pa.bool_()), ("shadow", pa.bool_()), ("derived", pa.bool_()),
    ])  # fmt: skip
    appearance = pa.struct([
        ("list", text), ("source", text), ("entry", text), ("state", text), ("kind", text),
        ("distance", small), ("frames", small), ("spans", pa.list_(span)), ("part_kind", text),
    ])  # fmt: skip
    list_state = pa.struct([
        ("name", text), ("generation", whole), ("stamp", text), ("age_s", whole), ("mode", text)
    ])  # fmt: skip
    return pa.schema(
        [
            pa.field("input", text), pa.field("input_bytes", pa.binary()),
            ("archives", pa.list_(whole)), ("same", pa.list_(whole)),
            ("bytes", whole), ("mtime_ns", whole), ("verdict", text), ("reason", text),
            ("detail", text), ("extra", text), ("media_type", text), ("width", small),
            ("height", small), ("frames", small), ("duration", real), ("samples", small),
            *((name, hit.field(name).type) for name in _FIRST),
            ("match_count", small), ("other_hit_count", small),
            ("matches", pa.list_(hit)), ("other_hits", pa.list_(hit)),
            ("timeline", pa.list_(appearance)),
            ("members", pa.struct([(n, small) for n in ("match", "no_match", "unscreened")])),
            ("effort", text), ("lists", pa.list_(list_state)), ("policy", text),
            ("versions", pa.struct([("screener", text), ("pixels", small), ("kernel", text)])),
            ("seconds", real),
        ],
        metadata={_MARK: str(SCHEMA)},
    )  # fmt: skip


def to_arrow(results: Iterable[Result]) -> Any:
    """Return Results as a `pyarrow.Table`, in their order.

    Call its `to_pandas()`, or pass it to polars or DuckDB. Raises OutputError if pyarrow is
    missing.
    """
    check_arrow("to_arrow")
    import pyarrow as pa

    lines = (result.to_json().encode("utf-8", "replace") for result in results)
    batches = list(_make_batches(map(json.loads, lines)))
    return pa.Table.from_batches(batches, make_schema())


def write_parquet(results: str | PathLike[str], path: str | PathLike[str]) -> None:
    """Write a file of results as a Parquet file, readable by its owner only; replace that.

    Of each input the newest lines count, as in a report. Row groups have 8,192 rows, so that memory
    holds 16 bytes a line. Raises OutputError if pyarrow is missing, a line is not a result, or an
    existing file has other content; OSError if it cannot be written.
    """
    check_parquet(path)
    import pyarrow.parquet as pq

    source = Path(results)
    superseded = find_superseded(_read_identities(source))
    with (
        write_atomically(Path(path), sync=False) as (handle,),
        open(handle, "wb", closefd=False) as stream,
        pq.ParquetWriter(stream, make_schema(), compression="zstd") as writer,
    ):
        for batch in _make_batches(_parse_counted(source, superseded)):
            writer.write_batch(batch)


def check_parquet(path: str | PathLike[str]) -> None:
    """Raise OutputError if pyarrow is missing, or a file exists that has no results."""
    check_arrow("writing Parquet")
    import pyarrow.parquet as pq

    try:
        if Path(path).stat().st_size == 0 or _MARK in (pq.read_schema(path).metadata or {}):
            return
    except FileNotFoundError:
        return
    except (OSError, ValueError):  # Arrow's errors are of both kinds
        pass
    raise OutputError(
        f"{path} holds something else than results, and would be lost: name another file, or remove"
        " that one first"
    )


def _read_identities(path: Path) -> Any:
    hashes = bytearray()
    for number, line in enumerate(read_lines(path), start=1):
        try:
            hashes += LineIdentity.from_line(json.loads(line)).hashes()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise OutputError(f"{path}, line {number}: not a result of this version") from None
    return np.frombuffer(hashes, IDENTITY_DTYPE)


def _parse_counted(path: Path, superseded: Any) -> Iterator[Mapping[str, Any]]:
    skipped = iter([*superseded.tolist(), -1])
    next_skipped = next(skipped)
    for number, line in enumerate(read_lines(path)):
        if number == next_skipped:
            next_skipped = next(skipped)
        else:
            yield json.loads(line)


def _make_batches(lines: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    import pyarrow as pa

    rows = map(_make_row, lines)
    while batch := list(islice(rows, _ROW_GROUP_ROWS)):
        yield pa.RecordBatch.from_pylist(batch, schema=make_schema())


def _make_row(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a parsed result line."""
    from base64 import b64decode

    raw, media, time = line.get("input_base64"), line["media"] or {}, line["mtime_ns"]
    first = line["matches"][0] if line["matches"] else {}
    is_long = time is not None and not -_MAX_INTEGER <= time < _MAX_INTEGER
    return {
        **line,
        "input_bytes": None if raw is None else b64decode(raw),
        "mtime_ns": None if is_long else time,
        "media_type": media.get("type"),
        **{name: media.get(name) for name in _MEDIA},
        **{name: first.get(name) for name in _FIRST},
        "match_count": len(line["matches"]),
        "other_hit_count": len(line["other_hits"]),
        "matches": [_make_hit(hit) for hit in line["matches"]],
        "other_hits": [_make_hit(hit) for hit in line["other_hits"]],
        "lists": [{"mode": "enforce", **one} for one in line["lists"]],
        "versions": {**line["versions"]},
    }


def _make_hit(hit: Mapping[str, Any]) -> dict[str, Any]:
    return {"shadow": False, "uncorroborated": False, "derived": False, **hit}
