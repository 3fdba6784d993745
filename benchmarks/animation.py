"""What does it cost that no frame of an animation is left out for being near another?

A thousand frames of a drawn picture over which a small mark moves, as a GIF; processor time to
read, decode and hash them, by the kinds that are made, beside the time to decode them alone.

What this does not show: look-ups, of which frames that have equal hashes make none; and animations
that move, whose frames have always been hashed each.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import time
from pathlib import Path

from PIL import Image, ImageDraw

from screener import Policy
from screener.hashing import classic, pdq
from screener.hashing.hash import KINDS
from screener.media.image import open_image
from screener.screening.input.hash_item import hash_item

SHORT = tuple(KINDS[name] for name in ("phash", "dhash", "ahash", "whash"))
WANTED = {
    "pdq": (pdq.PDQ,),
    "pdq and the short classic kinds": (pdq.PDQ, *SHORT),
    "all nine kinds": (pdq.PDQ, *classic.CLASSIC),
}


def drawn(size: tuple[int, int], frames: int) -> bytes:
    """The animation."""
    place = Path(__file__).resolve().parents[1] / "fixtures" / "draw.py"
    spec = importlib.util.spec_from_file_location("draw", place)
    assert spec is not None
    assert spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    still: Image.Image = draw.scene(1, size).quantize(200)
    shown = []
    for number in range(frames):
        frame = still.copy()
        row, column = divmod(9 * number, size[0] - 9)
        place_of = (column, 20 + 9 * row % (size[1] - 40))
        mark = (*place_of, place_of[0] + 8, place_of[1] + 8)
        ImageDraw.Draw(frame).rectangle(mark, fill=100 * (number % 2))
        shown.append(frame)
    out = io.BytesIO()
    shown[0].save(out, "GIF", save_all=True, append_images=shown[1:], duration=40)
    return out.getvalue()


def main() -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fifty frames: whether it runs")
    frames = 50 if parser.parse_args().small else 1000
    for size in ((320, 240), (800, 600)):
        data = drawn(size, frames)
        began = time.process_time()
        count = sum(1 for _ in open_image.open(data).frames())
        print(f"{size[0]} x {size[1]}, {count} frames: decoded in {_since(began)}")
        for name, kinds in WANTED.items():
            began = time.process_time()
            made = hash_item(data, policy=Policy(), kinds=kinds)
            assert made.trouble is None
            parts = len({one.part for one in made.hashes})
            print(f"  {name}: {_since(began)}, {parts} frames to be looked up")


def _since(began: float) -> str:
    return f"{time.process_time() - began:.2f} s"


if __name__ == "__main__":
    main()
