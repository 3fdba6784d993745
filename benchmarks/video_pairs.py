"""Which videos agree with which, and what do title cards have in common?

The evidence for the rule about listed videos, in four tables. `pairs`: each video under a folder,
hashed once a second, is listed, and each one, sampled as for a list with videos, in all
orientations, is compared with it; videos whose names are in one group of SAME are of one footage.
`shift`: how many frames of the reference vPDQ files, which have every frame, agree with the frame
so much later: how exactly two samplings must coincide. `cards`: title cards with other words, in
two sizes of type: their quality, how near they come to each other, how near a re-encoded one comes
to itself, and how much the rows of a card resemble each other (`sameness`), beside photographs.
`noise`: clips of cards that differ in a word or two, with noise.

    python benchmarks/video_pairs.py [--small] [--material FOLDER] [--receipt FILE]

What this does not show: how often unrelated footage of the world agrees; sixty short clips are few.
"""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import receipt
from pictures import MATERIAL
from receipt import Row

from screener import Policy
from screener.errors import MediaError
from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.hashing.video_frames import Frames, sameness
from screener.media.image import open_image
from screener.media.video.sampling.settings import Sampling
from screener.screening.input import vpdq
from screener.screening.input.hash_item import hash_item
from screener.screening.matching.video_search import build_clips
from screener.screening.video_rule.agreement import compare

# OpenCV draws the cards, and each of its versions in another type.
PACKAGES = ("numpy", "av", "opencv-python-headless")
# Of the reference material: parts of names of what was cut from one footage, and so agrees.
SAME = (
    "derived/ torchcodec/nasa_13013",
    "mp4__sample_ flv__sample ts__sample_h264 mkv__sample_with mp4__bt601 avi__sample",
    "bbb_",
    "decord/video_",
    "pattern-",
)
WORDS = (
    "PART 2", "PART 3", "CHAPTER ONE", "CHAPTER TWO", "THE END", "PRESENTS", "SUBSCRIBE",
    "DIRECTED BY\nJOHN SMITH", "A FILM ABOUT\nTHE SEA", "THANKS FOR\nWATCHING",
)  # fmt: skip


def group(name: str) -> str:
    """Return the footage that a file is of, by its name."""
    for parts in SAME:
        if any(part in name for part in parts.split()):
            return parts
    return name


def pairs(folder: Path) -> list[Row]:
    """Return how many pairs of videos agree by which rule, of one footage and of two."""
    policy = Policy(effort="distance", sampling=Sampling(against_videos=True))
    queries, listed = {}, {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        made, _ = vpdq.compute(path)
        if made is not None:
            name = path.relative_to(folder).as_posix()
            listed[name] = Frames.of_value(made.value)
            queries[name] = build_clips(hash_item(path, policy=policy, kinds=[KINDS["pdq"]]))
    counts: Counter[tuple[bool, str]] = Counter()
    for one, clips in queries.items():
        for other, frames in listed.items():
            found = [compare(clip.frames, frames) for clip in clips]
            rules = {str(agreement.rule) for agreement in found if agreement is not None}
            rule = next((rule for rule in ("whole", "run", "alike") if rule in rules), "none")
            counts[group(one) == group(other), rule] += 1
    return [
        {"table": "pairs", "one_footage": one, "rule": rule, "pairs": number}
        for (one, rule), number in sorted(counts.items())
    ]


def shift(folder: Path) -> list[Row]:
    """Return the share of usable frames that agree with the one so many frames later."""
    rows = []
    for path in sorted(folder.glob("*[!8].txt")):
        lines = [line.split(",") for line in path.read_text().split()]
        codes = np.array([np.frombuffer(bytes.fromhex(line[2]), np.uint8) for line in lines])
        usable = np.array([int(line[1]) >= 50 for line in lines])
        agree = {}
        for later in (1, 2, 4, 8, 15, 30):
            both = usable[:-later] & usable[later:]
            bits = np.bitwise_count(codes[:-later] ^ codes[later:]).sum(axis=1)[both]
            agree[f"{later}/30"] = round(float((bits <= 31).mean()), 3) if bits.size else None
        rows.append({"table": "shift", "video": path.stem, "agree": agree})
    return rows


def card(words: str, size: float) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return light words in the middle of a black picture."""
    frame = np.zeros((360, 640, 3), np.uint8)
    for line, text in enumerate(words.split("\n")):
        width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 3)[0][0]
        place = ((640 - width) // 2, 180 + int(45 * size) * line)
        cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (230,) * 3, 3)
    return frame


def cards(photos: Path) -> list[Row]:
    """Return the figures of title cards in two sizes, and of photographs."""
    rows = []
    for size in (1.2, 2.4):
        shown = [card(words, size) for words in WORDS]
        hashes = [pdq.compute(one) for one in shown]
        codes = np.array([np.frombuffer(one.value, np.uint8) for one in hashes])
        apart = np.bitwise_count(codes[:, None] ^ codes[None]).sum(axis=2)
        again = [pdq.compute(cv2.imdecode(cv2.imencode(".jpg", one)[1], 1)) for one in shown]
        rows.append(
            {
                "table": "cards", "what": f"cards in type of {size}", "count": len(shown),
                "qualities": sorted(int(one.quality or 0) for one in hashes),
                "nearest_two": int(apart[np.triu_indices(len(codes), 1)].min()),
                "re_encoded": max(a.distance(b) for a, b in zip(hashes, again, strict=True)),
                "sameness": spread(codes),
            }
        )  # fmt: skip
    found = []
    for path in sorted(path for path in photos.rglob("*") if path.is_file()):
        try:
            frame = next(iter(open_image.open(path.read_bytes()).frames()))
        except (MediaError, StopIteration):
            continue
        made = pdq.compute(frame.pixels)
        if (made.quality or 0) >= 80:
            found.append(np.frombuffer(made.value, np.uint8))
    if found:
        rows.append(
            {"table": "cards", "what": "photographs", "count": len(found),
             "sameness": spread(np.array(found))}
        )  # fmt: skip
    return rows


def noisy(
    photo: np.ndarray[Any, np.dtype[np.uint8]], noise: float, ground: int, seed: int
) -> Frames:
    """Return ten frames of a picture with noise of their own, blurred and re-encoded."""
    rng = np.random.default_rng((seed, int(noise), ground))
    made = []
    for _ in range(10):
        light = photo * (0.9 if ground == 0 else 0.5) + ground
        frame = np.clip(light + rng.normal(0, noise, photo.shape), 0, 255).astype(np.uint8)
        soft = cv2.GaussianBlur(frame, (0, 0), 2)
        made.append(pdq.compute(cv2.imdecode(cv2.imencode(".jpg", soft, [1, 40])[1], 1)))
    codes = np.array([np.frombuffer(one.value, np.uint8) for one in made])
    return Frames.ordered(np.arange(10), [one.quality for one in made], codes)


# Words, sizes, strengths of noise and grounds. The first chose the bounds of the rule.
CHOSEN_ON = (
    ("PART 2", "PART 3", "CHAPTER ONE", "CHAPTER TWO", "THE END\nOF PART 2", "THE END\nOF PART 3"),
    (0.8, 1.2, 1.8, 2.4, 3.2), (3, 10, 25, 50), (0, 40),
)  # fmt: skip
HELD_OUT = (
    ("EPISODE 12", "EPISODE 13", "WARNING", "THE NEW\nSEASON", "THE NEW\nSERIES", "Q AND A",
     "LEVEL 8\nROUND 1", "LEVEL 8\nROUND 2", "A STORY\nBY ANNA\nPART 1",
     "A STORY\nBY ANNA\nPART 2"),
    (1.0, 1.5, 2.0, 2.8), (5, 15, 35), (0, 20, 60),
)  # fmt: skip


def noise() -> list[Row]:
    """Return by which rule noisy clips of cards agree that differ in a word or two."""
    rows: list[Row] = []
    for name, (words, sizes, strengths, grounds) in (
        ("chosen on", CHOSEN_ON),
        ("held out", HELD_OUT),
    ):
        counts: Counter[str] = Counter()
        for size, strength, ground in itertools.product(sizes, strengths, grounds):
            clips = [
                noisy(card(one, size), strength, ground, 100 + seed)
                for seed, one in enumerate(words)
            ]
            for one, other in itertools.permutations(clips, 2):
                found = compare(one, other)
                counts["none" if found is None else str(found.rule)] += 1
        rows += [
            {"table": "noise", "cards": name, "rule": rule, "pairs": number}
            for rule, number in sorted(counts.items())
        ]
    return rows


def spread(codes: np.ndarray[Any, np.dtype[np.uint8]]) -> dict[str, float]:
    """Return the least, the median, the 99th in a hundred and the most."""
    values = np.percentile(sameness(codes), [0, 50, 99, 100])
    return dict(zip(("least", "median", "p99", "most"), values.round(2).tolist(), strict=True))


def main() -> None:
    """Measure, print the rows, and write the receipt."""
    parser = receipt.parser(__doc__)
    help = "a folder with videos/, vpdq/ and photos-free/"
    parser.add_argument("--material", type=Path, default=MATERIAL, help=help)
    arguments = parser.parse_args()
    material = arguments.material
    rows = cards(material / "none" if arguments.small else material / "photos-free")
    if not arguments.small:
        rows = [*pairs(material / "videos"), *shift(material / "vpdq"), *rows, *noise()]
    print(*rows, sep="\n")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, PACKAGES))


if __name__ == "__main__":
    main()
