"""What `screener bench` measures, and what it never tells."""

import json
import os
import time

import numpy as np
import pytest
from click.testing import CliRunner

from screener.cli.app import cli
from screener.cli.bench import measure
from screener.errors import HashError
from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import VideoFrame, pack_vpdq
from screener.lists.hashlist import HashList


def rows_of(count: int) -> list[dict[str, str]]:
    """Rows with a random PDQ, a random pHash and an MD5."""
    rng = np.random.default_rng(7)
    return [
        {"id": f"e{i}"}
        | {kind: rng.bytes(size).hex() for kind, size in (("pdq", 32), ("phash", 8), ("md5", 16))}
        for i in range(count)
    ]


def test_every_kind_is_measured_at_each_radius(make_list) -> None:
    """Perceptual kinds at three radii with one and two threads, digests once; hits are counted."""
    report = measure(make_list(rows_of(50)), seconds=0.5, threads=(1, 2))
    figures = [(one.kind, one.radius, [b.threads for b in one.batches]) for one in report.figures]
    assert figures == [
        ("md5", None, [1]),
        *(("pdq", radius, [1, 2]) for radius in (0, 15, 31)),
        *(("phash", radius, [1, 2]) for radius in (0, 2, 4)),
    ]
    for one in report.figures:
        assert (one.values, one.files) == (50, 1)
        assert one.way == ("lookup" if one.radius is None else "flat")
        assert 0 < one.p50_us <= one.p99_us
        # Every second query was made from a listed value, the first one included.
        assert 0.5 <= one.hits < 1.1
        for batch in one.batches:
            assert batch.queries >= 100
            assert batch.queries_per_s == pytest.approx(1e6 / batch.query_us, rel=0.2)


def test_removed_values_are_no_stumbling_block(make_list, tmp_path) -> None:
    """A list in several files, with values that were taken out, is measured like any other."""
    known = make_list(rows_of(50))
    one = rows_of(51)[-1]
    more = tmp_path / "known.csv"
    more.write_text("id,pdq\n" + "".join(f"e{i},{one['pdq']}\n" for i in range(20)))
    known.import_file(more, source="test")
    figures = measure(known.refresh(), seconds=0.2, radius=[31]).figures
    assert {f.kind: f.values for f in figures}["pdq"] == len(known.refresh().snapshot("pdq"))


def test_a_list_of_videos_is_measured_by_their_frames(make_list) -> None:
    """They are searched as pictures are, so that such a list is not one with nothing to search."""
    frames = [VideoFrame(i, float(i), 100, bytes(range(i, i + 32))) for i in range(5)]
    known = make_list([{"id": "a", "vpdq": Hash(KINDS["vpdq"], pack_vpdq(frames)).text}])
    figures = measure(known, seconds=0.05, radius=[31]).figures
    assert [(one.kind, one.values, one.radius) for one in figures] == [("vpdq", 5, 31)]
    assert figures[0].hits >= 0.5  # every second query lies near a frame
    for radius in ([257], [31, 300]):
        with pytest.raises(HashError, match=f"no kind of the list has a radius of {max(radius)}"):
            measure(known, seconds=0.05, radius=radius)
    for wrong in (-1, 1.0, float("nan"), "31", None, True):
        with pytest.raises(HashError, match="a radius must be an integer from 0, not"):
            measure(known, seconds=0.05, radius=[wrong])  # type: ignore[list-item]


def test_the_cores_are_those_that_it_may_use(make_list, monkeypatch) -> None:
    """Threads are as many: more, on the cores that are others', would tell nothing of ours."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    report = measure(make_list(rows_of(5)), seconds=0.01, radius=[31])
    assert report.cores == 3
    assert [one.threads for one in report.figures[-1].batches] == [1, 3]


def test_it_keeps_to_its_time(make_list) -> None:
    """A short time is kept, but for the least that every figure needs."""
    known = make_list(rows_of(50))
    begin = time.process_time()
    measure(known, seconds=0.01)
    assert time.process_time() - begin < 2


def test_radii_that_do_not_fit_a_kind_are_left_out(make_list) -> None:
    """A radius wider than a kind is for the others; one that fits none is the caller's mistake."""
    known = make_list([{"id": "a", "phash": "0123456789abcdef", "pdq": "5a" * 32}])
    figures = measure(known, seconds=0.1, radius=[3, 65]).figures
    assert {(one.kind, one.radius) for one in figures} == {("pdq", 3), ("phash", 3), ("pdq", 65)}
    for wrong in ({"radius": [257]}, {"radius": [-1]}, {"seconds": 0}, {"seconds": float("nan")}):
        with pytest.raises(HashError):
            measure(known, **{"seconds": 0.1} | wrong)


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--hugepages", "--radius", "31"]])
def test_no_value_is_told(make_list, arguments: list[str]) -> None:
    """Neither the table nor the JSON holds a listed value, or a part of one."""
    rows = rows_of(20)
    path = make_list(rows).path
    done = CliRunner().invoke(cli, ["bench", str(path), "--seconds", "0.2", *arguments])
    assert done.exit_code == 0, done.output
    for row in rows:
        for kind in ("pdq", "phash", "md5"):
            assert row[kind][:8] not in done.output


def test_json_is_one_object_with_all_figures(make_list) -> None:
    """`--json` gives what the report holds, in numbers."""
    path = make_list(rows_of(20)).path
    call = ["bench", str(path), "--seconds", "0.2", "--json"]
    told = json.loads(CliRunner().invoke(cli, call).output)
    assert set(told) == {"list", "generation", "cores", "versions", "figures"}
    assert len(told["figures"]) == 7
    assert {"kind", "radius", "way", "p50_us", "p99_us", "batches"} <= set(told["figures"][0])


def test_the_table_says_the_way_and_the_rate(make_list) -> None:
    """A person sees each kind with its way, its batches, and how many queries a second."""
    path = make_list(rows_of(20)).path
    shown = CliRunner().invoke(cli, ["bench", str(path), "--seconds", "0.2"]).output
    assert "queries/s" in shown
    assert any(line.split()[:4] == ["pdq", "20", "31", "flat"] for line in shown.splitlines())


def test_an_empty_list_has_nothing_to_measure(tmp_path) -> None:
    """It says so, and is no error."""
    path = HashList.create(tmp_path / "empty.list").path
    done = CliRunner().invoke(cli, ["bench", str(path)])
    assert done.exit_code == 0
    assert "nothing to search" in done.output
