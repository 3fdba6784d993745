"""The settings of a policy for one list, and the checks of radii and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from screener.arguments import as_float, integer_within
from screener.errors import PolicyError
from screener.hashing.hash import KINDS, HashKind

COMPARED_KINDS = {name: kind for name, kind in KINDS.items() if kind.perceptual or kind.video}

DEFAULT_EVIDENCE: dict[str, int] = {"pdq": 80}
"""Bits of evidence for each kind that has any; docs/evidence.md has the figures."""

DEFAULT_EVIDENCE_TURNED: dict[str, int] = {"pdq": 100}
"""The same for mirrored and turned orientations: many goods look like their mirror image."""

_MAX_EVIDENCE_BITS = 256


class Mode(StrEnum):
    """How a list takes part.

    ENFORCE: its hits make matches. SHADOW: its hits are reported in `other_hits`, make no match and
    clear nothing. OFF: it is not searched.
    """

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


@dataclass(frozen=True)
class ListPolicy:
    """The settings for one list. What they leave out is as the policy has it.

    Parameters:
        mode: How the list takes part.
        radius: Bits for each perceptual kind, for records in every state.
        evidence: Bits for `pdq`, or False.
        evidence_turned: The same for orientations other than upright.
        ratio: The share of inputs, from 0 to 1, that are compared with the list. Which ones follows
            from their bytes: see `screening.matching.sample`.

    Raises:
        PolicyError: If a value has the wrong type or is out of range.
    """

    mode: Mode = Mode.ENFORCE
    radius: Mapping[str, int] = field(default_factory=dict)
    evidence: Mapping[str, int] = field(default_factory=dict)
    evidence_turned: Mapping[str, int] = field(default_factory=dict)
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if self.mode not in list(Mode):
            raise PolicyError(f"mode must be one of {', '.join(Mode)}, not {self.mode!r}")
        object.__setattr__(self, "mode", Mode(self.mode))
        radius = parse_numbers("radius", self.radius, find_max=max_radius)
        object.__setattr__(self, "radius", MappingProxyType(radius))
        for name in ("evidence", "evidence_turned"):
            thresholds = parse_evidence(name, getattr(self, name))
            object.__setattr__(self, name, MappingProxyType(thresholds))
        ratio = as_float(self.ratio)
        if isinstance(self.ratio, bool) or not 0 <= ratio <= 1:
            raise PolicyError(f"ratio must be a number from 0 to 1, not {self.ratio!r}")
        object.__setattr__(self, "ratio", ratio)

    @classmethod
    def parse(cls, name: str, settings: Any) -> ListPolicy:
        """Return the settings of a list, from a mapping or as they are. Raises PolicyError."""
        if isinstance(settings, cls):
            return settings
        known = [setting.name for setting in fields(cls)]
        if not isinstance(settings, Mapping) or set(settings) - set(known):
            raise PolicyError(f"lists.{name} must be a table of {', '.join(known)}")
        try:
            return cls(**settings)
        except PolicyError as error:
            raise PolicyError(f"lists.{name}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as types of JSON and TOML, without those that are left out."""
        settings = {
            "mode": str(self.mode),
            "radius": dict(self.radius),
            "evidence": dict(self.evidence),
            "evidence_turned": dict(self.evidence_turned),
            "ratio": self.ratio,
        }
        return {name: value for name, value in settings.items() if value != {}}


def max_radius(kind: HashKind) -> int:
    """Return the largest radius of a kind: all of its bits."""
    return 8 * kind.code_size


def parse_numbers(
    setting: str, values: object, *, find_max: Callable[[HashKind], int]
) -> dict[str, int]:
    """Return numbers by kind. Raises PolicyError unless each is from 0 to its largest."""
    if not isinstance(values, Mapping):
        raise PolicyError(f"{setting} must map kinds to integers, such as {{'pdq': 31}}")
    for name, value in values.items():
        if name not in COMPARED_KINDS:
            raise PolicyError(f"{setting}: {name!r} is not one of {', '.join(COMPARED_KINDS)}")
        max_value = find_max(COMPARED_KINDS[name])
        if integer_within(value, 0, max_value) is None:
            raise PolicyError(f"{setting}: {name} must be an integer from 0 to {max_value}")
    return {name: int(value) for name, value in values.items()}


def parse_evidence(setting: str, values: object) -> dict[str, int]:
    """Return thresholds by kind, False for one that is off. Raises PolicyError."""
    if not isinstance(values, Mapping):
        raise PolicyError(f"{setting} must map kinds to bits, such as {{'pdq': 80}}")
    for name, value in values.items():
        if name not in DEFAULT_EVIDENCE:
            raise PolicyError(f"{setting}: {name!r} has no evidence; only pdq has")
        if value is not False and integer_within(value, 1, _MAX_EVIDENCE_BITS) is None:
            raise PolicyError(
                f"{setting}: {name} must be an integer from 1 to {_MAX_EVIDENCE_BITS}, or false"
            )
    return {name: value and int(value) for name, value in values.items()}  # False stays
