"""What a node of the cluster has: versions and lists. All must have the same."""

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

# By these the pixels of a file, and so its hashes, may differ.
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
        """What is sent of a list that is open here."""
        return cls(str(one.path), one.generation, one.stamp())

    def open(self) -> HashList:
        """The very same generation, mapped on this node; ClusterError where that is not here."""
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
    """The versions that hashes depend on, of this process."""
    told = {name: str(value) for name, value in VERSIONS if name != "kernel"}
    for name in _DECODERS:
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            told[name] = "none"
    return told


def check_facts(theirs: Facts, where: str) -> None:
    """ClusterError where a node would make other hashes than this process."""
    ours = facts()
    for name, here in ours.items():
        there = theirs.get(name, "none")
        if there != here:
            raise ClusterError(
                f"the node {where} has {name} {there}, and this machine {here}: results could"
                " differ; install the same on every node"
            )


def check(lists: Sequence[Listed]) -> None:
    """ClusterError where a node that may get work has other versions or not those very lists."""
    ask = ray.remote(num_cpus=0, max_retries=0)(_told)
    asked = [
        (node, ask.options(scheduling_strategy=_on(node)).remote(lists)) for node in working_nodes()
    ]
    for node, ref in asked:
        where = node["NodeManagerAddress"]
        try:
            theirs, trouble = ray.get(ref, timeout=_PATIENCE)
        except GetTimeoutError:
            raise ClusterError(f"the node {where} does not answer") from None
        except RayError as error:
            if node["NodeID"] not in {one["NodeID"] for one in working_nodes()}:
                continue  # it has gone, and gets no work
            raise ClusterError(
                f"the node {where} cannot run screener: {last_line(error)}; install it there"
            ) from None
        check_facts(theirs, where)
        if trouble is not None:
            raise ClusterError(trouble)


def working_nodes() -> list[dict[str, Any]]:
    """The nodes that are alive and have a CPU to give."""
    return [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU")]


def cpus() -> int:
    """How many CPUs the nodes have; ClusterError where they have none."""
    found = sum(int(one["Resources"]["CPU"]) for one in working_nodes())
    if not found:
        raise ClusterError("no node of the cluster has a CPU to give")
    return found


def address() -> str:
    """Of the node that this process runs on."""
    return str(ray.util.get_node_ip_address())


def last_line(error: BaseException) -> str:
    """What an error of Ray's says in the end; before that it shows code and paths."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def forget_main() -> None:
    """Keep the processes that this one starts from loading its main module, which is Ray's own:
    a process that decodes has no Ray in it.
    """
    main = sys.modules["__main__"]
    vars(main).pop("__file__", None)
    main.__spec__ = None


def _on(node: dict[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _told(lists: Iterable[Listed]) -> tuple[Facts, str | None]:
    """Runs on a node."""
    try:
        for one in lists:
            one.open()
    except ScreenerError as error:
        return facts(), str(error)
    return facts(), None
