"""A Ray cluster of several nodes on this machine, and a hasher that has accidents on it."""

import contextlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from scan_with_accidents import Accident, name_of

from screener import Screener
from screener.errors import MediaError
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Hasher

_NODE = {"num_cpus": 1, "object_store_memory": 100 << 20}


class Cluster:
    """Two nodes of one CPU each, beside one that only rules; this process is part of it."""

    def __init__(self) -> None:
        # Ray's own words: nothing of this is to leave the machine.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        # It would have its workers wait for whatever else the machine does.
        os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
        import ray
        from ray.cluster_utils import Cluster as Nodes

        head = {
            "num_cpus": 0,
            "object_store_memory": 100 << 20,
            "include_dashboard": False,
            # A node that is silent for some seconds is lost, instead of half a minute.
            "_system_config": {
                "health_check_initial_delay_ms": 1000,
                "health_check_period_ms": 1000,
                "health_check_timeout_ms": 5000,
                "health_check_failure_threshold": 3,
            },
        }
        self._nodes = Nodes(initialize_head=True, head_node_args=head)
        self.workers = []
        self.address = self._nodes.address
        ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")
        self.mend()

    def lose(self, *, politely: bool = False) -> None:
        """Lose a node, one that is at work if any is: as if its power went, or as if it was told to
        end.
        """
        node = max(self.workers, key=_processes)
        self.workers.remove(node)
        actors = _children(_raylet(node))
        self._nodes.remove_node(node, allow_graceful=politely)
        for actor in actors:
            with contextlib.suppress(ProcessLookupError):
                os.kill(actor, signal.SIGKILL)

    def mend(self) -> None:
        """Have two nodes again."""
        while len(self.workers) < 2:
            self.workers.append(self._nodes.add_node(**_NODE))

    def settle(self) -> None:
        """Wait until everybody knows which nodes there are."""
        from screener.scanning.ray import nodes

        self.mend()
        deadline = time.monotonic() + 60
        while len(nodes.working_nodes()) != 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def close(self) -> None:
        """End it all."""
        import ray

        ray.shutdown()
        with contextlib.suppress(Exception):
            self._nodes.shutdown()


def _raylet(node):
    """The process of a node that starts all others."""
    (raylet,) = node.all_processes["raylet"]
    return raylet.process.pid


def _processes(node):
    """How many worker processes the actors of a node have started."""
    return sum(len(_children(actor)) for actor in _children(_raylet(node)))


def _children(parent):
    """The processes that a process has started."""
    found = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{parent}/task").iterdir():
            found += [int(word) for word in (thread / "children").read_text().split()]
    return found


class Calamity(Accident):
    """Accidents, of which one kills the actor too, and files that a node does not see."""

    def hash(self, item, digests=()):
        """Kill who started this process, or find nothing, where the file's name says so."""
        if name_of(item).startswith("parent"):
            os.kill(os.getppid(), signal.SIGKILL)
        if name_of(item).startswith("hidden"):
            return super().hash(os.fspath(item) + " is elsewhere")
        return super().hash(item, digests)

    digest = hash


class CalamityEngine(Screener):
    """Sends calamities to its workers."""

    @property
    def hasher(self):
        """One that has them."""
        return Calamity(self.policy, self._kinds)


class Telling(Hasher):
    """Tells of the process that it is in, instead of hashing."""

    def hash(self, item, digests=()):
        """Facts of the process, as the detail of a trouble."""
        with open(f"/proc/{os.getppid()}/cmdline", "rb") as stream:
            parent = stream.read()
        facts = {
            "ray": any(name.split(".")[0] == "ray" for name in sys.modules),
            "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
            "written": resource.getrlimit(resource.RLIMIT_FSIZE)[0],
            "parent_is_actor": parent.startswith(b"ray::MapWorker"),
        }
        return HashedInput(Name(), error=MediaError("undecodable", json.dumps(facts)))


class Told(Screener):
    """Has its workers tell."""

    @property
    def hasher(self):
        """One that tells."""
        return Telling(self.policy, self._kinds)


class Unready(Hasher):
    """Ends its process before the first file."""

    def start_session(self):
        """As where an installation is broken."""
        os._exit(3)


class UnreadyEngine(Screener):
    """Sends that to the nodes."""

    @property
    def hasher(self):
        """One that is never ready."""
        return Unready(self.policy, self._kinds)
