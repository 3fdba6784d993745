"""What comes of a file that needs nearly all memory of a worker does not depend on its past."""

import struct
from pathlib import Path

from screener import Policy, Screener, scan

# Pictures that are cut short, by how many MB their pixels are.
FITTING, NEARLY, TOO_LARGE = 134, 370, 430


def cut(megabytes):
    """A BMP of so many pixels, of which a tenth is there: enough for it to be decoded."""
    width, size = 4000, 54 + megabytes * 1_000_000
    height = megabytes * 1_000_000 // (3 * width)
    facts = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return struct.pack("<2sIII", b"BM", size, 0, 54) + facts + bytes(range(250)) * (size // 2500)


def test_large_broken_pictures_come_out_alike_whatever_was_before(make_list, scene, tmp_path):
    """Behind one that leaves memory occupied and behind one another, with all hashes and with
    little memory: what fits is cut short, what does not is too large, and what nearly does is what
    it is by itself. All of it is a line for each, in order.
    """
    files = []
    for megabytes in (FITTING, TOO_LARGE, NEARLY):
        files.append(str(tmp_path / f"{megabytes}.bmp"))
        Path(files[-1]).write_bytes(cut(megabytes))
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "whash": "0123456789abcdef"}])
    scene(1, (2400, 2400)).save(tmp_path / "a.png")
    before = str(tmp_path / "a.png")
    engine = Screener(known, policy=Policy(memory=600 << 20))

    (alone,) = scan(engine, [files[-1]], jobs=1)
    inputs = [before, *files, before, *reversed(files)]
    in_turn = list(scan(engine, inputs, jobs=1))

    assert [one.input for one in in_turn] == inputs
    found = {name: set() for name in map(str, {before, *files})}
    for one in in_turn:
        found[one.input].add((str(one.verdict), one.reason and str(one.reason), one.detail))
    told = {Path(name).stem: outcomes for name, outcomes in found.items()}
    assert told == {
        "a": {("no_match", None, None)},
        str(FITTING): {("unscreened", "truncated", "image/bmp: the data ends too early")},
        str(NEARLY): {("unscreened", str(alone.reason), alone.detail)},
        str(TOO_LARGE): {("unscreened", "too_large", "image/bmp: not enough memory to decode it")},
    }
    assert str(alone.reason) in ("truncated", "too_large")
