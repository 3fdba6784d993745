"""The OpenAPI document of the native routes."""

from __future__ import annotations

from typing import Any

import msgspec

from screener.screening.list_policy import Mode
from screener.screening.result import Reason, Verdict
from screener.service.native.lists import OpinionText
from screener.service.native.matching import Item, Items
from screener.system.installation import __version__

_BINARY = {"type": "string", "format": "binary"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_ERRORS = {
    400: "The request is malformed.",
    401: "The key is missing or unknown.",
    403: "The key has another role.",
    404: "There is no such list, entry or route.",
    408: "The request did not come in time.",
    409: "The list refuses the change.",
    413: "The body is too large.",
    415: "The body has another content type.",
    503: "Busy, not ready, or a list is too old. Nothing was screened: try again later.",
}
_LIST = {
    "name": "list",
    "in": "query",
    "description": "Compare with this list only; may be repeated.",
    "schema": {"type": "array", "items": {"type": "string"}},
}
_ID = {
    "name": "id",
    "in": "query",
    "description": "The caller's id of each file, in their order: the `input` of its Result.",
    "schema": {
        "type": "array",
        "uniqueItems": True,
        "items": {"type": "string", "pattern": "^[A-Za-z0-9_.:/@=+-]{1,200}$"},
    },
}
_RESULTS = {
    "oneOf": [
        _ref("Result"),
        {
            "type": "object",
            "required": ["results"],
            "properties": {"results": {"type": "array", "items": _ref("Result")}},
        },
    ]
}
_FILES = {
    "required": False,  # no body is an empty file, which is `unscreened`
    "content": {
        "application/octet-stream": {"schema": _BINARY},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "array", "items": _BINARY, "minItems": 1}},
            }
        },
    },
}


def _operation(
    summary: str,
    answers: dict[int, dict[str, Any]],
    errors: tuple[int, ...] = (),
    *,
    free: bool = False,
    **fields: Any,
) -> dict[str, Any]:
    """Return an operation; its answers, and the errors among `_ERRORS`."""
    responses = {str(status): answer for status, answer in answers.items()}
    for status in errors if free else (*errors, 401, 403, 408):
        responses[str(status)] = _json(_ref("Error"), _ERRORS[status])
    security: dict[str, Any] = {"security": []} if free else {}
    return {"summary": summary, "responses": responses, **security, **fields}


_OBJECT = {"type": "object"}
_SCREENING_ERRORS = (400, 404, 413, 503)

_PATHS = {
    "/v1/screen": {
        "post": _operation(
            "Screen a file, or the files of a form.",
            {200: _json(_RESULTS, "A Result, or one for each file of a form, in their order.")},
            _SCREENING_ERRORS,
            operationId="screen",
            parameters=[_LIST, _ID],
            requestBody=_FILES,
        )
    },
    "/v1/hook": {
        "post": _operation(
            "Screen a file, and answer by the status.",
            {
                204: {"description": "No match. No other status means that."},
                422: _json(_ref("Error"), "It was not screened; `code` is the reason."),
                451: _json(_ref("Error"), "A match."),
            },
            _SCREENING_ERRORS,
            operationId="hook",
            parameters=[_LIST, _ID],
            requestBody=_FILES,
        )
    },
    "/v1/match": {
        "post": _operation(
            "Match the hashes of one item, or of several.",
            {200: _json(_RESULTS, "A Result, or one for each of `items`, in their order.")},
            (*_SCREENING_ERRORS, 415),
            operationId="match",
            parameters=[_LIST],
            requestBody={
                "required": True,
                "content": {
                    "application/json": {"schema": {"oneOf": [_ref("Item"), _ref("Items")]}}
                },
            },
        )
    },
    "/v1/lists": {
        "get": _operation(
            "List the lists in use.",
            {200: _json(_ref("Lists"), "The lists.")},
            operationId="lists",
        )
    },
    "/v1/lists/{name}/opinions": {
        "post": _operation(
            "Record an opinion of an entry.",
            {201: _json(_OBJECT, "The list's new generation, which is in use from now on.")},
            (400, 404, 409, 413, 415, 503),
            operationId="giveOpinion",
            parameters=[
                {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            requestBody={
                "required": True,
                "content": {"application/json": {"schema": _ref("OpinionText")}},
            },
        )
    },
    "/v1/health/live": {
        "get": _operation(
            "Answer that the process lives.", {200: _json(_OBJECT, "It does.")},
            free=True, operationId="live",
        )
    },
    "/v1/health/ready": {
        "get": _operation(
            "Answer whether the service can screen.", {200: _json(_OBJECT, "It can.")}, (503,),
            free=True, operationId="ready",
        )
    },
    "/v1/openapi.json": {
        "get": _operation(
            "Return this document.", {200: _json(_OBJECT, "The document.")},
            free=True, operationId="openapi",
        )
    },
    "/metrics": {
        "get": _operation(
            "Return metrics for Prometheus.",
            {200: {"description": "Metrics.", "content": {"text/plain": {}}}},
            operationId="metrics",
        )
    },
}  # fmt: skip

_SCHEMAS = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string", "description": "For programs; it does not change."},
                    "message": {"type": "string", "description": "For people."},
                },
            }
        },
    },
    "Result": {
        "type": "object",
        "description": "A result line, as in docs/result.schema.json.",
        "required": ["verdict", "reason", "matches", "other_hits", "lists", "policy"],
        "properties": {
            "input": {"type": ["string", "null"]},
            "verdict": {"enum": [str(verdict) for verdict in Verdict]},
            "reason": {"enum": [None, *map(str, Reason)]},
            "detail": {"type": ["string", "null"]},
            "matches": {"type": "array", "items": _ref("Match")},
            "other_hits": {"type": "array", "items": _ref("Match")},
            "lists": {"type": "array", "items": _OBJECT},
            "policy": {"type": "string"},
        },
    },
    "Match": {
        "type": "object",
        "required": ["list", "source", "entry", "state", "kind", "by", "distance"],
        "properties": {
            "list": {"type": "string"},
            "source": {"type": "string"},
            "entry": {"type": "string"},
            "state": {"type": "string"},
            "kind": {"type": "string"},
            "by": {"enum": ["distance", "evidence"]},
            "distance": {"type": ["integer", "null"]},
        },
    },
    "Lists": {
        "type": "object",
        "required": ["lists", "policy"],
        "properties": {
            "lists": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": [
                        "name",
                        "generation",
                        "stamp",
                        "age_s",
                        "kinds",
                        "states",
                        "mode",
                        "ratio",
                        "radius",
                    ],
                    "properties": {
                        "name": {"type": "string"},
                        "generation": {"type": "integer"},
                        "stamp": {"type": "string"},
                        "age_s": {"type": "integer"},
                        "kinds": _OBJECT,
                        "states": _OBJECT,
                        "mode": {"enum": [str(mode) for mode in Mode]},
                        "ratio": {"type": "number"},
                        "radius": _OBJECT,
                    },
                },
            },
            "policy": {"type": "string"},
        },
    },
}


def _build_document() -> dict[str, Any]:
    _, bodies = msgspec.json.schema_components(
        [Item, Items, OpinionText], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "screener", "version": __version__},
        "security": [{"key": []}, {"password": []}],
        "paths": _PATHS,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
            "schemas": {**_SCHEMAS, **bodies},
        },
    }


DOCUMENT = _build_document()
