"""What a video's file says of itself, read from its boxes without decoding: cut short, encrypted,
in fragments.

Covers ISO files (MP4, QuickTime, 3GP), Matroska with WebM, RIFF (AVI) and FLV. Nothing here raises
on broken input: what cannot be read is not declared. Streams are left where they were.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from screener.media.files.chunks import MOST, boxes, read
from screener.media.files.sniff import MATROSKA, sniff

# Boxes of ISO files that hold the boxes looked for here.
_NESTED = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_PROTECTED = (b"encv", b"drmi")

SEGMENT, CLUSTER = 0x18538067, 0x1F43B675
TRACKS, _TRACK = 0x1654AE6B, 0xAE
# Tracks, TrackEntry, ContentEncodings, ContentEncoding: the way to a ContentEncryption.
_WAY = (TRACKS, _TRACK, 0x6D80, 0x6240)
_ENCRYPTION = 0x5035

_UNKNOWN = 0xFFFFFFFF  # the length of a RIFF that was written to a pipe

_FLV_TAG = 11  # bytes of a tag's head
_FLV_KINDS = (8, 9, 18)  # sound, pictures, data
_FLV_PICTURES, _FLV_COMMAND = 9, 5  # of tags, and of pictures those which are none
_FLV_LETTERS = 0x80  # a bit: four letters say how a picture is coded
_FLV_KIND = 0x1F  # the bits that say which; one more says that it is encrypted

_FRAGMENT = (b"moof", b"traf")  # from a file to where a fragment's time is told


def ended_early(stream: BinaryIO) -> bool:
    """Whether the file declares more bytes than it has."""
    with kept(stream) as size:
        head = read(stream, 0, 12)
        if head[:3] == b"FLV":
            return (flv_end(stream) or 0) > size
        if head[:4] == b"RIFF":
            length = int.from_bytes(head[4:8], "little")
            return length != _UNKNOWN and length + 8 > size
        if head[:4] == MATROSKA:
            return any(end > size for _, _, end in elements(stream, 0, size))
        return is_iso(head) and any(end > size for _, _, end in boxes(stream, 0, size))


def encrypted(stream: BinaryIO) -> bool:
    """Whether a picture track is encrypted, so that its frames would decode to noise if at all."""
    with kept(stream) as size:
        if read(stream, 0, 4) == MATROSKA:
            return _encrypted_matroska(stream, size)
        return is_iso(read(stream, 0, 12)) and any(
            entry in _PROTECTED for entry in _sample_entries(stream, size)
        )


def in_fragments(stream: BinaryIO) -> bool:
    """Whether an ISO file is made of fragments, each of which tells when it is shown."""
    with kept(stream) as size:
        kinds = (kind for kind, _, _ in boxes(stream, 0, size))
        return is_iso(read(stream, 0, 12)) and b"moof" in kinds


def begins_anew(stream: BinaryIO) -> bool:
    """Whether a fragment of a track is to be shown no later than the one before it, as where
    recordings were joined.
    """
    latest: dict[bytes, int] = {}
    with kept(stream) as size:
        if not is_iso(read(stream, 0, 12)):
            return False
        for track, time in _fragments(stream, 0, size, 0):
            if time <= latest.get(track, -1):
                return True
            latest[track] = time
    return False


def _fragments(stream: BinaryIO, at: int, end: int, depth: int) -> Iterator[tuple[bytes, int]]:
    """The number of the track of each fragment that tells its time, and that time."""
    track = b""
    for kind, body, after in boxes(stream, at, end):
        if depth < len(_FRAGMENT):
            if kind == _FRAGMENT[depth]:
                yield from _fragments(stream, body, min(after, end), depth + 1)
        elif kind == b"tfhd":
            track = read(stream, body + 4, 4)
        elif kind == b"tfdt":
            told = read(stream, body, 12)
            yield track, int.from_bytes(told[4:] if told[:1] == b"\1" else told[4:8], "big")


class kept:
    """Gives the size of a stream, and puts it back where it stood."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __enter__(self) -> int:
        self._stood = self._stream.tell()
        return self._stream.seek(0, io.SEEK_END)

    def __exit__(self, *_: object) -> None:
        self._stream.seek(self._stood)


def is_iso(head: bytes) -> bool:
    """Whether a file that begins so is made of ISO boxes, as old QuickTime files are too."""
    return sniff(head) in ("video/mp4", "audio/mp4", "video/3gpp", "video/quicktime")


def inside(
    stream: BinaryIO, at: int, end: int, depth: int, wanted: bytes
) -> Iterator[tuple[int, int]]:
    """The boxes of a type within a track: where the body starts, where the box ends."""
    for kind, body, after in boxes(stream, at, end):
        if kind in _NESTED and depth < len(_NESTED):
            yield from inside(stream, body, min(after, end), depth + 1, wanted)
        elif kind == wanted and depth:
            yield body, min(after, end)


def _sample_entries(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """How the samples of each track are coded, by four letters."""
    for start, end in inside(stream, 0, size, 0, b"stsd"):
        for entry, _, _ in boxes(stream, start + 8, end):
            yield entry


def coded_in_several_ways(stream: BinaryIO) -> bool:
    """Whether the samples of a track of an ISO file, or the pictures of an FLV, are of more kinds
    than one, of which FFmpeg gives the first.
    """
    with kept(stream) as size:
        head = read(stream, 0, 12)
        if head[:3] == b"FLV":
            return len(_flv_kinds(stream)) > 1
        if not is_iso(head):
            return False
        return any(
            len({entry for entry, _, _ in boxes(stream, start + 8, end)}) > 1
            for start, end in inside(stream, 0, size, 0, b"stsd")
        )


def matroska_number(data: bytes, *, marked: bool) -> tuple[int, int]:
    """A Matroska number at the start of `data` and its length; (0, 0) where there is none.

    An identifier keeps the bit that marks its length, a size does not.
    """
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length], "big")
    return (value if marked else value & (1 << 7 * length) - 1), length


def elements(stream: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The elements of a Matroska file from `at`: identifier, where its body starts and ends.

    One of unknown size ends with what holds it.
    """
    for _ in range(MOST):
        if at >= end:
            return
        head = read(stream, at, 12)
        name, long = matroska_number(head, marked=True)
        size, wide = matroska_number(head[long:], marked=False)
        if not long or not wide:
            return
        body = at + long + wide
        after = end if size == (1 << 7 * wide) - 1 else body + size
        yield name, body, after
        at = after


def flv_end(stream: BinaryIO) -> int | None:
    """Where the last tag of an FLV file ends; None if something else than tags is met, each with
    the length of the one before.
    """
    at, length = int.from_bytes(read(stream, 5, 4), "big"), 0
    for _ in range(MOST):
        head = read(stream, at, 4 + _FLV_TAG)
        if len(head) >= 4 and int.from_bytes(head[:4], "big") not in (length, 0):
            return None
        if len(head) <= 4:
            break
        if head[4] & _FLV_KIND not in _FLV_KINDS:
            return None
        length = _FLV_TAG + int.from_bytes(head[5:8], "big")
        at += 4 + length
    return at


def _flv_kinds(stream: BinaryIO) -> set[bytes]:
    """How the pictures of an FLV are coded: by a number, or by four letters."""
    at, found = int.from_bytes(read(stream, 5, 4), "big") + 4, set()
    for _ in range(MOST):
        head = read(stream, at, _FLV_TAG + 5)
        if len(head) < _FLV_TAG + 5:
            break
        first, letters = head[_FLV_TAG], head[_FLV_TAG + 1 :]
        length = int.from_bytes(head[1:4], "big")
        if head[0] & _FLV_KIND == _FLV_PICTURES and length and first >> 4 & 7 != _FLV_COMMAND:
            found.add(letters if first & _FLV_LETTERS else bytes([first & 0x0F]))
        at += _FLV_TAG + length + 4
    return found


def _encrypted_matroska(stream: BinaryIO, size: int) -> bool:
    for name, body, after in elements(stream, 0, size):
        if name == SEGMENT:
            return _leads_to_encryption(stream, body, min(after, size), 0)
    return False


def _leads_to_encryption(stream: BinaryIO, at: int, end: int, depth: int) -> bool:
    for name, body, after in elements(stream, at, end):
        if name == CLUSTER:
            return False
        if depth == len(_WAY):
            if name == _ENCRYPTION:
                return True
        elif name == _WAY[depth] and _leads_to_encryption(stream, body, min(after, end), depth + 1):
            return True
    return False
