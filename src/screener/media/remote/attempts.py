"""Repeat a request that failed, and describe an error without what it must not show."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from screener.errors import MediaError

_MAX_ATTEMPTS = 6
_PAUSE_SECONDS = 0.2  # before the second attempt, on average; each further pause is twice as long

# Errors of S3's, Google's and Azure's libraries.
_NO_CREDENTIALS = ("NoCredentialsError", "DefaultCredentialsError", "CredentialUnavailableError")

T = TypeVar("T")


class ObjectChanged(Exception):
    """An object is another one than was found: its size or ETag changed."""


async def repeat(request: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """Return the answer to a request, which is repeated if it fails.

    Raises MediaError: `timeout` after so many seconds of wall time, `unreadable` if no attempt
    succeeds or another cannot. Its detail has neither URL nor credentials.
    """
    last: Exception = TimeoutError()
    try:
        async with asyncio.timeout(seconds):
            for attempt in range(_MAX_ATTEMPTS):
                if attempt:
                    await asyncio.sleep(_PAUSE_SECONDS * 2**attempt * random.random())
                try:
                    return await request()
                except MediaError:
                    raise
                except Exception as error:  # of any library that a store uses
                    last = error
                    if _is_final(error):
                        break
    except TimeoutError:
        detail = f"not read within {seconds:g} s: {_describe(last)}"
        raise MediaError("timeout", detail) from None
    raise MediaError("unreadable", _describe(last))


def is_missing(error: BaseException) -> bool:
    """Return whether an error means that there is no such object."""
    return isinstance(error, FileNotFoundError) or _status_of(error) == 404


def _status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error of any store's library has, if it has one."""
    for name in ("status", "status_code", "code"):  # of aiohttp, Azure and gcsfs
        status = getattr(error, name, None)
        if isinstance(status, int):
            return status
    return None


def _is_final(error: BaseException) -> bool:
    """Return whether another attempt cannot succeed: there is no object, or no permission."""
    status = _status_of(error)
    if status is not None:  # 408 and 429 ask for another attempt
        return 400 <= status < 500 and status not in (408, 429)
    if isinstance(error, FileNotFoundError | PermissionError | NotImplementedError | ValueError):
        return True  # ValueError is for an invalid name
    return type(error).__name__ in _NO_CREDENTIALS


def _describe(error: BaseException) -> str:
    """Return an error in words of our own, since its text may contain a signed URL."""
    status = _status_of(error)
    if is_missing(error):
        return "there is no such object"
    if isinstance(error, PermissionError) or status in (401, 403):
        return "access to it is denied"
    if isinstance(error, EOFError):
        return "it was cut short"
    if isinstance(error, ObjectChanged):
        return "it changed while it was read"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if status is not None:
        return f"the server answered with status {status}"
    if type(error).__name__ in _NO_CREDENTIALS:
        return "there are no credentials for it"
    return f"it could not be read ({type(error).__name__})"
