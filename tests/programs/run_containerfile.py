"""Run the steps of the Containerfile in roots of Debian, then its service, and get an answer.

    python tests/programs/run_containerfile.py

Needs root, mmdebstrap and unshare, but no registry of images. The service runs as the user of the
Containerfile, without capabilities, over a read-only root, as under `docker run --read-only`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/support"))

from containerfile import Stage, read_stages  # noqa: E402

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
MAX_START_SECONDS = 300
PICTURE = REPOSITORY / "fixtures/images/kiosk-mirrored.jpg"
# Mounts over a root, and then becomes the user: what `docker run --read-only --tmpfs /tmp` does.
ENTER = """
root=$1 state=$2 user=$3; shift 3
mount --bind "$root" "$root" && mount --bind "$state" "$root/state"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp" && mount -t tmpfs -o size=256m tmpfs "$root/dev/shm"
mount -t proc proc "$root/proc"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs \\
  --bounding-set=-all --inh-caps=-all "$@"
"""


def make_root(base: str, folder: Path) -> None:
    """Make a root with the packages of an image of Debian, such as debian:trixie-slim.

    Exits with 77 if that fails, as without a mirror of Debian.
    """
    suite = base.partition(":")[2].removesuffix("-slim")
    call = ["mmdebstrap", "--quiet", "--variant=minbase", suite, str(folder)]
    if subprocess.run(call).returncode:
        print("mmdebstrap made no root; nothing was checked", file=sys.stderr)
        raise SystemExit(77)
    # For steps that use the network; this machine may trust an authority of its own.
    for source in (CERTIFICATES, Path("/etc/resolv.conf"), Path("/etc/hosts")):
        target = folder / "host.crt" if source == CERTIFICATES else folder / source.relative_to("/")
        shutil.copy(source, target)


def run_steps(stage: Stage, root: Path, roots: dict[str, Path]) -> None:
    """Run each RUN and COPY of a stage in its root."""
    index = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
    environment = {name: text for name, text in os.environ.items() if name in index}
    environment |= {"PIP_CERT": "/host.crt", "DEBIAN_FRONTEND": "noninteractive"}
    environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    for name, text in stage.instructions:
        if name in ("RUN", "COPY"):
            print(f"== {name} {text}", flush=True)
        if name == "RUN":
            call = ["chroot", str(root), "/bin/sh", "-c", text]
            subprocess.run(call, check=True, env=environment, stdout=subprocess.DEVNULL)
        elif name == "COPY":
            *options, source, target = shlex.split(text)
            origin = roots[options[0].removeprefix("--from=")] if options else REPOSITORY
            shutil.copytree(origin / source.lstrip("/"), root / target.lstrip("/"), symlinks=True)


class Container:
    """The last stage's root, entered anew for each command."""

    def __init__(self, stage: Stage, root: Path, state: Path) -> None:
        self._stage, self._root, self._state = stage, root, state

    def call(self, *words: str) -> list[str]:
        """Return the command line that runs these words in the container."""
        user = self._stage.last("USER")
        inside = ["sh", "-c", ENTER, "enter", str(self._root), str(self._state), user, *words]
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", *inside]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run these words in the container, and return what they print and end with."""
        return subprocess.run(self.call(*words), capture_output=True, text=True)

    def screener(self, *words: str) -> str:
        """Run a command of screener; return what it prints. Raises RuntimeError if it fails."""
        done = self.run(*self._stage.words("ENTRYPOINT"), *words)
        if done.returncode:
            raise RuntimeError(f"{words[0]} failed in the container: {done.stderr}")
        return done.stdout


def check_service(stage: Stage, container: Container, key: str) -> None:
    """Start the default command, wait until it is healthy, screen a picture, and stop it."""
    service = subprocess.Popen(
        container.call(*stage.words("ENTRYPOINT"), *stage.words("CMD")), stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + MAX_START_SECONDS
        while container.run(*stage.health()).returncode:
            assert service.poll() is None, f"the service ended with {service.returncode}"
            assert time.monotonic() < end, "the service is not healthy"
            time.sleep(0.5)
        send = f"""
import json, sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8000/v1/screen", sys.stdin.buffer.read(),
                                 {{"Authorization": "Bearer {key}"}})
print(urllib.request.urlopen(request).read().decode())
"""
        with PICTURE.open("rb") as picture:
            done = subprocess.run(
                [sys.executable, "-c", send], stdin=picture, capture_output=True, check=True
            )
        verdict = json.loads(done.stdout)["verdict"]
        assert verdict == "match", verdict
        (child,) = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        assert service.wait(60) == 0, f"a stop ended with {service.returncode}"
    finally:
        service.kill()
        service.wait()


def main() -> None:
    """Build the last stage, and try it; print what is done."""
    stages = read_stages(REPOSITORY / "Containerfile")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        Path(work).chmod(0o755)
        make_root(stages[-1].base, Path(work, "base"))
        roots: dict[str, Path] = {}
        for number, stage in enumerate(stages):
            assert stage.base == stages[-1].base
            roots[stage.name or ""] = root = Path(work, f"root{number}")
            subprocess.run(["cp", "--archive", "--reflink=auto", f"{work}/base", root], check=True)
            run_steps(stage, root, roots)
        state = Path(work, "state")
        state.mkdir(mode=0o700)
        shutil.copy(REPOSITORY / "fixtures/known.csv", state)
        for path in (state, state / "known.csv"):
            os.chown(path, int(stage.last("USER")), int(stage.last("USER")))
        container = Container(stage, root, state)
        denied = container.run("touch", "/opt/screener/new")
        assert "Read-only file system" in denied.stderr, denied.stderr
        assert container.run("id", "-u").stdout.strip() == stage.last("USER")
        container.screener("import", "/state/known.csv", "--into", "/state/known.list")
        printed = container.screener(
            "serve-key", "/state/keys.json", "--name", "trial", "--role", "screen"
        )
        check_service(stage, container, printed.split()[-1])
    print(f"an answer, and a stop with 0, after {time.monotonic() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
