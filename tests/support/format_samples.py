"""A sample of each list format that is text."""

import json
from hashlib import sha256

from exchange_samples import (
    HMA,
    ICSE,
    LAYOUTS,
    MD5,
    NCMEC,
    NSRL,
    PDQ,
    PDQ_LINES,
    SHA1,
    STOPNCII,
    TAT,
    UPDATES,
    VICS20,
)

SAMPLES = {
    "ncmec": NCMEC.encode(),
    "vics": json.dumps(VICS20).encode(),
    "threatexchange": json.dumps(UPDATES).encode(),
    "stopncii": json.dumps(STOPNCII).encode(),
    "tat": json.dumps(TAT).encode(),
    "hma": json.dumps(HMA).encode(),
    "icse": ICSE.encode(),
    "nsrl": NSRL.encode("latin-1"),
    "pdq-lines": PDQ_LINES.encode(),
    "vpdq": LAYOUTS["C++"].encode(),
    "md5sum": f"{MD5}  a\n".encode(),
    "bsd-sums": f"MD5 (a) = {MD5}\n".encode(),
    "hashdeep": f"%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n1,{MD5},a\n".encode(),
    "tx": f"pdq {PDQ}\n".encode(),
    "tx-csv": (
        f"signal_type,signal_str,collab,category,tags\npdq,{PDQ},c,POSITIVE_CLASS,\n".encode()
    ),
    "csv": f"id,md5\nx,{MD5}\n".encode(),
    "sha1sum": f"{SHA1}  a\n".encode(),
    "sha256sum": b"".join(
        b"%s  %d\n" % (sha256(b"%d" % n).hexdigest().encode(), n) for n in range(4)
    ),
}
