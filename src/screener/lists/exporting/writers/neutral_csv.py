"""Writes the neutral CSV: all that a record says, so that it reads back equal.

A text cell that a spreadsheet would take for a formula gets an apostrophe in front, as
spreadsheets write it themselves. The reader takes it off again, but for labels, which it keeps as
they are; the tally says so. A label whose name cannot head a column, or which has more lines than
a row may, goes under a name or as a text that reads back; the tally says that, too. Hashes are
never touched, but for vPDQ, whose text says less than its value; the tally says so too.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import TextIO

from screener.hashing.hash import KINDS, Hash
from screener.lists import terms
from screener.lists.exporting.writers.entry import Entry, Tally, Wants
from screener.lists.formats.cells import cleaned, looks_like_a_value
from screener.lists.formats.csv_rows import MOST_LINES
from screener.lists.formats.neutral_csv import has_meaning

NAME = "csv"
_SHORT = 10_000  # characters of labels
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(out: TextIO, entries: Iterable[Entry], tally: Tally, wants: Wants) -> None:
    """Write a header and, for each entry, as many rows as one of its kinds has hashes, or it has
    categories.

    All the labels of the list must be known before the first row, so `entries` is gone through
    twice: it is a collection, not an iterator.
    """
    kinds, labels = _columns(entries)
    qualities = [f"{name}_quality" for name in kinds if KINDS[name].perceptual]
    fixed = ["id", *kinds, *qualities, "category", "category_scheme", "status", "updated"]
    heads = {label: _head(label) for label in labels}
    binding = {
        name for label, name in heads.items() if terms.field_of(label) or terms.field_of(name)
    }
    # As the reader sees them: two that are one there share a column.
    names = list(dict.fromkeys(heads.values()))
    rows = csv.DictWriter(out, [*fixed, *names], restval="", lineterminator="\n")
    rows.writerow(dict(zip(fixed, fixed, strict=True)) | {name: _guarded(name) for name in names})
    for entry in entries:
        hashes = [one.hash for one in entry.hashes if tally.fits(one.hash)]
        labelled = _labelled(entry, heads, tally)
        for row in _rows(entry, hashes):
            rows.writerow(row | {name: _guarded(text) for name, text in labelled.items()})
            labelled = _again(labelled, binding)
        tally.wrote(entry, hashes)


def _head(label: str) -> str:
    """The name of a label as a column can have it: one line, that means nothing else and is no hash
    to the reader.
    """
    name = cleaned(" ".join(label.splitlines()))
    if not name or looks_like_a_value(name):
        name = "label"
    return f"{name} (label)" if has_meaning(name) else name


def _labelled(entry: Entry, heads: Mapping[str, str], tally: Tally) -> dict[str, str]:
    """The labels of an entry by the heads of their columns: a line for each where several have one.

    That is how the texts of labels that bind an entry are joined elsewhere, and each counts.
    """
    found: dict[str, str] = {}
    for label, text in entry.labels.items():
        name = heads[label]
        if name not in (label, f"{label} (label)"):
            tally.lost.add("names of labels that no column can have")
        found[name] = f"{found[name]}\n{text}" if name in found else text
    if sum(len(text.splitlines()) for text in found.values()) > MOST_LINES // 2:
        tally.lost.add("lines of labels that have too many for a row")
        found = {name: " ".join(text.splitlines()) for name, text in found.items()}
    if any(text.startswith(_FORMULA) for text in found.values()):
        tally.lost.add("labels that look like formulas get an apostrophe in front")
    return found


def _again(labelled: dict[str, str], binding: Container[str]) -> dict[str, str]:
    """What each further row of an entry says again of its labels: all, as long as they are short,
    or else what binds it. The rows are read back as one, and there may be a label for each of them.
    """
    if sum(map(len, labelled.values())) <= _SHORT:
        return labelled
    return {name: text for name, text in labelled.items() if name in binding}


def _columns(entries: Iterable[Entry]) -> tuple[list[str], list[str]]:
    """The kinds and labels that there are, kinds in their fixed order."""
    kinds: set[str] = set()
    labels: dict[str, None] = {}
    for entry in entries:
        kinds.update(one.hash.kind.name for one in entry.hashes)
        labels |= dict.fromkeys(entry.labels)
    # A file that names no kind is not of this format, even if all that it has is withdrawn.
    return [name for name in KINDS if name in kinds] or ["pdq"], list(labels)


def _rows(entry: Entry, hashes: Iterable[Hash]) -> list[dict[str, str]]:
    """The rows of an entry: one, unless it has two hashes of a kind or two categories."""
    rows: list[dict[str, str]] = [{}]
    filled: Counter[str] = Counter()  # how many rows, the first ones, have a kind or a category

    def put(name: str, cells: dict[str, str]) -> None:
        if filled[name] == len(rows):
            rows.append({})
        rows[filled[name]] |= cells
        filled[name] += 1

    for item in hashes:
        name = item.kind.name
        quality = {} if item.quality is None else {f"{name}_quality": str(item.quality)}
        put(name, {name: item.text} | quality)
    for category in entry.categories:
        code, scheme = _guarded(category.code), _guarded(category.scheme)
        put("category", {"category": code, "category_scheme": scheme})
    # An import sets a row without a hash aside, so a further category has the first hash again.
    first = {key: cell for key, cell in rows[0].items() if not key.startswith("category")}
    rows = [row if row.keys() - {"category", "category_scheme"} else first | row for row in rows]
    said = {"id": _guarded(entry.name), "updated": _guarded(entry.updated or "")}
    said |= {"status": str(entry.state)}
    return [row | said for row in rows]


def _guarded(cell: str) -> str:
    return "'" + cell if cell.startswith(_FORMULA) else cell
