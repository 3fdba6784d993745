"""HMA's API in a thread of this process, for tests that replace parts of it."""

import threading
from contextlib import contextmanager
from functools import partial

import httpx
import uvicorn
from pool_accidents import until

from screener.service.app import create_app
from screener.service.limits import Connection
from screener.service.server import Service
from screener.service.settings import Settings

SECONDS = 120


@contextmanager
def hma_client(state, *lists, **settings):
    """Yield a client of HMA's API over some lists; it follows no redirect."""
    chosen = Settings(
        lists=lists, hma=True, hma_state=state, jobs=1, access_log=state.with_suffix(".log"),
        **settings,
    )  # fmt: skip
    service = Service(chosen)
    app = create_app(service)
    protocol = partial(Connection, settings=chosen, note=service.note_refusal)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, http=protocol, lifespan="on", log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), SECONDS)
        (listener,) = server.servers[0].sockets
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(SECONDS)


def upload(content, field="photo", name="x", **fields):
    """Return the arguments of a request with a file, and other fields of a form."""
    return {"files": {field: (name, content)}, "data": fields}
