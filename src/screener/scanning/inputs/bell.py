"""A descriptor that becomes readable when another thread has news."""

from __future__ import annotations

import os
from threading import Lock

from screener.scanning.inputs.listed_names import Awaited
from screener.system import process


class Bell:
    """Wakes the thread that waits for `awaited` when another thread calls `ring`."""

    def __init__(self) -> None:
        self._lock = Lock()
        process.fill_standard_streams()  # else a daemon's pipe may take the place of a closed one
        self._listener, self._ringer = os.pipe()
        self._open = True
        self._rung = False

    @property
    def awaited(self) -> Awaited:
        """A placeholder for the next ring."""
        return Awaited((self._listener,))

    def ring(self) -> None:
        """Wake the waiting thread, or the next one that waits; do nothing after `close`."""
        with self._lock:
            if self._open and not self._rung:
                self._rung = True
                os.write(self._ringer, b"\0")

    def clear(self) -> None:
        """Forget earlier rings, before what they announce is looked for."""
        if self._rung:
            with self._lock:
                os.read(self._listener, 1)
                self._rung = False

    def close(self) -> None:
        """Close the descriptors."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._listener)
                os.close(self._ringer)

    def __del__(self) -> None:
        if hasattr(self, "_open"):
            self.close()
