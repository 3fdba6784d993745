"""Whoever builds with flags of their own gets the same hashes, or no build."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
from paths import REPOSITORY

FAST = ["-ffast-math", "-ffinite-math-only", "-Ofast"]


def compile_with(*flags):
    """Compile what refuses such flags."""
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"no C++ compiler: {compiler[0]}")
    call = [*compiler, "-std=c++20", *flags, "-fsyntax-only", "-x", "c++", "-"]
    source = f'#include "{REPOSITORY}/src/core/rounding.h"\n'
    return subprocess.run(call, input=source, capture_output=True, text=True, check=False)


def flags_of_the_build():
    """Those that CMakeLists.txt puts behind the flags of whoever builds."""
    return re.search(r"set\(rounding (.*)\)", (REPOSITORY / "CMakeLists.txt").read_text())[
        1
    ].split()


@pytest.mark.parametrize("flag", FAST)
def test_fast_maths_is_refused(flag):
    """No later flag reorders sums: another order makes another hash."""
    done = compile_with(flag)

    assert done.returncode != 0
    assert "cannot be built with -ffast-math" in done.stderr


@pytest.mark.parametrize("flag", ["-O2", "-ffp-contract=fast", *FAST])
def test_the_build_takes_fast_maths_back(flag):
    """Distributions and users set CXXFLAGS: the build goes on, with arithmetic as it is written."""
    done = compile_with(flag, *flags_of_the_build())

    assert done.returncode == 0, done.stderr


def test_products_are_never_fused():
    """The build's own flag comes last, after the one that turns fast maths off."""
    assert flags_of_the_build()[-1] == "-ffp-contract=off"
