"""What a caller gives to be looked up, and in which lists: checked, and as what it has to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from screener.errors import HashError, ListError
from screener.hashing.hash import Hash
from screener.lists.hashlist import HashList
from screener.media.source import Name, called

_NO_NAME = Name()


def lists_of(given: Any) -> tuple[HashList, ...]:
    """The one list or several; ListError where they are something else, such as a path."""
    several = isinstance(given, Iterable) and not isinstance(given, str)
    lists = tuple(given) if several else (given,)
    for one in lists:
        if not isinstance(one, HashList):
            raise ListError(
                f"a Screener is of HashLists, not of {type(one).__name__}: HashList.open opens one"
            )
    return lists


def hashes_of(item: Any) -> tuple[Hash, ...]:
    """The hashes of an item; HashError where they are something else, or one that stands alone."""
    several = isinstance(item, Iterable) and not isinstance(item, str | bytes)
    hashes = tuple(item) if several else (item,)
    wrong = [one for one in hashes if not isinstance(one, Hash)]
    if wrong or not several:
        found = type((wrong or hashes)[0]).__name__
        raise HashError(
            f"an item is a list of Hash objects, [Hash.parse('pdq', text)] say, and not {found}"
        )
    return hashes


def names_of(inputs: Any, count: int) -> list[Name]:
    """The names of so many items; HashError for other than so many, for one alone, whose letters
    would be names, for a set, which has no order, and for what says more than names.
    """
    if inputs is None:
        return [_NO_NAME] * count
    alone = isinstance(inputs, str | bytes) or not isinstance(inputs, Iterable)
    if alone or isinstance(inputs, set | frozenset | Mapping):
        raise HashError(f"inputs are a list of names, one an item, and not {type(inputs).__name__}")
    names = list(inputs)
    if len(names) != count:
        raise HashError(f"{len(names)} inputs name {count} items")
    return [_named(name) for name in names]


def _named(given: Any) -> Name:
    """The name of an item; HashError for a number, which no Result could carry."""
    if given is not None and not isinstance(given, str | bytes | PathLike):
        raise HashError(f"an item is named by a text, not by {type(given).__name__}")
    return called(given)
