"""Files to upload and their verdicts: drawn pictures, and files that do harm.

The verdict of a picture is that of `Screener.screen`, that of a hostile file is that of `scan`.
Both are found before the service has seen any.
"""

from __future__ import annotations

import csv
import io
import json
import random
import struct
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from screener import HashList, Screener, scan
from screener.hashing import digest, pdq
from screener.screening.result import Result

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "fixtures"))
import draw  # noqa: E402

MATERIAL = ROOT.parent / "shared" / "material" / "robustness"

PICTURES = 40  # of which every other one is listed
LISTED_HARM = 10  # one in so many hostile files is listed by its digest

# Which of the two a file gets hangs on the memory that earlier files have left to its worker.
_NOT_WHOLE = ("truncated", "too_large")


@dataclass(frozen=True)
class Answer:
    """What matters of a Result."""

    verdict: str
    reason: str | None
    entries: frozenset[str]

    @classmethod
    def of_line(cls, line: dict[str, Any]) -> Answer:
        """That of a result line."""
        reason = "not whole" if line["reason"] in _NOT_WHOLE else line["reason"]
        return cls(line["verdict"], reason, frozenset(one["entry"] for one in line["matches"]))

    @classmethod
    def of(cls, result: Result) -> Answer:
        """That of a Result."""
        return cls.of_line(json.loads(result.to_json()))


@dataclass(frozen=True)
class File:
    """A file to upload, and what must be answered; None if that changes with the generation."""

    name: str
    content: bytes
    expected: Answer | None


@dataclass(frozen=True)
class Files:
    """The pictures, the hostile files, and a picture that only some generations have."""

    pictures: list[File]
    hostile: list[File]
    changing: File


def encode(picture: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """A picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def pdq_of(picture: Image.Image) -> str:
    """The PDQ of a picture, as text."""
    return pdq.compute(np.asarray(picture.convert("RGB"))).text


def _draw_pictures() -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """Pictures as files of several formats, and rows that list every other one.

    A listed picture is uploaded as it was listed, smaller, or brighter.
    """
    files, rows = {}, []
    for number in range(PICTURES):
        picture = draw.scene(number, (640, 480))
        if number % 2:
            rows.append({"id": f"picture-{number}", "pdq": pdq_of(picture)})
        shown = {
            1: picture.resize((320, 240)),
            2: ImageEnhance.Brightness(picture).enhance(1.1),
        }.get(number // 2 % 3, picture)
        form = ("JPEG", "PNG", "WEBP")[number // 2 % 3]
        files[f"picture-{number}"] = encode(shown, form, **{"quality": 70} if form != "PNG" else {})
    return files, rows


def _draw_hostile(rng: random.Random) -> dict[str, bytes]:
    """Files that are broken or larger than they look, for checkouts without the material."""
    whole = {form: encode(draw.scene(90), form) for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF")}
    files = {"empty": b"", "text": b"no picture\n" * 20, "noise": rng.randbytes(20_000)}
    for form, content in whole.items():
        for part in (0.02, 0.3, 0.9):
            files[f"cut-{part}-{form}"] = content[: int(len(content) * part)]
        flipped = bytearray(content)
        for _ in range(30):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        files[f"flipped-{form}"] = bytes(flipped)
    files["large-header"] = _png(60_000, 60_000, b"")
    files["bomb"] = _png(20_000, 20_000, zlib.compress(bytes(20_000 * 2501), 9))
    return files


def _png(width: int, height: int, data: bytes) -> bytes:
    """A PNG of black and white pixels, whatever its data are."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = b"IHDR" + header, b"IDAT" + data, b"IEND"
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


def find_hostile(count: int, rng: random.Random) -> dict[str, bytes]:
    """Hostile files: drawn ones, and up to `count` of the material, if it lies beside us."""
    files = _draw_hostile(rng)
    if not MATERIAL.is_dir():
        print(f"no {MATERIAL.parent.name}/{MATERIAL.name} beside this checkout: not uploaded")
        return files
    paths = sorted(path for path in MATERIAL.rglob("*") if path.is_file())
    for path in rng.sample(paths, min(count, len(paths))):
        files[str(path.relative_to(MATERIAL))] = path.read_bytes()
    return files


def write_rows(file: Path, rows: Iterable[dict[str, str]]) -> Path:
    """Write rows of a list to a CSV file."""
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "pdq", "md5", "sha256", "status"], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return file


def prepare(folder: Path, known: Path, *, hostile: int, seed: int) -> Files:
    """Draw and read files, list some of them in a new list, and find their verdicts."""
    rng = random.Random(seed)
    pictures, rows = _draw_pictures()
    harm = find_hostile(hostile, rng)
    for number, name in enumerate(sorted(harm)):
        if number % LISTED_HARM == 0 and harm[name]:
            rows.append({"id": f"harm-{number}", "sha256": digest.compute(harm[name])[2].text})
    HashList.create(known).import_file(write_rows(folder / "first.csv", rows), source="soak")
    screener = Screener(HashList.open(known))
    return Files(
        [
            File(name, content, Answer.of(screener.screen(content)))
            for name, content in pictures.items()
        ],
        _scan_hostile(screener, folder / "hostile", harm),
        File("changing", encode(draw.scene(99)), None),
    )


def _scan_hostile(screener: Screener, folder: Path, contents: dict[str, bytes]) -> list[File]:
    folder.mkdir()
    names = {}
    for number, (name, content) in enumerate(contents.items()):
        path = folder / str(number)  # without an ending, as in a body
        path.write_bytes(content)
        names[str(path)] = name
    found = {}
    for result in scan(screener, list(names)):
        if result.input in names:  # and no member of an archive
            found[names[result.input]] = Answer.of(result)
    return [File(name, contents[name], found[name]) for name in contents]
