"""The common parts of HTML pages, which load nothing and have no script."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from screener.errors import printable


def text(value: object) -> str:
    """Return a foreign value as HTML text, without characters that reverse or hide others."""
    return escape(printable(value), quote=True)


def opening(command: str) -> str:
    """Return the first line of a command's pages; the command overwrites no other file."""
    return f"<!doctype html><!-- screener {command} -->"


def head(title: str, style: str) -> str:
    """Return the head of a page, which allows only this style. The title is HTML."""
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
