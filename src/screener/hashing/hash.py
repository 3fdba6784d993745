"""Hash and HashKind: what a hash is, how its text is read and written."""

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

    `radius` and `floor` are the defaults of a policy: the largest distance in bits that is a
    match, and the least quality (0–100) at which a hash is compared; both are 0 for kinds
    that are only ever equal. `perceptual` kinds are compared by Hamming distance; `computed`
    kinds are those that this library makes from an input itself. A vPDQ is the hashes of a video's
    frames, and compared frame by frame; its radius and floor are those of a frame. All other kinds
    are carried and never compared. `bits` is 0 where values vary in length.

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
        # There is one of each, and a process is told its name.
        return kind_named, (self.name,)

    @property
    def size(self) -> int:
        """Bytes of a value; 0 where values vary in length."""
        return self.bits // 8

    @property
    def code_size(self) -> int:
        """Bytes of what an index holds: of a value, or of one frame of a video."""
        return vpdq_value.PDQ_BYTES if self.video else self.size

    @property
    def video(self) -> bool:
        """Whether a value is the hashes of a video's frames, which an index holds one by one."""
        return self.name == "vpdq"

    @property
    def searched(self) -> bool:
        """Whether lists have an index of it: digests, perceptual kinds, and videos by frame."""
        return self.digest or self.perceptual or self.video

    @property
    def digest(self) -> bool:
        """Whether it is a cryptographic digest of a file's bytes."""
        return self.name in ("md5", "sha1", "sha256")


def _perceptual(name: str, bits: int, radius: int, *, weak: bool = False) -> HashKind:
    return HashKind(name, bits, radius=radius, floor=50, perceptual=True, computed=True, weak=weak)


# PDQ's radius and floor are its authors' recommendation. The other radii are chosen by the false
# matches that pairs of unrelated photos give, eight ways round: docs/radius.md, which also says why
# four kinds are weak: at any radius, 0 included, they have false hits in a list of a million.
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
    """The kind of that name; HashError lists the names there are."""
    if not isinstance(name, str):
        raise HashError(f"a kind is named by a text, such as 'pdq', not by {type(name).__name__}")
    try:
        return KINDS[name]
    except KeyError:
        # A long one may be a value in the place of a kind, and is not repeated.
        said = f"unknown kind {name!r}" if len(name) <= _LONGEST_NAME else "a kind has a short name"
        raise HashError(f"{said}; one of: {', '.join(KINDS)}") from None


def checked_kinds(kinds: Any) -> tuple[HashKind, ...]:
    """Several kinds, each the very one that KINDS has; HashError where they are anything else, such
    as names, or one kind alone.
    """
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise HashError(f"kinds are several: [KINDS['pdq']], and not one {type(kinds).__name__}")
    wanted = tuple(kinds)
    for kind in wanted:
        # What is in the place of a kind may be a value, and is not repeated.
        if not isinstance(kind, HashKind):
            raise HashError(f"a kind is a HashKind, KINDS['pdq'] say, not {type(kind).__name__}")
        if kind != KINDS.get(kind.name):
            raise HashError("a kind is one of KINDS, as it stands there")
    return tuple(KINDS[kind.name] for kind in wanted)


@dataclass(frozen=True)
class Hash:
    """A hash: equal when kind and bytes are equal, whatever its quality.

    `quality` (0–100) is PDQ's own, or the detail score of a classic hash, None where it was
    not recorded; `pixels` is the version of the pixel pipeline that made it, None for a digest
    or a hash made elsewhere. `str(hash)` is the kind and how many bits, never the value: a
    listed hash must not slip into a log. `hash.text` is the value.
    """

    kind: HashKind
    value: bytes = field(repr=False)
    quality: int | None = field(default=None, compare=False)
    pixels: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, HashKind) or not isinstance(self.value, bytes):
            found = f"{type(self.kind).__name__} and {type(self.value).__name__}"
            raise HashError(
                f"a hash is of a HashKind and bytes, not {found}; Hash.parse takes a kind's name"
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
                object.__setattr__(self, name, _whole(name, number))
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise HashError(f"quality is 0 to 100, not {self.quality}")

    def __reduce__(self) -> tuple[type[Hash], tuple[HashKind, bytes, int | None, int | None]]:
        # Four values, without their names: a scan is sent nine hashes and more of each picture.
        return Hash, (self.kind, self.value, self.quality, self.pixels)

    def __str__(self) -> str:
        return f"{self.kind.name} hash of {8 * len(self.value)} bits"

    @property
    def text(self) -> str:
        """The value in its usual text form: lower-case hex; base64 for PhotoDNA and TMK; for
        vPDQ a JSON array of `hex,quality,time`, one text a frame.
        """
        if self.kind.name == "vpdq":
            return vpdq_value.vpdq_text(self.value)
        if self.kind.name in ("photodna", "tmk_pdqf"):
            return base64.b64encode(self.value).decode("ascii")
        return self.value.hex()

    @property
    def codes(self) -> bytes:
        """What an index holds of it: the value; of a vPDQ the PDQs of its usable frames, joined."""
        if self.kind.video:
            return Frames.of_value(self.value).usable().codes.tobytes()
        return self.value

    @classmethod
    def of_checked(cls, kind: HashKind, value: bytes, quality: int | None = None) -> Hash:
        """The same as `Hash(kind, value, quality)`, in half the time, where the caller has
        checked that the value has the kind's size and the quality is one.
        """
        made = object.__new__(cls)
        made.__dict__.update(kind=kind, value=value, quality=quality, pixels=None)
        return made

    @classmethod
    def parse(cls, kind: str, text: str, *, quality: int | None = None) -> Hash:
        """Read the text form of a value of the kind named.

        Hex in either case; base64 too for PDQ, SHA-256 and PhotoDNA; base32 for SHA-1; 144
        decimals with commas for PhotoDNA; for vPDQ and TMK see `screener.hashing.vpdq_value`.
        Raises HashError, which never repeats the text.
        """
        found = kind_named(kind)
        if not isinstance(text, str):
            raise HashError(f"the text of a value is text, not {type(text).__name__}")
        return cls(found, _decode(found, text.strip()), quality=quality)

    def distance(self, other: Hash) -> int:
        """Hamming distance in bits to a hash of the same perceptual kind."""
        if not isinstance(other, Hash):
            raise HashError(f"a distance is to a Hash, not to {type(other).__name__}")
        if self.kind != other.kind or not self.kind.perceptual:
            raise HashError(f"no distance between {self.kind.name} and {other.kind.name}")
        return (int.from_bytes(self.value) ^ int.from_bytes(other.value)).bit_count()


def _whole(name: str, number: object) -> int:
    """A whole number of whatever type as Python's own, which is what lines are written of."""
    try:
        return integer(number)
    except TypeError:
        found = type(number).__name__
        raise HashError(f"{name} is a whole number or None, not {found}") from None


def _decode(kind: HashKind, text: str) -> bytes:
    """The bytes of a value's text; the length alone picks the encoding, never the kind."""
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
    """A plain decimal number; `int` alone would also take signs, underscores and other scripts."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError
    return int(text)
