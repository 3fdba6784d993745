"""Manifests: the states of a folder of index files. One is published by a file that names all of
its files; the newest few are kept.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from screener.errors import IndexFileError
from screener.index.layout import open_sections, write_sections
from screener.index.parts import Part, Parts
from screener.system.locks import remove_unlocked

logger = logging.getLogger(__name__)

KEPT: Final = 3  # manifests that stay, the newest included, with all their files
_CONTENT: Final = "manifest"
_MANIFEST: Final = re.compile(r"([0-9]{8,})\.manifest", re.ASCII)
_FILE: Final = re.compile(r"[0-9]{8,}-[0-9a-f]{16}\.(idx|gone)", re.ASCII)
_OURS: Final = re.compile(
    rf"{_MANIFEST.pattern}|{_FILE.pattern}|\..*\.[0-9a-f]{{16}}\.tmp", re.ASCII
)


@dataclass(frozen=True)
class Manifest:
    """One state of a folder."""

    generation: int
    bits: int
    parts: Parts


def newest(folder: Path) -> int:
    """The number of the newest state; IndexFileError where the folder has none."""
    try:
        return max(_numbers(folder))
    except (ValueError, NotADirectoryError, FileNotFoundError):
        raise IndexFileError(f"{folder} is not the folder of a segmented index") from None


def _numbers(folder: Path) -> Iterator[int]:
    with os.scandir(folder) as names:
        for entry in names:
            if found := _MANIFEST.fullmatch(entry.name):
                yield int(found[1])


def read(folder: Path, number: int) -> Manifest:
    """A manifest, every byte of it checked."""
    path = folder / f"{number:08d}.manifest"
    sections = open_sections(path, _CONTENT)
    sections.verify()
    content = json.loads(sections.array("json", dtype="u1", dimensions=1).tobytes())
    removed = None if content["removed"] is None else Part(*content["removed"])
    parts = Parts(tuple(Part(*part) for part in content["parts"]), removed)
    if content["generation"] != number or not all(map(_FILE.fullmatch, parts.names)):
        raise IndexFileError(f"{path} is damaged: its file names do not match generation {number}")
    return Manifest(number, content["bits"], parts)


def publish(folder: Path, manifest: Manifest) -> None:
    """The commit: the manifest appears under its number whole and synced, or not at all."""
    content = {
        "generation": manifest.generation,
        "bits": manifest.bits,
        "parts": manifest.parts.indexes,
        "removed": manifest.parts.removed,
    }
    text = np.frombuffer(json.dumps(content).encode(), np.uint8)
    write_sections(folder / f"{manifest.generation:08d}.manifest", _CONTENT, {"json": text})


def new_name(folder: Path, number: int, ending: str) -> Path:
    """Where a file of a state can stand, under a name that none has had or will have."""
    return folder / f"{number:08d}-{secrets.token_hex(8)}.{ending}"


def sweep(folder: Path, newest: int) -> None:
    """Remove what no kept manifest names and no reader holds, among files of our own making."""
    kept: set[str] = set()
    for number in _numbers(folder):
        if number > newest - KEPT:
            try:
                kept |= {f"{number:08d}.manifest", *read(folder, number).parts.names}
            except IndexFileError as error:
                # Nobody knows what it names, so nothing goes until it is old itself.
                logger.warning("nothing is removed from %s: %s", folder, error)
                return
    for path in folder.iterdir():
        if path.name not in kept and _OURS.fullmatch(path.name):
            remove_unlocked(path)
