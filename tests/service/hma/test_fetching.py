"""URLs of clients: only public addresses are reached, in bounded time and memory."""

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from hma_service import hma_client

from screener.service.hma import fetching
from screener.service.hma.answers import HmaError
from screener.service.hma.fetching import Fetcher, is_public, parse_url

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
    "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2002:a00:1::", "2001:db8::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "nonsense",
]  # fmt: skip
PUBLIC = [
    "93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address):
    """Also within an IPv6 address."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address):
    """Else nothing could be fetched."""
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "", "a.jpg", "ftp://example.org/a", "file:///etc/passwd", "http://", "http:///a", "//a/b",
        "http://user@example.org/", "http://example.org:port/", "http://example.org:99999/",
        "http://example.org/a b", "http://example.org/\r\nX: y", "http://éxample.org/", "http://[::1",
        "gopher://127.0.0.1/", "HTTP//x",
    ],
)  # fmt: skip
def test_other_urls_are_refused(url):
    """What is not a plain URL of HTTP might mean something else to what reads it later."""
    with pytest.raises(HmaError, match="Invalid or unsafe URL"):
        parse_url(url)


@contextmanager
def web(*answers):
    """Yield the port of a server that gives one connection each of these answers, and what it got.

    An answer is bytes, or a function that writes to the connection.
    """
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    received.append(connection.recv(1 << 16))
                    with suppress(OSError):
                        answer(connection) if callable(answer) else connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], received
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(60)


def fetch(url, max_bytes=1 << 20):
    """Fetch a URL."""
    fetcher = Fetcher(max_bytes)
    try:
        return asyncio.run(fetcher.fetch(url))
    finally:
        fetcher.close()


def answer_of(body, *headers, status="200 OK"):
    """Return an answer of HTTP."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def near(monkeypatch):
    """Take 127.0.0.1 for a public address, and no other of this machine."""
    real = fetching.is_public
    monkeypatch.setattr(fetching, "is_public", lambda one: one == "127.0.0.1" or real(one))


def test_a_file_is_fetched_with_its_type(near):
    """After redirects too, relative ones included."""
    moved = answer_of(b"", "Location: /b?c=d", status="302 Found")
    with web(moved, answer_of(b"content", "Content-Type: image/png; q=1")) as (port, received):
        fetched = fetch(f"http://127.0.0.1:{port}/a")

    assert (fetched.content, fetched.media_type) == (b"content", "image/png")
    assert received[1].startswith(b"GET /b?c=d HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{port}".encode() in received[1]


def test_nothing_private_is_asked():
    """The server sees no connection, by address or by name."""
    with web(answer_of(b"secret")) as (port, received):
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"):
            with pytest.raises(HmaError):
                fetch(f"http://{host}:{port}/")
    assert received == []


def test_no_redirect_leads_into_a_private_network(near):
    """Here from the only address that counts as public to another of this machine."""
    with web(answer_of(b"secret")) as (inner, asked):
        target = f"Location: http://127.0.0.2:{inner}/"
        moved = answer_of(b"", target, status="307 Moved")
        with web(moved) as (port, received), pytest.raises(HmaError, match="unsafe"):
            fetch(f"http://127.0.0.1:{port}/")
        assert len(received) == 1
    assert asked == []


def test_a_name_is_resolved_once(monkeypatch, near):
    """What was checked is what is connected to: a second answer of the DNS has no effect."""
    asked = []
    real = socket.getaddrinfo

    def resolve(host, port, *arguments, **settings):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return real(address, port, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with web(answer_of(b"content")) as (port, _):
        assert fetch(f"http://rebinding.example:{port}/").content == b"content"
    assert asked == ["rebinding.example"]


def test_a_name_with_any_private_address_is_refused(monkeypatch):
    """Which one would be connected to is the other side's choice."""
    found = [(socket.AF_INET, 1, 6, "", (one, 80)) for one in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(HmaError, match="unsafe"):
        fetch("http://two.example/")


def endless(connection):
    """Send without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(1 << 16))


def silent(connection):
    """Send a byte of a header, and wait for the other side to leave."""
    connection.sendall(b"H")
    connection.recv(1)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (answer_of(bytes(101)), 413, "too large"),
        (endless, 413, "too large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this", 400, "part|reached"),
        (answer_of(b"", status="404 Not Found"), 400, "answers 404"),
        (b"no HTTP\r\n\r\n", 400, "cannot be reached"),
        (b"", 400, "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", 400, "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\nX: " + bytes(100_000), 400, "cannot be reached"),
    ],
)
def test_bad_answers_are_errors(near, answer, status, words):
    """Of the client's request, with no word of the URL."""
    with web(answer) as (port, _), pytest.raises(HmaError, match=words) as raised:
        fetch(f"http://127.0.0.1:{port}/private-name", max_bytes=100)
    assert raised.value.status == status
    assert "private-name" not in raised.value.message


def test_redirects_end(near):
    """After five."""
    again = answer_of(b"", "Location: /", status="301 Moved")
    with web(*[again] * 9) as (port, received):
        with pytest.raises(HmaError, match="too many redirects"):
            fetch(f"http://127.0.0.1:{port}/")
        assert len(received) == 6


def test_a_silent_server_ends_with_the_time(near, monkeypatch):
    """And its thread with it: the server sees the connection close."""
    monkeypatch.setattr(fetching, "_SECONDS", 0.2)
    with web(silent) as (port, _), pytest.raises(HmaError, match="too long"):
        fetch(f"http://127.0.0.1:{port}/")


def test_a_server_that_never_finishes_tls_ends_with_the_time(near, monkeypatch):
    """However long a step may take."""
    monkeypatch.setattr(fetching, "_SECONDS", 0.2)
    monkeypatch.setattr(fetching, "_STEP_SECONDS", 3600)
    ended = threading.Event()

    def mute(connection):
        connection.recv(1)
        ended.set()

    with web(mute) as (port, _):
        with pytest.raises(HmaError, match="too long"):
            fetch(f"https://127.0.0.1:{port}/")
        assert ended.wait(30)


def test_a_fetch_that_was_given_up_tries_no_further_address(near, monkeypatch):
    """Its thread is free for others."""
    monkeypatch.setattr(fetching, "_SECONDS", 0.2)
    tried, given_up = [], threading.Event()

    class Unreachable(socket.socket):
        def connect(self, address):
            tried.append(address)
            given_up.wait(60)
            raise OSError("no route")

    found = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port)) for port in (1, 2, 3)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "socket", Unreachable)
    fetcher = Fetcher(100)
    with pytest.raises(HmaError, match="too long"):
        asyncio.run(fetcher.fetch("http://three.example/"))
    given_up.set()
    fetcher._threads.shutdown(wait=True)
    assert len(tried) == 1


def test_a_stop_ends_fetches_under_way(near, monkeypatch):
    """The process does not wait for other servers."""
    monkeypatch.setattr(fetching, "_STEP_SECONDS", 3600)
    monkeypatch.setattr(fetching, "_SECONDS", 3600)
    fetcher, begun = Fetcher(100), threading.Event()

    def mute(connection):
        begun.set()
        connection.recv(1)

    async def stop_meanwhile(port):
        task = asyncio.ensure_future(fetcher.fetch(f"http://127.0.0.1:{port}/"))
        await asyncio.to_thread(begun.wait, 60)
        fetcher.close()
        await task

    with web(mute) as (port, _), pytest.raises(HmaError, match="cannot be reached"):
        asyncio.run(stop_meanwhile(port))


def test_urls_are_refused_unless_allowed(known, state):
    """Whatever they are."""
    with hma_client(state, known) as client:
        query = {"url": "http://example.org/a.jpg"}
        answers = [
            client.get("/h/hash", params=query),
            client.get("/m/lookup", params=query),
            client.post("/c/bank/KNOWN/content", params=query),
        ]
    assert [one.status_code for one in answers] == [403] * 3


def test_addresses_of_this_machine_are_refused_if_allowed(known, state):
    """The option allows public ones only."""
    with hma_client(state, known, hma_fetch=True) as client, web(b"") as (port, received):
        for path in ("/h/hash", "/m/lookup"):
            answer = client.get(path, params={"url": f"http://127.0.0.1:{port}/a.jpg"})
            assert (answer.status_code, "unsafe" in answer.text) == (400, True)
    assert received == []


def test_an_allowed_host_may_be_private(known, state, pictures, pdqs):
    """It alone: not another name of its address, nor what it redirects to."""
    files = answer_of(pictures[0], "Content-Type: image/png")
    moved = answer_of(b"", "Location: http://127.0.0.1:1/", status="302 Found")
    with (
        hma_client(state, known, hma_fetch_allow=("Localhost",)) as client,
        web(files, moved) as (port, received),
    ):

        def ask(host):
            return client.get("/h/hash", params={"url": f"http://{host}:{port}/a"})

        assert ask("localhost").json() == {"pdq": pdqs[0]}
        for host in ("localhost", "127.0.0.1", "[::1]"):
            assert (ask(host).status_code, "unsafe" in ask("127.0.0.1").text) == (400, True)
    assert len(received) == 2
