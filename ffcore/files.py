"""Files are written whole or not at all, so that nobody reads half of one; and what is safe to write where."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

_LONGEST = 60
MOST_READ = 2**30
"""Bytes of a file of results that is read whole."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write in the place of what is there, which changes only if the body ends well.

    Raises ``OSError`` with ``path``, also where the body raises one that names no other. A link is replaced, not
    followed.
    """
    name = None
    try:
        handle, name = _beside(path)
        with os.fdopen(handle, "wb") as file:
            yield file
        os.replace(name, path)
    except BaseException as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and (name is None or error.filename in (None, name)):  # the file beside, or none
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write the file, replacing what is there. Raises ``OSError`` with the path where it cannot be written."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file that a user names: as `write_atomically`, but into a device or a pipe (``/dev/stdout``) itself.

    Raises ``OSError`` with the path where that cannot be, also for a pipe that nobody reads.
    """
    data = content.encode() if isinstance(content, str) else content
    if not _is_stream(path):
        write_atomically(path, data)
        return
    try:
        opened = _opened(path)
        if opened is not None:
            with os.fdopen(os.dup(opened), "wb") as file:
                file.write(data)
            return
        handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))  # else a pipe waits for a reader
        with os.fdopen(handle, "wb") as file:
            os.set_blocking(handle, True)
            file.write(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _opened(path: Path) -> int | None:
    """The number of a file that this process has open, where the path is the system's link to it (``/dev/stdout``)."""
    links = [path, path.parent / path.readlink()] if path.is_symlink() else []
    for link in links:
        if os.path.realpath(link.parent) == f"/proc/{os.getpid()}/fd" and link.name.isdigit():
            return int(link.name)
    return None


def _is_stream(path: Path) -> bool:
    """Is a file written into, instead of being replaced?"""
    try:
        mode = path.stat().st_mode
    except OSError:  # not there, or a link to nothing: it is made
        return False
    return _opened(path) is not None or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_file(path: Path) -> None:
    """Make the folder of a file that is to be written later; raise ``OSError`` with the path where it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    check_places(path.parent, [path.name])
    if not _is_stream(path):
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_all(folder: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Write files into a folder, name -> content: where one of them cannot be written, none is. Returns their paths.

    Raises ``OSError`` with the path.
    """
    check_places(folder, contents)
    with ExitStack() as written:
        for name, content in contents.items():
            path = folder / name
            file = written.enter_context(replacing(path))
            try:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
            except OSError as error:
                raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    return [folder / name for name in contents]


def read_regular(path: Path) -> bytes:
    """What a file holds. Raises ``OSError`` with the path for what is none: a pipe, for one, could be read for ever."""
    check_regular(path)
    if path.stat().st_size > MOST_READ:
        raise OSError(errno.EINVAL, f"is larger than {MOST_READ // 2**20:,} MiB", str(path))
    return path.read_bytes()


def check_regular(path: Path) -> None:
    """Raise ``OSError`` with the path where there is no file, or none that has an end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))


def check_no_link(path: Path) -> None:
    """Raise ``OSError`` for a link in the place of a folder of ours: it may lead to what is somebody else's."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "is a link, which may lead anywhere: remove it", str(path))


def real(path: str | Path) -> Path:
    """The full path without links; where they lead in a circle, that of the link itself."""
    return Path(os.path.realpath(path))


def check_places(folder: Path, names: Iterable[str]) -> None:
    """Raise ``OSError`` for a name in ``folder`` that a file cannot replace: a folder stands there."""
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            raise OSError(errno.EISDIR, "is a folder, where a file is to be written", str(path))


def file_name(text: str) -> str:
    """A part of a file name made of any text: never hidden, never a path, at most 60 plain characters."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)[:_LONGEST].lstrip(".-") or "_"


def csv_cell(text: str) -> str:
    """Text for a cell of a CSV file, which spreadsheets would otherwise take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _beside(path: Path) -> tuple[int, str]:
    """A new file in the folder of ``path``, opened, and its name; as public as files are (asking for the umask would
    change it for other threads)."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        name = str(path.parent / f".ffcore-{secrets.token_hex(4)}.tmp")
        with suppress(FileExistsError):
            return os.open(name, flags, 0o666), name
