"""Hashes as columns: the same as one by one, and refused where they are none."""

import random
from dataclasses import replace

import numpy as np
import pytest
from clips import clip, scenes, value_of
from msgspec import msgpack, structs

from screener import Hash, Policy
from screener.errors import MediaError
from screener.hashing.evidence import Coefficients
from screener.hashing.hash import KINDS
from screener.hashing.pdq import ORIENTATIONS
from screener.hashing.views import VIEWS
from screener.media.image import pixels
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput, HashedWire
from screener.screening.input.located_hash import (
    EvidenceColumns,
    Hashes,
    LocatedHash,
    OrientedHashes,
    SingleHash,
    from_wire,
    list_groups,
    to_wire,
)
from screener.screening.matching.hash_search import Queries, collect_queries
from screener.screening.result import MediaFacts

PDQ = KINDS["pdq"]


def turned(rng, **where):
    """Columns of any content."""
    values = rng.randbytes(PDQ.size * 8)
    qualities, details = (bytes(rng.randrange(101) for _ in range(8)) for _ in range(2))
    doubts = bytes(rng.choice([0, 0, 0, 3, 7]) for _ in range(8))
    pairs = zip(details, doubts, strict=True)
    leasts = bytes(rng.randrange(one + 1) if doubt else one for one, doubt in pairs)
    return OrientedHashes("pdq", values, qualities, details, doubts, leasts, **where)


def received(wire):
    """Hashes of that wire format, as another process receives them."""
    message = msgpack.encode(wire)
    return from_wire(msgpack.decode(message, type=tuple[OrientedHashes | SingleHash, ...]))


def lifted(group, floor):
    """The same with scores of a floor at least, but for what bits in doubt leave of them."""
    qualities, details = (
        bytes(max(one, floor) for one in column) for column in (group.qualities, group.details)
    )
    columns = zip(group.doubts, group.leasts, details, strict=True)
    leasts = bytes(least if doubt else detail for doubt, least, detail in columns)
    return structs.replace(group, qualities=qualities, details=details, leasts=leasts)


def one_by_one(group):
    """The same as objects, column by column."""
    return tuple(
        LocatedHash(
            Hash(PDQ, group.values[32 * k : 32 * k + 32], group.qualities[k], pixels.VERSION),
            ORIENTATIONS[k],
            group.region,
            group.part,
            group.time,
            group.part_kind,
            group.details[k],
            group.again,
            group.track,
            group.doubts[k],
            group.leasts[k] if group.doubts[k] else None,
            group.box,
        )
        for k in range(8)
    )


def test_columns_are_the_hashes_one_by_one():
    """In their order, between those that are none; as a sequence, and after a journey."""
    rng = random.Random(1)
    digest = LocatedHash(Hash(KINDS["md5"], rng.randbytes(16)))
    first, second = turned(rng, region="trimmed", part=2, time=1.5, again=(2.0,)), turned(rng)
    second = structs.replace(second, region="inset", box=(1, 2, 3, 4), part_kind="thumbnail")
    alone = LocatedHash(
        Hash(PDQ, rng.randbytes(32), 70, pixels.VERSION), "rotate90", "trimmed", 3, 2.5, "appended",
        90, (3.5,), 1, 2, 80,
    )  # fmt: skip
    hashes = Hashes((digest, first, second, alone))
    wanted = (digest, *one_by_one(first), *one_by_one(second), alone)

    travelled = received(to_wire(hashes.groups))

    for found in (hashes, travelled):
        assert tuple(found) == wanted == found
        assert [one.hash.quality for one in found] == [one.hash.quality for one in wanted]
        assert {one.hash.pixels for one in found[1:]} == {pixels.VERSION}
        assert (len(found), found[1], found[3:5]) == (18, wanted[1], wanted[3:5])
        assert list_groups(found) == (digest, first, second, alone)
    assert hashes != wanted[1:]
    assert hashes != Hashes((digest, second, first, alone))
    assert list_groups(wanted) is wanted
    assert hashes == travelled
    assert hash(hashes) == hash(travelled)


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("kind", "md5"), ("kind", "sha256"), ("kind", "no such"), ("kind", "phash"),
        ("values", b"1" * 255), ("qualities", b""), ("details", [50] * 8), ("doubts", bytes(9)),
        ("leasts", None), ("region", 5), ("part", "x"), ("part", None), ("part_kind", b""),
        ("time", "x"), ("time", None), ("again", 5), ("again", (1.0, "x")), ("track", None),
        ("region", "half"), ("part_kind", "page"), ("qualities", bytes(7) + b"\x65"),
        ("details", b"\x65" * 8), ("leasts", b"\x65" * 8), ("doubts", bytes(7) + b"\xff"),
        ("region", "inset"), ("box", (0, 0, 9, 9)),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_refused(column, content):
    """They may come of a process that is not ours any more, and would break the scan."""
    wrong = structs.replace(turned(random.Random(2)), **{column: content})
    with pytest.raises((ValueError, TypeError)):
        received((wrong,))
    alone = LocatedHash(Hash(PDQ, bytes(32)))
    others = [
        to_wire((alone._replace(**told),))[0]
        for told in (
            {"time": "x"}, {"part": None}, {"orientation": "left"}, {"doubt": -1}, {"doubt": 255},
            {"region": "half"}, {"part_kind": "page"}, {"region": "inset"}, {"box": (0, 0, 9, 9)},
        )
    ]  # fmt: skip
    for wrong in (("x",), ((),), ("single", "pdq", b"1" * 31, None, None), 5, *others):
        with pytest.raises((ValueError, TypeError, LookupError)):
            received((wrong,))


def weighed(rng, *, views=8):
    """The evidence of any coefficients, as columns, with views in so many orientations."""
    rows = [8, len(VIEWS) * views]
    queries = [
        Coefficients(np.float32(rng.random((count, 256)) - 0.5)).weigh()
        for count in rows[: 1 + bool(views)]
    ]
    return EvidenceColumns.from_queries(queries[0], queries[1] if views else None, views)


@pytest.mark.parametrize("views", [0, 2, 8])
def test_evidence_travels_as_it_is(views):
    """With the weights of views or without, beside hashes that have none."""
    rng = np.random.default_rng(views)
    plain = turned(random.Random(7))
    group = structs.replace(plain, evidence=weighed(rng, views=views))

    found = list_groups(received((group, plain)))

    assert found == (group, plain)
    assert (len(group.evidence.weights), len(group.evidence.ceilings)) == (8 * 256, 8 * 4)
    assert bool(group.evidence.view_weights) == bool(views)


def test_evidence_of_another_shape_is_refused():
    """A match would name a view that was not the one."""
    evidence = weighed(np.random.default_rng(5))
    for shape in ("1:1", "7:1", None):
        wrong = structs.replace(
            turned(random.Random(2)), evidence=structs.replace(evidence, shape=shape)
        )
        with pytest.raises((ValueError, TypeError)):
            received((wrong,))


def unlike(evidence, column, change):
    """Evidence with one column changed."""
    return structs.replace(evidence, **{column: change(getattr(evidence, column))})


COLUMNS = ("weights", "ceilings", "view_codes", "view_weights", "view_ceilings")


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"", lambda value: value[:-1], lambda value: value + b"0", lambda _: None,
        lambda value: value * 2, lambda value: value[: len(value) // 2], lambda _: 7,
        lambda value: value.hex(),
    ],
)  # fmt: skip
def test_evidence_of_another_length_is_refused(column, change):
    """So is that of no bytes: the search would read beyond it, or end the scan."""
    evidence = weighed(np.random.default_rng(2))
    wrong = structs.replace(turned(random.Random(2)), evidence=unlike(evidence, column, change))
    with pytest.raises((ValueError, TypeError)):
        received((wrong,))


@pytest.mark.parametrize("rows", [0, 1, 7, 9, 16])
def test_evidence_of_another_number_of_hashes_is_refused(rows):
    """Each hash has its own."""
    rng = np.random.default_rng(6)
    few = Coefficients(np.float32(rng.random((rows, 256)) - 0.5)).weigh()
    wrong = EvidenceColumns.from_queries(few, None)
    with pytest.raises(ValueError, match="not the weights of eight hashes"):
        received((structs.replace(turned(random.Random(2)), evidence=wrong),))


@pytest.mark.parametrize("orientations", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("rows", [8, 8 * (len(VIEWS) - 1), 8 * (len(VIEWS) + 1)])
def test_evidence_of_another_number_of_views_is_refused(rows, orientations):
    """A match would name a view that was not the one."""
    rng = np.random.default_rng(3)
    queries = [Coefficients(np.float32(rng.random((n, 256)) - 0.5)).weigh() for n in (8, rows)]
    wrong = EvidenceColumns.from_queries(*queries, orientations)
    with pytest.raises(ValueError, match="not the weights of all views"):
        received((structs.replace(turned(random.Random(2)), evidence=wrong),))


def test_evidence_of_another_kind_than_pdq_is_refused():
    """Other kinds have no weights."""
    evidence = weighed(np.random.default_rng(4), views=False)
    kind = KINDS["phash"]
    wrong = structs.replace(
        turned(random.Random(2)), kind="phash", values=bytes(kind.size * 8), evidence=evidence
    )
    assert len(received((structs.replace(wrong, evidence=None),))) == 8
    with pytest.raises(ValueError, match="only PDQ has evidence"):
        received((wrong,))


@pytest.mark.parametrize("column", ["weights", "ceilings", "view_weights", "view_ceilings"])
@pytest.mark.parametrize("change", [lambda value: bytes(len(value)), lambda value: value[::-1]])
def test_ceilings_that_are_not_those_of_the_weights_are_refused(column, change):
    """With them a query could hit every record of a list, and each would be a match."""
    evidence = weighed(np.random.default_rng(5))
    wrong = structs.replace(turned(random.Random(2)), evidence=unlike(evidence, column, change))
    with pytest.raises(ValueError, match="not the ceilings of the weights"):
        received((wrong,))


def received_inset(box, **where):
    """The hashes of an inset of a picture of 40 × 30 pixels, as another process receives them."""
    group = turned(random.Random(2), region="inset", box=box, **where)
    sent = HashedInput(Name("a"), Hashes((group,)), MediaFacts("image/tiff", 40, 30, 2))
    message = msgpack.encode(HashedWire.from_input(sent))
    return list_groups(msgpack.decode(message, type=HashedWire).to_input().hashes)


@pytest.mark.parametrize("box", [(0, 0, 40, 30), (39, 29, 40, 30), (0, 5, 8, 6)])
def test_a_box_inside_its_picture_travels_as_it_is(box):
    """That of a later page or of a hidden picture may be larger, since their size is not known."""
    assert [group.box for group in received_inset(box)] == [box]
    large = tuple(100 * side for side in box)
    for where in ({"part": 1}, {"part_kind": "appended"}):
        assert [group.box for group in received_inset(large, **where)] == [large]


@pytest.mark.parametrize(
    "box",
    [
        (-1, 0, 40, 30), (0, -1, 40, 30), (5, 5, 5, 9),
        (5, 5, 9, 5), (9, 5, 5, 9), (0, 0, 40), (0, 0, 40, 30, 1), (0.0, 0, 40, 30), ("0", 0, 9, 9),
        (0, 0, 1 << 31, 9), (0, 0, 1 << 70, 9), (True, 0, 9, 9), None, 5, "0099", b"0099",
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", [0, 1])
def test_a_box_that_is_none_is_refused(box, part):
    """A report would draw it."""
    with pytest.raises((ValueError, TypeError, OverflowError)):
        received_inset(box, part=part)


@pytest.mark.parametrize("box", [(0, 0, 41, 30), (0, 0, 40, 31), (400, 300, 401, 301)])
def test_a_box_outside_of_its_picture_is_refused(box):
    """The size of the first picture is known."""
    with pytest.raises(ValueError, match="outside of its picture"):
        received_inset(box)


@pytest.mark.parametrize("floor", [0, 1, 30, 50, 90, 100, 101])
def test_floors_hold_for_each_hash_of_a_column(floor):
    """By quality and detail, and by what the bits in doubt leave of it."""
    rng = random.Random(3)
    for number in range(60):
        group = turned(rng)
        if number % 2:  # by chance hardly ever all of eight reach it
            group = lifted(group, min(floor, 100))
        each = one_by_one(group)
        usable = [one.hash.quality >= floor and one.detail >= floor for one in each]
        sure = [
            u and (e.least is None or e.least >= floor) for u, e in zip(usable, each, strict=True)
        ]
        chosen = group.find_usable(floor)

        assert [bool(one) for one in chosen or b"\1" * 8] == usable
        assert (chosen is None) == all(usable)
        assert (group.score >= floor) == all(sure)
        assert group.depends_on_doubt(floor) == (all(usable) and not all(sure))


def test_queries_are_searched_by_their_doubts_and_know_what_they_are_of():
    """Every usable hash of every item is in the batch of its bits in doubt, once, in order."""
    rng = random.Random(4)
    queries = Queries(PDQ)
    wanted: dict[int, list[tuple[int, LocatedHash]]] = {}
    for item in range(30):
        group, alone = (
            turned(rng, part=item),
            LocatedHash(Hash(PDQ, rng.randbytes(32)), doubt=item % 3),
        )
        chosen = group.find_usable(rng.choice([0, 30, 60]))
        for k, one in enumerate(one_by_one(group)):
            if chosen is None or chosen[k]:
                wanted.setdefault(one.doubt, []).append((item, one))
        wanted.setdefault(alone.doubt, []).append((item, alone))
        queries.add(item, group, chosen)
        queries.add(item, alone)

    found = {batch.doubt: batch for batch in queries.batches}

    assert sorted(found) == sorted(wanted)
    for doubt, batch in found.items():
        places = range(len(batch.codes))
        assert [queries.find_owner(batch, place) for place in places] == wanted[doubt]
        values = [one.hash.value for _, one in wanted[doubt]]
        assert np.array_equal(
            batch.codes, np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)
        )


@pytest.mark.parametrize("digests_only", [False, True])
@pytest.mark.parametrize("floor", [0, 30, 60, 90])
def test_what_is_looked_up_does_not_depend_on_whether_hashes_are_columns(floor, digests_only):
    """Each hash of a picture that reaches the floor, and no other, though but one of eight does;
    digests always, and nothing else where the policy says so; a video's value among no pictures'.
    """
    rng = random.Random(6)
    policy = Policy(floor={"pdq": floor}, digests_only=digests_only)
    digest = LocatedHash(Hash(KINDS["md5"], rng.randbytes(16)))
    video = LocatedHash(Hash(KINDS["vpdq"], value_of(clip(scenes(2, seed=1)))))
    items = [(digest, turned(rng), turned(rng)), (), (turned(rng), digest), (video,)]

    def asked(of):
        """The hashes that are searched by kind, with their items."""
        found = {}
        for queries in collect_queries([HashedInput(Name(), Hashes(one)) for one in of], policy):
            owners = {
                number: queries.find_owner(batch, place)
                for batch in queries.batches
                for place, number in enumerate(batch.numbers.tolist())
            }
            found[queries.kind.name] = [owners[number] for number in sorted(owners)]
        return found

    alone = [
        tuple(
            x for one in item for x in (one.split() if isinstance(one, OrientedHashes) else (one,))
        )
        for item in items
    ]
    usable = [
        (number, one)
        for number, item in enumerate(alone)
        for one in item
        if one.hash.kind is PDQ and min(one.hash.quality, one.detail) >= floor
    ]
    assert len(usable) == 24 if floor == 0 else len(usable) < 24
    compared = {"pdq": usable} if usable and not digests_only else {}
    wanted = {"md5": [(0, digest), (2, digest)]} | compared
    assert asked(items) == asked(alone) == wanted


def test_an_input_travels_as_it_is():
    """With its name, its hashes, what it is and its trouble; also hashes that are no columns."""
    rng = random.Random(5)
    digest = LocatedHash(Hash(KINDS["md5"], rng.randbytes(16)))
    name = Name("a!\N{REPLACEMENT CHARACTER}", b"a!\xff", 7, 8, (1,), (2,))
    media = MediaFacts("video/mp4", 4, 3, 2, 1.5, 6)
    for hashes in (Hashes((digest, turned(rng))), (digest,), ()):
        for facts, trouble in ((media, None), (None, MediaError("truncated", "the data ends"))):
            sent = HashedInput(name, hashes, facts, trouble, 0.25, archive=facts is None)
            found = msgpack.decode(
                msgpack.encode(HashedWire.from_input(sent)), type=HashedWire
            ).to_input()

            assert (found.name, found.hashes, found.media) == (name, hashes, facts)
            assert (found.seconds, found.archive) == (0.25, facts is None)
            assert str(found.error) == str(trouble)
            assert getattr(found.error, "reason", None) == getattr(trouble, "reason", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": Name(5)}, {"name": Name("a", None, "7")}, {"name": Name("a", archives=5)},
        {"media": MediaFacts("video/mp4", "4", 3, 2)}, {"media": MediaFacts(5, 4, 3, 2)},
        {"media": MediaFacts("video/mp4", 4, 3, 2, 1.5, None)},
        {"error": MediaError("no such reason", "the data ends")}, {"error": 5},
    ],
)  # fmt: skip
def test_an_input_that_is_none_is_refused(wrong):
    """As columns are that do not fit: deciding it, or writing its line, would end the scan."""
    sent = replace(HashedInput(Name("a")), **wrong)

    with pytest.raises((ValueError, TypeError, AttributeError)):
        msgpack.decode(msgpack.encode(HashedWire.from_input(sent)), type=HashedWire).to_input()
