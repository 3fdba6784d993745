"""Help, usage errors and errors of the hotline's commands in three languages."""

import json
import re
import unicodedata

import click
import message_catalogues
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from hotline_case import IMAGES, NOON, item_of, make_desk, report_of, take

from screener.cli import translated_commands
from screener.cli.app import SECTIONS, cli
from screener.errors import ListError
from screener.hashing.hash import KINDS
from screener.hotline.language.translator import get_translator
from screener.hotline.reports import own_media

GROUPS = {group.name: group for group in SECTIONS["Hotline"]}
PATHS = [
    *((name,) for name in GROUPS),
    *((name, one) for name, group in GROUPS.items() for one in group.commands),
]
# What is the same in all languages: names of commands, of options and of what is given to them,
# codes, names of files and of helplines.
SAME = set(
    re.findall(
        r"\w+",
        """screener case hotline report OPTIONS COMMAND ARGS FILES RESULTS STATUS FOLDER CASE
        TEXT FILE PATH DIRECTORY NAME NOM TOML CSV JSON MD MA html csv key pub sealed HOTLINE
        SCREENER HELPLINES scan match ar fr en illegal not seen known removed refused
        received assessed notified withdrawn reverse""",
    )
)
HELPLINES = set(
    re.findall(
        r"\w+",
        "EMC Helpline Espace Maroc Cyberconfiance IWF Enfance BEE SECURE Stopline Child Focus",
    )
)


def run(*arguments, env=None, input=None):
    """Run a command as `main` does; return exit code and output."""
    call = [str(one) for one in arguments]
    runner = CliRunner(env={"LANG": "", "LC_ALL": "", "LC_MESSAGES": ""} | (env or {}))
    with runner.isolation(input=input) as (*_, out):
        try:
            code = cli.main(call, prog_name="screener", standalone_mode=False) or 0
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        return code, out.getvalue().decode()


def latin(text):
    """Return the words in Latin letters, without commands to type, options and addresses."""
    lines = [line for line in text.splitlines() if not line.startswith("    screener ")]
    text = re.sub(r"--?[a-z][a-z-]*|\bC-\w+|https?://\S+|/\S+", " ", "\n".join(lines))
    return {one for one in re.findall(r"[A-Za-z]+", text) if len(one) > 1}


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_is_arabic(path):
    """Words in Latin letters are names only."""
    code, text = run(*path, "--help", "--language", "ar")
    assert code == 0
    names = {name for group in GROUPS.values() for name in group.commands}
    assert latin(text) <= SAME | HELPLINES | names
    assert any(unicodedata.bidirectional(c) == "AL" for c in text)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_is_french(path):
    """No English text is left."""
    group = GROUPS[path[0]]
    command = group if len(path) == 1 else group.commands[path[1]]
    text = " ".join(run(*path, "--help", "--language=fr")[1].split())
    translate = get_translator("fr")
    own = [one for one in command.params if isinstance(one, click.Option) and one.help]
    for one in [command.help.split("\n\n")[0], *(option.help for option in own), "Show this help."]:
        english = " ".join(one.split())
        assert translate(english) != english
        assert " ".join(translate(english).split()) in text
        assert english not in text
    for title in ("Usage:", "Options:"):
        assert title not in text.replace("Options :", "")


def test_every_help_text_has_its_translation():
    """Each piece of help is in both catalogues."""
    pieces = [message.id for message in message_catalogues.helps() if message.id]
    assert len(pieces) > 50
    for code in ("ar", "fr"):
        translate = get_translator(code)
        assert [one for one in pieces if translate(one) == one] == []


def test_the_language_option_overrides_the_environment():
    """At any place of the command line, also on a group, and if the rest is invalid."""
    fr, ar = get_translator("fr"), get_translator("ar")
    for call, translate in (
        (("case", "list", "--help"), fr),
        (("case", "list", "--language", "ar", "--help"), ar),
        (("case", "list", "--help", "--language", "ar"), ar),
        (("case", "list", "--help", "--language=ar"), ar),
        (("case", "--language", "ar", "list", "--help"), ar),
        (("case", "--language", "ar", "list", "--help", "--language", "fr"), fr),
        (("report", "--language", "ar", "create", "--help"), ar),
        (("report", "--language=ar", "--help"), ar),
        (("case", "list", "--help", "--language", "de"), fr),
    ):
        assert translate("Options:") in run(*call, env={"LANG": "fr_MA.UTF-8"})[1], call
    assert "Options:" in run("case", "list", "--help", env={"LANG": "de_DE.UTF-8"})[1]
    assert "Options:" in run("scan", "--help", env={"LANG": "fr_FR.UTF-8"})[1]


MISTAKES = [
    (("case",), None),
    (("case", "lst"), "lst"),
    (("case", "--language", "{}"), None),
    (("case", "show"), "CASE"),
    (("case", "show", "C-1", "--store", "/none"), "/none"),
    (("case", "show", "C-1", "C-2", "--store", "/tmp"), "C-2"),
    (("case", "show", "C-1", "--store", "/tmp", "--frm", "x"), "--frm"),
    (("case", "show", "C-1", "--stor", "/tmp"), "--store"),
    (("case", "show", "C-1", "--store"), "--store"),
    (("case", "show", "C-1", "--store", __file__), "test_translated"),
    (("case", "assess", "C-1", "--store", "/tmp", "--outcome", "bad"), "not_illegal"),
    (("case", "import", "/tmp", "--store", "/tmp", "--by", "x"), "/tmp"),
    (("case", "list", "--help=1"), "--help"),
    (("case", "list", "--store", "/tmp", "--language", "xx"), "fr"),
    (("hotline", "create"), "FOLDER"),
    (("hotline", "create", ""), "FOLDER"),
    (("hotline", "status", "--store", "/tmp", "-o", ""), "--output"),
    (("hotline", "page", "--store", "/tmp"), "--output"),
    (("hotline", "page", "--store", "/tmp", "-o", "/tmp"), "/tmp"),
]


@pytest.mark.parametrize(("call", "named"), MISTAKES)
def test_usage_errors_are_arabic(call, named):
    """With the usage and exit code 2, without English words."""
    code, text = run(*(one.format("ar") for one in call), env={"LANG": "ar_MA.UTF-8"})
    assert code == 2
    assert named is None or named in text
    names = {name for group in GROUPS.values() for name in group.commands}
    typed = set(re.findall("[A-Za-z]+", " ".join(call)))
    assert latin(text) <= SAME | names | typed


@pytest.mark.parametrize(("call", "named"), MISTAKES)
def test_usage_errors_are_french(call, named):
    """Without click's English words."""
    code, text = run(*(one.format("fr") for one in call), env={"LANG": "fr"})
    assert code == 2
    assert named is None or named in text
    for word in ("Usage:", "Error", "Try ", "Missing", "No such", "Invalid", "does not", " is "):
        assert word not in text


def test_shell_completion_is_translated():
    """In the language of the environment."""
    runner = CliRunner(env={"LANG": "fr_FR.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""})
    with runner.isolation():
        offered = ShellComplete(cli, {}, "screener", "_SCREENER_COMPLETE")
        commands = {one.value: one.help for one in offered.get_completions(["case"], "")}
        options = {one.value: one.help for one in offered.get_completions(["case", "show"], "--")}
    translate = get_translator("fr")
    assert commands["overdue"] == translate(
        "List the cases whose 24 hours have passed, and those with less than a quarter left."
    )
    assert options["--store"] == translate("The hotline's folder (default: SCREENER_HOTLINE).")


def test_a_case_is_shown_translated_except_what_people_wrote(tmp_path, monkeypatch):
    """Recorded sentences are translated; a reason that equals a message of ours is not."""
    desk, item = make_desk(tmp_path / "hotline"), item_of(IMAGES / "alley.jpg")
    monkeypatch.setattr(own_media, "hash_intact_files", lambda files: ((item,), ()))
    (taken,) = take(desk, report_of(item, addresses=("https://x.example/1",)))
    for by, basis in (("amina", "seen"), ("badr", None)):
        desk.assess(taken.case, by=by, outcome="illegal", basis=basis, reason="none", files=["x"],
                    at=NOON)  # fmt: skip
    found = desk.notify(taken.case, "tiktok", by="amina", reason="none", at=NOON)
    fields = {"schema": "screener-acknowledgement/1", "notice": found.sent[0].notice}
    fields |= {"event": "refused", "at": NOON.isoformat(), "by": "duty", "note": "none"}
    (desk.folder / "to/tiktok/acknowledgements/a.json").write_text(json.dumps(fields))
    desk.acknowledge(by="amina")
    take(desk, report_of(item), at=NOON)

    for code in ("ar", "fr"):
        status, text = run("case", "show", taken.case, "--store", desk.folder, "--language", code)
        assert status == 0
        translate = get_translator(code)
        for one in (
            translate("seen by an analyst"), translate("reported again"),
            translate("nothing hashed"), "image/jpeg",
        ):  # fmt: skip
            assert one in text or one == translate("nothing hashed"), one
        assert text.count("none") >= 4
        assert translate("none") not in text
        if code == "ar":
            wrote = {
                "amina", "badr", "duty", "none", "tiktok", "image", "jpeg", "hxxps", "example",
                "item", "UTC", "report", "locale", "REVIEWED", "toml",
            }  # fmt: skip
            wrote |= {"hotline", *re.findall("[a-z]+", " ".join(KINDS))}
            words = latin(re.sub("N-[0-9a-f]+", "", text))
            assert words <= wrote | set(re.findall("[A-Z0-9]+", taken.case))


def direction(line):
    """Return the direction of a line by its first letter that is not isolated, or None."""
    bare = re.sub("[\u2066-\u2068][^\u2069]*\u2069", "", line)
    ways = map(unicodedata.bidirectional, bare)
    return next((way for way in ways if way in ("L", "R", "AL")), None)


def test_every_line_in_arabic_goes_from_right_to_left(tmp_path):
    """Also a line that begins with a reference or the name of the command."""
    desk = make_desk(tmp_path / "hotline")
    (taken,) = take(desk, report_of(addresses=("https://x.example/1",)))
    store = ("--store", desk.folder, "--language", "ar")

    for call in (("list",), ("show", taken.case), ("show", "C-X"), ("close", "C-X", "--state",
                 "removed", "--by", "zed", "--reason", "x")):  # fmt: skip
        _, text = run("case", *call, *store)
        lines = text.splitlines()
        assert lines
        assert [one for one in lines if direction(one) not in ("R", "AL", None)] == []


def test_errors_of_lower_layers_are_inside_a_translated_sentence(tmp_path, monkeypatch):
    """Their own words are English; system errors are translated."""
    desk = make_desk(tmp_path / "hotline")
    (desk.folder / "settings.toml").write_text('analysts = ["a", "b"]\ntrusted = ["none.list"]\n')
    take_in = ("case", "import", desk.folder / "hotline.pub", "--store", desk.folder, "--by", "a")
    code, text = run(*take_in, "--language", "fr")
    assert code == 2
    assert "none.list n’est pas là" in text
    (desk.folder / "none.list").write_text("no list")
    code, text = run(*take_in, "--language", "fr")
    assert code == 2
    assert "none.list est inutilisable" in text

    def fail(*_, **__):
        raise ListError("of a list")

    monkeypatch.setattr("screener.hotline.desk.Desk.open", fail)
    code, text = run("case", "list", "--store", desk.folder, "--language", "fr")
    assert (code, "signale une erreur\u00a0: of a list" in text) == (2, True)

    def full(*_, **__):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("screener.hotline.desk.Desk.open", full)
    code, text = run("case", "list", "--store", desk.folder, "--language", "fr")
    assert (code, text) == (2, "screener: x\u00a0: le disque est plein\n")

    def stop(*_, **__):
        raise click.Abort

    monkeypatch.setattr("screener.hotline.desk.Desk.open", stop)
    assert run("case", "list", "--store", desk.folder, "--language", "fr") == (130, "interrompu\n")


def test_help_is_translated_by_paragraphs_and_laid_out_lines():
    """Commands to type and exit codes stay."""
    text = "One\ntwo.\n\n\b\nCodes:\n  0  all is well\n  screener case list"
    assert translated_commands.translated_help(text, str.upper) == (
        "ONE TWO.\n\n\b\nCODES:\n  0  ALL IS WELL\n  screener case list"
    )
