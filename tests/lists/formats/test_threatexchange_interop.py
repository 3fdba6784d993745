"""What `python-threatexchange` writes, and what its clients understand, is read as it means it."""

import csv
import io
import json
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from threatexchange.exchanges.clients.fb_threatexchange.threat_updates import ThreatUpdateJSON
    from threatexchange.exchanges.clients.ncmec import hash_api
    from threatexchange.exchanges.clients.stopncii import api as stopncii_api
    from threatexchange.exchanges.collab_config import CollaborationConfigBase
    from threatexchange.exchanges.impl.fb_threatexchange_api import (
        FBThreatExchangeIndicatorRecord,
    )
    from threatexchange.exchanges.impl.file_api import LocalFileSignalExchangeAPI
    from threatexchange.signal_type.md5 import VideoMD5Signal
    from threatexchange.signal_type.pdq.signal import PdqSignal
    from threatexchange.signal_type.sha256 import VideoSHA256Signal

from screener.hashing.hash import Hash
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import open_reader, sniff
from screener.lists.states import State
from screener.lists.store.records import Row

KINDS = {VideoMD5Signal: "md5", PdqSignal: "pdq", VideoSHA256Signal: "sha256"}


def read(text, format=None):
    """All rows of a text."""
    data = text if isinstance(text, bytes) else text.encode()
    return list(open_reader(Content(io.BytesIO(data), "f"), Options("s"), format=format))


def values(signal):
    """Values of a kind that it validates itself."""
    size = 16 if signal is VideoMD5Signal else 32
    return [signal.validate_signal_str(bytes([n]).hex() * size) for n in (0x1F, 0x2E, 0x3D)]


@pytest.mark.parametrize("signal", KINDS)
def test_its_local_file(tmp_path, signal):
    """`type value` lines, for every type that both know; a file that it reads is read alike."""
    file = tmp_path / "signals.txt"
    file.write_text("".join(f"{signal.get_name()} {value}\n" for value in values(signal)))
    config = LocalFileSignalExchangeAPI.get_config_cls()
    collab = config(name="c", filename=str(file), enabled=True, api="local_file", signal_type=None)
    assert isinstance(collab, CollaborationConfigBase)
    exchange = LocalFileSignalExchangeAPI.for_collab(collab)
    ((theirs),) = (delta.updates for delta in exchange.fetch_iter([], None))

    ours = read(file.read_bytes())

    found = {(signal.get_name(), row.hashes[0].text) for row in ours}
    assert found == set(theirs)
    assert {row.hashes[0].kind.name for row in ours} == {KINDS[signal]}


def test_its_csv():
    """What `tx dataset --csv` writes, by the same class of Python's and the same columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, ["signal_type", "signal_str", "collab", "category", "tags"])
    writer.writeheader()
    for signal in KINDS:
        for value in values(signal):
            writer.writerow(
                {
                    "signal_type": signal.get_name(),
                    "signal_str": value,
                    "collab": 'A "b", c',
                    "category": "POSITIVE_CLASS",
                    "tags": "x y",
                }
            )

    rows = read(out.getvalue(), format="tx-csv")

    assert sniff(Content(io.BytesIO(out.getvalue().encode()), "f")) == "tx-csv"
    assert all(isinstance(row, Row) and row.state is State.CONFIRMED for row in rows)
    assert len(rows) == 3 * len(KINDS)
    assert {row.labels["collab"] for row in rows} == {'A "b", c'}


def test_its_pdq_is_ours():
    """A hash that it made, and printed, is the one that is read."""
    for text, quality in ((PdqSignal.get_examples()[0], 100),):
        (row,) = read(f"{text},{quality},a.jpg\n")
        assert row.hashes == (Hash.parse("pdq", text),)


def test_ncmec_holds_what_its_client_sees(material):
    """Every fingerprint that its client finds in a page, and its tombstones."""
    data = (material / "exchange" / "ncmec_entries_xml.xml").read_bytes()
    theirs = hash_api.GetEntriesResponse.from_xml(hash_api._XMLWrapper(_root(data)), 0)
    ours = {row.entry: row for row in read(data) if isinstance(row, Row)}

    assert len(theirs.updates) == len(ours)
    for update in theirs.updates:
        row = ours[f"{update.member_id}/{update.id}"]
        assert (row.state is State.WITHDRAWN) == update.deleted
        found = {item.kind.name: item.text for item in row.hashes}
        digests = {name: text for name, text in update.fingerprints.items() if name != "pdna"}
        assert digests == found


def _root(data):
    from xml.etree import ElementTree

    space = b' xmlns="https://hashsharing.ncmec.org/hashsharing/v2"'
    assert space in data
    return ElementTree.fromstring(data.replace(space, b""))  # as its client does


@pytest.mark.parametrize("name", ["stopncii_page1.json", "stopncii_page2.json"])
def test_stopncii_statuses_are_all_known(material, name):
    """Every status and type of its client is one that is read here, whatever it does with it."""
    page = json.loads((material / "exchange" / name).read_text())
    for status in stopncii_api.StopNCIICaseStatus:
        page["hashRecords"] = [{**page["hashRecords"][0], "hashStatus": status.value}]
        (row,) = read(json.dumps(page))
        gone = status.value in ("Withdrawn", "Deleted")
        assert (row.state is State.WITHDRAWN) == gone


def test_threatexchange_opinions_agree():
    """An indicator that its client takes for positive, negative or disputed is that here."""
    for statuses, state in (
        (["MALICIOUS"], State.CONFIRMED),
        (["NON_MALICIOUS"], State.KNOWN_GOOD),
        (["MALICIOUS", "NON_MALICIOUS"], State.DISPUTED),
        (["UNKNOWN"], State.SEED),
    ):
        item = {
            "id": 1,
            "indicator": values(PdqSignal)[0],
            "type": "HASH_PDQ",
            "last_updated": 5,
            "should_delete": False,
            "descriptors": {
                "data": [
                    {"id": str(n), "owner": {"id": str(n)}, "status": s, "tags": {"data": []}}
                    for n, s in enumerate(statuses)
                ]
            },
        }
        theirs = FBThreatExchangeIndicatorRecord.from_threatexchange_json(9, ThreatUpdateJSON(item))
        (row,) = read(json.dumps({"data": [item]}))

        assert row.state is state
        names = {opinion.category.name for opinion in theirs.opinions}
        assert names == {
            {"MALICIOUS": "POSITIVE_CLASS", "NON_MALICIOUS": "NEGATIVE_CLASS"}.get(
                s, "INVESTIGATION_SEED"
            )
            for s in statuses
        }
