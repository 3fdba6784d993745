"""Crew: the threads that decode one video, so that they tell the same of it each time.

FFmpeg's give a frame of H.264 as soon as its turn comes, though another thread may still be at it
and note too late that it is damaged. So frames are held back until the threads that were at them
have taken up others, and at the end each thread is given something that shows nothing. What is
found then is as sure as by one thread, which decodes it anew once there is anything: see `pyav`.
A crew of one does all of this too, since a frame that is held back is not left out where it comes
later than the stream declares: what a video shows is not to hang on the cores.
"""

from __future__ import annotations

from typing import Any

import av

from screener.system.process import cores

# Of others not all damage is told, and what it leaves of a frame hangs on the threads. None share
# out the slices of a frame: H.264 marks nothing as damaged then.
_CODECS = {"h264", "vp9", "libdav1d"}

_MOST = 8
# Frames that are held back at least: one for each thread, and those that are decoded before others
# which are shown before them. Always as many, since what comes out of order hangs on it.
_HELD = _MOST + 4

_DELIMITER = b"\x09\xf0"  # an access unit's of H.264, with nothing in it


def put_to(coded: Any) -> int:
    """Have a decoder, which has not begun, work by a crew of as many threads as there are cores,
    where that can be relied on. Returns how many they are, 0 where there is no crew.
    """
    if coded.name not in _CODECS:
        return 0
    count = min(cores(), _MOST)
    coded.thread_type, coded.thread_count = "FRAME", count
    if coded.name == "h264":
        coded.options = {"has_b_frames": str(_HELD)}
    return count


def alone(coded: Any) -> None:
    """Have a decoder, which has not begun, work by one thread and without a crew."""
    coded.thread_count = 1


def finished(coded: Any, count: int) -> list[Any]:
    """The frames that come while each thread of such a crew ends what it is at. Raises FFmpegError
    where one failed. What is left is to be drained.
    """
    if coded.name != "h264" or not count:
        return []
    head = bytes(coded.extradata or b"")
    in_lengths = head[:1] == b"\1"  # as MP4 has them, and else behind start codes
    size = (head[4] & 3) + 1 if in_lengths and len(head) > 4 else 4
    begins = len(_DELIMITER) if in_lengths else 1
    shown = begins.to_bytes(size, "big") + _DELIMITER
    # In memory of FFmpeg's: what was Python's, a thread of the decoder could only let go of with
    # Python's lock, which whoever ends that thread holds.
    nothing = av.Packet(len(shown))
    nothing.update(shown)
    coded.skip_frame = "NONREF"  # or it would fail for want of a frame
    return [frame for _ in range(count) for frame in coded.decode(nothing)]
