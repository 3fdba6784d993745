"""The JSON of ThreatExchange, StopNCII, Tech Against Terrorism and HMA."""

import json

import pytest
from exchange_samples import (
    DESCRIPTOR,
    HMA,
    MD5,
    PDQ,
    STOPNCII,
    TAT,
    UPDATES,
    VICS20,
    content,
    imported,
    kinds,
    read,
    reader_of,
    refused,
)
from list_values import value

from screener.errors import ListError
from screener.lists.formats.paging import NEXT_PAGE_NOTE
from screener.lists.formats.registry import sniff
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row


def indicator(*descriptors, **said):
    """Return an answer with one indicator."""
    item = {"id": "5", "indicator": MD5, "type": "HASH_MD5", "should_delete": False}
    return {"data": [{**item, "descriptors": {"data": list(descriptors)}, **said}]}


def test_threatexchange_the_documented_sample():
    """An indicator and a tombstone; the address of the next page is not stored."""
    first, gone = read(UPDATES)

    assert (first.entry, first.state, kinds(first)) == (
        "500000000000001",
        State.CONFIRMED,
        {"pdq": PDQ},
    )
    assert first.labels["tags"] == "synthetic_tag"
    assert first.labels["owners"] == "700000000000001"
    assert (gone.entry, gone.state) == ("500000000000002", State.WITHDRAWN)
    assert "graph.example" not in repr((first, gone))


def test_threatexchange_no_descriptor_is_deleted():
    """Whatever `should_delete` says."""
    (row,) = read(indicator())

    assert row.state is State.WITHDRAWN


def test_threatexchange_a_descriptor_is_no_indicator_without_one():
    """An answer to `threat_descriptors` withdraws nothing."""
    said = {"type": "HASH_MD5", "raw_indicator": MD5, "status": "MALICIOUS"}

    for one in ({"id": "6", "indicator": MD5} | said, {"id": "6", "indicator": {"id": "5"}} | said):
        (bad,) = read({"data": [one]})
        assert bad == BadRow(1, None, "a descriptor, not an indicator")


@pytest.mark.parametrize("said", [{"data": DESCRIPTOR}, "MALICIOUS", ["MALICIOUS"]])
def test_threatexchange_descriptors_that_cannot_be_read_delete_nothing(said):
    """Their content is unknown; only `should_delete` deletes."""
    (bad,) = read(indicator(descriptors=said))

    assert bad == BadRow(1, "descriptors", "not a list of objects")
    assert read(indicator(descriptors=said, should_delete=True))[0].state is State.WITHDRAWN


def test_threatexchange_a_file_without_any_descriptor_is_told():
    """The field may not have been requested, and all indicators would be withdrawn."""
    bare, gone, live = indicator(), indicator(should_delete=True), indicator(DESCRIPTOR)
    del bare["data"][0]["descriptors"]

    def notes(*pages):
        reader = reader_of({"data": [item for page in pages for item in page["data"]]})
        list(reader)
        return reader.notes

    (note,) = notes(bare, gone, indicator())
    assert "so 2 of them count as deleted" in note
    assert notes(bare, live) == notes(gone) == ()


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (("MALICIOUS",), State.CONFIRMED),
        (("NON_MALICIOUS",), State.KNOWN_GOOD),
        (("MALICIOUS", "NON_MALICIOUS"), State.DISPUTED),
        (("UNKNOWN",), State.SEED),
        (("SUSPICIOUS", "NON_MALICIOUS"), State.SEED),
    ],
)
def test_threatexchange_statuses(statuses, state):
    """The owners' statuses together decide; each is stored, even without an owner."""
    (row,) = read(indicator(*({"status": status} for status in statuses)))

    assert row.state is state
    assert {category.code for category in row.categories} == set(statuses)


def test_threatexchange_a_disagreement_is_a_dispute():
    """A reaction against the tags of a malicious indicator."""
    against = {**DESCRIPTOR, "reactions": [{"key": "DISAGREE_WITH_TAGS", "value": "7"}]}

    assert read(indicator(against))[0].state is State.DISPUTED


def test_threatexchange_the_media_of_a_digest_are_kept():
    """An MD5 alone does not show whether it is of a photo or a video."""
    photo = {**DESCRIPTOR, "tags": {"data": [{"text": "media_type_photo"}]}}

    assert read(indicator(photo))[0].labels["media"] == "image"
    assert read(indicator(DESCRIPTOR, type="HASH_VIDEO_MD5"))[0].labels["media"] == "video"
    assert "media" not in read(indicator(DESCRIPTOR))[0].labels


def test_threatexchange_a_debug_string_carries_any_signal():
    """Its tag names the kind; text and addresses are not hashes."""
    tagged = {**DESCRIPTOR, "tags": {"data": [{"text": "signal_type:pdq"}]}}

    assert kinds(read(indicator(tagged, type="DEBUG_STRING", indicator=PDQ))[0]) == {"pdq": PDQ}
    for type_ in ("DEBUG_STRING", "URI", "TEXT_STRING", "HASH_PDQ_OCR"):
        (bad,) = read(indicator(DESCRIPTOR, type=type_))
        assert bad == BadRow(1, "type", "unsupported type")


def test_threatexchange_long_ids_stay_what_they_are():
    """Numbers beyond 2^53, as text and as number."""
    for number in ("900719925474099312345", 900719925474099312345):
        assert read(indicator(DESCRIPTOR, id=number))[0].entry == "900719925474099312345"


def ncii(**said):
    """Return a page with one record."""
    record = {"signalType": "ImagePDQ", "hashValue": PDQ, "hashStatus": "Active"}
    return {"hashRecords": [{**record, **said}]}


def test_stopncii_the_documented_sample():
    """The status decides, feedback is stored, and case numbers are not."""
    active, gone = read(STOPNCII)

    assert (active.state, kinds(active)) == (State.CONFIRMED, {"pdq": PDQ})
    assert active.categories == (Category("stopncii-status", "Active"),)
    assert "Synthetic CSP" in active.labels["CSPFeedbacks"]
    assert "444444444444" not in repr(active)
    assert (gone.state, gone.labels["media"]) == (State.WITHDRAWN, "video")


def test_stopncii_a_field_given_twice():
    """Names are compared without case, so either value may be meant."""
    assert read(ncii(hashstatus="Withdrawn")) == [BadRow(1, None, "a field given twice")]


def test_stopncii_a_withdrawal_stops_the_match(tmp_path):
    """It goes by `hashStatus`: the same hash in a later page is withdrawn."""
    known, _ = imported(tmp_path, json.dumps(ncii()), source="s")
    assert dict(known.kinds) == {"pdq": 1}
    file = tmp_path / "later"
    file.write_text(json.dumps(ncii(hashStatus="Withdrawn")))

    report = known.import_file(file, source="s")

    assert (report.changed, report.withdrawn) == (1, 1)
    assert dict(known.refresh().kinds) == {}


def test_stopncii_cases_all_withdrawn_are_a_withdrawal():
    """Not while one case is active."""
    assert read(ncii(caseNumbers={"a": "Withdrawn", "b": "Deleted"}))[0].state == "withdrawn"
    assert read(ncii(caseNumbers={"a": "Withdrawn", "b": "Active"}))[0].state == "confirmed"


def test_stopncii_a_short_value_of_zeros_is_set_aside():
    """A known corrupt record has 32 zeros as PDQ; the others are read."""
    page = ncii(hashValue="0" * 32)
    page["hashRecords"] += ncii()["hashRecords"]

    bad, good = read(page)

    assert bad == BadRow(1, "pdq", "wrong length")
    assert isinstance(good, Row)


@pytest.mark.parametrize("name", ["stopncii_page1.json", "stopncii_page2.json"])
def test_stopncii_the_exchange_documents(material, tmp_path, name):
    """Hashes that were only received are seeds; the active one matches."""
    known, report = imported(tmp_path, (material / "exchange" / name).read_bytes())

    assert (report.format, report.quarantined) == ("stopncii", {})
    assert known.can_match("pdq") == (name == "stopncii_page2.json")


def test_stopncii_pages_in_a_row():
    """Several documents in one file are read as one."""
    assert len(read(json.dumps(STOPNCII) + "\n" + json.dumps(STOPNCII))) == 4


def test_tat_the_documented_sample():
    """A hash and a deletion, by id."""
    live, gone = read(TAT)

    assert (live.entry, live.state, kinds(live)) == ("41", State.CONFIRMED, {"pdq": PDQ})
    assert live.categories == (Category("tcap-ideology", "far-right"),)
    assert live.updated == "2030-01-02T03:04:05Z"
    assert (gone.entry, gone.state) == ("42", State.WITHDRAWN)


def test_tat_the_text_false_is_false():
    """`bool("false")` would be true; a deletion is never guessed."""
    row = {**TAT["results"][0], "deleted": "false"}
    odd = {**TAT["results"][0], "deleted": "perhaps"}

    first, second = read({"results": [row, odd]})

    assert first.state is State.CONFIRMED
    assert second == BadRow(2, "deleted", "neither true nor false")


def test_tat_an_algorithm_that_is_not_read_matters_to_a_deletion_by_id_only():
    """A deletion by id needs no hash; all else needs a supported one."""
    row = {**TAT["results"][0], "algorithm": "ssdeep"}
    live, gone, unknown = read(
        {"results": [row, row | {"deleted": True}, row | {"deleted": True, "id": None}]}
    )

    assert live == BadRow(1, "algorithm", "unsupported type")
    assert (gone.entry, gone.state, gone.hashes) == ("41", State.WITHDRAWN, ())
    assert unknown == BadRow(3, "algorithm", "unsupported type")


@pytest.mark.parametrize(
    "text",
    [json.dumps(HMA), json.dumps([HMA]), json.dumps(HMA, indent=1), json.dumps(HMA) + "\n"],
)
def test_hma_the_documented_sample(text):
    """One object, an array, or one a line."""
    (row,) = read(text)

    assert (row.entry, row.state, kinds(row)) == (
        "SYNTHETIC_BANK/17",
        State.CONFIRMED,
        {"pdq": PDQ},
    )
    assert row.labels["note"] == "synthetic"


def test_hma_what_is_sent_to_signal():
    """Signals by type, one object a line; an empty one has no usable hash."""
    first, second = read(f'{{"pdq": "{PDQ}", "note": "n"}}\n{{"video_md5": ""}}\n')

    assert (kinds(first), first.labels["note"]) == ({"pdq": PDQ}, "n")
    assert second == BadRow(2, None, "no usable hash")


@pytest.mark.parametrize(
    ("until", "state"),
    [
        (0, "withdrawn"),
        (1, "confirmed"),
        (1_000_000_000, "confirmed"),
        (9_999_999_999, "withdrawn"),
    ],
)
def test_hma_disabled_content_does_not_match(until, state):
    """0 is off, 1 is on, and a time is off until then; other values are bad rows."""
    bad, found = read([{**HMA, "disable_until_ts": one} for one in ("soon", until)])

    assert bad == BadRow(1, "disable_until_ts", "not a number")
    assert found.state == state


def test_hma_content_that_is_off_for_now_is_told(tmp_path):
    """An import is needed to enable it again, so a note says so."""
    known = HashList.create(tmp_path / "known.list")
    file = tmp_path / "bank.json"

    def notes(*untils):
        items = [{**HMA, "id": n, "disable_until_ts": until} for n, until in enumerate(untils)]
        file.write_text(json.dumps(items))
        return known.import_file(file, source="hma").notes

    assert notes(0, 1, 9999999998, 9999999999) == (
        "2 records disabled until a future time: withdrawn, also after that time, until you"
        " import them again",
    )
    assert notes(0, 1, 1700000000) == ()


def test_a_withdrawal_of_stopncii_reaches_its_record_by_its_one_hash(tmp_path):
    """It does so whatever else the record has; an unknown hash is counted as missed."""
    record = {"signalType": "VideoMD5", "hashStatus": "Active", "caseNumbers": {}}
    known = HashList.create(tmp_path / "known.list")

    def put_records(*records):
        file = tmp_path / "records.json"
        file.write_text(json.dumps({"hashRecords": list(records)}))
        return known.import_file(file, source="s")

    put_records(record | {"hashValue": value(1)}, record | {"hashValue": value(2)})
    gone = record | {"hashStatus": "Withdrawn"}
    report = put_records(gone | {"hashValue": value(1)}, gone | {"hashValue": value(3)})

    assert (report.withdrawn, report.missed) == (2, 1)
    assert dict(known.refresh().states) == {"confirmed": 1, "withdrawn": 2}


@pytest.mark.parametrize(
    ("name", "page"),
    [("threatexchange", UPDATES), ("stopncii", STOPNCII), ("tat", TAT), ("vics", VICS20)],
)
def test_a_json_text_without_the_array_of_its_format_is_refused(name, page):
    """An error report, bare items, or either among pages is not an empty list."""
    (key,) = (key for key, value in page.items() if isinstance(value, list))
    error = {"error": {"message": "token expired"}}
    assert read(page | {key: []}, name, scheme="vics-us-2.0") == []

    for said in (error, page[key], [page], {key: None}, {key: {}}, "expired"):
        refused(json.dumps(said), f"no array '{key.casefold()}'", name, scheme="vics-us-2.0")
        pages = "\n".join(map(json.dumps, (page, said, page)))
        refused(pages, f"no array '{key.casefold()}'", name, scheme="vics-us-2.0")
    refused(" ", f"no array '{key.casefold()}'|JSON", name, scheme="vics-us-2.0")


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ({"data": [], "paging": {"cursors": {"after": "x"}}}, "threatexchange"),
        ({"count": 0, "next": None, "checkpoint": "1,2", "results": []}, "tat"),
    ],
)
def test_an_answer_in_which_nothing_has_changed_is_known(page, name):
    """It is the usual daily update, and not an error."""
    assert sniff(content(page)) == name
    assert read(page) == []


@pytest.mark.parametrize(
    "page", [{"results": []}, {"count": 0, "results": []}, {"signals": {}}, ["words"]]
)
def test_an_answer_that_says_of_no_service_is_none(page):
    """Many services answer like this if nothing was found."""
    refused(page, "in no known format")


NEXT = "https://service.example.invalid/next?token=" + "secret" * 500


@pytest.mark.parametrize(
    ("page", "last", "more"),
    [
        (UPDATES, {"paging": {"cursors": {"after": "x"}}}, {"paging": {"next": NEXT}}),
        (STOPNCII, {"nextPageToken": None}, {"hasMoreRecords": True}),
        (STOPNCII, {"nextPageToken": "x", "hasMoreRecords": "false"}, {"hasMoreRecords": "true"}),
        (STOPNCII | {"hasMoreRecords": None}, {"nextPageToken": None}, {"nextPageToken": "x"}),
        (TAT, {"next": None}, {"next": NEXT}),
        (VICS20, {}, {"@odata.nextLink": NEXT}),
        (VICS20, {}, {"odata.nextLink": NEXT}),
    ],
)
def test_an_answer_that_is_not_the_last_says_so(page, last, more):
    """Wherever in the answer it stands; of pages in a row the last one counts, and no address is
    told. Who imports a page of several alone would have a part of the list, and not know it.
    """
    page = {name: said for name, said in page.items() if name not in more}
    after, before = page | more, more | page
    page |= last
    for said in (after, before):
        for text, notes in (
            ([page], ()),
            ([said], (NEXT_PAGE_NOTE,)),
            ([page, said], (NEXT_PAGE_NOTE,)),
            ([said, page], ()),
        ):
            reader = reader_of("\n".join(map(json.dumps, text)))
            assert list(reader)
            assert reader.notes == notes


@pytest.mark.parametrize("page", [STOPNCII, TAT, UPDATES, VICS20])
def test_what_stands_behind_a_page_and_is_none_is_damage(page):
    """It is refused as damage: the page itself is complete."""
    for behind in ("xx", "]", '"', "-"):
        refused(json.dumps(page) + behind, "damaged, or was cut short")


def test_a_full_list_that_says_that_more_of_it_follows_is_refused(tmp_path):
    """What stands in the other pages would be withdrawn: here one of ten entries, which is so few
    that nobody would be asked.
    """
    records = [
        {**STOPNCII["hashRecords"][0], "hashValue": value(number, 32)} for number in range(1, 11)
    ]
    known, _ = imported(tmp_path, json.dumps(STOPNCII | {"hashRecords": records}), source="s")
    page = tmp_path / "page.json"
    said = STOPNCII | {"hashRecords": records[:9], "hasMoreRecords": True}
    page.write_text(json.dumps(said))

    with pytest.raises(ListError, match=r"page\.json announces another page"):
        known.import_file(page, source="s", full=True)
    assert known.refresh().generation == known.generation
    report = known.import_file(page, source="s", full=True, accept_shrink=True)
    assert (report.absent, report.notes) == (1, (NEXT_PAGE_NOTE,))
