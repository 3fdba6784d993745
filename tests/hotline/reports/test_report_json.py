"""Hostile sealed files: anybody with the public key can seal anything."""

import base64
import json
import time
from datetime import date

import pytest
from hotline_case import IMAGES, NOON, item_of, make_desk, report_of, take
from hypothesis import given, settings
from hypothesis import strategies as st

from screener.hashing.hash import KINDS
from screener.hotline import own_list
from screener.hotline.desk import Desk
from screener.hotline.model.report import MAX_HASHES, Report
from screener.hotline.reports import sealed
from screener.hotline.reports.report_json import decode, encode
from screener.hotline.reports.sealed import UnsealError

ITEM = item_of(IMAGES / "alley.jpg")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Return a hotline."""
    return make_desk(tmp_path_factory.mktemp("hostile") / "hotline")


@pytest.fixture(scope="module")
def whole(desk):
    """Return a valid file."""
    return sealed.seal(encode(report_of(ITEM)), sealed.read_public_key(desk.folder / "hotline.pub"))


def facts_of(report):
    """Return a report as JSON data."""
    return json.loads(encode(report))


def refused(desk, data, name="hostile"):
    """Return why a file is refused, and check that nothing of it is stored."""
    path = desk.folder.parent / name
    path.write_bytes(data)
    before = len(desk.cases())
    (taken,) = desk.take([path], by="amina", at=NOON)
    assert (taken.status, taken.case) == ("refused", None)
    assert len(desk.cases()) == before
    return taken.reason


def test_damaged_or_foreign_files_are_refused_with_a_reason(desk, whole, tmp_path):
    """Cut, lengthened, changed, for another hotline, missing, a folder, too large."""
    other = sealed.make_keys(tmp_path)
    foreign = sealed.seal(encode(report_of(ITEM)), sealed.read_public_key(other.public))
    changed = bytearray(whole)
    changed[-1] ^= 1
    assert "cut short" in refused(desk, whole[:-1])
    assert "cut short" in refused(desk, whole + b"x")
    assert "cut short" in refused(desk, sealed.MAGIC)
    assert "another key" in refused(desk, foreign)
    assert "another key" in refused(desk, bytes(changed))
    assert "no report" in refused(desk, b"")
    assert "no report" in refused(desk, b"\xff\xd8\xff\xe0" * 99)
    assert "larger" in refused(desk, sealed.MAGIC + bytes(sealed.MAX_FILE_BYTES))
    (taken,) = desk.take([tmp_path], by="amina")
    assert (taken.status, taken.reason) == ("refused", "it is no file")
    (taken,) = desk.take([tmp_path / "gone"], by="amina")
    assert taken.status == "refused"


BOMBS = [
    b"[" * 60_000,
    b'{"schema":' * 6_000,
    b'{"schema":"screener-report/1","day":' + b"9" * 60_000 + b"}",
    b"NaN",
    b"\xff\xfe",
    b"null",
    b"{}",
    b'{"schema":"screener-withdrawal/1","withdrawal":"AAAA"}',
]


@pytest.mark.parametrize("content", BOMBS, ids=range(len(BOMBS)))
def test_hostile_json_is_refused_in_under_a_second(content):
    """Deep nesting, huge numbers, other data."""
    begin = time.process_time()
    with pytest.raises(UnsealError):
        decode(content)
    assert time.process_time() - begin < 1


def test_giant_lists_are_refused_before_they_are_read():
    """More addresses, items or hashes than allowed; large valid ones are fast."""
    base = facts_of(report_of(ITEM))
    row = base["items"][0]["hashes"][3]
    many = base | {"addresses": [f"https://x.example/{n}" for n in range(101)]}
    items = base | {"items": base["items"] * 51}
    hashes = base | {"items": [base["items"][0] | {"hashes": [row] * (MAX_HASHES + 1)}]}
    halves = [base["items"][0] | {"hashes": [row] * (MAX_HASHES // 2 + 1)}] * 2
    times = base | {"items": [base["items"][0] | {"hashes": [[*row[:8], [1.0] * 100_001]]}]}
    for facts in (many, items, hashes, times, base | {"items": halves}):
        with pytest.raises(UnsealError, match="more than"):
            decode(json.dumps(facts).encode())
    upright = base | {"items": [base["items"][0] | {"hashes": [row] * 2_001}]}
    with pytest.raises(UnsealError, match="upright"):
        decode(json.dumps(upright).encode())
    nothing = base | {"items": [], "addresses": [], "note": "look"}
    with pytest.raises(UnsealError, match="nothing"):
        decode(json.dumps(nothing).encode())
    begin = time.process_time()
    turned = [*row[:4], 1, *row[5:]]
    decode(
        json.dumps(base | {"items": [base["items"][0] | {"hashes": [turned] * 20_000}]}).encode()
    )
    assert time.process_time() - begin < 5


WRONG = [
    {"reference": "x"}, {"reference": "A" * 32}, {"reference": None}, {"day": "today"}, {"day": 1},
    {"language": "de"}, {"language": ["ar"]}, {"country": "Morocco"}, {"country": "m1"},
    {"status_key": ""}, {"status_key": "AAAA"}, {"status_key": "é" * 44}, {"proof": 7},
    {"addresses": "https://x.example"}, {"addresses": [1]}, {"addresses": ["a" * 2049]},
    {"addresses": ["https://x.example/1", "\u200edata:image/png;base64,iVBORw0KGgo="]},
    {"note": "n" * 4001}, {"note": ["n"]}, {"note": "\ud800"}, {"items": {}}, {"items": [1]},
    {"items": [{}]}, {"schema": "screener-report/2"},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=map(str, range(len(WRONG))))
def test_an_invalid_field_refuses_the_report(wrong):
    """Wrong type, length or form."""
    with pytest.raises(UnsealError):
        decode(json.dumps(facts_of(report_of(ITEM)) | wrong).encode())


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (0, "photodna"), (0, "tmk_pdqf"), (0, "x"), (0, ["pdq"]), (1, "AAAA"), (1, 1), (2, 101),
        (2, True), (2, -1), (3, "9"), (4, 8), (4, -1), (5, 3), (6, 1e9), (6, 1.5), (7, -1),
        (7, 10**400), (7, 1e300), (7, "0"), (7, True), (8, [float("1e99")]), (8, None),
    ],
)  # fmt: skip
def test_an_invalid_hash_refuses_the_report(place, wrong):
    """Unknown kind, wrong length, invalid place."""
    facts = facts_of(report_of(ITEM))
    facts["items"][0]["hashes"][3][place] = wrong
    with pytest.raises(UnsealError):
        decode(json.dumps(facts).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_report_with_anything_in_the_place_of_a_part_is_read_or_refused(data):
    """Only UnsealError is raised, and what is read can be written and read again."""
    facts = facts_of(report_of(ITEM, addresses=("https://x.example",), note="n"))
    spot = facts
    while True:
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(spot[key], dict | list) and spot[key] and data.draw(st.booleans()):
            spot = spot[key]
            continue
        spot[key] = data.draw(JSON)
        break
    try:
        found = decode(json.dumps(facts).encode())
    except UnsealError:
        return
    assert isinstance(found, Report)
    assert decode(encode(found)) == found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_that_were_sealed_are_refused(content):
    """With a valid seal."""
    with pytest.raises(UnsealError):
        decode(content)


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "vpdq"])
@pytest.mark.parametrize("score", [0, 50, 100])
def test_a_digest_with_a_quality_is_refused(kind, score):
    """The list could not store it, and every later step would fail."""
    (row,) = [row for row in facts_of(report_of(ITEM))["items"][0]["hashes"] if row[0] == "md5"]
    value = base64.b64encode(bytes(KINDS[kind].size or 36)).decode()
    for place in (2, 3):
        wrong = [kind, value, None, None, *row[4:]]
        wrong[place] = score
        facts = facts_of(report_of(ITEM))
        facts["items"][0]["hashes"].append(wrong)
        with pytest.raises(UnsealError, match="invalid quality"):
            decode(json.dumps(facts).encode())


def test_a_record_that_cannot_be_listed_stops_no_other(tmp_path, monkeypatch):
    """It stays in the backlog until it can be listed."""
    desk, made, broken = make_desk(tmp_path / "hotline"), own_list._to_record, []

    def to_record(pending):
        if not broken:
            broken.append(pending.entry)
        if pending.entry == broken[0]:
            raise ValueError("of no use")
        return made(pending)

    monkeypatch.setattr(own_list, "_to_record", to_record)
    took = take(desk, report_of(ITEM), report_of(item_of(IMAGES / "bridge.jpg")))

    assert [one.status for one in took] == ["new", "new"]
    again = Desk.open(desk.folder)
    assert again.backlog.records == [(f"{took[0].case}/report-1", "ValueError")]
    assert again.own_list.states["seed"] == 1
    broken[0] = "none"
    again = Desk.open(desk.folder)
    assert again.backlog.records == []
    assert again.own_list.states["seed"] == 2


def test_a_valid_report_with_hostile_content_is_imported(desk):
    """Digests of an empty file, blank pictures, hashes of nothing, control characters."""
    empty = {"md5": "d41d8cd98f00b204e9800998ecf8427e"}
    rows = [
        ["md5", base64.b64encode(bytes.fromhex(empty["md5"])).decode(), None, None, 0, 0, 0, 0, []]
    ]
    rows += [["pdq", base64.b64encode(bytes(32)).decode(), 100, 100, 0, 0, 0, 0, []]]
    facts = facts_of(report_of(note="\x1b[2J\u202e=cmd()", addresses=("javascript:alert(1)",)))
    for number, some in enumerate((rows[:1], rows[1:], rows)):
        item = {"type": None, "moving": False, "hashes": some}
        one = facts | {"items": [item], "reference": f"{number + (1 << 100):032x}"}
        one["proof"] = base64.b64encode(bytes([number]) * 32).decode()
        path = desk.folder.parent / f"harm{number}"
        key = sealed.read_public_key(desk.folder / "hotline.pub")
        path.write_bytes(sealed.seal(json.dumps(one).encode(), key))
        (taken,) = desk.take([path], by="amina", at=NOON)
        assert taken.status in ("new", "joined")
        assert desk.backlog.records == []
    assert decode(json.dumps(facts).encode()).day == date(2026, 3, 14)
    assert not desk.own_list.matchable
    assert desk.own_list.states["seed"] == 2  # where there is more than the digest of no bytes


def test_another_report_of_one_reference_is_refused(desk):
    """The same report again is `repeated`."""
    first = report_of(ITEM, addresses=("https://first.example",))
    key = sealed.read_public_key(desk.folder / "hotline.pub")
    path = desk.folder.parent / "twice"
    path.write_bytes(sealed.seal(encode(first), key))
    became = [desk.take([path, path], by="amina", at=NOON) for _ in range(2)]
    assert [one.status for some in became for one in some][1:] == ["repeated"] * 3
    forged = report_of(ITEM, addresses=("https://other.example",))
    forged = json.loads(encode(forged)) | {"reference": first.reference}
    assert "reference" in refused(desk, sealed.seal(json.dumps(forged).encode(), key))
