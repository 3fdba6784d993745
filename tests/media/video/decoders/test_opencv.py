"""Decoding by OpenCV, if PyAV is not installed."""

import pytest
from drawn_videos import clip, panned
from sampled_frames import frames_of

from screener import Verdict
from screener.errors import MediaError


def test_keyframes_needs_pyav(with_opencv, moving):
    """OpenCV would have to decode every frame."""
    with pytest.raises(MediaError, match=r"the extra `video`") as caught:
        frames_of(moving, mode="keyframes")

    assert caught.value.reason == "unsupported"


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_av1_names_the_extra_that_decodes_it(with_opencv, scene, engine_of, container):
    """OpenCV's wheels have no decoder, others may."""
    data = clip(panned(scene, 2, 12), codec="libsvtav1", container=container)

    result = engine_of({"not": scene(9)}).screen(data)

    screened, lacking = (Verdict.NO_MATCH, None, None), (Verdict.UNSCREENED, "unsupported", "video")
    assert (result.verdict, result.reason, result.extra) in (screened, lacking)


def test_a_video_that_opencv_decodes_in_part_is_not_cleared(with_opencv, scene, engine_of):
    """OpenCV does not report damage; frames are missing by the declared length."""
    data = bytearray(clip(panned(scene, 2, 60), gop=10))
    start = data.index(b"mdat")
    size = data.index(b"moov") - start
    data[start + size // 3 : start + size * 2 // 3] = bytes(size * 2 // 3 - size // 3)

    result = engine_of({"not": scene(9)}).screen(bytes(data))

    assert (result.verdict, result.reason) == (Verdict.UNSCREENED, "undecodable")
