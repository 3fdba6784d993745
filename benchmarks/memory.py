"""How much memory does a picture take on its way from a file to its hashes?

A drawn picture is saved in each form, then read, decoded and hashed in a child process of its
own; the figure is the most that the process held more than before, the file's bytes not counted.
The bound is twice the decoded array and 64 MiB. That array is what the file's picture is when it is
decoded: width x height x channels, of 1 byte each, or 2 where grey is deep. By default PDQ is
made; `--kinds` names others.

What this does not show: memory that the system holds for the file; several files at once; and
pictures whose decoders take memory by what is in them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import receipt
from PIL import Image

QUESTION = "How much memory does a picture take on its way from a file to its hashes?"
SEED = 20260103
ALLOWANCE = 64 << 20
CHILD = """
import json, re, sys
from pathlib import Path
from PIL import Image
from screener import Policy
from screener.hashed import hash_item
from screener.hashing.hash import KINDS

def held(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def hashed(data):
    return hash_item(data, policy=Policy(), kinds=kinds)

data, warm = (Path(name).read_bytes() for name in sys.argv[1:3])
kinds = [KINDS[name] for name in sys.argv[3:]]
hashed(warm)  # loads what there is to load
Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
before = held("VmRSS")
found = hashed(data)
print(json.dumps([held("VmHWM") - before, str(found.trouble or ""), len(found.hashes)]))
"""

Save = Callable[[Image.Image, Path], None]


def saver(format: str, mode: str = "RGB", **options: Any) -> Save:
    def save(picture: Image.Image, path: Path) -> None:
        picture.convert(mode).save(path, format, **options)

    return save


def heic(picture: Image.Image, path: Path) -> None:
    pillow_heif.from_pillow(picture).save(path, quality=50)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


# Each with the bytes a pixel of what it is decoded to.
FORMS: dict[str, tuple[int, Save]] = {
    "JPEG": (3, saver("JPEG")),
    "JPEG, grey": (1, saver("JPEG", "L")),
    "JPEG, progressive": (3, saver("JPEG", progressive=True)),
    "JPEG, progressive, grey": (1, saver("JPEG", "L", progressive=True)),
    "JPEG, CMYK": (4, saver("JPEG", "CMYK")),
    "PNG": (3, saver("PNG", compress_level=1)),
    "PNG, grey": (1, saver("PNG", "L", compress_level=1)),
    "PNG, 16-bit grey": (2, saver("PNG", "I;16", compress_level=1)),
    "PNG, palette": (3, saver("PNG", "P", compress_level=1)),
    "PNG, alpha": (4, saver("PNG", "RGBA", compress_level=1)),
    "PNG, grey and alpha": (2, saver("PNG", "LA", compress_level=1)),
    "TIFF": (3, saver("TIFF")),
    "TIFF, grey": (1, saver("TIFF", "L")),
    "TIFF, turned": (3, saver("TIFF", exif=turned())),
    "BMP": (3, saver("BMP")),
    "GIF": (3, saver("GIF", "P")),
    "WebP": (3, saver("WEBP", method=0)),
    "WebP, lossless": (3, saver("WEBP", lossless=True, method=0, quality=0)),
    "WebP, alpha": (4, saver("WEBP", "RGBA", method=0)),
    "HEIC": (3, heic),
    "AVIF": (3, saver("AVIF", speed=10)),
    "JPEG 2000": (3, saver("JPEG2000")),
}


def drawn(width: int, height: int) -> Image.Image:
    """Soft shapes: what files of photos are, but for their grain."""
    random = np.random.default_rng(SEED)
    few = random.integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    return Image.fromarray(few).resize((width, height), Image.Resampling.BICUBIC)


def measured(
    name: str, picture: Image.Image, folder: Path, kinds: Sequence[str] = ("pdq",)
) -> dict[str, Any]:
    size, save = FORMS[name]
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
    return {
        "form": name,
        "pixels": pixels,
        "peak_mib": round(peak / 2**20),
        "bytes_a_pixel": round(peak / pixels, 2),
        "bound_mib": round(bound / 2**20),
        "holds": peak <= bound,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="2 million pixels, a few forms")
    parser.add_argument("--kinds", default="pdq", help="the hashes to make, with commas")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    picture = drawn(1600, 1200) if arguments.small else drawn(8000, 6000)
    names = ["JPEG", "PNG", "WebP", "HEIC"] if arguments.small else list(FORMS)
    with tempfile.TemporaryDirectory() as folder:
        kinds = arguments.kinds.split(",")
        rows = [measured(name, picture, Path(folder), kinds) for name in names]
    print("| form | bytes a pixel | peak, MiB | bound, MiB |\n|---|---|---|---|")
    for row in rows:
        peak = f"{row['peak_mib']}" if row["holds"] else f"**{row['peak_mib']}**"
        print(f"| {row['form']} | {row['bytes_a_pixel']} | {peak} | {row['bound_mib']} |")
    if arguments.receipt:
        packages = ("pillow", "pillow-heif", "numpy")
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, packages))


if __name__ == "__main__":
    main()
