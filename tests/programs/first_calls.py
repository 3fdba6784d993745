"""Run by test_first_calls: eight threads of a fresh interpreter make their first call of what they
share at the same moment. `first_calls.py FOLDER OWN CALL...` makes these calls one after another.
It writes as JSON, of each, what one thread alone gets, and what else any of the eight got.
"""

import asyncio
import json
import sys
import threading
from pathlib import Path

import numpy as np

from screener import HammingIndex, HashCache, HashList, Policy, Pool, Screener, audit, output, scan
from screener.hashing import classic, digest, pdq
from screener.hashing.hash import KINDS, Hash
from screener.media.name import Name
from screener.screening.input.hash_item import hash_item

THREADS = 8
PICTURES = ("png", "jpg", "gif", "tif", "webp", "avif", "heic", "dds")  # DDS: a rarer plugin
BY_OPENCV = "screen video by OpenCV"


def calls(folder, own):
    """The calls by their names. They share what is opened here, and write to the folder `own`."""
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    pixels = np.frombuffer(files["pixels"], np.uint8).reshape(240, 320, 3)
    values = json.loads(files["values"])
    hashes = {kind: Hash.parse(kind, value) for kind, value in values.items()}
    codes = {kind: np.frombuffer(one.value, np.uint8) for kind, one in hashes.items()}
    known, every = HashList.open(folder / "known.list"), HashList.open(folder / "every.list")
    engine, of_every_kind = Screener(known), Screener(every)
    numbers = np.random.default_rng(1).integers(0, 256, (999, 32), np.uint8)
    index = HammingIndex.build(numbers)
    cache = HashCache.open(own / "cache")
    pool = Pool(engine, jobs=2)
    lines = output.open_jsonl(own / "lines")
    log = audit.open_log(own / "log", engine)
    result = engine.unscreened(Name("a"), "empty", "no bytes")

    async def by_threads():
        """Results by asyncio, whose executor has threads of its own."""
        uploads = (files["png"], b"", files["jpg"])
        return await asyncio.gather(*(asyncio.to_thread(engine.screen, one) for one in uploads))

    def kept():
        made = engine.hasher.hash(folder / "png")
        cache.add([made], engine.hasher)
        return len(cache), cache.holds(made.name, engine.hasher)

    def written():
        lines.write(result)
        log.write(result)
        return result

    def reported():
        from screener.reporting.pages import report_page  # which screening never loads

        page = own / f"{threading.get_ident()}.html"
        return report_page.write_html(folder / "old.jsonl", page), len(page.read_bytes())

    def closed():
        lines.close()
        log.close()

    return {
        "close": closed,
        "screen": lambda: engine.screen(files["jpg"]),
        "screen_many": lambda: engine.screen_many([files["png"], b"", b"words"]),
        "screen pixels": lambda: engine.screen(pixels),
        "screen pictures": lambda: [engine.screen(files[one]) for one in PICTURES],
        "screen every kind": lambda: of_every_kind.screen(files["png"]),
        "screen video": lambda: of_every_kind.screen(files["mp4"]),
        BY_OPENCV: lambda: of_every_kind.screen(files["mp4"]),
        "match": lambda: engine.match([hashes["pdq"], hashes["md5"]]),
        "match_many": lambda: engine.match_many([[one] for one in hashes.values()]),
        "HashList.open": lambda: Screener(HashList.open(known.path)).match([hashes["md5"]]),
        "HashList.search": lambda: known.search("pdq", codes["pdq"], radius=31),
        "HashList.lookup": lambda: known.lookup("md5", codes["md5"]),
        "HashList.holders": lambda: known.holders("pdq", [0]),
        "HashList.info": lambda: (known.info().states, known.show("one")),
        "HammingIndex.search": lambda: index.search(numbers[:9], radius=100, threads=2),
        "hash_item": lambda: hash_item(files["jpg"], policy=Policy(), kinds=KINDS.values()),
        "pdq": lambda: (pdq.compute(pixels), pdq.compute_orientations(pixels)),
        "pdq.compute_batch": lambda: pdq.compute_batch([pixels, pixels[::-1]], threads=2),
        "classic": lambda: [*classic.compute_orientations(pixels, classic.CLASSIC).values()],
        "digest": lambda: digest.compute_batch([files["png"], files["jpg"]]),
        "refresh": lambda: (engine.refresh() is engine, known.refresh() is known),
        "warm": engine.warm,
        "HashCache": kept,
        "output and audit": written,
        "report": reported,
        "scan": lambda: list(scan(engine, folder / "png", jobs=1)),
        "to_thread": lambda: asyncio.run(by_threads()),
        "Pool": lambda: pool.screen(files["jpg"]),
    }


def plain(answer):
    """An answer as what can be compared and written: a Result without what hangs on the time."""
    if isinstance(answer, np.ndarray):
        return answer.tolist()
    if isinstance(answer, Hash):
        return answer.kind.name, answer.quality, answer.value.hex()
    if isinstance(answer, list | tuple):
        return [plain(one) for one in answer]
    if hasattr(answer, "to_dict"):
        line = answer.to_dict()
        return {name: told for name, told in line.items() if name not in ("lists", "seconds")}
    if hasattr(answer, "hashes"):
        return [plain(tuple(one)) for one in answer.hashes]
    return repr(answer)


def answered(call):
    """What a call gives, or what it raises."""
    try:
        return plain(call())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main():
    """Make the calls in threads, then once more in this one, and write both."""
    folder, own, *order = sys.argv[1:]
    if BY_OPENCV in order:
        sys.modules["av"] = None  # as if the extra was not installed
    made = calls(Path(folder), Path(own))
    found = {name: [None] * THREADS for name in order}
    barrier = threading.Barrier(THREADS)

    def work(number):
        for name in order:
            barrier.wait()
            found[name][number] = answered(made[name])

    sys.setswitchinterval(1e-5)  # seconds, so that they meet where they can
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = {name: answered(made[name]) for name in order}
    others = {name: [one for one in found[name] if one != alone[name]] for name in order}
    made["close"]()
    print(json.dumps({name: [alone[name], others[name]] for name in order}))


if __name__ == "__main__":
    main()
