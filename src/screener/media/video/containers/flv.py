"""FLV files: the tags that they are made of.

Nothing here raises on broken input.
"""

from __future__ import annotations

from typing import BinaryIO

from screener.media.files.chunks import MOST, read

_HEAD = 11  # bytes of a tag's head
_KIND = 0x1F  # bits of its first byte: the kind; another bit flags encryption
_KINDS = (8, 9, 18)  # audio, video, data
_VIDEO, _COMMAND = 9, 5  # a kind of tag; a frame type without a frame
_FOUR_LETTERS = 0x80  # a bit: four letters name the codec


def end_of_tags(stream: BinaryIO) -> int | None:
    """Return the end of the last tag; None if something other than a tag is found.

    Every tag is followed by its length, which is checked.
    """
    at, length = int.from_bytes(read(stream, 5, 4), "big"), 0
    for _ in range(MOST):
        head = read(stream, at, 4 + _HEAD)
        if len(head) >= 4 and int.from_bytes(head[:4], "big") not in (length, 0):
            return None
        if len(head) <= 4:
            break
        if head[4] & _KIND not in _KINDS:
            return None
        length = _HEAD + int.from_bytes(head[5:8], "big")
        at += 4 + length
    return at


def video_codecs(stream: BinaryIO) -> set[bytes]:
    """Return the codecs of the video tags, each as one byte or four letters."""
    at, codecs = int.from_bytes(read(stream, 5, 4), "big") + 4, set()
    for _ in range(MOST):
        head = read(stream, at, _HEAD + 5)
        if len(head) < _HEAD + 5:
            break
        first, letters = head[_HEAD], head[_HEAD + 1 :]
        length = int.from_bytes(head[1:4], "big")
        if head[0] & _KIND == _VIDEO and length and first >> 4 & 7 != _COMMAND:
            codecs.add(letters if first & _FOUR_LETTERS else bytes([first & 0x0F]))
        at += _HEAD + length + 4
    return codecs
