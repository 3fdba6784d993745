"""Read the tags of FLV files.

Functions here do not raise on broken input.
"""

from __future__ import annotations

from typing import BinaryIO

from screener.media.files.chunks import MAX_CHUNKS, read_at

_HEADER_SIZE = 11  # bytes
_TAG_TYPE_MASK = 0x1F  # in a tag's first byte, which also has an encryption flag
_TAG_TYPES = (8, 9, 18)  # audio, video, data
_VIDEO_TAG = 9
_COMMAND_FRAME = 5  # a frame type without a frame
_FOUR_LETTERS_FLAG = 0x80  # four letters name the codec


def find_end_of_tags(stream: BinaryIO) -> int | None:
    """Return the end of the last tag, or None if a tag is damaged.

    The length after each tag is checked too.
    """
    offset, length = int.from_bytes(read_at(stream, 5, 4), "big"), 0
    for _ in range(MAX_CHUNKS):
        header = read_at(stream, offset, 4 + _HEADER_SIZE)
        if len(header) >= 4 and int.from_bytes(header[:4], "big") not in (length, 0):
            return None
        if len(header) <= 4:
            break
        if header[4] & _TAG_TYPE_MASK not in _TAG_TYPES:
            return None
        length = _HEADER_SIZE + int.from_bytes(header[5:8], "big")
        offset += 4 + length
    return offset


def read_video_codecs(stream: BinaryIO) -> set[bytes]:
    """Return the codecs of the video tags, each as one byte or four letters."""
    offset, codecs = int.from_bytes(read_at(stream, 5, 4), "big") + 4, set()
    for _ in range(MAX_CHUNKS):
        header = read_at(stream, offset, _HEADER_SIZE + 5)
        if len(header) < _HEADER_SIZE + 5:
            break
        first, letters = header[_HEADER_SIZE], header[_HEADER_SIZE + 1 :]
        length = int.from_bytes(header[1:4], "big")
        if header[0] & _TAG_TYPE_MASK == _VIDEO_TAG and length and first >> 4 & 7 != _COMMAND_FRAME:
            codecs.add(letters if first & _FOUR_LETTERS_FLAG else bytes([first & 0x0F]))
        offset += _HEADER_SIZE + length + 4
    return codecs
