"""What holds for every format, and the CSV of `tx`."""

import base64
import contextlib
import io
import sqlite3

import pytest
from exchange_samples import (
    MD5,
    PDQ,
    content,
    imported,
    kinds,
    read,
)
from format_samples import SAMPLES

from screener import HashList
from screener.errors import ListError
from screener.lists.formats.cells import may_be_hash
from screener.lists.formats.content import Content
from screener.lists.formats.registry import FORMATS, sniff
from screener.lists.states import State


def test_tx_csv_the_documented_sample():
    """Opinions become states, tags are kept."""
    first, second = read(
        "signal_type,signal_str,collab,category,tags\n"
        f"pdq,{PDQ},synthetic_collab,POSITIVE_CLASS,tag_a tag_b\n"
        f"video_md5,{MD5},synthetic_collab,DISPUTED,\n"
    )

    assert (first.state, kinds(first), first.labels["tags"]) == (
        State.CONFIRMED,
        {"pdq": PDQ},
        "tag_a tag_b",
    )
    assert (second.state, second.labels["media"]) == (State.DISPUTED, "video")


def test_upper_case_pdq_folds_and_base64_does_not():
    """Base64 that survives lower-casing decodes to other bytes, and is not the same hash."""
    raw = bytes.fromhex(PDQ)
    text = base64.b64encode(raw).decode()
    upper, exact, lower = read(
        {
            "hashRecords": [
                {"signalType": "ImagePDQ", "hashValue": value, "hashStatus": "Active"}
                for value in (PDQ.upper(), text, text.lower())
            ]
        }
    )

    assert kinds(upper) == kinds(exact) == {"pdq": PDQ}
    assert kinds(lower) != {"pdq": PDQ}


@pytest.mark.parametrize("state", ["known_good", "seed"])
def test_a_state_for_a_whole_file(tmp_path, state):
    """An exclude list in any format never matches; withdrawals stay withdrawals."""
    data = f"id,md5,status\nx,{MD5},active\ny,,withdrawn\n"
    known, report = imported(tmp_path, data, state=state)

    assert (report.added, report.withdrawn, known.matchable) == (2, 1, False)


def test_a_state_for_a_whole_file_holds_for_what_is_set_aside(tmp_path):
    """A bad row of a list of seeds that somebody releases is no match either; one of a known file
    stays one.
    """
    rows = f"x,{MD5},,\ny,{MD5},bad,\nz,{MD5},bad,known_good\n"
    known, _ = imported(tmp_path, f"id,md5,sha1,status\n{rows}", state="seed")
    aside, _ = known.quarantined()
    known.release_rows([one.id for one in aside], by="someone", reason="sound")

    assert known.refresh().info().states == {"seed": 2, "known_good": 1}


@pytest.mark.parametrize(
    ("cell", "is_value"),
    [
        (MD5, True),
        (f"0x{MD5[:16]}", True),
        (MD5[:15], False),
        (" ".join(MD5), True),
        ("1.5E+31", True),
        (f"{base64.b64encode(bytes(range(24))).decode()}", True),
        (f"photo-{MD5[:24]}.jpg", True),
        (f"photo-{MD5[:23]}.jpg", False),
        (f"pdq:{base64.b64encode(bytes.fromhex(PDQ)).decode()}", True),
        ("date of import, 2026-10-31", False),
    ],
)
def test_what_may_be_a_value_names_no_column(cell, is_value):
    """Nor is it shown: a value in any form, also where damage has joined it to other text."""
    assert may_be_hash(cell) is is_value


def test_a_state_that_is_none_is_told(tmp_path):
    """With those there are."""
    with pytest.raises(ListError, match="known_good"):
        imported(tmp_path, f"md5\n{MD5}\n", state="withdrawn")


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_told_by_its_content(name):
    """And every format that is text has a sample here."""
    assert sniff(content(SAMPLES[name])) == name
    assert set(FORMATS) - set(SAMPLES) == {"tmk"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_imports_twice_to_the_same_list(tmp_path, name):
    """The second time nothing changes."""
    known, first = imported(tmp_path, SAMPLES[name])
    second = known.import_file(tmp_path / "a.file")

    assert first.added
    assert (second.added, second.changed, second.generation) == (0, 0, first.generation)


def held(known):
    """What the records of a list say, but for labels; of vPDQ, only that there is one."""
    with contextlib.closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        return connection.execute(
            "SELECT entry, state, categories, updated, h.kind, h.quality, iif(h.kind = 'vpdq', '',"
            " h.value) FROM records r LEFT JOIN hashes h ON h.record = r.id ORDER BY 1, 5, 7"
        ).fetchall()


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_read_goes_out_as_csv_and_comes_back(tmp_path, name):
    """Whatever labels it has, the neutral CSV of it is told by its content and says the same."""
    known, _ = imported(tmp_path, SAMPLES[name], source="demo")
    out = tmp_path / "out.csv"
    known.export(out, format="csv", audience="own")
    again = HashList.create(tmp_path / "again.list")

    report = again.import_file(
        out, source="demo", ids_from_hashes=True, ignore_unknown_columns=True
    )

    assert (report.format, dict(report.quarantined)) == ("csv", {})
    assert held(again) == held(known) != []


@pytest.mark.parametrize("name", sorted({*SAMPLES} - {"ncmec", "vpdq", "nsrl"}))
def test_bom_and_crlf_change_nothing(name):
    """A mark and other line ends, for every text."""
    data = SAMPLES[name].decode()
    plain = [(row.entry, row.state, kinds(row)) for row in read(data)]
    marked = ("\ufeff" + data.replace("\n", "\r\n")).encode()

    assert [(row.entry, row.state, kinds(row)) for row in read(marked)] == plain


def test_a_disk_that_fails_while_a_file_is_read_is_told():
    """As a refusal of ours that names the file."""

    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(ListError, match=r"cannot read a\.csv: Input"):
        Content(Failing(), "a.csv")
