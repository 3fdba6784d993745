"""A list that tests keep: values for it, files put into it, and what it says of them."""

import hashlib

from screener import Hash, Policy, Screener


def value(number, size=16):
    """A well-mixed value of so many bytes, in hex."""
    return hashlib.shake_128(str(number).encode()).hexdigest(size)


def putting(known, tmp_path):
    """What imports a text into a list, and gives the report."""

    def put(text, source="demo", **settings):
        file = tmp_path / "file.csv"
        file.write_text(text, encoding="utf-8")
        return known.import_file(file, source=source, **settings)

    return put


def met(one, kind, number, size):
    """What a value of the list makes of an item: (verdict, states of matches, states beside)."""
    result = Screener(one.refresh(), policy=Policy(digests_only=kind == "md5")).match(
        [Hash.parse(kind, value(number, size))]
    )
    return (
        str(result.verdict),
        [m.state for m in result.matches],
        [m.state for m in result.other_hits],
    )
