"""Workers at work, and the time that they see."""

from types import SimpleNamespace

import pytest

from screener.scanning.workers.worker import Worker
from screener.screening.input.hasher import Target


@pytest.fixture
def at_work():
    """Starts a worker with one task, and ends it."""
    started = []

    def start(job, path):
        started.append(Worker(job))
        started[-1].take(Target(str(path)), None)
        return started[-1]

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def clock(monkeypatch):
    """The time as a scan sees it, to be set."""
    now = SimpleNamespace(monotonic=lambda: now.value, value=0.0)
    monkeypatch.setattr("screener.scanning.workers.worker.time", now)
    return now
