"""A worker: its limits of time, and the tasks of processes that die."""

import hashlib
import multiprocessing
import select
import threading
import time

import pytest
from pool_accidents import COSTLY
from worker_jobs import Counting, Flooding, Priority, Waiting, first_done, until_begun, until_told

from screener import Policy, Reason
from screener.errors import MediaError
from screener.media.files.allowance import Allowance
from screener.media.name import Name
from screener.scanning.workers.messages import Answer, frame_message
from screener.scanning.workers.pool import map_ordered
from screener.scanning.workers.protocol import Task
from screener.scanning.workers.worker import Worker
from screener.scanning.workers.worker_process import Usage
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import Target


def test_an_answer_that_waits_to_be_read_is_not_late(at_work, clock, tmp_path):
    """Who takes one result for hours finds the next one: the file behind was done in time."""
    path = tmp_path / "much"
    path.touch()
    worker = at_work(Counting(), path)
    select.select([worker.answers], [], [])  # it is being told, and does not fit into a pipe
    clock.value = time.monotonic() + 9_999

    assert first_done(worker) == "much" * 2_000_000


def test_a_process_that_dies_while_it_tells_of_a_file_is_not_that_files_fault(at_work, tmp_path):
    """The file is done by the next process, and nothing is left of the answer that was cut off."""
    path = tmp_path / "much"
    path.touch()
    worker = at_work(Counting(), path)
    select.select([worker.answers], [], [])
    worker.kill()

    assert first_done(worker) == "much" * 2_000_000


def test_costly_files_give_way_to_others(at_work, tmp_path):
    """A costly one has a lower priority, and the next one that is not has the old one again."""
    costly, other = tmp_path / "costly", tmp_path / "other"
    costly.write_bytes(COSTLY)
    other.touch()
    worker = at_work(Priority(), costly)
    lowered = first_done(worker)["nice"]
    worker.take(Target(str(other)), None)
    assert lowered > first_done(worker)["nice"]


class Burning(Counting):
    """A job that takes the processor for ever, or lets another thread do so."""

    policy = Policy(seconds=0.5)

    def run(self, target, budget, way):
        """As for a file that a decoder never finishes; hashing keeps no other thread waiting."""
        data = bytes(1 << 20)

        def burn():
            while True:
                hashlib.sha256(data)

        if "thread" in target.path:
            threading.Thread(target=burn, daemon=True).start()
            time.sleep(1_000)
        burn()


class Decoding(Counting):
    """A job that has another thread do the work, as decoders of videos do."""

    def run(self, target, budget, way):
        """Whether what a video may take is over then."""
        allowed = Allowance(0.2)

        def burn():
            end = time.process_time() + 0.3
            while time.process_time() < end:
                pass

        thread = threading.Thread(target=burn)
        thread.start()
        thread.join()
        return {"over": allowed.over}


def test_the_threads_of_a_decoder_take_of_what_a_video_may():
    """So that a video's decoding ends before its worker is ended, and what was seen counts."""
    assert list(map_ordered(Decoding(), ["a"], jobs=1)) == [{"over": True}]


class Resting(Counting):
    """A job that waits longer than its limit, as on a machine that others keep busy."""

    policy = Policy(seconds=0.5)

    def run(self, target, budget, way):
        """Nothing of the processor."""
        time.sleep(3 * self.policy.seconds)
        return "done"


def test_time_that_a_file_only_waits_does_not_count(at_work, tmp_path):
    """Neighbours that keep the processor or the disk busy turn no file into a `timeout`."""
    worker = at_work(Resting(), tmp_path / "a")
    (done,) = until_told(worker)

    assert done.outcome == "done"
    assert done.seconds < Resting.policy.seconds < done.wall


@pytest.mark.parametrize("name", ["main", "thread"])
def test_the_processor_time_of_all_threads_is_limited(at_work, clock, name):
    """A file ends by it alone: here the scan's clock of wall time stands still."""
    worker = at_work(Burning(), name)
    clock.value = until_begun(worker)
    (done,) = until_told(worker)

    assert done.outcome.error.reason == Reason.TIMEOUT
    assert done.outcome.error.detail == "not finished within 0.5 s of processor time"
    assert done.seconds == Burning.policy.seconds


def test_wall_time_is_the_limit_if_the_system_counts_no_other(at_work, clock, monkeypatch):
    """`seconds` of it, and not the multiple that stands behind processor time."""
    monkeypatch.setattr("screener.scanning.workers.worker.find_clock", lambda process: None)
    worker = at_work(Waiting(), "never")
    clock.value = until_begun(worker) + Waiting.policy.seconds - 0.1
    assert worker.collect() == []
    clock.value += 0.1
    (done,) = worker.collect()

    assert done.outcome.error.reason == Reason.TIMEOUT
    assert done.seconds == Waiting.policy.seconds


def test_a_file_under_way_while_the_scan_is_stopped_has_its_time_once_more(
    at_work, clock, tmp_path
):
    """Ctrl-Z stops a scan with its workers: nobody looked when the time ended, and the file, which
    was not at work, is done after it.
    """
    worker = at_work(Waiting(), tmp_path / "a")
    clock.value = until_begun(worker) + 9_999

    assert worker.collect() == []
    assert worker._wall_left() == Waiting.policy.wall_seconds
    (tmp_path / "a").touch()
    assert first_done(worker) == "done"


@pytest.mark.parametrize("late", [[0.0], [9_999, 19_999]])
def test_a_file_without_end_is_ended_also_where_nobody_looks_for_long(
    at_work, clock, tmp_path, late
):
    """By its wall time, though it takes nothing of the processor: at its end, if somebody looks
    then; else at the second time that somebody looks too late.
    """
    worker = at_work(Waiting(), tmp_path / "never")
    begun, told = until_begun(worker), []
    for one in late:
        assert not told
        clock.value = begun + Waiting.policy.wall_seconds + one
        told = worker.collect()

    assert told[0].outcome.error.reason == Reason.TIMEOUT
    assert told[0].outcome.error.detail == "not finished within 600 s"
    assert told[0].seconds < Waiting.policy.seconds


@pytest.mark.parametrize("name", ["long", "just-too-long", "many"])
def test_a_process_that_sends_without_an_end_is_replaced(at_work, tmp_path, name):
    """Soon, so that it neither fills the memory nor keeps the scan; the next file has its own."""
    (tmp_path / "next").write_bytes(b"words")
    worker = at_work(Flooding(), tmp_path / name)
    first = worker._process.pid

    assert first_done(worker).error.reason == Reason.CRASHED

    while worker._process.pid == first:
        worker.collect()
    assert len(worker._received) < 9 << 20
    worker.take(Target(str(tmp_path / "next")), None)
    assert first_done(worker) == {"size": 5}


def test_an_idle_process_that_sends_is_replaced(at_work, tmp_path):
    """Nobody has asked it anything."""
    worker = at_work(Counting(), tmp_path / "a")
    until_told(worker)
    first = worker._process.pid
    worker._received += frame_message(b"anything")

    assert worker.collect() == []

    assert worker._process.pid != first


def test_a_process_that_says_anything_of_what_it_was_at_is_not_replaced_for_ever(monkeypatch):
    """After three of them, the file that was next is taken to be the cause; and the scan waits."""
    for name in ("_start",):
        monkeypatch.setattr(Worker, name, lambda self: None)
    for said in (0.0, 7e9, 1e300, 0.5, -1.0, float("nan"), float("inf")):
        worker = Worker(Counting())
        worker._usage = Usage(multiprocessing.get_context("spawn"))
        worker._usage.arrive()
        worker._usage._cells[:2] = said, said
        worker._usage._cells[3] = said
        worker.tasks.append(Task(Target("a"), None, number=1, sent=1))
        harm = MediaError("crashed", "")
        told = [worker._replace(worker._usage.number, harm, worker._spent()) for _ in range(3)]

        assert worker.seconds_left() <= Counting.policy.seconds  # no selector waits for ever
        assert told[:2] == [[], []]
        assert told[2][0].outcome.error == harm
        assert 0 <= told[2][0].seconds <= Counting.policy.seconds


@pytest.mark.parametrize("first", ["died", "failed"])
@pytest.mark.parametrize("second", ["died", "failed", "done"])
def test_what_a_file_took_is_of_all_that_was_tried_with_it(monkeypatch, clock, first, second):
    """Also where its digests alone harm another process, or our own code fails at it."""
    for name in ("_start", "send"):
        monkeypatch.setattr(Worker, name, lambda self: None)
    worker = Worker(Counting())
    worker._makes_digests = True
    worker._usage = Usage(multiprocessing.get_context("spawn"))
    worker.tasks.append(Task(Target("a"), None, number=1))
    told = []
    for how in (first, second):
        (task,) = worker.tasks
        task.sent = 1
        worker._usage._cells[:2] = 1, 100.0
        clock.value = 104.0
        if how == "died":
            told += worker._replace(1, MediaError("crashed", ""), worker._spent())
        else:
            error = "ValueError" if how == "failed" else None
            told += worker._read_answer(
                Answer(1, HashedInput(Name("a")), 4.0, 5.0, error).to_wire()
            )

    assert [one.seconds for one in told] == [8.0]
