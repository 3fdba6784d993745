"""The Service: changes of its lists, one at a time."""

import asyncio

import pytest

from screener import Hash, HashList
from screener.errors import ListError, WorkerError
from screener.service.server import Service
from screener.service.settings import Settings


@pytest.mark.parametrize(
    ("error", "problems"),
    [(WorkerError("none starts"), []), (ListError("gone"), ["list_unavailable"])],
)
def test_a_newer_generation_that_cannot_be_used(tmp_path, monkeypatch, error, problems):
    """The old one stays; the service is not ready if the list is at fault, but not if workers of
    other kinds do not start.
    """
    made = HashList.create(tmp_path / "known.list")
    service = Service(Settings(lists=(made.path,), jobs=1))

    def fail(_screener):
        raise error

    monkeypatch.setattr("screener.service.server._open_newest", fail)
    with pytest.raises(type(error)):
        asyncio.run(service.refresh())
    assert service.find_problems() == problems
    assert service.screener.lists[0].generation == made.generation


@pytest.mark.parametrize("hugepages", [True, False])
def test_with_hugepages_lists_are_copied_into_memory(tmp_path, hugepages):
    """So what happens to their files later changes no answer, which it does if they are mapped."""
    made, text = HashList.create(tmp_path / "known.list"), "f0e1d2c3b4a59687" * 4
    (tmp_path / "known.csv").write_text(f"id,pdq\none,{text}\n")
    made.import_file(tmp_path / "known.csv")
    service = Service(Settings(lists=(made.path,), jobs=1, hugepages=hugepages))
    (index,) = (made.path / "segments").glob("pdq-*.idx")
    with index.open("r+b") as file:
        file.write(bytes(index.stat().st_size))
    result = service.screener.match([Hash.parse("pdq", text)])
    assert (result.verdict == "match") is hugepages


def test_changes_of_lists_wait_for_one_another(tmp_path):
    """None begins with lists that another is about to replace, so that none is undone."""
    first, *others = [HashList.create(tmp_path / f"list{number}.list") for number in range(4)]
    service = Service(Settings(lists=(first.path,), jobs=1))

    async def add_all():
        await asyncio.gather(
            *[
                service.change_lists(lambda now, one=one: now.with_lists([*now.lists, one]))
                for one in others
            ],
            service.refresh(),
        )

    asyncio.run(add_all())
    service.pool.close(0)
    assert {one.name for one in service.screener.lists} == {"list0", "list1", "list2", "list3"}


def test_a_function_that_fails_at_the_end_stops_no_other(tmp_path, caplog):
    """Not the other functions, nor the storing of hashes."""
    made = HashList.create(tmp_path / "known.list")
    settings = Settings(
        lists=(made.path,), jobs=1, keep_hashes=1, state=tmp_path / "state",
        matches_file=tmp_path / "matches.jsonl",
    )  # fmt: skip
    service, calls = Service(settings), []
    service.on_stop += [lambda: calls.append("first"), lambda: 1 / 0, lambda: calls.append("last")]

    async def run():
        await service.start()
        await service.stop()

    asyncio.run(run())
    assert calls == ["first", "last"]
    assert "ZeroDivisionError" in caplog.text
    Service(settings).reverse.stop()  # whose folder is free


def test_problems_are_logged_once(tmp_path, caplog, monkeypatch):
    """When they come and when they have gone."""
    monkeypatch.setattr("screener.service.server._PROBE_SECONDS", 0.01)
    made = HashList.create(tmp_path / "known.list")
    service = Service(Settings(lists=(made.path,), jobs=1))
    caplog.set_level("INFO")

    async def run():
        await service.start()
        away = made.path.rename(tmp_path / "away.list")
        with pytest.raises(ListError):
            await service.refresh()
        while "not ready" not in caplog.text:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        away.rename(made.path)
        await service.refresh()
        while "ready again" not in caplog.text:
            await asyncio.sleep(0.01)
        await service.stop()

    asyncio.run(run())
    texts = [record.getMessage() for record in caplog.records if "ready" in record.getMessage()]
    assert texts == ["not ready: list_unavailable", "ready again"]
