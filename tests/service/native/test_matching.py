"""`/v1/match`: hashes in, Results out."""

import json
import random
import threading

import numpy as np
import pytest
from served import error_of

from screener import Hash, HashList, Screener
from screener.hashing import pdq
from screener.service.native.matching import MAX_HASHES

JSON = {"Content-Type": "application/json"}


def item(kind, value, quality=None):
    """Return an item of one hash."""
    return {"hashes": [{"kind": kind, "value": value, "quality": quality}]}


def match_here(paths, *items):
    """Return the result lines of this process, with ages of 0."""
    screener = Screener([HashList.open(path) for path in paths])
    results = screener.match_many(
        [
            [Hash.parse(one["kind"], one["value"], quality=one.get("quality")) for one in some]
            for some in (one["hashes"] for one in items)
        ],
        inputs=[one.get("input") for one in items],
    )
    return [ageless(result.to_dict()) for result in results]


def ageless(line):
    """Return a result line with lists of age 0."""
    return line | {"lists": [one | {"age_s": 0} for one in line["lists"]]}


def test_one_item_has_the_result_of_a_screener(server, shared_lists, values):
    """A match, no match, a hash of low quality, a digest, none, with and without a name."""
    items = [
        item("pdq", values["listed"], 100),
        item("pdq", values["other"], 100) | {"input": 'an "upload"\n\u2028é'},
        item("pdq", values["other"], 100),
        item("pdq", values["listed"], 3),
        item("sha256", "ab" * 32),
        {"hashes": []},
    ]
    expected = match_here(shared_lists, *items)

    answers = [server.send("/v1/match", one) for one in items]

    assert [status for status, _ in answers] == [200] * len(items)
    assert [ageless(line) for _, line in answers] == expected
    assert {line["verdict"] for _, line in answers} == {"match", "no_match", "unscreened"}


def test_a_hash_alone_finds_a_turned_picture(server, values):
    """The match names the orientation, and says that the code was derived."""
    code = np.frombuffer(bytes.fromhex(values["listed"]), np.uint8).reshape(1, -1)
    mirrored = pdq.derive_orientations(code)[0, pdq.ORIENTATIONS.index("flip_horizontal")]

    _, line = server.send("/v1/match", item("pdq", mirrored.tobytes().hex(), 100))

    (first, *_) = line["matches"]
    assert (first["orientation"], first["derived"]) == ("flip_horizontal", True)
    assert first["distance"] == 0


@pytest.mark.parametrize("count", [2, 300])
def test_several_items_have_results_in_their_order(server, shared_lists, values, count):
    """Few in the event loop, many in a thread, alike."""
    names = [*values] * count
    items = [item("pdq", values[name], 100) | {"input": name} for name in names[:count]]

    status, body = server.send("/v1/match", {"items": items})

    assert status == 200
    assert [ageless(line) for line in body["results"]] == match_here(shared_lists, *items)


def test_requests_at_once_have_their_own_results(server, values):
    """Although they share searches; some name lists."""
    drawn, wrong = random.Random(1), []
    verdicts = {"listed": "match", "second": "match", "other": "no_match"}
    choices = [(name, lists) for name in values for lists in ((), ("known",), ("more",))]

    def call(name, lists):
        params = {"list": lists} if lists else {}
        _, line = server.send("/v1/match", item("pdq", values[name], 100), params=params)
        holder = {"listed": "known", "second": "more"}.get(name)
        expected = "no_match" if lists and holder not in lists else verdicts[name]
        if line["verdict"] != expected:
            wrong.append((name, lists, line["verdict"]))

    def run():
        for _ in range(40):
            call(*drawn.choice(choices))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "bad_json")),
        (b"{", (400, "bad_json")),
        (b"\xff", (400, "bad_json")),
        (b"[" * 100_000, (400, "bad_request")),
        (b"[]", (400, "bad_request")),
        (b"{}", (400, "bad_request")),
        (b'{"hashes":[{"kind":"pdq"}]}', (400, "bad_request")),
        (b'{"hashes":[],"more":1}', (400, "bad_request")),
        (b'{"items":[]}', (400, "bad_request")),
        (b'{"hashes":[{"kind":"pdq","value":"00","quality":101}]}', (400, "bad_request")),
        (b'{"hashes":[{"kind":"pdq","value":"00"}]}', (400, "bad_hash")),
        (b'{"hashes":[{"kind":"no","value":"00"}]}', (400, "bad_hash")),
    ],
)
def test_malformed_requests_are_refused(server, body, expected):
    """With 400, never as no match."""
    assert error_of(server.post("/v1/match", body, headers=JSON)) == expected


def test_too_many_hashes_are_refused_with_what_to_do(server):
    """In one item, over all items, and in a video's hash; as many as allowed are matched."""
    md5 = {"kind": "md5", "value": "0123456789abcdef" * 2}
    frame = "0123456789abcdef" * 4 + ",100,1.0"
    video = {"kind": "vpdq", "value": json.dumps([frame] * (MAX_HASHES // 2 + 1))}
    third = {"hashes": [md5] * (MAX_HASHES // 3)}
    bodies = [
        {"hashes": [md5] * (MAX_HASHES + 1)},
        {"items": [third, third, third, {"hashes": [md5] * 2}]},
        {"items": [{"hashes": [video]}, {"hashes": [video]}]},
    ]
    for body in bodies:
        answer = server.send("/v1/match", body)
        assert error_of(answer) == (413, "too_many_hashes")
        assert "in several requests" in answer[1]["error"]["message"]
    assert server.send("/v1/match", {"items": [third, third, third]})[0] == 200


def test_other_types_of_content_are_refused(server, values):
    """A web page could send them from a browser on the same machine."""
    body = b'{"hashes":[]}'
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "", "multipart/x"):
        answer = server.post("/v1/match", body, headers={"Content-Type": content_type})
        assert error_of(answer) == (415, "not_json")


def test_a_value_is_in_no_error(server):
    """A bad hash may be a listed one with a slip."""
    value = "0123456789abcdef" * 4
    for kind, text in (("pdq", value + "0"), (value, "00"), ("pdq", value[:-1] + "g")):
        _, body = server.send("/v1/match", item(kind, text))
        assert value[:12] not in str(body)
