"""Routes of `/m`: look-ups of hashes and files, and comparisons."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from screener.hashing.hash import Hash
from screener.screening.list_policy import Mode
from screener.screening.result import Match, Result
from screener.service.endpoint import VERDICT, check_key
from screener.service.hma.answers import HmaError, answer, quote
from screener.service.hma.context import Hma
from screener.service.hma.fields import read_flag, read_json, read_query, require
from screener.service.hma.files import NOT_READY, fetch_file, receive_file, screen_file
from screener.service.hma.signals import (
    KIND_OF_SIGNAL,
    PDQ,
    check_comparable,
    describe_invalid,
    parse_signal,
)
from screener.service.hma.store import Bank
from screener.service.keys import Role

_Found = dict[str, list[dict[str, Any]]]


async def lookup(hma: Hma, request: Request) -> Response:
    """Look up a hash, or the file of a URL."""
    query = read_query(request)
    read_flag(query, "bypass_coinflip")  # ignored, but not if it is none
    signal, signal_type = query.get("signal"), query.get("signal_type")
    takes_part = _bank_filter(hma, query)
    if query.get("url"):
        check_key(hma.service, request, frozenset((Role.SCREEN,)))
        if signal_type is not None:
            _check_type(signal_type)
        async with fetch_file(hma, request) as file:
            if signal_type not in (None, file.signal_type):
                raise HmaError(400, f"a {file.content_type} has no {signal_type}")
            found = _select(hma, query, await screen_file(hma, file), takes_part)
        return answer({file.signal_type: found} if signal_type is None else found)
    if not signal or not signal_type:
        raise HmaError(400, "Either url or both signal and signal_type are required")
    matches = await _match(hma, signal_type, signal)
    request.scope[VERDICT] = "match" if matches else "no_match"
    return answer(_select(hma, query, matches, takes_part))


async def lookup_file(hma: Hma, request: Request) -> Response:
    """Look up a file."""
    query = read_query(request)
    bypass = read_flag(query, "bypass_coinflip") or False
    takes_part = _bank_filter(hma, query)
    async with receive_file(hma, request) as file:
        matches = await screen_file(hma, file)
    request.scope[VERDICT] = "match" if matches else "no_match"
    found = _select(hma, query, matches, takes_part, bypass=bypass)
    return answer({file.signal_type: found})


async def raw_lookup(hma: Hma, request: Request) -> Response:
    """Look up a hash, also in disabled banks and contents."""
    query = read_query(request)
    require(query, "signal", "signal_type")
    with_distance = read_flag(query, "include_distance")
    takes_part = _bank_filter(hma, query)
    matches = await _match(hma, query["signal_type"], query["signal"])
    found = _number(hma, matches, takes_part, disabled=True)
    numbered = sorted(
        (one for contents in found.values() for one in contents),
        key=lambda one: one["bank_content_id"],
    )
    if with_distance:
        return answer({"matches": numbered})
    return answer({"matches": [one["bank_content_id"] for one in numbered]})


async def compare(hma: Hma, request: Request) -> Response:
    """Compare pairs of hashes."""
    pairs = await read_json(hma.service, request)
    if not isinstance(pairs, dict):
        raise HmaError(400, "Request input was not a dict")
    answers: dict[str, object] = {}
    for signal_type, pair in pairs.items():
        if not isinstance(pair, list) or len(pair) != 2:
            raise HmaError(400, "Comparison hash list length must be exactly 2")
        _check_type(signal_type)
        hashes = [_parse(signal_type, text, f"Invalid {signal_type} hash") for text in pair]
        answers[signal_type] = _compare(hma, signal_type, *hashes)
    return answer(answers)


def _compare(hma: Hma, signal_type: str, first: Hash, second: Hash) -> list[object]:
    if signal_type != PDQ:
        return [first == second, {"distance": "-"}]
    distance = first.distance(second)
    return [distance <= hma.screener.policy.radius["pdq"], {"distance": distance}]


async def index_status(hma: Hma, request: Request) -> Response:
    """Return how many hashes can be found, which is at once all that there are."""
    signal_type = request.query_params.get("signal_type")
    if signal_type is not None and signal_type not in KIND_OF_SIGNAL:
        raise HmaError(400, f"No such signal type {quote(signal_type)}")
    counts = count_signals(hma)
    built = built_at(hma)
    return answer(
        {
            name: {"built_to": built, "present": True, "size": count}
            if count
            else {"built_to": -1, "present": False, "size": 0}
            for name, count in counts.items()
            if signal_type in (None, name)
        }
    )


def count_signals(hma: Hma) -> dict[str, int]:
    """Return the number of records that a look-up of each signal type can find."""
    counts = dict.fromkeys(KIND_OF_SIGNAL, 0)
    for hash_list in hma.screener.lists:
        reached = hash_list.info().reached
        for name, kind in KIND_OF_SIGNAL.items():
            counts[name] += reached.get(kind.name, 0)
    return counts


def built_at(hma: Hma) -> int:
    """Return the time of the newest generation in use, in seconds since 1970."""
    return int(time.time() - min((one.age_s() for one in hma.screener.lists), default=0.0))


async def _match(hma: Hma, signal_type: str, text: str) -> Sequence[Match]:
    """Return the matches of a hash, found in the thread of the event loop."""
    _check_type(signal_type, "No such SignalType")
    hash_ = _parse(signal_type, text, "invalid signal")
    check_comparable(hash_)
    hma.service.check()
    (result,) = await hma.service.matcher.match([[hash_]], [None])
    hma.service.metrics.count_result(result)
    if not result.matches and not _is_compared(hma, hash_, result):
        raise HmaError(503, NOT_READY, code="not_ready")
    return result.matches


def _is_compared(hma: Hma, hash_: Hash, result: Result) -> bool:
    """Return whether a hash was compared with an enforced list, in whose sample it is."""
    kind, screener = hash_.kind.name, hma.service.screener
    if hash_.kind.perceptual and screener.policy.digests_only:
        return False
    able = [one.name for one in screener.lists if one.matchable and kind in one.kinds]
    return any(state.mode is Mode.ENFORCE and state.name in able for state in result.lists)


def _check_type(signal_type: str, message: str = "No such SignalType") -> None:
    if signal_type not in KIND_OF_SIGNAL:
        raise HmaError(400, f"{message} {quote(signal_type)}")


def _parse(signal_type: str, text: object, message: str) -> Hash:
    hash_ = parse_signal(signal_type, text) if isinstance(text, str) else None
    if hash_ is None:
        raise HmaError(400, f"{message}: {describe_invalid(signal_type)}")
    return hash_


def _select(
    hma: Hma,
    query: Mapping[str, str],
    matches: Sequence[Match],
    takes_part: Callable[[Bank], bool],
    *,
    bypass: bool = False,
) -> _Found:
    """Return the matches of enabled contents, of the banks that take part, by bank."""
    if not matches:
        return {}
    coin = 0.0 if bypass else _flip_coin(query.get("seed"))
    return _number(
        hma, matches, lambda bank: bank.ratio >= coin and takes_part(bank), disabled=False
    )


def _flip_coin(seed: str | None) -> float:
    """Return HMA's number from 0 to 1: of Python's generator, seeded with a text."""
    return random.random() if seed is None else random.Random(seed).random()


def _bank_filter(hma: Hma, query: Mapping[str, str]) -> Callable[[Bank], bool]:
    """Return whether the query's `banks`, by default all, include a bank.

    Raises HmaError if they include none that is looked up: nothing would be found, whatever the
    hash.
    """
    names = query.get("banks")
    if not names:
        return lambda _: True
    chosen = {name.strip() for name in names.split(",")}
    enforced = {one.name for one in hma.screener.enforced}
    if not any(bank.name in chosen and bank.list in enforced for bank in hma.banks.all()):
        raise HmaError(400, "no bank of these names is looked up")
    return lambda bank: bank.name in chosen


def _number(
    hma: Hma, matches: Sequence[Match], takes_part: Callable[[Bank], bool], *, disabled: bool
) -> _Found:
    """Return the numbers and distances of matches by bank, nearest first."""
    found: _Found = {}
    seen = set()
    for bank, match, content in hma.banks.number_matches(
        sorted(matches, key=lambda match: match.nearness)
    ):
        if content.id in seen or not takes_part(bank) or not (disabled or content.enabled):
            continue
        seen.add(content.id)
        distance = match.distance  # by evidence there is none, and clients read a number
        if distance is None:
            distance = hma.screener.policy.list_radius(match.list, PDQ)
        found.setdefault(bank.name, []).append(
            {"bank_content_id": content.id, "distance": str(distance)}
        )
    return found
