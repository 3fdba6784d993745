"""What a worker tells: plain values, checked one by one, whoever made them."""

import json
import os
import pickle
import random
from dataclasses import replace

import pytest

from screener import Hash, Policy, Screener
from screener.errors import MediaError
from screener.hashing.hash import KINDS
from screener.media.archives.archive import Listing, Member
from screener.media.source import Name
from screener.scanning.workers.messages import Answer
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, OpenedArchive
from screener.screening.input.located_hash import Hashes, LocatedHash
from screener.screening.result import MediaFacts

MEMBERS = (
    Member(b"a\xff.png", 7),
    Member(b"b", 8, MediaError("encrypted", "under a password")),
)


@pytest.fixture(scope="module")
def hashed(tmp_path_factory, scene):
    """A picture's file, by columns and alone."""
    path = tmp_path_factory.mktemp("answers") / "one.png"
    scene(1, (160, 120)).save(path)
    kinds = (KINDS["pdq"], KINDS["phash"], KINDS["md5"])
    made = Hasher(Policy(), kinds, sketches=True).hash(path)
    moved = LocatedHash(Hash(KINDS["pdq"], bytes(32), 80), time=1.5, detail=70, again=(2.0,))
    return replace(made, hashes=Hashes((*made.hashes.groups, moved)), seconds=0.25)


@pytest.fixture
def outcomes(hashed):
    """All that a scan's worker tells."""
    name = Name("a!\N{REPLACEMENT CHARACTER}", b"a!\xff", 7, 8, (1,), (2,))
    clip = MediaFacts("video/mp4", 4, 3, 2, 1.5, 6)
    broken = HashedInput(name, media=clip, trouble=MediaError("truncated", "the data ends"))
    far = HashedInput(
        Name("b", mtime_ns=10_500_000_000 * 10**9), media=replace(clip, duration=2.0**63)
    )
    archive = HashedInput(name, archive=True)
    return [
        hashed,
        broken,
        far,
        OpenedArchive(archive, Listing(MEMBERS, 15), direct=True),
        OpenedArchive(
            archive, Listing((), 0, MediaError("truncated", "the data ends")), direct=False
        ),
    ]


def seen(value):
    """All that it holds, as text."""
    return repr(value)


def test_an_answer_is_what_was_sent(outcomes):
    """Of each kind of outcome; also of jobs that tell plain values of their own."""
    plain = [None, "a", {"a": [1, (2.5, b"x")], "b": {3}}]
    for number, outcome in enumerate([*outcomes, *plain]):
        found = Answer.unpacked(Answer(number, outcome, 0.5, 0.6).packed())

        assert type(found.outcome) is type(outcome)
        assert seen(found) == seen(Answer(number, outcome, 0.5, 0.6))
    assert Answer.unpacked(Answer(1, None, 0.5, 0.6, "KeyError").packed()).error == "KeyError"


@pytest.mark.parametrize("error", ["two words", "a\nb", "", 5, b"KeyError", "E" * 101])
def test_an_error_that_is_no_name_of_one_is_refused(error):
    """It is logged, and written down."""
    with pytest.raises((ValueError, AttributeError)):
        Answer.unpacked(pickle.dumps((1, ("", (None,)), 0.5, error)))


class Order:
    """Unpickled, it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_nothing_is_run_or_made_but_plain_values(hashed, tmp_path):
    """Neither a function, nor a class of ours, whose state could be set behind its checks."""
    values = [Order(str(tmp_path / "made")), hashed, KINDS["md5"], Policy(), os.getcwd, Name("a")]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for value in values:
            for told in (
                value,
                (1, ("", (value,)), 0.5, None),
                (1, ("HashedInput", value), 0.5, None),
            ):
                with pytest.raises(pickle.UnpicklingError, match="an answer holds"):
                    Answer.unpacked(pickle.dumps(told, protocol))

    assert os.listdir(tmp_path) == []


def placed(value, where, one):
    """The same with one value in it, at a place, put in place of another."""
    if not where:
        return one
    each = list(value)
    each[where[0]] = placed(each[where[0]], where[1:], one)
    return type(value)(each)


NAN, INF = float("nan"), float("inf")
NUMBERS = (True, None, "1", 1.5, 1 << 63, -1 << 64)  # none of a count
OTHERS_OF = {
    (0,): NUMBERS,
    (2,): (True, None, "1", NAN, INF, -INF, 1 << 63, 2.0**96),
    (3,): (True, None, "1", NAN, INF, -INF, 1 << 63, 2.0**96),
    (1, 0): ("", "opened", "MediaFacts", None, 1, []),
    # The name and the facts of a file.
    (1, 1, 0, 0): (1, b"a"),
    (1, 1, 0, 1): (1, "a"),
    (1, 1, 0, 2): (True, 1.5, "1", 1 << 96),
    (1, 1, 0, 3): (True, 1.5, "1", -1 << 97),
    (1, 1, 0, 4): (None, [1], ("a",), (True,), (1.5,)),
    (1, 1, 0, 5): (None, [1], ("a",), (True,), (1.5,)),
    (1, 1, 2, 1): NUMBERS,
    (1, 1, 2, 3): NUMBERS,
    (1, 1, 2, 4): (True, "1", NAN, INF, -INF, 1 << 63, 2.0**96),
    (1, 1, 2): ((), [], ("image/png", 1, 1, 1, None), ("image/png", 1, 1, 1, None, 1, 1)),
    (1, 1, 3): (
        (),
        ("crashed",),
        ("no reason", ""),
        ("crashed", None),
        (None, ""),
        "crashed",
        ("crashed", "a\nb"),
        ("crashed", "a" * 1001),
    ),
    (1, 1, 4): (True, 1, "1", NAN, INF),
    (1, 1, 5): (None, 0, 1, "1"),
    # Columns.
    (1, 1, 1, 1, 0): ("md5", "none", None),
    (1, 1, 1, 1, 1): (bytes(255), bytes(257), "a" * 256),
    (1, 1, 1, 1, 2): (bytes(7), bytes(9), b"\x65" * 8, (1,) * 8),
    (1, 1, 1, 1, 3): (bytes(7), b"\x65" * 8),
    (1, 1, 1, 1, 4): (bytes(7), b"\x09" * 8),
    (1, 1, 1, 1, 5): (bytes(7), b"\x65" * 8),
    (1, 1, 1, 1, 6): (None, "half", 1),
    (1, 1, 1, 1, 7): NUMBERS,
    (1, 1, 1, 1, 8): (True, None, "1", NAN, INF, 1 << 63),
    (1, 1, 1, 1, 9): (None, "cover", 1),
    (1, 1, 1, 1, 10): (None, [1.5], ("a",), (NAN,), (True,)),
    (1, 1, 1, 1, 11): NUMBERS,
    # A hash alone.
    (1, 1, 1, -1, 0, 0): ("none", None, []),
    (1, 1, 1, -1, 0, 1): (bytes(31), "a" * 32),
    (1, 1, 1, -1, 0, 2): (-1, 101, True, 1.5),
    (1, 1, 1, -1, 0, 3): (True, 1.5, "1"),
    (1, 1, 1, -1, 1): (None, "sideways", []),
    (1, 1, 1, -1, 2): (None, "half", []),
    (1, 1, 1, -1, 6): (True, 1.5, "1"),
    (1, 1, 1, -1, 9): (True, None, 1.5, -1, 9),
    (1, 1, 1, -1, 10): (True, 1.5, "1"),
}


def test_each_value_of_an_answer_is_checked(hashed, outcomes):
    """One that never stands where it does, or a number that is told of no file, is refused."""
    told = pickle.loads(Answer(1, replace(hashed, trouble=outcomes[1].trouble), 0.5, 0.6).packed())
    listed = pickle.loads(Answer(1, outcomes[3], 0.5, 0.6).packed())
    of_archive = {
        (1, 1, 1): (None, 1, [()], [("a", 1, None)], [(b"a", -1, None)], [(b"a", True, None)]),
        (1, 1, 2): (("no reason", ""), ("crashed",), ("crashed", "\x1b[2J")),
        (1, 1, 3): (*NUMBERS, -1),
        (1, 1, 4): (None, 1, "1"),
    }
    assert Answer.unpacked(pickle.dumps(told)).outcome.media is not None
    assert Answer.unpacked(pickle.dumps(listed)).outcome.direct
    taken = [
        (where, one)
        for answer, others in ((told, OTHERS_OF), (listed, of_archive))
        for where, wrong in others.items()
        for one in wrong
        if is_taken(placed(answer, where, one))
    ]
    assert taken == []


def is_taken(told):
    """Whether it is an answer."""
    try:
        Answer.unpacked(pickle.dumps(told))
    except Exception:
        return False
    return True


def altered(value, rng, others):
    """The same with one value in it, at any depth, put in place of another."""
    if isinstance(value, tuple | list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        each = list(value)
        each[at] = altered(each[at], rng, others)
        return type(value)(each)
    return rng.choice(others)


def test_an_answer_that_is_altered_is_refused_or_does_no_harm(outcomes, make_list):
    """Whatever stands for whatever: what is taken is looked up, and its line written, as any."""
    engine = Screener(make_list([{"id": "one", "pdq": "0f" * 32, "md5": "ab" * 16}]))
    others = [None, True, 0, -1, 7, 1 << 70, 1 << 90, 0.5, 1e300, float("nan"), "", "pdq", "full",
              "é\ud800", b"", b"\xff" * 32, (), (1,), ("a",), [], [1.5], {}, {"a": 1},
              {1}]  # fmt: skip
    rng, taken, refused = random.Random(1), 0, 0
    for _ in range(6_000):
        outcome = rng.choice(outcomes)
        told = pickle.loads(Answer(1, outcome, 0.5, 0.6).packed())
        try:
            answer = Answer.unpacked(pickle.dumps(altered(told, rng, others)))
        except Exception:
            refused += 1
            continue
        taken += 1
        if isinstance(answer.outcome, HashedInput | OpenedArchive):
            hashed = getattr(answer.outcome, "hashed", answer.outcome)
            for result in engine.decide_if_sure([replace(hashed, seconds=answer.seconds)]):
                if result is not None:
                    json.dumps(result.to_dict()).encode("utf-8", "surrogatepass")
        if isinstance(answer.outcome, OpenedArchive):
            listing = answer.outcome.listing
            assert len(listing.within(1000)) == len(listing.members)
            str(listing.trouble), listing.bytes + 1, [one.size + 1 for one in listing.members]

    assert min(taken, refused) > 300
