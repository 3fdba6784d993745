"""Reports: what a page and a table say of a file of results, and what they can do to a reader."""

import base64
import csv
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import subprocess
import time
import warnings
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from command_process import screener
from rich.console import Console
from timing import soonest

from screener import Hash, HashList, Policy, Screener, ScreenerError, output, scan
from screener.cli.progress_display import Pace
from screener.cli.summary import Tally
from screener.errors import OutputError
from screener.hashing import pdq
from screener.reporting.pages import report_page, spreadsheet
from screener.reporting.pages.result_summary import Summary
from screener.scanning.resume import Finished
from screener.screening.result import MediaFacts

HOSTILE = [
    "<script>alert(1)</script>.jpg",
    "\"onload='alert(1)'\".jpg",
    "</style><img src=https://example.com/x>.jpg",
    '=HYPERLINK("https://example.com").jpg',
    "  -1+1|cmd.jpg",
    "gnp.\u202egpj\x1b[31m\n.jpg",
    "&lt;b&gt; é 漢字.jpg",
]
LISTED = "0123456789abcdef" * 4


def near(bits):
    """The listed PDQ with so many bits changed."""
    return f"{int(LISTED, 16) ^ ((1 << bits) - 1):064x}"


@pytest.fixture
def results(make_list, tmp_path):
    """Results of every verdict, with hostile names, matches at several distances and days."""
    from dataclasses import replace

    known = make_list([{"id": "<i>one</i>", "pdq": LISTED, "md5": "ab" * 16}])
    engine = Screener(known)
    with output.open_jsonl(tmp_path / "results.jsonl") as out:
        for number, name in enumerate(HOSTILE):
            hashes = [Hash.parse("pdq", near(4 * number))]
            found = engine.match(hashes, input=name)
            day = (19_000 + 40 * number) * 86_400 * 10**9
            out.write(replace(found, mtime_ns=day, bytes=1000, seconds=number / 10))
        out.write(engine.match([Hash.parse("md5", "ab" * 16)], input="digest"))
        for number in range(5):
            out.write(engine.screen(f"missing-{number}"))
        out.write(engine.match([Hash.parse("pdq", "f0" * 32)], input="other"))
    return tmp_path / "results.jsonl"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Note an element."""
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        """Note text."""
        self.text.append(data)


@pytest.mark.parametrize("write", [report_page.write_html, spreadsheet.write_csv])
def test_a_report_is_written_over_nothing_but_a_report(results, tmp_path, write):
    """A picture of a name mistyped stays; an older report of the kind is written anew."""
    picture = tmp_path / "a"
    picture.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(OutputError, match="something else than"):
        write(results, picture)
    assert picture.read_bytes() == b"\xff\xd8\xff"
    write(results, tmp_path / "b")
    first = (tmp_path / "b").read_bytes()
    write(results, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == first


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("writer", [report_page, spreadsheet])
def test_an_interrupt_of_a_report_leaves_what_was_there(
    results, tmp_path, monkeypatch, writer, before
):
    """No part of one, which would be taken for all; and where a link led, it leads still."""
    (tmp_path / "to").mkdir()
    place, link = tmp_path / "to" / "r", tmp_path / "r"
    link.symlink_to(place)
    write = report_page.write_html if writer is report_page else spreadsheet.write_csv
    if before:
        write(results, link)
        place.write_bytes(place.read_bytes() + b"older")
    held = {path: path.read_bytes() for path in place.parent.iterdir()}
    real = writer.open_private_text

    @contextmanager
    def interrupted(*given):
        with real(*given) as stream:
            yield stream
            raise KeyboardInterrupt

    monkeypatch.setattr(writer, "open_private_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(results, link)
    monkeypatch.undo()

    assert {path: path.read_bytes() for path in place.parent.iterdir()} == held
    write(results, link)
    assert place.read_bytes() == link.read_bytes() != b""
    assert link.is_symlink()


@pytest.mark.parametrize("days", [1, 2, 60, 61, 121, 400])
def test_each_matched_file_is_in_the_bar_of_its_day(days):
    """Of few bars, however long the time; the last day and an only one are in one as well."""
    first = date(2024, 1, 1)
    found = Summary(days=Counter(str(first + timedelta(number)) for number in range(days)))

    counts = re.findall(r"<title>(\d+) from \d{4}-\d\d-\d\d<", report_page.render_page(found, "x"))

    assert sum(map(int, counts)) == days
    assert len(counts) <= 60


def test_a_section_in_which_there_is_nothing_says_so():
    """In place of an empty table."""
    page = report_page.render_page(Summary(), "x")
    titles = ("Matches", "Other hits", "Not screened", "Matches by the day of the file",
              "What the inputs were", "Slowest")  # fmt: skip
    assert [one for one in titles if f"<h2>{one}</h2>\n<p>none</p>" not in page] == []


def test_the_slowest_are_few_however_many_there_are(results):
    """The twenty that took longest, the slowest first; what decided is counted of all."""
    facts = json.loads(results.read_text().splitlines()[-1])
    lines = (json.dumps(facts | {"input": str(n), "seconds": n}) for n in range(1, 31))
    results.write_text("\n".join(lines))

    found = Summary.read(results)
    assert [name for _, name, _ in found.slowest] == [str(n) for n in range(30, 10, -1)]
    assert found.total == found.policies.total() == found.versions.total() == 30


@pytest.mark.parametrize("write", [report_page.write_html, spreadsheet.write_csv])
def test_a_pipe_keeps_its_mode(results, tmp_path, write):
    """As a device does: a root user's /dev/null would be nobody else's any more."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        write(results, pipe)
        assert read.result()
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o666


def test_a_page_holds_what_the_results_say_and_nothing_that_acts(results, tmp_path):
    """All counts, as counted from the lines; names as text and no more; nothing is loaded; no hash;
    readable by its owner only.
    """
    assert report_page.write_html(results, tmp_path / "r.html") == 0

    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(text)
    shown = " ".join(" ".join(page.text).split())
    for said in ("14 results", "8 match", "1 no match", "5 unscreened", "5 35.7 % ", "unreadable"):
        assert said in shown, said
    assert "known, generation 1" in shown
    assert {tag for tag, _ in page.elements} <= {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "section",
        "div", "b", "span", "p", "table", "thead", "tr", "th", "td", "svg", "rect", "line", "text",
        "bdi", "footer",
    }  # fmt: skip
    names = {name for _, attributes in page.elements for name in attributes}
    assert not names & {"src", "href", "style", "onload", "data", "action", "xlink:href"}
    assert not any(name.startswith("on") for name in names)
    (policy,) = [a["content"] for t, a in page.elements if a.get("http-equiv")]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none'",
        policy,
    )
    for name in HOSTILE:
        assert "".join(c if c.isprintable() else "\ufffd" for c in name) in "".join(page.text)
    assert not re.search("[\u202e\x1b]", text)
    assert LISTED[:16] not in text
    assert "ab" * 8 not in text
    assert stat.S_IMODE((tmp_path / "r.html").stat().st_mode) == 0o600
    assert "<bdi>&lt;i&gt;one" in text


def test_the_distances_drawn_are_those_of_the_matches(results, tmp_path):
    """A bar a distance, at its place and with its count."""
    report_page.write_html(results, tmp_path / "r.html")
    titles = re.findall(r"<title>(\d+) at (\d+) bits", (tmp_path / "r.html").read_text())

    assert [(int(n), int(d)) for n, d in titles] == [(1, 4 * n) for n in range(7)]


def test_an_input_that_matches_by_several_kinds_is_one_input(make_list, tmp_path):
    """Whoever reads the page is told how many inputs match, and not only how many rows there are;
    and of one that it is one.
    """
    known = make_list([{"id": "one", "pdq": LISTED, "md5": "ab" * 16}])
    hashes = [Hash.parse("pdq", LISTED), Hash.parse("md5", "ab" * 16)]
    with output.open_jsonl(tmp_path / "r.jsonl") as out:
        out.write(Screener(known).match(hashes, input="both"))
    report_page.write_html(tmp_path / "r.jsonl", tmp_path / "r.html")

    text = " ".join(Page((tmp_path / "r.html").read_text("utf-8")).text)
    assert "1 input with a match. Each row is an input with an entry and the kind of hash" in text
    assert ": 2 confirmed." in text
    assert "1 match by md5. Digests match only" in text
    assert "1 file with a match, without a time." in text


def test_a_table_has_a_row_a_match_and_no_formula(results, tmp_path):
    """Read back, it says what the lines say; a cell that would be a formula is a text."""
    spreadsheet.write_csv(results, tmp_path / "r.csv")

    with (tmp_path / "r.csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [row["verdict"] for row in rows] == [line["verdict"] for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert row["input"].removeprefix("'") == line["input"]
        match = (line["matches"] or [{}])[0]
        for name in ("entry", "kind", "distance", "radius", "orientation", "time"):
            assert row[name] == str(match.get(name, ""))
    for row in rows:
        for cell in row.values():
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert rows[3]["input"].startswith("'=HYPERLINK")
    assert rows[0]["mtime"] == "2022-01-08T00:00:00Z"
    assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o600


def test_a_table_has_no_formula_wherever_a_spreadsheet_parts_its_columns(make_list, tmp_path):
    """By semicolons, as in French, or by tabs; quotes or spaces before a sign hide it from nobody,
    nor does its full width. What is no formula is told as it is.
    """
    formulas = ["a;=1+1;b", "a;b; +1", 'a;"=1+1"', "a\t@SUM(1)", "a\n-1", "\uff1d1+1", "a;\uff0b1"]
    plain = ["a; b", "a=b", "a;b-c", "a, -1.jpg", "x@y;z"]
    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    with output.open_jsonl(tmp_path / "r.jsonl") as out:
        for name in formulas + plain:
            out.write(engine.match([Hash.parse("pdq", LISTED)], input=name))
    spreadsheet.write_csv(tmp_path / "r.jsonl", tmp_path / "r.csv")

    text = (tmp_path / "r.csv").read_text("utf-8-sig")
    for delimiter in ",;\t":
        for cell in chain.from_iterable(csv.reader(text.splitlines(), delimiter=delimiter)):
            assert cell.lstrip(' "')[:1] not in [*"=+-@\uff1d\uff0b\uff0d\uff20"], delimiter
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8-sig") as stream:
        told = [row["input"] for row in csv.DictReader(stream)]
    assert told[len(formulas) :] == plain
    assert [one.replace("'", "") for one in told] == formulas + plain


def test_a_name_of_nothing_but_tabs_does_not_hold_a_table_up():
    """Each of them may begin a cell, and what is behind it is not gone through anew for each: that
    would take ten seconds, of every row.
    """

    def seconds():
        began = time.process_time()
        assert spreadsheet._format_cell(name) == f"'{name}"
        return time.process_time() - began

    name = "\t" * 40_000
    assert soonest(seconds, within=1) < 1


def test_a_table_is_read_as_utf_8_by_a_spreadsheet(results, tmp_path):
    """It begins with a byte order mark, without which Excel makes other letters of names in Arabic;
    one that has none is written anew as well.
    """
    path = tmp_path / "r.csv"
    spreadsheet.write_csv(results, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfinput,archive,")
    path.write_bytes(path.read_bytes()[3:])
    spreadsheet.write_csv(results, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfinput,archive,")


def test_what_a_worker_says_is_wrong_commands_no_terminal(make_list):
    """A file that has taken over its process chooses the words of its trouble."""
    from dataclasses import replace

    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    tally = Tally()
    tally.add(replace(engine.screen(b"text"), detail="\x1b]0;x\x07\u202e[red]\nall.jpg  no_match"))
    shown = Console(file=io.StringIO(), width=200)
    tally.print(shown)

    told = shown.file.getvalue()
    assert not {*told} & {*"\x1b\x07\u202e"}
    assert "[red]\N{REPLACEMENT CHARACTER}all.jpg" in told


def test_an_extra_that_would_mend_it_is_named_everywhere(make_list, tmp_path):
    """In the line, the page, the table, the progress for machines and the summary, also of a run
    before; of what no extra mends there is nothing.
    """
    from dataclasses import replace

    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    lacking = replace(
        engine.screen(b"text, and nothing else"),
        detail="image/heic needs the extra `heif` (pip install 'media-screener[heif]')",
        extra="heif",
    )
    plain = replace(engine.screen(b"text, and nothing else"), input="plain")
    pace, path = Pace(), tmp_path / "r.jsonl"
    with output.open_jsonl(path) as out:
        for number in range(51):
            out.write(replace(lacking, input=f"{number}.heic"))
            pace.add(lacking)
        out.write(plain)
    assert pace.to_dict()["extras"] == {"heif": 51}
    assert plain.extra is None
    assert "extra" not in plain.to_dict()

    report_page.write_html(path, tmp_path / "r.html")
    spreadsheet.write_csv(path, tmp_path / "r.csv")
    shown = Console(file=io.StringIO(), width=200)
    tally = Tally(Finished.read(path, engine))
    tally.add(replace(lacking, input="more.heic"))
    tally.print(shown)

    assert "51 inputs need an extra: <code>pip install &#x27;media-screener[heif]&#x27;</code>" in (
        (tmp_path / "r.html").read_text()
    )
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [row["extra"] for row in rows] == ["heif"] * 51 + [""]
    assert (
        "52 inputs not screened because an extra is missing: pip install 'media-screener[heif]'"
        in shown.file.getvalue()
    )


def test_inputs_whose_names_look_the_same_are_told_apart(make_list, tmp_path):
    """Two names that are not UTF-8, and two members of one name: page and table say which is which,
    as their lines do.
    """
    engine = Screener(make_list([{"id": "one", "md5": hashlib.md5(b"bad").hexdigest()}]))
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for raw in (b"\xe8.txt", b"\xe9.txt"):
        Path(os.fsdecode(os.fsencode(uploads) + b"/" + raw)).write_bytes(b"bad")
    with zipfile.ZipFile(uploads / "two.zip", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the second one's name
        for content in (b"bad", b"good", b"bad"):
            archive.writestr("a.txt", content)
    with output.open_jsonl(tmp_path / "results.jsonl") as out:
        for result in scan(engine, uploads):
            out.write(result)

    spreadsheet.write_csv(tmp_path / "results.jsonl", tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    members = [(row["same"], row["verdict"]) for row in rows if row["archive"]]
    assert sorted(members) == [("", "match"), ("1", "unscreened"), ("2", "match")]
    names = [base64.b64decode(row["input_base64"])[-5:] for row in rows if not row["archive"]]
    assert sorted(names) == [b"\xe8.txt", b"\xe9.txt"]
    report_page.write_html(tmp_path / "results.jsonl", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.count("earlier members of its name: 2") == 1
    assert all(f"in base64 {row['input_base64']}" in page for row in rows if row["input_base64"])


def test_a_match_in_a_hidden_part_says_so(make_list, tmp_path):
    """Page and table tell a thumbnail from a page that a viewer shows."""
    from dataclasses import replace

    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    found = engine.match([Hash.parse("pdq", LISTED)], input="photo.jpg")
    hidden = replace(found.matches[0], part=1, part_kind="thumbnail")
    with output.open_jsonl(tmp_path / "r.jsonl") as out:
        out.write(replace(found, matches=(found.matches[0], hidden)))

    report_page.write_html(tmp_path / "r.jsonl", tmp_path / "r.html")
    spreadsheet.write_csv(tmp_path / "r.jsonl", tmp_path / "r.csv")

    page = (tmp_path / "r.html").read_text()
    assert "part 1 (thumbnail), 0.0 s" in page
    assert "part 0, 0.0 s" in page
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [(row["part"], row["part_kind"]) for row in rows] == [("0", "frame"), ("1", "thumbnail")]


def write_inset(make_list, path, box, media, **changes):
    """Write a match inside a picture as a file of results, and return its page."""
    from dataclasses import replace

    engine = Screener(make_list([{"id": "one", "pdq": LISTED}]))
    found = engine.match([Hash.parse("pdq", LISTED)], input="chat.png")
    match = replace(found.matches[0], region="inset", box=box, **changes)
    with output.open_jsonl(path / "r.jsonl") as out:
        out.write(replace(found, matches=(match,), media=media))
    report_page.write_html(path / "r.jsonl", path / "r.html")
    return Page((path / "r.html").read_text())


def outlines_of(page):
    """The outlines on a page: their attributes by class, and the text for screen readers."""
    rects = [
        a for tag, a in page.elements if tag == "rect" and a.get("class") in ("picture", "box")
    ]
    labels = [a["aria-label"] for tag, a in page.elements if a.get("class") == "outline"]
    return {a["class"]: a for a in rects}, labels


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (1080, 2400, (40, 300, 640, 1200)),
        (3000, 500, (0, 0, 3000, 499)),
        (1, 1 << 30, (0, 5, 1, 9)),
    ],
)
def test_an_inset_is_outlined_in_its_picture(make_list, tmp_path, width, height, box):
    """In the picture's proportions, with the place in words too; the table has its four numbers."""
    page = write_inset(make_list, tmp_path, box, MediaFacts("image/png", width, height, 1))
    outlines, (label,) = outlines_of(page)

    picture, inset = (
        [float(outlines[kind][name]) for name in ("x", "y", "width", "height")]
        for kind in ("picture", "box")
    )
    scale = 120 / max(width, height)
    assert picture == pytest.approx([1, 1, max(1, width * scale), max(1, height * scale)], abs=0.06)
    left, top, right, bottom = box
    sides = [max(1, (right - left) * scale), max(1, (bottom - top) * scale)]
    assert inset == pytest.approx([1 + left * scale, 1 + top * scale, *sides], abs=0.06)
    place = f"from {left}, {top} to {right}, {bottom}"
    assert label == f"The inset lies {place} in a picture of {width} by {height} pixels."
    assert f"{place} of {width} × {height}" in page.text

    spreadsheet.write_csv(tmp_path / "r.jsonl", tmp_path / "r.csv")
    (row,) = csv.DictReader((tmp_path / "r.csv").read_text("utf-8-sig").splitlines())
    assert (row["region"], row["box"]) == ("inset", f"{left} {top} {right} {bottom}")


@pytest.mark.parametrize("place", [{"part": 1}, {"part_kind": "appended"}])
def test_a_picture_of_unknown_size_has_no_outline(make_list, tmp_path, place):
    """The size in a result is that of the first picture."""
    media = MediaFacts("image/tiff", 20, 10, 2)
    page = write_inset(make_list, tmp_path, (40, 30, 640, 120), media, **place)
    assert outlines_of(page) == ({}, [])
    assert "from 40, 30 to 640, 120" in page.text


def test_a_box_outside_of_its_picture_is_damage(make_list, tmp_path):
    """The line counts for nothing."""
    with pytest.raises(OutputError):
        write_inset(make_list, tmp_path, (0, 0, 21, 10), MediaFacts("image/png", 20, 10, 1))


def test_damaged_lines_are_counted_and_another_file_is_refused(results, tmp_path):
    """Half a line at the end of a scan that was killed costs itself."""
    data = results.read_bytes()
    whole = json.loads(data.splitlines()[0])
    endless = json.dumps(whole | {"seconds": 10**400}, separators=(",", ":")).encode()
    results.write_bytes(data[:-30] + b"\n[]\n{}\n" + endless + b"\n" + data[:-30])
    done = screener("report", results, "-o", tmp_path / "r.html")

    assert done.returncode == 0
    assert "5 lines could not be read" in done.stderr
    assert "5 lines could not be read" in (tmp_path / "r.html").read_text()
    for wrong in (Path(__file__), tmp_path / "none"):
        with pytest.raises(ScreenerError):
            report_page.write_html(wrong, tmp_path / "x.html")
    assert screener("report", results, "-o", tmp_path / "r.pdf").returncode == 2
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert report_page.write_html(empty, tmp_path / "e.html") == 0


def test_a_damaged_line_counts_for_nothing(results, tmp_path):
    """Of a line that is no result in one place nothing is on the page, nor does it prevent it."""
    whole = results.read_bytes()
    report_page.write_html(results, tmp_path / "whole.html")
    line = json.loads(whole.splitlines()[0])
    (match,) = line["matches"]
    without = {name: value for name, value in line.items() if name != "mtime_ns"}
    odd = [
        without, line | {"policy": []}, line | {"reason": []}, line | {"media": 5},
        line | {"bytes": 10**400}, line | {"bytes": -(10**400)},
        line | {"lists": [{}]}, line | {"same": 5}, line | {"same": [math.inf]},
        line | {"archives": [math.inf]},
    ]  # fmt: skip
    for wrong in (
        {"list": None}, {"source": None}, {"entry": None}, {"state": []}, {"kind": []},
        {"radius": -1}, {"radius": 10**9}, {"distance": -1}, {"distance": 32}, {"distance": "x"},
        {"video": {"input_span": 5, "listed_span": [0, 1]}}, {"video": 5},
        {"box": 5}, {"box": [0, 0, 9]}, {"box": "0099"}, {"box": [9, 0, 9, 9]}, {"box": {}},
        {"box": [0, 0, 9.5, 9]}, {"box": [-1, 0, 9, 9]}, {"box": ["0", "0", "9\">", "9"]},
        {"box": [0, 0, 1 << 31, 9]},
    ):  # fmt: skip
        odd.append(line | {"matches": [match, match | wrong]})
    odd.append(line | {"matches": [match, {}]})
    odd = [one | {"input": f"odd {n}"} for n, one in enumerate(odd)]
    odd.append({name: line[name] for name in line if name != "input"} | {"matches": []})
    lines = [json.dumps(one) + "\n" for one in odd]
    results.write_bytes(whole + "".join(lines).encode())

    assert report_page.write_html(results, tmp_path / "r.html") == len(odd)
    page = (tmp_path / "r.html").read_text()
    note = f"<p>{len(odd)} lines could not be read.</p>"
    assert note in page
    assert page.replace(note, "") == (tmp_path / "whole.html").read_text()


def test_reports_state_what_found_a_hit(make_list, scene, tmp_path):
    """Evidence has its threshold and view, and a hit in shadow is marked; so is each effort."""
    known = make_list([{"id": "P", "pdq": pdq.compute(np.asarray(scene(1))).text}])
    copy = scene(1).crop((12, 9, scene(1).width - 12, scene(1).height - 9))
    with output.open_jsonl(tmp_path / "r.jsonl") as out:
        for shadow in (False, True):
            policy = Policy(effort="views", evidence={"pdq": 70}, shadow_evidence=shadow)
            out.write(Screener(known, policy=policy).screen(copy, input=f"shadow {shadow}"))
        out.write(
            Screener(known, policy=Policy(effort="evidence")).screen(scene(1), input="as it is")
        )
    report_page.write_html(tmp_path / "r.jsonl", tmp_path / "r.html")
    spreadsheet.write_csv(tmp_path / "r.jsonl", tmp_path / "r.csv")

    with (tmp_path / "r.csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = {row["input"]: row for row in csv.DictReader(stream)}
    evidence, shadow, distance = (
        rows[name] for name in ("shadow False", "shadow True", "as it is")
    )
    assert evidence["view"].startswith("uncrop")
    for row, hit, in_shadow in ((evidence, "match", ""), (shadow, "other", "True")):
        shown = [row[name] for name in ("by", "hit", "threshold", "shadow", "distance", "effort")]
        assert shown == ["evidence", hit, "70", in_shadow, "", "views"]
        assert float(row["evidence"]) >= 70
    shown = [distance[name] for name in ("by", "distance", "evidence", "view", "shadow", "effort")]
    assert shown == ["distance", "0", "", "", "", "evidence"]

    matches, other_hits, *rest = (tmp_path / "r.html").read_text("utf-8").split("<h2>")[1:]
    nearness = f"<td>evidence {float(evidence['evidence']):.0f}, threshold 70</td>"
    assert f"{nearness}<td>upright, full, {evidence['view']}</td>" in matches
    assert "<td>distance 0</td><td>upright, full</td>" in matches
    assert f"{nearness}<td>upright, full, {evidence['view']}, shadow</td>" in other_hits
    decided = next(one for one in rest if one.startswith("Decided by"))
    assert re.findall("<th>effort</th><td><bdi>(.*?)</bdi></td><td.*?>(.)<", decided) == [
        ("evidence", "1"), ("views", "2")
    ]  # fmt: skip


@pytest.mark.parametrize("write", [report_page.write_html, spreadsheet.write_csv])
def test_no_report_is_made_of_a_pipe(results, tmp_path, write):
    """It gives its lines once, and the page that is read from it in two goes counted none."""
    reading, writing = os.pipe()
    os.write(writing, results.read_bytes()[:4096])
    os.close(writing)
    try:
        with pytest.raises(OutputError, match="not a regular file"):
            write(f"/dev/fd/{reading}", tmp_path / "made")
    finally:
        os.close(reading)
    assert not (tmp_path / "made").exists()


def test_a_line_without_end_is_refused(results, tmp_path, monkeypatch):
    """What is longer than any result is not read into memory, and its place is told."""
    number = len(results.read_bytes().splitlines()) + 1
    monkeypatch.setattr("screener.scanning.result_lines._MAX_LINE_BYTES", 5_000)
    with results.open("ab") as stream:
        stream.write(b"\0" * 15_000)
    engine = Screener(HashList.create(tmp_path / "two.list"))

    for read in (
        lambda: report_page.write_html(results, tmp_path / "r.html"),
        lambda: spreadsheet.write_csv(results, tmp_path / "r.csv"),
        lambda: output.resume_jsonl(results, engine),
    ):
        with pytest.raises(OutputError, match=f"line {number}: longer than 5,000 bytes"):
            read()


def test_a_table_passes_over_a_damaged_line_and_counts_it(results, tmp_path):
    """A line that lacks what a row is made of costs itself, and not the rows behind it."""
    whole = results.read_bytes()
    spreadsheet.write_csv(results, tmp_path / "whole.csv")
    odd = json.loads(whole.splitlines()[0]) | {"input": "odd", "lists": [{}]}
    lines = [b'{"schema":1,"verdict":"match","input":"x"}', json.dumps(odd).encode(), b"[]"]
    results.write_bytes(b"\n".join(lines) + b"\n" + whole)

    assert spreadsheet.write_csv(results, tmp_path / "r.csv") == 3
    assert (tmp_path / "r.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("ending", ["html", "csv"])
def test_a_full_disk_is_told_with_the_name_of_the_report(results, tmp_path, ending):
    """Whoever reads the error knows which disk it was."""
    full = tmp_path / f"r.{ending}"
    full.symlink_to("/dev/full")

    done = screener("report", results, "-o", full)

    assert done.returncode == 2
    assert done.stderr.startswith(f"screener: {full}: No space left on device: make room")


@pytest.fixture
def with_other_hits(make_list, tmp_path):
    """Results of which some hit seeds and known-good records, and many could not be screened."""
    from dataclasses import replace

    digests = [f"{number:02x}" * 16 for number in range(3)]
    known = make_list(
        [
            {"id": "bad", "md5": digests[0], "pdq": LISTED},
            {"id": "lead", "md5": digests[1], "status": "seed"},
            {"id": "logo", "md5": digests[2], "status": "known_good"},
        ]
    )
    engine = Screener(known)
    cleared = Hash.parse("pdq", "f0" * 32)
    with output.open_jsonl(tmp_path / "other_hits.jsonl") as out:
        out.write(engine.match([cleared], input="cleared"))
        for number in range(130):
            out.write(engine.screen(f"gone-{number}"))
        out.write(replace(engine.screen(b""), input="<b>hollow</b>", detail="=1+1 <i>no</i>"))
        out.write(engine.match([Hash.parse("md5", digests[1]), cleared], input="of a seed"))
        out.write(engine.match([Hash.parse("md5", digests[2])], input="of a logo"))
        both = [Hash.parse("md5", one) for one in digests[:2]]
        out.write(engine.match(both, input="match and seed"))
    return tmp_path / "other_hits.jsonl"


def test_a_page_begins_with_what_matters_and_names_what_was_not_screened(with_other_hits, tmp_path):
    """Matches, then other hits, then what was not screened by its reason, then statistics;
    with a date. Of very many inputs some are named, and how many more there are.
    """
    os.utime(with_other_hits, (1_700_000_000, 1_700_000_000))
    report_page.write_html(with_other_hits, tmp_path / "r.html")

    html = (tmp_path / "r.html").read_text("utf-8")
    text = " ".join(" ".join(Page(html).text).split())
    sections = re.findall("<h2>(.*?)</h2>", html)
    assert sections[:4] == [
        "Matches", "Other hits", "Not screened", "Matches by the day of the file"
    ]  # fmt: skip
    matches, other_hits, unscreened, *rest = html.split("<h2>")[1:]
    assert "match and seed" in matches
    assert "of a seed" not in matches
    assert [entry for entry in ("bad", "lead", "logo") if f"<bdi>{entry}</bdi>" in other_hits] == [
        "lead", "logo"
    ]  # fmt: skip
    assert "2 seed, 1 known_good" in other_hits
    rows = re.findall(r"<tr><td><bdi>(.*?)</bdi>.*?<td>(\w+)</td></tr>", other_hits)
    assert sorted(rows) == [
        ("match and seed", "match"), ("of a logo", "unscreened"), ("of a seed", "no_match")
    ]  # fmt: skip
    assert unscreened.count("<bdi>gone-") == 100
    assert "… and 30 more: the table (-o NAME.csv) has all." in unscreened
    assert "<bdi>&lt;b&gt;hollow&lt;/b&gt;</bdi>" in unscreened
    assert not any("gone-" in one for one in rest if one.startswith(("Matches", "Decided")))
    assert "unreadable: 130" in text
    assert f"Page made on {datetime.now(UTC):%Y-%m-}" in text
    assert "results last written 2023-11-14 22:13 UTC" in text


def test_a_table_has_every_hit_and_every_input_in_the_order_in_which_they_matter(
    with_other_hits, tmp_path
):
    """A row for each match, then each other hit, then each input that was not screened with its
    reason, then the rest: a spreadsheet shows the first million rows only.
    """
    spreadsheet.write_csv(with_other_hits, tmp_path / "r.csv")

    with (tmp_path / "r.csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    told = [(row["input"], row["verdict"], row["hit"], row["entry"]) for row in rows]
    assert told == [
        ("match and seed", "match", "match", "bad"),
        ("of a seed", "no_match", "other", "lead"),
        ("of a logo", "unscreened", "other", "logo"),
        ("match and seed", "match", "other", "lead"),
        *((f"gone-{number}", "unscreened", "", "") for number in range(130)),
        ("<b>hollow</b>", "unscreened", "", ""),
        ("cleared", "no_match", "", ""),
    ]
    assert {row["reason"] for row in rows[4:-2]} == {"unreadable"}
    assert [row["reason"] for row in rows[-2:]] == ["empty", ""]


def test_a_page_stays_small_whatever_was_not_screened(with_other_hits, tmp_path):
    """Millions of inputs of foreign reasons and of names as long as an archive's may be."""
    line = json.loads(with_other_hits.read_text().splitlines()[1])
    name = "n" * 65_000
    with with_other_hits.open("w") as out:
        for number in range(20_000):
            long = name if number < 900 else ""
            reason = f"r{number % 50}"
            facts = line | {"input": f"{number}{long}", "reason": reason, "detail": long}
            out.write(json.dumps(facts) + "\n")
    report_page.write_html(with_other_hits, tmp_path / "r.html")

    page = (tmp_path / "r.html").read_text("utf-8")
    assert "20,000" in page
    assert "more: the table" in page
    assert page.count("<bdi>") <= 40 * 100 + 30
    assert len(page) < 4 << 20


def test_a_page_fits_a_phone(with_other_hits, tmp_path):
    """It is laid out by the width of the screen; a row of hits becomes a block with the names of
    its columns beside the values, in the order in which they stand.
    """
    report_page.write_html(with_other_hits, tmp_path / "r.html")

    html = (tmp_path / "r.html").read_text("utf-8")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1"/>' in html
    narrow = html.partition("@media (max-width:40rem)")[2]
    labels = re.findall(r'\.hits td:nth-child\((\d+)\)::before\{content:"(\w+)"\}', narrow)
    heads = re.findall(
        "<th>([a-z]+)</th>", html.partition("<h2>Other hits")[2].split("</thead>")[0]
    )
    assert len(heads) == 10
    assert labels == [(str(n), head) for n, head in enumerate(heads, 1)]


def test_a_report_says_what_it_wrote(with_other_hits, tmp_path):
    """On standard error, the page or the table by its name, in each language."""
    for ending, said, dit in (
        ("html", "The page is", "La page est"), ("csv", "The table is", "Le tableau est")
    ):  # fmt: skip
        path = tmp_path / f"r.{ending}"
        done = screener("report", with_other_hits, "-o", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{said} {path}.\n")
        done = screener("report", "--language", "fr", with_other_hits, "-o", path)
        assert done.stderr == f"{dit} {path}.\n"


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to look with")
def test_a_browser_shows_it_and_complains_of_nothing(results, tmp_path):
    """The style that the policy allows by its hash is applied, and nothing was refused."""
    report_page.write_html(results, tmp_path / "r.html")
    call = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=900,1600",
        f"--screenshot={tmp_path / 'r.png'}", f"file://{tmp_path / 'r.html'}",
    ]  # fmt: skip
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=True)

    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr
    from PIL import Image

    with Image.open(tmp_path / "r.png") as picture:
        colours = {c for _, c in picture.convert("RGB").getcolors(1 << 24)}
    assert (0xF6, 0xF7, 0xF9) in colours  # the page's own background: the style is there
    assert (0x3B, 0x6E, 0xA5) in colours  # a bar
