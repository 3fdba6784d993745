"""On a Ray cluster: `scan` as the local one does it, and `screen` for datasets of Ray Data.

Needs the extra `ray`. Nothing else of this package imports it: docs/ray.md.
"""

try:
    import ray as _ray  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "screener.ray needs Ray: pip install 'screener[ray]'", name=error.name
    ) from error

from screener.ray.dataset import screen
from screener.ray.scanning import scan

__all__ = ["scan", "screen"]
