"""Order: the numbers of a video's frames as they are shown, and those that never came."""

from __future__ import annotations

import heapq


class Order:
    """Numbers the frames of a file as they are shown, though some are not decoded, and knows those
    that were to be and never came: not every decoder tells of them, nor at once.
    """

    def __init__(self, back: float) -> None:
        """Timestamps that go back by more than that begin anew, as where files were joined."""
        self._back = back
        self._read: list[tuple[int, int, bool]] = []  # a heap of the frames not yet passed:
        # timestamp, which of the joined pieces it is of, and whether it was wanted
        self._latest, self._piece = 0, 0
        self._passed = 0
        self._missed: list[int] = []
        self._begun = False  # what a recording has before its first whole picture is not missed

    def read(self, stamp: int | None, *, wanted: bool) -> None:
        """A frame was read, to be decoded or not."""
        if stamp is None:
            return
        self._piece += stamp < self._latest - self._back
        self._latest = stamp
        heapq.heappush(self._read, (stamp, self._piece, wanted))

    def number(self, stamp: int | None) -> int:
        """The number of a frame that is shown next, from 0."""
        while stamp is not None and self._read and self._read[0][0] < stamp:
            passed, _, wanted = heapq.heappop(self._read)
            self._passed += 1
            if wanted and self._begun:
                self._missed.append(passed)
        if self._read:
            heapq.heappop(self._read)
        self._passed += 1
        self._begun = True
        return self._passed - 1

    def missed(self) -> list[int]:
        """The timestamps of frames that were wanted and have been passed since it was asked."""
        missed, self._missed = self._missed, []
        return missed

    def rest(self) -> list[int]:
        """Those of frames that were wanted and did not come to the end."""
        last = (one for one in sorted(self._read) if one[1] == self._piece)
        return [stamp for stamp, _, wanted in last if wanted]
