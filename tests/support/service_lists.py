"""Lists for tests of the service."""

import csv

from screener import HashList
from screener.hashing import digest


def make(folder, name, rows):
    """Make a list of rows, and return its path."""
    file = folder / f"{name}.csv"
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    made = HashList.create(folder / f"{name}.list")
    made.import_file(file, source="test")
    return made.path


def make_lists(folder, files, values):
    """Make two lists: `known` has PDQ and SHA-256, `more` has PDQ. Return their paths."""
    _, _, sha256 = digest.compute(files["listed"])
    first = {"id": "one", "pdq": values["listed"], "sha256": sha256.text}
    return (
        make(folder, "known", [first]),
        make(folder, "more", [{"id": "two", "pdq": values["second"]}]),
    )
