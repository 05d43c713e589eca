"""Tables of numbers that answer as mappings do: what ``access``, ``drop``, ``sum`` and ``per_compute`` return."""

from __future__ import annotations

from typing import Any

import attrs

from ffcore.plugin import FFError, ResultTable, columns

_TOTAL = "Total"


@attrs.frozen(eq=False, repr=False)
class Table(ResultTable):
    """One row for each mapping, one column for each number."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(column) for column in self.data.columns]

    def energy(
        self,
        per_einsum: bool = False,
        per_component: bool = False,
        per_tensor: bool = False,
        per_action: bool = False,
        list_if_one_mapping: bool = False,
    ) -> Any:
        """J, or J per compute after ``per_compute``; broken down, a dict with the keys of ``Mappings.energy``.

        Raises FFError where the columns of it were dropped, or their parts taken away.
        """
        wanted = (per_einsum, per_component, per_tensor, per_action)
        if not any(wanted):
            return self._total("energy", list_if_one_mapping)
        found: dict[Any, Any] = {}
        for column in self.columns:
            einsum, *rest = columns.split(column)
            if einsum == _TOTAL or rest[:1] != ["energy"]:
                continue
            # Leakage is of a component and of no tensor.
            component, tensor, action = rest[1:] if len(rest) == 4 else (rest[1], "None", rest[-1])
            parts = (einsum, component, None if tensor == "None" else tensor, action)
            kept = tuple(part for part, want in zip(parts, wanted, strict=True) if want)
            key = kept[0] if len(kept) == 1 else kept
            found[key] = found.get(key, 0.0) + self.data[column]
        if not found:
            raise FFError("no column of this table is the energy of an action: ask the mappings themselves")
        return {key: self._plain(numbers, list_if_one_mapping) for key, numbers in found.items()}

    def latency(self, list_if_one_mapping: bool = False) -> Any:
        """s, or s per compute. Raises FFError where the column of it was dropped."""
        return self._total("latency", list_if_one_mapping)

    def _total(self, metric: str, as_list: bool) -> Any:
        column = columns.join(_TOTAL, metric)
        if column not in self.columns:
            raise FFError(f"this table has no column {column}: ask the mappings themselves")
        return self._plain(self.data[column], as_list)

    def _plain(self, numbers: Any, as_list: bool) -> Any:
        values = numbers.tolist()
        return values[0] if len(values) == 1 and not as_list else values
