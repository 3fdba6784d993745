"""Cases that repeat the paths of other cases with another number or width: one kernel runs them
all; the others, and the sanitizers, run one of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def besides(kept: object, cases: Iterable[Any]) -> list[Any]:
    """The cases of a test, all of them `thorough` besides the one that is run everywhere."""
    thorough = pytest.mark.thorough
    return [one if one == kept else pytest.param(one, marks=thorough) for one in cases]
