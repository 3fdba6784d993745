"""The service in a process of its own, and a client of it."""

import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
from pool_accidents import children_of, is_alive, until

COMMAND = ("-m", "screener", "serve")
SECONDS = 120  # for anything to happen


class Served:
    """A server on a free port; `client` calls it, and `log` has the lines of its access log."""

    def __init__(self, process, out, err):
        self.process = process
        self._out, self._err = out, err
        until(lambda: self._address() or process.poll() is not None, SECONDS)
        assert process.poll() is None, self.messages
        self.url = self._address()
        verify = not self.url.startswith("https")
        self.client = httpx.Client(base_url=self.url, timeout=SECONDS, verify=verify)

    def _address(self):
        found = re.search(r"listening on (\S+)", self.messages)
        return found and found[1]

    @property
    def port(self):
        """The port that it listens on."""
        return int(self.url.rpartition(":")[2])

    @property
    def messages(self):
        """What it wrote to standard error."""
        return self._err.read_text()

    @property
    def log(self):
        """The lines of its access log."""
        return [json.loads(line) for line in self._out.read_text().splitlines()]

    def post(self, path, content=b"", **settings):
        """Post bytes; return the status and the body as JSON, if it is."""
        return _read(self.client.post(path, content=content, **settings))

    def send(self, path, value, **settings):
        """Post JSON; likewise."""
        return _read(self.client.post(path, json=value, **settings))

    def get(self, path, **settings):
        """Get a path; likewise."""
        return _read(self.client.get(path, **settings))

    def raw(self, *pieces, seconds=SECONDS, between=0.0):
        """Send bytes through a socket; return all that comes until the server closes it."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as stream:
            try:
                for piece in pieces:
                    stream.sendall(piece)
                    time.sleep(between)
            except OSError:  # it closed the connection; its answer may be there
                pass
            received = b""
            try:
                while chunk := stream.recv(1 << 16):
                    received += chunk
            except ConnectionError:
                pass
            return received

    def stop(self):
        """End it as a service manager does; return its exit code. No process of it is left."""
        everybody = children_of(self.process.pid)
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SECONDS)
        until(lambda: not any(map(is_alive, everybody)), SECONDS)
        return code


def _read(answer):
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, answer.content


def error_of(answer):
    """Return the status and the code of an error."""
    status, body = answer
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message"}
    return status, body["error"]["code"]


def start(folder, *arguments, program=COMMAND):
    """Start a server, whose streams go to files in a folder."""
    out, err = folder / "out", folder / "err"
    call = [sys.executable, *program, "--port", "0", "--grace-seconds", "0", "--jobs", "1"]
    with out.open("wb") as to_out, err.open("wb") as to_err:
        process = subprocess.Popen([*call, *map(str, arguments)], stdout=to_out, stderr=to_err)
    try:
        return Served(process, out, err)
    except BaseException:
        process.kill()
        raise


@contextmanager
def serving(*arguments, program=COMMAND):
    """Yield a server, and stop it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder), *arguments, program=program)
        try:
            yield server
            assert server.process.poll() is None, server.messages
        finally:
            if server.process.poll() is None:
                assert server.stop() == 0, server.messages
        assert "bug in screener" not in server.messages, server.messages
