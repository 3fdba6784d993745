"""Hash and HashKind: the values of hashes, and their text form."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from screener.arguments import integer
from screener.errors import HashError
from screener.hashing import vpdq_value
from screener.hashing.video_frames import Frames


@dataclass(frozen=True)
class HashKind:
    """A kind of hash.

    `radius` and `floor` are the defaults of a policy: the largest distance in bits that is a match,
    and the least quality (0–100) at which a hash is compared; both are 0 for kinds compared by
    equality. `perceptual` kinds are compared by Hamming distance; `computed` kinds are made by this
    library from an input. A vPDQ consists of the hashes of a video's frames, and radius and floor
    apply to a frame. Other kinds are stored but never compared. `bits` is 0 if values vary in
    length.

    A `weak` kind has too many false hits in a list of a million entries: a hit makes a match only
    if a kind that is not weak hits the same entry, or if the policy's `alone` names the kind.
    """

    name: str
    bits: int
    radius: int = 0
    floor: int = 0
    perceptual: bool = False
    computed: bool = False
    weak: bool = False

    def __reduce__(self) -> tuple[Callable[[str], HashKind], tuple[str]]:
        # There is one object of each kind, found by its name.
        return kind_named, (self.name,)

    @property
    def size(self) -> int:
        """Return the bytes of a value; 0 if values vary in length."""
        return self.bits // 8

    @property
    def code_size(self) -> int:
        """Return the bytes of a code in an index: of a value, or of one frame of a video."""
        return vpdq_value.PDQ_BYTES if self.video else self.size

    @property
    def video(self) -> bool:
        """Return whether a value consists of the hashes of a video's frames."""
        return self.name == "vpdq"

    @property
    def searched(self) -> bool:
        """Return whether lists have an index: for digests, perceptual kinds and video frames."""
        return self.digest or self.perceptual or self.video

    @property
    def digest(self) -> bool:
        """Return whether this is a cryptographic digest of a file's bytes."""
        return self.name in ("md5", "sha1", "sha256")


def _perceptual(name: str, bits: int, radius: int, *, weak: bool = False) -> HashKind:
    return HashKind(name, bits, radius=radius, floor=50, perceptual=True, computed=True, weak=weak)


# PDQ's radius and floor are its authors' recommendation. The other radii follow from the false
# matches of unrelated photos in eight orientations: docs/radius.md, also for the weak kinds, which
# have false hits in a list of a million at any radius.
KINDS: Mapping[str, HashKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _perceptual("pdq", 256, 31),
            _perceptual("phash", 64, 4),
            _perceptual("dhash", 64, 2, weak=True),
            _perceptual("ahash", 64, 0, weak=True),
            _perceptual("whash", 64, 0, weak=True),
            _perceptual("phash256", 256, 32),
            _perceptual("dhash256", 256, 24),
            _perceptual("ahash256", 256, 4),
            _perceptual("whash256", 256, 4, weak=True),
            HashKind("md5", 128, computed=True),
            HashKind("sha1", 160, computed=True),
            HashKind("sha256", 256, computed=True),
            HashKind("photodna", 1152),
            HashKind("vpdq", 0, radius=31, floor=50, computed=True),
            HashKind("tmk_pdqf", 8 * vpdq_value.TMK_BYTES),
        )
    }
)


_LONGEST_NAME = 12  # of a kind, in characters


def kind_named(name: str) -> HashKind:
    """Return the kind of a name; HashError, which lists the names, if there is none."""
    if not isinstance(name, str):
        raise HashError(f"a kind's name must be text, such as 'pdq', not {type(name).__name__}")
    try:
        return KINDS[name]
    except KeyError:
        # A long name may be a value in the wrong place, and must not be printed.
        shown = f" {name!r}" if len(name) <= _LONGEST_NAME else ""
        raise HashError(f"unknown kind{shown}; one of: {', '.join(KINDS)}") from None


def checked_kinds(kinds: Any) -> tuple[HashKind, ...]:
    """Return kinds as the objects of KINDS; HashError for anything else, such as names."""
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise HashError(f"kinds must be a list: [KINDS['pdq']], not {type(kinds).__name__}")
    wanted = tuple(kinds)
    for kind in wanted:
        if not isinstance(kind, HashKind):
            raise HashError(f"a kind is needed, KINDS['pdq'] say, not {type(kind).__name__}")
        if kind != KINDS.get(kind.name):  # its name may be a value, and must not be printed
            raise HashError("a kind must be one of KINDS, unchanged")
    return tuple(KINDS[kind.name] for kind in wanted)


@dataclass(frozen=True)
class Hash:
    """A hash; hashes are equal if kind and bytes are, whatever their quality.

    `quality` (0–100) is PDQ's own or the detail score of a classic hash, None if it was not
    recorded; `pixels` is the version of the pixel pipeline that made it, None for a digest or a
    hash made elsewhere. `str(hash)` shows kind and size but never the value, so that no listed hash
    slips into a log; `hash.text` is the value.
    """

    kind: HashKind
    value: bytes = field(repr=False)
    quality: int | None = field(default=None, compare=False)
    pixels: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, HashKind) or not isinstance(self.value, bytes):
            types = f"{type(self.kind).__name__} and {type(self.value).__name__}"
            raise HashError(
                f"Hash() needs a HashKind and bytes, got {types}; Hash.parse() takes a kind's name"
                " and the text of a value"
            )
        if KINDS.get(self.kind.name) is not self.kind:
            (kind,) = checked_kinds([self.kind])
            object.__setattr__(self, "kind", kind)
        if self.kind.bits == 0:
            vpdq_value.check_vpdq(self.value)
        elif len(self.value) != self.kind.size:
            raise HashError(
                f"a {self.kind.name} value has {self.kind.size} bytes, not {len(self.value)}"
            )
        for name in ("quality", "pixels"):
            number = getattr(self, name)
            if number is not None and type(number) is not int:
                try:
                    object.__setattr__(self, name, integer(number))
                except TypeError:
                    raise HashError(
                        f"{name} must be an integer or None, not {type(number).__name__}"
                    ) from None
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise HashError(f"quality must be 0 to 100, not {self.quality}")

    def __reduce__(self) -> tuple[type[Hash], tuple[HashKind, bytes, int | None, int | None]]:
        # Values without names: workers send nine hashes and more for each picture.
        return Hash, (self.kind, self.value, self.quality, self.pixels)

    def __str__(self) -> str:
        return f"{self.kind.name} hash of {8 * len(self.value)} bits"

    @property
    def text(self) -> str:
        """Return the value as lower-case hex; PhotoDNA and TMK as base64; vPDQ as a JSON array of
        `hex,quality,time`, one text per frame.
        """
        if self.kind.name == "vpdq":
            return vpdq_value.vpdq_text(self.value)
        if self.kind.name in ("photodna", "tmk_pdqf"):
            return base64.b64encode(self.value).decode("ascii")
        return self.value.hex()

    @property
    def codes(self) -> bytes:
        """Return the codes for an index: the value, or the PDQs of a vPDQ's usable frames."""
        if self.kind.video:
            return Frames.of_value(self.value).usable().codes.tobytes()
        return self.value

    @classmethod
    def of_checked(cls, kind: HashKind, value: bytes, quality: int | None = None) -> Hash:
        """Return `Hash(kind, value, quality)` in half the time; arguments are not checked."""
        made = object.__new__(cls)
        made.__dict__.update(kind=kind, value=value, quality=quality, pixels=None)
        return made

    @classmethod
    def parse(cls, kind: str, text: str, *, quality: int | None = None) -> Hash:
        """Return the hash of a kind's name and the text of a value.

        Reads hex in either case; base64 too for PDQ, SHA-256 and PhotoDNA; base32 for SHA-1; 144
        decimals with commas for PhotoDNA; for vPDQ and TMK see `screener.hashing.vpdq_value`.
        Raises HashError, which never quotes the text.
        """
        of_kind = kind_named(kind)
        if not isinstance(text, str):
            raise HashError(f"the text of a value must be a str, not {type(text).__name__}")
        value = _decode(of_kind, text.strip())
        is_quality = quality is None or (type(quality) is int and 0 <= quality <= 100)
        if len(value) == of_kind.size > 0 and is_quality:
            return cls.of_checked(of_kind, value, quality)
        return cls(of_kind, value, quality=quality)

    def distance(self, other: Hash) -> int:
        """Return the Hamming distance in bits to a hash of the same perceptual kind."""
        if not isinstance(other, Hash):
            raise HashError(f"distance() needs a Hash, got {type(other).__name__}")
        if self.kind != other.kind or not self.kind.perceptual:
            raise HashError(f"no distance between {self.kind.name} and {other.kind.name}")
        return (int.from_bytes(self.value) ^ int.from_bytes(other.value)).bit_count()


def _decode(kind: HashKind, text: str) -> bytes:
    """Return the bytes of a value's text; its length picks the encoding, never the kind."""
    if kind.name == "vpdq":
        return vpdq_value.read_vpdq(text)
    if kind.name == "tmk_pdqf":
        return vpdq_value.read_tmk(text)
    try:
        if kind.name == "photodna" and "," in text:
            return bytes(_decimal(number.strip()) for number in text.split(","))
        if len(text) == kind.size * 2:
            return bytes.fromhex(text)
        if kind.name == "sha1" and len(text) == 32 and text.isascii():  # `ı`, say, is no `i`
            return base64.b32decode(text.upper())
        if kind.name in ("pdq", "sha256", "photodna") and len(text) == (kind.size + 2) // 3 * 4:
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise HashError(f"not a {kind.name} value: bad characters") from None
    raise HashError(f"not a {kind.name} value: {len(text)} characters")


def _decimal(text: str) -> int:
    # int() would also read signs, underscores and the digits of other scripts.
    if not (text.isascii() and text.isdigit()):
        raise ValueError
    return int(text)
