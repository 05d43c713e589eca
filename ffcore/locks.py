"""One process at a time writes a folder: a lock file says which, and goes with it.

The operating system holds the lock for as long as the process lives, so that what a killed one leaves behind counts for
nothing. Where a file system has no locks, process and host in the file are what is gone by.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ffcore.errors import FFError

try:
    import fcntl
except ImportError:  # not there on Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]

LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_LEFT_OVER = re.compile(r"\.ffcore-[a-z0-9_]{8}\.tmp")  # what a write that was killed leaves beside its place
_OLD = 3600.0  # s
_BEGINS = b'{"process": '  # see `_write`

_one_at_a_time = threading.Lock()  # of this process's threads: for the system they are one
_held: dict[tuple[int, int], tuple[int, int]] = {}  # (device, inode) of locks of this process -> (process, thread)


class FolderInUseError(FFError):
    """Another process writes the folder."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Nobody else writes ``folder``, which is made if it is missing, while the body runs; the body may do so again.

    What writes that were killed left there is removed. Raises FolderInUseError where another process writes it,
    ``OSError`` with the path where it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = _locked(path)
    if handle is None:
        yield
        return
    try:
        _write(handle, path)
        _remove_left_over(folder)
        yield
    finally:
        status = os.fstat(handle)
        if _key_of(path) == (status.st_dev, status.st_ino):  # not another's, where somebody removed ours
            with suppress(OSError):
                path.unlink()
        _held.pop((status.st_dev, status.st_ino), None)
        os.close(handle)


def _locked(path: Path) -> int | None:
    """The open lock file, which nobody else holds; None if this thread holds it already."""
    with _one_at_a_time:
        return _taken(path, (os.getpid(), threading.get_ident()))


def _taken(path: Path, own: tuple[int, int]) -> int | None:
    """As `_locked`, for the process and thread ``own``."""
    while True:
        # Not opened where it is this process's own: to close it again would give up the lock.
        process, thread = _held.get(_key_of(path), (0, 0))
        if process == own[0]:
            if thread == own[1]:
                return None
            raise _in_use(path, {"process": process, "host": socket.gethostname()})
        handle = _opened(path)
        try:
            if not _is_ours(handle):
                raise OSError(errno.EEXIST, "is no lock of ffcore's: name another folder", str(path))
            if not _lock(handle):
                raise _in_use(path, _owner(handle))
            status = os.fstat(handle)
            if _key_of(path) == (status.st_dev, status.st_ino):
                _held[status.st_dev, status.st_ino] = own
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # whoever had it has removed it meanwhile


def _opened(path: Path) -> int:
    """The lock file, opened; made if it is missing. A link is not followed: what it leads to is somebody's."""
    try:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        said = "is no regular file" if error.errno in (errno.ELOOP, errno.ENXIO) else error.strerror
        raise OSError(error.errno, said, str(path)) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(handle)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return handle


def _lock(handle: int) -> bool:
    """Take the lock. Record locks are not inherited, so that workers which outlive their parent do not hold it."""
    if fcntl is not None:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                return False
        else:
            return True
    return not _alive(_owner(handle))


def _key_of(path: Path) -> tuple[int, int]:
    with suppress(OSError):
        status = path.lstat()
        return status.st_dev, status.st_ino
    return 0, 0


def _write(handle: int, path: Path) -> None:
    mine = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(mine).encode(), 0)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _owner(handle: int) -> dict[str, Any]:
    """Who wrote the file, as far as it can be told."""
    try:
        data = json.loads(os.pread(handle, 1000, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _is_ours(handle: int) -> bool:
    """Whether the file is a lock, or what is left of one where a machine went down; not what somebody else wrote."""
    data = os.pread(handle, 1000, 0).strip(b"\0")
    return data.startswith(_BEGINS) or _BEGINS.startswith(data)


def _alive(owner: dict[str, Any]) -> bool:
    """Whether the process may still be there. Of other hosts nobody knows."""
    number, host = owner.get("process"), owner.get("host")
    if not isinstance(number, int) or number == os.getpid():
        return False
    if host != socket.gethostname():
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _in_use(path: Path, owner: dict[str, Any]) -> FolderInUseError:
    who = f"process {owner['process']} on {owner.get('host')}" if owner.get("process") else "another process"
    since = f" since {owner['since']}" if owner.get("since") else ""
    return FolderInUseError(
        f"{path.parent} is in use by {who}{since}: wait until it has ended, or name another folder; if no such process "
        f"is there, remove {path}"
    )


def _remove_left_over(folder: Path) -> None:
    """Remove what killed writes left; below the folder, where caches may be shared, only what is old."""
    for place, age in ((folder, 0.0), *((folder / name, _OLD) for name in ("pmappings", "points", "no_fusion"))):
        if place.is_symlink() or not place.is_dir():
            continue
        for file in place.iterdir():
            with suppress(OSError):
                if _LEFT_OVER.fullmatch(file.name) and file.lstat().st_mtime <= time.time() - age:
                    file.unlink()
