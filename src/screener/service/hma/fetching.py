"""Files that a client names by their URL, fetched from public addresses and allowed hosts.

The addresses are checked when the connection is made, so neither a redirect nor a name that
resolves anew reaches a private network. Fetches have threads of their own, so no other request
waits for them, and each has one deadline for all of its steps.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from screener.service.hma.answers import HmaError, quote

MAX_BYTES = 100 << 20
_MAX_FETCHES = 4  # at the same time
_MAX_WAITING = 32
_MAX_REDIRECTS = 5
_MAX_ADDRESSES = 3  # of a host, that are tried
_SECONDS = 20.0  # for all of a fetch, with its redirects and the wait for a thread
_STEP_SECONDS = 10.0  # for one step: connecting, or the next bytes
_CHUNK_BYTES = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses in IPv6
_UNSAFE = "Invalid or unsafe URL provided"

_Rule = Callable[[str, str], bool]  # whether an address of a host may be reached


@dataclass(frozen=True)
class Fetched:
    """A file, and the type that its server states."""

    content: bytes
    media_type: str


class Fetcher:
    """Fetches a few files at a time, in threads.

    From `public` addresses, and from `allowed` hosts at whatever address.
    """

    def __init__(
        self, max_bytes: int, *, public: bool = True, allowed: Collection[str] = ()
    ) -> None:
        hosts = frozenset(map(str.lower, allowed))
        self._may_reach = lambda host, address: host in hosts or (public and is_public(address))
        self._max_bytes = min(max_bytes, MAX_BYTES)
        self._threads = ThreadPoolExecutor(_MAX_FETCHES, thread_name_prefix="screener-fetch")
        self._fetches: set[_Fetch] = set()

    def close(self) -> None:
        """Start no further fetch, and end those under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for fetch in list(self._fetches):
            fetch.abort()

    async def fetch(self, url: str) -> Fetched:
        """Return the file of a URL. Raises HmaError if it is refused or cannot be fetched."""
        if len(self._fetches) >= _MAX_FETCHES + _MAX_WAITING:
            raise HmaError(503, "too many URLs are being fetched", code="busy")
        fetch = _Fetch(self._max_bytes, time.monotonic() + _SECONDS, self._may_reach)
        self._fetches.add(fetch)
        try:
            async with asyncio.timeout(_SECONDS):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, fetch.run, url)
        except TimeoutError:
            raise HmaError(400, "Failed to fetch URL: it took too long") from None
        except (OSError, http.client.HTTPException, ValueError):
            raise HmaError(400, "Failed to fetch URL: its server cannot be reached") from None
        finally:
            self._fetches.discard(fetch)
            fetch.abort()


class _Fetch:
    """One fetch, which another thread may end."""

    def __init__(self, max_bytes: int, deadline: float, may_reach: _Rule) -> None:
        self._may_reach = may_reach
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._aborted = False

    def abort(self) -> None:
        """End the fetch, even if it waits for its server."""
        self._aborted = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def run(self, url: str) -> Fetched:
        for _ in range(_MAX_REDIRECTS + 1):
            self._limit_step()  # it may have waited for a thread
            parts = parse_url(url)
            connection = self._connect(parts)
            try:
                target = parts.path or "/"
                target += f"?{parts.query}" if parts.query else ""
                headers = {"Accept-Encoding": "identity", "User-Agent": "screener"}
                connection.request("GET", target, headers=headers)
                with closing(connection.getresponse()) as response:
                    location = response.getheader("Location")
                    if response.status not in _REDIRECTS or location is None:
                        return self._read(response)
                url = urljoin(url, location)
            finally:
                connection.close()
        raise HmaError(400, "Failed to fetch URL: too many redirects")

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        assert parts.hostname is not None
        is_secure = parts.scheme == "https"
        port = parts.port or (443 if is_secure else 80)
        connected = connect_if_allowed(parts.hostname, port, self._limit_step, self._may_reach)
        try:
            if is_secure:
                context = ssl.create_default_context()
                connected = context.wrap_socket(
                    connected, server_hostname=parts.hostname, do_handshake_on_connect=False
                )
            self._socket = connected  # which `abort` ends from now on
            connected.settimeout(self._limit_step())
            if isinstance(connected, ssl.SSLSocket):
                connected.do_handshake()
        except BaseException:
            connected.close()
            raise
        connection = http.client.HTTPConnection(parts.netloc)
        connection.sock = connected
        return connection

    def _limit_step(self) -> float:
        """Return the seconds for the next step. Raises TimeoutError if none are left."""
        seconds = min(self._deadline - time.monotonic(), _STEP_SECONDS)
        if self._aborted or seconds <= 0:
            raise TimeoutError
        return seconds

    def _read(self, response: http.client.HTTPResponse) -> Fetched:
        if response.status != http.client.OK:
            raise HmaError(400, f"Failed to fetch URL: its server answers {response.status}")
        too_large = HmaError(413, "Content too large")
        if (response.length or 0) > self._max_bytes:
            raise too_large
        content = bytearray()
        while chunk := response.read(_CHUNK_BYTES):
            content += chunk
            if len(content) > self._max_bytes:
                raise too_large
        if response.length:
            raise HmaError(400, "Failed to fetch URL: its server sent only a part")
        media_type = response.headers.get_content_type()
        return Fetched(bytes(content), media_type)


def parse_url(url: str) -> SplitResult:
    """Return the parts of a URL. Raises HmaError unless it is one of http(s), without a user."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise HmaError(400, _UNSAFE) from None
    is_plain = url.isascii() and url.isprintable() and " " not in url
    is_web = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if not is_plain or not is_web:
        raise HmaError(400, _UNSAFE)
    return parts


def connect_if_allowed(
    host: str, port: int, limit_step: Callable[[], float], may_reach: _Rule
) -> socket.socket:
    """Return a connection. Raises HmaError if any address of the host may not be reached.

    `limit_step` returns the seconds to try an address, or raises TimeoutError.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses: list[tuple[socket.AddressFamily, Any]] = [(one[0], one[4]) for one in found]
    if not addresses or not all(may_reach(host, str(address[0])) for _, address in addresses):
        raise HmaError(400, _UNSAFE)
    error: OSError | None = None
    for family, address in addresses[:_MAX_ADDRESSES]:
        seconds = limit_step()
        one = socket.socket(family, socket.SOCK_STREAM)
        one.settimeout(seconds)
        try:
            one.connect(address)
            return one
        except OSError as failure:
            one.close()
            error = failure
    assert error is not None
    raise error


def is_public(address: str) -> bool:
    """Return whether an address is one of the public internet, also within an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner: ipaddress.IPv4Address | None = None
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed.teredo is not None:
            inner = parsed.teredo[1]
        if parsed in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast


def find_content_type(media_type: str) -> str:
    """Return the content type of a file by what its server states. Raises HmaError."""
    for start, content_type in (("image/", "photo"), ("video/", "video")):
        if media_type.startswith(start):
            return content_type
    raise HmaError(
        400, f"unsupported url ContentType: {quote(media_type)}, if you know the expected type,"
        " provide it with the content_type query param",
    )  # fmt: skip
