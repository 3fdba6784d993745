"""Crew: the workers of a scan as actors on the nodes of a Ray cluster, replaced when they die.

What an actor was at when it died, with its node or alone, is given to another.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, replace

from ray.exceptions import RayError, RayTaskError

from screener.errors import ClusterError, MediaError, WorkerError
from screener.media.archives.archive import Budget
from screener.media.source import name_of, spelled
from screener.scanning.inputs.listed_names import Awaited
from screener.scanning.ray.slot import Call, Errand, Post, tell_lost
from screener.screening.input.hash_item import Hashed
from screener.screening.input.hasher import Hasher, HashMode, Opened, Target
from screener.screening.result import Reason

# One call under way and one behind it, so that an actor never waits for the scan.
_IN_FLIGHT = 2
# One call takes files for so many seconds, and no more than so many files: calling costs this
# process more than looking up what comes of it.
_TOGETHER_S, _TOGETHER = 0.1, 32
# A file is taken to be the cause when so many actors have died while they may have been hashing it,
# though their nodes lived. After the first it goes out alone.
_TRIES = 3
_PATIENCE = 300.0  # seconds without any worker: a cluster may still be starting nodes
_GRACE = 10.0  # seconds for the others, once there is one
_GLANCE = 0.05  # seconds between two looks for what else is awaited

_CRASH = MediaError(str(Reason.CRASHED), "the worker's actor died of it")


@dataclass(frozen=True)
class Done:
    """What became of an errand, and the processor time that its worker took."""

    errand: Errand
    outcome: Hashed | Opened
    seconds: float


class Crew:
    """The posts of a scan, as many as jobs, and one RemoteWorker for each; used by one thread."""

    def __init__(self, hasher: Hasher, jobs: int) -> None:
        self._hasher = hasher
        self._posts = [Post(hasher) for _ in range(jobs)]
        self._workers = [RemoteWorker(self, number) for number in range(jobs)]
        try:
            self._await_one()
            wait([one.arrival for one in self._posts], timeout=_GRACE)
        except BaseException:
            self.dismiss()
            raise

    def free(self) -> RemoteWorker | None:
        """The least busy worker that can be handed another target, if any."""
        least = min(self._workers, key=lambda one: one.errands)
        return least if least.free else None

    def collect(self, awaited: Awaited | None = None) -> list[Done]:
        """Wait until an errand is over, and give all that are; none where what is awaited comes
        before.
        """
        done: list[Done] = []
        while not done:
            for worker in self._workers:
                worker.send()
            if not (busy := [call for worker in self._workers for call in worker.calls]):
                break
            # No one call waits for both: so the calls are waited for in short turns.
            pause = None if awaited is None else 0.0 if awaited.wait(0) else _GLANCE
            wait([call.future for call in busy], pause, return_when=FIRST_COMPLETED)
            done = [one for worker in self._workers for one in worker.collect()]
            if awaited is not None and awaited.wait(0):
                break
        return done

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()

    def dismiss(self) -> None:
        """End all actors."""
        for post in self._posts:
            post.dismiss()

    def send(self, errands: list[Errand], number: int) -> Call:
        """Send errands to the actor of a worker, or to another while that is not ready."""
        return self._ready_post(number).call(errands)

    def bury(self, post: Post, error: RayError) -> None:
        """Note that an actor is gone, and ask for another, which may have to wait for a CPU."""
        if post.lost:
            return
        died_of = post.at_work_on() if post.died_alone(error) else None
        for errand in died_of.errands if died_of is not None else ():
            errand.tries += 1
        tell_lost(error)
        post.dismiss()

    def _ready_post(self, number: int) -> Post:
        """The post of a worker, or the least busy of the others while that is not ready."""
        self._renew()
        own = self._posts[number]
        if own.is_ready():
            return own
        ready = [one for one in self._posts if one.is_ready()]
        return min(ready, key=lambda one: len(one.sent)) if ready else self._await_one()

    def _renew(self) -> None:
        self._posts = [Post(self._hasher) if one.lost else one for one in self._posts]

    def _await_one(self) -> Post:
        """The first post that is ready; ClusterError where there is none for long."""
        until = time.monotonic() + _PATIENCE
        while (left := until - time.monotonic()) > 0:
            wait([one.arrival for one in self._posts], left, return_when=FIRST_COMPLETED)
            for post in self._posts:
                if post.is_ready():
                    return post
            self._renew()
        raise ClusterError(
            f"no worker could be started in {_PATIENCE:g} s: the cluster has no free CPU"
        )


class RemoteWorker:
    """A worker of a scan, as `worker.Worker` is one, whose errands an actor somewhere does."""

    def __init__(self, crew: Crew, number: int) -> None:
        self._crew = crew
        self._number = number
        self.errands = 0  # that it has; counted, since all workers are asked for each file
        self._pace = _TOGETHER_S  # seconds of wall time that an errand takes, of late
        self._waiting: deque[Errand] = deque()
        self.calls: list[Call] = []

    @property
    def free(self) -> bool:
        """Whether another target can be handed over."""
        return self.errands < _IN_FLIGHT * self._together

    @property
    def _together(self) -> int:
        return max(1, min(int(_TOGETHER_S / max(self._pace, 1e-6)), _TOGETHER))

    def take(
        self, target: Target, budget: Budget | None, mode: HashMode = HashMode.NORMAL
    ) -> Errand:
        """Queue a target: it is sent at once where nothing is under way, else by the next `send`,
        so that several go in one call.
        """
        errand = Errand(target, budget, mode)
        self._waiting.append(errand)
        self.errands += 1
        if not self.calls:
            self.send()
        return errand

    def send(self) -> None:
        """Send what waits, until as many calls are under way as may be."""
        while self._waiting and len(self.calls) < _IN_FLIGHT:
            self.calls.append(self._crew.send(self._next(), self._number))

    def _next(self) -> list[Errand]:
        """The errands of the next call; one alone, where an actor may have died of it."""
        errands = [self._waiting.popleft()]
        while self._waiting and len(errands) < self._together:
            if errands[0].tries or self._waiting[0].tries:
                break
            errands.append(self._waiting.popleft())
        return errands

    def collect(self) -> list[Done]:
        """What became of the errands of calls that are over."""
        over = [call for call in self.calls if call.future.done()]
        self.calls = [call for call in self.calls if call not in over]
        done = [one for call in over for one in self._told(call)]
        self.errands -= len(done)
        return done

    def _told(self, call: Call) -> list[Done]:
        """What became of a call that is over; errands that are to be tried again wait once more."""
        try:
            told = call.future.result()
        except RayTaskError as error:
            if isinstance(error.cause, WorkerError):
                raise ClusterError(f"the node {call.post.where}: {error.cause}") from None
            raise  # a fault in the actor's code, as it would be here
        except RayError as error:
            self._crew.bury(call.post, error)
            call.post.sent.remove(call)
            again = [one for one in call.errands if one.tries < _TRIES]
            self._waiting.extendleft(reversed(again))
            return [_crashed(one) for one in call.errands if one.tries >= _TRIES]
        call.post.sent.remove(call)
        done = []
        for errand, (outcome, seconds, wall) in zip(call.errands, told, strict=True):
            self._pace += (wall - self._pace) / 8
            if _is_missed(outcome, errand.target):
                self._miss(errand, call.post)
            else:
                done.append(Done(errand, _as_given(outcome, errand.target.path), seconds))
        return done

    def _miss(self, errand: Errand, post: Post) -> None:
        """Have the node look again, since the file may just have come; ClusterError if it had."""
        errand.unseen += 1
        if errand.unseen > 1:
            raise ClusterError(
                f"the node {post.where} does not find {errand.target.path!r}, which is here: every"
                " node needs the files at the same paths, and the right to read them"
            )
        self._waiting.appendleft(errand)


def _crashed(errand: Errand) -> Done:
    return Done(errand, Hashed(name_of(errand.target.path), trouble=_CRASH), 0.0)


def _is_missed(outcome: Hashed | Opened, target: Target) -> bool:
    """Whether a node found nothing at a path where there is something here."""
    if isinstance(outcome, Opened) or target.inner or outcome.trouble is None:
        return False
    unreadable = outcome.trouble.reason == Reason.UNREADABLE
    return unreadable and outcome.name.mtime_ns is None and os.path.exists(target.path)


def _as_given(outcome: Hashed | Opened, path: str) -> Hashed | Opened:
    """What an actor told, under the path as the scan has it, which may be relative."""
    if isinstance(outcome, Opened):
        return replace(outcome, hashed=_named(outcome.hashed, path))
    return _named(outcome, path)


def _named(hashed: Hashed, path: str) -> Hashed:
    given = spelled(os.fsencode(path))
    return replace(hashed, name=replace(hashed.name, text=given.text, raw=given.raw))
