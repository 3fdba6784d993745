"""The command with HMA's API, in a process of its own that is killed."""

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
