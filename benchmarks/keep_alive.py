"""A client of HTTP that costs little: open connections, each with one request at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop

_LENGTH = b"content-length: "


@dataclass
class Answers:
    """The bodies of the answers to some requests, the seconds of each, and those of all."""

    bodies: list[bytes]
    taken: list[float]
    seconds: float = 0.0
    wrong: list[bytes] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """Sends every n-th request, each after the answer to the one before."""

    def __init__(self, requests: Sequence[bytes], answers: Answers, numbers: range) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._answers = answers
        self._numbers = iter(numbers)
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._send()

    def _send(self) -> None:
        number = next(self._numbers, None)
        if number is None:
            self._transport.close()
            return
        self._number, self._start = number, time.perf_counter()
        self._transport.write(self._requests[number])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        size = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < size:
            return
        self._answers.taken[self._number] = time.perf_counter() - self._start
        self._answers.bodies[self._number] = body
        if not head.startswith(b"HTTP/1.1 200 "):
            self._answers.wrong.append(self._buffer)
        self._buffer = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if next(self._numbers, None) is not None:
            self._answers.wrong.append(b"a connection ended early")
        self.ended.set_result(None)


def ask(port: int, requests: Sequence[bytes], connections: int) -> Answers:
    """Return the answers to requests to this machine, in their order. Exits if one is not 200."""
    count = len(requests)
    answers = Answers([b""] * count, [0.0] * count)

    async def run() -> None:
        loop, made = asyncio.get_running_loop(), []
        start = time.perf_counter()
        for first in range(connections):
            numbers = range(first, count, connections)
            _, connection = await loop.create_connection(
                lambda numbers=numbers: _Connection(requests, answers, numbers), "127.0.0.1", port
            )
            made.append(connection.ended)
        await asyncio.gather(*made)
        answers.seconds = time.perf_counter() - start

    uvloop.run(run())
    if answers.wrong:
        raise SystemExit(f"wrong answer: {answers.wrong[0].decode(errors='replace')}")
    return answers
