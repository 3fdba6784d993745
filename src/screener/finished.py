"""Finished: what a file of results says is done, by what it was done, so that a scan goes on."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from screener.errors import OutputError
from screener.media.source import Name
from screener.result import SCHEMA
from screener.screen import VERSIONS, Screener

_BEGINS = f'{{"schema":{SCHEMA},"input":'.encode()
_DIGEST = np.dtype("S16")


class Finished:
    """The inputs that have a line: by name, size, time, lists with generations, policy and pixel
    pipeline. An input that changed, or was decided by others, is not among them.

    Holds about 20 bytes a line. `verdicts` and `reasons` count the lines; `end` is where the last
    whole line ends, in bytes, and `torn` how many bytes of half a line follow it.
    """

    def __init__(self, engine: Screener) -> None:
        self._decided_by = _decided_by(
            [(one.name, one.generation) for one in engine.lists],
            engine.policy.fingerprint,
            dict(VERSIONS)["pixels"],
        )
        self._keys = np.empty(0, _DIGEST)
        self._left = np.empty(0, np.int64)
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.end = 0
        self.torn = 0

    @classmethod
    def read(cls, path: Path, engine: Screener) -> Finished:
        """What a file says; nothing where there is none.

        OutputError where a whole line is no result, and where the file is none of results: it is
        not to be written to.
        """
        found = cls(engine)
        digests = bytearray()
        try:
            with path.open("rb") as stream:
                for number, line in enumerate(stream, start=1):
                    if not line.endswith(b"\n"):
                        found._end_torn(path, line)
                        break
                    found._add(path, number, line, digests)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from error
        keys = np.frombuffer(bytes(digests), _DIGEST)
        found._keys, counts = np.unique(keys, return_counts=True)
        found._left = counts.astype(np.int64)
        return found

    def __len__(self) -> int:
        """How many lines count."""
        return self.verdicts.total()

    def take(self, name: Name) -> bool:
        """Whether an input has a line; each line answers for one input of its name."""
        if not len(self._keys):
            return False
        raw = name.raw or (name.text or "").encode("utf-8", "replace")
        key = np.frombuffer(self._digest(raw, name.size, name.mtime_ns, self._decided_by), _DIGEST)
        at = int(np.searchsorted(self._keys, key[0]))
        if at == len(self._keys) or self._keys[at] != key[0] or not self._left[at]:
            return False
        self._left[at] -= 1
        return True

    def _add(self, path: Path, number: int, line: bytes, digests: bytearray) -> None:
        try:
            facts = json.loads(line)
            raw = facts.get("input_base64")
            name = (facts["input"] or "").encode() if raw is None else base64.b64decode(raw)
            decided_by = _decided_by(
                [(one["name"], one["generation"]) for one in facts["lists"]],
                facts["policy"],
                facts["versions"]["pixels"],
            )
            size, mtime_ns, verdict = facts["bytes"], facts["mtime_ns"], facts["verdict"]
            if facts["schema"] != SCHEMA:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise OutputError(
                f"{path}, line {number}: no result of this version; nothing was written to the file"
            ) from None
        self.end += len(line)
        if decided_by == self._decided_by:
            digests += self._digest(name, size, mtime_ns, decided_by)
            self.verdicts[verdict] += 1
            if facts["reason"] is not None:
                self.reasons[facts["reason"]] += 1

    def _end_torn(self, path: Path, rest: bytes) -> None:
        """Half a line, or the zeros that a power cut leaves; anything else is another file."""
        ours = rest.startswith(_BEGINS) or _BEGINS.startswith(rest)
        if not ours and rest.strip(b"\0"):
            raise OutputError(f"{path} is no file of results; nothing was written to it")
        self.torn = len(rest)

    @staticmethod
    def _digest(name: bytes, size: int | None, mtime_ns: int | None, decided_by: str) -> bytes:
        digest = hashlib.blake2b(name, digest_size=16)
        digest.update(f"\0{size}\0{mtime_ns}\0{decided_by}".encode())
        return digest.digest()


def _decided_by(lists: list[tuple[str, int]], policy: str, pixels: Any) -> str:
    return json.dumps([lists, policy, pixels])
