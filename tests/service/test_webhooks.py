"""Standard Webhooks: signatures, what is sent where, and what counts as delivered."""

import base64
import socket
import threading
import time

import pytest
from receiver import SECRET, Receiver, secret_file

from screener.errors import ServiceError
from screener.service.webhooks import Undelivered, Webhook, load_secrets, sign


def test_the_signature_is_that_of_the_specification():
    """The example of its libraries: secret, id, time, body and signature."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    signature = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_signs(tmp_path):
    """So that a receiver may change from one to the other."""
    path = secret_file(tmp_path)
    path.write_text(path.read_text() + f"whsec_{base64.b64encode(b'y' * 24).decode()}\n")
    secrets = load_secrets(path)

    assert secrets == [SECRET, b"y" * 24]
    with Receiver() as old, Receiver(secret=b"y" * 24) as new:
        for receiver in (old, new):
            webhook = Webhook(receiver.url, secrets)
            webhook.send("msg_1", b'{"a":1}')
            webhook.close()
            assert receiver.events == [{"id": "msg_1", "a": 1}]


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "whsec_c2hvcnQ=", f"whsec_{'A' * 200}", "A" * 44, "whsec_!!!!", "whsec_é" * 9,
     "\n".join(["whsec_" + "A" * 44] * 5), "x" * 5000],
)  # fmt: skip
def test_a_malformed_secret_is_refused_without_its_text(tmp_path, text):
    """It might be the right one with a typing error."""
    path = tmp_path / "secret"
    path.write_text(text)

    with pytest.raises(ServiceError) as caught:
        load_secrets(path)

    assert len(text) < 7 or text not in str(caught.value)


def test_a_missing_secret_is_refused(tmp_path):
    """With the name of the file."""
    with pytest.raises(ServiceError, match="nowhere"):
        load_secrets(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://127.0.0.1/", "http://example.org/", "http://10.0.0.1/", "http:///x",
     "http://127.0.0.1.example.org/", "https://user:word@example.org/", "https://example.org/#part",
     "https://example.org/a b", "https://example.org/\r\nX: y", "https://example.org:port/",
     "http://[::1", "file:///etc/passwd"],
)  # fmt: skip
def test_other_urls_are_refused(url):
    """Only https, and http to this machine."""
    with pytest.raises(ServiceError):
        Webhook(url, [SECRET])


@pytest.mark.parametrize(
    "url",
    ["https://example.org", "https://10.0.0.1:8443/a?b=c", "http://127.0.0.1/", "http://[::1]:80/x",
     "http://localhost:1/"],
)  # fmt: skip
def test_urls_of_receivers_are_accepted(url):
    """Nothing is sent before an event."""
    Webhook(url, [SECRET])


def test_no_redirect_is_followed():
    """Its target gets nothing, and the event is not delivered."""
    with Receiver() as target, Receiver(307, headers=[("Location", target.url)]) as receiver:
        webhook = Webhook(receiver.url, [SECRET])
        with pytest.raises(Undelivered) as caught:
            webhook.send("msg_1", b"{}")
        webhook.close()

    assert caught.value.status == 307
    assert target.attempts == []


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    """It would be another receiver."""
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        webhook = Webhook(receiver.url, [SECRET])
        webhook.send("msg_1", b"{}")
        webhook.close()

    assert proxy.attempts == []
    assert len(receiver.events) == 1


def test_an_answer_that_asks_to_wait_is_heeded_up_to_an_hour():
    """`Retry-After`, as seconds."""
    with Receiver(503, 503, headers=[("Retry-After", "999999")]) as receiver:
        webhook = Webhook(receiver.url, [SECRET])
        with pytest.raises(Undelivered) as caught:
            webhook.send("msg_1", b"{}")
        webhook.close()

    assert (caught.value.status, caught.value.seconds) == (503, 3600)


def test_an_answer_byte_by_byte_is_broken_off():
    """The time is that of the whole delivery."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def answer():
            stream, _ = listener.accept()
            with stream:
                stream.recv(1 << 16)
                stream.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.05):
                    try:
                        stream.sendall(b"X: y\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=answer)
        thread.start()
        webhook = Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/", [SECRET], seconds=0.5)
        begun = time.monotonic()
        try:
            with pytest.raises(Undelivered):
                webhook.send("msg_1", b"{}")
        finally:
            ended.set()
            thread.join()

    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n"])
def test_an_answer_that_is_none_is_no_delivery(answer):
    """The connection is closed, or what comes is not HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def respond():
            stream, _ = listener.accept()
            with stream:
                stream.recv(1 << 16)
                stream.sendall(answer)

        thread = threading.Thread(target=respond)
        thread.start()
        webhook = Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/", [SECRET])
        with pytest.raises(Undelivered) as caught:
            webhook.send("msg_1", b"{}")
        thread.join()

    assert caught.value.status is None
