"""Which texts are URLs, and by what names their objects go."""

import hashlib

import pytest

from screener.media.remote.url import is_url, name_below, name_of_url, protocol_of


@pytest.mark.parametrize(
    "text",
    ["s3://bucket/a.jpg", "GS://b/x", "https://example.org/a", "zip://a/*.jpg::s3://b/a.zip"],
)
def test_a_text_with_a_protocol_is_a_url(text):
    """Of one protocol, or of several that are chained."""
    assert is_url(text)


@pytest.mark.parametrize(
    "text",
    ["a.jpg", "/a//b", "C:/a", "a/s3://b", "file:///etc/passwd", "local://a", "://x", b"s3://b"],
)
def test_a_path_is_no_url(text):
    """Nor what lies on this machine."""
    assert not is_url(text)


def test_the_protocol_is_the_first_of_a_chain():
    """It is the one that finds the object."""
    assert protocol_of("S3://b/k") == "s3"
    assert protocol_of("simplecache::s3://b/k") == "simplecache"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/a?b#c d.jpg", "s3://bucket/a?b#c d.jpg"),
        ("https://ann:secret@example.org:8443/a%20b", "https://example.org:8443/a%20b"),
        ("sftp://ann:secret@example.org/a", "sftp://example.org/a"),
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("https://e.org/a?X-Amz-Signature=secret&X-Amz-Date=1", "https://e.org/a"),
        ("https://e.org/a?sv=1&sig=secret#part", "https://e.org/a"),
        ("simplecache::https://e.org/a?sig=secret", "simplecache::https://e.org/a"),
        (
            "zip://x.jpg::https://ann:secret@e.org/a.zip?sig=secret",
            "zip://x.jpg::https://e.org/a.zip",
        ),
        (
            "zip://x.jpg::simplecache::sftp://ann:secret@e.org/a",
            "zip://x.jpg::simplecache::sftp://e.org/a",
        ),
        ("https://[::1]/a?sig=secret", "https://[::1]/a"),
        ("https://[e.org/a?sig=secret", "https://[e.org/a"),
    ],
)
def test_a_name_has_no_credentials(url, name):
    """Passwords and signatures are left out; the name of a container stays."""
    assert name_of_url(url) == (name or url)


def test_queries_that_differ_give_names_that_differ():
    """A parameter that is no signature may select the object, and may be a secret."""
    one, other = (name_of_url(f"https://e.org/get?sig=x&id={number}") for number in "12")

    assert one == "https://e.org/get?sha256=" + hashlib.sha256(b"id=1").hexdigest()[:16]
    assert one != other
    assert name_of_url("https://e.org/get?id=1&sig=y") == one


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sftp://ann:secret@one/uploads", "sftp://one/uploads/x.jpg"),
        ("memory://uploads/", "memory://uploads/x.jpg"),
        ("zip://::https://e.org/a.zip?sig=secret", "zip://x.jpg::https://e.org/a.zip"),
        ("simplecache::s3://bucket/a", "simplecache::s3://bucket/a/x.jpg"),
        ("hdfs://one/a?token=secret", "hdfs://one/a/x.jpg"),
    ],
)
def test_what_lies_below_a_url_has_its_host_or_archive(url, name):
    """And no credentials: two hosts have two names, of which no result replaces another's."""
    assert name_below(url, "x.jpg", has_query=False) == name


def test_a_folder_may_have_a_question_mark_in_its_name():
    """If it is part of the path."""
    assert name_below("gs://b/a?c", "x", has_query=True) == "gs://b/a?c/x"
