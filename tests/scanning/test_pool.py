"""A Pool: one Result an item, whatever the others do, from threads and from asyncio."""

import asyncio
import contextlib
import gc
import gzip
import io
import os
import pickle
import signal
import tempfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from doubtful_screener import Doubtful
from hostile_hasher import Engine as TakenOver
from picture_bytes import saved
from PIL import Image
from pool_accidents import Engine, Held, is_alive, until, workers_of

from screener import HashList, Policy, Pool, Reason, Screener, Verdict
from screener.errors import (
    Busy,
    HashError,
    IndexFileError,
    ListError,
    PolicyError,
    PoolClosed,
    WorkerError,
)
from screener.hashing import digest, pdq
from screener.media.files.limits import Limits
from screener.scanning import crews as crews_module
from screener.scanning import match_thread, uploads
from screener.system import private_copy


@pytest.fixture(scope="module")
def picture(scene):
    """A picture that the list holds."""
    return scene(1, (320, 240))


@pytest.fixture(scope="module")
def files(picture, scene):
    """Bytes by name: listed and other ones, whole and broken, of many kinds."""
    jpeg = saved(picture, "JPEG")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.jpg", jpeg)
    return {
        "listed.jpg": jpeg,
        "mirrored.png": saved(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"),
        "other.webp": saved(scene(2, (320, 240)), "WEBP"),
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "words.txt": b"words",
        "empty": b"",
        "blank.png": saved(Image.new("RGB", (300, 300)), "PNG"),
        "packed.zip": packed.getvalue(),
        "digest.bin": b"listed by its MD5",
    }


@pytest.fixture(scope="module")
def known(tmp_path_factory, picture):
    """A list of the picture's PDQ and the MD5 of some bytes."""
    made = tmp_path_factory.mktemp("pool")
    (md5, *_) = digest.compute(b"listed by its MD5")
    rows = f"id,pdq,md5\none,{pdq.compute(np.asarray(picture)).text},\ntwo,,{md5.text}\n"
    (made / "rows.csv").write_text(rows)
    HashList.create(made / "known.list").import_file(made / "rows.csv", source="test")
    return HashList.open(made / "known.list")


@pytest.fixture(scope="module")
def engine(known):
    """A Screener in whose workers accidents happen, and nothing lasts for longer than a minute."""
    return Engine(known, policy=Policy(seconds=6))


@pytest.fixture(scope="module")
def hasty(known):
    """Two workers with little time and memory, in which accidents happen."""
    with Pool(Engine(known, policy=Policy(seconds=1, memory=500 << 20)), jobs=2) as made:
        yield made


@pytest.fixture(scope="module")
def pool(engine):
    """Two workers."""
    with Pool(engine, jobs=2) as made:
        yield made


def plain(result):
    """A Result without what depends on the time."""
    lists = tuple(replace(state, age_s=0) for state in result.lists)
    return replace(result, seconds=None, lists=lists)


def check_alike(pool, item, again, name=None):
    """Check that a Pool returns what `Screener.screen` returns for the same item."""
    alone = Screener(pool.screener.lists, policy=pool.screener.policy)
    assert plain(pool.screen(item, name=name)) == plain(alone.screen(again, input=name))


def test_bytes_have_the_result_of_a_screener(pool, files):
    """Whatever they are; with a name and without."""
    for name, data in files.items():
        check_alike(pool, data, data)
        check_alike(pool, bytearray(data), memoryview(data), name=name)
    verdicts = {name: pool.screen(data).verdict for name, data in files.items()}
    matching = {"listed.jpg", "mirrored.png", "digest.bin"}
    assert {name for name, verdict in verdicts.items() if verdict == Verdict.MATCH} == matching
    assert verdicts["other.webp"] == Verdict.NO_MATCH


def test_paths_have_the_result_of_a_screener(pool, files, tmp_path, monkeypatch):
    """Absolute or not, whole, missing, a folder, not UTF-8, and none at all."""
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        check_alike(pool, tmp_path / name, tmp_path / name)
    odd = os.fsencode(tmp_path) + b"/\xff.jpg"
    with open(odd, "wb") as file:
        file.write(files["listed.jpg"])
    monkeypatch.chdir(tmp_path)  # after the workers started
    for path in ("listed.jpg", "./empty", "gone", ".", "", "a\0b", os.fsdecode(odd), "/dev/null"):
        check_alike(pool, path, path)
        check_alike(pool, path, path, name="upload")
    assert pool.screen("listed.jpg").input == "listed.jpg"


class Unseekable(io.RawIOBase):
    """A file object that can only be read once."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def read(self, size=-1):
        """The next bytes."""
        return self._data.read(size)


def test_file_objects_have_the_result_of_a_screener(pool, files, tmp_path):
    """At their start or not, packed, of a temporary file, without a way back, closed or as text."""
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        (tmp_path / "packed.gz").write_bytes(gzip.compress(data))
        (tmp_path / "behind").write_bytes(b"1234567" + data)
        makers = [
            lambda path=path: path.open("rb"),
            lambda path=path: path.open("r+b", buffering=0),
            lambda: gzip.GzipFile(tmp_path / "packed.gz"),
            lambda data=data: io.BytesIO(data),
            lambda data=data: Unseekable(data),
        ]
        for make in makers:
            with make() as item, make() as again:
                check_alike(pool, item, again)
        for size in (1, 1 << 20):  # on the disk or in memory
            with tempfile.SpooledTemporaryFile(size) as item:
                item.write(data)
                item.seek(0)
                rolled = item._rolled
                check_alike(pool, item, Unseekable(data))
                assert item._rolled == rolled
        with (tmp_path / "behind").open("rb") as item, io.BytesIO(b"1234567" + data) as again:
            item.seek(7), again.seek(7)
            assert plain(pool.screen(item, name=name)) == plain(pool.screen(again, name=name)), name
    closed = (tmp_path / "empty").open("rb")
    closed.close()
    assert pool.screen(closed).reason == Reason.UNREADABLE
    with (tmp_path / "words.txt").open() as text:
        check_alike(pool, text, text)


def test_a_file_that_is_deleted_while_open_is_screened(pool, files, tmp_path):
    """As the temporary files of web frameworks, which have no name."""
    (tmp_path / "a").write_bytes(files["listed.jpg"])
    with (tmp_path / "a").open("rb") as item:
        (tmp_path / "a").unlink()
        assert pool.screen(item).verdict == Verdict.MATCH
        item.seek(0)
        assert len(item.read()) == len(files["listed.jpg"])  # it stays the caller's


def test_items_over_the_limit_are_matched_by_their_digests(known, tmp_path):
    """Bytes, file objects and paths, without being decoded."""
    data = b"listed by its MD5"
    (tmp_path / "a").write_bytes(data)
    limited = Screener(known, policy=Policy(limits=Limits(bytes=9, video_bytes=9)))
    with Pool(limited, jobs=1) as pool, (tmp_path / "a").open("rb") as item:
        for one in (data, io.BytesIO(data), tmp_path / "a", item):
            assert pool.screen(one).verdict == Verdict.MATCH
        for other in (b"0123456789", io.BytesIO(b"0123456789"), Unseekable(data)):
            assert pool.screen(other).reason == Reason.TOO_LARGE
        check_alike(pool, io.BytesIO(data * 2), io.BytesIO(data * 2))


def test_pixels_have_the_result_of_a_screener(pool, picture):
    """Arrays and images that are no file's; what cannot be pixels is refused as there."""
    grey = np.asarray(picture.convert("L"))
    for item in (np.asarray(picture), grey, grey / 255, picture.convert("RGB"), grey > 100):
        check_alike(pool, item, item)
    assert pool.screen(np.asarray(picture)).verdict == Verdict.MATCH
    with pytest.raises(HashError):
        pool.screen(np.zeros((3, 3, 3, 3), np.uint8))
    with pytest.raises(HashError):
        pool.screen(b"", name=3)
    for wrong in (None, 3, [b""]):
        with pytest.raises(TypeError):
            pool.screen(wrong)
    assert pool.screen(b"").reason == Reason.EMPTY


def test_an_image_that_pillow_would_decode_here_is_refused(pool, files):
    """Its bytes are a stranger's, and this process is to survive them."""
    with Image.open(io.BytesIO(files["listed.jpg"])) as image:
        with pytest.raises(TypeError, match="pass the file or its bytes"):
            pool.screen(image)
        with pytest.raises(TypeError, match="pass the file or its bytes"):
            asyncio.run(pool.ascreen(image))
        assert image._im is None  # nothing was decoded


def test_nothing_of_an_upload_is_on_a_disk(pool, files, tmp_path, monkeypatch):
    """If the system has files in memory; else it is in one that only its owner reads."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    upload = uploads.open_upload(files["listed.jpg"], pool.screener.hasher)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PermissionError), open(upload.path, "r+b", buffering=0) as file:
        file.write(b"another")  # as a worker that an earlier item has taken over
    upload.close()

    for module in (uploads, private_copy):
        monkeypatch.setattr(module, "has_memory_files", lambda: False)
    upload = uploads.open_upload(files["listed.jpg"], pool.screener.hasher)
    (stored,) = tmp_path.iterdir()
    assert stored.stat().st_mode & 0o777 == 0o600
    del upload
    assert list(tmp_path.iterdir()) == []
    for data in files.values():
        check_alike(pool, data, data)
        check_alike(pool, io.BytesIO(data), io.BytesIO(data))
    assert list(tmp_path.iterdir()) == []


def test_bits_in_doubt_that_decide_are_computed_exactly(known, picture, make_list, scene):
    """The item is hashed a second time, also if it is a file object, which could be read once."""
    near = pdq.compute(np.asarray(picture)).value
    rows = [{"id": "one", "pdq": bytes([near[0] ^ 255, near[1] ^ 255, *near[2:]]).hex()}]
    doubtful = Doubtful(make_list(rows), policy=Policy(radius={"pdq": 16}))
    modes = []
    with Pool(doubtful, jobs=1) as pool:
        put_back = pool._dispatcher._queue.put_back
        pool._dispatcher._queue.put_back = lambda items: (modes.extend(items), put_back(items))
        for number in range(6):
            edited = picture.copy()
            edited.putpixel((number, 0), (0, 0, 0))
            data = saved(edited, "PNG")
            check_alike(pool, data, data)
            check_alike(pool, Unseekable(data), Unseekable(data))
    assert modes
    assert all(item.future.done() for item in modes)


def test_a_worker_that_an_item_has_taken_over_harms_only_that(known, scene, tmp_path):
    """Answers that are no hashes are not loaded, and another item's name is not believed."""
    names = ["class", "columns", "error", "name", "order", "plain", "reason", "z"]
    for number, name in enumerate(names):
        scene(number + 5, (160, 120)).save(tmp_path / f"{name}.png")
    with Pool(TakenOver(known), jobs=1) as pool:
        results = {name: pool.screen(tmp_path / f"{name}.png") for name in names}
    for name, result in results.items():
        assert result.input == str(tmp_path / f"{name}.png")
        assert result.archives == ()
        assert result.reason == (None if name in ("name", "z") else Reason.CRASHED), name
    assert not list(tmp_path.glob("*-made"))


HOSTILE = {"crash": Reason.CRASHED, "hang": Reason.TIMEOUT, "memory": Reason.TOO_LARGE}


def check(files, name, result):
    """A hostile item has its reason, and any other what it has alone."""
    if name in HOSTILE:
        assert result.reason == HOSTILE[name], name
    else:
        matches = name in ("listed.jpg", "digest.bin")
        assert result.verdict == (Verdict.MATCH if matches else Verdict.NO_MATCH), name


MIXED = ["listed.jpg", "crash", "other.webp", "memory", "digest.bin", "hang", "other.webp"] * 2


def test_hashes_alone_are_those_of_the_hasher(pool, files):
    """Exact ones, of whatever could be hashed, with the error that ended it."""
    exact = pool.screener.hasher.exact()
    for name, data in files.items():
        hashed, alone = asyncio.run(pool.ahash(data)), exact.hash(data)
        assert list(hashed.hashes) == list(alone.hashes), name
        assert all(located.doubt == 0 for located in hashed.hashes)
        assert str(hashed.error) == str(alone.error)


def test_a_hostile_item_to_hash_costs_itself_only(hasty, files):
    """Its hashes have an error, and the next item has none."""
    for name, reason in HOSTILE.items():
        assert asyncio.run(hasty.ahash(f"{name}\n".encode())).error.reason == reason
        assert asyncio.run(hasty.ahash(files["other.webp"])).error is None


def test_hostile_items_of_several_threads_cost_themselves_only(hasty, files):
    """Good ones among them have their verdicts, and the pool goes on."""
    items = [(name, files.get(name, f"{name}\n".encode())) for name in MIXED]
    with ThreadPoolExecutor(7) as threads:
        for (name, _), result in zip(
            items, threads.map(lambda one: hasty.screen(one[1], name=one[0]), items), strict=True
        ):
            assert result.input == name
            check(files, name, result)
    check_alike(hasty, files["listed.jpg"], files["listed.jpg"])


def test_hostile_items_of_asyncio_cost_themselves_only(hasty, files):
    """The same, from one event loop, which runs meanwhile."""

    async def main():
        items = [(name, files.get(name, f"{name}\n".encode())) for name in MIXED[:7]]
        screening = asyncio.gather(*(hasty.ascreen(item, name=name) for name, item in items))
        beats = 0
        while not screening.done():
            beats += 1
            await asyncio.sleep(0.01)
        assert beats > 10  # a worker hung for a second
        return await screening

    for name, result in zip(MIXED[:7], asyncio.run(main()), strict=True):
        assert result.input == name
        check(files, name, result)


def test_asyncio_screens_items_of_every_kind(pool, files, tmp_path):
    """Large and small bytes, paths, file objects and images."""
    path = tmp_path / "large.jpg"
    path.write_bytes(files["listed.jpg"] + bytes(2 << 20))

    async def main():
        with path.open("rb") as file, Image.open(path) as image:
            items = [path, file, path.read_bytes(), files["listed.jpg"], image.convert("RGB")]
            return await asyncio.gather(*map(pool.ascreen, items))

    assert [result.verdict for result in asyncio.run(main())] == [Verdict.MATCH] * 5


def test_a_full_queue_refuses_at_once(engine, tmp_path, files):
    """With the time for which it has been full; and takes items again as soon as one is done."""
    held = [Held(tmp_path, str(number)) for number in range(3)]
    with Pool(engine, jobs=1, queue=2) as pool, ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(pool.screen, one.data) for one in held]
        until(lambda: pool._dispatcher._queue._taken == 3)
        with pytest.raises(Busy, match="full for") as first:
            pool.screen(files["listed.jpg"])
        until(lambda: first.value.seconds < 60)
        with pytest.raises(Busy) as second:
            asyncio.run(pool.ascreen(files["listed.jpg"]))
        assert second.value.seconds > first.value.seconds >= 0
        again = pickle.loads(pickle.dumps(second.value))
        assert (str(again), again.seconds) == (str(second.value), second.value.seconds)
        for one in held:
            one.release()
        assert [one.result(60).reason for one in waiting] == [Reason.UNSUPPORTED] * 3
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH


def test_costly_items_hold_one_of_two_workers(engine, tmp_path, files):
    """The second waits for the first, and others pass it."""
    first, second = (Held(tmp_path, name, costly=True) for name in ("first", "second"))
    with Pool(engine, jobs=2) as pool, ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(pool.screen, first.data)]
        first.until_begun()
        waiting.append(threads.submit(pool.screen, second.data))
        until(lambda: pool._dispatcher._queue.waits)
        for _ in range(3):
            assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH
        assert not second.begun.exists()
        first.release()
        second.until_begun()
        second.release()
        assert [one.result(60).reason for one in waiting] == [Reason.UNDECODABLE] * 2


def test_costly_items_alternate_with_others_on_one_worker(engine, tmp_path):
    """Whoever came first."""
    order = ("first", "costly1", "other1", "costly2", "other2")
    held = {name: Held(tmp_path, name, costly="costly" in name) for name in order}
    with Pool(engine, jobs=1) as pool, ThreadPoolExecutor(5) as threads:
        waiting = []
        for name in ("first", "other1", "other2", "costly1", "costly2"):
            waiting.append(threads.submit(pool.screen, held[name].data))
            until(lambda: pool._dispatcher._queue._taken == len(waiting))
            held["first"].until_begun()
        until(lambda: sum(map(len, pool._dispatcher._queue._lanes.values())) == 4)
        for number, name in enumerate(order):
            held[name].until_begun()
            assert not any(held[later].begun.exists() for later in order[number + 1 :])
            held[name].release()
        for one in waiting:
            one.result(60)


def test_a_full_lane_refuses_costly_items_alone(engine, tmp_path, files):
    """One key has half of the places."""
    held = [Held(tmp_path, str(number), costly=True) for number in range(2)]

    async def main(pool):
        def screen(one, key):
            return pool.ascreen_hashed(one.data, key=key)

        tasks = [asyncio.create_task(screen(held[0], "a"))]
        await asyncio.to_thread(held[0].until_begun)
        with pytest.raises(Busy, match="of this key"):
            await screen(held[1], "a")
        tasks.append(asyncio.create_task(screen(held[1], "b")))
        await asyncio.to_thread(until, lambda: pool._dispatcher._queue.waits)
        with pytest.raises(Busy, match="2 costly items already"):
            await pool.ascreen(held[0].data)
        assert (await pool.ascreen(files["listed.jpg"])).verdict == Verdict.MATCH
        for one in held:
            one.release()
        await asyncio.gather(*tasks)
        await screen(held[0], "a")  # there are places again

    with Pool(engine, jobs=2, queue=16) as pool:
        asyncio.run(main(pool))


def test_a_queue_counts_as_full_until_half_of_it_is_free(engine, tmp_path):
    """Else a pool that is always refilled would never say for how long."""
    with Pool(engine, jobs=1, queue=4) as pool, ThreadPoolExecutor(5) as threads:
        held = [Held(tmp_path, str(number)) for number in range(5)]
        waiting = [threads.submit(pool.screen, one.data) for one in held]
        until(lambda: pool._dispatcher._queue._taken == 5)
        full = pool._dispatcher._queue._full_since
        assert full is not None
        for left in (4, 3):
            until(lambda: any(one.begun.exists() for one in held))
            held.pop(next(n for n, one in enumerate(held) if one.begun.exists())).release()
            until(lambda left=left: pool._dispatcher._queue._taken == left)
            with pool._dispatcher._queue._lock:  # in which both change
                assert pool._dispatcher._queue._full_since == (full if left == 4 else None)
        for one in held:
            one.release()
        assert [one.result(60).reason for one in waiting] == [Reason.UNSUPPORTED] * 5


def test_a_caller_waits_no_longer_than_it_likes(pool, tmp_path, files):
    """The item is unscreened: an exception, and no Result."""
    held = Held(tmp_path)
    with pytest.raises(TimeoutError, match="unscreened"):
        pool.screen(held.data, timeout=0.05)
    with pytest.raises(TimeoutError):
        asyncio.run(pool.ascreen(held.data, timeout=0.05))
    held.release()
    assert pool.screen(files["listed.jpg"], timeout=60).verdict == Verdict.MATCH
    until(lambda: pool._dispatcher._queue._taken == 0)


def count_open(kind):
    """How many files of a kind are open: `/memfd:screener` are items in memory."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.startswith(kind) for link in links)


def test_a_cancelled_item_gives_its_place_and_memory_back(engine, tmp_path, files):
    """At once if it waits, and when its worker is done if one has it."""
    first, second = Held(tmp_path, "first"), Held(tmp_path, "second")

    async def main(pool):
        running = asyncio.create_task(pool.ascreen(first.data))
        await asyncio.to_thread(first.until_begun)
        waiting = [asyncio.create_task(pool.ascreen(second.data)) for _ in range(3)]
        reading = asyncio.create_task(pool.ascreen(io.BytesIO(second.data)))
        await asyncio.to_thread(until, lambda: pool._dispatcher._queue._taken == 5)
        await asyncio.to_thread(until, lambda: len(pool._dispatcher._queue._lanes[False]) == 4)
        for task in (running, reading, *waiting):
            task.cancel()
        for task in (running, reading, *waiting):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert pool._dispatcher._queue._taken == count_open("/memfd:screener") == 1
        assert not pool._dispatcher._queue.waits
        first.release()
        return await pool.ascreen(files["listed.jpg"])

    with Pool(engine, jobs=1, queue=4) as pool:
        assert asyncio.run(main(pool)).verdict == Verdict.MATCH
        assert not second.begun.exists()
        assert count_open("/memfd:screener") == 0


def test_a_stream_that_is_read_when_its_task_is_cancelled_is_dropped(engine, tmp_path, files):
    """Its thread cannot be stopped; what it has read goes nowhere."""
    going = threading.Event()

    class Slow(Unseekable):
        def read(self, size=-1):
            going.wait(60)
            return super().read(size)

    async def main(pool):
        task = asyncio.create_task(pool.ascreen(Slow(b"words")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool._dispatcher._queue._taken == 0
        going.set()

    with Pool(engine, jobs=1, queue=4) as pool:
        asyncio.run(main(pool))
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH
        assert not pool._dispatcher._queue.waits


def test_close_waits_for_the_items_under_way(engine, tmp_path, files):
    """All of them have their Results; later ones are refused."""
    pool = Pool(engine, jobs=1)
    held = Held(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(pool.screen, one) for one in (held.data, files["listed.jpg"])]
        held.until_begun()
        until(lambda: pool._dispatcher._queue._taken == 2)
        closing = threads.submit(pool.close)
        until(lambda: pool._closed)
        with pytest.raises(PoolClosed):
            pool.screen(files["listed.jpg"])
        held.release()
        closing.result(60)
        reasons = [one.result(60).reason for one in waiting]
    assert reasons == [Reason.UNSUPPORTED, None]
    pool.close()
    with pytest.raises(PoolClosed):
        asyncio.run(pool.ascreen(b"words"))
    with pytest.raises(PoolClosed), pool:
        pass


def test_items_that_are_not_finished_by_the_deadline_get_an_exception(engine, tmp_path, files):
    """The one that a worker has and those that wait, of threads and of asyncio."""
    pool = Pool(engine, jobs=1)
    held = Held(tmp_path)

    async def ascreen():
        return await pool.ascreen(files["listed.jpg"])

    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(pool.screen, held.data)]
        held.until_begun()
        waiting.append(threads.submit(pool.screen, files["listed.jpg"]))
        waiting.append(threads.submit(asyncio.run, ascreen()))
        until(lambda: pool._dispatcher._queue._taken == 3)
        workers = workers_of(pool)
        pool.close(0.05)
        for one in waiting:
            assert isinstance(one.exception(60), PoolClosed)
    until(lambda: not any(map(is_alive, workers)))


def test_a_pool_that_is_forgotten_ends_its_workers(engine, files):
    """As when a program drops it without `close`; so do its files and its thread."""
    pipes = []
    for _ in range(2):  # the first opens what a program has once
        pool = Pool(engine, jobs=1)
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH
        workers, thread = workers_of(pool), pool._dispatcher._thread
        del pool
        gc.collect()
        thread.join(60)
        until(lambda workers=workers: not any(map(is_alive, workers)))
        pipes.append(count_open("pipe:"))
    assert pipes[0] == pipes[1]


def test_workers_that_are_killed_lose_no_item(engine, files):
    """Idle or at work, ready or not: another process has the item next, and it has its verdict."""
    stop = threading.Event()
    with Pool(engine, jobs=2) as pool, ThreadPoolExecutor(5) as threads:

        def screen(name):
            while not stop.is_set():
                check(files, name, pool.screen(files[name]))

        names = ["listed.jpg", "other.webp", "digest.bin", "listed.jpg"]
        screening = [threads.submit(screen, name) for name in names]
        workers = pool._dispatcher._crews.current.workers._workers
        for number in range(6):
            until(lambda: any(worker.ready for worker in workers))
            with contextlib.suppress(TypeError):  # it is being replaced
                os.kill(workers[number % 2]._process.pid, signal.SIGKILL)
        stop.set()
        for one in screening:
            one.result(60)
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH


def test_a_pool_whose_workers_never_start_fails_its_items_and_starts_anew(
    engine, files, monkeypatch
):
    """An exception for each, no silence; and later ones are screened if the trouble is over."""
    with Pool(engine, jobs=1) as pool:
        crews = pool._dispatcher._crews

        def poll(groups, *_):
            raise WorkerError("none today")

        with monkeypatch.context() as patched:
            patched.setattr(crews_module, "poll", poll)
            patched.setattr(crews_module, "_MAX_RESTART_SECONDS", 0.1)
            with pytest.raises(WorkerError, match="none today"):
                pool.screen(files["listed.jpg"])
        assert pool.refresh() is pool.screener
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH
        assert pool._dispatcher._crews is not crews


@pytest.mark.parametrize(
    "settings",
    [{"jobs": 0}, {"queue": 0}, {"queue": "many"}, {"seconds": 0}, {"memory": 3}],
)
def test_a_pool_with_a_wrong_setting_is_refused_when_it_is_made(engine, settings):
    """By the name of the setting."""
    with pytest.raises(PolicyError, match=next(iter(settings))):
        Pool(engine, **settings)


def test_a_pool_of_something_else_is_refused(known):
    """As a scan of a list is."""
    with pytest.raises(TypeError, match=r"Pool\(\) needs a Screener, got HashList"):
        Pool(known)


def test_limits_of_the_pool_take_the_place_of_the_policy_s(engine):
    """And the Results say so by the fingerprint of the policy."""
    pool = Pool(engine, seconds=3, memory=400 << 20)
    assert (pool.screener.policy.seconds, pool.screener.policy.memory) == (3, 400 << 20)
    assert pool.screener.policy.fingerprint != engine.policy.fingerprint
    assert Pool(engine).screener is engine


@pytest.fixture
def growing(make_list, picture):
    """A list to which more is added, its Screener, and the function that adds."""
    code = pdq.compute(np.asarray(picture)).text
    hash_list = make_list([{"id": "old", "pdq": "0123456789abcdef" * 4}])
    file = hash_list.path.parent / "more.csv"

    def add(row):
        file.write_text("\n".join(",".join(part) for part in (row, row.values())) + "\n")
        HashList.open(hash_list.path).import_file(file, source="more")

    return Engine(hash_list), add, code


def test_refresh_moves_to_the_newest_generation(growing, files, tmp_path):
    """Items afterwards have it; one that a worker had before has the old or the new one."""
    old, add, code = growing
    held = Held(tmp_path)
    with Pool(old, jobs=2) as pool, ThreadPoolExecutor(1) as threads:
        assert pool.refresh() is old
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.NO_MATCH
        waiting = threads.submit(pool.screen, held.data)
        held.until_begun()
        workers = workers_of(pool)
        add({"id": "new", "pdq": code})
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.NO_MATCH
        assert pool.refresh() is pool.screener
        result = pool.screen(files["listed.jpg"])
        assert (result.verdict, result.lists[0].generation) == (Verdict.MATCH, 2)
        held.release()
        assert waiting.result(60).lists[0].generation == 2
        assert workers_of(pool) == workers


def test_refresh_before_the_first_item_starts_nothing(growing, files):
    """The workers that start later are those of the newest generation; after `close` it raises."""
    old, add, code = growing
    pool = Pool(old, jobs=1)
    add({"id": "new", "pdq": code})
    assert pool.refresh() is pool.screener
    assert pool._dispatcher is None
    assert pool.screen(files["listed.jpg"]).lists[0].generation == 2
    pool.close()
    with pytest.raises(PoolClosed):
        pool.refresh()


def test_a_generation_with_other_kinds_has_workers_of_its_own(growing, files, tmp_path):
    """The old ones finish what they have, and it is matched against the old generation."""
    old, add, _ = growing
    (md5, *_) = digest.compute(files["digest.bin"])
    held = Held(tmp_path)
    with Pool(Screener(old.lists), jobs=1) as pool:
        add({"id": "new", "md5": md5.text})
        assert pool.screen(files["digest.bin"]).reason == Reason.UNSUPPORTED
        pool.refresh()
        assert pool.screen(files["digest.bin"]).verdict == Verdict.MATCH
    add({"id": "more", "sha1": "ab" * 20})
    engine = Engine(old.lists)
    with Pool(engine, jobs=1) as pool, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.screen, held.data)
        held.until_begun()
        newer = pool.refresh()
        # `refresh` makes a plain Screener, whose workers are others.
        result = pool.screen(files["digest.bin"])
        assert (result.verdict, result.lists[0].generation) == (Verdict.MATCH, 3)
        assert len(workers_of(pool)) == 2
        held.release()
        assert waiting.result(60).lists[0].generation == 1
        until(lambda: pool.screen(b"words") and len(workers_of(pool)) == 1)
        assert pool.screener is newer


def test_refresh_under_load_loses_no_item_and_mixes_no_generations(growing, files):
    """Each Result is that of one generation, which never goes back."""
    old, add, code = growing
    stop = threading.Event()

    def screen():
        seen = []
        while not stop.is_set():
            result = pool.screen(files["listed.jpg"])
            seen.append((result.lists[0].generation, result.verdict))
        return seen

    with Pool(Screener(old.lists), jobs=2) as pool, ThreadPoolExecutor(3) as threads:
        screening = [threads.submit(screen) for _ in range(3)]
        for number in range(4):
            row = {"id": f"{number}", "pdq": code if number == 1 else f"{number:064x}"}
            add(row | ({"sha1": "ab" * 20} if number == 2 else {}))
            pool.refresh()
            pool.screen(files["listed.jpg"])
        stop.set()
        for one in screening:
            seen = one.result(60)
            assert [generation for generation, _ in seen] == sorted(g for g, _ in seen)
            assert all((verdict == Verdict.MATCH) == (g >= 3) for g, verdict in seen)
    assert pool.screener.lists[0].generation == 5


def test_a_list_that_is_deleted_underneath_answers_or_fails_but_never_clears(growing, files):
    """What has no hit is answered from the mapped index; a hit whose record cannot be read is an
    exception for its item alone; `refresh` raises, and the pool goes on.
    """
    old, add, code = growing
    add({"id": "new", "pdq": code})
    engine = Screener(old.refresh().lists)
    folder = engine.lists[0].path
    with Pool(engine, jobs=2) as pool:
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH
        folder.rename(folder.with_suffix(".gone"))
        with pytest.raises(ListError):
            pool.refresh()
        items = [files["listed.jpg"], files["other.webp"]] * 4
        with ThreadPoolExecutor(8) as threads:
            answers = [threads.submit(pool.screen, item) for item in items]
        for number, answer in enumerate(answers):
            if number % 2:
                assert answer.result().verdict == Verdict.NO_MATCH
            elif answer.exception() is None:
                assert answer.result().verdict == Verdict.MATCH
            else:
                assert isinstance(answer.exception(), ListError)
        folder.with_suffix(".gone").rename(folder)
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH


def test_a_list_that_is_replaced_underneath_never_clears_and_comes_with_refresh(growing, files):
    """Until then a hit is an exception, since its record is gone; then the new list decides."""
    old, add, code = growing
    add({"id": "old", "pdq": code})
    engine = Screener(old.refresh().lists)
    folder = engine.lists[0].path
    with Pool(engine, jobs=1) as pool:
        assert pool.screen(files["listed.jpg"]).verdict == Verdict.MATCH
        folder.rename(folder.with_suffix(".gone"))
        HashList.create(folder)
        add({"id": "new", "pdq": code})
        with pytest.raises(IndexFileError, match="was replaced by another"):
            pool.screen(files["listed.jpg"])
        assert pool.screen(files["other.webp"]).verdict == Verdict.NO_MATCH
        pool.refresh()
        assert [match.entry for match in pool.screen(files["listed.jpg"]).matches] == ["new"]
        assert pool.screen(files["other.webp"]).verdict == Verdict.NO_MATCH


def test_items_that_are_hashed_during_a_search_share_the_next(engine, files, monkeypatch):
    """And a search begins at once if none is under way."""
    sizes, searching, release = [], threading.Event(), threading.Event()
    decide = Screener.decide_if_sure

    def counted(screener, items):
        sizes.append(len(items))
        searching.set()
        release.wait(30)
        return decide(screener, items)

    monkeypatch.setattr(Screener, "decide_if_sure", counted)
    with Pool(engine, jobs=1) as pool, ThreadPoolExecutor(9) as threads:
        first = threads.submit(pool.screen, files["empty"])
        assert searching.wait(30)
        assert sizes == [1]
        others = [threads.submit(pool.screen, files["empty"]) for _ in range(8)]
        until(lambda: pool._dispatcher._matcher._hashed.qsize() == 8)
        release.set()
        assert [one.result(30).reason for one in (first, *others)] == [Reason.EMPTY] * 9
    assert sizes == [1, 8]


def test_a_pool_whose_matching_fails_begins_anew(engine, files, monkeypatch):
    """What it had raises an error: it is unscreened."""

    def fail(*_values):
        raise MemoryError

    with Pool(engine, jobs=1) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(match_thread, "Outcome", fail)
            with pytest.raises(WorkerError, match="MemoryError"):
                pool.screen(files["empty"], timeout=30)
        assert pool.screen(files["empty"]).reason == Reason.EMPTY


def test_a_close_is_seen_whenever_it_comes(known):
    """Also while the thread takes what came before."""
    pool = Pool(Engine(known, policy=Policy(seconds=600)), jobs=1)
    with pool:
        queue, thread = pool._dispatcher._queue, pool._dispatcher._thread
        take_hashed, begun = queue.take_hashed, []

        def close_and_take():
            begun.append(True)
            queue.close()
            return take_hashed()

        queue.take_hashed = close_and_take
        until(lambda: begun or queue.wake())  # the first wake-up may still be taken as before
        until(lambda: not thread.is_alive())


def test_many_small_items_leave_memory_as_it_is(pool, files):
    """And no file is left open."""

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    def screen(count):
        with ThreadPoolExecutor(4) as threads:
            for _ in threads.map(pool.screen, [files["empty"], files["words.txt"]] * (count // 2)):
                pass
        gc.collect()
        return resident(), count_open("/memfd:screener"), count_open("pipe:")

    screen(1000)
    before, after = screen(1000), screen(4000)
    assert after[0] - before[0] < 4 << 20
    assert after[1:] == before[1:]


def test_an_item_is_matched_against_the_lists_that_it_names(known, scene, tmp_path):
    """As by a Screener of them; an unknown name affects only its own item."""
    rows = f"id,pdq\nthree,{pdq.compute(np.asarray(scene(3, (320, 240)))).text}\n"
    (tmp_path / "rows.csv").write_text(rows)
    HashList.create(tmp_path / "more.list").import_file(tmp_path / "rows.csv", source="test")
    more = HashList.open(tmp_path / "more.list")
    data = {n: saved(scene(n, (320, 240)), "PNG") for n in (1, 3)}
    with Pool(Screener([known, more]), jobs=1) as made, ThreadPoolExecutor(8) as threads:
        for lists in ((known,), (more,), (known, more)):
            names = [one.name for one in lists]
            alone = Screener(lists)
            found = threads.map(
                lambda n, names=names: made.screen(data[n], lists=names), [1, 3] * 4
            )
            assert [*map(plain, found)] == [plain(alone.screen(data[n])) for n in [1, 3] * 4]
            again = asyncio.run(made.ascreen(data[1], lists=names))
            assert plain(again) == plain(alone.screen(data[1]))
        # Pixels are hashed by their threads, so that many are looked up at once.
        pixels = {n: np.asarray(scene(n, (320, 240)).convert("RGB")) for n in (1, 3)}
        asked = [(n, name) for n in (1, 3) for name in ("known", "more")] * 30
        results = threads.map(lambda one: made.screen(pixels[one[0]], lists=[one[1]]), asked)
        matching = {(1, "known"), (3, "more")}
        assert [one.verdict == Verdict.MATCH for one in results] == [
            one in matching for one in asked
        ]
        with pytest.raises(ListError, match="no list nope"):
            made.screen(data[1], lists=["nope"])
        assert made.screen(data[1]).verdict == Verdict.MATCH


def test_a_pool_adopts_another_screener(known, picture):
    """Of another policy; a wrong one is refused, and the pool goes on."""
    data = saved(picture, "PNG")
    other = Screener(known, policy=Policy(digests_only=True))
    with Pool(Screener(known), jobs=1) as made:
        assert made.screen(data).verdict == Verdict.MATCH

        made.adopt(other)

        assert made.screener is other
        assert plain(made.screen(data)) == plain(other.screen(data))
        with pytest.raises(TypeError, match="needs a Screener"):
            made.adopt(known)
        assert made.screen(data).policy == other.policy.fingerprint
