"""`/v1/lists` and opinions of entries."""

import sqlite3
from contextlib import closing

import pytest
from served import error_of, serving
from service_lists import make_lists

from screener import HashList
from screener.service import Client

OPINION = {"entry": "one", "state": "disputed", "by": "ann", "reason": "a stock photo"}


def test_lists_are_shown_with_what_they_hold(server, shared_lists):
    """Names, generations, ages, kinds and counts; no path."""
    status, body = server.get("/v1/lists")

    known, more = (HashList.open(path) for path in shared_lists)
    assert status == 200
    assert [one["name"] for one in body["lists"]] == ["known", "more"]
    for shown, hash_list in zip(body["lists"], (known, more), strict=True):
        assert shown["generation"] == hash_list.generation
        assert shown["stamp"] == hash_list.stamp()
        assert shown["kinds"] == dict(hash_list.kinds)
        assert shown["states"] == {"confirmed": 1}
        assert 0 <= shown["age_s"] <= hash_list.age_s()
        assert (shown["mode"], shown["ratio"], shown["radius"]) == ("enforce", 1.0, {"pdq": 31})
    assert str(known.path.parent) not in str(body)


def test_lists_are_shown_with_their_settings(lists, tmp_path):
    """Those of the policy: its own for one list, and the general ones for the other."""
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'radius.pdq = 30\n[lists.known]\nmode = "shadow"\nratio = 0.25\nradius.pdq = 20\n'
    )
    with serving("--list", lists[0], "--list", lists[1], "--policy", policy) as server:
        _, body = server.get("/v1/lists")
        with Client(server.url) as client:
            infos = client.lists()

    expected = [("shadow", 0.25, {"pdq": 20}), ("enforce", 1.0, {"pdq": 30})]
    assert [(one["mode"], one["ratio"], one["radius"]) for one in body["lists"]] == expected
    assert [(one.mode, one.ratio, one.radius) for one in infos] == expected


@pytest.fixture(scope="module")
def changing(tmp_path_factory, files, values):
    """A server of lists that tests may change."""
    folder = tmp_path_factory.mktemp("changing")
    known, more = make_lists(folder, files, values)
    with serving("--list", known, "--list", more) as server:
        yield server


def test_an_opinion_is_visible_with_its_answer(changing, files, values):
    """The generation that it made decides the next upload and the next look-up."""
    hashes = {"hashes": [{"kind": "pdq", "value": values["other"]}]}
    assert changing.send("/v1/match", hashes)[1]["lists"][0]["generation"] == 1
    before = changing.post("/v1/screen", files["listed"])[1]

    status, body = changing.send("/v1/lists/known/opinions", OPINION)

    after = changing.post("/v1/screen", files["listed"])[1]
    assert (status, body) == (201, {"list": "known", "generation": 2})
    assert [one["state"] for one in before["matches"]] == ["confirmed"] * len(before["matches"])
    assert {one["state"] for one in after["matches"]} == {"disputed"}
    assert after["lists"][0]["generation"] == 2
    assert changing.send("/v1/match", hashes)[1]["lists"][0]["generation"] == 2


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        ("nope", {}, (404, "no_such_list")),
        ("known", {"entry": "nope"}, (404, "no_such_entry")),
        ("known", {"source": "nope"}, (404, "no_such_entry")),
        ("known", {"state": "seed"}, (409, "refused")),
        ("known", {"reason": ""}, (409, "refused")),
        ("known", {"by": "two\nlines"}, (409, "refused")),
        ("known", {"by": 3}, (400, "bad_request")),
        ("known", {"more": "x"}, (400, "bad_request")),
        ("known", {"reason": "x" * 70_000}, (413, "too_large")),
    ],
)
def test_wrong_opinions_are_refused(changing, path, change, expected):
    """With a code, and without a new generation."""
    before = changing.get("/v1/lists")[1]["lists"][0]["generation"]

    answer = changing.send(f"/v1/lists/{path}/opinions", OPINION | change)

    assert error_of(answer) == expected
    assert changing.get("/v1/lists")[1]["lists"][0]["generation"] == before


def test_a_refusal_shows_no_path(lists, tmp_path):
    """Such as that of a list that another process is changing, or that is gone."""
    with serving("--list", lists[0]) as server:
        with closing(sqlite3.connect(lists[0] / "records.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = server.send("/v1/lists/known/opinions", OPINION)
        lists[0].rename(tmp_path / "away")
        gone = server.send("/v1/lists/known/opinions", OPINION)
    assert [error_of(refused), error_of(gone)] == [(409, "refused"), (404, "no_such_entry")]
    for _, body in (refused, gone):
        assert "known.list" in body["error"]["message"]
        assert str(tmp_path) not in body["error"]["message"]
