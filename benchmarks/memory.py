"""How much memory does a picture take on its way from a file to its hashes?

A drawn picture is saved in each form, then read, decoded and hashed in a child process of its
own; the figure is the most that the process held more than before, the file's bytes not counted.
The bound is twice the decoded array and 64 MiB. That array is what the file's picture is when it is
decoded: width x height x channels, of 1 byte each, or 2 where grey is deep. Where the library that
decodes takes more than that, docs/internals/memory.md says how many bytes a pixel, and this holds
them, with 64 MiB beside them: it exits with 1 where a picture takes more than is said. By default
PDQ is made; `--kinds` names others.

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
from screener.screening.input.hash_item import hash_item
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


def clear(picture: Image.Image) -> Image.Image:
    """The picture with alpha from clear to opaque."""
    across = np.linspace(0, 255, picture.width).astype(np.uint8)
    picture = picture.convert("RGBA")
    picture.putalpha(Image.fromarray(np.tile(across, (picture.height, 1))))
    return picture


def with_alpha(save: Save) -> Save:
    return lambda picture, path: save(clear(picture), path)


def frames(format: str, mode: str = "RGB", **options: Any) -> Save:
    """Three frames, or pages: the picture upright, upside down and mirrored."""

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


# Each with the bytes a pixel of what it is decoded to.
FORMS: dict[str, tuple[int, Save]] = {
    "JPEG": (3, saver("JPEG")),
    "JPEG, grey": (1, saver("JPEG", "L")),
    "JPEG, progressive": (3, saver("JPEG", progressive=True)),
    "JPEG, progressive, 4:4:4": (3, saver("JPEG", progressive=True, subsampling=0)),
    "JPEG, progressive, grey": (1, saver("JPEG", "L", progressive=True)),
    "JPEG, CMYK": (4, saver("JPEG", "CMYK")),
    "JPEG, progressive, CMYK": (4, saver("JPEG", "CMYK", progressive=True)),
    "MPO, pictures": (3, frames("MPO")),
    "PNG": (3, saver("PNG", compress_level=1)),
    "PNG, grey": (1, saver("PNG", "L", compress_level=1)),
    "PNG, 16-bit grey": (2, saver("PNG", "I;16", compress_level=1)),
    "PNG, palette": (3, saver("PNG", "P", compress_level=1)),
    "PNG, alpha": (4, with_alpha(saver("PNG", "RGBA", compress_level=1))),
    "PNG, grey and alpha": (2, with_alpha(saver("PNG", "LA", compress_level=1))),
    "PNG, animated": (3, frames("PNG", compress_level=1)),
    "TIFF": (3, saver("TIFF")),
    "TIFF, grey": (1, saver("TIFF", "L")),
    "TIFF, float": (2, saver("TIFF", "F")),
    "TIFF, float, one strip": (2, saver("TIFF", "F", compression="tiff_lzw", strip_size=1 << 30)),
    "TIFF, turned": (3, saver("TIFF", exif=turned())),
    "TIFF, pages": (3, frames("TIFF", compression="jpeg")),
    "BMP": (3, saver("BMP")),
    "GIF": (3, saver("GIF", "P")),
    "GIF, animated": (3, frames("GIF", "P")),
    "WebP": (3, saver("WEBP", method=0)),
    "WebP, lossless": (3, saver("WEBP", lossless=True, method=0, quality=0)),
    "WebP, alpha": (4, with_alpha(saver("WEBP", "RGBA", method=0))),
    "WebP, animated": (4, frames("WEBP", "RGBA", method=0)),
    "WebP, animated, lossless": (4, frames("WEBP", "RGBA", lossless=True, method=0, quality=0)),
    "HEIC": (3, heic),
    "AVIF": (3, saver("AVIF", speed=10)),
    "AVIF, 4:4:4": (3, saver("AVIF", speed=10, subsampling="4:4:4")),
    "AVIF, grey": (1, saver("AVIF", "L", speed=10)),
    "AVIF, alpha": (4, with_alpha(saver("AVIF", "RGBA", speed=10))),
    "AVIF, animated": (3, frames("AVIF", speed=10)),
    "JPEG 2000": (3, saver("JPEG2000")),
    "JPEG 2000, grey": (1, saver("JPEG2000", "L")),
    "JPEG 2000, tiles": (3, saver("JPEG2000", tile_size=(1024, 1024))),
}

# What docs/internals/memory.md says of those whose decoders take more than the bound, in bytes a
# pixel.
SAID: dict[str, float] = {
    "JPEG, progressive, 4:4:4": 7.1,
    "JPEG, progressive, grey": 3.1,
    "JPEG, progressive, CMYK": 12.1,
    "PNG, grey and alpha": 4.2,
    "PNG, animated": 12.2,
    "GIF, animated": 13.2,
    "TIFF, float": 5.3,
    "TIFF, float, one strip": 8.1,
    "WebP, lossless": 7.2,
    "WebP, alpha": 9.2,
    "WebP, animated": 17.0,
    "WebP, animated, lossless": 17.0,
    "AVIF": 8.4,
    "AVIF, 4:4:4": 10.0,
    "AVIF, grey": 3.7,
    "AVIF, alpha": 12.0,
    "AVIF, animated": 14.0,
    "JPEG 2000": 19.5,
    "JPEG 2000, grey": 6.3,
}

# Those whose decoders keep a copy of the file, which comes on top.
KEPT = ("WebP, animated", "WebP, animated, lossless")


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
    said = int(SAID.get(name, 0) * pixels) + ALLOWANCE
    said += file.stat().st_size if name in KEPT else 0
    return {
        "form": name,
        "pixels": pixels,
        "peak_mib": round(peak / 2**20),
        "bytes_a_pixel": round(peak / pixels, 2),
        "bound_mib": round(bound / 2**20),
        "holds": peak <= bound,
        "said_mib": round(said / 2**20) if name in SAID else None,
        "as_said": peak <= max(bound, said),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="2 million pixels, a few forms")
    parser.add_argument("--kinds", default="pdq", help="the hashes to make, with commas")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    picture = drawn(1600, 1200) if arguments.small else drawn(8000, 6000)
    few = ["JPEG", "PNG", "WebP", "HEIC", "TIFF, pages", "GIF, animated", "WebP, animated"]
    names = few if arguments.small else list(FORMS)
    with tempfile.TemporaryDirectory() as folder:
        kinds = arguments.kinds.split(",")
        rows = [measured(name, picture, Path(folder), kinds) for name in names]
    print("| form | bytes a pixel | peak, MiB | bound, MiB | said, MiB |\n|---|---|---|---|---|")
    for row in rows:
        peak = f"{row['peak_mib']}" if row["holds"] else f"**{row['peak_mib']}**"
        told = f"{row['bound_mib']} | {row['said_mib'] or ''}"
        print(f"| {row['form']} | {row['bytes_a_pixel']} | {peak} | {told} |")
    if arguments.receipt:
        packages = ("pillow", "pillow-heif", "numpy")
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, packages))

    more = [row["form"] for row in rows if not row["as_said"]]
    if more:
        raise SystemExit(f"more than is said: {'; '.join(more)}")


if __name__ == "__main__":
    main()
