"""Policy: what is a match, what is too little detail, what is too large. From Python or TOML."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property, partial
from numbers import Integral
from os import PathLike
from types import MappingProxyType
from typing import Any

from screener.arguments import as_float, integer_within
from screener.errors import PolicyError, cause
from screener.hashing.hash import KINDS, HashKind
from screener.hashing.video_frames import FLOOR
from screener.media.files.allowance import WALL
from screener.media.files.limits import Limits
from screener.media.video.sampling.rules import Sampling
from screener.system import files

# A worker needs about half of this before it has seen a file.
LEAST_MEMORY = 128 << 20
_MOST_MEMORY = 1 << 62  # that a system can be told to hold a process to
_MOST_SECONDS = 1_000_000  # that a system can be told to wait

_COMPARED = {name: kind for name, kind in KINDS.items() if kind.perceptual or kind.video}
_DEFAULT_RADIUS = {name: kind.radius for name, kind in _COMPARED.items()}
_DEFAULT_FLOOR = {name: kind.floor for name, kind in _COMPARED.items()}
_WEAK = [name for name, kind in KINDS.items() if kind.weak]


@dataclass(frozen=True)
class Policy:
    """The rules that a Screener decides by; frozen, and every Result carries its fingerprint.

    `radius`: bits, per perceptual kind; a distance up to and including it is a match. That of
    `vpdq` is of two frames, so that they agree: docs/internals/video-matching.md says what follows.
    `known_good_radius`: the same for hits on `known_good` records, `radius` where it says nothing.
    `floor`: quality 0–100, per perceptual kind; a hash below it, or of a picture whose detail score
    is, is not compared. That of `vpdq` is of a frame, and at least 50: no list has an index of
    others.
    `alone`: weak kinds whose hits make a match by themselves; none by default. A hit of any other
    weak kind (`HashKind.weak`) makes one only beside a hit on the same entry by a kind that is not
    weak, or is named here: docs/radius.md says how often weak kinds are wrong.
    `limits`: what one input may cost, a `screener.media.files.limits.Limits`; beyond it is
    `too_large`. `sampling`: which frames of a video are looked at, a
    `screener.media.video.sampling.rules.Sampling`.
    `seconds` (at most a million) and `memory` (bytes): what a scan's worker may spend on one file.
    `seconds` count the processor time of all threads of the worker; a file that takes ten times as
    much wall time ends as well. A video's decoding ends at four fifths of both, so that what was
    decoded is still looked up; it alone is also limited outside of a scan.
    `digests_only`: compare nothing but MD5, SHA-1 and SHA-256, and let `no_match` rest on them.
    `max_list_age`: seconds; a Screener refuses to be made from, or refreshed to, an older list.

    Kinds that a mapping leaves out keep their defaults; where `dataclasses.replace` gives another
    `radius`, `known_good_radius` stays as it was. Raises PolicyError.
    """

    radius: Mapping[str, int] = field(default_factory=dict)
    known_good_radius: Mapping[str, int] = field(default_factory=dict)
    floor: Mapping[str, int] = field(default_factory=dict)
    alone: Collection[str] = ()
    limits: Limits = field(default_factory=Limits)
    sampling: Sampling = field(default_factory=Sampling)
    seconds: float = 60.0
    memory: int = 1 << 30
    digests_only: bool = False
    max_list_age: float | None = None

    def __post_init__(self) -> None:
        radius = _merged("radius", _DEFAULT_RADIUS, self.radius, lambda kind: 8 * kind.code_size)
        allowed = _merged(
            "known_good_radius", radius, self.known_good_radius, lambda kind: 8 * kind.code_size
        )
        floor = _merged("floor", _DEFAULT_FLOOR, self.floor, lambda _: 100)
        if floor["vpdq"] < FLOOR:
            raise PolicyError(f"floor: vpdq takes a whole number from {FLOOR} to 100")
        object.__setattr__(self, "radius", MappingProxyType(radius))
        object.__setattr__(self, "known_good_radius", MappingProxyType(allowed))
        object.__setattr__(self, "floor", MappingProxyType(floor))
        object.__setattr__(self, "alone", _alone(self.alone))
        object.__setattr__(self, "seconds", float(_positive("seconds", self.seconds)))
        if self.seconds > _MOST_SECONDS:
            raise PolicyError(f"seconds are {_MOST_SECONDS} at most, not {self.seconds}")
        memory = integer_within(self.memory, LEAST_MEMORY, _MOST_MEMORY)
        if memory is None:
            raise PolicyError(
                f"memory is a whole number of bytes from {LEAST_MEMORY} to {_MOST_MEMORY}"
            )
        object.__setattr__(self, "memory", memory)
        if not isinstance(self.limits, Limits):
            raise PolicyError("limits are a screener.media.files.limits.Limits")
        given = vars(self.limits)
        limits = {name: _count(f"limits.{name}", one) for name, one in given.items()}
        object.__setattr__(self, "limits", Limits(**limits))
        if not isinstance(self.sampling, Sampling):
            raise PolicyError("sampling is a screener.media.video.sampling.rules.Sampling")
        if (wrong := self.sampling.wrong()) is not None:
            raise PolicyError(f"sampling: {wrong}")
        object.__setattr__(self, "sampling", self.sampling.plain())
        if self.max_list_age is not None:
            age = float(_positive("max_list_age", self.max_list_age))
            object.__setattr__(self, "max_list_age", age)
        if not isinstance(self.digests_only, bool):
            raise PolicyError("digests_only is true or false")

    def __hash__(self) -> int:
        # Its mappings have none.
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[partial[Policy], tuple[()]]:
        # A mapping proxy cannot be pickled, and a policy travels to worker processes.
        return partial(Policy, **self._settings()), ()

    @cached_property
    def fingerprint(self) -> str:
        """Eight hex digits of the SHA-256 of all settings: equal policies have equal ones."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def to_dict(self) -> dict[str, Any]:
        """All settings, of types that JSON and TOML have."""
        forms = {"limits": asdict(self.limits), "sampling": asdict(self.sampling)}
        return self._settings() | forms

    def _settings(self) -> dict[str, Any]:
        """The fields, with mappings that are dicts."""
        settings = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("radius", "known_good_radius", "floor"):
            settings[name] = dict(settings[name])
        settings["alone"] = list(settings["alone"])
        return settings

    @property
    def wall_seconds(self) -> float:
        """Wall time after which a scan's worker is ended, whatever processor time it took."""
        return self.seconds * WALL

    @property
    def decoding_seconds(self) -> float:
        """Processor time after which a video's decoding ends with `timeout`."""
        return self.seconds * 4 / 5

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Policy:
        """Read a TOML file: the fields above as keys, `[radius]`, `[known_good_radius]`,
        `[floor]`, `[limits]` and `[sampling]` tables.

        Raises PolicyError naming the file and the setting.
        """
        try:
            settings = files.read_toml(path)
        except (OSError, ValueError) as error:
            raise PolicyError(f"cannot read the policy file {path}: {cause(error)}") from error
        try:
            return cls(**_checked_settings(settings))
        except PolicyError as error:
            raise PolicyError(f"{path}: {error}") from error


def check_policy(given: object) -> None:
    """PolicyError for anything but a Policy, such as its settings or the path of its file."""
    if not isinstance(given, Policy):
        raise PolicyError(
            f"a policy is a Policy, not {type(given).__name__}: Policy(radius={{'pdq': 31}}), say,"
            " or Policy.load of a file"
        )


def _merged(
    setting: str,
    default: dict[str, int],
    given: Mapping[str, int],
    largest: Callable[[HashKind], int],
) -> dict[str, int]:
    """The defaults with the given values over them, each checked against its kind."""
    if not isinstance(given, Mapping):
        raise PolicyError(f"{setting} maps kinds to numbers, as in {{'pdq': 31}}")
    for name, value in given.items():
        if name not in default:
            raise PolicyError(f"{setting}: {name!r} is none of {', '.join(default)}")
        top = largest(KINDS[name])
        if integer_within(value, 0, top) is None:
            raise PolicyError(f"{setting}: {name} takes a whole number from 0 to {top}")
    return default | {name: int(value) for name, value in given.items()}


def _alone(given: Collection[str]) -> tuple[str, ...]:
    """Return weak kinds in the order of KINDS, so that equal policies have equal fingerprints."""
    if isinstance(given, str | Mapping) or not isinstance(given, Collection):
        raise PolicyError("alone is a list of kinds, as in ['dhash']")
    for name in given:
        if name not in _WEAK:
            raise PolicyError(
                f"alone: {name!r} is none of {', '.join(_WEAK)}; no other kind needs to be named"
            )
    return tuple(name for name in _WEAK if name in given)


def _positive(name: str, value: object) -> int | float:
    """A number above 0 in the one form that equal ones have, so that fingerprints are equal too.
    Not an infinite one, which JSON cannot have.
    """
    number = as_float(value)
    if not 0 < number < math.inf:
        raise PolicyError(f"{name} is a number above 0, not {value!r}")
    if isinstance(value, Integral):
        return int(value)
    return int(number) if number.is_integer() else number


def _count(name: str, value: object) -> int:
    """A whole number above 0, also one that is written as a float."""
    number = _positive(name, value)
    if not isinstance(number, int):
        raise PolicyError(f"{name} is a whole number, not {value!r}")
    return number


def _checked_settings(settings: dict[str, Any]) -> dict[str, Any]:
    known = {f.name for f in fields(Policy)}
    for name in settings:
        if name not in known:
            raise PolicyError(f"unknown setting {name!r}; one of: {', '.join(sorted(known))}")
    if "limits" in settings:
        settings = settings | {"limits": Limits(**_table(settings, "limits", Limits))}
    if "sampling" in settings:
        settings = settings | {"sampling": Sampling(**_table(settings, "sampling", Sampling))}
    return settings


def _table(settings: dict[str, Any], name: str, form: type[Limits] | type[Sampling]) -> Any:
    """A table of a policy file, with no name that its dataclass lacks."""
    names = [f.name for f in fields(form)]
    table = settings[name]
    if not isinstance(table, dict) or set(table) - set(names):
        raise PolicyError(f"[{name}] takes {', '.join(names)}")
    return table
