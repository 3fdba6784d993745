"""Values for test lists, imports into them, and what matches."""

import hashlib

import numpy as np

from screener import Hash, Policy, Screener


def value(number, size=16):
    """Return a pseudo-random value of `size` bytes, in hex."""
    return hashlib.shake_128(str(number).encode()).hexdigest(size)


ANY_COLUMNS = {"ids_from_hashes": True, "ignore_unknown_columns": True}


def putting(known, tmp_path):
    """Return a function that imports a text with any columns and returns the report."""

    def put(text, source="demo", **settings):
        file = tmp_path / "file.csv"
        file.write_text(text, encoding="utf-8")
        return known.import_file(file, source=source, **ANY_COLUMNS | settings)

    return put


def met(one, kind, number, size):
    """Match a value; return (verdict, states of matches, states beside)."""
    result = Screener(one.refresh(), policy=Policy(digests_only=kind == "md5")).match(
        [Hash.parse(kind, value(number, size))]
    )
    return (
        str(result.verdict),
        [m.state for m in result.matches],
        [m.state for m in result.other_hits],
    )


def codes(*texts):
    """Return hex texts as queries."""
    return np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), -1)


def hits(hash_list, kind, text, radius=0):
    """Return the records that have a value, as (source, entry, state)."""
    if kind in ("md5", "sha1", "sha256"):
        _, rows = hash_list.lookup(kind, codes(text))
    else:
        _, rows, _ = hash_list.search(kind, codes(text), radius=radius)
    return [
        (r.source, r.entry, r.state) for records in hash_list.holders(kind, rows) for r in records
    ]
