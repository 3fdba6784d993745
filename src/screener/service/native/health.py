"""Routes for those who run the service: health and metrics."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from screener.service.metrics import CONTENT_TYPE
from screener.service.problems import Problem, json_response
from screener.service.server import Service


async def live(_service: Service, _request: Request) -> Response:
    """Answer that the process lives."""
    return json_response({"status": "alive"})


async def ready(service: Service, _request: Request) -> Response:
    """Answer whether the service can screen; if not, why."""
    problems = service.find_problems()
    if problems:
        raise Problem(503, "not_ready", ", ".join(problems))
    return json_response({"status": "ready"})


async def show_metrics(service: Service, _request: Request) -> Response:
    """Return the metrics."""
    return Response(service.metrics.render(), headers={"Content-Type": CONTENT_TYPE})
