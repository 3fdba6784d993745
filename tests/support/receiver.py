"""A receiver of webhooks on this machine, which verifies signatures as its operator would."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = b"a secret of the tests, 32 bytes!"


def secret_file(folder, secret=SECRET, name="secret"):
    """Write a secret to a file, and return its path."""
    path = folder / name
    path.write_text(f"whsec_{base64.b64encode(secret).decode()}\n")
    return path


class Receiver:
    """A server that answers with the next of `answers`, or 204, and records what it accepts.

    An event that is not signed with the secret is answered 401.
    """

    def __init__(self, *answers, secret=SECRET, port=0, headers=()):
        self.answers = list(answers)
        self.secret = secret
        self.attempts = []  # webhook-id, status
        self.events = []  # what was accepted, with its id
        self.paths = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.take(self.path, self.headers, body)
                if status is None:  # no answer
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?of=tests"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def take(self, path, headers, body):
        """Return the status of the answer to a request."""
        self.paths.append(path)
        event_id, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        signed = f"{event_id}.{stamp}.".encode() + body
        digest = hmac.new(self.secret, signed, hashlib.sha256).digest()
        expected = f"v1,{base64.b64encode(digest).decode()}"
        if expected not in headers["webhook-signature"].split(" "):
            status = 401
        else:
            status = self.answers.pop(0) if self.answers else 204
        self.attempts.append((event_id, status))
        if status is not None and status < 300:
            self.events.append({"id": event_id, **json.loads(body)})
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
