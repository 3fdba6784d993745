"""Read JSON value by value from a file of any size, on one line or many.

This module walks the frame around the items, and Python's own parser, which is fast and bounded,
reads each item. In memory are one item, of at most `LONGEST_ITEM` characters, and one piece of the
file. Several documents in a row, and JSON Lines, are read as one.
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
    CUT_SHORT,
    Content,
    create_decoder,
    describe_not_text,
    detect_encoding,
    find_text_fault,
)

LONGEST_ITEM = 8 << 20  # characters
_PIECE = 1 << 20  # bytes read at a time
_LONGEST_TEXT = 1_000  # characters of a text beside the items, and members of an object
_SPACE = re.compile(r"[ \t\r\n]*")
# Signs of text that is unusable: escapes that may produce it, and undecodable bytes.
_SUSPECT = re.compile("\\\\u|[\ud800-\udfff]")


class Item(NamedTuple):
    """A value of a JSON text: `number` counts from 1, `trouble` is why it cannot be used."""

    number: int
    value: Any
    trouble: str | None


class JsonText:
    """A JSON text.

    `root` has the members of the last root object beside its items: the first `_SAID` characters of
    texts, and objects without their arrays and objects.
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
        self._dropped = 0  # characters dropped from the buffer
        self._ended = False
        self._suspect = False
        self._has_duplicate = False
        self._number = 0
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=_integer, parse_float=str, parse_constant=str
        ).raw_decode

    def items(
        self,
        keys: Collection[str] | None,
        check: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Iterator[Item]:
        """Yield the elements of the arrays under these folded keys of the root objects.

        Without keys, yield each root value, or the elements of root arrays. Raises ListError if the
        text cannot be read to its end, or a root value has no such array: it is then an error
        report rather than an empty page. `check` gets the `root` of each root object at its end,
        and raises ListError to refuse the text.
        """
        if keys is not None and not self.peek():
            raise self._no_array(keys)
        while start := self.peek():
            if keys is None and start == "[":
                yield from self._elements()
            elif keys is None:
                yield self._item()
            elif start == "{":
                yield from self._members(keys)
                if check is not None:
                    check(self.root)
            else:
                if start != "[":
                    self._value()  # reports damage as such
                raise self._no_array(keys)

    def children(self) -> Iterator[Item]:
        """Yield the members of the root object, or elements of the root array, as (name, value).

        The name of an array's element is -1.
        """
        array = self.peek() == "["
        for _ in self._each("[" if array else "{", "]" if array else "}"):
            name = -1 if array else self._name()
            number, value, trouble = self._item()
            yield Item(number, (name, value), trouble)

    def read_head(self, members: dict[str, Any]) -> None:
        """Read the members of the root object into `said`, with only the first element of arrays.

        The first element of a root array is stored under "". Members read before damage stay.
        """
        if self.peek() == "[":
            for _ in self._each("[", "]"):
                members[""] = self._value()
                break
            return
        for _ in self._each("{", "}"):
            key = self._name().casefold()
            if self.peek() == "[":
                members[key] = []
                for _ in self._each("[", "]"):
                    value = self._value()
                    if not members[key]:
                        members[key].append(value)
            else:
                members[key] = self._value()

    def _members(self, keys: Collection[str]) -> Iterator[Item]:
        self.root = {}
        has_array = False
        for _ in self._each("{", "}"):
            if self.peek() != '"':
                raise self._wrong()
            key = self._name().casefold()
            if key in keys and self.peek() == "[":
                has_array = True
                yield from self._elements()
            else:
                self.root.setdefault(key, _shortened(self._value()))
        if not has_array:
            raise self._no_array(keys)

    def _elements(self) -> Iterator[Item]:
        for _ in self._each("[", "]"):
            yield self._item()

    def _each(self, begin: str, end: str) -> Iterator[None]:
        """Yield once for each of the comma-separated values between two marks."""
        self._take(begin)
        more = self.peek() != end
        while more:
            yield
            more = self.peek() == ","
            self._position += more
        self._take(end)

    def _name(self) -> str:
        name = str(self._value())
        self._take(":")
        return name

    def _item(self) -> Item:
        self._number += 1
        self._has_duplicate = False
        value = self._value()
        trouble = "a field given twice" if self._has_duplicate else None
        if self._suspect and trouble is None:
            trouble = _trouble_in(value)
        return Item(self._number, value, trouble)

    def _value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decode(self._buffer, self._position)
            except RecursionError:
                place = f"the value at character {self._character}"
                raise ListError(
                    f"{self._content.name}: its JSON is nested too deeply, in {place}"
                ) from None
            except ValueError:
                if not self._fill():
                    raise self._wrong() from None
                continue
            # A number may continue in the next piece.
            if end < len(self._buffer) or not self._fill():
                self._position = end
                return value

    def peek(self) -> str:
        """Return the next character that is not a space, "" at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._position)
            self._position = match.end() if match else self._position
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._fill():
                return ""

    def _take(self, mark: str) -> None:
        if self.peek() != mark:
            raise self._wrong()
        self._position += 1

    def _fill(self) -> bool:
        """Read on and drop consumed text; return False at the end or if a value is too long.

        A value that does not end is read in growing pieces, to limit how often it is parsed.
        """
        rest = self._buffer[self._position :]
        if self._ended or len(rest) > LONGEST_ITEM:
            return False
        piece = self._read(max(_PIECE, len(rest)))
        self._dropped += self._position
        self._buffer, self._position = rest + piece, 0
        self._suspect = _SUSPECT.search(self._buffer) is not None or "\0" in self._buffer
        return True

    def _read(self, size: int) -> str:
        piece = ""
        while not piece and not self._ended:
            raw = self._content.read(size)
            self._ended = not raw
            try:
                piece = self._text.decode(raw, final=self._ended)
            except UnicodeDecodeError:  # the file ends within a character
                piece = CUT_SHORT
        return piece

    @property
    def _character(self) -> int:
        return self._dropped + self._position + 1

    def _no_array(self, keys: Collection[str]) -> ListError:
        names = " or ".join(sorted(keys))
        return ListError(
            f"{self._content.name}: its JSON, read up to character {self._character},"
            f" has no array {names!r}, in which a list of this format stands; is it the report of"
            " an error?"
        )

    def _wrong(self) -> ListError:
        name = self._content.name
        if len(self._buffer) - self._position > LONGEST_ITEM:
            return ListError(
                f"{name}: a value of its JSON, at character {self._character}, is not"
                f" well-formed or longer than {LONGEST_ITEM} characters"
            )
        if self._ended and self._position >= len(self._buffer.rstrip()):
            return ListError(
                f"{name}: its JSON ends too early, after character"
                f" {self._dropped + len(self._buffer)}; was it cut short?"
            )
        return ListError(
            f"{name}: its JSON cannot be read from character {self._character} on;"
            " it is damaged, or was cut short"
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        self._has_duplicate |= len(made) != len(pairs)
        return made


def _shortened(value: Any) -> Any:
    """Shorten a value beside the items; it may be as long as an item."""
    if isinstance(value, dict):
        some = list(value.items())[:_LONGEST_TEXT]
        return {name: _shortened(one) for name, one in some if not isinstance(one, (dict, list))}
    return (
        value[:_LONGEST_TEXT]
        if isinstance(value, str)
        else None
        if isinstance(value, list)
        else value
    )


def _integer(digits: str) -> int | str:
    """Parse an integer; leave long ones as text, as ids need, and since Python limits digits."""
    return int(digits) if len(digits) < 16 else digits


def _trouble_in(value: Any) -> str | None:
    """Return why any text in a value is unusable; not recursive, since it may be deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            reason = find_text_fault(one)
            if reason is not None:
                return reason
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
    return None


class JsonHead(NamedTuple):
    """The start of a JSON text.

    `first` is the first element of a root array, or the root object as far as it could be read,
    with folded keys and only the first element of arrays.
    """

    array: bool
    first: Any

    @property
    def root(self) -> dict[str, Any]:
        """The root object, empty if the root is another value."""
        return self.first if isinstance(self.first, dict) and not self.array else {}

    def first_under(self, key: str) -> Any:
        """Return the first element of an array under a folded key of the root object, or None."""
        elements = self.root.get(key)
        return elements[0] if isinstance(elements, list) and elements else None


def head_of(content: Content) -> JsonHead:
    """Parse the first bytes of a JSON text."""
    text = JsonText(Content(io.BytesIO(content.head), content.name))
    members: dict[str, Any] = {}
    array = False
    with contextlib.suppress(ListError):
        array = text.peek() == "["
        text.read_head(members)
    return JsonHead(array, members.get("") if array else members)
