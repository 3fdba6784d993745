"""The scan on a cluster: as the local one, with workers on the nodes."""

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
from screener.scanning.scan import Metrics, checked_jobs, path_results, results_of
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
    """Run `screener.scan` on a Ray cluster: the same Results, in the same order.

    Files are read, decoded and hashed on the nodes, in confined worker processes; this process
    looks up the hashes, so that no node needs a list. Every node needs the files at the same paths,
    and the same versions of this package and the decoders. Work of a lost node is given to another.

    `address` is that of the cluster, or `auto` for the one that this machine is a node of. The
    default is the cluster that this program has joined, or RAY_ADDRESS, or a private Ray on this
    machine. `jobs` is the number of workers; by default, one for each CPU of the cluster. Raises
    ClusterError.
    """
    count = checked_jobs(jobs)
    results = path_results(
        lambda hasher: ClusterWorkers(hasher, count or nodes.cpus()),
        screener,
        places(paths, by_disk=not ordered),
        ordered=ordered,
        finished=finished,
        metrics=metrics,
        cache=cache,
    )
    return _scan(address, results_of(results))


def _scan(
    address: str | None, results: Generator[Result, None, None]
) -> Generator[Result, None, None]:
    """Yield the results; nothing begins before the first is asked for."""
    with joined(address), _silence(), closing(results):
        yield from results


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Ray Data from logging, on standard error, that a dataset fails: a scan is ended so."""
    logger = logging.getLogger("ray.data")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Be part of a cluster: see `scan`. A cluster that the program joined before is not left."""
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
            # It answers at once; another cluster might not.
            with spawn.handlers_delayed():  # an interrupted join crashes Python at its end
                _join(head.address)
        else:
            _knock(where)
            _join(where)
        stack.callback(ray.shutdown)
        yield


def _knock(where: str) -> None:
    """Raise ClusterError if nobody listens at `host:port`: Ray would try for many minutes, deaf to
    Ctrl-C. Any other address is Ray's to judge.
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
    """Restore the handler of SIGTERM, which Ray replaces by one that ends with code 15."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    try:
        yield
    except SystemExit:  # from SIGTERM, while Ray joined
        if callable(before):
            before(signal.SIGTERM, None)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
