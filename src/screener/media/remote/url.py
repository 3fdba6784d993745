"""Recognise URLs, and name the objects behind them without credentials."""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import SplitResult, unquote_plus, unquote_to_bytes, urlsplit, urlunsplit

from screener.errors import MediaError

# A protocol of fsspec, or several that are chained (`zip://*.jpg::s3://bucket/some.zip`).
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*::)*([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_LINK = re.compile(r"::(?=[a-z][a-z0-9+.-]*(?:://|::))", re.IGNORECASE)

# What lies on this machine is named by its path.
_LOCAL_PROTOCOLS = frozenset(("file", "local"))

_HTTP_PROTOCOLS = frozenset(("http", "https"))

# Parameters that sign a URL, of S3, Google, Azure and CloudFront. They change with each signature.
_SIGNATURE = re.compile(
    r"x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|key-pair-id|signature|expires|policy"
    r"|sv|sr|st|se|sp|sig|spr|sip|skoid|sktid|skt|ske|sks|skv|sdd|ss|srt",
    re.IGNORECASE,
)
_DIGEST_LENGTH = 16


def is_url(text: object) -> bool:
    """Return whether a text is the URL of an object, and not a path."""
    match = _URL.match(text) if isinstance(text, str) else None
    return match is not None and match[1].lower() not in _LOCAL_PROTOCOLS


def is_file_url(text: object) -> bool:
    """Return whether a text is a `file://` URL."""
    return isinstance(text, str) and text[:7].lower() == "file://"


def path_of_file_url(url: str) -> str:
    """Return the path that a `file://` URL names; MediaError if it is of another machine."""
    host, slash, path = url[7:].partition("/")
    if not slash or host.lower() not in ("", "localhost"):
        detail = "a file:// URL needs a path of this machine: write file:///folder/file"
        raise MediaError("unreadable", detail)
    return os.fsdecode(unquote_to_bytes(slash + path))


def protocol_of(url: str) -> str:
    """Return the first protocol of a URL, in lower case."""
    return url.partition("://")[0].partition("::")[0].lower()


def name_of_url(url: str) -> str:
    """Return a URL without passwords and without its query, for results and messages.

    Two queries may mean two objects. So the parameters, except those that sign the URL, are
    replaced by the beginning of the SHA-256 of their text.
    """
    return "::".join(map(_name_part, _LINK.split(url)))


def name_below(url: str, path: str, *, has_query: bool) -> str:
    """Return the name of an object by its path below the folder that a URL names.

    `has_query` says whether what follows `?` in the URL is part of the folder's path.
    """
    parts = list(map(_name_part, _LINK.split(url)))
    index = next(index for index, part in enumerate(parts) if "://" in part)
    protocol, separator, folder = parts[index].partition("://")
    if not has_query:
        folder = folder.partition("?")[0]
    slash = "" if not folder or folder.endswith("/") else "/"
    parts[index] = f"{protocol}{separator}{folder}{slash}{path}"
    return "::".join(parts)


def _name_part(url: str) -> str:
    protocol, separator, rest = url.partition("://")
    if not separator:
        return url
    if protocol.lower() in _HTTP_PROTOCOLS:
        return _name_http(url)
    host, slash, path = rest.partition("/")
    user, at, place = host.rpartition("@")
    if at and ":" in user:
        host = place
    return f"{protocol}://{host}{slash}{path}"


def _name_http(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # an invalid host
        return url.partition("?")[0]
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(SplitResult(parts.scheme, place, parts.path, _name_query(parts.query), ""))


def _name_query(query: str) -> str:
    kept = [
        parameter
        for parameter in query.split("&")
        if parameter and not _SIGNATURE.fullmatch(unquote_plus(parameter.partition("=")[0]))
    ]
    if not kept:
        return ""
    digest = hashlib.sha256("&".join(kept).encode("utf-8", "surrogateescape")).hexdigest()
    return f"sha256={digest[:_DIGEST_LENGTH]}"
