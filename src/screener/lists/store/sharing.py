"""Sharing: letting a group of users read a list, with every file that is written to it later.

The folder's mode is the record of it. The set-group-ID bit gives each new file the folder's group
from its first moment on, whoever makes it: also the log and its index that SQLite makes beside the
database, and gives the mode of the database.
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
_NO_GROUP = 2**32 - 1  # as a number, which leaves the group as it is
_OURS = re.compile(rf"(records|matches)\.sqlite(-wal|-shm|-journal)?|lock|{SEGMENT_NAME.pattern}")


def find_group(name: str) -> int:
    """Return the number of a group, given by name or number; ListError if there is none."""
    if grp is None:
        raise ListError("this system has no groups of users: leave the group out")
    if not isinstance(name, str):
        raise ListError(f"a group is given by its name, not {type(name).__name__}")
    if name.isascii() and name.isdigit() and int(name[:12]) < _NO_GROUP:
        return int(name)
    with suppress(KeyError, ValueError):  # a name with a NUL is no name
        return grp.getgrnam(name).gr_gid
    raise ListError(
        f"there is no group {name!r} on this machine: make it (`groupadd {name}`), or name another"
    )


def share(folder: Path, group: int) -> None:
    """Let a group read a list: its folders, the files in them, and those that are made later.

    Files in the folder that are not the list's are left alone. Raises ListError if this user may
    not give the files to the group, or the disk keeps no groups.
    """
    for place in (folder, folder / "segments"):
        _give(place, group, FOLDER_MODE)
        with os.scandir(place) as entries:
            ours = [one.path for one in entries if _OURS.fullmatch(one.name) and _is_file(one)]
        for path in ours:
            with suppress(FileNotFoundError):  # SQLite's log goes with the last who has it open
                _give(Path(path), group, FILE_MODE)


def share_file(folder: Path, path: Path) -> None:
    """Let the group of a shared list read a new file of it; otherwise do nothing.

    The mode is on the disk when this returns, so that a power cut cannot lose it.
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
    """Return whether a list has a group that may read it.

    The set-group-ID bit alone does not say so: a folder inherits it from the one that it lies in.
    """
    wanted = stat.S_ISGID | 0o050
    return os.stat(folder).st_mode & wanted == wanted


def access_error(folder: Path, place: str | os.PathLike[str]) -> ListError:
    """Return the error of a reader who may not read a list, or a file of it, with the remedy."""
    for above in reversed(folder.parents):
        if not os.access(above, os.X_OK):
            return ListError(
                f"you may not enter {above}, in which the list {folder} lies; have its owner let"
                " you (`chmod g+x`), or put the list elsewhere"
            )
    return ListError(
        f"you may not read {os.fspath(place)}, of the list {folder}: have its owner give the list"
        f" a group that you are in, by `screener import FILE --into {folder} --group NAME`; every"
        " later import keeps it"
    )


def _is_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False)


def _give(path: Path, group: int, mode: int) -> None:
    """Give a file or folder to a group, and then the mode: nobody else can read it in between."""
    try:
        os.chown(path, -1, group)
        os.chmod(path, mode)
        facts = os.stat(path)
    except PermissionError as error:
        raise ListError(
            f"you may not give {path} to the group {_name(group)} ({cause(error)}): run this as the"
            " owner of the list, who has to be in that group (`usermod -aG`, and a new login), or"
            " as root"
        ) from None
    if (facts.st_gid, stat.S_IMODE(facts.st_mode)) != (group, mode):
        raise ListError(
            f"{path} cannot be given to the group {_name(group)}: the disk does not keep who may"
            " read what; move the list to one that does"
        )


def _name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
