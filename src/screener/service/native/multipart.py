"""Multipart bodies: several files in one request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from screener.service.problems import Problem

MAX_FILES = 64
_MAX_HEADER_BYTES = 8 << 10  # of a part


@dataclass
class Part:
    """A part of a multipart body; `filename` is None for a field of a form."""

    name: str | None = None
    filename: str | None = None
    content: bytes = b""


@dataclass
class _Collector:
    """The parts that a parser finds."""

    parts: list[Part] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    header_name: bytes = b""
    header_value: bytes = b""
    header_bytes: int = 0
    ended: bool = False

    def on_part_begin(self) -> None:
        if len(self.parts) == MAX_FILES:
            raise Problem(413, "too_many_files", f"a request may have {MAX_FILES} files")
        self.parts.append(Part())
        self.pieces = []
        self.header_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.pieces.append(data[start:end])

    def on_part_end(self) -> None:
        self.parts[-1].content = b"".join(self.pieces)

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self.header_name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self.header_value += data[start:end]

    def on_header_end(self) -> None:
        if self.header_name.lower() == b"content-disposition":
            _, options = parse_options_header(self.header_value)
            self.parts[-1].name = _decode(options.get(b"name"))
            self.parts[-1].filename = _decode(options.get(b"filename"))
        self.header_name = self.header_value = b""

    def on_end(self) -> None:
        self.ended = True

    def _count(self, count: int) -> None:
        self.header_bytes += count
        if self.header_bytes > _MAX_HEADER_BYTES:
            raise Problem(400, "bad_multipart", "the header of a part is too large")


def _decode(text: bytes | None) -> str | None:
    return None if text is None else text.decode("utf-8", "replace")


def is_multipart(content_type: str) -> bool:
    """Return whether a content type is that of a form with files."""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def parse_multipart(content_type: str, body: Iterable[bytes]) -> list[Part]:
    """Return the parts of a body in pieces. Raises a Problem if it is malformed or too many."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise Problem(400, "bad_multipart", "the content type of the form names no boundary")
    collector = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.on_part_begin,
                "on_part_data": collector.on_part_data,
                "on_part_end": collector.on_part_end,
                "on_header_field": collector.on_header_field,
                "on_header_value": collector.on_header_value,
                "on_header_end": collector.on_header_end,
                "on_end": collector.on_end,
            },
        )
        for piece in body:
            parser.write(piece)
        parser.finalize()
    except (FormParserError, ValueError):
        collector.ended = False
    if not collector.ended:
        raise Problem(400, "bad_multipart", "the form is malformed or cut short")
    return collector.parts
