"""The commands of reporters and of a hotline, as they are typed."""

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
from screener.hotline.language.translator import translator
from screener.hotline.reports import own_media, reporting
from screener.hotline.reports.sealed import Secret
from screener.lists.store import database
from screener.system.locks import lock_file

PAGE = "https://x.example/1"


@pytest.fixture
def desk(tmp_path):
    """A hotline."""
    return make_desk(tmp_path / "hotline")


@pytest.fixture
def run(desk, monkeypatch):
    """Runs a command; its exit code and all that it says. Files are hashed in this process."""
    for name in ("make", "make_whole"):
        monkeypatch.setattr(own_media, name, lambda paths: (tuple(map(item_of, paths)), ()))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCREENER_HOTLINE", str(desk.folder))

    def go(*arguments, input=None):
        call = [str(one) for one in arguments]
        told = CliRunner().invoke(cli, call, input=input, standalone_mode=False)
        if isinstance(told.exception, ScreenerError | click.ClickException):
            return 2, told.output + str(told.exception)  # as `main` tells them
        assert told.exception is None, told.exception
        return told.return_value or 0, told.output

    return go


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Do not download anything"),
        ("fr", "Ne téléchargez rien"),
        ("ar", "لا ت"),
    ],
)
def test_a_reporter_is_told_in_their_language_to_download_nothing(
    run, desk, tmp_path, language, words
):
    """And of what in a note may tell who they are, the secret to keep, and whom to turn to."""
    code, told = run(
        "report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE, "--note",
        "je m'appelle Jean Dupont, 06 12 34 56 78", "--country", "MA", "--language", language,
        "-o", tmp_path / "r",
    )  # fmt: skip

    assert code == 0
    assert told.startswith(words)
    assert "Jean Dupont" in told
    assert "06 12 34 56 78" in told
    assert re.search(r"(?:[A-Z2-7]{4}-){9}[A-Z2-7]{4}", told)
    assert "cyberconfiance.ma" in told


@pytest.mark.parametrize("begins", ["The report tells more", "The report is", "Your secret"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (click.Abort(), "interrupted"),
    ],
)
def test_no_report_is_left_whose_secret_was_not_told(
    run, desk, tmp_path, monkeypatch, begins, error, words
):
    """Wherever the disk becomes full before, or somebody presses Ctrl-C: it could not be followed,
    nor taken back.
    """
    echo, said = click.echo, []

    def stopped(text="", **settings):
        said.append(text)
        if text.startswith(begins):
            raise error
        echo(text, **settings)

    monkeypatch.setattr(click, "echo", stopped)
    key, file = desk.folder / "hotline.pub", tmp_path / "r"
    note = ("--note", "my name is Sara")
    code, told = run("report", "create", "--to", key, "--address", PAGE, *note, "-o", file)
    assert (code != 0, words in told, file.exists()) == (True, True, False)
    assert any(text.startswith(begins) for text in said)


def test_a_report_that_lacks_a_picture_says_so_by_its_exit_code(run, desk, tmp_path, monkeypatch):
    """It is written all the same, and its secret told: the rest of it is worth handing over."""
    lost = own_media.Trouble(0, MediaError("truncated", "cut"))
    monkeypatch.setattr(own_media, "make", lambda paths: ((), (lost,)))
    key, file = desk.folder / "hotline.pub", tmp_path / "r"

    code, told = run("report", "create", "--to", key, "--address", PAGE, "--my-image",
                     IMAGES / "truncated.jpg", "-o", file)  # fmt: skip

    assert (code, file.exists(), "Your secret" in told) == (2, True, True)
    assert "truncated.jpg is not in the report" in told


def test_a_report_is_read_and_taken_back_by_its_secret(run, desk, tmp_path):
    """The secret comes from standard input, so that no shell keeps it, in whatever encoding an
    editor has kept it; a slip in it is told.
    """
    key = desk.folder / "hotline.pub"
    _, told = run("report", "create", "--to", key, "--my-image", IMAGES / "alley.jpg", "-o",
                  tmp_path / "r")  # fmt: skip
    secret = re.search(r"(?:[A-Z2-7]{4}-){9}[A-Z2-7]{4}", told).group()
    assert run("case", "import", tmp_path / "r", "--by", "amina")[0] == 0
    assert run("hotline", "status", "-o", tmp_path / "s")[0] == 0
    for typed in (f"{secret.lower()}\n", f"{secret}\r\n".encode("utf-16")):
        code, told = run("report", "status", tmp_path / "s", input=typed)
        assert (code, "has arrived" in told) == (0, True)
    slip = ("B" if secret[0] == "A" else "A") + secret[1:]
    code, told = run("report", "status", tmp_path / "s", input=f"{slip}\n")
    assert (code, "look for a slip" in told) == (2, True)
    assert "cyberconfiance.ma" in told
    assert run("report", "status", tmp_path / "s", input="")[0] == 2

    code, _ = run("report", "withdraw", "--to", key, "-o", tmp_path / "w", input=f"{secret}\n")

    assert code == 0
    assert "takes back" in run("case", "import", tmp_path / "w", "--by", "amina")[1]
    early = Secret.make()
    reporting.withdraw(tmp_path / "early", key=key, secret=early)
    for _ in range(2):  # it is kept, and told as kept
        code, told = run("case", "import", tmp_path / "early", "--by", "amina")
        assert (code, "not come in yet, as soon as it does" in told) == (0, True)
        assert "not taken" not in told
    run("hotline", "status", "-o", tmp_path / "s")
    own = tmp_path / "helplines.toml"
    own.write_text('[emc-helpline]\nphone = "+212 5 11"\n')
    told = run("report", "status", tmp_path / "s", "--country", "MA", "--helplines", own,
               input=f"{secret}\n")[1]  # fmt: skip
    assert "withdrawn" in told
    assert "+212 5 11" in told


def test_a_slip_in_the_corrections_of_helplines_costs_a_reporter_nothing(run, desk, tmp_path):
    """The report is made, the slip told, and the package's helplines stand in."""
    own = tmp_path / "helplines.toml"
    own.write_text('[emc-helpline]\nphon = "1"\n')
    code, told = run("report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE,
                     "-o", tmp_path / "r", "--helplines", own)  # fmt: skip
    assert code == 0
    assert (tmp_path / "r").exists()
    assert "emc-helpline.phon is no field" in told
    assert "cyberconfiance.ma" in told


def test_who_types_a_slip_is_told_whom_they_can_turn_to(run, desk, tmp_path):
    """A picture that is not there, an option that is none, or one that is missing: the error, and
    helplines, of the country and in the language as far as they were read.
    """
    key = desk.folder / "hotline.pub"
    for slip in (("create", "--to", key, "--my-image", tmp_path / "none.jpg", "-o", "r"),
                 ("create", "--to", key, "--adress", PAGE, "-o", "r"), ("create", "-o", "r"),
                 ("status", tmp_path / "none"),
                 ("withdraw", "--to", tmp_path / "none")):  # fmt: skip
        code, told = run("report", *slip)
        assert code == 2
        assert "cyberconfiance.ma" in told
    told = run("report", "create", "--country", "FR", "--language", "fr", "-o", "r", "--to", "x")[1]
    assert "e-enfance" in told
    assert "cyberconfiance.ma" not in told


@pytest.mark.parametrize("command", ["status", "withdraw"])
def test_a_country_that_stays_here_is_not_said_to_go_to_the_hotline(run, command):
    """Of the commands for reporters only `create` tells the hotline a country: the help of the
    others says what it is for, so that nobody keeps it back and reads helplines of elsewhere.
    """
    told = " ".join(run("report", command, "--help")[1].split())
    assert "Two letters, such as MA: for its helplines; a report tells it to the hotline." in told


def test_helplines_are_told_without_the_extra(run, monkeypatch):
    """Where Babel is not installed: countries and languages by their codes."""
    monkeypatch.setitem(sys.modules, "babel", None)
    code, told = run("report", "create", "--country", "FR")
    assert code == 2
    assert "3018 (e-Enfance) (FR)" in told


def test_no_hotline_is_begun_without_the_extra(run, monkeypatch, tmp_path):
    """A call that is refused leaves all as it was: no folder that is half made."""
    monkeypatch.setitem(sys.modules, "nacl.public", None)
    code, told = run("hotline", "create", tmp_path / "new")
    assert (code, "pip install '.[hotline]'" in told) == (2, True)
    assert not (tmp_path / "new").exists()


def test_the_operator_is_told_which_helplines_are_unchecked(run, desk, tmp_path):
    """By the commands that make what reporters and the team read, until each has its day."""
    own = tmp_path / "helplines.toml"
    checked = [f'["{one.id}"]\nchecked = "2026-11-25"\n' for one in helplines.load()]
    for name in ("status", "page"):
        call = ("hotline", name, "-o", tmp_path / f"{name}.html")
        assert "not been checked by the operator: emc-helpline" in run(*call)[1]
        own.write_text("".join(checked[1:]))
        told = run(*call, "--helplines", own)[1]
        assert "1 helpline has not been checked by the operator: emc-helpline." in told
        own.write_text("".join(checked))
        assert "checked" not in run(*call, "--helplines", own)[1]


def test_times_of_a_case_are_those_of_its_notices(run, desk):
    """In the hotline's zone; in UTC where no file says one."""
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    known = desk.folder / "partners.toml"
    text = known.read_text(encoding="utf-8")
    known.write_text(text.replace("Africa/Casablanca", "Asia/Tokyo"), encoding="utf-8")
    received = desk.case(taken.case).received
    assert (
        translator("en").moment(received, ZoneInfo("Asia/Tokyo"))
        in run("case", "show", taken.case)[1]
    )
    known.unlink()
    assert translator("en").moment(received) in run("case", "show", taken.case)[1]


def test_a_page_of_results_is_made_as_before(run, tmp_path):
    """`report RESULTS -o …` in any order of its arguments, and by its name; results may be called
    what in its midst looks like an option.
    """
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


def test_what_a_report_says_can_neither_be_opened_nor_write_to_a_terminal(run, desk):
    """Addresses are defanged, and signs that turn, hide or move text are told as such, in a note,
    an address and a list.
    """
    note = "one\x1b[2J\u202etwo\nthree\x07"
    (taken,) = take(desk, report_of(note=note, addresses=("https://x.example/\x1b[2J\u202ea",)))

    for call in (("show", taken.case), ("list",), ("show", taken.case, "--language", "ar")):
        code, told = run("case", *call)
        assert code == 0
        assert not {"\x1b", "\u202e", "\x07"} & set(told)
        assert "https://" not in told
    told = run("case", "show", taken.case)[1]
    assert "hxxps[:]//x[.]example/" in told
    assert "three" in told


def test_a_case_goes_its_way_by_commands(run, desk, tmp_path):
    """Each step says where the case stands; what is not allowed is told, in the language asked for,
    with exit code 2.
    """
    run("report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE, "-o",
        tmp_path / "r")  # fmt: skip
    case = re.search(r"C-\w+", run("case", "import", tmp_path / "r", "--by", "amina")[1]).group()
    who = ("--by", "amina", "--reason", "x")
    first = ("case", "assess", case, "--outcome", "illegal", *who)
    code, told = run(*first, "--language", "fr")
    assert (code, "screener: " in told) == (2, True)
    assert "illegal needs" not in told
    code, told = run(*first, "--basis", "seen", "--file", IMAGES / "alley.jpg")
    assert (code, "second analyst" in told) == (0, True)
    assert run(*first)[0] == 2
    second = ("case", "assess", case, "--outcome", "illegal", "--by", "badr", "--reason", "x",
              "--file", IMAGES / "alley.jpg")  # fmt: skip
    assert "assessed" in run(*second)[1]
    assert run("case", "notify", case, "--partner", "nobody", *who)[0] == 2
    pasted = "\u2068meta\u2069"  # out of what is said in Arabic
    assert run("case", "notify", case, "--partner", pasted, "--partner", "tiktok", *who)[0] == 0
    (notice,) = (desk.folder / "to/meta").glob("N-*")
    answers = desk.folder / "to/meta/acknowledgements"
    facts = {"schema": "screener-acknowledgement/1", "notice": notice.name, "event": "removed"}
    facts |= {"at": datetime.now(UTC).isoformat(timespec="seconds"), "by": "duty", "note": "copies"}
    (answers / "a.json").write_text(json.dumps(facts))
    (answers / "b.json").write_text("{")
    told = run("case", "acknowledge", "--by", "amina")[1]
    assert f"meta has removed what {case} is of." in told
    assert "duty says: copies" in told
    assert "b.json is no answer" in told
    shown = run("case", "show", case)[1]
    assert "meta has removed it" in shown
    assert "meta: removed (duty): copies" in shown
    assert all(f"notified, by amina: {one}: x" in shown for one in ("meta", "tiktok"))
    assert f"The hotline's list: {case}/item, confirmed" in shown
    assert run("hotline", "page", "-o", tmp_path / "p.html")[0] == 0
    assert run("case", "close", case, "--state", "removed", *who)[0] == 0
    code, told = run("case", "reverse", case, *who)
    assert (code, "Tell meta" in told) == (0, True)
    reversed_ = run("case", "show", case)[1]
    assert ("Basis:" in shown, "Basis:" in reversed_) == (True, False)
    assert f"The hotline's list: {case}/item, taken off the list" in reversed_
    assert run("case", "list", "--state", "received") == (0, "")
    assert case in run("case", "list", "--state", "refused")[1]


def test_an_analyst_is_told_what_shows_too_little_to_match(run, desk, tmp_path):
    """By whoever hashes it, and as long as it is held to be illegal: of a blank picture, and of a
    clip that shows one, nothing matches but the very bytes; not of a copy with other bytes of a
    picture that shows enough.
    """
    blank, clip_of_it, again = tmp_path / "b.png", tmp_path / "b.mp4", tmp_path / "again.png"
    Image.new("RGB", (200, 200), "grey").save(blank)
    clip_of_it.write_bytes(clip([Image.new("RGB", (64, 64), "grey")] * 20))
    with Image.open(IMAGES / "alley.jpg") as picture:
        picture.save(again)
    (taken,) = take(desk, report_of(addresses=(PAGE,)))
    files = [("--file", one) for one in (IMAGES / "alley.jpg", again, blank, clip_of_it)]
    said = ("case", "assess", taken.case, "--outcome", "illegal", "--reason", "x")
    warning = "2 files show too little to be compared: only exact copies of them match."
    for who in (("--by", "amina", "--basis", "seen"), ("--by", "badr")):
        code, told = run(*said, *who, *(part for pair in files for part in pair))
        assert (code, warning in told) == (0, True)
        assert warning in run("case", "show", taken.case)[1]
    run("case", "reverse", taken.case, "--by", "amina", "--reason", "x")
    assert warning not in run("case", "show", taken.case)[1]


def test_overdue_is_told_by_the_exit_code(run, desk):
    """0: all have time; 3: little is left; 1: over."""
    assert run("case", "overdue") == (0, "")
    now = datetime.now(UTC)
    take(desk, report_of(addresses=("a",)), at=now - timedelta(hours=1))
    assert run("case", "overdue") == (0, "")
    take(desk, report_of(addresses=("b",)), at=now - timedelta(hours=19))
    assert run("case", "overdue")[0] == 3
    (late,) = take(desk, report_of(addresses=("c",)), at=now - timedelta(hours=25))
    code, told = run("case", "overdue")
    assert (code, told.startswith(late.case)) == (1, True)


def test_what_somebody_has_to_decide_is_told_while_there_is_time(run, desk):
    """That every partner refuses: when it is read, on the case, and in the list of what is due,
    whose exit code says so.
    """
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
        code, told = run("case", *call)
        assert (code, "have refused: meta. Ask another" in told) == (0, True)
    code, told = run("case", "overdue")
    assert (code, "have refused: meta" in told) == (3, True)


def test_what_is_known_by_its_hashes_is_told_to_tell_no_address(run, desk, tmp_path):
    """To whoever says so of a case with a page, and on the case."""
    item = item_of(IMAGES / "alley.jpg")
    (pdq,) = (one for one in item.upright if one.kind.name == "pdq")
    (tmp_path / "t.csv").write_text(f"id,pdq,status\nt1,{pdq.text},confirmed\n")
    HashList.create(tmp_path / "t.list").import_file(tmp_path / "t.csv", source="iwf")
    settings = desk.folder / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace("trusted = []", f'trusted = ["{tmp_path}/t.list"]'), encoding="utf-8"
    )
    (taken,) = take(desk, report_of(item, addresses=(PAGE,)))
    who = ("--outcome", "illegal", "--reason", "x", "--by")
    told = run("case", "assess", taken.case, "--basis", "known", *who, "amina")[1]
    assert "notices will not tell the addresses" in told
    run("case", "assess", taken.case, *who, "badr")
    assert "Nobody has seen the addresses" in run("case", "show", taken.case)[1]


def test_files_that_are_no_reports_are_told(run, desk, tmp_path):
    """One among others costs itself; that it was not taken, the exit code says as well."""
    (tmp_path / "x").write_text("x")
    code, told = run("case", "import", tmp_path / "x", "--by", "amina")
    assert (code, "no report to a hotline" in told) == (2, True)
    run("report", "create", "--to", desk.folder / "hotline.pub", "--address", PAGE, "-o",
        tmp_path / "r")  # fmt: skip
    code, told = run("case", "import", tmp_path / "x", tmp_path / "r", "--by", "amina")
    assert (code, "a new case" in told) == (2, True)
    assert run("case", "import", tmp_path / "r", "--by", "amina")[0] == 0


def test_a_notice_that_cannot_be_written_is_due_still(run, desk):
    """It is told, and written when the partner's folder can be reached again; once."""
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


def test_a_step_that_the_list_does_not_say_yet_is_no_success(run, desk, tmp_path, monkeypatch):
    """While somebody else is at work in the list, what is recorded is told not to be in it, with
    exit code 2, also by what only reads; a later command writes it.
    """
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.0)
    key, who = desk.folder / "hotline.pub", ("--by", "amina", "--reason", "x")
    for name in ("alley", "bridge"):
        run("report", "create", "--to", key, "--my-image", IMAGES / f"{name}.jpg", "-o",
            tmp_path / name)  # fmt: skip
    _, told = run("case", "import", tmp_path / "alley", "--by", "amina")
    case = re.search(r"C-\w+", told).group()
    file = ("--outcome", "illegal", "--file", IMAGES / "alley.jpg")
    assert run("case", "assess", case, *file, "--basis", "seen", *who)[0] == 0

    def in_use(*call):
        with lock_file(desk.folder / "hotline.list" / "lock", seconds=0):
            code, told = run(*call)
        return code, "could not be written to the hotline's list" in told

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
            code, told = run("hotline", name, "-o", tmp_path / f"{name}.html")
            assert (code, f"{case}/item cannot be listed" in told) == (0, True)
    assert "cannot be listed" not in run("case", "list")[1]
    assert not desk.own_list.matchable


def test_what_is_published_is_written_over_nothing_else(run, desk, tmp_path):
    """Not over the hotline's own files, of which the key and the casebook are lost for good, nor
    over a picture; over what it wrote itself, and over an empty file, it is.
    """
    photo = tmp_path / "photo.html"
    photo.write_bytes(b"\xff\xd8\xff\xe0")
    os.mkfifo(tmp_path / "pipe.html")
    (tmp_path / "made").touch()
    for command, made in (("status", tmp_path / "made"), ("page", tmp_path / "made.html")):
        for one in (desk.folder / "cases.sqlite", desk.folder / "hotline.key", photo):
            before = one.read_bytes()
            code, told = run("hotline", command, "-o", one, "--language", "fr")
            assert code == 2
            assert "contient autre chose" in told or (command == "page" and one != photo)
            assert one.read_bytes() == before
        assert run("hotline", command, "-o", tmp_path / "pipe.html")[0] == 2
        assert (tmp_path / "pipe.html").is_fifo()
        for _ in range(2):
            assert run("hotline", command, "-o", made)[0] == 0
    names = sorted(one.name for one in tmp_path.iterdir() if one.is_file())
    assert names == ["made", "made.html", "photo.html"]


def test_a_page_is_written_to_the_name_of_one_only(run, desk, tmp_path):
    """Where a name ends otherwise, what was asked for is something else, such as a table."""
    (tmp_path / "results.jsonl").write_text("")
    for name in ("x.txt", "x.pdf", "x"):
        for call in (("hotline", "page"), ("report", tmp_path / "results.jsonl")):
            code, told = run(*call, "-o", tmp_path / name)
            assert (code, f"{name} is none of: NAME.html" in told) == (2, True)
    assert run("hotline", "page", "-o", tmp_path / "x.csv")[0] == 2
    for end in (".html", ".HTML"):
        assert run("hotline", "page", "-o", tmp_path / f"y{end}")[0] == 0
    assert [one.name for one in tmp_path.glob("x*")] == []


def test_why_an_answer_is_none_is_said_in_the_typography_of_the_language(run, desk):
    """The space that French has before a colon stands there, and nothing in its place: it is of the
    sentence, and not of the partner's file. The exit code says that one could not be read.
    """
    answers = desk.folder / "to/meta/acknowledgements"
    answers.mkdir(parents=True)
    (answers / "a.json").symlink_to(desk.folder / "hotline.key")
    code, told = run("case", "acknowledge", "--by", "amina", "--language", "fr")
    assert code == 2
    assert "impossible de l’ouvrir\N{NO-BREAK SPACE}: c’est un lien" in told


def test_the_change_of_shift_sees_what_waits_for_a_second_analyst(run, desk):
    """A case that one person holds to be illegal is told from one that nobody has looked at, until
    a second has spoken, or the first one is contradicted.
    """
    now = datetime.now(UTC)
    seen, _ = take(desk, report_of(addresses=(PAGE,)), report_of(addresses=(f"{PAGE}/2",)), at=now)
    desk.assess(seen.case, by="amina", outcome="illegal", basis="seen", reason="x", at=now)
    waits = [one for one in run("case", "list")[1].splitlines() if "a second analyst" in one]
    assert [one.split(",")[0] for one in waits] == [seen.case]
    desk.assess(seen.case, by="badr", outcome="illegal", reason="x", at=now)
    assert "a second analyst" not in run("case", "list")[1]


def test_a_case_that_came_in_by_a_clock_that_was_ahead_is_told_and_begins_anew(run, desk):
    """It would never be late, and no step is before its report: `overdue` tells it, a step says
    what to do, and `restart` has its time begin now, which it does for no other case.
    """
    now = datetime.now(UTC)
    ahead = take(desk, report_of(addresses=(PAGE,)), at=now + timedelta(days=365))[0].case
    right = take(desk, report_of(addresses=(f"{PAGE}/2",)), at=now)[0].case
    code, told = run("case", "overdue")
    assert (code, f"{ahead} came in at a time that is still to come" in told) == (3, True)
    who = ("--by", "amina", "--reason", "the clock was wrong")
    code, told = run("case", "assess", ahead, "--outcome", "not_illegal", *who)
    assert (code, "screener case restart" in told) == (2, True)
    assert run("case", "restart", right, *who)[0] == 2
    assert run("case", "restart", ahead, "--by", "nobody", "--reason", "x")[0] == 2

    code, told = run("case", "restart", ahead, *who)

    assert (code, "23 hours" in told) == (0, True)
    assert run("case", "overdue") == (0, "")
    assert desk.case(ahead).since - now < timedelta(minutes=1)
    assert run("case", "restart", ahead, *who)[0] == 2
    assert run("case", "assess", ahead, "--outcome", "not_illegal", *who)[0] == 0
    log = (desk.folder / "cases.audit").read_text()
    assert '"step":"restarted"' in log.replace(": ", ":")


def test_a_reference_is_read_as_it_is_copied_from_an_arabic_text(run, desk):
    """Where it stands between characters that nobody sees. One that is not even text is none."""
    case = take(desk, report_of(addresses=(PAGE,)), at=datetime.now(UTC))[0].case
    assert run("case", "show", f"\u2068{case}\u2069 ")[0] == 0
    assert run("case", "show", f"{case}\udcff") == (2, f"screener: there is no case {case}\ufffd\n")


def test_a_case_that_was_decided_by_mistake_has_a_way_on(run, desk):
    """The error says which: to reverse what is illegal, and else that a report begins a case."""
    now = datetime.now(UTC)
    case, other = (take(desk, report_of(addresses=(page,)), at=now)[0].case
                   for page in (PAGE, f"{PAGE}/2"))  # fmt: skip
    who = ("--by", "amina", "--reason", "x")
    desk.assess(case, by="badr", outcome="not_illegal", reason="x", at=now)
    told = run("case", "assess", case, "--outcome", "illegal", "--basis", "seen", *who)[1]
    assert "begins a new case" in told
    assert take(desk, report_of(addresses=(PAGE,)), at=now)[0].became == "new"
    for by in ("amina", "badr"):
        desk.assess(other, by=by, outcome="illegal", basis="seen", reason="x", at=now)
    told = run("case", "assess", other, "--outcome", "not_illegal", *who)[1]
    assert "screener case reverse" in told


def test_a_known_picture_is_told_in_a_line_for_each_distance(run, desk):
    """And not in one for each of the dozen kinds of hashes that it has, before all else."""
    now, alley = datetime.now(UTC), item_of(IMAGES / "alley.jpg")
    case = take(desk, report_of(alley), at=now)[0].case
    for by in ("amina", "badr"):
        desk.assess(case, by=by, outcome="illegal", basis="seen", reason="x", at=now,
                    files=[IMAGES / "alley.jpg"])  # fmt: skip
    take(desk, report_of(alley), at=now)
    known = [one for one in run("case", "show", case)[1].splitlines() if "Known: " in one]
    assert len(known) == 1
    assert re.search(r"/item, confirmed \(ahash, .*, md5, pdq, .*, distance 0\)$", known[0])


def test_a_list_of_the_settings_that_is_not_there_is_to_be_mounted(run, desk, tmp_path):
    """No report is taken in without it, and nobody is told to make an empty one in its place."""
    gone = tmp_path / "gone.list"
    (desk.folder / "settings.toml").write_text(f'analysts = ["amina"]\ntrusted = ["{gone}"]\n')
    file = sealed_file(desk, report_of(addresses=(PAGE,)), "r")
    code, told = run("case", "import", file, "--by", "amina")
    assert (code, "mount its disk" in told) == (2, True)
    assert "import FILE" not in told


def test_a_partner_that_is_out_of_reach_keeps_no_other_from_being_asked(run, desk):
    """Its notice is recorded and waits, and so it is told; the exit code says that one does."""
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

    code, told = run("case", "notify", cases[1], *both, *who)

    assert code == 2
    assert f"the notice of {cases[1]} to meta is recorded and waits: " in told
    assert f"A notice of {cases[1]} lies ready for tiktok." in told
    assert len(list((desk.folder / "to/tiktok").glob("N-*"))) == 2


@pytest.mark.parametrize(("language", "words"), [
    ("en", ("Morocco", "France", "Arabic, French")), ("fr", ("Maroc", "arabe, français")),
    ("ar", ("المغرب", "فرنسا", "العربية")),
])  # fmt: skip
def test_a_case_shows_the_countries_and_the_languages_that_its_reports_say(
    run, desk, language, words
):
    """On which it hangs who is to be told; of each report, until its reporter takes it back."""
    said = [report_of(addresses=(PAGE,), language=one, country=where)
            for one, where in (("ar", "MA"), ("fr", "FR"), ("fr", "MA"), ("fr", None))]  # fmt: skip
    case = take(desk, *said, at=datetime.now(UTC))[0].case
    shown = run("case", "show", case, "--language", language)[1]
    assert [one for one in words if one not in shown] == []
    assert desk.case(case).countries == ("MA", "FR")


def test_what_an_analyst_pastes_may_hold_signs_that_nobody_sees(run, desk):
    """A name or a reason from an Arabic text: nobody would find what is wrong with it. They are not
    kept, so that the person is the same one.
    """
    now = datetime.now(UTC)
    case = take(desk, report_of(addresses=(PAGE,)), at=now)[0].case
    desk.assess(case, by="amina", outcome="illegal", basis="seen", reason="x", at=now)
    call = ("case", "assess", case, "--outcome", "illegal", "--by", "\u2068amina\u2069")
    code, told = run(*call, "--reason", "غير قانوني\u200f")
    assert (code, "a second person has to confirm" in told) == (2, True)
    assert run(*call[:-1], "\u2068badr\u2069", "--reason", "غير قانوني\u200f")[0] == 0
    assert "غير قانوني (" in desk.case(case).events[-1].reason
