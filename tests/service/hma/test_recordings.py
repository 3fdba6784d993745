"""Every recorded answer of HMA 1.1.7 is answered alike, or differs as docs/hma.md says."""

import io
import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hma_service import hma_client
from picture_bytes import png
from PIL import Image
from service_lists import make

from screener.hashing import pdq
from screener.hashing.digest import compute as digests

ROOT = Path(__file__).resolve().parents[3]
PICTURE = "3cf57db5e90dd6f8d38cec370ee121836482e483c841da696d2398a7f472d866"  # recorded PDQ
VIDEO = "37bbecfb91ce393a392e496a29c6f39c"  # recorded MD5
TIMES = ("built_to", "index_built_to", "newest_db_item")

# What differs, as in the table of docs/hma.md: our status, and the recorded exchanges.
DIFFERENCES = {
    "A blank picture": {
        400: (
            "hash url blank",
            "post hash blank",
            "content blank",
            "lookup url blank",
            "lookup post blank",
        ),
    },
    "A broken or empty file": {
        400: ("hash txt ct", "post hash corrupt", "post hash empty", "lookup post corrupt"),
    },
    "A file that cannot be compared": {
        400: ("lookup url mp4", "lookup post video"),
    },
    "A signal type that the file does not have": {
        400: ("lookup url signal_type other",),
    },
    "`banks` without a bank that is looked up": {},  # not recorded
    "Distances of MD5s": {
        200: ("raw md5", "raw md5 upper/space"),
    },
    "Errors of look-ups": {
        400: (
            "lookup bad",
            "lookup upper",
            "lookup unknown type",
            "lookup no type",
            "lookup empty signal",
            "lookup nothing",
            "lookup post json",
        ),
        422: ("lookup bypass bad", "raw missing"),
    },
    "Missing or ill-typed fields": {
        422: ("create no body", "create empty", "create form", "hash no url"),
    },
    "Changes are visible at once": {
        200: (
            "lookup before index",
            "index status before",
            "lookup still has deleted?",
            "st index",
        ),
    },
    "A bank created with `enabled: false`": {
        201: ("create enabled false",),
        200: ("banks",),
    },
    "Messages about URLs": {
        400: ("hash 404", "hash conn refused"),
    },
    "Messages about metadata": {
        400: ("content url meta bad", "content file meta form coop"),
    },
    "Comparing MD5s": {
        200: ("compare",),
    },
    "Switching off a signal type": {
        400: ("put st 0", "put st bad", "put st none", "put st unknown", "put st 1"),
    },
    "Exchanges": {
        200: ("ex apis", "ex list", "banks"),
        400: (
            "ex api sample",
            "ex api ncmec",
            "ex api fb_threatexchange",
            "ex api stop_ncii",
            "ex api tat",
            "ex api infinite_random",
            "ex cred",
            "ex cred bad",
            "ex cred unset",
            "ex cred unsupported",
            "ex create",
            "ex create dup",
            "ex create digit",
            "ex create existing bank",
            "ex create missing cfg",
            "ex create ncmec",
            "ex create ncmec bad env",
        ),
        404: (
            "ex schema sample",
            "ex schema ncmec",
            "ex schema fb_threatexchange",
            "ex schema stop_ncii",
            "ex schema tat",
            "ex schema infinite_random",
            "ex get",
            "ex get ncmec",
            "ex status",
            "ex put",
            "ex put sample",
            "ex put empty",
        ),
    },
    "User interface": {
        302: ("root",),
        404: ("ui query", "ui query_hash", "ui find"),
    },
    "OpenAPI document": {
        200: ("openapi",),
    },
}


@pytest.fixture(scope="module")
def contents(scene):
    """What the names of the recorded requests stand for."""
    listed = png(scene(3, (320, 240)))
    blank = png(Image.new("RGB", (64, 64), "white"))
    return {
        "a.jpg": listed, "b.jpg": blank, "blank.jpg": blank, "c.jpg": b"\xff\xd8\xff no picture",
        "e.jpg": b"", "a.mp4": b"abc", "b.mp4": b"abc", "v.mp4": b"abc", "x.txt": b"text",
    }  # fmt: skip


@pytest.fixture(scope="module")
def web(contents):
    """The address of a server of these files."""
    types = {"jpg": "image/jpeg", "mp4": "video/mp4", "txt": "text/plain"}

    class Files(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.strip("/")
            if name not in contents:
                self.send_error(404)
                return
            content = b"a video" if name == "v.mp4" else contents[name]
            self.send_response(200)
            self.send_header("Content-Type", types[name.rpartition(".")[2]])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def translate(scene, contents, web):
    """A function that puts our picture's hash and server in the place of the recorded ones.

    All recorded PDQs are changed by the same bits, so that distances stay.
    """
    with Image.open(io.BytesIO(contents["a.jpg"])) as picture:
        ours = pdq.compute(np.asarray(picture.convert("RGB"))).text
    mask = int(ours, 16) ^ int(PICTURE, 16)
    md5, *_ = digests(b"a video")

    def turn(found):
        text = f"{int(found[0], 16) ^ mask:064x}"
        return text if found[0] == found[0].lower() else text.upper()

    def replace(text):
        text = re.sub(r"\b[0-9A-Fa-f]{64}\b", turn, text)
        return re.sub(r"127\.0\.0\.1:(44985|53033)", web, text).replace(VIDEO, md5.text)

    return replace


def read_recordings(folder):
    """Yield the recorded exchanges in their order."""
    for number in (1, 2):
        file = folder / f"recordings-{number}.json"
        for exchange in json.loads(file.read_text(encoding="utf-8")):
            yield number, exchange


def send(client, exchange, contents):
    """Send a recorded request again."""
    arguments = {}
    if "request_json" in exchange:
        arguments["json"] = exchange["request_json"]
    if "request_form" in exchange:
        arguments["data"] = exchange["request_form"]
    if "request_files" in exchange:
        arguments["files"] = [
            (field, (name, contents[name])) for field, name in exchange["request_files"]
        ]
    return client.request(
        exchange["method"], f"{client.base_url}".rstrip("/") + exchange["path"], **arguments
    )


def normalize(value):
    """Return an answer without what no client can rely on: orders, times, and our own list."""
    if isinstance(value, dict):
        return {
            name: value[name] > 0 if name in TIMES else normalize(value[name]) for name in value
        }
    if isinstance(value, list):
        items = [normalize(item) for item in value]
        items = [
            item for item in items if not isinstance(item, dict) or item.get("name") != "KNOWN"
        ]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return value


def read(status, content_type, text, location):
    """Return an answer in a form in which equal ones are equal to every client."""
    content_type = content_type.partition(";")[0]
    body = text
    if content_type == "application/json":
        with suppress(ValueError):  # of an exchange that was changed, HMA's is none
            body = normalize(json.loads(text))
    return status, content_type, body, location


def replay(client, exchanges, contents, translate, monkeypatch):
    """Yield for each exchange its name, the recorded answer and ours."""
    previous = 1
    for number, exchange in exchanges:
        if number != previous:  # made between the two recordings
            client.post("/c/banks", json={"name": "Z"})
            previous = number
        exchange = json.loads(translate(json.dumps(exchange)))
        # The coin was flipped at random: it fell so that COOP_X_Y, of ratio 0.5, took part or not.
        coin = 0.25 if "COOP_X_Y" in exchange["body"] else 0.75
        monkeypatch.setattr("random.random", lambda coin=coin: coin)
        answer = send(client, exchange, contents)
        recorded = read(
            exchange["status"], exchange["content_type"], exchange["body"], exchange["location"]
        )
        ours = read(
            answer.status_code, answer.headers.get("content-type", ""), answer.text,
            answer.headers.get("location"),
        )  # fmt: skip
        yield exchange["name"], recorded, ours


def test_recorded_answers(material, contents, translate, tmp_path, monkeypatch):
    """In their order, with our differences and no others."""
    monkeypatch.setattr("screener.service.hma.fetching.is_public", lambda address: True)
    known = make(tmp_path, "known", [{"id": "one", "sha256": 64 * "a"}])
    differing = set()
    with hma_client(tmp_path / "state", known, hma_fetch=True) as client:
        exchanges = read_recordings(material / "hma")
        for name, recorded, ours in replay(client, exchanges, contents, translate, monkeypatch):
            if recorded != ours:
                differing.add((name, ours[0]))
            if ours[0] != 200 and name.startswith(("lookup", "raw")):
                assert ours[1] == "text/plain", name
    expected = {
        (name, status)
        for rows in DIFFERENCES.values()
        for status, names in rows.items()
        for name in names
    }
    assert differing == expected


def test_differences_are_those_of_the_page():
    """The first column of its first table names them."""
    page = (ROOT / "docs" / "hma.md").read_text(encoding="utf-8")
    table = page.partition("\n| difference |")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]
    assert rows == list(DIFFERENCES)
