"""The stages of a Containerfile, with the instructions that this repository's has."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = {
    "RUN", "COPY", "USER", "WORKDIR", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD",
}  # fmt: skip


@dataclass
class Stage:
    """A stage: the image that it begins with, its name, and its instructions in order."""

    base: str
    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def last(self, name: str) -> str:
        """Return the text of the last instruction of this name. Raises KeyError without one."""
        return dict(self.instructions)[name]

    def words(self, name: str) -> list[str]:
        """Return the words of the last instruction of this name, which is a JSON array."""
        return list(json.loads(self.last(name)))

    def health(self) -> list[str]:
        """Return the words of the health check."""
        return list(json.loads(self.last("HEALTHCHECK").partition("CMD ")[2]))


def read_stages(path: Path) -> list[Stage]:
    """Return the stages of a Containerfile. Raises ValueError for an unknown instruction."""
    stages: list[Stage] = []
    lines = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        name, _, text = line.partition(" ")
        if name == "FROM":
            base, *rest = shlex.split(text)
            stages.append(Stage(base, rest[1] if rest else None))
        elif name in KNOWN and stages:
            stages[-1].instructions.append((name, text))
        else:
            raise ValueError(f"{path.name}: {name} is no instruction that is known here")
    return stages
