"""The delivery of queued events: at least once, under stable ids, to a receiver that may fail."""

import json
from dataclasses import replace

import pytest
from pool_accidents import until
from prometheus_client import CollectorRegistry
from receiver import SECRET, Receiver
from service_lists import make

from screener import HashList, Screener
from screener.errors import ServiceError
from screener.service import delivery as delivery_module
from screener.service.delivery import Delivery, MatchesFile, backoff
from screener.service.outbox import MAX_MATCHES, Answer, Event, Outbox
from screener.service.webhooks import Webhook


@pytest.fixture
def result(tmp_path, files, values):
    """A Result that matches an entry."""
    path = make(tmp_path, "known", [{"id": "one", "pdq": values["listed"]}])
    return Screener(HashList.open(path)).screen(files["listed"], input="upload")


@pytest.fixture
def outbox(tmp_path):
    """An empty queue."""
    outbox = Outbox(tmp_path / "events.sqlite")
    yield outbox
    outbox.close()


def queue(outbox, result, *names):
    """Queue an event for each upload."""
    results = [replace(result, input=name) for name in names]
    return outbox.report(
        results, lambda result, _: json.dumps({"of": result.input}), to_write=True, to_send=True
    )


class Delivering:
    """A Delivery that runs in a `with` block."""

    def __init__(self, outbox, url=None, file=None):
        webhook = None if url is None else Webhook(url, [SECRET], seconds=5)
        self.registry = CollectorRegistry()
        self.delivery = Delivery(outbox, file=file, webhook=webhook, registry=self.registry)

    def count(self, outcome):
        """The number of attempts with an outcome."""
        name = "screener_webhook_deliveries_total"
        return self.registry.get_sample_value(name, {"outcome": str(outcome)}) or 0

    def waiting(self, to):
        """The number of events that wait."""
        return self.registry.get_sample_value("screener_events_waiting", {"to": to})

    def __enter__(self):
        self.delivery.start()
        return self

    def __exit__(self, *_):
        assert self.delivery.stop(60)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Wait for hundredths of seconds."""
    monkeypatch.setattr(delivery_module, "_FIRST_SECONDS", 0.02)


def test_a_receiver_that_is_down_gets_all_when_it_is_up(outbox, result):
    """In the order of the queue, and the queue is empty then."""
    with Receiver() as down:
        port, url = down.port, down.url
    names = [f"upload {number}" for number in range(30)]
    queue(outbox, result, *names)

    with Delivering(outbox, url) as delivering:
        until(lambda: delivering.count("no_answer") >= 2)
        assert delivering.waiting("webhook") == 30
        with Receiver(port=port) as receiver:
            until(lambda: len(receiver.events) == 30)
            until(lambda: delivering.waiting("webhook") == 0)

    assert [event["of"] for event in receiver.events] == names


@pytest.mark.parametrize("status", [500, 502, 503, 429, 401, 403, 404, 302])
def test_an_answer_other_than_2xx_is_no_delivery(outbox, result, status):
    """The event comes again, under the same id."""
    queue(outbox, result, "a")
    with Receiver(status, status) as receiver, Delivering(outbox, receiver.url) as delivering:
        until(lambda: receiver.events)
        until(lambda: delivering.count("delivered") == 1)

    assert [seen for _, seen in receiver.attempts] == [status, status, 204]
    assert len({event_id for event_id, _ in receiver.attempts}) == 1
    assert delivering.count(status) == 2


def test_a_receiver_with_another_secret_gets_it_when_it_has_the_right_one(outbox, result):
    """It answers 401, and loses nothing."""
    queue(outbox, result, "a")
    with (
        Receiver(secret=b"another" * 5) as receiver,
        Delivering(outbox, receiver.url) as delivering,
    ):
        until(lambda: delivering.count(401) >= 2)
        receiver.secret = SECRET
        until(lambda: receiver.events)

    assert receiver.events[0]["of"] == "a"


def test_an_event_that_is_refused_does_not_hold_up_the_others(outbox, result):
    """400: the next ones come at once, that one later."""
    queue(outbox, result, "a", "b", "c")
    with Receiver(400) as receiver, Delivering(outbox, receiver.url) as delivering:
        until(lambda: len(receiver.events) == 3)
        until(lambda: delivering.waiting("webhook") == 0)

    assert [event["of"] for event in receiver.events] == ["b", "c", "a"]


def test_a_receiver_that_is_gone_is_left_alone_until_the_next_start(outbox, result, caplog):
    """410: for an hour; the log says so, and the events stay."""
    queue(outbox, result, "a", "b")
    with Receiver(410) as receiver:
        with Delivering(outbox, receiver.url) as delivering:
            until(lambda: delivering.count(410) == 1)
            for _ in range(20):
                delivering.delivery.wake()
        assert len(receiver.attempts) == 1
        assert "410" in caplog.text
        assert delivering.waiting("webhook") == 2

        with Delivering(outbox, receiver.url):
            until(lambda: len(receiver.events) == 2)


def test_waits_grow_to_an_hour_with_jitter():
    """From the half to the whole of twice as long each time."""
    waits = {failures: [backoff(failures) for _ in range(200)] for failures in (1, 5, 40, 10_000)}

    for failures, longest in ((1, 0.02), (5, 0.32), (40, 3600), (10_000, 3600)):
        assert longest / 2 <= min(waits[failures])
        assert max(waits[failures]) <= longest
        assert len(set(waits[failures])) > 100


def test_an_event_is_made_once(outbox, result, tmp_path):
    """Not for what the answer said, nor a second time."""
    outbox.learn([Answer("answered", result.matches)])

    assert queue(outbox, result, "answered") == 0
    assert queue(outbox, result, "a") == len(result.matches)
    assert queue(outbox, result, "a", "a") == 0
    again = Outbox(tmp_path / "events.sqlite")
    assert [event.body for event in again.find_unwritten(10)] == ['{"of": "a"}']
    again.close()


def test_very_many_matches_make_several_events(outbox, result):
    """None is left out."""
    first = result.matches[0]
    matches = tuple(replace(first, entry=f"entry {n}") for n in range(2 * MAX_MATCHES + 1))
    described = []
    outbox.report(
        [replace(result, matches=matches)],
        lambda _, part: described.extend(part) or "{}",
        to_write=True, to_send=False,
    )  # fmt: skip

    assert described == list(matches)
    assert len(outbox.find_unwritten(10)) == 3


def test_what_is_old_is_forgotten_and_what_waits_is_not(outbox, result):
    """An event stays until it is delivered."""
    outbox.learn([Answer("restricted", (), frozenset(["known"]))])
    queue(outbox, result, "a")
    outbox.forget(-1)

    assert len(outbox.find_unwritten(10)) == 1
    assert queue(outbox, result, "a") == len(result.matches)


def test_another_file_is_refused_and_left_alone(tmp_path):
    """Such as a cache, or a text."""
    path = tmp_path / "other"
    path.write_text("something else, which is not a database" * 10)
    before = path.read_bytes()

    with pytest.raises(ServiceError):
        Outbox(path)

    assert path.read_bytes() == before


def test_events_are_appended_to_whole_lines(tmp_path):
    """Half a line at the end is removed; other lines stay."""
    path = tmp_path / "matches.jsonl"
    path.write_text('{"id":"first"}\n{"id":"ha' + "x" * 200_000)

    MatchesFile(path).append([Event(1, "msg_1", '{"a":1}', 0)])

    assert path.read_text() == '{"id":"first"}\n{"id":"msg_1","a":1}\n'


def test_a_file_that_cannot_be_written_holds_up_no_webhook(outbox, result, tmp_path, caplog):
    """The events wait for it, and the log says so."""
    folder = tmp_path / "folder"
    folder.mkdir()
    file = MatchesFile(folder / "matches.jsonl")
    (folder / "matches.jsonl").unlink()
    folder.rename(tmp_path / "away")
    queue(outbox, result, "a")
    with Receiver() as receiver, Delivering(outbox, receiver.url, file) as delivering:
        until(lambda: receiver.events)
        until(lambda: delivering.waiting("webhook") == 0)
        assert delivering.waiting("file") == 1
        (tmp_path / "away").rename(folder)
        delivering.delivery.wake()
        until(lambda: delivering.waiting("file") == 0)

    assert "matches wait for their file" in caplog.text
    (line,) = (folder / "matches.jsonl").read_text().splitlines()
    assert json.loads(line) == receiver.events[0]
