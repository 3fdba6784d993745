"""The client: Results of a service, and nothing in their place."""

import asyncio
import io
import json
import os
import re
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from misbehaving_server import cut, drips, hangs_up, misbehaving, says, silent
from paths import REPOSITORY
from PIL import Image
from pool_accidents import until
from served import serving

from screener import Hash, HashCache, HashList, Pool, Screener, Verdict
from screener.errors import (
    BadAnswer,
    HashError,
    ListError,
    MediaError,
    PoolClosed,
    Refused,
    RemoteError,
    ServiceError,
    Unavailable,
)
from screener.scanning.rescan import rescan
from screener.screening.result import ListState
from screener.service import AsyncClient, Client, protocol
from screener.service.keys import Role, add_key

VERDICTS = {"listed": "match", "second": "match", "other": "no_match", "broken": "unscreened"}


class Sync:
    """An AsyncClient, called like a Client."""

    def __init__(self, *arguments, **settings):
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(*arguments, **settings)

    def __getattr__(self, name):
        call = getattr(self._client, name)
        return lambda *items, **settings: self._loop.run_until_complete(call(*items, **settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@pytest.fixture(params=[Client, Sync], ids=["Client", "AsyncClient"])
def make(request, monkeypatch):
    """Either class, with short pauses."""
    monkeypatch.setattr(protocol, "_FIRST_PAUSE_SECONDS", 0.001)
    return request.param


@pytest.fixture(scope="session")
def pool(shared_lists):
    """A Pool of the lists of the shared server."""
    with Pool(Screener([HashList.open(path) for path in shared_lists]), jobs=1) as pool:
        yield pool


def timeless(result):
    """A Result without its seconds, the ages of lists, and the order of versions."""
    lists = tuple(replace(one, age_s=0) for one in result.lists)
    assert all(isinstance(one, ListState) for one in lists)
    return replace(result, seconds=None, lists=lists)


class Trickle:
    """A file object of another library, that can only be read."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, size):
        """Return some bytes."""
        return self._file.read(min(size, 1000))


FORMS = {
    "bytes": lambda data, path: data,
    "bytearray": lambda data, path: bytearray(data),
    "memoryview": lambda data, path: memoryview(data),
    "path": lambda data, path: path,
    "text": lambda data, path: str(path),
    "file object": lambda data, path: io.BytesIO(data),
    "file": lambda data, path: path.open("rb"),
    "stream": lambda data, path: Trickle(data),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_item_has_the_result_of_a_pool(make, server, pool, files, tmp_path, form):
    """Whatever form it has, with name, size and time."""
    with make(server.url) as client:
        for name, verdict in VERDICTS.items():
            path = tmp_path / name
            path.write_bytes(files[name])
            here, there = (FORMS[form](files[name], path) for _ in range(2))
            with ExitStack() as stack:
                for item in (here, there):
                    if isinstance(item, io.IOBase):
                        stack.enter_context(item)
                result, expected = client.screen(there), timeless(pool.screen(here))

            assert result.verdict == verdict
            if expected.bytes is None:  # of a file object, whose size a Pool does not state
                expected = replace(expected, bytes=len(files[name]))
            assert timeless(result) == expected


def test_names_and_lists_are_those_of_a_pool(make, server, pool, files):
    """A name is in the Result, even if it is not UTF-8; one list decides alone."""
    with make(server.url) as client:
        for settings in ({"name": "one"}, {"name": os.fsdecode(b"\xff")}, {"lists": ["more"]},
                         {"lists": ("known", "more"), "name": ""}):  # fmt: skip
            result = client.screen(files["listed"], **settings)
            assert timeless(result) == timeless(pool.screen(files["listed"], **settings))


def test_an_id_names_the_result(make, server, files, tmp_path):
    """Of a file too, whose time stays; the service has it in the query."""
    path = tmp_path / "file"
    path.write_bytes(files["listed"])
    with make(server.url) as client:
        result = client.screen(path, id="post-81/2", lists=["known"])
    assert (result.input, result.verdict) == ("post-81/2", Verdict.MATCH)
    assert result.mtime_ns == path.stat().st_mtime_ns


@pytest.mark.parametrize(
    "settings", [{"id": "a b"}, {"id": ""}, {"id": "x" * 201}, {"id": 7}, {"id": "a", "name": "b"}]
)
def test_a_malformed_id_is_refused_here(make, server, settings):
    """And one beside a name, which would hide it."""
    with make(server.url) as client, pytest.raises(ServiceError, match="id"):
        client.screen(b"words", **settings)


def test_the_answer_to_another_id_is_no_result(make, clear):
    """It would clear the wrong upload."""
    answers = [says(200, changed(clear, input="other")), says(200, changed(clear, input=None))]
    for answer in answers:
        with (
            misbehaving(answer) as server,
            make(server.url) as client,
            pytest.raises(BadAnswer, match="another upload"),
        ):
            client.screen(b"words", id="one")
        assert server.requests[0][0] == "POST /v1/screen?id=one HTTP/1.1"


def test_ids_of_a_service_that_stores_hashes_stay(make, shared_lists, files, tmp_path):
    """Later reports have them; a name that the caller chose stays too."""
    path = tmp_path / "file"
    path.write_bytes(files["other"])
    options = ("--keep-hashes", 1, "--state", tmp_path / "state")
    matches = ("--matches-file", tmp_path / "matches")
    with serving("--list", shared_lists[0], *options, *matches) as server:
        with make(server.url) as client:
            given = client.screen(path, id="mine")
            drawn = [client.screen(item) for item in (path, files["other"])]
            named = client.screen(path, name="name")
        until(lambda: "screener_stored_uploads_total 4.0" in server.client.get("/metrics").text)
    with HashCache.open(tmp_path / "state" / "hashes.cache") as cache:
        screener = Screener(HashList.open(shared_lists[0]))
        stored = {result.input for result in rescan(screener, cache, every=True, as_stored=True)}
    assert (given.input, named.input) == ("mine", "name")
    assert {given.input, *(result.input for result in drawn)} < stored
    assert drawn[0].mtime_ns == path.stat().st_mtime_ns


def test_a_file_object_is_sent_from_its_position_on(make, server, files):
    """As a Pool reads it, and it stays open."""
    file = io.BytesIO(b"before" + files["listed"])
    file.seek(6)
    with make(server.url) as client:
        assert client.screen(file).verdict is Verdict.MATCH
    assert not file.closed


@pytest.mark.parametrize("name", ["listed", "other"])
def test_hashes_have_the_result_of_a_screener(make, server, pool, values, name):
    """With the name, and by one list too."""
    hashes = [Hash.parse("pdq", values[name], quality=100), Hash.parse("md5", "00" * 16)]
    with make(server.url) as client:
        for settings in ({}, {"input": "one"}):
            result = client.match(hashes, **settings)
            assert timeless(result) == timeless(pool.screener.match(hashes, **settings))
        result = client.match(iter(hashes), lists=["more"])
        assert timeless(result) == timeless(pool.screener.select(["more"]).match(hashes))


def test_lists_and_readiness(make, server, pool):
    """Those of the service."""
    with make(server.url) as client:
        lists = client.lists()
        assert client.ready() is True
    assert [(one.name, one.generation, one.stamp) for one in lists] == [
        (one.name, one.generation, one.stamp()) for one in pool.screener.lists
    ]
    assert [one.kinds for one in lists] == [dict(one.kinds) for one in pool.screener.lists]


def test_threads_and_tasks_have_their_own_results(server, files):
    """Each call the one of its file."""
    names = [*VERDICTS] * 6
    with Client(server.url) as client, ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda name: client.screen(files[name]), names))
    assert [result.verdict for result in results] == [VERDICTS[name] for name in names]

    async def screen_all():
        async with AsyncClient(server.url) as client:
            return await asyncio.gather(*(client.screen(files[name]) for name in names))

    assert [one.verdict for one in asyncio.run(screen_all())] == [VERDICTS[one] for one in names]


def test_what_a_client_cannot_send_is_refused_here(make, server, tmp_path):
    """Pixels, other types, unreadable files and names: no request is made of them."""
    with make(server.url) as client:
        for item in (np.zeros((9, 9), np.uint8), Image.new("L", (9, 9)), 7, None, [b"one"]):
            with pytest.raises(TypeError):
                client.screen(item)
        for item in (tmp_path / "missing", tmp_path, "a\0b", io.StringIO("text")):
            with pytest.raises(MediaError, match="unreadable"):
                client.screen(item)
        for lists in ([], "", "known", [""], [1]):
            with pytest.raises(ListError):
                client.screen(b"", lists=lists)
        for hashes in ("00", [b"00"], None, Hash.parse("md5", "00" * 16)):
            with pytest.raises(HashError):
                client.match(hashes)
        with pytest.raises(HashError):
            client.screen(b"", name=7)


def test_a_request_that_the_service_refuses(make, server):
    """An unknown list, a file over the limit: no Result, and no second attempt."""
    with make(server.url) as client:
        with pytest.raises(Refused, match="404") as caught:
            client.screen(b"one", lists=["nope"])
        assert (caught.value.status, caught.value.code) == (404, "no_such_list")
        with pytest.raises((Refused, Unavailable)):  # if the connection ends before it is read
            client.screen(bytes(2 << 20))


def test_keys_and_tls(make, shared_lists, files, tmp_path):
    """A key and a certificate let a call through; without them there is no Result."""
    cert, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", secret, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    key = add_key(tmp_path / "keys", "uploads", [Role.SCREEN])
    call = ("--list", shared_lists[0], "--keys", tmp_path / "keys")
    tls = ssl.create_default_context(cafile=cert)
    with serving(*call, "--tls-cert", cert, "--tls-key", secret) as server:
        with make(server.url, key=key, tls=tls) as client:
            assert client.screen(files["listed"]).verdict is Verdict.MATCH
            with pytest.raises(Refused, match="403"):
                client.match([])
        with make(server.url, tls=tls) as client, pytest.raises(Refused, match="401"):
            client.screen(files["listed"])
        with make(server.url, key=key, attempts=1) as client, pytest.raises(Unavailable):
            client.screen(files["listed"])
        assert key not in repr(client)


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("127.0.0.1:8000", {}), ("ftp://host", {}), ("http://", {}), ("", {}), (None, {}),
        ("http://name:word@host", {}), ("http://host", {"key": "a\nb"}),
        ("http://host", {"key": "ключ"}), ("http://host", {"key": ""}),
        ("http://host", {"timeout": 0}), ("http://host", {"timeout": float("nan")}),
        ("http://host", {"attempts": 0}), ("http://host", {"attempts": "2"}),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(url, settings):
    """By a message that quotes no key."""
    with pytest.raises(ServiceError) as caught:
        Client(url, **settings)
    assert "word" not in str(caught.value)
    assert not settings.get("key") or settings["key"] not in str(caught.value)


@pytest.fixture(scope="session")
def clear(pool):
    """The answer that says that five bytes match nothing, as JSON."""
    result = replace(pool.screener.match([]), verdict=Verdict.NO_MATCH, reason=None, detail=None)
    return replace(result, bytes=5).to_json().encode()


BUSY = json.dumps({"error": {"code": "busy", "message": "the queue is full"}}).encode()
NAPS = says(503, BUSY, retry_after="0")


@pytest.mark.parametrize(
    "first", [[NAPS], [NAPS, NAPS], [says(429)], [hangs_up], [cut(b"{" * 99, 9)]],
    ids=["503", "503 twice", "429", "hang up", "cut"],
)  # fmt: skip
def test_a_busy_or_broken_service_is_asked_again(make, clear, first):
    """With all bytes of the item, until it answers."""
    with misbehaving(*first, says(200, clear)) as server, make(server.url) as client:
        for item in (b"words", io.BytesIO(b"words")):
            del server.requests[:]
            assert client.screen(item).verdict is Verdict.NO_MATCH
            assert {body for _, _, body in server.requests} == {b"words"}
            first = []


def test_a_verdict_is_asked_for_once(make, server, files, clear):
    """Whatever it is."""
    with misbehaving(says(200, clear)) as fake, make(fake.url) as client:
        client.screen(b"words")
        assert len(fake.requests) == 1
    before = len(server.log)
    with make(server.url) as client:
        assert client.screen(files["broken"]).verdict is Verdict.UNSCREENED
    assert len([line for line in server.log[before:] if line["route"] == "/v1/screen"]) == 1


@pytest.mark.parametrize("attempts", [1, 3])
def test_attempts_end(make, attempts):
    """With the service's own error, after as many requests."""
    with misbehaving(NAPS) as server, make(server.url, attempts=attempts) as client:
        with pytest.raises(Unavailable, match="the queue is full") as caught:
            client.screen(b"words")
        assert (caught.value.status, caught.value.code) == (503, "busy")
        assert len(server.requests) == attempts


def test_a_stream_that_was_read_is_not_sent_again(make, clear):
    """Its first bytes are gone, so that a second request would be of another file."""
    with misbehaving(NAPS, says(200, clear)) as server, make(server.url) as client:
        with pytest.raises(Unavailable):
            client.screen(Trickle(b"words"))
        assert len(server.requests) == 1


def test_a_service_that_cannot_be_reached(make):
    """Is an error, and not ready."""
    with misbehaving(hangs_up) as server:
        pass
    with make(server.url, attempts=2) as client:
        with pytest.raises(Unavailable) as caught:
            client.screen(b"words")
        assert (caught.value.status, caught.value.code) == (None, None)
        assert client.ready() is False


def changed(line, **fields):
    """A result line with other fields."""
    return json.dumps(json.loads(line) | fields).encode()


@pytest.mark.parametrize("name", ["silent", "drips"])
def test_a_slow_answer_is_an_error(make, name):
    """After `timeout`, and without a second request."""
    answer = {"silent": silent, "drips": drips}[name]
    with misbehaving(answer) as server, make(server.url, timeout=0.5) as client:
        with pytest.raises(Unavailable) as caught:
            client.screen(b"words")
        assert caught.value.code == "timeout"
        assert len(server.requests) == 1


BAD = {
    "nothing": lambda clear: says(200, b""),
    "words": lambda clear: says(200, b"ok"),
    "a page": lambda clear: says(200, b"<html>ok</html>", content_type="text/html"),
    "a Result as text": lambda clear: says(200, clear, content_type="text/plain"),
    "compressed": lambda clear: says(200, clear, content_encoding="gzip"),
    "null": lambda clear: says(200, b"null"),
    "an empty object": lambda clear: says(200, b"{}"),
    "an error with 200": lambda clear: says(200, BUSY),
    "several": lambda clear: says(200, b'{"results":[' + clear + b"]}"),
    "two": lambda clear: says(200, clear + clear),
    "the beginning": lambda clear: says(200, clear[:-40]),
    "another schema": lambda clear: says(200, changed(clear, schema=2)),
    "another verdict": lambda clear: says(200, changed(clear, verdict="ok")),
    "another file": lambda clear: says(200, changed(clear, bytes=4)),
    "no file": lambda clear: says(200, changed(clear, bytes=None)),
    "no content": lambda clear: says(204, content_length=None),
    "created": lambda clear: says(201, clear),
    "a redirect": lambda clear: says(302, clear, location="/v1/screen"),
    "another redirect": lambda clear: says(307, clear, location="/v1/screen"),
    "a refusal with a Result": lambda clear: says(403, clear),
    "a fault with a Result": lambda clear: says(500, clear),
    "a gateway": lambda clear: says(502, b"<html>", content_type="text/html"),
}


@pytest.mark.parametrize("name", BAD)
def test_no_other_answer_is_a_result(make, clear, name):
    """And none is asked for again."""
    with misbehaving(BAD[name](clear), says(200, clear)) as server, make(server.url) as client:
        with pytest.raises(RemoteError) as caught:
            client.screen(b"words")
        assert len(server.requests) == 1
        is_bad = not name.startswith(("a refusal", "a fault", "a gateway"))
        assert isinstance(caught.value, BadAnswer) == is_bad


@pytest.mark.parametrize("name", ["words", "null", "an empty object", "a page", "a redirect"])
def test_nothing_else_is_a_list_or_readiness(make, clear, name):
    """A page of another server does not make a service ready."""
    with misbehaving(BAD[name](clear)) as server, make(server.url) as client:
        for call in (client.lists, client.ready):
            with pytest.raises(BadAnswer):
                call()
    with misbehaving(says(503, BUSY)) as server, make(server.url) as client:
        assert client.ready() is False


def test_an_answer_without_end_is_refused(make, monkeypatch):
    """Before it fills the memory."""
    monkeypatch.setattr(protocol, "MAX_ANSWER_BYTES", 1000)
    answer = says(200, b" " * 2000)
    with (
        misbehaving(answer) as server,
        make(server.url) as client,
        pytest.raises(BadAnswer, match="too large"),
    ):
        client.match([])


def test_a_long_retry_after_is_not_waited_for(make):
    """The error comes at once, with the seconds."""
    with misbehaving(says(503, BUSY, retry_after="60")) as server, make(server.url) as client:
        with pytest.raises(Unavailable) as caught:
            client.screen(b"words")
        assert (caught.value.seconds, len(server.requests)) == (60, 1)


@pytest.mark.parametrize("change", [b"more", b""])
def test_a_file_that_changes_while_it_is_sent_is_an_error(make, clear, tmp_path, change):
    """Its Result would be of neither."""
    path = tmp_path / "file"
    path.write_bytes(bytes(1 << 20))

    class Changing(io.FileIO):
        def read(self, size=-1):
            if self.tell() == 0:
                if change:
                    with path.open("ab") as file:
                        file.write(change)
                else:
                    os.truncate(path, 1 << 19)
            return super().read(size)

    with (
        misbehaving(says(200, clear)) as server,
        make(server.url) as client,
        Changing(path) as file,
        pytest.raises(MediaError, match="changed"),
    ):
        client.screen(file)


def test_neither_name_nor_proxy_nor_key_of_the_system_is_used(make, clear, monkeypatch):
    """A request goes to the service alone, and has the bytes alone."""
    with misbehaving(hangs_up) as proxy, misbehaving(says(200, clear)) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with make(server.url, key="abc") as client:
            client.screen(b"words", name="a secret name")
        assert proxy.requests == []
        ((start, headers, body),) = server.requests
    assert (start, body) == ("POST /v1/screen HTTP/1.1", b"words")
    assert headers["authorization"] == "Bearer abc"
    assert "secret" not in str(headers)


def test_a_closed_client_refuses_calls(server):
    """As a closed Pool does."""
    with Client(server.url) as client:
        client.ready()
    for call in (client.ready, client.lists, lambda: client.screen(b""), lambda: client.match([])):
        with pytest.raises(PoolClosed):
            call()

    async def close_and_call():
        async with AsyncClient(server.url) as client:
            await client.ready()
        with pytest.raises(PoolClosed):
            await client.screen(b"")

    asyncio.run(close_and_call())


def test_a_fork_has_connections_of_its_own(clear):
    """Else it could read the answer to another item."""
    ports = []

    def answer(stream, _server):
        ports.append(stream.getpeername())
        return says(200, clear)(stream, _server)

    with misbehaving(answer) as server, Client(server.url) as client:
        client.screen(b"words")
        child = os.fork()
        if not child:
            try:
                os._exit(client.screen(b"words").verdict is not Verdict.NO_MATCH)
            finally:
                os._exit(9)
        assert os.waitpid(child, 0)[1] == 0
        client.screen(b"words")
    assert ports[0] == ports[2]
    assert ports[0] != ports[1]


def test_errors_survive_pickling():
    """As in a task queue."""
    import pickle

    error = Unavailable("busy", status=503, code="busy", seconds=1.0)
    copy = pickle.loads(pickle.dumps(error))

    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert type(copy) is Unavailable


def test_a_client_needs_no_server_package():
    """A program that only sends files loads neither Starlette nor uvicorn."""
    code = "import sys; from screener.service import Client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {"httpx"} <= set(done.stdout.split())
    assert not {"starlette", "uvicorn", "prometheus_client", "cv2"} & set(done.stdout.split())


def test_the_example_of_the_page_runs(server, files, tmp_path, monkeypatch, capsys):
    """The block of docs/service.md, for a clear file, a listed one, and without a service."""
    page = (REPOSITORY / "docs/service.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "http://127.0.0.1:8000" in code
    monkeypatch.chdir(tmp_path)
    nowhere = "http://127.0.0.1:9"
    for name, url in (("other", server.url), ("listed", server.url), ("other", nowhere)):
        (tmp_path / "photo.jpg").write_bytes(files[name])
        exec(compile(code.replace("http://127.0.0.1:8000", url), "docs/service.md", "exec"), {})

    clear, match, none = capsys.readouterr().out.splitlines()
    assert (clear, match) == ("clear", "not clear")
    assert none.startswith("not screened: the service cannot be reached")
