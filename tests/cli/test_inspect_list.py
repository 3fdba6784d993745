"""Commands that read a list: what they print, and what they keep secret."""

import io
import json

from command_process import refused, screener, value
from rich.console import Console

from screener.cli import list_text
from screener.lists.inspecting.shown_entry import Shown, ShownHash


def test_show_prints_an_entry_of_each_source(made):
    """States, labels, imports, generations and other holders, as text and JSON."""
    told = screener("show", made, "a1")
    lines = [
        json.loads(line) for line in screener("show", made, "a1", "--json").stdout.splitlines()
    ]

    assert told.returncode == 0
    for part in (
        "a: a1 is confirmed", "category A of uk-sentencing-council", "series: red",
        "terms: tlp GREEN", "from generation 1 to now: confirmed, from a.csv (csv)", "by ann",
        "also of b: a1 (known_good)", "b: a1 is known_good",
    ):  # fmt: skip
        assert part in told.stdout
    assert [(one["source"], one["state"], one["versions"][0]["since"]) for one in lines] == [
        ("a", "confirmed", 1),
        ("b", "known_good", 2),
    ]
    assert {one["kind"]: one["value"] for one in lines[0]["hashes"]} == dict.fromkeys(
        ("md5", "pdq", "sha256")
    )


def test_show_prints_values_only_with_the_option(made):
    """Both as text and as JSON."""
    for form in ((), ("--json",)):
        call = ("show", made, "a1", "--source", "a", *form)
        assert value(1) not in screener(*call).stdout
        assert value(1) in screener(*call, "--values").stdout


def test_show_names_an_unknown_entry_or_source(made):
    """A folder that is not a list is refused too."""
    assert "no entry 'zz'" in refused("show", made, "zz")
    assert "no entry 'a2' of b" in refused("show", made, "a2", "--source", "b")
    assert "is not a list" in refused("show", made / "segments", "a1")


def test_show_prints_the_counts_of_match_count(known):
    """Without --count nothing is counted."""
    line = f"md5 {value(2)}\n"
    assert screener("match", "--list", known, input=line).returncode == 1
    assert "matched" not in screener("show", known, "a2").stdout
    assert screener("match", "--list", known, "--count", input=line * 3).returncode == 1
    assert "matches by md5: 3" in screener("show", known, "a2").stdout


def test_many_hashes_of_an_entry_are_shown_in_part():
    """How many there are of each kind and state stands below; of few, each is shown. How often it
    matched stands at the end, with the last day.
    """
    others = tuple(("b", f"o{n}", "seed" if n % 4 else "confirmed") for n in range(100))
    hashes = [ShownHash("pdq", 50, None, others)]
    hashes += [ShownHash("md5", None, None, others[:40])]
    hashes += [ShownHash("pdq", None, "low information", ()) for _ in range(98)]
    shown = Shown(
        "a", "e", "confirmed", "confirmed", (), (), {}, None, {}, tuple(hashes), (),
        {"pdq": {"2026-02-01": 3, "2026-01-31": 2}}, False,
    )  # fmt: skip
    out = io.StringIO()

    list_text.print_entry(Console(file=out, width=200), shown)

    told = out.getvalue().splitlines()
    assert told[1:3] == ["  pdq, quality 50", "    also of b: o0 (confirmed)"]
    assert told[22:26] == [
        "    … and 80 more: --json lists all. By reason:",
        "      75 seed",
        "      25 confirmed",
        "  md5",
    ]
    assert told[66:84] == ["  pdq, not compared: low information"] * 18
    assert told[84:] == [
        "  … and 80 more: --json lists all. By reason:",
        "    98 pdq, not compared: low information", "    1 pdq", "    1 md5",
        "  matches by pdq: 5, last on 2026-02-01: 3",
    ]  # fmt: skip


def test_the_log_names_author_file_and_counts(made):
    """Oldest first, as a table and as JSON."""
    told = screener("log", made)
    lines = [json.loads(line) for line in screener("log", made, "--json").stdout.splitlines()]

    assert told.returncode == 0
    assert [(one["what"], one.get("by"), one.get("file")) for one in lines] == [
        ("created", None, None),
        ("import", "ann", "a.csv"),
        ("import", "bob", "b.csv"),
    ]
    counts = lines[1]["counts"]
    assert (counts["rows"], counts["added"], sum(counts["quarantined"].values())) == (5, 3, 2)
    assert "a.csv (a): 5 rows, 3 added" in told.stdout
    assert "ann" in told.stdout


def test_control_characters_of_names_are_not_printed(tmp_path):
    """Names of files and lists."""
    file, known = tmp_path / "a\x1b[31m.csv", tmp_path / "k\x1b[31m.list"
    file.write_text(f"id,md5\nx,{value(1)}\n")

    told = [
        screener("import", file, "--into", known, "--source", "s"),
        screener("info", known),
        screener("bench", known, "--seconds", "0.1"),
    ]

    assert [done.returncode for done in told] == [0, 0, 0]
    for done in told:
        assert "\ufffd[31m" in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
