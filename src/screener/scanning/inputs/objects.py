"""The objects that a URL names, listed ahead while results are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future

from screener.errors import MediaError, counted
from screener.media.name import Name
from screener.media.remote.attempts import repeat
from screener.media.remote.remote_object import Page, Store
from screener.media.remote.store import open_store
from screener.media.remote.url import name_of_url
from screener.scanning.inputs.bell import Bell
from screener.scanning.inputs.content import Content, RemoteContent, UnreadableContent
from screener.scanning.inputs.listed_names import Awaited

_FIND_SECONDS = 600.0


def find_objects(url: str, bell: Bell) -> Iterator[Content | Awaited]:
    """Yield the object of a URL, or all below it, and Awaited while the listing has not come.

    At most two pages of a listing are in memory. If it fails, the last input is the URL itself,
    unreadable: what was not listed is unscreened.
    """
    name = Name(name_of_url(url))
    count = 0
    try:
        store, loop = open_store(url)
        pages = _list_pages(store)
        while True:
            coming: Future[Page | None] = asyncio.run_coroutine_threadsafe(_next(pages), loop)
            coming.add_done_callback(lambda _: bell.ring())
            try:
                while not coming.done():
                    yield bell.awaited
            finally:
                coming.cancel()
            page = coming.result()
            if page is None:
                break
            count += len(page)
            yield from (RemoteContent(found, loop) for found in page)
    except MediaError as error:
        if count:
            found = counted(count, "object")
            detail = f"the listing ended after {found}, and others may follow: {error.detail}"
            error = MediaError(error.reason, detail)
        yield UnreadableContent(name, error.alone())
    else:
        if not count:
            detail = (
                "there is no such object, and none below it (patterns are not expanded in URLs)"
            )
            yield UnreadableContent(name, MediaError("unreadable", detail))


async def _list_pages(store: Store) -> AsyncIterator[Page]:
    found = await repeat(store.find, seconds=_FIND_SECONDS)
    if found is not None:
        yield [found]
        return
    async for page in store.list_below():
        yield page


async def _next(pages: AsyncIterator[Page]) -> Page | None:
    try:
        return await anext(pages, None)
    except MediaError:
        raise
    except Exception as error:  # an answer without what it must have
        detail = f"the listing cannot be understood ({type(error).__name__})"
        raise MediaError("unreadable", detail) from None
