"""What is told of a picture's file, for tests that look at its frames."""

from screener.errors import MediaError
from screener.media.files.limits import Limits
from screener.media.image import open_image


def frames_and_reason(data, **limits):
    """The frames of a file, and the reason of what ends them."""
    frames = []
    try:
        for frame in open_image.open(data, limits=Limits(**limits)).frames():
            frames.append(frame)
    except MediaError as error:
        return frames, error.reason
    return frames, None


def pixels_and_reason(data):
    """The pixels of each frame of a file, and the reason that follows them."""
    frames, reason = frames_and_reason(data)
    return [frame.pixels for frame in frames], reason
