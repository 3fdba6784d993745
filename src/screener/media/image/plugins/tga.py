"""TGAs of 15 and 16 bits a pixel: Pillow does not open the former, which lie in 16 bits as the
others do, and takes the bit that is left for alpha, whatever the header says of it.
"""

from __future__ import annotations

from PIL import TgaImagePlugin

# Where the header tells the kind of picture, the bits of a pixel, and those of its alpha.
_KIND, _DEPTH, _DESCRIPTOR = 2, 16, 17
_COLOURED = (2, 10)  # the kinds in colour without a palette
_ALPHA = 0x0F  # the bits of the descriptor that count those of alpha
_WITH, _WITHOUT = "BGRA;15Z", "BGR;15"  # Pillow's names of such pixels with alpha and without


class Tga(TgaImagePlugin.TgaImageFile):
    """A TGA whose bit beside the colours is alpha where its header says so. Of 32 bits eight are
    alpha whatever it says: most viewers take them so.
    """

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
            if isinstance(tile.args, tuple) and tile.args[0] == _WITH:
                self._mode = "RGB"
                self.tile = [tile._replace(args=(_WITHOUT, *tile.args[1:]))]
