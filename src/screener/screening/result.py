"""Match, Verdict, Reason and Result: what is told of one input."""

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
    """`unscreened` is never `no_match`: it says that nobody knows, and the reason says why."""

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
    """One record that one hash of the input reached.

    `distance` and `radius` are bits (0 and 0 for a digest); `orientation` is how the input was
    turned to match; `region` is `full`, or `trimmed` where it was the picture without the frame
    round it, or `enlarged` where it was a small picture at twice its size, or `uncropped` if it was
    all that is coded of a picture of which the file shows a part. `part` counts pages and
    frames from 0, shown at `time` seconds; pictures hidden in the file follow, and `part_kind`
    tells them: `frame`, `thumbnail` or `appended`. `state` is the record's in effect.
    Where we hold opinions of our own of the entry, they are `opinions`, and `said` is its state by
    its source alone.

    `uncorroborated`: a hit of a weak kind (`HashKind.weak`) on an entry of which no kind that makes
    a match by itself hit the same picture.

    Of the kind `vpdq` it is a listed video that frames of the input agree with: `video` says how
    many and where, `distance` is their median, `radius` that of a frame, `time` where it begins.
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
    said: str | None = None
    opinions: tuple[Opinion, ...] = ()
    video: Agreement | None = None
    uncorroborated: bool = False

    @property
    def identifies(self) -> bool:
        """Whether the hit is evidence enough that the input shows the entry, whatever its state."""
        alike = self.video is not None and self.video.rule is Rule.ALIKE
        return not (alike or self.uncorroborated)

    @property
    def makes_match(self) -> bool:
        """Whether the verdict is `match` for it; otherwise it stands beside."""
        return self.state in MATCHING and self.identifies

    def to_dict(self) -> dict[str, Any]:
        """Return the match as it stands in a result line: `said`, `opinions` and `video` only if
        there are any, `uncorroborated` only if it is true.
        """
        line = dict(vars(self))
        line["time"] = _seconds(self.time)
        line["category"] = [{"scheme": c.scheme, "code": c.code} for c in self.category]
        del line["said"], line["opinions"], line["video"], line["uncorroborated"]
        if self.uncorroborated:
            line["uncorroborated"] = True
        if self.video is not None:
            line["video"] = _video(self.video)
        if self.opinions:
            line["said"] = self.said
            line["opinions"] = [
                {"state": str(one.state), "by": one.by, "reason": one.reason, "time": one.time}
                for one in self.opinions
            ]
        return line


def _video(agreement: Agreement) -> dict[str, Any]:
    """How frames agree, as it stands in a result line: percentages are cut, never rounded up."""
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
    """A time as it stands in a result line: to the microsecond; what is behind is of sums."""
    return round(time, 6)


def _percent(part: int, whole: int) -> float:
    return 1000 * part // whole / 10


@dataclass(frozen=True)
class MediaFacts:
    """What the input turned out to be: MIME type by content, size in pixels, frames.

    `duration` is in seconds, None where there is none; `samples` counts the frames looked at.
    """

    type: str | None
    width: int
    height: int
    frames: int
    duration: float | None = None
    samples: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The facts as they stand in a result line."""
        line = dict(vars(self))
        if self.duration is not None:
            line["duration"] = _seconds(self.duration)
        return line


@dataclass(frozen=True)
class Appearance:
    """When a record was seen in a video or animation.

    `distance` is the nearest in bits, `frames` counts the frames looked at in which it was seen,
    `spans` are seconds from the first to the last frame of each run of them. `part_kind` is
    `appended` for a clip that is hidden in a picture's file, whose seconds are its own.
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
        """The appearance as it stands in a result line."""
        line = dict(vars(self))
        return line | {"spans": [[*map(_seconds, span)] for span in self.spans]}


@dataclass(frozen=True)
class Members:
    """How many results of an archive's members have each verdict.

    Members of archives inside it count, too. Such an inner archive itself counts only if its own
    Result does: see `Result.counts`.
    """

    match: int = 0
    no_match: int = 0
    unscreened: int = 0


@dataclass(frozen=True)
class ListState:
    """Which generation of which list decided, and how many seconds old it was. `stamp` tells that
    generation from any other, also of a list of the same name.
    """

    name: str
    generation: int
    stamp: str
    age_s: int


@dataclass(frozen=True)
class Result:
    """What is told of one input: one per input, always.

    `input` is the path or name, None for pixels and bytes; `input_bytes` the raw name where it
    is not UTF-8; `archives` and `same` say of a member which archives it is in, and which it is of
    members of one name, as a Name does; `bytes` is the size of a file, or of bytes that were given,
    and `mtime_ns` a file's: None where there is none.
    `matches` are records that make the verdict `match`; `beside` are hits on `seed` and
    `known_good` records, `uncorroborated` hits, and listed videos of which only single pictures
    were seen (`alike`): they never make or cancel one. `timeline` says when each record of both was
    seen, of an input that has times; a listed video says so itself. `detail` says more of the
    reason, for people. Its wording may change; it holds nothing of the input's content and no
    listed hash. `seconds` is the processor time that workers of a scan took for
    it, None elsewhere.
    `members` is set for an archive that a scan opened: its Result follows those of its members.
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
    beside: tuple[Match, ...]
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
        """Whether summaries count it.

        An archive's Result counts only if its own digest matched or the archive itself could not be
        read to its end. Otherwise it repeats what the Results of its members say.
        """
        return _counts(self.members, self.matches, self.reason)

    def of_archive(self, members: Members, *, in_trouble: bool) -> Result:
        """Return the Result of an archive with what its members came to.

        If the archive is not listed by its own digest and is not `in_trouble` itself, its members
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
        """The result line, field by field, as `docs/result.schema.json` describes it."""
        line = self._of_input()
        for name, told in self._told():
            line[name] = [one.to_dict() for one in told]
        if self.extra is not None:
            line["extra"] = self.extra
        line |= _decided_by(self.lists, self.policy, self.versions)
        if self.seconds is not None:
            line["seconds"] = self.seconds
        return line

    def to_json(self) -> str:
        """The result line as JSON, without the line's end."""
        of_input = _encode(self._of_input())[:-1]
        told = "".join([f',"{name}":[{_each(some)}]' for name, some in self._told()])
        extra = "" if self.extra is None else f',"extra":{_encode(self.extra)}'
        decided_by = _decided_by_json(self.lists, self.policy, self.versions)
        seconds = "" if self.seconds is None else f',"seconds":{_encode(self.seconds)}'
        return f"{of_input}{told}{extra},{decided_by}{seconds}}}"

    def _of_input(self) -> dict[str, Any]:
        """What the line says of the input itself."""
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

    def _told(self) -> tuple[tuple[str, tuple[Match | Appearance, ...]], ...]:
        """What the line says of records, by name and in order."""
        return (("matches", self.matches), ("beside", self.beside), ("timeline", self.timeline))


def line_counts(facts: Mapping[str, Any]) -> bool:
    """Return whether summaries count a result line, as `Result.counts` says of its Result.

    Raises KeyError if it is no result line.
    """
    return _counts(facts.get("members"), facts["matches"], facts["reason"])


def _counts(members: object, matches: object, reason: object) -> bool:
    return members is None or bool(matches) or reason not in (None, Reason.MEMBERS)


def check_result(given: object) -> None:
    """TypeError for anything but a Result, such as several."""
    if not isinstance(given, Result):
        raise TypeError(
            f"what is written is a Result, one at a time, and not {type(given).__name__}"
        )


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _each(told: Iterable[Match | Appearance]) -> str:
    """One by one: very many at once would take ten times the memory of their text."""
    return ",".join([_encode(one.to_dict()) for one in told])


def _decided_by(
    lists: tuple[ListState, ...], policy: str, versions: tuple[tuple[str, str | int], ...]
) -> dict[str, Any]:
    """What the line says of lists, policy and versions."""
    states = [dict(vars(one)) for one in lists]
    return {"lists": states, "policy": policy, "versions": dict(versions)}


@lru_cache(maxsize=1)  # many results in a row have the same
def _decided_by_json(
    lists: tuple[ListState, ...], policy: str, versions: tuple[tuple[str, str | int], ...]
) -> str:
    return _encode(_decided_by(lists, policy, versions))[1:-1]
