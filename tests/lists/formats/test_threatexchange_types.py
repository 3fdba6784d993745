"""Every type and state of `python-threatexchange`: what both know is the same in both, and what
only it knows is never taken for a hash of ours.
"""

import base64
import importlib
import json
import struct
import sys
import types
import warnings
from xml.etree import ElementTree

import pytest
from writer_cases import by_entry, entry, made, read, written

from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import TMK_BYTES, TMK_MAGIC, VideoFrame, pack_vpdq, vpdq_frames
from screener.lists.states import State
from screener.lists.store.records import BadRow, Category, Row

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dacite
    from threatexchange.exchanges.clients.ncmec import hash_api
    from threatexchange.exchanges.clients.stopncii import api as stopncii_api
    from threatexchange.exchanges.clients.techagainstterrorism import api as tat_api
    from threatexchange.exchanges.impl import ncmec_api, stop_ncii_api, techagainstterrorism_api
    from threatexchange.exchanges.impl.file_api import (
        FileCollaborationConfig,
        LocalFileSignalExchangeAPI,
    )
    from threatexchange.signal_type.md5 import VideoMD5Signal
    from threatexchange.signal_type.pdq.signal import PdqSignal
    from threatexchange.signal_type.raw_text import RawTextSignal
    from threatexchange.signal_type.sha256 import VideoSHA256Signal
    from threatexchange.signal_type.trend_query import TrendQuerySignal
    from threatexchange.signal_type.url import URLSignal
    from threatexchange.signal_type.url_md5 import UrlMD5Signal

OURS = {PdqSignal: "pdq", VideoMD5Signal: "md5", VideoSHA256Signal: "sha256"}
THEIRS_ALONE = (RawTextSignal, TrendQuerySignal, URLSignal, UrlMD5Signal)


def tmk():
    """A TMK value, and the text of one that ThreatExchange carries."""
    head = struct.pack("<12s5i4i", TMK_MAGIC, 15, 4, 32, 256, 9, 1, 2, 3, 4)
    value = head + bytes(TMK_BYTES - len(head))
    return value, "TMK1FVECPDQF|" + base64.b64encode(value[12:]).decode()


def indicator(type_, value, *, tags=(), **rest):
    """An answer of ThreatExchange with one indicator."""
    descriptor = {
        "id": "1",
        "owner": {"id": "2"},
        "status": "MALICIOUS",
        "tags": {"data": [{"id": "3", "text": tag} for tag in tags]},
    }
    item = {"id": "9", "indicator": value, "type": type_, "last_updated": 5}
    return json.dumps({"data": [item | {"descriptors": {"data": [descriptor]}} | rest]})


def types_of(signal):
    """The types and tags under which ThreatExchange carries a signal."""
    said = signal.INDICATOR_TYPE
    if isinstance(said, dict):
        return list(said.items())
    return [(one, None) for one in (said if isinstance(said, set) else {said})]


def test_every_type_of_its_own_is_one_of_ours_or_none():
    """A signal type that a later version brings fails here, and is to be judged."""
    from threatexchange.cli.main import _DEFAULT_SIGNAL_TYPES as defaults

    assert set(defaults) <= {*OURS, *THEIRS_ALONE}


@pytest.mark.parametrize("signal", OURS)
def test_its_examples_under_every_indicator_type(signal):
    """Its own examples, by each type and tag that it uses in ThreatExchange."""
    for value in signal.get_examples():
        for type_, tag in types_of(signal):
            (row,) = read("threatexchange", indicator(type_, value, tags=[tag] if tag else []))

            assert [(item.kind.name, item.text) for item in row.hashes] == [(OURS[signal], value)]
            if signal is not PdqSignal:
                assert row.labels["media"] == "video"


@pytest.mark.parametrize("signal", THEIRS_ALONE)
def test_a_signal_that_is_no_hash_of_a_file_is_set_aside(signal):
    """Above all the MD5 of an address, which is no MD5 of a file: in each way it is written."""
    for value in signal.get_examples():
        name = signal.get_name()
        rows = [
            *read("tx", f"{name} {value}\n"),
            *(
                row
                for type_, tag in types_of(signal)
                for row in read(
                    "threatexchange", indicator(type_, value, tags=[tag] if tag else [])
                )
            ),
        ]
        assert rows
        assert all(isinstance(row, BadRow) for row in rows)


def test_its_examples_and_ours_in_its_local_file(tmp_path):
    """What we export as `tx` text its exchange finds whole; what it finds we read."""
    hashes = [(signal, Hash.parse(kind, value)) for signal, kind in OURS.items()
              for value in signal.get_examples()]  # fmt: skip
    text, _ = written(
        "tx",
        [
            entry(str(n), item, labels={"media": "image" if signal is PdqSignal else "video"})
            for n, (signal, item) in enumerate(hashes)
        ],
    )
    file = tmp_path / "signals.txt"
    file.write_text(text)
    config = FileCollaborationConfig(name="x", filename=str(file))

    (delta,) = LocalFileSignalExchangeAPI.for_collab(config).fetch_iter([], None)

    found = {(name, value) for name, value in delta.updates}
    named = {(signal.get_name(), item.text) for signal, item in hashes if signal is not
             VideoSHA256Signal}  # fmt: skip
    assert named <= found
    assert {value for _, value in found} == {item.text for _, item in hashes}
    assert {row.hashes for row in read("tx", text)} == {(item,) for _, item in hashes}


def vpdq_texts():
    """Its functions for the text of vPDQ, without the library that makes hashes of videos."""
    try:
        return importlib.import_module("threatexchange.extensions.vpdq.vpdq_util")
    except ImportError:
        stand_in = types.ModuleType("vpdq")
        stand_in.VpdqFeature = object
        sys.modules["vpdq"] = stand_in
        return importlib.import_module("threatexchange.extensions.vpdq.vpdq_util")


def test_its_vpdq_text_is_read_and_it_reads_ours():
    """Every frame, its quality, and its time as far as three digits say it."""
    util = vpdq_texts()
    theirs = [
        util.VpdqCompactFeature(made("pdq", n).text, 90 + n, time)
        for n, time in enumerate((0.0, 1.5, 1234.567))
    ]
    ours = Hash.parse("vpdq", util.vpdq_to_json(theirs))
    frames = list(vpdq_frames(ours.value))

    assert [(f.pdq.hex(), f.quality) for f in frames] == [(f.pdq_hex, f.quality) for f in theirs]
    assert [f.time for f in frames] == [0.0, 1.5, 1230.0]
    exact = [VideoFrame(-1, f.timestamp, f.quality, bytes.fromhex(f.pdq_hex)) for f in theirs]
    assert util.json_to_vpdq(Hash(KINDS["vpdq"], pack_vpdq(exact)).text) == theirs


def test_a_tmk_of_threatexchange():
    """Its own text form, by type and by the tag of a debug string."""
    value, text = tmk()
    for answer in (
        indicator("HASH_TMK", text),
        indicator("DEBUG_STRING", text, tags=["signal_type:tmk"]),
    ):
        (row,) = read("threatexchange", answer)
        assert [(item.kind.name, item.value) for item in row.hashes] == [("tmk_pdqf", value)]


STOPNCII_KINDS = {
    stopncii_api.StopNCIISignalType.ImagePDQ: ("pdq", made("pdq", 1).text),
    stopncii_api.StopNCIISignalType.VideoMD5: ("md5", made("md5", 1).text),
    stopncii_api.StopNCIISignalType.VideoTMK: ("tmk_pdqf", tmk()[1]),
}


@pytest.mark.parametrize("said", list(stopncii_api.StopNCIISignalType))
@pytest.mark.parametrize("status", list(stopncii_api.StopNCIICaseStatus))
def test_stopncii_every_type_and_status(said, status):
    """A page that its client accepts: a hash, withdrawn where its status says so, or set aside."""
    kind, value = STOPNCII_KINDS.get(said, (None, "https://example.invalid"))
    page = {
        "count": 1,
        "nextPageToken": None,
        "nextSetTimestamp": 7,
        "hasMoreRecords": False,
        "hashRecords": [
            {
                "lastModtimestamp": 7,
                "signalType": said.value,
                "hashValue": value,
                "hashStatus": status.value,
                "caseNumbers": {},
                "CSPFeedbacks": [],
            }
        ],
    }
    config = dacite.Config(cast=[stopncii_api.enum.Enum, set])
    dacite.from_dict(stopncii_api.FetchHashesResponse, page, config=config)
    (row,) = read("stopncii", json.dumps(page))

    if kind is None:
        assert isinstance(row, BadRow)
        return
    assert row.hashes[0].kind.name == kind
    gone = status.value in ("Withdrawn", "Deleted")
    assert (row.state is State.WITHDRAWN) == gone
    assert (row.state is State.CONFIRMED) == (status.value == "Active")


@pytest.mark.parametrize("feedback", list(stopncii_api.StopNCIICSPFeedbackValue))
def test_stopncii_every_feedback(feedback):
    """It disputes a hash exactly where its client takes it for a vote against."""
    record = {
        "lastModtimestamp": 7,
        "signalType": "ImagePDQ",
        "hashValue": made("pdq", 1).text,
        "hashStatus": "Active",
        "caseNumbers": {},
        "CSPFeedbacks": [{"source": "s", "feedbackValue": feedback.value, "tags": []}],
    }
    opinion = stop_ncii_api._opinion_mapping(feedback).name
    (row,) = read("stopncii", json.dumps({"hashRecords": [record]}))

    assert (row.state is State.DISPUTED) == (opinion == "NEGATIVE_CLASS")


@pytest.mark.parametrize("deleted", [True, False])
@pytest.mark.parametrize("algorithm", ["PDQ", "MD5", "SHA256", "XYZ"])
@pytest.mark.parametrize("file_type", ["jpg", "mp4"])
def test_tat_what_its_exchange_takes_is_taken(deleted, algorithm, file_type):
    """A value that it keeps or drops is kept or withdrawn here."""
    value = made(algorithm.lower(), 1).text if algorithm != "XYZ" else "xyz"
    item = {
        "hash_digest": value,
        "algorithm": algorithm,
        "ideology": "islamist",
        "file_type": file_type,
        "deleted": deleted,
        "updated_on": 5.0,
        "created_on": "2030-01-02T03:04:05Z",
        "id": 41,
    }
    (name, theirs), kept = techagainstterrorism_api._get_delta_mapping(
        tat_api.TATHashListEntry(**item)
    )
    (row,) = read("tat", json.dumps({"results": [item]}))

    if name:
        assert (row.hashes[0].text, row.state is State.WITHDRAWN) == (theirs, kept is None)
    elif algorithm == "XYZ" and not deleted:
        assert isinstance(row, BadRow)
    else:
        assert row.entry == "41"


@pytest.mark.parametrize("video", [False, True])
def test_ncmec_its_exchange_takes_what_we_write(video):
    """Each fingerprint that becomes a signal there, classes, members and tombstones."""
    kinds = ("md5", "sha1", "photodna", "pdq")
    labels = {"media": "video" if video else "image"}
    hashes = {kind: made(kind, 1) for kind in kinds}
    text, _ = written(
        "ncmec",
        [
            entry("7/a", *hashes.values(), labels=labels, categories=(
                Category("industry-classification", "A1"),)),
            entry("8/a", state=State.WITHDRAWN, labels=labels),
        ],
    )  # fmt: skip
    plain = text.replace(' xmlns="https://hashsharing.ncmec.org/hashsharing/v2"', "")
    root = ElementTree.fromstring(plain)
    updates = hash_api.GetEntriesResponse.from_xml(hash_api._XMLWrapper(root), 0).updates
    (live,) = (one for one in updates if not one.deleted)
    (gone,) = (one for one in updates if one.deleted)

    assert (live.member_id, live.id, live.classification) == (7, "a", "A1")
    assert (gone.member_id, gone.id) == (8, "a")
    assert {gone.entry_type.value, live.entry_type.value} == {"video" if video else "image"}
    taken = {
        hashes[OURS[signal]].text: live.fingerprints[name]
        for (media, name), signal in ncmec_api._get_conversion(list(OURS)).items()
        if media.value == live.entry_type.value
    }
    assert all(ours == theirs for ours, theirs in taken.items())
    assert len(taken) == 1
    assert sorted(live.fingerprints) == ["md5", "pdna", "pdq", "sha1"]


@pytest.mark.parametrize("kind", ["upvote", "downvote"])
def test_ncmec_a_vote_that_its_client_sees_is_seen(kind):
    """A vote against an entry's fingerprint disputes it; one for it does not."""
    member = '<member id="9">x</member>'
    vote = (
        f'<affirmativeFeedback type="Md5"><members>{member}</members></affirmativeFeedback>'
        if kind == "upvote"
        else '<negativeFeedback type="Md5"><reasons><reason guid="g" name="n"/>'
        f"<members>{member}</members></reasons></negativeFeedback>"
    )
    image = (
        '<image><member id="7">m</member><timestamp>2030-01-02T03:04:05Z</timestamp><id>a</id>'
        f"<fingerprints><md5>{made('md5', 1).text}</md5></fingerprints>"
        f"<feedback>{vote}</feedback></image>"
    )
    images = f'<images maxTimestamp="2030-01-02T03:04:05Z">{image}</images>'
    page = f"<queryResult{{}}>{images}</queryResult>"
    root = ElementTree.fromstring(page.format(""))
    (theirs,) = hash_api.GetEntriesResponse.from_xml(hash_api._XMLWrapper(root), 0).updates
    rows = read("ncmec", page.format(' xmlns="https://hashsharing.ncmec.org/hashsharing/v2"'))

    assert [one.feedback_type.value for one in theirs.feedback["Md5"]] == [kind]
    assert [row.state for row in rows] == [
        State.DISPUTED if kind == "downvote" else State.CONFIRMED
    ]
    assert isinstance(rows[0], Row)
    assert set(by_entry(rows)) == {"7/a"}
