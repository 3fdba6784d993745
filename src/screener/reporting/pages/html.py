"""HtmlPage: what all pages for people have in common. A page stands alone: no script, nothing that
is loaded; whatever comes from a file or a list is text in it.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from screener.errors import printable


def text(value: object) -> str:
    """A foreign value as text and nothing else, in HTML: without characters that turn or hide
    others.
    """
    return escape(printable(value), quote=True)


def opening(command: str) -> str:
    """How the pages of a command of ours begin, and no other page: by this it knows what it may
    write over.
    """
    return f"<!doctype html><!-- screener {command} -->"


def head(title: str, style: str) -> str:
    """The head of a page, by which a browser loads nothing, and takes no style but this one. The
    title is HTML already.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        '<meta name="referrer" content="no-referrer"/><meta name="robots" content="noindex"/>'
        '<meta name="format-detection" content="telephone=no, address=no, email=no, url=no"/>'
        f"<title>{title}</title><style>{style}</style></head>"
    )
