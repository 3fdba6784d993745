"""Requests as clients send them, and as nobody should."""

import json
import socket
import threading
from http import HTTPStatus

import pytest
from hma_service import hma_client, upload
from picture_bytes import png, several
from PIL import Image
from service_lists import make

from screener.service.keys import Role, add_key


@pytest.fixture(scope="module")
def client(tmp_path_factory, pdqs):
    """A client of one list that all tests of this file share."""
    folder = tmp_path_factory.mktemp("hma")
    known = make(folder, "known", [{"id": "one", "pdq": pdqs[0]}])
    with hma_client(folder / "state", known) as client:
        client.post("/c/banks", json={"name": "OURS"})
        yield client


def message_of(answer):
    """Return the status and the message of an error."""
    assert answer.json().keys() == {"message"}
    return answer.status_code, answer.json()["message"]


def test_the_calls_of_coop(client, pdqs):
    """A double slash, a ratio as text, fields that nobody knows; then its look-up."""
    base = str(client.base_url)
    made = client.post(f"{base}//c/banks", json={
        "name": "COOP_ORG_BANK", "enabled_ratio": "0.5", "description": "ours", "x": None,
    })  # fmt: skip
    assert (made.status_code, made.json()) == (
        201,
        {"name": "COOP_ORG_BANK", "matching_enabled_ratio": 0.5},
    )
    assert client.get(f"{base}//c//bank/COOP_ORG_BANK").json() == made.json()
    found = client.get(f"{base}//m/lookup", params={"signal": pdqs[0], "signal_type": "pdq"})
    assert found.json().keys() == {"KNOWN"}
    client.delete("/c/bank/COOP_ORG_BANK")
    assert client.get("/c/bank/COOP_ORG_BANK").status_code == 404


def test_the_calls_of_atproto(client, pictures, pdqs):
    """Fields of the form beside the file."""
    fields = {"content_type": "photo", "banks": "KNOWN", "threshold": "31"}
    assert client.post("/h/hash", **upload(pictures[0], **fields)).json() == {"pdq": pdqs[0]}
    found = client.post("/m/lookup", **upload(pictures[0], **fields)).json()
    assert found["pdq"].keys() == {"KNOWN"}


@pytest.mark.parametrize("key", [None, "wrong"])
def test_keys_open_what_their_roles_allow(tmp_path, known, state, pdqs, pictures, key):
    """Without one, 401 with HMA's words, as text for look-ups; the states are free."""
    file = tmp_path / "keys.json"
    keys = {role: add_key(file, role, [Role(role)]) for role in ("match", "screen", "curate")}
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    query = {"signal": pdqs[0], "signal_type": "pdq"}
    with hma_client(state, known, keys=file) as client:

        def ask(method, path, role=None, **arguments):
            sent = headers if role is None else {"Authorization": f"Bearer {keys[role]}"}
            return client.request(method, path, headers=sent, **arguments)

        refused = ask("GET", "/m/lookup", params=query)
        assert (refused.status_code, refused.text) == (401, "Authentication required")
        assert message_of(ask("GET", "/c/banks")) == (401, "Authentication required")
        for path in ("/status", "/status/live", "/site-map", "/openapi/openapi.json"):
            assert ask("GET", path).status_code == 200
        calls = {
            "match": ("GET", "/m/lookup", {"params": query}),
            "screen": ("POST", "/h/hash", upload(pictures[0])),
            "curate": ("POST", "/c/banks", {"json": {"name": "OURS"}}),
        }
        for role, (method, path, arguments) in calls.items():
            codes = {one: ask(method, path, one, **arguments).status_code for one in keys}
            assert codes.pop(role) in (200, 201)
            assert set(codes.values()) == {403}
        by_url = ask("GET", "/m/lookup", "match", params={"url": "http://example.org/a.jpg"})
        assert by_url.status_code == 403


def test_pictures_of_several_frames_and_others(client, scene, pdqs):
    """The first frame of an animation; a video file is no photo."""
    frames = [scene(11, (320, 240)), scene(12, (320, 240))]
    answer = client.post("/h/hash", **upload(several(frames, "PNG")))
    assert answer.json() == {"pdq": pdqs[0]}
    video = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(64)
    assert message_of(client.post("/h/hash", **upload(video)))[0] == 400


def test_metadata_and_notes_of_contents(client, pictures):
    """As HMA stores and shows them."""
    path = "/c/bank/OURS/content"
    metadata = {"content_id": "x", "json": {"a": [1]}, "collab": {"X": ["1"]}}
    fields = {"metadata": json.dumps(metadata), "note": "seen", "unknown": "1"}
    made = client.post(path, **upload(pictures[1], **fields)).json()
    shown = client.get(f"{path}/{made['id']}", params={"include_signals": "yes"}).json()
    assert shown["metadata"] == {
        "content_id": "x", "content_uri": None, "json": {"a": [1]}, "collab": None
    }  # fmt: skip
    assert (shown["note"], shown["signals"]) == ("seen", made["signals"])
    changed = client.put(f"{path}/{made['id']}", json={"note": ""}).json()
    assert changed["note"] is None
    assert changed["user_metadata"] == {"content_id": "x", "json": {"a": [1]}}
    assert "note" not in client.get(f"{path}/{made['id']}").json()


def test_blank_pictures_and_hashes_are_no_contents(client):
    """They would never match, and nobody would know."""
    size = client.get("/m/index/status").json()
    blank = upload(png(Image.new("RGB", (99, 99), "red")))
    for answer in (
        client.post("/c/bank/OURS/content", **blank),
        client.post("/c/bank/OURS/signal", json={"pdq": 64 * "f"}),
    ):
        assert message_of(answer)[1].startswith("too_little_detail")
    assert client.get("/m/index/status").json() == size


BODIES = [
    b"", b"{", b"[" * 500_000, b'"\xff"', b"null", b"[]", b"1", b'{"name": 1}', b'{"name": null}',
    b'{"name": "A\\u0000"}', b'{"name": "\\ud800"}', b'{"name": "' + b"A" * 300 + b'"}',
    b'{"name": "A", "enabled_ratio": "nan"}', b'{"name": "A", "enabled_ratio": 1e999}',
    b'{"name": "A", "enabled_ratio": "1e999"}', b'{"name": "A", "enabled_ratio": []}',
    b'{"name": "A", "enabled_ratio": NaN}', b'{"name": "A", "enabled": "perhaps"}',
    b'{"name": "A", "enabled": 2}', b"{" + b'"a":{' * 5000, b" " * ((1 << 20) + 1),
]  # fmt: skip
JSON_PATHS = [
    ("POST", "/c/banks"), ("PUT", "/c/bank/OURS"), ("POST", "/c/bank/OURS/signal"),
    ("PUT", "/c/bank/OURS/content/1"), ("POST", "/m/compare"), ("POST", "/c/exchanges"),
    ("POST", "/c/exchanges/api/x"), ("PUT", "/c/exchange/x"), ("PUT", "/c/signal_type/pdq"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), JSON_PATHS)
def test_bad_bodies_are_refused(client, method, path):
    """With 4xx, and nothing of them in the answer; nothing changes."""
    banks = client.get("/c/banks").json()
    for body in BODIES:
        headers = {"Content-Type": "application/json"}
        answer = client.request(method, path, content=body, headers=headers)
        harmless = answer.status_code == 200 and b"name" in body and method == "PUT"
        assert 400 <= answer.status_code < 500 or harmless, (body[:50], answer.text)
        assert len(answer.content) < 500
    assert client.get("/c/banks").json() == banks


FORMS = [
    b"", b"--x", b"--x\r\n\r\n", b"--y\r\n\r\na\r\n--y--\r\n", b"\0" * 1000, b"--x--\r\n",
    b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\na\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\ncut',
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename=""\r\n\r\na\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="\xff\0"; filename="a"\r\n\r\na\r\n--x--\r\n',
    b"--x\r\n" + b"X" * 20_000 + b": y\r\n\r\na\r\n--x--\r\n",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/h/hash", "/m/lookup", "/c/bank/OURS/content"])
def test_bad_forms_are_refused(client, path):
    """Cut short, without names, of another boundary."""
    for form in FORMS:
        for content_type in ("multipart/form-data; boundary=x", "multipart/form-data", "text/x"):
            answer = client.post(path, content=form, headers={"Content-Type": content_type})
            assert 400 <= answer.status_code < 500, (form, answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/c/bank/OURS/content/99999999999999999999999999", "/c/bank/OURS/content/-1",
        "/c/bank/OURS/content/" + "9" * 9999,
        "/c/bank/OURS/content/1e3", "/c/bank/%00", "/c/bank/%ff%fe", "/c/bank/" + "A" * 5000,
        "/c/bank/..%2f..%2fetc", "/c/exchange/%0a", "/c/exchanges/api/" + "a" * 64, "/c/", "/h",
        "/m/lookup/", "/c/bank/OURS/content/%D9%A1",
    ],
)  # fmt: skip
def test_odd_paths_are_refused(client, path):
    """Without a trace, and without a hash that may be in them."""
    answer = client.get(path)
    assert 400 <= answer.status_code < 500
    assert "a" * 64 not in answer.text


@pytest.mark.parametrize("query", [
    "signal=%ff&signal_type=pdq", "signal=%00&signal_type=%00", 
    "signal_type=" + 64 * "a" + "&signal=1", "&&&===", "signal=a&signal=b&signal_type=video_md5",
    "signal=" + "9" * 30_000 + "&signal_type=pdq",
])  # fmt: skip
@pytest.mark.parametrize("path", ["/m/lookup", "/m/raw_lookup"])
def test_odd_queries_are_refused(client, path, query):
    """As text, and never as an object without banks."""
    answer = client.get(f"{path}?{query}")
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("text/plain")
    assert "a" * 64 not in answer.text


def test_curating_from_many_sides_at_once(client, pdqs):
    """Each content has a number of its own, and all are found."""
    client.post("/c/banks", json={"name": "MANY"})
    ids, failed = [], []

    def work():
        for _ in range(4):
            answer = client.post("/c/bank/MANY/signal", json={"pdq": pdqs[2]})
            (ids if answer.status_code == HTTPStatus.OK else failed).append(answer.json())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = client.get("/m/lookup", params={"signal": pdqs[2], "signal_type": "pdq"}).json()

    assert failed == []
    assert sorted(one["bank_content_id"] for one in found["MANY"]) == sorted(
        one["id"] for one in ids
    )
    assert len({one["id"] for one in ids}) == 16


def test_the_documents_name_every_route(client):
    """The map of the site has Flask's form, the OpenAPI document HMA's title."""
    routes = client.get("/site-map").json()
    document = client.get("/openapi/openapi.json").json()
    assert "/c/bank/<bank_name>/content/<int:content_id>" in routes
    assert routes == sorted(routes)
    assert document["info"]["title"] == "Open Media Match API"
    assert len(document["paths"]) == len(routes)


def test_refused_connections_are_text(tmp_path, known, state):
    """Before any route is known, since it may be a look-up's."""
    with (
        hma_client(state, known, header_seconds=1.0) as client,
        socket.create_connection(("127.0.0.1", client.base_url.port), 60) as stream,
    ):
        stream.sendall(b"GET /m/lookup HTTP/1.1\r\nA")
        answer = stream.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"content-type: text/plain\r\n" in answer


def test_bodies_count_until_they_are_hashed(known, state, pictures, monkeypatch):
    """A service short of memory refuses files, and has all of it again afterwards."""
    size = len(pictures[0])
    with hma_client(state, known, buffered_bytes=3 * size) as client:
        for _ in range(4):
            assert client.post("/h/hash", **upload(pictures[0])).status_code == 200
        assert client.post("/h/hash", **upload(pictures[0] * 2)).status_code == 503
        assert client.post("/m/lookup", **upload(pictures[0])).status_code == 200
        metrics = client.get("/metrics").text
    assert "screener_buffered_bytes 0.0" in metrics
    assert 'screener_verdicts_total{reason="",verdict="match"} 1.0' in metrics
