"""Files of a version to come are refused, and the error says what to do."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from command_process import screener

from screener import HammingIndex
from screener.errors import IndexFileError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def newest(tmp_path):
    """Files of this version, to be changed."""
    known = ROOT / "fixtures" / "known.csv"
    screener("import", known, "--into", "known.list", cwd=tmp_path)
    screener(
        "scan", known, "--list", "known.list", "-o", "results.jsonl", "--cache", "hashes.cache",
        "--audit", "decisions.audit", cwd=tmp_path,
    )  # fmt: skip
    (tmp_path / "known.csv").write_bytes(known.read_bytes())
    HammingIndex.build(np.zeros((1, 32), np.uint8)).save(tmp_path / "codes.idx")
    return tmp_path


def test_a_list_of_a_later_version_is_refused(newest):
    """The error says to upgrade."""
    with sqlite3.connect(newest / "known.list/records.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    connection.close()

    done = screener("info", "known.list", cwd=newest)

    assert done.returncode == 2
    assert "upgrade screener to open it" in done.stderr


def test_a_cache_of_a_later_version_is_refused(newest):
    """The error says to use that version, and the file stays as it is."""
    with sqlite3.connect(newest / "hashes.cache") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (newest / "hashes.cache").read_bytes()

    done = screener("rescan", "--list", "known.list", "--cache", "hashes.cache", cwd=newest)

    assert done.returncode == 2
    assert "newer version of screener: use that" in done.stderr
    assert (newest / "hashes.cache").read_bytes() == before


def test_an_index_of_a_later_version_is_refused(newest):
    """The error says to upgrade."""
    content = bytearray((newest / "codes.idx").read_bytes())
    content[8] = 99
    (newest / "codes.idx").write_bytes(content)

    with pytest.raises(IndexFileError, match="upgrade screener to open it"):
        HammingIndex.open(newest / "codes.idx")


def test_results_of_a_later_schema_are_refused(newest):
    """No report shows a part of them, and no scan resumes them."""
    content = (newest / "results.jsonl").read_bytes()
    (newest / "results.jsonl").write_bytes(content.replace(b'{"schema":1,', b'{"schema":99,'))

    report = screener("report", "results.jsonl", "-o", "report.html", cwd=newest)
    resumed = screener(
        "scan", "known.csv", "--list", "known.list", "--resume", "results.jsonl", cwd=newest
    )

    assert (report.returncode, resumed.returncode) == (2, 2)
    assert "use the version that wrote it" in report.stderr
    assert "Resume it with the version that wrote it" in resumed.stderr
    assert not (newest / "report.html").exists()


def test_an_audit_log_of_a_later_version_is_not_continued(newest):
    """The error says to use that version, and the log stays as it is."""
    head = newest / "decisions.audit.head"
    head.write_text(head.read_text().replace("screener-audit-head/1", "screener-audit-head/9"))
    before = (newest / "decisions.audit").read_bytes()

    checked = screener("audit", "verify", "decisions.audit", cwd=newest)
    more = ("match", "--list", "known.list", "--audit", "decisions.audit")
    continued = screener(*more, cwd=newest, input="unscreened empty - nothing\n")

    for done in (checked, continued):
        assert done.returncode == 2
        assert "use the version that wrote it" in done.stderr
    assert (newest / "decisions.audit").read_bytes() == before
