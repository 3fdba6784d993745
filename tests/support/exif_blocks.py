"""EXIF blocks with a thumbnail."""

import struct


def exif_block(*, order="<", jpeg=b"", strip=b"", size=(0, 0)):
    """Return an EXIF block whose second directory holds a thumbnail, a JPEG or plain pixels."""
    pixels = jpeg or strip
    if jpeg:
        tags = [(259, 3, 6), (513, 4, 0), (514, 4, len(jpeg))]
    else:
        width, height = size
        tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
        tags += [(273, 4, 0), (277, 3, 1), (278, 4, height), (279, 4, len(strip))]
    second = 8 + 2 + 12 + 4
    at = second + 2 + 12 * len(tags) + 4
    block = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    block += struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, 1, 0, second)
    block += struct.pack(order + "H", len(tags))
    for tag, kind, value in tags:
        value = at if tag in (513, 273) else value
        form = "HHIHH" if kind == 3 else "HHII"
        block += struct.pack(order + form, tag, kind, 1, value, *([0] if kind == 3 else []))
    return b"Exif\0\0" + block + struct.pack(order + "I", 0) + pixels
