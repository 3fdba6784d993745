"""The edge filter: no false negatives, its error rate, and refusals."""

import hashlib
import pickle

import pytest
from list_values import value

from screener.errors import HashError, ListError
from screener.hashing.hash import Hash
from screener.lists.exporting.bloom_filter import EdgeFilter
from screener.lists.states import State
from screener.lists.terms import Terms


def test_the_edge_filter_never_misses_and_errs_at_its_rate(known, put, tmp_path):
    """Every digest of the list is found; of others about one in a hundred, as requested."""
    rows = "".join(f"e{n},{value(n, 32)}\n" for n in range(5000))
    put(f"id,sha256\n{rows}", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="sha256", error_rate=0.01)

    held = EdgeFilter.open(path)

    assert all(held.may_contain(value(n, 32)) for n in range(5000))
    assert held.may_contain(bytes.fromhex(value(1, 32)))
    wrong = sum(held.may_contain(value(-n, 32)) for n in range(1, 20001))
    assert 100 < wrong < 300
    assert (held.kind.name, held.generation, held.error_rate) == ("sha256", 1, 0.01)
    # Those that the filter itself took for present at once are not counted by it.
    assert 4900 < held.count <= 5000
    assert repr(held) == f"<EdgeFilter of {held.count} sha256, generation 1>"


def test_the_edge_filter_holds_only_what_makes_a_match(known, put, tmp_path):
    """Withdrawn, seed and known good digests and other kinds are left out."""
    put(
        "id,md5,status\n" + "".join(f"{s},{value(s)},{s}\n" for s in State) + f"b,{value(9)},\n",
        terms=Terms("CLEAR", True),
    )
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5", error_rate=1e-6)
    held = EdgeFilter.open(path)

    found = {s.value for s in State if held.may_contain(value(s))}

    assert found == {"confirmed", "disputed"}
    assert held.may_contain(Hash.parse("md5", value("confirmed")))
    for wrong in (value(1, 32), "zz", b"12", 16, None, Hash.parse("sha1", value(1, 20))):
        with pytest.raises(HashError):
            held.may_contain(wrong)


def test_pybloom_live_itself_reads_what_follows_the_first_line(known, put, tmp_path):
    """The rest of the file is pybloom_live's own format, and no pickle."""
    from pybloom_live import BloomFilter

    put(f"id,md5\na,{value(1)}\n", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5")

    with path.open("rb") as stream:
        stream.readline()
        bloom = BloomFilter.fromfile(stream)

    assert value(1) in bloom


def test_a_filter_with_one_bit_changed_is_refused(known, put, tmp_path):
    """A lost bit would turn a listed digest into a certain no."""
    put(f"id,md5\na,{value(1)}\n", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5")
    whole = path.read_bytes()
    assert EdgeFilter.open(path).may_contain(value(1))

    for place in range(0, 8 * len(whole), 5):
        broken = bytearray(whole)
        broken[place // 8] ^= 1 << place % 8
        path.write_bytes(broken)
        with pytest.raises(ListError, match="not a filter, or is damaged"):
            EdgeFilter.open(path)


def test_a_damaged_filter_is_refused_before_it_costs_anything(known, put, tmp_path):
    """Cut short, too long, absurd numbers, another file, a pickle: ListError without a hash."""
    import struct

    put(f"id,md5\na,{value(1)}\n", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5")
    whole = path.read_bytes()
    line, rest = whole.split(b"\n", 1)
    huge = struct.pack("<dQQQQ", 0.001, 2**60, 2**60, 1, 1)

    for broken in (
        b"", b"{}\n", whole[:-1], whole + b"x", line + b"\n" + huge + rest[40:],
        line.replace(b"md5", b"pdq") + b"\n" + rest, pickle.dumps(1), line,
        line.replace(b"md5", b"xxx") + b"\n" + rest, b"[]\n" + rest, b"[" * 100_000,
    ):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(ListError, match="not a filter"):
            EdgeFilter.open(path)


def test_a_library_that_hashes_otherwise_is_refused(known, put, tmp_path, monkeypatch):
    """Versions before 4 hash otherwise at such an error rate, and would miss listed digests."""
    from pybloom_live import pybloom

    put(f"id,md5\na,{value(1)}\n", terms=Terms("CLEAR", True))
    path = tmp_path / "edge.bloom"
    known.refresh().export(path, format="bloom", kind="md5", error_rate=0.01)
    monkeypatch.setattr(pybloom.xxhash, "xxh128", hashlib.md5)

    with pytest.raises(ListError, match=r"another version .* pip install 'media-screener\[edge\]'"):
        EdgeFilter.open(path)
    with pytest.raises(ListError, match="another version"):
        known.export(tmp_path / "other.bloom", format="bloom", kind="md5")


def test_an_error_rate_is_a_share(known, put, tmp_path):
    """An invalid rate is refused, and nothing is written."""
    put(f"id,md5\na,{value(1)}\n", terms=Terms("CLEAR", True))
    for rate in (0, 0.6, float("nan"), "0.01", True):
        with pytest.raises(ListError, match="the error rate must be from"):
            known.refresh().export(tmp_path / "x", format="bloom", kind="md5", error_rate=rate)
    assert not (tmp_path / "x").exists()


def test_a_filter_that_cannot_be_read_is_not_called_damaged(tmp_path):
    """The error says that it is missing, or a folder."""
    with pytest.raises(ListError, match=r"cannot read .*absent\.bloom: No such file"):
        EdgeFilter.open(tmp_path / "absent.bloom")
    with pytest.raises(ListError, match="Is a directory"):
        EdgeFilter.open(tmp_path)
