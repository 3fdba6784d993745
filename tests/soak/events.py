"""`kill -9` of a service that stores hashes: only what was under way is lost, and no event.

Clients upload under ids of their own while the list gets the pictures one after the other, events
are delivered to a receiver of this machine that refuses some, and the service is killed at random
moments. After the last start, each stored upload that its own answer did not call a match has one
event, which came at least once.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import upload_files
from http_caller import Caller
from subjects import Wrong
from upload_files import ROOT

from screener import HashCache, HashList, Screener, rescan

sys.path.append(str(ROOT / "tests" / "support"))
from pool_accidents import children_of, is_alive, until
from receiver import Receiver, secret_file
from served import SECONDS, Served, start

CLIENTS = 20
PICTURES = 12
LONGEST_S = 5.0  # from the first answer of a service to its death
STORE_S = 10.0  # in which the hashes of an answered upload must be stored


@dataclass
class Sent:
    """An upload that was answered."""

    picture: int
    verdict: str
    answered: float


@dataclass
class Uploads:
    """What was uploaded to the services of all rounds, and how it was answered."""

    pictures: list[bytes]
    sent: dict[str, Sent] = field(default_factory=dict)
    cut_off: int = 0  # under way when a service was killed
    deaths: list[float] = field(default_factory=list)

    async def until_killed(self, server: Served, delay: float, number: int) -> None:
        """Upload from all clients, and kill the server after a delay."""
        clients = [
            asyncio.create_task(self._upload(server.port, f"{number}-{client}"))
            for client in range(CLIENTS)
        ]
        already = len(self.sent)
        while len(self.sent) == already:
            await asyncio.sleep(0.01)
        await asyncio.sleep(delay)
        server.process.send_signal(signal.SIGKILL)
        self.deaths.append(time.monotonic())
        await asyncio.gather(*clients)

    async def _upload(self, port: int, name: str) -> None:
        caller, rng = Caller(port), random.Random(name)
        with suppress(OSError, EOFError):
            for number in range(1_000_000):
                picture = rng.randrange(len(self.pictures))
                key = f"{name}-{number}"
                self.cut_off += 1
                reply = await caller.post(f"/v1/screen?id={key}", self.pictures[picture])
                self.cut_off -= 1
                if reply.status != 200:
                    raise Wrong(f"an upload was answered {reply.status}")
                self.sent[key] = Sent(picture, reply.json()["verdict"], time.monotonic())

    def seconds_before_death(self, key: str) -> float:
        """How long before the death of its service an upload was answered."""
        death = self.deaths[int(key.partition("-")[0])]
        return max(0.0, death - self.sent[key].answered)  # some answers are read after it


def soak(folder: Path, *, kills: int, seed: int) -> dict[str, object]:
    """Kill so many services, one after the other; return what happened. Raises Wrong."""
    folder.mkdir()
    rng, known = random.Random(seed), folder / "known.list"
    drawn = [upload_files.draw.scene(200 + n) for n in range(PICTURES)]
    uploads = Uploads([upload_files.encode(picture, quality=70) for picture in drawn])
    values = [upload_files.pdq_of(picture) for picture in drawn]
    HashList.create(known).import_file(
        upload_files.write_rows(folder / "rows.csv", [{"id": "first", "pdq": "5c" * 32}]),
        source="soak",
    )
    options = ["--list", known, "--keep-hashes", 1, "--state", folder / "state"]
    options += ["--matches-file", folder / "matches.jsonl", "--poll-seconds", 0.3, "--jobs", 2]
    with Receiver() as receiver:
        secret = secret_file(folder)
        options += ["--webhook-url", receiver.url, "--webhook-secret", secret]
        for number in range(kills):
            receiver.answers += rng.choices((204, 204, 500, 422, None), k=10)
            server = _start(folder / f"run-{number}", options)
            upload = uploads.until_killed(server, rng.uniform(0, LONGEST_S), number)
            entry = number * PICTURES // kills
            asyncio.run(_beside(upload, known, entry, values[entry]))
            everybody = children_of(server.process.pid)
            server.client.close()
            server.process.wait(SECONDS)
            until(lambda everybody=everybody: not any(map(is_alive, everybody)), SECONDS)
        receiver.answers.clear()
        _finish(_start(folder / "last", options))
        listed = {f"picture-{number * PICTURES // kills}" for number in range(kills)}
        found = _compare(uploads, receiver, folder, listed)
    return {"kills": kills, **found, "answered": len(uploads.sent), "cut_off": uploads.cut_off}


def _start(folder: Path, options: list[object]) -> Served:
    folder.mkdir()
    return start(folder, *options)


async def _beside(upload, known: Path, entry: int, value: str) -> None:
    """Add a picture to the list while clients upload it."""
    rows = [{"id": f"picture-{entry}", "pdq": value}]
    file = upload_files.write_rows(known.with_name("rows.csv"), rows)

    def add() -> None:
        HashList.open(known).import_file(file, source="soak")

    await asyncio.gather(upload, asyncio.to_thread(add))


def _finish(server: Served) -> None:
    """Let a service deliver what waits, and stop it."""

    def metric(name: str) -> float:
        lines = server.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    until(lambda: metric("screener_reverse_pending") == 0, SECONDS)
    until(lambda: metric("screener_events_waiting") == 0, SECONDS)
    if server.stop() != 0:
        raise Wrong(server.messages[-2000:])


def _compare(
    uploads: Uploads, receiver: Receiver, folder: Path, listed: set[str]
) -> dict[str, object]:
    """Compare events with uploads; return the counts."""
    screener = Screener(HashList.open(folder / "known.list"))
    with HashCache.open(folder / "state" / "hashes.cache") as cache:
        stored = {
            str(result.input): {match.entry for match in result.matches}
            for result in rescan(screener, cache, every=True, as_stored=True)
        }
    ids = defaultdict(set)
    for event in receiver.events:
        ids[event["data"]["upload"]].add(event["id"])
    for key, sent in uploads.sent.items():
        entry = f"picture-{sent.picture}"
        expected = key in stored and entry in listed and sent.verdict == "no_match"
        if len(ids[key]) != expected:
            raise Wrong(f"{key} ({sent}, stored: {key in stored}) has {len(ids[key])} events")
        if key in stored and stored[key] != ({entry} & listed):
            raise Wrong(f"{key} is stored with the hashes of another: {stored[key]}")
    lines = (folder / "matches.jsonl").read_text().splitlines()
    if len(lines) < sum(map(len, ids.values())):
        raise Wrong(f"the file has only {len(lines)} events")
    unstored = [uploads.seconds_before_death(key) for key in uploads.sent.keys() - stored.keys()]
    if max(unstored, default=0.0) > STORE_S:
        raise Wrong(f"an upload was not stored in {max(unstored)} s")
    return {
        "events": sum(map(len, ids.values())),
        "came_again": len(receiver.events) - sum(map(len, ids.values())),
        "deliveries": dict(sorted(Counter(str(s) for _, s in receiver.attempts).items())),
        "answered_but_not_stored": len(unstored),
        "seconds_before_the_kill": round(max(unstored, default=0.0), 2),
    }
