"""Compiled functions of the search, kept on disk where that can be done: a cache that fails costs time only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache


class _Cache(FunctionCache):  # type: ignore[misc,unused-ignore]
    """Numba's own, for disks that are full and files that are damaged."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled before, or None: then it is compiled again."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call,unused-ignore]
        except Exception:  # whatever unpickling half a file says
            with suppress(Exception):
                self.flush()  # type: ignore[no-untyped-call,unused-ignore]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, if there is room for it."""
        with suppress(Exception):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call,unused-ignore]


def kernel(function: Callable[..., Any]) -> Any:
    """The function, compiled when it is first called; it holds no lock of Python while it runs."""
    made: Any = njit(nogil=True, error_model="numpy")(function)
    with suppress(RuntimeError):  # no folder in which anything could be kept
        made._cache = _Cache(function)  # type: ignore[no-untyped-call,unused-ignore]
    return made


__all__ = ["kernel"]
