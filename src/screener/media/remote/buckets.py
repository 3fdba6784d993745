"""Buckets of S3, Google and Azure, which list all keys below a prefix, page by page.

fsspec lists folder by folder. It loses keys with an empty part (`a//b`), and it counts an object as
a folder if the object's metadata says so, which an uploader can write. So this module sends the
requests itself, through fsspec's client.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from screener.media.name import Name
from screener.media.remote.attempts import ObjectChanged, is_missing, repeat
from screener.media.remote.remote_object import (
    LIST_SECONDS,
    PIECE_BYTES,
    Page,
    Pieces,
    RemoteObject,
    as_nanoseconds,
)
from screener.media.remote.url import protocol_of

_PAGE_OBJECTS = 1000


class _Bucket(ABC):
    """What a URL names in a bucket: the object of this key, or those below it.

    `place` is the part of the URL before the slash of the key.
    """

    def __init__(self, files: Any, url: str, bucket: str, place: str) -> None:
        self._files = files
        self._bucket = bucket
        # fsspec drops slashes at the end, which belong to a key.
        self._key = url.partition(f"{place}/")[2]
        self._prefix = f"{protocol_of(url)}://{place}/"

    async def find(self) -> RemoteObject | None:
        """Return the object of this key, or None."""
        if not self._key or self._key.endswith("/"):
            return None
        try:
            return await self._head(self._key)
        except Exception as error:
            if is_missing(error):
                return None
            raise

    async def list_below(self) -> AsyncIterator[Page]:
        """Yield the objects below the key, except empty ones that show a folder."""
        folder = self._key if self._key.endswith("/") or not self._key else f"{self._key}/"
        token: str | None = None
        while True:
            request = partial(self._list, folder, token)
            page, token = await repeat(request, seconds=LIST_SECONDS)
            # A console makes such an object to show a folder.
            yield [one for one in page if one.name.size or not one.key.endswith("/")]
            if not token:
                return

    async def refresh(self, found: RemoteObject) -> RemoteObject:
        """Return the present state of an object."""
        return await self._head(found.key)

    async def read(self, found: RemoteObject) -> Pieces:
        """Yield an object in pieces, all of the version that was found."""
        size = found.name.size or 0
        for start in range(0, size, PIECE_BYTES):
            yield await self._read(found, start, min(start + PIECE_BYTES, size))

    def open(self, found: RemoteObject) -> Any:
        """Open an object for reading at any place."""
        return self._files.open(f"{self._bucket}/{found.key}", "rb")

    def _describe(self, key: str, size: int, time: object, version: str | None) -> RemoteObject:
        name = Name(self._prefix + key, None, size, as_nanoseconds(time))
        return RemoteObject(self, key, name, version)

    @abstractmethod
    async def _head(self, key: str) -> RemoteObject:
        """Return an object. Raises an error that `is_missing` knows if there is none."""

    @abstractmethod
    async def _list(self, prefix: str, token: str | None) -> tuple[Page, str | None]:
        """Return a page of objects, and the token of the next one, if there is one."""

    @abstractmethod
    async def _read(self, found: RemoteObject, start: int, end: int) -> bytes:
        """Return some bytes of an object. Raises ObjectChanged if it has another version."""


class S3Bucket(_Bucket):
    """A bucket of S3, or of another store with the same protocol."""

    def __init__(self, files: Any, url: str) -> None:
        bucket = files.split_path(url)[0]
        super().__init__(files, url, bucket, bucket)

    async def _head(self, key: str) -> RemoteObject:
        answer = await self._files._call_s3("head_object", Bucket=self._bucket, Key=key)
        return self._describe_row(key, {**answer, "Size": answer["ContentLength"]})

    def _describe_row(self, key: str, row: Any) -> RemoteObject:
        return self._describe(key, row["Size"], row["LastModified"], row.get("ETag"))

    async def _list(self, prefix: str, token: str | None) -> tuple[Page, str | None]:
        request = {"Bucket": self._bucket, "Prefix": prefix}
        if token:
            request["ContinuationToken"] = token
        answer = await self._files._call_s3("list_objects_v2", **request)
        page = [self._describe_row(row["Key"], row) for row in answer.get("Contents", ())]
        return page, answer["NextContinuationToken"] if answer.get("IsTruncated") else None

    async def _read(self, found: RemoteObject, start: int, end: int) -> bytes:
        span = f"bytes={start}-{end - 1}"
        answer = await self._files._call_s3(
            "get_object", Bucket=self._bucket, Key=found.key, Range=span
        )
        try:
            if found.version is not None and answer.get("ETag") != found.version:
                raise ObjectChanged
            content: bytes = await answer["Body"].read()
            return content
        finally:
            answer["Body"].close()


class GoogleBucket(_Bucket):
    """A bucket of Google Cloud Storage, through gcsfs."""

    def __init__(self, files: Any, url: str) -> None:
        bucket = files.split_path(url)[0]
        super().__init__(files, url, bucket, bucket)

    async def _head(self, key: str) -> RemoteObject:
        return self._describe_row(await self._get("b/{}/o/{}", self._bucket, key))

    def _describe_row(self, row: Any) -> RemoteObject:
        return self._describe(row["name"], int(row["size"]), row["updated"], row["generation"])

    async def _list(self, prefix: str, token: str | None) -> tuple[Page, str | None]:
        answer = await self._get(
            "b/{}/o", self._bucket, prefix=prefix, pageToken=token, maxResults=_PAGE_OBJECTS
        )
        return list(map(self._describe_row, answer.get("items", ()))), answer.get("nextPageToken")

    async def _get(self, path: str, *parts: str, **parameters: Any) -> Any:
        try:
            return await self._files._call("GET", path, *parts, json_out=True, **parameters)
        except OSError as error:
            raise _as_permission_error(error) from None

    async def _read(self, found: RemoteObject, start: int, end: int) -> bytes:
        path = f"{self._bucket}/{found.key}"
        try:
            content: bytes = await self._files._cat_file(
                path, start=start, end=end, generation=found.version
            )
        except FileNotFoundError:  # this generation; there may be another
            raise ObjectChanged from None
        except OSError as error:
            raise _as_permission_error(error) from None
        return content


def _as_permission_error(error: OSError) -> OSError:
    """Return an error of gcsfs, which has one class for all, with the class that it should have."""
    return PermissionError() if str(error).startswith("Forbidden") else error


class AzureContainer(_Bucket):
    """A container of Azure Blob Storage, through adlfs."""

    def __init__(self, files: Any, url: str) -> None:
        container = files.split_path(url)[0]
        # `az://container/key`, `abfs://container@host/key` or `abfs://host/container/key`
        host = url.partition("://")[2].partition("/")[0]
        is_first = host.partition("@")[0] == container
        super().__init__(files, url, container, host if is_first else f"{host}/{container}")

    async def _head(self, key: str) -> RemoteObject:
        async with self._files.service_client.get_blob_client(self._bucket, key) as blob:
            row = await blob.get_blob_properties()
        if _is_folder(row):
            raise FileNotFoundError
        return self._describe_row(row)

    def _describe_row(self, row: Any) -> RemoteObject:
        return self._describe(row.name, row.size, row.last_modified, _unquote(row.etag))

    async def _list(self, prefix: str, token: str | None) -> tuple[Page, str | None]:
        client = self._files.service_client.get_container_client(self._bucket)
        async with client:
            pages = client.list_blobs(
                name_starts_with=prefix, include=["metadata"], results_per_page=_PAGE_OBJECTS
            ).by_page(continuation_token=token)
            rows = [row async for row in await anext(pages)]
        page = [self._describe_row(row) for row in rows if not _is_folder(row)]
        return page, pages.continuation_token

    async def _read(self, found: RemoteObject, start: int, end: int) -> bytes:
        async with self._files.service_client.get_blob_client(self._bucket, found.key) as blob:
            stream = await blob.download_blob(start, end - start)
            if _unquote(stream.properties.etag) != found.version:
                raise ObjectChanged
            content: bytes = await stream.readall()
        return content


def _unquote(etag: str) -> str:
    """Return an ETag as listings have it; a header has it in quotes."""
    return etag.strip('"')


def _is_folder(row: Any) -> bool:
    """Return whether an empty blob is a folder of an account that has real ones."""
    metadata = row.metadata or {}
    return not row.size and "true" in (metadata.get("hdi_isfolder"), metadata.get("Hdi_isfolder"))
