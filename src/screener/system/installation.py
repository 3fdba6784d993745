"""The library's version, and the optional dependencies ("extras") that are installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from screener.errors import MediaError

__version__ = "0.1.0"

_MODULE_BY_EXTRA = {"arrow": "pyarrow", "cloud": "fsspec", "heif": "pillow_heif", "video": "av"}
# Major versions whose interface this library uses, as in pyproject.toml.
_SUPPORTED_MAJOR_VERSIONS = {"video": range(18, 20)}

# Extras that decode inputs. The other extras add kinds of hashes and commands, not formats.
EXTRAS = tuple(_MODULE_BY_EXTRA)


def format_install(extra: str) -> str:
    """Return the command that installs an extra.

    On PyPI, `screener` is another project.
    """
    return f"pip install 'media-screener[{extra}]'"


def describe_extra(extra: str) -> str:
    """Return the name of an extra for a message, with the command that installs it."""
    return f"the extra `{extra}` ({format_install(extra)})"


def make_missing_error(extra: str, feature: str) -> MediaError:
    """Return the error for a file with a `feature` that only a missing extra can decode."""
    return MediaError("unsupported", f"{feature} needs {describe_extra(extra)}", extra)


def load_extra(extra: str) -> bool:
    """Import an extra and return whether its version is supported.

    Raises any exception that a broken installation raises.
    """
    module = import_module(_MODULE_BY_EXTRA[extra])
    if extra not in _SUPPORTED_MAJOR_VERSIONS:
        return True
    return int(module.__version__.partition(".")[0]) in _SUPPORTED_MAJOR_VERSIONS[extra]


@cache
def is_available(extra: str) -> bool:
    """Return whether an extra can be imported; a broken installation counts as missing."""
    try:
        return load_extra(extra)
    except Exception:  # a broken installation may raise anything
        return False
