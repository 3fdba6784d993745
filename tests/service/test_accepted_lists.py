"""A list that shrinks by more than half is not taken up."""

import asyncio
import json

import pytest

from screener import HashList
from screener.errors import ServiceError
from screener.service.server import Service
from screener.service.settings import Settings


@pytest.fixture
def deliver(tmp_path):
    """Return a function that makes a list of as many entries, and returns its path."""

    def deliver(name, count):
        path, file = tmp_path / f"{name}.list", tmp_path / f"{name}.csv"
        rows = [f"{number},{number + 1:032x}\n" for number in range(count)]
        file.write_text(f"id,md5\n{''.join(rows)}")
        one = HashList.open(path) if path.exists() else HashList.create(path)
        one.import_file(file, full=True, accept_shrink=True)
        return path

    return deliver


def started(*paths, **settings):
    """Return a service that has accepted these lists, as after its start."""
    service = Service(Settings(lists=paths, jobs=1, **settings))
    service.accepted_lists.store(service.screener.lists)
    return service


def refreshed(service):
    """Look for newer lists; return the counts of those in use, and the problems."""
    asyncio.run(service.refresh())
    return [one.kinds.get("md5", 0) for one in service.screener.lists], service.find_problems()


@pytest.mark.parametrize("with_state", [False, True])
def test_a_list_that_shrinks_is_taken_up_by_no_poll_and_no_restart(deliver, tmp_path, with_state):
    """Others are, and half is not more than half. The first start accepts what it finds."""
    settings = {"state": tmp_path / "state"} if with_state else {}
    paths = deliver("one", 10), deliver("two", 10)
    service = started(*paths, **settings)
    deliver("one", 4), deliver("two", 5)

    assert refreshed(service) == ([10, 5], ["list_shrunk"])
    assert refreshed(service) == ([10, 5], ["list_shrunk"])
    with pytest.raises(ServiceError, match=r"one has shrunk .*entries: 4 of 10.*--accept-shrink"):
        started(*paths, **settings)
    accepted = started(*paths, accept_shrink=True, **settings)
    assert refreshed(accepted) == ([4, 5], [])
    assert refreshed(started(*paths, **settings)) == ([4, 5], [])
    deliver("one", 1)
    assert refreshed(accepted) == ([4, 5], ["list_shrunk"])  # the option is for the start alone
    deliver("one", 4)
    assert refreshed(accepted) == ([4, 5], [])


def test_entries_that_can_no_longer_match_are_lost_too(deliver, tmp_path):
    """Their values stay searchable, as known files."""
    path = deliver("one", 10)
    service = started(path)
    HashList.open(path).import_file(tmp_path / "one.csv", state="known_good")

    assert refreshed(service) == ([10], ["list_shrunk"])
    assert service.screener.lists[0].matchable


def test_a_changed_policy_brings_no_list_that_has_shrunk(deliver, tmp_path):
    """It decides by the lists that are in use."""
    policy = tmp_path / "policy.toml"
    policy.write_text("")
    path = deliver("one", 10)
    service = started(path, policy=policy)
    deliver("one", 1)
    assert refreshed(service) == ([10], ["list_shrunk"])

    policy.write_text("digests_only = true\n")
    asyncio.run(service.reload_policy())

    assert service.screener.policy.digests_only
    assert refreshed(service) == ([10], ["list_shrunk"])


def test_counts_that_cannot_be_read_are_no_first_start(deliver):
    """The service says what to do."""
    path = deliver("one", 10)
    started(path)
    assert json.loads((path / "accepted.json").read_bytes()) == {"entries": 10, "md5": 10}
    (path / "accepted.json").write_text("{")

    with pytest.raises(ServiceError, match=r"accepted.json cannot be read.*--accept-shrink"):
        started(path)
    started(path, accept_shrink=True)
    assert started(path).find_problems() == []


def test_counts_that_cannot_be_stored_are_logged(deliver, monkeypatch, caplog):
    """The service works on."""

    def fail(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("screener.service.accepted_lists.write_atomically", fail)
    service = started(deliver("one", 10))

    assert "cannot be written" in caplog.text
    assert service.find_problems() == []
