"""Number a video's frames in display order."""

from __future__ import annotations

import heapq
import math


class DisplayOrder:
    """Numbers the frames in display order, and finds frames that should have been shown."""

    def __init__(self, back: float) -> None:
        """Create the order; timestamps that go back by more than `back` start a joined piece."""
        self._max_back = back
        # A heap of the frames not yet passed: piece, timestamp, whether it was wanted.
        self._unpassed: list[tuple[int, int, bool]] = []
        self._latest_decoding_time: float = -math.inf
        self._current_piece = 0  # of the last frame read
        self._shown_stamp, self._shown_piece = 0, 0  # of the last frame shown
        self._passed_count = 0
        self._missed: list[int] = []
        self.first: int | None = None
        """The timestamp of the first frame after the one shown last, decoded or passed."""
        self._started = False  # a recording may start with frames that cannot be decoded

    def read(self, stamp: int | None, *, decoded: int | None = None, wanted: bool) -> None:
        """Record that a frame was read; `decoded` is its decoding timestamp.

        Decoding timestamps go back only between pieces.
        """
        if stamp is None:
            return
        if decoded is not None:
            self._current_piece += decoded < self._latest_decoding_time - self._max_back
            self._latest_decoding_time = decoded
        heapq.heappush(self._unpassed, (self._current_piece, stamp, wanted))

    def list_waiting(self) -> frozenset[int]:
        """Return the timestamps of frames that were read, and neither shown nor passed."""
        return frozenset(stamp for _, stamp, _ in self._unpassed)

    def assign_number(self, stamp: int | None) -> int:
        """Return the number of the next frame shown, from 0."""
        if stamp is None:
            self.first = None
        else:
            unpassed = self._unpassed
            position = (self._shown_piece, stamp)
            goes_back = stamp < self._shown_stamp
            if goes_back and all(frame[:2] != position for frame in unpassed):
                self._shown_piece = min(self._shown_piece + 1, self._current_piece)
            self._shown_stamp = stamp
            position = (self._shown_piece, stamp)
            passes_any = unpassed and unpassed[0][:2] < position
            self.first = unpassed[0][1] if passes_any else stamp
            while unpassed and unpassed[0][:2] < position:
                _, passed, wanted = heapq.heappop(unpassed)
                self._passed_count += 1
                if wanted and self._started:
                    self._missed.append(passed)
        if self._unpassed:
            heapq.heappop(self._unpassed)
        self._passed_count += 1
        self._started = True
        return self._passed_count - 1

    def take_missed(self) -> list[int]:
        """Return the timestamps of wanted frames that were passed since the last call."""
        missed, self._missed = self._missed, []
        return missed

    def missing_at_end(self) -> list[int]:
        """Return the timestamps of wanted frames that were not shown before the end."""
        current = (frame for frame in sorted(self._unpassed) if frame[0] == self._current_piece)
        return [stamp for _, stamp, wanted in current if wanted]
