"""Records that a program adds to a list, without a file."""

import pytest
from list_values import met, value

from screener import Hash, HashList, NewRecord, Terms
from screener.errors import ListError
from screener.lists.store import repeated_values


def pdq(number):
    """Return a PDQ of that number."""
    return Hash.parse("pdq", value(number, 32))


def md5(number):
    """Return an MD5 of that number."""
    return Hash.parse("md5", value(number))


def test_added_records_match_in_one_generation(known):
    """They have what the program stated, and the log names its author."""
    report = known.add(
        [
            NewRecord("a", [pdq(1), md5(1)], labels={"case": "7"}, updated="2024-01-01"),
            NewRecord("b", [pdq(2)], "known_good"),
        ],
        source="own", by="ann", terms=Terms(tlp="AMBER"),
    )  # fmt: skip

    one = known.refresh()
    assert (report.added, one.generation) == (2, 1)
    assert met(known, "pdq", 1, 32)[0] == met(known, "md5", 1, 16)[0] == "match"
    assert dict(one.states) == {"confirmed": 1, "known_good": 1}
    (shown,) = one.show("a")
    assert (shown.labels, shown.terms["tlp"]) == ({"case": "7"}, "AMBER")
    assert [(entry.what, entry.by, entry.source) for entry in one.log()[1:]] == [
        ("import", "ann", "own")
    ]


def test_a_record_of_the_same_entry_replaces_and_withdraws(known):
    """As a row of a file does."""
    known.add([NewRecord("a", [md5(1)]), NewRecord("b", [md5(2)])], source="own")
    known.add([NewRecord("a", [md5(3)]), NewRecord("b", state="withdrawn")], source="own")

    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 3)] == ["no_match", "no_match", "match"]
    assert known.add([NewRecord("a", [md5(3)])], source="own").unchanged == 1


def test_a_value_of_many_added_records_is_compared(known, monkeypatch):
    """Also after a rollback and a file of another source that repeats it as a constant."""
    monkeypatch.setattr(repeated_values, "MIN_FILES", 3)
    known.add([NewRecord(f"e{n}", [pdq(0), md5(n)]) for n in range(5)], source="own")
    assert len(met(known, "pdq", 0, 32)[1]) == 5

    known.add([NewRecord("more", [pdq(0), md5(9)])], source="own")
    known.rollback(1)

    assert len(met(known, "pdq", 0, 32)[1]) == 5
    assert not known.refresh().verify().damage


def test_a_value_that_added_records_no_longer_repeat_is_compared(known, put, monkeypatch):
    """A file repeated it in too many entries to be compared; a program gives one another hash."""
    monkeypatch.setattr(repeated_values, "MIN_FILES", 3)
    put("id,pdq,md5\n" + "".join(f"e{n},{value(0, 32)},{value(n)}\n" for n in range(3)))
    assert met(known, "pdq", 0, 32)[1] == []

    known.add([NewRecord("e0", [pdq(1), md5(0)])], source="demo")

    assert len(met(known, "pdq", 0, 32)[1]) == 2


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (NewRecord("a"), "record 2: no usable hash"),
        (NewRecord("a", [b"x" * 32]), "record 2: hashes must be Hash objects"),
        (NewRecord("a", [pdq(1)], "sure"), "record 2: state must be one of"),
        (NewRecord("a\n", [pdq(1)]), "an entry must be"),
    ],
)
def test_records_that_are_not_valid_add_nothing(known, record, problem):
    """The error names the record."""
    with pytest.raises(ListError, match=problem):
        known.add([NewRecord("sound", [pdq(5)]), record], source="own")

    assert HashList.open(known.path).generation == 0
