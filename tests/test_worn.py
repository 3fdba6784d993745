"""What comes of a file that needs nearly all memory of a worker does not depend on its past."""

from screener import Policy, Screener, scan


def test_large_broken_pictures_come_out_alike_whatever_was_before(
    material, make_list, scene, tmp_path
):
    """Files of pictures of hundreds of megabytes, cut short, by themselves and behind one that
    leaves memory occupied, with all hashes and with little memory: the same lines.
    """
    folder = material / "robustness" / "pillow"
    files = [str(one) for one in sorted(folder.glob("timeout-*.blp"))]
    assert len(files) > 2
    known = make_list([{"id": "one", "pdq": "0123456789abcdef" * 4, "whash": "0123456789abcdef"}])
    scene(1, (2400, 2400)).save(tmp_path / "a.png")
    before = str(tmp_path / "a.png")
    engine = Screener(known, policy=Policy(memory=600 << 20))

    alone = [next(iter(scan(engine, [one], jobs=1))) for one in files]
    in_turn = list(scan(engine, [before, *files, before, *reversed(files)], jobs=1))

    told = {one.input: (one.verdict, one.reason, one.detail, one.media) for one in alone}
    for one in in_turn:
        if one.input != before:
            assert (one.verdict, one.reason, one.detail, one.media) == told[one.input]
