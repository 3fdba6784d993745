"""What comes of a file that needs nearly all memory of a worker does not depend on its past."""

from pathlib import Path

from screener import Policy, Screener, scan

# Files of one picture each, cut short, and of how many MB its pixels are.
FITTING = "timeout-60d8b7c8469d59fc9ffff6b3a3dc0faeae6ea8ee.blp"  # 134
NEARLY = "timeout-ef9112a065e7183fa7faa2e18929b03e44ee16bf.blp"  # 192
TOO_LARGE = "timeout-d6ec061c4afdef39d3edf6da8927240bb07fe9b7.blp"  # 268


def test_large_broken_pictures_come_out_alike_whatever_was_before(
    material, make_list, scene, tmp_path
):
    """Behind one that leaves memory occupied and behind one another, with all hashes and with
    little memory: what fits is cut short, what does not is too large, and what nearly does is what
    it is by itself. All of it is a line for each, in order.
    """
    files = [
        str(material / "robustness" / "pillow" / name) for name in (FITTING, TOO_LARGE, NEARLY)
    ]
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
    told = {Path(name).name: outcomes for name, outcomes in found.items()}
    assert told == {
        "a.png": {("no_match", None, None)},
        FITTING: {("unscreened", "truncated", "the image: the data ends too early")},
        NEARLY: {("unscreened", str(alone.reason), alone.detail)},
        TOO_LARGE: {("unscreened", "too_large", "the image: not enough memory to decode it")},
    }
    assert str(alone.reason) in ("truncated", "too_large")
