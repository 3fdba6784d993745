"""The Service: changes of its lists, one at a time."""

import asyncio

import pytest

from screener import HashList
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


def test_functions_run_before_each_look_and_at_the_end(tmp_path):
    """In their order."""
    made = HashList.create(tmp_path / "known.list")
    service, calls = Service(Settings(lists=(made.path,), jobs=1)), []
    service.before_refresh.append(lambda: calls.append("look"))
    service.on_stop.append(lambda: calls.append("end"))

    async def run():
        await service.refresh()
        await service.refresh()
        await service.stop()

    asyncio.run(run())
    assert calls == ["look", "look", "end"]
