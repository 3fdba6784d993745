"""A server that answers as a test says: with errors, damage, delays and other programs' pages."""

import socket
import threading
from contextlib import contextmanager


class Misbehaving:
    """A server of one list of answers; the last one is repeated.

    An answer is a function of a connection whose request was read. `requests` has the head and the
    body of each request.
    """

    def __init__(self, answers):
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.requests = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.released = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        with stream:
            try:
                while request := _read_request(stream):
                    with self._lock:
                        self.requests.append(request)
                        left = self._answers
                        answer = left.pop(0) if len(left) > 1 else left[0]
                    if answer(stream, self) is CLOSE:
                        return
            except OSError:  # the client has gone
                return

    def close(self):
        """Stop it."""
        self.released.set()
        self._listener.close()


CLOSE = object()


def _read_request(stream):
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := stream.recv(1 << 16)):
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    length = int(headers.get("content-length", 0))
    is_chunked = headers.get("transfer-encoding") == "chunked"
    while len(body) < length or (is_chunked and not body.endswith(b"0\r\n\r\n")):
        if not (piece := stream.recv(1 << 16)):
            return None
        body += piece
    return lines[0], headers, body


def says(status, body=b"", **headers):
    """An answer of a status and a body."""
    names = {"content-type": "application/json", "content-length": str(len(body))}
    names |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in names.items() if value is not None)
    head = f"HTTP/1.1 {status} Words\r\n{lines}\r\n".encode()

    def answer(stream, _server):
        stream.sendall(head + body)

    return answer


def cut(body, count):
    """An answer whose connection ends after a number of bytes of its body."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"

    def answer(stream, _server):
        stream.sendall(head.encode() + b"\r\n\r\n" + body[:count])
        return CLOSE

    return answer


def hangs_up(_stream, _server):
    """No answer: the connection ends."""
    return CLOSE


def silent(_stream, server):
    """No answer, and the connection stays until the test is over."""
    server.released.wait(60)
    return CLOSE


def drips(stream, server):
    """An answer that never ends, a byte at a time."""
    stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
    while not server.released.wait(0.05):
        stream.sendall(b" ")
    return CLOSE


@contextmanager
def misbehaving(*answers):
    """Yield a server that gives these answers."""
    server = Misbehaving(answers)
    try:
        yield server
    finally:
        server.close()
