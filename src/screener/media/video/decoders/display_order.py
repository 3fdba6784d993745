"""The order in which a video's frames are shown."""

from __future__ import annotations

import heapq
import math


class DisplayOrder:
    """Numbers the frames in display order, and knows those that should have come and did not."""

    def __init__(self, back: float) -> None:
        """Timestamps that go back by more than `back` start a new piece of joined files."""
        self._back = back
        # A heap of the frames not yet passed: piece, timestamp, whether it was wanted.
        self._read: list[tuple[int, int, bool]] = []
        self._latest: float = -math.inf  # decoding time of the frames read
        self._piece = 0  # of the frame read last
        self._shown_stamp, self._shown_piece = 0, 0  # of the frame shown last
        self._passed = 0
        self._missed: list[int] = []
        self.first: int | None = None
        """The timestamp of the first frame behind the one shown last, decoded or passed."""
        self._started = False  # a recording may start with frames that cannot be decoded

    def read(self, stamp: int | None, *, decoded: int | None = None, wanted: bool) -> None:
        """Record that a frame was read; `decoded` is its decoding timestamp.

        Decoding timestamps go back only between pieces.
        """
        if stamp is None:
            return
        if decoded is not None:
            self._piece += decoded < self._latest - self._back
            self._latest = decoded
        heapq.heappush(self._read, (self._piece, stamp, wanted))

    def waiting(self) -> frozenset[int]:
        """Return the timestamps of frames that were read, and neither shown nor passed."""
        return frozenset(stamp for _, stamp, _ in self._read)

    def number(self, stamp: int | None) -> int:
        """Return the number of the frame that is shown next, from 0."""
        if stamp is None:
            self.first = None
        else:
            here = (self._shown_piece, stamp)
            if stamp < self._shown_stamp and not any(frame[:2] == here for frame in self._read):
                self._shown_piece = min(self._shown_piece + 1, self._piece)
            self._shown_stamp = stamp
            here = (self._shown_piece, stamp)
            self.first = self._read[0][1] if self._read and self._read[0][:2] < here else stamp
            while self._read and self._read[0][:2] < here:
                _, passed, wanted = heapq.heappop(self._read)
                self._passed += 1
                if wanted and self._started:
                    self._missed.append(passed)
        if self._read:
            heapq.heappop(self._read)
        self._passed += 1
        self._started = True
        return self._passed - 1

    def take_missed(self) -> list[int]:
        """Return the timestamps of wanted frames that were passed since the last call."""
        missed, self._missed = self._missed, []
        return missed

    def rest(self) -> list[int]:
        """Return the timestamps of wanted frames that did not come before the end."""
        last = (frame for frame in sorted(self._read) if frame[0] == self._piece)
        return [stamp for _, stamp, wanted in last if wanted]
