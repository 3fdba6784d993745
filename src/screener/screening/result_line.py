"""Result lines as Results: the reverse of `Result.to_json`."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any

import msgspec

from screener.lists.states import Opinion, State
from screener.lists.store.records import Category
from screener.screening.result import (
    SCHEMA,
    Appearance,
    Box,
    ListState,
    Match,
    MediaFacts,
    Members,
    Reason,
    Result,
    Verdict,
)
from screener.screening.video_rule.agreement import Agreement, Rule

_Span = tuple[float, float]


class _VideoLine(msgspec.Struct):
    """A video's agreement; its distance is that of the match."""

    rule: Rule
    found: int
    listed: int
    agreeing: int
    usable: int
    input_span: _Span
    listed_span: _Span


class _MatchLine(msgspec.Struct):
    """A match as in a result line, where fields that do not apply are left out."""

    list: str
    source: str
    entry: str
    state: State
    kind: str
    distance: int | None
    radius: int | None
    orientation: str
    region: str
    box: Box | None
    part: int
    part_kind: str
    time: float
    category: tuple[Category, ...]
    source_state: State | None = None
    opinions: tuple[Opinion, ...] = ()
    video: _VideoLine | None = None
    uncorroborated: bool = False
    evidence: float | None = None
    threshold: int | None = None
    view: str | None = None
    shadow: bool = False
    derived: bool = False

    def parse(self) -> Match:
        """Return the Match. Raises ValueError if it was found neither way."""
        fields: dict[str, Any] = msgspec.structs.asdict(self)
        if (self.distance is None) == (self.evidence is None):
            raise ValueError("a match needs either a distance or evidence")
        if self.video is not None:
            if self.distance is None:
                raise ValueError("a video's match needs a distance")
            agreement = msgspec.structs.asdict(self.video)
            fields["video"] = Agreement(distance=self.distance, **agreement)
        return Match(**fields)


class _ResultLine(msgspec.Struct):
    """A result line. Fields of later versions of this library are ignored."""

    schema: int
    input: str | None
    bytes: int | None
    mtime_ns: int | None
    verdict: Verdict
    reason: Reason | None
    detail: str | None
    media: MediaFacts | None
    effort: str
    matches: tuple[_MatchLine, ...]
    other_hits: tuple[_MatchLine, ...]
    timeline: tuple[Appearance, ...]
    lists: tuple[ListState, ...]
    policy: str
    versions: dict[str, str | int]
    input_base64: str | None = None
    archives: tuple[int, ...] = ()
    same: tuple[int, ...] = ()
    members: Members | None = None
    extra: str | None = None
    seconds: float | None = None

    def parse(self) -> Result:
        """Return the Result. Raises ValueError if fields contradict one another."""
        fields: dict[str, Any] = msgspec.structs.asdict(self)
        if fields.pop("schema") != SCHEMA:
            raise ValueError(f"a result line of schema {self.schema}, not {SCHEMA}")
        if (self.verdict is Verdict.MATCH) != bool(self.matches):
            raise ValueError("the verdict contradicts the matches")
        if (self.verdict is Verdict.UNSCREENED) != (self.reason is not None):
            raise ValueError("the verdict contradicts the reason")
        if not self.lists:
            raise ValueError("no list was compared")
        raw = fields.pop("input_base64")
        fields["input_bytes"] = None if raw is None else _decode_name(raw)
        fields["versions"] = tuple(self.versions.items())
        for name in ("matches", "other_hits"):
            fields[name] = tuple([line.parse() for line in fields[name]])
        return Result(**fields)


def _decode_name(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("`input_base64` is not base64") from None


_decode = msgspec.json.Decoder(_ResultLine).decode


def read_result(line: bytes | str) -> Result:
    """Return the Result of a result line, such as `Result.to_json` returns.

    Raises ValueError, which quotes no value, if it is not JSON, not of the schema's version, lacks
    a field, or contradicts itself: a damaged line is never a Result.
    """
    try:
        return _decode(line).parse()
    except msgspec.ValidationError as error:
        raise ValueError(f"not a result line: {_path_of(error)}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ValueError("not JSON") from None


def _path_of(error: msgspec.ValidationError) -> str:
    # Its text may quote a value; the names of missing fields are this module's own.
    text = str(error)
    if text.startswith("Object missing required field"):
        return text
    return f"a wrong value {text[text.rindex(' - at ') + 3 :]}" if " - at " in text else "no object"
