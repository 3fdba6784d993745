"""A scan has as many workers as there are cores for it: a container's quota counts."""

import math
import os

import pytest

from screener.system.process import count_cores, read_quota


def told(folder, groups, limits):
    """Return the quota that these files declare."""
    (folder / "cgroup").write_bytes(os.fsencode(groups))
    for name, text in limits.items():
        (folder / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "fs" / name).write_text(text)
    return read_quota(folder / "cgroup", folder / "fs")


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        # A container that sees its own group alone, a service within a limited slice, and a
        # container that is told its path outside.
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2.0),
        (
            "0::/slice/service\n",
            {"slice/service/cpu.max": "max 100000\n", "slice/cpu.max": "150000 100000\n"},
            1.5,
        ),
        (
            "0::/slice/service\n",
            {"slice/service/cpu.max": "50000 100000\n", "slice/cpu.max": "300000 100000\n"},
            0.5,
        ),
        ("0::/docker/0123\n", {"cpu.max": "400000 100000\n"}, 4.0),
        # A name that is no text.
        ("0::/\udcff\n", {"cpu.max": "200000 100000\n"}, 2.0),
        # Version 1, alone and beside version 2.
        (
            "4:memory:/m\n3:cpu,cpuacct:/pod\n2:cpuset:/\n0::/\n",
            {"cpu/pod/cpu.cfs_quota_us": "250000\n", "cpu/pod/cpu.cfs_period_us": "100000\n"},
            2.5,
        ),
        (
            "1:cpu:/\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
        ("1:name=systemd:/cpu\n0::/\n", {"cpu/cpu/cpu.cfs_quota_us": "1\n"}, math.inf),
        # No limit, and what is none.
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {"cpu.max": "\n"}, math.inf),
        ("0::/\n", {"cpu.max": "0 0\n"}, math.inf),
        ("", {}, math.inf),
        ("rubbish\n0:\n", {"cpu.max": "100000 100000\n"}, math.inf),
    ],
)
def test_the_least_quota_of_a_group_and_of_those_that_hold_it(tmp_path, groups, limits, expected):
    """The quota is read from either version of control groups."""
    assert told(tmp_path, groups, limits) == expected


def test_without_groups_there_is_no_quota(tmp_path):
    """As on systems that know none."""
    assert read_quota(tmp_path / "nothing", tmp_path) == math.inf


@pytest.mark.parametrize(("limit", "expected"), [("10000 100000", 1), ("110000 100000", 2)])
def test_a_quota_counts_as_whole_cores_and_never_as_more_than_there_are(
    tmp_path, monkeypatch, limit, expected
):
    """A tenth of a core is one worker, and one and a tenth are two."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told(tmp_path, "0::/\n", {"cpu.max": limit})
    monkeypatch.setattr("screener.system.process._GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr("screener.system.process._LIMITS", tmp_path / "fs")
    assert count_cores() == min(expected, there)
    for more in ("100000000 100000\n", "max 100000\n"):
        (tmp_path / "fs/cpu.max").write_text(more)
        assert count_cores() == there
