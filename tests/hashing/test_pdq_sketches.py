"""Hashes with bits in doubt: a Result is the same as if they had been sure."""

import random

import numpy as np
import pytest
from doubtful_screener import Doubtful
from PIL import Image

from screener import Hash, Policy, Screener, Verdict, scan
from screener.hashing import detail, pdq
from screener.hashing.hash import KINDS
from screener.media import opening
from screener.media.files.picture import Frame, Media, Picture
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.located_hash import LocatedHash


def flipped(value, bits, rng):
    """A code at a distance."""
    number = int.from_bytes(value)
    for bit in rng.sample(range(256), bits):
        number ^= 1 << bit
    return number.to_bytes(32).hex()


@pytest.fixture
def pictures(scene, plain, tmp_path):
    """Files of some pictures, and of some that show too little to be compared."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(24):
        scene(number, (160, 120)).save(folder / f"{number:02}.png")
        if number % 3 == 0:  # between bars, that alone would be too much of the picture
            framed = Image.new("RGB", (480, 120))
            framed.paste(scene(number, (160, 120)), (160, 0))
            framed.save(folder / f"framed-{number:02}.png")
    # Such as PDQ's own quality does not tell.
    drawn = (
        plain.draw(family, seed) for family in ("stripes", "blank", "text") for seed in range(9)
    )
    passed = (pixels for pixels in drawn if pdq.compute(pixels).quality >= 50)
    for number, pixels in enumerate(passed):
        Image.fromarray(pixels).save(folder / f"plain-{number}.png")
    return sorted(str(path) for path in folder.iterdir())


def told(result):
    """What does not hang on the moment."""
    line = result.to_dict()
    line["lists"][0].pop("age_s")
    line.pop("seconds", None)
    return line


def test_bits_in_doubt_change_no_result(make_list, pictures):
    """With records around the radius of a picture's hash, in any orientation and with any doubtful
    bits, `screen`, `screen_many` and `scan` return the results of exact hashes, distances too.
    """
    rng = random.Random(1)
    rows = []
    for number, path in enumerate(pictures):
        hashes = hash_item(path, policy=Policy(), kinds=[KINDS["pdq"]]).hashes
        for away in (20, 31, 32, 31 + rng.randint(2, 12)):
            if rng.random() < 0.5:
                one = rng.choice(hashes).hash.value
                rows.append({"id": f"{number}-{away}", "pdq": flipped(one, away, rng)})
    known = make_list(rows)
    policy = Policy(effort="distance")
    sure, doubtful = Screener(known, policy=policy), Doubtful(known, policy=policy)

    expected = [told(*sure.decide([sure.hasher.hash(path)])) for path in pictures]

    assert [told(doubtful.screen(path)) for path in pictures] == expected
    assert [told(one) for one in doubtful.screen_many(pictures)] == expected
    assert [told(one) for one in scan(doubtful, pictures, jobs=2)] == expected
    assert [told(one) for one in scan(sure, pictures, jobs=1)] == expected
    assert {line["verdict"] for line in expected} == {"match", "no_match", "unscreened"}


def test_a_stream_is_hashed_surely_since_it_is_read_once(make_list, pictures):
    """Beside inputs that can be read again."""
    listed = pdq.compute(np.asarray(Image.open(pictures[0]))).text
    engine = Doubtful(make_list([{"id": "one", "pdq": listed}]))

    with open(pictures[0], "rb") as stream:
        results = engine.screen_many([stream, pictures[0]])

    assert [[one.distance for one in result.matches] for result in results] == [[0], [0]]


def test_a_picture_that_is_hashed_again_keeps_its_name(make_list, pictures):
    """A picture is hashed exactly if the doubtful bits of its sketches could change the result."""
    listed = pdq.compute(np.asarray(Image.open(pictures[0]))).text
    engine = Doubtful(make_list([{"id": "one", "pdq": listed}]))

    (result,) = engine.screen_many([pictures[0]], inputs=["a"])

    assert (result.input, result.verdict, result.matches[0].distance) == ("a", "match", 0)


def test_no_radius_is_too_wide_for_bits_in_doubt(make_list, pictures):
    """They are searched further than the radius, which may be all bits that there are."""
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4}])
    engine = Doubtful(known, policy=Policy(radius={"pdq": 256}))

    assert engine.screen(pictures[0]).verdict is Verdict.MATCH


def test_only_what_is_near_is_hashed_again(make_list, pictures):
    """A far list decides all sketches whose detail is known; a sketch near a record is never
    decided.
    """
    far = Doubtful(make_list([{"id": "far", "pdq": "0123456789abcdef" * 4}]))
    hasher = far.hasher.__class__(far.policy, far.kinds, sketches=True)
    sketches = [hasher.hash(path) for path in pictures]
    rows = [{"id": str(n), "pdq": one.hashes[0].hash.text} for n, one in enumerate(sketches)]
    near = Doubtful(make_list(rows, name="near"))

    assert all(one.doubt for sketch in sketches for one in sketch.hashes)
    settled = list(far.decide_if_sure(sketches))
    for sketch, one in zip(sketches, settled, strict=True):
        assert (one is None) == (sketch.hashes[0].least == 0 and sketch.hashes[0].detail == 100)
    verdicts = {one.verdict for one in settled if one is not None}
    assert verdicts == {Verdict.NO_MATCH, Verdict.UNSCREENED}
    assert list(near.decide_if_sure(sketches[:24])) == [None] * 24
    with pytest.raises(RuntimeError):
        list(near.decide(sketches))


@pytest.mark.parametrize("beside", [[], ["known_good"]])
def test_a_sketch_is_settled_where_no_bit_in_doubt_can_decide(make_list, beside):
    """To one bit: beyond the radius by more than are in doubt. Whatever else is looked up with it,
    and of whichever doubts; and whatever other record holds the value, within a radius of its own.
    """
    rng = random.Random(7)
    listed = rng.randbytes(32)
    rows = [
        {"id": str(number), "pdq": listed.hex(), "status": status}
        for number, status in enumerate(["confirmed", *beside])
    ]
    engine = Screener(make_list(rows), policy=Policy(known_good_radius={"pdq": 0}))

    def item(away, doubt):
        hash = Hash(KINDS["pdq"], bytes.fromhex(flipped(listed, away, rng)), quality=100)
        return HashedInput(Name(), (LocatedHash(hash, detail=100, doubt=doubt, least=100),))

    def verdicts(*items):
        return [one and one.verdict for one in engine.decide_if_sure(items)]

    far = [item(120, doubt) for doubt in (0, 2, 5)]
    clear, match = Verdict.NO_MATCH, Verdict.MATCH
    assert verdicts(*far) == [clear, clear, clear]
    for doubt in (1, 2, 4, 7):
        assert verdicts(item(31 + doubt, doubt)) == [None]
        assert verdicts(item(32 + doubt, doubt)) == [clear]
        near = item(0, doubt), item(31 + doubt, doubt), item(32 + doubt, doubt), item(31, 0)
        wanted = [None, None, clear, match]
        assert verdicts(*far, *near) == [clear, clear, clear, *wanted]
        assert verdicts(*near, *far) == [*wanted, clear, clear, clear]
        assert verdicts(*far, *near[:2]) == [clear, clear, clear, None, None]


def test_a_sketch_is_not_settled_for_the_list_that_hangs_on_it(make_list):
    """Though another list was surely compared by a kind of its own."""
    pictures = make_list([{"id": "one", "pdq": "01" * 32}], name="pictures")
    others = make_list([{"id": "one", "phash": "01" * 8}], name="others")
    made = [Hash(KINDS[kind], b"\x73" * KINDS[kind].size, 100) for kind in ("pdq", "phash")]
    sketch = LocatedHash(made[0], detail=100, doubt=1, least=0)
    item = HashedInput(Name(), (sketch, LocatedHash(made[1], detail=100)))

    for lists in ([pictures, others], [others, pictures], [pictures]):
        assert list(Screener(lists).decide_if_sure([item])) == [None]
    (settled,) = Screener([others]).decide_if_sure([item])
    assert settled.verdict is Verdict.NO_MATCH


def test_the_score_of_a_sketch_is_bounded():
    """Whether there is detail enough to compare a hash hangs on its bits too: whichever are wrong,
    its score lies within the bounds.
    """
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 256, (400, 32), np.uint8)
    codes[:200, ::2] = codes[:200, 1::2]  # rows that are alike
    changed = told_apart = 0
    for number, code in enumerate(codes):
        (score,) = detail.pattern_scores([code.tobytes()])
        for doubt in range(1, pdq.MOST_DOUBT + 1):
            (least,), (most,) = detail.pattern_bounds(code.tobytes(), bytes([doubt]))
            draw = random.Random(number * 10 + doubt)
            for _ in range(3):
                other = bytes.fromhex(flipped(code.tobytes(), doubt, draw))
                (found,) = detail.pattern_scores([other])
                assert least <= found <= most
                changed += found != score
            assert least <= score <= most
            told_apart += least >= 50 or most < 50
    assert changed > 100
    assert told_apart > 1000
    # Of a code that was searched for, the bit that takes as much of the score as any can.
    worst = bytes.fromhex("d3f9121a4119ba189de167bb4b196c042c24431163fb28e7a8e6bcf6029c0802")
    other = worst[:4] + bytes([worst[4] ^ 2]) + worst[5:]
    (least,), _ = detail.pattern_bounds(worst, b"\1")
    assert detail.pattern_scores([other, worst]) == [82, 87]
    assert least == 81  # by the half that is for rounding


@pytest.fixture
def doubtful():
    """A picture whose PDQ has bits in doubt."""
    y, x = np.mgrid[:700, :1100]
    rng = np.random.default_rng(4)
    for _ in range(40):
        waves = [
            14 * np.sin(x * a / 1100 + y * b / 700 + c) for a, b, c in rng.uniform(-64, 64, (8, 3))
        ]
        shown = np.clip(128 + sum(waves) + rng.uniform(-20, 20, (700, 1100)), 0, 255)
        picture = Image.fromarray(shown.astype(np.uint8))
        if any(pdq.sketches(np.asarray(picture))[2]):
            return picture
    return pytest.fail("no picture is in doubt")


def sketched(item):
    """The hashes of an input by PDQ, with bits in doubt."""
    return hash_item(item, policy=Policy(), kinds=[KINDS["pdq"]], sketch=True).hashes


def test_what_moves_is_hashed_surely(doubtful, tmp_path):
    """Frames of a video are compared with one another if a list has videos; a still is sketched."""
    still, moving = tmp_path / "still.png", tmp_path / "moving.png"
    doubtful.save(still)
    other = Image.fromarray(np.asarray(doubtful)[::-1, ::-1].copy().T.copy()).resize(doubtful.size)
    doubtful.save(moving, save_all=True, append_images=[other])

    doubts = {path: [one.doubt for one in sketched(path)] for path in (still, moving)}
    assert any(doubts[still])
    assert len(doubts[moving]) >= 16
    assert not any(doubts[moving])


def test_a_video_of_one_frame_is_hashed_surely(doubtful, monkeypatch):
    """It is compared with the videos of a list, by its hash as it is."""
    shown = np.asarray(doubtful)

    def doubted(kind):
        picture = Picture(Media(kind, *doubtful.size, 1), lambda: iter([Frame(shown, 0.0, 0)]))
        monkeypatch.setattr(opening, "open", lambda *_, **__: picture)
        return any(one.doubt for one in sketched(b"some"))

    assert doubted("image/png")
    assert not doubted("video/mp4")


def test_what_has_a_frame_is_hashed_surely(doubtful):
    """The detail of the whole hangs on it, which must not hang on two doubts at once."""
    framed = np.pad(np.asarray(doubtful), ((0, 0), (300, 300)))

    found = {
        region: [one for one in sketched(framed) if one.region == region]
        for region in ("full", "trimmed")
    }

    assert any(one.doubt for one in sketched(np.asarray(doubtful)))
    assert len(found["trimmed"]) == 8
    assert not any(one.doubt for one in found["trimmed"])
    (least,) = {one.detail for one in found["trimmed"]}
    assert all(one.detail >= least for one in found["full"])
