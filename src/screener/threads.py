"""Threads: how many of them a call may use."""

from __future__ import annotations

import operator
from typing import Any

from screener.errors import HashError

MOST = 1024


def checked(threads: Any) -> int:
    """A number of threads; HashError unless it is a whole number from 1 to MOST."""
    try:
        whole = operator.index(threads)
    except TypeError:
        raise HashError(f"threads are a whole number, not {threads!r}") from None
    if not 1 <= whole <= MOST:
        raise HashError(f"threads are 1 to {MOST}, not {whole}")
    return whole
