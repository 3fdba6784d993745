"""Read XML element by element from a file of any size.

Python's Expat parses the file piece by piece; the depth is limited. A document type declaration is
refused before anything in it can be expanded or fetched.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from screener.errors import ListError
from screener.lists.formats.content import Content

MAX_DEPTH = 64
MAX_TOKEN_BYTES = 1 << 20  # a tag or comment
MAX_ENTRY_CHARS = 8 << 20  # text and attributes of one wanted element
MAX_ENTRY_ELEMENTS = 50_000  # elements inside one wanted element
_PIECE_BYTES = 1 << 16


@dataclass
class Element:
    """An element with its content; names are without namespace."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find_child(self, name: str) -> Element | None:
        """Return the first child of that name, or None."""
        return next((child for child in self.children if child.name == name), None)

    def find_text(self, name: str) -> str:
        """Return the text of the first child of that name, or "" if there is none."""
        child = self.find_child(name)
        return "" if child is None else child.text.strip()

    def find_grandchildren(self, name: str) -> list[Element]:
        """Return the children of all children of that name."""
        return [
            grandchild
            for child in self.children
            if child.name == name
            for grandchild in child.children
        ]

    def find_descendants(self, name: str) -> Iterator[Element]:
        """Yield all elements of that name inside this one."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.find_descendants(name)


class XmlText:
    """The wanted elements of a document; only one is in memory at a time."""

    def __init__(
        self,
        content: Content,
        wanted_names: frozenset[str],
        *,
        within: frozenset[str] = frozenset(),
    ) -> None:
        """Prepare the parser.

        `wanted_names`: local names; elements inside a wanted one belong to it.
        `within`: local names of elements whose children are all wanted too.
        """
        self.root: tuple[str, str] | None = None  # namespace and local name
        self._content = content
        self._wanted_names = wanted_names
        self._within = within
        self._open_names: list[str] = []  # names of the open elements, from the root
        self._open_elements: list[Element] = []
        self._texts: list[list[str]] = []  # the pieces of text of each open element
        self._finished: list[Element] = []
        self._characters_kept = 0
        self._element_count = 0
        # Expat joins namespace and local name with the separator.
        self._parser = parser = expat.ParserCreate(namespace_separator="\n")
        parser.buffer_text = True  # otherwise Expat calls back for each line
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = self._end_element
        parser.CharacterDataHandler = self._add_characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.EntityDeclHandler = self._refuse_doctype
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def read_elements(self) -> Iterator[Element]:
        """Yield the wanted elements; raise ListError if the document is not well-formed."""
        fed_bytes = 0
        piece = b"-"
        while piece:
            piece = self._content.read(_PIECE_BYTES)
            fed_bytes += len(piece)
            try:
                self._parser.Parse(piece, not piece)
            except expat.ExpatError as error:
                raise ListError(
                    f"{self._content.name}, line {error.lineno}: its XML cannot be read"
                    f" ({expat.ErrorString(error.code)})"
                ) from None
            if fed_bytes - self._parser.CurrentByteIndex > MAX_TOKEN_BYTES:
                raise self._build_error("a tag or comment is too long")
            elements, self._finished = self._finished, []
            yield from elements

    def _start_element(self, full: str, attributes: dict[str, str]) -> None:
        space, _, name = full.rpartition("\n")
        if self.root is None:
            self.root = (space, name)
        parent = self._open_names[-1] if self._open_names else ""
        self._open_names.append(name)
        if len(self._open_names) > MAX_DEPTH:
            raise self._build_error("its elements are nested too deeply")
        if not self._open_elements:
            self._element_count = self._characters_kept = 0
        if (
            not self._open_elements
            and name not in self._wanted_names
            and parent not in self._within
        ):
            return
        self._element_count += 1
        self._count_characters(sum(map(len, attributes.values())))
        line = self._parser.CurrentLineNumber
        local = {key.rpartition("\n")[2]: value for key, value in attributes.items()}
        element = Element(name, local, line)
        if self._open_elements:
            self._open_elements[-1].children.append(element)
        self._open_elements.append(element)
        self._texts.append([])

    def _end_element(self, _: str) -> None:
        self._open_names.pop()
        if self._open_elements:
            element = self._open_elements.pop()
            element.text = "".join(self._texts.pop())
            if not self._open_elements:
                self._finished.append(element)

    def _add_characters(self, text: str) -> None:
        if self._open_elements:
            self._count_characters(len(text))
            self._texts[-1].append(text)

    def _count_characters(self, characters: int) -> None:
        self._characters_kept += characters
        if self._characters_kept > MAX_ENTRY_CHARS or self._element_count > MAX_ENTRY_ELEMENTS:
            raise self._build_error("an entry is too long")

    def _refuse_doctype(self, *_: object) -> None:
        raise self._build_error(
            "it declares a document type or entities, which no list needs; refused"
        )

    def _build_error(self, problem: str) -> ListError:
        return ListError(f"{self._content.name}, line {self._parser.CurrentLineNumber}: {problem}")


def parse_root(content: Content) -> tuple[str, str]:
    """Return the root's namespace and local name; raise ListError if the head has no root."""
    text = XmlText(Content(io.BytesIO(content.head), content.name), frozenset())
    try:
        for _ in text.read_elements():
            pass
    except ListError:  # the head usually ends within the document
        if text.root is None:
            raise
    if text.root is None:
        raise ListError(f"{content.name} is XML without an element")
    return text.root
