"""Standard streams: that the descriptors 0 to 2 are open, and stay no file's."""

from __future__ import annotations

import os


def fill() -> None:
    """Put nothing where a standard stream was closed: else the next file that is opened takes
    its place, and what a library prints ends up in it.

    A process that is started from here has it too. One without would find the pipe to its parent
    there, take it for standard error, and end when that is silenced.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
