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
_MAX_ANSWER_SECONDS = 120.0  # which a node may need to open its lists

Versions = dict[str, str]


@dataclass(frozen=True)
class ListReference:
    """The path and generation of a list, as they are sent to nodes without its content."""

    path: str
    generation: int
    stamp: str

    @classmethod
    def from_list(cls, hash_list: HashList) -> ListReference:
        """Return a reference to an open list."""
        return cls(str(hash_list.path), hash_list.generation, hash_list.stamp())

    def open(self) -> HashList:
        """Open the same generation on this node. Raises ClusterError if the node lacks it."""
        node = f"the node {address()}"
        try:
            hash_list = HashList.open(self.path, generation=self.generation)
            is_same = hash_list.stamp() == self.stamp
        except ScreenerError as error:
            raise ClusterError(
                f"{node} has no generation {self.generation} of the list {self.path} ({error}):"
                " every node needs the same list at the same path"
            ) from None
        if not is_same:
            raise ClusterError(
                f"{node} has another list at {self.path}, or another generation"
                f" {self.generation}: copy the list's folder to every node"
            )
        return hash_list


def read_versions() -> Versions:
    """Return the versions of all software in this process that hashes depend on."""
    versions = {name: str(value) for name, value in VERSIONS if name != "kernel"}
    for name in _DECODERS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    return versions


def check_versions(node_versions: Versions, node: str) -> None:
    """Raise ClusterError if a node could compute other hashes than this process."""
    for name, local_version in read_versions().items():
        node_version = node_versions.get(name, "none")
        if node_version != local_version:
            raise ClusterError(
                f"the node {node} has {name} {node_version}, and this machine {local_version}:"
                " results could differ; install the same on every node"
            )


def check_nodes(lists: Sequence[ListReference]) -> None:
    """Raise ClusterError if a node that may get work has other versions or lacks a list."""
    ask = ray.remote(num_cpus=0, max_retries=0)(_check_this_node)
    answers = [
        (node, ask.options(scheduling_strategy=_on(node)).remote(lists)) for node in working_nodes()
    ]
    for node, ref in answers:
        node_address = node["NodeManagerAddress"]
        try:
            node_versions, error_message = ray.get(ref, timeout=_MAX_ANSWER_SECONDS)
        except GetTimeoutError:
            raise ClusterError(f"the node {node_address} does not answer") from None
        except RayError as error:
            if node["NodeID"] not in {node["NodeID"] for node in working_nodes()}:
                continue  # It has left, and gets no work.
            raise ClusterError(
                f"the node {node_address} cannot run screener: {last_line(error)}; install it there"
            ) from None
        check_versions(node_versions, node_address)
        if error_message is not None:
            raise ClusterError(error_message)


def working_nodes() -> list[dict[str, Any]]:
    """Return the nodes that are alive and have a CPU."""
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


def count_cpus() -> int:
    """Return the number of CPUs of all nodes. Raises ClusterError if there is none."""
    count = sum(int(node["Resources"]["CPU"]) for node in working_nodes())
    if not count:
        raise ClusterError("no node of the cluster has a CPU")
    return count


def address() -> str:
    """Return the address of the node that this process runs on."""
    return str(ray.util.get_node_ip_address())


def last_line(error: BaseException) -> str:
    """Return the last line of an error of Ray, without the traceback before it."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def hide_main_module() -> None:
    """Keep the processes that this one starts from loading its main module, which is Ray's.

    A process that decodes must not contain Ray.
    """
    main = sys.modules["__main__"]
    vars(main).pop("__file__", None)
    main.__spec__ = None


def _on(node: dict[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _check_this_node(lists: Iterable[ListReference]) -> tuple[Versions, str | None]:
    """Return this node's versions, and the error if it cannot open the lists."""
    try:
        for reference in lists:
            reference.open()
    except ScreenerError as error:
        return read_versions(), str(error)
    return read_versions(), None
