"""When memory, the disk or open files run out: one sentence, whatever the error looked like where it came up."""

from __future__ import annotations

import errno

_HINTS = {
    errno.ENOSPC: "make room on it",
    errno.EDQUOT: "make room within your quota",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EMFILE: "raise the number of open files (ulimit -n), or run fewer jobs (--jobs 1)",
    errno.ENFILE: "close other programs, or run fewer jobs (--jobs 1)",
    errno.EIO: "look at the disk",
    errno.EAGAIN: "raise the number of processes (ulimit -u), or run fewer jobs (--jobs 1)",
}
_CLOSE = 2**28  # bytes of addresses left below which strange errors of libraries mean that memory ran out


def resource_end(error: BaseException) -> str | None:
    """What is said where something ran out; None for other errors."""
    if is_out_of_memory(error):
        return _out_of_memory()
    if isinstance(error, OSError) and error.errno in _HINTS:
        said = error.strerror or "it cannot be used"
        place = f"{error.filename}: {said}" if error.filename is not None else said
        return f"{place}; {_HINTS[error.errno]}, then give the same command again"
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return f"no further thread can be started; {_HINTS[errno.EAGAIN]}"
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Did memory run out, in this error or in one that it came of?"""
    found: BaseException | None = error
    for _ in range(20):
        if found is None:
            break
        if isinstance(found, MemoryError) or (isinstance(found, OSError) and found.errno == errno.ENOMEM):
            return True
        found = found.__cause__ or found.__context__
    # Libraries that cannot be loaded, or say nothing at all.
    strange = isinstance(error, SystemError | ImportError | RuntimeError) or (
        isinstance(error, OSError) and error.errno is None
    )
    return strange and _addresses_left() < _CLOSE


def _addresses_left() -> float:
    try:
        from ffcore.system import addresses_left

        return addresses_left()
    except (ImportError, MemoryError, OSError):
        return 0.0


def _out_of_memory() -> str:
    try:
        from ffcore.explore.limits import out_of_memory

        return str(out_of_memory("mapping"))
    except (ImportError, MemoryError, OSError):  # not even that
        return "memory ran out: give the command more of it"
