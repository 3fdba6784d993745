"""Notices: what is in them and what is not, and that each is written whole and once."""

import json
import multiprocessing
import os
import re
import stat
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notice_case import HELD, HOTLINE, MD5, PDQ, RECEIVED, SHA1, WRITTEN, case, partner
from paths import REPOSITORY

from screener import Hash
from screener.errors import HotlineError
from screener.hotline.model.addresses import defanged
from screener.hotline.model.case import ItemHash
from screener.hotline.notices import delivery
from screener.hotline.notices.notice import make_notice
from screener.hotline.notices.notice_files import render_files
from screener.lists.terms import Terms

NAMES = sorted(
    ["notice.json", *(f"notice.{c}.{e}" for c in ("ar", "fr", "en") for e in ("html", "txt"))]
)


def write(folder, *, one=None, to=None, at=WRITTEN, notice="N-1", hashes=HELD):
    """Write the made-up notice into a folder, in both steps; where it lies."""
    whom = to or partner(folder)
    made = make_notice(one or case(), whom, hotline=HOTLINE, at=at, notice=notice, hashes=hashes)
    delivery.stage(whom.folder, notice, made.case, render_files(made))
    delivery.deliver(whom.folder, notice)
    return whom.folder / notice


def test_a_notice_tells_a_machine_exactly_what_to_act_on(tmp_path):
    """The JSON has its schema's form: exact address, hashes by kind, times in UTC, due a day after
    the report came in, whom to call; and nothing of who reported or who assessed.
    """
    found = json.loads((write(tmp_path) / "notice.json").read_text(encoding="ascii"))

    schema = json.loads((REPOSITORY / "docs/notice.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    assert found == {
        "schema": "screener-notice/1", "notice": "N-1", "case": "C-2026-7KQ4M", "partner": "meta",
        "hotline": {"name": HOTLINE.name, "escalation": "duty@hotline.example"},
        "written": "2026-11-25T11:30:00Z", "received": "2026-11-25T09:30:00Z",
        "due": "2026-11-26T09:30:00Z", "request": "remove", "legal_basis": "article 447-2",
        "addresses": ["https://video.example/watch?v=1&list=a"],
        "hashes": [{"kind": "pdq", "value": PDQ}, {"kind": "md5", "value": MD5}], "tlp": "AMBER",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ar", ["طلب إزالة محتوى", "25 نونبر 2026، 10:30 (UTC+01:00)", "عنوان واحد", "بصمتان"]),
        (
            "fr",
            ["Demande de retrait", "26 novembre 2026, 10:30 (UTC+01:00)", "1 adresse", "2 empr"],
        ),
        (
            "en",
            ["Request to remove", "26 November 2026, 10:30 (UTC+01:00)", "1 address", "2 hashes"],
        ),
    ],
)
def test_people_read_it_in_each_language(tmp_path, language, said):
    """Times in the operator's zone, plurals, the address defanged, hashes as they are, in text and
    in HTML alike.
    """
    folder = write(tmp_path)
    for ending in ("txt", "html"):
        text = (folder / f"notice.{language}.{ending}").read_text(encoding="utf-8")
        for part in [*said, "C-2026-7KQ4M", "article 447-2", "duty@hotline.example", PDQ, MD5]:
            assert part in text, (ending, part)
        assert "hxxps[:]//video[.]example/watch?v=1" in text
        assert "https://" not in text
        assert "TLP:AMBER" in text


@pytest.mark.parametrize("language", ["ar", "fr", "en"])
def test_the_answer_can_be_copied_from_the_text(tmp_path, language):
    """In each language what stands in braces is JSON: no mark that turns text is in it."""
    text = (write(tmp_path) / f"notice.{language}.txt").read_text(encoding="utf-8")
    found = json.loads(text[text.index("\n{\n") :])
    assert (found["notice"], found["event"]) == ("N-1", "removed")


def test_its_files_are_the_owners_alone(tmp_path):
    """0600 in folders of 0700, whatever the umask, also those in which the partner's lies: whoever
    can write there puts another in its place. And no name beside those that are described.
    """
    before = os.umask(0)
    try:
        folder = write(tmp_path / "out" / "eu" / "meta")
    finally:
        os.umask(before)

    assert sorted(one.name for one in folder.iterdir()) == NAMES
    assert sorted(os.listdir(folder.parent)) == ["N-1", "acknowledgements"]
    for one in (folder, *folder.parents[:3], folder.parent / "acknowledgements"):
        assert stat.S_IMODE(one.stat().st_mode) == 0o700, one
    for one in folder.iterdir():
        assert stat.S_IMODE(one.stat().st_mode) == 0o600


def test_what_a_reporter_sent_is_never_passed_on(tmp_path):
    """Hashes of the case itself are nobody's to pass on: only those that are handed over as held
    are in a notice.
    """
    folder = write(tmp_path, hashes=())
    for one in folder.iterdir():
        text = one.read_text(encoding="utf-8")
        assert SHA1 not in text
        assert PDQ not in text
    assert json.loads((folder / "notice.json").read_text())["tlp"] is None


@pytest.mark.parametrize(
    ("terms", "audience", "why_not"),
    [
        (Terms(), "clients", "not for redistribution"),
        (Terms(redistribution=False, tlp="CLEAR"), "public", "not for redistribution"),
        (Terms(tlp="AMBER+STRICT"), "clients", "TLP:AMBER+STRICT"),
        (Terms(tlp="AMBER"), "community", "TLP:AMBER"),
        (Terms(tlp="CLEAR", expires="2026-11-24"), "clients", "expired"),
        (Terms(tlp="CLEAR", expires="2026-11-25"), "clients", None),
        (Terms(tlp="AMBER"), "clients", None),
        (Terms(redistribution=True), "community", None),
    ],
)
def test_the_terms_of_a_source_bind(tmp_path, terms, audience, why_not):
    """A hash goes to a partner only as far as who gave it allows; the rest of the notice goes, and
    what was withheld is told to the hotline and not to the partner.
    """
    held = [ItemHash(Hash.parse("pdq", PDQ), "a list", terms)]
    to = partner(tmp_path, audience=audience)
    made = make_notice(case(), to, hotline=HOTLINE, at=WRITTEN, notice="N-1", hashes=held)

    assert [one.text for one in made.hashes] == ([] if why_not else [PDQ])
    assert made.withheld == ({why_not: 1} if why_not else {})
    folder = write(tmp_path, to=to, hashes=held)
    for one in folder.iterdir():
        text = one.read_text(encoding="utf-8")
        assert (PDQ in text) == (why_not is None)
        assert "withheld" not in text


def test_only_kinds_that_the_partner_takes_are_sent(tmp_path):
    """Of two kinds, one; a hash that two sources gave goes once, under the narrower terms."""
    twice = [ItemHash(HELD[0].hash, "a list", Terms(tlp="CLEAR")), *HELD]
    to = partner(tmp_path, kinds=("pdq",))
    made = make_notice(case(), to, hotline=HOTLINE, at=WRITTEN, notice="N-1", hashes=twice)

    assert [one.text for one in made.hashes] == [PDQ]
    assert made.level == "AMBER"
    assert made.withheld == {"not a kind that the partner takes": 1}


@pytest.mark.parametrize(
    "fields",
    [{"outcome": None, "state": "received"}, {"outcome": "not_illegal"}, {"state": "withdrawn"},
     {"state": "removed"}, {"outcome": None}],
)  # fmt: skip
def test_nobody_is_asked_to_remove_what_nobody_has_assessed(tmp_path, fields):
    """A case that is not assessed as illegal, or is closed, makes no notice; nothing is written."""
    with pytest.raises(HotlineError, match="C-2026-7KQ4M"):
        write(tmp_path / "meta", one=case(**fields))
    assert not (tmp_path / "meta").exists()


@pytest.mark.parametrize("notice", ["", "../N", "a/b", ".hidden", "x" * 65, "N 1", "N\n", "é"])
def test_an_id_is_a_plain_name(tmp_path, notice):
    """No id leads out of the partner's folder, or hides there."""
    with pytest.raises(HotlineError, match="id of a notice"):
        write(tmp_path, notice=notice)
    assert list(tmp_path.iterdir()) == []


def test_a_notice_that_says_nothing_is_not_written(tmp_path):
    """Neither an address nor a hash that may go: an error that names the partner, and no hash."""
    held = [ItemHash(Hash.parse("pdq", PDQ), "a list", Terms())]
    with pytest.raises(HotlineError, match="may go to meta") as caught:
        write(tmp_path, one=case(addresses=()), hashes=held)
    assert PDQ not in str(caught.value)


def test_writing_it_again_changes_nothing(tmp_path):
    """The same id gives the same folder with the same content, byte for byte, whatever the hour;
    the same id for another case is refused, and so is a folder that is no notice.
    """
    folder = write(tmp_path)
    before = {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in folder.iterdir()}
    again = write(tmp_path, at=WRITTEN + timedelta(hours=9), hashes=())

    assert again == folder
    after = {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in folder.iterdir()}
    assert after == before
    other = case()
    object.__setattr__(other, "reference", "C-2")
    with pytest.raises(HotlineError, match="exists already"):
        write(tmp_path, one=other)
    (tmp_path / "N-2").mkdir()
    with pytest.raises(HotlineError, match="exists already"):
        write(tmp_path, notice="N-2")


STEPS = ("mkdir", "open", "fsync", "rename")


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_all_of_it_or_none(tmp_path, monkeypatch, step):
    """The process ends at each call of the operating system in turn: whatever is left, no notice
    lies there in part, and writing it again gives it whole, once.
    """
    real = getattr(os, step)

    class Killed(BaseException):
        pass

    for number in range(40):
        folder, calls = tmp_path / str(number), iter(range(number))

        def killed(*args, calls=calls, **options):
            if next(calls, None) is None:
                raise Killed
            return real(*args, **options)

        monkeypatch.setattr(os, step, killed)
        try:
            write(folder)
            died = False
        except Killed:
            died = True
        finally:
            monkeypatch.setattr(os, step, real)
        left = [one for one in folder.glob("[!.]*") if one.name != "acknowledgements"]
        assert all(sorted(one.name for one in some.iterdir()) == NAMES for some in left)
        write(folder)
        assert sorted(os.listdir(folder)) == ["N-1", "acknowledgements"]
        assert sorted(os.listdir(folder / "N-1")) == NAMES
        if not died:
            break
    else:
        pytest.fail("it never got through")
    assert number > 0


def test_a_notice_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Each of its files, then the folders: a power cut leaves no notice of empty files."""
    steps, sync, rename = [], os.fsync, os.rename

    def synced(descriptor):
        steps.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    def renamed(old, new):
        steps.append(("renamed", Path(new).name))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    write(tmp_path)

    assert sorted(steps[:-4]) == NAMES
    assert steps[-4:] == [".N-1.new", tmp_path.name, ("renamed", "N-1"), tmp_path.name]


def _write_many(folder):
    for number in range(5):
        write(folder, notice=f"N-{number}")


def test_writers_at_the_same_time_write_each_once(tmp_path):
    """Two processes with the same notices: each is there, whole, and nothing else is."""
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_write_many, args=(tmp_path,)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
        assert one.exitcode == 0

    assert sorted(os.listdir(tmp_path)) == [*(f"N-{n}" for n in range(5)), "acknowledgements"]
    for number in range(5):
        assert sorted(os.listdir(tmp_path / f"N-{number}")) == NAMES


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    """A file where the folder should be: named, typed, and without a hash."""
    (tmp_path / "meta").write_text("")
    with pytest.raises(HotlineError, match="cannot be written") as caught:
        write(tmp_path / "meta")
    assert PDQ not in str(caught.value)


def test_no_hash_is_in_what_python_shows_of_it(tmp_path):
    """`repr` of a notice and of a held hash, as a log would have them."""
    made = make_notice(
        case(), partner(tmp_path), hotline=HOTLINE, at=WRITTEN, notice="N-1", hashes=HELD
    )
    for shown in (repr(made), repr(HELD[0]), repr(case())):
        assert PDQ not in shown
        assert SHA1 not in shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://a.example/b.jpg", "hxxps[:]//a[.]example/b[.]jpg"),
        ("HTTP://A.example", "hxxp[:]//A[.]example"),
        ("t.me/x", "t[.]me/x"),
        (
            " https://a.example/?u=http://b.example ",
            "hxxps[:]//a[.]example/?u=hxxp[:]//b[.]example",
        ),
        ("ftp://a.example", "ftp[:]//a[.]example"),
        ("http://a\u202egpj.example", "hxxp[:]//a%E2%80%AEgpj[.]example"),
        (
            "a.example\n\nDear partner: nothing to do",
            "a[.]example%0A%0ADear partner[:] nothing to do",
        ),
        ("http://مثال.example/", "hxxp[:]//مثال[.]example/"),
        ("http://a\u3002example", "hxxp[:]//a[\u3002]example"),
        ("http\uff1a//a\uff0eb\uff61c\u2024d", "http[\uff1a]//a[\uff0e]b[\uff61]c[\u2024]d"),
        ("magnet:?xt=urn:btih:ab", "magnet[:]?xt=urn[:]btih[:]ab"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("http://[2001:db8::1]:80/", "hxxp[:]//[2001[:]db8[:][:]1][:]80/"),
    ],
)
def test_an_address_is_defanged(address, shown):
    """By hand; what would turn, hide or break a line is percent-encoded."""
    assert defanged(address) == shown


@given(
    st.one_of(st.text(max_size=60), st.from_regex("https?://[a-z.\u3002\uff61]{1,20}/\\S{0,20}"))
)
def test_no_defanged_address_can_be_opened(address):
    """Whatever it is: one line, no scheme that opens, no dot that joins a host's name; nor what the
    rules for names of hosts (IDNA) take for a dot.
    """
    shown = defanged(address)

    assert shown.isprintable()
    assert not re.search(r"(?i)https?\s*:", shown)
    assert "://" not in shown
    assert not re.search("(?<!\\[)[.:\u3002\uff0e\uff61]|[.:\u3002\uff0e\uff61](?!\\])", shown)


def test_the_hash_of_a_long_video_is_for_machines_only(tmp_path):
    """People read of which kind it is and where to find it; the JSON has it whole."""
    value = [f"{n:064x},100,{n}.0" for n in range(1, 90)]
    video = Hash.parse("vpdq", json.dumps(value))
    to = partner(tmp_path, kinds=("vpdq",))
    folder = write(tmp_path, to=to, hashes=[ItemHash(video, "a list", Terms(tlp="AMBER"))])

    for language, said in (("ar", "انظروا"), ("fr", "voir notice.json"), ("en", "see notice.json")):
        for ending in ("txt", "html"):
            text = (folder / f"notice.{language}.{ending}").read_text(encoding="utf-8")
            assert said in text
            assert "vpdq" in text
            assert f"{7:064x}" not in text
    (sent,) = json.loads((folder / "notice.json").read_text())["hashes"]
    assert Hash.parse(sent["kind"], sent["value"]) == video


def test_a_text_has_a_line_for_each_fact_and_no_more(tmp_path):
    """An address, a name or a legal basis cannot write lines of their own into a notice."""
    hostile = "https://a.example/\n\nNotice: N-9\r\nDue\u2028: never\u202e"
    folders = [
        write(tmp_path / name, one=case(addresses=(address,)))
        for name, address in (("a", "https://a.example/"), ("b", hostile))
    ]
    for language in ("ar", "fr", "en"):
        plain, odd = (
            (folder / f"notice.{language}.txt").read_text(encoding="utf-8") for folder in folders
        )
        assert len(plain.splitlines()) == len(odd.splitlines())
        assert "\u202e" not in odd
    told, _, answer = (folders[0] / "notice.ar.txt").read_text("utf-8").partition("\n{\n")
    assert all(line.startswith("\u200f") for line in told.splitlines() if line)
    assert answer.isascii() or set(answer) - {"…"} <= set(map(chr, range(128)))


def test_the_folder_of_answers_is_where_answers_are_read(tmp_path):
    """What a notice asks a partner to write, put there, is read back once it is filled in: nobody
    removes anything at a time that we have printed, whenever they copy it.
    """
    from screener.hotline.notices.acknowledgements import read_folder

    folder = write(tmp_path)
    text = (folder / "notice.en.txt").read_text(encoding="utf-8")
    example = text[text.index("{") : text.index("}") + 1]
    answer = tmp_path / delivery.ACKNOWLEDGEMENTS / "answer.json"
    timed = example.replace("YYYY-MM-DDThh:mm:ssZ", "2026-11-26T08:00:00Z")
    for copied, why in ((example, "at is still"), (timed, "by is still")):
        for hours in (3, 25, 100):
            answer.write_text(copied)
            now = RECEIVED + timedelta(hours=hours)
            found, (left,) = read_folder(partner(tmp_path), sent={"N-1": WRITTEN}, now=now)
            assert found == []
            assert left.error.reason == "not_filled_in"
            assert why in str(left.error)
    answer.write_text(timed.replace("…", "Sam"))
    (found,), unread = read_folder(
        partner(tmp_path), sent={"N-1": WRITTEN}, now=RECEIVED + timedelta(days=2)
    )

    assert unread == []
    assert (found.notice, found.event, found.by) == ("N-1", "removed", "Sam")
    assert found.at == RECEIVED + timedelta(hours=22.5)
