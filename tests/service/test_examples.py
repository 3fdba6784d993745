"""The examples of clients, each run as its first lines say, against the real service."""

import asyncio
import base64
import hashlib
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import types
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from paths import REPOSITORY
from pool_accidents import until
from served import serving

from screener.service.keys import Role, add_key

EXAMPLES = REPOSITORY / "examples"
NOWHERE = "http://127.0.0.1:9"  # nothing listens there
SECONDS = 120


def free_port():
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running(call, port, **settings):
    """Run a program until the end of the block; it listens on a port at its beginning."""
    program = subprocess.Popen(call, **settings)
    try:

        def listens():
            assert program.poll() is None
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(listens, SECONDS)
        yield program
    finally:
        program.terminate()
        program.wait(SECONDS)


class UploadApp:
    """The upload application: where to send files, and the folders of its store."""

    def __init__(self, port, store):
        self.port = port
        self.url = f"http://127.0.0.1:{port}/uploads"
        self._store = store

    def stored(self, folder):
        """The contents of all files of a folder, without the Results beside them."""
        paths = (self._store / folder).iterdir()
        return sorted(path.read_bytes() for path in paths if path.suffix != ".json")


@contextmanager
def upload_app(folder, url):
    """Yield the upload application, which calls a service."""
    port, store = free_port(), folder / "store"
    call = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "error"]
    environment = os.environ | {"STORE": str(store), "SCREENER_URL": url}
    with running(call, port, cwd=EXAMPLES / "upload_app", env=environment):
        yield UploadApp(port, store)


def check_uploads(url, app, files):
    """Send each file; only the clear one is stored in `clear`."""
    statuses = {"listed": 451, "other": 201, "broken": 422}
    for name, status in statuses.items():
        assert httpx.post(url, content=files[name], timeout=SECONDS).status_code == status, name
    assert app.stored("clear") == [files["other"]]
    assert app.stored("held") == [files["listed"]]
    assert app.stored("incoming") == []


def test_the_upload_application(server, files, tmp_path):
    """It stores what is clear, and wants to know sizes before it reads."""
    with upload_app(tmp_path, server.url) as app:
        check_uploads(app.url, app, files)
        pieces = iter([files["other"]])
        assert httpx.post(app.url, content=pieces).status_code == 411
        head = f"POST /uploads HTTP/1.1\r\nHost: a\r\nContent-Length: {100 << 20}\r\n\r\n"
        for request in (head, "POST /uploads HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nword"):
            with socket.create_connection(("127.0.0.1", app.port), SECONDS) as stream:
                stream.sendall(request.encode())
                if request is head:
                    assert b" 413 " in stream.recv(1000)
        assert app.stored("clear") == [files["other"]]


def test_the_upload_application_without_its_service(files, tmp_path):
    """It stores nothing."""
    with upload_app(tmp_path, NOWHERE) as app:
        answer = httpx.post(app.url, content=files["other"], timeout=SECONDS)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert app.stored("clear") == app.stored("incoming") == []


def test_the_upload_application_behind_nginx(server, files, tmp_path):
    """nginx passes uploads on without files of its own, and refuses what is too large."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed: its configuration is not run")
    port = free_port()
    with upload_app(tmp_path, server.url) as app:
        text = (EXAMPLES / "upload_app/nginx.conf").read_text()
        assert "listen 127.0.0.1:8080;" in text
        assert "http://127.0.0.1:8001;" in text
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        text = text.replace("127.0.0.1:8001", f"127.0.0.1:{app.port}")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
        text = text.replace("http {", f"http {{ access_log off; {paths}", 1)
        (tmp_path / "nginx.conf").write_text(text)
        settings = f"daemon off; error_log stderr; pid {tmp_path}/nginx.pid;"
        call = [nginx, "-p", tmp_path, "-e", "stderr", "-c", tmp_path / "nginx.conf"]
        with running([*call, "-g", settings], port):
            url = f"http://127.0.0.1:{port}/uploads"
            check_uploads(url, app, files)
            head = f"POST /uploads HTTP/1.1\r\nHost: a\r\nContent-Length: {65 << 20}\r\n\r\n"
            with socket.create_connection(("127.0.0.1", port), SECONDS) as stream:
                stream.sendall(head.encode())
                assert b" 413 " in stream.recv(1000)


def finish(path, url, clear, **fields):
    """Run the hook of tusd for an upload, with the event that tusd documents."""
    upload = {
        "ID": "5d892c228ec8d0451dfec588697e8930", "Size": path.stat().st_size,
        "SizeIsDeferred": False, "Offset": path.stat().st_size,
        "MetaData": {"filename": "photo 1.png", "filetype": "image/png"}, "IsPartial": False,
        "IsFinal": False, "PartialUploads": None,
        "Storage": {"Type": "filestore", "Path": str(path), "InfoPath": f"{path}.info"},
    } | fields  # fmt: skip
    request = {"Method": "PATCH", "URI": "/files/5d892c", "RemoteAddr": "127.0.0.1:1", "Header": {}}
    event = {"Type": "pre-finish", "Event": {"Upload": upload, "HTTPRequest": request}}
    environment = os.environ | {"SCREENER_URL": url, "CLEAR": str(clear)}
    done = subprocess.run(
        [sys.executable, EXAMPLES / "tusd/pre-finish"], input=json.dumps(event), text=True,
        env=environment, capture_output=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    return json.loads(done.stdout).get("HTTPResponse")


def test_the_hook_of_tusd(server, files, tmp_path):
    """It answers the uploading client, and links clear uploads alone."""
    clear = tmp_path / "clear"
    clear.mkdir()
    assert os.access(EXAMPLES / "tusd/pre-finish", os.X_OK)
    for name, status in {"listed": 451, "broken": 422, "other": 200}.items():
        path = tmp_path / name
        path.write_bytes(files[name])
        assert finish(path, NOWHERE if name == "broken" else server.url, clear)["StatusCode"] == (
            503 if name == "broken" else status
        )
        if name != "other":
            assert finish(path, server.url, clear)["StatusCode"] == status
            assert finish(path, server.url, clear, IsPartial=True) is None
            assert not any(clear.iterdir())
    (linked,) = clear.iterdir()
    assert linked.read_bytes() == files["other"]
    assert linked.name == "5d892c228ec8d0451dfec588697e8930"


@pytest.fixture
def synapse(monkeypatch):
    """A stub of Synapse's API for modules, and the example that stands on it."""

    class ModuleApi:
        def register_spam_checker_callbacks(self, *, check_media_file_for_spam):
            self.check = check_media_file_for_spam

        async def defer_to_thread(self, call, *arguments, **settings):
            return await asyncio.to_thread(call, *arguments, **settings)

    module_api = types.ModuleType("synapse.module_api")
    module_api.NOT_SPAM, module_api.ModuleApi = "NOT_SPAM", ModuleApi
    errors = types.ModuleType("synapse.module_api.errors")
    errors.Codes = StrEnum("Codes", {"FORBIDDEN": "M_FORBIDDEN"})
    errors.ConfigError = type("ConfigError", (Exception,), {})
    for stub in (types.ModuleType("synapse"), module_api, errors):
        monkeypatch.setitem(sys.modules, stub.__name__, stub)
    monkeypatch.syspath_prepend(EXAMPLES)
    yield importlib.import_module("synapse_screening")
    sys.modules.pop("synapse_screening")


@pytest.mark.parametrize("unscreened", ["accept", "refuse"])
def test_the_module_of_synapse(synapse, server, files, tmp_path, unscreened):
    """A file is stored if it is clear, or unscreened and the operator accepts that."""
    wants = {"listed": "M_FORBIDDEN", "other": "NOT_SPAM"}
    wants["broken"] = "NOT_SPAM" if unscreened == "accept" else "M_FORBIDDEN"
    for url in (server.url, NOWHERE):
        api = synapse.ModuleApi()
        config = synapse.MediaScreening.parse_config({"url": url, "unscreened": unscreened})
        module = synapse.MediaScreening(config, api)
        with module.client:
            for name, want in wants.items():
                (tmp_path / name).write_bytes(files[name])
                file = types.SimpleNamespace(path=str(tmp_path / name))
                code = asyncio.run(api.check(file, types.SimpleNamespace(file_id="one")))
                assert code == (want if url != NOWHERE else "M_FORBIDDEN"), (url, name)


@pytest.mark.parametrize(
    "config", [{}, {"url": "http://a"}, {"url": "http://a", "unscreened": True}]
)
def test_the_module_of_synapse_needs_a_choice(synapse, config):
    """Of what becomes of unscreened files."""
    with pytest.raises(synapse.ConfigError):
        synapse.MediaScreening.parse_config(config)


def cid_of(data):
    """The CID of a blob, from its parts: version, codec, and digest with name and length."""
    raw = bytes([1, 0x55, 0x12, 32]) + hashlib.sha256(data).digest()
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


@pytest.fixture
def network():
    """A server of blobs by CID, which is the moderator's too; `events` has what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            blob = self.server.blobs[re.search(r"[?&]cid=(\w+)", self.path)[1]]
            assert self.path.startswith("/xrpc/com.atproto.sync.getBlob?did=did%3Aplc%3Aone&")
            self._answer(blob)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.events.append((self.path, dict(self.headers), json.loads(body)))
            self._answer(b"{}")

        def _answer(self, body):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as network:
        network.blobs, network.events = {}, []
        network.url = f"http://127.0.0.1:{network.server_port}"
        thread = threading.Thread(target=network.serve_forever)
        thread.start()
        yield network
        network.shutdown()
        thread.join()


def label(network, url, cid):
    """Run the labeler for a blob; return its exit code."""
    environment = os.environ | {
        "SCREENER_URL": url, "MODERATOR_PDS": network.url, "MODERATOR_TOKEN": "abc",
        "LABELER_DID": "did:plc:labeler", "LABEL": "!hide",
    }  # fmt: skip
    post = "at://did:plc:one/app.bsky.feed.post/3k"
    call = [sys.executable, EXAMPLES / "labeler.py", network.url, post, "bafyrecord", cid]
    return subprocess.run(call, env=environment, timeout=SECONDS).returncode


def test_the_labeler(network, server, files):
    """A match labels the record, and what cannot be screened is escalated."""
    for name, (code, kind) in {
        "listed": (1, "modEventLabel"), "broken": (3, "modEventEscalate"), "other": (0, None),
    }.items():  # fmt: skip
        cid = cid_of(files[name])
        network.blobs[cid], network.events[:] = files[name], []

        assert label(network, server.url, cid) == code

        if kind is None:
            assert network.events == []
            continue
        ((path, headers, body),) = network.events
        assert path == "/xrpc/tools.ozone.moderation.emitEvent"
        assert headers["atproto-proxy"] == "did:plc:labeler#atproto_labeler"
        assert body["event"]["$type"] == f"tools.ozone.moderation.defs#{kind}"
        assert body["subject"]["uri"] == "at://did:plc:one/app.bsky.feed.post/3k"
        assert body["subjectBlobCids"] == [cid]


def test_the_labeler_screens_nothing_else(network, server, files):
    """A blob that is not what its CID names, or no service: an error, which is no exit code 0."""
    cid = cid_of(files["listed"])
    network.blobs[cid] = files["other"]
    assert label(network, server.url, cid) == 2
    network.blobs[cid] = files["listed"]
    assert label(network, NOWHERE, cid) == 2
    assert network.events == []


def test_pictrs(shared_lists, files, tmp_path):
    """The URL of its compose file, with the key in it, accepts only what is clear."""
    keys = tmp_path / "keys.json"
    key = add_key(keys, "pictrs", [Role.SCREEN])
    text = (EXAMPLES / "deploy/compose.pictrs.yaml").read_text()
    url = re.search(r"EXTERNAL_VALIDATION: (\S+:)\$\{SCREENER_KEY.*\}(@service:8000)(\S+)", text)
    with serving("--list", shared_lists[0], "--keys", keys) as server:
        address = f"{url[1]}{key}@127.0.0.1:{server.port}{url[3]}"
        for name, status in {"listed": 451, "other": 204, "broken": 422}.items():
            chunks, media_type = iter([files[name]]), {"Content-Type": "image/png"}
            answer = httpx.post(address, content=chunks, headers=media_type, timeout=SECONDS)
            assert answer.status_code == status, name
