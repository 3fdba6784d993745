"""Mutated files for the readers of list files: run by `scripts/fuzz`, and shortly by the tests.

A reader may yield rows and refuse the file with a ListError. Anything else is a defect: another
exception, a row that cannot be stored, a value in a text that a user sees, or more than a few
seconds or megabytes for a small file.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from screener.errors import ListError
from screener.hashing.hash import Hash
from screener.lists.formats.content import Content
from screener.lists.formats.options import Options
from screener.lists.formats.registry import FORMATS, open_reader, sniff
from screener.lists.store.records import BadRow, Row
from screener.lists.store.stored_rows import to_version

BROKEN = Path(__file__).resolve().parents[1] / "broken"
MOST_SECONDS = 5.0
MOST_BYTES = 64 << 20
MD5 = hashlib.md5(b"a listed file", usedforsecurity=False).hexdigest()
SHA1 = hashlib.sha1(b"a listed file", usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(b"a listed file").hexdigest()
PDQ = hashlib.sha256(b"a listed picture").hexdigest()
SECRETS = (MD5, SHA1, SHA256, PDQ)

_VICS = {"MediaID": 1, "Category": 1, "MD5": MD5, "SHA1": SHA1, "Series": "é", "MediaSize": "1"}
_SPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
SEEDS = {
    "csv": f'id,md5,pdq,quality,category,state\nx,{MD5},{PDQ},70,A,active\n"y","{MD5}",,,,gone\n',
    "tx": f"pdq {PDQ}\nvideo_md5 {MD5}\n# note\nurl x\n",
    "tx-csv": f"signal_type,signal_str,collab,category,tags\npdq,{PDQ},c,DISPUTED,a b\n",
    "ncmec": f'<?xml version="1.0"?><queryResult xmlns="{_SPACE}"><images count="1"><image>'
    f'<member id="1">M</member><timestamp>2030-01-02T03:00:00Z</timestamp><id>x</id>'
    f"<fingerprints><md5>{MD5}</md5><pdq>{PDQ}</pdq></fingerprints><feedback/></image>"
    '<deletedImage><member id="2"/><id>y</id></deletedImage></images></queryResult>',
    "vics": json.dumps(
        {
            "odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media",
            "value": [
                _VICS,
                {**_VICS, "AlternativeHashes": [{"HashName": "PDQ", "HashValue": PDQ}]},
            ],
        }
    ),
    "icse": "MD5;SHA1;PhotoDNA;Image ID;Is distributed;Baseline\n"
    + f"{MD5};{SHA1};;7;y;yes;+\n{MD5}\n",
    "threatexchange": json.dumps(
        {
            "data": [
                {
                    "id": "1",
                    "indicator": PDQ,
                    "type": "HASH_PDQ",
                    "should_delete": False,
                    "descriptors": {"data": [{"status": "MALICIOUS", "owner": {"id": "2"}}]},
                }
            ]
        }
    ),
    "stopncii": json.dumps(
        {
            "hashRecords": [
                {
                    "signalType": "ImagePDQ",
                    "hashValue": PDQ,
                    "hashStatus": "Active",
                    "caseNumbers": {"a": "Active"},
                    "CSPFeedbacks": [{"source": "s", "feedbackValue": "NotBlocked"}],
                }
            ]
        }
    ),
    "tat": json.dumps(
        {"results": [{"id": 1, "hash_digest": MD5, "algorithm": "MD5", "deleted": False}]}
    ),
    "hma": json.dumps({"id": 1, "bank": {"name": "B"}, "signals": {"pdq": PDQ}, "note": "n"}),
    "pdq-lines": f"{PDQ},97,a.jpg\nhash={PDQ},norm=1,delta=2,quality=3,filename=b\n",
    "vpdq": f"0,100,{PDQ},0.000\n30,98,{PDQ},1.000\n",
    "md5sum": f"{MD5}  a b\n{MD5} *c\n\\{MD5}  d\\n\n",
    "sha1sum": f"{SHA1}  a\n",
    "sha256sum": f"{SHA256}  a\nSHA256 (b) = {SHA256}\n",
    "bsd-sums": f"MD5 (a) = {MD5}\nSHA1 (b) = {SHA1}\n",
    "hashdeep": f"%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n# n\n1,{MD5},{SHA256},a,b\n",
    "nsrl": '"SHA-1","MD5","CRC32","FileName","FileSize","SpecialCode"\n'
    f'"{SHA1}","{MD5}","0","a ""b""",1,""\n"{SHA1}","{MD5}","0","c",1,"M"\n',
    "tmk": "TMK1FVECPDQF" + "\0" * 64,
}
_PIECES = [
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b"\r", b"\n", b"\r\n", b'"'),
    *(b"'", b",", b";", b"\t", b"[", b"]", b"{", b"}", b":", b"\\", b"\\u0000", b"\\ud800", b"<"),
    *(b">", b"</", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&amp;", b"&b;", b"<![CDATA[", b"<!--"),
    *(b"NaN", b"-1", b"1e999", b"9" * 400, b"null", b"true", b'"false"', b"[" * 2000, b"=1+1"),
    *(b"1.23E+31", b"0x", b"\xc2\xa0", b"\xe2\x80\x8b", b" ", b"#", b"%", b"A" * 3000),
    MD5.encode(),
]  # fmt: skip


def mutated(seed: bytes, source: random.Random) -> bytes:
    """A file like the seed with some damage."""
    data = bytearray(seed)
    for _ in range(source.choice((1, 1, 2, 3, 8))):
        at = source.randrange(len(data) + 1)
        how = source.randrange(6)
        if how == 0:
            data[at:at] = source.choice(_PIECES)
        elif how == 1:
            del data[at : at + source.choice((1, 2, 8, 64))]
        elif how == 2 and data:
            data[source.randrange(len(data))] = source.randrange(256)
        elif how == 3:
            end = at + source.randrange(80)
            data[at:at] = data[at:end] * source.choice((1, 2, 30))
        elif how == 4:
            del data[at:]
        else:
            data[at : at + 4] = source.choice(_PIECES)
    encoding = source.choice((None,) * 8 + ("utf-16", "utf-8-sig"))
    if encoding is None:
        return bytes(data)
    return data.decode("utf-8", "replace").encode(encoding)


def check(name: str, data: bytes) -> None:
    """Read a file, as what it is said to be and as what it seems; AssertionError for a defect."""
    began = time.process_time()  # other work on the machine does not count
    for format in (name, None):
        try:
            content = Content(io.BytesIO(data), "a.file")
            options = Options(
                "source", "vics-uk", ids_from_hashes=True, ignore_unknown_columns=True
            )
            reader = open_reader(content, options, format=format or sniff(content, options))
            for row in reader:
                _check_row(row)
            said = " ".join((*reader.unknown_columns, *reader.notes))
        except ListError as error:
            said = str(error)
        assert not any(secret in said.lower() for secret in SECRETS), "a value is shown"
        assert len(said) < 300_000, "a text is too long"
    assert time.process_time() - began < MOST_SECONDS, "too slow"


def _check_row(row: Row | BadRow) -> None:
    if isinstance(row, BadRow):
        assert not any(secret in repr(row).lower() for secret in SECRETS), "a value is shown"
        assert row.row is None or isinstance(row.row, Row)
        return
    assert all(isinstance(item, Hash) for item in row.hashes)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in row.labels.items())
    version = to_version(row)
    said = (version.categories, version.labels, version.updated or "", row.entry or "")
    for text in said:  # SQLite stores what can be encoded
        text.encode()


def files(name: str, seed: int) -> Iterator[bytes]:
    """Endless mutated files for a reader."""
    source = random.Random(f"{name} {seed}")
    start = SEEDS[name].encode("latin-1" if name == "nsrl" else "utf-8")
    pool = [start]
    while True:
        data = mutated(source.choice(pool), source)
        if len(pool) < 200 and source.random() < 0.02 and len(data) < 100_000:
            pool.append(data)
        yield data


def fuzz(name: str, *, seconds: float, seed: int = 0) -> int:
    """Try files on a reader for some time; how many. A broken one is kept, and raised."""
    tried = 0
    end = time.process_time() + seconds
    tracemalloc.start()
    try:
        for data in files(name, seed):
            if time.process_time() > end:
                return tried
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                check(name, data)
                assert tracemalloc.get_traced_memory()[1] - before < MOST_BYTES, "too much memory"
            except BaseException:
                BROKEN.mkdir(exist_ok=True)
                kept = BROKEN / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
                kept.write_bytes(data)
                print(f"{name}: kept {kept.name}", file=sys.stderr)
                raise
            tried += 1
    finally:
        tracemalloc.stop()
    return tried


def main() -> None:
    """The command line of `scripts/fuzz`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", choices=[[], *SEEDS], metavar="FORMAT")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of the processor, for each reader"
    )
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args()
    assert set(SEEDS) == set(FORMATS)
    for name in said.formats or SEEDS:
        print(f"{name}: {fuzz(name, seconds=said.seconds, seed=said.seed)} files", flush=True)


if __name__ == "__main__":
    main()
