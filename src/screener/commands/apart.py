"""Keeping files apart that a command would write over each other."""

from __future__ import annotations

import os
from pathlib import Path

import click

from screener.audit_chain import head_path

# What SQLite writes beside a database.
_BESIDE = ("", "-wal", "-shm", "-journal")


def check_cache_apart(
    cache: Path | None, *, outputs: tuple[Path | None, ...], audit: Path | None,
    lists: tuple[Path, ...],
) -> None:  # fmt: skip
    """UsageError where a cache of hashes is also a file that the command writes or a list, or lies
    in one. To be called before anything is opened.
    """
    if cache is None:
        return
    logs = () if audit is None else (audit, head_path(audit))
    for taken in _BESIDE:
        own = cache.with_name(cache.name + taken)
        for path in (*outputs, *logs, *lists):
            if path is not None and _same(own, path):
                raise click.UsageError(f"--cache {cache}: {path} is used for something else here")
    for path in lists:
        if Path(os.path.realpath(path)) in Path(os.path.realpath(cache)).parents:
            raise click.UsageError(f"--cache {cache}: that is inside the list {path}")


def _same(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(one, other)  # under two names
    except OSError:
        return False
