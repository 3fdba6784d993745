"""The rules that a Screener decides by, from Python or a TOML file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cached_property, partial
from numbers import Integral
from os import PathLike
from types import MappingProxyType
from typing import Any

from screener.arguments import as_float, integer_within
from screener.errors import PolicyError, cause
from screener.hashing.hash import KINDS
from screener.hashing.video_frames import FLOOR
from screener.media.files.allowance import WALL
from screener.media.files.limits import Limits
from screener.media.video.sampling.settings import Sampling
from screener.screening.list_policy import (
    COMPARED_KINDS,
    DEFAULT_EVIDENCE,
    DEFAULT_EVIDENCE_TURNED,
    ListPolicy,
    max_radius,
    parse_evidence,
    parse_numbers,
)
from screener.system import files

# A worker needs about half of this before it opens a file.
MIN_MEMORY_BYTES = 128 << 20
_MAX_MEMORY_BYTES = 1 << 62  # accepted as a resource limit
_MAX_SECONDS = 1_000_000  # accepted as a timeout

_DEFAULT_RADII = {name: kind.radius for name, kind in COMPARED_KINDS.items()}
_DEFAULT_FLOORS = {name: kind.floor for name, kind in COMPARED_KINDS.items()}
_WEAK_KINDS = [name for name, kind in KINDS.items() if kind.weak]

# Each inset is hashed and searched like a picture, so a picture with insets may cost this many.
_MAX_INSETS = 64
_MIN_INSET_SIDE, _MAX_INSET_SIDE = 32, 1 << 16  # pixels


class Effort(StrEnum):
    """How far a Screener goes to find edited copies of listed pictures.

    DISTANCE: compare hashes within the radius. EVIDENCE: also weigh the bits of each PDQ. VIEWS:
    also weigh those of views, which undo a crop, a tilt or a cover, upright and mirrored. ALL: of
    views in all orientations.
    """

    DISTANCE = "distance"
    EVIDENCE = "evidence"
    VIEWS = "views"
    ALL = "all"

    @property
    def view_orientations(self) -> int:
        """The number of orientations in which views are weighed, 0 without views."""
        return {Effort.VIEWS: 2, Effort.ALL: 8}.get(self, 0)

    @property
    def without_views(self) -> Effort:
        """The effort for a picture that gets no views."""
        return Effort.EVIDENCE if self.view_orientations else self


@dataclass(frozen=True)
class Policy:
    """The rules that a Screener decides by. Every Result carries their fingerprint.

    Kinds that a mapping leaves out have their defaults. `dataclasses.replace` with another `radius`
    does not change `known_good_radius`.

    Parameters:
        radius: Bits, for each perceptual kind; a distance up to and including it is a hit. The
            radius of `vpdq` is for two frames: see docs/internals/video-matching.md.
        known_good_radius: The same for `known_good` records; by default `radius`.
        floor: A score from 0 to 100 for each perceptual kind. A hash is not compared if its quality
            or its picture's detail is lower. The floor of `vpdq` is for a frame, and at least 50,
            since lists do not index other frames.
        alone: Weak kinds (`HashKind.weak`) whose hits make a match by themselves; by default none.
            Hits of other weak kinds also need a hit on the same entry by a kind that is not weak or
            is in `alone`. docs/radius.md states how often weak kinds are wrong.
        limits: Limits for one input; a larger one is `too_large`.
        sampling: The choice of the frames of a video that are hashed.
        seconds: Processor time, of all threads, that a scan's worker may spend on one file; at most
            a million. Ten times as much wall time also ends the file. Decoding of a video ends at
            four fifths, outside of scans too, so that the decoded frames are still compared.
        memory: Bytes that a scan's worker may use.
        digests_only: Compare only MD5, SHA-1 and SHA-256, and let `no_match` rest on them.
        max_list_age: Seconds; a Screener refuses an older list. By default there is no limit.
        effort: How far to go to find edited copies (`Effort`). docs/evidence.md has what each
            finds and costs.
        evidence: Bits for `pdq`: evidence of at least so much is a hit; False turns it off.
        evidence_turned: The same for orientations other than upright, which never need less than
            `evidence`.
        lists: Settings for single lists, by name, as ListPolicy or mappings:
            `{"known": {"mode": "shadow", "radius": {"pdq": 20}, "evidence": {"pdq": 100}}}`.
        shadow_evidence: Report hits by evidence among `other_hits`, so that they never make a
            match.
        insets: The most parts of a picture that are compared as pictures of their own, by PDQ, from
            0 to 64; 0 looks for none. docs/results.md states of which pictures.
        inset_side: The least width and height of such a part, in pixels, from 32.

    Raises:
        PolicyError: If a value has the wrong type or is out of range.
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
    effort: Effort = Effort.VIEWS
    evidence: Mapping[str, int] = field(default_factory=dict)
    evidence_turned: Mapping[str, int] = field(default_factory=dict)
    lists: Mapping[str, ListPolicy] = field(default_factory=dict)
    shadow_evidence: bool = False
    insets: int = 32
    inset_side: int = 90

    def __post_init__(self) -> None:
        radius = _DEFAULT_RADII | parse_numbers("radius", self.radius, find_max=max_radius)
        known_good_radius = radius | parse_numbers(
            "known_good_radius", self.known_good_radius, find_max=max_radius
        )
        floor = _DEFAULT_FLOORS | parse_numbers("floor", self.floor, find_max=lambda _: 100)
        if floor["vpdq"] < FLOOR:
            raise PolicyError(f"floor: vpdq must be an integer from {FLOOR} to 100")
        object.__setattr__(self, "radius", MappingProxyType(radius))
        object.__setattr__(self, "known_good_radius", MappingProxyType(known_good_radius))
        object.__setattr__(self, "floor", MappingProxyType(floor))
        object.__setattr__(self, "alone", _sort_weak_kinds(self.alone))
        object.__setattr__(self, "seconds", float(_parse_positive("seconds", self.seconds)))
        if self.seconds > _MAX_SECONDS:
            raise PolicyError(f"seconds must be at most {_MAX_SECONDS}, not {self.seconds}")
        memory = integer_within(self.memory, MIN_MEMORY_BYTES, _MAX_MEMORY_BYTES)
        if memory is None:
            raise PolicyError(
                f"memory must be an integer from {MIN_MEMORY_BYTES} to {_MAX_MEMORY_BYTES} (bytes)"
            )
        object.__setattr__(self, "memory", memory)
        if not isinstance(self.limits, Limits):
            raise PolicyError("limits must be a screener.media.files.limits.Limits")
        limits = {
            name: _parse_count(f"limits.{name}", value) for name, value in vars(self.limits).items()
        }
        object.__setattr__(self, "limits", Limits(**limits))
        if not isinstance(self.sampling, Sampling):
            raise PolicyError("sampling must be a screener.media.video.sampling.settings.Sampling")
        if (problem := self.sampling.problem()) is not None:
            raise PolicyError(f"sampling: {problem}")
        object.__setattr__(self, "sampling", self.sampling.normalized())
        if self.max_list_age is not None:
            age = float(_parse_positive("max_list_age", self.max_list_age))
            object.__setattr__(self, "max_list_age", age)
        for name in ("digests_only", "shadow_evidence"):
            if not isinstance(getattr(self, name), bool):
                raise PolicyError(f"{name} must be true or false")
        for name, least, most in (
            ("insets", 0, _MAX_INSETS),
            ("inset_side", _MIN_INSET_SIDE, _MAX_INSET_SIDE),
        ):
            number = integer_within(getattr(self, name), least, most)
            if number is None:
                raise PolicyError(f"{name} must be an integer from {least} to {most}")
            object.__setattr__(self, name, number)
        if self.effort not in list(Effort):
            raise PolicyError(f"effort must be one of {', '.join(Effort)}, not {self.effort!r}")
        object.__setattr__(self, "effort", Effort(self.effort))
        for name, defaults in (
            ("evidence", DEFAULT_EVIDENCE),
            ("evidence_turned", DEFAULT_EVIDENCE_TURNED),
        ):
            thresholds = defaults | parse_evidence(name, getattr(self, name))
            object.__setattr__(self, name, MappingProxyType(thresholds))
        if not isinstance(self.lists, Mapping):
            raise PolicyError("lists must map names of lists to their settings")
        lists = {str(name): ListPolicy.parse(str(name), one) for name, one in self.lists.items()}
        object.__setattr__(self, "lists", MappingProxyType(lists))

    def __hash__(self) -> int:
        # Mapping proxies are not hashable.
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[partial[Policy], tuple[()]]:
        # Mapping proxies cannot be pickled, and worker processes receive the policy.
        return partial(Policy, **self._settings()), ()

    @cached_property
    def fingerprint(self) -> str:
        """Eight hex digits of the SHA-256 of all settings, the same for equal policies."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as types of JSON and TOML."""
        tables = {"limits": asdict(self.limits), "sampling": asdict(self.sampling)}
        return self._settings() | tables

    def _settings(self) -> dict[str, Any]:
        settings = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("radius", "known_good_radius", "floor", "evidence", "evidence_turned"):
            settings[name] = dict(settings[name])
        settings["lists"] = {name: one.to_dict() for name, one in self.lists.items()}
        settings["effort"] = str(self.effort)
        settings["alone"] = list(settings["alone"])
        return settings

    def of_list(self, list_name: str) -> ListPolicy:
        """Return the settings for a list, which may all be left out."""
        return self.lists.get(list_name, _NO_LIST_SETTINGS)

    def list_radius(self, list_name: str, kind_name: str, *, known_good: bool = False) -> int:
        """Return the radius in bits for hits on a list's records of a state; 0 for digests."""
        radii = self.known_good_radius if known_good else self.radius
        return self.of_list(list_name).radius.get(kind_name, radii.get(kind_name, 0))

    def evidence_threshold(
        self, list_name: str, kind_name: str, *, turned: bool = False
    ) -> int | None:
        """Return the bits of evidence that make a hit on a list, or None if none do.

        `turned`: in an orientation other than upright.
        """
        if self.effort is Effort.DISTANCE or self.digests_only:
            return None
        own = self.of_list(list_name)
        threshold = own.evidence.get(kind_name, self.evidence.get(kind_name)) or None
        if threshold is None or not turned:
            return threshold
        least = own.evidence_turned.get(kind_name, self.evidence_turned[kind_name])
        return max(threshold, least) if least else None

    @property
    def wall_seconds(self) -> float:
        """Wall time after which a scan ends the worker."""
        return self.seconds * WALL

    @property
    def decoding_seconds(self) -> float:
        """Processor time after which a video's decoding ends with `timeout`."""
        return self.seconds * 4 / 5

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Policy:
        """Return the policy of a TOML file, whose keys are the fields.

        `[radius]`, `[known_good_radius]`, `[floor]`, `[evidence]`, `[evidence_turned]`,
        `[lists.NAME]`, `[limits]` and `[sampling]` are tables.
        Raises PolicyError if the file cannot be read or a setting is wrong; it names both.
        """
        try:
            settings = files.read_toml(path)
        except (OSError, ValueError) as error:
            raise PolicyError(f"cannot read the policy file {path}: {cause(error)}") from error
        try:
            return cls(**_parse_settings(settings))
        except PolicyError as error:
            raise PolicyError(f"{path}: {error}") from error


_NO_LIST_SETTINGS = ListPolicy()


def _sort_weak_kinds(names: Collection[str]) -> tuple[str, ...]:
    """Return weak kinds in the order of KINDS, so that equal policies have equal fingerprints."""
    if isinstance(names, str | Mapping) or not isinstance(names, Collection):
        raise PolicyError("alone must be a list of kinds, such as ['dhash']")
    for name in names:
        if name not in _WEAK_KINDS:
            raise PolicyError(
                f"alone: {name!r} is not one of {', '.join(_WEAK_KINDS)}; other kinds need no entry"
            )
    return tuple(name for name in _WEAK_KINDS if name in names)


def _parse_positive(name: str, value: object) -> int | float:
    """Return a finite number above 0; integers are int, for equal fingerprints."""
    number = as_float(value)
    if not 0 < number < math.inf:
        raise PolicyError(f"{name} must be a number above 0, not {value!r}")
    if isinstance(value, Integral):
        return int(value)
    return int(number) if number.is_integer() else number


def _parse_count(name: str, value: object) -> int:
    number = _parse_positive(name, value)
    if not isinstance(number, int):
        raise PolicyError(f"{name} must be an integer, not {value!r}")
    return number


def _parse_settings(settings: dict[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(Policy)}
    for name in settings:
        if name not in names:
            raise PolicyError(f"unknown setting {name!r}; one of: {', '.join(sorted(names))}")
    if "limits" in settings:
        settings = settings | {"limits": Limits(**_check_table(settings, "limits", Limits))}
    if "sampling" in settings:
        settings = settings | {"sampling": Sampling(**_check_table(settings, "sampling", Sampling))}
    return settings


def _check_table(
    settings: dict[str, Any], name: str, table_type: type[Limits] | type[Sampling]
) -> Any:
    names = [f.name for f in fields(table_type)]
    table = settings[name]
    if not isinstance(table, dict) or set(table) - set(names):
        raise PolicyError(f"[{name}] must be a table of {', '.join(names)}")
    return table
