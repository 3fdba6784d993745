"""Routes of lists: what there is, and opinions of entries."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from screener.errors import ListError, ScreenerError
from screener.hashing.hash import KINDS
from screener.lists.hashlist import HashList
from screener.screening.policy import Policy
from screener.service.limits import read_body
from screener.service.native.matching import check_json
from screener.service.problems import Problem, json_response
from screener.service.server import Service

_MAX_BODY_BYTES = 64 << 10


class OpinionText(msgspec.Struct, forbid_unknown_fields=True):
    """An assessment of an entry."""

    entry: str
    state: str
    by: str
    reason: str
    source: str | None = None


_decode_opinion = msgspec.json.Decoder(OpinionText).decode


async def show_lists(service: Service, _request: Request) -> Response:
    """Return the lists in use, with their generations, ages, kinds and counts, and the policy's
    settings for each.
    """
    policy = service.screener.policy
    lists = [
        {
            "name": hash_list.name,
            "generation": hash_list.generation,
            "stamp": hash_list.stamp(),
            "age_s": int(hash_list.age_s()),
            "kinds": dict(hash_list.kinds),
            "states": dict(hash_list.states),
            "mode": str(policy.of_list(hash_list.name).mode),
            "ratio": policy.of_list(hash_list.name).ratio,
            "radius": _find_radii(hash_list, policy),
        }
        for hash_list in service.screener.lists
    ]
    return json_response({"lists": lists, "policy": policy.fingerprint})


def _find_radii(hash_list: HashList, policy: Policy) -> dict[str, int]:
    """Return the radius of each kind of a list, except digests."""
    return {
        kind: policy.list_radius(hash_list.name, kind)
        for kind in hash_list.kinds
        if not KINDS[kind].digest
    }


async def give_opinion(service: Service, request: Request) -> Response:
    """Record an opinion of an entry, and match with it from now on."""
    check_json(request)
    name = request.path_params["name"]
    hash_list = next((one for one in service.screener.lists if one.name == name), None)
    if hash_list is None:
        raise Problem(404, "no_such_list", "there is no such list", close=True)
    with service.buffer.account() as account:
        body = await read_body(request, account, _MAX_BODY_BYTES)
    try:
        opinion = _decode_opinion(body)
    except msgspec.MsgspecError as error:
        raise Problem(400, "bad_request", str(error)) from None
    generation = await asyncio.to_thread(_record, hash_list, opinion)
    try:
        await service.refresh()
        if name in service.accepted_lists.shrunk:
            raise ListError("it has shrunk")
    except ScreenerError:
        raise Problem(
            503, "not_in_use", f"it is recorded in generation {generation}, which cannot be used"
        ) from None
    return json_response({"list": name, "generation": generation}, 201)


def _record(hash_list: HashList, opinion: OpinionText) -> int:
    try:
        hash_list.refresh().show(opinion.entry, source=opinion.source, alone=True)
    except ListError as error:
        raise Problem(404, "no_such_entry", _explain(hash_list, error)) from None
    try:
        return hash_list.give_opinion(
            opinion.entry, state=opinion.state, by=opinion.by, reason=opinion.reason,
            source=opinion.source,
        )  # fmt: skip
    except ListError as error:
        raise Problem(409, "refused", _explain(hash_list, error)) from None


def _explain(hash_list: HashList, error: ListError) -> str:
    """Return the message of an error without the folder in which the list is."""
    return str(error).replace(f"{hash_list.path.parent}/", "")
