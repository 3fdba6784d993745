"""Let several threads decode a video, with the same result every time.

FFmpeg returns a frame of H.264 when it is due, although another thread may still find damage in it.
So frames are delayed until their threads have started other work, and at the end each thread gets
an empty packet. Damage is then found as reliably as by one thread, which decodes the video again if
there is any: see `pyav`. With one core the settings are the same, since they also keep FFmpeg from
dropping frames that come later than the stream declares.
"""

from __future__ import annotations

from typing import Any

import av

from screener.system.process import count_cores

# Other decoders do not report all damage, and their damaged frames depend on the threads. No
# decoder uses slice threads: with them H.264 marks nothing as damaged.
_RELIABLE_CODECS = {"h264", "vp9", "libdav1d"}

_MAX_THREADS = 8
# One frame per thread, and frames that are decoded before frames shown earlier. The number is
# constant, since the order of output depends on it.
_FRAMES_OF_DELAY = _MAX_THREADS + 4

_EMPTY_ACCESS_UNIT = b"\x09\xf0"  # of H.264


def use_threads(codec: Any) -> int:
    """Make an unopened decoder use one thread per core, and return their number.

    Return 0 if the codec is not reliable with threads.
    """
    if codec.name not in _RELIABLE_CODECS:
        return 0
    count = min(count_cores(), _MAX_THREADS)
    codec.thread_type, codec.thread_count = "FRAME", count
    if codec.name == "h264":
        codec.options = {"has_b_frames": str(_FRAMES_OF_DELAY)}
    return count


def use_one_thread(codec: Any) -> None:
    """Make an unopened decoder use one thread."""
    codec.thread_count = 1


def finish_threads(codec: Any, count: int) -> list[Any]:
    """Return the frames that are decoded while each of `count` threads finishes its work.

    The decoder must still be drained. Raises FFmpegError if a thread failed.
    """
    if codec.name != "h264" or not count:
        return []
    header = bytes(codec.extradata or b"")
    has_lengths = header[:1] == b"\1"  # as in MP4; otherwise units follow start codes
    size = (header[4] & 3) + 1 if has_lengths and len(header) > 4 else 4
    prefix = len(_EMPTY_ACCESS_UNIT) if has_lengths else 1
    data = prefix.to_bytes(size, "big") + _EMPTY_ACCESS_UNIT
    # The packet is in FFmpeg's memory. A decoder thread could release Python's memory only with the
    # GIL, which the caller holds while it ends that thread.
    empty = av.Packet(len(data))
    empty.update(data)
    codec.skip_frame = "NONREF"  # otherwise decoding fails because there is no frame
    return [frame for _ in range(count) for frame in codec.decode(empty)]
