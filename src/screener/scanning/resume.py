"""The inputs that a file of results shows as finished, so that a scan can be resumed."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from screener.errors import OutputError
from screener.media.name import Name
from screener.scanning.result_lines import (
    IDENTITY_DTYPE,
    LineIdentity,
    decided_by,
    find_missing,
    find_superseded,
    hash_archive,
    read_lines,
)
from screener.screening.result import SCHEMA, Reason, Result, Verdict, is_counted_line
from screener.screening.screener import VERSIONS, Screener
from screener.system.installation import EXTRAS, is_available

_LINE_PREFIX = f'{{"schema":{SCHEMA},"input":'.encode()
# Each combination of verdict, reason and extra has a code of one byte. All lines that summaries do
# not count share a code, and so do all lines that other lists or policies decided.
_OUTCOMES = list(product(Verdict, (None, *Reason), (None, *EXTRAS)))
_OUTCOME_CODES = {outcome: code for code, outcome in enumerate(_OUTCOMES)}
_UNCOUNTED = len(_OUTCOMES)
_OUTDATED = _UNCOUNTED + 1


class Finished:
    """Inputs to skip when a scan is resumed.

    Such an input is unchanged since its last line. The same lists, policy and pixel pipeline
    decided that line, and it needs no extra that is now installed. Takes about 20 bytes per line
    and 8 per archive.

    Attributes:
        verdicts, reasons, extras: Counts of the lines, without those that `replace` removed.
        end: The offset after the last complete line.
        torn: The length of the incomplete line that follows.
    """

    def __init__(self, screener: Screener) -> None:
        self._decided_by = decided_by(
            [
                (hash_list.name, hash_list.generation, hash_list.stamp())
                for hash_list in screener.lists
            ],
            screener.policy.fingerprint,
            dict(VERSIONS)["pixels"],
        )
        # The columns of a table of lines, ascending by input.
        self._inputs = np.empty(0, np.uint64)
        self._states = np.empty(0, np.uint64)
        self._outcomes = np.empty(0, np.uint8)
        self._taken = np.empty(0, np.bool_)
        self._replaced = np.empty(0, np.bool_)
        self._archives = np.empty(0, np.uint64)  # that have lines of members; ascending
        # Missing extras that lines name. If one is still missing, the input is finished.
        self._missing_extras: tuple[str, ...] = ()
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.extras: Counter[str] = Counter()
        self.end = 0
        self.torn = 0

    @classmethod
    def read(cls, path: Path, screener: Screener) -> Finished:
        """Return the finished inputs of a file; there are none if it does not exist.

        Raises OutputError if the file cannot be read or a complete line is not a result.
        """
        finished = cls(screener)
        identities, outcomes, archives = bytearray(), bytearray(), bytearray()
        try:
            for number, line in enumerate(read_lines(path), start=1):
                if not line.endswith(b"\n"):
                    finished._check_torn_line(path, line)
                    break
                identity, outcome = finished._parse_line(path, number, line)
                finished.end += len(line)
                identities += identity.hashes()
                outcomes.append(outcome)
                archive_hashes = identity.archive_hashes()
                if not archives.endswith(archive_hashes):  # Members mostly follow one another.
                    archives += archive_hashes
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from error
        finished._set_lines(
            np.frombuffer(identities, IDENTITY_DTYPE), np.frombuffer(outcomes, np.uint8)
        )
        finished._archives = np.unique(np.frombuffer(archives, "<u8"))
        return finished

    def __len__(self) -> int:
        """Return the number of lines that count."""
        return self.verdicts.total()

    def take(self, name: Name) -> Verdict | None:
        """Return the verdict of a finished input, or None; use each line once.

        So an input that is given twice needs two lines. If summaries do not count the line of an
        archive, the verdict is `unscreened`, and its members decide.
        """
        if not len(self._inputs):
            return None
        for extra in (None, *self._missing_extras):
            lines, state = self._find_lines(
                LineIdentity(
                    name.as_bytes, name.archives, name.same, name.size, name.mtime_ns,
                    self._decided_by, extra, name.has_no_state,
                )
            )  # fmt: skip
            unused = (self._states[lines] == state) & ~self._taken[lines]
            if unused.any():
                line = lines.start + int(unused.argmax())
                self._taken[line] = True
                code = int(self._outcomes[line])
                return Verdict.UNSCREENED if code == _UNCOUNTED else _OUTCOMES[code][0]
        return None

    def is_archive(self, name: Name) -> bool:
        """Return whether the file has lines of members of an input at its present time."""
        archive = np.frombuffer(
            hash_archive(name.as_bytes, name.archives, name.same, name.mtime_ns), "<u8"
        )[0]
        index = int(np.searchsorted(self._archives, archive))
        return index < len(self._archives) and bool(self._archives[index] == archive)

    def replace(self, result: Result) -> None:
        """Remove the lines that this newer Result supersedes from the counts."""
        if not len(self._inputs):
            return
        identity = LineIdentity.from_result(result, self._decided_by)
        lines, state = self._find_lines(identity)
        older = (self._states[lines] != state) & ~self._replaced[lines]
        if identity.is_missing:
            older &= find_missing(self._states[lines])
        self._replaced[lines] |= older
        for code in self._outcomes[lines][older]:
            self._add_count(int(code), -1)

    def _find_lines(self, identity: LineIdentity) -> tuple[slice, np.uint64]:
        """Return the lines of an input, and the hash of its state."""
        hashes = np.frombuffer(identity.hashes(), IDENTITY_DTYPE)[0]
        first = int(np.searchsorted(self._inputs, hashes["input"]))
        end = int(np.searchsorted(self._inputs, hashes["input"], "right"))
        return slice(first, end), hashes["state"]

    def _parse_line(self, path: Path, number: int, line: bytes) -> tuple[LineIdentity, int]:
        """Return the identity of a line and its outcome code, `_UNCOUNTED` or `_OUTDATED`."""
        try:
            fields = json.loads(line)
            identity = LineIdentity.from_line(fields)
            code = _OUTCOME_CODES[fields["verdict"], fields["reason"], fields.get("extra")]
            if not is_counted_line(fields):
                code = _UNCOUNTED
            if fields["schema"] != SCHEMA:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise OutputError(
                f"{path}, line {number}: not a result of this version; nothing was written to the"
                " file. Resume it with the version that wrote it, or begin a new one with -o"
            ) from None
        return identity, code if identity.decided_by == self._decided_by else _OUTDATED

    def _set_lines(self, identities: np.ndarray[Any, Any], codes: np.ndarray[Any, Any]) -> None:
        """Store the lines that count, and count them."""
        counts = codes != _OUTDATED
        counts[find_superseded(identities)] = False
        identities, codes = identities[counts], codes[counts]
        order = np.argsort(identities["input"], kind="stable")
        self._inputs, self._outcomes = identities["input"][order], codes[order]
        self._states = identities["state"][order]
        self._taken, self._replaced = np.zeros((2, len(identities)), np.bool_)
        for code, number in enumerate(np.bincount(codes)):
            if number:
                self._add_count(code, int(number))
        self._missing_extras = tuple(extra for extra in self.extras if not is_available(extra))

    def _add_count(self, code: int, number: int) -> None:
        if code == _UNCOUNTED:
            return
        verdict, reason, extra = _OUTCOMES[code]
        self.verdicts[verdict] += number
        if reason is not None:
            self.reasons[reason] += number
        if extra is not None:
            self.extras[extra] += number

    def _check_torn_line(self, path: Path, line: bytes) -> None:
        """Store the length of an incomplete line, which may be zeros after a power cut.

        Raises OutputError if it is anything else, since the file then has other content.
        """
        is_result = line.startswith(_LINE_PREFIX) or _LINE_PREFIX.startswith(line)
        if not is_result and line.strip(b"\0"):
            raise OutputError(f"{path} is not a file of results; nothing was written to it")
        self.torn = len(line)
