"""Check the wheels of a folder: what is in each, and that it finds a match in a fresh environment.

    python tests/programs/check_wheels.py FOLDER [--python PYTHON]... [--arm64 ROOT]...

Each PYTHON of this machine gets a new environment without a compiler on its path, into which pip
chooses among the wheels. ROOT has the files of an arm64 Debian, whose Python is run under
qemu. Needs auditwheel and abi3audit (scripts/wheels installs them).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_MATCH = REPOSITORY / "tests/programs/first_match.py"
MAX_WHEEL_BYTES = 4_000_000
MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
LIBRARIES = {
    "manylinux": re.compile(r"lib(c|m|dl|rt|pthread)\.so\.\d|ld-linux-[\w-]+\.so\.\d"),
    "musllinux": re.compile(r"libc\.(so|musl-\w+\.so\.1)"),
}
# The module, nanobind's types of exceptions, and operators new and delete.
EXPORTED = re.compile(r"PyInit__core$|_ZT[ISV]N8nanobind|_Z(n|d)[wal]")
# Where a path of the machine that built it would begin.
BUILD_PATHS = (b"/tmp/", b"/root/", b"/home/", b"/build-", b"site-packages")


def check_contents(wheel: Path) -> str:
    """Return one line on a wheel. Raises AssertionError if something in it is wrong."""
    _, _, python, abi, platform = wheel.stem.split("-")
    libc, arch = re.fullmatch(r"(many|musl)linux_\d+_\d+_(\w+)", platform).groups()
    size = wheel.stat().st_size
    assert size <= MAX_WHEEL_BYTES, f"{wheel.name}: {size} bytes, more than {MAX_WHEEL_BYTES}"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (core,) = (name for name in names if name.endswith(".so") or ".so." in name)
        suffix = (
            "abi3"
            if abi == "abi3"
            else f"cpython-{python[2:]}-{arch}-linux-{'musl' if libc == 'musl' else 'gnu'}"
        )
        assert core == f"screener/_core.{suffix}.so", core
        assert {"screener/_core.pyi", "screener/py.typed"} <= set(names)
        data = archive.read(core)
        elf = ELFFile(archive.open(core))
        assert elf["e_machine"] == MACHINES[arch]
        dynamic = next(s for s in elf.iter_sections() if isinstance(s, DynamicSection))
        needed = [tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]
        symbols = elf.get_section_by_name(".dynsym").iter_symbols()
        exported = {s.name for s in symbols if s.name and s["st_shndx"] != "SHN_UNDEF"}
    foreign = [name for name in needed if not LIBRARIES[f"{libc}linux"].fullmatch(name)]
    assert foreign == [], f"{wheel.name} needs {foreign}"
    others = [name for name in exported if not EXPORTED.match(name)]
    assert others == [], f"{wheel.name} exports {sorted(others)[:9]}"
    assert [path for path in BUILD_PATHS if path in data] == []
    if abi == "abi3":
        run(sys.executable, "-m", "abi3audit", "--strict", wheel)
    # Libraries are looked for beside the wheel alone, where there is none: this machine's libc.so
    # may be a text for its linker, at which auditwheel would stop.
    show = (sys.executable, "-m", "auditwheel", "show", "--ldpaths", wheel.resolve().parent, wheel)
    shown = " ".join(run(*show).split())
    if libc == "musl":  # whose C library auditwheel knows by Alpine's name alone; both names work
        assert 'required by the wheel: { "libc.so": null }' in shown, shown
    else:
        (found,) = re.findall(r'following platform tag: "(manylinux\w+)"', shown)
        assert tag_version(found) <= tag_version(platform), found
    return f"{wheel.name}: {size} bytes, needs {' '.join(sorted(needed))}"


def tag_version(platform: str) -> tuple[int, int]:
    """Return the version of the C library that a platform tag names."""
    major, minor = re.match(r"\w+?linux_(\d+)_(\d+)_", platform).groups()
    return int(major), int(minor)


def run(*call: object, **settings: object) -> str:
    """Return what a program prints. Raises CalledProcessError, after its messages, if it fails."""
    try:
        done = subprocess.run(
            [str(word) for word in call], check=True, capture_output=True, text=True, **settings
        )
    except subprocess.CalledProcessError as error:
        print(error.stdout, error.stderr, file=sys.stderr)
        raise
    return done.stdout


def try_python(python: Path, folder: Path) -> str:
    """Install from the folder into a new environment of this Python, and find a match."""
    with tempfile.TemporaryDirectory() as work:
        begin, spent = time.monotonic(), children_seconds()
        run(python, "-m", "venv", f"{work}/venv")
        own = Path(work, "venv/bin/python")
        environment = {"PATH": str(own.parent), "HOME": work, "LANG": "C.UTF-8"}
        pip = (own, "-m", "pip", "--disable-pip-version-check", "install", "--only-binary", ":all:")
        # Chosen by its tags, and from nowhere else; then all that it needs.
        chosen = run(
            *pip,
            "--no-index",
            "--no-deps",
            "--find-links",
            folder,
            "media-screener",
            env=environment,
        )
        run(*pip, "media-screener", env=environment | index_settings())
        kernel = run(own, FIRST_MATCH, f"{work}/known.list", env=environment).strip()
        version = run(own, "-V").strip()
        (wheel,) = set(re.findall(r"media_screener\S+\.whl", chosen))
        seconds, own_seconds = time.monotonic() - begin, children_seconds() - spent
        return (
            f"{version}: {wheel}, kernel {kernel}, a match {seconds:.0f} s after the beginning,"
            f" {own_seconds:.0f} s of them of the processor"
        )


def children_seconds() -> float:
    """Return the processor's time of all programs that have run."""
    used = os.times()
    return used.children_user + used.children_system


def index_settings() -> dict[str, str]:
    """Return the settings of pip in the environment, such as the index of a company."""
    return {name: text for name, text in os.environ.items() if name.startswith("PIP_")}


def try_arm64(root: Path, folder: Path) -> str:
    """Install from the folder for the Python of an arm64 Debian, and find a match under qemu."""
    (python,) = sorted(root.glob("usr/bin/python3.[0-9]*"))
    version = python.name.removeprefix("python")
    own = ["qemu-aarch64", "-L", root, python]
    with tempfile.TemporaryDirectory() as work:
        platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in (28, 27, 17)]
        pip = (
            sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
            "--only-binary", ":all:", "--target", f"{work}/site", f"--python-version={version}",
            *platforms, "--platform=manylinux2014_aarch64",
        )  # fmt: skip
        run(*pip, "--find-links", folder, "media-screener")
        environment = os.environ | {"PYTHONPATH": f"{work}/site"}
        kernel = run(*own, FIRST_MATCH, f"{work}/known.list", env=environment).strip()
        assert kernel == "neon", kernel
        return f"{run(*own, '-V').strip()} of arm64 under qemu: kernel {kernel}, a match"


def main() -> None:
    """Print a line for each wheel and each installation; fail at the first that is wrong."""
    parser = argparse.ArgumentParser(description="Check the wheels of a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", type=Path, action="append", default=[])
    parser.add_argument("--arm64", type=Path, action="append", default=[])
    call = parser.parse_args()
    wheels = sorted(call.folder.glob("*.whl"))
    assert wheels, f"{call.folder} has no wheels"
    for wheel in wheels:
        print(check_contents(wheel), flush=True)
    for python in call.python:
        print(try_python(python, call.folder), flush=True)
    for root in call.arm64:
        print(try_arm64(root, call.folder), flush=True)


if __name__ == "__main__":
    main()
