"""The stores that objects lie in, through fsspec: list objects and read them.

A store belongs to one URL. Its coroutines run on the thread of fsspec's event loop. Those of
`buckets` are listed page by page, and their objects are read as one version; other stores are used
as fsspec has them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from screener.errors import MediaError
from screener.media.name import Name
from screener.media.remote.attempts import ObjectChanged, repeat
from screener.media.remote.buckets import AzureContainer, GoogleBucket, S3Bucket
from screener.media.remote.remote_object import (
    LIST_SECONDS,
    PIECE_BYTES,
    Page,
    Pieces,
    RemoteObject,
    Store,
    as_nanoseconds,
)
from screener.media.remote.url import name_below, name_of_url, protocol_of
from screener.system.installation import is_available, make_missing_error

_STREAM_BYTES = 1 << 20
_CONNECT_SECONDS, _READ_SECONDS = 30.0, 60.0

_BUCKETS: dict[str, Callable[[Any, str], Store]] = {
    "s3fs": S3Bucket,
    "gcsfs": GoogleBucket,
    "adlfs": AzureContainer,
}  # by the package of fsspec's class


def open_store(url: str) -> tuple[Store, Any]:
    """Return the store of a URL, and the event loop that its coroutines run on.

    Credentials are those that fsspec finds. Raises MediaError `unsupported` if the extra `cloud` or
    a protocol's own package is missing, `unreadable` for an unknown protocol.
    """
    protocol = protocol_of(url)
    if not is_available("cloud"):
        raise make_missing_error("cloud", f"reading {protocol}:// URLs")
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        detail = f"reading {protocol}:// URLs needs another package: {error}"
        raise MediaError("unsupported", detail) from None
    except Exception as error:  # of the store's own library, for a setting or a name
        kind = type(error).__name__
        detail = f"this URL cannot be opened: check its name and the store's credentials ({kind})"
        raise MediaError("unreadable", detail) from None
    # Chosen by class: a cache of fsspec shows the attributes of the files that it caches.
    bucket = _BUCKETS.get(type(files).__module__.partition(".")[0])
    if bucket is not None:
        return bucket(files, url), files.loop
    if protocol in ("http", "https"):
        return _HttpStore(files, url), files.loop
    if not files.async_impl:
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

        files = AsyncFileSystemWrapper(files, asynchronous=False)
    return _FolderStore(files, path, url), files.loop


class _UnexpectedStatus(Exception):
    """A server answered with something else than an object."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class _HttpStore:
    """A server that is asked for one URL; nothing below it is listed."""

    def __init__(self, files: Any, url: str) -> None:
        self._files = files
        self._url = url

    async def find(self) -> RemoteObject | None:
        return RemoteObject(self, self._url, Name(name_of_url(self._url)))

    async def list_below(self) -> AsyncIterator[Page]:
        return
        yield

    async def refresh(self, found: RemoteObject) -> RemoteObject:
        info = await self._files._info(found.key, timeout=_http_timeout())
        time = as_nanoseconds(info.get("Last-Modified"))
        return replace(found, name=replace(found.name, size=info["size"], mtime_ns=time))

    async def read(self, found: RemoteObject) -> Pieces:
        stream = await self._files.open_async(
            found.key,
            size=0,  # else it would be asked for
            headers={"Accept-Encoding": "identity"},
            timeout=_http_timeout(),
        )
        size = 0
        try:
            while piece := await stream.read(_STREAM_BYTES):
                size += len(piece)
                yield piece
            if stream.r.status != 200:  # such as a part of it, or a redirection to nowhere
                raise _UnexpectedStatus(stream.r.status)
            time = as_nanoseconds(stream.r.headers.get("Last-Modified"))
            yield replace(found.name, size=size, mtime_ns=time)
        finally:
            await stream.close()

    def open(self, found: RemoteObject) -> Any:
        return self._files.open(found.key, "rb")


def _http_timeout() -> Any:
    """Return the limits of a request; those of fsspec end a long download."""
    from aiohttp import ClientTimeout

    return ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)


class _FolderStore:
    """Any other store, which is listed folder by folder in order of name."""

    def __init__(self, files: Any, path: str, url: str) -> None:
        self._files = files
        self._path = path
        self._url = url

    async def find(self) -> RemoteObject | None:
        if self._url.endswith("/") and "::" not in self._url:
            return None  # though there may be an object of the same name without the slash
        info = await self._files._info(self._path)
        if info["type"] == "directory":
            return None
        return self._describe(self._path, info, name_of_url(self._url))

    async def list_below(self) -> AsyncIterator[Page]:
        # A stack instead of recursion: folders can be nested deeper than Python's stack.
        stack = [self._path]
        while stack:
            folder = stack.pop()
            rows = await repeat(partial(self._list, folder), seconds=LIST_SECONDS)
            stack += [
                row["name"]
                for row in reversed(rows)
                # Some stores list a folder in itself.
                if row["type"] == "directory" and row["name"].rstrip("/") != folder.rstrip("/")
            ]
            yield [
                self._describe(row["name"], row, self._url_of(row["name"]))
                for row in rows
                if row["type"] != "directory"
            ]

    async def _list(self, folder: str) -> list[Any]:
        rows = await self._files._ls(folder, detail=True)
        cache = getattr(self._files, "dircache", None)
        if cache is not None:  # it would hold all folders
            cache.clear()
        return sorted(rows, key=lambda row: str(row["name"]))

    async def refresh(self, found: RemoteObject) -> RemoteObject:
        info = await self._files._info(found.key)
        return self._describe(found.key, info, found.name.text or "")

    def _url_of(self, path: str) -> str:
        """Return a name with the host or the archive, which the path may lack."""
        folder = f"{self._path.rstrip('/')}/"
        if path.startswith(folder):
            path = path[len(folder) :]
        elif folder != "/":
            return name_of_url(str(self._files.unstrip_protocol(path)))
        return name_below(self._url, path, has_query="?" in self._path)

    def _describe(self, path: str, info: Any, text: str) -> RemoteObject:
        return RemoteObject(self, path, Name(text, None, info.get("size"), _find_time(info)))

    async def read(self, found: RemoteObject) -> Pieces:
        size, start = found.name.size, 0
        while size is None or start < size:
            # One byte more than there is to be, so that a longer object is noticed.
            count = PIECE_BYTES if size is None else min(PIECE_BYTES, size + 1 - start)
            piece = await self._files._cat_file(found.key, start=start, end=start + count)
            start += len(piece)
            if size is not None and start > size:
                raise ObjectChanged
            yield piece
            if len(piece) < count:
                break
        if start > PIECE_BYTES and (await self.refresh(found)).name != found.name:
            raise ObjectChanged  # between two of its pieces

    def open(self, found: RemoteObject) -> Any:
        return getattr(self._files, "sync_fs", self._files).open(found.key, "rb")


# The names by which stores of fsspec describe when an object was changed.
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "modify", "created")


def _find_time(info: Any) -> int | None:
    return next((time for key in _TIMES if (time := as_nanoseconds(info.get(key)))), None)
