"""What enforcing a list in shadow would have done, on the page, in the table and in the summary."""

import csv
import io
import re

import numpy as np
import pytest
from archive_files import zipped
from picture_bytes import png
from rich.console import Console

from screener import Policy, Screener, output, scan
from screener.cli.summary import Tally
from screener.hashing import digest, pdq
from screener.reporting.pages import report_page, spreadsheet


def near(picture, bits):
    """The PDQ of a picture, with so many bits changed, as text."""
    value = bytearray(pdq.compute(np.asarray(picture)).value)
    for bit in range(bits):
        value[bit] ^= 1
    return value.hex()


def crop(picture):
    """A picture that only evidence finds, as PNG."""
    return png(picture.crop((12, 9, picture.width - 12, picture.height - 9)))


@pytest.fixture
def lists(make_list, scene):
    """A list to try, of five pictures, and one that is enforced, of the first of them."""
    rows = [
        {"id": "P0", "pdq": near(scene(0), 2)},
        {"id": "P1", "pdq": near(scene(1), 3), "md5": digest.compute(png(scene(1)))[0].text},
        {"id": "P2", "pdq": near(scene(2), 9)},
        {"id": "P3", "pdq": near(scene(3), 0)},
        {"id": "S", "pdq": near(scene(4), 0), "state": "seed"},
    ]
    return make_list(rows, name="tried"), make_list([{"id": "E", "pdq": near(scene(0), 0)}])


@pytest.fixture
def results(lists, scene, tmp_path):
    """The results of seven files: six pictures and a broken one."""
    files = [png(scene(number)) for number in (0, 1, 2, 4, 5)] + [crop(scene(3)), b"broken"]
    policy = Policy(effort="views", lists={"tried": {"mode": "shadow"}})
    path = tmp_path / "r.jsonl"
    with output.open_jsonl(path) as out:
        for number, file in enumerate(files):
            out.write(Screener(lists, policy=policy).screen(file, input=f"{number}"))
    return path


def section(path, title):
    """The text of a section of the page of results, and the cells of its rows."""
    report_page.write_html(path, path.with_suffix(".html"))
    page = path.with_suffix(".html").read_text("utf-8")
    found = [part for part in page.split("<h2>") if part.startswith(title)]
    if not found:
        return None
    text = re.search("<p>(.*?)</p>", found[0])[1]
    rows = re.findall("<tr>(<td>.*?)</tr>", found[0])
    return text, [tuple(re.findall("<td[^>]*>(.*?)</td>", row)) for row in rows]


def test_the_page_counts_what_enforcing_would_have_matched(results):
    """By kind and nearness, each input once, apart from those that match anyway; no seed."""
    text, rows = section(results, "In shadow: tried")
    assert text == (
        "Compared with it: 7 inputs. Enforced, it would have made 3 more matches."
        " 1 other input matched anyway."
    )
    *by_distance, by_evidence = sorted(rows, key=lambda row: row[1].startswith("evidence"))
    assert sorted(by_distance) == [
        ("md5", "distance 0 to 3 bits", "1"),
        ("pdq", "distance 0 to 3 bits", "2"),
        ("pdq", "distance 8 to 11 bits", "1"),
    ]
    assert (by_evidence[0], by_evidence[2]) == ("pdq", "1")
    assert re.fullmatch(r"evidence \d+ to \d+ bits", by_evidence[1])
    page = results.with_suffix(".html").read_text("utf-8")
    assert re.search(r"tried, generation 1 \([0-9a-f]{16}\), shadow<", page)
    assert re.search(r"known, generation 1 \([0-9a-f]{16}\)<", page)


def test_enforcing_matches_what_the_page_says(lists, results, scene):
    """The counts are those of the same files under the policy that enforces the list."""
    files = [png(scene(number)) for number in (0, 1, 2, 4, 5)] + [crop(scene(3)), b"broken"]
    shadow = Screener(lists, policy=Policy(effort="views", lists={"tried": {"mode": "shadow"}}))
    enforced = Screener(lists, policy=Policy(effort="views"))
    before = sum(bool(result.matches) for result in shadow.screen_many(files))
    after = sum(bool(result.matches) for result in enforced.screen_many(files))
    assert after - before == 3


def test_the_table_marks_hits_in_shadow_and_modes(results):
    """A row of each hit says so; the modes are those of lists that are not enforced."""
    spreadsheet.write_csv(results, results.with_suffix(".csv"))
    with results.with_suffix(".csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["modes"] for row in rows} == {"tried:shadow"}
    hits = [row for row in rows if row["list"] == "tried"]
    assert {(row["hit"], row["shadow"]) for row in hits} == {("other", "True")}
    assert [row["shadow"] for row in rows if row["list"] == "known"] == [""]


def test_a_page_without_shadow_has_no_such_section(lists, scene, tmp_path):
    """Nor one of a list that is off; one without hits has a section with zero."""
    for mode, shown in (("enforce", None), ("off", None), ("shadow", [])):
        path = tmp_path / f"{mode}.jsonl"
        with output.open_jsonl(path) as out:
            policy = Policy(lists={"tried": {"mode": mode}})
            out.write(Screener(lists, policy=policy).screen(png(scene(6)), input="6"))
        found = section(path, "In shadow")
        assert found is None if shown is None else found[1] == shown


def test_an_archive_counts_if_its_own_digest_would_match(make_list, scene, tmp_path):
    """Otherwise its members count."""
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped({"a.png": png(scene(7))}))
    rows = [{"id": "A", "md5": digest.compute(archive.read_bytes())[0].text}]
    lists = [make_list(rows, name="tried"), make_list([{"id": "E", "pdq": near(scene(0), 0)}])]
    policy = Policy(lists={"tried": {"mode": "shadow"}})
    with output.open_jsonl(tmp_path / "r.jsonl") as out:
        for result in scan(Screener(lists, policy=policy), [archive], jobs=1):
            out.write(result)
    text, rows = section(tmp_path / "r.jsonl", "In shadow: tried")
    assert text == "Compared with it: 2 inputs. Enforced, it would have made 1 more match."
    assert rows == [("md5", "distance 0 to 3 bits", "1")]


def test_the_summary_of_a_scan_counts_hits_in_shadow(lists, scene):
    """Apart from the verdicts, which they do not change."""
    tally, stream = Tally(), io.StringIO()
    policy = Policy(lists={"tried": {"mode": "shadow"}})
    for number in (1, 2, 4, 5):
        tally.add(Screener(lists, policy=policy).screen(png(scene(number)), input=str(number)))
    tally.print(Console(file=stream, width=200))
    assert "4 screened: 0 match, 4 no_match, 0 unscreened" in stream.getvalue()
    assert "in shadow: tried: 2 inputs of this run with hits that would match" in stream.getvalue()
    assert tally.exit_code == 0
