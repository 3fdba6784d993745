"""Read JSON value by value from a file of any size.

This module walks the structure around the items; Python's own parser reads each item. Memory holds
one item, of at most `MAX_ITEM_CHARS` characters, and one piece of the file. Consecutive documents
and JSON Lines are read as one.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from screener.errors import ListError
from screener.lists.formats.content import (
    CUT_CHARACTER,
    Content,
    create_decoder,
    describe_not_text,
    detect_encoding,
    find_text_fault,
)

MAX_ITEM_CHARS = 8 << 20
_PIECE_BYTES = 1 << 20  # size of one read
_MAX_MEMBER_CHARS = 1_000  # limit of texts in `root`, and of the members of its objects
_SPACE = re.compile(r"[ \t\r\n]*")
# Signs of unusable text: escapes that may produce it, and undecodable bytes.
_SUSPECT_TEXT = re.compile("\\\\u|[\ud800-\udfff]")


class Item(NamedTuple):
    """A numbered value of a JSON text; `fault` is the reason why it is unusable, or None."""

    number: int
    value: Any
    fault: str | None


class JsonText:
    """A JSON text.

    `root` has the members of the last root object, except its items: texts shortened to
    `_MAX_MEMBER_CHARS`, and objects without their arrays and objects.
    """

    def __init__(self, content: Content) -> None:
        """Detect the encoding; raise ListError if the content is not text."""
        encoding, mark = detect_encoding(content.head)
        if encoding is None:
            raise ListError(describe_not_text(content))
        self.root: dict[str, Any] = {}
        self._content = content
        self._text = create_decoder(encoding)
        content.read(mark)
        self._buffer = ""
        self._position = 0
        self._dropped = 0  # number of characters dropped from the buffer
        self._ended = False
        self._is_suspect = False
        self._has_duplicate = False
        self._number = 0
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._build_object,
            parse_int=_parse_integer,
            parse_float=str,
            parse_constant=str,
        ).raw_decode

    def read_items(
        self,
        keys: Collection[str] | None,
        check: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Iterator[Item]:
        """Yield the elements of the arrays under these folded keys of the root objects.

        Without keys, yield each root value, or the elements of root arrays. `check` is called with
        the `root` of each root object at its end, and raises ListError to refuse the text.
        Raises ListError if the text cannot be read to its end, or if a root value has no such
        array: it is then an error report rather than an empty page.
        """
        if keys is not None and not self.peek():
            raise self._build_array_error(keys)
        while start := self.peek():
            if keys is None and start == "[":
                yield from self._read_elements()
            elif keys is None:
                yield self._read_item()
            elif start == "{":
                yield from self._read_members(keys)
                if check is not None:
                    check(self.root)
            else:
                if start != "[":
                    self._read_value()  # a damaged value gets its own error
                raise self._build_array_error(keys)

    def read_children(self) -> Iterator[Item]:
        """Yield the members of the root object or array as (name, value).

        The name of an array's element is -1.
        """
        is_array = self.peek() == "["
        for _ in self._iterate("[" if is_array else "{", "]" if is_array else "}"):
            name = -1 if is_array else self._read_name()
            number, value, fault = self._read_item()
            yield Item(number, (name, value), fault)

    def read_head(self, members: dict[str, Any]) -> None:
        """Read the members of the root object into `members`, arrays up to the first element.

        The first element of a root array is stored under "". If the text is damaged, the members
        before the damage are still stored.
        """
        if self.peek() == "[":
            for _ in self._iterate("[", "]"):
                members[""] = self._read_value()
                break
            return
        for _ in self._iterate("{", "}"):
            key = self._read_name().casefold()
            if self.peek() == "[":
                members[key] = []
                for _ in self._iterate("[", "]"):
                    value = self._read_value()
                    if not members[key]:
                        members[key].append(value)
            else:
                members[key] = self._read_value()

    def _read_members(self, keys: Collection[str]) -> Iterator[Item]:
        self.root = {}
        has_array = False
        for _ in self._iterate("{", "}"):
            if self.peek() != '"':
                raise self._build_error()
            key = self._read_name().casefold()
            if key in keys and self.peek() == "[":
                has_array = True
                yield from self._read_elements()
            else:
                self.root.setdefault(key, _shorten(self._read_value()))
        if not has_array:
            raise self._build_array_error(keys)

    def _read_elements(self) -> Iterator[Item]:
        for _ in self._iterate("[", "]"):
            yield self._read_item()

    def _iterate(self, begin: str, end: str) -> Iterator[None]:
        """Yield once for each of the comma-separated values between two marks."""
        self._take_mark(begin)
        has_more = self.peek() != end
        while has_more:
            yield
            has_more = self.peek() == ","
            self._position += has_more
        self._take_mark(end)

    def _read_name(self) -> str:
        name = str(self._read_value())
        self._take_mark(":")
        return name

    def _read_item(self) -> Item:
        self._number += 1
        self._has_duplicate = False
        value = self._read_value()
        fault = "a field given twice" if self._has_duplicate else None
        if self._is_suspect and fault is None:
            fault = _find_value_fault(value)
        return Item(self._number, value, fault)

    def _read_value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decode(self._buffer, self._position)
            except RecursionError:
                place = f"the value at character {self._character_number}"
                raise ListError(
                    f"{self._content.name}: its JSON is nested too deeply, in {place}"
                ) from None
            except ValueError:
                if not self._fill():
                    raise self._build_error() from None
                continue
            # A number may continue in the next piece.
            if end < len(self._buffer) or not self._fill():
                self._position = end
                return value

    def peek(self) -> str:
        """Return the next character that is not a space, or "" at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._position)
            self._position = match.end() if match else self._position
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._fill():
                return ""

    def _take_mark(self, mark: str) -> None:
        if self.peek() != mark:
            raise self._build_error()
        self._position += 1

    def _fill(self) -> bool:
        """Read more text; return False at the end or if a value is too long.

        The pieces grow with an unfinished value, to limit how often it is parsed again.
        """
        remaining = self._buffer[self._position :]
        if self._ended or len(remaining) > MAX_ITEM_CHARS:
            return False
        piece = self._read_piece(max(_PIECE_BYTES, len(remaining)))
        self._dropped += self._position
        self._buffer, self._position = remaining + piece, 0
        self._is_suspect = _SUSPECT_TEXT.search(self._buffer) is not None or "\0" in self._buffer
        return True

    def _read_piece(self, size: int) -> str:
        piece = ""
        while not piece and not self._ended:
            raw = self._content.read(size)
            self._ended = not raw
            try:
                piece = self._text.decode(raw, final=self._ended)
            except UnicodeDecodeError:  # the file ends within a character
                piece = CUT_CHARACTER
        return piece

    @property
    def _character_number(self) -> int:
        return self._dropped + self._position + 1

    def _build_array_error(self, keys: Collection[str]) -> ListError:
        names = " or ".join(sorted(keys))
        return ListError(
            f"{self._content.name}: its JSON, read up to character {self._character_number},"
            f" has no array {names!r}, which contains the list in this format; is it an error"
            " report?"
        )

    def _build_error(self) -> ListError:
        name = self._content.name
        if len(self._buffer) - self._position > MAX_ITEM_CHARS:
            return ListError(
                f"{name}: a value of its JSON, at character {self._character_number}, is not"
                f" well-formed or longer than {MAX_ITEM_CHARS} characters"
            )
        if self._ended and self._position >= len(self._buffer.rstrip()):
            return ListError(
                f"{name}: its JSON ends too early, after character"
                f" {self._dropped + len(self._buffer)}; was it cut short?"
            )
        return ListError(
            f"{name}: its JSON cannot be read from character {self._character_number} on;"
            " it is damaged, or was cut short"
        )

    def _build_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        object_ = dict(pairs)
        self._has_duplicate |= len(object_) != len(pairs)
        return object_


def _shorten(value: Any) -> Any:
    """Shorten a value for `root`; it may be as long as an item."""
    if isinstance(value, dict):
        members = list(value.items())[:_MAX_MEMBER_CHARS]
        return {
            name: _shorten(member)
            for name, member in members
            if not isinstance(member, (dict, list))
        }
    return (
        value[:_MAX_MEMBER_CHARS]
        if isinstance(value, str)
        else None
        if isinstance(value, list)
        else value
    )


def _parse_integer(digits: str) -> int | str:
    """Parse an integer of at most 15 digits; leave longer ones, such as ids, as text."""
    return int(digits) if len(digits) < 16 else digits


def _find_value_fault(value: Any) -> str | None:
    """Return the fault of a text inside a value, or None.

    It is not recursive, since the value may be deeply nested.
    """
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, str):
            fault = find_text_fault(node)
            if fault is not None:
                return fault
        elif isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            pending += [*node, *node.values()]
    return None


class JsonHead(NamedTuple):
    """The start of a JSON text.

    `first` is the first element of a root array, or the readable part of the root object, with
    folded keys and arrays cut to their first element.
    """

    is_array: bool
    first: Any

    @property
    def root(self) -> dict[str, Any]:
        """The root object, or an empty dict if the root is not an object."""
        return self.first if isinstance(self.first, dict) and not self.is_array else {}

    def find_first(self, key: str) -> Any:
        """Return the first element of the array under a folded root key, or None."""
        elements = self.root.get(key)
        return elements[0] if isinstance(elements, list) and elements else None


def parse_head(content: Content) -> JsonHead:
    """Parse the first bytes of a JSON text."""
    text = JsonText(Content(io.BytesIO(content.head), content.name))
    members: dict[str, Any] = {}
    is_array = False
    with contextlib.suppress(ListError):
        is_array = text.peek() == "["
        text.read_head(members)
    return JsonHead(is_array, members.get("") if is_array else members)
