"""Names of columns and fields that denote a kind of hash."""

from __future__ import annotations

from collections.abc import Mapping

from screener.hashing.hash import KINDS

_NO_SEPARATORS = str.maketrans("", "", " -_")
_NAME_FORMS = ("{}", "{}hash", "hash{}")


def fold_name(name: str) -> str:
    """Fold case, and drop spaces, hyphens and underscores."""
    return name.casefold().translate(_NO_SEPARATORS)


KIND_BY_NAME: Mapping[str, str] = {
    form.format(fold_name(name)): name for name in KINDS for form in _NAME_FORMS
}
"""The kinds by folded name: `pdq`, `pdqhash`, `hashmd5`, `sha256`."""


def find_kind(name: str) -> str | None:
    """Return the kind of hash in a column or field of that name, or None."""
    return KIND_BY_NAME.get(fold_name(name))
