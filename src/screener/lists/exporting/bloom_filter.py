"""EdgeFilter: a Bloom filter of digests, for places that must not have the list itself.

The file is one line of JSON facts, then the filter as `pybloom_live` writes it: a header of five
numbers and the bits. It contains no code. The line has a checksum of everything, because a lost bit
would turn a yes into a no.

It covers exact digests only: a re-saved image has another digest, and only the list's perceptual
kinds find it. A no of `may_contain` is certain. A yes is wrong at the filter's error rate, so it is
only a reason to look in the list.
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
_LONGEST_LINE = 1024
# the header of pybloom_live: error rate, slices, bits of a slice, capacity, count
_HEADER = struct.Struct("<dQQQQ")
_MOST_SLICES = 64
# The bits that a text sets in pybloom_live 4; earlier versions hash with MD5.
_BITS_OF_PROBE = [22, 101, 159, 253]
# Exceptions that a damaged or foreign file can raise.
_READ_ERRORS = (ValueError, KeyError, TypeError, struct.error, EOFError, RecursionError)


class EdgeFilter:
    """A set of digests of one kind, with false positives and no false negatives.

    `kind` is the digest kind, `count` the number of digests, `error_rate` the share of other
    digests that count as members, `generation` that of the list it was made from.
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
        """Return counts, kind and generation, never a digest."""
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
        # Other buffers, such as a masked array, may have other bytes than they show.
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
        """Read a filter that `screener export --format bloom` wrote."""
        bloom = _bloom_class()
        name = os.fspath(path)  # refuses a number, which would be a file descriptor
        try:
            with open(name, "rb") as stream:
                facts = _checked_facts(stream.readline(_LONGEST_LINE))
                size = os.fstat(stream.fileno()).st_size - stream.tell()
                start = stream.tell()
                _check_header(stream.read(_HEADER.size), size)
                stream.seek(start)
                stated = facts.pop("sha256")
                actual = hashlib.file_digest(stream, partial(_hash_of_facts, facts))
                if stated != actual.hexdigest():
                    raise ValueError
                stream.seek(start)
                found = bloom.fromfile(stream)
        except OSError as error:
            raise ListError(f"cannot read {path}: {error.strerror}") from error
        except _READ_ERRORS as error:
            raise ListError(f"{path} is not a filter, or is damaged") from error
        return cls(found, kind_named(facts["kind"]), facts["generation"])


def _checked_facts(line: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(line)
    if facts["schema"] != SCHEMA or not kind_named(facts["kind"]).digest:
        raise ValueError
    if not isinstance(facts["generation"], int):
        raise ValueError
    return facts


def _hash_of_facts(facts: Mapping[str, Any]) -> Any:
    """Return the hash state after the facts; the filter's bytes follow."""
    return hashlib.sha256(json.dumps(facts).encode() + b"\n")


def _check_header(header: bytes, size: int) -> None:
    """Raise ValueError unless the header is valid for a filter of `size` bytes."""
    rate, slices, bits, capacity, count = _HEADER.unpack(header)
    if not (0 < rate < 1 and 0 < slices <= _MOST_SLICES and bits and count <= capacity):
        raise ValueError
    if size != _HEADER.size + (slices * bits + 7) // 8:
        raise ValueError


def make_writer(
    name: str, error_rate: float, generation: int
) -> Callable[[BinaryIO, Iterable[Entry], Tally], None]:
    """Return a function that writes a filter of the digests of confirmed and disputed entries."""
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
    bloom_filter = _bloom_class()(max(1, sum(len(_digests(e, kind)) for e in entries)), error_rate)
    for entry in entries:
        digests = _digests(entry, kind)
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
    facts = {"schema": SCHEMA, "kind": kind.name, "generation": generation}
    checksum = _hash_of_facts(facts)
    checksum.update(bits.getbuffer())
    out.write(json.dumps(facts | {"sha256": checksum.hexdigest()}).encode() + b"\n")
    out.write(bits.getbuffer())


def _digests(entry: Entry, kind: HashKind) -> set[bytes]:
    if not entry.matching:
        return set()
    hashes = (one for one in entry.hashes if one.hash.kind == kind and one.why_not is None)
    return {one.hash.value for one in hashes}


def _bloom_class() -> Any:
    try:
        from pybloom_live import BloomFilter  # type: ignore[import-untyped]
    except ImportError:
        raise ListError(f"filters need {describe_extra('edge')}") from None
    probe = BloomFilter(64, 0.1)
    probe.add("screener")
    if [at for at, bit in enumerate(probe.bitarray) if bit] != _BITS_OF_PROBE:
        raise ListError(
            "filters need another version of pybloom_live, since this one hashes otherwise and"
            f" would miss listed digests: {format_install('edge')}"
        )
    return BloomFilter
