"""The list of HMA's routes, and how paths find them."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from screener.service.hma import (
    bank_routes,
    content_routes,
    exchanges,
    hashing,
    matching,
)
from screener.service.hma.answers import answer, answer_page, answer_word
from screener.service.hma.context import Handler, Hma, HmaEndpoint
from screener.service.keys import Role
from screener.service.server import Service

_SLASHES = re.compile("/{2,}")
_BANK, _CONTENT = "/c/bank/{bank_name}", "/c/bank/{bank_name}/content/{content_id:int}"
_API, _EXCHANGE = "/c/exchanges/api/{api}", "/c/exchange/{name}"
_CURATE, _MATCH, _SCREEN = (Role.CURATE,), (Role.MATCH,), (Role.SCREEN,)
_ALL = ()  # any key

# Method, path, handler, roles; those that are called most first.
_TABLE: tuple[tuple[str, str, Handler, tuple[Role, ...]], ...] = (
    ("GET", "/m/lookup", matching.lookup, _MATCH),
    ("POST", "/m/lookup", matching.lookup_file, _SCREEN),
    ("POST", "/h/hash", hashing.hash_file, _SCREEN),
    ("GET", "/h/hash", hashing.hash_url, _SCREEN),
    ("GET", "/m/raw_lookup", matching.raw_lookup, _MATCH),
    ("POST", "/m/compare", matching.compare, _MATCH),
    ("GET", "/m/index/status", matching.index_status, _ALL),
    ("GET", "/c/banks", bank_routes.list_banks, _ALL),
    ("POST", "/c/banks", bank_routes.create_bank, _CURATE),
    ("GET", _BANK, bank_routes.show_bank, _ALL),
    ("PUT", _BANK, bank_routes.change_bank, _CURATE),
    ("DELETE", _BANK, bank_routes.delete_bank, _CURATE),
    ("POST", f"{_BANK}/content", content_routes.add_file, _CURATE),
    ("POST", f"{_BANK}/signal", content_routes.add_signals, _CURATE),
    ("GET", _CONTENT, content_routes.show_content, _CURATE),
    ("PUT", _CONTENT, content_routes.change_content, _CURATE),
    ("DELETE", _CONTENT, content_routes.delete_content, _CURATE),
    ("GET", "/c/signal_type", bank_routes.list_signal_types, _ALL),
    ("GET", "/c/signal_type/index", bank_routes.show_indices, _ALL),
    ("PUT", "/c/signal_type/{name}", bank_routes.change_signal_type, _CURATE),
    ("GET", "/c/content_type", bank_routes.list_content_types, _ALL),
    ("GET", "/c/exchanges", exchanges.list_none, _ALL),
    ("POST", "/c/exchanges", exchanges.create, _CURATE),
    ("GET", "/c/exchanges/apis", exchanges.list_none, _ALL),
    ("GET", _API, exchanges.show_api, _CURATE),
    ("POST", _API, exchanges.set_credentials, _CURATE),
    ("GET", f"{_API}/schema", exchanges.show_schema, _CURATE),
    ("GET", _EXCHANGE, exchanges.show, _CURATE),
    ("PUT", _EXCHANGE, exchanges.show, _CURATE),
    ("DELETE", _EXCHANGE, exchanges.delete, _CURATE),
    ("GET", f"{_EXCHANGE}/status", exchanges.show, _CURATE),
)


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of HMA's API. Raises ServiceError if its folder cannot be used."""
    hma = Hma(service)
    found: list[BaseRoute] = [
        HmaRoute(
            path,
            HmaEndpoint(hma, handler, *roles, plain=path in ("/m/lookup", "/m/raw_lookup")),
            methods=[method],
        )
        for method, path, handler, roles in _TABLE
    ]
    free = (
        ("/", _redirect), ("/status", _show_status), ("/status/live", _show_live),
        ("/site-map", _show_site_map), ("/openapi/openapi.json", _show_openapi),
    )  # fmt: skip
    found += [
        HmaRoute(path, HmaEndpoint(hma, handler, free=True), methods=["GET"])
        for path, handler in free
    ]
    return [*found, NoSuchPage()]


class HmaRoute(Route):
    """A route that takes several slashes for one, since a client's base may end with one."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return how well the path of a request matches."""
        if scope["type"] == "http" and "//" in scope["path"]:
            scope = {**scope, "path": _SLASHES.sub("/", scope["path"])}
        try:
            return super().matches(scope)
        except ValueError:  # a number of very many digits
            return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; 405 if only its path matches."""
        assert self.methods is not None
        if scope["method"] in self.methods:
            await self.app(scope, receive, send)
            return
        headers = {"Allow": ", ".join(sorted(self.methods)), "Connection": "close"}
        await answer_page(405, headers)(scope, receive, send)


class NoSuchPage(BaseRoute):
    """What answers a path that no route has, also in part, with HMA's page; not below `/v1`."""

    path = "other"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return that any path matches in part, so that all other routes come first."""
        is_ours = scope["type"] == "http" and not scope["path"].startswith("/v1")
        return (Match.PARTIAL if is_ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with 404."""
        await answer_page(404, {"Connection": "close"})(scope, receive, send)


async def _redirect(_hma: Hma, _request: Request) -> Response:
    return Response(status_code=302, headers={"Location": "/status"})


async def _show_status(hma: Hma, _request: Request) -> Response:
    problems = hma.service.find_problems()
    if not problems:
        return answer_word("I-AM-ALIVE")
    word = "INDEX-STALE" if set(problems) <= {"list_too_old", "list_shrunk"} else "INDEX-NOT-LOADED"
    return answer_word(word, 503)


async def _show_live(_hma: Hma, _request: Request) -> Response:
    return answer_word("I-AM-ALIVE")


async def _show_site_map(_hma: Hma, _request: Request) -> Response:
    return answer(sorted({_flask_pattern(path) for _, path, _, _ in _TABLE}))


async def _show_openapi(_hma: Hma, _request: Request) -> Response:
    paths: dict[str, dict[str, Any]] = {}
    for method, path, handler, _ in _TABLE:
        paths.setdefault(path.replace(":int", ""), {})[method.lower()] = {
            "summary": (handler.__doc__ or "").partition("\n")[0],
            "parameters": [
                {
                    "name": name, "in": "path", "required": True,
                    "schema": {"type": "integer" if type_ else "string"},
                }
                for name, type_ in re.findall(r"\{(\w+)(:int)?\}", path)
            ],
            "responses": {"default": {"description": "See docs/hma.md."}},
        }  # fmt: skip
    info = {"title": "Open Media Match API", "version": "1.1.7"}
    return answer({"openapi": "3.1.0", "info": info, "paths": paths})


def _flask_pattern(path: str) -> str:
    return re.sub(r"\{(\w+)(:int)?\}", lambda m: f"<{m[2][1:] + ':' if m[2] else ''}{m[1]}>", path)
