"""Names by which columns and fields state a kind of hash."""

from __future__ import annotations

from collections.abc import Mapping

from screener.hashing.hash import KINDS

_NO_SEPARATORS = str.maketrans("", "", " -_")
_FORMS = ("{}", "{}hash", "hash{}")


def folded(name: str) -> str:
    """Fold case, and drop spaces, hyphens and underscores."""
    return name.casefold().translate(_NO_SEPARATORS)


BY_NAME: Mapping[str, str] = {form.format(folded(name)): name for name in KINDS for form in _FORMS}
"""The kinds by such names, folded: `PDQ`, `pdq hash`, `hash_md5`, `SHA-256`."""


def kind_of_field(name: str) -> str | None:
    """Return the kind whose hashes a column or field of that name has, or None."""
    return BY_NAME.get(folded(name))
