"""What the routes of HMA's API share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from screener.errors import ServiceError
from screener.screening.policy import Effort
from screener.screening.screener import Screener
from screener.service.endpoint import CODE, check_key
from screener.service.hma.answers import HmaError, answer_error
from screener.service.hma.banks import Banks
from screener.service.hma.fetching import Fetcher
from screener.service.keys import Role
from screener.service.limits import ClientGone
from screener.service.problems import problem_of
from screener.service.server import Service

_log = logging.getLogger(__name__)


class Hma:
    """The banks of a service, and what reads them.

    Attributes:
        fetcher: Fetches URLs; None if the service does not.
        curating: A lock of whoever changes banks or contents.
    """

    def __init__(self, service: Service) -> None:
        folder = service.settings.hma_state
        if folder is None:
            raise ServiceError("HMA's API needs a folder for its banks")
        self.service = service
        self.banks = Banks(service, folder)
        self.fetcher: Fetcher | None = None
        settings = service.settings
        if settings.hma_fetch or settings.hma_fetch_allow:
            self.fetcher = Fetcher(
                settings.body_bytes, public=settings.hma_fetch, allowed=settings.hma_fetch_allow
            )
            service.on_stop.append(self.fetcher.close)
        self.curating = asyncio.Lock()
        self._by_distance: tuple[Screener, Screener] | None = None

    @property
    def screener(self) -> Screener:
        """The Screener in use, without evidence unless an option allows it."""
        current = self.service.screener
        if self.service.settings.hma_evidence or current.policy.effort is Effort.DISTANCE:
            return current
        if self._by_distance is None or self._by_distance[0] is not current:
            policy = replace(current.policy, effort=Effort.DISTANCE)
            plain = current.with_lists(current.lists, policy=policy)
            self._by_distance = (current, plain)
        return self._by_distance[1]


Handler = Callable[[Hma, Request], Awaitable[Response]]


class HmaEndpoint:
    """The application of a route: it checks the key, calls the handler, and answers errors.

    `roles` are those of which a key needs one; with `free` it needs none. `plain` errors are text.
    """

    def __init__(
        self, hma: Hma, handler: Handler, *roles: Role, free: bool = False, plain: bool = False
    ) -> None:
        self._hma = hma
        self._handler = handler
        self._roles = frozenset(roles)
        self._free = free
        self._plain = plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            if not self._free:
                check_key(self._hma.service, request, self._roles)
            response = await self._handler(self._hma, request)
        except ClientGone:
            return
        except HmaError as error:
            response = self._refuse(scope, error)
        except Exception as error:
            response = self._refuse(scope, _translate(error))
            if response.status_code == 500:
                await response(scope, receive, send)
                raise
        await response(scope, receive, send)

    def _refuse(self, scope: Scope, error: HmaError) -> Response:
        scope[CODE] = error.code
        return answer_error(error, plain=self._plain)


def _translate(error: Exception) -> HmaError:
    """Return an error of the library in HMA's form; a bug is 500."""
    if isinstance(error, ServiceError):
        _log.error("the banks cannot be used: %s", error)
        return HmaError(503, "the banks cannot be used at present", code="banks_unavailable")
    problem = problem_of(error)
    if problem is None:
        return HmaError(500, "a bug in screener, please report it")
    message = "Authentication required" if problem.status == 401 else problem.message
    return HmaError(problem.status, message, code=problem.code, headers=problem.headers)
