"""scan: as the local one, by workers on the nodes of a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

import ray

from screener.errors import ClusterError, cause
from screener.scanning.cache.hash_cache import HashCache
from screener.scanning.inputs.expand import FilePath, places
from screener.scanning.ray import nodes
from screener.scanning.ray.cluster_workers import ClusterWorkers
from screener.scanning.ray.local_cluster import Head
from screener.scanning.resume import Finished
from screener.scanning.scan import Metrics, checked_jobs, results_of, told_by
from screener.scanning.workers import spawn
from screener.screening.result import Result
from screener.screening.screener import Screener
from screener.system.process import cores

_KNOCK_SECONDS = 10.0


def scan(
    screener: Screener,
    paths: FilePath | Iterable[FilePath],
    *,
    address: str | None = None,
    jobs: int | None = None,
    ordered: bool = True,
    finished: Finished | None = None,
    metrics: Metrics | None = None,
    cache: HashCache | None = None,
) -> Generator[Result, None, None]:
    """`screener.scan` on a Ray cluster: the same Results, in the same order.

    Files are read, decoded and hashed on the nodes, in worker processes that may die of them as
    those of a local scan may; this process looks up what they send, so that no list is needed on a
    node. Every node needs the files at the same paths, and the same versions of this package and
    of the decoders. What a node was at when it was lost is given to another.

    `address` is that of the cluster, or `auto` for the one that this machine is a node of; by
    default the one that this program has joined, or RAY_ADDRESS, or a Ray of its own on this
    machine. `jobs` is how many workers there are: one for each CPU of the cluster by default.
    Raises ClusterError.
    """
    count = checked_jobs(jobs)
    told = told_by(
        lambda hasher: ClusterWorkers(hasher, count or nodes.cpus()),
        screener,
        places(paths, by_disk=not ordered),
        ordered=ordered,
        finished=finished,
        metrics=metrics,
        cache=cache,
    )
    return _scan(address, results_of(told))


def _scan(
    address: str | None, results: Generator[Result, None, None]
) -> Generator[Result, None, None]:
    """The results, which nothing has begun to make before the first is asked for."""
    with joined(address), closing(results):
        yield from results


@contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Be part of a cluster: see `scan`. One that the program has joined before is not left."""
    if ray.is_initialized():
        if address is not None:
            raise ClusterError("this program has joined a cluster already: give no address")
        yield
        return
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    if "://" in where:
        raise ClusterError(
            f"{where}: run the scan on a machine of the cluster, and give host:port or auto"
        )
    with ExitStack() as stack:
        if where == "local":
            head = stack.enter_context(Head(cores()))
            # It answers at once, which of another cluster nobody knows.
            with spawn.handlers_held():  # joining that is broken off crashes Python at its end
                _join(head.address)
        else:
            _knock(where)
            _join(where)
        stack.callback(ray.shutdown)
        yield


def _knock(where: str) -> None:
    """ClusterError where nobody listens at `host:port`: Ray would look for it for many minutes, in
    which no Ctrl-C is heard. What is no such address, Ray judges.
    """
    host, _, port = where.rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        message = f"no Ray cluster at {where}: nobody answers there ({cause(error)})"
        raise ClusterError(message) from None


def _join(where: str) -> None:
    try:
        with _sigterm_kept():
            ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"no Ray cluster at {where}: {nodes.last_line(error)}") from None


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Have SIGTERM do what it did before. Ray takes it as it joins, and would end the program with
    code 15 and words of its own.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    try:
        yield
    except SystemExit:  # by it, while Ray joined
        if callable(before):
            before(signal.SIGTERM, None)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
