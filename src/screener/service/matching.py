"""Matching of hashes in the process of the service, in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from screener.errors import Busy
from screener.hashing.hash import Hash
from screener.screening.result import Result
from screener.screening.screener import Screener

# A batch of more bytes of hashes is matched in a thread, so that it does not delay the others.
_MAX_INLINE_BYTES = 64 * 32

_MAX_LARGE = 32  # requests that wait for a thread


class _Query(NamedTuple):
    """The items of one request."""

    items: Sequence[Sequence[Hash]]
    names: Sequence[str | None]
    lists: frozenset[str] | None
    future: asyncio.Future[list[Result]]


class Matcher:
    """Matches the hashes of requests with the lists of the current Screener.

    A look-up takes microseconds, so it is made in the thread of the event loop, and those that come
    in one of its rounds share one search. No request waits for others to come.
    """

    def __init__(self, find_screener: Callable[[], Screener]) -> None:
        self._find_screener = find_screener
        self._waiting: list[_Query] = []
        self._large = 0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="screener-match")

    async def match(
        self,
        items: Sequence[Sequence[Hash]],
        names: Sequence[str | None],
        lists: frozenset[str] | None = None,
    ) -> list[Result]:
        """Return the Results of items, in their order.

        Raises Busy if too many large requests wait.
        """
        loop = asyncio.get_running_loop()
        query = _Query(items, names, lists, loop.create_future())
        if sum([len(hash_.value) for hashes in items for hash_ in hashes]) > _MAX_INLINE_BYTES:
            return await self._match_in_thread(query)
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append(query)
        return await query.future

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _match_in_thread(self, query: _Query) -> list[Result]:
        if self._large >= _MAX_LARGE:
            raise Busy("too many large requests wait", 0.0)
        self._large += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._match, [query])
        finally:
            self._large -= 1

    def _flush(self) -> None:
        """Match what came in this round of the event loop, with one search for each choice."""
        queries, self._waiting = self._waiting, []
        by_lists: dict[frozenset[str] | None, list[_Query]] = {}
        for query in queries:
            by_lists.setdefault(query.lists, []).append(query)
        for batch in by_lists.values():
            self._answer(batch)

    def _answer(self, batch: list[_Query]) -> None:
        try:
            results = self._match(batch)
        except Exception as error:  # such as a list that was deleted
            if len(batch) == 1:
                if not batch[0].future.done():
                    batch[0].future.set_exception(error)
                return
            for query in batch:
                self._answer([query])
            return
        start = 0
        for query in batch:
            end = start + len(query.items)
            if not query.future.done():  # its client may have gone
                query.future.set_result(results[start:end])
            start = end

    def _match(self, batch: list[_Query]) -> list[Result]:
        screener, lists = self._find_screener(), batch[0].lists
        chosen = screener if lists is None else screener.select(lists)
        if len(batch) == 1:
            return chosen.match_many(batch[0].items, inputs=batch[0].names)
        items = [item for query in batch for item in query.items]
        return chosen.match_many(items, inputs=[name for query in batch for name in query.names])
