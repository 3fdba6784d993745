"""Lists as banks: names, numbers that are never used again, changes that are visible at once."""

import sqlite3
import time

import pytest
from hma_service import hma_client, upload
from pool_accidents import until
from service_lists import make

from screener import HashList, Policy
from screener.errors import ServiceError
from screener.service.hma import routes
from screener.service.server import Service
from screener.service.settings import Settings


def find(client, text, signal_type="pdq", path="/m/lookup", **query):
    """Look a hash up; return the answer, which must be one."""
    answer = client.get(path, params={"signal": text, "signal_type": signal_type, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def numbers(client, text, **query):
    """Return the numbers that a look-up finds, by bank."""
    return {
        bank: [one["bank_content_id"] for one in contents]
        for bank, contents in find(client, text, **query).items()
    }


def add(client, bank, text, **fields):
    """Add a PDQ to a bank; return its number."""
    answer = client.post(f"/c/bank/{bank}/signal", json={"pdq": text, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def test_lists_are_banks_under_their_names_in_capitals(tmp_path, state, pdqs):
    """With `_` for other characters; two of one name are told apart."""
    row = [{"id": "one", "pdq": pdqs[0]}]
    names = ("ncmec-us", "ncmec_us", "2026 é")
    with hma_client(state, *[make(tmp_path, name, row) for name in names]) as client:
        banks = client.get("/c/banks").json()

    assert [bank["name"] for bank in banks] == ["NCMEC_US", "NCMEC_US_2", "_2026__"]
    assert {bank["matching_enabled_ratio"] for bank in banks} == {1.0}


def test_entries_of_one_id_have_numbers_of_their_own(tmp_path, state, pdqs):
    """In two lists, and of two sources of one list."""
    first = make(tmp_path, "first", [{"id": "one", "pdq": pdqs[0]}])
    second = make(tmp_path, "second", [{"id": "one", "pdq": pdqs[0]}])
    HashList.open(second).import_file(tmp_path / "second.csv", source="another")
    with hma_client(state, first, second) as client:
        found = numbers(client, pdqs[0])
        again = numbers(client, pdqs[0])

    assert {bank: len(ids) for bank, ids in found.items()} == {"FIRST": 1, "SECOND": 2}
    assert len({id_ for ids in found.values() for id_ in ids}) == 3
    assert again == found


def test_numbers_ratios_and_disabling_survive_a_restart(known, state, pdqs):
    """And so do banks and contents that clients made."""
    with hma_client(state, known) as client:
        client.post("/c/banks", json={"name": "OURS", "enabled_ratio": 0.0})
        first, second = add(client, "OURS", pdqs[1]), add(client, "OURS", pdqs[1], note="why")
        client.put(f"/c/bank/OURS/content/{first}", json={"disable_until_ts": 0})
        (listed,) = numbers(client, pdqs[0])["KNOWN"]
        client.put("/c/bank/KNOWN", json={"name": "RENAMED"})

    with hma_client(state, known) as client:
        assert client.get("/c/bank/OURS").json()["matching_enabled_ratio"] == 0.0
        assert numbers(client, pdqs[1]) == {}
        client.put("/c/bank/OURS", json={"enabled": "true"})
        assert numbers(client, pdqs[1]) == {"OURS": [second]}
        assert find(client, pdqs[1], path="/m/raw_lookup") == {"matches": [first, second]}
        assert numbers(client, pdqs[0]) == {"RENAMED": [listed]}
        assert client.get(f"/c/bank/OURS/content/{second}").json()["note"] == "why"


def test_no_number_is_used_twice(known, state, pdqs):
    """Not after its content was deleted, nor its bank, nor after a restart."""
    used = []
    for _ in range(2):
        with hma_client(state, known) as client:
            (listed,) = numbers(client, pdqs[0])["KNOWN"]
            client.post("/c/banks", json={"name": "OURS"})
            used += [add(client, "OURS", pdqs[1]), add(client, "OURS", pdqs[2])]
            assert client.delete(f"/c/bank/OURS/content/{used[-1]}").json() == {"deleted": 1}
            used.append(add(client, "OURS", pdqs[2]))
            assert client.delete("/c/bank/OURS").json() == {"message": "Done"}
            assert client.get(f"/c/bank/KNOWN/content/{used[-1]}").status_code == 404
            assert numbers(client, pdqs[1]) == {}

    assert len({listed, *used}) == 7


def test_a_list_that_is_imported_anew_keeps_its_numbers(tmp_path, state, pdqs):
    """An entry is known by its list's name, its source and its id."""
    rows = [{"id": "one", "pdq": pdqs[0]}, {"id": "two", "pdq": pdqs[1]}]
    with hma_client(state, make(tmp_path, "known", rows)) as client:
        before = numbers(client, pdqs[1]), numbers(client, pdqs[0])
    (tmp_path / "anew").mkdir()
    with hma_client(state, make(tmp_path / "anew", "known", rows[::-1])) as client:
        assert (numbers(client, pdqs[1]), numbers(client, pdqs[0])) == before


def test_disabled_contents_are_left_out_until_their_time(known, state, pdqs):
    """Of look-ups, not of raw ones."""
    with hma_client(state, known) as client:
        (id_,) = numbers(client, pdqs[0])["KNOWN"]
        path = f"/c/bank/KNOWN/content/{id_}"
        for until, is_found in ((0, False), (int(time.time()) + 900, False), (1, True), (0, False)):
            assert client.put(path, json={"disable_until_ts": until}).status_code == 200
            assert numbers(client, pdqs[0]) == ({"KNOWN": [id_]} if is_found else {})
            assert find(client, pdqs[0], path="/m/raw_lookup") == {"matches": [id_]}
        assert client.get(path).json()["disable_until_ts"] == 0


def test_deleting_an_entry_of_a_list_disputes_it(known, state, pdqs):
    """This API no longer finds it, and `/v1` still does: an opinion cancels no match."""
    with hma_client(state, known) as client:
        (id_,) = numbers(client, pdqs[0])["KNOWN"]
        assert client.delete(f"/c/bank/KNOWN/content/{id_}").json() == {"deleted": 1}
        assert client.delete(f"/c/bank/KNOWN/content/{id_}").json() == {"deleted": 0}
        assert numbers(client, pdqs[0]) == {}
        assert find(client, pdqs[0], path="/m/raw_lookup") == {"matches": []}
        assert client.get(f"/c/bank/KNOWN/content/{id_}").status_code == 404
        result = client.post("/v1/match", json={"hashes": [{"kind": "pdq", "value": pdqs[0]}]})
    (shown,) = HashList.open(known).show("one")

    assert shown.state == "disputed"
    assert [opinion.state for opinion in shown.opinions] == ["known_good"]
    assert '"disputed"' in result.text


def test_a_withdrawn_entry_is_gone(tmp_path, known, state, pdqs):
    """As if it had never been there, for look-ups and by its number."""
    with hma_client(state, known, poll_seconds=0.05) as client:
        (id_,) = numbers(client, pdqs[0])["KNOWN"]
        file = tmp_path / "gone.csv"
        file.write_text(f"id,pdq,state\none,{pdqs[0]},withdrawn\ntwo,{pdqs[1]},\n")
        HashList.open(known).import_file(file, source="test")
        while numbers(client, pdqs[0]):
            time.sleep(0.05)
        assert client.get(f"/c/bank/KNOWN/content/{id_}").status_code == 404


def test_banks_of_lists_are_neither_filled_nor_deleted(known, state, pdqs, pictures):
    """The operator imports into lists, and chooses which are served."""
    with hma_client(state, known) as client:
        calls = [
            client.post("/c/bank/KNOWN/signal", json={"pdq": pdqs[1]}),
            client.post("/c/bank/KNOWN/content", **upload(pictures[1])),
            client.delete("/c/bank/KNOWN"),
        ]
        assert [(one.status_code, list(one.json())) for one in calls] == [(403, ["message"])] * 3
        assert numbers(client, pdqs[1]) == {}
        assert set(numbers(client, pdqs[0])) == {"KNOWN"}


def test_a_value_that_very_many_contents_have_matches(known, state, pdqs, monkeypatch):
    """In an import it would be taken for a constant of a faulty tool."""
    monkeypatch.setattr("screener.lists.store.repeated_values.MIN_FILES", 3)
    with hma_client(state, known) as client:
        client.post("/c/banks", json={"name": "OURS"})
        md5s = [{"video_md5": f"{number:032x}"} for number in range(1, 6)]
        ids = [add(client, "OURS", pdqs[1], **md5) for md5 in md5s]
        assert sorted(numbers(client, pdqs[1])["OURS"]) == ids
        size = client.get("/m/index/status").json()["pdq"]["size"]

    assert size == 6  # with that of the list


def test_what_a_killed_process_left_is_removed(known, state, pdqs):
    """A bank without its list, and a list without its bank."""
    with hma_client(state, known) as client:
        client.post("/c/banks", json={"name": "OURS"})
        id_ = add(client, "OURS", pdqs[1])
    with sqlite3.connect(state / "hma.sqlite") as database:
        database.execute("INSERT INTO banks VALUES (7, 'LOST', 'hma-bank-7', 1, 1.0)")
        database.execute("INSERT INTO contents(bank, source, entry) VALUES (7, 'hma', '')")
    database.close()
    HashList.create(state / "hma-bank-8.list")

    with hma_client(state, known) as client:
        assert [bank["name"] for bank in client.get("/c/banks").json()] == ["KNOWN", "OURS"]
        assert numbers(client, pdqs[1]) == {"OURS": [id_]}
    assert not (state / "hma-bank-8.list").exists()


def test_a_list_with_records_is_never_removed(known, state, pdqs):
    """Such as one that was made after the copy of the database that an operator put back."""
    with hma_client(state, known) as client:
        client.post("/c/banks", json={"name": "OURS"})
        add(client, "OURS", pdqs[1])
    (path,) = state.glob("hma-bank-*.list")
    (state / "hma.sqlite").unlink()

    with hma_client(state, known) as client:
        assert [bank["name"] for bank in client.get("/c/banks").json()] == ["KNOWN"]
    assert HashList.open(path).info().states


def test_one_process_uses_a_folder(known, state):
    """Its files are for its owner only."""
    second = Service(Settings(lists=(known,), hma=True, hma_state=state))
    with hma_client(state, known), pytest.raises(ServiceError, match="another process"):
        routes(second)
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "hma.sqlite").stat().st_mode & 0o777 == 0o600


def make_old(state):
    """Date the only bank that a client made back by decades; return its path."""
    (own,) = state.glob("*.list")
    with sqlite3.connect(own / "records.sqlite") as database:
        database.execute("UPDATE generations SET confirmed = 1000, time = 1000")
    database.close()
    return own


def test_own_banks_are_never_too_old(tmp_path, known, state, pdqs):
    """They change only by this API, so that their age says nothing."""
    policy = tmp_path / "policy.toml"
    policy.write_text("max_list_age = 1000000\n")
    with hma_client(state, known, policy=policy) as client:
        client.post("/c/banks", json={"name": "OURS"})
        add(client, "OURS", pdqs[1])
    own = make_old(state)
    assert HashList.open(own).age_s() > Policy.load(policy).max_list_age

    with hma_client(state, known, policy=policy) as client:
        assert set(numbers(client, pdqs[1])) == {"OURS"}
        assert client.get("/status").text == "I-AM-ALIVE"
        add(client, "OURS", pdqs[2])
        assert set(numbers(client, pdqs[2])) == {"OURS"}
        metrics = client.get("/metrics").text
    assert 'screener_list_age_seconds{list="known"}' in metrics
    assert 'screener_list_age_seconds{list="hma-bank' not in metrics


def test_an_age_limit_that_comes_later_is_for_lists_alone(known, tmp_path, state, pdqs):
    """With old banks that clients made, a policy that gets one is taken without a restart."""
    policy = tmp_path / "policy.toml"
    policy.write_text("radius.pdq = 31\n")
    with hma_client(state, known) as client:
        client.post("/c/banks", json={"name": "OURS"})
        add(client, "OURS", pdqs[1])
    make_old(state)

    with hma_client(state, known, policy=policy, poll_seconds=0.05) as client:
        assert set(numbers(client, pdqs[1])) == {"OURS"}
        policy.write_text("radius.pdq = 20\nmax_list_age = 1000000\n")
        until(lambda: client.get("/v1/lists").json()["lists"][0]["radius"] == {"pdq": 20})
        assert set(numbers(client, pdqs[1])) == {"OURS"}
        assert client.get("/status").text == "I-AM-ALIVE"
        assert "screener_policy_broken 0.0" in client.get("/metrics").text


def change_and_fail(monkeypatch, *names):
    """Let functions of the banks fail as a full disk would."""

    def fail(*_):
        raise ServiceError("the disk is full")

    for name in names:
        monkeypatch.setattr(f"screener.service.hma.{name}", fail)


def test_a_change_that_is_stored_is_answered_so(tmp_path, known, state, pdqs, caplog):
    """Although another list is gone at the time; it is in use as soon as that one is back."""
    other = make(tmp_path, "other", [{"id": "one", "pdq": pdqs[2]}])
    with hma_client(state, known, other, poll_seconds=0.05) as client:
        client.post("/c/banks", json={"name": "OURS"})
        first = add(client, "OURS", pdqs[1])
        away = other.rename(tmp_path / "away")
        second = add(client, "OURS", pdqs[1])
        assert client.delete(f"/c/bank/OURS/content/{first}").json() == {"deleted": 1}
        assert numbers(client, pdqs[1]).get("OURS") in (None, [second])
        assert "change of bank OURS is stored, but not in use yet: there is no list" in caplog.text
        away.rename(other)
        until(lambda: numbers(client, pdqs[1]) == {"OURS": [second]})


def test_a_change_that_fails_has_not_happened(known, state, pdqs, monkeypatch):
    """503 means that the client may try again."""
    with hma_client(state, known) as client:
        client.post("/c/banks", json={"name": "OURS"})
        id_ = add(client, "OURS", pdqs[1])
        path = f"/c/bank/OURS/content/{id_}"
        with monkeypatch.context() as patch:
            change_and_fail(patch, "banks.Banks._withdraw", "store.Store.remove_bank")
            assert client.delete(path).status_code == 503
            assert client.delete("/c/bank/OURS").status_code == 503
            assert numbers(client, pdqs[1]) == {"OURS": [id_]}
        with monkeypatch.context() as patch:
            change_and_fail(patch, "store.Store.change_content")
            assert client.delete(path).status_code == 503
            assert client.put(path, json={"disable_until_ts": 0}).status_code == 503
        with monkeypatch.context() as patch:
            change_and_fail(patch, "banks.Banks._add")
            answer = client.post("/c/bank/OURS/signal", json={"pdq": pdqs[2]})
            assert answer.status_code == 503
        add(client, "OURS", pdqs[1], video_md5="0" * 32)
        assert numbers(client, pdqs[2]) == {}
        assert len(numbers(client, pdqs[1])["OURS"]) == 2
    with hma_client(state, known) as client:
        assert numbers(client, pdqs[2]) == {}
        assert len(numbers(client, pdqs[1])["OURS"]) == 2
