"""Limits: what a client sends, and how slowly, harms no other."""

import contextlib
import json
import os
import re
import socket
import time

import pytest
from pool_accidents import until
from served import SECONDS, serving


@pytest.fixture(scope="module")
def limited(shared_lists):
    """A server with small limits."""
    limits = ("--max-body", 100_000, "--max-buffered", 300_000, "--connections", 40)
    times = ("--header-seconds", 1, "--body-seconds", 2)
    with serving("--list", shared_lists[0], *limits, *times) as server:
        yield server


def head(path="/v1/screen", *lines, method="POST"):
    """Return the header of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode(
        "latin-1"
    )


def answer(received):
    """Return the status of the only answer, and the code of its error."""
    start, _, body = received.partition(b"\r\n\r\n")
    assert received.count(b"HTTP/1.1 ") == 1, received[:1000]
    return int(start.split()[1]), json.loads(body)["error"]["code"] if body else None


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([head("/v1/screen", "Content-Length: 100001"), b"a"], (413, "too_large")),
        ([head("/v1/screen", "Content-Length: " + "9" * 30)], (400, "bad_request")),
        ([head("/v1/screen", "Content-Length: " + "9" * 18)], (413, "too_large")),
        ([head("/v1/screen", CHUNKED), *[b"2710\r\n" + b"a" * 10_000 + b"\r\n"] * 11],
         (413, "too_large")),
        ([head("/v1/screen", CHUNKED), b"ffffffffffffffff\r\n"], (408, "too_slow")),
        ([head("/v1/screen", CHUNKED), b"fffffffffffffffff\r\n"], (400, "bad_request")),
        ([head("/v1/screen", CHUNKED), b"xx\r\n"], (400, "bad_request")),
        ([head("/v1/screen", CHUNKED), b"0\r\n" + b"A: b\r\n" * 3], (400, "bad_request")),
        ([head("/v1/screen", CHUNKED, "Content-Length: 3"), b"abc"], (400, "bad_request")),
        ([head("/v1/screen", CHUNKED), b"1\r\na\r\n" * 100_001], (413, "too_large")),
        ([head("/v1/screen", CHUNKED), b"1;" + b"a" * 1_000_000], (408, "too_slow")),
        ([head("/v1/screen", CHUNKED), b"-1\r\na\r\n"], (400, "bad_request")),
        ([head("/v1/screen", CHUNKED), b"1\na\n0\n\n"], (400, "bad_request")),
        ([head("/v1/screen", CHUNKED, CHUNKED), b"1\r\na\r\n0\r\n\r\n"], (400, "bad_request")),
        ([head("/v1/screen", "Transfer-Encoding: gzip"), b"abc"], (400, "bad_request")),
        ([head("/v1/screen", "Content-Length: 5"), b"abc"], (408, "too_slow")),
        ([head("/v1/screen", "Content-Length: 1, 1"), b"a"], (400, "bad_request")),
        ([head("/v1/screen", "Content-Length: 1", "Content-Length: 2"), b"a"],
         (400, "bad_request")),
        ([head("/v1/screen", "Content-Length: -1")], (400, "bad_request")),
        ([head("/v1/screen", "Content-Length: +1"), b"a"], (400, "bad_request")),
        ([head("/v1/screen", "A: " + "b" * 70_000)], (431, "header_too_large")),
        ([head("/v1/screen", *["A: b"] * 200)], (431, "header_too_large")),
        ([b"POST /v1/screen HTTP/1.1\r\n", *[b"A: " + b"b" * 1000 + b"\r\n"] * 1000],
         (431, "header_too_large")),
        ([b"POST /v1/screen HTTP/1.1\r\nA: ", *[b"b" * 10_000] * 100], (431, "header_too_large")),
        ([b"GET /" + b"a" * 1_000_000], (431, "header_too_large")),
        ([b"\x16\x03\x01\x02\x00\x01\x00"], (400, "bad_request")),
        ([b"words\r\n\r\n"], (400, "bad_request")),
        ([b"GET /v1/lists HTTP/9.9\r\n\r\n"], (400, "bad_request")),
        ([head("/v1/screen", "A\0: b")], (400, "bad_request")),
        ([head("/v1/screen", "A : b")], (400, "bad_request")),
        ([head("/v1/screen", "A: b\r\n c")], (400, "bad_request")),
        ([b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"], (400, "bad_request")),
    ],
)  # fmt: skip
def test_a_malformed_or_endless_request_is_refused(limited, pieces, expected):
    """With 4xx, and the connection ends."""
    assert answer(limited.raw(*pieces)) == expected


def test_a_flood_of_malformed_requests_leaves_nothing(limited):
    """Neither open files, nor bodies in memory, nor requests under way, nor a line of its log."""
    requests = [
        [head("/v1/screen", "Content-Length: 100001"), b"a"],
        [head("/v1/screen", CHUNKED), b"2710\r\n" + b"a" * 10_000, b"xx"],
        [head("/v1/screen", "A: " + "b" * 70_000)],
        [head("/v1/lists/%2e%2e%2fknown/opinions", "Content-Length: 3"), b"abc"],
        [head("/v1/screen", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 5",
              "Connection: close"), b"--xab"],
        [head("/v1/match", "Content-Type: application/json", "Content-Length: 90000",
              "Connection: close"), b"[" * 90_000],
    ]  # fmt: skip
    before, messages = count_open(limited), limited.messages
    for number in range(120):
        status, _ = answer(limited.raw(*requests[number % len(requests)]))
        assert 400 <= status < 500

    until(lambda: count_open(limited) <= before)
    until(lambda: buffered(limited) == 0)
    until(lambda: under_way(limited) == 1)
    assert limited.messages == messages


def count_open(server):
    """Return how many descriptors the server's process has."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def refusals(server):
    """Return how many requests were refused, by code."""
    text = server.client.get("/metrics").text
    rows = re.findall(r'^screener_refusals_total\{code="(\w+)"\} (\S+)$', text, re.M)
    return {code: float(count) for code, count in rows}


def test_refusals_are_logged_and_counted_by_reason(limited):
    """Once each: of the application, of a connection, and of a request that is under way."""
    requests = [
        (head("/v1/screen", "Content-Length: 100001"), 413, "too_large", "/v1/screen"),
        (head("/v1/screen", CHUNKED) + b"xx\r\n", 400, "bad_request", "/v1/screen"),
        (head("/v1/screen", "Content-Length: 9") + b"a", 408, "too_slow", "/v1/screen"),
        (b"words\r\n\r\n", 400, "bad_request", "other"),
        (b"POST /v1/screen HTTP/1.1\r\n", 408, "too_slow", "other"),
        (head("/v1/screen", "A: " + "b" * 70_000), 431, "header_too_large", "other"),
        (head("/nope", "Connection: close"), 404, "not_found", "other"),
    ]
    before, lines = refusals(limited), len(limited.log)
    for request, *_ in requests:
        limited.raw(request)

    def find():
        return [line for line in limited.log[lines:] if line["route"] != "/metrics"]

    until(lambda: len(find()) >= len(requests))  # a line comes after its answer
    found = find()
    assert [(line["status"], line["code"], line["route"]) for line in found] == [
        (status, code, route) for _, status, code, route in requests
    ]
    assert not any("words" in str(line) for line in found)
    added = {code: count - before.get(code, 0) for code, count in refusals(limited).items()}
    assert {code: count for code, count in added.items() if count} == {
        "too_large": 1, "bad_request": 2, "too_slow": 2, "header_too_large": 1, "not_found": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/v1/../v1/lists", "/v1/%2e%2e/metrics", "//v1/lists", "/v1/lists/",
     "/v1/screen%00", "/v1/lists/%2e%2e%2fknown/opinions", "/V1/lists", "/v1/lists/a/b/opinions",
     "/%ff%fe", "/v1/lists;a=b", "*", "/v1/lists/../../x", "/\xff"],
)  # fmt: skip
def test_tricks_with_paths_find_nothing(limited, path):
    """They are 404 or 400, and the log has no path."""
    status, _ = answer(limited.raw(head(path, "Connection: close", method="GET")))

    assert status in (400, 404, 405)
    assert path not in str(limited.log)


def test_a_header_that_does_not_come_in_time_ends_the_connection(limited):
    """Nothing, line breaks alone, a part of a header, byte after byte."""
    begin = time.monotonic()
    assert limited.raw() == b""
    assert answer(limited.raw(b"POST /v1/screen HTTP/1.1\r\n")) == (408, "too_slow")
    assert time.monotonic() - begin < SECONDS / 2

    drops = [b"A%d: b\r\n" % number for number in range(1000)]
    slowly = limited.raw(b"POST /v1/screen HTTP/1.1\r\n", *drops, between=0.05)
    assert answer(slowly) == (408, "too_slow")


def test_slow_bodies_occupy_no_worker(limited, files):
    """Thirty of them wait; an upload is screened meanwhile by the only worker; all then end."""
    slow = head("/v1/screen", "Content-Length: 1000") + b"a"
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(socket.create_connection(("127.0.0.1", limited.port), SECONDS))
            for _ in range(30)
        ]
        for stream in streams:
            stream.sendall(slow)
        assert limited.post("/v1/screen", files["broken"])[1]["verdict"] == "unscreened"
        assert limited.post("/v1/hook", files["broken"])[0] == 422
        for stream in streams:
            received = b""
            while chunk := stream.recv(1 << 16):
                received += chunk
            assert answer(received) == (408, "too_slow")


def test_the_rest_of_a_body_that_has_its_answer_gets_no_other(limited):
    """The connection ends."""
    answers = limited.raw(head("/v1/health/live", "Content-Length: 9", method="GET") + b"a")

    assert answers.count(b"HTTP/1.1 200 ") == answers.count(b"HTTP/1.1 ") == 1


def test_bodies_over_the_memory_for_all_are_refused(limited):
    """503, which says try again; the memory is free when their senders have gone."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stream = stack.enter_context(socket.create_connection(("127.0.0.1", limited.port)))
            stream.sendall(head("/v1/screen", "Content-Length: 100000") + b"a" * 99_000)
        until(lambda: buffered(limited) == 3 * 99_000)
        received = limited.raw(head("/v1/screen", "Content-Length: 9000"), b"a" * 9000)
        assert answer(received) == (503, "busy")
        assert b"\r\nretry-after: 1\r\n" in received.lower()
        assert refusals(limited)["busy"] >= 1
        until(lambda: (503, "busy") in [(one["status"], one.get("code")) for one in limited.log])
    until(lambda: buffered(limited) == 0)


def buffered(server):
    """Return how many bytes of bodies the server has."""
    text = server.client.get("/metrics").text
    return float(text.partition("\nscreener_buffered_bytes ")[2].split("\n")[0])


def test_connections_over_the_limit_are_refused(limited):
    """With 503; those that there are go on, and health checks are answered."""
    assert limited.get("/v1/health/live")[0] == 200

    def count_refused():
        with contextlib.ExitStack() as stack:
            place = ("127.0.0.1", limited.port)
            streams = [socket.create_connection(place, SECONDS) for _ in range(60)]
            for stream in streams:
                stack.enter_context(stream)
            for stream in streams:
                stream.sendall(head("/v1/lists", method="GET"))
            answers = [stream.recv(100)[:13] for stream in streams]
            assert set(answers) <= {b"HTTP/1.1 200 ", b"HTTP/1.1 503 "}
            assert limited.raw(head("/v1/health/ready", method="GET"))[:13] == b"HTTP/1.1 200 "
            return answers.count(b"HTTP/1.1 503 ")

    until(lambda: count_refused() >= 20)  # others end in a second, on a slow machine meanwhile
    assert limited.get("/v1/health/live")[0] == 200


def test_pipelined_requests_are_answered_in_order_or_refused(limited):
    """A few are; a thousand at once end the connection."""
    one = head("/v1/health/live", method="GET")
    last = head("/v1/lists", "Connection: close", method="GET")

    few = limited.raw(one * 5 + last)
    assert few.count(b"HTTP/1.1 200 ") == 6
    assert few.count(b'{"status":"alive"}') == 5
    many = limited.raw(one * 1000)
    assert many.count(b"HTTP/1.1 200 ") < 100


def receive(stream, end):
    """Return what a server sends up to these bytes."""
    received = b""
    while not received.endswith(end):
        chunk = stream.recv(1 << 16)
        assert chunk, received
        received += chunk
    return received


def test_heads_of_answers_do_not_wait_for_a_body_that_never_comes(limited, values):
    """To HEAD, which has none, and to a client that sends its body only if it is asked to."""
    body = json.dumps({"hashes": [{"kind": "pdq", "value": values["listed"]}]}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", limited.port), SECONDS) as stream:
        for _ in range(2):  # the connection stays open
            stream.sendall(head("/v1/health/live", method="HEAD"))
            assert b"content-length: 18\r\n" in receive(stream, b"\r\n\r\n")
            stream.sendall(head("/v1/match", *lines, "Expect: 100-continue"))
            assert receive(stream, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            stream.sendall(body)
            assert receive(stream, b"}").startswith(b"HTTP/1.1 200 ")


def test_a_client_that_reads_no_answer_is_cut_off(limited, values):
    """Its connection ends in time."""
    item = {"hashes": [{"kind": "pdq", "value": values["listed"]}]}
    body = json.dumps({"items": [item] * 900}).encode()
    request = head("/v1/match", "Content-Type: application/json", f"Content-Length: {len(body)}")
    with socket.socket() as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.connect(("127.0.0.1", limited.port))
        for _ in range(15):
            stream.sendall(request + body)
        until(lambda: under_way(limited) >= 2)  # the scrape is one itself
        until(lambda: under_way(limited) == 1)


def under_way(server):
    """Return how many requests have no answer."""
    text = server.client.get("/metrics").text
    return float(text.partition("\nscreener_requests_under_way ")[2].split("\n")[0])
