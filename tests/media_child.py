"""A child process of test_robustness_media: decodes the files it is told of, inside limits.

Paths come on standard input, one a line; for each, one JSON line goes out as soon as it is done,
so that the parent knows which file killed the process.
"""

import json
import resource
import sys
import time
import warnings
from pathlib import Path

from screener.errors import MediaError
from screener.media import image


def outcome(path: Path) -> dict[str, object]:
    """What became of one file: frames given, reason, seconds."""
    started, frames, media, reason, detail = time.perf_counter(), [], None, None, ""
    try:
        picture = image.open(path.read_bytes())
        for frame in picture.frames():
            frames.append(list(frame.pixels.shape[:2]))
        media = [picture.media.type, picture.media.width, picture.media.height]
    except MediaError as error:
        reason, detail = error.reason, error.detail
    return {
        "frames": frames,
        "media": media,
        "reason": reason,
        "detail": detail,
        "seconds": round(time.perf_counter() - started, 2),
    }


def main() -> None:
    """Set the limits, then answer line by line."""
    memory, cpu = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    warnings.simplefilter("ignore")  # this process is ours; Pillow warns of odd metadata
    for line in sys.stdin:
        print(json.dumps(outcome(Path(line.rstrip("\n")))), flush=True)


if __name__ == "__main__":
    main()
