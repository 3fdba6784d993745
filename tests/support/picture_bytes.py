"""Pictures saved as the bytes of a file."""

import io


def saved(picture, format, **options):
    """A picture as a file of that format."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def several(pictures, format, **options):
    """Pictures as the pages or frames of a file of that format."""
    return saved(pictures[0], format, save_all=True, append_images=pictures[1:], **options)


def jpeg(picture, **options):
    """A picture as a JPEG."""
    return saved(picture, "JPEG", **options)


def png(picture, **options):
    """A picture as a PNG."""
    return saved(picture, "PNG", **options)
