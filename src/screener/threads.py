"""Threads: how many of them a call may use."""

from __future__ import annotations

from typing import Any

from screener.errors import HashError
from screener.whole import within

MOST = 1024


def checked(threads: Any) -> int:
    """A number of threads; HashError unless it is a whole number from 1 to MOST."""
    count = within(threads, 1, MOST)
    if count is None:
        raise HashError(f"threads are a whole number from 1 to {MOST}, not {threads!r}")
    return count
