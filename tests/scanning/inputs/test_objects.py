"""Objects behind URLs are screened as files are: each one once, whatever its store does."""

import functools
import hashlib
import http.server
import io
import json
import threading
import zipfile
from contextlib import contextmanager
from types import SimpleNamespace

import boto3
import fsspec
import pytest
from command_process import screener as command
from misbehaving_server import CLOSE, cut, misbehaving, says
from resumed_scan import go_on
from stored_objects import failing_bucket, s3_of_moto, use

from screener import Policy, Reason, Screener, scan
from screener.media.files.limits import Limits
from screener.scanning.resume import Finished
from screener.system import installation


def saved(picture, kind="JPEG"):
    """The bytes of a picture's file."""
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


@pytest.fixture(scope="module")
def pictures(scene):
    """A few files by name."""
    return {f"{number}.jpg": saved(scene(number, (96, 96))) for number in range(4)}


@pytest.fixture(scope="module")
def address():
    """The address of an S3."""
    with s3_of_moto() as address:
        yield address


@pytest.fixture
def s3(address, monkeypatch):
    """A client of an S3 with an empty bucket, `bucket`."""
    use(monkeypatch, address)
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket="bucket")
    yield client
    for row in client.list_objects_v2(Bucket="bucket").get("Contents", ()):
        client.delete_object(Bucket="bucket", Key=row["Key"])
    client.delete_bucket(Bucket="bucket")


@pytest.fixture
def engine(make_list, pictures):
    """A Screener of a list that has the first picture, by its MD5."""
    md5 = hashlib.md5(pictures["0.jpg"]).hexdigest()
    return Screener(make_list([{"id": "one", "md5": md5, "pdq": "0f" * 32}]))


def put(s3, objects):
    """Store objects by key."""
    for key, body in objects.items():
        s3.put_object(Bucket="bucket", Key=key, Body=body)


def verdicts(results):
    """The verdicts or reasons of results by name, of which none may come twice."""
    pairs = [(result.input, str(result.reason or result.verdict)) for result in results]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_a_bucket_gives_the_results_of_a_folder(s3, engine, pictures, tmp_path):
    """Files, archives with their members, empty ones; in order, with sizes and times."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/0.jpg", pictures["0.jpg"])
    files = pictures | {"deep/a/1.jpg": pictures["1.jpg"], "2.zip": packed.getvalue(), "3": b""}
    put(s3, files)
    for name, data in files.items():
        (tmp_path / "uploads" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "uploads" / name).write_bytes(data)

    local = list(scan(engine, tmp_path / "uploads", jobs=1))
    remote = list(scan(engine, "s3://bucket", jobs=1))

    start = f"{tmp_path / 'uploads'}/"
    assert {
        (one.input.removeprefix("s3://bucket/"), one.verdict, one.reason, one.bytes, one.media)
        for one in remote
    } == {
        (one.input.removeprefix(start), one.verdict, one.reason, one.bytes, one.media)
        for one in local
    }
    assert len(remote) == len(local) == 8
    assert [one.input for one in remote if "!" not in one.input] == sorted(
        f"s3://bucket/{name}" for name in files
    )
    times = {row["Key"]: row["LastModified"].timestamp() for row in _rows(s3)}
    assert {one.mtime_ns / 1e9 for one in remote} <= set(times.values())


def _rows(s3):
    return s3.list_objects_v2(Bucket="bucket")["Contents"]


def test_a_url_names_an_object_or_all_below_it(s3, engine, pictures):
    """Odd keys too; the placeholder of a folder is none, unless it holds something."""
    data = pictures["0.jpg"]
    keys = ["a/x", "a/é ?versionId=1#.jpg", "a//b", "ab", "a/full/", "b"]
    put(s3, dict.fromkeys(keys, data) | {"a/placeholder/": b""})

    below = {f"s3://bucket/{key}": "match" for key in keys if key.startswith("a/")}
    assert verdicts(scan(engine, "s3://bucket/a", jobs=1)) == below
    assert verdicts(scan(engine, "s3://bucket/a/", jobs=1)) == below
    assert verdicts(scan(engine, "s3://bucket/ab", jobs=1)) == {"s3://bucket/ab": "match"}
    assert engine.screen("s3://bucket/b").verdict == "match"
    assert engine.screen("s3://bucket/a").reason is Reason.UNREADABLE
    assert engine.screen("s3://bucket/b", input="other").input == "other"


@pytest.mark.parametrize(
    "url", ["s3://bucket/none", "s3://bucket/*.jpg", "s3://nobucket/a", "s3://bucket"]
)
def test_a_url_without_objects_is_unreadable(s3, engine, url):
    """One result says so, so that a wrong name clears nothing."""
    assert verdicts(scan(engine, url, jobs=1)) == {url: "unreadable"}


@pytest.fixture
def calls(monkeypatch):
    """Change the requests of S3: `before` gets method and parameters. Pages have five objects."""
    s3_class = fsspec.get_filesystem_class("s3")
    real = s3_class._call_s3
    made = SimpleNamespace(before=lambda method, request: None, after=lambda method: None)

    async def call(self, method, *arguments, **request):
        made.before(method, request)
        more = {"MaxKeys": 5} if method == "list_objects_v2" else {}
        answer = await real(self, method, *arguments, **request, **more)
        made.after(method)
        return answer

    monkeypatch.setattr(s3_class, "_call_s3", call)
    return made


def test_a_listing_of_several_pages_is_complete(s3, engine, calls):
    """Pages come one after the other, and further ones only when they are needed."""
    put(s3, {f"{number:04}": b"" for number in range(60)})
    pages = []
    calls.before = lambda method, _: pages.append(1) if method == "list_objects_v2" else None

    results = scan(engine, "s3://bucket/", jobs=1, ordered=True)
    next(results)
    early = len(pages)
    names = [result.input for result in results]

    assert early < len(pages) == 12
    assert names == [f"s3://bucket/{number:04}" for number in range(1, 60)]


def test_a_listing_that_fails_half_way_is_reported(s3, engine, calls):
    """By a last result with the URL as its name, which says how far it came."""
    put(s3, {f"{number:04}": b"" for number in range(12)})

    def fail(method, request):
        if "ContinuationToken" in request:
            raise PermissionError("secret")

    calls.before = fail
    *results, last = scan(engine, "s3://bucket/", jobs=1)

    assert len(results) == 5
    assert (last.input, last.reason) == ("s3://bucket/", "unreadable")
    assert "5 objects" in last.detail
    assert "secret" not in last.detail


def test_a_listing_that_makes_no_sense_is_reported(engine, monkeypatch):
    """It ends the listing of its URL only, not the scan."""
    monkeypatch.setattr("screener.media.remote.attempts._PAUSE_SECONDS", 0.0)
    use(monkeypatch, "http://127.0.0.1:1")

    async def call(*_, **__):
        return {"Contents": [{"Key": "a", "Size": 1}]}

    monkeypatch.setattr("s3fs.S3FileSystem._call_s3", call)

    urls = ["s3://one/", "s3://other/"]
    assert verdicts(scan(engine, urls, jobs=1)) == dict.fromkeys(urls, "unreadable")


def test_a_scan_of_a_bucket_is_resumed(s3, engine, pictures, tmp_path):
    """Objects with a line are not read again; new and changed ones are."""
    put(s3, pictures)
    path = tmp_path / "results.jsonl"
    assert len(go_on(engine, "s3://bucket", path)) == 4
    assert go_on(engine, "s3://bucket", path) == []

    put(s3, {"4.jpg": pictures["0.jpg"], "1.jpg": pictures["1.jpg"] + b"more"})
    assert go_on(engine, "s3://bucket", path) == ["1.jpg", "4.jpg"]


def test_an_object_that_could_not_be_read_is_read_when_a_scan_is_resumed(
    s3, engine, pictures, tmp_path, calls
):
    """Its line has no size and no time, so that it takes no earlier line back."""
    put(s3, dict(list(pictures.items())[:3]))
    path = tmp_path / "results.jsonl"

    def fail(method, request):
        if method == "get_object" and request["Key"] == "1.jpg":
            raise PermissionError

    calls.before = fail
    go_on(engine, "s3://bucket", path)
    lines = map(json.loads, path.read_text().splitlines())
    (failed,) = [line for line in lines if line["reason"] == "unreadable"]
    assert [failed[name] for name in ("input", "bytes", "mtime_ns")] == [
        "s3://bucket/1.jpg", None, None
    ]  # fmt: skip

    calls.before = lambda *_: None
    assert go_on(engine, "s3://bucket", path) == ["1.jpg"]
    assert go_on(engine, "s3://bucket", path) == []


def test_an_object_that_changes_while_it_is_read_is_read_as_it_is_then(s3, engine, pictures, calls):
    """Its result has the size that it has now: no mixture of two versions is screened."""
    put(s3, {"a": pictures["1.jpg"]})

    def change(method):
        if method == "list_objects_v2":
            put(s3, {"a": pictures["0.jpg"]})

    calls.after = change
    (result,) = scan(engine, "s3://bucket/", jobs=1)

    assert (result.verdict, result.bytes) == ("match", len(pictures["0.jpg"]))


def test_an_object_over_the_limit_is_not_read(s3, make_list, pictures):
    """It is too large, as a file would be; one within the limit of videos is read and digested."""
    md5 = hashlib.md5(pictures["0.jpg"]).hexdigest()
    known = make_list([{"id": "one", "md5": md5, "pdq": "0f" * 32}])
    put(s3, {"0": pictures["0.jpg"], "1": pictures["1.jpg"], "2": bytes(9000)})
    limits = Limits(bytes=1000, video_bytes=8000)

    results = verdicts(scan(Screener(known, policy=Policy(limits=limits)), "s3://bucket/", jobs=1))

    assert results == {
        "s3://bucket/0": "match", "s3://bucket/1": "too_large", "s3://bucket/2": "too_large"
    }  # fmt: skip


def test_an_object_larger_than_memory_holds_comes_by_the_disk(
    s3, engine, pictures, tmp_path, monkeypatch
):
    """In a file without a name, of which nothing is left."""
    monkeypatch.setattr("screener.media.remote.copying.MAX_MEMORY_BYTES", 100)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    put(s3, pictures)
    made = set(tmp_path.iterdir())

    assert verdicts(scan(engine, "s3://bucket/", jobs=1))["s3://bucket/0.jpg"] == "match"
    assert set(tmp_path.iterdir()) == made


def test_names_on_standard_input_may_be_urls(s3, make_list, pictures, tmp_path):
    """Between paths, by the command."""
    md5 = hashlib.md5(pictures["0.jpg"]).hexdigest()
    known = make_list([{"id": "one", "md5": md5, "pdq": "0f" * 32}])
    put(s3, pictures)
    (tmp_path / "1.jpg").write_bytes(pictures["1.jpg"])

    done = command(
        "scan", "-", "--list", known.path, "--jobs", "1",
        input=f"s3://bucket/0.jpg\n{tmp_path / '1.jpg'}\ns3://bucket/2.jpg\n",
    )  # fmt: skip

    assert done.returncode == 1, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["verdict"] for line in lines] == ["match", "no_match", "no_match"]


def test_answers_that_fail_lose_no_object(engine, monkeypatch):
    """One in seven fails: by a status, a body that is cut short, or none at all."""
    with failing_bucket(60, 7) as address:
        use(monkeypatch, address)
        results = verdicts(scan(engine, "s3://bucket/", jobs=1))

    assert len(results) == 60
    assert set(results.values()) == {"no_match"}


def test_a_server_that_only_fails_makes_one_result_an_object(engine, monkeypatch):
    """Attempts end, and the detail has words of our own."""
    monkeypatch.setattr("screener.media.remote.attempts._PAUSE_SECONDS", 0.0)
    with serving(_Refusing) as address:
        url = f"{address}/a.jpg?token=secret"
        (result,) = scan(engine, url, jobs=1)
        alone = engine.screen(url)

    assert result.reason is alone.reason is Reason.UNREADABLE
    assert result.detail == alone.detail == "the server answered with status 503"
    assert "secret" not in result.to_json() + alone.to_json()


def test_files_of_a_web_server_are_screened_and_resumed(engine, pictures, tmp_path):
    """Also by a server that reads no ranges, which tells size and time with the file."""
    (tmp_path / "0.jpg").write_bytes(pictures["0.jpg"])
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    results = tmp_path / "results.jsonl"
    with serving(handler) as address:
        assert len(go_on(engine, f"{address}/0.jpg", results)) == 1
        assert go_on(engine, f"{address}/0.jpg", results) == []
        assert verdicts(scan(engine, f"{address}/no", jobs=1)) == {f"{address}/no": "unreadable"}

    line = json.loads(results.read_text())
    assert (line["verdict"], line["bytes"]) == ("match", len(pictures["0.jpg"]))
    assert line["mtime_ns"] // 10**9 == int((tmp_path / "0.jpg").stat().st_mtime)


@pytest.mark.parametrize("status", [202, 206, 302])
def test_only_an_answer_with_the_file_is_the_file(make_list, pictures, status, monkeypatch):
    """A part of it, or a note, would be cleared by its digests."""
    monkeypatch.setattr("screener.media.remote.attempts._PAUSE_SECONDS", 0.0)
    known = make_list([{"id": "one", "md5": hashlib.md5(pictures["0.jpg"]).hexdigest()}])
    engine = Screener(known, policy=Policy(digests_only=True))

    with misbehaving(says(status, pictures["0.jpg"][:1000])) as server:
        (result,) = scan(engine, f"{server.url}/0.jpg", jobs=1)

    assert (result.reason, result.bytes) == (Reason.UNREADABLE, None)
    assert result.detail == f"the server answered with status {status}"


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_file_without_a_time_is_screened_again(engine, pictures, tmp_path, tells_size):
    """Its size shows no change. The newest line counts; one that was not there has one line."""
    results, listed, served = tmp_path / "results.jsonl", pictures["0.jpg"], []

    class Terse(_Quiet):
        def do_GET(self):
            if not served:
                return self.send_error(404)
            self.send_response(200)
            if tells_size:
                self.send_header("Content-Length", str(len(listed)))
            self.end_headers()
            return self.command == "HEAD" or self.wfile.write(served[-1])

        do_HEAD = do_GET

    with serving(Terse) as address:
        url = f"{address}/0.jpg"
        assert [go_on(engine, url, results) for _ in range(2)] == [[url], []]
        for content in (listed[:-9] + b"not this!", listed, listed):
            served.append(content)
            assert go_on(engine, url, results) == [url]

    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line["verdict"] for line in lines] == ["unscreened", "no_match", "match", "match"]
    assert Finished.read(results, engine).verdicts == {"match": 1}


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_that_is_cut_is_no_file(make_list, pictures, monkeypatch, is_chunked):
    """If the server said how long it is, or in chunks where it ends."""
    monkeypatch.setattr("screener.media.remote.attempts._PAUSE_SECONDS", 0.0)
    known = make_list([{"id": "one", "md5": hashlib.md5(pictures["0.jpg"]).hexdigest()}])
    engine = Screener(known, policy=Policy(digests_only=True))
    part = pictures["0.jpg"][:1000]

    def ends_early(stream, _server):
        stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        stream.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        return CLOSE

    answer = ends_early if is_chunked else cut(pictures["0.jpg"], len(part))
    with misbehaving(answer) as server:
        (result,) = scan(engine, f"{server.url}/0.jpg", jobs=1)

    assert (result.reason, result.bytes) == (Reason.UNREADABLE, None)


def test_any_store_of_fsspec_is_read(engine, pictures):
    """In order of name, folder by folder."""
    store = fsspec.filesystem("memory")
    for name, data in pictures.items():
        store.pipe(f"/uploads/{name}", data)
    store.pipe("/uploads/0/deep.jpg", pictures["0.jpg"])
    try:
        results = list(scan(engine, "memory://uploads", jobs=1))
        assert engine.screen("memory://uploads/0.jpg").verdict == "match"
    finally:
        store.rm("/uploads", recursive=True)

    assert sorted(verdicts(results)) == sorted(
        [f"memory://uploads/{name}" for name in pictures] + ["memory://uploads/0/deep.jpg"]
    )
    assert [one.input for one in results if one.verdict == "match"] == [
        "memory://uploads/0.jpg", "memory://uploads/0/deep.jpg"
    ]  # fmt: skip


def test_archives_and_caches_of_fsspec_are_read(s3, engine, pictures):
    """Members of two archives have two names, else a result would replace the other's."""
    for number in "01":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("x.jpg", pictures[f"{number}.jpg"])
        put(s3, {f"{number}.zip": packed.getvalue(), f"in/{number}.jpg": pictures[f"{number}.jpg"]})

    urls = ["zip://::s3://bucket/0.zip", "zip://::s3://bucket/1.zip", "simplecache::s3://bucket/in"]

    assert verdicts(scan(engine, urls, jobs=1)) == {
        "zip://x.jpg::s3://bucket/0.zip": "match",
        "zip://x.jpg::s3://bucket/1.zip": "no_match",
        "simplecache::s3://bucket/in/0.jpg": "match",
        "simplecache::s3://bucket/in/1.jpg": "no_match",
    }


@pytest.fixture
def memory(monkeypatch):
    """The store `memory://`, empty."""
    store = fsspec.filesystem("memory")
    yield store
    monkeypatch.undo()
    store.rm("/", recursive=True)


def test_a_folder_that_lists_itself_is_listed_once(memory, engine, pictures, monkeypatch):
    """As some stores do."""
    memory.pipe("/uploads/0.jpg", pictures["0.jpg"])
    own = {"name": "/uploads", "size": 0, "type": "directory"}
    ls = memory.ls
    monkeypatch.setattr(type(memory), "ls", lambda _, path, detail: [own, *ls(path, detail=True)])

    assert verdicts(scan(engine, "memory://uploads", jobs=1)) == {"memory://uploads/0.jpg": "match"}


def test_a_slash_at_the_end_means_what_is_below(memory, engine, pictures, monkeypatch):
    """Also in a store where an object may have the name of a folder."""
    memory.pipe("/uploads/0.jpg", pictures["0.jpg"])
    info = memory.info
    own = {"name": "/uploads", "size": 0, "type": "file"}
    monkeypatch.setattr(
        type(memory), "info", lambda _, path: own if path == "/uploads" else info(path)
    )

    assert verdicts(scan(engine, "memory://uploads/", jobs=1)) == {
        "memory://uploads/0.jpg": "match"
    }


def test_no_mixture_of_two_versions_is_screened(memory, engine, pictures, monkeypatch):
    """Of a store that reads a large object in pieces, though both versions have one size."""
    monkeypatch.setattr("screener.media.remote.store.PIECE_BYTES", 2000)
    listed = pictures["0.jpg"]
    memory.pipe("/a.jpg", bytes(len(listed)))
    cat_file = memory.cat_file

    def replace_then_read(_, path, start=None, end=None):
        if start and memory.cat_file is not cat_file and not replaced:
            replaced.append(memory.pipe(path, listed))
        return cat_file(path, start, end)

    replaced = []
    monkeypatch.setattr(type(memory), "cat_file", replace_then_read)

    (result,) = scan(engine, "memory://a.jpg", jobs=1)
    assert replaced
    assert result.verdict == "match"


@pytest.mark.parametrize("url", ["nosuch://a/b", "s3://[", "https://[x/a?sig=secret"])
def test_a_url_that_cannot_be_opened_is_one_result(engine, url):
    """Whatever the store's own library raises."""
    (result,) = scan(engine, url, jobs=1)
    assert result.verdict == engine.screen(url).verdict == "unscreened"
    assert "secret" not in result.to_json()


def test_a_missing_extra_is_named(engine, monkeypatch):
    """Each URL is `unsupported`, and counts for the extra that would read it."""
    monkeypatch.setattr("screener.media.remote.store.is_available", lambda extra: extra != "cloud")

    for result in (*scan(engine, "s3://bucket/a", jobs=1), engine.screen("s3://bucket/a")):
        assert (result.reason, result.extra) == (Reason.UNSUPPORTED, "cloud")
        assert installation.format_install("cloud") in result.detail


@contextmanager
def serving(handler):
    """Yield the address of a web server in this process."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder."""

    def log_message(self, *_):
        """Print nothing."""


class _Refusing(_Quiet):
    """No file at all."""

    def do_GET(self):
        """Answer that the server is busy."""
        self.send_error(503)

    do_HEAD = do_GET
