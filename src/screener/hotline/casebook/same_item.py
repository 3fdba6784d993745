"""Same item: whether two persons hashed the same item, each from a file of their own."""

from __future__ import annotations

from collections.abc import Sequence

from screener.hashing.hash import KINDS, Hash
from screener.hashing.video_frames import Frames
from screener.hotline.model.report import Item, score_of
from screener.screening.video_rule.agreement import Rule, compare

_PDQ, _VIDEO = KINDS["pdq"], KINDS["vpdq"]


def is_of(item: Item, held: Sequence[Hash]) -> bool:
    """Whether an item is what hashes were made of: the same bytes, or, however it was turned, a
    picture within PDQ's radius, or a clip most of whose frames are. Of a picture that shows too
    little to be compared, the bytes have to be the same.
    """
    digests = {one for one in held if one.kind.digest}
    if any(one.hash in digests for one in item.hashes):
        return True
    return _is_clip_of(item, held) if item.moving else _is_picture_of(item, held)


def _is_picture_of(item: Item, held: Sequence[Hash]) -> bool:
    theirs = [one for one in held if one.kind == _PDQ and _shows(one.quality)]
    return any(
        one.hash.distance(other) <= _PDQ.radius
        for one in item.hashes
        if one.hash.kind == _PDQ and _shows(score_of(one))
        for other in theirs
    )


def _is_clip_of(item: Item, held: Sequence[Hash]) -> bool:
    mine = [Frames.of_value(one.hash.value) for one in item.hashes if one.hash.kind == _VIDEO]
    theirs = [Frames.of_value(one.value) for one in held if one.kind == _VIDEO]
    found = [
        compare(one, other, radius=_VIDEO.radius, floor=_VIDEO.floor)
        for one in mine
        for other in theirs
    ]
    return any(one is not None and one.rule is Rule.WHOLE for one in found)


def _shows(score: int | None) -> bool:
    return score is not None and score >= _PDQ.floor
