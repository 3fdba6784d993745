"""Errand: what one worker is to do with one file, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from screener.errors import MediaError
from screener.hashed import Hashed
from screener.hasher import Target, Way
from screener.media.archive import Budget

T = TypeVar("T")


@dataclass(eq=False)
class Errand:
    """A target that was handed to a worker; `budget` where it may turn out to be an archive.

    `harm` is what it did to a worker before: then only its digests are made.
    """

    target: Target
    budget: Budget | None
    way: Way = Way.USUAL
    number: int = 0
    sent: int = 0  # bytes of the order; 0 while it is not sent
    deaths: int = 0
    spent: float = 0.0  # seconds of the processor that processes took for it so far
    harm: MediaError | None = None
    renewed: bool = False  # a fresh process was started for it


@dataclass(frozen=True)
class Done(Generic[T]):
    """What became of an errand. Its worker took `seconds` of the processor for it in all, and last
    `wall` seconds of time.

    `outcome` is Hashed, with the trouble, if the target did harm.
    """

    errand: Errand
    outcome: T | Hashed
    seconds: float
    wall: float
