"""A Service takes a changed policy file without a restart, and none that is broken."""

import asyncio
import json
import logging

import pytest

from screener import Hash, Policy
from screener.service.server import Service
from screener.service.settings import Settings


@pytest.fixture
def policy_file(tmp_path):
    """A policy file that enforces every list."""
    path = tmp_path / "policy.toml"
    path.write_text("max_list_age = 86400\n")
    return path


@pytest.fixture
def service(lists, policy_file):
    """A Service without workers, which reads the policy file."""
    made = Service(Settings(lists=lists, policy=policy_file, jobs=1))
    yield made
    asyncio.run(made.stop())


def look_up(service, value):
    """The Result of a hash in the service."""

    async def match():
        (result,) = await service.matcher.match([[Hash.parse("pdq", value)]], [None])
        service.metrics.count_result(result)
        return result

    return asyncio.run(match())


def metric(service, name):
    """The value of a metric in its text, or None."""
    lines = service.metrics.render().decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), None)


def test_a_changed_policy_decides_from_now_on(service, policy_file, values):
    """Hits on a list that is now in shadow make no match, and are counted apart."""
    assert look_up(service, values["listed"]).verdict == "match"
    policy_file.write_text('[lists.known]\nmode = "shadow"\n')
    assert look_up(service, values["listed"]).verdict == "match"

    asyncio.run(service.reload_policy())
    result = look_up(service, values["listed"])
    assert (result.verdict, [hit.shadow for hit in result.other_hits]) == ("no_match", [True])
    assert result.policy == Policy.load(policy_file).fingerprint
    assert look_up(service, values["second"]).verdict == "match"
    assert metric(service, 'screener_shadow_matches_total{list="known"}') == 1
    assert metric(service, "screener_policy_reloads_total") == 1
    assert metric(service, "screener_policy_broken") == 0

    asyncio.run(service.reload_policy())  # nothing has changed
    assert metric(service, "screener_policy_reloads_total") == 1
    asyncio.run(service.refresh())  # of the lists: the policy stays
    assert look_up(service, values["listed"]).verdict == "no_match"


def test_hits_in_shadow_are_logged_apart(lists, policy_file, values, tmp_path):
    """A line for each list, with its nearest hit; no entry and no hash."""
    policy_file.write_text('[lists.known]\nmode = "shadow"\nradius.pdq = 20\n')
    log = tmp_path / "log"
    made = Service(Settings(lists=lists, policy=policy_file, jobs=1, access_log=log))
    near = f"{int(values['listed'], 16) ^ 7:064x}"

    look_up(made, near)
    look_up(made, values["second"])
    look_up(made, values["other"])

    asyncio.run(made.stop())
    (line,) = map(json.loads, log.read_text().splitlines())
    assert line.pop("time") > 1e9
    assert line == {
        "shadow": "known", "verdict": "no_match", "hits": 1, "state": "confirmed", "kind": "pdq",
        "by": "distance", "distance": 3, "radius": 20,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "radius = 5\n",
        "[lists.known]\nmode = 'of'\n",
        "not toml",
        "memory = 134217728\n[sampling]\nevery = -1\n",
        "max_list_age = 0.000001\n",
        None,
    ],
)
def test_a_broken_file_leaves_the_old_policy(service, policy_file, values, text, caplog):
    """The log says so once, and the metrics until the file is repaired."""
    before = look_up(service, values["listed"])
    good = policy_file.read_text()
    if text is None:
        policy_file.unlink()
    else:
        policy_file.write_text(text)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            asyncio.run(service.reload_policy())
    assert len([one for one in caplog.records if "its old policy" in one.getMessage()]) == 1
    assert metric(service, "screener_policy_broken") == 1
    result = look_up(service, values["listed"])
    assert (result.verdict, result.policy) == ("match", before.policy)
    assert service.find_problems() == []

    policy_file.write_text(good)
    asyncio.run(service.reload_policy())
    assert metric(service, "screener_policy_broken") == 0
    assert metric(service, "screener_policy_reloads_total") == 0


def test_a_list_that_is_not_enforced_may_be_old(service, policy_file, monkeypatch):
    """So turning it off is a way to be ready again."""
    monkeypatch.setattr(
        "screener.lists.hashlist.HashList.age_s", lambda self: 1e5 if self.name == "known" else 1.0
    )
    policy_file.write_text("max_list_age = 86400\n[lists.known]\nmode = 'off'\n")
    asyncio.run(service.reload_policy())
    assert metric(service, "screener_policy_broken") == 0
    assert service.find_problems() == []


def test_without_a_policy_file_nothing_is_reloaded(lists, values):
    """The default policy stays."""
    made = Service(Settings(lists=lists, jobs=1))
    asyncio.run(made.reload_policy())
    assert made.screener.policy == Policy()
    asyncio.run(made.stop())
