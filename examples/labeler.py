"""Screen a blob of the AT Protocol (Bluesky), and label the record that shows it.

Run `python labeler.py PDS RECORD_URI RECORD_CID BLOB_CID` for each blob that your labeler sees. The
environment has SCREENER_URL and SCREENER_KEY; MODERATOR_PDS and MODERATOR_TOKEN, the server and the
session of a moderator of your Ozone; LABELER_DID and LABEL. It exits with 0 for no match, 1 for a
match and 3 for a blob that was not screened, each of the latter with an event in Ozone; any other
code is an error. PDS is named by strangers: let this program reach public addresses only.
"""

import base64
import hashlib
import os
import sys
import tempfile
from typing import IO

import httpx

from screener import Verdict
from screener.service import Client

MAX_BYTES = 100 << 20
DEFINITIONS = "tools.ozone.moderation.defs"


def main(pds: str, uri: str, cid: str, blob: str) -> int:
    """Screen the blob of a record; return the exit code."""
    did = uri.removeprefix("at://").partition("/")[0]
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        fetch(file, pds, did, blob)
        with Client(os.environ["SCREENER_URL"], key=os.environ.get("SCREENER_KEY")) as client:
            result = client.screen(file, name=blob)
    if result.verdict is Verdict.MATCH:
        label = {"createLabelVals": [os.environ["LABEL"]], "negateLabelVals": []}
        emit({"$type": f"{DEFINITIONS}#modEventLabel", **label}, uri, cid, blob)
        return 1
    if result.verdict is Verdict.UNSCREENED:
        comment = f"a blob could not be screened: {result.reason}"
        emit({"$type": f"{DEFINITIONS}#modEventEscalate", "comment": comment}, uri, cid, blob)
        return 3
    return 0


def fetch(file: IO[bytes], pds: str, did: str, blob: str) -> None:
    """Write a blob to a file. Raises ValueError if it is too large or not what its CID names.

    A server could show the labeler another picture than it shows its users.
    """
    digest, size = hashlib.sha256(), 0
    params = {"did": did, "cid": blob}
    with httpx.stream("GET", f"{pds}/xrpc/com.atproto.sync.getBlob", params=params) as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            size += len(piece)
            if size > MAX_BYTES:
                raise ValueError("the blob is too large")
            digest.update(piece)
            file.write(piece)
    # CID version 1, raw bytes, SHA-256 of 32 bytes, in base32.
    name = base64.b32encode(b"\x01\x55\x12\x20" + digest.digest()).decode().rstrip("=").lower()
    if blob != f"b{name}":
        raise ValueError("the blob is not what its CID names")
    file.seek(0)


def emit(event: dict[str, object], uri: str, cid: str, blob: str) -> None:
    """Send an event about a record to Ozone, through the moderator's server."""
    labeler = os.environ["LABELER_DID"]
    answer = httpx.post(
        f"{os.environ['MODERATOR_PDS']}/xrpc/tools.ozone.moderation.emitEvent",
        headers={
            "Authorization": f"Bearer {os.environ['MODERATOR_TOKEN']}",
            "atproto-proxy": f"{labeler}#atproto_labeler",
        },
        json={
            "event": event,
            "subject": {"$type": "com.atproto.repo.strongRef", "uri": uri, "cid": cid},
            "subjectBlobCids": [blob],
            "createdBy": labeler,
        },
    )
    answer.raise_for_status()


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Exception as error:  # an exit code of 1 would mean a match
        print(f"not screened or not reported: {error}", file=sys.stderr)
        sys.exit(2)
