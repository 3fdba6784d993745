"""Which kernel runs: the best that the machine has, or the one that SCREENER_KERNEL names."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import screener._core as _core

NAMES = ("avx512", "avx2", "neon", "scalar")

SEARCH = """
import numpy as np
import screener._core as _core
from screener.index.hamming import HammingIndex
rng = np.random.default_rng(11)
print(_core.KERNEL)
for width in (8, 16, 32, 64):
    codes = rng.integers(0, 256, (2500, width), np.uint8)
    for radius in (0, width * 3, width * 4):
        found = HammingIndex.build(codes).search(codes[:21], radius=radius)
        print(*(part.tolist() for part in found))
"""


def run(code: str, kernel: str | None) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with or without a kernel forced."""
    environment = {name: text for name, text in os.environ.items() if name != "SCREENER_KERNEL"}
    if kernel is not None:
        environment["SCREENER_KERNEL"] = kernel
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_the_kernel_asked_for_is_active() -> None:
    """With SCREENER_KERNEL this process runs that kernel; else the best one."""
    asked = os.environ.get("SCREENER_KERNEL")
    assert asked in (None, "", _core.KERNEL)
    assert asked or _core.kernels()[0] == _core.KERNEL


def test_the_kernels_there_are() -> None:
    """Known names, best first, and the scalar one on every machine."""
    names = _core.kernels()
    assert names == [name for name in NAMES if name in names]
    assert names[-1] == "scalar"


def test_the_kernels_are_those_that_the_processor_has() -> None:
    """As the system lists its features; none is lost by the compiler that built the core."""
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpuinfo.exists():
        pytest.skip("only Linux on x86-64 lists these features")
    (line, *_) = (line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    there = set(line.split())
    wanted = ["scalar"]
    if {"avx2", "fma", "popcnt"} <= there:
        wanted.insert(0, "avx2")
    if {f"avx512{part}" for part in ("f", "bw", "dq", "vl", "_vpopcntdq", "_bitalg")} <= there:
        wanted.insert(0, "avx512")
    assert _core.kernels() == wanted


@pytest.mark.parametrize("kernel", NAMES)
def test_each_kernel_can_be_forced_or_is_refused(kernel: str) -> None:
    """A kernel of this machine becomes the active one; another fails the import."""
    done = run("from screener import _core; print(_core.KERNEL)", kernel)
    if kernel in _core.kernels():
        assert (done.returncode, done.stdout.strip()) == (0, kernel)
    else:
        assert done.returncode != 0
        assert "choose one of: " + ", ".join(_core.kernels()) in done.stderr


@pytest.mark.parametrize("name", ["mmx", "AVX2", "avx2,scalar", " "])
def test_unknown_kernel_lists_the_choices(name: str) -> None:
    """A name that is none fails the import with the names that there are."""
    done = run("import screener._core", name)
    assert done.returncode != 0
    assert f"SCREENER_KERNEL={name} is unknown or not supported on this machine" in done.stderr
    assert "choose one of: " + ", ".join(_core.kernels()) in done.stderr


def test_no_name_is_the_best() -> None:
    """Unset and empty mean the same: the best kernel of the machine."""
    for name in (None, ""):
        done = run("from screener import _core; print(_core.KERNEL)", name)
        assert done.stdout.strip() == _core.kernels()[0]


def test_kernels_agree() -> None:
    """Every kernel of the machine finds the same rows at the same distances."""
    outputs = {kernel: run(SEARCH, kernel) for kernel in _core.kernels()}
    answers = set()
    for kernel, done in outputs.items():
        assert done.returncode == 0, done.stderr
        name, answer = done.stdout.split("\n", 1)
        assert name == kernel
        answers.add(answer)
    assert len(answers) == 1


def test_the_core_refuses_arrays_that_do_not_fit() -> None:
    """The core checks widths itself, so that no caller can make it read out of bounds."""
    codes = np.zeros((2, 32), np.uint8)
    with pytest.raises(ValueError, match="differ in width"):
        _core.scan(codes, np.zeros((2, 16), np.uint8), 1)
    with pytest.raises(ValueError, match="8, 16, 32 or 64 bytes"):
        _core.scan(codes[:, :12].copy(), codes[:, :12].copy(), 1)


def test_the_core_takes_any_radius() -> None:
    """A radius beyond the width finds everything, up to the largest that the core can be given."""
    codes = np.random.default_rng(2).integers(0, 256, (20, 32), np.uint8)
    for radius in (256, 257, 2**31 - 1, 2**31, 2**32 - 1):
        assert _core.scan(codes, codes, radius)[0][-1] == 400
