"""Routes that screen files: `/v1/screen` and `/v1/hook`."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from io import FileIO

from starlette.requests import Request
from starlette.responses import Response

from screener.screening.input.hash_item import HashedInput
from screener.screening.result import Result, Verdict
from screener.service.endpoint import CALLER, VERDICT
from screener.service.limits import Account, receive_upload, unless_gone
from screener.service.native.multipart import is_multipart, parse_multipart
from screener.service.problems import Problem, json_response
from screener.service.protocol import BAD_ID, UPLOAD_ID
from screener.service.server import Service

_PIECE_BYTES = 1 << 20
_NAMELESS = "nameless_part"

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


def find_ids(request: Request) -> list[str]:
    """Return the ids of uploads that a request gives. Raises a Problem for malformed ones."""
    if not request.scope["query_string"]:
        return []
    ids: list[str] = request.query_params.getlist("id")
    if len(set(ids)) < len(ids) or not all(map(UPLOAD_ID.fullmatch, ids)):
        raise Problem(400, "bad_id", f"{BAD_ID}, and is given once", close=True)
    return ids


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
    try:
        results = await _screen_body(service, request)
    except Problem as problem:
        if problem.code == _NAMELESS:
            problem.status = 422
        raise
    response = _answer_by_status(results)
    if service.reverse is not None:
        response.headers["Upload-Id"] = ", ".join(result.input or "" for result in results)
    return response


def _answer_by_status(results: list[Result]) -> Response:
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
    lists, ids = find_lists(service, request), find_ids(request)
    content_type = request.headers.get("content-type", "")
    limit = service.settings.body_bytes
    with service.buffer.account() as account:
        async with receive_upload(request, account, limit) as body:
            files: list[tuple[str | None, bytes | FileIO]] = [(None, body)]
            if is_multipart(content_type):
                files = list(_find_files(content_type, body, account))
            if ids and len(ids) != len(files):
                raise Problem(400, "bad_id", f"there are {len(ids)} ids for {len(files)} files")
            if not ids and service.reverse is not None:
                ids = [secrets.token_hex(16) for _ in files]
            if ids:
                files = [(name, content) for name, (_, content) in zip(ids, files, strict=True)]
            screened = await unless_gone(
                request, _screen_files(service, files, lists, request.scope.get(CALLER))
            )
            if files[0][1] is body and isinstance(body, FileIO):  # of which a Result has no size
                (result, hashed), size = screened[0], os.fstat(body.fileno()).st_size
                screened = [(replace(result, bytes=size), hashed)]
    results = [result for result, _ in screened]
    for result, hashed in screened:
        service.metrics.count_result(result)
        if service.reverse is not None:
            service.reverse.keep(hashed, result, lists)
    verdicts = {result.verdict for result in results}
    request.scope[VERDICT] = str(next(one for one in _ORDER if one in verdicts))
    return results


def _find_files(
    content_type: str, body: bytes | FileIO, account: Account
) -> Iterator[tuple[str | None, bytes]]:
    """Yield the name and content of each file of a form.

    Raises a Problem if it has none, or a part without a file name: that may be a file that would
    not be screened.
    """
    if isinstance(body, FileIO):
        account.take(os.fstat(body.fileno()).st_size)  # the parts are copies
        parts = parse_multipart(content_type, iter(partial(body.read, _PIECE_BYTES), b""))
    else:
        parts = parse_multipart(content_type, [body])
    if not parts:
        raise Problem(400, "no_file", "the form has no file")
    for number, part in enumerate(parts):
        if part.filename is None:
            raise Problem(
                400, _NAMELESS, f"part {number} of the form has no file name: give it one if it is"
                " a file, else leave it out",
            )  # fmt: skip
        yield part.filename, part.content


async def _screen_files(
    service: Service,
    files: list[tuple[str | None, bytes | FileIO]],
    lists: frozenset[str] | None,
    key: str | None,
) -> list[tuple[Result, HashedInput]]:
    seconds = service.settings.answer_seconds
    tasks = [
        asyncio.ensure_future(
            service.pool.ascreen_hashed(content, name=name, timeout=seconds, lists=lists, key=key)
        )
        for name, content in files
    ]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:  # of one: no Result of the others can be sent
        for task in tasks:
            task.cancel()
        raise
