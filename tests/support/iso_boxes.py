"""Boxes, of which ISO files are made: MP4, QuickTime, HEIF and AVIF."""

from __future__ import annotations


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of that kind, with its length."""
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def clap(width, height, across=0, down=0, *, parts=1):
    """A clean aperture of that size, its middle so far from that of the picture, in pixels of which
    each number counts so many parts.
    """
    numbers = (width, parts, height, parts, across, parts, down, parts)
    return box(b"clap", b"".join(number.to_bytes(4, "big", signed=True) for number in numbers))


def with_property(data, added, *, first=False):
    """A HEIF or AVIF whose item 1 has one property more, as the first or the last of its list."""
    shift = len(added) + 1
    at = data.index(b"ipma") + 4
    assert (data[at], data[at + 3] & 1) == (0, 0)  # short numbers
    number = _count(data, data.index(b"ipco") - 4) + 1
    entry = data.index(b"\0\1", at + 8)
    count = data[entry + 2]
    place = entry + 3 + (0 if first else count)
    told = bytes([0x80 | number])
    data = data[: entry + 2] + bytes([count + 1]) + data[entry + 3 : place] + told + data[place:]
    start = data.index(b"ipco") - 4
    end = start + int.from_bytes(data[start : start + 4], "big")
    data = data[:end] + added + data[end:]
    for kind, more in ((b"ipco", len(added)), (b"ipma", 1), (b"iprp", shift), (b"meta", shift)):
        start = data.index(kind) - 4
        length = int.from_bytes(data[start : start + 4], "big") + more
        data = data[:start] + length.to_bytes(4, "big") + data[start + 4 :]
    return _moved(data, shift)


def _count(data, at):
    """How many boxes a box holds."""
    end, at, count = at + int.from_bytes(data[at : at + 4], "big"), at + 8, 0
    while at < end:
        at, count = at + int.from_bytes(data[at : at + 4], "big"), count + 1
    return count


def _moved(data, by):
    """The file whose items begin so much further on."""
    at = data.index(b"iloc") + 4
    version, sizes = data[at], data[at + 4]
    assert version in (0, 1), version
    base, index = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    offset, length = sizes >> 4, sizes & 15
    made, count, at = bytearray(data), int.from_bytes(data[at + 6 : at + 8], "big"), at + 8
    for _ in range(count):
        method = data[at + 3] & 15 if version else 0
        at += 2 + 2 * version + 2
        wide = base or offset
        extents = int.from_bytes(data[at + base : at + base + 2], "big")
        places = (
            [at]
            if base
            else [at + 2 + k * (index + offset + length) + index for k in range(extents)]
        )
        for place in places if method == 0 else ():
            value = int.from_bytes(data[place : place + wide], "big") + by
            made[place : place + wide] = value.to_bytes(wide, "big")
        at += base + 2 + extents * (index + offset + length)
    return bytes(made)


def in_sample_entry(data, added):
    """An animated AVIF whose tracks' sample entries have one box more. Chunks lie behind `moov`."""
    count = data.count(b"stsd")
    for number in range(count):
        at = -1
        for _ in range(number + 1):
            at = data.index(b"stsd", at + 1)
        start = at + 12  # of its one entry
        end = start + int.from_bytes(data[start : start + 4], "big")
        data = data[:end] + added + data[end:]
        for place in (start, *_holding(data, at)):
            length = int.from_bytes(data[place : place + 4], "big") + len(added)
            data = data[:place] + length.to_bytes(4, "big") + data[place + 4 :]
    moov = data.index(b"moov") - 4
    shift = len(added) * count
    made, at = bytearray(data), -1
    while (at := data.find(b"stco", at + 1)) >= 0:
        for entry in range(int.from_bytes(data[at + 8 : at + 12], "big")):
            place = at + 12 + 4 * entry
            value = int.from_bytes(data[place : place + 4], "big")
            if value > moov:
                made[place : place + 4] = (value + shift).to_bytes(4, "big")
    return _moved(bytes(made), shift) if data.index(b"iloc") < moov else bytes(made)


def _holding(data, at):
    """Where the boxes begin that hold the one whose name is at a place, and it."""
    found = [at - 4]
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        found.append(data.rindex(kind, 0, found[-1]) - 4)
    return found
