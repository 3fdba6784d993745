"""The versions and lists of a node of the cluster; all nodes must have the same."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from screener.errors import ClusterError, ScreenerError
from screener.lists.hashlist import HashList
from screener.screening.screener import VERSIONS

# Pixels, and so hashes, depend on their versions.
_DECODERS = ("pillow", "opencv-python-headless", "av", "pillow-heif", "imagehash")
_PATIENCE = 120.0  # seconds for a node to open its lists

Facts = dict[str, str]


@dataclass(frozen=True)
class Listed:
    """A list by its path and generation, as it is sent to nodes; no part of its content."""

    path: str
    generation: int
    stamp: str

    @classmethod
    def of(cls, one: HashList) -> Listed:
        """Return that of an open list."""
        return cls(str(one.path), one.generation, one.stamp())

    def open(self) -> HashList:
        """Open the same generation on this node. Raise ClusterError if it is not here."""
        where = f"the node {address()}"
        try:
            found = HashList.open(self.path, generation=self.generation)
            same = found.stamp() == self.stamp
        except ScreenerError as error:
            raise ClusterError(
                f"{where} has no generation {self.generation} of the list {self.path} ({error}):"
                " every node needs the same list at the same path"
            ) from None
        if not same:
            raise ClusterError(
                f"{where} has another list at {self.path}, or another generation"
                f" {self.generation}: copy the list's folder to every node"
            )
        return found


def facts() -> Facts:
    """Return the versions, in this process, that hashes depend on."""
    versions = {name: str(value) for name, value in VERSIONS if name != "kernel"}
    for name in _DECODERS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    return versions


def check_facts(theirs: Facts, where: str) -> None:
    """Raise ClusterError if a node would make other hashes than this process."""
    ours = facts()
    for name, here in ours.items():
        there = theirs.get(name, "none")
        if there != here:
            raise ClusterError(
                f"the node {where} has {name} {there}, and this machine {here}: results could"
                " differ; install the same on every node"
            )


def check(lists: Sequence[Listed]) -> None:
    """Raise ClusterError if a node that may get work has other versions, or not these lists."""
    ask = ray.remote(num_cpus=0, max_retries=0)(_facts_and_trouble)
    answers = [
        (node, ask.options(scheduling_strategy=_on(node)).remote(lists)) for node in working_nodes()
    ]
    for node, ref in answers:
        where = node["NodeManagerAddress"]
        try:
            theirs, trouble = ray.get(ref, timeout=_PATIENCE)
        except GetTimeoutError:
            raise ClusterError(f"the node {where} does not answer") from None
        except RayError as error:
            if node["NodeID"] not in {one["NodeID"] for one in working_nodes()}:
                continue  # it is gone, and gets no work
            raise ClusterError(
                f"the node {where} cannot run screener: {last_line(error)}; install it there"
            ) from None
        check_facts(theirs, where)
        if trouble is not None:
            raise ClusterError(trouble)


def working_nodes() -> list[dict[str, Any]]:
    """Return the nodes that are alive and have a CPU to give."""
    return [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU")]


def cpus() -> int:
    """Return the number of CPUs of the nodes. Raise ClusterError if there is none."""
    found = sum(int(one["Resources"]["CPU"]) for one in working_nodes())
    if not found:
        raise ClusterError("no node of the cluster has a CPU to give")
    return found


def address() -> str:
    """Return the address of the node that this process runs on."""
    return str(ray.util.get_node_ip_address())


def last_line(error: BaseException) -> str:
    """Return the last line of one of Ray's errors; code and paths stand before it."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def forget_main() -> None:
    """Keep the processes that this one starts from loading its main module, which is Ray's: a
    process that decodes must have no Ray in it.
    """
    main = sys.modules["__main__"]
    vars(main).pop("__file__", None)
    main.__spec__ = None


def _on(node: dict[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _facts_and_trouble(lists: Iterable[Listed]) -> tuple[Facts, str | None]:
    """On a node: return its versions, and why it cannot open the lists."""
    try:
        for one in lists:
            one.open()
    except ScreenerError as error:
        return facts(), str(error)
    return facts(), None
