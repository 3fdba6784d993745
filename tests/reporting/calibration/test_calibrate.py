"""Calibration: counts by radius of ordinary pictures against a list, with honest bounds."""

import hashlib
import json
import os
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_process import screener
from drawn_videos import clip
from notice_case import HOTLINE, ITEM_HASHES, RECEIVED, WRITTEN, case, partner

from screener import Policy, Screener, output
from screener.errors import ListError, MediaError, OutputError, PolicyError, ScreenerError
from screener.hashing.hash import KINDS
from screener.hotline.language.translator import get_translator
from screener.hotline.notices import notice_files
from screener.hotline.notices.notice import make_notice
from screener.hotline.pages import status_page
from screener.media.name import Name
from screener.reporting.calibration.calibrate import Calibration, calibrate
from screener.reporting.calibration.calibration_page import (
    claim_page,
    format_per_million,
    format_percent,
    render_page,
)
from screener.reporting.calibration.copies import Copies
from screener.reporting.calibration.count import MILLION, Count
from screener.reporting.calibration.edits import EDITS
from screener.reporting.calibration.recall import EditDistances
from screener.reporting.pages import report_page
from screener.screening.input.hash_item import HashedInput, hash_item


def test_counts_are_told_with_no_more_digits_than_there_are():
    """Two digits that count, with bounds; nothing seen is an upper bound and no more. Bounds are
    rounded outwards: 9,936 in a million are not under 9,900.
    """
    assert format_per_million(Count.from_hits(0, 300)) == "0 seen; under 10,000"
    assert format_per_million(Count.from_hits(3, 300)) == "10,000 (2,000 to 29,000)"
    assert format_per_million(Count(0, 1, 0.0, 1.0)) == "0 seen; under 1,000,000"
    assert format_per_million(Count(3, 10, 0.1, 0.3)) == "300,000 (100,000 to 300,000)"
    assert format_per_million(Count(1, 2 * MILLION, 2.51e-7, 9.2e-7)) == "0.5 (0.2 to 1)"
    assert format_percent(Count.from_hits(3, 306)) == "1.0% (0.2% to 2.9%)"
    assert format_percent(Count.from_hits(0, 10**6)) == "0.0% (0.0% to 0.1%)"
    assert format_percent(Count(1, 2, 0.29, 0.57)) == "50.0% (29.0% to 57.0%)"
    assert format_percent(Count.from_hits(300, 300)) == "100.0% (99.0% to 100.0%)"


def upright(picture, kinds):
    """The texts of a picture's hashes."""
    hashed = hash_item(picture, policy=Policy(), kinds=[KINDS[kind] for kind in kinds])
    return {
        one.hash.kind.name: one.hash.text for one in hashed.hashes if one.orientation == "upright"
    }


def far(text, bits):
    """The hash at exactly that distance."""
    return (int(text, 16) ^ ((1 << bits) - 1)).to_bytes(len(text) // 2, "big").hex()


@pytest.fixture(scope="module")
def benign(scene, tmp_path_factory):
    """A folder of ordinary pictures, a blank one, and what is no picture."""
    folder = tmp_path_factory.mktemp("benign")
    for seed in range(20, 26):
        scene(seed).save(folder / f"holiday-{seed}.png")
    scene(20).resize((8, 8)).resize((64, 64)).convert("L").point(lambda _: 9).save(
        folder / "blank.png"
    )
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def known(make_list, scene):
    """A list with an entry at 12 bits from one of the pictures and one at 36 from another."""
    near, further = upright(scene(20), ["pdq", "phash"]), upright(scene(21), ["pdq", "phash"])
    return make_list(
        [
            {"id": "near", "pdq": far(near["pdq"], 12), "phash": far(near["phash"], 6)},
            {"id": "further", "pdq": far(further["pdq"], 36)},
            {"id": "seed", "pdq": upright(scene(22), ["pdq"])["pdq"], "status": "seed"},
        ]
    )


def test_pictures_are_counted_by_the_radius_at_which_they_match(known, benign):
    """Brute force by hand: one of seven at 12 bits, one more at 36, which is told where the radius
    of the policy is as large; what is a seed, or no picture, is no match; blank pictures are cases
    that cannot match.
    """
    told = calibrate(known, benign)
    assert (told.pictures, told.too_little_detail, told.left_out) == (7, 1, {"unsupported": 1})
    curves = {curve.kind: curve for curve in told.curves}
    hits = [count.hits for count in curves["pdq"].false_matches]
    assert hits == [0] * 12 + [1] * 20
    assert [count.hits for count in curves["phash"].false_matches] == [0] * 5
    wide = calibrate(known, benign, policy=Policy(radius={"pdq": 40, "phash": 8}))
    further = {curve.kind: [one.hits for one in curve.false_matches] for curve in wide.curves}
    assert further == {"pdq": hits + [1] * 4 + [2] * 5, "phash": [0] * 6 + [1] * 3}
    assert {count.cases for count in curves["pdq"].false_matches} == {7}
    assert curves["pdq"].radius == 31
    assert (told.together.hits, told.together.cases) == (1, 7)
    assert [os.path.basename(name) for name in told.matching] == ["holiday-20.png"]
    assert curves["pdq"].recall == ()


def test_a_picture_behind_a_link_to_a_folder_is_counted_once(known, benign, tmp_path):
    """As in a scan, links in a folder are not followed; nor are they by edits. Names may come from
    an iterator, which can be gone through once.
    """
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "pictures").symlink_to(benign)
    told = calibrate(known, iter([benign, folder]), edits=True)
    assert (told.pictures, told.left_out) == (7, {"unreadable": 1, "unsupported": 1})
    assert told.edited == 6


def test_edits_are_counted_by_picture(known, benign):
    """With edits the edited forms are counted, by edit the pictures, and mirroring and turning are
    found at distance 0 by a classic kind.
    """
    told = calibrate(known, benign, edits=True, jobs=2)
    curves = {curve.kind: curve for curve in told.curves}
    for curve in curves.values():
        assert {count.cases for count in curve.recall} == {6 * len(EDITS)}
        assert {count.cases for count in curve.by_edit.values()} == {6}
        own = curve.recall[curve.radius]
        assert own.hits == sum(count.hits for count in curve.by_edit.values())
        assert set(curve.by_edit) == set(EDITS)
        shares = [count.share for count in curve.recall]
        assert shares == sorted(shares)
    assert curves["phash"].by_edit["mirrored"].hits == 6
    assert curves["phash"].by_edit["a quarter turn"].hits == 6
    assert curves["pdq"].by_edit["JPEG of quality 75"].hits == 6


def test_a_picture_too_long_for_a_format_is_edited_all_the_same(make_list, scene, tmp_path):
    """WebP holds sides of 16,383 pixels: of a panorama its other edits count, and that one too."""
    scene(20).resize((17_000, 160)).save(tmp_path / "panorama.png")
    scene(21).save(tmp_path / "b.png")
    known = make_list([{"id": "far", "phash": "0123456789abcdef"}])
    told = calibrate(known, tmp_path, edits=True)
    assert (told.edited, told.not_edited) == (2, {})
    assert {count.cases for count in told.curves[0].by_edit.values()} == {2}


def test_a_picture_that_cannot_be_edited_is_counted(make_list, scene, tmp_path):
    """Where a worker fails at an edit, the page and the summary say of how many, and why."""
    scene(20).save(tmp_path / "a.png")
    known = make_list([{"id": "far", "phash": "0123456789abcdef"}])
    again = EditDistances([KINDS["phash"]])
    again.add(HashedInput(Name("a.png"), error=MediaError("crashed", "the decoder failed")))
    again.add({"phash": dict.fromkeys(EDITS, 2)})
    again.add({})
    assert (again.pictures, again.failures) == (1, {"crashed": 1})
    told = replace(calibrate(known, tmp_path), edited=1, not_edited={"crashed": 1})
    assert "Edited and compared with the original: 1 picture" in render_page(told)
    assert "failed for others that could be hashed: 1 crashed" in render_page(told)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
def test_a_picture_that_is_too_large_for_an_edit_is_counted(make_list, scene, tmp_path):
    """A worker has memory for it, and none for the form of twice its size: the others say nothing
    of it, so that nobody may take them for all.
    """
    (tmp_path / "album").mkdir()
    scene(20).resize((6000, 5000)).save(tmp_path / "album" / "large.jpg")
    scene(21).save(tmp_path / "album" / "small.png")
    known = make_list([{"id": "far", "phash": "0123456789abcdef"}])
    policy = Policy(memory=400 << 20)
    told = calibrate(known, tmp_path / "album", policy=policy, edits=True)
    assert (told.pictures, told.left_out) == (2, {})
    assert (told.edited, told.not_edited) == (1, {"too_large": 1})


@pytest.mark.parametrize(
    ("hits", "pictures", "low", "high"),
    [(13, 1, (0, 1), (1, 1)), (14, 1, (1, 1), (1, 1)), (0, 3, (0, 3), (0, 3)),
     (45, 5, (3, 5), (4, 5)), (70, 5, (5, 5), (5, 5))],
)  # fmt: skip
def test_recall_is_of_edits_with_the_bounds_of_pictures(hits, pictures, low, high):
    """Thirteen forms of fourteen are 92.9 %, not nothing; the bounds are those of whole pictures,
    rounded outwards, which hold the share.
    """
    count = Count.from_edits(hits, pictures, 14)

    assert (count.hits, count.cases, count.share) == (hits, 14 * pictures, hits / 14 / pictures)
    assert (count.low, count.high) == (Count.from_hits(*low).low, Count.from_hits(*high).high)
    assert count.low <= count.share <= count.high


def test_a_picture_that_the_list_names_is_no_false_match(make_list, benign, scene):
    """Where a file is listed by its digest, it is counted apart."""
    file = benign / "holiday-20.png"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    known = make_list([{"id": "one", "pdq": upright(scene(20), ["pdq"])["pdq"], "sha256": digest}])
    told = calibrate(known, [file, benign / "holiday-21.png"])
    assert (told.listed, told.pictures, told.together.hits) == (1, 1, 0)


def test_a_picture_that_is_known_good_may_be_a_false_match(make_list, benign, scene):
    """A list of known files that names it makes no match, and takes none away."""
    file = benign / "holiday-20.png"
    known = make_list(
        [
            {"id": "one", "pdq": upright(scene(20), ["pdq"])["pdq"], "status": "confirmed"},
            {
                "id": "good",
                "md5": hashlib.md5(file.read_bytes()).hexdigest(),
                "status": "known_good",
            },
        ]
    )
    told = calibrate(known, [file, benign / "holiday-21.png"])
    assert (told.listed, told.pictures, told.together.hits) == (0, 2, 1)


def test_a_kind_of_which_nothing_can_match_has_no_curve(make_list, benign, scene):
    """That none of its seeds was matched by says nothing of a radius, and a list of seeds alone is
    refused by a sentence that says why.
    """
    hashes = upright(scene(20), ["pdq", "phash"])
    seed = {"id": "seed", "phash": hashes["phash"], "status": "seed"}
    told = calibrate(make_list([{"id": "one", "pdq": hashes["pdq"]}, seed], name="both"), benign)
    assert [curve.kind for curve in told.curves] == ["pdq"]
    with pytest.raises(ListError, match="only seeds, known_good entries"):
        calibrate(make_list([seed], name="seeds"), benign)


def test_copies_count_once(known, scene, tmp_path):
    """Each narrows the bounds as a picture of its own would, and says nothing new: a file given
    twice, a link, a copy. A file of as many bytes is none, and is counted.
    """
    folder = tmp_path / "album"
    folder.mkdir()
    for seed in (20, 21):
        scene(seed).save(folder / f"{seed}.bmp")  # all of one size
    (folder / "copy.bmp").write_bytes((folder / "20.bmp").read_bytes())
    os.link(folder / "21.bmp", folder / "hard.bmp")
    (folder / "soft.bmp").symlink_to("20.bmp")
    told = calibrate(known, [folder, folder / "21.bmp"], edits=True)
    assert (told.pictures, told.copies, told.left_out, told.edited) == (2, 4, {}, 2)
    assert (told.together.hits, told.together.cases) == (1, 2)
    assert "4 copies of an earlier file" in render_page(told)


def test_what_is_gone_since_is_no_copy(tmp_path):
    """Two files of one size that can be compared no more are two; a FIFO is not waited for."""
    copies = Copies()
    os.mkfifo(tmp_path / "fifo")
    names = [os.fsencode(tmp_path / name) for name in ("one", "fifo", "two")]
    assert [copies.add(name, 7) for name in names] == [False] * 3
    assert not copies.names


def test_a_video_is_no_picture(make_list, scene, tmp_path):
    """Of its many frames one matches more readily: it is left out, and counted as such."""
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "clip.mp4").write_bytes(clip([scene(20)] * 3))
    scene(21).save(tmp_path / "album" / "picture.png")
    known = make_list([{"id": "one", "pdq": upright(scene(20), ["pdq"])["pdq"]}])
    told = calibrate(known, tmp_path / "album")
    assert (told.pictures, told.left_out, told.together.hits) == (1, {"video": 1}, 0)


def test_what_cannot_be_calibrated_is_refused(make_list, known, benign):
    """A list without a kind that is computed, a folder without pictures, a policy of digests."""
    with pytest.raises(ListError, match="no kind that can be computed"):
        calibrate(make_list([{"id": "a", "md5": "ab" * 16}], name="digests"), benign)
    with pytest.raises(ListError, match="no picture"):
        calibrate(known, benign / "notes.txt")
    with pytest.raises(PolicyError, match="with digests_only"):
        calibrate(known, benign, policy=Policy(digests_only=True))


def test_the_page_shows_no_picture_hash_or_name_and_asks_for_nothing(known, benign):
    """It stands by itself, has no script, is well formed, and tells only counts."""
    told = calibrate(known, benign, edits=True)
    text = render_page(told)
    ElementTree.fromstring(text.removeprefix("<!doctype html>"))
    assert not re.search(r"<script|<img|<link|https?:|url\(|@import|data:", text)
    assert re.search(r"default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none';", text)
    assert "holiday" not in text
    hostile = replace(told, matching=("a\u202egnp.png", "b\x1b.png", "<i>c"))
    shown = render_page(hostile, names=True)
    assert "<li>a\ufffdgnp.png</li><li>b\ufffd.png</li><li>&lt;i&gt;c</li>" in shown
    assert "holiday-20.png" in render_page(told, names=True)
    assert not re.search(r"[0-9a-f]{16}", text)
    assert text.count("<svg") == 6  # two of evidence
    assert f"in {MILLION:,}".replace("1,000,000", "a million") in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_with_the_name_of_the_page(tmp_path):
    """A page takes long to make: whoever reads the error knows which disk lost it."""
    full = tmp_path / "page.html"
    full.symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left") as told, claim_page(full) as put:
        put("<!doctype html>")
    assert told.value.filename == str(full)


def test_a_page_that_must_not_be_begun_leaves_nothing(tmp_path, monkeypatch):
    """Where its mode is refused, as by a disk that has none, no empty file stays."""

    def refused(path, descriptor):
        raise OutputError("refused")

    monkeypatch.setattr("screener.reporting.calibration.calibration_page.make_private", refused)
    with pytest.raises(OutputError, match="refused"), claim_page(tmp_path / "page.html") as put:
        put("a page")

    assert not any(tmp_path.iterdir())


def test_each_command_writes_over_its_own_pages_alone(known, benign, tmp_path):
    """A calibration, a report, a hotline's clock and its notices: each is refused by the others, as
    is a page from elsewhere, and stays as it is.
    """
    results, path = tmp_path / "results.jsonl", tmp_path / "page.html"
    with output.open_jsonl(results) as out:
        out.write(Screener(known).screen(str(benign / "holiday-20.png")))
    count = Count.from_hits(0, 1)
    told = Calibration("known", 1, "policy", 1, 0, 0, 0, {}, count, (), {})
    one = make_notice(
        case(), partner(tmp_path), hotline=HOTLINE, at=WRITTEN, notice="N-1", hashes=ITEM_HASHES
    )

    def calibrated():
        with claim_page(path) as put:
            put(render_page(told))

    def reported():
        report_page.write_html(results, path)

    def clocked():
        status_page.write_html(path, [], now=RECEIVED, language="ar", hotline=HOTLINE)

    def noticed():
        path.write_text(notice_files.render_html(one, get_translator("fr")))

    def elsewhere():
        path.write_text("<!doctype html>\n<html></html>")

    writers = (calibrated, reported, clocked)
    for made in (*writers, noticed, elsewhere):
        path.unlink(missing_ok=True)
        made()
        before = path.read_bytes()
        for write in writers:
            if write is made:
                write()
            else:
                with pytest.raises(ScreenerError, match="holds something else"):
                    write()
                assert path.read_bytes() == before


def test_a_name_cannot_break_out_of_the_page(known, benign):
    """Names of lists and files are escaped."""
    told = replace(calibrate(known, benign), list="<b>x", matching=("<script>alert(1)</script>",))
    text = render_page(told, names=True)
    assert "<b>x" not in text
    assert "<script" not in text


def test_the_command_writes_a_page_for_its_owner_only(known, benign, tmp_path):
    """Counts on standard output, the page beside; no name unless asked for."""
    report = tmp_path / "report.html"
    report.write_text("<!doctype html><!-- screener calibrate --><html>old")
    done = screener("calibrate", known.path, "--benign", benign, "-o", report, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert "pdq" in done.stdout
    assert "holiday" not in done.stdout + done.stderr
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert "<html>old" not in report.read_text()
    told = json.loads(
        screener("calibrate", known.path, "--benign", benign, "--json", "--names").stdout
    )
    assert told["together"]["hits"] == 1
    assert len(told["matching"]) == 1


@pytest.mark.parametrize("given", ["the list", "the policy", "a picture", "no folder", "no page"])
def test_the_page_is_written_over_nothing_else(known, benign, tmp_path, given):
    """A call that would destroy the list, the policy or a picture, or could not write its page, is
    refused before anything is hashed, and costs no file.
    """
    policy, picture = tmp_path / "policy.html", tmp_path / "picture.html"
    policy.write_text("[radius]\npdq = 20\n")
    picture.write_bytes((benign / "holiday-20.png").read_bytes())
    output = {
        "the list": known.path / "page.html",
        "the policy": policy,
        "a picture": picture,
        "no folder": tmp_path / "none" / "page.html",
        "no page": tmp_path / "page.txt",
    }[given]
    before = output.read_bytes() if output.exists() else None
    done = screener(
        "calibrate", known.path, "--benign", benign, "--policy", policy, "-o", output, "--jobs", "1"
    )
    assert done.returncode == 2
    assert output.name in done.stderr
    assert "pictures compared" not in done.stdout
    assert (output.read_bytes() if output.exists() else None) == before
