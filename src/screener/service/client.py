"""Clients of a service: the calls of a Pool and of a Screener, answered by another process."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import httpx

from screener.arguments import integer_within
from screener.errors import PoolClosed, ServiceError, Unavailable
from screener.hashing.hash import Hash
from screener.media.source import Item
from screener.screening.result import Result
from screener.service.body import Body
from screener.service.protocol import (
    Answer,
    Attempts,
    ListInfo,
    check_key,
    encode_hashes,
    encode_id,
    encode_lists,
    out_of_time,
    read_lists,
    read_matched,
    read_ready,
    read_screened,
)

__all__ = ["AsyncClient", "Client", "ListInfo"]

_CONNECT_SECONDS = 10.0
_READY_SECONDS = 10.0
_MAX_ATTEMPTS = 100
_MAX_SECONDS = 24 * 3600.0
_OCTETS = {"Content-Type": "application/octet-stream"}
_JSON = {"Content-Type": "application/json"}

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Call:
    """A request, without its body."""

    method: str
    path: str
    headers: dict[str, str]
    params: list[tuple[str, str]]


_READY = _Call("GET", "/v1/health/ready", {}, [])
_LISTS = _Call("GET", "/v1/lists", {}, [])


class _Connections:
    """The settings of a client, and its connections in this process.

    A fork makes connections of its own: on those of its parent it could read the answer to another
    item.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        url: str,
        key: str | None,
        timeout: float,
        attempts: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            parsed = httpx.URL()
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise ServiceError("the address of a service must be http://HOST:PORT or https://HOST")
        count = integer_within(attempts, 1, _MAX_ATTEMPTS)
        if count is None:
            raise ServiceError(f"attempts must be an integer from 1 to {_MAX_ATTEMPTS}")
        if not isinstance(timeout, int | float) or not 0 < timeout <= _MAX_SECONDS:
            raise ServiceError(f"timeout must be a number of seconds up to {_MAX_SECONDS:.0f}")
        self.attempts, self.timeout = count, float(timeout)
        self._make = make
        self._settings = {
            "base_url": parsed,
            "headers": {"Accept-Encoding": "identity"} | check_key(key),
            "verify": tls or (ssl.create_default_context() if parsed.scheme == "https" else False),
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=64),
            "trust_env": False,  # no proxy that the caller did not ask for
            "follow_redirects": False,
        }
        self._closed = False
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        self._http = self._make(**self._settings)

    @property
    def http(self) -> Any:
        """The open connections. Raises PoolClosed if the client was closed."""
        if self._closed:
            raise PoolClosed("the client is closed")
        if self._process != os.getpid():
            self._open()
        return self._http

    def close(self) -> Any:
        """Refuse further calls; return the connections of this process, which are to be closed."""
        self._closed = True
        return self._http if self._process == os.getpid() else None

    def request(self, call: _Call, content: Any, size: int | None, seconds: float) -> Any:
        """Return the arguments of a request."""
        headers = call.headers
        if size is not None:
            headers = headers | {"Content-Length": str(size)}
        limits = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
        return {
            "method": call.method, "url": call.path, "params": call.params, "headers": headers,
            "content": content, "timeout": limits,
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"of {self._settings['base_url']}"


def _failure(error: httpx.HTTPError) -> Unavailable:
    if isinstance(error, httpx.ConnectTimeout):  # nothing was sent
        return Unavailable("the service cannot be reached: no connection in time")
    if isinstance(error, httpx.TimeoutException):
        return out_of_time()
    return Unavailable(f"the service cannot be reached: {type(error).__name__}")


class Client:
    """A client of a service, which threads may share; a context manager that closes it.

    It sends files as they are, and decodes nothing. Only a service that is busy or cannot be
    reached is asked again, with growing pauses.

    Parameters:
        url: The address of the service, as `https://screener.example:8000`.
        key: A key of `screener serve-key`.
        timeout: The seconds for a call, with all of its attempts.
        attempts: The number of attempts for a call.
        tls: A context for `https`, such as `ssl.create_default_context(cafile="ca.pem")`
            (default: the certificate authorities of the system).

    All calls raise a RemoteError if there is no answer that they can return: Unavailable, Refused
    or BadAnswer. They raise PoolClosed if the client was closed.

    Raises:
        ServiceError: If an argument is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 150.0,
        attempts: int = 4,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connections = _Connections(httpx.Client, url, key, timeout, attempts, tls)

    def __repr__(self) -> str:
        return f"<Client {self._connections!r}>"

    def screen(
        self,
        item: Item,
        *,
        name: str | None = None,
        id: str | None = None,
        lists: Collection[str] | None = None,
    ) -> Result:
        """Screen a file and return its Result, as `Pool.screen` of the service would.

        Parameters:
            item: A path, bytes or a file object, which is sent from its position on.
            name: The name in the Result. It is not sent. By default, it is the id that a service
                gives to an upload whose hashes it stores, else the name of a file.
            id: Your id of the upload, instead of a name: it is sent, and is `input` of the Result
                and the name in later reports.
            lists: The names of the lists to match it against (default: all).

        Raises:
            TypeError: If the item is of another type, such as an array.
            MediaError: If a file cannot be read.
            ListError: If `lists` has no name.
            ServiceError: If the id is malformed, or there is a name too.
            RemoteError: If there is no Result.
        """
        params = [*encode_lists(lists), *encode_id(id, name)]
        call = _Call("POST", "/v1/screen", _OCTETS, params)
        with Body(item, name) as body:
            return self._call(call, lambda answer: read_screened(answer, body, id), body)

    def match(
        self,
        hashes: Iterable[Hash],
        *,
        input: str | None = None,
        lists: Collection[str] | None = None,
    ) -> Result:
        """Match the hashes of one item, as `Screener.match` of the service would.

        `input` is the name in the Result; it is not sent. Raises HashError for anything but Hashes,
        ListError if `lists` has no name, and RemoteError if there is no Result.
        """
        call = _Call("POST", "/v1/match", _JSON, encode_lists(lists))
        with Body(encode_hashes(hashes)) as body:
            return self._call(call, lambda answer: read_matched(answer, input), body)

    def lists(self) -> tuple[ListInfo, ...]:
        """Return the lists of the service. Raises RemoteError."""
        return self._call(_LISTS, read_lists)

    def ready(self) -> bool:
        """Return whether the service can be reached and can screen, after one attempt.

        Raises BadAnswer or Refused if something else answers.
        """
        try:
            return read_ready(self._send(_READY, None, Attempts(1, _READY_SECONDS)))
        except Unavailable:
            return False

    def close(self) -> None:
        """Close all connections."""
        http = self._connections.close()
        if http is not None:
            http.close()

    def _call(self, call: _Call, read: Callable[[bytes], _T], body: Body | None = None) -> _T:
        attempts = Attempts(self._connections.attempts, self._connections.timeout)
        while True:
            try:
                return read(self._send(call, body, attempts))
            except Unavailable as failure:
                is_repeatable = body is None or body.is_repeatable
                pause = attempts.pause_after(failure, is_repeatable=is_repeatable)
            time.sleep(pause)

    def _send(self, call: _Call, body: Body | None, attempts: Attempts) -> bytes:
        content = None if body is None else _within(body.pieces(), attempts)
        size = None if body is None else body.size
        http = self._connections.http
        request = self._connections.request(call, content, size, attempts.seconds)
        try:
            with http.stream(**request) as response:
                answer = Answer(response.status_code, response.headers)
                for piece in response.iter_raw():
                    answer.add(piece)
                    _ = attempts.seconds
        except httpx.HTTPError as error:
            raise _failure(error) from None
        return answer.finish()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _within(pieces: Iterator[bytes], attempts: Attempts) -> Iterator[bytes]:
    """Yield pieces until the time is over. Raises Unavailable then."""
    for piece in pieces:
        yield piece
        _ = attempts.seconds


class AsyncClient:
    """A client of a service for asyncio, otherwise like `Client`.

    Tasks of one event loop may share it. Files are read in threads. If a task is cancelled, so is
    its request.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 150.0,
        attempts: int = 4,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connections = _Connections(httpx.AsyncClient, url, key, timeout, attempts, tls)

    def __repr__(self) -> str:
        return f"<AsyncClient {self._connections!r}>"

    async def screen(
        self,
        item: Item,
        *,
        name: str | None = None,
        id: str | None = None,
        lists: Collection[str] | None = None,
    ) -> Result:
        """Screen a file and return its Result, as `Client.screen`."""
        params = [*encode_lists(lists), *encode_id(id, name)]
        call = _Call("POST", "/v1/screen", _OCTETS, params)
        with await asyncio.to_thread(Body, item, name) as body:
            return await self._call(call, lambda answer: read_screened(answer, body, id), body)

    async def match(
        self,
        hashes: Iterable[Hash],
        *,
        input: str | None = None,
        lists: Collection[str] | None = None,
    ) -> Result:
        """Match the hashes of one item, as `Client.match`."""
        call = _Call("POST", "/v1/match", _JSON, encode_lists(lists))
        with Body(encode_hashes(hashes)) as body:
            return await self._call(call, lambda answer: read_matched(answer, input), body)

    async def lists(self) -> tuple[ListInfo, ...]:
        """Return the lists of the service, as `Client.lists`."""
        return await self._call(_LISTS, read_lists)

    async def ready(self) -> bool:
        """Return whether the service can be reached and can screen, as `Client.ready`."""
        try:
            return read_ready(await self._send(_READY, None, Attempts(1, _READY_SECONDS)))
        except Unavailable:
            return False

    async def close(self) -> None:
        """Close all connections."""
        http = self._connections.close()
        if http is not None:
            await http.aclose()

    async def _call(self, call: _Call, read: Callable[[bytes], _T], body: Body | None = None) -> _T:
        attempts = Attempts(self._connections.attempts, self._connections.timeout)
        while True:
            try:
                return read(await self._send(call, body, attempts))
            except Unavailable as failure:
                is_repeatable = body is None or body.is_repeatable
                pause = attempts.pause_after(failure, is_repeatable=is_repeatable)
            await asyncio.sleep(pause)

    async def _send(self, call: _Call, body: Body | None, attempts: Attempts) -> bytes:
        content = None if body is None else _pieces(body)
        size = None if body is None else body.size
        http = self._connections.http
        request = self._connections.request(call, content, size, attempts.seconds)
        try:
            async with asyncio.timeout(attempts.seconds), http.stream(**request) as response:
                answer = Answer(response.status_code, response.headers)
                async for piece in response.aiter_raw():
                    answer.add(piece)
        except httpx.HTTPError as error:
            raise _failure(error) from None
        except TimeoutError:
            raise out_of_time() from None
        return answer.finish()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _pieces(body: Body) -> AsyncIterator[bytes]:
    pieces = body.pieces()
    while piece := (
        next(pieces, b"") if body.is_in_memory else await asyncio.to_thread(next, pieces, b"")
    ):
        yield piece
