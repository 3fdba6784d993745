"""How far does our decoding lie from `Image.convert("RGB")`, in bits of PDQ?

Both are hashed with `pdqhash`. The naive way takes the first frame, drops alpha, ignores EXIF
orientation and clips or truncates deep grey. The files are odd modes and orientations of the
reference material, or those that are named.

    python benchmarks/naive_drift.py [--small] [--receipt FILE] [FILE...]

What this does not show: which of the two is right. docs/internals/pixels.md gives the reasons.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import receipt
from grey_drift import pdq
from pictures import MATERIAL
from PIL import Image
from receipt import Row

from screener.media.image import open_image

GENERATED, PYTX = MATERIAL / "robustness/generated", MATERIAL / "pdq-reference/pytx"
FILES = [
    *sorted((GENERATED / "modes").glob("*")),
    *sorted((GENERATED / "orientation").glob("*")),
    *PYTX.glob("LA.png"),
    *PYTX.glob("rgb.jpeg"),
]


def compared(path: Path) -> Row:
    """Return the bits between the two, and both qualities."""
    data = path.read_bytes()
    ours, quality = pdq(next(open_image.open(data).frames()).pixels)
    with Image.open(io.BytesIO(data)) as opened:
        mode = opened.mode
        naive, naive_quality = pdq(np.asarray(opened.convert("RGB")))
    bits = int((ours != naive).sum())
    row = {"file": path.name, "mode": mode, "bits": bits}
    return row | {"quality": quality, "naive_quality": naive_quality}


def main() -> None:
    """Measure, print the figures, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("file", type=Path, nargs="*", default=FILES)
    arguments = parser.parse_args()
    rows = [compared(path) for path in arguments.file]
    print(*rows or ["no pictures: name some"], sep="\n")
    packages = ("pillow", "pdqhash", "numpy")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))


if __name__ == "__main__":
    main()
