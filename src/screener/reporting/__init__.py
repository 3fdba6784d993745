"""What is written: files of results, pages, tables, the audit log, a calibration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screener.screening.result import Result


def to_arrow(results: Iterable[Result]) -> Any:
    """Return Results as a `pyarrow.Table` (docs/data.md). Needs the extra `arrow`."""
    from screener.reporting import arrow

    return arrow.to_arrow(results)
