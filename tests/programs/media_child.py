"""A child process of test_robustness_media: decodes the files it is told of, inside limits.

Paths come on standard input, one a line. For each, one JSON line goes out as soon as it is done,
so that the parent knows which file it was that killed the process.
"""

import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pdqhash

from screener.errors import MediaError
from screener.media.image import open_image


def pdq(pixels: np.ndarray) -> tuple[str, int]:
    """PDQ by the reference's binding, of an RGB array with the same values."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return np.packbits(bits).tobytes().hex(), int(quality)


def outcome(path: Path) -> dict[str, object]:
    """What became of one file: its own frames that were given, the first one's PDQ, reason, and
    seconds of computing.
    """
    started = time.process_time()  # the machine may be busy with something else
    told: dict[str, object] = {"frames": 0, "pdq": None, "media": None, "reason": None}
    frames = 0
    try:
        picture = open_image.open(path.read_bytes())
        told["media"] = [picture.media.type, picture.media.width, picture.media.height]
        for frame in picture.frames():
            frames += frame.part_kind == "frame"
            if frame.part == 0 and frame.pixels.size < 4_000_000:
                told["pdq"] = pdq(frame.pixels)
    except MediaError as error:
        told["reason"], told["detail"] = error.reason, error.detail
    return {**told, "frames": frames, "seconds": time.process_time() - started}


def main() -> None:
    """Take the limits from the command line, then answer line by line."""
    memory, cpu = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    warnings.simplefilter("ignore")  # this process is ours; Pillow warns of odd metadata
    for line in sys.stdin:
        print(json.dumps(outcome(Path(line.rstrip("\n")))), flush=True)


if __name__ == "__main__":
    main()
