"""Match images against lists of hashes of known abuse material: exact, indexed, never silent.

Each public name is loaded when it is first used.
"""

from importlib import import_module as _import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from screener.errors import ScreenerError
    from screener.hashing.hash import Hash, HashKind
    from screener.index.hamming import HammingIndex
    from screener.index.segments import SegmentedIndex
    from screener.lists.exporting.bloom_filter import EdgeFilter
    from screener.lists.hashlist import HashList
    from screener.lists.store.records import NewRecord
    from screener.lists.terms import Terms
    from screener.reporting import audit, output
    from screener.scanning.cache.hash_cache import HashCache
    from screener.scanning.pool import Pool
    from screener.scanning.rescan import rescan
    from screener.scanning.scan import scan
    from screener.screening.policy import Policy
    from screener.screening.result import Match, Reason, Result, Verdict
    from screener.screening.screener import Screener
    from screener.system.installation import __version__

__all__ = [
    "EdgeFilter",
    "HammingIndex",
    "Hash",
    "HashCache",
    "HashKind",
    "HashList",
    "Match",
    "NewRecord",
    "Policy",
    "Pool",
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

_MODULES = {
    "EdgeFilter": "lists.exporting.bloom_filter",
    "HammingIndex": "index.hamming",
    "Hash": "hashing.hash",
    "HashCache": "scanning.cache.hash_cache",
    "HashKind": "hashing.hash",
    "HashList": "lists.hashlist",
    "Match": "screening.result",
    "NewRecord": "lists.store.records",
    "Policy": "screening.policy",
    "Pool": "scanning.pool",
    "Reason": "screening.result",
    "Result": "screening.result",
    "Screener": "screening.screener",
    "ScreenerError": "errors",
    "SegmentedIndex": "index.segments",
    "Terms": "lists.terms",
    "Verdict": "screening.result",
    "__version__": "system.installation",
    "audit": "reporting.audit",
    "output": "reporting.output",
    "rescan": "scanning.rescan",
    "scan": "scanning.scan",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'screener' has no attribute '{name}'")
    try:
        module = _import(f"screener.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        if error.name != "screener._core":
            raise
        raise ImportError(
            "the core of screener was not built for this Python; run `pip install .` in a checkout",
            name=error.name,
        ) from None
    value = module if name in ("audit", "output") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
