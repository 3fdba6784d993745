"""Documented samples of the exchange formats, and how tests read them."""

import base64
import io
import json

import pytest
from list_values import ANY_COLUMNS

from screener import HashList
from screener.errors import ListError
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import open_reader
from screener.lists.store.records import BadRow

MD5 = "00112233445566778899aabbccddeeff"


SHA1 = "00112233445566778899aabbccddeeff00112233"


SHA256 = MD5 * 2


PDQ = "0123456789abcdef" * 4


PHOTODNA = base64.b64encode(bytes(range(144))).decode()


VALUES = (MD5, SHA1, PDQ, PHOTODNA[:40])


def content(data):
    """Text, bytes or a JSON value as the content of a file."""
    if not isinstance(data, (bytes, str)):
        data = json.dumps(data)
    return Content(io.BytesIO(data if isinstance(data, bytes) else data.encode()), "a.file")


def reader_of(data, format=None, **said):
    """A reader, of the format that is sniffed unless one is named, for any columns of a CSV."""
    said = {"source": "demo", **ANY_COLUMNS, **said}
    return open_reader(content(data), Options(**said), format=format)


def read(data, format=None, **said):
    """All rows, good and bad; none of what they say in words holds a value."""
    rows = list(reader_of(data, format, **said))
    for row in rows:
        if isinstance(row, BadRow):
            assert not any(value in repr(row).lower() for value in VALUES)
    return rows


def kinds(row):
    """The hashes of a row, by kind, as text."""
    return {item.kind.name: item.text for item in row.hashes}


def refused(data, match, format=None, **said):
    """The file is refused in words that hold none of its values."""
    with pytest.raises(ListError, match=match) as caught:
        read(data, format, **said)
    assert not any(value in str(caught.value).lower() for value in VALUES)
    assert "a.file" in str(caught.value)


def imported(tmp_path, data, name="a.file", **settings):
    """A list with one file in it, and the report."""
    file = tmp_path / name
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    known = HashList.create(tmp_path / "known.list")
    report = known.import_file(file, **settings)
    return known.refresh(), report


NCMEC = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">
  <images count="2" maxTimestamp="2030-01-02T03:04:05Z">
    <image>
      <member id="9001">Synthetic Member One</member>
      <timestamp>2030-01-02T03:00:00Z</timestamp>
      <id>syn-img-1</id>
      <classification>B2</classification>
      <fingerprints>
        <md5>{MD5}</md5><sha1>{SHA1}</sha1><pdna>{PHOTODNA}</pdna><pdq>{PDQ}</pdq>
      </fingerprints>
      <feedback lastUpdateTimestamp="2030-01-02T03:00:30Z">
        <affirmativeFeedback type="Md5" lastUpdateTimestamp="2030-01-02T03:00:30Z">
          <members timestamp="2030-01-02T03:00:30Z"><member id="9002">Two</member></members>
        </affirmativeFeedback>
        <negativeFeedback type="Pdq" lastUpdateTimestamp="2030-01-02T03:00:20Z">
          <reasons>
            <reason guid="00000000-1111-2222-3333-444444444444" name="Synthetic reason"/>
            <members timestamp="2030-01-02T03:00:20Z"><member id="9003">Three</member></members>
          </reasons>
        </negativeFeedback>
      </feedback>
    </image>
    <deletedImage>
      <member id="9002">Synthetic Member Two</member>
      <id>syn-img-2</id>
      <timestamp>2030-01-02T03:04:05Z</timestamp>
    </deletedImage>
  </images>
  <videos count="1" maxTimestamp="2030-01-02T03:03:00Z">
    <video>
      <member id="9001">Synthetic Member One</member>
      <timestamp>2030-01-02T03:03:00Z</timestamp>
      <id>syn-vid-1</id>
      <fingerprints>
        <md5>{MD5}</md5>
        <tmk-pdqf rel="self" href="https://hashsharing.invalid/v2/entries/9001/tmk-pdqf"/>
      </fingerprints>
      <feedback/>
    </video>
  </videos>
  <paging><next>/v2/entries?from=2030&amp;start=2001</next></paging>
</queryResult>
"""


VICS13 = {
    "odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media",
    "value": [
        {
            "MediaID": 1,
            "Category": 1,
            "MD5": MD5.upper(),
            "SHA1": SHA1.upper(),
            "VictimIdentified": "false",
            "IsDistributed": "true",
            "Series": None,
            "MediaSize": "20480",
            "AlternativeHashes": [{"HashName": "PhotoDNA", "HashValue": PHOTODNA}],
            "DateUpdated": "2030-01-02T03:04:05-05:00",
        }
    ],
}


CONTEXT20 = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/{}/$metadata#{}"


VICS20 = {
    "@odata.context": CONTEXT20.format("US", "Media"),
    "value": [
        {
            "MediaID": 1,
            "Category": 2,
            "MD5": MD5.upper(),
            "PhotoDNA": PHOTODNA,
            "VictimIdentified": False,
            "IsDistributed": None,
            "Series": "",
            "MediaSize": 20480,
        },
        {"MediaID": 1, "Category": 0, "MD5": MD5.upper(), "UnknownVendorField": {"a": 1}},
    ],
}


DESCRIPTOR = {
    "id": "600000000000001",
    "owner": {"id": "700000000000001"},
    "status": "MALICIOUS",
    "tags": {"data": [{"id": "800000000000001", "text": "synthetic_tag"}]},
    "reactions": [{"key": "HELPFUL", "value": "700000000000002,700000000000003"}],
}


UPDATES = {
    "data": [
        {
            "id": "500000000000001",
            "indicator": PDQ,
            "type": "HASH_PDQ",
            "last_updated": 1893553445,
            "should_delete": False,
            "descriptors": {"data": [DESCRIPTOR]},
        },
        {
            "id": "500000000000002",
            "indicator": MD5,
            "type": "HASH_MD5",
            "last_updated": 1893553446,
            "should_delete": True,
        },
    ],
    "paging": {"cursors": {"after": "SYNTHETIC"}, "next": "https://graph.example.invalid/next"},
}


STOPNCII = {
    "count": 2,
    "nextPageToken": None,
    "nextSetTimestamp": 1893553447,
    "hasMoreRecords": False,
    "hashRecords": [
        {
            "lastModtimestamp": 1893553445,
            "signalType": "ImagePDQ",
            "hashValue": PDQ,
            "hashStatus": "Active",
            "caseNumbers": {"00000000-1111-2222-3333-444444444444": "Active"},
            "CSPFeedbacks": [
                {"source": "Synthetic CSP", "feedbackValue": "PendingReview", "tags": ["synthetic"]}
            ],
        },
        {
            "lastModtimestamp": 1893553446,
            "signalType": "VideoMD5",
            "hashValue": MD5,
            "hashStatus": "Withdrawn",
            "caseNumbers": {},
            "CSPFeedbacks": [],
        },
    ],
}


TAT = {
    "count": 2,
    "next": None,
    "checkpoint": "1893553446,42",
    "results": [
        {
            "id": 41,
            "hash_digest": PDQ,
            "algorithm": "PDQ",
            "ideology": "far-right",
            "file_type": "jpg",
            "deleted": False,
            "created_on": "2030-01-02T03:04:05Z",
            "updated_on": "2030-01-02T03:04:05Z",
        },
        {"id": 42, "hash_digest": MD5, "algorithm": "MD5", "ideology": "islamist", "deleted": True},
    ],
}


HMA = {
    "id": 17,
    "disable_until_ts": 1,
    "original_media_uri": None,
    "bank": {"name": "SYNTHETIC_BANK", "matching_enabled_ratio": 1.0},
    "signals": {"pdq": PDQ},
    "metadata": {"content_id": "syn-1", "content_uri": None, "json": {"case": "none"}},
    "note": "synthetic",
}


ICSE = f"""\
MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;Series name;\
Number of submissions;File Available;Media Type;Baseline
{MD5.upper()};{SHA1.upper()};{PHOTODNA};1001;y;n;n;synthetic;3;f;image;yes
{MD5.upper()};;;1002;N;;;;;;image
"""


PDQ_LINES = f"{PDQ},97,synthetic-001.jpg\n{PDQ},12,synthetic, with comma.jpg\n"


FRAMES = [(0, 100, 0.0), (30, 98, 1.0)]


LAYOUTS = {
    "C++": "".join(f"{n},{q},{PDQ},{t:.3f}\n" for n, q, t in FRAMES),
    "Python": "".join(f"{n},{PDQ},{q},{t:.3f}\n" for n, q, t in FRAMES),
    "array": json.dumps([f"{PDQ},{q},{t}" for _, q, t in FRAMES]),
    "object": json.dumps({n: {"quality": q, "hash": PDQ, "timestamp": t} for n, q, t in FRAMES}),
}


NSRL = f"""\
"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"
"{SHA1.upper()}","{MD5.upper()}","01234567","synthetic ""quoted"", name.txt",2048,1,"1",""
"{SHA1.upper()}","{MD5.upper()}","01234567","caf\u00e9",2048,2,"1",""
"{SHA1.upper()}","{MD5.upper()}","01234567","x",2048,2,"1","M"
"""
