"""The inputs in the rows of a dataset, and the columns of a Result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from screener.errors import ClusterError
from screener.media.name import name_of_bytes
from screener.screening.result import Result

# A row per Result: columns to filter by, and the result line.
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


def to_row(result: Result) -> dict[str, Any]:
    """Return the row of a Result, with its nearest match."""
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


class MemoryFiles:
    """Files in memory with the bytes of rows, since a worker process opens paths.

    A file is created when its path is asked for, and closed when the Result of a later row comes,
    so that few contents are in memory twice.
    """

    def __init__(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        self._values = values
        self._rows = rows
        self._descriptors: dict[str, tuple[int, int]] = {}  # (row, descriptor) by path

    def paths(self) -> Iterator[str]:
        """Yield a path for each row."""
        for row in self._rows:
            descriptor = os.memfd_create("input", os.MFD_CLOEXEC)
            path = f"/proc/{os.getpid()}/fd/{descriptor}"
            self._descriptors[path] = (row, descriptor)
            unwritten = memoryview(_as_buffer(self._values[row]))
            while unwritten:
                unwritten = unwritten[os.write(descriptor, unwritten) :]
            yield path

    def find_row(self, path: str) -> int:
        """Return the row of a path; close the files of earlier rows."""
        row = self._descriptors[path][0]
        earlier = [path for path, (other, _) in self._descriptors.items() if other < row]
        for earlier_path in earlier:
            os.close(self._descriptors.pop(earlier_path)[1])
        return row

    def close(self) -> None:
        """Close all files."""
        for _, descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()


def _as_buffer(value: Any) -> Any:
    """Return the bytes of a value in a column, without a copy if Arrow stores them."""
    if hasattr(value, "as_buffer") and not isinstance(value, pa.StringScalar):
        return value.as_buffer()
    content = value.as_py()
    with contextlib.suppress(TypeError):
        view = memoryview(content)
        if view.ndim == view.itemsize == 1:
            return view
    raise ClusterError(f"contents must be bytes, not {type(content).__name__}")


def read_path(value: Any) -> str:
    """Return the path in a column, which has text, or bytes for a path that is not UTF-8."""
    path = value.as_py()
    if isinstance(path, str | bytes):
        return os.fsdecode(path)
    raise ClusterError(f"a path must be text or bytes, not {type(path).__name__}")


def rename_result(result: Result, path: str, name: str | None) -> Result:
    """Return a Result of the file at `path` under the name in its row."""
    input_bytes = result.input_bytes or (result.input or "").encode()
    old, new = os.fsencode(path), os.fsencode(name or "")
    members = input_bytes[len(old) :]
    full_name = name_of_bytes(new + members)
    text = None if name is None and not members else full_name.text
    archives = tuple(length - len(old) + len(new) for length in result.archives)
    return replace(result, input=text, input_bytes=full_name.raw, archives=archives)
