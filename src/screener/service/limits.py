"""Limits on what a client may send, and how slowly.

The body of a request is read completely before a worker is asked, so a slow client occupies a
connection and never a worker. No body is written to a disk.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Self, TypeVar

import msgspec
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from screener.service.problems import Problem
from screener.service.settings import Settings
from screener.system.private_copy import seal

_MAX_HEADER_BYTES = 64 << 10
_MAX_HEADERS = 128
_MAX_PIPELINED = 16  # requests that a client may send before it has the answer to the first
_MAX_DIGITS = 20  # of the length of a body
_TOO_MANY = (503, "busy", "there are too many connections")
_INTERIM = b"HTTP/1.1 1"  # the beginning of an answer that another follows
_MAX_JOINED_BYTES = 1 << 20  # larger uploads are files in memory, which the pool does not copy

# Paths that are answered in spare connections, over the limit.
_HEALTH = (b"/v1/health/live", b"/v1/health/ready", b"/status", b"/status/live")
_SPARE = 128

# The key of a scope for the status and the code with which the connection refused the request.
REFUSAL = "screener.refusal"

_HEADERS = "screener.headers"  # the key for the headers by name

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Buffer:
    """The memory for all bodies: `max_bytes`, of which `taken` are in use."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.taken = 0

    def account(self) -> Account:
        """Return the account of one request."""
        return Account(self)


class Account:
    """The bytes in memory of one request, which are free again at the end of a `with` block."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._taken = 0

    def take(self, count: int) -> None:
        """Take bytes. Raises a Problem if there are too few."""
        buffer = self._buffer
        if buffer.taken + count > buffer.max_bytes:
            raise Problem(503, "busy", "too many bytes of other requests are in memory", close=True)
        buffer.taken += count
        self._taken += count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._buffer.taken -= self._taken


def read_headers(request: Request) -> dict[bytes, bytes]:
    """Return the first header of each name in lower case.

    Many times as fast as `request.headers`, which decodes all of them for each.
    """
    headers: dict[bytes, bytes] | None = request.scope.get(_HEADERS)
    if headers is None:
        headers = request.scope[_HEADERS] = dict(reversed(request.scope["headers"]))
    return headers


async def read_body(request: Request, account: Account, max_bytes: int) -> bytes:
    """Return the body of a request.

    Raises a Problem if it is too large or there is no memory for it at present, and ClientGone if
    the client closed the connection.
    """
    pieces = _Pieces(request, account, max_bytes)
    first = await pieces.receive()
    if pieces.ended:  # most bodies are one piece
        return first
    body = bytearray(first)
    while not pieces.ended:
        body += await pieces.receive()
    return bytes(body)


@asynccontextmanager
async def receive_upload(
    request: Request, account: Account, max_bytes: int
) -> AsyncIterator[bytes | io.FileIO]:
    """Yield the body as `read_body` returns it, or a large one as an open file in memory."""
    joined = bytearray()
    pieces = _Pieces(request, account, max_bytes)
    with ExitStack() as stack:
        file: io.FileIO | None = None
        while not pieces.ended:
            joined += await pieces.receive()
            if len(joined) > _MAX_JOINED_BYTES and hasattr(os, "memfd_create"):
                if file is None:
                    memory = os.memfd_create("screener", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
                    file = stack.enter_context(io.FileIO(memory, "r+"))
                _write(file, joined)
                joined = bytearray()
        if file is None:
            account.take(len(joined))  # the pool copies it
            yield bytes(joined)
        else:
            _write(file, joined)
            seal(file.fileno())
            file.seek(0)
            yield file


def _write(file: io.FileIO, content: bytearray) -> None:
    written = 0
    while written < len(content):
        written += file.write(memoryview(content)[written:])


class _Pieces:
    """The pieces of a body, within limits. Raises a Problem if it is too large by its header."""

    def __init__(self, request: Request, account: Account, max_bytes: int) -> None:
        self.ended = False
        self._receive = request.receive
        self._account = account
        self._max_bytes = max_bytes
        self._count = 0
        declared = read_headers(request).get(b"content-length") or b"0"
        if len(declared) > _MAX_DIGITS or int(declared) > max_bytes:  # the parser takes only digits
            raise _too_large(max_bytes)

    async def receive(self) -> bytes:
        """Return the next piece, which may be empty; after the last one, `ended` is True."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self._count += len(piece)
        if self._count > self._max_bytes:
            raise _too_large(self._max_bytes)
        self._account.take(len(piece))
        self.ended = not message.get("more_body", False)
        return piece


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of some work for a request whose body was read.

    If the client closes the connection, cancel it and raise ClientGone: else the uploads of clients
    that try again would fill the queue.
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_wait_until_gone(request))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        watch.cancel()


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_large(max_bytes: int) -> Problem:
    return Problem(413, "too_large", f"a body may have {max_bytes} bytes", close=True)


class _Outlet:
    """The transport of one answer, which sends its head together with the first of its body.

    Two packets would take the server and the client twice the time.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Send data; hold back the head, which comes first, except after `100 Continue`."""
        if self._head is None and not data.startswith(_INTERIM):
            self._head = data
        elif self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send a head that no body followed."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close the connection when all is sent."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is closed."""
        return self._transport.is_closing()


class Connection(HttpToolsProtocol):
    """A connection with limits on its header, its time and the number of others.

    `settings` is what it is limited by. `note` is called with the status and the code of a refusal
    that no request of the application shows.
    """

    def __init__(
        self, *, settings: Settings, note: Callable[[int, str], None], **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._settings = settings
        self._note = note
        self._refusal = (400, "bad_request", "this is not a valid HTTP request")
        self._header_bytes = 0
        self._reading_header = True
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._outlet: _Outlet | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection if there are too many, even for a health check."""
        super().connection_made(transport)
        self._is_spare = len(self.connections) > self._settings.connections
        if len(self.connections) > self._settings.connections + _SPARE:
            self._refuse(*_TOO_MANY)
            return
        self._limit_time(self._settings.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and the requests that wait in it."""
        self._limit_time(None)
        self.resume_writing()
        self._disconnect()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        cycle.transport = self._outlet = _Outlet(self.transport)  # type: ignore[assignment]
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Send the head of an answer without a body, and begin the next request."""
        assert self._outlet is not None
        self._outlet.flush()
        super().on_response_complete()

    def _disconnect(self) -> None:
        """Let the request under way be without an answer, and begin no other.

        It is not always `cycle`, which is the last of several.
        """
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse data, unless the connection was refused."""
        if self.transport.is_closing():
            return
        if self._reading_header:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._reading_header and self._header_bytes > _MAX_HEADER_BYTES:
            self._refuse(431, "header_too_large", "the header of the request is too large")
        elif self._timer is None and self._is_idle():  # line breaks alone begin no request
            self._limit_time(self._settings.idle_seconds)

    def _is_idle(self) -> bool:
        is_answered = self.cycle is None or self.cycle.response_complete
        return is_answered and self.timeout_keep_alive_task is None

    def on_message_begin(self) -> None:
        """Limit the time for the header."""
        super().on_message_begin()
        self._reading_header, self._header_bytes = True, 1
        self._limit_time(self._settings.header_seconds)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; refuse the request for one after the body."""
        if not self._reading_header:
            raise ValueError("a trailer")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, unless its header is too large or too many others wait."""
        size = sum(len(name) + len(value) for name, value in self.headers) + len(self.url)
        if size > _MAX_HEADER_BYTES or len(self.headers) > _MAX_HEADERS:
            self._refusal = (431, "header_too_large", "the header of the request is too large")
            raise ValueError("too large")
        if self._is_spare and self.url.partition(b"?")[0] not in _HEALTH:
            self._refusal = _TOO_MANY
            raise ValueError("too many")
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._refusal = (400, "bad_request", "too many requests wait in this connection")
            raise ValueError("too many")
        self._reading_header = False
        self._limit_time(self._settings.body_seconds)
        super().on_headers_complete()
        if self._is_spare:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End the limit of time."""
        self._limit_time(None)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Limit the time in which the client reads its answer."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self._settings.body_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """End that limit."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed."""
        self._refuse(*self._refusal)

    def _limit_time(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        """End a connection whose request did not come in time, with 408 if some of it came."""
        self._timer = None
        if self.transport.is_closing():
            return
        if self._header_bytes == 0:
            self.transport.abort()
        else:
            self._refuse(408, "too_slow", "the request did not come in time")

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer with an error, unless this request has the beginning of an answer, and end the
        connection.
        """
        self._limit_time(None)
        running = self._running
        is_answered = running is not None and running.response_started and (
            not running.response_complete or (running is self.cycle and not self._reading_header)
        )  # fmt: skip
        if not is_answered:
            media_type, body = (
                b"application/json",
                msgspec.json.encode({"error": {"code": code, "message": message}}),
            )
            if self._settings.hma:  # whose clients may take names in JSON for those of banks
                media_type, body = b"text/plain", message.encode()
            head = b"content-type: %b\r\nconnection: close\r\ncontent-length: %d" % (
                media_type,
                len(body),
            )
            self.transport.write(STATUS_LINE[status] + head + b"\r\n\r\n" + body)
            if running is None or running.response_complete:
                self._note(status, code)
            else:  # the request under way ends with this answer
                running.scope[REFUSAL] = status, code  # type: ignore[literal-required]
        self._disconnect()
        self.transport.close()
