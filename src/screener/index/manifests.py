"""Manifests: files that name all files of one state of a folder. The newest few are kept."""

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
from screener.system.files import remove_unlocked

logger = logging.getLogger(__name__)

KEPT: Final = 3  # manifests that stay with their files, the newest included
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
    """Return the number of the newest state; IndexFileError if the folder has none."""
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
    """Return a manifest, after checking all of its bytes."""
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
    """Commit a state by an atomic write of its manifest."""
    content = {
        "generation": manifest.generation,
        "bits": manifest.bits,
        "parts": manifest.parts.indexes,
        "removed": manifest.parts.removed,
    }
    text = np.frombuffer(json.dumps(content).encode(), np.uint8)
    write_sections(folder / f"{manifest.generation:08d}.manifest", _CONTENT, {"json": text})


def new_name(folder: Path, number: int, ending: str) -> Path:
    """Return a path for a file of a state, with a name that is never used again."""
    return folder / f"{number:08d}-{secrets.token_hex(8)}.{ending}"


def sweep(folder: Path, newest: int) -> None:
    """Remove our files that no recent manifest names and no reader has locked."""
    kept: set[str] = set()
    for number in _numbers(folder):
        if number > newest - KEPT:
            try:
                kept |= {f"{number:08d}.manifest", *read(folder, number).parts.names}
            except IndexFileError as error:
                # Its files are unknown, so nothing may go until the manifest itself is old.
                logger.warning("nothing is removed from %s: %s", folder, error)
                return
    for path in folder.iterdir():
        if path.name not in kept and _OURS.fullmatch(path.name):
            remove_unlocked(path)
