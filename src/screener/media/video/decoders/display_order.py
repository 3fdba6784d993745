"""Order: the numbers of a video's frames as they are shown, and those that never came."""

from __future__ import annotations

import heapq
import math


class Order:
    """Numbers the frames of a file as they are shown, though some are not decoded, and knows those
    that were to be and never came: not every decoder tells of them, nor at once.
    """

    def __init__(self, back: float) -> None:
        """Timestamps that go back by more than that begin anew, as where files were joined."""
        self._back = back
        self._read: list[tuple[int, int, bool]] = []  # a heap of the frames not yet passed:
        # which of the joined pieces it is of, timestamp, and whether it was wanted
        self._latest: float = -math.inf  # decoded, of those read
        self._piece = 0  # of those read
        self._shown, self._at = 0, 0  # the same of those shown
        self._passed = 0
        self._missed: list[int] = []
        self.first: int | None = None
        """The timestamp of the first frame behind the one shown last, be it decoded or passed."""
        self._begun = False  # what a recording has before its first whole picture is not missed

    def read(self, stamp: int | None, *, decoded: int | None = None, wanted: bool) -> None:
        """A frame was read, to be decoded or not. `decoded` is its timestamp by the order in which
        frames are, which goes back nowhere else than where others begin anew.
        """
        if stamp is None:
            return
        if decoded is not None:
            self._piece += decoded < self._latest - self._back
            self._latest = decoded
        heapq.heappush(self._read, (self._piece, stamp, wanted))

    def waiting(self) -> frozenset[int]:
        """The timestamps of frames that were read, and neither shown nor passed yet."""
        return frozenset(stamp for _, stamp, _ in self._read)

    def number(self, stamp: int | None) -> int:
        """The number of a frame that is shown next, from 0."""
        if stamp is not None:
            if stamp < self._shown and not any(one[:2] == (self._at, stamp) for one in self._read):
                self._at = min(self._at + 1, self._piece)
            self._shown = stamp
        skips = stamp is not None and self._read and self._read[0][:2] < (self._at, stamp)
        self.first = self._read[0][1] if skips else stamp
        while stamp is not None and self._read and self._read[0][:2] < (self._at, stamp):
            _, passed, wanted = heapq.heappop(self._read)
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
        last = (one for one in sorted(self._read) if one[0] == self._piece)
        return [stamp for _, stamp, wanted in last if wanted]
