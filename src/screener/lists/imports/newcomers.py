"""Newcomers: which entries of a source that had none were met before, but for a few taken for such.

Bits in a fixed number, one for each entry met: asking the database for each would take as long as
reading the file.
"""

from __future__ import annotations

_MARKS = 1 << 27  # bits, 16 MiB


class Newcomers:
    """The entries of one file, of a source of which the list holds nothing."""

    def __init__(self) -> None:
        """Begin with none met."""
        self._marks = bytearray(_MARKS // 8)

    def met_before(self, entries: list[str]) -> list[str]:
        """Those that were met before, all of them and a few more; all of them are met now."""
        marks, found = self._marks, []
        for entry in entries:
            place = hash(entry) % _MARKS
            at, bit = place >> 3, 1 << (place & 7)
            if marks[at] & bit:
                found.append(entry)
            else:
                marks[at] |= bit
        return found
