"""Hash and HashKind: what is equal, what text is read and written, and what is never shown."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screener import Policy
from screener.errors import HashError, ScreenerError
from screener.hashing.hash import KINDS, Hash, HashKind, kind_named
from screener.screening.input.hash_item import hash_item

MD5 = "00112233445566778899aabbccddeeff"
SHA1 = "00112233445566778899aabbccddeeff00112233"
PDQ = "0123456789abcdef" * 4
PERCEPTUAL = [kind for kind in KINDS.values() if kind.perceptual]


def values(kind: HashKind) -> st.SearchStrategy[bytes]:
    """Values of a kind."""
    return st.binary(min_size=kind.size, max_size=kind.size)


# Those of videos are not just any bytes: see test_video_hashes.py.
OF_ANY_BYTES = [kind for kind in KINDS.values() if kind.name not in ("vpdq", "tmk_pdqf")]
hashes = st.sampled_from(OF_ANY_BYTES).flatmap(
    lambda kind: st.builds(Hash, st.just(kind), values(kind))
)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        *(("pdq", 256), ("md5", 128), ("sha1", 160), ("sha256", 256), ("photodna", 1152)),
        *((name, 64) for name in ("phash", "dhash", "ahash", "whash")),
        *((name, 256) for name in ("phash256", "dhash256", "ahash256", "whash256")),
    ],
)
def test_kinds(name: str, bits: int) -> None:
    """Each kind has its name, its bits, and eight times fewer bytes."""
    kind = kind_named(name)
    assert (kind.name, kind.bits, kind.size) == (name, bits, bits // 8)
    assert kind is KINDS[name]


def test_what_kinds_are_for() -> None:
    """Digests are only ever equal; perceptual kinds have a radius, which may be 0, and a floor; the
    others have neither.
    """
    assert [kind.name for kind in KINDS.values() if kind.digest] == ["md5", "sha1", "sha256"]
    assert all(0 <= kind.radius <= kind.bits // 8 and kind.floor == 50 for kind in PERCEPTUAL)
    assert all(kind.computed for kind in PERCEPTUAL)
    others = [kind for kind in KINDS.values() if not kind.perceptual]
    assert [kind.name for kind in others] == [
        *("md5", "sha1", "sha256", "photodna", "vpdq", "tmk_pdqf")
    ]
    assert all(kind.radius == kind.floor == 0 for kind in others if not kind.video)
    assert (KINDS["vpdq"].radius, KINDS["vpdq"].floor) == (31, 50)
    assert (KINDS["pdq"].radius, KINDS["pdq"].floor) == (31, 50)


def test_unknown_kind_lists_the_kinds() -> None:
    """An unknown name is a HashError that lists those there are."""
    with pytest.raises(HashError, match=r"unknown kind 'md4'; one of: pdq, .*photodna"):
        kind_named("md4")
    with pytest.raises(HashError, match="unknown kind"):
        Hash.parse("PDQ", PDQ)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("pdq", bytes(32)), (None, bytes(32)), (KINDS["pdq"], "a" * 32), (KINDS["vpdq"], "a")),
        *((KINDS["pdq"], other) for other in (bytearray(32), np.zeros(32, "u1"), [0] * 32, None)),
    ],
)
def test_a_hash_is_of_a_kind_and_bytes(kind: Any, value: Any) -> None:
    """Anything else is refused at once, and the error names the call to use instead."""
    with pytest.raises(
        HashError, match=r"needs a HashKind and bytes, got .*; Hash\.parse\(\) takes"
    ):
        Hash(kind, value)


def test_what_is_no_text_is_refused() -> None:
    """A kind that is not named, a value that is bytes already, what has no distance."""
    one: Any = Hash.parse("pdq", PDQ)
    for kind in (one.kind, None, ["pdq"], b"pdq"):
        with pytest.raises(HashError, match="must be text, such as 'pdq', not"):
            Hash.parse(kind, PDQ)
    with pytest.raises(HashError, match="text of a value must be a str, not bytes"):
        Hash.parse("pdq", one.value)
    with pytest.raises(HashError, match="needs a Hash, got bytes"):
        one.distance(one.value)


@pytest.mark.parametrize("number", ["90", 90.0, 90.5, True, float("nan")])
@pytest.mark.parametrize("name", ["quality", "pixels"])
def test_a_quality_is_a_whole_number(name: str, number: Any) -> None:
    """So is a version of the pixel pipeline; NumPy's become Python's own, which JSON can have."""
    with pytest.raises(HashError, match=f"{name} must be an integer or None, not"):
        Hash(KINDS["md5"], bytes(16), **{name: number})
    taken: Any = {name: np.uint8(90)}
    assert type(getattr(Hash(KINDS["md5"], bytes(16), **taken), name)) is int


def test_kinds_cannot_be_changed() -> None:
    """The table of kinds and all that is in it are frozen."""
    with pytest.raises(TypeError):
        KINDS["md5"] = KINDS["sha1"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        KINDS["pdq"].radius = 90  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "text", "hexadecimal"),
    [
        ("md5", MD5.upper(), MD5),
        ("sha1", SHA1.upper(), SHA1),
        ("sha1", "AAISEM2EKVTHPCEZVK54ZXPO74ABCIRT", SHA1),
        ("sha1", "aaisem2ekvthpcezvk54zxpo74abcirt", SHA1),
        ("sha256", MD5 * 2, MD5 * 2),
        ("sha256", "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", MD5 * 2),
        ("pdq", PDQ.upper(), PDQ),
        ("pdq", f" {PDQ}\r\n", PDQ),
        ("pdq", "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=", PDQ),
        ("phash", "00FF00ff12345678", "00ff00ff12345678"),
        ("whash256", PDQ, PDQ),
        ("photodna", bytes(range(144)).hex().upper(), bytes(range(144)).hex()),
        ("photodna", base64.b64encode(bytes(range(144))).decode(), bytes(range(144)).hex()),
        ("photodna", ",".join(map(str, range(144))), bytes(range(144)).hex()),
        ("photodna", ", ".join(map(str, range(144))), bytes(range(144)).hex()),
        ("photodna", "12" + ",1" * 143, "0c" + "01" * 143),
    ],
)
def test_parses_every_text_form(kind: str, text: str, hexadecimal: str) -> None:
    """Every form that lists carry is read, hex and base32 in either case."""
    assert Hash.parse(kind, text).value == bytes.fromhex(hexadecimal)


@given(hashes)
def test_text_is_read_back(one: Hash) -> None:
    """The text of any hash gives the same hash."""
    assert Hash.parse(one.kind.name, one.text) == one
    assert one.kind.name == "photodna" or one.text == one.value.hex()


@given(hashes)
def test_other_forms_are_read_back(one: Hash) -> None:
    """So do upper-case hex, and the forms that only some kinds have."""
    name = one.kind.name
    forms = [one.value.hex().upper()]
    if name in ("pdq", "sha256", "photodna"):
        forms.append(base64.b64encode(one.value).decode())
    if name == "sha1":
        forms.append(base64.b32encode(one.value).decode())
    if name == "photodna":
        forms.append(",".join(map(str, one.value)))
    assert {Hash.parse(name, form) for form in forms} == {one}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("md5", ""),
        ("md5", SHA1),
        ("md5", MD5[:-1]),
        ("md5", MD5[:-1] + "g"),
        ("md5", " ".join([MD5[:16], MD5[17:]])),
        ("md5", MD5[:-2] + "１１"),
        ("md5", "ABEiM0RVZneImaq7zN3u/w=="),
        ("sha1", "AAISEM2EKVTHPCEZVK54ZXPO74ABCIR1"),
        ("sha1", "é" * 32),
        ("sha1", "ı" * 32),
        ("sha1", "aaiſ" * 8),
        ("sha256", "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v88"),
        ("pdq", PDQ[:32]),
        ("pdq", "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze*="),
        ("photodna", ",".join(map(str, range(143)))),
        ("photodna", ",".join(map(str, range(113, 257)))),
        ("photodna", ",".join(["-1", *map(str, range(143))])),
        ("photodna", ",".join(["1_0", *map(str, range(143))])),
        ("photodna", ",".join(["+1", *map(str, range(143))])),
        ("photodna", ",".join(["٣", *map(str, range(143))])),
        ("photodna", "1," * 143),
        ("photodna", ",".join(["x", *map(str, range(143))])),
        ("photodna", "é" * 192),
    ],
)
def test_refuses_damaged_text_without_repeating_it(kind: str, text: str) -> None:
    """Text that is no value of the kind raises HashError, which does not quote it."""
    with pytest.raises(HashError, match=kind) as caught:
        Hash.parse(kind, text)
    assert isinstance(caught.value, ScreenerError)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert not any(text[i : i + 4] in str(caught.value) for i in range(len(text) - 3))


@given(
    st.sampled_from(list(KINDS)),
    st.text(max_size=400)
    | st.sampled_from(sorted({kind.size for kind in KINDS.values() if kind.size}))
    .flatmap(lambda size: st.binary(min_size=size, max_size=size))
    .map(bytes.hex),
)
def test_any_text_is_a_hash_or_a_hash_error(kind: str, text: str) -> None:
    """No text makes anything but a value of the right size or a HashError."""
    try:
        found = Hash.parse(kind, text)
    except HashError:
        return
    assert len(found.value) == found.kind.size


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_refuses_values_of_another_size(size: int) -> None:
    """A value has exactly the bytes of its kind."""
    with pytest.raises(HashError, match=f"a pdq value has 32 bytes, not {size}"):
        Hash(KINDS["pdq"], bytes(size))


@pytest.mark.parametrize("quality", [-1, 101])
def test_refuses_a_quality_out_of_range(quality: int) -> None:
    """Quality is 0 to 100, or not recorded."""
    with pytest.raises(HashError, match="quality must be 0 to 100"):
        Hash.parse("pdq", PDQ, quality=quality)
    assert [Hash.parse("pdq", PDQ, quality=ok).quality for ok in (0, 100, None)] == [0, 100, None]


def test_equality_is_of_kind_and_value() -> None:
    """Equal when kind and value are, whatever the quality or the pipeline that made it."""
    one = Hash.parse("pdq", PDQ, quality=50)
    assert one == Hash(KINDS["pdq"], one.value, quality=99, pixels=1)
    assert hash(one) == hash(Hash(KINDS["pdq"], one.value))
    assert one != Hash(KINDS["sha256"], one.value)
    assert one != Hash(KINDS["phash256"], one.value)
    assert one != Hash(KINDS["pdq"], bytes(32))


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        ("pdq", "kinds must be a list"),
        (KINDS["pdq"], "kinds must be a list"),
        (["5a" * 16], "a kind is needed, .* not str$"),
        ([KINDS["md5"], None], "a kind is needed, .* not NoneType$"),
        ([dataclasses.replace(KINDS["pdq"], radius=20)], "one of KINDS, unchanged"),
        ([HashKind("other", 64, perceptual=True)], "one of KINDS, unchanged"),
    ],
)
def test_what_is_no_kind_makes_no_hash_and_says_so(kinds: Any, text: str) -> None:
    """Names, one kind alone, and a kind like one that there is: of them nothing was made."""
    with pytest.raises(HashError, match=text):
        hash_item(np.zeros((9, 9), np.uint8), policy=Policy(), kinds=kinds)


def test_a_kind_that_equals_one_is_that_one() -> None:
    """The origin of a kind does not matter."""
    made = HashKind("pdq", 256, radius=31, floor=50, perceptual=True, computed=True)
    (first, *_) = hash_item(np.zeros((9, 9), np.uint8), policy=Policy(), kinds=[made]).hashes
    assert first.hash.kind is KINDS["pdq"]
    assert Hash(made, bytes(32)).kind is KINDS["pdq"]


@pytest.mark.parametrize(
    ("name", "bits"), [("pdq", 64), ("pdq", 0), ("vpdq", 64), ("other", 64), (5, 64)]
)
def test_a_hash_is_of_a_kind_that_there_is(name: Any, bits: int) -> None:
    """Of another, a look-up would find none that it could be compared with, or stumble."""
    with pytest.raises(HashError, match="one of KINDS, unchanged"):
        Hash(HashKind(name, bits, perceptual=True), bytes(bits // 8))


@given(hashes)
def test_value_is_never_shown(one: Hash) -> None:
    """Neither str nor repr contains the value: it must not slip into a log."""
    zero = Hash(one.kind, bytes(one.kind.size))
    assert str(one) == str(zero) == f"{one.kind.name} hash of {one.kind.bits} bits"
    assert repr(one) == repr(zero)
    assert f"{one}" == str(one)


@given(st.data(), st.sampled_from(PERCEPTUAL))
def test_distance_is_the_bits_that_differ(data: st.DataObject, kind: HashKind) -> None:
    """The distance counts differing bits: symmetric, 0 to itself, the width to its complement."""
    one, other = (Hash(kind, data.draw(values(kind))) for _ in range(2))
    expected = sum(bin(a ^ b).count("1") for a, b in zip(one.value, other.value, strict=True))
    assert one.distance(other) == other.distance(one) == expected
    assert one.distance(one) == 0
    assert one.distance(Hash(kind, bytes(255 - byte for byte in one.value))) == kind.bits


def test_no_distance_to_another_kind() -> None:
    """Hashes of two kinds have no distance, not even with as many bits; nor have digests."""
    pdq, other = Hash.parse("pdq", PDQ), Hash.parse("phash256", PDQ)
    with pytest.raises(HashError, match="no distance between pdq and phash256"):
        pdq.distance(other)
    for name in ("md5", "sha1", "sha256", "photodna"):
        value = Hash(KINDS[name], bytes(KINDS[name].size))
        with pytest.raises(HashError, match="no distance"):
            value.distance(value)
