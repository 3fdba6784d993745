"""The traps of exchange formats and the defects of other tools: each has a test, named here.

`ELSEWHERE` names the tests that stand in other files; the others follow. Of
the numbered defects, 13 is one of a service's answers, which nothing here asks for.
"""

import base64
import hashlib
import json

import pytest
from exchange_samples import (
    HMA,
    ICSE,
    MD5,
    PDQ,
    SHA1,
    SHA256,
    STOPNCII,
    UPDATES,
    VICS20,
    content,
    imported,
    kinds,
    read,
    refused,
)
from paths import REPOSITORY
from writer_cases import entry, made, written

from screener import HashList
from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash
from screener.lists.formats.csv_rows import MAX_CELL_CHARS
from screener.lists.formats.registry import sniff
from screener.lists.states import State
from screener.lists.store.records import BadRow

ELSEWHERE = {
    # How a file is told by its content.
    "a header row is compared without quotes, mark, case and spaces": "header_names_are_forgiving",
    "each format by its content": "each_format_is_told_by_its_content",
    "never by length: one column without a name": "one_unnamed_column_is_refused",
    "PDQ in the dress of a checksum file": "checksums_pdq_in_their_dress_is_not_taken_for_a_digest",
    "another database than NSRL's": "nsrl_another_database_is_refused",
    "XML of another answer": "ncmec_other_answers_are_refused",
    # The layer of text.
    "a PhotoDNA in each of its texts": "photodna_in_all_its_texts",
    "base64 in another case": "base64_is_never_folded",
    "marks, UTF-16, CR, LF and CR LF": "encodings_and_line_ends_change_nothing",
    "blank lines, comments, a last delimiter": "blank_lines_comments_and_last_delimiters_are"
    "_skipped",
    "quotes, 0x, spaces, NBSP, zero width": "what_surrounds_a_value_is_forgiven",
    "spreadsheets, NUL, wrong lengths": "a_damaged_value_sets_its_row_aside",
    "a line without end": "a_line_without_end_is_never_held",
    "a field over the limit": "a_field_over_the_limit_is_set_aside",
    "undecodable bytes": "undecodable_bytes_set_their_row_aside",
    "a stray quote": "a_stray_quote_swallows_no_other_row",
    # XML and JSON.
    "a DTD, entities": "xml_with_a_dtd_is_refused",
    "XML nested deeply": "xml_nested_deeply_is_refused",
    "truncated XML": "truncated_xml_is_refused",
    "truncated JSON": "truncated_json_is_refused",
    "JSON nested deeply": "json_nested_deeply_is_refused",
    "a field twice": "json_a_field_given_twice_is_set_aside",
    "NaN, half a surrogate, long numbers": "damage_in_a_json_record_is_confined_to_it",
    "numbers beyond 2^53": "threatexchange_long_ids_stay_what_they_are",
    "documents in a row, one a line, an array": "hma_the_documented_sample",
    # Transactions, opinions, tombstones.
    "all or nothing": "killed_at_any_write_it_leaves_the_generation_before",
    "a list that shrinks": "a_full_list_that_shrinks_sharply_is_refused_until_accepted",
    "killed at random, and run again": "killed_at_a_random_moment_a_list_is_at_one_generation_or"
    "_the_other",
    "the same file again": "a_file_imports_twice_to_the_same_list",
    "opinions of several sources": "records_of_several_sources_stay_separate",
    "two categories of one hash": "entries_that_say_otherwise_of_one_hash_are_counted",
    "a vote against a fingerprint": "ncmec_the_documented_sample",
    "disabled content": "hma_disabled_content_does_not_match",
    "cases that are all withdrawn": "stopncii_cases_all_withdrawn_are_a_withdrawal",
    "an old page and a tombstone": "an_old_page_cannot_bring_a_withdrawn_entry_back",
    "a withdrawal by one of two sources": "withdrawn_entry_stops_matching",
    "absent from a full list": "a_full_list_withdraws_what_it_no_longer_names",
    "a report has counts, not values": "no_hash_is_in_an_error_a_report_or_a_log",
    "an old page and a withdrawal without a time": "trap_an_old_page_cannot_bring_back_what_was"
    "_withdrawn_without_a_time",
    "a withdrawal without an id": "trap_a_withdrawal_without_an_id_that_reaches_nothing_is_told",
    "rows of an entry far apart": "an_import_makes_of_each_entry_what_all_of_its_rows_say",
    "two pages in one file": "rows_of_one_file_count_as_pages_in_their_order_would",
    "a row without a time": "no_order_of_the_rows_of_a_file_loses_what_has_no_time",
    "back over a withdrawal that was said again": "trap_a_withdrawal_that_is_said_again_after_a"
    "_rollback",
    "back over a withdrawal that was overtaken": "trap_a_withdrawal_that_a_later_listing_overtook",
    "back over a full list": "trap_what_a_full_list_did_not_name_while_it_was_rolled_back",
    "back over a withdrawal": "trap_a_rollback_past_a_withdrawal_that_was_taken_back",
    "an old row after a full list": "trap_a_row_of_an_old_file_is_not_released_after_a_newer_full"
    "_one",
    "one damaged fingerprint": "trap_a_damaged_fingerprint_does_not_drop_the_sound_older_one",
    # Terms.
    "columns that say how far a row may go": "trap_the_columns_tlp_and_expires_of_a_csv_bind",
    "one RED descriptor": "trap_one_red_descriptor_does_not_make_its_whole_source_red",
    "a manifest that tells of what it leaves out": "trap_a_manifest_says_nothing_of_what_is"
    "_withheld",
    "an old export of a renamed list": "trap_a_renamed_folder_hides_no_replay",
    # Defects of other tools.
    "2 withdrawn rows of StopNCII": "stopncii_a_withdrawal_stops_the_match",
    "4 times of vPDQ in three digits": "vpdq_a_time_of_three_digits",
    "6 NCMEC's image digests lost": "ncmec_every_fingerprint_is_kept",
    "7 upper-case PDQ refused": "upper_case_pdq_folds_and_base64_does_not",
    "8 labels lost where records meet": "uniting_loses_nothing",
    "a short PDQ of zeros that broke an index": "stopncii_a_short_value_of_zeros_is_set_aside",
    "10 equality on an address": "vics_a_context_is_matched_by_pattern",
    "11 the text false": "tat_the_text_false_is_false",
    "12 category 0": "vics_category_0_is_neither_notable_nor_lost",
    # Fixtures.
    "two pages and a tombstone": "ncmec_a_tombstone_and_a_later_page",
    "base64 that decodes to other bytes": "upper_case_pdq_folds_and_base64_does_not",
    "one id of two members": "ncmec_one_id_under_two_members_is_two_entries",
    "no descriptors": "threatexchange_no_descriptor_is_deleted",
    "PhotoDNA of 143 and 145 bytes": "vics_a_photodna_of_another_length_is_set_aside",
    "NSRL as VICS": "vics_nsrl_in_its_dress_is_not_notable",
    "a set of innocent files called CAID": "vics_12_must_be_said_to_be_notable_or_known",
    "ICSE's ragged rows": "icse_ragged_rows",
    "hashdeep's commas": "hashdeep_the_documented_sample",
    "a TMK with a lying count": "a_lying_tmk_is_refused",
    "VICS on one line": "a_vics_on_one_line_is_read_in_bounded_memory",
    "a 64-digit column": "what_is_no_list_is_refused",
    "a cell that is a formula": "the_neutral_csv_disarms_formulas_in_text_and_leaves_hashes_alone",
}


@pytest.mark.parametrize("trap", ELSEWHERE)
def test_the_test_of_a_trap_is_there(trap):
    """A test has the name given above."""
    files = (REPOSITORY / "tests").rglob("test_*.py")

    assert any(f"def test_{ELSEWHERE[trap]}(" in file.read_text() for file in files)


@pytest.mark.parametrize(
    ("start", "said"),
    [(b"\x1f\x8b\x08", "gzip"), (b"PK\x03\x04", "zip"), (b"HASH\r\n\xff\0", "EnCase")],
)
def test_trap_what_is_packed_or_binary_is_told(start, said):
    """It is recognised by its first bytes, before any reader runs."""
    with pytest.raises(ListError, match=said):
        sniff(content(start + bytes(100)))


@pytest.mark.parametrize(
    "text",
    [
        f"DELETE FROM METADATA WHERE md5 = '{MD5}';\n",
        f'"file_id","hashset_id","file_name","directory","hash"\n1,7,"a.bin","","{MD5}"\n',
        json.dumps({"hashes": [base64.b64encode(bytes.fromhex(PDQ)).decode()]}),
        '<queryResult xmlns="https://hashsharing.example.invalid/v1"><images/></queryResult>',
    ],
    ids=["statements of SQL", "a column that is called hash", "a query", "another namespace"],
)
def test_trap_what_is_like_a_list_is_refused_and_never_guessed_at(text):
    """Nothing is executed, no kind is guessed from a length, and no query becomes a list."""
    refused(text, "no known format|the only supported XML")


def test_trap_the_log_knows_each_file(tmp_path):
    """Its SHA-256 shows whether a file was imported."""
    data = f"id,md5\nx,{MD5}\n".encode()
    known, _ = imported(tmp_path, data)

    assert known.log()[-1].sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
def test_trap_another_encoding_is_told(encoding):
    """UTF-32, whose mark begins like that of UTF-16."""
    data = f"\ufeffid,md5\nx,{MD5}\n".encode(encoding)
    refused(data, "UTF-8 or UTF-16", format="csv")


def test_trap_a_missing_last_line_end_loses_no_row():
    """This applies to every format of lines."""
    assert len(read(f"id,md5\nx,{MD5}\ny,{MD5}")) == 2
    assert len(read(f"pdq {PDQ}\nmd5 {MD5}")) == 2
    assert len(read(ICSE.rstrip())) == 2


def test_trap_a_tmk_in_base64_fits_a_cell():
    """Python's own limit of a cell is shorter than its text."""
    assert (KINDS["tmk_pdqf"].size + 2) // 3 * 4 < MAX_CELL_CHARS
    (bad,) = read(f"id,tmk_pdqf\nx,{'A' * 351_128}\n")

    assert (bad.field, "too long" in bad.reason) == ("tmk_pdqf", False)


def test_trap_leading_zeros_lost_by_a_spreadsheet():
    """An MD5 of 31 digits is not completed."""
    (bad,) = read(f"id,md5\nx,{MD5.lstrip('0')}\n")

    assert (bad.field, bad.reason) == ("md5", "wrong length")


@pytest.mark.parametrize("value", ["true", "True", "1", True, "yes"])
def test_trap_booleans_as_text(value):
    """A deletion in words is a deletion."""
    item = {"id": 7, "hash_digest": MD5, "algorithm": "MD5", "deleted": value}
    (row,) = read({"results": [item]})

    assert row.state is State.WITHDRAWN


def test_trap_null_is_not_zero_and_absent_is_neither():
    """A VICS category that is 0, null, or absent."""
    items = [{"MD5": made("md5", n).text} | said
             for n, said in enumerate(({"Category": 0}, {"Category": None}, {}))]  # fmt: skip
    zero, null, absent = read(VICS20 | {"value": items})

    assert [[c.code for c in row.categories] for row in (zero, null, absent)] == [["0"], [], []]
    assert (null.state, absent.state) == (State.SEED, State.SEED)


def test_trap_a_root_that_is_an_array():
    """From a service that usually sends an object."""
    assert [kinds(row) for row in read([HMA])] == [{"pdq": PDQ}]
    refused([STOPNCII], "JSON, but in no known format")


def test_trap_1_times_are_in_utc_and_say_so():
    """A time in another zone is written as the same moment in UTC."""
    text, _ = written("ncmec", [entry("7/a", made("md5", 1), updated="2030-01-02T01:00:00+09:00")])

    assert "<timestamp>2030-01-01T16:00:00Z</timestamp>" in text


def test_trap_3_types_of_stopncii_are_its_values():
    """`ImagePDQ`, in any case; names of Python enumerations are not types."""
    record = STOPNCII["hashRecords"][0]
    (row,) = read({"hashRecords": [record | {"signalType": "IMAGEPDQ"}]})
    (bad,) = read({"hashRecords": [record | {"signalType": "StopNCIISignalType.ImagePDQ"}]})

    assert kinds(row) == {"pdq": PDQ}
    assert (bad.field, bad.reason) == ("signalType", "unsupported type")


def test_trap_4_times_of_vpdq_go_out_with_three_decimals():
    """1234.567 seconds do not become 1.23e+03."""
    item = Hash.parse("vpdq", json.dumps([f"{PDQ},90,1234.567"]))
    text, _ = written("tx", [entry("a", item)])

    assert "1234.567" in text
    assert "e+" not in text


def test_trap_5_an_export_replaces_what_was_there(tmp_path):
    """An export never appends."""
    known, _ = imported(tmp_path, f"id,md5\nx,{MD5}\n")
    out = tmp_path / "out.txt"
    for _ in range(2):
        known.export(out, format="tx", audience="own")

    assert out.read_text() == f"md5 {MD5}\n"


def test_trap_6_a_value_that_is_not_valid_is_not_shown(tmp_path, caplog):
    """No log or report has it, although other tools print it."""
    bad = "ab" * 15 + "zz"
    data = json.dumps({"data": [UPDATES["data"][1] | {"indicator": bad, "should_delete": False,
            "descriptors": UPDATES["data"][0]["descriptors"]}, UPDATES["data"][0]]})  # fmt: skip
    caplog.set_level(0)
    _, report = imported(tmp_path, data)

    assert sum(report.quarantined.values()) == 1
    assert bad not in caplog.text + repr(report)


def test_trap_9_no_text_none():
    """A null field is not text."""
    item = UPDATES["data"][0] | {"id": None, "last_updated": None}
    (row,) = read({"data": [item]})

    assert (row.entry, row.updated) == (None, None)
    assert "None" not in row.labels.values()


@pytest.mark.parametrize("spelling", ["ssvh-safer-hash", "tmk-safer-hash", "SSVH_SAFER_HASH"])
def test_trap_14_a_fingerprint_with_two_names_is_kept_under_either(spelling):
    """As a label: the kind is unknown here, and not lost."""
    page = (
        '<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2"><images><image>'
        f'<member id="1"/><id>a</id><fingerprints><md5>{MD5}</md5><{spelling}>XYZ</{spelling}>'
        "</fingerprints></image></images></queryResult>"
    )
    (row,) = read(page)

    assert kinds(row) == {"md5": MD5}
    assert row.labels[f"fingerprint {spelling}"] == "XYZ"


def test_trap_15_a_photodna_has_144_bytes_in_288_digits():
    """It is not 32 to 128 digits."""
    good, bad = read(f"id,photodna\na,{'1f' * 144}\nb,{'1f' * 32}\n")

    assert kinds(good) == {"photodna": base64.b64encode(b"\x1f" * 144).decode()}
    assert (bad.field, bad.reason) == ("photodna", "wrong length")


def test_trap_16_a_malformed_record_is_counted_and_not_shown(tmp_path, caplog):
    """The import continues, and no log has the record."""
    secret = made("pdq", 9).text
    record = STOPNCII["hashRecords"][0]
    page = {"hashRecords": [{"hashValue": secret}, [secret], record]}
    caplog.set_level(0)
    _, report = imported(tmp_path, json.dumps(page))

    assert (report.rows, report.added, sum(report.quarantined.values())) == (3, 1, 2)
    assert secret not in caplog.text + repr(report)


def test_fixture_a_pdq_of_zeros_is_kept_and_never_found(tmp_path):
    """It is the hash of a blank image."""
    known, report = imported(tmp_path, f"id,pdq\nx,{'0' * 64}\ny,{PDQ}\n")

    assert (report.added, report.low_information, dict(known.kinds)) == (2, 1, {"pdq": 1})


def test_fixture_a_time_of_stopncii_that_goes_backwards(tmp_path):
    """An older time changes nothing; at equal times a withdrawal wins."""
    record = STOPNCII["hashRecords"][0]
    file = tmp_path / "a.json"
    known = HashList.create(tmp_path / "known.list")
    reports = []
    for second, status in ((20, "Withdrawn"), (10, "Active"), (20, "Active"), (30, "Active")):
        time = 1_700_000_000 + second
        page = {"hashRecords": [record | {"lastModtimestamp": time, "hashStatus": status,
                                          "caseNumbers": {}}]}  # fmt: skip
        file.write_text(json.dumps(page))
        reports.append(known.import_file(file, source="s"))
        known = known.refresh()

    assert [report.outdated for report in reports] == [0, 1, 1, 0]
    assert dict(known.kinds) == {"pdq": 1}


def test_fixture_two_opinions_of_one_file_on_one_md5(tmp_path):
    """Equal digests with different categories, and a withdrawn row with an active one's value."""
    rows = f"SYN-1,{MD5},{SHA256},A,active\nSYN-2,{MD5.upper()},,C,active\n"
    data = f"id,md5,sha256,category,status\n{rows}SYN-3,,{SHA256},prohibited,withdrawn\n"
    known, report = imported(tmp_path, data)

    ((first, second),) = known.holders("md5", [0])
    ((third,),) = known.holders("sha256", [0])

    assert (report.added, report.withdrawn) == (3, 1)
    assert [first.categories[0].code, second.categories[0].code] == ["A", "C"]
    assert third.entry == "SYN-1"


def test_fixture_nsrl_with_a_mark_and_crlf():
    """It is Latin-1 unless it has a byte order mark."""
    head = '"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"'
    row = f'"{SHA1.upper()}","{MD5.upper()}","01234567","caf\u00e9",2048,1,"1",""'
    plain = f"{head}\n{row}\n".encode("latin-1")
    marked = f"\ufeff{head}\r\n{row}\r\n".encode()

    (first,), (second,) = read(plain), read(marked)
    assert not isinstance(first, BadRow)
    assert (kinds(first), first.state) == (kinds(second), second.state)
    assert first.state is State.KNOWN_GOOD
