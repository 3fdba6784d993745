"""The list of native routes, and those for operators: health, metrics and the document."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from screener.service.endpoint import Endpoint
from screener.service.keys import Role
from screener.service.metrics import CONTENT_TYPE
from screener.service.native import lists, matching, screening
from screener.service.native.openapi import DOCUMENT
from screener.service.problems import Problem, json_response
from screener.service.server import Service


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes, those that are called most first."""
    endpoints = (
        ("POST", "/v1/match", Endpoint(service, matching.match, Role.MATCH)),
        ("POST", "/v1/screen", Endpoint(service, screening.screen, Role.SCREEN)),
        ("POST", "/v1/hook", Endpoint(service, screening.hook, Role.SCREEN)),
        ("GET", "/v1/health/live", Endpoint(service, _live, free=True)),
        ("GET", "/v1/health/ready", Endpoint(service, _ready, free=True)),
        ("GET", "/v1/lists", Endpoint(service, lists.show_lists)),
        ("POST", "/v1/lists/{name}/opinions",
         Endpoint(service, lists.give_opinion, Role.CURATE)),
        ("GET", "/v1/openapi.json", Endpoint(service, _show_openapi, free=True)),
        ("GET", "/metrics", Endpoint(service, _show_metrics, Role.METRICS)),
    )  # fmt: skip
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in endpoints]


async def _live(_service: Service, _request: Request) -> Response:
    return json_response({"status": "alive"})


async def _ready(service: Service, _request: Request) -> Response:
    problems = service.find_problems()
    if problems:
        raise Problem(503, "not_ready", ", ".join(problems))
    return json_response({"status": "ready"})


async def _show_metrics(service: Service, _request: Request) -> Response:
    return Response(service.metrics.render(), headers={"Content-Type": CONTENT_TYPE})


async def _show_openapi(_service: Service, _request: Request) -> Response:
    return json_response(DOCUMENT)
