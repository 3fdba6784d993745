"""Refuse zip and tar bombs: archives with too many members or bytes.

The counts are of the bytes that are read, whatever the archive declares.
"""

from __future__ import annotations

from screener.errors import MediaError
from screener.media.files.limits import Limits

_MIN_BOMB_BYTES = 16 << 20  # less than this counts as no bomb, however well it is compressed

# A scan holds the names of all members. A longer name than a zip file can have ends the list, and
# each `_BYTES_PER_EXTRA_MEMBER` bytes of a name count as another member.
_MAX_NAME_BYTES = (1 << 16) - 1
_BYTES_PER_EXTRA_MEMBER = 512


def count_members(name: bytes) -> int:
    """Return the number of members that a member counts as, by its name's length."""
    return 1 + len(name) // _BYTES_PER_EXTRA_MEMBER


def find_excess(size: int, packed_size: int | None, limits: Limits) -> MediaError | None:
    """Return the error for a member that unpacks to too many bytes, or None.

    `packed_size` is its size in a zip file, or None in a tar file.
    """
    if size > limits.bytes:
        return MediaError("too_large", f"more than {limits.bytes} bytes")
    if packed_size is not None and _is_bomb(size, packed_size, limits):
        return _create_bomb_error(limits)
    return None


class Totals:
    """What the members of an archive need together.

    `packed_size` is the archive's size if all of it is compressed, as a packed tar is, else None.
    """

    def __init__(
        self, limits: Limits, *, max_members: int, max_bytes: int, packed_size: int | None
    ) -> None:
        self._limits = limits
        self._max_members, self._max_bytes = max_members, max_bytes
        self._packed_size = packed_size
        self._members = 0
        self.bytes = 0

    def add(self, name: bytes, size: int, *, is_read: bool) -> None:
        """Count a member. Raises MediaError `too_large` if a limit is exceeded.

        A member that is not read costs no bytes, except in a packed tar, which is unpacked as a
        whole.
        """
        if len(name) > _MAX_NAME_BYTES:
            raise MediaError("too_large", f"a name of more than {_MAX_NAME_BYTES} bytes")
        if is_read or self._packed_size is not None:
            self.bytes += size
        self.bytes += len(name)
        self._members += count_members(name)
        if self._members > self._max_members:
            raise MediaError("too_large", "the archive has too many members")
        if self.bytes > self._max_bytes:
            raise MediaError("too_large", "the archive unpacks to too many bytes")
        if self._packed_size is not None and _is_bomb(self.bytes, self._packed_size, self._limits):
            raise _create_bomb_error(self._limits)


def _is_bomb(size: int, packed_size: int, limits: Limits) -> bool:
    return size > max(_MIN_BOMB_BYTES, limits.ratio * packed_size)


def _create_bomb_error(limits: Limits) -> MediaError:
    return MediaError("too_large", f"unpacks to more than {limits.ratio} times its size")
