"""What tests of writers share: entries as a writer is handed them, and how files read back."""

import hashlib
import io

from list_values import ANY_COLUMNS

from screener.hashing.hash import KINDS, Hash
from screener.lists.exporting.writers import WRITERS
from screener.lists.exporting.writers.entry import Entry, Listed, Tally, Wants
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import open_reader
from screener.lists.states import State
from screener.lists.store.records import Row, derive_entry, unite_rows
from screener.lists.store.stored_rows import to_version

VIDEO = {"vpdq", "tmk_pdqf"}
TABLE = Wants({("uk-sentencing-council", "A"): 1, ("uk-sentencing-council", "C"): 0})


def made(kind, number, quality=None):
    """A well-mixed value of a kind."""
    size = KINDS[kind].size
    return Hash(KINDS[kind], hashlib.shake_128(f"{kind}{number}".encode()).digest(size), quality)


def entry(name, *hashes, state=State.CONFIRMED, why_not=None, **rest):
    """An entry of the source `demo`."""
    settings = {"categories": (), "labels": {}, "updated": None, "made": 0.0} | rest
    return Entry("demo", name, state, tuple(Listed(h, why_not) for h in hashes), **settings)


def written(format, entries, wants=TABLE):
    """The text that a writer makes of entries, and its tally."""
    out, tally = io.StringIO(newline=""), Tally()
    WRITERS[format](out, entries, tally, wants)
    return out.getvalue(), tally


def read(format, text, source="demo", **said):
    """The rows that a reader finds in a text."""
    content = Content(io.BytesIO(text.encode()), "file")
    return list(open_reader(content, Options(source, **ANY_COLUMNS | said), format=format))


def by_entry(rows):
    """Rows by entry, as an import joins them."""
    found = {}
    for row in rows:
        assert isinstance(row, Row), row
        name = row.entry or derive_entry(row.hashes)
        found[name] = row if name not in found else unite_rows(found[name], row)
    return found


def joined(rows):
    """Rows by entry, in the form that is stored."""
    return {name: to_version(row).digest for name, row in by_entry(rows).items()}


def as_entry(name, row):
    """What a writer is handed of a row once it is stored."""
    return entry(
        name,
        *row.hashes,
        state=row.state,
        categories=row.categories,
        labels=row.labels,
        updated=row.updated,
    )
