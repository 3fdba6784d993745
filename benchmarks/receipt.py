"""What a benchmark leaves behind: its figures, and on what they were measured, as JSON."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import screener._core as _core
from screener import __version__

Row = dict[str, Any]


def parser(documentation: str) -> argparse.ArgumentParser:
    """Return a parser of `--small` and `--receipt` whose help is a module's docstring."""
    made = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--small", action="store_true", help="a small part, in seconds, for CI")
    made.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    return made


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the installed versions of these packages, of screener and of Python."""
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "screener": __version__, **found}


def receipt(question: str, rows: Sequence[Row], packages: Sequence[str]) -> Row:
    """Return the figures with the machine, the kernel and the versions that they hold for.

    The question is the first line of the text, so that a module's docstring will do.
    """
    return {
        "question": question.splitlines()[0],
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "kernel": _core.KERNEL,
        "versions": versions(packages),
        "rows": list(rows),
    }


def write(path: Path | None, content: Row) -> None:
    """Write a receipt in a form whose changes read well in a diff; without a path, nothing."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")
