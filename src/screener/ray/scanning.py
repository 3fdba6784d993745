"""scan: as the local one, by workers on the nodes of a Ray cluster."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import ray

from screener.cache import HashCache
from screener.errors import ClusterError
from screener.finished import Finished
from screener.inputs import FilePath, places
from screener.ray import nodes
from screener.ray.crew import Crew
from screener.result import Result
from screener.scan import Metrics, check_jobs, check_memory, cores, scan_by
from screener.screen import Screener

# For a Ray of our own: names go to its actors and hashes come back, each in one small message.
_STORE = 100 << 20


def scan(
    engine: Screener,
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
    check_jobs(jobs)
    check_memory(engine.policy, engine.kinds)
    results = scan_by(
        lambda hasher: Crew(hasher, jobs or nodes.cpus()),
        engine,
        places(paths, by_disk=not ordered),
        ordered=ordered,
        finished=finished,
        metrics=metrics,
        cache=cache,
    )
    return _scan(address, results)


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
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if where == "local":
        _keep_to_itself()
        settings |= {
            "num_cpus": cores(),
            "object_store_memory": _STORE,
            "include_dashboard": False,
        }
    try:
        ray.init(address=where, **settings)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"no Ray cluster at {where}: {nodes.last_line(error)}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _keep_to_itself() -> None:
    """For a Ray of our own: no report of its use to Ray's makers, and a token without which nobody
    else can have it run anything, since it listens on every interface.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        # Ray would make one itself, and keep it in a file that others can read.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
