"""A user's code that must pass a strict type checker; it is checked, never run."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from screener import (
    HammingIndex,
    Hash,
    HashCache,
    HashList,
    Match,
    Policy,
    Pool,
    Reason,
    Result,
    Screener,
    Verdict,
    audit,
    output,
    rescan,
    scan,
)
from screener.errors import Busy
from screener.hashing import digest
from screener.hashing.hash import KINDS


def screen_a_folder(folder: Path) -> list[Match]:
    """Every way of calling that the README shows."""
    known = HashList.open("known.list")
    engine = Screener([known], policy=Policy(radius={"pdq": 31}))
    found: list[Match] = []
    with output.open_jsonl("results.jsonl") as out:
        for result in scan(engine, folder, jobs=2):
            out.write(result)
            found += result.matches
            if result.reason is Reason.TRUNCATED and result.verdict is Verdict.UNSCREENED:
                print(result.input, result.detail)
    one: Result = engine.match([Hash.parse("pdq", "0" * 64)])
    return [*found, *one.matches]


def go_on(engine: Screener, folder: Path) -> tuple[int, int]:
    """What context managers give is what was opened."""
    with (
        output.resume_jsonl("results.jsonl", engine) as out,
        audit.open_log("decisions.audit", engine) as log,
        HashCache.open("hashes.cache") as cache,
    ):
        for result in scan(engine, folder, finished=out.finished, cache=cache):
            log.write(result)
            out.write(result)
        found = sum(1 for _ in rescan(engine, cache))
    return found, audit.verify("decisions.audit").decisions


def search(codes: np.ndarray, queries: np.ndarray) -> tuple[int, int]:
    """The index speaks arrays."""
    index = HammingIndex.build(codes)
    offsets, rows, distances = index.search(queries, radius=31)
    index.save("codes.idx")
    return int(rows[offsets[0]]), int(distances.max()) + len(HammingIndex.open("codes.idx"))


def screen_file_objects(engine: Screener, archive: zipfile.ZipFile) -> list[Result]:
    """Whatever has a `read` for bytes is a file object, as uploads of web frameworks are."""
    with (
        open("photo.jpg", "rb") as file,
        gzip.open("photo.jpg.gz") as packed,
        archive.open("photo.jpg") as member,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        return engine.screen_many([file, packed, member, spooled, io.BytesIO()])


async def screen_uploads(engine: Screener, upload: bytes) -> list[Result]:
    """A Pool takes what a Screener does, in threads and in tasks of asyncio."""
    with (
        Pool(engine, jobs=1, seconds=5, memory=1 << 30, queue=9) as pool,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        newer: Screener = pool.refresh()
        try:
            made = [pool.screen(Path("photo.jpg"), name="a"), newer.screen(upload)]
            return [*made, await pool.ascreen(spooled, timeout=1), await pool.ascreen(upload)]
        except Busy as busy:
            print(busy.seconds + 1)
            return []
        finally:
            pool.close(9.5)


def digest_file_objects(archive: zipfile.ZipFile) -> list[tuple[Hash, ...]]:
    """They are file objects of digests too; kinds may come one by one."""
    kinds = (KINDS[name] for name in ("md5", "sha1"))
    with (
        open("photo.jpg", "rb") as file,
        gzip.open("photo.jpg.gz") as packed,
        archive.open("photo.jpg") as member,
        tempfile.NamedTemporaryFile() as named,
    ):
        made = [digest.compute(one) for one in (file, packed, member, named, io.BytesIO())]
    return [*made, digest.compute(bytearray(b"a")), *digest.compute_batch([b"a", b"b"], kinds)]
