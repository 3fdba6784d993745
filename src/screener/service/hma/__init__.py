"""The API of Meta's hasher-matcher-actioner (HMA), over hash lists as its banks."""

from screener.service.hma.routing import routes

__all__ = ["routes"]
