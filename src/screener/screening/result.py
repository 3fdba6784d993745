"""The Result of one input: verdict, reason and matches, and their form in a result line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from screener.lists.states import MATCHING, Opinion
from screener.lists.store.records import Category
from screener.screening.video_rule.agreement import Agreement, Rule

SCHEMA = 1


class Verdict(StrEnum):
    """The outcome for one input. `unscreened` is never `no_match`: the input was not checked."""

    MATCH = "match"
    NO_MATCH = "no_match"
    UNSCREENED = "unscreened"


class Reason(StrEnum):
    """Why an input is `unscreened`."""

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
    """A record that one hash of the input hit.

    `state`: the record's state in effect. `opinions`: your own opinions of the entry; if there are
    any, `source_state` is the state by its source alone.
    `distance`, `radius`: bits; 0 for a digest.
    `orientation`: how the input was turned to match.
    `region`: `full`; `trimmed`, the picture without its border; `enlarged`, a small picture at
    twice its size; `uncropped`, all coded pixels of a picture of which the file shows a part.
    `part`, `time`: the page or frame, counted from 0, and its time in seconds. Hidden pictures are
    counted after the frames. `part_kind`: `frame`, `thumbnail` or `appended`.
    `uncorroborated`: a hit of a weak kind (`HashKind.weak`) on an entry that no kind which matches
    alone hit in the same picture.

    A match of kind `vpdq` is a listed video: `video` states how many frames agree and where,
    `distance` is their median, `radius` that of a frame, `time` the start in the input.
    """

    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int
    radius: int
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

    @property
    def identifies(self) -> bool:
        """Return whether the input surely shows the entry, whatever the entry's state."""
        alike = self.video is not None and self.video.rule is Rule.ALIKE
        return not (alike or self.uncorroborated)

    @property
    def makes_match(self) -> bool:
        """Return whether the hit makes the verdict `match`; otherwise it is one of `other_hits`."""
        return self.state in MATCHING and self.identifies

    def to_dict(self) -> dict[str, Any]:
        """Return the match as in a result line: `source_state` and `opinions` only if there are
        opinions, `video` and `uncorroborated` only if they apply.
        """
        line = dict(vars(self))
        line["time"] = _seconds(self.time)
        line["category"] = [{"scheme": c.scheme, "code": c.code} for c in self.category]
        del line["source_state"], line["opinions"], line["video"], line["uncorroborated"]
        if self.uncorroborated:
            line["uncorroborated"] = True
        if self.video is not None:
            line["video"] = _video(self.video)
        if self.opinions:
            line["source_state"] = self.source_state
            line["opinions"] = [
                {"state": str(own.state), "by": own.by, "reason": own.reason, "time": own.time}
                for own in self.opinions
            ]
        return line


def _video(agreement: Agreement) -> dict[str, Any]:
    return {
        "rule": str(agreement.rule),
        "found": agreement.found,
        "listed": agreement.listed,
        "found_percent": _percent(agreement.found, agreement.listed),
        "agreeing": agreement.agreeing,
        "usable": agreement.usable,
        "agreeing_percent": _percent(agreement.agreeing, agreement.usable),
        "input_span": [*map(_seconds, agreement.input_span)],
        "listed_span": [*map(_seconds, agreement.listed_span)],
    }


def _seconds(time: float) -> float:
    # Digits after the microsecond are rounding errors of sums.
    return round(time, 6)


def _percent(part: int, whole: int) -> float:
    """Return a percentage cut to one decimal, never rounded up."""
    return 1000 * part // whole / 10


@dataclass(frozen=True)
class MediaFacts:
    """Facts of the input: MIME type by content, size in pixels, frames.

    `duration` is in seconds, None for a still; `samples` counts the frames looked at.
    """

    type: str | None
    width: int
    height: int
    frames: int
    duration: float | None = None
    samples: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as in a result line."""
        line = dict(vars(self))
        if self.duration is not None:
            line["duration"] = _seconds(self.duration)
        return line


@dataclass(frozen=True)
class Appearance:
    """The times at which a record was hit in a video or animation.

    `distance` is the smallest in bits; `frames` counts the sampled frames with a hit; `spans` are
    the seconds of the first and last frame of each run of them. `part_kind` is `appended` for a
    clip hidden in a picture's file, which has times of its own.
    """

    list: str
    source: str
    entry: str
    state: str
    kind: str
    distance: int
    frames: int
    spans: tuple[tuple[float, float], ...]
    part_kind: str = "frame"

    def to_dict(self) -> dict[str, Any]:
        """Return the appearance as in a result line."""
        line = dict(vars(self))
        return line | {"spans": [[*map(_seconds, span)] for span in self.spans]}


@dataclass(frozen=True)
class Members:
    """The number of an archive's members with each verdict, inner archives' members included.

    An inner archive itself counts only if its own Result does: see `Result.counts`.
    """

    match: int = 0
    no_match: int = 0
    unscreened: int = 0


@dataclass(frozen=True)
class ListState:
    """The generation of a list that decided, and its age in seconds.

    `stamp` identifies the generation, even among lists of the same name.
    """

    name: str
    generation: int
    stamp: str
    age_s: int


@dataclass(frozen=True)
class Result:
    """The outcome for one input; every input has exactly one.

    `input`: path or name, None for pixels and bytes. `input_bytes`: the raw name if not UTF-8.
    `archives`, `same`: for an archive member, as in a Name: the archives that it is in, and its
    number among members of the same name.
    `bytes`: size of the file or bytes; `mtime_ns`: the file's time. None if there is none.
    `detail`: more about the reason, for people. Its wording may change; it contains nothing of the
    input's content and no listed hash.
    `matches`: the hits that make the verdict `match`, nearest first. `other_hits` never make or
    cancel one: hits on `seed` and `known_good` records, `uncorroborated` hits, and listed videos of
    which only single pictures were seen (`alike`).
    `timeline`: when each record of both was hit, for an input with times; a listed video has its
    times in its match.
    `seconds`: processor time that workers of a scan took; None elsewhere.
    `members`: set for an archive that a scan opened; its Result follows those of its members.
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
    """The extra of this package without which the input is `unsupported`: `heif` or `video`."""

    @property
    def counts(self) -> bool:
        """Return whether summaries count this Result.

        An archive's Result counts only if its own digest matched or the archive could not be read
        to its end. Otherwise it repeats the Results of its members.
        """
        return _counts(self.members, self.matches, self.reason)

    def with_members(self, members: Members, *, in_trouble: bool) -> Result:
        """Return this Result of an archive with the verdicts of its members.

        If the archive did not match by its own digest and is not `in_trouble` itself, its members
        decide: `no_match` if that is the verdict of all of them, `unscreened` otherwise.
        """
        result = replace(self, members=members)
        if self.matches or in_trouble:
            return result
        if not members.match and not members.unscreened:
            return replace(result, verdict=Verdict.NO_MATCH, reason=None, detail=None)
        counts = ", ".join(f"{n} {verdict}" for verdict, n in vars(members).items() if n)
        detail = f"see its members: {counts}"
        return replace(result, verdict=Verdict.UNSCREENED, reason=Reason.MEMBERS, detail=detail)

    def to_dict(self) -> dict[str, Any]:
        """Return the result line as a dict; `docs/result.schema.json` describes it."""
        line = self._input_fields()
        for name, hits in self._hit_fields():
            line[name] = [hit.to_dict() for hit in hits]
        if self.extra is not None:
            line["extra"] = self.extra
        line |= _decided_by(self.lists, self.policy, self.versions)
        if self.seconds is not None:
            line["seconds"] = self.seconds
        return line

    def to_json(self) -> str:
        """Return the result line as JSON, without a line break."""
        of_input = _encode(self._input_fields())[:-1]
        hits = "".join([f',"{name}":[{_json_items(some)}]' for name, some in self._hit_fields()])
        extra = "" if self.extra is None else f',"extra":{_encode(self.extra)}'
        decided_by = _decided_by_json(self.lists, self.policy, self.versions)
        seconds = "" if self.seconds is None else f',"seconds":{_encode(self.seconds)}'
        return f"{of_input}{hits}{extra},{decided_by}{seconds}}}"

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
        }

    def _hit_fields(self) -> tuple[tuple[str, tuple[Match | Appearance, ...]], ...]:
        return (
            ("matches", self.matches),
            ("other_hits", self.other_hits),
            ("timeline", self.timeline),
        )


def is_counted_line(facts: Mapping[str, Any]) -> bool:
    """Return `Result.counts` of a result line. Raises KeyError if it is not a result line."""
    return _counts(facts.get("members"), facts["matches"], facts["reason"])


def _counts(members: object, matches: object, reason: object) -> bool:
    return members is None or bool(matches) or reason not in (None, Reason.MEMBERS)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json_items(items: Iterable[Match | Appearance]) -> str:
    # One by one: the dicts of very many at once would take ten times the memory of their text.
    return ",".join([_encode(item.to_dict()) for item in items])


def _decided_by(
    lists: tuple[ListState, ...], policy: str, versions: tuple[tuple[str, str | int], ...]
) -> dict[str, Any]:
    states = [dict(vars(state)) for state in lists]
    return {"lists": states, "policy": policy, "versions": dict(versions)}


@lru_cache(maxsize=1)  # results in a row have the same lists
def _decided_by_json(
    lists: tuple[ListState, ...], policy: str, versions: tuple[tuple[str, str | int], ...]
) -> str:
    return _encode(_decided_by(lists, policy, versions))[1:-1]
