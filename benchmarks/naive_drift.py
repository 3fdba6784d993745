"""How far does the pixel pipeline lie from `Image.convert("RGB")` in bits of PDQ?

Both are hashed with `pdqhash`. The naive way keeps the first frame, drops alpha, ignores EXIF
orientation and clips or truncates deep grey, as code without a pixel pipeline does.

What this does not show: which of the two is right. docs/internals/pixels.md says why they differ.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
import pdqhash
import receipt
from PIL import Image

from screener.media.image import open_image, pixels

QUESTION = 'How far does the pixel pipeline lie from Image.convert("RGB") in bits of PDQ?'


def pdq(picture: pixels.Pixels) -> tuple[np.ndarray, int]:
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    bits, quality = pdqhash.compute(np.ascontiguousarray(picture))
    return bits, int(quality)


def compared(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    frame = next(open_image.open(data).frames())
    with Image.open(io.BytesIO(data)) as opened:
        mode = opened.mode
        naive, naive_quality = pdq(np.asarray(opened.convert("RGB")))
    ours, quality = pdq(frame.pixels)
    return {
        "file": path.name,
        "mode": mode,
        "bits": int((ours != naive).sum()),
        "quality": quality,
        "naive_quality": naive_quality,
    }


def main() -> None:
    material = Path(__file__).resolve().parents[2] / "shared" / "material"
    modes = material / "robustness" / "generated"
    known = [*sorted((modes / "modes").glob("*")), *sorted((modes / "orientation").glob("*"))]
    known += [
        material / "pdq-reference" / "pytx" / name
        for name in ("I16.png", "LA.png", "rgb.jpeg")
        if (material / "pdq-reference" / "pytx" / name).exists()
    ]
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("file", type=Path, nargs="*", default=known, help="pictures to compare")
    parser.add_argument("--small", action="store_true", help="no difference: it takes a second")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    rows = [compared(path) for path in arguments.file]
    for row in rows:
        print(row)
    if not rows:
        print("no pictures given, and no ../shared/material beside this checkout")
    if arguments.receipt:
        packages = ("pillow", "pdqhash", "numpy")
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, packages))


if __name__ == "__main__":
    main()
