"""Hashes made elsewhere: the quick look-up returns the Results of screening."""

import csv

import numpy as np
import pytest
from clips import clip, scenes, value_of

from screener import Hash, HashList, Policy, Screener
from screener.hashing import pdq
from screener.hashing.hash import KINDS
from screener.hashing.vpdq_value import vpdq_frames
from screener.media.name import name_of_label
from screener.screening.input.hash_item import HashedInput
from screener.screening.matching import video_search

LISTED = {
    "pdq": [KINDS["pdq"], 12],
    "md5": [KINDS["md5"], 8],
    "phash": [KINDS["phash"], 6],
    "sha256": [KINDS["sha256"], 4],
    "dhash": [KINDS["dhash"], 10],
    "whash": [KINDS["whash"], 7],
}
WEAK = ("dhash", "whash")
FILM = Hash(KINDS["vpdq"], value_of(clip(scenes(20, seed=1))))


def drawn(rng, kind):
    """Return a random value of a kind."""
    return rng.integers(0, 256, kind.size, np.uint8).tobytes()


def flipped(rng, value, bits):
    """Return the value with so many bits changed."""
    code = np.frombuffer(value, np.uint8).copy()
    for bit in rng.choice(len(code) * 8, bits, replace=False).tolist():
        code[bit // 8] ^= 1 << bit % 8
    return code.tobytes()


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """Return lists of every sort, and the values on them by kind.

    Pictures, known good ones, a video, and weak kinds alone.
    """
    folder, rng = tmp_path_factory.mktemp("bare"), np.random.default_rng(1)
    values = {name: [drawn(rng, kind) for _ in range(n)] for name, (kind, n) in LISTED.items()}
    rows = [
        {"id": f"e{n}", "status": status, "pdq_quality": quality}
        | {name: each[n].hex() for name, each in values.items() if n < len(each)}
        for n, (status, quality) in enumerate(
            [("", ""), ("disputed", ""), ("seed", ""), ("known_good", ""), ("", "20")] * 2
        )
    ]
    lists = []
    for name, some in (
        ("pictures", rows),
        ("good", [row | {"status": "known_good"} for row in rows[3:6]]),
        ("videos", [{"id": "film", "vpdq": FILM.text}, {"id": "e0", "pdq": rows[0]["pdq"]}]),
        ("weak", [{kind: row.get(kind) for kind in ("id", *WEAK)} for row in rows]),
    ):
        file = folder / f"{name}.csv"
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["id", "status", "pdq_quality", *LISTED, "vpdq"])
            writer.writeheader()
            writer.writerows(some)
        made = HashList.create(folder / f"{name}.list")
        made.import_file(file, source=name)
        lists.append(made.refresh())
    return lists, values


def item(rng, values):
    """Return up to four hashes.

    Listed, near, too far, random, blank or of low quality, of kinds that are listed, missing or
    never compared, or of a video or its frame.
    """
    hashes, entry = [], int(rng.integers(0, 4))
    for _ in range(int(rng.choice([0, 1, 1, 1, 2, 3, 4]))):
        name = str(rng.choice(["pdq", "pdq", "pdq", "md5", "phash", "sha256", "sha1", *WEAK]))
        kind = KINDS[name]
        value = drawn(rng, kind)
        if name in values and rng.random() < 0.6:
            number = entry if rng.random() < 0.8 else rng.integers(0, len(values[name]))
            value = values[name][number]
            if kind.perceptual:
                value = flipped(rng, value, int(rng.integers(0, kind.radius + 3)))
        if name == "pdq" and rng.random() < 0.5:
            code = np.frombuffer(value, np.uint8).reshape(1, -1)
            value = pdq.derive_orientations(code)[0, rng.integers(8)].tobytes()
        if rng.random() < 0.1:
            value = bytes(kind.size)
        hashes.append(Hash(kind, value, rng.choice([None, 100, 60, 50, 49, 0])))
    if rng.random() < 0.05:
        hashes.append(Hash(KINDS["photodna"], drawn(rng, KINDS["photodna"])))
    if rng.random() < 0.05:
        hashes.append(FILM)
    if rng.random() < 0.05:
        frame = next(iter(vpdq_frames(FILM.value))).pdq
        hashes.append(Hash(KINDS["pdq"], flipped(rng, frame, int(rng.integers(0, 34)))))
    return hashes


POLICIES = {
    "default": Policy(),
    "digests": Policy(digests_only=True),
    "strict": Policy(radius={"pdq": 8, "vpdq": 31}, floor={"pdq": 80}),
    "a weak kind alone": Policy(alone=["dhash"], radius={"whash": 2}),
    "wide for good ones": Policy(known_good_radius={"pdq": 40}, floor={"pdq": 0, "phash": 100}),
}


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (3,), (0, 1), (0, 1, 2, 3)])
def test_bare_hashes_have_the_results_of_screening(listed, name, which):
    """Alone and in a batch, with and without names; all verdicts occur."""
    lists, values = listed
    engine = Screener([lists[number] for number in which], policy=POLICIES[name])
    rng = np.random.default_rng(2)
    items = [item(rng, values) for _ in range(400)]
    names = [None if number % 3 else f"n{number}" for number in range(len(items))]
    expected = list(
        engine.decide(
            [
                HashedInput(
                    name_of_label(name),
                    tuple(p for one in each for p in video_search.locate_hash(one)),
                    derive=True,
                )
                for name, each in zip(names, items, strict=True)
            ]
        )
    )

    together = engine.match_many(items, inputs=names)
    alone = [engine.match(each, input=name) for name, each in zip(names, items, strict=True)]

    assert without_age(together) == without_age(expected)
    assert without_age(alone) == without_age(expected)
    if which == (0,):
        assert {str(one.verdict) for one in expected} == {"match", "no_match", "unscreened"}
        weak = [
            m.uncorroborated for r in expected for m in r.other_hits + r.matches if m.kind in WEAK
        ]
        assert set(weak) == (set() if name == "digests" else {True, False})
    if which == (3,):
        cleared = {one.verdict for one in expected if one.verdict != "unscreened"}
        assert cleared == ({"match", "no_match"} if name == "a weak kind alone" else set())


def without_age(results):
    """Return result lines without the ages of lists."""
    lines = [one.to_dict() for one in results]
    for line in lines:
        for state in line["lists"]:
            del state["age_s"]
    return lines


def test_each_result_has_the_current_age_of_the_list(listed, monkeypatch):
    """Also Results without hits, which share everything else."""
    lists, _ = listed
    engine = Screener(lists[0])
    random = [Hash(KINDS["pdq"], drawn(np.random.default_rng(3), KINDS["pdq"]), 100)]
    (before,) = engine.match(random, input="a").lists
    monkeypatch.setattr(
        "screener.lists.stored_list.time.time", lambda now=lists[0]._generation.time: now + 7_200.5
    )

    after = engine.match(random, input="b")

    assert (after.verdict, after.input, after.lists[0].age_s) == ("no_match", "b", 7_200)
    assert before.age_s < 7_200
    assert before.stamp == after.lists[0].stamp
