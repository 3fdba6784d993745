"""The process of a Head: run as a program, it starts Ray and lives as long as its input.

It imports nothing of this package, to start faster.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys


def main() -> None:
    """Start Ray, and write its address or the error.

    When the input ends, the program that started it is gone: kill all processes of this Ray.
    """
    settings = json.loads(sys.stdin.readline())
    sys.path[:] = settings["path"]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Ray may print
    try:
        answer = {"address": _start(settings["cpus"], settings["store"])}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}".strip().splitlines()[-1]}
    print(json.dumps(answer), file=answers, flush=True)
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def _start(cpus: int, store: int) -> str:
    import ray

    ray.init(
        address="local",
        num_cpus=cpus,
        object_store_memory=store,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    return str(ray.get_runtime_context().gcs_address)


if __name__ == "__main__":
    main()
