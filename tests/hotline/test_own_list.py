"""The hotline's own list: what is listed of reports and confirmed items, and what matches."""

from dataclasses import replace

from hotline_case import (
    illegal,
    listed,
    make_list,
    report_of,
    take,
    verdict,
)

from screener import Screener
from screener.hashing.hash import KINDS, Hash
from screener.hashing.vpdq_value import VideoFrame, pack_vpdq, vpdq_frames
from screener.hotline.model.report import Item
from screener.lists.store import repeated_values
from screener.screening.input.located_hash import LocatedHash


def test_a_picture_reported_very_often_still_matches(desk, items, monkeypatch):
    """In a list from elsewhere such a repeated hash would not be searched."""
    monkeypatch.setattr(repeated_values, "MIN_FILES", 3)

    def uploaded_anew(number):
        digests = {"md5": 16, "sha1": 20, "sha256": 32}
        hashes = tuple(
            one._replace(hash=Hash(one.hash.kind, bytes([number]) * digests[one.hash.kind.name]))
            if one.hash.kind.name in digests
            else one
            for one in items["picture"].hashes
        )
        return replace(items["picture"], hashes=hashes)

    became = [take(desk, report_of(uploaded_anew(number)))[0].status for number in range(5)]

    assert became == ["new", *["joined"] * 4]


def test_reported_hashes_never_match(desk, pictures, items):
    """However often; they are seeds, shown beside the verdict."""
    took = take(desk, *(report_of(items["picture"]) for _ in range(5)))

    result = Screener(desk.own_list).screen(pictures["picture"])
    assert str(result.verdict) != "match"
    assert {one.state for one in result.other_hits} == {"seed"}
    assert set(listed(desk).values()) == {"seed"}
    assert {source for source, _ in listed(desk)} == {"reports"}
    assert not desk.own_list.matchable
    assert len({one.case for one in took}) == 1


def test_reported_hashes_do_not_match_even_if_the_case_is_illegal(
    desk, pictures, items, monkeypatch
):
    """An innocent picture reported with an illegal page is not listed."""
    (taken,) = take(desk, report_of(items["other"], addresses=("https://example.org/1",)))

    illegal(desk, taken.case, monkeypatch, items["picture"])

    assert verdict(desk, pictures["picture"]) == "match"
    assert verdict(desk, pictures["other"]) != "match"
    without = illegal(desk, take(desk, report_of(addresses=("a",)))[0].case, monkeypatch)
    assert without.outcome == "illegal"
    assert without.entries == ()


def test_no_flood_of_reports_ends_a_match(desk, items, monkeypatch, tmp_path):
    """Repeated values of reports belong to another source than confirmed items."""
    (taken,) = take(desk, report_of(items["picture"]))
    illegal(desk, taken.case, monkeypatch, items["picture"])
    (pdq,) = (one for one in items["picture"].upright_hashes if one.kind.name == "pdq")
    rows = [f"r{n},{pdq.text},{n:032x},seed" for n in range(1, 150)]
    make_list(tmp_path / "flood.list", rows, "reports")

    desk.own_list.import_file(tmp_path / "flood.csv", source="reports")

    assert {one.reason for one in desk.own_list.quarantined()[1]} == {"placeholder"}
    found = Screener(desk.own_list).match([pdq])
    assert [(one.entry, one.state) for one in found.matches] == [
        (f"{taken.case}/item", "confirmed")
    ]


def test_a_long_video_is_listed_by_every_nth_frame(desk, monkeypatch):
    """Without frames, only the very file would match."""
    frames = [VideoFrame(-1, float(n), 90, bytes(32)) for n in range(9_000)]
    hashes = (Hash(KINDS["vpdq"], pack_vpdq(frames)), Hash.parse("md5", "ab" * 16))
    item = Item("video/mp4", True, tuple(map(LocatedHash, hashes)))
    (taken,) = take(desk, report_of(item))

    illegal(desk, taken.case, monkeypatch, item)

    for entry in (f"{taken.case}/report-1", f"{taken.case}/item"):
        (shown,) = desk.own_list.show(entry, values=True)
        (text,) = (one.value for one in shown.hashes if one.kind == "vpdq")
        times = [one.time for one in vpdq_frames(Hash.parse("vpdq", text).value)]
        assert times == list(range(0, 9_000, 2))


def test_a_video_with_huge_times_is_listed_by_the_frames_that_fit(desk):
    """Every second time has hundreds of digits."""
    frames = [VideoFrame(-1, 0.0 if n % 2 else 1e308, 90, bytes(32)) for n in range(7_000)]
    item = Item("video/mp4", True, (LocatedHash(Hash(KINDS["vpdq"], pack_vpdq(frames))),))
    (taken,) = take(desk, report_of(item))

    assert desk.backlog.records == []
    (shown,) = desk.own_list.show(f"{taken.case}/report-1", values=True)
    assert [one.kind for one in shown.hashes] == ["vpdq"]
