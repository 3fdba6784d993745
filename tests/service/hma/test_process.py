"""The command with HMA's API, in a process of its own that is killed."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from pool_accidents import until
from served import SECONDS, serving, start


def test_what_was_answered_survives_a_kill(known, state, pdqs):
    """A content and its number; the next number is another one."""
    options = ("--list", known, "--hma", "--hma-state", state)
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder), *options)
        try:
            assert server.send("/c/banks", {"name": "OURS"})[0] == 201
            _, first = server.send("/c/bank/OURS/signal", {"pdq": pdqs[1]})
        finally:
            server.client.close()
            server.process.kill()
            server.process.wait()
    with serving(*options) as server:
        _, second = server.send("/c/bank/OURS/signal", {"pdq": pdqs[1]})
        _, found = server.get("/m/raw_lookup", params={"signal": pdqs[1], "signal_type": "pdq"})
        until(lambda: len(server.log) == 2, SECONDS)  # a line comes after its answer
        routes = [line["route"] for line in server.log]

    assert second["id"] > first["id"]
    assert found == {"matches": [first["id"], second["id"]]}
    assert routes == ["/c/bank/{bank_name}/signal", "/m/raw_lookup"]


def test_the_command_needs_a_folder_for_banks(known):
    """And says so in one line."""
    command = [sys.executable, "-m", "screener", "serve", "--list", known, "--hma"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 2
    assert "--hma-state" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_full_disk_shows_in_readiness(known, state, pdqs):
    """Hits are answered all the same, and keep their numbers when there is space again."""
    query = {"signal": pdqs[0], "signal_type": "pdq"}

    def asked(server):
        return server.get("/v1/health/ready")

    with serving("--list", known, "--hma", "--hma-state", state) as server:
        until(lambda: asked(server)[0] == 200, SECONDS)
        pid, limits = (
            server.process.pid,
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE),
        )
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, limits[1]))
        status, found = server.get("/m/lookup", params=query)
        assert (status, found.keys()) == (200, {"KNOWN"})
        until(lambda: "hma_state_unwritable" in str(asked(server)), SECONDS)
        assert server.get("/m/lookup", params=query) == (200, found)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        until(lambda: asked(server)[0] == 200, SECONDS)
    with serving("--list", known, "--hma", "--hma-state", state) as server:
        assert server.get("/m/lookup", params=query) == (200, found)


def test_numbers_of_a_killed_process_are_not_used_again(known, state, pdqs):
    """Whether or not they were written."""
    query = {"signal": pdqs[0], "signal_type": "pdq"}
    options = ("--hma", "--hma-state", state)
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder), "--list", known, *options)
        try:
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, -1))
            (first,) = server.get("/m/lookup", params=query)[1]["KNOWN"]
        finally:
            server.client.close()
            server.process.kill()
            server.process.wait()
    with serving("--list", known, *options) as server:
        server.send("/c/banks", {"name": "OURS"})
        _, added = server.send("/c/bank/OURS/signal", {"pdq": pdqs[1]})
    assert added["id"] > first["bank_content_id"]
