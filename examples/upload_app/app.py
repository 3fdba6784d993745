"""Accept uploads that the service finds clear: a small application behind nginx.

Start `screener serve --list known.list`, then in this folder
`STORE=/srv/uploads uvicorn app:app --port 8001` and `nginx -c $PWD/nginx.conf`. Send a file with
`curl --data-binary @photo.jpg http://127.0.0.1:8080/uploads`.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from screener import ScreenerError, Verdict
from screener.service import AsyncClient

MAX_BYTES = 64 << 20  # as in nginx.conf
STORE = Path(os.environ["STORE"])
INCOMING, CLEAR, HELD = (STORE / name for name in ("incoming", "clear", "held"))


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Make the folders, and open the client for all requests."""
    for folder in (INCOMING, CLEAR, HELD):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = os.environ.get("SCREENER_URL", "http://127.0.0.1:8000")
    async with AsyncClient(url, key=os.environ.get("SCREENER_KEY")) as client:
        app.state.client = client
        yield


async def upload(request: Request) -> JSONResponse:
    """Store a file in `clear` if it was compared and matches nothing; serve no other folder."""
    size = int(request.headers.get("content-length", "-1"))
    if size < 0:
        raise HTTPException(411, "state the size of the file")
    if size > MAX_BYTES:
        raise HTTPException(413, "the file is too large")
    with tempfile.NamedTemporaryFile(dir=INCOMING) as file:
        try:
            async for piece in request.stream():
                await asyncio.to_thread(file.write, piece)
        except ClientDisconnect:
            raise HTTPException(400, "the file was cut short") from None
        file.flush()
        try:
            result = await request.app.state.client.screen(file.name)
        except ScreenerError as error:
            print(f"an upload was not screened: {error}")  # alert somebody
            raise HTTPException(503, "try again later", {"Retry-After": "5"}) from None
        name = secrets.token_hex(16)
        if result.verdict is Verdict.MATCH:
            os.link(file.name, HELD / name)
            (HELD / f"{name}.json").write_text(result.to_json())  # and report it
            raise HTTPException(451, "not accepted")
        if result.verdict is not Verdict.NO_MATCH:
            raise HTTPException(422, f"could not be checked: {result.reason}")
        os.link(file.name, CLEAR / name)
    return JSONResponse({"id": name}, 201)


app = Starlette(routes=[Route("/uploads", upload, methods=["POST"])], lifespan=lifespan)
