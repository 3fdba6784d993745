"""Archives of drawn members."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def zipped(members, way=zipfile.ZIP_DEFLATED):
    """A zip file of names and contents."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", way) as archive:
        for name, content in members.items():
            # Without the time of now, so that equal members make equal files.
            info = zipfile.ZipInfo(name)
            info.compress_type = way
            archive.writestr(info, content)
    return stream.getvalue()


def tarred(members, form=tarfile.PAX_FORMAT):
    """A tar file of names and contents; a TarInfo as content stands for itself."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, content in members.items():
            if isinstance(content, bytes):
                info = tarfile.TarInfo(name)
                info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                archive.addfile(content)
    return stream.getvalue()


def locked(members):
    """A zip file whose members say that they are encrypted, as far as a reader looks."""
    data = bytearray(zipped(members, zipfile.ZIP_STORED))
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(magic, at + 1)) >= 0:
            data[at + offset] |= 1
    return bytes(data)


def special(name, kind, link=""):
    """A member of a tar file that is no regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info
