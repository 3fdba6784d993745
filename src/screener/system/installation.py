"""The library's version, and the optional dependencies ("extras") that are installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from screener.errors import MediaError

__version__ = "0.1.0"


_MODULES = {"heif": "pillow_heif", "video": "av"}
_SERVING = {"video": range(18, 20)}  # versions, as in pyproject.toml: others have other calls

EXTRAS = tuple(_MODULES)
"""Those that an input may need to be screened: HEIC and HEIF; every codec, and key frames."""


def format_install(extra: str) -> str:
    """Return what to type in a checkout to have it. On PyPI `screener` is another project."""
    return f"pip install '.[{extra}]'"


def describe_extra(extra: str) -> str:
    """Return an extra as a sentence names it, with what to type to have it."""
    return f"the extra `{extra}` ({format_install(extra)} in a checkout)"


def make_missing_error(extra: str, what: str) -> MediaError:
    """Return the error for `what` can only be decoded with an extra that is missing."""
    return MediaError("unsupported", f"{what} needs {describe_extra(extra)}", extra)


def load_extra(extra: str) -> bool:
    """Load an extra, and say whether its version serves; raises what a broken one raises."""
    module = import_module(_MODULES[extra])
    return extra not in _SERVING or int(module.__version__.partition(".")[0]) in _SERVING[extra]


@cache
def is_available(extra: str) -> bool:
    """Whether an extra can be used now. It is loaded, since one that is there may be broken."""
    try:
        return load_extra(extra)
    except Exception:  # whatever a broken one raises
        return False
