"""The server process: listening, signals, and a graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import ssl
from collections.abc import Iterator
from functools import partial

import uvicorn
from prometheus_client import disable_created_metrics

from screener.errors import ServiceError
from screener.service.app import create_app
from screener.service.limits import Connection
from screener.service.server import Service

_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_OTHER_FILES = 1024  # of lists, workers and forms
_GARBAGE = 20_000  # new objects at which Python looks for cycles


class _Server(uvicorn.Server):
    """A server that is not ready for a while before it stops listening.

    So a load balancer sends it nothing more by the time that it does.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let signals begin the stop, until this ends."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._begin_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            yield
        finally:
            for number in (*_SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _begin_stop(self) -> None:
        if self._service.stopping:  # a second signal
            self.should_exit = self.force_exit = True
            return
        self._service.stopping = True
        grace = self._service.settings.grace_seconds
        asyncio.get_running_loop().call_later(grace, setattr, self, "should_exit", True)

    def _reload(self) -> None:
        """Reopen the access log, and read the certificate; if one fails, the old one stays."""
        try:
            self._service.access_log.reopen()
            if self.config.ssl is not None:
                files = (str(self.config.ssl_certfile), self.config.ssl_keyfile)
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)  # or raises
                self.config.ssl.load_cert_chain(*files)
            _log.info("access log reopened, certificate read")
        except (OSError, ServiceError) as error:  # of which ssl.SSLError is one
            _log.error("the service continues with the old one: %s", error)

    async def startup(self, sockets: object = None) -> None:
        """Listen, and log the address."""
        await super().startup()
        # Requests under way have more objects than the default threshold, and no cycles.
        gc.freeze()
        gc.set_threshold(_GARBAGE)
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                scheme = "https" if self.config.is_ssl else "http"
                shown = f"[{host}]" if ":" in host else host
                _log.info("listening on %s://%s:%d", scheme, shown, port)


def serve(service: Service) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way.

    Raises ServiceError if the address or the certificate cannot be used.
    """
    settings = service.settings
    disable_created_metrics()  # type: ignore[no-untyped-call]
    _allow_files(settings.connections + settings.queue + _OTHER_FILES)
    config = uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http=partial(Connection, settings=settings, note=service.note_refusal),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(settings.idle_seconds),
        timeout_graceful_shutdown=int(settings.drain_seconds),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ServiceError(f"the certificate or its key cannot be used: {error}") from None
    server = _Server(config, service)
    try:
        server.run()
    except SystemExit:
        raise ServiceError(
            f"cannot listen on {settings.host}, port {settings.port}: see the message above"
        ) from None


def _allow_files(count: int) -> None:
    """Raise the limit of open files of this process to what it may need, if the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
