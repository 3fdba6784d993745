"""Mapping files: what the columns of a contract's own CSV mean."""

import pytest
from exchange_samples import MD5, PDQ, SHA256, kinds, read, refused

from screener.errors import ListError
from screener.lists.formats.mapping import ColumnMapping
from screener.lists.states import State
from screener.lists.store.records import Category


def mapping(**said):
    """Return a mapping of these columns."""
    return ColumnMapping.from_dict(said)


def test_mapping_the_documented_profile(tmp_path):
    """The TOML profile of the neutral CSV: schemes, states and kinds by the operator."""
    file = tmp_path / "m.toml"
    file.write_text(
        'delimiter = ","\nscheme = "operator:x"\n[columns]\nref = "entry_id"\n'
        'h1 = {field = "hash", algorithm = "md5", encoding = "hex"}\n'
        'h2 = "pdq"\nd = "pdq_quality"\n'
        'grade = {field = "category", scheme = "uk-sentencing-council"}\nother = "category"\n'
        'status = {field = "state", deleted_values = ["Out"]}\nsecret = "drop"\n'
    )
    data = (
        "Ref,H1,H2,D,Grade,Other,Status,Secret,Age\n"
        f"1,{MD5},{PDQ},70,A,9,active,s,7-10\n2,{MD5},,,C,,out,s,\n"
    )

    live, gone = read(data, mapping=ColumnMapping.load(file))

    assert (live.entry, kinds(live)) == ("1", {"md5": MD5, "pdq": PDQ})
    assert {item.kind.name: item.quality for item in live.hashes} == {"md5": None, "pdq": 70}
    assert live.categories == (Category("uk-sentencing-council", "A"), Category("operator:x", "9"))
    assert live.labels == {"Age": "7-10"}
    assert gone.state is State.WITHDRAWN


def test_mapping_a_second_header_in_another_order_is_refused():
    """As in files that were concatenated, whatever the names of the columns."""
    said = mapping(columns={"Ref": "entry", "H1": "sha256", "H2": "pdq"})
    text = f"Ref,H1,H2\n1,{SHA256},{PDQ}\nRef,H2,H1\n2,{PDQ},{SHA256}\n"

    refused(text, "line 3: a second header", mapping=said)


def test_mapping_columns_without_a_header():
    """By number from 1; the first line is data."""
    said = mapping(header=False, delimiter=";", columns={"1": "entry", "3": "sha256"})

    first, second = read(f"a;x;{SHA256}\nb;;{SHA256}\n", mapping=said)

    assert (first.entry, kinds(first), first.labels) == ("a", {"sha256": SHA256}, {"2": "x"})
    assert second.entry == "b"


def test_mapping_names_the_kind_of_one_unnamed_column():
    """A file that is refused without a mapping is read with it."""
    refused(f"{PDQ}\n", "kind of hash")

    (row,) = read(f"{PDQ}\n", mapping=mapping(header=False, columns={"1": "pdq"}))

    assert kinds(row) == {"pdq": PDQ}


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"columns": {"a": "sha3"}}, "must mean one of"),
        ({"columns": {"b": {"field": "md5", "seed": ["x"]}}}, "list of words"),
        ({"columns": {"a": "entry", "b": "id"}}, "two columns"),
        ({"columns": {"a": "md5"}, "header": False}, "number"),
        ({"columns": {"1" * 5000: "md5"}, "header": False}, "number"),
        ({"column": {}}, "unknown key"),
        ({"delimiter": "|", "columns": {}}, "delimiter"),
        ({"states": {"1": "good"}}, "unknown state"),
        ({"columns": {"a": {"field": "md5", "date_format": "%d.%m.%Y"}}}, "column of times"),
        ({"columns": {"a": {"field": "updated", "date_format": "%d.%m."}}}, "day, month and year"),
        ({"columns": {"a": {"field": "updated", "date_format": "%Q"}}}, "day, month and year"),
        ({"columns": {"a": {"field": "updated", "date_format": 1}}}, "must be text"),
        ({"columns": {"Hash": "md5", "hash ": "pdq"}}, "column 'hash ' is named twice"),
        ({"columns": {"s": {"field": "state", "gone": ["x"]}}}, "unknown state"),
    ],
)
def test_mapping_mistakes_are_told(said, match):
    """The message lists valid values."""
    with pytest.raises(ListError, match=match):
        ColumnMapping.from_dict(said)


def test_mapping_a_column_that_is_gone_is_told():
    """A renamed column must not go unread; the message names it, with any delimiter."""
    columns = {"Ref": "entry", "Hash": "md5"}
    for text in (f"ref,md5\nx,{MD5}\n", f"Ref;md5\nx;{MD5}\n"):
        refused(
            text,
            "no column 'Hash'; its columns are '[Rr]ef', 'md5'; correct the mapping$",
            mapping=mapping(columns=columns),
        )


@pytest.mark.parametrize("columns", [{"Réf": "entry", "MD5": "md5"}, {}])
def test_a_header_in_another_encoding_is_told_as_that(columns):
    """As a French spreadsheet saves it: the names exist, and cannot be decoded."""
    text = f"Réf;MD5\nx;{MD5}\n"
    said = {"mapping": mapping(columns=columns)} if columns else {}

    assert len(read(text, **said)) == 1
    refused(text.encode("cp1252"), "undecodable text; save the file as UTF-8$", **said)


def test_a_column_that_is_gone_and_is_named_by_a_hash_is_not_told():
    """No message has a text that may contain a hash."""
    columns = {MD5: "md5"}
    refused(
        "ref,md5\nx,\n", "no column a hidden name; its columns", mapping=mapping(columns=columns)
    )


def test_mapping_of_another_format_is_told():
    """It must not be ignored."""
    with pytest.raises(ListError, match="a mapping and --id-column define"):
        read(f"pdq {MD5}\n", format="tx", mapping=mapping(columns={"hash": "md5"}))


def test_a_delimiter_that_the_file_does_not_have():
    """The message has the right one, or says which there may be."""
    said = {"columns": {"Ref": "entry", "Hash": "md5"}}
    refused(
        f"Ref;Hash\nx;{MD5}\n", "separated by ';', and not by the mapping's delimiter ','",
        mapping=mapping(delimiter=",", **said),
    )  # fmt: skip
    refused(f"Ref|Hash\nx|{MD5}\n", "by a comma, semicolon or tab", mapping=mapping(**said))


def test_columns_that_a_mapping_does_not_name_refuse_the_file():
    """With and without a header; a known name is no exception, but terms always count."""
    said = mapping(columns={"Ref": "entry", "Hash": "md5"})
    any_columns = {"ignore_unknown_columns": False}
    refused(f"Ref,Hash,pdq\nx,{MD5},\n", "is called 'pdq'", mapping=said, **any_columns)
    said_numbers = mapping(header=False, columns={"1": "entry", "2": "md5"})
    refused(f"x,{MD5},out\n", "is called '3'", mapping=said_numbers, **any_columns)
    (row,) = read(f"Ref,Hash,TLP\nx,{MD5},RED\n", mapping=said, **any_columns)
    assert row.labels == {"TLP": "RED"}


@pytest.mark.parametrize("count", [1, 200])
def test_dates_have_the_format_of_the_mapping(count):
    """One by one and in blocks; a day of another form is set aside, an empty cell is no date."""
    said = mapping(
        columns={
            "id": "entry",
            "md5": "md5",
            "on": {"field": "updated", "date_format": "%d.%m.%Y"},
            "to": {"field": "expires", "date_format": "%m/%d/%y %H:%M"},
        }
    )
    text = "".join(f"{n},{MD5},03.02.2024,12/31/30 10:00\n" for n in range(count))
    *rows, empty, bad = read(f"id,md5,on,to\n{text}a,{MD5},,\nb,{MD5},2024-02-03,\n", mapping=said)

    assert {row.updated for row in rows} == {"2024-02-03"}
    assert {row.labels["expires"] for row in rows} == {"2030-12-31T10:00:00"}
    assert (empty.updated, empty.labels) == (None, {})
    assert (bad.field, bad.reason) == ("date", "not of the form %d.%m.%Y")
