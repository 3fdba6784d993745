"""What is set aside or not compared, and its release."""

import pytest
from list_values import met, value

from screener import Screener
from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.store import repeated_values


def _placeholder_rows(count, first=0, more=""):
    return "".join(
        f"e{n},{value('constant', 32)},{value(n)}{more}\n" for n in range(first, first + count)
    )


def test_a_constant_that_many_files_share_is_never_searched(known, put):
    """At a hundred different files it is a placeholder, also across imports; one fewer is none."""
    few = put("id,pdq,md5\n" + _placeholder_rows(repeated_values.MIN_FILES - 1))
    assert few.placeholders == 0
    assert met(known, "pdq", "constant", 32)[0] == "match"
    before = known.refresh()

    last = put("id,pdq,md5\n" + _placeholder_rows(1, repeated_values.MIN_FILES))

    assert last.placeholders == 1
    one = known.refresh()
    assert dict(one.kinds) == {"md5": repeated_values.MIN_FILES}
    assert len(one.quarantined()[1]) == repeated_values.MIN_FILES
    assert met(known, "md5", 1, 16)[0] == "match"
    # The generation before stays as it was.
    result = Screener(before).match([Hash.parse("pdq", value("constant", 32))])
    assert len(result.matches) == repeated_values.MIN_FILES - 1
    # A new entry with it changes nothing any more.
    put("id,pdq,md5\n" + _placeholder_rows(1, 1000))
    assert "pdq" not in known.refresh().kinds


def test_what_was_judged_is_read_once_for_all_that_is_judged_anew(known, put, monkeypatch):
    """A rollback judges each value that a source repeated: of ten thousand, all are not read for
    each of them.
    """
    monkeypatch.setattr(repeated_values, "MIN_FILES", 2)
    values = [value(f"constant {number}", 32) for number in range(9)]
    rows = "".join(f"{one}{n},{one},{value(one + n)}\n" for one in values for n in "ab")
    assert put(f"id,pdq,md5\n{rows}").placeholders == 9
    put(f"id,md5\nanother,{value('another')}\n")
    asked, judged = [], repeated_values.read_judgements
    monkeypatch.setattr(
        repeated_values, "read_judgements", lambda found: asked.append(1) or judged(found)
    )

    known.rollback(1)

    assert len(asked) == 2
    assert "pdq" not in known.refresh().kinds


def test_one_file_that_is_listed_often_is_no_placeholder(known, put):
    """A thousand reports of one widely shared file have one digest, and must be found."""
    rows = "".join(f"e{n},{value(1, 32)},{value(1)}\n" for n in range(1000))

    assert put(f"id,pdq,md5\n{rows}").placeholders == 0
    assert met(known, "pdq", 1, 32)[0] == "match"


@pytest.mark.parametrize("entries", [1, 2])
def test_an_entry_of_many_files_has_no_placeholders(known, put, monkeypatch, entries):
    """Each value of a case that has a hundred files stands beside the digests of all of them, and
    is found, however often its source has said so; a case more makes none either.
    """
    monkeypatch.setattr(repeated_values, "MIN_FILES", 4)
    for day in range(6):
        rows = "".join(
            f"case-{entry},{value(n, 32)},{value(n + 10 * entry)},{day}\n"
            for entry in range(entries)
            for n in range(4)
        )
        assert put(f"id,pdq,md5,day\n{rows}").placeholders == 0

    assert [len(met(known, "pdq", n, 32)[1]) for n in range(4)] == 4 * [entries]


@pytest.mark.parametrize("deliveries", [1, 4])
def test_a_placeholder_is_found_in_a_large_import_too(known, put, deliveries):
    """What the source stated before of the same files, again and again, makes no placeholder of
    any of their values.
    """
    rows = "".join(f"n{n},{value(-n - 1, 32)},{value(-n - 1)},DAY\n" for n in range(200))
    rows = "id,pdq,md5,day\n" + rows + _placeholder_rows(repeated_values.MIN_FILES - 1, more=",DAY")
    for day in range(deliveries):
        assert put(rows.replace("DAY", str(day))).placeholders == 0
        assert known.refresh().kinds["pdq"] == 201
        assert len(met(known, "pdq", "constant", 32)[1]) == repeated_values.MIN_FILES - 1

    report = put(rows.replace("DAY", "last") + f"last,{value('constant', 32)},{value(-1)},\n")

    assert report.placeholders == 1
    assert known.refresh().kinds["pdq"] == 200


def test_a_released_placeholder_is_searched_and_stays_so(known, put):
    """Also in records that come later, and after a rollback to when it was, not to before; the log
    says who decided it.
    """
    put("id,pdq,md5\n" + _placeholder_rows(repeated_values.MIN_FILES))
    known.release_value("e0", "pdq", by="ann", reason="a logo that matters")
    assert len(met(known, "pdq", "constant", 32)[1]) == repeated_values.MIN_FILES

    put("id,pdq,md5\n" + _placeholder_rows(1, 500))
    assert len(met(known, "pdq", "constant", 32)[1]) == repeated_values.MIN_FILES + 1
    known.rollback(2)
    assert len(met(known, "pdq", "constant", 32)[1]) == repeated_values.MIN_FILES
    known.rollback(1)
    assert met(known, "pdq", "constant", 32)[1] == []
    assert "pdq" not in known.refresh().kinds
    assert put("id,pdq,md5\n" + _placeholder_rows(1, 600)).placeholders == 1
    assert met(known, "pdq", "constant", 32)[1] == []
    told = [(one.what, one.by, one.note) for one in known.refresh().log()]
    assert ("release", "ann", "pdq: a logo that matters") in told


def test_a_row_whose_release_makes_a_placeholder_is_no_way_round(known, put, monkeypatch):
    """Its value is judged as if the row had come in with its import."""
    monkeypatch.setattr(repeated_values, "MIN_FILES", 3)
    rows = _placeholder_rows(3).replace("\n", ",\n").removesuffix("\n") + "zz\n"
    assert put("id,pdq,md5,sha1\n" + rows).placeholders == 0
    assert met(known, "pdq", "constant", 32)[0] == "match"

    ((row,), _) = known.refresh().quarantined()
    known.release_rows([row.id], by="ann", reason="the rest is sound")

    assert met(known, "pdq", "constant", 32)[1] == []
    assert not known.refresh().verify().damage


@pytest.mark.parametrize("first", [True, False])
def test_a_source_that_repeats_a_value_speaks_for_itself_alone(known, put, first):
    """Another source's entry matches by it, whoever came first; with a rollback, a withdrawal or
    a purge of the repeating source too, and the index holds what the records say.
    """
    real = f"id,pdq\nreal,{value('constant', 32)}\n"
    if first:
        put(real, source="other")
    many = "id,pdq,md5\n" + _placeholder_rows(repeated_values.MIN_FILES)
    assert put(many, source="hostile", state="known_good").placeholders == 1
    if not first:
        assert put(real, source="other").placeholders == 0

    def matches():
        assert not known.refresh().verify().damage
        return met(known, "pdq", "constant", 32)[1:]

    assert matches() == (["confirmed"], [])
    gone = "".join(f"e{n},,,withdrawn\n" for n in range(repeated_values.MIN_FILES))
    put("id,pdq,md5,status\n" + gone, source="hostile")
    assert matches() == (["confirmed"], [])
    if first:
        known.rollback(1)
        assert matches() == (["confirmed"], [])
    known.purge("hostile")
    assert matches() == (["confirmed"], [])


def test_a_source_that_stops_repeating_a_value_has_it_searched(known, put):
    """One entry fewer than makes a placeholder, and the others match by it again; one more, and
    none does; a rollback to when it was none, and they do.
    """
    put("id,pdq,md5\n" + _placeholder_rows(repeated_values.MIN_FILES - 1))
    put("id,pdq,md5\n" + _placeholder_rows(1, 1000))
    assert met(known, "pdq", "constant", 32)[1] == []

    put("id,md5,status\ne1000,,withdrawn\n")
    assert len(met(known, "pdq", "constant", 32)[1]) == repeated_values.MIN_FILES - 1
    put("id,pdq,md5\n" + _placeholder_rows(1, 1001))
    assert met(known, "pdq", "constant", 32)[1] == []
    known.rollback(1)
    assert len(met(known, "pdq", "constant", 32)[1]) == repeated_values.MIN_FILES - 1
    assert not known.refresh().verify().damage


def test_a_rollback_takes_the_release_of_a_blank_value_with_it(known, put):
    """Of one that an entry held then, and of one that none did: later entries are judged again."""
    put(f"id,md5\nx,{value(1)}\n")
    put(f"id,pdq\na,{'0' * 64}\n")
    for to in (2, 1):
        known.release_value("a", "pdq", by="ann", reason="looked at")
        assert known.refresh().kinds["pdq"] == 1
        known.rollback(to)
        assert "pdq" not in known.refresh().kinds
    put(f"id,pdq\nb,{'0' * 64}\n")
    assert "pdq" not in known.refresh().kinds


def test_a_blank_picture_can_be_released(known, put):
    """A low-information code is not compared until somebody says so, and then in later entries
    too.
    """
    put(f"id,pdq,md5\na,{'0' * 62}ff,{value(1)}\n")
    assert known.refresh().quarantined()[1][0].reason == "low information"

    known.release_value("a", "pdq", by="ann", reason="the list is of blanks")

    assert dict(known.refresh().kinds) == {"md5": 1, "pdq": 1}
    with pytest.raises(ListError, match="no pdq value"):
        known.release_value("a", "pdq", by="ann", reason="again")
    with pytest.raises(ListError, match="its author"):
        known.release_value("a", "pdq", by="", reason="x")
    put(f"id,pdq,sha1\nb,{'0' * 62}ff,{value(2, 20)}\n")
    result = Screener(known.refresh()).match([Hash.parse("pdq", "0" * 62 + "ff")])
    assert [match.entry for match in result.matches] == ["a", "b"]


def test_a_row_set_aside_can_be_taken_in_without_what_is_damaged(known, put):
    """Its MD5 is sound and its PDQ is not; released, it is found by the MD5."""
    report = put(f"id,pdq,md5\na,{value(1, 32)},{value(1)}\nb,xyz,{value(2)}\nc,xyz,\n")
    assert sum(report.quarantined.values()) == 2
    first, second = known.refresh().quarantined()[0]
    assert (first.line, first.field, first.releasable) == (3, "pdq", True)
    assert (second.line, second.releasable) == (4, False)
    assert met(known, "md5", 2, 16)[0] == "no_match"

    with pytest.raises(ListError, match="no row to release"):
        known.release_rows([], by="ann", reason="none of them")
    known.release_rows([first.id, first.id], by="ann", reason="the MD5 is sound")

    assert met(known, "md5", 2, 16)[0] == "match"
    assert known.log()[-1].note == "1 row: the MD5 is sound"
    assert known.refresh().quarantined()[0][0].released == 2
    for wrong in (first.id, second.id, 99, -1, 1 << 63):
        with pytest.raises(ListError, match="cannot be released"):
            known.release_rows([wrong], by="ann", reason="x")


def test_what_a_source_delivers_damaged_every_day_is_set_aside_once(known, put):
    """Under the number that it had first, wherever it stands by now, and of the newest file: so a
    full list that has it as well does not stand in the way of its release. What somebody released,
    another source has, or says anything else, is another row.
    """
    head, bad, none = f"id,pdq,md5\ng,,{value(9)}\n", f"a,xyz,{value(1)}\n", "b,xyz,\n"
    for day in range(3):
        new = f"new{day},,{value(10 + day)}\n"
        report = put(f"{head}{none}{new * day}{bad}{bad}", full=True, accept_shrink=True)
        assert sum(report.quarantined.values()) == 3
    aside = known.refresh().quarantined()[0]
    assert [(row.id, row.line, row.releasable) for row in aside] == [
        (1, 3, False), (2, 6, True), (3, 7, True)
    ]  # fmt: skip

    known.release_rows([2], by="ann", reason="the MD5 is sound")
    put(f"{head}{bad}", source="another", accept_shrink=True)
    put(f"{head}{bad}{bad}a,xyz,{value(2)}\n", full=True, accept_shrink=True)

    aside = known.refresh().quarantined()[0]
    assert [(row.id, row.source, row.line) for row in aside] == [
        (1, "demo", 3), (2, "demo", 6), (3, "demo", 3), (4, "another", 3), (5, "demo", 4),
        (6, "demo", 5),
    ]  # fmt: skip
    assert met(known, "md5", 1, 16)[0] == "no_match"


def test_trap_a_row_of_a_full_list_stays_with_it_though_a_page_repeats_it(known, put):
    """The list withdrew its entry for want of it: its release takes that back, with what is
    readable of the row alone.
    """
    head, bad = "id,md5,pdq,updated\n", f"a,{value(1)},xyz,2020-01-01\n"
    rest = "".join(f"e{n},{value(n)},,\n" for n in range(10, 20))
    put(f"{head}a,{value(1)},{value(1, 32)},2020-01-01\n{rest}")
    put(f"{head}{bad}{rest}", full=True, accept_shrink=True)
    put(f"{head}{bad}f,{value(2)},,\n")

    known.release_rows([1], by="ann", reason="the MD5 is sound")

    assert [met(known, "md5", n, 16)[0] for n in (1, 2)] == ["match", "match"]


def test_a_row_that_its_source_has_overtaken_is_not_released(known, put):
    """A withdrawal stands, and so does a row that came in order later: old words stay aside."""
    put(f"id,pdq,md5\na,xyz,{value(1)}\nb,xyz,{value(2)}\nc,xyz,{value(3)}\nd,,{value(4)}\n")
    put(f"id,md5,status\na,,withdrawn\nb,{value(5)},\n")
    rows = [row.id for row in known.refresh().quarantined()[0]]

    for one in rows[:2]:
        with pytest.raises(ListError, match="has changed the entry since"):
            known.release_rows([one], by="ann", reason="x")
    known.release_rows(rows[2:], by="ann", reason="x")

    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 3, 5)] == [
        "no_match", "no_match", "match", "match"
    ]  # fmt: skip


def test_a_row_of_an_old_page_is_not_released_into_a_newer_entry(known, put):
    """Though it came later, its source's own time is the earlier; one of the same time replaces."""
    head = "id,pdq,md5,updated\n"
    put(f"{head}a,,{value(1)},2024-01-02\n")
    put(f"{head}a,xyz,{value(2)},2024-01-01\na,xyz,{value(3)},2024-01-02\nb,,{value(4)},\n")
    older, same = (row.id for row in known.refresh().quarantined()[0])

    with pytest.raises(ListError, match="has changed the entry since"):
        known.release_rows([older], by="ann", reason="x")
    known.release_rows([same], by="ann", reason="x")

    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 3)] == ["no_match", "no_match", "match"]


def test_trap_a_row_of_an_old_file_is_not_released_after_a_newer_full_one(known, put):
    """What a list that is whole does not name its source has no more, though it was never in the
    list: until that is rolled back. A full list with the row itself, or one of another source, or a
    newer file that is not full, does not stand in the way.
    """
    put(f"id,pdq,md5\na,xyz,{value(1)}\nb,,{value(2)}\n", full=True)
    put(f"id,md5\nc,{value(3)}\n", source="another", full=True)
    put(f"id,md5\nd,{value(4)}\n")
    (row,) = known.refresh().quarantined()[0]
    known.release_rows([row.id], by="ann", reason="nothing speaks against it")
    known.rollback(3, by="ann", reason="too early")
    before = known.refresh().generation
    put(f"id,md5\nb,{value(2)}\nd,{value(40)}\n", full=True)

    with pytest.raises(ListError, match="a full list of its source was imported since"):
        known.release_rows([row.id], by="ann", reason="x")
    put(f"id,md5\nb,{value(20)}\nd,{value(4)}\n", full=True)
    known.rollback(before, by="ann", reason="the full lists were bad")
    known.release_rows([row.id], by="ann", reason="now")

    assert met(known, "md5", 1, 16)[0] == "match"


def test_a_row_whose_release_was_rolled_back_can_be_released_again(known, put):
    """The rollback takes it out; the row is then as it was before its release."""
    put(f"id,pdq,md5\na,xyz,{value(1)}\nb,,{value(2)}\n")
    (row,) = known.refresh().quarantined()[0]
    known.release_rows([row.id], by="ann", reason="x")

    known.rollback(1, by="ann", reason="too early")

    assert met(known, "md5", 1, 16)[0] == "no_match"
    known.release_rows([row.id], by="ann", reason="now")
    assert met(known, "md5", 1, 16)[0] == "match"


def _release_all(known):
    """Release every row that was set aside; the new generation."""
    ids = [row.id for row in known.refresh().quarantined()[0] if row.released is None]
    return known.release_rows(ids, by="ann", reason="sound but for a cell")


@pytest.mark.parametrize("pdq", [None, 7])
def test_trap_a_released_row_lists_what_its_own_full_list_withdrew_for_want_of_it(known, put, pdq):
    """What is readable of the row lists the entry again."""
    head, rest = "id,md5,pdq\n", "".join(f"e{n},{value(n)},\n" for n in range(1, 10))
    put(f"{head}e0,{value(0)},{'' if pdq is None else value(pdq, 32)}\n{rest}")
    put(f"{head}e0,{value(20)},xyz\n{rest}", full=True, accept_shrink=True)
    assert met(known, "md5", 0, 16)[0] == "no_match"

    _release_all(known)

    assert [met(known, "md5", n, 16)[0] for n in (0, 20)] == ["no_match", "match"]
    assert dict(known.refresh().kinds) == {"md5": 10}
    assert dict(known.refresh().states) == {"confirmed": 10}
    assert not known.refresh().verify().damage


def test_trap_a_released_row_takes_up_nothing_that_was_rolled_back(known, put):
    """Its full list withdrew the entry for want of it, a later file listed it anew, and that was
    taken back: the entry has the values of the row. What that file bound the entry to stays, as
    after any rollback.
    """
    put(f"id,md5,pdq\na,{value(1)},{value(7, 32)}\nb,{value(2)},{value(8, 32)}\n")
    put(
        f"id,md5,pdq\na,{value(1)},xyz\nb,{value(2)},{value(8, 32)}\n",
        full=True,
        accept_shrink=True,
    )
    put(f"id,md5,pdq,tlp\na,{value(3)},{value(9, 32)},RED\n")
    known.rollback(2, by="ann", reason="a bad file")

    _release_all(known)

    assert [met(known, "pdq", n, 32)[0] for n in (7, 8, 9)] == ["no_match", "match", "no_match"]
    assert [met(known, "md5", n, 16)[0] for n in (1, 3)] == ["match", "no_match"]
    assert known.refresh().show("a")[0].terms["tlp"] == "RED"


def test_trap_a_row_released_after_another_of_its_entry_goes_beside_it(known, put):
    """Of one file, one decided on after the other: the second takes nothing back, though a full
    list withdrew the entry for want of both.
    """
    head, rest = "id,md5,pdq\n", "".join(f"e{n},{value(n)},\n" for n in range(1, 10))
    put(f"{head}e0,{value(0)},\n{rest}")
    put(f"{head}e0,{value(20)},x\ne0,{value(21)},x\n{rest}", full=True, accept_shrink=True)

    for row in known.refresh().quarantined()[0]:
        known.release_rows([row.id], by="ann", reason="sound but for a cell")

    met_now = [n for n in (0, 20, 21) if met(known, "md5", n, 16)[0] == "match"]
    assert met_now == [20, 21]


@pytest.mark.parametrize(
    ("held", "row", "found"),
    [
        ([("1", ""), ("", "withdrawn")], ("1", ""), [1]),
        ([("1", ",2020-01-01"), ("", "withdrawn,2020-01-01")], ("2", ",2021-01-01"), [2]),
        ([("5", ",2020-01-01")], ("6", ",2021-01-01"), [6]),
        ([("5", ",2020-01-01")], ("6", ",2020-01-01"), [6]),
        ([("5", "")], ("6", ""), [6]),
        ([("", "withdrawn")], ("6", ",2021-01-01"), None),
        ([("", "withdrawn,2021-01-01")], ("6", ",2021-01-01"), None),
    ],
)
def test_trap_a_released_row_counts_as_its_import_would_have_had_it(known, put, held, row, found):
    """After a withdrawal before it, and in the place of what it is not older than; if the
    withdrawal stands, the release is refused and changes nothing.
    """

    def line(number, rest, pdq=""):
        md5 = value(int(number)) if number else ""
        return f"a,{md5},{pdq},{rest}{'' if ',' in rest else ','}\n"

    head = "id,md5,pdq,status,updated\n"
    for one in held:
        put(head + line(*one))
    put(head + line(*row, pdq="xyz") + f"b,{value(9)},,,\n")
    before = known.refresh().generation

    if found is None:
        with pytest.raises(ListError, match=r"withdrawn its entry|has changed the entry since"):
            _release_all(known)
        assert known.refresh().generation == before
        found = []
    else:
        _release_all(known)

    met_now = [n for n in (1, 2, 5, 6) if met(known, "md5", n, 16)[0] == "match"]
    assert met_now == found


def test_trap_several_released_rows_of_an_entry_count_in_their_order(known, put):
    """Of two files, or of two times, the later one; of one time, both. A withdrawal that the file
    of a row says beside it stands.
    """
    head = "id,md5,pdq,status,updated\n"
    put(f"{head}a,{value(1)},x,,2020-01-02\na,{value(2)},x,,2020-01-01\nz,{value(9)},,,\n")
    put(f"{head}b,{value(3)},x,,\nz,{value(9)},,,\n")
    put(f"{head}b,{value(4)},x,,\nc,{value(5)},x,,\nc,{value(6)},x,,\nz,{value(9)},,,\n")
    _release_all(known)
    assert [met(known, "md5", n, 16)[0] == "match" for n in range(1, 7)] == [
        True, False, False, True, True, True
    ]  # fmt: skip

    put(f"{head}d,{value(7)},x,,\nd,,,withdrawn,\nz,{value(9)},,,\n", full=True, accept_shrink=True)
    with pytest.raises(ListError, match="withdrawn its entry"):
        _release_all(known)


@pytest.mark.parametrize("full", [False, True])
def test_trap_a_withdrawal_beside_a_row_set_aside_stands(known, put, full):
    """What its file says of an entry that was listed before is no silence, whole or not."""
    head = "id,md5,pdq,status\n"
    put(f"{head}a,{value(1)},,\nz,{value(9)},,\n")
    put(f"{head}a,{value(2)},x,\na,,,withdrawn\nz,{value(9)},,\n", full=full, accept_shrink=True)

    with pytest.raises(ListError, match="withdrawn its entry"):
        _release_all(known)

    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 9)] == ["no_match", "no_match", "match"]


def test_trap_a_released_row_that_is_older_than_what_its_full_list_withdrew(known, put):
    """The row replaces the withdrawal, which the file did not state."""
    head = "id,md5,pdq,updated\n"
    put(f"{head}a,{value(1)},,2020-01-02\nz,{value(9)},,\n")
    put(f"{head}a,{value(2)},x,2020-01-01\nz,{value(9)},,\n", full=True, accept_shrink=True)
    assert met(known, "md5", 1, 16)[0] == "no_match"

    _release_all(known)

    assert [met(known, "md5", n, 16)[0] for n in (1, 2, 9)] == ["no_match", "match", "match"]


def test_trap_half_of_a_withdrawal_does_not_withdraw_another_entry(known, put):
    """A row without an id is its hashes, all of them: what is left of one is of another entry."""
    put(f"md5,sha1\n{value(1)},\n")
    put(f"md5,sha1,status\n{value(1)},zz,withdrawn\n{value(2)},,active\n")

    (aside,) = known.refresh().quarantined()[0]
    assert not aside.releasable
    with pytest.raises(ListError, match="nothing readable"):
        _release_all(known)
    assert met(known, "md5", 1, 16)[0] == "match"
