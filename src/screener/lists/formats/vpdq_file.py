"""The vPDQ hash of one video, in any of its four layouts.

The layouts are lines of `frame,quality,pdq,time` (the C++ tool) or `frame,pdq,quality,time` (the
Python tool), a JSON array of `pdq,quality,time`, and a JSON object of frames by number. A file is
one record. A damaged frame is quarantined, and the others are imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from screener.errors import HashError, ListError
from screener.hashing import vpdq_value
from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import VideoFrame
from screener.lists.formats.content import Content, Lines, find_text_fault
from screener.lists.formats.filled_lines import is_half_known
from screener.lists.formats.json_text import JsonHead, JsonText
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "vpdq"
_SNIFFED_FRAMES = 100  # frames of JSON
_PDQ_PATTERN = "[0-9a-f]{64}"
_TIME_PATTERN = r"\s*\d+(?:\.\d*)?(?:e[+-]?\d+)?\s*"
_LINE_LAYOUTS = (
    re.compile(
        rf"\s*(?P<n>\d+),\s*(?P<q>\d+),\s*(?P<pdq>{_PDQ_PATTERN}),(?P<t>{_TIME_PATTERN})",
        re.I | re.A,
    ),
    re.compile(
        rf"\s*(?P<n>\d+),\s*(?P<pdq>{_PDQ_PATTERN}),\s*(?P<q>\d+),(?P<t>{_TIME_PATTERN})",
        re.I | re.A,
    ),
)
_JSON_FRAME = re.compile(rf"{_PDQ_PATTERN},\d+,{_TIME_PATTERN}", re.I | re.A)


def recognises(lines: list[str]) -> bool:
    """Return whether half of the first lines are in one of the line layouts."""
    return is_half_known(
        lines, lambda line: any(layout.fullmatch(line) for layout in _LINE_LAYOUTS)
    )


def recognises_json(head: JsonHead) -> bool:
    """Return whether a JSON text is in one of the JSON layouts."""
    if head.is_array:
        return isinstance(head.first, str) and _JSON_FRAME.fullmatch(head.first) is not None
    frames = list(head.root.items())[:_SNIFFED_FRAMES]
    return bool(frames) and all(
        name.isdecimal()
        and isinstance(fields, dict)
        and {"hash", "quality", "timestamp"} <= set(fields)
        for name, fields in frames
    )


class VpdqFile:
    """The single record of a video, after its damaged frames."""

    unit = "frame"
    notes: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        self._content = content
        self._json = content.text_start[:1] in (b"[", b"{")

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield the damaged frames, then the record; raise ListError if there are too many."""
        frames: list[VideoFrame] = []
        for frame in self._read_json() if self._json else self._read_lines():
            if isinstance(frame, BadRow):
                yield frame
            else:
                frames.append(frame)
            if len(frames) > vpdq_value.MOST_FRAMES:
                raise ListError(f"{self._content.name} has too many frames for one video")
        if not frames:
            yield BadRow(1, "vpdq", "no usable hash")
            return
        hash_ = Hash(KINDS["vpdq"], vpdq_value.pack_vpdq(frames))
        yield Row(1, None, State.CONFIRMED, (hash_,), labels={"media": "video"})

    def _read_lines(self) -> Iterator[VideoFrame | BadRow]:
        for number, line in Lines(self._content):
            if line is None or find_text_fault(line):
                yield BadRow(number, "vpdq", "line too long" if line is None else "bad characters")
            elif line.strip():
                match = next((m for layout in _LINE_LAYOUTS if (m := layout.fullmatch(line))), None)
                if match is None:
                    yield BadRow(number, "vpdq", "not a frame")
                else:
                    yield _parse_frame(number, match["n"], match["pdq"], match["q"], match["t"])

    def _read_json(self) -> Iterator[VideoFrame | BadRow]:
        for number, value, fault in JsonText(self._content).read_children():
            if fault is not None:
                yield BadRow(number, "vpdq", fault)
                continue
            name, fields = value
            if isinstance(fields, str) and fields.count(",") == 2:
                yield _parse_frame(number, -1, *fields.split(","))
            elif isinstance(fields, dict) and {"hash", "quality", "timestamp"} <= set(fields):
                yield _parse_frame(
                    number, name, fields["hash"], fields["quality"], fields["timestamp"]
                )
            else:
                yield BadRow(number, "vpdq", "not a frame")


def _parse_frame(
    line: int, number: int | str, pdq: object, quality: object, time: object
) -> VideoFrame | BadRow:
    try:
        return vpdq_value.vpdq_frame(number, str(pdq), str(quality), str(time))
    except (ValueError, HashError):
        return BadRow(line, "vpdq", "not a frame")
