"""By which names a column or a field says that it holds hashes of a kind."""

from __future__ import annotations

from collections.abc import Mapping

from screener.hashing.hash import KINDS

_NO_SEPARATORS = str.maketrans("", "", " -_")
_FORMS = ("{}", "{}hash", "hash{}")


def folded(name: str) -> str:
    """A name without case, spaces, hyphens and underscores."""
    return name.casefold().translate(_NO_SEPARATORS)


BY_NAME: Mapping[str, str] = {form.format(folded(name)): name for name in KINDS for form in _FORMS}
"""The kinds by such names, folded: `PDQ`, `pdq hash`, `hash_md5`, `SHA-256`."""


def kind_of_field(name: str) -> str | None:
    """The name of the kind whose hashes a column or field of that name holds; None for others."""
    return BY_NAME.get(folded(name))
