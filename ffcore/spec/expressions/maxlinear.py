"""Symbolic latency: a maximum of linear forms in the numbers of action calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class MaxLinear:
    """``max(form, ...)``; a form maps action name -> coefficient (seconds per call)."""

    def __init__(self, forms: Iterable[Mapping[str, float]], constants: Iterable[float] | None = None) -> None:
        raise NotImplementedError

    @classmethod
    def variable(cls, action: str) -> MaxLinear:
        """The number of calls of ``action``."""
        raise NotImplementedError

    def forms(self) -> tuple[Mapping[str, float], ...]:
        """The linear forms; ValueError if a constant other than 0 is left."""
        raise NotImplementedError
