"""Requests that are not answered with a Result, and the form of errors."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from screener.errors import (
    Busy,
    HashError,
    IndexFileError,
    ListError,
    PolicyError,
    PoolClosed,
    WorkerError,
)

RETRY_SECONDS = "1"  # after which a client of a busy service should try again


class Problem(Exception):
    """A request that is answered with an error.

    `code` is for programs and does not change; `message` is for people. `close` ends the
    connection, since the rest of the body is not read.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        if status == 503:
            self.headers["Retry-After"] = RETRY_SECONDS
        if close:
            self.headers["Connection"] = "close"

    @property
    def response(self) -> Response:
        """The answer."""
        return json_response(
            {"error": {"code": self.code, "message": self.message}}, self.status, self.headers
        )


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a value as a JSON answer."""
    return Response(
        msgspec.json.encode(value), status, headers=headers, media_type="application/json"
    )


def json_bytes(body: bytes) -> Response:
    """Return encoded JSON as an answer, in less time than `Response` of it."""
    response = Response.__new__(Response)
    response.status_code, response.background, response.body = 200, None, body
    response.raw_headers = [
        (b"content-length", b"%d" % len(body)),
        (b"content-type", b"application/json"),
    ]
    return response


def problem_of(error: Exception) -> Problem | None:
    """Return an error of the library as a Problem, or None if it is a bug.

    None of them says anything about an upload, so each is 503, which no client takes for clear.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, Busy):
        return Problem(503, "busy", str(error))
    if isinstance(error, TimeoutError):
        return Problem(503, "no_answer_in_time", "there is no Result in time; it is unscreened")
    if isinstance(error, PoolClosed):
        return Problem(503, "stopping", "the service is stopping")
    if isinstance(error, WorkerError):
        return Problem(503, "no_workers", "worker processes cannot be started")
    if isinstance(error, PolicyError):  # of a request in the very second at which it is too old
        return Problem(503, "list_too_old", "a list is older than the policy allows")
    if isinstance(error, ListError | IndexFileError):
        return Problem(503, "list_unavailable", "a list cannot be read")
    if isinstance(error, MemoryError | OSError):
        return Problem(503, "busy", "the system has no memory or no file for it at present")
    if isinstance(error, HashError):
        return Problem(400, "bad_hash", str(error))
    return None
