"""Scans on a Ray cluster: `scan`, and `screen` for datasets of Ray Data.

Needs the extra `ray`; nothing else of this package imports it (docs/ray.md).
"""

from screener.system.installation import describe_extra, format_install

try:
    import ray as _ray
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"screener.scanning.ray needs {describe_extra('ray')}", name=error.name
    ) from error

if not hasattr(_ray, "__version__"):  # a folder named ray, such as Ray leaves in /tmp
    raise ModuleNotFoundError(f"screener.scanning.ray needs {describe_extra('ray')}", name="ray")
# Anyone who reaches the ports of an older private cluster could run programs.
if tuple(map(int, _ray.__version__.split(".")[:2])) < (2, 60):
    raise ImportError(
        f"screener.scanning.ray needs Ray 2.60 or newer, not {_ray.__version__}:"
        f" {format_install('ray')}"
    )

from screener.scanning.ray.cluster_scan import scan
from screener.scanning.ray.dataset import screen

__all__ = ["scan", "screen"]
