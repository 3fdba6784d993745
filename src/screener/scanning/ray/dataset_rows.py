"""The inputs in the rows of a dataset, and the columns of a Result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from screener.errors import ClusterError
from screener.media.source import name_of_bytes
from screener.screening.result import Result

# One row for each Result: columns to filter by, and the result line.
COLUMNS = pa.schema(
    [
        ("input", pa.string()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
        ("bytes", pa.int64()),
        ("media_type", pa.string()),
        ("list", pa.string()),
        ("source", pa.string()),
        ("entry", pa.string()),
        ("kind", pa.string()),
        ("distance", pa.int32()),
        ("matches", pa.int32()),
        ("other_hits", pa.int32()),
        ("seconds", pa.float64()),
        ("result", pa.string()),
    ]
)


def columns_of(result: Result) -> dict[str, Any]:
    """Return a Result by column, with its nearest match."""
    nearest = result.matches[0] if result.matches else None
    return {
        "input": result.input,
        "verdict": str(result.verdict),
        "reason": None if result.reason is None else str(result.reason),
        "bytes": result.bytes,
        "media_type": None if result.media is None else result.media.type,
        **{
            name: None if nearest is None else getattr(nearest, name)
            for name in ("list", "source", "entry", "kind", "distance")
        },
        "matches": len(result.matches),
        "other_hits": len(result.other_hits),
        "seconds": result.seconds,
        "result": result.to_json(),
    }


class Contents:
    """Bytes as files in memory, since a worker process opens paths. A file is made when its turn
    comes and closed after the Results behind it, so that few are stored twice.
    """

    def __init__(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        self._values = values
        self._rows = rows
        self._descriptors: dict[str, tuple[int, int]] = {}  # by path: the row, the descriptor

    def paths(self) -> Iterator[str]:
        """Yield a path for each row, when it is asked for."""
        for row in self._rows:
            descriptor = os.memfd_create("input", os.MFD_CLOEXEC)
            path = f"/proc/{os.getpid()}/fd/{descriptor}"
            self._descriptors[path] = (row, descriptor)
            rest = memoryview(_buffer(self._values[row]))
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            yield path

    def row(self, path: str) -> int:
        """Return the row of a path; close the files before it."""
        row = self._descriptors[path][0]
        for old in [one for one, (before, _) in self._descriptors.items() if before < row]:
            os.close(self._descriptors.pop(old)[1])
        return row

    def close(self) -> None:
        """Close all files."""
        for _, descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()


def _buffer(value: Any) -> Any:
    """Return the bytes of a value of a column, without a copy if Arrow has them."""
    if hasattr(value, "as_buffer") and not isinstance(value, pa.StringScalar):
        return value.as_buffer()
    found = value.as_py()
    with contextlib.suppress(TypeError):
        view = memoryview(found)
        if view.ndim == view.itemsize == 1:
            return view
    raise ClusterError(f"contents must be bytes, not {type(found).__name__}")


def path_of(value: Any) -> str:
    """Return the path in a column: text, or bytes if it is not UTF-8."""
    found = value.as_py()
    if isinstance(found, str | bytes):
        return os.fsdecode(found)
    raise ClusterError(f"a path must be text or bytes, not {type(found).__name__}")


def renamed(result: Result, path: str, name: str | None) -> Result:
    """Return a Result of the file at `path` under the name in its row."""
    full = result.input_bytes or (result.input or "").encode()
    here, there = os.fsencode(path), os.fsencode(name or "")
    members = full[len(here) :]
    full_name = name_of_bytes(there + members)
    text = None if name is None and not members else full_name.text
    archives = tuple(length - len(here) + len(there) for length in result.archives)
    return replace(result, input=text, input_bytes=full_name.raw, archives=archives)
