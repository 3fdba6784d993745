"""Routes: who may call them, and what becomes of errors."""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from screener.service.keys import Role
from screener.service.limits import ClientGone, read_headers
from screener.service.problems import Problem, problem_of
from screener.service.server import Service
from screener.service.settings import is_loopback

Handler = Callable[[Service, Request], Awaitable[Response]]

# Keys of a scope, for the access log: the name of the caller's key, the verdict, and the code of an
# error.
CALLER, VERDICT, CODE = "screener.caller", "screener.verdict", "screener.code"


class Endpoint:
    """The application of a route: it checks the key, calls the handler, and answers errors.

    `roles` are those of which a key needs one; None if everybody may call the route.
    """

    def __init__(
        self, service: Service, handler: Handler, *roles: Role, free: bool = False
    ) -> None:
        self._service = service
        self._handler = handler
        self._roles = frozenset(roles)
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            if not self._free:
                check_key(self._service, request, self._roles)
            response = await self._handler(self._service, request)
        except ClientGone:
            return
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            scope[CODE] = problem.code
            response = problem.response
        await response(scope, receive, send)


def _refuse_other_sites(request: Request, allowed: tuple[str, ...]) -> None:
    """Refuse what a web page of another site sends through a browser.

    The host must be this machine's or an allowed one: a page of another site can give its own name
    this address.
    """
    headers = read_headers(request)
    host = headers.get(b"host")
    if host is not None and not _is_ours(host, allowed):
        raise Problem(
            403, "forbidden", "a service without keys answers only as localhost or 127.0.0.1: send"
            " that as the host, make a key with `screener serve-key`, or use --allowed-host",
            close=True,
        )  # fmt: skip
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    is_foreign = origin is not None and origin.partition(b"://")[2] != host
    if is_foreign or site in (b"cross-site", b"same-site"):
        raise Problem(403, "forbidden", "a service without keys answers no other site", close=True)


@lru_cache(64)  # of each request
def _is_ours(host: bytes, allowed: tuple[str, ...]) -> bool:
    """Return whether a `Host` header names this machine, or is allowed."""
    try:
        name = urlsplit(f"//{host.decode('latin-1')}").hostname or ""
        return is_loopback(name) or name in map(str.lower, allowed)
    except ValueError:  # a malformed one
        return False


def _read_secret(header: str) -> str | None:
    """Return the key of an `Authorization` header: a bearer, or the password of Basic."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    try:
        decoded = binascii.a2b_base64(value) if scheme.lower() == "basic" else b""
    except ValueError:
        return None
    return decoded.decode("latin-1").partition(":")[2]


def check_key(service: Service, request: Request, roles: frozenset[Role]) -> None:
    """Raise a Problem if a request has no key with one of the roles; without roles, any key."""
    keys = service.keys
    if keys is None:
        _refuse_other_sites(request, service.settings.allowed_hosts)
        return
    secret = _read_secret(read_headers(request).get(b"authorization", b"").decode("latin-1"))
    key = None if secret is None else keys.find(secret)
    if key is None:
        raise Problem(
            401, "unauthorized", "send a key: `Authorization: Bearer KEY`, or Basic",
            headers={"WWW-Authenticate": "Bearer"}, close=True,
        )  # fmt: skip
    request.scope[CALLER] = key.name
    if roles and not roles & key.roles:
        raise Problem(
            403, "forbidden", f"this needs a key with the role {' or '.join(sorted(roles))}",
            close=True,
        )  # fmt: skip
