"""What a benchmark leaves behind: its figures, and on what they were measured, as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import screener._core as _core


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The installed versions of these packages, of screener and of Python."""
    found = {name: importlib.metadata.version(name) for name in ("screener", *packages)}
    return {"python": platform.python_version(), **found}


def receipt(
    question: str, rows: Sequence[dict[str, Any]], packages: Sequence[str]
) -> dict[str, Any]:
    """The figures of a benchmark with the machine, the kernel and the versions they hold for."""
    return {
        "question": question,
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "kernel": _core.KERNEL,
        "versions": versions(packages),
        "rows": list(rows),
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a receipt, in a form whose changes read well in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
