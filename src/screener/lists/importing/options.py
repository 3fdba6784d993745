"""Wishes: what the caller of an import asks for, beside what the file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from screener.arguments import check_author, check_flags
from screener.lists.terms import Terms, check_terms


@dataclass(frozen=True)
class Wishes:
    """What the caller of an import asks for: see `HashList.import_file`."""

    strict: bool = False
    full: bool = False
    accept_shrink: bool = False
    by: str | None = None
    terms: Terms | None = None
    key: Path | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        """ListError for a yes or no, who asks, or terms, that are none."""
        check_flags(strict=self.strict, full=self.full, accept_shrink=self.accept_shrink)
        check_author(self.by)
        if self.terms is not None:
            check_terms(self.terms)
