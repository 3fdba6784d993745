"""A stranger's reader of index files, written from `docs/internals/format.md` alone.

It imports nothing of the library, so that the page is held to be enough, and reads whole files
into memory. ValueError for whatever the page does not allow.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]
Arrays = dict[str, Numbers]
NONE = np.empty(0, np.int64)
KEYS = np.arange(1 << 16, dtype=np.uint16)


def read(path: Path, content: str) -> Arrays:
    """The arrays of a file that holds `content`, by the names of their sections."""
    raw = path.read_bytes()
    magic, version, count, holds, _, length, of_directory, of_header = struct.unpack(
        "<8sII16s16sQII", raw[:64].ljust(64, b"\0")
    )
    demand(magic == b"\x89SCRN\r\n\x1a", "is none of these files")
    demand(version <= 1, f"is of the newer version {version}")
    demand(of_header == zlib.crc32(raw[:60]) and version == 1, "its header is damaged")
    demand(holds.rstrip(b"\0").decode("ascii") == content, "holds something else")
    demand(length == len(raw) and count <= 256, "has another length")
    end = 64 + 64 * count
    demand(of_directory == zlib.crc32(raw[64:end]), "its directory is damaged")
    arrays: Arrays = {}
    for at in range(64, 64 + 64 * count, 64):
        name, array, start, stop = read_section(raw, at)
        demand(start == -(-end // 4096) * 4096, f"{name} is out of place")
        demand(name not in arrays, f"{name} occurs twice")
        demand(not raw[end:start].strip(b"\0"), f"the gap before {name} is damaged")
        arrays[name], end = array, stop
    demand(end == length, "the sections do not fill the file")
    return arrays


def read_section(raw: bytes, at: int) -> tuple[str, Numbers, int, int]:
    """The name, the array, the offset and the end of the section whose entry stands at `at`."""
    name, form, dimensions, checksum, rows, columns, offset, length = struct.unpack(
        "<16s8sIIQQQQ", raw[at : at + 64]
    )
    form = form.rstrip(b"\0").decode("ascii")
    demand(form in ("u1", "u2", "u4", "u8", "i8") and dimensions in (1, 2), "unknown form")
    data = raw[offset : offset + length]
    demand(len(data) == length and zlib.crc32(data) == checksum, f"{name!r} is damaged")
    array = np.frombuffer(data, "<" + form).reshape((rows, columns)[:dimensions])
    return name.rstrip(b"\0").decode("ascii"), array, offset, offset + length


def demand(holds: bool, what: str) -> None:
    """Raise ValueError with a message unless a condition holds."""
    if not holds:
        raise ValueError(what)


def search(file: Arrays, query: Numbers, radius: int) -> list[tuple[int, int]]:
    """Return row and distance of each code within the radius, by the tables if there are any."""
    codes, rows = file["codes"], np.arange(len(file["codes"]))
    if "directory" in file:
        rows = np.concatenate([candidates(file, "", query, radius), rest(file, query, radius)])
        rows = np.unique(rows)
        rows = rows[distances(codes[rows], query) <= radius]
        starts = file["repeat-starts"]
        again = [
            file["repeats"][starts[k] : starts[k + 1]]
            for k in np.flatnonzero(np.isin(file["heads"], rows))
        ]
        rows = np.sort(np.concatenate([rows, *again]))
    near = distances(codes[rows], query)
    return [(int(row), int(d)) for row, d in zip(rows, near, strict=True) if d <= radius]


def distances(codes: Numbers, query: Numbers) -> Numbers:
    """In how many bits each code differs from the query."""
    return np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.int64)


def candidates(file: Arrays, prefix: str, query: Numbers, radius: int) -> Numbers:
    """The rows to which the tables of that prefix lead: all within the radius, and some more."""
    parts = np.unpackbits(query, bitorder="little")[file["chunks"]]
    chunks = (parts.astype(np.uint16) << np.arange(16, dtype=np.uint16)).sum(axis=1)
    m = len(chunks)
    shares = [(c + 1) * (radius + 1) // m - c * (radius + 1) // m for c in range(m)]  # t + 1
    directory, found = file[prefix + "directory"], [NONE]
    for c in range(m):
        near = np.bitwise_count(KEYS ^ np.uint16(chunks[c]))
        keys = np.flatnonzero(near < shares[c])
        starts, ends = directory[c, keys], directory[c, keys + 1]
        slots = np.concatenate([NONE, *map(np.arange, starts, ends)]).astype(np.int64)
        spent = np.repeat(near[keys], ends - starts)
        spent += np.bitwise_count(file[prefix + "sketches"][slots] ^ np.uint16(chunks[(c + 1) % m]))
        slots = slots[spent <= shares[c] + shares[(c + 1) % m] - 1]
        found.append(follow(file, prefix, c, slots))
    return np.concatenate(found)


def follow(file: Arrays, prefix: str, table: int, slots: Numbers) -> Numbers:
    """The rows of the codes that stand in slots of a table, along the links."""
    directory = file[prefix + "directory"].astype(np.int64)
    sizes = directory[:, -1] - directory[:, 0]
    holds = np.arange(len(sizes)) % 4 == 3
    while not holds[table]:
        places = slots - directory[table, 0] + sizes[:table][~holds[:table]].sum()
        keys, table = file[prefix + "sketches"][slots], table + 1
        links = file[prefix + "links"]
        slots = directory[table, keys] + (links[:, 0] if links.ndim == 2 else links)[places]
    places = slots - directory[table, 0] + sizes[:table][holds[:table]].sum()
    return file[prefix + "rows"][places].astype(np.int64)


def rest(file: Arrays, query: Numbers, radius: int) -> Numbers:
    """The rows of codes that do not stand in the tables, as far as they can be near."""
    if "rest" in file:
        return file["rest"][distances(file["rest-codes"], query) <= radius].astype(np.int64)
    return candidates(file, "rest-", query, radius) if "rest-directory" in file else NONE


def look_up(file: Arrays, value: Numbers) -> list[int]:
    """The rows of the values that equal this one, ascending."""
    wanted = int.from_bytes(value.tobytes()[:8].ljust(8, b"\0"), "big")
    first = np.searchsorted(file["prefixes"], np.uint64(wanted), side="left")
    last = np.searchsorted(file["prefixes"], np.uint64(wanted), side="right")
    return [int(row) for row in file["order"][first:last] if (file["values"][row] == value).all()]


def removed(file: Arrays) -> list[int]:
    """The rows that no longer count."""
    return [int(row) for row in file["rows"]]


def manifest(file: Arrays) -> Any:
    """Return the content of a manifest."""
    return json.loads(file["json"].tobytes().decode("utf-8"))
