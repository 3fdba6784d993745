"""Times as sources write them, and the order of two rows."""

import io
import time
from datetime import UTC, datetime

import pytest
from list_values import met, putting, value
from rich.console import Console

from screener.cli.list_text import print_import
from screener.lists.hashlist import HashList
from screener.lists.times import compare_times, find_later, is_same_time, parse_past_time


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("20240101", "2024-01-01"),
        ("20240101120000", "2024-01-01T12:00:00"),
        ("1704110400", "2024-01-01T12:00:00"),
        ("1704110400000", "2024-01-01T12:00:00"),
        ("1704110400500", "2024-01-01T12:00:00.5"),
        (" 2024-01-01T14:00:00+02:00 ", "2024-01-01T12:00:00"),
        ("2024-01-01T12:00:00Z", "2024-01-01T12:00:00"),
        ("2024-01-01t12:00:00z", "2024-01-01T12:00:00"),
        ("19900101", "1990-01-01"),
    ],
)
def test_a_time_is_read_by_the_way_it_is_written(text, said):
    """A date, a date and time, seconds, milliseconds, ISO 8601."""
    assert parse_past_time(text) == datetime.fromisoformat(said).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "5", "2024", "202401", "20241301", "20240230", "99999999", "170411040",
        "17041104000", "170411040000", "20240101250000", "1704110400000000", "٢٠٢٤٠١٠١",
        "1704110400.0", "-1704110400", "last week", "9" * 400, "2999-01-01", "9999999999",
        "9999999999999", "29990101", "29990101000000", "0001-01-01T00:00:00", "1899-12-30",
        "1970-01-01T00:00:00Z", "0000000000", "0000000000000", "19800101", "1989-12-31T23:59:59Z",
    ],
)  # fmt: skip
def test_what_is_no_time_or_cannot_be_one_is_none(text):
    """Other numbers of digits, invalid days, times more than a day ahead, and placeholders of tools
    that do not know the time.
    """
    assert parse_past_time(text) is None


def test_a_clock_that_is_a_little_fast_is_believed():
    """Up to a day ahead, and no further."""
    now = int(time.time())

    assert parse_past_time(str(now + 80_000)) == now + 80_000
    assert parse_past_time(str(now + 90_000)) is None


@pytest.mark.parametrize(
    ("one", "other", "latest"),
    [
        ("999999999", "1704110400", "1704110400"),
        ("2024-01-01T23:00:00-05:00", "2024-01-02T03:30:00Z", "2024-01-01T23:00:00-05:00"),
        ("20240201", "1704110400", "20240201"),
        ("20240201", "2024-02-01", "20240201"),
        ("2999-01-01", "2024-01-01", "2024-01-01"),
        ("x", "y", "y"),
        (None, "x", "x"),
        (None, None, None),
    ],
)
def test_the_later_of_two_is_the_later_moment_in_either_order(one, other, latest):
    """The later moment, not the greater text."""
    assert find_later(one, other) == find_later(other, one) == latest


@pytest.mark.parametrize(
    ("one", "other", "way", "one_moment"),
    [
        ("20240101", "2024-01-02", -1, False),
        ("1704067199", "2024-01-01", -1, False),
        ("20240101", "1704067200000", 0, True),
        ("2024-01-01T00:00:00-05:00", "2024-01-01T05:00:00Z", 0, True),
        ("2024-01-01", "2024-01-01", 0, True),
        ("2024-01-01", "x", None, False),
        ("2024-01-01", None, None, False),
        ("x", "y", None, True),
        ("x", "x", None, True),
        ("2999-01-01", None, None, True),
        (None, None, None, True),
    ],
)
def test_times_compare_as_moments_and_not_at_all_with_what_is_none(one, other, way, one_moment):
    """In either order; two invalid times are the same, and neither is earlier."""
    assert compare_times(one, other) == way
    assert compare_times(other, one) == (None if way is None else -way)
    assert is_same_time(one, other) is is_same_time(other, one) is one_moment


@pytest.mark.parametrize(
    ("held", "withdrawn"),
    [
        ("20240101", "2024-02-01"),
        ("2024-01-01", "20240201"),
        ("1704110400000", "1706788800"),
        ("20240101120000", "2024-02-01T00:00:00Z"),
        ("2999-01-01", "2024-02-01"),
        ("9999999", "2024-02-01"),
        ("2024-01-01", "0001-01-01T00:00:00"),
        ("2024-01-01", "1970-01-01T00:00:00Z"),
    ],
)
def test_a_withdrawal_is_not_taken_for_older_by_the_way_its_time_is_written(
    tmp_path, held, withdrawn
):
    """It counts and the entry stops matching; an older one, correctly written, does not count."""
    known = HashList.create(tmp_path / "known.list")
    put = putting(known, tmp_path)
    put(f"id,md5,updated\na,{value(1)},{held}\n")
    assert met(known, "md5", 1, 16)[0] == "match"

    assert put(f"id,md5,status,updated\na,,withdrawn,{withdrawn}\n").outdated == 0

    assert met(known, "md5", 1, 16)[0] == "unscreened"


def test_two_rows_of_a_file_on_an_entry_have_the_later_moment(tmp_path):
    """The original text, whichever comes first."""
    known = HashList.create(tmp_path / "known.list")
    rows = f"a,{value(1)},999999999\na,{value(1)},20240101\na,{value(1)},1704110400\n"
    putting(known, tmp_path)("id,md5,updated\n" + rows)

    assert known.refresh().show("a")[0].updated == "1704110400"


def test_a_row_of_an_unset_clock_is_not_taken_for_older(tmp_path):
    """Only its value is compared: placeholders for an unknown time have no order."""
    known = HashList.create(tmp_path / "known.list")
    put = putting(known, tmp_path)
    put(f"id,md5,updated\na,{value(1)},2024-01-01\n")

    assert put(f"id,md5,updated\na,{value(2)},0001-01-01T00:00:00\n").changed == 1

    assert met(known, "md5", 2, 16)[0] == "match"


def test_rows_whose_time_compares_with_none_are_counted(tmp_path):
    """Files imported out of order then undo each other; the summary and the log warn."""
    known = HashList.create(tmp_path / "known.list")
    put = putting(known, tmp_path)
    times = ("05/02/2024", "2024-02-05", "", "0001-01-01", "2999-01-01")
    rows = "".join(f"e{place},{value(place)},{said}\n" for place, said in enumerate(times))

    report = put("id,md5,updated\n" + rows)

    assert report.untimed == known.refresh().log()[-1].counts["untimed"] == 3
    page = Console(file=io.StringIO(), width=200)
    print_import(page, "file.csv", report)
    assert "3 rows without a comparable time" in page.file.getvalue()
    assert put("id,md5,updated\ne0,,05/02/2024\n" + rows).untimed == 3
