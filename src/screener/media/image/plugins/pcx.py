"""PCXs, and DCXs, which are several of them: Pillow takes all to be packed, whatever their header
says, and the palette of the last page to be that of each.
"""

from __future__ import annotations

from io import BytesIO

from PIL import DcxImagePlugin, PcxImagePlugin

_PACKED = 1  # in the third byte of a header


class Pcx(PcxImagePlugin.PcxImageFile):
    """A PCX. NotImplementedError for one that is not packed: nothing is wrong with it."""

    def _open(self) -> None:
        super()._open()
        _check_packed(self)


class Dcx(DcxImagePlugin.DcxImageFile):
    """A DCX, each page of which is read as a file of its own. NotImplementedError for a page that
    is not packed.
    """

    def seek(self, frame: int) -> None:
        """Go to a page."""
        super().seek(frame)
        begin = self._offset[frame]
        after = min((place for place in self._offset if place > begin), default=None)
        self._fp.seek(begin)
        self.fp = BytesIO(self._fp.read(-1 if after is None else after - begin))
        PcxImagePlugin.PcxImageFile._open(self)
        _check_packed(self)


def _check_packed(image: PcxImagePlugin.PcxImageFile) -> None:
    if image.fp is None:
        return
    image.fp.seek(2)
    if image.fp.read(1)[0] != _PACKED:
        raise NotImplementedError("a picture that is not packed")
