"""A container of Azure Blob Storage over loopback, as far as a scan asks for it.

Written after the reference of the REST API: List Blobs, Get Blob Properties, Get Blob. There is no
emulator that pip installs.
"""

import hashlib
import http.server
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 50


@dataclass
class Blob:
    """A blob, with metadata that anybody may have set."""

    content: bytes
    metadata: dict = field(default_factory=dict)
    time: float = 1.7e9

    @property
    def etag(self):
        """A text that changes with the content."""
        return "0x" + hashlib.md5(self.content).hexdigest()[:15].upper()


@contextmanager
def azure_container(blobs):
    """Serve blobs by key, as `az://container/`; yield a connection string."""

    class Handler(_Handler):
        store = blobs

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield (
            "DefaultEndpointsProtocol=http;AccountName=account;AccountKey=a2V5;"
            f"BlobEndpoint=http://127.0.0.1:{server.server_address[1]}/account;"
        )
        server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers of the service."""

    protocol_version = "HTTP/1.1"
    store: dict

    def do_GET(self):
        """List blobs, or answer with one."""
        parts = urlsplit(self.path)
        container, _, key = unquote(parts.path).removeprefix("/account/").partition("/")
        query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
        if container != "container":
            self._answer(404, {"x-ms-error-code": "ContainerNotFound"})
        elif query.get("comp") == "list":
            self._answer(200, {"Content-Type": "application/xml"}, self._list(query))
        elif key not in self.store:
            self._answer(404, {"x-ms-error-code": "BlobNotFound"})
        else:
            self._send(self.store[key])

    do_HEAD = do_GET

    def _send(self, blob):
        fields = {
            "ETag": f'"{blob.etag}"',
            "Last-Modified": formatdate(blob.time, usegmt=True),
            "x-ms-blob-type": "BlockBlob",
            **{f"x-ms-meta-{name}": text for name, text in blob.metadata.items()},
        }
        span = self.headers.get("x-ms-range") or self.headers.get("Range")
        if span is None:
            return self._answer(200, fields, blob.content)
        first, last = map(int, span.removeprefix("bytes=").split("-"))
        if first >= len(blob.content):
            return self._answer(416, {"x-ms-error-code": "InvalidRange"})
        part = blob.content[first : last + 1]
        fields["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{len(blob.content)}"
        return self._answer(206, fields, part)

    def _list(self, query):
        keys = sorted(key for key in self.store if key.startswith(query.get("prefix", "")))
        begin = int(query.get("marker") or 0)
        end = begin + PAGE
        return (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="container">'
            f"<Blobs>{''.join(map(self._describe, keys[begin:end]))}</Blobs>"
            f"<NextMarker>{end if end < len(keys) else ''}</NextMarker></EnumerationResults>"
        ).encode()

    def _describe(self, key):
        blob = self.store[key]
        metadata = "".join(f"<{name}>{text}</{name}>" for name, text in blob.metadata.items())
        return (
            f"<Blob><Name>{escape(key)}</Name><Properties>"
            f"<Last-Modified>{formatdate(blob.time, usegmt=True)}</Last-Modified>"
            f"<Etag>{blob.etag}</Etag><Content-Length>{len(blob.content)}</Content-Length>"
            "<Content-Type>image/jpeg</Content-Type><BlobType>BlockBlob</BlobType></Properties>"
            f"<Metadata>{metadata}</Metadata></Blob>"
        )

    def _answer(self, status, fields, body=b""):
        self.send_response(status)
        for name, text in fields.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""
