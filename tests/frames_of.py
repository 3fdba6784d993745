"""What is told of a picture's file, for tests that look at its frames."""

from screener.errors import MediaError
from screener.media import image


def told(data):
    """The frames of a file, and the reason that follows them."""
    frames = []
    try:
        for frame in image.open(data).frames():
            frames.append(frame.pixels)
    except MediaError as error:
        return frames, error.reason
    return frames, None
