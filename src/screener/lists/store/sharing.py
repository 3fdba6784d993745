"""Share all current and later files of a list with a group of users.

The mode of the folder records this. Its set-group-ID bit gives each new file the folder's group,
also SQLite's log and the index of the log, which get the mode of the database.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from screener.errors import ListError, cause
from screener.lists.store.column_checks import SEGMENT_NAME

try:
    import grp
except ImportError:  # not POSIX
    grp = None  # type: ignore[assignment]

FILE_MODE = 0o640
FOLDER_MODE = 0o2750
_NO_GROUP = 2**32 - 1  # chown() would leave the group unchanged
_LIST_FILES = re.compile(
    rf"(records|matches)\.sqlite(-wal|-shm|-journal)?|lock|{SEGMENT_NAME.pattern}"
)


def find_group(name: str) -> int:
    """Return the id of a group, given by name or id.

    Raises ListError if there is no such group.
    """
    if grp is None:
        raise ListError("this system has no user groups: omit the group")
    if not isinstance(name, str):
        raise ListError(f"group must be a name, not {type(name).__name__}")
    if name.isascii() and name.isdigit() and int(name[:12]) < _NO_GROUP:
        return int(name)
    with suppress(KeyError, ValueError):  # a name with a NUL is invalid
        return grp.getgrnam(name).gr_gid
    raise ListError(
        f"there is no group {name!r} on this machine: make it (`groupadd {name}`), or name another"
    )


def share(folder: Path, group: int) -> None:
    """Let a group read all current and later files of a list.

    Other files in the folder are not changed. Raises ListError if this user may not give the files
    to the group, or the disk does not support groups.
    """
    for directory in (folder, folder / "segments"):
        _give(directory, group, FOLDER_MODE)
        with os.scandir(directory) as entries:
            paths = [
                entry.path
                for entry in entries
                if _LIST_FILES.fullmatch(entry.name) and _is_file(entry)
            ]
        for path in paths:
            with suppress(FileNotFoundError):  # SQLite removes its log with the last connection
                _give(Path(path), group, FILE_MODE)


def share_file(folder: Path, path: Path) -> None:
    """Let the group of a list, if it is shared, read a new file.

    The mode is synced, so that it survives a power cut.
    """
    if not is_shared(folder) or stat.S_IMODE(os.stat(path).st_mode) == FILE_MODE:
        return
    os.chmod(path, FILE_MODE)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_shared(folder: Path) -> bool:
    """Return whether a group may read a list."""
    # A folder may inherit the set-group-ID bit alone from its parent.
    required = stat.S_ISGID | 0o050
    return os.stat(folder).st_mode & required == required


def access_error(folder: Path, path: str | os.PathLike[str]) -> ListError:
    """Return the error for a list, or a file of it, that this user may not read."""
    for parent in reversed(folder.parents):
        if not os.access(parent, os.X_OK):
            return ListError(
                f"you may not enter {parent}, in which the list {folder} lies; have its owner let"
                " you (`chmod g+x`), or put the list elsewhere"
            )
    return ListError(
        f"you may not read {os.fspath(path)}, of the list {folder}: have its owner give the list"
        f" a group that you are in, by `screener import FILE --into {folder} --group NAME`; every"
        " later import keeps it"
    )


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _give(path: Path, group: int, mode: int) -> None:
    """Give a file to a group, then set its mode, so that no other group reads it."""
    try:
        os.chown(path, -1, group)
        os.chmod(path, mode)
        status = os.stat(path)
    except PermissionError as error:
        raise ListError(
            f"you may not give {path} to the group {_get_group_name(group)} ({cause(error)}):"
            " run this as the owner of the list, who has to be in that group (`usermod -aG`, and a"
            " new login), or as root"
        ) from None
    if (status.st_gid, stat.S_IMODE(status.st_mode)) != (group, mode):
        raise ListError(
            f"{path} cannot be given to the group {_get_group_name(group)}: the disk does"
            " not keep who may read what; move the list to one that does"
        )


def _get_group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
