"""The server process: how it starts and stops, and what it does when lists and workers change."""

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from command_process import refused
from paths import REPOSITORY
from pool_accidents import Held, children_of, is_alive, until
from served import SECONDS, error_of, serving, start

from screener import HashList

ACCIDENTS = (str(REPOSITORY / "tests/programs/serve_with_accidents.py"),)


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    """Programs find what tests share."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "tests/support"))


def test_hostile_files_cost_only_their_own_results(lists, files, tmp_path):
    """A crash, a hang and too much memory, among uploads that are screened as ever."""
    policy = tmp_path / "policy.toml"
    policy.write_text("seconds = 1\nmemory = 500_000_000\n")
    with serving("--list", lists[0], "--policy", policy, program=ACCIDENTS) as server:
        uploads = [b"crash\n", files["listed"], b"hang\n", files["other"], b"memory\n"] * 3
        with ThreadPoolExecutor(len(uploads)) as threads:
            answers = list(threads.map(lambda one: server.post("/v1/screen", one), uploads))

        expected = ["crashed", None, "timeout", None, "too_large"] * 3
        assert [line["reason"] for _, line in answers] == expected
        verdicts = [line["verdict"] for _, line in answers]
        assert verdicts == ["unscreened", "match", "unscreened", "no_match", "unscreened"] * 3
        assert server.post("/v1/hook", b"crash\n")[0] == 422


def test_a_full_queue_is_answered_at_once(lists, files, tmp_path):
    """503 with a time to try again, while the worker is held; no hook reads it as clear."""
    held = Held(tmp_path)
    with (
        serving("--list", lists[0], "--queue", 1, program=ACCIDENTS) as server,
        ThreadPoolExecutor(5) as threads,
    ):
        first = threads.submit(server.post, "/v1/screen", held.data)
        held.until_begun()
        others = [threads.submit(server.post, "/v1/hook", files["other"]) for _ in range(4)]
        until(lambda: any(other.done() for other in others))
        answer = server.client.post("/v1/screen", content=files["other"])
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        assert answer.headers["retry-after"] == "1"
        held.release()
        assert first.result()[0] == 200
        assert {other.result()[0] for other in others} == {204, 503}
        assert server.post("/v1/hook", files["other"])[0] == 204


def test_uploads_of_clients_that_have_gone_are_dropped(lists, files, tmp_path):
    """While they wait for a worker; else retries would fill the queue."""
    held = Held(tmp_path)
    with (
        serving("--list", lists[0], "--queue", 2, program=ACCIDENTS) as server,
        ThreadPoolExecutor(1) as threads,
    ):
        first = threads.submit(server.post, "/v1/screen", held.data)
        held.until_begun()
        for number in range(10):
            with pytest.raises(httpx.ReadTimeout):
                server.client.post("/v1/screen", content=files["other"], timeout=0.5)
            until(lambda: [line["status"] for line in server.log].count(499) == number + 1)  # noqa: B023
        held.release()
        assert first.result()[0] == 200


def test_killed_workers_lose_no_upload(lists, files):
    """They are replaced, again and again."""
    names, answers = ["listed", "other"] * 10, {}
    with serving("--list", lists[0]) as server:

        def send(number):
            answers[number] = server.post("/v1/screen", files[names[number]])

        def kill():
            for count in range(0, len(names), 5):
                until(lambda count=count: len(answers) > count)  # a worker has worked
                for child in children_of(server.process.pid):
                    os.kill(child, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(send, range(len(names))))
        killer.join()
    verdicts = {"listed": "match", "other": "no_match"}
    assert [answers[number][0] for number in range(len(names))] == [200] * len(names)
    found = [answers[number][1]["verdict"] for number in range(len(names))]
    assert found == [verdicts[name] for name in names]


def test_a_stop_finishes_what_is_under_way(lists, tmp_path):
    """The service is not ready first; then it listens no more, and answers what it has."""
    held = Held(tmp_path)
    server = start(tmp_path, "--list", lists[0], "--grace-seconds", 5, program=ACCIDENTS)
    everybody = [server.process.pid, *children_of(server.process.pid)]
    until(lambda: server.get("/v1/health/ready")[0] == 200)
    with ThreadPoolExecutor(1) as threads:
        under_way = threads.submit(server.post, "/v1/screen", held.data)
        held.until_begun()

        server.process.send_signal(signal.SIGTERM)

        until(lambda: error_of(server.get("/v1/health/ready")) == (503, "not_ready"))
        assert server.get("/v1/health/live")[0] == 200
        until(lambda: not listens(server.port))
        held.release()
        status, line = under_way.result()
    assert (status, line["verdict"]) == (200, "unscreened")
    assert server.process.wait(SECONDS) == 0
    until(lambda: not any(map(is_alive, everybody)), SECONDS)


def listens(port):
    """Return whether a server takes connections at a port, by the system's table."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


def test_a_server_that_is_killed_leaves_no_worker(lists, tmp_path):
    """They end by themselves."""
    server = start(tmp_path, "--list", lists[0])
    everybody = children_of(server.process.pid)

    server.process.kill()

    assert server.process.wait(SECONDS) == -signal.SIGKILL
    until(lambda: not any(map(is_alive, everybody)), SECONDS)


def test_a_newer_generation_is_used_without_a_restart(lists, files, values, tmp_path):
    """Every upload meanwhile is answered; metrics have the generation."""
    more = tmp_path / "new.csv"
    more.write_text(f"id,pdq\nthree,{values['other']}\n")
    with serving("--list", lists[0], "--poll-seconds", 0.3) as server:
        assert server.post("/v1/screen", files["other"])[1]["verdict"] == "no_match"
        assert 'screener_list_generation{list="known"} 1.0' in server.client.get("/metrics").text

        HashList.open(lists[0]).import_file(more, source="new")

        seen = []
        until(lambda: seen.append(server.post("/v1/screen", files["other"])) or
              seen[-1][1]["verdict"] == "match")  # fmt: skip
        assert {status for status, _ in seen} == {200}
        assert seen[-1][1]["lists"][0]["generation"] == 2
        swapped = "\nscreener_list_swaps_total 1.0"  # counted after the lists are in use
        until(lambda: swapped in server.client.get("/metrics").text)
        text = server.client.get("/metrics").text
        assert 'screener_list_generation{list="known"} 2.0' in text
        assert 'screener_list_values{kind="pdq",list="known"} 2.0' in text


def test_a_list_that_is_gone_is_not_ready(lists, files):
    """What needs its records is 503, never no match."""
    with serving("--list", lists[0], "--poll-seconds", 0.3) as server:
        until(lambda: server.get("/v1/health/ready")[0] == 200)

        lists[0].rename(lists[0].with_name("away.list"))

        until(lambda: server.get("/v1/health/ready")[0] == 503)
        assert "list_unavailable" in str(server.get("/v1/health/ready"))
        status, body = server.post("/v1/hook", files["listed"])
        assert status in (451, 503), body
        assert "screener_ready 0.0" in server.client.get("/metrics").text
        lists[0].with_name("away.list").rename(lists[0])
        until(lambda: server.get("/v1/health/ready")[0] == 200)
        assert server.post("/v1/hook", files["listed"])[0] == 451


def test_a_list_that_is_too_old_clears_nothing(lists, files, values, tmp_path):
    """From the second on at which the policy forbids it, until an import confirms it."""
    policy = tmp_path / "policy.toml"
    HashList.open(lists[0]).import_file(tmp_path / "known.csv", source="test")
    seconds = 15
    policy.write_text(f"max_list_age = {seconds}\n")
    with serving("--list", lists[0], "--policy", policy, "--poll-seconds", 0.3) as server:
        hashes = {"hashes": [{"kind": "pdq", "value": values["other"]}]}

        until(lambda: server.post("/v1/hook", files["other"])[0] == 503)

        assert HashList.open(lists[0]).age_s() >= seconds
        for answer in (server.post("/v1/screen", files["listed"]),
                       server.send("/v1/match", hashes)):  # fmt: skip
            assert error_of(answer) == (503, "list_too_old")
        assert "list_too_old" in str(server.get("/v1/health/ready"))
        HashList.open(lists[0]).import_file(tmp_path / "known.csv", source="test")
        until(lambda: server.post("/v1/hook", files["other"])[0] == 204)


def test_two_servers_cannot_share_a_port(server, lists):
    """The second exits with 2, and leaves no worker."""
    call = [sys.executable, "-m", "screener", "serve", "--list", lists[0], "--jobs", "1"]
    done = subprocess.run(
        [*call, "--port", str(server.port)], capture_output=True, text=True, timeout=SECONDS
    )

    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {server.port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_calls_are_refused(lists, tmp_path, keys):
    """A missing list, half of TLS, a certificate that is none."""
    (private, _), known = keys, lists[0]
    assert "there is no" in refused("serve", "--list", tmp_path / "nope.list")
    assert "TLS needs both" in refused("serve", "--list", known, "--tls-key", private)
    wrong = refused("serve", "--list", known, "--tls-key", private, "--tls-cert", private)
    assert "certificate" in wrong
    nowhere = refused("serve", "--list", known, "--access-log", tmp_path / "nope" / "log")
    assert "cannot write the access log" in nowhere


def make_certificate(folder, name):
    """Write a certificate for a name, and its key; return the options for them."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    call = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", f"/CN={name}"]
    try:
        subprocess.run([*call, "-keyout", key, "-out", certificate], check=True,
                       capture_output=True)  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl, which makes a certificate, is not installed")
    return "--tls-cert", certificate, "--tls-key", key


def test_tls(lists, files, tmp_path):
    """With a certificate and its key; without TLS, a client gets no answer."""
    with serving("--list", lists[0], *make_certificate(tmp_path, "localhost")) as server:
        assert server.url.startswith("https://")
        assert server.post("/v1/screen", files["listed"])[1]["verdict"] == "match"
        assert b"HTTP/1.1 200" not in server.raw(b"GET /v1/health/live HTTP/1.1\r\n\r\n")


def test_sighup_reopens_the_access_log_and_reads_the_certificate(lists, tmp_path):
    """Connections that are open go on; a certificate that cannot be read changes nothing."""
    log, options = tmp_path / "access.log", make_certificate(tmp_path, "first")
    with serving("--list", lists[0], "--access-log", log, *options) as server:

        def certificate():
            return ssl.get_server_certificate(("127.0.0.1", server.port))

        def reload(message):
            count = server.messages.count(message)
            server.process.send_signal(signal.SIGHUP)
            until(lambda: server.messages.count(message) > count, SECONDS)

        assert server.get("/v1/lists")[0] == 200
        first = certificate()
        until(lambda: log.read_text().count("/v1/lists") == 1, SECONDS)
        log.rename(tmp_path / "access.log.1")
        make_certificate(tmp_path, "second")
        reload("access log reopened")
        assert server.get("/v1/lists")[0] == 200
        until(lambda: log.read_text().count("/v1/lists") == 1, SECONDS)
        second = certificate()
        assert second != first
        options[1].write_text("no certificate")
        reload("continues with the old one")
        assert certificate() == second
        assert (tmp_path / "access.log.1").read_text().count("/v1/lists") == 1


def test_an_answer_comes_in_its_time_or_is_503(lists, tmp_path):
    """The upload is unscreened, and the client can try again."""
    held = Held(tmp_path)
    with serving("--list", lists[0], "--answer-seconds", 0.5, program=ACCIDENTS) as server:
        begin = time.monotonic()
        assert error_of(server.post("/v1/hook", held.data)) == (503, "no_answer_in_time")
        assert time.monotonic() - begin >= 0.5
        held.release()
