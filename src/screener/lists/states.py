"""States: what a source holds of an item, our own opinions of it, and what follows from both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a source holds of an item; only `confirmed` and `disputed` make a match."""

    CONFIRMED = "confirmed"
    DISPUTED = "disputed"
    SEED = "seed"
    KNOWN_GOOD = "known_good"
    WITHDRAWN = "withdrawn"


MATCHING = (State.CONFIRMED, State.DISPUTED)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one of us holds of an entry: who, the state, why, and when (seconds since 1970)."""

    by: str
    state: State
    reason: str
    time: float


def effective(said: State, own: Iterable[State]) -> State:
    """The state that counts: what the source says, with our opinions.

    An opinion never cancels a match: against a confirmation, doubt makes `disputed`, which still
    matches and says so. It makes one only by confirming. What the source withdrew, or disputes
    itself, stays so.
    """
    held = set(own)
    if said is State.WITHDRAWN or not held:
        return said
    if State.CONFIRMED not in held | {said}:
        return said
    doubts = {State.DISPUTED, State.KNOWN_GOOD} & (held | {said})
    return State.DISPUTED if doubts else State.CONFIRMED
