"""The state of an item: stated by its source, assessed by this organisation, and resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of an item; only `confirmed` and `disputed` make a match."""

    CONFIRMED = "confirmed"
    DISPUTED = "disputed"
    SEED = "seed"
    KNOWN_GOOD = "known_good"
    WITHDRAWN = "withdrawn"


MATCHING = (State.CONFIRMED, State.DISPUTED)


@dataclass(frozen=True, slots=True)
class Opinion:
    """An assessment of an entry by this organisation; `time` is in seconds since 1970."""

    by: str
    state: State
    reason: str
    time: float


def resolve_state(stated: State, opinions: Iterable[State]) -> State:
    """Return the state that counts, given the source's state and this organisation's opinions.

    An opinion never cancels a match: doubt turns a confirmed entry into `disputed`, which still
    matches and is reported as disputed. Only a confirming opinion makes a match. A withdrawal or
    dispute by the source stays.
    """
    opinions = set(opinions)
    if stated is State.WITHDRAWN or not opinions:
        return stated
    if State.CONFIRMED not in opinions | {stated}:
        return stated
    doubts = {State.DISPUTED, State.KNOWN_GOOD} & (opinions | {stated})
    return State.DISPUTED if doubts else State.CONFIRMED
