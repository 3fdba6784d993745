"""Result lines become the Results that they were made of, or an error."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener import Screener
from screener.lists.states import Opinion, State
from screener.lists.store.records import Category
from screener.screening.result import (
    Appearance,
    ListState,
    Match,
    MediaFacts,
    Members,
    Reason,
    Result,
    Verdict,
)
from screener.screening.result_line import read_result
from screener.screening.video_rule.agreement import Agreement, Rule

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
COUNT = st.integers(0, 1 << 40)
SECONDS = st.integers(0, 10**9).map(lambda micros: round(micros / 10**6, 6))
SPAN = st.tuples(SECONDS, SECONDS)
STATES = st.sampled_from([one for one in State if one is not State.WITHDRAWN])


@st.composite
def hits(draw):
    """A match by distance, by evidence, or of a video."""
    fields = {
        "list": draw(TEXT), "source": draw(TEXT), "entry": draw(TEXT), "state": draw(STATES),
        "kind": draw(st.sampled_from(["pdq", "md5"])), "distance": None, "radius": None,
        "orientation": "rotate90", "region": draw(st.sampled_from(["full", "inset"])),
        "part": draw(COUNT), "part_kind": "frame", "time": draw(SECONDS),
        "category": tuple(draw(st.lists(st.builds(Category, TEXT, TEXT), max_size=2))),
        "uncorroborated": draw(st.booleans()),
        "box": draw(st.none() | st.tuples(COUNT, COUNT, COUNT, COUNT)),
    }  # fmt: skip
    if draw(st.booleans()):
        opinion = st.builds(Opinion, by=TEXT, state=STATES, reason=TEXT, time=SECONDS)
        fields["opinions"] = tuple(draw(st.lists(opinion, min_size=1, max_size=2)))
        fields["source_state"] = draw(STATES)
    way = draw(st.sampled_from(["distance", "evidence", "video"]))
    if way == "evidence":
        fields |= {
            "evidence": draw(SECONDS),
            "threshold": draw(COUNT),
            "shadow": draw(st.booleans()),
        }
        fields["view"] = draw(st.none() | TEXT)
    else:
        fields |= {"distance": draw(COUNT), "radius": draw(COUNT)}
    if way == "video":
        counts = [draw(st.integers(1, 1000)) for _ in range(4)]
        rule, spans = draw(st.sampled_from(Rule)), (draw(SPAN), draw(SPAN))
        fields["video"] = Agreement(rule, fields["distance"], *counts, *spans)
    return Match(**fields)


@st.composite
def results(draw):
    """A Result of any verdict, with every field at times."""
    verdict = draw(st.sampled_from(Verdict))
    is_unscreened = verdict is Verdict.UNSCREENED
    appearance = st.builds(
        Appearance, list=TEXT, source=TEXT, entry=TEXT, state=STATES, kind=TEXT,
        distance=st.none() | COUNT, frames=COUNT, part_kind=TEXT,
        spans=st.lists(SPAN, min_size=1, max_size=2).map(tuple),
    )  # fmt: skip
    media = st.builds(
        MediaFacts, type=st.none() | TEXT, width=COUNT, height=COUNT, frames=COUNT,
        duration=st.none() | SECONDS, samples=COUNT,
    )  # fmt: skip
    state = st.builds(ListState, TEXT, COUNT, TEXT, COUNT)
    return Result(
        input=draw(st.none() | TEXT), input_bytes=draw(st.none() | st.binary(max_size=8)),
        bytes=draw(st.none() | COUNT), mtime_ns=draw(st.none() | COUNT), verdict=verdict,
        reason=draw(st.sampled_from(Reason)) if is_unscreened else None,
        detail=draw(st.none() | TEXT), media=draw(st.none() | media),
        matches=tuple(draw(st.lists(hits(), min_size=1, max_size=3)))
        if verdict is Verdict.MATCH else (),
        other_hits=tuple(draw(st.lists(hits(), max_size=2))),
        lists=tuple(draw(st.lists(state, min_size=1, max_size=2))), policy=draw(TEXT),
        versions=(("screener", "0.1"), ("pixels", 1)),
        timeline=tuple(draw(st.lists(appearance, max_size=2))),
        seconds=draw(st.none() | SECONDS), archives=tuple(draw(st.lists(COUNT, max_size=2))),
        same=tuple(draw(st.lists(st.integers(1, 9), max_size=2))),
        members=draw(st.none() | st.builds(Members, COUNT, COUNT, COUNT)),
        extra=draw(st.none() | TEXT), effort=draw(st.sampled_from(["distance", "views"])),
    )  # fmt: skip


@given(results())
def test_a_line_becomes_the_result_that_it_was_made_of(result):
    """Field by field, and to the same line again."""
    line = result.to_json()

    assert read_result(line) == result
    assert read_result(line.encode()).to_json() == line


@given(results(), st.sampled_from(["\ud800", np.str_("a")]), st.sampled_from([np.float64(0.5), 2]))
def test_a_line_has_what_json_can_write(result, text, number):
    """Also half of a pair of surrogates, and subclasses of text and numbers."""
    odd = replace(result, input=text, detail=text, seconds=number)

    assert json.loads(odd.to_json()) == json.loads(json.dumps(odd.to_dict()))


@pytest.fixture
def line(make_list):
    """A result line of no match, as a dict."""
    known = make_list([{"id": "one", "md5": "00" * 16}])
    return Screener(known).match([]).to_dict() | {"verdict": "no_match", "reason": None}


def without(name):
    """A damage: a field is missing."""
    return lambda line: {key: value for key, value in line.items() if key != name}


DAMAGES = {
    "another schema": lambda line: line | {"schema": 2},
    "a match without matches": lambda line: line | {"verdict": "match"},
    "unscreened without a reason": lambda line: line | {"verdict": "unscreened"},
    "clear with a reason": lambda line: line | {"reason": "timeout"},
    "another verdict": lambda line: line | {"verdict": "clear"},
    "no list": lambda line: line | {"lists": []},
    "text for a number": lambda line: line | {"bytes": "1"},
    "a list": lambda line: [line],
    "null": lambda line: None,
    "a name that is not base64": lambda line: line | {"input_base64": "?"},
    "an error": lambda line: {"error": {"code": "busy", "message": ""}},
} | {f"no {name}": without(name) for name in ("schema", "verdict", "reason", "matches", "lists")}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_line_is_an_error(line, damage):
    """Never a Result."""
    read_result(json.dumps(line))

    with pytest.raises(ValueError, match=r"."):
        read_result(json.dumps(DAMAGES[damage](line)))


@pytest.mark.parametrize("text", ["", "{", "\xff", '{"a":' + "[" * 100_000])
def test_text_that_is_not_json_is_an_error(text):
    """However deep."""
    with pytest.raises(ValueError, match="not JSON"):
        read_result(text.encode("latin-1"))


def test_each_part_of_a_line_is_needed(line):
    """A line that was cut anywhere is an error."""
    text = json.dumps(line)
    for end in range(len(text)):
        with pytest.raises(ValueError, match=r"."):
            read_result(text[:end])


def test_fields_of_later_versions_are_ignored(line):
    """They change no verdict."""
    assert read_result(json.dumps(line | {"new": 1})) == read_result(json.dumps(line))
