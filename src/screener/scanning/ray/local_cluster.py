"""A private Ray on this machine, which can be ended at any time, even while it starts.

It runs in a process and session of its own. In this process, Ray would wait seconds for its parts,
and Ctrl-C would leave processes behind or crash Python at exit.
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

# Little, since names and hashes travel in small messages.
_OBJECT_STORE_BYTES = 100 << 20


class Head:
    """A private Ray with its `address`; a context manager that ends it."""

    def __init__(self, cpus: int) -> None:
        """Start Ray with `cpus` CPUs. Raises ClusterError if it does not start."""
        self._saved = _restrict_access()
        # Workers get no process groups of their own, so that all end together.
        environment = os.environ | {"RAY_process_group_cleanup_enabled": "0"}
        settings = {"path": sys.path, "cpus": cpus, "store": _OBJECT_STORE_BYTES}
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
            _set_variables(self._saved)
            raise
        try:
            self.address = self._wait_for_address(json.dumps(settings))
        except BaseException:
            self.close()
            raise

    def _wait_for_address(self, settings: str) -> str:
        answer: dict[str, str] = {}
        if self._process.stdin and self._process.stdout:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._process.stdin.write(settings.encode() + b"\n")
                self._process.stdin.flush()
                answer = json.loads(self._process.stdout.readline())
        if "address" not in answer:
            raise ClusterError(
                f"no Ray can be started on this machine: {answer.get('error', 'it has ended')}"
            )
        return answer["address"]

    def close(self) -> None:
        """Kill all processes of this Ray, and restore the variables from before."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        saved, self._saved = self._saved, {}
        _set_variables(saved)

    def __enter__(self) -> Head:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _restrict_access() -> dict[str, str | None]:
    """Disable usage statistics and require a token; return the variables from before.

    Ray listens on every interface, so it must not be open to everybody.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        return {}
    # Ray would store a token of its own in a file that others can read.
    token = os.environ.get("RAY_AUTH_TOKEN")
    _set_variables({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token or secrets.token_hex(32)})
    return {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": token}


def _set_variables(variables: dict[str, str | None]) -> None:
    """Set environment variables, also for Ray in this process.

    Ray reads them itself only if it starts or finds a cluster.
    """
    if not variables:
        return
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    core: Any = ray._raylet
    core.Config.initialize("")
