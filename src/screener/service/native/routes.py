"""The list of native routes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from screener.service.endpoint import Endpoint
from screener.service.keys import Role
from screener.service.native import health, lists, matching, screening
from screener.service.native.openapi import DOCUMENT
from screener.service.problems import json_response
from screener.service.server import Service


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes, those that are called most first."""
    endpoints = (
        ("POST", "/v1/match", Endpoint(service, matching.match, Role.MATCH)),
        ("POST", "/v1/screen", Endpoint(service, screening.screen, Role.SCREEN)),
        ("POST", "/v1/hook", Endpoint(service, screening.hook, Role.SCREEN)),
        ("GET", "/v1/health/live", Endpoint(service, health.live, free=True)),
        ("GET", "/v1/health/ready", Endpoint(service, health.ready, free=True)),
        ("GET", "/v1/lists", Endpoint(service, lists.show_lists)),
        ("POST", "/v1/lists/{name}/opinions",
         Endpoint(service, lists.give_opinion, Role.CURATE)),
        ("GET", "/v1/openapi.json", Endpoint(service, _show_openapi, free=True)),
        ("GET", "/metrics", Endpoint(service, health.show_metrics, Role.METRICS)),
    )  # fmt: skip
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in endpoints]


async def _show_openapi(_service: Service, _request: Request) -> Response:
    return json_response(DOCUMENT)
