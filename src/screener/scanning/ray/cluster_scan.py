"""The scan on a cluster: the local scan with workers on the nodes."""

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
from screener.scanning.inputs.expand import FilePath, locate_files
from screener.scanning.ray import nodes
from screener.scanning.ray.cluster_workers import ClusterWorkers
from screener.scanning.ray.local_cluster import Head
from screener.scanning.resume import Finished
from screener.scanning.scan import Metrics, check_jobs, drop_paths, scan_with_paths
from screener.scanning.workers import spawn
from screener.screening.result import Result
from screener.screening.screener import Screener
from screener.system.process import count_cores

_CONNECT_SECONDS = 10.0


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

    Files are read, decoded and hashed on the nodes, in confined worker processes. This process
    looks up the hashes, so no node needs a list. Every node needs the files at the same paths, and
    the same versions of this package and the decoders. If a node is lost, others do its work.

    Parameters:
        address: The address of the cluster, or `auto` for the one that this machine is a node of.
            The default is the cluster that this program has joined, or RAY_ADDRESS, or a private
            Ray on this machine.
        jobs: The number of workers (default: the number of CPUs of the cluster).

    The other parameters are those of `screener.scan`.

    Raises ClusterError if there is no cluster, or if it cannot do the work.
    """
    count = check_jobs(jobs)
    results = scan_with_paths(
        lambda hasher: ClusterWorkers(hasher, count or nodes.count_cpus()),
        screener,
        locate_files(paths, by_disk=not ordered),
        ordered=ordered,
        finished=finished,
        metrics=metrics,
        cache=cache,
    )
    return _scan(address, drop_paths(results))


def _scan(
    address: str | None, results: Generator[Result, None, None]
) -> Generator[Result, None, None]:
    """Yield the results; join the cluster when the first one is asked for."""
    with join_cluster(address), _silence_ray_data(), closing(results):
        yield from results


@contextmanager
def _silence_ray_data() -> Iterator[None]:
    """Disable the log of Ray Data: it reports a failed dataset, which is how a scan ends."""
    logger = logging.getLogger("ray.data")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def join_cluster(address: str | None) -> Iterator[None]:
    """Join a cluster (see `scan`), and leave it unless the program had joined it before."""
    if ray.is_initialized():
        if address is not None:
            raise ClusterError("this program has joined a cluster already: give no address")
        yield
        return
    target = address or os.environ.get("RAY_ADDRESS") or "local"
    if "://" in target:
        raise ClusterError(
            f"{target}: run the scan on a machine of the cluster, and give host:port or auto"
        )
    with ExitStack() as stack:
        if target == "local":
            head = stack.enter_context(Head(count_cores()))
            # An interrupted join crashes Python at exit. This Ray answers at once.
            with spawn.delay_handlers():
                _join(head.address)
        else:
            _check_listening(target)
            _join(target)
        stack.callback(ray.shutdown)
        yield


def _check_listening(address: str) -> None:
    """Raise ClusterError if nothing listens at `host:port`; ignore other addresses.

    Ray would try for many minutes without reacting to Ctrl-C.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        message = f"no Ray cluster at {address}: nobody answers there ({cause(error)})"
        raise ClusterError(message) from None


def _join(address: str) -> None:
    try:
        with _restore_sigterm():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"no Ray cluster at {address}: {nodes.last_line(error)}") from None


@contextmanager
def _restore_sigterm() -> Iterator[None]:
    """Restore the handler of SIGTERM; Ray's own handler exits with code 15."""
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
