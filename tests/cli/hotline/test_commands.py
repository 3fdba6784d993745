"""Run the commands of reporters and of a hotline."""

import errno
import json
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner
from drawn_videos import clip
from hotline_case import IMAGES, item_of, make_desk, report_of, sealed_file, take
from PIL import Image

from screener import HashList
from screener.cli.app import cli
from screener.errors import MediaError, ScreenerError
from screener.hotline import helplines
from screener.hotline.language.translator import get_translator
from screener.hotline.reports import own_media, reporting
from screener.hotline.reports.sealed import Secret
from screener.lists.store import database
from screener.system.locks import lock_file

PAGE = "https://x.example/1"


@pytest.fixture
def desk(tmp_path):
    """Return a hotline."""
    return make_desk(tmp_path / "hotline")


@pytest.fixture
def run(desk, monkeypatch):
    """Return a function that runs a command: exit code and output. Files are hashed in this
    process.
    """
    for name in ("hash_files", "hash_intact_files"):
        monkeypatch.setattr(own_media, name, lambda paths: (tuple(map(item_of, paths)), ()))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCREENER_HOTLINE", str(desk.folder))

    def go(*arguments, input=None):
        call = [str(one) for one in arguments]
        result = CliRunner().invoke(cli, call, input=input, standalone_mode=False)
        if isinstance(result.exception, ScreenerError | click.ClickException):
            return 2, result.output + str(result.exception)  # as `main` prints them
        assert result.exception is None, result.exception
        return result.return_value or 0, result.output

    return go


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Do not download anything"),
        ("fr", "Ne téléchargez rien"),
        ("ar", "لا ت"),
    ],
)
def test_create_prints_warnings_secret_and_helplines_in_the_language(
    run, desk, tmp_path, language, words
):
    """The warning not to download, words that may identify the reporter, secret, helplines."""
    code, output = run(
        "report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE, "--note",
        "je m'appelle Jean Dupont, 06 12 34 56 78", "--country", "MA", "--language", language,
        "-o", tmp_path / "r",
    )  # fmt: skip

    assert code == 0
    assert output.startswith(words)
    assert "Jean Dupont" in output
    assert "06 12 34 56 78" in output
    assert re.search(r"(?:[A-Z2-7]{4}-){9}[A-Z2-7]{4}", output)
    assert "cyberconfiance.ma" in output


@pytest.mark.parametrize("begins", ["The report tells more", "The report is", "Your secret"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (click.Abort(), "interrupted"),
    ],
)
def test_no_report_is_left_without_its_printed_secret(
    run, desk, tmp_path, monkeypatch, begins, error, words
):
    """If the disk is full or Ctrl-C is pressed before, since nobody could follow it or take it
    back.
    """
    echo, printed = click.echo, []

    def stopped(text="", **settings):
        printed.append(text)
        if text.startswith(begins):
            raise error
        echo(text, **settings)

    monkeypatch.setattr(click, "echo", stopped)
    key, file = desk.folder / "hotline.pub", tmp_path / "r"
    note = ("--note", "my name is Sara")
    code, output = run("report", "create", "--to", key, "--address", PAGE, *note, "-o", file)
    assert (code != 0, words in output, file.exists()) == (True, True, False)
    assert any(text.startswith(begins) for text in printed)


def test_a_report_that_lacks_a_picture_has_exit_code_2(run, desk, tmp_path, monkeypatch):
    """It is written anyway, with its secret printed."""
    lost = own_media.HashingFailure(0, MediaError("truncated", "cut"))
    monkeypatch.setattr(own_media, "hash_files", lambda paths: ((), (lost,)))
    key, file = desk.folder / "hotline.pub", tmp_path / "r"

    code, output = run("report", "create", "--to", key, "--address", PAGE, "--my-image",
                     IMAGES / "truncated.jpg", "-o", file)  # fmt: skip

    assert (code, file.exists(), "Your secret" in output) == (2, True, True)
    assert "truncated.jpg is not in the report" in output


def test_a_report_is_read_and_taken_back_by_its_secret(run, desk, tmp_path):
    """The secret comes from standard input, in any encoding of an editor; a typing error is
    refused.
    """
    key = desk.folder / "hotline.pub"
    _, output = run("report", "create", "--to", key, "--my-image", IMAGES / "alley.jpg", "-o",
                  tmp_path / "r")  # fmt: skip
    secret = re.search(r"(?:[A-Z2-7]{4}-){9}[A-Z2-7]{4}", output).group()
    assert run("case", "import", tmp_path / "r", "--by", "amina")[0] == 0
    assert run("hotline", "status", "-o", tmp_path / "s")[0] == 0
    for typed in (f"{secret.lower()}\n", f"{secret}\r\n".encode("utf-16")):
        code, output = run("report", "status", tmp_path / "s", input=typed)
        assert (code, "has arrived" in output) == (0, True)
    slip = ("B" if secret[0] == "A" else "A") + secret[1:]
    code, output = run("report", "status", tmp_path / "s", input=f"{slip}\n")
    assert (code, "look for a typing error" in output) == (2, True)
    assert "cyberconfiance.ma" in output
    assert run("report", "status", tmp_path / "s", input="")[0] == 2

    code, _ = run("report", "withdraw", "--to", key, "-o", tmp_path / "w", input=f"{secret}\n")

    assert code == 0
    assert "withdraws" in run("case", "import", tmp_path / "w", "--by", "amina")[1]
    early = Secret.make()
    reporting.withdraw(tmp_path / "early", key=key, secret=early)
    for _ in range(2):  # imported, and then repeated
        code, output = run("case", "import", tmp_path / "early", "--by", "amina")
        assert (code, "not come in yet, as soon as it does" in output) == (0, True)
        assert "not imported" not in output
    run("hotline", "status", "-o", tmp_path / "s")
    own = tmp_path / "helplines.toml"
    own.write_text('[emc-helpline]\nphone = "+212 5 11"\n')
    output = run("report", "status", tmp_path / "s", "--country", "MA", "--helplines", own,
               input=f"{secret}\n")[1]  # fmt: skip
    assert "withdrawn" in output
    assert "+212 5 11" in output


def test_an_invalid_correction_of_helplines_does_not_stop_a_report(run, desk, tmp_path):
    """The error is printed, and the package's helplines are used."""
    own = tmp_path / "helplines.toml"
    own.write_text('[emc-helpline]\nphon = "1"\n')
    code, output = run("report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE,
                     "-o", tmp_path / "r", "--helplines", own)  # fmt: skip
    assert code == 0
    assert (tmp_path / "r").exists()
    assert "emc-helpline.phon is not a field" in output
    assert "cyberconfiance.ma" in output


def test_a_usage_error_comes_with_helplines(run, desk, tmp_path):
    """After a missing file, an unknown option or a missing one, in the country and language parsed
    so far.
    """
    key = desk.folder / "hotline.pub"
    for slip in (("create", "--to", key, "--my-image", tmp_path / "none.jpg", "-o", "r"),
                 ("create", "--to", key, "--adress", PAGE, "-o", "r"), ("create", "-o", "r"),
                 ("status", tmp_path / "none"),
                 ("withdraw", "--to", tmp_path / "none")):  # fmt: skip
        code, output = run("report", *slip)
        assert code == 2
        assert "cyberconfiance.ma" in output
    slip = ("--country", "FR", "--language", "fr", "-o", "r", "--to", "x")
    output = run("report", "create", *slip)[1]
    assert "e-enfance" in output
    assert "cyberconfiance.ma" not in output


@pytest.mark.parametrize("command", ["status", "withdraw"])
def test_only_create_says_that_the_hotline_gets_the_country(run, command):
    """In the other commands the country selects helplines."""
    output = " ".join(run("report", command, "--help")[1].split())
    assert "Two letters, such as MA: for its helplines; a report contains it." in output


def test_helplines_are_printed_without_the_extra(run, monkeypatch):
    """Without Babel, countries and languages appear as codes."""
    monkeypatch.setitem(sys.modules, "babel", None)
    code, output = run("report", "create", "--country", "FR")
    assert code == 2
    assert "3018 (e-Enfance) (FR)" in output


def test_no_hotline_is_begun_without_the_extra(run, monkeypatch, tmp_path):
    """A refused call leaves no half-made folder."""
    monkeypatch.setitem(sys.modules, "nacl.public", None)
    code, output = run("hotline", "create", tmp_path / "new")
    assert (code, "pip install 'media-screener[hotline]'" in output) == (2, True)
    assert not (tmp_path / "new").exists()


def test_the_operator_is_warned_of_unchecked_helplines(run, desk, tmp_path):
    """By the commands that publish something, until each helpline has a date."""
    own = tmp_path / "helplines.toml"
    checked = [f'["{one.id}"]\nchecked = "2026-11-25"\n' for one in helplines.load()]
    for name in ("status", "page"):
        call = ("hotline", name, "-o", tmp_path / f"{name}.html")
        assert "not been checked by the operator: emc-helpline" in run(*call)[1]
        own.write_text("".join(checked[1:]))
        output = run(*call, "--helplines", own)[1]
        assert "1 helpline has not been checked by the operator: emc-helpline." in output
        own.write_text("".join(checked))
        assert "checked" not in run(*call, "--helplines", own)[1]


def test_times_of_a_case_are_those_of_its_notices(run, desk):
    """They are in the hotline's zone, or in UTC without a partners file."""
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    known = desk.folder / "partners.toml"
    text = known.read_text(encoding="utf-8")
    known.write_text(text.replace("Africa/Casablanca", "Asia/Tokyo"), encoding="utf-8")
    received = desk.case(taken.case).received
    assert (
        get_translator("en").moment(received, ZoneInfo("Asia/Tokyo"))
        in run("case", "show", taken.case)[1]
    )
    known.unlink()
    assert get_translator("en").moment(received) in run("case", "show", taken.case)[1]


def test_report_takes_results_in_any_order_of_arguments(run, tmp_path):
    """`report RESULTS -o …` works with and without the name of its subcommand."""
    results, odd = tmp_path / "results.jsonl", tmp_path / "a--language=fr.jsonl"
    results.write_text("")
    odd.write_text("")
    for call in (
        (results, "-o", tmp_path / "a.html"), ("-o", tmp_path / "b.html", results),
        ("page", results, "-o", tmp_path / "c.html"), (odd, "-o", tmp_path / "d.html"),
    ):  # fmt: skip
        (path,) = [one for one in call if str(one).endswith(".html")]
        assert run("report", *call) == (0, f"The page is {path}.\n")
    assert len(list(tmp_path.glob("*.html"))) == 4
    assert "create" in run("report", "--help")[1]


def test_addresses_are_defanged_and_control_characters_escaped(run, desk):
    """In a note, an address and the name of a list."""
    note = "one\x1b[2J\u202etwo\nthree\x07"
    (taken,) = take(desk, report_of(note=note, addresses=("https://x.example/\x1b[2J\u202ea",)))

    for call in (("show", taken.case), ("list",), ("show", taken.case, "--language", "ar")):
        code, output = run("case", *call)
        assert code == 0
        assert not {"\x1b", "\u202e", "\x07"} & set(output)
        assert "https://" not in output
    output = run("case", "show", taken.case)[1]
    assert "hxxps[:]//x[.]example/" in output
    assert "three" in output


def test_a_case_from_import_to_removal_by_commands(run, desk, tmp_path):
    """Each step prints the state of the case; a step that is not allowed prints why and has exit
    code 2.
    """
    run("report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE, "-o",
        tmp_path / "r")  # fmt: skip
    case = re.search(r"C-\w+", run("case", "import", tmp_path / "r", "--by", "amina")[1]).group()
    who = ("--by", "amina", "--reason", "x")
    first = ("case", "assess", case, "--outcome", "illegal", *who)
    code, output = run(*first, "--language", "fr")
    assert (code, "screener: " in output) == (2, True)
    assert "illegal needs" not in output
    code, output = run(*first, "--basis", "seen", "--file", IMAGES / "alley.jpg")
    assert (code, "second analyst" in output) == (0, True)
    assert run(*first)[0] == 2
    second = ("case", "assess", case, "--outcome", "illegal", "--by", "badr", "--reason", "x",
              "--file", IMAGES / "alley.jpg")  # fmt: skip
    assert "assessed" in run(*second)[1]
    assert run("case", "notify", case, "--partner", "nobody", *who)[0] == 2
    pasted = "\u2068meta\u2069"  # copied from Arabic text
    assert run("case", "notify", case, "--partner", pasted, "--partner", "tiktok", *who)[0] == 0
    (notice,) = (desk.folder / "to/meta").glob("N-*")
    answers = desk.folder / "to/meta/acknowledgements"
    facts = {"schema": "screener-acknowledgement/1", "notice": notice.name, "event": "removed"}
    facts |= {"at": datetime.now(UTC).isoformat(timespec="seconds"), "by": "duty", "note": "copies"}
    (answers / "a.json").write_text(json.dumps(facts))
    (answers / "b.json").write_text("{")
    output = run("case", "acknowledge", "--by", "amina")[1]
    assert f"meta has removed the item of {case}." in output
    assert "duty says: copies" in output
    assert "b.json is not an answer" in output
    shown = run("case", "show", case)[1]
    assert "meta has removed it" in shown
    assert "meta: removed (duty): copies" in shown
    assert all(f"notified, by amina: {one}: x" in shown for one in ("meta", "tiktok"))
    assert f"The hotline's list: {case}/item, confirmed" in shown
    assert run("hotline", "page", "-o", tmp_path / "p.html")[0] == 0
    assert run("case", "close", case, "--state", "removed", *who)[0] == 0
    code, output = run("case", "reverse", case, *who)
    assert (code, "Tell meta" in output) == (0, True)
    reversed_ = run("case", "show", case)[1]
    assert ("Basis:" in shown, "Basis:" in reversed_) == (True, False)
    assert f"The hotline's list: {case}/item, taken off the list" in reversed_
    assert run("case", "list", "--state", "received") == (0, "")
    assert case in run("case", "list", "--state", "refused")[1]


def test_an_analyst_is_warned_of_files_with_too_little_detail(run, desk, tmp_path):
    """A blank picture, and a clip of one, match byte for byte only; the warning lasts while the
    case is illegal.
    """
    blank, clip_of_it, again = tmp_path / "b.png", tmp_path / "b.mp4", tmp_path / "again.png"
    Image.new("RGB", (200, 200), "grey").save(blank)
    clip_of_it.write_bytes(clip([Image.new("RGB", (64, 64), "grey")] * 20))
    with Image.open(IMAGES / "alley.jpg") as picture:
        picture.save(again)
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    files = [("--file", one) for one in (IMAGES / "alley.jpg", again, blank, clip_of_it)]
    assess = ("case", "assess", taken.case, "--outcome", "illegal", "--reason", "x")
    warning = "2 files show too little to be compared: only exact copies of them match."
    for who in (("--by", "amina", "--basis", "seen"), ("--by", "badr")):
        code, output = run(*assess, *who, *(part for pair in files for part in pair))
        assert (code, warning in output) == (0, True)
        assert warning in run("case", "show", taken.case)[1]
    run("case", "reverse", taken.case, "--by", "amina", "--reason", "x")
    assert warning not in run("case", "show", taken.case)[1]


def test_overdue_has_an_exit_code_for_each_standing(run, desk):
    """0: all have time; 3: little is left; 1: overdue."""
    assert run("case", "overdue") == (0, "")
    now = datetime.now(UTC)
    take(desk, report_of(addresses=("a",)), at=now - timedelta(hours=1))
    assert run("case", "overdue") == (0, "")
    take(desk, report_of(addresses=("b",)), at=now - timedelta(hours=19))
    assert run("case", "overdue")[0] == 3
    (late,) = take(desk, report_of(addresses=("c",)), at=now - timedelta(hours=25))
    code, output = run("case", "overdue")
    assert (code, output.startswith(late.case)) == (1, True)


def test_a_refusal_by_every_partner_is_shown_before_the_case_is_late(run, desk):
    """By `acknowledge`, `show`, and `overdue` with its exit code."""
    (taken,) = take(desk, report_of(addresses=(PAGE,)), at=datetime.now(UTC))
    who = ("--outcome", "illegal", "--reason", "x", "--by")
    run("case", "assess", taken.case, "--basis", "seen", *who, "amina")
    run("case", "assess", taken.case, *who, "badr")
    run("case", "notify", taken.case, "--partner", "meta", "--by", "amina", "--reason", "x")
    assert run("case", "overdue") == (0, "")
    (notice,) = (desk.folder / "to/meta").glob("N-*")
    facts = {"schema": "screener-acknowledgement/1", "notice": notice.name, "event": "refused"}
    facts |= {"at": datetime.now(UTC).isoformat(timespec="seconds"), "by": "duty"}
    (desk.folder / "to/meta/acknowledgements/a.json").write_text(json.dumps(facts))

    for call in (("acknowledge", "--by", "amina"), ("show", taken.case)):
        code, output = run("case", *call)
        assert (code, "have refused: meta. Ask another" in output) == (0, True)
    code, output = run("case", "overdue")
    assert (code, "have refused: meta" in output) == (3, True)


def test_a_case_known_by_hashes_only_warns_that_notices_omit_addresses(run, desk, tmp_path):
    """When it is assessed, and in `show`."""
    item = item_of(IMAGES / "alley.jpg")
    (pdq,) = (one for one in item.upright_hashes if one.kind.name == "pdq")
    (tmp_path / "t.csv").write_text(f"id,pdq,status\nt1,{pdq.text},confirmed\n")
    HashList.create(tmp_path / "t.list").import_file(tmp_path / "t.csv", source="iwf")
    settings = desk.folder / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace("trusted = []", f'trusted = ["{tmp_path}/t.list"]'), encoding="utf-8"
    )
    (taken,) = take(desk, report_of(item, addresses=(PAGE,)))
    who = ("--outcome", "illegal", "--reason", "x", "--by")
    output = run("case", "assess", taken.case, "--basis", "known", *who, "amina")[1]
    assert "notices will not contain the addresses" in output
    run("case", "assess", taken.case, *who, "badr")
    assert "Nobody has seen the addresses" in run("case", "show", taken.case)[1]


def test_files_that_are_no_reports_are_refused_one_by_one(run, desk, tmp_path):
    """The others are imported, with exit code 2."""
    (tmp_path / "x").write_text("x")
    code, output = run("case", "import", tmp_path / "x", "--by", "amina")
    assert (code, "no report to a hotline" in output) == (2, True)
    run("report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE, "-o",
        tmp_path / "r")  # fmt: skip
    code, output = run("case", "import", tmp_path / "x", tmp_path / "r", "--by", "amina")
    assert (code, "a new case" in output) == (2, True)
    assert run("case", "import", tmp_path / "r", "--by", "amina")[0] == 0


def test_a_notice_that_cannot_be_written_waits(run, desk):
    """It is written once, when the partner's folder can be reached again."""
    (taken,) = take(desk, report_of(item_of(IMAGES / "alley.jpg"), addresses=(PAGE,)))
    for by in ("amina", "badr"):
        run("case", "assess", taken.case, "--outcome", "illegal", "--by", by, "--reason", "x",
            *(("--basis", "seen") if by == "amina" else ()))  # fmt: skip
    (desk.folder / "to").write_text("in the way of the folder")
    code, _ = run("case", "notify", taken.case, "--partner", "meta", "--by", "amina", "--reason",
                  "x")  # fmt: skip
    assert code != 0
    assert "could not be written" in run("case", "list")[1]
    assert desk.case(taken.case).state == "notified"
    (desk.folder / "to").unlink()

    assert "could not be written" not in run("case", "list")[1]

    assert len(list((desk.folder / "to/meta").glob("N-*"))) == 1


def test_a_step_that_could_not_be_written_to_the_list_has_exit_code_2(
    run, desk, tmp_path, monkeypatch
):
    """While another process uses the list, also in reading commands; a later command writes it."""
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.0)
    key, who = desk.folder / "hotline.pub", ("--by", "amina", "--reason", "x")
    for name in ("alley", "bridge"):
        run("report", "create", "--to", key, "--my-image", IMAGES / f"{name}.jpg", "-o",
            tmp_path / name)  # fmt: skip
    _, output = run("case", "import", tmp_path / "alley", "--by", "amina")
    case = re.search(r"C-\w+", output).group()
    file = ("--outcome", "illegal", "--file", IMAGES / "alley.jpg")
    assert run("case", "assess", case, *file, "--basis", "seen", *who)[0] == 0

    def in_use(*call):
        with lock_file(desk.folder / "hotline.list" / "lock", seconds=0):
            code, output = run(*call)
        return code, "could not be written to the hotline's list" in output

    second = ("case", "assess", case, *file, "--by", "badr", "--reason", "x")
    assert in_use(*second) == (2, True)
    assert not desk.own_list.matchable
    assert run("case", "list")[0] == 0
    assert desk.own_list.matchable
    assert in_use("case", "reverse", case, *who) == (2, True)
    assert desk.own_list.matchable
    assert in_use("case", "import", tmp_path / "bridge", "--by", "amina") == (2, True)
    with lock_file(desk.folder / "hotline.list" / "lock", seconds=0):
        for name in ("status", "page"):
            code, output = run("hotline", name, "-o", tmp_path / f"{name}.html")
            assert (code, f"{case}/item cannot be listed" in output) == (0, True)
    assert "cannot be listed" not in run("case", "list")[1]
    assert not desk.own_list.matchable


def test_publishing_overwrites_only_its_own_files(run, desk, tmp_path):
    """Not the hotline's key or casebook, nor a picture; an empty file may be overwritten."""
    photo = tmp_path / "photo.html"
    photo.write_bytes(b"\xff\xd8\xff\xe0")
    os.mkfifo(tmp_path / "pipe.html")
    (tmp_path / "made").touch()
    for command, made in (("status", tmp_path / "made"), ("page", tmp_path / "made.html")):
        for one in (desk.folder / "cases.sqlite", desk.folder / "hotline.key", photo):
            before = one.read_bytes()
            code, output = run("hotline", command, "-o", one, "--language", "fr")
            assert code == 2
            assert "contient autre chose" in output or (command == "page" and one != photo)
            assert one.read_bytes() == before
        assert run("hotline", command, "-o", tmp_path / "pipe.html")[0] == 2
        assert (tmp_path / "pipe.html").is_fifo()
        for _ in range(2):
            assert run("hotline", command, "-o", made)[0] == 0
    names = sorted(one.name for one in tmp_path.iterdir() if one.is_file())
    assert names == ["made", "made.html", "photo.html"]


def test_a_page_needs_a_name_ending_in_html(run, desk, tmp_path):
    """Another suffix is refused."""
    (tmp_path / "results.jsonl").write_text("")
    for name in ("x.txt", "x.pdf", "x"):
        for call in (("hotline", "page"), ("report", tmp_path / "results.jsonl")):
            code, output = run(*call, "-o", tmp_path / name)
            assert (code, f"{name} is not one of: NAME.html" in output) == (2, True)
    assert run("hotline", "page", "-o", tmp_path / "x.csv")[0] == 2
    for end in (".html", ".HTML"):
        assert run("hotline", "page", "-o", tmp_path / f"y{end}")[0] == 0
    assert [one.name for one in tmp_path.glob("x*")] == []


def test_an_invalid_answer_is_described_in_the_languages_typography(run, desk):
    """In French with its space before a colon. With exit code 2."""
    answers = desk.folder / "to/meta/acknowledgements"
    answers.mkdir(parents=True)
    (answers / "a.json").symlink_to(desk.folder / "hotline.key")
    code, output = run("case", "acknowledge", "--by", "amina", "--language", "fr")
    assert code == 2
    assert "impossible de l’ouvrir\N{NO-BREAK SPACE}: c’est un lien" in output


def test_the_list_shows_which_cases_wait_for_a_second_analyst(run, desk):
    """Until a second one has assessed the case, or disagreed."""
    now = datetime.now(UTC)
    seen, _ = take(desk, report_of(addresses=(PAGE,)), report_of(addresses=(f"{PAGE}/2",)), at=now)
    desk.assess(seen.case, by="amina", outcome="illegal", basis="seen", reason="x", at=now)
    waits = [one for one in run("case", "list")[1].splitlines() if "a second analyst" in one]
    assert [one.split(",")[0] for one in waits] == [seen.case]
    desk.assess(seen.case, by="badr", outcome="illegal", reason="x", at=now)
    assert "a second analyst" not in run("case", "list")[1]


def test_a_case_received_in_the_future_can_be_restarted(run, desk):
    """`overdue` lists it, a step says what to do, and `restart` starts its 24 hours; of no other
    case.
    """
    now = datetime.now(UTC)
    ahead = take(desk, report_of(addresses=(PAGE,)), at=now + timedelta(days=365))[0].case
    right = take(desk, report_of(addresses=(f"{PAGE}/2",)), at=now)[0].case
    code, output = run("case", "overdue")
    assert (code, f"{ahead} was received in the future" in output) == (3, True)
    who = ("--by", "amina", "--reason", "the clock was wrong")
    code, output = run("case", "assess", ahead, "--outcome", "not_illegal", *who)
    assert (code, "screener case restart" in output) == (2, True)
    assert run("case", "restart", right, *who)[0] == 2
    assert run("case", "restart", ahead, "--by", "nobody", "--reason", "x")[0] == 2

    code, output = run("case", "restart", ahead, *who)

    assert (code, "23 hours" in output) == (0, True)
    assert run("case", "overdue") == (0, "")
    assert desk.case(ahead).since - now < timedelta(minutes=1)
    assert run("case", "restart", ahead, *who)[0] == 2
    assert run("case", "assess", ahead, "--outcome", "not_illegal", *who)[0] == 0
    log = (desk.folder / "cases.audit").read_text()
    assert '"step":"restarted"' in log.replace(": ", ":")


def test_a_reference_copied_from_arabic_text_is_accepted(run, desk):
    """Invisible characters around it are dropped."""
    case = take(desk, report_of(addresses=(PAGE,)), at=datetime.now(UTC))[0].case
    assert run("case", "show", f"\u2068{case}\u2069 ")[0] == 0
    assert run("case", "show", f"{case}\udcff") == (2, f"screener: there is no case {case}\ufffd\n")


def test_an_error_says_how_to_correct_an_assessment(run, desk):
    """By `reverse` if it is illegal, otherwise by a new report."""
    now = datetime.now(UTC)
    case, other = (take(desk, report_of(addresses=(page,)), at=now)[0].case
                   for page in (PAGE, f"{PAGE}/2"))  # fmt: skip
    who = ("--by", "amina", "--reason", "x")
    desk.assess(case, by="badr", outcome="not_illegal", reason="x", at=now)
    output = run("case", "assess", case, "--outcome", "illegal", "--basis", "seen", *who)[1]
    assert "begins a new case" in output
    assert take(desk, report_of(addresses=(PAGE,)), at=now)[0].status == "new"
    for by in ("amina", "badr"):
        desk.assess(other, by=by, outcome="illegal", basis="seen", reason="x", at=now)
    output = run("case", "assess", other, "--outcome", "not_illegal", *who)[1]
    assert "screener case reverse" in output


def test_matches_of_one_record_share_a_line_for_each_distance(run, desk):
    """Not one line for each of a dozen kinds."""
    now, alley = datetime.now(UTC), item_of(IMAGES / "alley.jpg")
    case = take(desk, report_of(alley), at=now)[0].case
    for by in ("amina", "badr"):
        desk.assess(case, by=by, outcome="illegal", basis="seen", reason="x", at=now,
                    files=[IMAGES / "alley.jpg"])  # fmt: skip
    take(desk, report_of(alley), at=now)
    known = [one for one in run("case", "show", case)[1].splitlines() if "Known: " in one]
    assert len(known) == 1
    assert re.search(r"/item, confirmed \(ahash, .*, md5, pdq, .*, distance 0\)$", known[0])


def test_a_missing_list_of_the_settings_stops_the_import(run, desk, tmp_path):
    """The message asks to mount it, not to create an empty one."""
    gone = tmp_path / "gone.list"
    (desk.folder / "settings.toml").write_text(f'analysts = ["amina"]\ntrusted = ["{gone}"]\n')
    file = sealed_file(desk, report_of(addresses=(PAGE,)), "r")
    code, output = run("case", "import", file, "--by", "amina")
    assert (code, "mount its disk" in output) == (2, True)
    assert "import FILE" not in output


def test_an_unreachable_partner_does_not_stop_the_other_notices(run, desk):
    """Its notice is recorded and waits, with exit code 2."""
    now, who = datetime.now(UTC), ("--by", "amina", "--reason", "x")
    cases = [
        take(desk, report_of(addresses=(f"{PAGE}/{number}",)), at=now)[0].case for number in "12"
    ]
    for case in cases:
        for by in ("amina", "badr"):
            desk.assess(case, by=by, outcome="illegal", basis="seen", reason="x", at=now)
    both = ("--partner", "meta", "--partner", "tiktok")
    assert run("case", "notify", cases[0], *both, *who)[0] == 0
    (desk.folder / "to/meta").rename(desk.folder / "to/away")

    code, output = run("case", "notify", cases[1], *both, *who)

    assert code == 2
    assert f"the notice of {cases[1]} to meta is recorded and waits: " in output
    assert f"A notice of {cases[1]} lies ready for tiktok." in output
    assert len(list((desk.folder / "to/tiktok").glob("N-*"))) == 2


@pytest.mark.parametrize(("language", "words"), [
    ("en", ("Morocco", "France", "Arabic, French")), ("fr", ("Maroc", "arabe, français")),
    ("ar", ("المغرب", "فرنسا", "العربية")),
])  # fmt: skip
def test_a_case_shows_countries_and_languages_of_its_reports(run, desk, language, words):
    """Until a reporter withdraws the report."""
    reports = [report_of(addresses=(PAGE,), language=one, country=where)
            for one, where in (("ar", "MA"), ("fr", "FR"), ("fr", "MA"), ("fr", None))]  # fmt: skip
    case = take(desk, *reports, at=datetime.now(UTC))[0].case
    shown = run("case", "show", case, "--language", language)[1]
    assert [one for one in words if one not in shown] == []
    assert desk.case(case).countries == ("MA", "FR")


def test_invisible_characters_in_names_and_reasons_are_dropped(run, desk):
    """A name pasted from Arabic text is the same person."""
    now = datetime.now(UTC)
    case = take(desk, report_of(addresses=(PAGE,)), at=now)[0].case
    desk.assess(case, by="amina", outcome="illegal", basis="seen", reason="x", at=now)
    call = ("case", "assess", case, "--outcome", "illegal", "--by", "\u2068amina\u2069")
    code, output = run(*call, "--reason", "غير قانوني\u200f")
    assert (code, "a second person has to confirm" in output) == (2, True)
    assert run(*call[:-1], "\u2068badr\u2069", "--reason", "غير قانوني\u200f")[0] == 0
    assert "غير قانوني (" in desk.case(case).events[-1].reason
