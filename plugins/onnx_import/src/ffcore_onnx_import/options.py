"""What a user may say about an import; by ``--set`` where a command has no option of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ffcore.plugin import SpecError

UNKNOWN = ("error", "copy")
"""What may become of an operator that the importer does not know."""

MAX_DIMENSION = 2**40
"""No axis is longer than this."""


@attrs.frozen
class Options:
    """How a network becomes a workload.

    ``bits_per_value``: of all tensors; None: by the file's own types.
    ``pairwise_joins``: joins of more than two parts are done two by two, for computes that take no more.
    """

    onnx_unknown: str = "error"
    persistent_weights: bool = False
    fold_elementwise: bool = False
    pairwise_joins: bool = False
    bits_per_value: int | None = None

    def __attrs_post_init__(self) -> None:
        if self.onnx_unknown not in UNKNOWN:
            raise SpecError.one(f"onnx_unknown is 'error' or 'copy', not {self.onnx_unknown!r}")


class Parameters:
    """Parameters by name (``--set``); remembers nothing, so that the mapping given may count what is asked for."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = given

    def options(self) -> Options:
        """Everything but the dimensions. Raises SpecError for values that make no sense."""
        return Options(
            onnx_unknown=str(self._get("onnx_unknown", str, "error")),
            persistent_weights=self._get("persistent_weights", _flag, False),
            fold_elementwise=self._get("fold_elementwise", _flag, False),
            pairwise_joins=self._get("pairwise_joins", _flag, False),
            bits_per_value=self._get("bits_per_value", _whole, None),
        )

    def dimension(self, name: str) -> int | None:
        """The size given for a symbolic dimension; None: none is."""
        found: int | None = self._get(name, _whole, None)
        return found

    def _get(self, name: str, read: Callable[[object], Any], default: Any) -> Any:
        if name not in self._given:
            return default
        value = self._given[name]
        try:
            return read(value)
        except ValueError as error:
            raise SpecError.one(f"parameter {name!r} must be {error}, not {value!r}") from None


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    texts = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in texts:
        raise ValueError("true or false")
    return texts[str(value).lower()]


def _whole(value: object) -> int:
    wrong = ValueError(f"a whole number from 1 to {MAX_DIMENSION}")
    if isinstance(value, bool):
        raise wrong
    try:
        number = int(str(value))
    except ValueError:
        raise wrong from None
    if not 1 <= number <= MAX_DIMENSION:
        raise wrong
    return number
