"""The Result of one input, and its form as a result line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from screener.lists.states import MATCHING, Opinion
from screener.lists.store.records import Category
from screener.screening.list_policy import Mode
from screener.screening.video_rule.agreement import Agreement, Rule

SCHEMA = 1

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the upright picture, right and bottom exclusive."""


class Verdict(StrEnum):
    """The outcome for one input. `unscreened` is never `no_match`: the input was not checked."""

    MATCH = "match"
    NO_MATCH = "no_match"
    UNSCREENED = "unscreened"


class Reason(StrEnum):
    """The reason for `unscreened`."""

    UNDECODABLE = "undecodable"
    TRUNCATED = "truncated"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    TOO_LITTLE_DETAIL = "too_little_detail"
    NOT_COMPARABLE = "not_comparable"
    ENCRYPTED = "encrypted"
    NO_VIDEO = "no_video"
    EMPTY = "empty"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    UNREADABLE = "unreadable"
    MEMBERS = "members"


@dataclass(frozen=True)
class Match:
    """A record that a hash of the input hit.

    - `state`: the record's state in effect. `source_state`: the state by its source alone, if you
      have `opinions` of the entry.
    - `by`: `distance`, or `evidence` if the record explains the input as an edited copy.
    - `distance`, `radius`: bits; 0 for a digest; None for a hit by evidence.
    - `evidence`, `threshold`: bits of evidence, and how many were needed; None for a hit by
      distance. `view`: the edit that was undone, or None for the picture as it is.
    - `shadow`: the policy only watches what the list, or evidence, would match; the hit makes no
      match.
    - `orientation`: the rotation or reflection of the input that matches. `derived`: its code was
      derived from the bits of a hash made elsewhere, and `distance` is that of this code.
    - `region`: `full`; `trimmed`, without its border; `enlarged`, a small picture at twice its
      size; `uncropped`, all coded pixels of a picture of which the file shows a part; `on_black`,
      `on_mean` and `without_alpha`, a transparent picture on other grounds than white, or with
      what is clear; `inset`, a part of the picture that may be a picture of its own. `box`: the
      place of an inset, else None.
    - `part`, `time`: the page or frame, counted from 0, and its time in seconds. Hidden pictures
      are counted after the frames. `part_kind`: `frame`, `thumbnail` or `appended`.
    - `uncorroborated`: a hit of a weak kind (`HashKind.weak`) without a hit on the same entry, in
      the same picture, by a kind that matches alone.

    A match of kind `vpdq` is a listed video: `video` states its agreement with the input,
    `distance` is the median of the frames', `radius` that of a frame, `time` the start in the
    input.
    """

    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int | None
    radius: int | None
    orientation: str
    region: str
    part: int
    part_kind: str
    time: float
    category: tuple[Category, ...]
    source_state: str | None = None
    opinions: tuple[Opinion, ...] = ()
    video: Agreement | None = None
    uncorroborated: bool = False
    evidence: float | None = None
    threshold: int | None = None
    view: str | None = None
    shadow: bool = False
    box: Box | None = None
    derived: bool = False

    @property
    def by(self) -> str:
        """What found the record: `distance` or `evidence`."""
        return "distance" if self.evidence is None else "evidence"

    @property
    def nearness(self) -> tuple[int, float]:
        """A sort key: hits by distance come first, nearest first, then those of most evidence."""
        return (0, self.distance or 0) if self.evidence is None else (1, -self.evidence)

    @property
    def identifies(self) -> bool:
        """True if the hit alone shows that the input is the entry, whatever the entry's state."""
        return self.would_identify and not self.shadow

    @property
    def would_identify(self) -> bool:
        """`identifies`, if nothing were in shadow."""
        is_alike = self.video is not None and self.video.rule is Rule.ALIKE
        return not (is_alike or self.uncorroborated)

    @property
    def makes_match(self) -> bool:
        """True if the hit makes the verdict `match`; otherwise it is one of `other_hits`."""
        return self.would_match and not self.shadow

    @property
    def would_match(self) -> bool:
        """`makes_match`, if nothing were in shadow."""
        return self.state in MATCHING and self.would_identify

    def to_dict(self) -> dict[str, Any]:
        """Return the match as in a result line.

        Without opinions, `source_state` and `opinions` are left out, and so are `video`,
        `uncorroborated`, `shadow`, `derived` and the fields of evidence if they do not apply.
        """
        line = dict(vars(self))
        line["by"] = self.by
        for name in _EVIDENCE_FIELDS:
            if self.evidence is None:
                del line[name]
        for name in ("shadow", "derived"):
            if not line[name]:
                del line[name]
        line["box"] = None if self.box is None else list(self.box)
        line["time"] = _round_seconds(self.time)
        line["category"] = [{"scheme": c.scheme, "code": c.code} for c in self.category]
        del line["source_state"], line["opinions"], line["video"], line["uncorroborated"]
        if self.uncorroborated:
            line["uncorroborated"] = True
        if self.video is not None:
            line["video"] = _agreement_fields(self.video)
        if self.opinions:
            line["source_state"] = self.source_state
            line["opinions"] = [
                {
                    "state": str(opinion.state),
                    "by": opinion.by,
                    "reason": opinion.reason,
                    "time": opinion.time,
                }
                for opinion in self.opinions
            ]
        return line


_EVIDENCE_FIELDS = ("evidence", "threshold", "view")


def _agreement_fields(agreement: Agreement) -> dict[str, Any]:
    return {
        "rule": str(agreement.rule),
        "found": agreement.found,
        "listed": agreement.listed,
        "found_percent": _percent(agreement.found, agreement.listed),
        "agreeing": agreement.agreeing,
        "usable": agreement.usable,
        "agreeing_percent": _percent(agreement.agreeing, agreement.usable),
        "input_span": [*map(_round_seconds, agreement.input_span)],
        "listed_span": [*map(_round_seconds, agreement.listed_span)],
    }


def _round_seconds(time: float) -> float:
    # Digits after the microsecond are rounding errors of sums.
    return round(time, 6)


def _percent(count: int, total: int) -> float:
    """Return a percentage rounded down to one decimal."""
    return 1000 * count // total / 10


@dataclass(frozen=True)
class MediaFacts:
    """The input's MIME type by content, size in pixels, frames and duration.

    `duration` is in seconds, or None for a still. `samples` is the number of frames screened.
    """

    type: str | None
    width: int
    height: int
    frames: int
    duration: float | None = None
    samples: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as in a result line."""
        line = dict(vars(self))
        if self.duration is not None:
            line["duration"] = _round_seconds(self.duration)
        return line


@dataclass(frozen=True)
class Appearance:
    """The times at which a record was hit in a video or animation.

    `distance` is the smallest in bits, or None if all hits are by evidence.
    `frames` is the number of sampled frames with a hit; `spans` are the seconds of the first and
    last frame of each run of them. `part_kind` is `appended` for a clip hidden in a picture's file,
    which has its own times.
    """

    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int | None
    frames: int
    spans: tuple[tuple[float, float], ...]
    part_kind: str = "frame"

    def to_dict(self) -> dict[str, Any]:
        """Return the appearance as in a result line."""
        line = dict(vars(self))
        return line | {"spans": [[*map(_round_seconds, span)] for span in self.spans]}


@dataclass(frozen=True)
class Members:
    """The number of an archive's members with each verdict, including members of inner archives.

    An inner archive itself counts only if its own Result does: see `Result.counts`.
    """

    match: int = 0
    no_match: int = 0
    unscreened: int = 0


@dataclass(frozen=True)
class ListState:
    """The generation of a list that decided, and its age in seconds.

    `stamp` identifies the generation, even among lists of the same name. `mode` is how the list
    took part: `enforce`, `shadow`, or `off` if the input was not compared with it, since the policy
    turns it off or leaves the input out of its sample.
    """

    name: str
    generation: int
    stamp: str
    age_s: int
    mode: Mode = Mode.ENFORCE

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as in a result line: `mode` only if it is not `enforce`."""
        line = dict(vars(self)) | {"mode": str(self.mode)}
        if self.mode is Mode.ENFORCE:
            del line["mode"]
        return line


@dataclass(frozen=True)
class Result:
    """The outcome for one input. Every input has exactly one.

    - `input`: path or name; None for pixels and bytes. `input_bytes`: the raw name if not UTF-8.
    - `archives`, `same`: the archives of a member, and its number among members of the same name,
      as in a Name.
    - `bytes`, `mtime_ns`: size and time of the file, or None if there is none.
    - `detail`: more about the reason, for people. Its wording may change. It contains nothing of
      the input's content and no listed hash.
    - `matches`: the hits that make the verdict `match`, nearest first. `other_hits` never make or
      cancel one: hits on `seed` and `known_good` records, `uncorroborated` hits, `alike` videos, of
      which only single pictures were seen, and hits in `shadow`.
    - `timeline`: the times of each record in both, for an input with times. A listed video has its
      times in its match.
    - `seconds`: processor time of a scan's workers; None outside of scans.
    - `members`: the members' verdicts, for an archive that a scan opened. Its Result follows those
      of its members.
    - `effort`: how far the input was compared (`Effort`). It is less than the policy asks for if
      the input has no PDQ, moves, or comes from a cache.
    - `extra`: the extra of this package without which the input is `unsupported`: `arrow`,
      `cloud`, `heif` or `video`.
    """

    input: str | None
    input_bytes: bytes | None
    bytes: int | None
    mtime_ns: int | None
    verdict: Verdict
    reason: Reason | None
    detail: str | None
    media: MediaFacts | None
    matches: tuple[Match, ...]
    other_hits: tuple[Match, ...]
    lists: tuple[ListState, ...]
    policy: str
    versions: tuple[tuple[str, str | int], ...]
    timeline: tuple[Appearance, ...] = ()
    seconds: float | None = None
    archives: tuple[int, ...] = ()
    same: tuple[int, ...] = ()
    members: Members | None = None
    extra: str | None = None
    effort: str = "distance"

    @property
    def counts(self) -> bool:
        """True if summaries count this Result.

        An archive's Result counts only if its own digest matched or the archive could not be read
        to its end. Otherwise it repeats the Results of its members.
        """
        return _is_counted(self.members, self.matches, self.reason)

    def with_members(self, members: Members, *, has_error: bool) -> Result:
        """Return this Result of an archive with the verdicts of its members.

        If the archive did not match by its own digest and could be read, its members decide:
        `no_match` if that is the verdict of all of them, `unscreened` otherwise.
        """
        result = replace(self, members=members)
        if self.matches or has_error:
            return result
        if not members.match and not members.unscreened:
            return replace(result, verdict=Verdict.NO_MATCH, reason=None, detail=None)
        counts = ", ".join(f"{count} {name}" for name, count in vars(members).items() if count)
        detail = f"see its members: {counts}"
        return replace(result, verdict=Verdict.UNSCREENED, reason=Reason.MEMBERS, detail=detail)

    def to_dict(self) -> dict[str, Any]:
        """Return the result line that `docs/result.schema.json` describes."""
        line = self._input_fields()
        for name, hits in self._hit_fields():
            line[name] = [hit.to_dict() for hit in hits]
        if self.extra is not None:
            line["extra"] = self.extra
        line |= _decision_fields(self.lists, self.policy, self.versions)
        if self.seconds is not None:
            line["seconds"] = self.seconds
        return line

    def to_json(self) -> str:
        """Return the result line as JSON, without a line break."""
        input_fields = _encode(self._input_fields())[:-1]
        hits = "".join(
            [
                f',"{name}":[{_encode_items(some) if some else ""}]'
                for name, some in self._hit_fields()
            ]
        )
        extra = "" if self.extra is None else f',"extra":{_encode(self.extra)}'
        decision = _encode_decision(self.lists, self.policy, self.versions)
        seconds = "" if self.seconds is None else f',"seconds":{_encode(self.seconds)}'
        return f"{input_fields}{hits}{extra},{decision}{seconds}}}"

    def _input_fields(self) -> dict[str, Any]:
        line: dict[str, Any] = {"schema": SCHEMA, "input": self.input}
        if self.input_bytes is not None:
            line["input_base64"] = base64.b64encode(self.input_bytes).decode("ascii")
        if self.archives:
            line["archives"] = list(self.archives)
        if any(self.same):
            line["same"] = list(self.same)
        if self.members is not None:
            line["members"] = vars(self.members)
        media = self.media
        return line | {
            "bytes": self.bytes,
            "mtime_ns": self.mtime_ns,
            "verdict": str(self.verdict),
            "reason": None if self.reason is None else str(self.reason),
            "detail": self.detail,
            "media": media and media.to_dict(),
            "effort": self.effort,
        }

    def _hit_fields(self) -> tuple[tuple[str, tuple[Match | Appearance, ...]], ...]:
        return (
            ("matches", self.matches),
            ("other_hits", self.other_hits),
            ("timeline", self.timeline),
        )


def would_match_in_line(hit: Mapping[str, Any]) -> bool:
    """Return `Match.would_match` of a hit in a result line. Raises KeyError without a state."""
    is_alike = (hit.get("video") or {}).get("rule") == Rule.ALIKE
    return hit["state"] in MATCHING and not (is_alike or hit.get("uncorroborated"))


def is_counted_line(line: Mapping[str, Any]) -> bool:
    """Return `Result.counts` of a result line. Raises KeyError if a field is missing."""
    return _is_counted(line.get("members"), line["matches"], line["reason"])


def _is_counted(members: object, matches: object, reason: object) -> bool:
    return members is None or bool(matches) or reason not in (None, Reason.MEMBERS)


_encode_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _encode(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, UnicodeEncodeError):  # a name of a class of its own, or with a surrogate
        return _encode_any(value)


def _encode_items(items: Iterable[Match | Appearance]) -> str:
    # One by one, since dicts of very many items would take ten times the memory of their text.
    return ",".join([_encode(item.to_dict()) for item in items])


def _decision_fields(
    lists: tuple[ListState, ...], policy: str, versions: tuple[tuple[str, str | int], ...]
) -> dict[str, Any]:
    return {
        "lists": [state.to_dict() for state in lists],
        "policy": policy,
        "versions": dict(versions),
    }


@lru_cache(maxsize=8)  # results in a row have the same lists, or take part in several samples
def _encode_decision(
    lists: tuple[ListState, ...], policy: str, versions: tuple[tuple[str, str | int], ...]
) -> str:
    return _encode(_decision_fields(lists, policy, versions))[1:-1]
