"""A bucket of S3 over loopback, of so many small objects, whose answers may fail.

It speaks what a scan asks for, ListObjectsV2, HeadObject and GetObject, and makes each object from
its number. One answer in `--faults` fails, in turn: status 500, a body that is cut short, no answer
for `--hang` seconds. Run as a program it prints its port, and ends with its standard input.

    python benchmarks/bucket.py --objects N [--faults N] [--hang SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from urllib.parse import parse_qs, unquote, urlsplit

from pictures import scene

PICTURES = 20
SIDE = 48
PAGE = 1000
MODIFIED = "2026-01-02T03:04:05.000Z", "Fri, 02 Jan 2026 03:04:05 GMT"
_REASONS = {200: "OK", 206: "Partial Content", 404: "Not Found", 500: "Internal Server Error"}


@cache
def picture(number: int) -> bytes:
    """Return one of the few different pictures, as a JPEG of some 1.3 kB."""
    stream = io.BytesIO()
    scene(number, (SIDE, SIDE)).save(stream, "JPEG", quality=75)
    return stream.getvalue()


def content(number: int) -> bytes:
    """Return an object: a picture, and behind its end its number, so that digests differ."""
    return picture(number % PICTURES) + f"{number:012}".encode()


def key(number: int) -> str:
    """Return the key of an object; the order of keys is that of numbers."""
    return f"{number // 10_000:05}/{number:09}.jpg"


def _etag(number: int) -> str:
    return f'"{hashlib.md5(content(number)).hexdigest()}"'


class Bucket:
    """The answers to requests, some of which fail."""

    def __init__(self, objects: int, faults: int, hang: float) -> None:
        self._objects = objects
        self._faults = faults
        self._hang = hang
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split(" ", 2)
                lines = (line.partition(":") for line in head.split("\r\n")[1:])
                headers = {name.lower(): text.strip() for name, _, text in lines}
                if not await self._answer(writer, method, target, headers):
                    break
        writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, method: str, target: str, headers: dict[str, str]
    ) -> bool:
        """Write an answer; return whether the connection lasts."""
        self._count += 1
        fault = -1
        if self._faults and self._count % self._faults == 0:
            fault = self._count // self._faults % 3
        status, fields, body = self._find(target, headers)
        if fault == 0:
            status, fields, body = 500, [], b""
        elif fault == 2:
            await asyncio.sleep(self._hang)
            return False
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {len(body)}", *fields]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if method != "HEAD":
            writer.write(body[: len(body) // 2] if fault == 1 else body)
        await writer.drain()
        return fault != 1

    def _find(self, target: str, headers: dict[str, str]) -> tuple[int, list[str], bytes]:
        parts = urlsplit(target)
        path = unquote(parts.path).strip("/").partition("/")[2]
        if not path:
            query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
            return 200, ["Content-Type: application/xml"], self._list(query)
        number = int(path[-13:-4]) if path.endswith(".jpg") else self._objects
        if number >= self._objects or key(number) != path:
            return 404, [], b""
        whole = content(number)
        fields = [f"ETag: {_etag(number)}", f"Last-Modified: {MODIFIED[1]}"]
        if (span := headers.get("range")) is None:
            return 200, fields, whole
        first, last = span.removeprefix("bytes=").split("-")
        fields.append(f"Content-Range: bytes {first}-{last}/{len(whole)}")
        return 206, fields, whole[int(first) : int(last) + 1]

    def _list(self, query: dict[str, str]) -> bytes:
        begin = int(query.get("continuation-token", "0"))
        end = min(begin + PAGE, self._objects)
        rows = "".join(
            f"<Contents><Key>{key(number)}</Key><LastModified>{MODIFIED[0]}</LastModified>"
            f"<ETag>&quot;{_etag(number)[1:-1]}&quot;</ETag><Size>{len(content(number))}</Size>"
            "</Contents>"
            for number in range(begin, end)
        )
        more = str(end < self._objects).lower()
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if more == "true" else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>bucket</Name>'
            f"<IsTruncated>{more}</IsTruncated>{token}{rows}</ListBucketResult>"
        ).encode()


def contents(objects: int) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and contents of a bucket."""
    for number in range(objects):
        yield key(number), content(number)


async def run(bucket: Bucket) -> None:
    """Serve until standard input ends."""
    server = await asyncio.start_server(bucket.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--objects", type=int, default=1000)
    options.add_argument("--faults", type=int, default=0)
    options.add_argument("--hang", type=float, default=3.0)
    chosen = options.parse_args()
    asyncio.run(run(Bucket(chosen.objects, chosen.faults, chosen.hang)))
