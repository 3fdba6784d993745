"""Standard Webhooks: events signed with HMAC-SHA256, sent to one URL."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from screener.errors import ServiceError, cause
from screener.service.settings import is_loopback
from screener.system.installation import __version__

_PREFIX = "whsec_"
_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64
_MAX_SECRETS = 4
_MAX_FILE_BYTES = 4096
_MAX_ANSWER_BYTES = 1 << 16
_MAX_WAIT_SECONDS = 3600


class Undelivered(Exception):
    """The receiver did not take an event.

    `status` is that of its answer, or None without an answer; `seconds` are those that it asks to
    wait, or 0.
    """

    def __init__(self, message: str, status: int | None = None, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.seconds = seconds


def load_secrets(path: Path) -> list[bytes]:
    """Return the secrets in a file, one a line. Raises ServiceError, which quotes none."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ServiceError(f"the secret of the webhook cannot be read: {error}") from None
    lines = text.split() if len(text) <= _MAX_FILE_BYTES else []
    secrets = [_decode_secret(line, path) for line in lines]
    if not 1 <= len(secrets) <= _MAX_SECRETS:
        raise ServiceError(f"{path} must have one to {_MAX_SECRETS} secrets, one a line")
    return secrets


def _decode_secret(line: bytes, path: Path) -> bytes:
    with contextlib.suppress(binascii.Error):
        secret = base64.b64decode(line.removeprefix(_PREFIX.encode()), validate=True)
        is_long = _MIN_SECRET_BYTES <= len(secret) <= _MAX_SECRET_BYTES
        if line.startswith(_PREFIX.encode()) and is_long:
            return secret
    raise ServiceError(
        f"{path}: a secret is {_PREFIX} and {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} random bytes"
        " as base64"
    )


def sign(secrets: Sequence[bytes], event_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: a signature for each secret."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(secret, signed, "sha256") for secret in secrets)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


class Webhook:
    """A receiver of events; for one thread.

    Only this URL is called: no redirect is followed, and no proxy is used. Raises ServiceError if
    the URL is neither https nor http on this machine.
    """

    def __init__(self, url: str, secrets: Sequence[bytes], *, seconds: float = 10.0) -> None:
        """Check the URL; `seconds` is the time for one delivery."""
        self._secrets = tuple(secrets)
        self._seconds = seconds
        self._connection = _connect(url, seconds)
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def send(self, event_id: str, body: bytes) -> None:
        """Deliver an event; raise Undelivered if the answer is not 2xx, or not in time."""
        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"screener/{__version__}",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secrets, event_id, timestamp, body),
        }
        # The time-out of a socket is that of one call, and an answer may come byte by byte.
        done, late = threading.Event(), threading.Event()
        threading.Thread(target=self._limit, args=(done, late), daemon=True).start()
        try:
            self._connection.request("POST", self._target, body, headers)
            answer = self._connection.getresponse()
            status, wait = answer.status, answer.getheader("Retry-After", "")
            if len(answer.read(_MAX_ANSWER_BYTES)) == _MAX_ANSWER_BYTES or status >= 300:
                self._connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise Undelivered(f"no answer ({type(error).__name__})") from None
        finally:
            done.set()
        if late.is_set():  # what was cut off may look like an answer
            self._connection.close()
            raise Undelivered("no answer in time")
        if not 200 <= status < 300:
            seconds = min(int(wait), _MAX_WAIT_SECONDS) if wait.isdecimal() else 0
            raise Undelivered(f"answer {status}", status, seconds)

    def close(self) -> None:
        """Close the connection, which the next event opens again."""
        self._connection.close()

    def _limit(self, done: threading.Event, late: threading.Event) -> None:
        """Break the connection off if a delivery is not done in time, and set `late`."""
        wait = self._seconds
        while not done.wait(wait):
            late.set()
            wait = 0.5  # there may be no socket yet
            connected = self._connection.sock
            if connected is not None:
                with contextlib.suppress(OSError):
                    connected.shutdown(socket.SHUT_RDWR)


def _connect(url: str, seconds: float) -> http.client.HTTPConnection:
    """Return a connection, which is opened when it is used first."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.username is not None or parts.fragment or not _is_plain(url):
        raise ServiceError("the URL of the webhook must be like https://example.org/path")
    if parts.scheme == "https":
        try:
            context = ssl.create_default_context()
        except (OSError, ssl.SSLError) as error:
            raise ServiceError(f"no certificates for the webhook: {cause(error)}") from None
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    if parts.scheme == "http" and is_loopback(host):
        return http.client.HTTPConnection(host, port, timeout=seconds)
    raise ServiceError("the URL of the webhook must be https, or http to this machine")


def _is_plain(url: str) -> bool:
    return all("!" <= character <= "~" for character in url)
