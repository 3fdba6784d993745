"""Page: the HTML that notices and the status page share. It stands alone: no script, nothing that
is loaded, no link; whatever comes from a case, a partner or a file is text in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

from screener.hotline.language.translator import Translator
from screener.reporting.pages.html import head, text


def escaped(message: str) -> str:
    """What a Translator said, as text in HTML: it may hold what isolates its parts."""
    return escape(message, quote=True)


def bdi(message: str) -> str:
    """The same by itself, in the direction that its own letters have."""
    return f"<bdi>{escaped(message)}</bdi>"


def isolated(value: object) -> str:
    """A foreign value by itself, in the direction that its own letters have."""
    return f"<bdi>{text(value)}</bdi>"


def code(value: object) -> str:
    """A reference, an address or a hash: from left to right whatever stands around it."""
    return f'<bdi dir="ltr" class="code">{text(value)}</bdi>'


def fill(message: str, **values: str) -> str:
    """A message, already translated, as HTML: its values are HTML already."""
    return escaped(message).format(**values)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table that scrolls by itself where the window is narrow; its cells are HTML already."""
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in rows)
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide" tabindex="0"><table>{inner}</table></div>\n'


def definition_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they stand for; HTML already."""
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in pairs)}</dl>\n"


def page(opening: str, say: Translator, title: str, body: str) -> str:
    """A whole page in a language and its direction, behind its opening; `title` is as a Translator
    said it, `body` is HTML.
    """
    style = files("screener.hotline.language").joinpath("page.css").read_text(encoding="utf-8")
    return (
        f'{opening}\n<html lang="{say.language}" dir="{say.direction}">'
        f"{head(escaped(title), style)}"
        f"<body><main>\n<h1>{escaped(title)}</h1>\n{body}</main></body></html>\n"
    )
