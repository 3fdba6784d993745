"""What does it cost to hash every frame of an animation, however near it is to another?

A thousand frames of a drawn picture over which a small mark moves, as a GIF; processor time to
read, decode and hash them, by the kinds that are made, beside the time to decode them alone.

    python benchmarks/animation.py [--small] [--receipt FILE]

What this does not show: look-ups, which frames with equal hashes share; and animations in which
the whole picture moves.
"""

from __future__ import annotations

import time

import receipt
from pictures import saved, scene
from PIL import ImageDraw

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
    """Return the animation."""
    still = scene(1, size).quantize(200)
    shown = []
    for number in range(frames):
        frame = still.copy()
        row, column = divmod(9 * number, size[0] - 9)
        top = 20 + 9 * row % (size[1] - 40)
        mark = (column, top, column + 8, top + 8)
        ImageDraw.Draw(frame).rectangle(mark, fill=100 * (number % 2))
        shown.append(frame)
    return saved(shown[0], "GIF", save_all=True, append_images=shown[1:], duration=40)


def main() -> None:
    """Measure, print a line each, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    rows = []
    for size in ((320, 240), (800, 600)):
        data = drawn(size, 50 if arguments.small else 1000)
        began = time.process_time()
        frames = sum(1 for _ in open_image.open(data).frames())
        seconds = {"decoding alone": time.process_time() - began}
        for name, kinds in WANTED.items():
            began = time.process_time()
            made = hash_item(data, policy=Policy(effort="distance"), kinds=kinds)
            seconds[name] = time.process_time() - began
            if made.error is not None:
                raise SystemExit(f"{name}: {made.error}")
        seconds = {name: round(each, 2) for name, each in seconds.items()}
        rows.append({"size": f"{size[0]}×{size[1]}", "frames": frames, "seconds": seconds})
        print(rows[-1])
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ["pillow", "numpy"]))


if __name__ == "__main__":
    main()
