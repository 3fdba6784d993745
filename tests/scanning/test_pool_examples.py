"""The programs of `examples/`, each run as its first lines say."""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from paths import REPOSITORY
from picture_bytes import saved
from pool_accidents import children_of, is_alive, until

from screener.hashing import pdq

EXAMPLES = REPOSITORY / "examples"


def need(*modules):
    """Skip a test if a package of its example is not installed."""
    for module in modules:
        pytest.importorskip(module, reason=f"the example needs {module}, which is not installed")


@pytest.fixture
def files(scene, tmp_path):
    """Paths of a listed, another and a broken file."""
    picture = scene(1, (320, 240))
    data = {"listed": saved(picture, "PNG"), "other": saved(scene(2, (320, 240)), "PNG")}
    for name, content in (data | {"broken": b"words"}).items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in ("listed", "other", "broken")}


@pytest.fixture
def known(make_list, scene):
    """The path of a list that holds the listed one."""
    code = pdq.compute(np.asarray(scene(1, (320, 240)))).text
    return make_list([{"id": "one", "pdq": code}]).path


VERDICTS = {"listed": "match", "other": "no_match", "broken": "unscreened"}


def test_threads_of_a_thread_pool(known, files):
    """Lines in the order of the files."""
    names = list(VERDICTS) * 5
    call = [sys.executable, EXAMPLES / "thread_pool.py", known, *(files[name] for name in names)]

    done = subprocess.run(call, capture_output=True, text=True, timeout=300, check=True)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["input"] for line in lines] == [str(files[name]) for name in names]
    assert [line["verdict"] for line in lines] == [VERDICTS[name] for name in names]


def stop(program):
    """End a server as a service manager does; none of its processes is left."""
    everybody = children_of(program.pid)
    program.send_signal(signal.SIGTERM)
    program.wait(60)
    until(lambda: not any(map(is_alive, everybody)))


def test_a_server_of_fastapi_with_two_processes(known, files, tmp_path):
    """Uploads at once, with a killed worker among them, each with its status."""
    need("fastapi", "uvicorn", "httpx", "multipart")
    import httpx

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = [sys.executable, "-m", "uvicorn", "fastapi_upload:app", "--workers", "2"]
    program = subprocess.Popen(
        [*call, "--port", str(port)],
        cwd=EXAMPLES, env=os.environ | {"KNOWN_LIST": str(known)}, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}/uploads"
        data = {name: path.read_bytes() for name, path in files.items()}

        def send(name):
            with httpx.Client(timeout=120) as client:
                return client.post(url, files={"file": (name, data[name])}).status_code

        def answers():
            try:
                return send("other") == 200
            except httpx.TransportError:
                time.sleep(0.1)
                return False

        until(answers, 120)
        expected = {"listed": 451, "other": 200, "broken": 422}
        with ThreadPoolExecutor(8) as threads:
            names = [*expected] * 10
            assert list(threads.map(send, names)) == [expected[name] for name in names]
    finally:
        stop(program)


CELERY = """
broker_url = "filesystem://"
broker_transport_options = {{
    "data_folder_in": "{folder}/queue", "data_folder_out": "{folder}/queue",
    "control_folder": "{folder}/control",
}}
result_backend = "file://{folder}/results"
broker_connection_retry_on_startup = True
"""


def test_tasks_of_celery_in_processes_that_it_forks(known, files, tmp_path, monkeypatch):
    """Each of which starts a worker, and leaves none when Celery ends."""
    need("celery")
    for name in ("queue", "control", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "celeryconfig.py").write_text(CELERY.format(folder=tmp_path))
    monkeypatch.setenv("KNOWN_LIST", str(known))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(EXAMPLES)]))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    call = [sys.executable, "-m", "celery", "-A", "celery_task", "worker", "--concurrency", "2"]
    with (tmp_path / "log").open("wb") as log:
        program = subprocess.Popen(
            [*call, "--pool", "prefork"], cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        task = importlib.import_module("celery_task").screen
        names = list(VERDICTS) * 4
        waiting = [task.delay(str(files[name])) for name in names]
        lines = [json.loads(one.get(timeout=240, interval=0.1)) for one in waiting]
        assert [line["verdict"] for line in lines] == [VERDICTS[name] for name in names]
    finally:
        stop(program)
        print((tmp_path / "log").read_text())
        for name in ("celery_task", "celeryconfig"):
            sys.modules.pop(name, None)
