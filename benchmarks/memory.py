"""How much memory does a picture take on its way from a file to its hashes?

A drawn picture is saved in each form, then read, decoded and hashed in a child process of its own;
the figure is the most that the process used more than before, without the file's bytes. The bound
is twice the decoded array and 64 MiB. That array is the file's picture as it is decoded: width x
height x channels, of 1 byte each, or 2 if grey is deep. Some libraries need more to decode;
docs/internals/memory.md states how many bytes a pixel, which this checks with 64 MiB beside them.

    python benchmarks/memory.py [--small] [--kinds pdq,phash] [--receipt FILE]

Exits with 1 if a picture takes more than is stated. What this does not show: memory that the system
uses for the file; several files at once; and pictures whose decoders take memory by their content.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import receipt
from lists import workplace
from PIL import Image
from receipt import Row
from tables import table

SEED = 20260103
ALLOWANCE = 64 << 20
CHILD = """
import json, re, sys
from pathlib import Path
from PIL import Image
from screener import Policy
from screener.screening.input.hash_item import hash_item
from screener.hashing.hash import KINDS

def used(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def hashed(data):
    return hash_item(data, policy=Policy(effort="distance"), kinds=kinds)

data, warm = (Path(name).read_bytes() for name in sys.argv[1:3])
kinds = [KINDS[name] for name in sys.argv[3:]]
hashed(warm)  # loads what there is to load
Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
before = used("VmRSS")
found = hashed(data)
print(json.dumps([used("VmHWM") - before, str(found.error or ""), len(found.hashes)]))
"""

Save = Callable[[Image.Image, Path], None]


def as_is(format: str, mode: str = "RGB", **options: Any) -> Save:
    """Return what saves a picture in a format, with alpha if the mode has it."""

    def save(picture: Image.Image, path: Path) -> None:
        picture = clear(picture) if "A" in mode else picture
        picture.convert(mode).save(path, format, **options)

    return save


def clear(picture: Image.Image) -> Image.Image:
    """Return the picture with alpha from clear to opaque."""
    across = np.linspace(0, 255, picture.width).astype(np.uint8)
    picture = picture.convert("RGBA")
    picture.putalpha(Image.fromarray(np.tile(across, (picture.height, 1))))
    return picture


def frames(format: str, mode: str = "RGB", **options: Any) -> Save:
    """Return what saves three frames or pages: the picture, upside down, and mirrored."""

    def save(picture: Image.Image, path: Path) -> None:
        picture = clear(picture) if mode == "RGBA" else picture.convert(mode)
        turns = (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)
        others = [picture.transpose(one) for one in turns]
        picture.save(path, format, save_all=True, append_images=others, **options)

    return save


def heic(picture: Image.Image, path: Path) -> None:
    pillow_heif.from_pillow(picture).save(path, quality=50)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


# The bytes a pixel of the decoded array, how the form is saved, and, if its decoder takes more than
# the bound, the bytes a pixel that docs/internals/memory.md states.
FORMS: dict[str, tuple[int, Save] | tuple[int, Save, float]] = {
    "JPEG": (3, as_is("JPEG")),
    "JPEG, grey": (1, as_is("JPEG", "L")),
    "JPEG, progressive": (3, as_is("JPEG", progressive=True)),
    "JPEG, progressive, 4:4:4": (3, as_is("JPEG", progressive=True, subsampling=0), 7.1),
    "JPEG, progressive, grey": (1, as_is("JPEG", "L", progressive=True), 3.1),
    "JPEG, CMYK": (4, as_is("JPEG", "CMYK")),
    "JPEG, progressive, CMYK": (4, as_is("JPEG", "CMYK", progressive=True), 12.1),
    "MPO, pictures": (3, frames("MPO")),
    "PNG": (3, as_is("PNG", compress_level=1)),
    "PNG, grey": (1, as_is("PNG", "L", compress_level=1)),
    "PNG, 16-bit grey": (2, as_is("PNG", "I;16", compress_level=1)),
    "PNG, palette": (3, as_is("PNG", "P", compress_level=1)),
    "PNG, alpha": (4, as_is("PNG", "RGBA", compress_level=1)),
    "PNG, grey and alpha": (2, as_is("PNG", "LA", compress_level=1), 4.2),
    "PNG, animated": (3, frames("PNG", compress_level=1), 12.2),
    "TIFF": (3, as_is("TIFF")),
    "TIFF, grey": (1, as_is("TIFF", "L")),
    "TIFF, float": (2, as_is("TIFF", "F"), 5.3),
    "TIFF, float, one strip": (
        2,
        as_is("TIFF", "F", compression="tiff_lzw", strip_size=1 << 30),
        8.1,
    ),
    "TIFF, turned": (3, as_is("TIFF", exif=turned())),
    "TIFF, pages": (3, frames("TIFF", compression="jpeg")),
    "BMP": (3, as_is("BMP")),
    "GIF": (3, as_is("GIF", "P")),
    "GIF, animated": (3, frames("GIF", "P"), 13.2),
    "WebP": (3, as_is("WEBP", method=0)),
    "WebP, lossless": (3, as_is("WEBP", lossless=True, method=0, quality=0), 7.2),
    "WebP, alpha": (4, as_is("WEBP", "RGBA", method=0), 9.2),
    "WebP, animated": (4, frames("WEBP", "RGBA", method=0), 17.0),
    "WebP, animated, lossless": (
        4,
        frames("WEBP", "RGBA", lossless=True, method=0, quality=0),
        17.0,
    ),
    "HEIC": (3, heic),
    "AVIF": (3, as_is("AVIF", speed=10), 8.4),
    "AVIF, 4:4:4": (3, as_is("AVIF", speed=10, subsampling="4:4:4"), 10.0),
    "AVIF, grey": (1, as_is("AVIF", "L", speed=10), 3.7),
    "AVIF, alpha": (4, as_is("AVIF", "RGBA", speed=10), 12.0),
    "AVIF, animated": (3, frames("AVIF", speed=10), 14.0),
    "JPEG 2000": (3, as_is("JPEG2000"), 19.5),
    "JPEG 2000, grey": (1, as_is("JPEG2000", "L"), 6.3),
    "JPEG 2000, tiles": (3, as_is("JPEG2000", tile_size=(1024, 1024))),
}
FEW = ("JPEG", "PNG", "WebP", "HEIC", "TIFF, pages", "GIF, animated", "WebP, animated")
# Their decoders keep a copy of the file, which comes on top.
COPIED = ("WebP, animated", "WebP, animated, lossless")


def drawn(width: int, height: int) -> Image.Image:
    """Return soft shapes: what photos show, but for their grain."""
    random = np.random.default_rng(SEED)
    few = random.integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    return Image.fromarray(few).resize((width, height), Image.Resampling.BICUBIC)


def measured(name: str, picture: Image.Image, folder: Path, kinds: list[str]) -> Row:
    """Save the picture in a form, hash the file in a process, and return what that took."""
    size, save, *stated = FORMS[name]
    file, warm = folder / "picture", folder / "warm"
    save(picture, file)
    save(picture.resize((64, 48)), warm)
    command = [sys.executable, "-c", CHILD, str(file), str(warm), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, trouble, hashes = json.loads(done.stdout)
    if trouble or not hashes:
        raise SystemExit(f"{name}: {trouble or 'no hashes'}")
    pixels = picture.width * picture.height
    bound = 2 * size * pixels + ALLOWANCE
    more = int(sum(stated) * pixels) + ALLOWANCE + (file.stat().st_size if name in COPIED else 0)
    return {
        "form": name,
        "pixels": pixels,
        "peak_mib": round(peak / 2**20),
        "bytes_a_pixel": round(peak / pixels, 2),
        "bound_mib": round(bound / 2**20),
        "holds": peak <= bound,
        "said_mib": round(more / 2**20) if stated else None,
        "as_said": peak <= max(bound, more),
    }


def main() -> None:
    """Measure, print a table, write the receipt, and fail if a form takes more than is stated."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--kinds", default="pdq", help="the hashes to make, with commas")
    arguments = parser.parse_args()
    picture = drawn(1600, 1200) if arguments.small else drawn(8000, 6000)
    names, kinds = FEW if arguments.small else FORMS, arguments.kinds.split(",")
    with workplace(None) as folder:
        rows = [measured(name, picture, folder, kinds) for name in names]
    head = ["form", "bytes_a_pixel", "peak_mib", "bound_mib", "said_mib"]
    print(table(head, [[row[name] for name in head] for row in rows]))
    packages = ("pillow", "pillow-heif", "numpy")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))
    if more := [row["form"] for row in rows if not row["as_said"]]:
        raise SystemExit(f"more than is stated: {'; '.join(more)}")


if __name__ == "__main__":
    main()
