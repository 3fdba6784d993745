"""A private Ray on this machine, which can be ended at any moment, also while it starts.

It runs in a process and session of its own. Ray started in this process would wait seconds for its
parts, and Ctrl-C then leaves processes behind or crashes Python at its end.
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

# Bytes; names and hashes travel in small messages.
_STORE = 100 << 20


class Head:
    """A context manager; `address` is that of this Ray."""

    def __init__(self, cpus: int) -> None:
        """Start it, with so many CPUs. Raises ClusterError."""
        self._before = _keep_to_itself()
        # Workers get no process groups of their own, so that all end together.
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
            self.address = self._started(json.dumps(settings))
        except BaseException:
            self.close()
            raise

    def _started(self, settings: str) -> str:
        """Return the address, once it is there."""
        answer: dict[str, str] = {}
        if self._process.stdin and self._process.stdout:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._process.stdin.write(settings.encode() + b"\n")
                self._process.stdin.flush()
                answer = json.loads(self._process.stdout.readline())
        if "address" not in answer:
            raise ClusterError(f"no Ray can be started here: {answer.get('error', 'it has ended')}")
        return answer["address"]

    def close(self) -> None:
        """End all of it at once; a Ray that is joined afterwards needs no token of this one."""
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
    """Send no usage statistics, and require a token, since Ray listens on every interface. Return
    the settings from before.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        return {}
    # Ray would store a token of its own in a file that others can read.
    token = os.environ.get("RAY_AUTH_TOKEN")
    _set({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token or secrets.token_hex(32)})
    return {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": token}


def _set(settings: dict[str, str | None]) -> None:
    """Set these variables for processes started here, and for Ray in this process, which reads them
    on its own only if it finds a cluster itself.
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
