"""Names of labels that may contain a hash: when they are shown, and how a purge erases them."""

import base64
import hashlib
import json

import pytest
from list_values import putting

from screener.errors import ListError
from screener.lists.hashlist import HashList
from screener.lists.terms import Terms

SECRET = hashlib.sha256(b"a listed value").hexdigest()
MD5 = hashlib.md5(b"a file").hexdigest()
NAMES = [SECRET, SECRET[:32].upper(), base64.b64encode(bytes.fromhex(SECRET)).decode()]


def ncmec(secret):
    """Return an entry whose fingerprint of an unknown kind, and type of a vote, are named by
    hashes.
    """
    return (
        '<?xml version="1.0"?><queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">'
        '<images count="1"><image><member id="42">x</member><id>i1</id>'
        "<timestamp>2020-01-01T00:00:00Z</timestamp>"
        f"<fingerprints><md5>{MD5}</md5><h{secret}>1</h{secret}></fingerprints>"
        f'<feedback><affirmativeFeedback type="{secret}"><members><member id="7">x</member>'
        "</members></affirmativeFeedback></feedback></image></images></queryResult>"
    )


def threatexchange(secret):
    """Return a ThreatExchange item with an unknown key."""
    item = {"id": "42/i1", "indicator": MD5, "type": "HASH_MD5", secret: "x", f"a {secret}": "y"}
    item["descriptors"] = [{"status": "MALICIOUS"}]
    return json.dumps({"data": [item]})


@pytest.fixture(
    params=[
        ncmec(SECRET),
        *map(threatexchange, NAMES),
        f"id,md5,x {SECRET[:22]} z\n42/i1,{MD5},x\n",
    ],
    ids=["ncmec", "hex", "upper", "base64", "csv"],
)
def imported(request, tmp_path):
    """Return a list with such an entry, and the import's report."""
    held = HashList.create(tmp_path / "known.list")
    report = putting(held, tmp_path)(request.param, source="peer")
    return held.refresh(), report


def holds(text):
    """Return whether a text has a name's secret in one of its forms."""
    return any(name[:20].casefold() in text.casefold() for name in NAMES)


def test_a_label_name_that_may_hold_a_hash_is_not_told(imported):
    """The import, the log and `show` hide it; `show` with values shows it."""
    held, report = imported

    assert not holds(repr(report))
    assert not holds(json.dumps([entry.to_dict() for entry in held.log()]))
    assert not holds(repr(held.show("42/i1")))
    assert len(held.show("42/i1")[0].labels) == len(held.show("42/i1", values=True)[0].labels)
    assert holds(repr(held.show("42/i1", values=True)[0].labels))


def test_a_purge_forgets_the_names_of_labels(tmp_path):
    """No file of the list's folder has one."""
    held = HashList.create(tmp_path / "known.list")
    putting(held, tmp_path)(f"id,md5,remarkable\na,{MD5},x\n", source="peer")
    assert held.refresh().log()[-1].counts["unknown_columns"] == ["remarkable"]

    held.refresh().purge("peer", by="ann")

    files = [path for path in held.path.rglob("*") if path.is_file()]
    assert not any(b"remarkable" in path.read_bytes() for path in files)


@pytest.mark.parametrize("text", [f'"{SECRET}" = 1', f"[a{SECRET}]\n[a{SECRET}]", "pink = 1"])
def test_terms_that_cannot_be_read_are_not_repeated(tmp_path, text):
    """A key that may contain a hash is hidden; another is shown."""
    path = tmp_path / "terms.toml"
    path.write_text(text)

    with pytest.raises(ListError) as refused:
        Terms.load(path)

    assert not holds(str(refused.value))
    assert ("'pink'" in str(refused.value)) == ("pink" in text)
