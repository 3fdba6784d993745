"""Head: a Ray of our own on this machine, which can be ended at any moment, also while it starts.

It is the Ray of a process of its own, with that process's session for all that it starts. Ray
started in this process would wait seconds for parts of itself, of which Ctrl-C interrupts some, so
that processes stay behind, or this one crashes at its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from typing import Any

import ray

from screener.errors import ClusterError
from screener.scanning.ray import local_cluster_process

# For names that go to actors and hashes that come back, each in one small message.
_STORE = 100 << 20


class Head:
    """A context manager; `address` is that of this Ray."""

    def __init__(self, cpus: int) -> None:
        """Start it, with so many CPUs. Raises ClusterError."""
        self._before = _keep_to_itself()
        # Workers stay among the processes that end together, and are not given groups of their own.
        environment = os.environ | {"RAY_process_group_cleanup_enabled": "0"}
        settings = {"path": sys.path, "cpus": cpus, "store": _STORE}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", local_cluster_process.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment,
            )
        except BaseException:
            _set(self._before)
            raise
        try:
            self.address = self._told(json.dumps(settings))
        except BaseException:
            self.close()
            raise

    def _told(self, settings: str) -> str:
        """The address, once it is there."""
        said: dict[str, str] = {}
        if self._process.stdin and self._process.stdout:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._process.stdin.write(settings.encode() + b"\n")
                self._process.stdin.flush()
                said = json.loads(self._process.stdout.readline())
        if "address" not in said:
            raise ClusterError(f"no Ray can be started here: {said.get('error', 'it has ended')}")
        return said["address"]

    def close(self) -> None:
        """End all of it at once; what joins another Ray afterwards needs no token of this one."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        before, self._before = self._before, {}
        _set(before)

    def __enter__(self) -> Head:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _keep_to_itself() -> dict[str, str | None]:
    """No report of its use to Ray's makers, and a token without which nobody else can have it run
    anything, since it listens on every interface. Returns the settings that were there before.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        return {}
    # Ray would make a token itself, and keep it in a file that others can read.
    token = os.environ.get("RAY_AUTH_TOKEN")
    _set({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token or secrets.token_hex(32)})
    return {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": token}


def _set(settings: dict[str, str | None]) -> None:
    """Have these variables, for what is started from here, and for Ray in this process too, which
    asks for them on its own only where it finds a cluster itself.
    """
    if not settings:
        return
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    core: Any = ray._raylet
    core.Config.initialize("")
