"""Answers of partners, which may be damaged or hostile."""

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notice_case import WRITTEN, partner
from paths import REPOSITORY

from screener.hotline.language.translator import get_translator
from screener.hotline.notices import acknowledgements
from screener.hotline.notices.acknowledgements import MAX_FILE_BYTES, UnreadError, parse

NOW = WRITTEN + timedelta(hours=10)
SENT = {"N-1": WRITTEN, "N-2": WRITTEN}
GOOD = {
    "schema": "screener-acknowledgement/1",
    "notice": "N-1",
    "event": "removed",
    "at": "2026-11-25T14:00:00+01:00",
    "by": "Sam",
}


@pytest.fixture
def folder(tmp_path):
    """Return a partner's folder of answers."""
    made = tmp_path / "acknowledgements"
    made.mkdir()
    return made


def read(tmp_path, **options):
    """Return the partner's answers, and the invalid files."""
    values = {"sent": SENT, "now": NOW} | options
    return acknowledgements.read_folder(partner(tmp_path), **values)


def test_answers_are_in_the_order_of_their_times(folder, tmp_path):
    """In UTC, whatever their zone."""
    answers = [
        GOOD | {"event": "acknowledged", "at": "2026-11-25T11:40:00Z", "note": "on it"},
        GOOD,
        GOOD | {"notice": "N-2", "event": "refused", "at": "2026-11-25T12:00:00.5Z"},
    ]
    for number, one in enumerate(reversed(answers)):
        (folder / f"{number}.json").write_text(json.dumps(one))
    (folder / "half.json.tmp").write_text("{")
    found, unread = read(tmp_path)

    assert unread == []
    assert [(one.notice, one.event) for one in found] == [
        ("N-1", "acknowledged"), ("N-2", "refused"), ("N-1", "removed"),
    ]  # fmt: skip
    assert found[2].at == datetime(2026, 11, 25, 13, tzinfo=UTC)
    assert (found[0].note, found[0].by, found[0].file) == ("on it", "Sam", "2.json")
    assert read(tmp_path) == (found, unread)


def test_answers_of_the_schema_are_read():
    """With optional and unknown fields."""
    schema = json.loads(
        (REPOSITORY / "docs/acknowledgement.schema.json").read_text(encoding="utf-8")
    )
    for one in (GOOD, GOOD | {"note": "x", "anything": [1]}):
        jsonschema.validate(one, schema, cls=jsonschema.Draft202012Validator)
        parse(json.dumps(one).encode(), "a.json", sent=SENT, now=NOW)
    for name in GOOD:
        short = {key: value for key, value in GOOD.items() if key != name}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(short, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Équipe\u00a0: nuit", "Équipe : nuit"),
        ("C’est fait\u202f!", "C’est fait !"),
        ("\u200fحذفنا المحتوى\u200f", "حذفنا المحتوى"),
        ("\u2067فريق السلامة\u2069", "فريق السلامة"),
        ("e\u0301quipe", "équipe"),
        ("a\u202eb", "ab"),
        ("two\r\nlines", "two lines"),
    ],
)
def test_invisible_characters_in_an_answer_are_dropped(folder, tmp_path, written, kept):
    """French spaces and Arabic marks do not lose a removal."""
    (folder / "one.json").write_text(json.dumps(GOOD | {"by": written, "note": written}))
    (one,), unread = read(tmp_path)
    assert unread == []
    assert (one.by, one.note) == (kept, kept)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": "other/1"}, "wrong_form"),
        ({"schema": None}, "wrong_form"),
        ({"event": "deleted"}, "wrong_form"),
        ({"event": ["removed"]}, "wrong_form"),
        ({"notice": "N-3"}, "unknown_notice"),
        ({"notice": "../../etc/passwd"}, "unknown_notice"),
        ({"notice": {"a": 1}}, "wrong_form"),
        ({"by": ""}, "wrong_form"),
        ({"by": "x" * 201}, "wrong_form"),
        ({"by": "a\0b"}, "wrong_form"),
        ({"by": "\u200f"}, "wrong_form"),
        ({"note": 3}, "wrong_form"),
        ({"note": "x" * 2001}, "wrong_form"),
        ({"at": "yesterday"}, "wrong_form"),
        ({"at": "2026-11-25T14:00:00"}, "wrong_form"),
        ({"at": "2026-02-30T14:00:00Z"}, "wrong_form"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "wrong_form"),
        ({"at": 1764000000}, "wrong_form"),
        ({"at": "2026-11-25T11:00:00Z"}, "wrong_time"),
        ({"at": "2026-11-25T22:00:00Z"}, "wrong_time"),
        ({"at": "9999-12-31T23:59:59Z"}, "wrong_time"),
    ],
)
def test_an_invalid_answer_has_a_typed_reason(folder, tmp_path, change, reason):
    """It affects only its own file, and its words are not repeated."""
    (folder / "bad.json").write_text(json.dumps(GOOD | change))
    (folder / "good.json").write_text(json.dumps(GOOD))
    found, unread = read(tmp_path)

    assert get_translator("en").render(unread[0].error) == str(unread[0].error)
    assert get_translator("ar").render(unread[0].error) != str(unread[0].error)
    assert [one.file for one in found] == ["good.json"]
    assert [(one.file, one.error.reason) for one in unread] == [("bad.json", reason)]
    assert "passwd" not in str(unread[0].error)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b"[" * 60_000, "not_json"),
        (b'{"a":' * 10_000, "not_json"),
        (b"[]", "wrong_form"),
        (b"NaN", "wrong_form"),
        (b'"N-1"', "wrong_form"),
        (b" " * (MAX_FILE_BYTES + 1), "too_large"),
        (b"9" * 60_000, "not_json"),
        (json.dumps(GOOD).encode()[:-1] + b', "event": "refused"}', "not_json"),
    ],
)
def test_damaged_and_hostile_files_have_a_reason(folder, tmp_path, data, reason):
    """Empty, cut, deep, huge, not UTF-8, or with duplicate fields."""
    (folder / "bad.json").write_bytes(data)
    found, unread = read(tmp_path)

    assert found == []
    assert [one.error.reason for one in unread] == [reason]


def test_only_regular_files_are_opened(folder, tmp_path):
    """A link, a folder and a pipe are reported by a printable name."""
    (tmp_path / "secret").write_text(json.dumps(GOOD))
    (folder / "link.json").symlink_to(tmp_path / "secret")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    (folder / "a\x1b[31m\n.json").write_text("{")
    (folder / os.fsdecode(b"\xff.json")).write_text("{")
    found, unread = read(tmp_path)

    assert found == []
    reasons = {one.file: one.error.reason for one in unread}
    assert [reasons[name] for name in ("link.json", "folder.json", "pipe.json")] == [
        "not_a_file"
    ] * 3
    assert len(unread) == 5
    assert all(one.file.isprintable() for one in unread)


def test_files_beyond_the_limit_are_counted(folder, tmp_path, monkeypatch):
    """And not read."""
    monkeypatch.setattr(acknowledgements, "MAX_FILES", 3)
    for number in range(5):
        (folder / f"{number}.json").write_text(json.dumps(GOOD))
    found, unread = read(tmp_path)

    assert len(found) == 3
    assert [(one.error.reason, str(one.error)) for one in unread] == [
        (
            "too_many",
            "only the newest 3 files were read, not the 2 oldest: move old ones away",
        )
    ]


def test_the_newest_files_are_read_whatever_their_names_and_dates(folder, tmp_path, monkeypatch):
    """By their arrival here, also by rename, not by times that the partner sets."""
    monkeypatch.setattr(acknowledgements, "MAX_FILES", 3)
    for number in range(5):
        (folder / f"{number}.json").write_text(json.dumps(GOOD))
    time.sleep(0.02)  # longer than a tick of the clock of files
    fresh = folder / "removed.part"
    fresh.write_text(json.dumps(GOOD | {"notice": "N-2"}))
    os.utime(fresh, (1, 1))
    fresh.rename(folder / "removed.json")
    found, unread = read(tmp_path)

    assert "N-2" in [one.notice for one in found]
    assert len(found) == 3
    assert [one.error.reason for one in unread] == ["too_many"]


def test_a_difference_of_minutes_between_clocks_is_accepted(folder, tmp_path):
    """The partner's own time is stored."""
    for name, at in (("a", WRITTEN - timedelta(minutes=4)), ("b", NOW + timedelta(minutes=4))):
        (folder / f"{name}.json").write_text(json.dumps(GOOD | {"at": at.isoformat()}))
    found, _ = read(tmp_path)

    assert [one.at for one in found] == [WRITTEN - timedelta(minutes=4), NOW + timedelta(minutes=4)]


def test_a_missing_folder_is_empty_before_the_first_notice(tmp_path):
    """After it, it is reported as unreachable."""
    assert read(tmp_path / "none", sent={}) == ([], [])
    found, (output,) = read(tmp_path / "none")
    assert (found, output.file, output.error.reason) == ([], "acknowledgements", "unreadable")


@pytest.mark.parametrize("made", ["a file", "a link to itself"])
def test_a_folder_that_cannot_be_read_is_an_invalid_file(tmp_path, made):
    """It affects that partner's answers only."""
    path = tmp_path / "acknowledgements"
    if made == "a file":
        path.write_text("")
    else:
        path.symlink_to(path)
    found, (output,) = read(tmp_path)
    assert (found, output.file, output.error.reason) == ([], "acknowledgements", "unreadable")


@given(st.one_of(st.binary(max_size=200), st.builds(
    lambda some: json.dumps(some).encode(),
    st.dictionaries(
        st.sampled_from([*GOOD, "note"]),
        st.one_of(st.none(), st.integers(), st.text(max_size=9), st.sampled_from([*GOOD.values()])),
    ),
)))  # fmt: skip
def test_any_file_is_read_or_refused_with_a_reason(data):
    """Nothing else is raised."""
    found = None
    with suppress(UnreadError):
        found = parse(data, "x.json", sent=SENT, now=NOW)
    assert found is None or (found.notice in SENT and WRITTEN <= found.at <= NOW)
