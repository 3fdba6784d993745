"""Read XML element by element from a file of any size: no DTD, no entities, bounded depth.

Python's Expat parses it piece by piece. A document type declaration is refused before anything in
it can be expanded or fetched.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from screener.errors import ListError
from screener.lists.formats.content import Content

DEEPEST = 64
LONGEST_TOKEN = 1 << 20  # bytes of one tag, comment or the like
LONGEST_ENTRY_TEXT = 8 << 20  # characters in one wanted element
MOST_ELEMENTS = 50_000  # in one wanted element
_PIECE = 1 << 16


@dataclass
class Element:
    """An element with its content; names have no namespace."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, name: str) -> Element | None:
        """Return the first child of that name."""
        return next((one for one in self.children if one.name == name), None)

    def text_of(self, name: str) -> str:
        """Return the text of the first child of that name, "" without one."""
        child = self.child(name)
        return "" if child is None else child.text.strip()


class XmlText:
    """The wanted elements of a document, each dropped after it was yielded."""

    def __init__(
        self, content: Content, wanted: frozenset[str], *, of: frozenset[str] = frozenset()
    ) -> None:
        """Prepare the parser.

        `wanted` are local names; elements inside a wanted one belong to it. All children of
        elements in `of` are wanted too.
        """
        self.root: tuple[str, str] | None = None  # its namespace and its local name
        self._content = content
        self._wanted = wanted
        self._of = of
        self._names: list[str] = []  # of the open elements, from the root
        self._open: list[Element] = []
        self._texts: list[list[str]] = []  # the pieces of text of each open element
        self._done: list[Element] = []
        self._kept = 0
        self._elements = 0
        # Expat joins namespace and local name with this.
        self._parser = parser = expat.ParserCreate(namespace_separator="\n")
        parser.buffer_text = True  # otherwise Expat calls back for each line
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.EntityDeclHandler = self._refuse_doctype
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def elements(self) -> Iterator[Element]:
        """Yield the wanted elements; raise ListError if the document is not well-formed."""
        fed = 0
        piece = b"-"
        while piece:
            piece = self._content.read(_PIECE)
            fed += len(piece)
            try:
                self._parser.Parse(piece, not piece)
            except expat.ExpatError as error:
                raise ListError(
                    f"{self._content.name}, line {error.lineno}: its XML cannot be read"
                    f" ({expat.ErrorString(error.code)})"
                ) from None
            if fed - self._parser.CurrentByteIndex > LONGEST_TOKEN:
                raise self._wrong("a tag or comment is too long")
            done, self._done = self._done, []
            yield from done

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        space, _, name = full.rpartition("\n")
        if self.root is None:
            self.root = (space, name)
        parent = self._names[-1] if self._names else ""
        self._names.append(name)
        if len(self._names) > DEEPEST:
            raise self._wrong("its elements are nested too deeply")
        if not self._open:
            self._elements = self._kept = 0
        if not self._open and name not in self._wanted and parent not in self._of:
            return
        self._elements += 1
        self._count(sum(map(len, attributes.values())))
        line = self._parser.CurrentLineNumber
        local = {key.rpartition("\n")[2]: value for key, value in attributes.items()}
        element = Element(name, local, line)
        if self._open:
            self._open[-1].children.append(element)
        self._open.append(element)
        self._texts.append([])

    def _end(self, _: str) -> None:
        self._names.pop()
        if self._open:
            element = self._open.pop()
            element.text = "".join(self._texts.pop())
            if not self._open:
                self._done.append(element)

    def _characters(self, text: str) -> None:
        if self._open:
            self._count(len(text))
            self._texts[-1].append(text)

    def _count(self, characters: int) -> None:
        self._kept += characters
        if self._kept > LONGEST_ENTRY_TEXT or self._elements > MOST_ELEMENTS:
            raise self._wrong("an entry is too long")

    def _refuse_doctype(self, *_: object) -> None:
        raise self._wrong("it declares a document type or entities, which no list needs; refused")

    def _wrong(self, what: str) -> ListError:
        return ListError(f"{self._content.name}, line {self._parser.CurrentLineNumber}: {what}")


def root_of(content: Content) -> tuple[str, str]:
    """Return the namespace and local name of the root; raise ListError if the head has none."""
    text = XmlText(Content(io.BytesIO(content.head), content.name), frozenset())
    try:
        for _ in text.elements():
            pass
    except ListError:  # the head usually ends in the middle
        if text.root is None:
            raise
    if text.root is None:
        raise ListError(f"{content.name} is XML without an element")
    return text.root
