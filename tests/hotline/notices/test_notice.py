"""Contents of notices, and their delivery in one piece, once."""

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
from notice_case import HOTLINE, ITEM_HASHES, MD5, PDQ, RECEIVED, SHA1, WRITTEN, case, partner
from paths import REPOSITORY

from screener import Hash
from screener.errors import HotlineError
from screener.hotline.model.addresses import defang
from screener.hotline.model.case import ItemHash
from screener.hotline.notices import delivery
from screener.hotline.notices.notice import make_notice
from screener.hotline.notices.notice_files import render_files
from screener.lists.terms import Terms

NAMES = sorted(
    ["notice.json", *(f"notice.{c}.{e}" for c in ("ar", "fr", "en") for e in ("html", "txt"))]
)


def write(folder, *, one=None, to=None, at=WRITTEN, notice="N-1", hashes=ITEM_HASHES):
    """Stage and deliver the example notice; return its folder."""
    whom = to or partner(folder)
    made = make_notice(one or case(), whom, hotline=HOTLINE, at=at, notice=notice, hashes=hashes)
    delivery.stage(whom.folder, notice, made.case, render_files(made))
    delivery.deliver(whom.folder, notice)
    return whom.folder / notice


def test_the_json_of_a_notice_follows_its_schema(tmp_path):
    """Exact address, hashes, times in UTC, contact; nothing about reporters or analysts."""
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
def test_text_and_html_are_in_each_language(tmp_path, language, said):
    """Local times, plurals, defanged addresses, exact hashes."""
    folder = write(tmp_path)
    for ending in ("txt", "html"):
        text = (folder / f"notice.{language}.{ending}").read_text(encoding="utf-8")
        for part in [*said, "C-2026-7KQ4M", "article 447-2", "duty@hotline.example", PDQ, MD5]:
            assert part in text, (ending, part)
        assert "hxxps[:]//video[.]example/watch?v=1" in text
        assert "https://" not in text
        assert "TLP:AMBER" in text


@pytest.mark.parametrize("language", ["ar", "fr", "en"])
def test_the_example_answer_in_the_text_is_json(tmp_path, language):
    """Without direction marks."""
    text = (write(tmp_path) / f"notice.{language}.txt").read_text(encoding="utf-8")
    found = json.loads(text[text.index("\n{\n") :])
    assert (found["notice"], found["event"]) == ("N-1", "removed")


def test_the_files_of_a_notice_are_private(tmp_path):
    """0600 in folders of 0700 under any umask, parent folders included."""
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


def test_reported_hashes_are_never_sent(tmp_path):
    """Only hashes of the case's item are."""
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
def test_hashes_are_withheld_by_their_terms(tmp_path, terms, audience, why_not):
    """The rest is sent; the partner does not see what was withheld."""
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


def test_only_kinds_of_the_partner_are_sent(tmp_path):
    """A hash of two sources goes once, under the narrower terms."""
    twice = [ItemHash(ITEM_HASHES[0].hash, "a list", Terms(tlp="CLEAR")), *ITEM_HASHES]
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
def test_a_notice_needs_an_open_illegal_case(tmp_path, fields):
    """Otherwise nothing is written."""
    with pytest.raises(HotlineError, match="C-2026-7KQ4M"):
        write(tmp_path / "meta", one=case(**fields))
    assert not (tmp_path / "meta").exists()


@pytest.mark.parametrize("notice", ["", "../N", "a/b", ".hidden", "x" * 65, "N 1", "N\n", "é"])
def test_an_id_is_a_safe_file_name(tmp_path, notice):
    """It cannot leave the partner's folder."""
    with pytest.raises(HotlineError, match="id of a notice"):
        write(tmp_path, notice=notice)
    assert list(tmp_path.iterdir()) == []


def test_a_notice_without_address_and_hash_is_refused(tmp_path):
    """The error names the partner and no hash."""
    held = [ItemHash(Hash.parse("pdq", PDQ), "a list", Terms())]
    with pytest.raises(HotlineError, match="may go to meta") as caught:
        write(tmp_path, one=case(addresses=()), hashes=held)
    assert PDQ not in str(caught.value)


def test_writing_a_notice_twice_changes_nothing(tmp_path):
    """The id of another case, or a folder that is no notice, is refused."""
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
def test_a_killed_delivery_leaves_the_whole_notice_or_none(tmp_path, monkeypatch, step):
    """Killed at each system call in turn; a retry delivers it once."""
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


def test_a_notice_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    """Files first, then folders."""
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
    """Write notices in a process."""
    for number in range(5):
        write(folder, notice=f"N-{number}")


def test_two_writers_deliver_each_notice_once(tmp_path):
    """Nothing else is left."""
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


def test_an_unwritable_folder_is_a_hotline_error(tmp_path):
    """Without a hash in it."""
    (tmp_path / "meta").write_text("")
    with pytest.raises(HotlineError, match="cannot be written") as caught:
        write(tmp_path / "meta")
    assert PDQ not in str(caught.value)


def test_repr_shows_no_hash(tmp_path):
    """Of a notice and an item's hash."""
    made = make_notice(
        case(), partner(tmp_path), hotline=HOTLINE, at=WRITTEN, notice="N-1", hashes=ITEM_HASHES
    )
    for shown in (repr(made), repr(ITEM_HASHES[0]), repr(case())):
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
    """Characters that turn, hide or break a line are percent-encoded."""
    assert defang(address) == shown


@given(
    st.one_of(st.text(max_size=60), st.from_regex("https?://[a-z.\u3002\uff61]{1,20}/\\S{0,20}"))
)
def test_no_defanged_address_can_be_opened(address):
    """One line, no scheme that opens, and nothing that IDNA takes for a dot."""
    shown = defang(address)

    assert shown.isprintable()
    assert not re.search(r"(?i)https?\s*:", shown)
    assert "://" not in shown
    assert not re.search("(?<!\\[)[.:\u3002\uff0e\uff61]|[.:\u3002\uff0e\uff61](?!\\])", shown)


def test_a_long_video_hash_is_in_the_json_only(tmp_path):
    """The texts refer to it."""
    value = [f"{n:064x},100,{n}.0" for n in range(1, 90)]
    video = Hash.parse("vpdq", json.dumps(value))
    to = partner(tmp_path, kinds=("vpdq",))
    folder = write(tmp_path, to=to, hashes=[ItemHash(video, "a list", Terms(tlp="AMBER"))])

    for language, words in (
        ("ar", "انظروا"),
        ("fr", "voir notice.json"),
        ("en", "see notice.json"),
    ):
        for ending in ("txt", "html"):
            text = (folder / f"notice.{language}.{ending}").read_text(encoding="utf-8")
            assert words in text
            assert "vpdq" in text
            assert f"{7:064x}" not in text
    (sent,) = json.loads((folder / "notice.json").read_text())["hashes"]
    assert Hash.parse(sent["kind"], sent["value"]) == video


def test_foreign_values_cannot_add_lines_to_a_text(tmp_path):
    """Addresses, names or a legal basis."""
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


def test_the_example_answer_is_read_once_it_is_filled_in(tmp_path):
    """As it is printed it is refused."""
    from screener.hotline.notices.acknowledgements import read_folder

    folder = write(tmp_path)
    text = (folder / "notice.en.txt").read_text(encoding="utf-8")
    example = text[text.index("{") : text.index("}") + 1]
    answer = tmp_path / delivery.ACKNOWLEDGEMENTS_FOLDER_NAME / "answer.json"
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
