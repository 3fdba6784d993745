"""VICS hash sets: categories by scheme, opinions on one MD5, and fields that are dropped."""

import base64
import json

import pytest
from exchange_samples import (
    CONTEXT20,
    MD5,
    PDQ,
    PHOTODNA,
    SHA1,
    VICS13,
    VICS20,
    imported,
    kinds,
    read,
    reader_of,
    refused,
)

from screener.lists.formats.mapping import ColumnMapping
from screener.lists.formats.vics import SCHEMES
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category

OTHER = "f" * 32


def vics(*media, region="US", what="Media"):
    """Return a 2.0 file of these media."""
    return {"@odata.context": CONTEXT20.format(region, what), "value": list(media)}


def test_vics13_the_documented_sample():
    """The alternative hash is a PhotoDNA; truth values stay text; null means absent."""
    (row,) = read(VICS13, scheme="vics-us-legacy")

    assert kinds(row) == {"md5": MD5, "sha1": SHA1, "photodna": PHOTODNA}
    assert (row.state, row.categories) == (State.CONFIRMED, (Category("vics-us-legacy", "1"),))
    assert row.labels["VictimIdentified"] == "false"
    assert "Series" not in row.labels
    assert row.updated == "2030-01-02T03:04:05-05:00"


def test_vics20_the_documented_sample(tmp_path):
    """Two opinions on one MD5 make one record with both categories, which still matches."""
    first, second = read(VICS20)

    assert first.entry == second.entry
    assert second.categories == (Category("vics-us-2.0", "0"),)
    assert second.labels["UnknownVendorField"] == '{"a": 1}'
    known, report = imported(tmp_path, json.dumps(VICS20))
    assert (report.format, report.added, report.repeated) == ("vics", 1, 1)
    ((record,),) = known.holders("md5", [0])
    assert record.state is State.CONFIRMED
    assert {category.code for category in record.categories} == {"0", "2"}


@pytest.mark.parametrize(
    ("name", "scheme", "records", "photodna"),
    [("vics13_media.json", "vics-us-legacy", 2, 0), ("vics20_media.json", "vics-us-2.0", 3, 1)],
)
def test_vics_the_exchange_documents(material, tmp_path, name, scheme, records, photodna):
    """Every medium becomes a record; Exif data is dropped."""
    data = (material / "exchange" / name).read_bytes()
    refused(data, "--scheme")

    known, report = imported(tmp_path, data, scheme=scheme)

    assert (report.added, report.quarantined) == (records, {})
    assert not {"Exifs", "MediaFiles"} & set(report.unknown_columns)
    assert dict(known.kinds) == {"md5": records, "sha1": records}
    rows = read(data, scheme=scheme)
    assert sum("photodna" in kinds(row) for row in rows) == photodna


def test_vics_category_0_is_neither_notable_nor_lost():
    """It is a category like any other; absent and null are none."""
    zero, null, absent = read(
        vics({"MD5": MD5, "Category": 0}, {"MD5": MD5, "Category": None}, {"MD5": MD5})
    )

    assert (zero.state, zero.categories) == (State.KNOWN_GOOD, (Category("vics-us-2.0", "0"),))
    assert (null.state, null.categories) == (State.SEED, ())
    assert (absent.state, absent.categories) == (State.SEED, ())


def test_vics_0_and_5_are_exchanged_between_two_schemes():
    """Non-pertinent is 0 in one and 5 in the other; neither ever matches."""
    media = {"value": [{"MediaID": 1, "MD5": MD5, "Category": code} for code in (0, 5)]}

    assert [row.state for row in read(media, scheme="vics-us-2.0")] == ["known_good", "seed"]
    assert [row.state for row in read(media, scheme="vics-us-legacy")] == ["seed", "known_good"]


def test_vics_an_entry_is_its_md5_whatever_else_is_known_of_it():
    """A later release with another digest is the same entry; `MediaID` does not matter."""
    plain, more = read(
        vics(
            {"MediaID": 1, "MD5": MD5, "Category": 1},
            {"MediaID": 2, "MD5": MD5, "SHA1": SHA1, "Category": 1},
        )
    )

    assert plain.entry == more.entry
    assert MD5 not in plain.entry


@pytest.mark.parametrize("name", ["PDQ", "pdq hash", "Hash_PDQ"])
def test_vics_a_hash_is_read_by_its_kind_wherever_it_stands(name):
    """As a field, in the list of alternatives, and as a single alternative."""
    one = {"HashName": name, "HashValue": PDQ}

    for said in ({name: PDQ}, {"AlternativeHashes": [one]}, {"AlternativeHashes": one}):
        (row,) = read(vics({"MD5": MD5, "Category": 1} | said))
        assert kinds(row) == {"md5": MD5, "pdq": PDQ}


@pytest.mark.parametrize(
    "said", [PDQ, [PDQ], {"PDQ": PDQ}, [{"Name": "PDQ", "Value": PDQ}], [{"HashName": "PDQ"}], 7]
)
def test_vics_alternatives_in_other_forms_are_set_aside(said):
    """Their hashes are not silently lost; those beside them are imported."""
    row, bad = read(vics({"MD5": MD5, "Category": 1, "AlternativeHashes": said}))

    assert kinds(row) == {"md5": MD5}
    assert bad == BadRow(1, "AlternativeHashes", "not a name and a value")


@pytest.mark.parametrize("said", [None, [], "", [{"HashName": "PDQ", "HashValue": None}]])
def test_vics_alternatives_that_say_nothing(said):
    """Null and empty are not damage."""
    (row,) = read(vics({"MD5": MD5, "Category": 1, "AlternativeHashes": said}))

    assert kinds(row) == {"md5": MD5}


def test_vics_fields_that_differ_in_case_only_are_one_given_twice():
    """Either of the two may be meant; of other fields both are stored."""
    assert read(vics({"MD5": MD5, "md5": OTHER, "Category": 1})) == [
        BadRow(1, None, "a field given twice")
    ]
    (row,) = read(vics({"MD5": MD5, "Category": 1, "Note": "a", "note": "b"}))
    assert (row.labels["Note"], row.labels["note"]) == ("a", "b")


def test_vics_records_without_a_category_are_told():
    """They are seeds, whatever the field has, unless a state is set for all."""
    said = vics({"MD5": MD5}, *({"MD5": MD5, "Category": one} for one in (None, {}, [1], 1, 9)))
    reader = reader_of(said)

    assert [row.state for row in reader] == [*["seed"] * 4, "confirmed", "seed"]
    unnamed, without = reader.notes
    assert unnamed.startswith("1 record with a category that vics-us-2.0 does not define")
    assert without == "4 records with no category: taken as seeds, which match nothing"
    known = reader_of(vics({"MD5": MD5}, region="CUSTOM"), state=State.KNOWN_GOOD)
    assert ([row.state for row in known], known.notes) == (["known_good"], ())


def test_vics_nsrl_in_its_dress_is_not_notable():
    """Innocent files as VICS with category 0."""
    assert read(vics({"MD5": MD5, "Category": 0}))[0].state is State.KNOWN_GOOD


def test_vics_12_must_be_said_to_be_notable_or_known():
    """NIST's set of that version lists innocent files."""
    said = {
        "odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.2.xml#Media",
        "value": [{"MediaID": 1, "MD5": MD5, "Category": 1}],
    }
    refused(said, "--state")

    (known,) = read(said, state=State.KNOWN_GOOD)
    (notable,) = read(said, state=State.CONFIRMED, scheme="vics-us-legacy")

    assert (known.state, notable.state) == (State.KNOWN_GOOD, State.CONFIRMED)


def test_vics_sets_in_a_row_are_of_one_scheme():
    """Parts of a set may follow each other; a 3 of the UK is not a 3 of the US."""
    medium = {"MD5": MD5, "Category": 3}
    us, uk = (json.dumps(vics(medium, region=region)) for region in ("US", "UK"))

    assert len(read(f"{us}\n{us}")) == 2
    for text in (f"{us}\n{uk}", f"{uk}\n{us}"):
        refused(text, "sets of different schemes")
        assert len(read(text, scheme="vics-uk")) == 2  # whoever names it knows
    refused(f"{us}\n" + json.dumps(vics(medium, what="Cases")), "case")
    refused(f"{us}\n" + json.dumps(vics(medium, region="CUSTOM")), "--scheme")


def test_vics_what_a_set_is_may_stand_behind_its_media():
    """The context may come after the media: innocent files are still refused."""
    media = [{"MediaID": 1, "MD5": MD5, "Category": 1, "Tags": "x" * 1000} for _ in range(100)]
    context = "http://github.com/ICMEC/ProjectVic/DataModels/1.2.xml#Media"

    refused({"value": media, "odata.metadata": context}, "--state", scheme="vics-us-legacy")


def test_vics_a_case_is_no_list():
    """The export of a case has whatever was on a disk."""
    refused(vics({"CaseID": "x", "Media": []}, what="Cases"), "case")


def test_vics_a_context_is_matched_by_pattern():
    """Unknown regions and versions need a scheme, and are read."""
    said = vics({"MD5": MD5, "Category": 1}, region="Morocco")
    refused(said, "--scheme")

    assert read(said, scheme="vics-uk")[0].state is State.CONFIRMED


def test_vics_an_operators_own_scheme_has_a_table():
    """The states of its codes come from a mapping file."""
    table = ColumnMapping.from_dict({"scheme": "operator:x", "states": {"7": "confirmed"}})
    said = vics({"MD5": MD5, "Category": 7}, {"MD5": MD5, "Category": 1}, region="CUSTOM")

    rows = read(said, mapping=table)

    assert [row.state for row in rows] == [State.CONFIRMED, State.SEED]
    assert rows[0].categories == (Category("operator:x", "7"),)


def test_vics_personal_data_is_not_kept():
    """Paths, thumbnails, Exif data and files are dropped; a deleted file is not a withdrawal."""
    (row,) = read(
        vics(
            {
                "md5": MD5,
                "category": 1,
                "RelativeFilePath": "p",
                "Miniature": "m",
                "Exifs": [{}],
                "MediaFiles": [{"Deleted": True}],
            }
        )
    )

    assert (row.labels, row.state, kinds(row)) == ({}, State.CONFIRMED, {"md5": MD5})


def test_vics_a_bad_date_does_not_lose_the_hash():
    """Every spelling is stored as it is."""
    (row,) = read(vics({"MD5": MD5, "Category": 1, "DateUpdated": "/Date(123)/+1:00Z"}))

    assert row.updated == "/Date(123)/+1:00Z"


def test_vics_a_photodna_of_another_length_is_set_aside():
    """143 and 145 bytes; the MD5 stays."""
    for size in (143, 145):
        text = base64.b64encode(bytes(size)).decode()
        good, bad = read(vics({"MD5": MD5, "Category": 1, "PhotoDNA": text}))

        assert kinds(good) == {"md5": MD5}
        assert (bad.field, bad.reason) == ("photodna", "wrong length")


def test_vics_with_a_mark_and_many_lines():
    """A byte-order mark, and any spacing."""
    data = json.dumps(VICS20, indent=4).replace("\n", "\r\n").encode("utf-8-sig")

    assert len(read(data)) == 2
    assert len(read(json.dumps(VICS20).encode("utf-16"))) == 2


def test_categories_that_the_scheme_does_not_name_are_counted():
    """They never match, and may be misspelt; `1.0` is 1."""
    codes = (1.0, "1.0", "1.00", 2, "01", "CAT 1", 9, "1.5", None, "")
    reader = reader_of(vics(*({"MD5": MD5, "Category": code} for code in codes)))
    rows = list(reader)

    assert [row.state for row in rows] == [State.CONFIRMED] * 4 + [State.SEED] * 6
    assert {row.categories for row in rows[:3]} == {(Category("vics-us-2.0", "1"),)}
    unnamed, without = reader.notes
    assert "4 records with a category that vics-us-2.0 does not define" in unnamed
    assert without.startswith("2 records with no category")
    assert not any(word in unnamed for word in ("CAT", MD5))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_categories_of_the_documented_table_are_named(scheme):
    """Also those of the UK that never match."""
    media = {"value": [{"MediaID": 1, "MD5": MD5, "Category": code} for code in range(6)]}
    reader = reader_of(media, scheme=scheme)

    assert len(list(reader)) == 6
    assert reader.notes == ()
