"""Answers of worker processes: each value is checked, whoever sent it."""

import json
import os
import pickle
import random
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from screener import Hash, Policy, Screener
from screener.errors import MediaError
from screener.hashing.hash import KINDS
from screener.media.archives.archive import Budget, Listing, Member
from screener.media.name import Name
from screener.scanning.workers.messages import Answer, frame_message
from screener.scanning.workers.messages import Order as WorkerOrder
from screener.scanning.workers.worker_process import _orders
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher, HashMode, OpenedArchive, Target
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
    scene(1, (320, 240)).save(path)  # a smaller one has views of its enlargement alone
    kinds = (KINDS["pdq"], KINDS["phash"], KINDS["md5"])
    made = Hasher(Policy(effort="views"), kinds, sketches=True).hash(path)
    moved = LocatedHash(Hash(KINDS["pdq"], bytes(32), 80), time=1.5, detail=70, again=(2.0,))
    return replace(made, hashes=Hashes((*made.hashes.groups, moved)), seconds=0.25)


@pytest.fixture
def outcomes(hashed):
    """All that a scan's worker tells."""
    name = Name("a!\N{REPLACEMENT CHARACTER}", b"a!\xff", 7, 8, (1,), (2,))
    clip = MediaFacts("video/mp4", 4, 3, 2, 1.5, 6)
    broken = HashedInput(name, media=clip, error=MediaError("truncated", "the data ends"))
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
    plain = [None, "a", {"a": [1, [2.5, b"x"]], "b": {"c": 3}}]
    for number, outcome in enumerate([*outcomes, *plain]):
        found = Answer.from_wire(Answer(number, outcome, 0.5, 0.6).to_wire())

        assert type(found.outcome) is type(outcome)
        assert seen(found) == seen(Answer(number, outcome, 0.5, 0.6))
    assert Answer.from_wire(Answer(1, None, 0.5, 0.6, "KeyError").to_wire()).error == "KeyError"


@pytest.mark.parametrize("error", ["two words", "a\nb", "", 5, b"KeyError", "E" * 101])
def test_an_error_that_is_no_name_of_one_is_refused(error):
    """It is logged, and written down."""
    with pytest.raises(ValueError, match=r"exception|Expected"):
        Answer.from_wire(msgpack.encode([1, 0.5, 0.6, error, None]))


class Order:
    """Unpickled, it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_no_answer(hashed, tmp_path, protocol):
    """Neither by itself nor as a value of one; nothing of it is run."""
    for value in (Order(str(tmp_path / "made")), hashed, KINDS["md5"], Policy(), os.getcwd):
        pickled = pickle.dumps(value, protocol)
        with pytest.raises(ValueError, match=r"malformed|Expected"):
            Answer.from_wire(pickled)
        assert (
            Answer.from_wire(msgpack.encode([1, 0.5, 0.6, None, None, pickled])).outcome == pickled
        )

    assert os.listdir(tmp_path) == []


def placed(value, where, one):
    """The same with one value in it, at a place, put in place of another."""
    if not where:
        return one
    each = list(value)
    each[where[0]] = placed(each[where[0]], where[1:], one)
    return each


NAN, INF = float("nan"), float("inf")
NUMBERS = (True, None, "1", 1.5, 1 << 63)  # none of a count
NAME, HASHES, MEDIA, TROUBLE, SECONDS, ARCHIVE = ((4, place) for place in range(1, 7))
ORIENTED, SINGLE = (4, 2, 1), (4, 2, -1)
OTHERS_OF = {
    (0,): NUMBERS,
    (1,): (True, None, "1", NAN, INF, -INF, 2.0**96),
    (2,): (True, None, "1", NAN, INF, -INF, 2.0**96),
    (4,): ("", 1, [], {}, ["hashed"]),
    (4, 0): ("", "single", "MediaFacts", None, 1, []),
    (*NAME, 0): (1, b"a"),
    (*NAME, 1): (1, "a"),
    (*NAME, 2): (True, 1.5, "1", 1 << 63),
    (*NAME, 3): (True, 1.5, "a", "1" * 29, 1 << 63),
    (*NAME, 4): (None, ["a"], [True], [1.5]),
    (*NAME, 5): (None, ["a"], [True], [1.5]),
    (*MEDIA, 1): NUMBERS,
    (*MEDIA, 3): NUMBERS,
    (*MEDIA, 4): (True, "1", NAN, INF, -INF, 2.0**96),
    MEDIA: ([], ["image/png", 1, 1, 1, None], ["image/png", 1, 1, 1, None, 1, 1]),
    TROUBLE: (
        [],
        ["crashed"],
        ["crashed", "a"],
        ["no reason", "", None],
        ["crashed", None, None],
        [None, "", None],
        "crashed",
        ["crashed", "a\nb", None],
        ["crashed", "a" * 1001, None],
        ["unsupported", "a", "pillow"],
        ["unsupported", "a", 1],
    ),
    SECONDS: (True, "1", NAN, INF),
    ARCHIVE: (None, 0, 1, "1"),
    (*ORIENTED, 1): ("md5", "none", None),
    (*ORIENTED, 2): (bytes(255), bytes(257), "a" * 256),
    (*ORIENTED, 3): (bytes(7), bytes(9), b"\x65" * 8, [1] * 8),
    (*ORIENTED, 4): (bytes(7), b"\x65" * 8),
    (*ORIENTED, 5): (bytes(7), b"\x09" * 8),
    (*ORIENTED, 6): (bytes(7), b"\x65" * 8),
    (*ORIENTED, 7): (None, "half", 1),
    (*ORIENTED, 8): NUMBERS,
    (*ORIENTED, 9): (True, None, "1", NAN, INF, 2.0**96),
    (*ORIENTED, 10): (None, "cover", 1),
    (*ORIENTED, 11): (None, ["a"], [NAN], [True]),
    (*ORIENTED, 12): NUMBERS,
    (*ORIENTED, 13): (True, 1, "a", b"a", [], [bytes(2048)], [bytes(2048), bytes(31)]),
    (*ORIENTED, 13, 0): (None, bytes(2047), "a" * 2048, [1] * 2048),
    (*ORIENTED, 13, 1): (None, bytes(31), b"\xff" * 32, "a" * 32),
    (*ORIENTED, 13, 2): (None, b"", bytes(32)),
    (*ORIENTED, 13, 3): (None, b"", bytes(256)),
    (*ORIENTED, 13, 4): (None, b"", bytes(4)),
    (*SINGLE, 1): ("none", None, []),
    (*SINGLE, 2): (bytes(31), "a" * 32),
    (*SINGLE, 3): (-1, 101, True, 1.5),
    (*SINGLE, 4): (True, 1.5, "1"),
    (*SINGLE, 5): (None, "sideways", []),
    (*SINGLE, 6): (None, "half", []),
    (*SINGLE, 10): (True, 1.5, "1"),
    (*SINGLE, 13): (True, None, 1.5, -1, 9),
    (*SINGLE, 14): (True, 1.5, "1"),
}


def test_each_value_of_an_answer_is_checked(hashed, outcomes):
    """One that never stands where it does, or a number that is told of no file, is refused."""
    answer = Answer(1, replace(hashed, error=outcomes[1].error), 0.5, 0.6)
    told = msgpack.decode(answer.to_wire())
    listed = msgpack.decode(Answer(1, outcomes[3], 0.5, 0.6).to_wire())
    of_archive = {
        (4, 2): (None, 1, [[]], [["a", 1, None]], [[b"a", -1, None]], [[b"a", True, None]]),
        (4, 3): (*NUMBERS, -1),
        (4, 4): (["no reason", "", None], ["crashed"], ["crashed", "\x1b[2J", None]),
        (4, 5): (None, 1, "1"),
    }
    assert Answer.from_wire(msgpack.encode(told)).outcome.media is not None
    assert Answer.from_wire(msgpack.encode(listed)).outcome.direct
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
        Answer.from_wire(msgpack.encode(told))
    except Exception:
        return False
    return True


def altered(value, rng, others):
    """The same with one value in it, at any depth, put in place of another."""
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        each = list(value)
        each[at] = altered(each[at], rng, others)
        return each
    return rng.choice(others)


def test_an_answer_that_is_altered_is_refused_or_does_no_harm(outcomes, make_list):
    """Whatever stands for whatever: what is taken is looked up, and its line written, as any."""
    engine = Screener(make_list([{"id": "one", "pdq": "0f" * 32, "md5": "ab" * 16}]))
    others = [None, True, 0, -1, 7, 1 << 62, 1 << 63, 0.5, 1e300, float("nan"), "", "pdq", "full",
              "é", b"", b"\xff" * 32, [], [1], ["a"], [1.5], {}, {"a": 1}]  # fmt: skip
    rng, taken, refused = random.Random(1), 0, 0
    for _ in range(6_000):
        outcome = rng.choice(outcomes)
        told = msgpack.decode(Answer(1, outcome, 0.5, 0.6).to_wire())
        try:
            answer = Answer.from_wire(msgpack.encode(altered(told, rng, others)))
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
            assert len(listing.members_within(1000)) == len(listing.members)
            str(listing.error), listing.bytes + 1, [one.size + 1 for one in listing.members]

    assert min(taken, refused) > 300


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_orders_arrive_as_they_were_sent_however_the_pipe_cuts_them(seed):
    """Names that are no text, members deep in archives, budgets or none, every way; in order."""
    rng = random.Random(seed)
    sent = [
        WorkerOrder(
            number,
            Target(
                os.fsdecode(b"/a/" + rng.randbytes(rng.choice([1, 9, 5_000])).replace(b"\0", b"x")),
                tuple(rng.randrange(9) for _ in range(rng.randrange(3))),
            ),
            rng.choice([None, Budget(rng.randrange(1 << 40), rng.randrange(1 << 40))]),
            rng.choice(list(HashMode)),
        )
        for number in range(rng.randint(1, 40))
    ]
    data = b"".join(frame_message(order.to_wire()) for order in sent)
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb", buffering=0) as stream:
            at = 0
            while at < len(data):
                piece = rng.choice([1, 7, 8, 100, 9_000])
                stream.write(data[at : at + piece])
                at += piece

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert [order for group in _orders(reading) for order in group] == sent
    finally:
        thread.join()
        os.close(reading)
