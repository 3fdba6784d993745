"""The API of Meta's hasher-matcher-actioner (HMA), over hash lists as its banks."""

from screener.service.hma.routes import routes

__all__ = ["routes"]
