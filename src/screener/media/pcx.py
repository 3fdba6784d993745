"""PCXs: Pillow takes all to be packed, whatever their header says."""

from __future__ import annotations

from PIL import PcxImagePlugin

_PACKED = 1  # in the third byte of a header


class Pcx(PcxImagePlugin.PcxImageFile):
    """A PCX. NotImplementedError for one that is not packed: nothing is wrong with it."""

    def _open(self) -> None:
        if self.fp is None:
            return
        head = self.fp.read(3)
        self.fp.seek(0)
        super()._open()
        if head[2] != _PACKED:
            raise NotImplementedError("a picture that is not packed")
