"""A user's code that must pass a strict type checker; it is checked, never run."""

from pathlib import Path

import numpy as np

from screener import (
    HammingIndex,
    Hash,
    HashList,
    Match,
    Policy,
    Reason,
    Result,
    Screener,
    Verdict,
    output,
    scan,
)


def screen_a_folder(folder: Path) -> list[Match]:
    """Every way of calling that the README shows."""
    known = HashList.open("known.list")
    engine = Screener([known], policy=Policy(radius={"pdq": 31}))
    found: list[Match] = []
    with output.open_jsonl("results.jsonl") as out:
        for result in scan(engine, folder, jobs=2):
            out.write(result)
            found += result.matches
            if result.reason is Reason.TRUNCATED and result.verdict is Verdict.UNSCREENED:
                print(result.input, result.detail)
    one: Result = engine.match([Hash.parse("pdq", "0" * 64)])
    return [*found, *one.matches]


def search(codes: np.ndarray, queries: np.ndarray) -> tuple[int, int]:
    """The index speaks arrays."""
    index = HammingIndex.build(codes)
    offsets, rows, distances = index.search(queries, radius=31)
    index.save("codes.idx")
    return int(rows[offsets[0]]), int(distances.max()) + len(HammingIndex.open("codes.idx"))
