"""A Bloom filter of digests, for sites that must not have the list itself.

The file has a line of JSON fields, then the filter as `pybloom_live` writes it: a header of five
numbers, and the bits. It contains no code. The line has a checksum of everything, because a lost
bit would turn a positive answer into a negative one.

It has exact digests only: a re-saved image has another digest, and needs a perceptual kind. A
negative answer of `may_contain` is certain. A positive one is wrong at the filter's error rate, so
it must be checked in the list.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

from screener.errors import HashError, ListError
from screener.hashing.hash import Hash, HashKind, kind_named
from screener.system.installation import describe_extra, format_install

if TYPE_CHECKING:
    from screener.lists.exporting.writers.entry import Entry, Tally

NAME = "bloom"
SCHEMA = "screener-bloom/1"
_MAX_LINE_BYTES = 1024
# The header of pybloom_live: error rate, slices, bits per slice, capacity, count.
_HEADER = struct.Struct("<dQQQQ")
_MAX_SLICES = 64
# The bits that the text "screener" sets in pybloom_live 4; earlier versions hash with MD5.
_PROBE_BITS = [22, 101, 159, 253]
# Exceptions that a damaged or foreign file can raise.
_READ_ERRORS = (ValueError, KeyError, TypeError, struct.error, EOFError, RecursionError)


class EdgeFilter:
    """A set of digests of one kind, with false positives and no false negatives.

    `kind`: the kind of digest.
    `generation`: the generation of the list that it was made from.
    """

    def __init__(self, bloom: Any, kind: HashKind, generation: int) -> None:
        self._bloom = bloom
        self.kind = kind
        self.generation = generation

    @property
    def count(self) -> int:
        """The number of digests in the filter."""
        return int(self._bloom.count)

    def __repr__(self) -> str:
        """Return count, kind and generation, never a digest."""
        return f"<EdgeFilter of {self.count} {self.kind.name}, generation {self.generation}>"

    @property
    def error_rate(self) -> float:
        """The share of other digests for which `may_contain` is true."""
        return float(self._bloom.error_rate)

    def may_contain(self, digest: bytes | str | Hash) -> bool:
        """Return whether the list may contain a digest: False is certain, True is not.

        Accepts bytes, hex in either case, or a Hash. Raises HashError for another size or kind.
        """
        if isinstance(digest, Hash):
            if digest.kind != self.kind:
                raise HashError(f"a filter of {self.kind.name} cannot look up {digest.kind.name}")
            digest = digest.value
        # Other buffers, such as masked arrays, may have other bytes than they show.
        if not isinstance(digest, str | bytes | bytearray | memoryview):
            raise HashError(
                f"a {self.kind.name} digest is bytes, hex or a Hash, not {type(digest).__name__}"
            )
        try:
            value = bytes.fromhex(digest) if isinstance(digest, str) else bytes(digest)
        except ValueError:
            raise HashError(f"not a {self.kind.name} digest: bad characters") from None
        if len(value) != self.kind.size:
            raise HashError(f"a {self.kind.name} digest has {self.kind.size} bytes")
        return value.hex() in self._bloom

    @classmethod
    def open(cls, path: str | PathLike[str]) -> EdgeFilter:
        """Read a filter that `screener export --format bloom` wrote.

        Raises ListError if the file cannot be read, is not a filter, or is damaged.
        """
        bloom = _import_bloom_class()
        name = os.fspath(path)  # refuses a number, which would be a file descriptor
        try:
            with open(name, "rb") as stream:
                fields = _parse_fields(stream.readline(_MAX_LINE_BYTES))
                size = os.fstat(stream.fileno()).st_size - stream.tell()
                start = stream.tell()
                _check_header(stream.read(_HEADER.size), size)
                stream.seek(start)
                stated = fields.pop("sha256")
                actual = hashlib.file_digest(stream, partial(_hash_fields, fields))
                if stated != actual.hexdigest():
                    raise ValueError
                stream.seek(start)
                loaded = bloom.fromfile(stream)
        except OSError as error:
            raise ListError(f"cannot read {path}: {error.strerror}") from error
        except _READ_ERRORS as error:
            raise ListError(f"{path} is not a filter, or is damaged") from error
        return cls(loaded, kind_named(fields["kind"]), fields["generation"])


def _parse_fields(line: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(line)
    if fields["schema"] != SCHEMA or not kind_named(fields["kind"]).digest:
        raise ValueError
    if not isinstance(fields["generation"], int):
        raise ValueError
    return fields


def _hash_fields(fields: Mapping[str, Any]) -> Any:
    """Return a hash object that has hashed the fields, for the bytes of the filter."""
    return hashlib.sha256(json.dumps(fields).encode() + b"\n")


def _check_header(header: bytes, size: int) -> None:
    """Raise ValueError unless the header is valid for a filter of `size` bytes."""
    rate, slices, bits, capacity, count = _HEADER.unpack(header)
    if not (0 < rate < 1 and 0 < slices <= _MAX_SLICES and bits and count <= capacity):
        raise ValueError
    if size != _HEADER.size + (slices * bits + 7) // 8:
        raise ValueError


def make_writer(
    name: str, error_rate: float, generation: int
) -> Callable[[BinaryIO, Iterable[Entry], Tally], None]:
    """Return a function that writes a filter of the digests of confirmed and disputed entries.

    Raises ListError if the kind is not a digest, or the error rate is out of range.
    """
    kind = kind_named(name)
    if not kind.digest:
        raise ListError(
            f"a filter finds equal values only, and {kind.name} values are not compared by"
            " equality; choose md5, sha1 or sha256"
        )
    if not (isinstance(error_rate, int | float) and 1e-9 <= error_rate <= 0.5):
        raise ListError("the error rate must be from 0.000000001 to 0.5")
    return partial(_write, kind=kind, error_rate=error_rate, generation=generation)


def _write(
    out: BinaryIO,
    entries: Iterable[Entry],
    tally: Tally,
    *,
    kind: HashKind,
    error_rate: float,
    generation: int,
) -> None:
    tally.lost |= {"everything but whether a digest may be listed"}
    bloom_filter = _import_bloom_class()(
        max(1, sum(len(_get_digests(entry, kind)) for entry in entries)), error_rate
    )
    for entry in entries:
        digests = _get_digests(entry, kind)
        if not entry.matching:
            tally.left_out[f"{entry.state} records"] += 1
        elif not digests:
            tally.left_out[f"records without {kind.name}"] += 1
        else:
            for value in digests:
                bloom_filter.add(value.hex())
            tally.wrote(entry, [Hash(kind, value) for value in digests])
    bits = io.BytesIO()
    bloom_filter.tofile(bits)
    fields = {"schema": SCHEMA, "kind": kind.name, "generation": generation}
    checksum = _hash_fields(fields)
    checksum.update(bits.getbuffer())
    out.write(json.dumps(fields | {"sha256": checksum.hexdigest()}).encode() + b"\n")
    out.write(bits.getbuffer())


def _get_digests(entry: Entry, kind: HashKind) -> set[bytes]:
    if not entry.matching:
        return set()
    return {
        listed.hash.value
        for listed in entry.hashes
        if listed.hash.kind == kind and listed.why_not is None
    }


def _import_bloom_class() -> Any:
    try:
        from pybloom_live import BloomFilter  # type: ignore[import-untyped]
    except ImportError:
        raise ListError(f"filters need {describe_extra('edge')}") from None
    probe = BloomFilter(64, 0.1)
    probe.add("screener")
    if [offset for offset, bit in enumerate(probe.bitarray) if bit] != _PROBE_BITS:
        raise ListError(
            "filters need another version of pybloom_live, since this one hashes differently and"
            f" would miss listed digests: {format_install('edge')}"
        )
    return BloomFilter
