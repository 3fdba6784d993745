"""HTML of notices and the status page, without scripts, links or external files.

All values of cases, partners and files are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

from screener.hotline.language.translator import Translator
from screener.reporting.pages.html import head, text


def escape_text(message: str) -> str:
    """Return a Translator's text as HTML, with its isolation marks."""
    return escape(message, quote=True)


def bdi(message: str) -> str:
    """Return a Translator's text as HTML, isolated in its own direction."""
    return f"<bdi>{escape_text(message)}</bdi>"


def isolate(value: object) -> str:
    """Return a foreign value as HTML, isolated in its own direction."""
    return f"<bdi>{text(value)}</bdi>"


def code(value: object) -> str:
    """Return a reference, address or hash as HTML, left to right."""
    return f'<bdi dir="ltr" class="code">{text(value)}</bdi>'


def fill(message: str, **values: str) -> str:
    """Return a translated message as HTML, filled with values that are HTML."""
    return escape_text(message).format(**values)


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of HTML cells, which scrolls in a narrow window."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide" tabindex="0"><table>{inner}</table></div>\n'


def definition_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a definition list of names and values in HTML."""
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in pairs)}</dl>\n"


def page(opening: str, translate: Translator, title: str, body: str) -> str:
    """Return a page in the translator's language and direction.

    `title` is a translated text, `body` is HTML.
    """
    style = files("screener.hotline.language").joinpath("page.css").read_text(encoding="utf-8")
    return (
        f'{opening}\n<html lang="{translate.language}" dir="{translate.direction}">'
        f"{head(escape_text(title), style)}"
        f"<body><main>\n<h1>{escape_text(title)}</h1>\n{body}</main></body></html>\n"
    )
