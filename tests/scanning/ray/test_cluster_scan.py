"""A scan on a Ray cluster of several nodes: what a local scan gives, whatever happens to a node."""

import importlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
from command_process import CALL
from picture_bytes import png
from scan_with_accidents import Engine
from slow_names import piped
from timing import soonest

from screener import Policy, Screener
from screener import scan as scan_here
from screener.errors import ClusterError, PolicyError
from screener.hashing import pdq
from screener.scanning.resume import Finished

pytest.importorskip("ray", reason="Ray is not installed: scripts/ray installs it and runs these")

from ray_cluster import CalamityEngine, UnreadyEngine

from screener.scanning import ray as on_ray
from screener.scanning.ray import cluster_workers, nodes
from screener.scanning.ray.local_cluster import Head
from screener.screening.result import is_counted_line

# Ray warns of its own settings.
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.")

scanning = importlib.import_module("screener.scanning.ray.cluster_scan")

_ACTOR = b"ray::MapWorker(MapBatches(HashingActor)"


def told(results):
    """Results without what no two scans share: seconds, and the age of the list."""
    return [
        replace(one, seconds=None, lists=tuple(replace(a, age_s=0) for a in one.lists))
        for one in results
    ]


def lines(path):
    """The same of a file of results."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'"(seconds|age_s)":[0-9.e-]+', "", text).splitlines()


@pytest.fixture
def known(make_list, scene):
    """A list that the picture 0 is on."""
    text = pdq.compute(np.asarray(scene(0, (160, 120)))).text
    return make_list([{"id": "one", "pdq": text, "md5": "ab" * 16}])


@pytest.fixture
def engine(known):
    """Finds the picture 0."""
    return Screener(known, policy=Policy(seconds=20))


@pytest.fixture
def uploads(scene, tmp_path):
    """Pictures, damage, archives of both sorts, and names of every sort."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    pictures = [png(scene(number, (160, 120))) for number in range(4)]
    for number, data in enumerate(pictures):
        (folder / f"{number}.png").write_bytes(data)
        (folder / f"half-{number}.png").write_bytes(data[: len(data) // 2])
    (folder / "empty").write_bytes(b"")
    (folder / "words.txt").write_text("words")
    os.mkfifo(folder / "pipe")
    Path(os.fsdecode(os.fsencode(folder) + b"/n\xff.png")).write_bytes(pictures[0])
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for number, data in enumerate(pictures):
            archive.writestr(f"in/{number}.png", data)
    with tarfile.open(folder / "b.tar.gz", "w:gz") as archive:
        for number, data in enumerate(pictures):
            info = tarfile.TarInfo(f"{number}.png")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (folder / "broken.zip").write_bytes((folder / "a.zip").read_bytes()[:5000])
    return folder


def test_results_are_those_of_a_local_scan(cluster, engine, uploads, tmp_path, monkeypatch):
    """Files, archives, damage, odd names: equal Results, in the order of the input, and as a set
    where no order is asked for; under relative names too, though nodes work in other folders.
    """
    here = told(scan_here(engine, uploads, jobs=1))
    assert len(here) > 20
    assert {str(one.verdict) for one in here} == {"match", "no_match", "unscreened"}

    assert told(on_ray.scan(engine, uploads)) == here
    assert set(map(repr, told(on_ray.scan(engine, uploads, jobs=3, ordered=False)))) == set(
        map(repr, here)
    )

    monkeypatch.chdir(tmp_path)
    names = ["uploads/0.png", "uploads/../uploads/a.zip", "uploads/none.png", "", "uploads/1.png"]
    assert told(on_ray.scan(engine, names)) == told(scan_here(engine, names, jobs=1))


def test_evidence_is_that_of_a_local_scan(cluster, known, scene, tmp_path):
    """Weights and views travel with the hashes: crops are found, on a node as here."""
    picture = scene(0, (160, 120))
    for cut in range(4, 10, 2):
        picture.crop((cut, 3, 160 - cut, 117)).save(tmp_path / f"cut-{cut}.png")
    picture.save(tmp_path / "whole.png")
    paths = sorted(tmp_path.glob("*.png"))
    for effort in ("evidence", "views"):
        engine = Screener(known, policy=Policy(seconds=20, effort=effort))
        here = told(scan_here(engine, paths, jobs=1))
        assert {result.effort for result in here} == {effort}
        if effort == "views":
            assert {match.by for one in here for match in one.matches} == {"distance", "evidence"}
        assert told(scan_here(engine, paths, jobs=2)) == here
        assert told(on_ray.scan(engine, paths)) == here


def test_accidents_cost_exactly_their_file(cluster, known, scene, tmp_path):
    """What crashes, hangs or eats memory in a worker process on a node is told as it is locally,
    and the actor that kept the process lives on.
    """
    names = ["a", "crash-1", "crash-2", "d", "exit", "f", "hang", "memory", "z1", "z2"]
    for name in names:
        scene(1).save(tmp_path / f"{name}.png")
    files = [tmp_path / f"{name}.png" for name in names]
    engine = Engine(known, policy=Policy(seconds=2, memory=500 << 20))

    results = list(on_ray.scan(engine, files))

    assert told(results) == told(scan_here(engine, files, jobs=2))
    reasons = {name: one.reason for name, one in zip(names, results, strict=True) if one.reason}
    assert reasons == {
        "crash-1": "crashed",
        "crash-2": "crashed",
        "exit": "crashed",
        "hang": "timeout",
        "memory": "too_large",
    }


def test_results_come_while_the_next_name_does_not(cluster, known, tmp_path):
    """Each as soon as its input is done, and the next name is given out as soon as it comes."""
    engine = Screener(known)
    with piped(tmp_path) as pipe, closing(on_ray.scan(engine, [pipe.names], jobs=1)) as results:
        for name in ("a", "b"):
            (tmp_path / name).touch()
            pipe.add(name)
            assert next(results).input == str(tmp_path / name)
        pipe.close()
        assert list(results) == []


def test_a_file_that_kills_the_actor_itself_is_given_up(cluster, known, scene, tmp_path, caplog):
    """It is tried three times, then `crashed`; what waited behind it is screened."""
    names = ["a", "b", "parent", "c", "d", "e", "f"]
    for name in names:
        scene(1).save(tmp_path / f"{name}.png")
    engine = CalamityEngine(known, policy=Policy(seconds=20))

    results = list(on_ray.scan(engine, [tmp_path / f"{name}.png" for name in names]))

    reasons = {Path(one.input).stem: one.reason for one in results}
    assert reasons == {**dict.fromkeys(names), "parent": "crashed"}
    assert results[2].bytes == (tmp_path / "parent.png").stat().st_size
    assert "the cluster lost 3 workers" in caplog.text


@pytest.mark.parametrize("politely", [True, False])
def test_a_node_that_is_lost_costs_nothing(cluster, engine, scene, tmp_path, politely):
    """One of two nodes goes in the middle of a scan, with no other to take its place; later one
    comes, and works. The results are those of a local scan, in order, each once.
    """
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        scene(number % 6, (160 + number, 120)).save(folder / f"{number:03}.png")
    with tarfile.open(folder / "020.tar.gz", "w:gz") as archive:
        for number in range(12):
            archive.add(folder / f"{number:03}.png")
    files = sorted(folder.iterdir())

    def given():
        for number, file in enumerate(files):
            # With files under way, and more to come for whoever is there.
            if number == 15:
                cluster.lose(politely=politely)
            if number == 45:
                cluster.mend()
            yield file

    assert told(on_ray.scan(engine, given())) == told(scan_here(engine, files, jobs=2))


def test_a_scan_waits_for_a_cluster_that_has_lost_all_its_nodes(cluster, engine, scene, tmp_path):
    """With nobody left to work it waits, and goes on when a node comes."""
    for number in range(20):
        scene(number).save(tmp_path / f"{number:02}.png")
    files = sorted(tmp_path.glob("*.png"))
    found = []

    def scan():
        found.extend(on_ray.scan(engine, told_slowly()))

    begun = Event()

    def told_slowly():
        for number, file in enumerate(files):
            if number == 8:
                begun.set()
                lost.wait(60)
            yield file

    lost = Event()
    scanning = Thread(target=scan)
    scanning.start()
    assert begun.wait(60)
    cluster.lose()
    cluster.lose()
    lost.set()
    scanning.join(2)
    assert scanning.is_alive()
    cluster.mend()
    scanning.join(100)

    assert told(found) == told(scan_here(engine, files, jobs=1))


def test_a_cluster_without_a_free_cpu_is_an_error_in_time(cluster, engine, uploads, monkeypatch):
    """Where no worker can be started, the scan says so instead of waiting for ever."""
    import ray

    monkeypatch.setattr(cluster_workers, "_MAX_IDLE_SECONDS", 1.0)
    busy = [ray.remote(num_cpus=1)(_Busy).remote() for _ in range(2)]
    ray.get([one.here.remote() for one in busy])

    with pytest.raises(ClusterError, match="no worker could be started in 1 s"):
        next(on_ray.scan(engine, uploads))

    for one in busy:
        ray.kill(one)


class _Busy:
    def here(self):
        """It has its CPU."""


def test_a_node_of_other_versions_is_refused(cluster, engine, uploads, monkeypatch):
    """Its hashes could differ: the sentence names the node and both versions."""
    ours = nodes.read_versions()
    monkeypatch.setattr(nodes, "read_versions", lambda: {**ours, "pillow": "0.1"})

    with pytest.raises(ClusterError, match=r"the node [\d.]+ has pillow .*, and this machine 0.1"):
        list(on_ray.scan(engine, uploads))


def test_a_node_on_which_no_worker_process_is_ready_is_named(cluster, known, uploads):
    """With what became of it; no file is blamed."""
    with pytest.raises(ClusterError, match=r"the node .*before it was ready \(exit code 3\)"):
        list(on_ray.scan(UnreadyEngine(known), uploads, jobs=1))


def test_a_node_without_the_files_is_refused(cluster, known, scene, tmp_path):
    """What is here and cannot be found on a node would be `unreadable`, as if it had gone: the scan
    stops, and names node and file. What is nowhere is `unreadable`.
    """
    for name in ("a", "hidden"):
        scene(1).save(tmp_path / f"{name}.png")
    engine = CalamityEngine(known, policy=Policy(seconds=20))

    with pytest.raises(ClusterError, match=r"node [\d.]+ does not find '.*hidden.png', which is"):
        list(on_ray.scan(engine, [tmp_path / "a.png", tmp_path / "hidden.png"]))

    (result,) = on_ray.scan(engine, tmp_path / "hidden-nowhere.png")
    assert result.reason == "unreadable"


def test_a_process_that_decodes_has_no_ray_in_it(cluster, known, tmp_path):
    """The actor starts it as a process of this package alone, confined as on this machine."""
    from ray_cluster import Told

    engine = Told(known)
    (tmp_path / "one").write_bytes(b"x")

    (result,) = on_ray.scan(engine, tmp_path / "one")

    facts = json.loads(result.detail)
    assert facts == {"ray": False, "core": 0, "written": 0, "parent_is_actor": True}


def test_wrong_calls_are_refused_at_once(cluster, engine, uploads):
    """Numbers of jobs as locally; an address where the program has joined a cluster already."""
    with pytest.raises(PolicyError, match="jobs"):
        on_ray.scan(engine, uploads, jobs=0)
    with pytest.raises(ClusterError, match="joined a cluster already"):
        list(on_ray.scan(engine, uploads, address="auto"))


def run(*arguments, **settings):
    """The command, in a process of its own."""
    return subprocess.run(
        [*CALL, *map(str, arguments)], capture_output=True, text=True, timeout=200, **settings
    )


def test_the_command_writes_what_it_writes_without(cluster, known, engine, uploads, tmp_path):
    """The same lines and exit code; what a local scan began is gone on with, and the audit log and
    the cache are as they would be.
    """
    here, there, log = tmp_path / "here.jsonl", tmp_path / "there.jsonl", tmp_path / "log"
    ray = ("--engine", "ray", "--address", cluster.address)
    call = ("scan", uploads, "--list", known.path)
    done = run(*call, "-o", here, "--cache", tmp_path / "here.cache")
    assert done.returncode == 1, done.stderr

    begun = here.read_bytes().splitlines(keepends=True)
    there.write_bytes(b"".join(begun[:7]) + begun[7][:50])
    again = run(*call, "--resume", there, *ray, "--audit", log, "--cache", tmp_path / "there.cache")

    assert again.returncode == 1, again.stderr
    assert "Traceback" not in again.stderr
    assert lines(there) == lines(here)
    counted = [one for one in map(json.loads, begun) if is_counted_line(one)]
    assert len(Finished.read(there, Screener(known))) == len(counted) == len(begun) - 2
    assert run("audit", "verify", log).returncode == 0
    assert len(log.read_text().splitlines()) == len(begun) - 7 + 2  # its first and last line

    nothing = run("scan", uploads / "1.png", "--list", known.path, *ray)
    assert (nothing.returncode, len(nothing.stdout.splitlines())) == (0, 1)
    unscreened = run("scan", uploads / "empty", "--list", known.path, *ray)
    assert unscreened.returncode == 3


def test_a_lost_actor_leaves_standard_output_to_the_results(cluster, known, scene, tmp_path):
    """Ray has much to say of it, there; the lines are those of a local scan all the same."""
    for number in range(30):
        scene(number % 4).save(tmp_path / f"{number:02}.png")
    call = [
        *CALL,
        "scan",
        *sorted(map(str, tmp_path.glob("*.png"))) * 12,
        "--list",
        str(known.path),
    ]
    here = run(*call[len(CALL) :]).stdout

    call += ["--engine", "ray", "--address", cluster.address]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        there = process.stdout.readline()
        for keeper in _running(_ACTOR):
            os.kill(keeper, signal.SIGKILL)
        there += process.stdout.read()

    assert process.returncode == 1
    assert [{**json.loads(a), "seconds": 0, "lists": 0} for a in there.splitlines()] == [
        {**json.loads(a), "seconds": 0, "lists": 0} for a in here.splitlines()
    ]


def _running(begin):
    """The processes whose command line begins so."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if (process / "cmdline").read_bytes().startswith(begin):
                    found.append(int(process.name))
            except OSError:
                continue
    return found


def test_the_command_says_what_is_wrong(known, uploads):
    """An address without Ray, one where nothing is, one of another way in: exit code 2."""
    call = ("scan", uploads, "--list", known.path)
    for arguments, what in [
        (("--address", "auto"), "needs --engine ray"),
        (("--engine", "ray", "--address", "ray://here:10001"), "run the scan on a machine of the"),
    ]:
        done = run(*call, *arguments)
        assert done.returncode == 2
        assert what in done.stderr
        assert (done.stdout, "Traceback" in done.stderr) == ("", False)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("at its start", signal.SIGINT),
        ("before its actors", signal.SIGINT),
        ("at work", signal.SIGINT),
        ("at work", signal.SIGTERM),
    ],
)
def test_a_ray_of_its_own_ends_with_the_scan(known, uploads, tmp_path, moment, number):
    """Without an address the command starts one, to which nobody else has the token; Ctrl-C ends
    all of it within two seconds, whenever it comes, with whole lines and 130; so does SIGTERM.
    """
    mark = f"SCREENER_TEST_MARK={tmp_path}"
    environment = {**os.environ, "SCREENER_TEST_MARK": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("RAY_ADDRESS", None)
    out = tmp_path / "out.jsonl"
    call = [*CALL, "scan", *[str(uploads)] * 300, "--list", str(known.path), "--engine", "ray"]

    def interrupted():
        """Signal a scan when it is at that moment; how long it goes on."""
        out.unlink(missing_ok=True)
        process = subprocess.Popen(
            [*call, "-o", str(out)],
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            # A shell that runs the tests in the background ignores it, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            deadline = time.monotonic() + 100
            while not _is_at(moment, out, mark.encode()):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            os.killpg(process.pid, number)
            begin = time.monotonic()
            _, stderr = process.communicate(timeout=30)
            took = time.monotonic() - begin
        finally:
            process.kill()

        assert process.returncode == 130, stderr
        assert b"Traceback" not in stderr
        assert out.exists() or moment != "at work"  # it begins with the first result
        told = out.read_bytes() if out.exists() else b""
        assert all(json.loads(line) for line in told.splitlines())
        assert told.endswith(b"\n") or moment != "at work"
        assert not (tmp_path / ".ray").exists()
        deadline = time.monotonic() + 10
        while left := _marked(mark.encode()):
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
        return took

    assert soonest(interrupted, within=2) < 2


def _is_at(moment, out, mark):
    """Whether a scan that writes to a file has come so far."""
    if moment == "at work":
        return out.exists() and out.stat().st_size
    signs = [b"gcs_server"] if moment == "at its start" else [b"default_worker.py", _ACTOR]
    return any(sign in command for command in _marked(mark).values() for sign in signs)


def test_a_ray_of_its_own_ends_with_the_program(known, uploads, tmp_path):
    """A scan that is killed leaves nothing of Ray behind."""
    environment = {**os.environ, "SCREENER_TEST_MARK": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("RAY_ADDRESS", None)
    call = [*CALL, "scan", str(uploads), "--list", str(known.path), "--engine", "ray"]
    mark = f"SCREENER_TEST_MARK={tmp_path}".encode()
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, env=environment) as process:
        deadline = time.monotonic() + 100
        while not _is_at("before its actors", None, mark):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
    while left := _marked(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_a_scan_waits_until_ray_is_joined(monkeypatch, number, late):
    """Broken off there, Ray would crash the program at its end; and SIGTERM, which Ray takes, does
    what it did before, then and afterwards.
    """
    went_on = []

    def init(**settings):
        if late:
            signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
        signal.raise_signal(number)
        went_on.append(True)

    monkeypatch.setattr(scanning.ray, "init", init)
    monkeypatch.setattr(scanning.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(scanning, "Head", lambda cpus: nullcontext(SimpleNamespace(address="x:1")))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    # SIGINT too: what a script starts in the background ignores it, and so do these tests.
    hear = signal.default_int_handler
    before = {one: signal.signal(one, hear) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(KeyboardInterrupt), scanning.join_cluster(None):
            pytest.fail("it was to end before")
        assert {signal.getsignal(one) for one in before} == {hear}
        # Of all that Ray does once it has taken SIGTERM, Python can only be asked to leave.
        assert went_on or (late and number is signal.SIGTERM)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_why_no_ray_starts_is_told(monkeypatch):
    """Whatever ends the process, and whatever Ray says; and its token is asked of nobody after."""
    before = dict(os.environ)
    with pytest.raises(ClusterError, match="no Ray can be started on this machine: ValueError"):
        Head(-1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ClusterError, match="no Ray can be started on this machine: it has ended"):
        Head(1)
    assert {name for name in os.environ if os.environ[name] != before.get(name)} <= {
        "RAY_USAGE_STATS_ENABLED"
    }


def _marked(mark):
    """The processes whose environment has a mark, and what they run."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if mark in (process / "environ").read_bytes():
                    found[process.name] = (process / "cmdline").read_bytes()
            except OSError:
                continue
    return found


@pytest.mark.slow
def test_hostile_files_give_what_they_give_locally(cluster, known, material):
    """Of material/robustness every third file, or all with SCREENER_EVERY=1: the same Results in
    the same order.

    With more memory than by default: some need just about a gibibyte, and whether that is enough
    depends on what their process has done before, in a local scan too.
    """
    engine = Screener(known, policy=Policy(seconds=60, memory=2 << 30))
    every = int(os.environ.get("SCREENER_EVERY", "3"))
    files = sorted(path for path in (material / "robustness").rglob("*") if path.is_file())[::every]

    there = told(on_ray.scan(engine, files))

    assert len(there) > 1000 / every
    assert there == told(scan_here(engine, files, jobs=2))


def test_an_address_where_nobody_listens_is_told_at_once(monkeypatch):
    """Ray is not asked, which would look for it for many minutes; a port that is open is Ray's to
    judge, and so is what is no host and port.
    """
    asked = []
    monkeypatch.setattr(scanning.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(scanning.ray, "shutdown", lambda: None)
    monkeypatch.setattr(scanning, "_join", asked.append)
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"127.0.0.1:{server.getsockname()[1]}"
        for where in (there, "auto", "nonsense"):
            with scanning.join_cluster(where):
                pass
    for where in (there, "127.0.0.1:99999", "no..such:1"):
        with pytest.raises(ClusterError, match=f"no Ray cluster at {where}: nobody answers"):
            scanning.join_cluster(where).__enter__()
    assert asked == [there, "auto", "nonsense"]
