"""The inputs that a file of results shows to be done, so that a scan goes on."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from screener.errors import OutputError
from screener.media.source import Name
from screener.scanning.result_lines import (
    IDENTITY_DTYPE,
    LineIdentity,
    decided_by,
    find_superseded,
    hash_archive,
    is_gone,
    read_lines,
)
from screener.screening.result import SCHEMA, Reason, Result, Verdict, line_counts
from screener.screening.screener import VERSIONS, Screener
from screener.system.installation import EXTRAS, is_here

_BEGINS = f'{{"schema":{SCHEMA},"input":'.encode()
# Each verdict, reason and extra has a number of one byte. Lines that summaries do not count have
# one number, and so have lines that other lists or policies decided.
_STATEMENTS = list(product(Verdict, (None, *Reason), (None, *EXTRAS)))
_NUMBERS = {statement: number for number, statement in enumerate(_STATEMENTS)}
_UNCOUNTED = len(_STATEMENTS)
_OTHERS = _UNCOUNTED + 1


class Finished:
    """Inputs to skip when resuming: unchanged since their last line, which was decided by the same
    lists, policy and pixel pipeline, and does not want an extra that is installed now.

    Takes about 20 bytes a line and 8 an archive. `verdicts`, `reasons` and `extras` count the
    lines, without those that `replace` took out. `end` is the offset behind the last whole line,
    `torn` the length of the half line that follows.
    """

    def __init__(self, screener: Screener) -> None:
        self._decided_by = decided_by(
            [(one.name, one.generation, one.stamp()) for one in screener.lists],
            screener.policy.fingerprint,
            dict(VERSIONS)["pixels"],
        )
        # Columns, ascending by input.
        self._inputs = np.empty(0, np.uint64)
        self._states = np.empty(0, np.uint64)
        self._statements = np.empty(0, np.uint8)
        self._taken = np.empty(0, np.bool_)
        self._replaced = np.empty(0, np.bool_)
        self._archives = np.empty(0, np.uint64)  # with lines of members; ascending
        # Extras that lines name and that are not installed: these inputs are done.
        self._lacking: tuple[str, ...] = ()
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.extras: Counter[str] = Counter()
        self.end = 0
        self.torn = 0

    @classmethod
    def read(cls, path: Path, screener: Screener) -> Finished:
        """Return the finished inputs of a file; none if it does not exist.

        Raises OutputError if a whole line is no result, or the file holds something else.
        """
        found = cls(screener)
        seen, statements, holders = bytearray(), bytearray(), bytearray()
        try:
            for number, line in enumerate(read_lines(path), start=1):
                if not line.endswith(b"\n"):
                    found._end_torn(path, line)
                    break
                one, statement = found._read_line(path, number, line)
                found.end += len(line)
                seen += one.hashes()
                statements.append(statement)
                archives = one.holders()
                if not holders.endswith(archives):  # members mostly stand in a row
                    holders += archives
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from error
        found._keep(np.frombuffer(seen, IDENTITY_DTYPE), np.frombuffer(statements, np.uint8))
        found._archives = np.unique(np.frombuffer(holders, "<u8"))
        return found

    def __len__(self) -> int:
        """Return how many lines count."""
        return self.verdicts.total()

    def take(self, name: Name) -> Verdict | None:
        """Return the verdict of an input that is done, or None.

        Each line answers once, since an input may be given twice. The line of an archive that
        summaries do not count answers `unscreened`: its members decide.
        """
        if not len(self._inputs):
            return None
        for extra in (None, *self._lacking):
            lines, state = self._lines(
                LineIdentity(
                    name.as_bytes, name.archives, name.same, name.size, name.mtime_ns,
                    self._decided_by, extra, name.has_no_state,
                )
            )  # fmt: skip
            free = (self._states[lines] == state) & ~self._taken[lines]
            if free.any():
                line = lines.start + int(free.argmax())
                self._taken[line] = True
                number = int(self._statements[line])
                return Verdict.UNSCREENED if number == _UNCOUNTED else _STATEMENTS[number][0]
        return None

    def is_archive(self, name: Name) -> bool:
        """Return whether lines show that an input, as of its time, is an archive with members."""
        one = np.frombuffer(
            hash_archive(name.as_bytes, name.archives, name.same, name.mtime_ns), "<u8"
        )[0]
        place = int(np.searchsorted(self._archives, one))
        return place < len(self._archives) and bool(self._archives[place] == one)

    def replace(self, result: Result) -> None:
        """Take lines out of the counts that this newer Result supersedes."""
        if not len(self._inputs):
            return
        seen = LineIdentity.of_result(result, self._decided_by)
        lines, state = self._lines(seen)
        older = (self._states[lines] != state) & ~self._replaced[lines]
        if seen.gone:
            older &= is_gone(self._states[lines])
        self._replaced[lines] |= older
        for statement in self._statements[lines][older]:
            self._count(int(statement), -1)

    def _lines(self, seen: LineIdentity) -> tuple[slice, np.uint64]:
        """Return the lines of an input, and its state."""
        one = np.frombuffer(seen.hashes(), IDENTITY_DTYPE)[0]
        first = int(np.searchsorted(self._inputs, one["input"]))
        end = int(np.searchsorted(self._inputs, one["input"], "right"))
        return slice(first, end), one["state"]

    def _read_line(self, path: Path, number: int, line: bytes) -> tuple[LineIdentity, int]:
        """Return the input of a line, and its number: of `_NUMBERS`, `_UNCOUNTED` or `_OTHERS`."""
        try:
            facts = json.loads(line)
            one = LineIdentity.of(facts)
            statement = _NUMBERS[facts["verdict"], facts["reason"], facts.get("extra")]
            if not line_counts(facts):
                statement = _UNCOUNTED
            if facts["schema"] != SCHEMA:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise OutputError(
                f"{path}, line {number}: no result of this version; nothing was written to the file"
            ) from None
        return one, statement if one.decided_by == self._decided_by else _OTHERS

    def _keep(self, seen: np.ndarray[Any, Any], statements: np.ndarray[Any, Any]) -> None:
        """Keep and count the lines that count."""
        counts = statements != _OTHERS
        counts[find_superseded(seen)] = False
        seen, statements = seen[counts], statements[counts]
        order = np.argsort(seen["input"], kind="stable")
        self._inputs, self._statements = seen["input"][order], statements[order]
        self._states = seen["state"][order]
        self._taken, self._replaced = np.zeros((2, len(seen)), np.bool_)
        for statement, number in enumerate(np.bincount(statements)):
            if number:
                self._count(statement, int(number))
        self._lacking = tuple(extra for extra in self.extras if not is_here(extra))

    def _count(self, statement: int, number: int) -> None:
        if statement == _UNCOUNTED:
            return
        verdict, reason, extra = _STATEMENTS[statement]
        self.verdicts[verdict] += number
        if reason is not None:
            self.reasons[reason] += number
        if extra is not None:
            self.extras[extra] += number

    def _end_torn(self, path: Path, rest: bytes) -> None:
        """Note half a line, or the zeros that a power cut leaves. Raise OutputError for anything
        else, which is another file.
        """
        ours = rest.startswith(_BEGINS) or _BEGINS.startswith(rest)
        if not ours and rest.strip(b"\0"):
            raise OutputError(f"{path} is no file of results; nothing was written to it")
        self.torn = len(rest)
