"""What binds an import: terms that only tighten, levels that a file gives its rows."""

import hashlib
import json
from datetime import date

import pytest

from screener.errors import ListError
from screener.lists.hashlist import HashList
from screener.lists.terms import AUDIENCES, Terms, strictest, tightened


def value(number, size=16):
    """A well-mixed value of so many bytes, in hex."""
    return hashlib.shake_128(str(number).encode()).hexdigest(size)


@pytest.fixture
def keys(tmp_path):
    """A pair of key files."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private, public = tmp_path / "key.pem", tmp_path / "key.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def sent(tmp_path, keys):
    """Makes a signed export of sources with terms each, for the own team; gives its path."""

    def make(**terms):
        held = HashList.create(tmp_path / "sent.list")
        for number, (source, said) in enumerate(terms.items()):
            file = tmp_path / f"{source}.csv"
            file.write_text(f"id,md5\n{source},{value(number)}\n")
            held.import_file(file, source=source, terms=said)
        path = tmp_path / "sent.csv"
        held.refresh().export(path, format="csv", audience="own", key=keys[0])
        return path

    return make


SAID = [
    Terms(level, spread)
    for level in (None, "RED", "AMBER+STRICT", "GREEN", "CLEAR")
    for spread in (None, True, False)
]


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_strictest_of_two_allows_nothing_that_one_of_them_forbids(audience):
    """For every pair of terms: what one keeps back, said or not, both together keep back."""
    for one in SAID:
        for other in SAID:
            if one.why_not(audience) or other.why_not(audience):
                assert strictest([one, other]).why_not(audience), (one, other)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_what_is_given_never_loosens_what_is_said(audience):
    """For every pair but where the manifest says neither level nor redistribution."""
    for said in SAID[1:]:
        for given in SAID:
            if said.why_not(audience):
                assert tightened(said, given).why_not(audience), (said, given)


def test_a_source_without_terms_does_not_take_those_of_another_on_the_way(sent, tmp_path, keys):
    """An export of two sources, one without terms, stays with the importer's own team."""
    path = sent(unsaid=None, open=Terms(tlp="CLEAR"))
    back = HashList.create(tmp_path / "back.list")

    back.import_file(path, source="peer", key=keys[1])

    assert back.terms() == {"peer": Terms(tlp="AMBER+STRICT")}
    with pytest.raises(ListError, match="nothing may go on"):
        back.refresh().export(tmp_path / "out.csv", format="csv", audience="clients")


def test_terms_given_with_a_key_only_tighten_the_signed_ones(sent, tmp_path, keys):
    """Field by field the narrower one counts; what was signed and not given stays."""
    signed = Terms("GREEN", False, "2090-12-31", "from the hotline")
    path = sent(hotline=signed)
    for place, (given, kept) in enumerate(
        [
            (Terms("CLEAR", True, "2091-01-01"), signed),
            (Terms("GREEN"), signed),
            (Terms("AMBER"), Terms("AMBER", False, "2090-12-31", "from the hotline")),
            (Terms(None, None, "2089-01-01"), Terms("GREEN", False, "2089-01-01", signed.note)),
        ]
    ):
        back = HashList.create(tmp_path / f"back{place}.list")
        back.import_file(path, source="peer", key=keys[1], terms=given)
        assert back.terms() == {"peer": kept}


def _shared(tmp_path, *levels):
    """A file of ThreatExchange whose descriptors have these levels."""
    items = [
        {
            "id": str(number),
            "indicator": value(number),
            "type": "HASH_MD5",
            "descriptors": {"data": [{"status": "MALICIOUS", "share_level": level}]},
        }
        for number, level in enumerate(levels)
    ]
    path = tmp_path / "shared.json"
    path.write_text(json.dumps({"data": items}))
    return path


@pytest.mark.parametrize(
    ("levels", "given", "bound"),
    [
        (("GREEN", "RED"), Terms("CLEAR", True), Terms("RED", True)),
        (("WHITE",), Terms("GREEN"), Terms("GREEN")),
        (("AMBER",), Terms("CLEAR"), Terms("AMBER")),
        (("WHITE", "AMBER"), None, None),
        (("RED",), None, Terms("RED")),
        (("whatever", None), Terms("CLEAR"), Terms("CLEAR")),
    ],
)
def test_a_share_level_binds_its_source_where_it_is_stricter(tmp_path, levels, given, bound):
    """The narrowest of the file; a level never widens what is given, or what is not said."""
    held = HashList.create(tmp_path / "known.list")

    report = held.import_file(_shared(tmp_path, *levels), source="peer", terms=given)

    assert held.terms() == ({} if bound is None else {"peer": bound})
    assert bool(report.notes) == (bound != given)
    assert held.refresh().show("0")[0].labels.get("share_level") == levels[0].upper()


def test_the_first_of_several_days_counts_however_it_is_written():
    """Days are compared as days."""
    several = [Terms(expires="20300101"), Terms(expires="2029-12-31")]

    assert date.fromisoformat(strictest(several).expires or "").year == 2029


@pytest.fixture
def replayed(tmp_path, keys):
    """Two signed exports of one list, an entry withdrawn between them; the older, the newer."""
    held = HashList.create(tmp_path / "sent.list")
    paths = []
    for name, text in (
        ("older", f"id,md5\na,{value(1)}\nb,{value(2)}\n"),
        ("newer", "id,md5,status\na,,withdrawn\n"),
    ):
        file = tmp_path / f"{name}-rows.csv"
        file.write_text(text)
        held.import_file(file, source="open", terms=Terms("GREEN", True))
        held = held.refresh()
        paths.append(tmp_path / f"{name}.csv")
        held.export(paths[-1], format="csv", key=keys[0])
    return paths


def test_an_older_signed_export_does_not_undo_a_newer_one(replayed, tmp_path, keys):
    """It is refused, says both generations and what to do, and changes nothing; an equal one, and
    another source, are taken.
    """
    older, newer = replayed
    back = HashList.create(tmp_path / "back.list")
    for path in (older, newer, newer):
        back.import_file(path, source="peer", key=keys[1])

    with pytest.raises(ListError, match=r"generation 1 of .* generation 2 .* newer export"):
        back.import_file(older, source="peer", key=keys[1])

    back = back.refresh()
    assert back.show("a")[0].state == "withdrawn"
    assert back.import_file(older, source="another", key=keys[1]).added == 2


def test_after_a_purge_an_older_signed_export_is_taken_again(replayed, tmp_path, keys):
    """Nothing is left of the source that it could undo."""
    older, newer = replayed
    back = HashList.create(tmp_path / "back.list")
    back.import_file(newer, source="peer", key=keys[1])
    back.purge("peer", by="ann")

    assert back.import_file(older, source="peer", key=keys[1]).added == 2


@pytest.mark.parametrize("wrong", ["soon", None, [1], True])
def test_a_manifest_without_a_generation_is_refused(sent, tmp_path, keys, wrong):
    """Its signature does not make up for it."""
    from screener.lists import manifest

    path = sent(open=Terms("CLEAR"))
    facts = json.loads(manifest.manifest_of(path).read_text())
    text = manifest.encode(facts | {"generation": wrong})
    manifest.manifest_of(path).write_bytes(text)
    signature = manifest.sign(text, key=manifest.private_key(keys[0]))
    manifest.signature_of(path).write_bytes(signature)

    with pytest.raises(ListError, match="cannot be read"):
        HashList.create(tmp_path / "back.list").import_file(path, source="peer", key=keys[1])
