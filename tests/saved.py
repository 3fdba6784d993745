"""Pictures saved as the bytes of a file."""

import io


def saved(picture, format, **options):
    """A picture as a file of that format."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def jpeg(picture, **options):
    """A picture as a JPEG."""
    return saved(picture, "JPEG", **options)


def png(picture, **options):
    """A picture as a PNG."""
    return saved(picture, "PNG", **options)
