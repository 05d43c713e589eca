"""Compiled functions of the search, kept on disk where that can be done: a cache that fails costs time only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
from numba.core.runtime.nrt import rtsys

_TRIED = ("0.68.",)  # versions of numba of which compiled code is known to run on the runtime alone


class _Cache(FunctionCache):  # type: ignore[misc,unused-ignore]
    """Numba's own, for disks that are full and files that are damaged.

    Numba compiles again when a kernel's own file has changed; here also when that of a kernel that it calls has, or a
    number that stands in either, such as a tolerance.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call,unused-ignore]
        kept: Any = self._cache_file
        kept._source_stamp = kept._source_stamp, *_behind(function)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled before, or None: then it is compiled again."""
        try:
            if not numba.__version__.startswith(_TRIED):
                return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call,unused-ignore]
            # Numba's own first reads all that compiling needs, a tenth of the time of a small job; what was compiled
            # needs no more than the runtime. Where nothing is found, compiling reads the rest.
            rtsys.initialize(target_context)  # type: ignore[no-untyped-call,unused-ignore]
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call,unused-ignore]
        except Exception:  # whatever unpickling half a file says
            with suppress(Exception):
                self.flush()  # type: ignore[no-untyped-call,unused-ignore]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, if there is room for it."""
        with suppress(Exception):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call,unused-ignore]


def _behind(function: Callable[..., Any]) -> list[object]:
    """What the compiled code of a kernel depends on beside its own file: kernels and numbers that it names."""
    found: list[object] = []
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, int | float):
            found.append((name, value))
        elif isinstance(value, Dispatcher):
            file = Path(value.py_func.__code__.co_filename)
            with suppress(OSError):  # in an archive
                status = file.stat()
                found.append((file.name, status.st_mtime, status.st_size))
            found += _behind(value.py_func)
    return found


def kernel(function: Callable[..., Any]) -> Any:
    """The function, compiled when it is first called; it holds no lock of Python while it runs."""
    made: Any = njit(nogil=True, error_model="numpy")(function)
    with suppress(RuntimeError):  # no folder in which anything could be kept
        made._cache = _Cache(function)  # type: ignore[no-untyped-call,unused-ignore]
    return made


__all__ = ["kernel"]
