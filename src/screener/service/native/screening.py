"""Routes that screen files: `/v1/screen` and `/v1/hook`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from screener.screening.result import Result, Verdict
from screener.service.endpoint import VERDICT
from screener.service.limits import read_body
from screener.service.native.multipart import is_multipart, parse_multipart
from screener.service.problems import Problem, json_response
from screener.service.server import Service

# Of the Results of one request, the first of these decides.
_ORDER = (Verdict.MATCH, Verdict.UNSCREENED, Verdict.NO_MATCH)


def find_lists(service: Service, request: Request) -> frozenset[str] | None:
    """Return the lists that a request names, or None for all. Raises a Problem for unknown ones."""
    if not request.scope["query_string"]:
        return None
    names = frozenset(request.query_params.getlist("list"))
    if not names:
        return None
    if unknown := names - {hash_list.name for hash_list in service.screener.lists}:
        known = ", ".join(hash_list.name for hash_list in service.screener.lists)
        raise Problem(404, "no_such_list", f"{len(unknown)} unknown; the lists are: {known}")
    return names


async def screen(service: Service, request: Request) -> Response:
    """Screen the file in the body, or the files of a form."""
    results = await _screen_body(service, request)
    if is_multipart(request.headers.get("content-type", "")):
        body = '{"results":[' + ",".join([result.to_json() for result in results]) + "]}"
    else:
        body = results[0].to_json()
    return Response(body.encode("utf-8", "replace"), media_type="application/json")


async def hook(service: Service, request: Request) -> Response:
    """Screen like `screen`, and answer by the status alone.

    204: no match. 451: a match. 422: something was not screened. No other status is a verdict.
    """
    results = await _screen_body(service, request)
    worst = min(results, key=lambda result: _ORDER.index(result.verdict))
    if worst.verdict is Verdict.NO_MATCH:
        return Response(status_code=204)
    if worst.verdict is Verdict.MATCH:
        error = {"code": "match", "message": "it matches a listed entry"}
        return json_response({"error": error}, 451)
    error = {"code": str(worst.reason), "message": worst.detail or str(worst.reason)}
    return json_response({"error": error}, 422)


async def _screen_body(service: Service, request: Request) -> list[Result]:
    """Return the Results of the files in a body: at least one."""
    service.check()
    lists = find_lists(service, request)
    content_type = request.headers.get("content-type", "")
    with service.buffer.account() as account:
        body = await read_body(request, account, service.settings.body_bytes)
        files: list[tuple[str | None, bytes]] = [(None, body)]
        if is_multipart(content_type):
            account.take(len(body))  # the parts are copies
            parts = parse_multipart(content_type, body)
            files = [(part.filename, part.content) for part in parts if part.filename is not None]
            if not files:
                raise Problem(400, "no_file", "the form has no file: a part with a file name")
        results = await _screen_files(service, files, lists)
    for result in results:
        service.metrics.count_result(result)
    verdicts = {result.verdict for result in results}
    request.scope[VERDICT] = str(next(one for one in _ORDER if one in verdicts))
    return results


async def _screen_files(
    service: Service, files: list[tuple[str | None, bytes]], lists: frozenset[str] | None
) -> list[Result]:
    seconds = service.settings.answer_seconds
    tasks = [
        asyncio.ensure_future(
            service.pool.ascreen(content, name=name, timeout=seconds, lists=lists)
        )
        for name, content in files
    ]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:  # of one: no Result of the others can be sent
        for task in tasks:
            task.cancel()
        raise
