"""Progress: what is told of a scan under way."""

import itertools
import threading
import time

import pytest
from rich.console import Console

from screener import Hash, Screener
from screener.cli.progress_display import Pace, show_scan


@pytest.fixture
def result(make_list):
    """Makes a result of so many bytes."""
    from dataclasses import replace

    engine = Screener(make_list([{"id": "one", "md5": "ab" * 16}]))
    match = engine.match([Hash.parse("md5", "ab" * 16)])
    return lambda size: replace(match, bytes=size)


def test_rates_are_of_the_last_half_minute_and_the_rest_follows(result):
    """A scan that gets slower says so soon; what is left is at the pace of now."""
    now = [100.0]
    pace = Pace(range(40), clock=lambda: now[0])
    for _ in range(1000):
        now[0] += 0.01
        pace.add(result(1000))
    assert pace.to_dict()["files_per_s"] == pytest.approx(100, rel=0.02)
    assert pace.to_dict()["seconds_left"] is None
    for _ in range(100):
        now[0] += 1
        pace.add(result(5_000_000))
    pace.total = 40 + 1100 + 60

    told = pace.to_dict()

    assert told["files_per_s"] == pytest.approx(1, rel=0.05)
    assert told["bytes_per_s"] == pytest.approx(5e6, rel=0.05)
    assert told["seconds_left"] == 60
    assert (told["files"], told["finished_before"], told["match"]) == (1100, 40, 1100)
    assert pace.text() == "1,140 of 1,200 · 1 files/s, 5.0 MB/s · 1,100 match · 0 unscreened · " + (
        "0:01:00 left"
    )


def test_the_start_of_the_workers_says_nothing_of_how_long_it_takes(result):
    """Rates begin with the first result; for two seconds from there nobody says what is left."""
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    pace.total = 1001
    now[0] = 60.0
    pace.add(result(1000))
    assert pace.to_dict()["seconds_left"] is None
    for _ in range(100):
        now[0] += 0.01
        pace.add(result(1000))
    assert pace.to_dict()["seconds_left"] is None
    for _ in range(200):
        now[0] += 0.01
        pace.add(result(1000))

    told = pace.to_dict()

    assert (told["files_per_s"], told["seconds_left"]) == (100.0, 7)
    assert told["bytes_per_s"] == pytest.approx(100_000)


def test_archives_with_more_members_than_files_leave_the_end_open(result):
    """Members were not counted, so nobody knows how long it takes."""
    pace = Pace()
    pace.total = 1
    for _ in range(3):
        pace.add(result(1))

    assert pace.to_dict()["seconds_left"] is None
    assert pace.to_dict()["total"] == 1


def test_a_count_of_files_that_does_not_end_holds_nothing_up():
    """Neither a walk in which nothing is found, which then ends, nor a disk that does not answer,
    which is left behind: what the scan was told meanwhile stays as it is.
    """
    answered = threading.Event()

    def stalled():
        yield 1
        answered.wait(30)
        yield 1

    before = set(threading.enumerate())
    begin = time.monotonic()
    try:
        for files in (lambda: itertools.repeat(0), stalled):
            with show_scan(Console(), files, None, as_json=True):
                pass
        assert time.monotonic() - begin < 20
    finally:
        answered.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
