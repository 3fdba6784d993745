"""The commands that keep a list, as processes: exit codes, tables, JSON, and what errors name."""

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import weakref
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_process import CALL, generation, make_list, refused, screener, value
from rich.console import Console

from screener import HashList, Screener
from screener.cli import list_text
from screener.cli.app import cli
from screener.cli.decision_options import recorded
from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.importing.quarantine import NotCompared, SetAside
from screener.lists.inspecting.entry import Shown, ShownHash
from screener.lists.store import match_counts
from screener.reporting.output import claim_jsonl


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A list made once, not to be changed."""
    return make_list(tmp_path_factory.mktemp("made"))


@pytest.fixture
def known(made, tmp_path):
    """A copy of that list, to be changed."""
    return shutil.copytree(made, tmp_path / "known.list")


# --- show


def test_show_explains_an_entry_in_lines_and_in_json(made):
    """For each source that has it: states, labels, import, generation, who else, how often."""
    told = screener("show", made, "a1")
    lines = [
        json.loads(line) for line in screener("show", made, "a1", "--json").stdout.splitlines()
    ]

    assert told.returncode == 0
    for part in (
        "a: a1 is confirmed", "category A of uk-sentencing-council", "series: red",
        "terms: tlp GREEN", "from generation 1 to now: confirmed, from a.csv (csv)", "by ann",
        "the same as b: a1 (known_good)", "b: a1 is known_good",
    ):  # fmt: skip
        assert part in told.stdout
    assert [(one["source"], one["state"], one["versions"][0]["since"]) for one in lines] == [
        ("a", "confirmed", 1),
        ("b", "known_good", 2),
    ]
    assert {one["kind"]: one["value"] for one in lines[0]["hashes"]} == dict.fromkeys(
        ("md5", "pdq", "sha256")
    )


def test_show_tells_values_only_when_asked(made):
    """Neither form has them without --values; both have them with it."""
    for form in ((), ("--json",)):
        call = ("show", made, "a1", "--source", "a", *form)
        assert value(1) not in screener(*call).stdout
        assert value(1) in screener(*call, "--values").stdout


def test_show_names_the_entry_and_source_that_are_not_there(made):
    """An unknown entry, a source that has not got it, a folder that is no list."""
    assert "no entry 'zz'" in refused("show", made, "zz")
    assert "no entry 'a2' of b" in refused("show", made, "a2", "--source", "b")
    assert "is not a list" in refused("show", made / "segments", "a1")


def test_show_counts_the_matches_of_a_run_that_counted(known):
    """`match --count` adds to it, and without the option nothing is counted."""
    line = f"md5 {value(2)}\n"
    assert screener("match", "--list", known, input=line).returncode == 1
    assert "matched" not in screener("show", known, "a2").stdout
    assert screener("match", "--list", known, "--count", input=line * 3).returncode == 1
    assert "matched by md5: 3" in screener("show", known, "a2").stdout


def test_of_results_that_are_counted_none_is_held(known, tmp_path):
    """Not one by the time that the next but one comes, though all are counted at the end."""
    engine, held = Screener(HashList.open(known)), []

    def results():
        for _ in range(20):
            result = engine.match([Hash.parse("md5", value(2))])
            held.append(weakref.ref(result))
            yield result
            del result
            assert sum(one() is not None for one in held) <= 2

    with ExitStack() as stack, claim_jsonl(tmp_path / "out.jsonl") as out:
        for _ in recorded(results(), stack, engine, out=out, log=None, count=True):
            pass

    (counted,) = match_counts.of_entry(known, "a", "a2")["md5"].values()
    assert counted == 20


def test_a_list_that_cannot_count_is_refused_before_anything_is_screened(
    known, tmp_path, monkeypatch
):
    """Read-only, say: at the end of a long scan it is too late, and its exit code says no match."""
    out = tmp_path / "out.jsonl"
    call = ["match", "--list", str(known), "--count", "-o", str(out)]
    monkeypatch.setattr(os, "access", lambda path, how: how != os.W_OK or Path(path) != known)
    told = CliRunner().invoke(cli, call, input=f"md5 {value(2)}\n", standalone_mode=False)
    assert isinstance(told.exception, ListError)
    assert "cannot count matches" in str(told.exception)
    assert not out.exists()


@pytest.mark.parametrize("command", ["match", "scan", "rescan"])
def test_counts_are_kept_of_a_list_that_is_imported_only(command, tmp_path):
    """A list file goes with the command, and counts with it: refused before it is read."""
    (tmp_path / "k.csv").write_text("id,md5\n")
    (tmp_path / "cache").touch()
    rest = {"match": (), "scan": (tmp_path,), "rescan": ("--cache", tmp_path / "cache")}[command]
    told = refused(command, *rest, "--list", tmp_path / "k.csv", "--count")
    assert "--count adds to a list's own counts, and" in told
    assert "k.csv is a list file: import it first" in told


# --- opinion


def test_an_opinion_shows_on_the_match_and_its_taking_back_ends_it(known):
    """The line says disputed, by whom and why; withdrawn, it is as the source has it."""
    call = ("opinion", known, "a1", "--source", "a", "--by", "ann", "--reason", "a stock photo")
    given = screener(*call, "--state", "disputed")
    (line,) = screener("match", "--list", known, input=f"md5 {value(1)}\n").stdout.splitlines()
    taken = screener(*call, "--state", "withdrawn")

    assert (given.returncode, given.stdout, given.stderr) == (0, "", "generation 3\n")
    (match,) = json.loads(line)["matches"]
    assert (match["state"], match["source_state"]) == ("disputed", "confirmed")
    assert [(o["by"], o["reason"]) for o in match["opinions"]] == [("ann", "a stock photo")]
    assert (taken.returncode, taken.stderr) == (0, "generation 4\n")
    assert "a: a1 is confirmed" in screener("show", known, "a1").stdout


def test_an_opinion_that_is_not_whole_is_refused_by_what_is_missing(known):
    """Each sentence names the option, the entry or the source; nothing is written."""
    who = ("--by", "ann", "--reason", "x")
    for arguments, said in (
        (("a2", "--state", "disputed", "--reason", "x"), "--by"),
        (("a2", "--state", "disputed", "--by", "ann"), "--reason"),
        (("a2", *who), "--state"),
        (("a2", "--state", "seed", *who), "--state"),
        (("a2", "--state", "disputed", "--by", "ann", "--reason", " "), "needs reason"),
        (("zz", "--state", "disputed", *who), "no entry 'zz'"),
        (("a1", "--state", "disputed", *who), "several sources"),
    ):
        assert said in refused("opinion", known, *arguments)
    assert generation(known) == 2


# --- quarantine


def test_quarantine_shows_rows_and_values_in_a_table_and_in_json(made):
    """File, line, field and reason of each row; whose values are not compared, and why."""
    told = screener("quarantine", made)
    found = json.loads(screener("quarantine", made, "--json").stdout)

    assert told.returncode == 0
    assert [line.split()[:4] for line in told.stdout.splitlines()[1:3]] == [
        ["1", "a.csv", "5", "a"],
        ["2", "a.csv", "6", "a"],
    ]
    assert "a: a3: pdq is not compared: low information" in told.stdout
    assert [(row["line"], row["field"], row["releasable"]) for row in found["rows"]] == [
        (5, "pdq", True),
        (6, "pdq", False),
    ]
    assert found["values"] == [
        {"source": "a", "entry": "a3", "kind": "pdq", "reason": "low information"}
    ]


@pytest.mark.parametrize("count", [40, 1_000])
def test_of_many_rows_in_quarantine_a_person_sees_some_and_how_many_of_each(count):
    """Those first that nobody has released, and what there is of each trouble in all; of each row
    whether it can be released, or in which generation it was.
    """
    rows = [
        SetAside(n, "a.csv", n, "md5", reason, "a", n != 10, 3 if n < 9 else None)
        for n, reason in zip(range(count), cycle(("short", "bad", "bad", "bad")), strict=False)
    ]
    values = [NotCompared("a", f"e{n}", "pdq", "low information") for n in range(count)]
    out = io.StringIO()

    list_text.print_quarantine(Console(file=out, width=200), rows, values)

    told = out.getvalue().splitlines()
    assert [line.split()[-1] for line in told[1:4]] == ["possible", "-", "possible"]
    if count == 40:
        assert {line.strip()[-12:] for line in told[32:41]} == {"generation 3"}
        assert len(told) == 1 + 40 + 40
        assert "more" not in out.getvalue()
        return
    assert [line.split()[0] for line in told[1:21]] == [str(n) for n in range(9, 29)]
    assert told[21:24] == [
        "… and 980 more: --json has all. Of each there are:", "  750 md5: bad", "  250 md5: short"
    ]  # fmt: skip
    assert told[24] == "a: e0: pdq is not compared: low information"
    assert told[-1] == "  1000 pdq is not compared: low information"
    assert len(told) == 46


def test_of_very_many_troubles_a_person_sees_how_many_are_not_counted():
    """As where a file has one of its own in each row: the commonest are counted."""
    rows = [SetAside(n, "a", n, None, f"bad {n // 2}", "a", False, None) for n in range(100)]
    out = io.StringIO()

    list_text.print_quarantine(Console(file=out, width=200), rows, [])

    assert out.getvalue().splitlines()[-2:] == ["  2 bad 19", "  … and 30 more sorts"]


def test_of_many_hashes_and_others_that_hold_one_a_person_sees_some():
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
    assert told[1:3] == ["  pdq, quality 50", "    the same as b: o0 (confirmed)"]
    assert told[22:26] == [
        "    … and 80 more: --json has all. Of each there are:",
        "      75 seed",
        "      25 confirmed",
        "  md5",
    ]
    assert told[66:84] == ["  pdq, not compared: low information"] * 18
    assert told[84:] == [
        "  … and 80 more: --json has all. Of each there are:",
        "    98 pdq, not compared: low information", "    1 pdq", "    1 md5",
        "  matched by pdq: 5, last on 2026-02-01: 3",
    ]  # fmt: skip


def test_quarantine_releases_rows_and_values(known):
    """What is released is matched from then on, and the log names who did it and why."""
    who = ("--by", "ann", "--reason", "looked at it")
    line = f"md5 {value(4)}\n"
    assert screener("match", "--list", known, "--digests-only", input=line).returncode == 0

    row = screener("quarantine", known, "--release", 1, *who)
    entry = screener("quarantine", known, "--release-entry", "a3", "--kind", "pdq", *who)

    assert (row.returncode, row.stderr) == (0, "released; generation 3\n")
    assert (entry.returncode, entry.stderr) == (0, "released; generation 4\n")
    assert screener("match", "--list", known, input=line).returncode == 1
    assert json.loads(screener("quarantine", known, "--json").stdout)["values"] == []
    log = [json.loads(one) for one in screener("log", known, "--json").stdout.splitlines()]
    assert [(one["what"], one["by"]) for one in log[-2:]] == [("release", "ann")] * 2


def test_a_release_that_is_not_whole_is_refused(known):
    """Without a name, a reason or a kind, of a row that has nothing, of both sorts at once."""
    who = ("--by", "ann", "--reason", "x")
    for arguments, said in (
        (("--release", 1, "--by", "ann"), "who decided it and why"),
        (("--release", 1, "--reason", "x"), "who decided it and why"),
        (("--release", 2, *who), "row 2 cannot be released"),
        (("--release", 99, *who), "row 99 cannot be released"),
        (("--release-entry", "a3", *who), "--kind"),
        (("--release-entry", "a3", "--kind", "md5", *who), "no md5 value of the entry 'a3'"),
        (("--release-entry", "a3", "--kind", "photodna", *who), "never compared"),
        (("--release", 1, "--release-entry", "a3", "--kind", "pdq", *who), "not both"),
        (("--by", "ann"), "nothing is released"),
    ):
        assert said in refused("quarantine", known, *arguments)
    assert generation(known) == 2


# --- log, rollback, purge


def test_the_log_names_who_asked_and_counts_in_a_table_and_in_json(made):
    """Oldest first: what was done, by whom, from which file, with which counts."""
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


def test_rollback_writes_a_higher_generation_and_says_which(known):
    """And the log says who asked; a generation that is none, or the newest, is refused."""
    who = ("--by", "ann", "--reason", "a bad file")
    done = screener("rollback", known, "--to", 1, *who)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "generation 3\n")
    last = json.loads(screener("log", known, "--json").stdout.splitlines()[-1])
    assert (last["what"], last["by"], last["note"]) == ("rollback to 1", "ann", "a bad file")
    assert "no entry 'a1' of b" in refused("show", known, "a1", "--source", "b")
    assert "no generation 99" in refused("rollback", known, "--to", 99, *who)
    assert "is the newest" in refused("rollback", known, "--to", 3, *who)
    assert "--by" in refused("rollback", known, "--to", 1, "--reason", "x")
    assert generation(known) == 3


@pytest.mark.parametrize("given", ["<&-", "</dev/null"])
def test_purge_says_that_nobody_can_be_asked(known, given):
    """Where standard input is closed or empty, as of a service; nothing is erased."""
    call = f"{sys.executable} -c '{CALL[-1]}' purge {known} --source a --by ann {given}"
    done = subprocess.run(call, shell=True, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert "nobody can be asked, as standard input is closed: give --yes" in done.stderr
    assert generation(known) == 2


def test_purge_asks_first_and_counts_what_it_took(known):
    """Without a yes nothing goes; with it the source is gone, the log keeps counts and name."""
    call = ("purge", known, "--source", "a", "--by", "ann", "--reason", "contract ended")
    unsure = screener(*call, input="n\n")
    assert unsure.returncode == 2
    assert "nothing was erased" in unsure.stderr
    assert "interrupted" not in unsure.stderr
    assert generation(known) == 2

    done = screener(*call, "--yes")

    assert (done.returncode, done.stdout) == (0, "")
    assert "purged 3 records (3 versions, 6 hashes) of a; generation 3" in done.stderr
    assert screener("match", "--list", known, input=f"md5 {value(2)}\n").returncode != 1
    last = json.loads(screener("log", known, "--json").stdout.splitlines()[-1])
    assert (last["what"], last["by"]) == ("purge", "ann")
    assert "contract ended" in last["note"]
    assert "nothing of the source 'a'" in refused(*call, "--yes")


def test_every_command_that_changes_a_list_says_so_for_an_older_one(known):
    """A list of the format before is refused with the one command that helps."""
    with closing(sqlite3.connect(known / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE meta SET value = '1' WHERE name = 'format'")
    who = ("--by", "ann", "--reason", "x")
    for call in (
        ("show", known, "a1"), ("log", known), ("quarantine", known), ("terms", known),
        ("opinion", known, "a2", "--state", "disputed", *who), ("info", known),
        ("rollback", known, "--to", 1, *who), ("purge", known, "--source", "a", *who, "--yes"),
        ("export", known, "--format", "csv", "-o", known.parent / "o"), ("compact", known),
    ):  # fmt: skip
        assert f"`screener upgrade {known}`" in refused(*call)


def test_no_name_commands_the_terminal(tmp_path):
    """A file and a list whose names hold control characters are told without them."""
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


# --- all of them


@pytest.mark.parametrize(
    "call",
    [
        ("show", "LIST", "a\udcff"),
        ("show", "LIST", "a1", "--source", "\udcff"),
        ("opinion", "LIST", "\udcff", "--state", "disputed", "--by", "a", "--reason", "x"),
        ("quarantine", "LIST", "--release-entry", "\udcff", "--kind", "pdq", "--by", "a"),
        ("purge", "LIST", "--source", "\udcff", "--by", "a", "--yes"),
        ("terms", "LIST", "--source", "\udcff", "--tlp", "RED"),
        ("import", "LIST/../a.csv", "--into", "LIST", "--by", "\udcff"),
    ],
)
def test_what_is_typed_in_another_encoding_is_a_mistake(made, call):
    """And no fault of ours: no list can hold it."""
    (made.parent / "a.csv").touch()
    done = CliRunner().invoke(cli, [one.replace("LIST", str(made)) for one in call])

    assert (done.exit_code, "no text in UTF-8" in done.output) == (2, True)
