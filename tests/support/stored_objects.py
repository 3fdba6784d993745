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
