"""The application: routes, access log and counts."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from screener.service.endpoint import CALLER, CODE, VERDICT
from screener.service.limits import REFUSAL
from screener.service.native.routes import routes as native_routes
from screener.service.problems import Problem
from screener.service.server import Service

_log = logging.getLogger(__name__)

_CLIENT_GONE = 499  # in the log: it closed the connection before it had an answer


def create_app(service: Service) -> Starlette:
    """Return the application of a service, which it starts and stops."""
    routes: list[BaseRoute] = native_routes(service)
    if service.settings.hma:
        routes += import_module("screener.service.hma").routes(service)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = Starlette(
        routes=[Table(routes), *routes],
        middleware=[Middleware(Front, service=service)],
        exception_handlers={HTTPException: _answer_http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    code = codes.get(error.status_code, "bad_request")
    request.scope[CODE] = code
    headers = {"Connection": "close", **(error.headers or {})}  # a body may follow
    return Problem(error.status_code, code, error.detail, headers=headers).response


class Table(BaseRoute):
    """The routes without parameters by path and method, so that no other is tried before them."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = {
            (route.path, method): route
            for route in reversed(routes)  # of two, the first counts
            if isinstance(route, Route) and not route.param_convertors
            for method in route.methods or ()
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether there is a route, and what Starlette notes of it."""
        route = self._routes.get((scope.get("path", ""), scope.get("method", "")))
        if route is None:
            return Match.NONE, {}
        return Match.FULL, {"route": route, "endpoint": route.endpoint, "path_params": {}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await scope["route"].app(scope, receive, send)


class Front:
    """The outermost layer: counts and logs each request, and answers bugs with 500.

    A line of the access log has the pattern of the route, never its path, since that could hold a
    hash.
    """

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        self._app = app
        self._metrics = service.metrics
        self._log = service.access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.requests_under_way += 1
        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            _log_bug(error)
            scope[CODE] = "internal"
            if not status:
                answer = Problem(500, "internal", "a bug in screener, please report it", close=True)
                await answer.response(scope, receive, send_and_note)
        finally:
            self._metrics.requests_under_way -= 1
            self._note(scope, status or _CLIENT_GONE, time.perf_counter() - start)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        if REFUSAL in scope:  # whatever the application answered afterwards was not sent
            status, scope[CODE] = scope[REFUSAL]
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if route != "other" else "other"
        self._metrics.count_request(route, method, status, seconds)
        line = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 3),
        }
        for name, key in (("key", CALLER), ("verdict", VERDICT), ("code", CODE)):
            if key in scope:
                line[name] = scope[key]
        if CODE in scope:
            self._metrics.count_refusal(scope[CODE])
        self._log.write(line)


def _log_bug(error: Exception) -> None:
    # Without the text of the exception, which may contain a listed hash.
    calls = "".join(traceback.format_tb(error.__traceback__))
    _log.error("a bug in screener, please report it:\n%s%s", calls, type(error).__name__)
