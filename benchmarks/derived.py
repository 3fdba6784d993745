"""Are mirrored and turned copies found from one PDQ, and what does that cost?

Photos are mirrored or turned in all seven ways and saved as JPEG of quality 75. The plain PDQ of
each copy is looked up in a list of the originals by `Screener.match`. Photos are enlarged to three
sizes, and also taken as they are: most of the material's are 256 pixels wide. A photo's hash and
those of its copies must find no other photo. Last, a miss is looked up among a million random
codes by `GET /m/lookup`, with derived codes and without; the service is called without a network,
which shows more of the difference.

    python benchmarks/derived.py [--small] [--receipt FILE]

What this does not show: copies that were edited otherwise too, and hits of graphics.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import codes
import lists
import numpy as np
import receipt
from pictures import PHOTOS, distinct, files_in, saved, scene
from PIL import Image
from receipt import Row

from screener import HashList, Screener
from screener.hashing import pdq
from screener.screening import screener as matching
from screener.service.app import create_app
from screener.service.server import Service
from screener.service.settings import Settings

TURNS = tuple(Image.Transpose)
SIZES = (None, 512, 1024, 1600)  # pixels of the longer side
FLOOR = 50


def photos(small: bool) -> list[Image.Image]:
    """Return the photos, or drawn pictures without the material, of enough quality for PDQ."""
    files = distinct(files_in(PHOTOS))[: 12 if small else None]
    pictures = [Image.open(path).convert("RGB") for path in files]
    pictures = pictures or [scene(seed, (320, 200)) for seed in range(12)]
    return [one for one in pictures if pdq.compute(np.asarray(one)).quality >= FLOOR]


def enlarged(picture: Image.Image, side: int | None) -> Image.Image:
    """Return a picture with a longer side of so many pixels."""
    if side is None:
        return picture
    scale = side / max(picture.size)
    size = round(picture.width * scale), round(picture.height * scale)
    return picture.resize(size, Image.Resampling.LANCZOS)


def copies(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield a picture in the seven other orientations, saved and read again."""
    for turn in TURNS:
        with Image.open(io.BytesIO(saved(picture.transpose(turn), quality=75))) as copy:
            yield copy.convert("RGB")


def recall(pictures: list[Image.Image], side: int | None, folder: Path) -> Row:
    """Return how many turned copies are found at a size, and how many photos find another."""
    originals = [enlarged(one, side) for one in pictures]
    hashes = [pdq.compute(np.asarray(one)) for one in originals]
    values = {"pdq": np.array([np.frombuffer(one.value, np.uint8) for one in hashes])}
    engine = Screener(lists.made(folder / f"{side}.list", values))
    found = false = 0
    for number, picture in enumerate(originals):
        items = [[hashes[number]], *([pdq.compute(np.asarray(one))] for one in copies(picture))]
        entries = [{m.entry for m in one.matches} for one in engine.match_many(items)]
        found += sum(f"e{number}" in some for some in entries[1:])
        false += sum(len(some - {f"e{number}"}) for some in entries)
    asked = len(TURNS) * len(originals)
    return {
        "side": side or "as it is",
        "photos": len(originals),
        "found": round(found / asked, 4),
        "false": false,
    }


async def ask(app: Any, code: bytes) -> float:
    """Return the seconds of a look-up of a code, which misses."""
    query = f"signal_type=pdq&signal={code.hex()}".encode()
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": "/m/lookup",
        "raw_path": b"/m/lookup", "root_path": "", "scheme": "http", "query_string": query,
        "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    start = time.perf_counter()
    await app(scope, receive, send)
    taken = time.perf_counter() - start
    if (sent[0]["status"], sent[1]["body"].strip()) != (200, b"{}"):
        raise SystemExit("a look-up does not miss")
    return taken


async def look_up(listed: HashList, count: int, folder: Path, queries: codes.Codes) -> Row:
    """Return median microseconds of look-ups with derived codes and without, which take turns."""
    settings = Settings(lists=(listed.path,), hma=True, hma_state=folder / "state", jobs=1,
                        access_log=folder / "access.log")  # fmt: skip
    app = create_app(Service(settings))
    spells: dict[bool, list[float]] = {True: [], False: []}
    async with app.router.lifespan_context(app):
        for query in queries:
            for given in (False, True):
                with mock.patch.object(matching, "_has_orientations", lambda _, given=given: given):
                    spells[given].append(await ask(app, query.tobytes()))
    derived, given = (statistics.median(spells[which]) * 1e6 for which in (False, True))
    return {
        "records": count,
        "microseconds": round(derived, 1),
        "without": round(given, 1),
        "times": round(derived / given, 2),
    }


def main() -> None:
    """Measure, print a line for each row, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="screener-bench-") as name:
        folder = Path(name)
        pictures = photos(arguments.small)
        for side in SIZES[-1:] if arguments.small else SIZES:
            rows.append(recall(pictures, side, folder))
            print(rows[-1], flush=True)
        records, queries = (5_000, 50) if arguments.small else (1_000_000, 2_000)
        listed = lists.made(folder / "known.list", lists.drawn(records, ("pdq",)))
        rows.append(asyncio.run(look_up(listed, records, folder, codes.uniform(queries, seed=9))))
        print(rows[-1])
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ["numpy", "pillow"]))


if __name__ == "__main__":
    main()
