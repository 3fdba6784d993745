"""Several threads for one decoder, with the same result every time.

FFmpeg returns a frame of H.264 when it is due, although another thread may still find damage in it.
So frames are delayed until their threads have taken up other work, and at the end each thread gets
an empty packet. Damage that is found then is as reliable as by one thread, which decodes the video
again if there is any: see `pyav`. One core uses the same settings, since they also prevent that
frames are dropped which come later than the stream declares.
"""

from __future__ import annotations

from typing import Any

import av

from screener.system.process import count_cores

# Other decoders do not report all damage, and their damaged frames depend on the threads. No
# decoder uses slice threads: with them H.264 marks nothing as damaged.
_CODECS = {"h264", "vp9", "libdav1d"}

_MOST = 8
# Frames of delay: one a thread, and those that are decoded before frames shown earlier. It is
# constant, because the order of output depends on it.
_DELAY = _MOST + 4

_DELIMITER = b"\x09\xf0"  # an empty access unit of H.264


def use_threads(codec: Any) -> int:
    """Let an unopened decoder use one thread a core, and return how many.

    Return 0 if the codec is not reliable with threads.
    """
    if codec.name not in _CODECS:
        return 0
    count = min(count_cores(), _MOST)
    codec.thread_type, codec.thread_count = "FRAME", count
    if codec.name == "h264":
        codec.options = {"has_b_frames": str(_DELAY)}
    return count


def use_one_thread(codec: Any) -> None:
    """Let an unopened decoder use one thread."""
    codec.thread_count = 1


def finish_threads(codec: Any, count: int) -> list[Any]:
    """Return the frames that come while each of `count` threads ends its work.

    Raises FFmpegError if one failed. The decoder must still be drained.
    """
    if codec.name != "h264" or not count:
        return []
    head = bytes(codec.extradata or b"")
    in_lengths = head[:1] == b"\1"  # as in MP4; otherwise behind start codes
    size = (head[4] & 3) + 1 if in_lengths and len(head) > 4 else 4
    prefix = len(_DELIMITER) if in_lengths else 1
    data = prefix.to_bytes(size, "big") + _DELIMITER
    # In FFmpeg's memory: a decoder thread could release Python's only with the GIL, which the
    # caller holds while it ends that thread.
    empty = av.Packet(len(data))
    empty.update(data)
    codec.skip_frame = "NONREF"  # otherwise it fails because there is no frame
    return [frame for _ in range(count) for frame in codec.decode(empty)]
