"""Uploads from 200 connections while workers are killed and the list is replaced.

A tenth of the files is hostile. Each answer is compared with a verdict that was found before; that
of a picture which only some generations list, with the generation that the answer names. A full
queue is answered 503, and the client tries again, as after any 503.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import upload_files
from http_caller import Caller, Reply
from subjects import Wrong
from upload_files import ROOT, Answer, File, Files

from screener import HashList

sys.path.append(str(ROOT / "tests" / "support"))
from pool_accidents import children_of, is_alive, until
from served import SECONDS, Served, start

CONNECTIONS = 200
QUEUE = 150  # fewer, so that it is full at times
KILL_S, REPLACE_S = 1.0, 10.0
NOISE = 500  # entries that each generation adds, and the next withdraws
PAUSE_S = 2.0  # at most, of a client with its answer, so that those who wait get their turn
ANSWER_S = 600  # for an upload, with all attempts
FORM = b'--soak\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n%b\r\n'

# A run that is shorter shows nothing about memory.
FLAT_S = 240
MORE_FILES = 25  # that a server has open after all: index files of a list that has grown
MORE_MEMORY = 1.1, 16 << 20  # that the end may take beside the middle: times, and bytes


@dataclass
class Sample:
    """What the server's process has at a time."""

    private: int  # bytes of memory
    workers: int  # bytes of memory of all its children
    files: int
    maps: int
    threads: int

    @classmethod
    def take(cls, process: int) -> Sample:
        """Look at a process and its children."""
        children = sum(_status(child, "VmRSS") for child in children_of(process))
        return cls(
            _status(process, "RssAnon") * 1024,
            children * 1024,
            len(os.listdir(f"/proc/{process}/fd")),
            len(Path(f"/proc/{process}/maps").read_text().splitlines()),
            _status(process, "Threads"),
        )


def _status(process: int, name: str) -> int:
    """A number of /proc/PID/status, or 0 if the process is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0


@dataclass
class Load:
    """The clients, what harms the server meanwhile, and what came of it."""

    server: Served
    files: Files
    known: Path
    seconds: float
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    steps: list[tuple[int, bool]] = field(default_factory=list)  # generation, `changing` is listed
    changing: list[tuple[int, bool]] = field(default_factory=list)  # the same, as answered
    generations: set[int] = field(default_factory=set)

    async def run(self) -> None:
        """Let all happen at once until the time is over."""
        self.end = time.monotonic() + self.seconds
        self.steps.append((HashList.open(self.known).generation, False))
        clients = [asyncio.create_task(self._upload(number)) for number in range(CONNECTIONS)]
        others = [self._kill(), self._replace(), self._watch()]
        await asyncio.gather(*clients, *others)

    async def _upload(self, number: int) -> None:
        rng, caller, newest = random.Random(f"{self.seed} {number}"), Caller(self.server.port), 0
        while time.monotonic() < self.end:
            await asyncio.sleep(rng.uniform(0, PAUSE_S))
            file = self._choose(rng)
            way = rng.random() if file is not self.files.changing else 1
            if way < 0.1:
                self._check_status(file, await self._ask(caller, "/v1/hook", file.content))
                continue
            files = [file]
            if way < 0.2:
                files += [rng.choice(self.files.pictures), rng.choice(self.files.hostile)]
                form = b"".join(FORM % one.content for one in files) + b"--soak--\r\n"
                kind = "multipart/form-data; boundary=soak"
                reply = await self._ask(caller, "/v1/screen", form, kind)
                lines = reply.json()["results"] if reply.status == 200 else []
            else:
                reply = await self._ask(caller, "/v1/screen", file.content)
                lines = [reply.json()] if reply.status == 200 else []
            if len(lines) != len(files):
                self.wrong.append(f"{file.name}: {reply.status}, {len(lines)} results")
                continue
            found = [self._check_line(one, line) for one, line in zip(files, lines, strict=False)]
            if found and min(found) < newest:
                self.wrong.append(f"generation {min(found)} after {newest}")
            newest = max(found, default=newest)
        caller.close()

    def _choose(self, rng: random.Random) -> File:
        if rng.random() < 0.1:
            return rng.choice(self.files.hostile)
        return self.files.changing if rng.random() < 0.05 else rng.choice(self.files.pictures)

    async def _ask(self, caller: Caller, path: str, body: bytes, kind: str = "image/jpeg") -> Reply:
        """Return the answer to an upload, which is tried again as long as it is 503."""
        since, reply = time.monotonic(), Reply(0, {}, b"")
        while time.monotonic() < since + ANSWER_S:
            try:
                reply = await asyncio.wait_for(caller.post(path, body, kind), ANSWER_S)
            except (OSError, EOFError, TimeoutError) as error:
                self.counts["lost"] += 1
                self.wrong.append(f"no answer: {type(error).__name__}")
                break
            if reply.status != 503:
                break
            self.counts["tried_again"] += 1
            self.counts[f"503 {reply.json()['error']['code']}"] += 1
            await asyncio.sleep(int(reply.headers["retry-after"]))
        self.counts["requests"] += 1
        self.slowest = max(self.slowest, time.monotonic() - since)
        return reply

    def _check_line(self, file: File, line: dict) -> int:
        """Compare a Result; return its generation."""
        found, generation = Answer.of_line(line), generation_of(line)
        self.generations.add(generation)
        if file.expected is None and found.reason != "crashed":
            self.changing.append((generation, found.verdict == "match"))
        else:
            self._compare(file, found)
        return generation

    def _check_status(self, file: File, reply: Reply) -> None:
        """Compare the answer of the hook, which has a verdict and a reason at most."""
        assert file.expected is not None
        verdict = {204: "no_match", 451: "match", 422: "unscreened"}.get(reply.status)
        reason = reply.json()["error"]["code"] if verdict == "unscreened" else None
        entries = file.expected.entries if verdict == "match" else []
        line = {"matches": [{"entry": entry} for entry in entries]}
        self._compare(file, Answer.of_line(line | {"verdict": verdict, "reason": reason}))

    def _compare(self, file: File, found: Answer) -> None:
        self.counts["results"] += 1
        self.counts[f"{found.verdict} {found.reason or ''}".strip()] += 1
        if found == file.expected:
            return
        if found.reason == "crashed":  # a file that was killed three times
            self.counts["killed_three_times"] += 1
        else:
            self.wrong.append(f"{file.name}: {found} instead of {file.expected}")

    async def _kill(self) -> None:
        """Kill a worker every second, or later if no answer has come since the last kill.

        A machine that takes longer to start a worker would never get to an answer.
        """
        rng, answers = random.Random(self.seed), 0
        while time.monotonic() < self.end:
            await asyncio.sleep(KILL_S)
            if self.counts["results"] == answers:
                continue
            answers = self.counts["results"]
            with suppress(ProcessLookupError, IndexError):
                os.kill(rng.choice(workers_of(self.server.process.pid)), signal.SIGKILL)
                self.counts["kills"] += 1

    async def _replace(self) -> None:
        step = 0
        while time.monotonic() < self.end:
            await asyncio.sleep(min(REPLACE_S, self.seconds / 3))
            step += 1
            await asyncio.to_thread(self._import, step)

    def _import(self, step: int) -> None:
        """Make the next generation: other noise, and at times the picture that changes.

        Every other one has MD5s or has none, so that other workers take the place of those there
        are.
        """
        rng, one = random.Random(step), HashList.open(self.known)
        listed = step % 2 == 1
        rows = [{"id": f"noise-{step}-{n}", "pdq": rng.randbytes(32).hex()} for n in range(NOISE)]
        rows += [{"id": f"noise-{step - 1}-{n}", "status": "withdrawn"} for n in range(NOISE)]
        value = {"pdq": upload_files.pdq_of(upload_files.draw.scene(99))}
        rows.append({"id": "changing", **(value if listed else {"status": "withdrawn"})})
        md5 = {"md5": rng.randbytes(16).hex()} if step // 2 % 2 else {"status": "withdrawn"}
        rows.append({"id": "other-kind", **md5})
        file = upload_files.write_rows(self.known.with_name("next.csv"), rows)
        self.steps.append((one.generation + 1, listed))
        one.import_file(file, source="soak")

    async def _watch(self) -> None:
        while time.monotonic() < self.end:
            self.samples.append(await asyncio.to_thread(Sample.take, self.server.process.pid))
            status, _ = await asyncio.to_thread(self.server.get, "/v1/health/ready")
            self.counts["looks"] += 1
            self.counts["not_ready"] += status != 200
            if len(self.samples) % 24 == 0:
                print(self.samples[-1], dict(self.counts), flush=True)
            await asyncio.sleep(min(5.0, self.seconds / 10))

    def check_generations(self) -> None:
        """Compare the answers for the picture that changes with the generations they name."""
        for generation, matched in self.changing:
            listed = next(one for number, one in reversed(self.steps) if number <= generation)
            if matched != listed:
                self.wrong.append(f"generation {generation}: listed {listed}, match {matched}")


def generation_of(line: dict) -> int:
    """The generation of the list that decided a result line."""
    return line["lists"][0]["generation"]


def workers_of(process: int) -> list[int]:
    """The PIDs of a server's workers, without Python's own helpers."""
    found = []
    for child in children_of(process):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def check_flat(samples: list[Sample], figures: dict[str, object]) -> None:
    """Raise Wrong unless the last quarter of the samples is as small as the second."""
    quarter = len(samples) // 4
    times, more = MORE_MEMORY
    for name in ("private", "workers"):
        middle, last = (
            statistics.median(getattr(one, name) for one in part)
            for part in (samples[quarter : 2 * quarter], samples[-quarter:])
        )
        if last > times * middle + more:
            raise Wrong(f"memory ({name}) grew from {middle} to {last} bytes: {figures}")


def check_end(load: Load, before: Sample) -> None:
    """Compare counts with the server's own, stop it, and look for what it left."""
    server = load.server
    until(lambda: Sample.take(server.process.pid).files <= before.files + MORE_FILES, SECONDS)
    text = server.client.get("/metrics").text
    counted = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        counted[name] = value
    answered = sum(
        int(float(value)) for name, value in counted.items()
        if name.startswith("screener_requests_total") and 'method="POST"' in name
    )  # fmt: skip
    asked = load.counts["requests"] + load.counts["tried_again"]
    if answered != asked:
        raise Wrong(f"the clients made {asked} requests, the server counts {answered}")
    load.counts["failed_refreshes"] = int(float(counted["screener_list_refresh_failures_total"]))
    newest = HashList.open(load.known).generation
    content = load.files.changing.content
    until(lambda: generation_of(server.post("/v1/screen", content)[1]) == newest, SECONDS)
    everybody = children_of(server.process.pid)
    code = server.stop()
    if code != 0 or any(map(is_alive, everybody)):
        raise Wrong(f"the server ended with {code}, and left {[*filter(is_alive, everybody)]}")
    if "bug in screener" in server.messages or "Traceback" in server.messages:
        raise Wrong(server.messages[:2000])


def soak(folder: Path, *, seconds: float, seed: int) -> dict[str, object]:
    """Upload for so many seconds; return what happened. Raises Wrong."""
    folder.mkdir()
    known = folder / "known.list"
    hostile = 1 << 16 if seconds >= FLAT_S else 150
    files = upload_files.prepare(folder, known, hostile=hostile, seed=seed)
    server = start(folder, "--list", known, "--jobs", 2, "--queue", QUEUE, "--poll-seconds", 1)
    try:
        until(lambda: server.get("/v1/health/ready")[0] == 200, SECONDS)
        before = Sample.take(server.process.pid)
        load = Load(server, files, known, seconds, seed)
        asyncio.run(load.run())
        load.check_generations()
        if load.wrong:
            shown = json.dumps([*load.wrong[:10], f"{len(load.wrong)} in all"], indent=1)
            raise Wrong(f"{shown}\n{dict(load.counts)}\n{server.messages[-2000:]}")
        if 3 * load.counts["killed_three_times"] > load.counts["kills"]:
            raise Wrong(f"too many crashes: {dict(load.counts)}")
        check_end(load, before)
    finally:
        if server.process.poll() is None:
            server.process.kill()
    first, last = load.samples[len(load.samples) // 4], load.samples[-1]
    figures = {
        **dict(sorted(load.counts.items())),
        "replaced": len(load.steps) - 1,
        "generations_answered": len(load.generations),
        "changing_compared": len(load.changing),
        "slowest_s": round(load.slowest, 1),
        "memory_mib": [one.private >> 20 for one in (first, last)],
        "workers_mib": [one.workers >> 20 for one in (first, last)],
        "descriptors": [before.files, last.files],
    }
    if seconds >= FLAT_S:
        check_flat(load.samples, figures)
    return figures
