"""Every wrong call ends with 2 and two lines: what is wrong, and the command that helps."""

import re

import click
import pytest
from command_process import refused, screener
from paths import REPOSITORY

from screener.cli.app import cli

CSV = str(REPOSITORY / "fixtures/known.csv")


@pytest.mark.parametrize(
    ("call", "message", "command"),
    [
        ("scan", "PATHS is missing", "scan"),
        ("scan x", "--list is missing", "scan"),
        ("nonsense", "there is no command nonsense", ""),
        ("imprt", "there is no command imprt; did you mean: import?", ""),
        ("audit vrify", "there is no command vrify; did you mean: verify?", "audit"),
        ("scan --bogus", "there is no option --bogus; did you mean: --jobs?", "scan"),
        (f"bench {CSV} --radius", "--radius needs a value", "bench"),
        ("info --json=1", "--json takes no value", "info"),
        ("info /none", "LIST: there is no /none", "info"),
        ("scan x --list /none", "--list: there is no /none", "scan"),
        (f"scan x --list {CSV} --jobs 0", "--jobs: expected an integer from 1, not 0", "scan"),
        (f"bench {CSV} --seconds 0", "--seconds: expected a number above 0, not 0", "bench"),
        (f"scan x --list {CSV} --engine moon", "--engine: moon is not one of: local, ray", "scan"),
        (f"scan x --list {CSV} --policy /", "--policy: / is a folder", "scan"),
        (f"scan x --list {CSV} --keep 3", "--cache is missing: --keep sets", "scan"),
        (f"scan x --list {CSV} --cache-weights", "--cache is missing: --cache-weights", "scan"),
        ("case show", "CASE is missing", "case show"),
        ("report page", "RESULTS is missing", "report page"),
    ],
)
def test_a_wrong_call_states_what_is_wrong_and_where_help_is(call, message, command):
    """The form is the same for commands on lists, scans and hotlines."""
    what, hint = refused(*call.split()).splitlines()[-2:]

    assert what.startswith(f"screener: {message}")
    assert re.fullmatch(rf"For help: \S+ {command} ?--help", hint)


def test_a_list_that_is_not_a_list_is_reported_in_the_same_form(tmp_path):
    """An unreadable format begins with `screener:` too."""
    (tmp_path / "a.txt").write_text("no list\n")

    assert refused("info", tmp_path / "a.txt").startswith("screener: a.txt is in no known format")


def test_a_link_to_nothing_names_its_target(tmp_path):
    """As a list that is read, and as one that an import would create: a disk is not mounted."""
    (tmp_path / "known.list").symlink_to("away")

    said = [refused("scan", CSV, "--list", tmp_path / "known.list")]
    said += [refused("import", CSV, "--into", tmp_path / "known.list")]

    for one in said:
        assert f"{tmp_path / 'known.list'} is a link to away, which is not there: mount" in one
    assert not (tmp_path / "away").exists()


def test_help_lists_all_commands_in_sections_with_whole_summaries(monkeypatch):
    """At 80 columns, no summary is cut, and those of lists and scans take one line."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = screener("--help").stdout.splitlines()

    text = "\n".join(lines)
    sections = ["Options", "Screen", "Serve", "Lists", "Hotline", "Tools"]
    assert re.findall(r"^(\w+):$", text, re.M) == sections
    assert "..." not in text.partition("Options:")[2]
    assert max(map(len, lines)) <= 80
    shown = re.findall(r"^  ([a-z-]+) ", text.partition("Screen:")[2], re.M)
    assert sorted(shown) == sorted(cli.commands)
    for name, command in cli.commands.items():
        summary = " ".join((command.help or "").partition("\n\n")[0].split())
        assert summary in " ".join(text.split())
        assert isinstance(command, click.Group) or f"  {name:10}  {summary}" in lines
