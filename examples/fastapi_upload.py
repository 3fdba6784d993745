"""Screen uploads in FastAPI. No file can bring the server down.

Run `KNOWN_LIST=known.list uvicorn fastapi_upload:app --workers 2` in this folder. Each process of
the server has a Pool of its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, UploadFile

from screener import HashList, Pool, Screener, ScreenerError, Verdict
from screener.errors import Busy

REFRESH_SECONDS = 60
CLOSE_SECONDS = 20


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start the workers before the first request; at the end, finish what is under way."""
    screener = Screener(HashList.open(os.environ["KNOWN_LIST"]))
    with Pool(screener, jobs=1, queue=64) as pool:
        app.state.pool = pool
        refreshing = asyncio.create_task(refresh(pool))
        yield
        refreshing.cancel()
        await asyncio.to_thread(pool.close, CLOSE_SECONDS)


async def refresh(pool: Pool) -> None:
    """Move to new generations of the list as they come."""
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        try:
            await asyncio.to_thread(pool.refresh)
        except ScreenerError as error:
            print(f"the list is not refreshed: {error}")  # alert somebody


app = FastAPI(lifespan=lifespan)


@app.post("/uploads")
async def upload(file: UploadFile, request: Request) -> dict[str, str]:
    """Accept a file that was compared and matches nothing."""
    pool: Pool = request.app.state.pool
    try:
        result = await pool.ascreen(file.file, timeout=60)
    except (Busy, TimeoutError):
        raise HTTPException(503, "try again later", {"Retry-After": "1"}) from None
    if result.verdict is Verdict.MATCH:
        raise HTTPException(451, "not accepted")  # store the Result, report it
    if result.verdict is Verdict.UNSCREENED:
        raise HTTPException(422, f"could not be checked: {result.reason}")
    return {"verdict": "no_match"}
