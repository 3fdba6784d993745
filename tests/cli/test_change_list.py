"""Commands that change a list: exit codes, generations and refusals."""

import io
import json
import subprocess
import sys
from itertools import cycle

import pytest
from click.testing import CliRunner
from command_process import CALL, generation, refused, screener, value
from rich.console import Console

from screener.cli import list_text
from screener.cli.app import cli
from screener.lists.importing.quarantine import QuarantinedRow, UncomparedHash


def test_terms_are_shown_and_set_and_bind_the_next_export(known, tmp_path):
    """Terms that are not given stay; an unknown source is refused."""
    file = tmp_path / "terms.toml"
    file.write_text('tlp = "GREEN"\nexpires = 2000-01-31\n')
    said = json.loads(screener("terms", known).stdout)
    assert said == {"a": {"tlp": "GREEN", "redistribution": True, "expires": "2999-12-31"}}

    done = screener("terms", known, "--source", "a", "--terms", file, "--by", "ann")

    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(screener("terms", known).stdout)["a"]["expires"] == "2000-01-31"
    log = screener("log", known).stdout
    assert "; tlp GREEN, redistribution yes, expires 2999-12-31" in log  # of the import
    assert "ann  a: tlp GREEN, expires 2000-01-31" in log
    late = refused("export", known, "--format", "csv", "-o", tmp_path / "o", "--source", "a")
    assert "a: expired" in late
    for arguments, words in (
        (("--tlp", "GREEN"), "--source"),
        (("--source", "a", "--tlp", "PINK"), "tlp must be one of"),
        (("--source", "a", "--expires", "soon"), "expires must be a day"),
        (("--source", "zz", "--tlp", "GREEN"), "nothing of the source 'zz'"),
    ):
        assert words in refused("terms", known, *arguments)


def test_an_opinion_shows_on_matches_until_it_is_withdrawn(known):
    """The result names state, author and reason."""
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


def test_an_incomplete_opinion_is_refused(known):
    """The message names the missing option, entry or source; nothing is written."""
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


def test_quarantine_lists_rows_and_values_not_compared(made):
    """File, line, field and reason, as a table and as JSON."""
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
def test_many_quarantined_rows_are_shown_in_part(count):
    """Those first that nobody has released, and what there is of each trouble in all; of each row
    whether it can be released, or in which generation it was.
    """
    rows = [
        QuarantinedRow(n, "a.csv", n, "md5", reason, "a", n != 10, 3 if n < 9 else None)
        for n, reason in zip(range(count), cycle(("short", "bad", "bad", "bad")), strict=False)
    ]
    values = [UncomparedHash("a", f"e{n}", "pdq", "low information") for n in range(count)]
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
        "… and 980 more: --json lists all. By reason:", "  750 md5: bad", "  250 md5: short"
    ]  # fmt: skip
    assert told[24] == "a: e0: pdq is not compared: low information"
    assert told[-1] == "  1000 pdq is not compared: low information"
    assert len(told) == 46


def test_many_quarantine_reasons_are_shown_in_part():
    """The most common ones are counted."""
    rows = [QuarantinedRow(n, "a", n, None, f"bad {n // 2}", "a", False, None) for n in range(100)]
    out = io.StringIO()

    list_text.print_quarantine(Console(file=out, width=200), rows, [])

    assert out.getvalue().splitlines()[-2:] == ["  2 bad 19", "  … and 30 more reasons"]


def test_released_rows_and_values_match(known):
    """The log names who released them and why."""
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


def test_an_incomplete_release_is_refused(known):
    """A missing name, reason or kind, an unreadable row, or both options at once."""
    who = ("--by", "ann", "--reason", "x")
    for arguments, said in (
        (("--release", 1, "--by", "ann"), "its author and a reason"),
        (("--release", 1, "--reason", "x"), "its author and a reason"),
        (("--release", 2, *who), "row 2 cannot be released"),
        (("--release", 99, *who), "row 99 cannot be released"),
        (("--release-entry", "a3", *who), "--kind"),
        (("--release-entry", "a3", "--kind", "md5", *who), "no md5 value of the entry 'a3'"),
        (("--release-entry", "a3", "--kind", "photodna", *who), "never compared"),
        (("--release", 1, "--release-entry", "a3", "--kind", "pdq", *who), "cannot be combined"),
        (("--by", "ann"), "nothing is released"),
    ):
        assert said in refused("quarantine", known, *arguments)
    assert generation(known) == 2


def test_rollback_writes_a_new_generation(known):
    """The log names its author; an unknown or the newest generation is refused."""
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
def test_purge_needs_yes_if_standard_input_is_closed(known, given):
    """Nothing is erased."""
    call = f"{sys.executable} -c '{CALL[-1]}' purge {known} --source a --by ann {given}"
    done = subprocess.run(call, shell=True, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert "cannot ask for confirmation, as standard input is closed: add --yes" in done.stderr
    assert generation(known) == 2


def test_purge_asks_and_counts_what_it_erased(known):
    """After a no, nothing is erased; after a yes, the log has counts and name."""
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
def test_arguments_that_are_not_utf8_are_usage_errors(made, call):
    """No list can store them."""
    (made.parent / "a.csv").touch()
    done = CliRunner().invoke(cli, [one.replace("LIST", str(made)) for one in call])

    assert (done.exit_code, "not text in UTF-8" in done.output) == (2, True)
