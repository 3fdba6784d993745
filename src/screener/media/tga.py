"""TGAs, whose pixels have alpha where their header says so: Pillow takes it as told by their size.

Nor does it open those of 15 bits, which lie in 16 as others do.
"""

from __future__ import annotations

from PIL import TgaImagePlugin

# Where the header tells the kind of picture, the bits of a pixel, and those of its alpha.
_KIND, _DEPTH, _DESCRIPTOR = 2, 16, 17
_COLOURED = (2, 10)  # the kinds in colour without a palette
_ALPHA = 0x0F  # the bits of the descriptor that count those of alpha
_PLAIN = {"BGRA": "BGRX", "BGRA;15Z": "BGR;15"}  # Pillow's names of pixels with and without


class Tga(TgaImagePlugin.TgaImageFile):
    """A TGA that is in colour without alpha where its header tells no bit of alpha."""

    def _open(self) -> None:
        if self.fp is None:
            return
        head = bytearray(self.fp.read(_DESCRIPTOR + 1))
        if len(head) > _DESCRIPTOR and head[_KIND] in _COLOURED and head[_DEPTH] == 15:
            head[_DEPTH:] = 16, head[_DESCRIPTOR] & ~_ALPHA
            self.fp.seek(0)
            self.fp.write(head)
        self.fp.seek(0)
        super()._open()
        if head[_DESCRIPTOR] & _ALPHA == 0:
            self._be_plain()

    def _be_plain(self) -> None:
        """Read no alpha from the pixels."""
        for tile in self.tile:
            if isinstance(tile.args, tuple) and tile.args[0] in _PLAIN:
                self._mode = "RGB"
                self.tile = [tile._replace(args=(_PLAIN[tile.args[0]], *tile.args[1:]))]
