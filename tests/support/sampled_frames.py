"""The sampled frames of a video, for tests."""

import numpy as np

from screener.errors import MediaError
from screener.hashing import pdq
from screener.media.video import frames
from screener.media.video.sampling.settings import Sampling


def frames_of(data, **sampling):
    """The frames that are looked at."""
    return list(frames.open(data, sampling=Sampling(**sampling)).frames())


def reason_of(data, **settings):
    """The reason why a walk over the frames ends early, and how many frames came before."""
    count = 0
    try:
        for _ in frames.open(data, **settings).frames():
            count += 1
    except MediaError as error:
        return error.reason, count
    return None, count


def near(pixels, picture):
    """Bits between the hash of some pixels and that of a picture."""
    return pdq.compute(pixels).distance(pdq.compute(np.asarray(picture)))
