"""`screener bench --synthetic`: what it measures, what it prints, and the page that it writes."""

import json
import re
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from command_process import refused

from screener.cli import synthetic_bench
from screener.cli.app import cli
from screener.cli.synthetic_bench import measure_synthetic
from screener.errors import IndexFileError
from screener.index.hamming import HammingIndex
from screener.system.process import count_cores


def run(*arguments):
    """Run the command, in a short time."""
    return CliRunner().invoke(cli, ["bench", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def cores(monkeypatch):
    """Let the machine have two cores."""
    monkeypatch.setattr(synthetic_bench, "count_cores", lambda: 2)


@pytest.fixture
def brute_faiss(monkeypatch):
    """Return a module that takes the place of FAISS, and searches by NumPy."""

    class Flat:
        missing = 0

        def __init__(self, bits):
            assert bits == 256

        def add(self, codes):
            self.codes = codes

        def range_search(self, queries, radius):
            found = [
                np.bitwise_count(self.codes ^ query).sum(axis=1, dtype=np.uint16)
                for query in queries
            ]
            rows = [np.flatnonzero(one < radius)[self.missing :] for one in found]
            offsets = np.cumsum([0, *map(len, rows)])
            distances = [one[some] for one, some in zip(found, rows, strict=True)]
            return offsets, np.concatenate(distances), np.concatenate(rows)

    module = SimpleNamespace(
        __version__="9.9", IndexBinaryFlat=Flat, omp_set_num_threads=lambda _: None, flat=Flat
    )
    monkeypatch.setitem(sys.modules, "faiss", module)
    return module


@pytest.mark.parametrize(("count", "way"), [(1_000, "flat"), (30_000, "lookup")])
def test_all_ways_to_ask_are_measured(cores, brute_faiss, count, way):
    """Single and batched, hits and misses, on one and two threads, beside FAISS and the floor."""
    report = measure_synthetic(count, radius=15, seconds=0.2)
    found = {
        (one.engine, one.what, one.queries, one.threads): one
        for one in report.speeds
        if one.batch != 100_000
    }
    assert set(found) == {
        *(
            ("screener", what, queries, threads)
            for what in ("single", "batch")
            for queries in ("hit", "miss")
            for threads in (1, 2)
        ),
        ("screener", "scan", None, 1), ("faiss", "single", None, 1),
        *(("faiss", "batch", None, threads) for threads in (1, 2)),
        *(("floor", "codes", None, threads) for threads in (1, 2)),
        *([("floor", "lines", None, 1)] if way == "lookup" else []),
    }  # fmt: skip
    for one in report.speeds:
        assert one.per_s == pytest.approx(1e6 / one.us, rel=1e-2)
        assert (one.p50_us is None) == (one.what not in ("single", "scan"))
        if one.p50_us is not None:
            assert 0 < one.p50_us <= (one.p99_us or one.p50_us)
    assert found["screener", "single", "miss", 1].way == way
    assert (report.lines is None) == (way == "flat")
    assert report.codes == count
    assert report.code_bytes == 32 * count <= report.index_bytes < report.peak_bytes
    assert report.compared == 2 * report.found > 0  # a hit finds one code, a miss none
    assert report.left_out is None
    single, rival = found["screener", "single", "miss", 1], found["faiss", "single", None, 1]
    assert report.times_faiss(single) == single.per_s / rival.per_s
    assert report.times_faiss(rival) is None


def test_wrong_answers_are_not_measured(cores, monkeypatch):
    """An index that misses a hit is refused before anything is timed."""
    search = HammingIndex.search

    def miss(self, queries, **settings):
        offsets, rows, distances = search(self, queries, **settings)
        last = max(0, len(rows) - 1)
        return np.minimum(offsets, last), rows[:last], distances[:last]

    monkeypatch.setattr(HammingIndex, "search", miss)
    with pytest.raises(IndexFileError, match="answers differ from a full comparison"):
        measure_synthetic(1_000, seconds=0.1)


def test_a_faiss_with_other_answers_is_left_out_aloud(cores, brute_faiss, monkeypatch):
    """As is one that cannot be imported, or raises."""

    def explain():
        report = measure_synthetic(1_000, seconds=0.1)
        assert not any(one.engine == "faiss" for one in report.speeds)
        return report.left_out

    monkeypatch.setattr(brute_faiss.flat, "missing", 1)
    assert "other answers" in explain()
    brute_faiss.IndexBinaryFlat = None
    assert "FAISS cannot be used: TypeError" in explain()
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert "pip install 'faiss-cpu'" in explain()


def test_the_table_and_the_json_have_the_same_figures(monkeypatch, brute_faiss):
    """A person sees machine, index and each figure; a program gets them all."""
    kept = []
    measure = synthetic_bench.measure_synthetic
    monkeypatch.setattr(
        synthetic_bench, "measure_synthetic",
        lambda *given, **more: kept[0] if kept else kept.append(measure(*given, **more)) or kept[0],
    )  # fmt: skip
    shown = run("--synthetic", "1e3", "--seconds", "0.2").output
    told = json.loads(run("--synthetic", "1e3", "--seconds", "0.2", "--json").output)
    assert told == json.loads(json.dumps(kept[0].to_dict()))
    assert told["machine"]["cores"] == count_cores()
    lines = shown.splitlines()
    for part in (
        "1,000 random codes of 256 bits, radius 31",
        "answers compared",
        "faiss 9.9",
    ):
        assert part in shown
    for one in told["speeds"]:
        rate = f"{one['per_s']:,.0f}"
        assert any(line.split()[-5] == rate for line in lines if len(line.split()) > 5), rate
    assert any(re.match(r" +batch of [\d,]+, hit ", line) for line in lines)


class _Elements(HTMLParser):
    """The tags of a page with their attributes, and whether each is closed."""

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_shows_all_figures(tmp_path, brute_faiss):
    """It is one file with two charts and a table, and replaces no other file."""
    page = tmp_path / "bench.html"
    assert run("--synthetic", 2000, "--seconds", 0.2, "--plot", page).exit_code == 0
    text = page.read_text(encoding="utf-8")
    elements = _Elements()
    elements.feed(text)
    assert elements.open == []
    tags = [tag for tag, _ in elements.found]
    assert tags.count("svg") == 2
    assert not {"script", "link", "img", "iframe", "image", "use"} & set(tags)
    names = {name for _, attributes in elements.found for name in attributes}
    assert not {"src", "href", "style", "xlink:href"} & names
    for rect in (attributes for tag, attributes in elements.found if tag == "rect"):
        assert 0 <= float(rect["x"]) < float(rect["x"]) + float(rect["width"]) <= 800
    for part in ("FAISS IndexBinaryFlat", "cache lines" if "lines" in tags else "all codes", "p99"):
        assert part in text
    assert run("--synthetic", 2000, "--seconds", 0.1, "--plot", page).exit_code == 0
    other = tmp_path / "mine.html"
    other.write_text("my own")
    assert "holds something else" in refused("bench", "--synthetic", 2000, "--plot", other)
    assert other.read_text() == "my own"


@pytest.mark.parametrize(
    "number", ["999", "1e7x", "-5", "1e3.5", "1000.5", "nan", "inf", "1e8", ""]
)
def test_a_bad_number_is_a_usage_error(number):
    """It names the numbers that are accepted."""
    done = run("--synthetic", number)
    assert done.exit_code == 2
    assert "expected an integer from 1e3 to 1e7" in done.output


def test_calls_that_mix_both_kinds_are_usage_errors(tmp_path, make_list):
    """A list beside --synthetic, neither, a plot of a list, a radius that is too large."""
    known = make_list([{"id": "a", "pdq": "5a" * 32}]).path
    plot = tmp_path / "plot.html"
    for call, message in (
        ([known, "--synthetic", "1e3"], "leave out LIST"),
        (["--synthetic", "1e3", "--hugepages"], "leave out --hugepages"),
        (["--synthetic", "1e3", "--radius", "65"], "one --radius, from 0 to 64"),
        (["--synthetic", "1e3", "--radius", "1", "--radius", "2"], "one --radius"),
        ([], "use --synthetic"),
        ([known, "--plot", plot], "--plot needs --synthetic"),
        (["--synthetic", "1e3", "--plot", "plot.png"], "NAME.html"),
    ):
        done = run(*call)
        assert (done.exit_code, message in done.output) == (2, True), done.output
    assert not plot.exists()
