"""scan: one Result a file, in order, whatever the files do to their workers."""

import os
import random
import socket
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from doubtful_screener import Doubtful
from scan_of_accidents import accidents
from text_pages import draw_page

from screener import Policy, Reason, Screener, Verdict, scan
from screener.errors import MediaError, PolicyError, WorkerError
from screener.hashing import pdq
from screener.media.archives.archive import Member
from screener.media.files.limits import Limits
from screener.media.name import Name
from screener.scanning import backlog
from screener.scanning.inputs.bell import Bell
from screener.scanning.inputs.expand import find_files, locate_files
from screener.scanning.inputs.folder import FoundFile
from screener.scanning.read_ahead import ReadAhead
from screener.scanning.scan import drop_paths, scan_with_paths
from screener.scanning.workers import pool as workers
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.hasher import HashMode


@pytest.fixture
def known(make_list):
    """A list that matches none of the pictures below."""
    return make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "md5": "ab" * 16}])


@pytest.mark.parametrize("jobs", [1, 3])
def test_crashes_hangs_and_memory_cost_exactly_their_file(known, scene, tmp_path, jobs):
    """Every other file is screened, in order; the bad ones are named with their reason."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    names = ["a", "crash-1", "crash-2", "d", "exit", "f", "hang", "memory", "z1", "z2"]
    for name in names:
        scene(1).save(folder / f"{name}.png")

    results, done = accidents(known, folder, jobs)

    assert [Path(r["input"]).stem for r in results] == names, done.stderr
    reasons = {Path(r["input"]).stem: r["reason"] for r in results}
    assert reasons == {
        **dict.fromkeys(["a", "d", "f", "z1", "z2"]),
        "crash-1": "crashed",
        "crash-2": "crashed",
        "exit": "crashed",
        "hang": "timeout",
        "memory": "too_large",
    }
    assert {r["verdict"] for r in results if r["reason"] is None} == {"no_match"}
    # As long as it took, so that a report names it among the slowest.
    assert [r["input"] for r in results if r["seconds"] >= 2] == [str(folder / "hang.png")]


@pytest.mark.parametrize("place", [(73, 142, 233, 262), (135, 1, 287, 115)])
def test_a_listed_photo_in_a_page_of_text_matches(draw, make_list, tmp_path, place):
    """Another inset reaches the edge of the page, and must not lose the file's result."""
    left, top, right, bottom = place
    text, quality = draw._pdq(draw.scene(21))
    known = make_list([{"id": "photo", "pdq": text, "pdq_quality": quality}])
    page = draw_page(81)
    page.paste(draw.scene(21, (right - left, bottom - top)), (left, top))
    paths = [str(tmp_path / name) for name in ("page.png", "page.jpg")]
    for path in paths:
        page.save(path, quality=90)

    results = list(scan(Screener(known), paths, jobs=1))

    assert [(r.verdict, r.reason) for r in results] == [(Verdict.MATCH, None)] * 2
    assert {r.matches[0].region for r in results} == {"inset"}


def test_nothing_but_crashes_still_ends(known, tmp_path):
    """A folder whose every file kills its worker gives as many results, and an end."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(6):
        (folder / f"crash-{number}").touch()

    results, _ = accidents(known, folder, 2)

    assert [r["reason"] for r in results] == ["crashed"] * 6


def test_a_list_that_breaks_stops_the_scan_with_its_error(known, tmp_path):
    """It is not laid at the door of a file."""
    (tmp_path / "broken-list").touch()

    results, done = accidents(known, tmp_path / "broken-list", 1)

    assert results == []
    assert "the list broke" in done.stderr


def test_a_caller_that_stops_early_leaves_no_process_behind(known, tmp_path):
    """Leaving the loop ends the workers, one of which hangs, at once."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for name in ("a", "b", "hang"):
        (folder / name).touch()
    begin = time.monotonic()

    results, done = accidents(known, folder, 2, "1")

    assert len(results) == 1, done.stderr
    assert done.returncode == 0
    assert time.monotonic() - begin < 30


def test_a_scan_goes_on_in_the_process_that_began_it_alone(known, scene, tmp_path):
    """One that is forked meanwhile would take answers away, of which the scan then waits for ever,
    and hand out what it has handed out itself.
    """
    paths = [str(tmp_path / f"{number}.png") for number in range(4)]
    for number, path in enumerate(paths):
        scene(number, (160, 120)).save(path)
    results = scan(Screener(known), paths, jobs=1)
    first = next(results)
    child = os.fork()
    if not child:
        try:
            next(results)
        except WorkerError:
            os._exit(0)
        finally:
            os._exit(1)

    assert os.waitpid(child, 0)[1] == 0
    assert [one.input for one in (first, *results)] == paths


@pytest.mark.parametrize("kill_after", [1, 5, 12])
def test_workers_that_are_killed_from_outside_cost_nothing(known, scene, tmp_path, kill_after):
    """All workers die, idle ones and busy ones: files are handed to new ones, in order."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for number in range(14):
        scene(number).save(folder / f"{number:02}.png")

    results, done = accidents(known, folder, 2, "0", str(kill_after))

    assert [Path(r["input"]).stem for r in results] == [f"{n:02}" for n in range(14)], done.stderr
    # One that was killed in the middle of a file may have been killed by it.
    assert [r["verdict"] for r in results].count("no_match") >= 12


def test_a_scan_gives_what_single_calls_give(make_list, scene, tmp_path):
    """Workers answer as the caller's own process does, whatever their number."""

    for seed in range(12):
        scene(seed).save(tmp_path / f"{seed:02}.png")
    listed = [pdq.compute(np.asarray(scene(seed))).text for seed in (3, 7)]
    engine = Screener(make_list([{"id": t[:4], "pdq": t} for t in listed]))
    paths = sorted(str(path) for path in tmp_path.glob("*.png"))

    expected = [engine.screen(path).to_dict() for path in paths]
    for jobs in (1, 2):
        found = [result.to_dict() for result in scan(engine, paths, jobs=jobs)]
        for line in [*expected, *found]:
            line["lists"][0].pop("age_s", None)
            line.pop("seconds", None)
        assert found == expected
    assert [line["verdict"] for line in expected].count("match") == 2


def test_everything_under_a_folder_is_found_once_in_order(tmp_path):
    """Folders are walked by name; links to folders, loops and odd files are named, not followed."""
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "file").touch()
    (tmp_path / "a").touch()
    (tmp_path / "c-loop").symlink_to(tmp_path)
    (tmp_path / "d-gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "e-fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "f-socket"))

        found = [os.path.relpath(path, tmp_path) for path in find_files(tmp_path)]

    assert found == ["a", "b/deep/file", "c-loop", "d-gone", "e-fifo", "f-socket"]
    assert list(find_files([tmp_path / "a", str(tmp_path / "a"), "missing"])) == [
        *[str(tmp_path / "a")] * 2,
        "missing",
    ]


def test_odd_files_are_unreadable_not_waited_for(known, tmp_path):
    """A FIFO nobody writes to, a dangling link, a linked folder: one result each, no hang."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    names = [tmp_path / "fifo", tmp_path / "gone", tmp_path / "loop", tmp_path / "missing"]

    results = list(scan(Screener(known), names, jobs=1))

    assert [r.reason for r in results] == [Reason.UNREADABLE] * 4
    assert {r.verdict for r in results} == {Verdict.UNSCREENED}


def test_an_empty_folder_gives_no_results(known, tmp_path):
    """No file, no line, and an end."""
    (tmp_path / "nothing").mkdir()

    assert list(scan(Screener(known), tmp_path / "nothing", jobs=1)) == []


def test_memory_stays_flat(known, tmp_path):
    """After a thousand files, three thousand more take none: here, and so in a worker, which would
    be ended at its limit.
    """
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(4000):
        (folder / f"{number:04}").write_bytes(b"x")

    def resident():
        """Bytes of this process that are in memory."""
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    held = {}
    for number, result in enumerate(scan(Screener(known), folder, jobs=1), start=1):
        assert result.reason is Reason.UNSUPPORTED
        if number in (1000, 4000):
            held[number] = resident()

    assert held[4000] - held[1000] < 4 << 20


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2", 4097, 10**6, True])
def test_jobs_is_a_whole_number_that_a_machine_can_start(known, jobs):
    """The call is refused before anything starts."""
    with pytest.raises(PolicyError, match="jobs"):
        scan(Screener(known, policy=Policy()), ".", jobs=jobs)


def test_a_scan_is_by_a_screener(known):
    """A list is none, and the error says how it becomes one; the call itself is refused."""
    with pytest.raises(TypeError, match=r"needs a Screener, got HashList"):
        scan(known, ".")


def test_a_path_is_not_taken_for_an_open_cache(known):
    """The error names the call that opens it."""
    with pytest.raises(TypeError, match=r"cache must be .* HashCache.open\('hashes.cache'\)"):
        scan(Screener(known), ".", cache="hashes.cache")


@pytest.mark.parametrize(("jobs", "started"), [(None, 3), (1, 1), (5, 5)])
def test_there_is_a_process_for_each_core_that_may_be_used(known, monkeypatch, jobs, started):
    """Unless another number is given; not for each that the machine has, as in a container."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    asked = []

    def start(_hasher, jobs):
        asked.append(jobs)
        raise WorkerError("none today")

    monkeypatch.setattr(workers, "Workers", start)

    with pytest.raises(WorkerError):
        list(scan(Screener(known), ".", jobs=jobs))

    assert asked == [started]


class Timed:
    """One worker, and all of them, in this process: the first look at an input takes a second and a
    half, one that has to be sure four.
    """

    def __init__(self, hasher):
        self.session, self.orders = hasher.start_session(), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing is to be ended."""

    def least_busy(self):
        """It takes whatever comes."""
        return self

    def take(self, target, budget, way=HashMode.NORMAL):
        """Note it."""
        self.orders.append((object(), target, budget, way))
        return self.orders[-1][0]

    def collect(self, awaited=None):
        """Do all that is to be done."""
        orders, self.orders = self.orders, []
        return [
            SimpleNamespace(
                task=task,
                outcome=self.session.run(target, budget, way),
                seconds=4.0 if way is HashMode.EXACT else 1.5,
            )
            for task, target, budget, way in orders
        ]


def test_what_is_hashed_twice_takes_the_time_of_both(make_list, scene, tmp_path):
    """In its Result and to who hears of metrics, who is told once of each input; and of how many
    inputs each batch was.
    """
    for seed in range(2):
        scene(seed, (160, 120)).save(tmp_path / f"{seed}.png")
    (tmp_path / "empty").touch()
    names = [tmp_path / name for name in ("0.png", "1.png", "empty")]
    text = [pdq.compute(np.asarray(scene(seed, (160, 120)))).text for seed in range(2)]
    engine = Doubtful(make_list([{"id": str(n), "pdq": one} for n, one in enumerate(text)]))
    heard = {}

    def hear(name, number, labels):
        heard.setdefault(name, []).append((number, *labels.values()))

    results = list(drop_paths(scan_with_paths(Timed, engine, locate_files(names), metrics=hear)))

    assert [one.seconds for one in results] == [5.5, 5.5, 1.5]
    assert sorted(heard["hash_seconds"]) == [(1.5,), (5.5,), (5.5,)]
    assert heard["lookup_inputs"] == [(3,), (2,)]
    assert heard["bytes"] == [(path.stat().st_size,) for path in names]
    assert heard["results"] == [(1, "match", "")] * 2 + [(1, "unscreened", "empty")]


@pytest.mark.parametrize("wrong", [{"raw": b"other"}, {"archives": (1,), "same": (0,)}])
def test_a_worker_tells_no_name_but_that_of_its_file(known, scene, tmp_path, wrong):
    """A file that has taken it over could have its line stand for another's, by any part of it."""

    class Lying(Timed):
        def collect(self, awaited=None):
            done = super().collect(awaited)
            for one in done:
                one.outcome = replace(one.outcome, name=replace(one.outcome.name, **wrong))
            return done

    path = tmp_path / "a.png"
    scene(1, (160, 120)).save(path)

    (told,) = drop_paths(scan_with_paths(Lying, Screener(known), locate_files([path])))

    assert (told.input, told.input_bytes, told.archives, told.same) == (str(path), None, (), ())


def test_a_newer_import_does_not_move_a_scan(known, scene, tmp_path):
    """All results of a scan are of the generation that its Screener holds."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for seed in range(6):
        scene(seed).save(folder / f"{seed}.png")
    more = tmp_path / "more.csv"
    more.write_text("id,pdq\ntwo," + "0f" * 32 + "\n")

    generations = set()
    for result in scan(Screener(known), folder, jobs=1):
        known.import_file(more, source=f"s{result.input}")
        generations.add(result.lists[0].generation)

    assert generations == {known.generation}


class Worker:
    """One that may have two targets at a time."""

    def __init__(self):
        self.targets = 0

    @property
    def free(self):
        """Whether it takes another one."""
        return self.targets < 2


def drawn_tree(rng, depth=0):
    """Files, None each, and archives: the members of each, and whether they are for one worker."""
    return [
        (drawn_tree(rng, depth + 1), rng.random() < 0.5)
        if rng.random() < 0.4 - depth / 10
        else None
        for _ in range(rng.randrange(0 if depth else 20, 40 if depth == 0 else 9))
    ]


def in_order(nodes, path=(), same=()):
    """All places of a tree, members before their archive, and which each is of those of one name;
    names are the last digit's parity.
    """
    for number, node in enumerate(nodes):
        which = (*same, number // 2) if path else same
        if node is not None:
            yield from in_order(node[0], (*path, number), which)
        yield (*path, number), which


def make_backlog(found, **options):
    """Return a Backlog of found files, with the default limits."""
    ahead = ReadAhead(Bell(), limits=Limits(), seconds=60.0)
    return backlog.Backlog(found, ahead=ahead, limits=Limits(), **options)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_slow_each_place_is_told_once_and_little_waits(monkeypatch, seed, ordered):
    """In order, an archive behind its members; those that one worker has to read are for it alone;
    no more is taken than may wait; and where the results that wait name more records than may, only
    what they wait for.
    """
    monkeypatch.setattr(backlog, "_WINDOW_FILES", 3)
    monkeypatch.setattr(backlog, "_MAX_WAITING", 6)
    monkeypatch.setattr(backlog, "_MAX_RECORDS", 4)
    rng = random.Random(seed)
    tree = drawn_tree(rng)
    found = (FoundFile(str(number), rng.randrange(9)) for number in range(len(tree)))
    waiting = make_backlog(found, ordered=ordered, finished=None)
    workers, under_way, told, given = [Worker() for _ in range(3)], [], [], 0
    held = {}  # how many records are named by the result of each item that waits
    troubles = (None, MediaError("encrypted", "a member under a password"))

    def node_of(target):
        node = tree[int(target.path)]
        for number in target.inner:
            node = node[0][number]
        return node

    for _ in range(20_000):
        for item in waiting.release():
            same = item.target.name.same if item.target.inner else ()
            told.append(((int(item.target.path), *item.target.inner), same))
            del held[item]
        free = [worker for worker in workers if worker.free]
        item = waiting.next() if free else None
        if item is not None:
            given += 1
            assert given - len(told) <= 6 + 3 + 4  # an archive that is next to be told has one more
            assert sum(held.values()) <= 4 or item is waiting._order[0]
            container = item.container
            if container is not None:
                assert item.remaining is container.remaining
                assert item.error is troubles[item.target.inner[-1] % 2]
            bound = container is not None and container.single_worker
            assert item.only_worker is (container.worker if bound else None)
            item.worker = item.only_worker or rng.choice(free)
            assert item.worker.free
            item.worker.targets += 1
            under_way.append(item)
            continue
        if not under_way:
            if not waiting:
                break
            continue  # an archive may be told now, of which the last member was
        item = under_way.pop(rng.randrange(len(under_way)))
        item.worker.targets -= 1
        held[item] = rng.randrange(4)
        hits = held[item] * (None,)
        waiting.finish(
            item, SimpleNamespace(matches=hits, other_hits=(), counts=True, verdict="match")
        )
        node = node_of(item.target)
        if node is not None:
            item.name = None if item.target.inner else Name(item.target.path)
            item.single_worker = node[1]
            members = [
                Member(b"xy"[n % 2 : n % 2 + 1], 1, troubles[n % 2]) for n in range(len(node[0]))
            ]
            waiting.open(item, tuple(members))

    assert not waiting
    expected = list(in_order(tree))
    assert (told if ordered else sorted(told)) == (expected if ordered else sorted(expected))
    places = {place: at for at, (place, _) in enumerate(told)}
    assert all(at < places[place[:-1]] for place, at in places.items() if len(place) > 1)


def test_what_is_done_already_holds_up_nothing_that_is_new(monkeypatch):
    """Of a scan that goes on, what is new is handed out before all that is done was gone through;
    and while that takes its time, there is time for what is under way.
    """
    monkeypatch.setattr(backlog, "POLL_SECONDS", -1.0)
    told = SimpleNamespace(
        take=lambda name: None if name.text == "new" else Verdict.NO_MATCH,
        is_archive=lambda _: False,
    )
    found, steps = iter([FoundFile(one, 1) for one in ("old", "new", "old", "old")]), []
    waiting = make_backlog(found, ordered=True, finished=told)

    while True:
        item = waiting.next()
        steps.append("time for others" if item is None else item.target.path)
        if item is None and waiting.awaited is None:
            break

    assert steps == [
        "time for others", "new", "time for others", "time for others", "time for others"
    ]  # fmt: skip


def test_what_an_earlier_scan_told_is_opened_for_a_cache_that_lacks_it_alone():
    """Not again what the cache holds, nor anything where there is none; but an archive is, for what
    of its members may not be told.
    """
    told = SimpleNamespace(
        take=lambda _: Verdict.NO_MATCH, is_archive=lambda name: name.text == "zip"
    )

    def done_again(is_cached):
        found = iter([FoundFile(one, 1) for one in ("held", "lacked", "zip")])
        waiting = make_backlog(found, ordered=True, finished=told, is_cached=is_cached)
        items = iter(waiting.next, None)
        return [(one.target.path, one.has_line, one.reopened) for one in items]

    opened = ("zip", False, True)
    assert done_again(None) == [opened]
    assert done_again(lambda name: name.text != "lacked") == [("lacked", True, False), opened]


@pytest.mark.parametrize("opens", [True, False])
def test_an_archive_with_a_line_has_another_where_it_can_be_opened_no_more(opens):
    """As where it takes too long this time: what is in it is not known then, and that is told."""
    told = SimpleNamespace(take=lambda _: Verdict.NO_MATCH, is_archive=lambda _: True)
    found = iter([FoundFile("zip", 1)])
    waiting = make_backlog(found, ordered=True, finished=told)
    item, result = waiting.next(), SimpleNamespace(matches=(), other_hits=(), counts=True)
    result.with_members = lambda members, has_error: result
    if opens:
        item.own_hashes = HashedInput(Name("zip"), archive=True)

    waiting.finish(item, result)

    assert [one.result for one in waiting.release()] == [None if opens else result]
