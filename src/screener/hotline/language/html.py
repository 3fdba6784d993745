"""HTML of notices and the status page, without scripts, links or anything loaded.

Whatever comes from a case, a partner or a file is text in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

from screener.hotline.language.translator import Translator
from screener.reporting.pages.html import head, text


def escaped(message: str) -> str:
    """Return a Translator's text as HTML; it may contain isolation marks."""
    return escape(message, quote=True)


def bdi(message: str) -> str:
    """Return a Translator's text as HTML, isolated in its own direction."""
    return f"<bdi>{escaped(message)}</bdi>"


def isolate(value: object) -> str:
    """Return a foreign value as HTML, isolated in its own direction."""
    return f"<bdi>{text(value)}</bdi>"


def code(value: object) -> str:
    """Return a reference, address or hash as HTML, left to right."""
    return f'<bdi dir="ltr" class="code">{text(value)}</bdi>'


def fill(message: str, **values: str) -> str:
    """Return a translated message as HTML, filled with values that are HTML."""
    return escaped(message).format(**values)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table that scrolls if the window is narrow; its cells are HTML."""
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in rows)
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide" tabindex="0"><table>{inner}</table></div>\n'


def definition_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of names and values, which are HTML."""
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in pairs)}</dl>\n"


def page(opening: str, translate: Translator, title: str, body: str) -> str:
    """Return a page in a language and its direction.

    `title` is a Translator's text, `body` is HTML.
    """
    style = files("screener.hotline.language").joinpath("page.css").read_text(encoding="utf-8")
    return (
        f'{opening}\n<html lang="{translate.language}" dir="{translate.direction}">'
        f"{head(escaped(title), style)}"
        f"<body><main>\n<h1>{escaped(title)}</h1>\n{body}</main></body></html>\n"
    )
