"""The vPDQ hash of one video, in any of its four layouts.

Lines of `frame,quality,pdq,time` (the C++ tool) or `frame,pdq,quality,time` (the Python one),
distinguished by the column of the PDQ; a JSON array of `pdq,quality,time`; a JSON object of frames
by number. Each makes one record. A damaged frame is quarantined, and the others are imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from screener.errors import HashError, ListError
from screener.hashing import vpdq_value
from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import VideoFrame
from screener.lists.formats.content import Content, Lines, find_text_fault
from screener.lists.formats.filled_lines import half_are
from screener.lists.formats.json_text import JsonHead, JsonText
from screener.lists.formats.options import Options
from screener.lists.states import State
from screener.lists.store.records import BadRow, Row

NAME = "vpdq"
_JUDGED = 100  # frames of JSON
_PDQ = "[0-9a-f]{64}"
_TIME = r"\s*\d+(?:\.\d*)?(?:e[+-]?\d+)?\s*"
_LAYOUTS = (
    re.compile(rf"\s*(?P<n>\d+),\s*(?P<q>\d+),\s*(?P<pdq>{_PDQ}),(?P<t>{_TIME})", re.I | re.A),
    re.compile(rf"\s*(?P<n>\d+),\s*(?P<pdq>{_PDQ}),\s*(?P<q>\d+),(?P<t>{_TIME})", re.I | re.A),
)
_PACKED = re.compile(rf"{_PDQ},\d+,{_TIME}", re.I | re.A)


def recognises(lines: list[str]) -> bool:
    """Return whether half of the first lines are of one of the two layouts of lines."""
    return half_are(lines, lambda line: any(layout.fullmatch(line) for layout in _LAYOUTS))


def recognises_json(head: JsonHead) -> bool:
    """Return whether a JSON text is of one of the two layouts of JSON."""
    if head.array:
        return isinstance(head.first, str) and _PACKED.fullmatch(head.first) is not None
    frames = list(head.root.items())[:_JUDGED]
    return bool(frames) and all(
        name.isdecimal() and isinstance(one, dict) and {"hash", "quality", "timestamp"} <= set(one)
        for name, one in frames
    )


class VpdqFile:
    """The one record of a video, after its damaged frames."""

    unit = "frame"
    notes: tuple[str, ...] = ()
    unknown_columns: tuple[str, ...] = ()

    def __init__(self, content: Content, options: Options) -> None:
        self._content = content
        self._json = content.text_start[:1] in (b"[", b"{")

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield the damaged frames, then the record; raise ListError for too many frames."""
        frames: list[VideoFrame] = []
        for frame in self._from_json() if self._json else self._from_lines():
            if isinstance(frame, BadRow):
                yield frame
            else:
                frames.append(frame)
            if len(frames) > vpdq_value.MOST_FRAMES:
                raise ListError(f"{self._content.name} has too many frames for one video")
        if not frames:
            yield BadRow(1, "vpdq", "no usable hash")
            return
        item = Hash(KINDS["vpdq"], vpdq_value.pack_vpdq(frames))
        yield Row(1, None, State.CONFIRMED, (item,), labels={"media": "video"})

    def _from_lines(self) -> Iterator[VideoFrame | BadRow]:
        for number, line in Lines(self._content):
            if line is None or find_text_fault(line):
                yield BadRow(number, "vpdq", "line too long" if line is None else "bad characters")
            elif line.strip():
                match = next((m for layout in _LAYOUTS if (m := layout.fullmatch(line))), None)
                if match is None:
                    yield BadRow(number, "vpdq", "not a frame")
                else:
                    yield _frame(number, match["n"], match["pdq"], match["q"], match["t"])

    def _from_json(self) -> Iterator[VideoFrame | BadRow]:
        for number, value, trouble in JsonText(self._content).children():
            if trouble is not None:
                yield BadRow(number, "vpdq", trouble)
                continue
            name, one = value
            if isinstance(one, str) and one.count(",") == 2:
                yield _frame(number, -1, *one.split(","))
            elif isinstance(one, dict) and {"hash", "quality", "timestamp"} <= set(one):
                yield _frame(number, name, one["hash"], one["quality"], one["timestamp"])
            else:
                yield BadRow(number, "vpdq", "not a frame")


def _frame(
    line: int, number: int | str, pdq: object, quality: object, time: object
) -> VideoFrame | BadRow:
    try:
        return vpdq_value.vpdq_frame(number, str(pdq), str(quality), str(time))
    except (ValueError, HashError):
        return BadRow(line, "vpdq", "not a frame")
