"""Rasters of Sun: Pillow takes the byte that pads a pixel of 32 bits to be its last, and knows of
no padding at the end of a packed row, so that each row would begin further off.
"""

from __future__ import annotations

from PIL import SunImagePlugin

_PADDED_FIRST = {"RGBX": "XRGB", "BGRX": "XBGR"}
_BITS = {"1": 1, "L": 8, "P": 8}  # of a pixel, by mode; of another mode they come to whole bytes


class Sun(SunImagePlugin.SunImageFile):
    """A Sun raster. NotImplementedError for one that is packed and whose rows are padded."""

    def _open(self) -> None:
        super()._open()
        (tile,) = self.tile
        kind, *rest = (tile.args,) if isinstance(tile.args, str) else tile.args or ("",)
        packed = not rest
        if packed and self._row(kind) % 2:
            raise NotImplementedError("rows that are padded")
        kind = _PADDED_FIRST.get(kind, kind)
        self.tile = [tile._replace(args=kind if packed else (kind, *rest))]

    def _row(self, kind: str) -> int:
        """Bytes of a row without what pads it."""
        bits = 4 if kind.endswith(";4") else _BITS.get(self.mode, 8 * len(kind))
        return (self.width * bits + 7) // 8
