"""Files that a released version wrote give the same answers to this one, or are refused with the
remedy; and files of a version to come are refused likewise.
"""

import json
import sqlite3
import tarfile
from pathlib import Path

import pytest
from command_process import screener
from released_files import ANSWERS, answer

from screener import HammingIndex
from screener.errors import IndexFileError

RELEASES = sorted(path for path in (Path(__file__).parent / "upgrades").iterdir() if path.is_dir())
# What this version no longer opens, by release and part, and the remedy that its error names.
REFUSED: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize("part", ANSWERS)
@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_files_of_a_release_give_the_answers_that_they_gave(release, part):
    """The answers are those that the release itself gave, in `expected.json`."""
    expected = json.loads((release / "expected.json").read_text())

    if remedy := REFUSED.get((release.name, part)):
        with pytest.raises(Exception, match=remedy):
            answer(part, release / "files.tar.xz")
    else:
        assert answer(part, release / "files.tar.xz") == expected[part]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_the_expected_answers_find_what_is_listed(release):
    """Each confirmed entry is found by its value, and no longer once it is withdrawn."""
    expected = json.loads((release / "expected.json").read_text())
    before, after = expected["list"][0][-1], expected["list"][1]

    found = {name: [hit[0] for hit in hits] for name, _, _, hits, _ in before}
    assert {entry: [entry] for entry in ("demo-0001", "demo-0002", "demo-0008")}.items() <= (
        found.items()
    )
    assert found["demo-0007"] == []
    assert found["demo-0001-file"] == ["demo-0001"]
    assert {name for name, *_, hits, _ in after if hits} == {
        name for name in found if found[name] and not name.startswith("demo-0001")
    }
    assert [verdict for _, verdict, *_ in expected["cache"][1]].count("match") == 2


@pytest.fixture
def newest(tmp_path):
    """The files of the newest release, to be changed."""
    with tarfile.open(RELEASES[-1] / "files.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path


def test_a_list_of_a_later_version_is_refused(newest):
    """The error says to upgrade."""
    with sqlite3.connect(newest / "known.list/records.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    connection.close()

    for command in (["info", "known.list"], ["upgrade", "known.list"]):
        done = screener(*command, cwd=newest)
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
