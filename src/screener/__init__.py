"""Match images against lists of hashes of known abuse material: exact, indexed, never silent."""

import logging

import screener_command as _command  # noqa: F401 - before what may not load: it tells so

try:
    import screener._core as _core  # noqa: F401
except ModuleNotFoundError as _error:  # what imports it from here would speak of a circle
    raise ImportError(
        "the core of screener was not built for this Python; in a checkout `pip install .` does so",
        name=_error.name,
    ) from None

from screener import audit, output
from screener.cache import HashCache
from screener.errors import ScreenerError
from screener.hashing.hash import Hash, HashKind
from screener.index.hamming import HammingIndex
from screener.index.segments import SegmentedIndex
from screener.lists.edge import EdgeFilter
from screener.lists.hashlist import HashList
from screener.lists.terms import Terms
from screener.policy import Policy
from screener.result import Match, Reason, Result, Verdict
from screener.scanning.rescan import rescan
from screener.scanning.scan import scan
from screener.screen import Screener
from screener.version import __version__

__all__ = [
    "EdgeFilter",
    "HammingIndex",
    "Hash",
    "HashCache",
    "HashKind",
    "HashList",
    "Match",
    "Policy",
    "Reason",
    "Result",
    "Screener",
    "ScreenerError",
    "SegmentedIndex",
    "Terms",
    "Verdict",
    "__version__",
    "audit",
    "output",
    "rescan",
    "scan",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())
